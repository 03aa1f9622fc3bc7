"""Opening hours: the words callers hear, and the instants dialplan decides by."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.config import Hours, load_settings
from callcenter.domain.hours import openings, spoken
from callcenter.errors import ConfigError
from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar

MONDAY = date(2026, 3, 9)
EVENINGS = {day: [["19:00", "21:30"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
MINUTES = st.times().map(lambda wall: wall.replace(second=0, microsecond=0))
WEEKS = st.lists(st.lists(st.tuples(MINUTES, MINUTES), max_size=3), min_size=7, max_size=7)
Week = list[list[tuple[time, time]]]


def hours(**section: object) -> Hours:
    return Hours.model_validate(section)


@pytest.mark.parametrize(
    ("windows", "words"),
    [
        ({}, "每天二十四小时"),
        (EVENINGS, "每天晚上七点到九点半"),
        (
            {d: [["08:30", "12:00"], ["13:00", "17:05"]] for d in ("mon", "tue", "wed", "thu", "fri")},
            "周一到周五上午八点半到中午十二点、下午一点到五点零五分",
        ),
        ({"sat": [["00:00", "00:00"]], "sun": [["00:00", "00:00"]]}, "周六、周日二十四小时"),
        ({"fri": [["18:00", "02:00"]]}, "周五晚上六点到次日凌晨两点"),
        ({"wed": [["18:00", "00:00"]]}, "周三晚上六点到零点"),
        (
            {"mon": [["09:00", "11:20"]], "tue": [["14:00", "16:00"]], "thu": [["09:00", "11:20"]]},
            "周一、周四上午九点到十一点二十分，周二下午两点到四点",
        ),
    ],
)
def test_callers_are_told_the_hours_as_people_say_them(windows: dict[str, object], words: str) -> None:
    assert hours(windows=windows).words == words


def test_a_site_may_say_its_hours_in_its_own_words() -> None:
    assert hours(windows=EVENINGS, text="每晚七点起").words == "每晚七点起"
    assert hours(windows=EVENINGS, closed_on_holidays=True).words == "每天晚上七点到九点半，节假日除外"


def test_a_window_over_midnight_ends_on_the_next_day() -> None:
    (span,) = openings(hours(windows={"mon": [["22:00", "02:00"]]}).week, MONDAY, 7, SHANGHAI)
    assert span == (datetime(2026, 3, 9, 22, tzinfo=SHANGHAI), datetime(2026, 3, 10, 2, tzinfo=SHANGHAI))


def test_whole_days_in_a_row_are_one_span() -> None:
    (span,) = openings([((time(0), time(0)),)] * 7, MONDAY, 3, SHANGHAI)
    assert span[1] - span[0] == timedelta(days=3)


@given(week=WEEKS, hour=st.integers(0, 24 * 6))
def test_an_instant_is_in_a_span_exactly_when_it_is_in_a_window(week: Week, hour: int) -> None:
    now = datetime(2026, 3, 10, tzinfo=SHANGHAI) + timedelta(hours=hour)
    spans = openings(week, MONDAY, 8, SHANGHAI)
    inside = any(
        datetime.combine(day, start, SHANGHAI)
        <= now
        < datetime.combine(day if end > start else day + timedelta(days=1), end, SHANGHAI)
        for day in (now.date(), now.date() - timedelta(days=1))
        for start, end in week[day.weekday()]
    )
    assert any(start <= now < end for start, end in spans) is inside
    assert all(before[1] < after[0] for before, after in pairwise(spans))


@given(week=WEEKS)
def test_any_week_can_be_said_without_a_figure(week: Week) -> None:
    said = spoken(week if any(week) else ())
    assert said
    assert not any(letter.isascii() for letter in said)


def test_a_holiday_takes_its_weekend_with_it_and_no_ordinary_one() -> None:
    calendar = Calendar(site={date(2026, 3, 14): False})
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(90)]
    off = [(day.month, day.day) for day in days if calendar.is_holiday(day)]
    assert off == [(1, 1), (1, 2), (1, 3), *((2, day) for day in range(15, 24)), (3, 14)]


@pytest.mark.parametrize("windows", ['{monday = [["19:00", "21:00"]]}', '{mon = ["19:00", "21:00"]}'])
def test_a_misspelt_window_is_refused_by_its_key(tmp_path: Path, windows: str) -> None:
    file = tmp_path / "hotline.toml"
    file.write_text(f"[hours]\nwindows = {windows}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hours\.windows"):
        load_settings(file)


def test_the_hours_are_wall_time_at_the_site() -> None:
    start, _ = openings(hours(windows=EVENINGS).week, MONDAY, 1, SHANGHAI)[0]
    assert start.astimezone(UTC).hour == 11
