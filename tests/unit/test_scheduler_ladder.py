"""What comes after each attempt, until a human has it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scheduler.breaker import Breaker
from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.ladder import Step, Who, Why, best_hour, missed, next_step, priority, raised_by, rungs
from scheduler.obligations import BY_IVR, FREE_RESULTS, Attempt, Kind, Mode, Obligation, Result
from scheduler.windows import Windows

CALENDAR, WINDOWS = Calendar(), Windows()
MINUTE = timedelta(minutes=1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


DEBT = Obligation(
    id="ob-1",
    person="p1",
    kind=Kind.HARDSHIP,
    due_at=at(23, 9),
    window_end=at(25, 23),
    mode=Mode.IVR_OK,
    created_at=at(1, 9),
)


def tried(*outcomes: tuple[datetime, Result], by: str = BY_IVR) -> list[Attempt]:
    return [
        Attempt(id=f"at-{n}", obligation="ob-1", n=n, planned_at=when, by=by, result=result)
        for n, (when, result) in enumerate(outcomes, start=1)
    ]


def step_after(*outcomes: tuple[datetime, Result], by: str = BY_IVR) -> Step:
    return next_step(DEBT, tried(*outcomes, by=by), windows=WINDOWS, calendar=CALENDAR)


def test_the_first_attempt_may_go_out_at_once() -> None:
    assert step_after() == Step(who=Who.IVR, why=Why.FIRST_ATTEMPT)


def test_after_no_answer_the_second_falls_three_hours_later_into_another_part_of_the_day() -> None:
    assert step_after((at(24, 9, 30), Result.NO_ANSWER)).not_before == at(24, 14)
    assert step_after((at(24, 14, 30), Result.NO_ANSWER)).not_before == at(24, 17, 30)
    assert step_after((at(24, 18), Result.NO_ANSWER)).not_before == at(25, 9)


def test_the_third_falls_on_the_next_workdays_evening() -> None:
    friday = (at(27, 9, 30), Result.NO_ANSWER), (at(27, 14), Result.DECLINED)
    assert step_after(*friday).not_before == at(30, 17)


def test_r26_after_three_automated_attempts_a_human_has_it() -> None:
    found = step_after(
        (at(24, 9, 30), Result.NO_ANSWER),
        (at(24, 14), Result.REACHED_OTHER),
        (at(25, 17), Result.ASSISTANT_OR_VOICEMAIL),
    )
    assert (found.who, found.why) == (Who.HUMAN, Why.LADDER_EXHAUSTED)


def test_a_busy_line_is_tried_twice_more_in_ten_minutes_each_as_one_rung() -> None:
    busy = [(at(24, 9, 30) + n * 10 * MINUTE, Result.BUSY) for n in range(3)]
    assert step_after(busy[0]).not_before == at(24, 9, 40)
    assert step_after(*busy[:2]).not_before == at(24, 9, 50)
    assert len(rungs(tried(*busy))) == 1
    assert step_after(*busy).not_before == at(24, 14)


def test_a_third_rung_that_is_busy_still_gets_its_quick_retries() -> None:
    missed_twice = (at(24, 9, 30), Result.NO_ANSWER), (at(24, 14), Result.NO_ANSWER)
    busy = (at(25, 17), Result.BUSY)
    assert step_after(*missed_twice, busy).who is Who.IVR
    all_busy = [(at(25, 17) + n * 10 * MINUTE, Result.BUSY) for n in range(3)]
    assert step_after(*missed_twice, *all_busy).who is Who.HUMAN


@pytest.mark.parametrize("free", sorted(FREE_RESULTS))
def test_r27_faults_of_the_network_and_ours_use_up_no_rung(free: Result) -> None:
    faults = [(at(24, 9) + n * 15 * MINUTE, free) for n in range(4)]
    found = step_after(*faults)
    assert found.who is Who.IVR
    assert found.not_before == at(24, 10)
    assert rungs(tried(*faults)) == []


def test_faults_that_never_end_reach_a_human_in_the_end() -> None:
    faults = [(at(24, 9) + n * 15 * MINUTE, Result.NETWORK_CONGESTION) for n in range(8)]
    assert step_after(*faults).who is Who.HUMAN


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (Result.REACHED_SELF_CALLBACK, Why.ASKED_FOR_HUMAN),
        (Result.REACHED_SELF_TRANSFER, Why.ASKED_FOR_HUMAN),
        (Result.OPTED_OUT, Why.OPTED_OUT),
        (Result.PHONE_REFUSED, Why.PHONE_LOST),
        (Result.WRONG_PERSON, Why.PHONE_LOST),
        (Result.VACANT, Why.PHONE_LOST),
        (Result.SUSPENDED, Why.PHONE_LOST),
        (Result.UNKNOWN, Why.IN_DOUBT),
    ],
)
def test_after_some_answers_no_machine_calls_again(result: Result, why: Why) -> None:
    found = step_after((at(24, 9, 30), result))
    assert (found.who, found.why) == (Who.HUMAN, why)


def test_r25_no_key_after_identity_is_retried_and_not_taken_for_fine() -> None:
    assert step_after((at(24, 9, 30), Result.REACHED_SELF_NO_KEY)).who is Who.IVR


def test_once_a_human_tried_the_machine_stays_out_of_it() -> None:
    found = step_after((at(24, 9, 30), Result.NO_ANSWER), by="c017")
    assert (found.who, found.why) == (Who.HUMAN, Why.HUMAN_HAS_IT)


def test_a_humans_call_without_a_result_asks_for_the_result() -> None:
    assert step_after((at(24, 9, 30), Result.UNKNOWN), by="c017").why is Why.RESULT_MISSING


def test_every_result_leads_somewhere() -> None:
    for result in Result:
        assert step_after((at(24, 9, 30), result)).who in set(Who)


def test_r35_somebody_who_used_to_answer_and_missed_two_climbs() -> None:
    missed_two = tried((at(24, 9, 30), Result.NO_ANSWER), (at(24, 14), Result.NO_ANSWER))
    assert priority(DEBT, missed_two, answered_before=True) < DEBT.priority
    assert priority(DEBT, missed_two, answered_before=False) == DEBT.priority
    assert priority(DEBT, missed_two[:1], answered_before=True) == DEBT.priority


def test_an_answer_in_between_ends_the_row_of_missed_calls() -> None:
    answered = tried(
        (at(24, 9, 30), Result.NO_ANSWER),
        (at(24, 14), Result.REACHED_SELF_NO_KEY),
        (at(25, 17), Result.NO_ANSWER),
    )
    assert missed(answered) == 1


def test_r35_three_misses_in_a_row_raise_anybody() -> None:
    three = tried(*[(at(day, 9, 30), Result.NO_ANSWER) for day in (23, 24, 25)])
    assert raised_by(three[:2], answered_before=False) == 0
    assert raised_by(three, answered_before=False) > 0


@pytest.mark.parametrize(
    ("earlier", "now", "is_raised"),
    [
        (Result.REACHED_SELF_IVR_OK, Result.REACHED_SELF_CALLBACK, True),
        (Result.REACHED_SELF_CALLBACK, Result.REACHED_SELF_CALLBACK, True),
        (Result.REACHED_SELF_CALLBACK, Result.REACHED_SELF_IVR_OK, False),
        (Result.REACHED_OTHER, Result.REACHED_SELF_CALLBACK, False),
    ],
)
def test_r35_key_2_after_key_1_or_after_key_2_raises(earlier: Result, now: Result, is_raised: bool) -> None:
    before = [replace(one, id="at-old") for one in tried((at(2, 9), earlier))]
    found = raised_by(tried((at(24, 9, 30), now)), answered_before=True, before=before)
    assert (found > 0) is is_raised


def test_r35_what_stood_before_this_debt_raises_it_no_more() -> None:
    asked_twice = tried(*[(at(day, 9), Result.REACHED_SELF_CALLBACK) for day in (2, 3)])
    assert raised_by([], answered_before=True, before=asked_twice) == 0


def test_r35_what_is_kept_counts_as_much_as_what_is_seen_now() -> None:
    assert priority(replace(DEBT, raised=2), [], answered_before=False) == DEBT.priority - 2


def test_r27_more_than_three_faults_in_a_row_trip_the_breaker_for_a_while() -> None:
    breaker = Breaker()
    faults = [(at(24, 9, n), Result.NETWORK_CONGESTION) for n in range(4)]
    assert breaker.closes_at(faults[:3]) is None
    assert breaker.closes_at(faults) == at(24, 9, 3) + breaker.rest
    assert breaker.closes_at(reversed(faults)) == at(24, 9, 3) + breaker.rest


def test_a_call_that_worked_resets_the_breaker() -> None:
    faults = [(at(24, 9, n), Result.OWN_FAULT) for n in range(4)]
    assert Breaker().closes_at([*faults, (at(24, 9, 10), Result.NO_ANSWER)]) is None


def test_vacant_numbers_in_a_row_are_a_fault_of_our_routing() -> None:
    vacant = [(at(24, 9, n), Result.VACANT) for n in range(4)]
    assert Breaker().closes_at(vacant) is not None


# --- the hour that worked --------------------------------------------------------------------


def first(*answered: datetime, debt: Obligation = DEBT) -> datetime | None:
    return next_step(debt, [], windows=WINDOWS, calendar=CALENDAR, answered=answered).not_before


def test_the_first_attempt_falls_into_the_hour_at_which_they_were_reached_before() -> None:
    assert first(at(2, 18, 20), at(3, 18, 50), at(4, 10)) == at(23, 18)
    assert first() is None


def test_of_two_hours_that_worked_as_often_the_newer_counts() -> None:
    assert best_hour([at(3, 18), at(2, 10)], WINDOWS) == 18
    assert best_hour([at(2, 18), at(3, 10)], WINDOWS) == 10


def test_an_hour_outside_the_windows_or_after_the_period_is_left_alone() -> None:
    assert first(at(2, 13)) is None
    by_noon = replace(DEBT, window_end=at(23, 12))
    assert first(at(2, 18), debt=by_noon) is None
