"""When the line may call out: calling windows, quiet hours and parts of the day (wall time)."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import islice, pairwise

from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.errors import SchedulerError

_ONE_DAY = timedelta(days=1)
_FRIDAY = 4
#: Openings after which an hour that never came does not come.
_LOOK_AHEAD = 60


class Daypart(StrEnum):
    """A part of the day; each retry tries another one."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"


def daypart_of(wall: time) -> Daypart:
    """Return the part of the day: before 12:00, before 17:00, after."""
    if wall < time(12):
        return Daypart.MORNING
    return Daypart.AFTERNOON if wall < time(17) else Daypart.EVENING


@dataclass(frozen=True, kw_only=True, slots=True)
class Windows:
    """Calling windows on days that allow automation, and the hours in which nobody is rung at all."""

    spans: tuple[tuple[time, time], ...] = ((time(9), time(12)), (time(14), time(20)))
    #: Nobody is rung from `quiet[0]` to `quiet[1]` of the next morning; equal times mean no quiet hours.
    quiet: tuple[time, time] = (time(22), time(8))
    zone: tzinfo = SHANGHAI
    #: The windows of Saturdays and Sundays, for who is reached then; none: as on other days, if at all.
    weekend: tuple[tuple[time, time], ...] = ()

    def __post_init__(self) -> None:
        if not self.spans or not all(map(_follow, (self.spans, self.weekend))):
            raise SchedulerError("calling windows must follow one another, each ending after it starts")

    def is_quiet(self, now: datetime) -> bool:
        """Tell whether `now` lies in the quiet hours."""
        wall, (start, end) = now.astimezone(self.zone).time(), self.quiet
        if start <= end:
            return start <= wall < end
        return wall >= start or wall < end

    def is_open(self, now: datetime) -> bool:
        """Tell whether `now` lies in a calling window and not in the quiet hours."""
        wall = now.astimezone(self.zone).time()
        spans = self._spans_on(now.astimezone(self.zone).date())
        return any(start <= wall < end for start, end in spans) and not self.is_quiet(now)

    def next_open(self, now: datetime, calendar: Calendar) -> datetime:
        """Return `now`, or the next instant at which an automated call may go out."""
        for start, end in self._openings(now, calendar):
            if now < end:
                return max(start, now)
        raise SchedulerError("no calling window opens within a year: mend the calendar or the windows")

    def next_in_part(self, earliest: datetime, parts: Set[Daypart], calendar: Calendar) -> datetime:
        """Return the first open instant from `earliest` on that lies in one of these parts of the day."""
        for start, end in self._openings(earliest, calendar):
            found = self._first_in(max(start, earliest), end, parts)
            if found is not None:
                return found
        return self.next_open(earliest, calendar)  # none of them is ever open

    def next_evening(self, after: datetime, calendar: Calendar) -> datetime:
        """Return the start of the evening of the next day that allows automation; or its last window."""
        day = calendar.automation_day_from(after.astimezone(self.zone).date() + _ONE_DAY)
        start, end = self._spans_on(day)[-1]
        wall = max(start, time(17)) if end > time(17) else start
        return self.next_open(datetime.combine(day, wall, self.zone), calendar)

    def next_at_hour(self, earliest: datetime, hour: int, calendar: Calendar) -> datetime | None:
        """Return the first open instant from `earliest` on within this hour of the day.

        None if no window is open in that hour on one of the next days.
        """
        for start, end in islice(self._openings(earliest, calendar), _LOOK_AHEAD):
            begin = datetime.combine(start.astimezone(self.zone).date(), time(hour), self.zone)
            first = max(start, begin, earliest)
            if first < min(end, begin + timedelta(hours=1)):
                return first
        return None

    def part_of(self, now: datetime) -> Daypart:
        """Return the part of the day in which `now` lies at the site."""
        return daypart_of(now.astimezone(self.zone).time())

    @property
    def hours_of_day(self) -> float:
        """Return for how many hours of a day the windows are open."""
        return sum(_seconds(end) - _seconds(start) for start, end in self.spans) / 3600

    def share_of_day(self, now: datetime) -> float:
        """Return which part of the day's calling time has passed, 0.0 to 1.0 (R37: spread)."""
        wall = _seconds(now.astimezone(self.zone).time())
        today = self._spans_on(now.astimezone(self.zone).date())
        spans = [(_seconds(start), _seconds(end)) for start, end in today]
        passed = sum(min(max(wall - start, 0), end - start) for start, end in spans)
        return passed / sum(end - start for start, end in spans)

    def after_working_time(self, start: datetime, amount: timedelta, calendar: Calendar) -> datetime:
        """Return the instant at which `amount` of working time has passed since `start` (promises)."""
        day, left = start.astimezone(self.zone).date(), amount
        day = day if calendar.is_workday(day) else calendar.workday_after(day)
        while True:
            for begin, end in (self._span(day, span) for span in self.spans):
                free = end - max(begin, start)
                if free >= left:
                    return max(begin, start) + left
                left -= max(free, timedelta(0))
            day = calendar.workday_after(day)

    def _span(self, day: date, span: tuple[time, time]) -> tuple[datetime, datetime]:
        return datetime.combine(day, span[0], self.zone), datetime.combine(day, span[1], self.zone)

    def _openings(self, now: datetime, calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
        today = now.astimezone(self.zone).date()
        for day in (today + _ONE_DAY * n for n in range(366)):
            if calendar.may_automate(day):
                for start, end in self._spans_on(day):
                    yield from self._outside_quiet(day, start, end)

    def _spans_on(self, day: date) -> tuple[tuple[time, time], ...]:
        return self.weekend if self.weekend and day.weekday() > _FRIDAY else self.spans

    def _outside_quiet(self, day: date, start: time, end: time) -> Iterator[tuple[datetime, datetime]]:
        cut = sorted({start, end, *(edge for edge in self.quiet if start < edge < end)})
        for first, last in pairwise(cut):
            opening = datetime.combine(day, first, self.zone)
            if self.is_open(opening):
                yield opening, datetime.combine(day, last, self.zone)

    def _first_in(self, start: datetime, end: datetime, parts: Set[Daypart]) -> datetime | None:
        wall = start.astimezone(self.zone)
        edges = [datetime.combine(wall.date(), edge, self.zone) for edge in (time(12), time(17))]
        options = [start, *(edge for edge in edges if start < edge < end)]
        return next((o for o in options if start <= o < end and self.part_of(o) in parts), None)


def _follow(spans: tuple[tuple[time, time], ...]) -> bool:
    edges = [edge for span in spans for edge in span]
    return edges == sorted(edges) and all(start != end for start, end in spans)


def _seconds(wall: time) -> int:
    return wall.hour * 3600 + wall.minute * 60 + wall.second
