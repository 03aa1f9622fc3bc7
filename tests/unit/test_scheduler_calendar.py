"""Workdays, make-up days, days left in peace, and years nobody has published."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from callcenter.config import Settings
from callcenter.service.followup.debts import calendar_of
from scheduler.calendar import FESTIVALS, Calendar, Festival, Source

CALENDAR = Calendar()

OFF_2026 = [
    (date(2026, 1, 1), date(2026, 1, 3)),
    (date(2026, 2, 15), date(2026, 2, 23)),
    (date(2026, 4, 4), date(2026, 4, 6)),
    (date(2026, 5, 1), date(2026, 5, 5)),
    (date(2026, 6, 19), date(2026, 6, 21)),
    (date(2026, 9, 25), date(2026, 9, 27)),
    (date(2026, 10, 1), date(2026, 10, 7)),
]
MAKE_UP_2026 = [
    date(2026, 1, 4),
    date(2026, 2, 14),
    date(2026, 2, 28),
    date(2026, 5, 9),
    date(2026, 9, 20),
    date(2026, 10, 10),
]


def every_day(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]


def test_the_published_days_of_2026_are_known() -> None:
    off = {d for start, end in OFF_2026 for d in every_day(2026) if start <= d <= end}
    for day in every_day(2026):
        weekend = day.weekday() >= 5
        expected = day in MAKE_UP_2026 or (day not in off and not weekend)
        assert CALENDAR.is_workday(day) is expected, day
        assert CALENDAR.day(day).source is Source.PUBLISHED


@pytest.mark.parametrize("day", MAKE_UP_2026)
def test_a_make_up_workday_at_the_weekend_is_worked(day: date) -> None:
    assert day.weekday() >= 5
    assert CALENDAR.is_workday(day)


@pytest.mark.parametrize("year", [1800, 1949, 1990, 2003, 2027, 2028, 2050, 2100, 2101, 2500])
def test_r30_a_missing_year_gives_a_warning_and_never_an_exception(year: int) -> None:
    for day in every_day(year):
        found = CALENDAR.day(day)
        assert found.warning is not None
        assert str(year) in found.warning


def test_a_provisional_year_knows_its_statutory_days() -> None:
    assert not CALENDAR.is_workday(date(2027, 2, 8))  # 初三, a Monday
    assert CALENDAR.day(date(2027, 2, 8)).source is Source.PROVISIONAL
    assert CALENDAR.is_workday(date(2027, 3, 1))


def test_the_sites_table_stands_above_every_other() -> None:
    site = Calendar(site={date(2027, 2, 11): False, date(2026, 10, 1): True, date(2030, 1, 5): True})
    assert not site.is_workday(date(2027, 2, 11))
    assert site.day(date(2027, 2, 11)).warning is None
    assert site.may_automate(date(2026, 10, 1))
    assert site.is_workday(date(2030, 1, 5))


@pytest.mark.parametrize(
    "day",
    [date(2026, 2, 16) + timedelta(days=n) for n in range(4)]  # 除夕 to 初三
    + [date(2027, 2, 5) + timedelta(days=n) for n in range(4)]
    + [date(2028, 1, 25) + timedelta(days=n) for n in range(4)]
    + [date(2026, 4, 5), date(2027, 4, 5), date(2028, 4, 4)],  # 清明
)
def test_new_years_eve_to_the_third_and_tomb_sweeping_day_are_left_in_peace(day: date) -> None:
    assert CALENDAR.day(day).is_left_in_peace
    assert not CALENDAR.may_automate(day)


def test_a_substitute_day_for_tomb_sweeping_is_not_the_day_itself() -> None:
    assert not CALENDAR.day(date(2026, 4, 6)).is_left_in_peace


def test_r31_the_workday_before_a_holiday_is_never_after_it() -> None:
    assert CALENDAR.workday_on_or_before(date(2026, 2, 20)) == date(2026, 2, 14)  # a make-up Saturday
    assert CALENDAR.workday_on_or_before(date(2026, 10, 7)) == date(2026, 9, 30)
    for year in (2026, 2027, 2028):
        for day in every_day(year):
            found = CALENDAR.workday_on_or_before(day)
            assert found <= day
            assert CALENDAR.is_workday(found)


def test_a_table_that_makes_every_day_a_rest_still_gives_an_answer() -> None:
    day = date(2026, 6, 1)
    broken = Calendar(site={day + timedelta(days=n): False for n in range(-60, 60)})
    assert broken.workday_on_or_before(day) == day
    assert broken.workday_after(day) == day + timedelta(days=1)


def test_how_long_the_published_table_reaches() -> None:
    assert CALENDAR.published_until(date(2026, 11, 23)) == date(2026, 12, 31)
    assert CALENDAR.published_until(date(2027, 1, 5)) == date(2027, 1, 4)


def test_r30_the_order_of_trust_is_the_site_then_the_published_table_then_statutory_days_then_weekdays() -> (
    None
):
    site = Calendar(site={date(2026, 10, 1): True, date(2027, 1, 2): True, date(2120, 6, 1): False})
    assert [site.day(day).source for day in (date(2026, 10, 1), date(2026, 10, 2))] == [
        Source.SITE,
        Source.PUBLISHED,
    ]
    assert [CALENDAR.day(date(year, 6, 1)).source for year in (2026, 2027, 2120)] == [
        Source.PUBLISHED,
        Source.PROVISIONAL,
        Source.WEEKDAYS,
    ]
    # Each goes before the next where they differ: a make-up Sunday is worked though no statute says so.
    assert CALENDAR.is_workday(date(2026, 1, 4))
    assert not Calendar(site={date(2026, 1, 4): False}).is_workday(date(2026, 1, 4))
    assert not CALENDAR.is_workday(date(2027, 10, 1))  # a Friday, by statute alone
    assert CALENDAR.is_workday(date(2120, 6, 3))  # a Monday, by the weekday alone
    assert site.day(date(2120, 6, 1)).warning is None


def test_on_a_day_the_site_leaves_in_peace_people_work_and_machines_do_not_call() -> None:
    site = Calendar(peace=frozenset({date(2026, 5, 12)}))
    assert site.is_workday(date(2026, 5, 12))
    assert not site.may_automate(date(2026, 5, 12))
    assert site.automation_day_from(date(2026, 5, 12)) == date(2026, 5, 13)


def test_the_days_of_the_entrance_examination_are_left_in_peace_where_a_site_wants_that() -> None:
    keeps = Calendar(festivals=FESTIVALS | {Festival.EXAMS})
    assert [day.day for day in every_day(2027) if day.month == 6 and keeps.day(day).is_left_in_peace] == [
        7,
        8,
        9,
    ]
    assert not CALENDAR.day(date(2027, 6, 7)).is_left_in_peace


def test_the_sites_word_that_a_festival_is_worked_stands_unless_it_named_that_day_too() -> None:
    tombs = date(2026, 4, 5)
    assert Calendar(site={tombs: True}).may_automate(tombs)
    assert not Calendar(site={tombs: True}, peace=frozenset({tombs})).may_automate(tombs)


def test_a_sites_calendar_is_what_its_configuration_says() -> None:
    table = {"days": {"2027-02-11": "off"}, "peace": ["2027-05-12"], "festivals": ["spring", "exams"]}
    site = calendar_of(Settings(calendar=table))  # type: ignore[arg-type]
    assert not site.is_workday(date(2027, 2, 11))
    assert site.day(date(2027, 5, 12)).is_left_in_peace
    assert site.festivals == {Festival.SPRING, Festival.EXAMS}
    assert calendar_of(Settings()).festivals == FESTIVALS
