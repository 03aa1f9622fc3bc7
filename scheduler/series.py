"""A series of days counted from one date, and when each of them calls for a contact.

Every so many days or months from an anchor. Month ends clamp from the anchor and never from the last day
(31 Jan, 28 Feb, 31 Mar). All arithmetic is on wall dates at the site; nothing here knows what it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from scheduler.cadence import END_OF_DAY
from scheduler.calendar import Calendar
from scheduler.errors import SchedulerError
from scheduler.risk_ladder import add_months
from scheduler.windows import Windows

_ONE_DAY = timedelta(days=1)
#: Whoever is to be rung on a day's last evening hour needs that hour.
_LAST_START = timedelta(hours=1)
_SATURDAY = 5
_LONGEST_DAYS, _LONGEST_MONTHS, _EARLIEST = 366, 24, 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Days counted from `anchor`, which is the day of number 0."""

    anchor: date
    #: Exactly one of the two.
    every_days: int | None = None
    every_months: int | None = None
    #: The contact falls due so many days before each day.
    days_before: int = 0
    #: Wall time at which it falls due.
    hour: time = time(10)
    #: No day after this one.
    until: date | None = None
    #: On days off it moves to the last workday before. False: it is tied to its day, as a hospital's is.
    moves: bool = True

    def __post_init__(self) -> None:
        every, longest = (
            (self.every_days, _LONGEST_DAYS)
            if self.every_months is None
            else (self.every_months, _LONGEST_MONTHS)
        )
        if (self.every_days is None) == (self.every_months is None) or every is None:
            raise SchedulerError("a series goes by days or by months, and by one of them")
        if not 1 <= every <= longest:
            raise SchedulerError(f"a series repeats every 1 to {longest} days or months")
        if not 0 <= self.days_before <= _EARLIEST:
            raise SchedulerError(f"a contact falls due 0 to {_EARLIEST} days before its day")

    def day(self, n: int) -> date | None:
        """Return the day of number `n` (from 0); None after the last one, or where the calendar ends."""
        try:
            day = (
                add_months(self.anchor, n * self.every_months)
                if self.every_months is not None
                else self.anchor + timedelta(days=n * (self.every_days or 0))
            )
        except (OverflowError, ValueError):  # beyond the year 9999
            return None
        return None if self.until is not None and day > self.until else day

    def first_from(self, when: date) -> int:
        """Return the number of the first day on or after `when`, whether or not the series lasts so long."""
        if when <= self.anchor:
            return 0
        if self.every_months is None:
            return -((self.anchor - when).days // (self.every_days or 1))
        months = (when.year - self.anchor.year) * 12 + when.month - self.anchor.month
        n = max(0, months // self.every_months)
        return n if add_months(self.anchor, n * self.every_months) >= when else n + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """One day of a series: owed from `due_at` on; after `window_end` it is a breach."""

    n: int
    day: date
    due_at: datetime
    window_end: datetime
    #: The day it would fall due had no day off moved it.
    plain: date


def stop(series: Series, n: int, *, calendar: Calendar, windows: Windows) -> Stop | None:
    """Return when the contact of number `n` is owed, or None when the series ends before.

    Never in quiet hours, and never with less than an hour left before them. The window ends when the
    evening of the day before ends (`days_before` 0: of the day itself): a call about a hospital day is of
    no use once that day has come. What moves goes to the last workday before (R31), never past the stop
    before it; the first stop stays on the day that somebody named.
    """
    day = series.day(n)
    if day is None:
        return None
    plain = day - timedelta(days=series.days_before)
    owed = max(_last_workday(series, plain, calendar), _floor(series, n, plain))
    return Stop(
        n=n,
        day=day,
        due_at=_in_human_hours(owed, series.hour, windows),
        window_end=_evening(day - _ONE_DAY * min(1, series.days_before), windows),
        plain=plain,
    )


def late(at: Stop, since: datetime, windows: Windows) -> Stop:
    """Return a stop as whoever named its day only `since` owes it: in its window, or that evening at once.

    Where the evening before was over when the day was named, and the day itself had not come, it is owed
    from then on, until an hour after people may be rung again. What was over by then stays as it is.
    """
    since = since.astimezone(windows.zone)
    if since <= at.window_end or since.date() >= at.day:
        return at
    morning = datetime.combine(at.day, windows.quiet[1], windows.zone)
    return replace(at, due_at=since, window_end=morning + _LAST_START)


def _last_workday(series: Series, plain: date, calendar: Calendar) -> date:
    if not series.moves:
        return plain
    # Whoever agreed to a Saturday means Saturdays: only holidays move it then.
    at_weekends = series.anchor.weekday() >= _SATURDAY and not calendar.is_workday(series.anchor)
    if at_weekends and not calendar.is_holiday(plain):
        return plain
    return calendar.workday_on_or_before(plain)


def _floor(series: Series, n: int, plain: date) -> date:
    """Return the day before which a stop never falls: the day after the one before it."""
    before = series.day(n - 1) if n > 0 else None
    return plain if before is None else before - timedelta(days=series.days_before) + _ONE_DAY


def _evening(day: date, windows: Windows) -> datetime:
    """Return when nobody may be rung any more on a day."""
    start, end = windows.quiet
    return datetime.combine(day, start if start > end else END_OF_DAY, windows.zone)


def _in_human_hours(day: date, hour: time, windows: Windows) -> datetime:
    """Return `hour` of a day, or where people are left in peace then the nearest hour they are not."""
    due, latest = datetime.combine(day, hour, windows.zone), _evening(day, windows) - _LAST_START
    if windows.is_quiet(due) and due < latest:
        due = datetime.combine(day, windows.quiet[1], windows.zone)
    return min(due, latest)
