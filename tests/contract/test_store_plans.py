"""Plans and calls in vain in every store: what is derived is kept as it was, and derived once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from actors import enlist

from callcenter.domain.books import PLANS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import PlanKind, PlanState
from callcenter.domain.people import Person, Phone
from callcenter.errors import Conflict
from callcenter.ports import Store
from callcenter.service.followup.debts import settle
from callcenter.service.followup.planning import end, move, plan, sweep_plans
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Kind

RULES = Rules()
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=SHANGHAI)
NUMBER = "13861705555"


@pytest.fixture
def planned(store: Store) -> Store:
    """A store with 沈建国, who is to be called the day before each hospital day."""
    with store() as work:
        enlist(work)
        work.people.add(Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number=NUMBER),)))
        plan(
            work,
            "p1",
            kind=PlanKind.HOSPITAL_DAY,
            anchor=date(2026, 12, 1),
            every_days=21,
            days_before=1,
            hour=time(15),
            until=date(2027, 12, 1),
            owner="c017",
            about="市二院肿瘤科",
            actor="s001",
            now=NOW,
            rules=RULES,
        )
        work.commit()
    return store


def test_a_plan_and_its_step_are_kept_as_they_were_made(planned: Store) -> None:
    with planned() as work:
        (kept,) = work.book(PLANS).where(person="p1", state=PlanState.ACTIVE)
        (step,) = work.debts.open(person="p1", kind=Kind.PLANNED)
    assert (kept.note, kept.hour, kept.until, kept.anchored_at) == (
        "市二院肿瘤科",
        time(15),
        date(2027, 12, 1),
        NOW,
    )
    assert (step.owner, step.due_at) == ("c017", datetime(2026, 11, 30, 15, tzinfo=SHANGHAI))


def test_two_sweeps_over_a_missed_step_open_the_next_one_once(planned: Store) -> None:
    later = datetime(2026, 12, 2, 9, 0, tzinfo=SHANGHAI)
    for _ in range(2):
        with planned() as work:
            sweep_plans(work, later, RULES)
            work.commit()
    with planned() as work:
        (step,) = work.debts.open(person="p1", kind=Kind.PLANNED)
        everything = work.debts.of_person("p1")
    assert (step.due_at.date(), step.raised, len(everything)) == (date(2026, 12, 21), 1, 2)


def test_moving_there_and_back_and_ending_leaves_every_step_on_record(planned: Store) -> None:
    for anchor in (date(2026, 12, 3), date(2026, 12, 1)):
        with planned() as work:
            (one,) = work.book(PLANS).where(person="p1")
            move(work, one.id, anchor, reason="医院改期", actor="s001", now=NOW, rules=RULES)
            work.commit()
    with planned() as work:
        end(work, one.id, reason="疗程结束", actor="s001", now=NOW)
        work.commit()
    with planned() as work:
        steps = work.debts.of_person("p1")
        assert work.debts.open(person="p1") == []
        assert [s.closing is not None and bool(s.closing.by) for s in steps] == [True] * 3
        with pytest.raises(Conflict):
            work.book(PLANS).put(replace(one, note="旧的"))


def test_a_call_in_vain_is_owed_once_however_often_it_is_told(planned: Store) -> None:
    rang = NOW + timedelta(hours=1)
    record = CallRecord(
        id="1732000000.1",
        direction=Direction.INBOUND,
        outcome=Outcome.ABANDONED,
        started_at=rang,
        ended_at=rang + timedelta(minutes=1),
        number=NUMBER,
    )
    for _ in range(2):
        with planned() as work:
            work.calls.put_many([record])
            settle(work, [record], rang + timedelta(minutes=2), rules=RULES)
            work.commit()
    with planned() as work:
        (owed,) = work.debts.open(person="p1", kind=Kind.MISSED_CALL)
    assert (owed.origin, owed.due_at) == (record.id, record.ended_at)
