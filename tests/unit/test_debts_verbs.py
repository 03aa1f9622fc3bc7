"""Sweeping files into debts, and ending a debt: never without evidence or a name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import ModuleType

import pytest
from actors import enlist

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.errors import CallCenterError, Conflict, Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup import debt_views, debts, dispatch, ending, settling
from callcenter.service.followup.debts import close, done_by_call, done_by_visit, settle, sweep
from callcenter.service.hardship import importing as hardship_import
from scheduler.cadence import SHANGHAI
from scheduler.obligations import BY_IVR, Attempt, EvidenceKind, Kind, Obligation, Result, Status, status_of

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NUMBER = "13800001111"
FILE = HardshipFile(
    file_no="WX-1", person="p1", grade=Grade.DEEP, status=FileStatus.ACTIVE, since=date(2026, 10, 1)
)


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A store with 沈建国's file and nothing swept yet."""
    with MemoryStore()() as unit:
        enlist(unit, "c017", "s001")
        unit.people.add(Person(id="p1", code="P-1", name="沈建国", phones=(Phone(number=NUMBER),)))
        unit.people.put_file(FILE)
        yield unit


def routine(work: MemoryUnit) -> list[Obligation]:
    return [o for o in work.debts.open(person="p1") if o.kind is Kind.HARDSHIP]


def talk(call_id: str, **more: object) -> CallRecord:
    plain = CallRecord(
        id=call_id,
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=NOW + MINUTE,
        answered_at=NOW + 2 * MINUTE,
        ended_at=NOW + 20 * MINUTE,
        answered_by="c017",
        number=NUMBER,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


LATER = NOW + timedelta(hours=1)

# --- the sweep -----------------------------------------------------------------------------


def test_a_sweep_opens_one_debt_per_file_and_a_second_sweep_none(work: MemoryUnit) -> None:
    assert len(sweep(work, NOW).opened) == 1
    again = sweep(work, NOW + MINUTE)
    assert (again.opened, again.moved, again.left) == ((), (), ())
    assert len(routine(work)) == 1


def test_missed_periods_are_one_open_debt_however_long_nobody_swept(work: MemoryUnit) -> None:
    sweep(work, NOW)
    sweep(work, NOW + 300 * DAY)
    assert len(routine(work)) == 1


def test_r34_a_file_that_left_ends_its_debt_with_a_reason_by_the_system(work: MemoryUnit) -> None:
    opened = sweep(work, NOW).opened[0]
    work.people.put_file(replace(FILE, status=FileStatus.CLOSED))
    assert sweep(work, LATER).left == (opened,)
    closing = work.debts.get(opened).closing
    assert closing is not None
    assert (closing.by, closing.reason) == ("system", "档案已退档")
    assert sweep(work, LATER + DAY).opened == ()


def test_a_file_that_comes_back_is_owed_again_though_its_old_debt_fell_on_the_same_day(
    work: MemoryUnit,
) -> None:
    sweep(work, NOW)
    work.people.put_file(replace(FILE, status=FileStatus.CLOSED))
    sweep(work, LATER)
    work.people.put_file(FILE)
    assert len(sweep(work, LATER + DAY).opened) == 1
    assert len(routine(work)) == 1
    assert debt_views.file_of(work, routine(work)[0]) == FILE


def test_a_new_grade_moves_the_open_debt_and_keeps_the_old_one_in_history(work: MemoryUnit) -> None:
    old = sweep(work, NOW).opened[0]
    work.people.put_file(replace(FILE, grade=Grade.RELATIVE))
    assert len(sweep(work, LATER).moved) == 1
    assert work.debts.get(old).closing is not None
    assert routine(work)[0].window_end.date() == date(2026, 12, 30)


def test_a_file_under_watch_has_the_watching_cadence_whatever_its_grade(work: MemoryUnit) -> None:
    work.people.put_file(replace(FILE, status=FileStatus.WATCH))
    sweep(work, NOW)
    assert routine(work)[0].window_end.date() == date(2026, 11, 30)


def test_a_debt_somebody_works_on_is_left_for_the_next_sweep(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    work.debts.claim(debt, "at-1", NOW, NOW + 3 * MINUTE)
    work.people.put_file(replace(FILE, status=FileStatus.CLOSED))
    assert sweep(work, NOW + MINUTE).left == ()
    assert sweep(work, NOW + 5 * MINUTE).left == (debt,)


def test_an_attempt_in_doubt_keeps_its_debt_from_being_moved(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    work.debts.add_attempt(Attempt(id="at-1", obligation=debt, n=1, planned_at=NOW, by=BY_IVR))
    work.people.put_file(replace(FILE, grade=Grade.RELATIVE))
    assert sweep(work, LATER).moved == ()


def test_two_files_of_one_person_are_one_debt_and_do_not_chase_each_other(work: MemoryUnit) -> None:
    work.people.put_file(replace(FILE, file_no="WX-2", grade=Grade.RELATIVE))
    sweep(work, NOW)
    assert len(routine(work)) == 1
    assert sweep(work, LATER).moved == ()


def test_r39_a_talk_about_something_else_is_no_routine_contact_unless_somebody_says_so(
    work: MemoryUnit,
) -> None:
    (routine_debt,) = sweep(work, NOW - 3 * DAY).opened
    promise = talk("c1", outcome=Outcome.PROMISED, answered_at=None, started_at=NOW - DAY, ended_at=NOW - DAY)
    settle(work, [promise], NOW)
    work.calls.put_many([talk("c2")])
    kept = next(o for o in work.debts.open() if o.kind is Kind.CALLBACK)
    done_by_call(work, kept.id, "c2", actor="c017", now=LATER)
    assert sweep(work, LATER).moved == ()
    assert [o.id for o in routine(work)] == [routine_debt]
    done_by_call(work, routine_debt, "c2", actor="c017", now=LATER)
    sweep(work, LATER)
    assert routine(work)[0].window_end.date() == date(2026, 12, 24)


# --- done ----------------------------------------------------------------------------------


def test_an_answered_call_with_the_person_satisfies(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    work.calls.put_many([talk("c1")])
    proof = done_by_call(work, debt, "c1", actor="c017", now=LATER)
    assert (proof.kind, proof.reference, proof.by) == (EvidenceKind.HUMAN_TALK, "c1", "c017")
    assert routine(work) == []
    assert work.audit.recent(1)[0].verb == "obligation.done"


def test_the_next_period_is_counted_from_that_call(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    work.calls.put_many([talk("c1")])
    done_by_call(work, debt, "c1", actor="c017", now=LATER)
    sweep(work, LATER)
    assert routine(work)[0].window_end.date() == date(2026, 12, 24)


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (talk("c1", outcome=Outcome.ABANDONED, answered_at=None), "没有接通"),
        (talk("c1", outcome=Outcome.SYSTEM_FAILURE), "没有接通"),
        (talk("c1", outcome=Outcome.OPEN), "还没有结束"),
        (talk("c1", number="13700003333"), "不是与这位职工"),
        (talk("c1", number=None), "不是与这位职工"),
        (talk("c1", answered_at=NOW - 40 * DAY), "早于"),
        (talk("c1", started_at=LATER, answered_at=LATER + MINUTE), "将来"),
    ],
)
def test_a_call_that_proves_nothing_is_refused(work: MemoryUnit, record: CallRecord, word: str) -> None:
    debt = sweep(work, NOW).opened[0]
    work.calls.put_many([record])
    with pytest.raises(Refused, match=word):
        done_by_call(work, debt, "c1", actor="c017", now=LATER)
    assert len(routine(work)) == 1


def test_a_call_that_is_not_on_record_is_refused(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    with pytest.raises(NotFound):
        done_by_call(work, debt, "c404", actor="c017", now=LATER)


def machine_call(work: MemoryUnit, debt: str, outcome: str, **more: object) -> None:
    work.debts.add_attempt(Attempt(id="at-1", obligation=debt, n=1, planned_at=NOW, by=BY_IVR))
    plain = talk(
        "at-1", direction=Direction.OUTBOUND, outcome=Outcome.OUTBOUND, number=None, answered_by=None
    )
    record = replace(plain, flow_outcome=outcome, **more)  # type: ignore[arg-type]
    work.calls.put_many([record])
    settle(work, [record], LATER)


@pytest.mark.parametrize("outcome", ["reached_other", "assistant_or_voicemail", "reached_self_no_key"])
def test_a_machines_answered_call_cannot_be_passed_off_as_a_talk(work: MemoryUnit, outcome: str) -> None:
    debt = sweep(work, NOW).opened[0]
    machine_call(work, debt, outcome)
    with pytest.raises(Refused, match="自动回访"):
        done_by_call(work, debt, "at-1", actor="c017", now=LATER)


def test_a_machines_call_that_was_put_through_to_a_counsellor_is_a_talk(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    machine_call(work, debt, "reached_self_transfer", answered_by="c017")
    done_by_call(work, debt, "at-1", actor="c017", now=LATER)
    assert routine(work) == []


def test_a_transfer_nobody_took_is_no_talk(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    machine_call(work, debt, "reached_self_transfer")
    with pytest.raises(Refused, match="自动回访"):
        done_by_call(work, debt, "at-1", actor="c017", now=LATER)


def test_a_counsellors_own_call_is_known_by_its_attempt_and_gets_its_result(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    work.debts.add_attempt(Attempt(id="at-1", obligation=debt, n=1, planned_at=NOW, by="c017"))
    record = talk("at-1", direction=Direction.OUTBOUND, outcome=Outcome.OUTBOUND, number=None)
    work.calls.put_many([record])
    settle(work, [record], LATER)
    done_by_call(work, debt, "at-1", actor="c017", now=LATER)
    attempt = work.debts.attempt("at-1")
    assert attempt is not None
    assert attempt.result is Result.REACHED_SELF_HUMAN


def test_the_call_in_which_we_promised_is_not_the_call_back(work: MemoryUnit) -> None:
    promise = talk("c1", promises=("callback",))
    work.calls.put_many([promise])
    settle(work, [promise], LATER)
    kept = next(o for o in work.debts.open() if o.kind is Kind.CALLBACK)
    with pytest.raises(Refused):
        done_by_call(work, kept.id, "c1", actor="c017", now=LATER)


def test_a_home_visit_needs_its_number(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    # The number stands in clear in the store, so that nothing but a number may be written there.
    for nothing in ("", "   ", "7" * 33, "沈建国家", "走访13861705555", "320211197405198812"):
        with pytest.raises(Refused, match="编号"):
            done_by_visit(work, debt, nothing, actor="c017", now=LATER)
    with pytest.raises(Refused, match="走访时间"):
        done_by_visit(work, debt, "走访-7", actor="c017", now=LATER, at=LATER + DAY)
    assert done_by_visit(work, debt, "走访-7", actor="c017", now=LATER).kind is EvidenceKind.HOME_VISIT


@pytest.mark.parametrize("number", ["7", "A7", "号1", "走访号", "ABC", "a-b", "---"])
def test_i4_a_visits_number_has_three_signs_and_a_digit(work: MemoryUnit, number: str) -> None:
    debt = sweep(work, NOW).opened[0]
    with pytest.raises(Refused, match="至少三个字符，要有数字"):
        done_by_visit(work, debt, number, actor="c017", now=LATER)
    assert work.debts.evidence(debt) == []
    assert done_by_visit(work, debt, "A-7", actor="c017", now=LATER).reference == "A-7"


def test_i4_a_call_to_another_persons_number_proves_nothing(work: MemoryUnit) -> None:
    """Neither one dialled by hand, nor one dialled for what somebody else is owed."""
    debt = sweep(work, NOW).opened[0]
    theirs = Phone(number="13700003333")
    work.people.add(Person(id="p9", code="P-9", name="周秀英", phones=(theirs,)))
    by_hand = talk("c1", direction=Direction.OUTBOUND, number=theirs.number)
    for_them = talk("at-9", direction=Direction.OUTBOUND, outcome=Outcome.OUTBOUND, number=theirs.number)
    assert work.debts.add(replace(work.debts.get(debt), id="ob-9", person="p9", origin="file/WX-9"))
    work.debts.add_attempt(Attempt(id="at-9", obligation="ob-9", n=1, planned_at=NOW, by="c017"))
    work.calls.put_many([by_hand, for_them])
    for call in ("c1", "at-9"):
        with pytest.raises(Refused, match="不是与这位职工"):
            done_by_call(work, debt, call, actor="c017", now=LATER)
    assert work.debts.evidence(debt) == []


def test_r39_a_clerk_records_visits_for_routine_check_ins_and_nothing_of_other_debts(
    work: MemoryUnit,
) -> None:
    enlist(work, "k001")
    sweep(work, NOW)
    [debt] = routine(work)
    settle(work, [talk("c9", answered_at=None, outcome=Outcome.OVERFLOWED, promises=("callback",))], NOW)
    promise = next(o for o in work.debts.open() if o.kind is Kind.CALLBACK)
    with pytest.raises(NotFound):
        done_by_visit(work, promise.id, "走访-7", actor="k001", now=LATER)
    with pytest.raises(Forbidden):
        done_by_call(work, debt.id, "c9", actor="k001", now=LATER)
    assert done_by_visit(work, debt.id, "走访-7", actor="k001", now=LATER).by == "k001"


def test_what_is_done_is_done_once(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    done_by_visit(work, debt, "走访-7", actor="c017", now=LATER)
    with pytest.raises(Refused):
        done_by_visit(work, debt, "走访-8", actor="c017", now=LATER)


def test_a_promise_may_be_closed_by_name_and_reason_a_routine_debt_not(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    settle(work, [talk("c1", outcome=Outcome.PROMISED, answered_at=None)], NOW)
    kept = next(o for o in work.debts.open() if o.kind is Kind.CALLBACK)
    with pytest.raises(Refused, match="理由"):
        close(work, kept.id, reason=" ", actor="s001", now=LATER)
    close(work, kept.id, reason="对方已来电谈妥", actor="s001", now=LATER)
    with pytest.raises(Refused, match="档案"):
        close(work, debt, reason="这阵子太忙了", actor="s001", now=LATER)


# --- no verb without evidence --------------------------------------------------------------

#: Verbs that take a proof by their very signature.
WITH_PROOF = {"done_by_call", "done_by_visit"}
MODULES: tuple[ModuleType, ...] = (debts, ending, settling, dispatch, hardship_import, debt_views)


def verbs() -> dict[str, Callable[..., object]]:
    found = {
        name: verb
        for module in MODULES
        for name, verb in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and verb.__module__.startswith("callcenter.service")
    }
    return {n: v for n, v in found.items() if next(iter(inspect.signature(v).parameters), "") == "work"}


@pytest.mark.parametrize("name", sorted(verbs()))
def test_no_verb_satisfies_a_debt_without_an_evidence_id(work: MemoryUnit, name: str) -> None:
    """Every verb over a unit of work, called with whatever we can give it but no proof."""
    debt = sweep(work, NOW).opened[0]
    attempt = Attempt(id="at-1", obligation=debt, n=1, planned_at=NOW, by=BY_IVR)
    work.debts.add_attempt(attempt)
    verb = verbs()[name]
    given: dict[str, object] = {
        "work": work,
        "obligation_id": debt,
        "obligation": work.debts.get(debt),
        "call_id": "",
        "visit": "",
        "reason": "完成",
        "actor": "s001",
        "now": LATER,
        "at": LATER,
        "attempt": replace(attempt, result=Result.REACHED_SELF_IVR_OK, settled_at=LATER),
        "records": [],
        "entries": [],
        "person_id": "p1",
        "rules": debts.Rules(),
        "line": None,
        "facts": debts.line_facts(work, LATER, None, debts.Rules()),
        "verb": "obligation.done",
        "thing": debt,
    }
    wanted = inspect.signature(verb).parameters
    try:
        verb(**{key: value for key, value in given.items() if key in wanted})
    except (CallCenterError, TypeError):
        pass  # refused, or it wants what nobody can give without a proof
    status = status_of(work.debts.get(debt), tuple(work.debts.evidence(debt)), LATER)
    assert status is not Status.SATISFIED


def test_the_verbs_that_prove_are_exactly_those_that_ask_for_a_proof() -> None:
    naming = {
        name
        for name, verb in verbs().items()
        if {"call_id", "visit"} & set(inspect.signature(verb).parameters)
    }
    assert naming == WITH_PROOF


def test_the_same_proof_twice_is_a_conflict_and_not_a_second_contact(work: MemoryUnit) -> None:
    debt = sweep(work, NOW).opened[0]
    work.calls.put_many([talk("c1")])
    proof = done_by_call(work, debt, "c1", actor="c017", now=LATER)
    assert not work.debts.add_evidence(proof)
    with pytest.raises((Refused, Conflict)):
        done_by_call(work, debt, "c1", actor="c017", now=LATER)
