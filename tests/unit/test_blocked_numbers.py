"""Blocking a number for a while: who may, how long, and of whom never (R19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from people_world import QIAN, SHEN, a_call, a_case, a_session, peopled, with_case

from callcenter.domain.books import BLOCKS, CASES
from callcenter.domain.cases import CaseState
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import Level, RiskAnswers
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.ports import Store
from callcenter.service.followup.callers import Opening, hashed, line_facts
from callcenter.service.people.blocking import block, block_caller, block_facts, blocks, lift, lift_for_case
from callcenter.service.risk.cases import follow
from scheduler.gates import Rules

NUMBER = "13861705555"
WHY = "反复辱骂咨询员,已提醒一次"
WEEK = timedelta(days=7)


def test_r19_a_block_is_refused_while_a_case_at_level_2_or_worse_is_open(store: Store, now: datetime) -> None:
    peopled(store)
    with_case(store, "p1", Level.MEDIUM, now)
    with store() as work, pytest.raises(Refused, match="风险等级"):
        block(work, "+86 138 6170 5555", length=WEEK, actor="s001", now=now, reason=WHY)


def test_r19_a_family_shares_a_phone_and_one_of_them_is_in_danger(store: Store, now: datetime) -> None:
    wife = Person(id="p9", code="P-9MRT", phones=(Phone(number=NUMBER),))
    peopled(store, SHEN, QIAN, wife)
    with_case(store, "p9", Level.HIGH, now)
    with store() as work, pytest.raises(Refused, match="风险等级"):
        block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)


def test_a_case_at_level_3_or_a_closed_one_does_not_stand_in_the_way(store: Store, now: datetime) -> None:
    peopled(store)
    with_case(store, "p1", Level.GENERAL, now)
    with_case(store, "p1", Level.HIGH, now, id="ca-old", state=CaseState.CLOSED)
    with store() as work:
        made = block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        assert made.until == now + WEEK


@pytest.mark.parametrize("length", [timedelta(days=30, seconds=1), timedelta(0), -WEEK])
def test_r19_at_most_thirty_days(store: Store, now: datetime, length: timedelta) -> None:
    peopled(store)
    with store() as work, pytest.raises(Refused, match="30"):
        block(work, NUMBER, length=length, actor="s001", now=now, reason=WHY)


@pytest.mark.parametrize("actor", ["c017", "k001", "x001"])
def test_r19_only_a_supervisor_blocks(store: Store, now: datetime, actor: str) -> None:
    peopled(store)
    with store() as work, pytest.raises(Forbidden):
        block(work, NUMBER, length=WEEK, actor=actor, now=now, reason=WHY)


@pytest.mark.parametrize("reason", ["", "烦", "    ", "。。。。。", "aaaaaa"])
def test_a_block_needs_a_reason_that_says_something(store: Store, now: datetime, reason: str) -> None:
    peopled(store)
    with store() as work, pytest.raises(Refused, match="理由"):
        block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=reason)


def test_the_fact_holds_the_second_of_the_end_and_no_number(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        facts = line_facts(work, now, work.users.all(), Opening(), "salt")
        told = facts[f"hotline-block/{hashed('salt', NUMBER)}"]
        assert told == str(int((now + WEEK).timestamp()))
        assert NUMBER not in str(facts)
        assert block_facts(work, now + WEEK, "salt") == {}


def test_a_case_that_opens_lifts_the_block_at_once(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        made = block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        work.book(CASES).add(a_case("p1", Level.MEDIUM, now))
        assert block_facts(work, now, "salt") == {}, "even before it is lifted"
        assert [b.id for b in lift_for_case(work, "p1", now=now)] == [made.id]
        assert work.book(BLOCKS).get(made.id).lifted_by == "system"
        assert blocks(work, actor="s001", now=now) == []
        assert lift_for_case(work, "p1", now=now) == []


def test_a_case_without_danger_lifts_nothing(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        work.book(CASES).add(a_case("p1", Level.INFORMATION, now))
        assert lift_for_case(work, "p1", now=now) == []


def test_a_block_is_lifted_early_and_can_then_be_set_again(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        made = block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        with pytest.raises(Conflict):
            block(work, NUMBER, length=WEEK, actor="s002", now=now, reason=WHY)
        lift(work, made.id, actor="s002", now=now, reason="家属说明了情况")
        with pytest.raises(Refused):
            lift(work, made.id, actor="s002", now=now, reason="家属说明了情况")
        block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        assert len(blocks(work, actor="s001", now=now)) == 1
        assert len(blocks(work, actor="s001", now=now, everything=True)) == 2


def test_the_number_of_a_call_is_blocked_without_anybody_seeing_it(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call("1.1", now), replace(a_call("1.2", now), number=None)])
        made = block_caller(work, "1.1", length=WEEK, actor="s001", now=now, reason=WHY)
        assert made.number == NUMBER
        with pytest.raises(Refused, match="没有显示号码"):
            block_caller(work, "1.2", length=WEEK, actor="s001", now=now, reason=WHY)
        told = [e for e in work.audit.recent(10) if e.verb == "people.block"]
        assert [e.object for e in told] == [f"block:{made.id}"]
        assert NUMBER not in str(told)


def test_r19_a_record_that_opens_a_case_lifts_the_block_in_the_same_transaction(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        block(work, NUMBER, length=WEEK, actor="s001", now=now, reason=WHY)
        work.commit()
    with store() as work:
        follow(
            work,
            session=a_session("1.1", now, person="p1"),
            person="p1",
            answers=RiskAnswers(asked=True, thoughts=True, plan_soon=True),
            ended_at=now,
            actor="c017",
            now=now,
            rules=Rules(),
        )
        work.commit()
    with store() as work:
        assert blocks(work, actor="s001", now=now) == []


def test_r19_a_mother_who_calls_about_her_son_in_danger_is_put_through(store: Store, now: datetime) -> None:
    """He has the case, she has the number; and she will call again."""
    son = Person(id="p9", code="P-9MRT")
    peopled(store, SHEN, QIAN, son)
    with store() as work:
        made = block(work, "13700000009", length=WEEK, actor="s001", now=now, reason=WHY)
        work.calls.put_many([a_call("1.1", now, "13700000009")])
        work.sessions.open_many([a_session("1.1", now, person="p9")])
        work.book(CASES).add(a_case("p9", Level.HIGH, now))
        assert block_facts(work, now, "salt") == {}
        assert [one.id for one in lift_for_case(work, "p9", now=now)] == [made.id]
        with pytest.raises(Refused, match="从它来电谈到的人"):
            block(work, "13700000009", length=WEEK, actor="s001", now=now, reason=WHY)


@pytest.mark.parametrize("spelling", ["8613861705555", "013861705555", "+86 138-6170-5555", "86013861705555"])
def test_r19_one_number_is_one_however_it_arrives(store: Store, now: datetime, spelling: str) -> None:
    peopled(store)
    with_case(store, "p1", Level.MEDIUM, now)
    with store() as work, pytest.raises(Refused, match="风险等级"):
        block(work, spelling, length=WEEK, actor="s001", now=now, reason=WHY)


@pytest.mark.parametrize("number", ["110", "120", "119", "12356", "12345", "999999"])
def test_nobody_blocks_a_public_service(store: Store, now: datetime, number: str) -> None:
    peopled(store)
    with store() as work, pytest.raises(Refused, match="短号码"):
        block(work, number, length=WEEK, actor="s001", now=now, reason=WHY)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("8613711110021", "13711110021"),
        ("013711110021", "13711110021"),
        ("008613711110021", "13711110021"),
        ("01082700000", "01082700000"),
        ("0510827000012", "0510827000012"),
        ("86827000", "86827000"),
        ("8612345678901", "8612345678901"),
        ("12356", "12356"),
    ],
)
def test_a_prefix_is_taken_off_mobile_numbers_alone(raw: str, kept: str) -> None:
    assert normalise(raw) == kept
    assert normalise(kept) == kept
