"""Every gate between a debt and a ringing phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from willing import WILLING

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
from scheduler.our_numbers import number_for
from scheduler.windows import Windows

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
    person=WILLING,
    line=Line(waiting=0, free_channels=4, free_agents=2),
    shown={},
    outcomes=(),
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
    return lambda s: replace(s, line=Line(waiting=waiting, free_channels=free, free_agents=2))


def shown(*calls: tuple[int, timedelta], did: str = "") -> Callable[[Situation], Situation]:
    """Let so many calls have gone out so long ago, from a number of ours."""
    made = tuple(NOW - ago for count, ago in calls for _ in range(count))
    return lambda s: replace(s, shown={**(s.shown or {}), did: made})


def moment(now: datetime) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, now=now)


def attempts(*made: Attempt) -> Callable[[Situation], Situation]:
    return lambda s: replace(s, attempts=made)


def evening(s: Situation) -> Situation:
    """Nearly the whole day's share has opened by then."""
    return moment(NOW.replace(hour=18))(s)


def late_riser(s: Situation) -> Situation:
    """They were reached at six in the evening before; the debt is due this morning."""
    return person(answered=(NOW - timedelta(days=30) + 8 * HOUR,))(s)


def tried_all_week(s: Situation) -> Situation:
    """Twice at each of two other debts, on days before."""
    made = [
        attempt(n, NOW - timedelta(days=day), Result.NO_ANSWER, debt=f"ob-{day}")
        for n, day in enumerate((2, 3, 4, 6), start=1)
    ]
    return person(attempts=tuple(made))(s)


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
    (Gate.TOPIC_REFUSED, "no calls about this", person(refused_topic=True)),
    (Gate.SNOOZED, "put off by a person", debt(snoozed_until=NOW + HOUR)),
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
    (Gate.OUTSIDE_SAFE_WINDOW, "the agreed hours are others", person(safe_phones=0)),
    (Gate.COOL_DOWN, "the hour that worked is later", lambda s: late_riser(s)),
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
    (Gate.PERSON_WEEK_CAP, "four in seven days", lambda s: tried_all_week(s)),
    (Gate.DIALLER_PAUSED, "by the site", rules(paused=True)),
    (Gate.BREAKER_OPEN, "R27", lambda s: replace(s, outcomes=FAULTS)),
    (Gate.BREAKER_OPEN, "nobody knows how calls ended", lambda s: replace(s, outcomes=None)),
    (Gate.HOLIDAY, "Saturday", moment(NOW + timedelta(days=4))),
    (Gate.HOLIDAY, "除夕", moment(datetime(2027, 2, 5, 10, tzinfo=SHANGHAI))),
    (Gate.OUTSIDE_WINDOW, "lunch", moment(NOW + 3 * HOUR)),
    (Gate.OUTSIDE_WINDOW, "night", moment(NOW + 13 * HOUR)),
    (Gate.LINE_UNKNOWN, "the PBX does not answer", lambda s: replace(s, line=None)),
    (Gate.INBOUND_WAITING, "R36", line(1, 4)),
    (Gate.NO_FREE_TRUNK, "one free channel", line(0, 1)),
    (Gate.NO_FREE_TRUNK, "none", line(0, 0)),
    (Gate.DID_DAY_CAP, "R37: forty today", shown((40, 2 * HOUR))),
    (Gate.DID_DAY_CAP, "R37: spread", shown((6, 2 * HOUR))),
    (Gate.DID_DAY_CAP, "nobody knows what was shown", lambda s: replace(s, shown=None)),
    (Gate.DID_WEEK_CAP, "R37: two hundred in seven days", shown((200, 30 * HOUR))),
    (Gate.DID_PACE, "R37: a burst after an outage", lambda s: shown((5, -7.5 * HOUR))(evening(s))),
]

#: The same of calls that ring a counsellor first: asked of nobody else.
PREVIEWS: list[tuple[Gate, str, Callable[[Situation], Situation]]] = [
    (Gate.NO_FREE_SEAT, "two are left, three are kept for callers", rules(reserved_seats=3)),
]


def test_a_debt_that_is_ready_passes_every_gate() -> None:
    assert refusals(check(READY)) == ()


@pytest.mark.parametrize(("gate", "what", "change"), CASES, ids=[f"{g}: {w}" for g, w, _ in CASES])
def test_r22_each_gate_refuses_by_itself(
    gate: Gate, what: str, change: Callable[[Situation], Situation]
) -> None:
    refused = {v.gate for v in refusals(check(change(READY)))}
    assert gate in refused, what
    assert refused - {gate} <= ALONGSIDE.get(what, set()), what


#: Cases in which a second gate has to refuse too.
ALONGSIDE = {
    "two today": {Gate.COOL_DOWN},
    "no number": {Gate.PHONE_QUARANTINED, Gate.OUTSIDE_SAFE_WINDOW},
    "nobody knows what was shown": {Gate.DID_WEEK_CAP, Gate.DID_PACE},
}


@pytest.mark.parametrize(("gate", "what", "change"), PREVIEWS, ids=[f"{g}: {w}" for g, w, _ in PREVIEWS])
def test_r22_each_gate_of_a_counsellors_own_call_refuses_by_itself(
    gate: Gate, what: str, change: Callable[[Situation], Situation]
) -> None:
    assert [v.gate for v in refusals(check_human(change(READY)))] == [gate], what


def test_every_gate_has_a_case_and_two_sentences() -> None:
    assert {gate for gate, _, _ in (*CASES, *PREVIEWS)} == set(Gate)
    assert set(SENTENCES) == set(Gate)
    assert all(len(set(pair)) == 2 for pair in SENTENCES.values())


def test_r22_no_gate_about_the_person_or_the_line_passes_on_missing_knowledge() -> None:
    nothing_known = Situation(now=NOW, obligation=DEBT, person=Person(attempts=()))
    passed = {v.gate for v in check(nothing_known) if v.passed}
    about_the_debt = {Gate.SATISFIED, Gate.NOT_DUE, Gate.SNOOZED}
    # Nothing was tried, by the attempts that have to be given; the rest is the site's own clock and rules.
    by_what_is_given = {Gate.IN_DOUBT, Gate.COOL_DOWN, Gate.PERSON_DAY_CAP, Gate.PERSON_WEEK_CAP}
    by_rules = {Gate.DIALLER_PAUSED, Gate.HOLIDAY, Gate.OUTSIDE_WINDOW}
    # Without a number there is none that is quarantined, nor one at a wrong hour: NO_PHONE refuses.
    by_no_phone = {Gate.PHONE_QUARANTINED, Gate.OUTSIDE_SAFE_WINDOW}
    assert passed <= about_the_debt | by_what_is_given | by_rules | by_no_phone
    assert not by_no_phone & passed or Gate.NO_PHONE not in passed


def test_asking_again_waits_for_the_last_gate_to_open() -> None:
    late = replace(READY, now=NOW + 10 * HOUR, line=Line(waiting=2, free_channels=4, free_agents=1))
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
    thirty = shown((30, -HOUR))(READY)
    assert refusals(check(replace(thirty, now=NOW.replace(hour=19, minute=30)))) == ()
    assert {v.gate for v in refusals(check(shown((30, HOUR))(READY)))} == {Gate.DID_DAY_CAP}


def test_r37_after_an_outage_an_hour_brings_no_more_than_an_hours_share() -> None:
    five = shown((5, -7.5 * HOUR))(evening(READY))
    (refused,) = refusals(check(five))
    assert (refused.gate, refused.retry_at) == (Gate.DID_PACE, NOW.replace(hour=18, minute=30))
    assert refusals(check(replace(five, now=NOW.replace(hour=18, minute=31)))) == ()


OURS = ("051085000966", "051085000967")


def test_r37_the_number_they_know_is_shown_again_else_the_least_used() -> None:
    two = rules(numbers=OURS)(READY)
    assert number_for(two) == OURS[0]
    used = shown((2, 2 * HOUR), did=OURS[0])(two)
    assert number_for(used) == OURS[1]
    assert number_for(person(knows=OURS[0])(used)) == OURS[0]
    assert number_for(person(knows="051000000000")(used)) == OURS[1]  # given back to the carrier


def test_r37_a_number_without_calls_left_gives_way_and_only_then_are_all_refused() -> None:
    two = person(knows=OURS[0])(rules(numbers=OURS)(READY))
    full = shown((200, 30 * HOUR), did=OURS[0])(two)
    assert number_for(full) == OURS[1]
    assert refusals(check(full)) == ()
    both = shown((200, 30 * HOUR), did=OURS[1])(full)
    assert [v.gate for v in refusals(check(both))] == [Gate.DID_WEEK_CAP]


def test_what_binds_a_human_who_dials_and_what_does_not() -> None:
    at_night = moment(NOW + 13 * HOUR)
    no_calls = person(no_outbound=True)
    for change in (at_night, no_calls, person(usable_phones=0), person(live_call=True), line(0, 0)):
        assert refusals(check_human(change(READY)))
    no_consent = person(ivr_consent=False, no_automation=True)
    for change in (no_consent, moment(NOW + 3 * HOUR), line(3, 1), rules(paused=True)):
        assert refusals(check_human(change(READY))) == ()


def test_i5_an_override_opens_the_window_and_nothing_else() -> None:
    at_night = replace(moment(NOW + 13 * HOUR)(READY), overridden=True)
    assert refusals(check(at_night)) == ()
    assert refusals(check_human(at_night)) == ()
    for gate, _, change in CASES:
        if gate is not Gate.OUTSIDE_WINDOW:
            assert gate in {v.gate for v in refusals(check(replace(change(READY), overridden=True)))}


def test_a_debt_that_was_put_off_is_a_notice_to_a_person_and_no_refusal() -> None:
    put_off = debt(snoozed_until=NOW + HOUR)(READY)
    assert refusals(check_human(put_off)) == ()
    (notice,) = [v for v in check_human(put_off) if v.notice]
    assert (notice.gate, notice.sentence) == (Gate.SNOOZED, SENTENCES[Gate.SNOOZED][1])


def test_agreed_hours_bind_people_too_but_for_somebody_who_may_die_by_waiting() -> None:
    resting = person(safe_phones=0)
    assert [v.gate for v in refusals(check_human(resting(READY)))] == [Gate.OUTSIDE_SAFE_WINDOW]
    imminent = debt(kind=Kind.HIGH_RISK, priority=0)(READY)
    assert refusals(check_human(resting(imminent))) == ()


def test_somebody_in_danger_is_dialled_whoever_is_left_for_callers() -> None:
    nobody_left = replace(rules(reserved_seats=3)(READY), line=Line(waiting=0, free_channels=4))
    assert refusals(check_human(nobody_left))
    assert refusals(check_human(debt(kind=Kind.HIGH_RISK)(nobody_left))) == ()


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


def test_a_weekend_call_is_for_who_was_reached_on_one_where_the_site_has_windows_for_it() -> None:
    saturday = NOW + timedelta(days=4)
    reached_then = person(answered=(saturday - timedelta(days=28),))(moment(saturday)(READY))
    assert {v.gate for v in refusals(check(reached_then))} == {Gate.HOLIDAY}
    own = Windows(weekend=((time(10), time(12)),))
    assert refusals(check(rules(windows=own)(reached_then))) == ()
    # Nobody else, not on a holiday, and not at other hours.
    others = rules(windows=own)(moment(saturday)(READY))
    assert {v.gate for v in refusals(check(others))} == {Gate.HOLIDAY}
    assert refusals(check_line(others)) == ()
    noon = refusals(check(rules(windows=own)(moment(saturday + 5 * HOUR)(reached_then))))
    assert [v.gate for v in noon] == [Gate.OUTSIDE_WINDOW]
    assert noon[0].retry_at == saturday + timedelta(days=1)
    holiday = moment(datetime(2026, 10, 3, 10, tzinfo=SHANGHAI))
    early = debt(due_at=datetime(2026, 9, 1, tzinfo=SHANGHAI), window_end=NOW)
    refused = refusals(check(early(holiday(rules(windows=own)(reached_then)))))
    assert Gate.HOLIDAY in {v.gate for v in refused}
