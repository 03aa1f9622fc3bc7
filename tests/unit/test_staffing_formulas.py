"""Erlang B, C and A against the vectors of the domain brief (3.2, 3.3), and where they have no answer."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callcenter.domain.staffing import (
    Load,
    Outlook,
    Unstable,
    answered_within,
    erlang_a,
    erlang_b,
    erlang_c,
    seats_for,
)
from callcenter.errors import Refused

HOUR, FIVE_MINUTES = timedelta(hours=1), timedelta(minutes=5)
CALL_CENTRE = Load(calls=200, aht=timedelta(seconds=180))


def counselling(calls: float) -> Load:
    return Load(calls=calls, aht=HOUR)


def test_a_hundred_calls_in_half_an_hour_at_fourteen_seats() -> None:
    found = erlang_c(CALL_CENTRE, 14)
    assert isinstance(found, Outlook)
    assert found.waits == pytest.approx(0.174132, abs=5e-7)
    assert found.wait.total_seconds() == pytest.approx(7.8359, abs=5e-5)
    assert found.occupancy == pytest.approx(0.714286, abs=5e-7)
    assert found.abandons == 0
    assert answered_within(CALL_CENTRE, 14, timedelta(seconds=20)) == pytest.approx(0.888350, abs=5e-7)


@pytest.mark.parametrize(
    ("seats", "waits", "abandons", "seconds"),
    [(2, 0.4349, 0.3767, 113), (3, 0.2337, 0.1897, 57), (4, 0.1067, 0.0814, 24)],
)
def test_two_calls_an_hour_by_people_who_wait_five_minutes(
    seats: int, waits: float, abandons: float, seconds: int
) -> None:
    found = erlang_a(counselling(2), seats, FIVE_MINUTES)
    assert found.waits == pytest.approx(waits, abs=5e-5)
    assert found.abandons == pytest.approx(abandons, abs=5e-5)
    assert found.wait.total_seconds() == pytest.approx(seconds, abs=0.5)


@pytest.mark.parametrize(
    ("calls", "most", "at_15", "nearly_all", "occupancy"),
    [(0.5, 2, 2, 3, 0.25), (1, 3, 3, 4, 0.33), (2, 4, 5, 6, 0.5), (3, 6, 6, 7, 0.5), (4, 7, 8, 9, 0.57)],
)
def test_seats_a_counselling_line_needs(
    calls: float, most: int, at_15: int, nearly_all: int, occupancy: float
) -> None:
    load, twenty = counselling(calls), timedelta(seconds=20)
    assert seats_for(load, 0.80, twenty) == most
    assert seats_for(load, 0.90, timedelta(seconds=15)) == at_15
    assert seats_for(load, 0.95, twenty) == nearly_all
    assert load.erlangs / most == pytest.approx(occupancy, abs=0.005)


@pytest.mark.parametrize(
    ("calls", "waits", "minutes_of_who_waits", "blocked"),
    [(0.5, 0.10, 40, 0.077), (1, 0.33, 60, 0.20), (1.5, 0.64, 120, 0.31)],
)
def test_what_two_seats_can_carry(
    calls: float, waits: float, minutes_of_who_waits: float, blocked: float
) -> None:
    found = erlang_c(counselling(calls), 2)
    assert isinstance(found, Outlook)
    assert found.waits == pytest.approx(waits, abs=0.005)
    assert found.wait / found.waits / timedelta(minutes=1) == pytest.approx(minutes_of_who_waits, abs=1)
    assert erlang_b(calls, 2) == pytest.approx(blocked, abs=0.005)


@pytest.mark.parametrize("seats", [0, 1, 2])
def test_no_more_seats_than_calls_is_called_unstable_and_gives_no_number(seats: int) -> None:
    found = erlang_c(counselling(2), seats)
    assert found == Unstable(seats=seats, erlangs=2.0)
    assert answered_within(counselling(2), seats, FIVE_MINUTES) == found


def test_who_leaves_keeps_a_line_with_too_few_seats_from_growing_for_ever() -> None:
    found = erlang_a(counselling(2), 1, FIVE_MINUTES)
    assert 0.6 < found.abandons < 0.7


def test_without_a_seat_everybody_waits_and_leaves() -> None:
    found = erlang_a(counselling(2), 0, FIVE_MINUTES)
    assert (found.waits, found.abandons, found.wait, found.occupancy) == (1, 1, FIVE_MINUTES, 0)


def test_a_line_that_nobody_calls() -> None:
    found = erlang_c(counselling(0), 1)
    assert isinstance(found, Outlook)
    assert (found.waits, found.wait, found.occupancy) == (0, timedelta(), 0)
    assert erlang_a(counselling(0), 1, FIVE_MINUTES).abandons == 0


def test_where_nobody_calls_no_seat_is_missed() -> None:
    found = erlang_c(counselling(0), 0)
    assert found == erlang_a(counselling(0), 0, FIVE_MINUTES)
    assert isinstance(found, Outlook)
    assert (found.waits, found.wait, found.abandons, found.occupancy) == (0, timedelta(), 0, 0)


def test_more_seats_than_are_reckoned_with_is_no_answer() -> None:
    assert seats_for(Load(calls=1000, aht=timedelta(minutes=30)), 0.8, timedelta(seconds=20)) is None


@pytest.mark.parametrize("calls", [-1.0, float("nan"), float("inf"), 1e9])
def test_calls_that_no_line_has(calls: float) -> None:
    with pytest.raises(Refused, match="来电"):
        counselling(calls)


def test_lengths_that_no_call_has() -> None:
    for aht in (timedelta(0), timedelta(seconds=-1), timedelta(days=2)):
        with pytest.raises(Refused, match="占用"):
            Load(calls=1, aht=aht)
    for patience in (timedelta(0), timedelta(days=31)):
        with pytest.raises(Refused, match="愿意等"):
            erlang_a(counselling(1), 2, patience)
    for share in (0.0, 1.0):
        with pytest.raises(Refused, match="比例"):
            seats_for(counselling(1), share, FIVE_MINUTES)
    for seats in (-1, 501):
        with pytest.raises(Refused, match="席位"):
            erlang_b(1, seats)
