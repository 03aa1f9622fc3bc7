"""Days counted from one date: hospital days, monthly talks, and when each calls for a contact."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.errors import SchedulerError
from scheduler.series import Series, Stop, stop
from scheduler.windows import Windows

CALENDAR, WINDOWS = Calendar(), Windows()


def stop_of(series: Series, n: int, *, windows: Windows = WINDOWS, calendar: Calendar = CALENDAR) -> Stop:
    found = stop(series, n, calendar=calendar, windows=windows)
    assert found is not None
    return found


def at(year: int, month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=SHANGHAI)


def test_month_ends_are_counted_from_the_anchor_and_not_from_the_last_one() -> None:
    monthly = Series(anchor=date(2027, 12, 31), every_months=1)
    days = [monthly.day(n) for n in range(5)]
    assert days == [
        date(2027, 12, 31),
        date(2028, 1, 31),
        date(2028, 2, 29),
        date(2028, 3, 31),
        date(2028, 4, 30),
    ]


def test_a_worker_with_a_hospital_day_every_21_days_is_called_the_day_before_each_time() -> None:
    treatment = Series(anchor=date(2026, 1, 6), every_days=21, days_before=1, moves=False)
    hospital = [date(2026, 1, 6) + timedelta(days=21 * n) for n in range(52)]
    assert hospital[-1] == date(2028, 12, 12)
    for n, day in enumerate(hospital):
        found = stop_of(treatment, n)
        assert found.day == day
        assert found.due_at == datetime.combine(day - timedelta(days=1), time(10), SHANGHAI)
        assert found.window_end == datetime.combine(day - timedelta(days=1), time(22), SHANGHAI)


def test_a_hospital_days_call_stays_on_its_day_in_the_middle_of_a_holiday() -> None:
    treatment = Series(anchor=date(2026, 2, 18), every_days=21, days_before=1, moves=False)
    assert stop_of(treatment, 0).due_at == at(2026, 2, 17)  # 初一: a person calls


def test_r31_a_talk_on_a_holiday_comes_on_the_last_workday_before_and_never_after() -> None:
    talks = Series(anchor=date(2026, 9, 2), every_months=1)
    found = stop_of(talks, 1)
    assert (found.day, found.due_at) == (date(2026, 10, 2), at(2026, 9, 30))
    assert found.window_end == at(2026, 10, 2, 22)  # a breach only once its own day is over


def test_talks_agreed_for_saturdays_stay_on_saturdays_and_leave_only_holidays() -> None:
    saturdays = Series(anchor=date(2026, 9, 12), every_days=7)
    found = [stop_of(saturdays, n).due_at.date() for n in range(5)]
    assert found == [
        date(2026, 9, 12),
        date(2026, 9, 19),
        date(2026, 9, 24),  # 26 September lies in the Mid-Autumn holiday
        date(2026, 9, 30),  # 3 October in that of the National Day
        date(2026, 10, 10),
    ]


def test_the_first_day_is_the_one_that_somebody_named_whatever_the_calendar_says() -> None:
    assert stop_of(Series(anchor=date(2026, 10, 2), every_months=1), 0).due_at == at(2026, 10, 2)


def test_daily_contacts_never_pile_up_before_a_holiday() -> None:
    daily = Series(anchor=date(2026, 9, 28), every_days=1)
    dues = [stop_of(daily, n).due_at for n in range(12)]
    assert dues == sorted(set(dues))


@pytest.mark.parametrize(
    ("hour", "expected"),
    [(time(7), at(2026, 12, 1, 8)), (time(21, 30), at(2026, 12, 1, 21)), (time(23), at(2026, 12, 1, 21))],
)
def test_nobody_is_to_be_rung_in_quiet_hours_and_an_hour_is_left_before_them(
    hour: time, expected: datetime
) -> None:
    assert stop_of(Series(anchor=date(2026, 12, 1), every_days=7, hour=hour), 0).due_at == expected


@pytest.mark.parametrize("quiet", [(time(0), time(0)), (time(0), time(8)), (time(12), time(14))])
def test_quiet_hours_of_any_shape_leave_a_due_time_before_the_end(quiet: tuple[time, time]) -> None:
    windows = Windows(quiet=quiet)
    for hour in range(24):
        found = stop_of(Series(anchor=date(2026, 12, 1), every_days=7, hour=time(hour)), 0, windows=windows)
        assert found.due_at.date() == date(2026, 12, 1)
        assert found.due_at < found.window_end
        assert not windows.is_quiet(found.due_at)


def test_a_series_ends_with_its_last_day_and_with_the_calendar() -> None:
    ended = Series(anchor=date(2026, 12, 1), every_days=21, until=date(2027, 1, 12))
    assert [ended.day(n) for n in (1, 2, 3)] == [date(2026, 12, 22), date(2027, 1, 12), None]
    assert stop(ended, 3, calendar=CALENDAR, windows=WINDOWS) is None
    assert Series(anchor=date(9999, 12, 1), every_months=1).day(1) is None
    assert Series(anchor=date(9999, 12, 1), every_days=60).day(1) is None


@pytest.mark.parametrize(
    "series",
    [
        Series(anchor=date(2026, 1, 31), every_months=1),
        Series(anchor=date(2026, 1, 31), every_months=3),
        Series(anchor=date(2026, 1, 6), every_days=21),
        Series(anchor=date(2026, 1, 6), every_days=1),
    ],
)
def test_the_first_day_from_a_date_is_the_first_and_not_before_it(series: Series) -> None:
    for day in (date(2025, 12, 1) + timedelta(days=n) for n in range(800)):
        n = series.first_from(day)
        found, before = series.day(n), series.day(n - 1) if n else None
        assert found is not None
        assert found >= day
        assert before is None or before < day


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"every_days": 7, "every_months": 1},
        {"every_days": 0},
        {"every_days": 367},
        {"every_months": 25},
        {"every_days": 7, "days_before": 61},
        {"every_days": 7, "days_before": -1},
    ],
)
def test_a_series_that_makes_no_sense_is_none(wrong: dict[str, int]) -> None:
    with pytest.raises(SchedulerError):
        Series(anchor=date(2026, 12, 1), **wrong)
