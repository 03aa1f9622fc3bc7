"""When a person in danger is owed a contact (R20, R21): hours, local dates, and human hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.cadence import SHANGHAI
from scheduler.errors import SchedulerError
from scheduler.obligations import Kind, Mode
from scheduler.risk_ladder import STEPS, After, RiskRules, add_months, ladder, steps
from scheduler.windows import Windows

RULES, WINDOWS = RiskRules(), Windows()
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001
LEVELS = st.sampled_from(sorted(STEPS))


def wall(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


def dues(level: int, ended: str) -> list[str]:
    return [wall(step.due_at) for step in ladder(level, at(ended), rules=RULES, windows=WINDOWS)]


def test_r20_high_risk_is_followed_for_six_months() -> None:
    assert dues(1, "2026-11-24 15:20") == [
        "2026-11-25 15:20",
        "2026-12-01 10:00",
        "2026-12-24 10:00",
        "2027-02-24 10:00",
        "2027-05-24 10:00",
    ]


def test_r20_medium_risk_is_followed_after_three_days_two_weeks_and_a_month() -> None:
    assert dues(2, "2026-11-24 15:20") == ["2026-11-27 15:20", "2026-12-08 10:00", "2026-12-24 10:00"]


def test_a_month_after_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    assert dues(1, "2026-08-31 15:00")[2:] == ["2026-09-30 10:00", "2026-11-30 10:00", "2027-02-28 10:00"]
    assert add_months(date(2027, 10, 31), 4) == date(2028, 2, 29)


def test_holidays_move_no_step() -> None:
    """The Spring Festival of 2027 begins on February 6th."""
    assert dues(1, "2027-02-05 15:00")[0] == "2027-02-06 15:00"


@pytest.mark.parametrize(
    ("ended", "due"),
    [
        ("2026-11-24 03:00", "2026-11-24 21:00"),
        ("2026-11-24 07:59", "2026-11-24 21:00"),
        ("2026-11-24 08:00", "2026-11-25 08:00"),
        ("2026-11-24 20:59", "2026-11-25 20:59"),
        ("2026-11-24 21:30", "2026-11-25 21:00"),
        ("2026-11-24 23:30", "2026-11-25 21:00"),
    ],
)
def test_a_step_at_night_is_brought_forward_and_never_back(ended: str, due: str) -> None:
    assert dues(1, ended)[0] == due


@pytest.mark.parametrize("ended", ["2026-11-24 03:00", "2026-11-24 15:20", "2026-11-24 23:30"])
def test_imminent_danger_is_owed_a_call_at_once_whatever_the_hour(ended: str) -> None:
    first, second, *_ = ladder(0, at(ended), rules=RULES, windows=WINDOWS)
    assert (first.due_at, first.window_end) == (at(ended), at(ended) + timedelta(hours=2))
    assert (first.priority, first.kind) == (0, Kind.HIGH_RISK)
    assert second.step == "24h"


def test_a_step_is_a_breach_four_hours_after_its_time_or_when_the_night_begins() -> None:
    early, late = (
        ladder(1, at(ended), rules=RULES, windows=WINDOWS)[0]
        for ended in ("2026-11-24 09:00", "2026-11-24 20:00")
    )
    assert (wall(early.window_end), wall(late.window_end)) == ("2026-11-25 13:00", "2026-11-25 22:00")


def test_levels_3_and_4_are_owed_nothing_unless_the_site_says_so() -> None:
    assert dues(3, "2026-11-24 15:20") == dues(4, "2026-11-24 15:20") == []
    rules = RiskRules(steps={**STEPS, 3: steps("30d")})
    (one,) = ladder(3, at("2026-11-24 15:20"), rules=rules, windows=WINDOWS)
    assert (wall(one.due_at), one.kind) == ("2026-12-24 10:00", Kind.FOLLOW_UP)


@pytest.mark.parametrize("text", ["", "h", "0h", "24", "24H", "1m", "-1d", "1000d", "1.5h", "24h "])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(SchedulerError, match="24h"):
        After.of(text)


@given(LEVELS, MOMENTS)
def test_every_step_is_a_persons_and_never_later_than_its_time(level: int, ended: datetime) -> None:
    for step, owed in zip(
        RULES.steps[level], ladder(level, ended, rules=RULES, windows=WINDOWS), strict=True
    ):
        assert owed.mode is Mode.HUMAN_ONLY
        assert ended <= owed.due_at <= owed.window_end
        if step.unit == "h":
            assert owed.due_at <= ended + timedelta(hours=step.amount)


@given(LEVELS.filter(lambda level: level > 0), MOMENTS)
def test_a_step_falls_due_and_breaks_when_people_may_be_rung(level: int, ended: datetime) -> None:
    for owed in ladder(level, ended, rules=RULES, windows=WINDOWS):
        assert not WINDOWS.is_quiet(owed.due_at)
        edges = (owed.window_end, owed.window_end - timedelta(seconds=1))
        assert not all(map(WINDOWS.is_quiet, edges))
        assert owed.window_end - owed.due_at >= timedelta(hours=1)


QUIETS = [
    (time(22), time(8)),
    (time(0), time(7)),
    (time(1), time(6)),
    (time(23, 30), time(0)),
    (time(0), time(0)),
]


@given(MOMENTS, st.sampled_from(QUIETS))
def test_whatever_the_quiet_hours_are_steps_keep_their_order(
    ended: datetime, quiet: tuple[time, time]
) -> None:
    owed = ladder(0, ended, rules=RULES, windows=Windows(quiet=quiet))
    assert [o.due_at for o in owed] == sorted(o.due_at for o in owed)
    assert all(ended <= o.due_at <= o.window_end for o in owed)
