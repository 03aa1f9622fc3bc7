"""Calling windows, quiet hours, parts of the day, and working hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.errors import SchedulerError
from scheduler.windows import Daypart, Windows, daypart_of

CALENDAR, WINDOWS = Calendar(), Windows()
NOT_MORNING = {Daypart.AFTERNOON, Daypart.EVENING}


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("hour", "minute", "is_open"),
    [
        (8, 59, False),
        (9, 0, True),
        (11, 59, True),
        (12, 0, False),
        (14, 0, True),
        (19, 59, True),
        (20, 0, False),
    ],
)
def test_the_windows_of_a_day(hour: int, minute: int, is_open: bool) -> None:
    assert WINDOWS.is_open(at(24, hour, minute)) is is_open


def test_utc_instants_are_judged_by_the_sites_wall_clock() -> None:
    assert WINDOWS.is_open(datetime(2026, 11, 24, 1, 30, tzinfo=UTC))  # 09:30 in Wuxi
    assert not WINDOWS.is_open(datetime(2026, 11, 24, 13, 0, tzinfo=UTC))  # 21:00


@pytest.mark.parametrize(
    ("hour", "quiet"), [(21, False), (22, True), (23, True), (0, True), (7, True), (8, False)]
)
def test_the_quiet_hours_go_over_midnight(hour: int, quiet: bool) -> None:
    assert WINDOWS.is_quiet(at(24, hour)) is quiet


def test_quiet_hours_close_even_a_window_that_reaches_into_them() -> None:
    late = Windows(spans=((time(7), time(23)),))
    assert not late.is_open(at(24, 7, 30))
    assert late.next_open(at(24, 7, 30), CALENDAR) == at(24, 8)
    assert late.next_open(at(24, 22, 30), CALENDAR) == at(25, 8)


def test_the_next_opening_skips_the_weekend_and_the_holidays() -> None:
    assert WINDOWS.next_open(at(27, 20, 30), CALENDAR) == at(30, 9)  # Friday evening
    assert WINDOWS.next_open(at(30, 20, 30, month=9), CALENDAR) == at(8, 9, month=10)
    assert WINDOWS.next_open(at(24, 12, 30), CALENDAR) == at(24, 14)
    assert WINDOWS.next_open(at(24, 10), CALENDAR) == at(24, 10)


def test_the_next_other_part_of_the_day() -> None:
    assert WINDOWS.next_in_part(at(24, 12, 30), NOT_MORNING, CALENDAR) == at(24, 14)
    assert WINDOWS.next_in_part(at(24, 14, 30), {Daypart.MORNING, Daypart.EVENING}, CALENDAR) == at(24, 17)
    assert WINDOWS.next_in_part(at(24, 21), {Daypart.MORNING, Daypart.AFTERNOON}, CALENDAR) == at(25, 9)


def test_a_site_with_one_part_of_the_day_only_still_gets_an_answer() -> None:
    mornings = Windows(spans=((time(9), time(11)),))
    assert mornings.next_in_part(at(24, 12), NOT_MORNING, CALENDAR) == at(25, 9)


def test_the_next_evening_is_the_next_workdays() -> None:
    assert WINDOWS.next_evening(at(27, 10), CALENDAR) == at(30, 17)


def test_working_time_pauses_at_noon_at_night_and_over_the_weekend() -> None:
    two = timedelta(hours=2)
    assert WINDOWS.after_working_time(at(24, 9, 30), two, CALENDAR) == at(24, 11, 30)
    assert WINDOWS.after_working_time(at(24, 11, 30), two, CALENDAR) == at(24, 15, 30)
    assert WINDOWS.after_working_time(at(24, 2), two, CALENDAR) == at(24, 11)
    assert WINDOWS.after_working_time(at(27, 19), two, CALENDAR) == at(30, 10)
    assert WINDOWS.after_working_time(at(28, 15), two, CALENDAR) == at(30, 11)


def test_the_share_of_the_day_that_has_passed() -> None:
    assert WINDOWS.share_of_day(at(24, 8)) == 0
    assert WINDOWS.share_of_day(at(24, 12)) == pytest.approx(1 / 3)
    assert WINDOWS.share_of_day(at(24, 13)) == pytest.approx(1 / 3)
    assert WINDOWS.share_of_day(at(24, 21)) == 1


@pytest.mark.parametrize(
    "spans", [(), ((time(9), time(9)),), ((time(12), time(9)),), ((time(9), time(12)), (time(11), time(13)))]
)
def test_windows_that_make_no_sense_are_refused(spans: tuple[tuple[time, time], ...]) -> None:
    with pytest.raises(SchedulerError):
        Windows(spans=spans)


def test_parts_of_the_day() -> None:
    assert [daypart_of(time(h)) for h in (9, 12, 17)] == [Daypart.MORNING, Daypart.AFTERNOON, Daypart.EVENING]


def test_an_evening_that_lies_in_the_quiet_hours_is_not_taken_for_open() -> None:
    early_night = Windows(spans=((time(9), time(12)), (time(17), time(20))), quiet=(time(18), time(8)))
    assert early_night.next_evening(at(24, 10), CALENDAR) == at(25, 17)
    all_night = Windows(spans=((time(9), time(12)), (time(18), time(20))), quiet=(time(17), time(8)))
    assert all_night.next_evening(at(24, 10), CALENDAR) == at(26, 9)


def test_the_hour_of_a_day_is_met_on_the_next_day_that_allows_it_or_never() -> None:
    assert WINDOWS.next_at_hour(at(24, 9), 18, CALENDAR) == at(24, 18)
    assert WINDOWS.next_at_hour(at(24, 18, 30), 18, CALENDAR) == at(24, 18, 30)
    assert WINDOWS.next_at_hour(at(27, 19), 18, CALENDAR) == at(30, 18)  # a weekend between
    assert WINDOWS.next_at_hour(at(24, 9), 13, CALENDAR) is None
