"""How often a person is owed a routine contact, and when the next one falls due.

The cadences are data keyed by grade. All arithmetic is on wall-calendar dates at the
site, so no clock change moves a due date. Missed routine periods collapse into one open debt: the
next due date is always counted from the last qualifying contact, however long ago that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

from scheduler.calendar import Calendar
from scheduler.errors import SchedulerError

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: A due date becomes due when the working day begins.
OPENING = time(9)
#: The breach: the end of the period's last day.
END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cadence:
    """A period length in days, after a number of shorter first periods."""

    every: int
    first: tuple[int, ...] = ()

    def days_after(self, since: date, last: date | None) -> int:
        """Return the length of the period that begins at `last` (or `since`).

        The shorter first periods are counted by the calendar from `since`: the weeks after an
        accident are what calls for them, whether or not every contact succeeded.
        """
        begun = max(0, ((last or since) - since).days)
        for length in self.first:
            if begun < length:
                return length
            begun -= length
        return self.every


#: Grade -> cadence; the keys are the hardship grades as files spell them.
CADENCES: Mapping[str, Cadence] = MappingProxyType(
    {
        "深度困难": Cadence(every=30),
        "相对困难": Cadence(every=90),
        "意外致困": Cadence(every=90, first=(14, 14, 14)),
        "脱困观察": Cadence(every=60),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """When a contact is owed: from `at` on; after `window_end` it is a breach."""

    at: datetime
    window_end: datetime
    #: Last day of the period by the calendar, before any holiday moved `at`.
    period_end: date
    #: The contact or first day the period is counted from.
    counted_from: date

    def __post_init__(self) -> None:
        if self.window_end < self.at:
            raise SchedulerError("a period cannot end before its contact is due")


def next_due(
    grade: str,
    *,
    since: date,
    last_contact: datetime | None,
    calendar: Calendar,
    zone: tzinfo = SHANGHAI,
    cadences: Mapping[str, Cadence] = CADENCES,
) -> Due:
    """Return when the next routine contact is owed.

    On a day off it moves to the last workday before, never after the period's end (R31) and never
    before the period's first day. Raises `SchedulerError` for an unknown grade.
    """
    if grade not in cadences:
        raise SchedulerError(f"no cadence for grade {grade!r}; known: {'、'.join(cadences)}")
    last = last_contact.astimezone(zone).date() if last_contact is not None else None
    start = since if last is None else max(since, last)
    end = start + timedelta(days=cadences[grade].days_after(since, last))
    day = max(calendar.workday_on_or_before(end), start)
    return Due(
        at=datetime.combine(day, OPENING, zone),
        window_end=datetime.combine(end, END_OF_DAY, zone),
        period_end=end,
        counted_from=start,
    )
