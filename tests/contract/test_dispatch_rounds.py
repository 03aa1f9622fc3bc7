"""Rounds of the dialler over every store: who is called, by which line, and whom a word of theirs spares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from dispatch_world import MINUTE, SETTINGS, START, World, counsellor, enrol, gates_of

from callcenter.config import Outbound
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import Consent, ConsentKind, PhoneStatus, Suppression, SuppressionKind
from callcenter.errors import PbxUnreachable, Refused
from callcenter.memory import MemoryCallControl
from callcenter.ports import PlaceCall, Store
from callcenter.service.followup.debts import settle
from callcenter.service.followup.dispatch import DebtRound
from scheduler.cadence import SHANGHAI
from scheduler.gates import Gate
from scheduler.ladder import Who, next_step


@pytest.fixture
def world(store: Store) -> World:
    """A world in which one worker is owed a check-in."""
    enrol(store, 1)
    return World(store)


def test_a_worker_who_is_owed_a_call_gets_one_from_our_own_number(world: World) -> None:
    world.tick()
    placed = world.control.placed
    assert [(c.number, c.shown_number, c.flow) for c in placed] == [
        ("13800000001", SETTINGS.site.outbound_number, "checkin")
    ]
    assert placed[0].id.startswith("at-")
    assert placed[0].id == world.attempts()[0].id


def test_key_one_ends_the_debt_and_opens_the_next_period(world: World) -> None:
    world.tick()
    world.journal(world.control.placed[0].id, "reached_self_ivr_ok")
    world.now += MINUTE
    assert world.tick() == []
    assert world.debt().due_at.astimezone(SHANGHAI).date() == date(2026, 12, 24)


def test_the_attempt_is_written_before_the_network_hears_of_it(world: World) -> None:
    seen: list[int] = []

    class Watching(MemoryCallControl):
        async def place(self, call: PlaceCall) -> None:
            with world.store() as work:
                seen.append(len([a for a in work.debts.attempts_in_doubt() if a.id == call.id]))
            await super().place(call)

    world.control = Watching()
    world.__post_init__()
    world.tick()
    assert seen == [1]


def test_r28_nobody_is_dialled_twice_while_a_call_lives_or_is_in_doubt(world: World) -> None:
    world.tick()
    for _ in range(8):
        world.now += 10 * timedelta(seconds=6)
        world.tick()
    assert len(world.control.placed) == 1


def test_r28_two_schedulers_dial_one_debt_once(world: World) -> None:
    other = DebtRound.wire(world.store, world.control, world.queue, world.settings, lambda: world.now)

    async def both() -> None:
        await asyncio.gather(world.round(), other(), world.round(), other())

    world.tick()  # sweeps, and dials
    asyncio.run(both())
    assert len(world.control.placed) == 1


def test_i1_a_person_with_two_debts_is_not_called_for_both_at_once(world: World) -> None:
    promise = CallRecord(
        id="c1",
        direction=Direction.INBOUND,
        outcome=Outcome.PROMISED,
        started_at=START,
        ended_at=START,
        number="13800000001",
    )
    with world.store() as work:
        settle(work, [promise], START)
        work.users.add(counsellor())
        work.commit()
    world.tick()
    assert len(world.control.placed) == 1
    with world.store() as work:
        kept = next(o for o in work.debts.open(person="p1") if o.origin == "c1")
    with pytest.raises(Refused):
        asyncio.run(world.round.dial(kept.id, actor="c017", agent="c017"))
    assert len(world.control.placed) == 1


# --- the line ------------------------------------------------------------------------------


def test_r36_calling_out_waits_while_a_caller_waits(world: World) -> None:
    world.queue.waiting = 1
    assert world.tick() == []
    world.queue.waiting = 0
    world.tick()
    assert len(world.control.placed) == 1


def test_one_channel_is_always_left_for_callers(world: World) -> None:
    for n in range(2, 8):
        enrol(world.store, n)
    world.tick()
    assert len(world.control.placed) == 3  # of four channels


def test_callers_on_the_line_leave_fewer_channels_for_us(world: World) -> None:
    talking = [
        CallRecord(id=f"c{n}", direction=Direction.INBOUND, outcome=Outcome.OPEN, started_at=START)
        for n in range(3)
    ]
    with world.store() as work:
        work.calls.put_many(talking)
        work.commit()
    world.tick()
    assert world.control.placed == []


def test_the_pbx_being_out_of_sight_stops_the_round_before_any_claim(world: World) -> None:
    world.queue.failing = PbxUnreachable()
    assert world.tick() == []
    assert world.debt().lease is None
    world.queue.failing = None
    world.tick()
    assert len(world.control.placed) == 1


def test_nobody_is_called_at_night_at_noon_or_on_a_day_of_rest(world: World) -> None:
    for moment in (
        START.replace(hour=3),
        START.replace(hour=13),
        START.replace(hour=20),
        START.replace(day=28),  # Saturday
        datetime(2027, 2, 6, 10, tzinfo=SHANGHAI),  # 初一
        datetime(2027, 4, 5, 10, tzinfo=SHANGHAI),  # 清明
    ):
        world.now = moment
        world.tick()
    assert world.control.placed == []


def test_a_paused_dialler_calls_nobody_but_the_debts_still_grow(world: World) -> None:
    world.settings = SETTINGS.model_copy(update={"outbound": Outbound(paused=True)})
    world.__post_init__()
    world.tick()
    assert world.control.placed == []
    assert world.debt().due_at < world.now


# --- the person ----------------------------------------------------------------------------


def suppress(world: World) -> None:
    with world.store() as work:
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.AUTOMATION, at=world.now, reason="key 9")
        )
        work.commit()


def quarantine(world: World) -> None:
    with world.store() as work:
        work.people.set_phone_status("13800000001", PhoneStatus.QUARANTINED)
        work.commit()


def withdraw(world: World) -> None:
    with world.store() as work:
        work.people.add_consent(
            Consent(
                person="p1", kind=ConsentKind.IVR_CHECKIN, granted=False, at=world.now, channel="counsellor"
            )
        )
        work.commit()


def elder(world: World) -> None:
    with world.store() as work:
        work.people.update(replace(work.people.get("p1"), birth_year=1961))
        work.commit()


def only_humans(world: World) -> None:
    with world.store() as work:
        work.people.update(replace(work.people.get("p1"), no_ivr=True))
        work.commit()


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        (suppress, Gate.SUPPRESSED),
        (quarantine, Gate.PHONE_QUARANTINED),
        (withdraw, Gate.NO_IVR_CONSENT),
        (only_humans, Gate.HUMAN_ONLY),
        (elder, Gate.HUMAN_ONLY),
    ],
)
def test_r32_what_a_person_said_a_moment_ago_stops_the_very_next_call(
    world: World, change: Callable[[World], None], gate: Gate
) -> None:
    change(world)
    assert gates_of(world.tick()) == {gate}
    assert world.control.placed == []
    assert world.debt().lease is None


def test_a_refused_debt_does_not_keep_the_others_from_their_turn(store: Store) -> None:
    for n in range(1, 6):
        enrol(store, n, consent=n > 3, since=date(2026, 9, n))
    world = World(store)
    world.tick()
    assert [c.number[-1] for c in world.control.placed] == ["4", "5"]


def test_the_ladder_ends_with_a_human_after_three_unanswered_calls(world: World) -> None:
    for _ in range(60 * 24):
        world.tick()
        for call_id in sorted(world.control.live):
            world.journal(call_id, answered_at=None, hangup_cause=19)
        world.now += 10 * MINUTE
        if world.now - START > timedelta(days=6):
            break
    assert len(world.control.placed) == 3
    debt, rules = world.debt(), world.round.ledger.rules
    step = next_step(debt, world.attempts(), windows=rules.windows, calendar=rules.calendar)
    assert step.who is Who.HUMAN
