"""Faults, crashes and clocks: what happens to an attempt that nobody can tell the end of (P2, R27)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from dispatch_world import MINUTE, World, enrol, gates_of

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.errors import InDoubt, PbxError, PbxUnreachable
from callcenter.memory import MemoryCallControl
from callcenter.ports import PlaceCall, Store
from callcenter.service.followup.dispatch import StoreLedger
from callcenter.service.followup.doubts import settle_doubts
from scheduler.errors import LeaseLost
from scheduler.gates import Gate
from scheduler.obligations import Attempt, Doubt, Obligation, Result


@pytest.fixture
def world(store: Store) -> World:
    """A world in which one worker is owed a check-in."""
    enrol(store, 1)
    return World(store)


def test_r27_a_refused_placement_is_our_fault_and_uses_up_no_attempt(world: World) -> None:
    class Refusing(MemoryCallControl):
        async def place(self, call: PlaceCall) -> None:
            raise PbxError("no such endpoint")

    world.control = Refusing()
    world.__post_init__()
    world.tick()
    attempt = world.attempts()[0]
    assert attempt.result is Result.OWN_FAULT
    assert not attempt.counts


def test_r27_more_than_three_faults_in_a_row_stop_the_dialler(store: Store) -> None:
    for n in range(1, 9):
        enrol(store, n)

    class Refusing(MemoryCallControl):
        tried = 0

        async def place(self, call: PlaceCall) -> None:
            Refusing.tried += 1
            raise PbxError("no such endpoint")

    world = World(store, control=Refusing())
    world.tick()
    world.now += MINUTE
    world.tick()
    assert Refusing.tried == 4
    world.now += 20 * MINUTE
    world.tick()
    assert Refusing.tried == 5


def test_a_placement_nobody_can_tell_of_stays_in_doubt_and_is_not_repeated(world: World) -> None:
    class Doubtful(MemoryCallControl):
        tried = 0

        async def place(self, call: PlaceCall) -> None:
            Doubtful.tried += 1
            raise InDoubt

    world.control = Doubtful()
    world.__post_init__()
    world.tick()
    assert world.attempts()[0].in_doubt
    for _ in range(30):
        world.now += 10 * MINUTE
        world.tick()
    assert Doubtful.tried == 1
    assert world.attempts()[0].result is Result.UNKNOWN


class Crash(BaseException):
    """The process dies here."""


def test_p2_a_crash_between_claim_and_attempt_leaves_nothing_but_a_lease_that_ends(world: World) -> None:
    class Dying(StoreLedger):
        def begin(self, claimed: Obligation, attempt: Attempt) -> None:
            raise Crash

    broken = replace(world.round, ledger=Dying(world.store, world.round.ledger.rules))
    with pytest.raises(Crash):
        asyncio.run(broken())
    assert world.attempts() == []
    world.now += MINUTE
    assert world.tick() == []
    world.now += 3 * MINUTE
    world.tick()
    assert len(world.control.placed) == 1


def crash_before_dialling(world: World) -> None:
    """Die between writing the attempt and handing the call over: nobody knows whether it went out."""

    class Dying(MemoryCallControl):
        async def place(self, call: PlaceCall) -> None:
            raise Crash

    with pytest.raises(Crash):
        asyncio.run(replace(world.round, control=Dying())())


def test_p2_after_a_crash_an_attempt_the_journal_knows_nothing_of_goes_to_a_human(world: World) -> None:
    crash_before_dialling(world)
    world.now += timedelta(seconds=10)
    world.tick()
    assert world.attempts()[0].in_doubt  # somebody's order may still be on its way
    world.now += timedelta(seconds=10)
    world.tick()
    lost = world.attempts()[0]
    assert (lost.result, lost.doubt, lost.placed_at) == (Result.UNKNOWN, Doubt.SILENT, None)
    assert lost.read_to == world.now
    world.now += 300 * MINUTE
    assert gates_of(world.tick()) == {Gate.HUMAN_ONLY}
    assert world.control.placed == []


def test_p2_while_nobody_reads_the_journal_its_silence_means_nothing(world: World) -> None:
    world.read = False
    world.tick()
    world.control.end(world.control.placed[0].id)
    world.now += 29 * MINUTE
    world.tick()
    assert world.attempts()[0].in_doubt
    world.now += 2 * MINUTE
    world.tick()
    lost = world.attempts()[0]
    assert (lost.result, lost.doubt, lost.read_to) == (Result.UNKNOWN, Doubt.UNREAD, None)
    assert len(world.control.placed) == 1


def test_p2_a_journal_that_comes_late_settles_what_was_given_to_a_human(world: World) -> None:
    world.tick()
    call = world.control.placed[0].id
    world.control.end(call)
    world.now += MINUTE
    world.tick()
    assert world.attempts()[0].doubt is Doubt.SILENT
    world.journal(call, "reached_self_callback")
    told = world.attempts()[0]
    assert (told.result, told.doubt) == (Result.REACHED_SELF_CALLBACK, None)


def test_p2_a_call_the_pbx_died_under_is_in_doubt_though_its_record_is_closed(world: World) -> None:
    world.tick()
    world.journal(world.control.placed[0].id, answered_at=None, end_is_uncertain=True)
    torn = world.attempts()[0]
    assert (torn.result, torn.doubt) == (Result.UNKNOWN, Doubt.TORN)


def test_that_the_pbx_took_the_order_is_kept_and_a_result_does_not_undo_it(world: World) -> None:
    world.tick()
    assert world.attempts()[0].placed_at == world.now
    world.journal(world.control.placed[0].id, "reached_self_callback")
    assert world.attempts()[0].placed_at == world.now


def test_r28_whoever_was_hung_between_writing_and_ordering_orders_nothing(world: World) -> None:
    class Hung(StoreLedger):
        def begin(self, claimed: Obligation, attempt: Attempt) -> None:
            super().begin(claimed, attempt)
            world.now += timedelta(seconds=20)  # stopped here, and nobody knows
            assert [a.doubt for a in world.settle()] == [Doubt.SILENT]  # by another scheduler

    asyncio.run(replace(world.round, ledger=Hung(world.store, world.round.ledger.rules))())
    assert world.control.placed == []
    assert world.attempts()[0].result is Result.UNKNOWN


def test_r28_an_order_that_comes_too_late_is_our_fault_and_is_not_sent(world: World) -> None:
    class Slow(StoreLedger):
        def begin(self, claimed: Obligation, attempt: Attempt) -> None:
            super().begin(claimed, attempt)
            world.now += timedelta(seconds=6)

    asyncio.run(replace(world.round, ledger=Slow(world.store, world.round.ledger.rules))())
    assert world.control.placed == []
    assert world.attempts()[0].result is Result.OWN_FAULT


def test_r28_what_the_journal_told_meanwhile_is_not_written_off(world: World) -> None:
    world.tick()
    call = world.control.placed[0].id
    world.now += MINUTE

    async def told_in_between() -> bool:
        world.journal(call, "reached_self_callback")
        return True

    world.control.end(call)
    rules = world.round.ledger.rules
    gone = asyncio.run(settle_doubts(world.store, world.control, rules, lambda: world.now, told_in_between))
    assert gone == ()
    assert world.attempts()[0].result is Result.REACHED_SELF_CALLBACK


def test_p2_after_a_crash_the_journal_settles_what_it_knows(world: World) -> None:
    crash_before_dialling(world)
    attempt = world.attempts()[0]
    record = CallRecord(
        id=attempt.id,
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=world.now,
        answered_at=world.now,
        ended_at=world.now + MINUTE,
        flow_outcome="reached_self_ivr_ok",
    )
    with world.store() as work:
        work.calls.put_many([record])  # the follower wrote it, but nobody settled it
        work.commit()
    world.now += 2 * MINUTE
    world.tick()
    with world.store() as work:
        found = work.debts.attempt(attempt.id)
        assert found is not None
        assert found.result is Result.REACHED_SELF_IVR_OK
        assert len(work.debts.evidence(attempt.obligation)) == 1


def test_a_call_that_still_lives_is_not_written_off_however_long_it_lasts(world: World) -> None:
    world.tick()
    world.now += 90 * MINUTE
    world.settle()
    assert world.attempts()[0].in_doubt


def test_while_the_pbx_cannot_be_asked_a_doubt_stays_a_doubt(world: World) -> None:
    crash_before_dialling(world)
    world.now += 30 * MINUTE
    world.control.failing = PbxUnreachable()
    assert world.settle() == ()
    assert world.attempts()[0].in_doubt


def test_a_call_the_journal_never_closed_is_written_off_once_the_pbx_has_it_no_more(world: World) -> None:
    world.tick()
    call_id = world.control.placed[0].id
    world.control.end(call_id)
    still_open = CallRecord(
        id=call_id, direction=Direction.OUTBOUND, outcome=Outcome.OPEN, started_at=world.now
    )
    with world.store() as work:
        work.calls.put_many([still_open])
        work.commit()
    world.now += MINUTE
    world.tick()
    assert (world.attempts()[0].result, world.attempts()[0].doubt) == (Result.UNKNOWN, Doubt.UNENDED)


def test_a_stale_holder_cannot_begin_an_attempt(world: World) -> None:
    world.queue.waiting = 1
    world.tick()
    debt, ledger = world.debt().id, world.round.ledger
    stale = ledger.claim(debt, "at-a", world.now, world.now + MINUTE)
    world.now += 2 * MINUTE
    ledger.claim(debt, "at-b", world.now, world.now + MINUTE)
    with pytest.raises(LeaseLost):
        ledger.begin(stale, Attempt(id="at-a", obligation=debt, n=1, planned_at=world.now, by="ivr"))
    ledger.release(stale, None)  # no longer ours: left alone
    lease = world.debt().lease
    assert lease is not None
    assert lease.owner == "at-b"


def test_three_days_of_outage_yield_one_call_and_not_many(world: World) -> None:
    world.now += timedelta(days=2)
    world.tick()
    assert len(world.control.placed) == 1


def test_the_clock_jumping_back_repeats_nothing(world: World) -> None:
    world.tick()
    world.journal(world.control.placed[0].id, answered_at=None, hangup_cause=19)
    world.now -= timedelta(days=1)
    world.tick()
    assert len(world.control.placed) == 1
