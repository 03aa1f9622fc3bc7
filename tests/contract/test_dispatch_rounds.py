"""Rounds of the dialler over every store: gates, at-most-once, crashes, and doubts settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pytest

from callcenter.config import Outbound, Settings
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, InDoubt, PbxError, PbxUnreachable, Refused
from callcenter.memory import MemoryCallControl, MemoryQueue
from callcenter.ports import PlaceCall, Store
from callcenter.service.followup.debts import settle
from callcenter.service.followup.dispatch import DebtRound, StoreLedger, settle_doubts
from scheduler.cadence import SHANGHAI
from scheduler.dispatcher import Dispatched
from scheduler.errors import LeaseLost
from scheduler.gates import Gate
from scheduler.ladder import Who, next_step
from scheduler.obligations import Attempt, Obligation, Result

START = datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)
SETTINGS = Settings(trunk={"channels": 4})  # type: ignore[arg-type]


@dataclass
class World:
    """A store, a telephone and a clock that tests move."""

    store: Store
    now: datetime = START
    control: MemoryCallControl = field(default_factory=MemoryCallControl)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    settings: Settings = SETTINGS

    def __post_init__(self) -> None:
        self.round = DebtRound.wire(self.store, self.control, self.queue, self.settings, lambda: self.now)

    def tick(self) -> list[Dispatched]:
        return list(asyncio.run(self.round()))

    def attempts(self, person: str = "p1") -> list[Attempt]:
        with self.store() as work:
            return [a for o in work.debts.open(person=person) for a in work.debts.attempts(o.id)]

    def debt(self, person: str = "p1") -> Obligation:
        with self.store() as work:
            return work.debts.open(person=person)[0]

    def journal(self, call_id: str, outcome: str | None = None, **more: object) -> None:
        """Let the call end and the journal tell of it, as the follower does."""
        self.control.end(call_id)
        plain = CallRecord(
            id=call_id,
            direction=Direction.OUTBOUND,
            outcome=Outcome.OUTBOUND,
            started_at=self.now,
            answered_at=self.now + timedelta(seconds=5),
            ended_at=self.now + timedelta(seconds=40),
            flow_outcome=outcome,
        )
        record = replace(plain, **more)  # type: ignore[arg-type]
        with self.store() as work:
            work.calls.put_many([record])
            settle(work, [record], self.now)
            work.commit()


def enrol(store: Store, n: int, *, consent: bool = True, since: date = date(2026, 10, 1)) -> None:
    with store() as work:
        person = f"p{n}"
        phones = (Phone(number=f"1380000{n:04d}"),)
        work.people.add(Person(id=person, code=f"P-{n}", name="沈建国", phones=phones))
        if consent:
            work.people.add_consent(
                Consent(
                    person=person,
                    kind=ConsentKind.IVR_CHECKIN,
                    granted=True,
                    at=START - 90 * MINUTE,
                    channel="paper",
                )
            )
        work.people.put_file(
            HardshipFile(
                file_no=f"WX-{n}", person=person, grade=Grade.DEEP, status=FileStatus.ACTIVE, since=since
            )
        )
        work.commit()


@pytest.fixture
def world(store: Store) -> World:
    """A world in which one worker is owed a check-in."""
    enrol(store, 1)
    return World(store)


def gates_of(done: list[Dispatched]) -> set[Gate]:
    return {gate for one in done for gate in one.reasons}


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
        work.users.add(_counsellor())
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


# --- faults and crashes --------------------------------------------------------------------


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
    world.now += MINUTE
    world.tick()
    assert world.attempts()[0].in_doubt  # it may still be ringing
    world.now += MINUTE
    world.tick()
    assert world.attempts()[0].result is Result.UNKNOWN
    world.now += 300 * MINUTE
    assert gates_of(world.tick()) == {Gate.HUMAN_ONLY}
    assert world.control.placed == []


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
    asyncio.run(settle_doubts(world.store, world.control, world.settings, world.now))
    assert world.attempts()[0].in_doubt


def test_while_the_pbx_cannot_be_asked_a_doubt_stays_a_doubt(world: World) -> None:
    crash_before_dialling(world)
    world.now += 30 * MINUTE
    world.control.failing = PbxUnreachable()
    assert asyncio.run(settle_doubts(world.store, world.control, world.settings, world.now)) == ()
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
    world.now += 30 * MINUTE
    world.tick()
    assert world.attempts()[0].in_doubt
    world.now += 120 * MINUTE
    world.tick()
    assert world.attempts()[0].result is Result.UNKNOWN


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


# --- humans --------------------------------------------------------------------------------


def _counsellor() -> User:
    return User(code="c017", name="顾咨询", roles=frozenset({Role.COUNSELLOR}), phone=PhoneKind.SIP)


def test_a_counsellor_dials_with_their_own_phone_first(store: Store) -> None:
    enrol(store, 1, consent=False)
    world = World(store)
    with store() as work:
        work.users.add(_counsellor())
        work.commit()
    world.tick()
    attempt = asyncio.run(world.round.dial(world.debt().id, actor="c017", agent="c017"))
    placed = world.control.placed[0]
    assert (placed.flow, placed.first_ring, attempt.by) == ("preview", "c017", "c017")


def test_a_counsellor_who_was_refused_does_not_move_the_machines_plan(world: World) -> None:
    with world.store() as work:
        work.users.add(_counsellor())
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
        work.users.add(_counsellor())
        work.commit()
    world.tick()
    world.now = START.replace(hour=13)
    with pytest.raises(Refused, match=r"没有同意接听自动回访.*不在拨打时段"):
        asyncio.run(world.round.dial(world.debt().id, actor="c017"))


def test_an_agent_without_a_phone_cannot_be_rung_first(world: World) -> None:
    with world.store() as work:
        work.users.add(_counsellor())
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
