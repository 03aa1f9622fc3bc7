"""What callers were promised becomes owned tasks: one per kind and call, in time, reachable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import Person, Phone, PhoneStatus
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.debts import line_facts, settle, situation_of
from callcenter.service.followup.settling import digest, numbers_for
from scheduler.cadence import SHANGHAI
from scheduler.gates import Gate, Rules, check
from scheduler.obligations import Attempt, Kind, Mode, Obligation

#: A Tuesday. Working hours are 9 to 12 and 14 to 20.
NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
OWN, LEFT = "13800001111", "13900002222"


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    with MemoryStore()() as unit:
        yield unit


def call(*promises: str, **changes: object) -> CallRecord:
    plain = CallRecord(
        id="pbx1-1700000000.1",
        direction=Direction.INBOUND,
        outcome=Outcome.PROMISED,
        started_at=NOW - timedelta(minutes=3),
        ended_at=NOW,
        number=OWN,
        promises=promises,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def owed(work: MemoryUnit, record: CallRecord) -> dict[Kind, Obligation]:
    settle(work, [record], NOW)
    settle(work, [record], NOW + timedelta(hours=1))
    found = work.debts.open()
    assert len({o.kind for o in found}) == len(found)
    return {o.kind: o for o in found}


def test_each_kind_promised_in_a_call_is_owed_once(work: MemoryUnit) -> None:
    found = owed(work, call("talk", "callback", "talk", "appointment", "message"))
    assert set(found) == {Kind.CALLBACK, Kind.APPOINTMENT, Kind.TALK, Kind.MESSAGE}
    assert {o.mode for o in found.values()} == {Mode.HUMAN_ONLY}
    assert len({o.person for o in found.values()}) == 1


@pytest.mark.parametrize(
    ("kind", "by"),
    [
        ("callback", datetime(2026, 11, 24, 12, tzinfo=SHANGHAI)),
        ("appointment", datetime(2026, 11, 24, 20, tzinfo=SHANGHAI)),
        ("talk", datetime(2026, 11, 24, 20, tzinfo=SHANGHAI)),
        ("message", datetime(2026, 11, 24, 10, 30, tzinfo=SHANGHAI)),
    ],
)
def test_every_kind_is_kept_within_its_time(work: MemoryUnit, kind: str, by: datetime) -> None:
    """Two working hours; a working day of eight, lunch left out; a message half an hour (R46)."""
    assert owed(work, call(kind))[Kind(kind)].window_end == by


def test_r46_a_message_left_at_night_is_due_in_half_an_hour_all_the_same(work: MemoryUnit) -> None:
    night = datetime(2026, 11, 29, 3, tzinfo=SHANGHAI)
    (message,) = owed(work, call("message", started_at=night, ended_at=night)).values()
    assert message.window_end == night + timedelta(minutes=30)
    assert message.priority < owed(work, call("callback"))[Kind.CALLBACK].priority


def test_a_call_back_keeps_the_name_it_always_had(work: MemoryUnit) -> None:
    found = owed(work, call("callback", "talk"))
    assert found[Kind.CALLBACK].id == f"ob-{digest('promise/pbx1-1700000000.1')}"
    assert found[Kind.TALK].id == f"ob-{digest('promise/pbx1-1700000000.1/talk')}"


def test_who_was_answered_after_asking_for_a_talk_is_still_owed_it(work: MemoryUnit) -> None:
    assert set(owed(work, call("talk", outcome=Outcome.ANSWERED, answered_at=NOW))) == {Kind.TALK}


def test_a_promise_of_an_unknown_kind_is_a_call_back(work: MemoryUnit) -> None:
    assert set(owed(work, call("moon", "hardship"))) == {Kind.CALLBACK}


def test_a_withheld_caller_is_called_at_the_number_they_left(work: MemoryUnit) -> None:
    (promise,) = owed(work, call("callback", number=None, kept=(f"number={LEFT}",))).values()
    assert [p.number for p in work.people.get(promise.person).phones] == [LEFT]


def test_a_number_left_by_somebody_we_know_by_it_is_theirs(work: MemoryUnit) -> None:
    work.people.add(Person(id="p1", code="P-1", phones=(Phone(number=LEFT),)))
    (promise,) = owed(work, call("callback", number=None, kept=(f"number={LEFT}",))).values()
    assert promise.person == "p1"


def test_another_number_left_is_tried_before_the_one_they_called_from(work: MemoryUnit) -> None:
    work.people.add(Person(id="p1", code="P-1", phones=(Phone(number=OWN),)))
    (promise,) = owed(work, call("callback", kept=(f"number={LEFT}", "code=1204"))).values()
    assert (promise.person, promise.detail) == ("p1", f"number={LEFT}&code=1204")
    person = work.people.get("p1")
    assert person.phones == (Phone(number=OWN),)
    assert numbers_for(person, promise) == [LEFT, OWN]


def test_a_number_that_was_found_wrong_is_not_dialled_because_it_was_left_again(work: MemoryUnit) -> None:
    wrong = Phone(number=LEFT, status=PhoneStatus.WRONG)
    work.people.add(Person(id="p1", code="P-1", phones=(Phone(number=OWN), wrong)))
    (promise,) = owed(work, call("callback", kept=(f"number={LEFT}",))).values()
    assert numbers_for(work.people.get("p1"), promise) == [OWN]


def test_a_left_number_is_enough_to_be_dialled(work: MemoryUnit) -> None:
    gone = Phone(number=OWN, status=PhoneStatus.VACANT)
    work.people.add(Person(id="p1", code="P-1", phones=(gone,)))
    (promise,) = owed(work, call("callback", kept=(f"number={LEFT}",))).values()
    facts = line_facts(work, NOW, None, Rules())
    verdicts = {v.gate: v.passed for v in check(situation_of(work, promise, facts))}
    assert verdicts[Gate.PHONE_QUARANTINED]


def test_an_outbound_call_promises_the_person_its_attempt_was_for(work: MemoryUnit) -> None:
    work.people.add(Person(id="p1", code="P-1", phones=(Phone(number=OWN),)))
    (asked,) = owed(work, call("callback")).values()
    made = Attempt(id="at-1", obligation=asked.id, n=1, planned_at=NOW, by="c017")
    work.debts.add_attempt(made)
    outbound = call("talk", id="at-1", direction=Direction.OUTBOUND, outcome=Outcome.OUTBOUND, number=None)
    assert {kind: o.person for kind, o in owed(work, outbound).items()} == {
        Kind.CALLBACK: "p1",
        Kind.TALK: "p1",
    }


@pytest.mark.parametrize("promised", [(), ("callback",)])
def test_r13_who_said_something_urgent_and_hung_up_unheard_is_owed_a_person_in_half_an_hour(
    work: MemoryUnit, promised: tuple[str, ...]
) -> None:
    record = call(*promised, outcome=Outcome.ABANDONED, unheard="screening_urgent")
    (owed_one,) = owed(work, record).values()
    assert (owed_one.kind, owed_one.mode) == (Kind.CALLBACK, Mode.HUMAN_ONLY)
    assert owed_one.window_end == NOW + timedelta(minutes=30)
    assert owed_one.priority < owed(work, call("message", id="pbx1-2"))[Kind.MESSAGE].priority
    assert owed_one.detail == "urgent=screening_urgent"
