"""When the next routine contact is owed, over holidays, month ends and years to come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from scheduler.cadence import CADENCES, SHANGHAI, Due, next_due
from scheduler.calendar import Calendar
from scheduler.errors import SchedulerError

CALENDAR = Calendar()


def due(grade: str, since: date, last: datetime | None = None) -> Due:
    return next_due(grade, since=since, last_contact=last, calendar=CALENDAR)


@pytest.mark.parametrize(("grade", "days"), [("深度困难", 30), ("相对困难", 90), ("脱困观察", 60)])
def test_the_period_is_counted_from_the_last_contact(grade: str, days: int) -> None:
    last = datetime(2026, 6, 3, 10, tzinfo=SHANGHAI)
    found = due(grade, date(2026, 1, 5), last)
    assert found.period_end == date(2026, 6, 3) + timedelta(days=days)
    assert found.counted_from == date(2026, 6, 3)


def test_without_any_contact_the_period_is_counted_from_the_files_first_day() -> None:
    assert due("深度困难", date(2026, 6, 1)).period_end == date(2026, 7, 1)


def test_a_contact_before_the_present_grade_began_does_not_shorten_it() -> None:
    last = datetime(2026, 1, 1, tzinfo=SHANGHAI)
    assert due("深度困难", date(2026, 6, 1), last).period_end == date(2026, 7, 1)


def test_after_an_accident_three_short_periods_come_before_the_long_ones() -> None:
    since = date(2026, 7, 1)
    ends, last = [], None
    for _ in range(5):
        found = due("意外致困", since, last)
        ends.append(found.period_end)
        last = datetime.combine(found.period_end, datetime.min.time(), SHANGHAI)
    assert [(end - since).days for end in ends] == [14, 28, 42, 132, 222]


def test_a_late_contact_after_an_accident_keeps_the_short_periods_of_the_first_weeks() -> None:
    last = datetime(2026, 7, 21, 12, tzinfo=SHANGHAI)  # 20 days after, not 14
    assert due("意外致困", date(2026, 7, 1), last).period_end == date(2026, 8, 4)


def test_missed_periods_collapse_into_one_debt_that_keeps_its_age() -> None:
    """Two years without contact are one debt, due since the first missed period (design §9)."""
    found = due("深度困难", date(2024, 6, 3))
    assert found.period_end == date(2024, 7, 3)


def test_r31_due_on_a_holiday_moves_to_the_workday_before_and_keeps_its_end() -> None:
    found = due("深度困难", date(2026, 9, 1))  # ends on 1 October
    assert found.at == datetime(2026, 9, 30, 9, tzinfo=SHANGHAI)
    assert found.period_end == date(2026, 10, 1)
    assert found.window_end == datetime(2026, 10, 1, 23, 59, 59, tzinfo=SHANGHAI)


def test_due_in_spring_festival_falls_on_the_make_up_saturday_before() -> None:
    assert due("深度困难", date(2026, 1, 18)).at.date() == date(2026, 2, 14)


def test_the_evening_contact_in_shanghai_counts_for_its_own_day() -> None:
    last = datetime(2026, 6, 3, 16, 30, tzinfo=UTC)  # already 4 June in Wuxi
    assert due("深度困难", date(2026, 1, 5), last).counted_from == date(2026, 6, 4)


@pytest.mark.parametrize(
    "since", [date(2026, 1, 31), date(2027, 1, 31), date(2028, 1, 30), date(2028, 2, 29)]
)
def test_month_ends_and_leap_days_are_plain_days(since: date) -> None:
    assert due("深度困难", since).period_end == since + timedelta(days=30)


def test_time_travel_through_2026_to_2028_never_moves_a_debt_past_its_period() -> None:
    for grade in CADENCES:
        day = date(2026, 1, 1)
        while day < date(2028, 12, 31):
            found = due(grade, day)
            assert found.at <= found.window_end
            assert day <= found.at.date() <= found.period_end
            assert CALENDAR.is_workday(found.at.date())
            day += timedelta(days=1)


def test_the_births_of_old_summer_time_do_not_move_a_date() -> None:
    """China kept summer time from 1986 to 1991; dates are wall dates, so nothing shifts."""
    assert due("深度困难", date(1988, 4, 10)).period_end == date(1988, 5, 10)


def test_an_unknown_grade_is_refused_by_name() -> None:
    with pytest.raises(SchedulerError, match="特困"):
        due("特困", date(2026, 1, 1))
