"""Calls that people place, and what a call is told about whom it reaches."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from dispatch_world import START, World, counsellor, enrol

from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.ports import Store


@pytest.fixture
def world(store: Store) -> World:
    """A world in which one worker is owed a check-in."""
    enrol(store, 1)
    return World(store)


def test_a_counsellor_dials_with_their_own_phone_first(store: Store) -> None:
    enrol(store, 1, consent=False)
    world = World(store)
    with store() as work:
        work.users.add(counsellor())
        work.commit()
    world.tick()
    attempt = asyncio.run(world.round.dial(world.debt().id, actor="c017", agent="c017"))
    placed = world.control.placed[0]
    assert (placed.flow, placed.first_ring, attempt.by) == ("preview", "c017", "c017")


def test_a_counsellor_who_was_refused_does_not_move_the_machines_plan(world: World) -> None:
    with world.store() as work:
        work.users.add(counsellor())
        work.commit()
    world.queue.waiting = 1
    world.tick()
    world.now = START.replace(hour=22, minute=30)
    before = world.debt().next_at
    with pytest.raises(Refused, match="不在拨打时段"):
        asyncio.run(world.round.dial(world.debt().id, actor="c017", agent="c017"))
    assert world.debt().next_at == before
    assert world.debt().lease is None


def test_dialling_by_machine_says_every_gate_that_refuses(store: Store) -> None:
    enrol(store, 1, consent=False)
    world = World(store)
    with store() as work:
        work.users.add(counsellor())
        work.commit()
    world.tick()
    world.now = START.replace(hour=13)
    with pytest.raises(Refused, match=r"没有同意接听自动回访.*不在拨打时段"):
        asyncio.run(world.round.dial(world.debt().id, actor="c017"))


def test_an_agent_without_a_phone_cannot_be_rung_first(world: World) -> None:
    with world.store() as work:
        work.users.add(counsellor())
        work.users.add(User(code="a001", name="王审计", roles=frozenset({Role.AUDITOR})))
        work.commit()
    world.queue.waiting = 1
    world.tick()
    with pytest.raises(Refused, match="没有话机"):
        asyncio.run(world.round.dial(world.debt().id, actor="c017", agent="a001"))
    with pytest.raises(Forbidden):
        asyncio.run(world.round.dial(world.debt().id, actor="a001"))
    assert world.control.placed == []


# --- what a check-in is told ------------------------------------------------------------------


def test_a_check_in_knows_whom_it_calls_and_what_only_they_know(world: World) -> None:
    with world.store() as work:
        person = replace(work.people.get("p1"), birth_month=5, speaks="zh_wx")
        work.people.update(person)
        work.commit()
    world.tick()
    (placed,) = world.control.placed
    assert (placed.flow, placed.facts, placed.expected) == ("checkin", "dialect&owed", {"birth_month": "05"})
    assert "birth_month" not in repr(placed)


def test_without_a_month_on_file_none_is_expected(world: World) -> None:
    world.tick()
    (placed,) = world.control.placed
    assert (placed.facts, placed.expected) == ("owed", {})
