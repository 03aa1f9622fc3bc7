"""What a closed call means for attempts, evidence, phones and promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import (
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    SuppressionKind,
)
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.debts import settle, sweep
from scheduler.cadence import SHANGHAI
from scheduler.obligations import BY_IVR, Attempt, EvidenceKind, Kind, Mode, Result

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
NUMBER = "13800001111"


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A store in which 沈建国 is owed a check-in."""
    with MemoryStore()() as unit:
        unit.people.add(Person(id="p1", code="P-1", name="沈建国", phones=(Phone(number=NUMBER),)))
        unit.people.put_file(
            HardshipFile(
                file_no="WX-1",
                person="p1",
                grade=Grade.DEEP,
                status=FileStatus.ACTIVE,
                since=date(2026, 10, 1),
            )
        )
        sweep(unit, NOW - timedelta(days=1))
        yield unit


def the_debt(work: MemoryUnit) -> str:
    return next(o.id for o in work.debts.open(person="p1") if o.kind is Kind.HARDSHIP)


def dial(work: MemoryUnit, by: str = BY_IVR, attempt_id: str = "at-1") -> Attempt:
    """Claim the debt and write an attempt, as the dispatcher does."""
    debt = the_debt(work)
    work.debts.claim(debt, attempt_id, NOW, NOW + timedelta(minutes=3))
    n = len(work.debts.attempts(debt)) + 1
    made = Attempt(id=attempt_id, obligation=debt, n=n, planned_at=NOW, dialled_at=NOW, by=by, callee=NUMBER)
    work.debts.add_attempt(made)
    return made


def call(
    outcome: str | None = None, *, call_id: str = "at-1", answered: bool = True, **more: object
) -> CallRecord:
    plain = CallRecord(
        id=call_id,
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=NOW,
        answered_at=NOW + timedelta(seconds=5) if answered else None,
        ended_at=NOW + timedelta(seconds=50),
        flow_outcome=outcome,
        hangup_cause=16,
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def settled(work: MemoryUnit, record: CallRecord) -> Result | None:
    settle(work, [record], NOW + timedelta(minutes=1))
    attempt = work.debts.attempt(record.id)
    assert attempt is not None
    return attempt.result


def test_key_one_after_identity_satisfies_the_routine_debt_with_the_call_as_evidence(
    work: MemoryUnit,
) -> None:
    made = dial(work)
    assert settled(work, call("reached_self_ivr_ok")) is Result.REACHED_SELF_IVR_OK
    proof = work.debts.evidence(made.obligation)[0]
    assert (proof.kind, proof.reference) == (EvidenceKind.IVR_KEY, "at-1")
    assert work.debts.open(person="p1") == []
    assert work.debts.get(made.obligation).lease is None


def test_r25_key_one_never_satisfies_a_promise_to_call_back(work: MemoryUnit) -> None:
    settle(work, [caller("c1")], NOW)
    promise = next(o for o in work.debts.open() if o.kind is Kind.CALLBACK)
    work.debts.claim(promise.id, "at-9", NOW, NOW + timedelta(minutes=3))
    work.debts.add_attempt(Attempt(id="at-9", obligation=promise.id, n=1, planned_at=NOW, by=BY_IVR))
    settled(work, call("reached_self_ivr_ok", call_id="at-9"))
    assert work.debts.evidence(promise.id) == []


@pytest.mark.parametrize(
    "outcome",
    [*sorted(set(Result) - {Result.REACHED_SELF_IVR_OK, Result.UNKNOWN}), None],
)
def test_r23_nothing_but_key_one_satisfies(work: MemoryUnit, outcome: str | None) -> None:
    made = dial(work)
    settled(work, call(outcome))
    assert work.debts.evidence(made.obligation) == []
    assert the_debt(work) == made.obligation


def test_key_two_promises_a_human_call_within_two_working_hours(work: MemoryUnit) -> None:
    dial(work)
    assert settled(work, call("reached_self_callback")) is Result.REACHED_SELF_CALLBACK
    promise = next(o for o in work.debts.open(person="p1") if o.kind is Kind.CALLBACK)
    assert promise.mode is Mode.HUMAN_ONLY
    assert promise.origin == "at-1"
    ended = NOW + timedelta(seconds=50)
    assert promise.window_end == ended + timedelta(hours=2) + timedelta(hours=2)  # lunch does not count


def test_a_promise_in_a_call_that_asked_for_a_person_is_kept_too(work: MemoryUnit) -> None:
    """Key 0, nobody free, the flow promised: the journal row is the promise."""
    dial(work)
    settled(work, call("reached_self_transfer", promises=("callback",)))
    assert [o.kind for o in work.debts.open(person="p1")].count(Kind.CALLBACK) == 1


def test_r32_an_opt_out_holds_at_once_and_for_automation_only(work: MemoryUnit) -> None:
    dial(work)
    settled(work, call("opted_out"))
    assert [s.kind for s in work.people.suppressions("p1")] == [SuppressionKind.AUTOMATION]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("phone_refused", PhoneStatus.QUARANTINED), ("wrong_person", PhoneStatus.WRONG)],
)
def test_r33_a_refused_or_wrong_number_is_marked_everywhere(
    work: MemoryUnit, outcome: str, status: PhoneStatus
) -> None:
    work.people.add(Person(id="p2", code="P-2", name="沈小妹", phones=(Phone(number=NUMBER),)))
    dial(work)
    settled(work, call(outcome))
    for who in ("p1", "p2"):
        assert [p.status for p in work.people.get(who).phones] == [status]
    assert work.people.suppressions("p1") == []


def test_only_the_number_that_was_dialled_is_marked_though_the_list_changed_meanwhile(
    work: MemoryUnit,
) -> None:
    dial(work)
    new = Phone(number="13912340000")
    person = work.people.get("p1")
    work.people.update(replace(person, phones=(new, *person.phones)))
    settled(work, call("wrong_person"))
    assert [p.status for p in work.people.get("p1").phones] == [PhoneStatus.OK, PhoneStatus.WRONG]


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        (17, Result.BUSY),
        (18, Result.NO_ANSWER),
        (19, Result.NO_ANSWER),
        (21, Result.DECLINED),
        (20, Result.OUT_OF_AREA),
        (1, Result.VACANT),
        (34, Result.NETWORK_CONGESTION),
        (38, Result.NETWORK_CONGESTION),
        (41, Result.NETWORK_CONGESTION),
        (42, Result.NETWORK_CONGESTION),
        (3, Result.OWN_FAULT),
        (16, Result.NO_ANSWER),
        (None, Result.NO_ANSWER),
        (99, Result.NO_ANSWER),
    ],
)
def test_an_unanswered_calls_result_comes_from_the_networks_cause(
    work: MemoryUnit, cause: int | None, result: Result
) -> None:
    dial(work)
    assert settled(work, call(answered=False, hangup_cause=cause)) is result


def test_a_vacant_number_is_not_dialled_again(work: MemoryUnit) -> None:
    dial(work)
    settled(work, call(answered=False, hangup_cause=1))
    assert work.people.get("p1").phones[0].status is PhoneStatus.VACANT


def test_r24_an_answered_call_in_which_nobody_said_who_they_are_reached_nobody(work: MemoryUnit) -> None:
    dial(work)
    assert settled(work, call(None, path=("who",))) is Result.IDENTITY_FAILED


def test_a_word_that_is_no_result_is_not_believed(work: MemoryUnit) -> None:
    dial(work)
    assert settled(work, call("everything_fine")) is Result.IDENTITY_FAILED


def test_when_the_pbx_died_under_the_call_a_human_looks(work: MemoryUnit) -> None:
    dial(work)
    assert settled(work, call(None, end_is_uncertain=True)) is Result.UNKNOWN


def test_the_journal_may_make_the_unknown_known_but_never_the_known_different(work: MemoryUnit) -> None:
    made = dial(work)
    settled(work, call(None, end_is_uncertain=True))
    assert settled(work, call("reached_self_ivr_ok")) is Result.REACHED_SELF_IVR_OK
    assert settled(work, call("opted_out")) is Result.REACHED_SELF_IVR_OK
    assert len(work.debts.evidence(made.obligation)) == 1


def test_an_open_call_settles_nothing(work: MemoryUnit) -> None:
    dial(work)
    assert settled(work, replace(call("reached_self_ivr_ok"), outcome=Outcome.OPEN)) is None


def test_a_record_of_an_attempt_nobody_wrote_is_left_alone(work: MemoryUnit) -> None:
    assert settle(work, [call("reached_self_ivr_ok", call_id="at-stranger")], NOW) == ()


def test_the_ladder_sets_when_to_try_again(work: MemoryUnit) -> None:
    made = dial(work)
    settled(work, call(answered=False, hangup_cause=19))
    again = work.debts.get(made.obligation)
    assert again.lease is None
    assert again.next_at == NOW.replace(hour=14)


def test_a_lease_somebody_else_took_meanwhile_is_not_ended(work: MemoryUnit) -> None:
    made = dial(work)
    later = NOW + timedelta(minutes=5)
    work.debts.claim(made.obligation, "at-2", later, later + timedelta(minutes=3))
    settled(work, call(answered=False))
    lease = work.debts.get(made.obligation).lease
    assert lease is not None
    assert lease.owner == "at-2"


# --- promises to callers -------------------------------------------------------------------


def caller(call_id: str, number: str | None = "13900002222", **more: object) -> CallRecord:
    plain = CallRecord(
        id=call_id,
        direction=Direction.INBOUND,
        outcome=Outcome.PROMISED,
        started_at=NOW,
        ended_at=NOW + timedelta(minutes=3),
        number=number,
        promises=("callback",),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def promises(work: MemoryUnit) -> list[str]:
    return [o.person for o in work.debts.open() if o.kind is Kind.CALLBACK]


def test_r4_a_promise_to_a_known_caller_is_owed_to_that_person(work: MemoryUnit) -> None:
    settle(work, [caller("c1", NUMBER)], NOW)
    assert promises(work) == ["p1"]


def test_a_promise_to_a_stranger_is_owed_to_an_anonymous_person_with_the_number(work: MemoryUnit) -> None:
    settle(work, [caller("c1")], NOW)
    person = work.people.get(promises(work)[0])
    assert person.name is None
    assert [p.number for p in person.phones] == ["13900002222"]


def test_a_promise_to_a_caller_without_a_number_is_owed_all_the_same(work: MemoryUnit) -> None:
    settle(work, [caller("c1", None), caller("c2", None)], NOW)
    assert len(set(promises(work))) == 2
    assert all(work.people.get(p).phones == () for p in promises(work))


def test_two_promises_to_one_caller_are_one_person(work: MemoryUnit) -> None:
    settle(work, [caller("c1"), caller("c2")], NOW)
    assert len(set(promises(work))) == 1
    assert len(promises(work)) == 2


def test_a_call_without_a_promise_makes_no_debt(work: MemoryUnit) -> None:
    settle(work, [caller("c1", outcome=Outcome.ABANDONED, promises=())], NOW)
    assert promises(work) == []


def test_the_same_records_again_change_nothing(work: MemoryUnit) -> None:
    dial(work)
    records = [call("reached_self_callback"), caller("c1"), caller("c2", None)]
    settle(work, records, NOW)
    before = (work.debts.open(), work.people.files(), len(work.audit.recent(999)))
    settle(work, list(reversed(records)), NOW + timedelta(days=3))
    assert (work.debts.open(), work.people.files(), len(work.audit.recent(999))) == before
