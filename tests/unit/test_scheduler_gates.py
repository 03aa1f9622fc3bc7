"""Every gate between a debt and a ringing phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.gates import (
    SENTENCES,
    Gate,
    Line,
    Person,
    Rules,
    Situation,
    ask_again_at,
    check,
    check_human,
    check_line,
    refusals,
    step_of,
)
from scheduler.ladder import Who, Why
from scheduler.obligations import (
    BY_IVR,
    Attempt,
    Closing,
    Evidence,
    EvidenceKind,
    Kind,
    Lease,
    Mode,
    Obligation,
    Result,
)

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)
DEBT = Obligation(
    id="ob-1",
    person="p1",
    kind=Kind.HARDSHIP,
    due_at=NOW - HOUR,
    window_end=NOW + 10 * HOUR,
    mode=Mode.IVR_OK,
    created_at=NOW - 99 * HOUR,
)
READY = Situation(
    now=NOW,
    obligation=DEBT,
    person=Person(ivr_consent=True, phones=1, usable_phones=1),
    line=Line(waiting=0, free_channels=4),
)


def attempt(n: int, when: datetime, result: Result | None, by: str = BY_IVR, debt: str = "ob-1") -> Attempt:
    return Attempt(id=f"at-{debt}-{n}", obligation=debt, n=n, planned_at=when, by=by, result=result)


def debt(**changes: object) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, obligation=replace(s.obligation, **changes))  # type: ignore[arg-type]


def person(**changes: object) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, person=replace(s.person, **changes))  # type: ignore[arg-type]


def rules(**changes: object) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, rules=replace(s.rules, **changes))  # type: ignore[arg-type]


def line(waiting: int, free: int) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, line=Line(waiting=waiting, free_channels=free))


def moment(now: datetime) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, now=now)


def attempts(*made: Attempt) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, attempts=made)


PROOF = Evidence(id="ev-1", obligation="ob-1", kind=EvidenceKind.HOME_VISIT, at=NOW, reference="7", by="c017")
FAULTS = tuple((NOW - n * timedelta(minutes=1), Result.NETWORK_CONGESTION) for n in range(4))

CASES: list[tuple[Gate, str, Callable[[Situation], Situation]]] = [
    (Gate.SATISFIED, "evidence stands", lambda s: replace(s, evidence=(PROOF,))),
    (Gate.SATISFIED, "closed by name", debt(closing=Closing(at=NOW, reason="退档", by="system"))),
    (Gate.NOT_DUE, "tomorrow", debt(due_at=NOW + HOUR)),
    (Gate.LEASED, "somebody else", debt(lease=Lease(owner="x", until=NOW + HOUR, fence=3))),
    (Gate.LEASED, "I1: another debt of the person", person(leased_elsewhere=True)),
    (Gate.IN_DOUBT, "this one", attempts(attempt(1, NOW - HOUR, None))),
    (Gate.IN_DOUBT, "another debt", person(attempts=(attempt(1, NOW - HOUR, None, debt="ob-2"),))),
    (Gate.LIVE_CALL, "is talking with us", person(live_call=True)),
    (Gate.SUPPRESSED, "key 9", person(no_automation=True)),
    (Gate.SUPPRESSED, "no calls at all", person(no_outbound=True)),
    (Gate.HUMAN_ONLY, "mode", debt(mode=Mode.HUMAN_ONLY)),
    (Gate.HUMAN_ONLY, "on file", person(no_ivr=True)),
    (
        Gate.HUMAN_ONLY,
        "asked for a human",
        attempts(attempt(1, NOW - 9 * HOUR, Result.REACHED_SELF_CALLBACK)),
    ),
    (Gate.NO_IVR_CONSENT, "never agreed", person(ivr_consent=False)),
    (Gate.NO_PHONE, "no number", person(phones=0, usable_phones=0)),
    (Gate.PHONE_QUARANTINED, "all refused or wrong", person(usable_phones=0)),
    (Gate.COOL_DOWN, "the ladder waits", attempts(attempt(1, NOW - HOUR, Result.NO_ANSWER))),
    (Gate.COOL_DOWN, "not before", debt(next_at=NOW + HOUR)),
    (
        Gate.COOL_DOWN,
        "two hours between any two",
        person(attempts=(attempt(1, NOW - HOUR, Result.REACHED_OTHER, debt="ob-2"),)),
    ),
    (
        Gate.PERSON_DAY_CAP,
        "two today",
        attempts(attempt(1, NOW - HOUR, Result.NO_ANSWER), attempt(2, NOW - HOUR, Result.NO_ANSWER)),
    ),
    (Gate.DIALLER_PAUSED, "by the site", rules(paused=True)),
    (Gate.BREAKER_OPEN, "R27", lambda s: replace(s, outcomes=FAULTS)),
    (Gate.HOLIDAY, "Saturday", moment(NOW + timedelta(days=4))),
    (Gate.HOLIDAY, "除夕", moment(datetime(2027, 2, 5, 10, tzinfo=SHANGHAI))),
    (Gate.OUTSIDE_WINDOW, "lunch", moment(NOW + 3 * HOUR)),
    (Gate.OUTSIDE_WINDOW, "night", moment(NOW + 13 * HOUR)),
    (Gate.LINE_UNKNOWN, "the PBX does not answer", lambda s: replace(s, line=None)),
    (Gate.INBOUND_WAITING, "R36", line(1, 4)),
    (Gate.NO_FREE_TRUNK, "one free channel", line(0, 1)),
    (Gate.NO_FREE_TRUNK, "none", line(0, 0)),
    (Gate.DID_DAY_CAP, "R37: forty today", lambda s: replace(s, dialled_today=40)),
    (Gate.DID_DAY_CAP, "R37: spread", lambda s: replace(s, dialled_today=6)),
]


def test_a_debt_that_is_ready_passes_every_gate() -> None:
    assert refusals(check(READY)) == ()


@pytest.mark.parametrize(("gate", "what", "change"), CASES, ids=[f"{g}: {w}" for g, w, _ in CASES])
def test_r22_each_gate_refuses_by_itself(
    gate: Gate, what: str, change: Callable[[Situation], Situation]
) -> None:
    refused = refusals(check(change(READY)))
    assert gate in {v.gate for v in refused}, what


def test_every_gate_has_a_case_and_two_sentences() -> None:
    assert {gate for gate, _, _ in CASES} == set(Gate)
    assert set(SENTENCES) == set(Gate)
    assert all(len(set(pair)) == 2 for pair in SENTENCES.values())


def test_asking_again_waits_for_the_last_gate_to_open() -> None:
    late = replace(READY, now=NOW + 10 * HOUR, line=Line(waiting=2, free_channels=4))
    assert ask_again_at(refusals(check(late)), late.now) == datetime(2026, 11, 25, 9, tzinfo=SHANGHAI)


def test_a_lapsed_lease_is_no_lease() -> None:
    lapsed = debt(lease=Lease(owner="x", until=NOW, fence=3))(READY)
    assert refusals(check(lapsed)) == ()


def test_our_own_lease_does_not_stand_in_our_way() -> None:
    ours = debt(lease=Lease(owner="at-1", until=NOW + HOUR, fence=3))(READY)
    assert refusals(check(replace(ours, our_fence=3))) == ()
    assert [v.gate for v in refusals(check(replace(ours, our_fence=2)))] == [Gate.LEASED]


def test_quick_retries_of_a_busy_line_are_neither_gap_nor_cap() -> None:
    earlier = attempt(1, NOW - 4 * HOUR, Result.BUSY)
    assert refusals(check(attempts(earlier)(replace(READY, now=NOW + 4 * HOUR)))) == ()
    quick = attempt(1, NOW - timedelta(minutes=10), Result.BUSY)
    assert refusals(check(attempts(quick)(READY))) == ()


def test_the_last_channel_is_left_for_callers_whatever_the_site_reserves() -> None:
    for reserved, free, passes in [(1, 2, True), (2, 2, False), (2, 3, True), (1, 1, False)]:
        found = check(rules(reserved_channels=reserved)(line(0, free)(READY)))
        assert all(v.passed for v in found if v.gate is Gate.NO_FREE_TRUNK) is passes


def test_r37_the_daily_cap_opens_over_the_day() -> None:
    evening = replace(READY, now=NOW.replace(hour=19, minute=30), dialled_today=30)
    assert refusals(check(evening)) == ()
    assert {v.gate for v in refusals(check(replace(evening, now=NOW)))} == {Gate.DID_DAY_CAP}


def test_what_binds_a_human_who_dials_and_what_does_not() -> None:
    at_night = moment(NOW + 13 * HOUR)
    no_calls = person(no_outbound=True)
    for change in (at_night, no_calls, person(usable_phones=0), person(live_call=True), line(0, 0)):
        assert refusals(check_human(change(READY)))
    no_consent = person(ivr_consent=False, no_automation=True)
    for change in (no_consent, moment(NOW + 3 * HOUR), line(3, 1), rules(paused=True)):
        assert refusals(check_human(change(READY))) == ()


def test_the_lines_own_gates_end_a_round_early() -> None:
    assert refusals(check_line(READY)) == ()
    assert refusals(check_line(person(ivr_consent=False)(READY))) == ()
    assert [v.gate for v in refusals(check_line(line(1, 4)(READY)))] == [Gate.INBOUND_WAITING]


def test_without_consent_or_number_the_next_step_is_a_humans() -> None:
    assert step_of(READY).who is Who.IVR
    for change in (
        person(ivr_consent=False),
        person(no_automation=True),
        person(no_ivr=True),
        person(no_outbound=True),
    ):
        assert step_of(change(READY)).why is Why.NO_AUTOMATION
    assert step_of(person(usable_phones=0)(READY)).why is Why.NO_NUMBER


def test_in_a_year_without_published_days_the_gates_still_answer() -> None:
    for year in (2027, 2028, 2050, 2101):
        for month in range(1, 13):
            now = datetime(year, month, 15, 10, tzinfo=SHANGHAI)
            assert check(replace(READY, now=now))


def test_the_sites_own_workday_opens_the_gate() -> None:
    saturday = NOW + timedelta(days=4)
    own = Rules(calendar=Calendar(site={saturday.date(): True}))
    assert refusals(check(replace(READY, now=saturday, rules=own))) == ()
