"""Who rang in vain and agreed to be called is owed a call back by a person, once, until any talk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import permutations

import pytest
from people_world import QIAN, SHEN, a_call, a_case, a_promise, on_file, peopled

from callcenter.domain.books import CASES, PLANS
from callcenter.domain.calls import CallRecord, Outcome
from callcenter.domain.cases import CaseState
from callcenter.domain.ledger import Plan, PlanKind
from callcenter.domain.levels import Level
from callcenter.domain.people import Consent, ConsentKind, Suppression, SuppressionKind
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debt_views import explain, view
from callcenter.service.followup.debts import done_by_visit, line_facts, settle
from callcenter.service.followup.missed import returned
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import BY_IVR, Attempt, EvidenceKind, Kind, Mode, Obligation, Result

#: A Friday morning.
NOW = datetime(2026, 11, 27, 10, 0, tzinfo=SHANGHAI)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A store with 沈建国 and 钱秀英, who are owed nothing and agreed to nothing yet."""
    store = MemoryStore()
    peopled(store)
    with store() as unit:
        yield unit


def in_vain(call_id: str, at: datetime = NOW, *, seconds: int = 60, **changes: object) -> CallRecord:
    plain = {
        "outcome": Outcome.ABANDONED,
        "answered_at": None,
        "answered_by": None,
        "ended_at": at + timedelta(seconds=seconds),
    }
    return a_call(call_id, at, **{**plain, **changes})


def heard(work: UnitOfWork, *records: CallRecord) -> None:
    """Let the line tell these calls."""
    for record in records:
        work.calls.put_many([record])
        settle(work, [record], (record.ended_at or NOW) + MINUTE)


def agreed(work: UnitOfWork, at: datetime = NOW - DAY, *, granted: bool = True) -> None:
    said = Consent(person=SHEN.id, kind=ConsentKind.FOLLOWUP, granted=granted, at=at, channel="电话")
    work.people.add_consent(said)


def owed(work: UnitOfWork, person: str = SHEN.id) -> list[Obligation]:
    return list(work.debts.open(person=person, kind=Kind.MISSED_CALL))


def test_who_agreed_to_be_called_and_rang_in_vain_is_owed_a_call_by_a_person_in_two_working_hours(
    work: MemoryUnit,
) -> None:
    agreed(work)
    heard(work, in_vain("c1"))
    (debt,) = owed(work)
    assert (debt.mode, debt.origin, debt.due_at) == (Mode.HUMAN_ONLY, "c1", NOW + MINUTE)
    assert debt.window_end == datetime(2026, 11, 27, 14, 1, tzinfo=SHANGHAI)  # over the midday break


def test_after_hours_the_two_working_hours_begin_the_next_working_day(work: MemoryUnit) -> None:
    agreed(work)
    heard(work, in_vain("c1", NOW + 11 * HOUR))  # Friday, 21:00
    assert owed(work)[0].window_end == datetime(2026, 11, 30, 11, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize("outcome", [Outcome.OVERFLOWED, Outcome.SYSTEM_FAILURE, Outcome.LEFT_IN_GREETING])
def test_however_a_call_in_vain_ended_it_is_owed(work: MemoryUnit, outcome: Outcome) -> None:
    agreed(work)
    heard(work, in_vain("c1", outcome=outcome))
    assert len(owed(work)) == 1


@pytest.mark.parametrize(
    "record",
    [
        in_vain("c1", outcome=Outcome.PROMISED, promises=("callback",)),
        in_vain("c1", outcome=Outcome.BLOCKED),
        in_vain("c1", outcome=Outcome.LEFT_IN_GREETING, pieces=("sleep_1",)),
        in_vain("c1", outcome=Outcome.LEFT_IN_GREETING, answers=("phq2/1=0",)),
        a_call("c1", NOW),
    ],
)
def test_a_promise_a_talk_or_what_a_machine_offers_is_no_call_in_vain(
    work: MemoryUnit, record: CallRecord
) -> None:
    agreed(work)
    heard(work, record)
    assert owed(work) == []


def test_who_never_agreed_is_not_rung_back(work: MemoryUnit) -> None:
    heard(work, in_vain("c1"))
    assert owed(work) == []


def test_a_number_nobody_knows_is_never_rung_back_nor_one_withheld(work: MemoryUnit) -> None:
    heard(work, in_vain("c1", number="13700009999"), in_vain("c2", number=None))
    assert list(work.debts.open(kind=Kind.MISSED_CALL)) == []


def test_consent_counts_as_it_stood_when_they_rang(work: MemoryUnit) -> None:
    agreed(work, NOW + HOUR)
    heard(work, in_vain("c1"))
    assert owed(work) == []
    agreed(work, NOW + 2 * HOUR, granted=False)
    heard(work, in_vain("c2", NOW + 90 * MINUTE))
    assert [debt.origin for debt in owed(work)] == ["c2"]
    heard(work, in_vain("c3", NOW + 3 * HOUR, number=QIAN.phones[0].number))
    assert owed(work, QIAN.id) == []


@pytest.mark.parametrize("by", ["case", "debt", "plan"])
def test_an_open_case_a_debt_or_a_plan_is_agreement_enough(work: MemoryUnit, by: str) -> None:
    match by:
        case "case":
            work.book(CASES).add(a_case(SHEN.id, Level.GENERAL, NOW - DAY))
        case "debt":
            work.debts.add(a_promise("1", SHEN.id, NOW - HOUR))
        case _:
            one = Plan(
                id="pl-1",
                person=SHEN.id,
                kind=PlanKind.OTHER,
                anchor=date(2026, 12, 1),
                every_days=7,
                by="c017",
                at=NOW - DAY,
            )
            work.book(PLANS).add(one)
    heard(work, in_vain("c1"))
    assert len(owed(work)) == 1


def test_what_was_kept_or_closed_before_they_rang_is_no_agreement(work: MemoryUnit) -> None:
    work.debts.add(a_promise("1", SHEN.id, NOW - DAY))
    work.debts.close("ob-1", "重复登记", "s001", NOW - HOUR)
    work.book(CASES).add(
        a_case(SHEN.id, Level.HIGH, NOW - 9 * DAY, state=CaseState.CLOSED, closed_at=NOW - DAY)
    )
    heard(work, in_vain("c1"))
    assert owed(work) == []


def test_at_high_risk_it_is_half_an_hour_at_night_too_and_before_other_debts(work: MemoryUnit) -> None:
    work.book(CASES).add(a_case(SHEN.id, Level.HIGH, NOW - DAY))
    night = NOW + 16 * HOUR
    heard(work, in_vain("c1", night))
    (debt,) = owed(work)
    assert debt.window_end == night + MINUTE + 30 * MINUTE
    assert debt.priority == 1


@pytest.mark.parametrize(
    ("level", "count"), [(Level.HIGH, 1), (Level.MEDIUM, 1), (Level.GENERAL, 0), (None, 0)]
)
def test_a_short_hang_up_is_rung_back_only_where_somebody_has_reason_to_worry(
    work: MemoryUnit, level: Level | None, count: int
) -> None:
    agreed(work)
    if level is not None:
        work.book(CASES).add(a_case(SHEN.id, level, NOW - DAY))
    heard(work, in_vain("c1", seconds=10))
    assert len(owed(work)) == count


def test_who_refused_calls_is_left_alone_unless_they_are_in_danger(work: MemoryUnit) -> None:
    agreed(work)
    wish = Suppression(person=SHEN.id, kind=SuppressionKind.ALL_OUTBOUND, at=NOW - HOUR, reason="本人")
    work.people.add_suppression(wish)
    heard(work, in_vain("c1"))
    assert owed(work) == []
    work.book(CASES).add(a_case(SHEN.id, Level.IMMINENT, NOW + HOUR))
    heard(work, in_vain("c2", NOW + 2 * HOUR))
    assert len(owed(work)) == 1


def test_however_often_they_ring_it_is_one_debt_from_the_first_call_on(work: MemoryUnit) -> None:
    agreed(work)
    heard(work, *(in_vain(f"c{n}", NOW + n * MINUTE * 5) for n in range(4)))
    (debt,) = owed(work)
    assert debt.origin == "c0"


def test_any_talk_afterwards_keeps_it_and_a_call_in_vain_after_that_begins_another(work: MemoryUnit) -> None:
    agreed(work)
    heard(work, in_vain("c1"), a_call("c2", NOW + HOUR))
    assert owed(work) == []
    first = next(o for o in work.debts.of_person(SHEN.id) if o.kind is Kind.MISSED_CALL)
    (proof,) = work.debts.evidence(first.id)
    assert (proof.reference, proof.kind) == ("c2", EvidenceKind.HUMAN_TALK)
    heard(work, in_vain("c3", NOW + 3 * HOUR))
    assert [debt.origin for debt in owed(work)] == ["c3"]


def test_a_visit_for_whatever_else_they_are_owed_keeps_it_too(work: MemoryUnit) -> None:
    work.debts.add(a_promise("1", SHEN.id, NOW - HOUR))
    heard(work, in_vain("c1"))
    done_by_visit(work, "ob-1", "走访-7", actor="c017", now=NOW + 5 * HOUR, at=NOW + 4 * HOUR)
    assert owed(work) == []


def test_in_whatever_order_the_records_come_the_same_is_owed() -> None:
    """In vain, talked, in vain twice: one call back, owed since the third call."""
    calls = [
        in_vain("c1"),
        a_call("c2", NOW + HOUR),
        in_vain("c3", NOW + 2 * HOUR),
        in_vain("c4", NOW + 3 * HOUR),
    ]
    for order in permutations(calls):
        store = MemoryStore()
        peopled(store)
        with store() as work:
            agreed(work)
            heard(work, *order)
            (debt,) = owed(work)
            assert debt.origin.split("#")[0] == "c3", [call.id for call in order]
            assert debt.due_at == NOW + 2 * HOUR + MINUTE
            everything = list(work.debts.of_person(SHEN.id))
            settle(work, list(order), NOW + DAY)  # and a replay changes nothing
            assert list(work.debts.of_person(SHEN.id)) == everything


def test_a_talk_written_down_late_keeps_what_was_before_it_and_not_what_came_after(work: MemoryUnit) -> None:
    agreed(work)
    work.debts.add(a_promise("1", SHEN.id, NOW - HOUR))
    heard(work, in_vain("c1"), in_vain("c2", NOW + 3 * HOUR))
    done_by_visit(work, "ob-1", "走访-7", actor="c017", now=NOW + 5 * HOUR, at=NOW + 2 * HOUR)
    assert [debt.origin for debt in owed(work)] == ["c2"]


def test_a_talk_the_day_before_keeps_no_call_back_of_today(work: MemoryUnit) -> None:
    agreed(work)
    heard(work, in_vain("c1"), a_call("c0", NOW - HOUR))
    assert len(owed(work)) == 1


def test_r7_who_rings_back_our_number_and_gets_nobody_is_tied_to_what_they_are_owed(
    work: MemoryUnit,
) -> None:
    promise = a_promise("1", SHEN.id, NOW - 2 * HOUR)
    work.debts.add(promise)
    tried = Attempt(
        id="at-1",
        obligation=promise.id,
        n=1,
        planned_at=NOW - HOUR,
        dialled_at=NOW - HOUR,
        by=BY_IVR,
        result=Result.NO_ANSWER,
        settled_at=NOW - HOUR,
    )
    work.debts.add_attempt(tried)
    assert returned(work, SHEN, NOW) == promise
    heard(work, in_vain("c1"))
    (debt,) = owed(work)
    facts = line_facts(work, NOW, None, Rules())
    told = "\n".join(explain(work, view(work, debt, facts), facts))
    assert "没有与人通上话（通话 c1）" in told
    assert f"hotline queue why {promise.id}" in told


def test_a_call_long_after_ours_returns_nothing(work: MemoryUnit) -> None:
    promise = replace(a_promise("1", SHEN.id, NOW - 30 * DAY))
    work.debts.add(promise)
    work.debts.add_attempt(
        Attempt(id="at-1", obligation=promise.id, n=1, planned_at=NOW - 20 * DAY, by=BY_IVR)
    )
    assert returned(work, SHEN, NOW) is None


def test_two_entries_of_one_person_are_owed_one_call_back(work: MemoryUnit) -> None:
    agreed(work)
    on_file(work, QIAN.id)
    work.people.update(replace(QIAN, merged_into=SHEN.id, phones=()))
    work.people.update(replace(SHEN, phones=(*SHEN.phones, *QIAN.phones)))
    heard(work, in_vain("c1"), in_vain("c2", NOW + HOUR, number=QIAN.phones[0].number))
    assert [debt.origin for debt in work.debts.open(kind=Kind.MISSED_CALL)] == ["c1"]
