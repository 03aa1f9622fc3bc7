"""What somebody heard of a call, beside what the journal tells of it: before, while it rings, and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from debt_world import IN_DANGER, ON_FILE, START, DebtWorld

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import DebtAct
from callcenter.domain.people import Phone, PhoneStatus, SuppressionKind
from callcenter.domain.users import Role, User
from callcenter.domain.verifying import bad_number
from callcenter.errors import Refused
from callcenter.service.followup import handling
from callcenter.service.followup.debts import line_facts, situation_of
from callcenter.service.staff.users import add_user
from scheduler.gates import step_of
from scheduler.ladder import Who
from scheduler.obligations import (
    BY_IVR,
    Attempt,
    CauseSource,
    EvidenceKind,
    Kind,
    Obligation,
    Result,
    Status,
    status_of,
)

MINUTE = timedelta(minutes=1)
WORKER = ON_FILE[0]
MORE = "13900000009"


@pytest.fixture
def world() -> DebtWorld:
    """沈建国 is on file and has just been dialled by machine; the journal is silent."""
    world = DebtWorld(START)
    world.tick()
    return world


def routine(world: DebtWorld, person: str = WORKER) -> Obligation:
    with world.store() as work:
        return next(o for o in work.debts.of_person(person) if o.kind is Kind.HARDSHIP)


def call_of(world: DebtWorld, debt: Obligation) -> Attempt:
    with world.store() as work:
        return work.debts.attempts(debt.id)[-1]


def type_in(
    world: DebtWorld,
    debt: Obligation,
    result: Result,
    *,
    actor: str = "c017",
    call: str | None = None,
    place: int | None = None,
) -> Attempt:
    with world.store() as work:
        heard = handling.outcome(
            work, debt.id, result, actor=actor, now=world.now, call=call, place=place, rules=world.rules
        )
        work.commit()
        return heard


def over(world: DebtWorld, call: str, said: str | None = None, cause: int = 16) -> CallRecord:
    """Return the record of a call that is over, as the journal tells of it in the end."""
    return CallRecord(
        id=call,
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=START,
        answered_at=START if said else None,
        ended_at=world.now,
        flow_outcome=said,
        hangup_cause=cause,
    )


# --- while it may ring ---------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["c017", "s001"])
def test_a_result_typed_while_the_machines_call_rings_is_refused(world: DebtWorld, actor: str) -> None:
    debt = routine(world)
    call = call_of(world, debt)
    assert (call.by, call.in_doubt) == (BY_IVR, True)
    with pytest.raises(Refused, match="可能还在响"):
        type_in(world, debt, Result.NO_ANSWER, actor=actor, call=call.id)
    assert call_of(world, debt) == call
    assert routine(world).lease is not None


def test_of_a_counsellors_call_who_was_rung_first_says_what_they_hear_and_nobody_else(
    world: DebtWorld,
) -> None:
    with world.store() as work:
        (debt,) = [o for o in work.debts.open(person=IN_DANGER) if o.kind is Kind.HIGH_RISK][:1]
    world.now = debt.due_at
    world.dial(debt.id, "c017", None)
    call = call_of(world, debt)
    assert call.by == "c017"
    with pytest.raises(Refused, match="可能还在响"):
        type_in(world, debt, Result.NO_ANSWER, actor="s001", call=call.id)
    heard = type_in(world, debt, Result.BUSY, actor="c017", call=call.id)
    assert (heard.result, heard.cause_source) == (Result.BUSY, CauseSource.HUMAN)


def test_nobody_has_the_machines_name_and_so_hears_its_calls(world: DebtWorld) -> None:
    counsellor = User(code=BY_IVR, name="沈洁", roles=frozenset({Role.COUNSELLOR}))
    with world.store() as work:
        work.users.add(User(code="admin", name="周敏", roles=frozenset({Role.ADMIN})))
        with pytest.raises(Refused, match="留给系统自己用"):
            add_user(work, counsellor, actor="admin", now=world.now)
        work.users.add(counsellor)  # one of before
        work.commit()
    debt = routine(world)
    with pytest.raises(Refused, match="可能还在响"):
        type_in(world, debt, Result.NO_ANSWER, actor=BY_IVR, call=call_of(world, debt).id)


def test_a_result_is_taken_once_the_lease_is_over_and_the_journal_still_silent(world: DebtWorld) -> None:
    debt = routine(world)
    assert debt.lease is not None
    world.now = debt.lease.until
    assert type_in(world, debt, Result.NO_ANSWER, call=call_of(world, debt).id).result is Result.NO_ANSWER


# --- when the journal tells after all ------------------------------------------------------


@pytest.fixture
def supposed(world: DebtWorld) -> DebtWorld:
    """林晓燕 has typed that nobody answered, minutes before the journal came."""
    debt = routine(world)
    world.now += timedelta(minutes=10)
    type_in(world, debt, Result.NO_ANSWER, call=call_of(world, debt).id)
    return world


def test_i4_key_1_keeps_the_debt_though_somebody_typed_that_nobody_answered(supposed: DebtWorld) -> None:
    debt = routine(supposed)
    record = over(supposed, call_of(supposed, debt).id, "reached_self_ivr_ok")
    supposed.tell(record)
    supposed.tell(record)
    with supposed.store() as work:
        (proof,) = work.debts.evidence(debt.id)
        assert (proof.kind, proof.reference) == (EvidenceKind.IVR_KEY, record.id)
        assert status_of(debt, (proof,), supposed.now) is Status.SATISFIED
    made = call_of(supposed, debt)
    assert (made.result, made.cause_source) == (Result.REACHED_SELF_IVR_OK, CauseSource.FLOW)


def test_r32_an_opt_out_is_not_lost_though_somebody_typed_that_nobody_answered(supposed: DebtWorld) -> None:
    debt = routine(supposed)
    supposed.tell(over(supposed, call_of(supposed, debt).id, "opted_out"))
    with supposed.store() as work:
        (said,) = work.people.suppressions(WORKER)
        assert said.kind is SuppressionKind.AUTOMATION
        facts = line_facts(work, supposed.now, None, supposed.rules)
        step = step_of(situation_of(work, work.debts.get(debt.id), facts))
        assert (step.who, work.debts.evidence(debt.id)) == (Who.HUMAN, [])
        assert work.people.get(WORKER).phones[0].status is PhoneStatus.OK
    supposed.now += timedelta(days=5)
    supposed.tick()
    assert call_of(supposed, debt).result is Result.OPTED_OUT, "no machine dials again"


@pytest.mark.parametrize(
    ("said", "status"),
    [("phone_refused", PhoneStatus.QUARANTINED), ("wrong_person", PhoneStatus.WRONG)],
)
def test_r33_what_was_said_of_the_number_by_key_is_not_lost_either(
    supposed: DebtWorld, said: str, status: PhoneStatus
) -> None:
    debt = routine(supposed)
    supposed.tell(over(supposed, call_of(supposed, debt).id, said))
    with supposed.store() as work:
        (phone,) = work.people.get(WORKER).phones
        (asked,) = work.debts.open(person=WORKER, kind=Kind.VERIFY)
    assert (phone.status, bad_number(asked)) == (status, phone.number)


def test_who_asked_by_key_to_be_called_again_is_promised_it(supposed: DebtWorld) -> None:
    debt = routine(supposed)
    call = call_of(supposed, debt).id
    supposed.tell(over(supposed, call, "reached_self_callback"))
    with supposed.store() as work:
        promised = work.debts.open(person=WORKER, kind=Kind.CALLBACK)
    assert [one.origin for one in promised].count(call) == 1
    assert call_of(supposed, debt).result is Result.REACHED_SELF_CALLBACK


def test_an_opt_out_by_key_goes_before_a_callback_that_somebody_typed(world: DebtWorld) -> None:
    debt = routine(world)
    call = call_of(world, debt)
    world.now += timedelta(minutes=10)
    type_in(world, debt, Result.REACHED_SELF_CALLBACK, call=call.id)
    world.tell(over(world, call.id, "opted_out"))
    assert call_of(world, debt).result is Result.OPTED_OUT
    with world.store() as work:
        assert [s.kind for s in work.people.suppressions(WORKER)] == [SuppressionKind.AUTOMATION]


@pytest.mark.parametrize(("said", "cause"), [(None, 17), ("reached_other", 16), ("identity_failed", 16)])
def test_what_tells_nothing_of_the_person_does_not_rewrite_what_somebody_typed(
    supposed: DebtWorld, said: str | None, cause: int
) -> None:
    debt = routine(supposed)
    supposed.tell(over(supposed, call_of(supposed, debt).id, said, cause))
    assert call_of(supposed, debt).result is Result.NO_ANSWER


# --- without a call ------------------------------------------------------------------------


def add_number(world: DebtWorld) -> None:
    with world.store() as work:
        person = work.people.get(WORKER)
        work.people.update(replace(person, phones=(*person.phones, Phone(number=MORE))))
        work.commit()


def marks(world: DebtWorld) -> list[PhoneStatus]:
    with world.store() as work:
        return [phone.status for phone in work.people.get(WORKER).phones]


def asked_about(world: DebtWorld) -> list[str | None]:
    with world.store() as work:
        return [bad_number(one) for one in work.debts.open(person=WORKER, kind=Kind.VERIFY)]


def test_r33_a_wrong_person_without_a_call_is_about_the_only_number(world: DebtWorld) -> None:
    type_in(world, routine(world), Result.WRONG_PERSON)
    assert marks(world) == [PhoneStatus.WRONG]
    assert asked_about(world) == ["13800000001"]


def test_r33_a_wrong_person_without_a_call_is_about_the_number_that_was_named(world: DebtWorld) -> None:
    add_number(world)
    type_in(world, routine(world), Result.WRONG_PERSON, place=2)
    assert marks(world) == [PhoneStatus.OK, PhoneStatus.WRONG]
    assert asked_about(world) == [MORE]


def test_r33_of_two_numbers_and_none_named_somebody_finds_out_which(world: DebtWorld) -> None:
    add_number(world)
    type_in(world, routine(world), Result.WRONG_PERSON)
    type_in(world, routine(world), Result.WRONG_PERSON)
    assert marks(world) == [PhoneStatus.OK] * 2
    assert asked_about(world) == [None], "asked once while nobody has answered"


def test_a_number_that_is_not_there_or_stands_with_the_call_is_not_named(world: DebtWorld) -> None:
    debt = routine(world)
    with pytest.raises(Refused, match="没有第 2 个"):
        type_in(world, debt, Result.WRONG_PERSON, place=2)
    world.now += timedelta(minutes=10)
    with pytest.raises(Refused, match="--number-place"):
        type_in(world, debt, Result.WRONG_PERSON, call=call_of(world, debt).id, place=1)
    assert marks(world) == [PhoneStatus.OK]


def test_a_wrong_person_at_the_door_says_nothing_of_any_number(world: DebtWorld) -> None:
    with world.store() as work:
        (visit,) = work.debts.open(person=WORKER, kind=Kind.VISIT)
    heard = type_in(world, visit, Result.WRONG_PERSON)
    assert (heard.callee, marks(world), asked_about(world)) == (None, [PhoneStatus.OK], [])
    with world.store() as work:
        assert [e.act for e in handling.history(work, visit.id)] == [DebtAct.OUTCOME]
