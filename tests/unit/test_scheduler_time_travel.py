"""Through every day of 2026 to 2028: grades, plans and ladders over holidays, leap days and missing years."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta

import pytest

from scheduler.cadence import CADENCES, SHANGHAI, next_due
from scheduler.calendar import Calendar, Source
from scheduler.risk_ladder import STEPS, RiskRules, ladder
from scheduler.series import Series, stop
from scheduler.windows import Windows

YEARS = [date(2026, 1, 1) + timedelta(days=n) for n in range(3 * 365 + 1)]
ONE_DAY = timedelta(days=1)
WINDOWS, RISK = Windows(), RiskRules()
#: The site's own table: a year nobody published, a holiday that is worked, a workday that is not.
SITE = Calendar(site={date(2027, 2, 11): False, date(2026, 10, 3): True, date(2028, 3, 1): False})
CALENDARS = [Calendar(), SITE]
HOSPITAL = {"every_days": 21, "days_before": 1, "moves": False}
PLANS = [HOSPITAL, {"every_months": 1}, {"every_days": 7}, {"every_days": 1}, {"every_months": 6}]
#: First and last day of each Spring Festival's rest, and the last workday before it.
SPRING = [
    (date(2026, 2, 15), date(2026, 2, 23), date(2026, 2, 14)),
    (date(2027, 2, 5), date(2027, 2, 8), date(2027, 2, 4)),
    (date(2028, 1, 25), date(2028, 1, 28), date(2028, 1, 24)),
]


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), SHANGHAI)


def test_the_three_years_begin_and_end_where_they_should() -> None:
    assert (YEARS[-1], date(2028, 2, 29) in YEARS) == (date(2028, 12, 31), True)


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("grade", CADENCES)
def test_r31_on_every_day_of_three_years_a_grades_due_lies_within_its_period(
    grade: str, calendar: Calendar
) -> None:
    for day in YEARS:
        due = next_due(grade, since=day, last_contact=None, calendar=calendar)
        assert day <= due.at.date() <= due.period_end
        assert due.at <= due.window_end
        assert calendar.is_workday(due.at.date()) or due.at.date() == day
        again = next_due(grade, since=day, last_contact=noon(due.at.date()), calendar=calendar)
        assert again.at.date() > due.at.date()


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("plan", PLANS)
def test_r31_on_every_day_of_three_years_a_plans_due_lies_before_its_end(
    plan: dict[str, int], calendar: Calendar
) -> None:
    for day in YEARS:
        series = Series(anchor=day, **plan)
        before = None
        for n in (0, 1, 13):
            found = stop(series, n, calendar=calendar, windows=WINDOWS)
            assert found is not None
            assert day - ONE_DAY * series.days_before <= found.due_at.date() <= found.plain
            assert found.due_at < found.window_end
            assert not WINDOWS.is_quiet(found.due_at)
            assert before is None or found.due_at > before
            before = found.due_at


@pytest.mark.parametrize("level", STEPS)
def test_r20_on_every_day_of_three_years_a_ladders_steps_follow_the_call(level: int) -> None:
    for day in YEARS:
        ended = noon(day)
        for step in ladder(level, ended, rules=RISK, windows=WINDOWS):
            assert ended <= step.due_at <= step.window_end


@pytest.mark.parametrize(("first", "last", "workday"), SPRING)
def test_r31_what_falls_into_spring_festival_is_due_on_the_last_workday_before(
    first: date, last: date, workday: date
) -> None:
    calendar = Calendar()
    for day in (first + ONE_DAY * n for n in range((last - first).days + 1)):
        due = next_due("深度困难", since=day - timedelta(days=30), last_contact=None, calendar=calendar)
        assert (due.at.date(), due.period_end) == (workday, day)
        talk = stop(
            Series(anchor=day - timedelta(days=30), every_days=30), 1, calendar=calendar, windows=WINDOWS
        )
        assert talk is not None
        assert talk.due_at.date() <= workday or calendar.is_workday(talk.due_at.date())


def test_the_weeks_before_spring_festival_carry_what_the_holiday_does_not() -> None:
    calendar, due = Calendar(), Counter[tuple[int, int]]()
    for n in range(300):
        since = date(2025, 12, 1) + ONE_DAY * (n % 30)
        for _ in range(3):
            found = next_due("深度困难", since=since, last_contact=None, calendar=calendar)
            due[found.at.isocalendar()[:2]] += 1
            since = found.period_end
    holiday, before = due[(2026, 8)], due[(2026, 7)]  # 16 to 22 February; 9 to 15
    others = [count for week, count in due.items() if (2026, 2) <= week <= (2026, 6)]
    assert holiday == 0
    assert before > 1.5 * max(others)


@pytest.mark.parametrize(
    "day", [date(2026, 1, 4), *(date(2026, m, d) for m, d in ((2, 14), (2, 28), (5, 9), (9, 20), (10, 10)))]
)
def test_a_make_up_workday_is_one_on_which_debts_fall_due(day: date) -> None:
    assert day.weekday() >= 5
    due = next_due("深度困难", since=day - timedelta(days=30), last_contact=None, calendar=Calendar())
    assert due.at.date() == day


def test_the_end_of_february_in_a_leap_year_and_in_others() -> None:
    calendar = Calendar()
    talks = Series(anchor=date(2026, 12, 31), every_months=2)
    assert [talks.day(n) for n in (1, 7)] == [date(2027, 2, 28), date(2028, 2, 29)]
    ended = noon(date(2027, 11, 30))
    due = [step.due_at.date() for step in ladder(1, ended, rules=RISK, windows=WINDOWS)]
    assert due[3] == date(2028, 2, 29)
    leap = next_due("深度困难", since=date(2028, 1, 30), last_contact=None, calendar=calendar)
    assert leap.period_end == date(2028, 2, 29)


def test_r30_years_nobody_published_give_a_due_and_a_warning() -> None:
    calendar = Calendar()
    for year in (2027, 2028, 2120):
        due = next_due("相对困难", since=date(year, 3, 1), last_contact=None, calendar=calendar)
        assert calendar.day(due.period_end).warning is not None
    assert calendar.day(date(2120, 6, 1)).source is Source.WEEKDAYS


def test_summer_time_of_1986_to_1991_moves_no_wall_hour() -> None:
    """Clocks in China were put forward then: files and births of those years are arithmetic like others."""
    for day in (date(1986, 5, 1) + ONE_DAY * n for n in range(0, 6 * 365, 3)):
        found = stop(Series(anchor=day, every_days=21, hour=time(9)), 3, calendar=Calendar(), windows=WINDOWS)
        assert found is not None
        assert found.due_at.time() == time(9)
        assert found.due_at < found.window_end
        due = next_due("深度困难", since=day, last_contact=noon(day), calendar=Calendar())
        assert due.at.time() == time(9)
        assert due.period_end == day + timedelta(days=30)


def test_a_family_out_of_hardship_is_called_every_sixty_days_for_six_months_at_least() -> None:
    calendar = Calendar()
    for since in YEARS[::5]:
        contacts, last = 0, None
        for _ in range(4):
            due = next_due("脱困观察", since=since, last_contact=last, calendar=calendar)
            assert (due.period_end - due.counted_from).days == 60
            last = noon(due.period_end)  # as late as it may be
            contacts += due.period_end <= since + timedelta(days=181)
        assert contacts == 3


def test_a_file_that_returns_to_hardship_begins_anew() -> None:
    watched = noon(date(2026, 11, 2))
    again = next_due("深度困难", since=date(2026, 11, 20), last_contact=watched, calendar=Calendar())
    assert again.counted_from == date(2026, 11, 20)
    accident = next_due("意外致困", since=date(2026, 11, 20), last_contact=watched, calendar=Calendar())
    assert (accident.period_end - accident.counted_from).days == 14
