"""Which days are workdays, and which days are left in peace (R30, R31).

Order of trust: the site's own table, then `chinesecalendar` (published make-up workdays), then
`holidays` (statutory days only for unpublished years: provisional), then Monday to Friday. A year
that is missing gives a day that says so, never an exception.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import takewhile
from typing import assert_never

import chinese_calendar
import holidays

_ONE_DAY = timedelta(days=1)
_FRIDAY = 4
#: The longest run of days off ever published is ten days; more means a broken table.
_LONGEST_REST = 40


class Source(StrEnum):
    """Where a day's answer comes from."""

    SITE = "site"
    PUBLISHED = "published"
    #: Statutory days without the make-up workdays, which nobody has published yet.
    PROVISIONAL = "provisional"
    #: No table covers the year.
    WEEKDAYS = "weekdays"


class Festival(StrEnum):
    """Days on which no machine calls anybody, by rule."""

    #: 除夕 to 初三.
    SPRING = "spring"
    #: 清明: a day of grief.
    TOMBS = "tombs"
    #: 高考, 7 to 9 June: families sit with their children.
    EXAMS = "exams"


#: What a site keeps if it says nothing.
FESTIVALS = frozenset({Festival.SPRING, Festival.TOMBS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What a date is, and how far that can be trusted."""

    date: date
    is_workday: bool
    #: No automated calls: a festival, or a day the site names.
    is_left_in_peace: bool
    source: Source

    @property
    def warning(self) -> str | None:
        """Return what is wrong with this answer, in Chinese, or None if it is published."""
        match self.source:
            case Source.SITE | Source.PUBLISHED:
                return None
            case Source.PROVISIONAL:
                return f"{self.date.year}年的调休尚未公布，暂按法定节假日推算"
            case Source.WEEKDAYS:
                return f"没有{self.date.year}年的节假日数据，暂按周一至周五推算"


@cache
def _edition() -> str:
    # Read once: finding a package's version means reading files.
    return f"{version('chinesecalendar')}/{version('holidays')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """Workdays as the site keeps them. `site` maps a date to True (work) or False (off)."""

    site: Mapping[date, bool] | None = None
    #: Days on which the site lets no machine call, whatever else they are.
    peace: frozenset[date] = frozenset()
    #: And those that follow from a rule; a day the site calls a workday is none of them.
    festivals: frozenset[Festival] = FESTIVALS
    #: Ordinary weekends allow automated calls too: for who is reached then, if the site has windows for it.
    weekends: bool = False

    def day(self, when: date) -> Day:
        """Return what `when` is. The site's own word goes before every table and rule."""
        named = when in self.peace
        if self.site is not None and when in self.site:
            return Day(date=when, is_workday=self.site[when], is_left_in_peace=named, source=Source.SITE)
        source, is_workday = _ask_tables(when)
        peace = named or any(when in _days_of(festival, when.year) for festival in self.festivals)
        return Day(date=when, is_workday=is_workday, is_left_in_peace=peace, source=source)

    def is_workday(self, when: date) -> bool:
        """Tell whether people work on `when`."""
        return self.day(when).is_workday

    def is_holiday(self, when: date) -> bool:
        """Tell whether `when` is off for more than being a weekend: a run of days off holds a weekday.

        Saturday and Sunday beside a holiday belong to it; a day the site calls off is one by itself.
        """
        day = self.day(when)
        if day.is_workday:
            return False
        return day.source is Source.SITE or any(d.weekday() <= _FRIDAY for d in self._rest_around(when))

    def _rest_around(self, when: date) -> Iterator[date]:
        for step in (_ONE_DAY, -_ONE_DAY):
            yield from takewhile(lambda d: not self.is_workday(d), _days(when, step))

    def may_automate(self, when: date) -> bool:
        """Tell whether automated calls may go out on `when`."""
        day = self.day(when)
        may_be_called = day.is_workday or (self.weekends and self._is_plain_weekend(when))
        return may_be_called and not day.is_left_in_peace

    def _is_plain_weekend(self, when: date) -> bool:
        return when.weekday() > _FRIDAY and not self.is_holiday(when)

    def workday_on_or_before(self, when: date) -> date:
        """Return `when`, or the last workday before it (R31: never later)."""
        return next((d for d in _days(when, -_ONE_DAY) if self.is_workday(d)), when)

    def workday_after(self, when: date) -> date:
        """Return the next workday after `when`."""
        return next((d for d in _days(when + _ONE_DAY, _ONE_DAY) if self.is_workday(d)), when + _ONE_DAY)

    def automation_day_from(self, when: date) -> date:
        """Return `when`, or the next day on which automated calls may go out."""
        return next((d for d in _days(when, _ONE_DAY) if self.may_automate(d)), when)

    @property
    def edition(self) -> str:
        """Return which tables are in use: with a new one every due date may move."""
        return _edition()

    def published_until(self, start: date, horizon: timedelta = timedelta(days=400)) -> date:
        """Return the last day, from `start` on, whose make-up workdays are known (or the day before)."""
        days = (start + _ONE_DAY * n for n in range(horizon.days))
        last = start - _ONE_DAY
        for day in days:
            if self.day(day).warning is not None:
                break
            last = day
        return last


def _days(start: date, step: timedelta) -> Iterator[date]:
    return (start + step * n for n in range(_LONGEST_REST))


@lru_cache(maxsize=8192)
def _ask_tables(when: date) -> tuple[Source, bool]:
    try:
        return Source.PUBLISHED, bool(chinese_calendar.is_workday(when))
    except NotImplementedError:  # a year the table does not cover
        statutory = _statutory(when.year)
    is_weekday = when.weekday() <= _FRIDAY
    if not statutory:
        return Source.WEEKDAYS, is_weekday
    return Source.PROVISIONAL, is_weekday and when not in statutory


@lru_cache(maxsize=64)
def _statutory(year: int) -> Mapping[date, str]:
    """Return the statutory days off by name; empty where `holidays` covers nothing."""
    try:
        return dict(holidays.country_holidays("CN", years=year, language="zh_CN"))
    except (NotImplementedError, ValueError, KeyError, IndexError):
        return {}


@lru_cache(maxsize=64)
def _days_of(festival: Festival, year: int) -> frozenset[date]:
    """Return a festival's days. Empty where the lunar calendar is not covered."""
    named = _statutory(year)
    match festival:
        case Festival.SPRING:
            spring = [day for day, name in named.items() if "春节" in name]
            return frozenset(min(spring) + _ONE_DAY * n for n in range(-1, 3)) if spring else frozenset()
        case Festival.TOMBS:
            return frozenset(d for d, name in named.items() if name.startswith("清明节") and "补" not in name)
        case Festival.EXAMS:
            return frozenset(date(year, 6, day) for day in (7, 8, 9))
        case _:
            assert_never(festival)
