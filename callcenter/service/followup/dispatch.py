"""The scheduler's ports, spoken with our store and our telephone; and one round of the dialler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from callcenter.config import Settings
from callcenter.domain.access import Verb
from callcenter.domain.calls import Direction
from callcenter.domain.ledger import DebtAct, DebtEvent
from callcenter.domain.people import Person
from callcenter.domain.users import PhoneKind
from callcenter.errors import CallCenterError, Conflict, InDoubt, NotFound, PbxError, Refused
from callcenter.ports import CallControl, Clock, PlaceCall, QueueControl, Store, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.callers import words_about
from callcenter.service.followup.debts import line_facts, rules_of, situation_of, still_open
from callcenter.service.followup.doubts import Told, nobody_knows, settle_doubts
from callcenter.service.followup.handling import begin, needed, record
from callcenter.service.followup.planning import sweep_plans
from callcenter.service.followup.settling import (
    SYSTEM,
    finish,
    note,
    numbers_for,
    numbers_now,
)
from callcenter.service.followup.sweep_rounds import sweep_all
from callcenter.service.people.entries import open_cases
from scheduler.dispatcher import Dispatched, Dispatcher
from scheduler.errors import LeaseLost, LineUnreachable, PlacingFailed
from scheduler.gates import Gate, Line, Rules, Situation
from scheduler.obligations import Attempt, CauseSource, Kind, Obligation, Result
from scheduler.stages import ORDER_WITHIN, may_be_ordered

log = logging.getLogger(__name__)

#: Flow of an automated check-in, and of a call that rings the counsellor first.
CHECKIN, PREVIEW = "checkin", "preview"
#: What is refused where no single debt is: everything that is due.
THE_LINE = "line"


@dataclass(frozen=True, slots=True)
class StoreLedger:
    """The scheduler's `Ledger` over our store; every method is one unit of work."""

    store: Store
    rules: Rules

    def candidates(self, now: datetime, limit: int) -> Sequence[str]:
        """Return ids of what is due and free, the oldest breach first."""
        with self.store() as work:
            return [o.id for o in work.debts.due(now, limit)]

    def overview(self, now: datetime, line: Line | None) -> Situation | None:
        """Return the most urgent one's situation: it holds the whole line's."""
        with self.store() as work:
            due = work.debts.due(now, 1)
            return self._read(work, due[0], now, line) if due else None

    def claim(self, obligation_id: str, owner: str, now: datetime, until: datetime) -> Obligation:
        """Lease it, or raise `LeaseLost`."""
        try:
            with self.store() as work:
                claimed = work.debts.claim(obligation_id, owner, now, until)
                work.commit()
                return claimed
        except (Conflict, NotFound) as error:
            raise LeaseLost(obligation_id) from error

    def situation(self, claimed: Obligation, now: datetime, line: Line | None) -> Situation:
        """Read everything the gates ask, fresh."""
        with self.store() as work:
            return self._read(work, claimed, now, line)

    def release(self, claimed: Obligation, next_at: datetime | None) -> None:
        """Give it back; a lease that is no longer ours is left alone."""
        if claimed.lease is None:
            return
        with self.store() as work, suppress(Conflict):
            work.debts.release(claimed.id, claimed.lease.fence, next_at)
            work.commit()

    def refused(self, obligation_id: str | None, gates: Sequence[Gate], now: datetime) -> None:
        """Keep which gates refused last: one obligation, or everything that is due."""
        with self.store() as work:
            keep_refusal(work, obligation_id or THE_LINE, gates, now)
            work.commit()

    def begin(self, claimed: Obligation, attempt: Attempt) -> None:
        """Write the attempt if the lease is still ours, else raise `LeaseLost`."""
        with self.store() as work:
            lease = work.debts.get(claimed.id).lease
            if lease is None or lease.owner != attempt.id or lease.until <= attempt.planned_at:
                raise LeaseLost(claimed.id)
            callee = self._callee(work.people.get(claimed.person), claimed, attempt.planned_at)
            work.debts.add_attempt(replace(attempt, callee=callee))
            keep_refusal(work, claimed.id, (), attempt.planned_at)
            note(work, SYSTEM, "attempt.begin", attempt.id, attempt.planned_at, reason=claimed.id)
            work.commit()

    def placed(self, attempt_id: str, now: datetime) -> None:
        """Keep that the telephone took the order. The call is out whether or not the store can keep it."""
        try:
            with self.store() as work:
                work.debts.note_placed(attempt_id, now)
                work.commit()
        except CallCenterError as error:
            extra = {"action": "attempt.placed", "attempt": attempt_id, "error": type(error).__name__}
            log.warning("that a call went out could not be kept", extra=extra)

    def settle(self, attempt_id: str, result: Result, now: datetime) -> None:
        """Write how an attempt ended that the network never saw."""
        with self.store() as work:
            attempt = work.debts.hold_attempt(attempt_id)
            if attempt is not None and attempt.in_doubt:
                ours = replace(attempt, result=result, settled_at=now, cause_source=CauseSource.OURS)
                finish(work, ours, now, self.rules)
                work.commit()

    def _read(self, work: UnitOfWork, one: Obligation, now: datetime, line: Line | None) -> Situation:
        fence = one.lease.fence if one.lease is not None else None
        facts = line_facts(work, now, line, self.rules)
        return situation_of(work, one, facts, our_fence=fence, to_dial=True)

    def _callee(self, person: Person, owed: Obligation, now: datetime) -> str | None:
        """Return the number to dial: one that may be rung at this hour; any, for who may die by waiting."""
        wall = now.astimezone(self.rules.windows.zone).time()
        safe = numbers_now(person, owed, wall)
        is_imminent = owed.kind is Kind.HIGH_RISK and owed.priority == 0
        return next(iter(safe or (numbers_for(person, owed) if is_imminent else ())), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class LineDialler:
    """The scheduler's `Dialler` over `CallControl` and the live queue."""

    store: Store
    control: CallControl
    queue: QueueControl
    settings: Settings
    clock: Clock

    async def line(self, caller: str | None = None) -> Line:
        """Return how many wait, and how many channels and people are free; raise `LineUnreachable`."""
        try:
            state = await self.queue.state()
        except PbxError as error:
            raise LineUnreachable("the queue cannot be seen") from error
        ready = (m.agent for m in state.members if m.reachable and not m.paused and not m.in_call)
        return Line(
            waiting=state.waiting,
            free_channels=await asyncio.to_thread(self._free_channels),
            free_agents=len(set(ready) - {caller}),
        )

    async def place(self, attempt: Attempt) -> None:
        """Place the attempt's call to the number written with it, under the attempt's id.

        Whoever was held up since it was written orders nothing: others may have written it off meanwhile.
        """
        written = await asyncio.to_thread(self._as_written, attempt)
        if written is None or not may_be_ordered(written, self.clock()):
            raise PlacingFailed("the order was held up for too long, and is not sent any more")
        number = written.callee
        if number is None:
            raise PlacingFailed("the last usable number went out of use at the last moment")
        try:
            await self.control.place(await asyncio.to_thread(self._call, attempt, number))
        except InDoubt as error:
            raise LineUnreachable("nobody can tell whether the call went out") from error
        except PbxError as error:
            raise PlacingFailed("the telephone system refused the call") from error

    def _call(self, attempt: Attempt, number: str) -> PlaceCall:
        plain = PlaceCall(
            id=attempt.id,
            number=number,
            shown_number=attempt.did or self.settings.site.outbound_number,
            flow=CHECKIN if attempt.is_automatic else PREVIEW,
            ring=self.settings.outbound.ring,
            first_ring=None if attempt.is_automatic else attempt.by,
            order_by=attempt.at + ORDER_WITHIN,
        )
        return self._told(plain, attempt) if attempt.is_automatic else plain

    def _told(self, call: PlaceCall, attempt: Attempt) -> PlaceCall:
        """Add what the flow is told about the person: facts, and what proves who answers (R24)."""
        with self.store() as work:
            person = work.people.get(work.debts.get(attempt.obligation).person)
            high_risk = any(case.level.is_high for case in open_cases(work, person))
        year = attempt.planned_at.astimezone(self.settings.site.zone).year
        month = person.birth_month
        return replace(
            call,
            facts=words_about(person, year, is_owed=True, high_risk=high_risk),
            expected={} if month is None else {"birth_month": f"{month:02d}"},
        )

    def _as_written(self, attempt: Attempt) -> Attempt | None:
        with self.store() as work:
            return work.debts.attempt(attempt.id)

    def _free_channels(self) -> int:
        with self.store() as work:
            calls = {c.id for c in work.calls.open_calls() if c.direction is not Direction.INTERNAL}
            # Just placed and not yet in the journal: it takes a channel all the same.
            calls |= {a.id for a in work.debts.attempts_in_doubt()}
        return self.settings.trunk.channels - len(calls)


@dataclass(frozen=True, kw_only=True, slots=True)
class DebtRound:
    """One round: bring the debts up to date, settle what is in doubt, dial what may be dialled.

    The ticker calls it every `outbound.sweep`. Any number may run: claims keep them apart.
    """

    store: Store
    control: CallControl
    queue: QueueControl
    settings: Settings
    clock: Clock
    ledger: StoreLedger
    #: How it learns that the journal has been read.
    told: Told = nobody_knows

    @classmethod
    def wire(
        cls,
        store: Store,
        control: CallControl,
        queue: QueueControl,
        settings: Settings,
        clock: Clock,
        told: Told = nobody_knows,
    ) -> DebtRound:
        """Return a round over these ports."""
        ledger = StoreLedger(store, rules_of(settings))
        return cls(
            store=store,
            control=control,
            queue=queue,
            settings=settings,
            clock=clock,
            ledger=ledger,
            told=told,
        )

    @property
    def dispatcher(self) -> Dispatcher:
        """Return the dispatcher over our ports."""
        dialler = LineDialler(
            store=self.store,
            control=self.control,
            queue=self.queue,
            settings=self.settings,
            clock=self.clock,
        )
        return Dispatcher(ledger=self.ledger, dialler=dialler, clock=self.clock)

    async def __call__(self) -> Sequence[Dispatched]:
        """Run once; return what was dialled and what was refused."""
        await asyncio.to_thread(self._sweep)
        await settle_doubts(self.store, self.control, self.ledger.rules, self.clock, self.told)
        return await self.dispatcher.round()

    async def dial(
        self, obligation_id: str, *, actor: str, agent: str | None = None, override: str | None = None
    ) -> Attempt:
        """Dial one debt now: `agent` first, or by machine. Raise `Refused` with every gate's sentence.

        `override`: why it is dialled outside the window, by a supervisor's word (I5).
        """
        await asyncio.to_thread(self._note_dial, obligation_id, actor, agent, override)
        dispatcher, overridden = self.dispatcher, override is not None
        done = await (
            dispatcher.preview(obligation_id, agent, overridden=overridden)
            if agent
            else dispatcher.dispatch(obligation_id, overridden=overridden)
        )
        if done.attempt is None:
            raise Refused("现在不能拨打:" + ";".join(v.sentence for v in done.refused) + "。")
        return done.attempt

    def _sweep(self) -> None:
        now = self.clock()
        sweep_all(self.store, now, self.ledger.rules)
        with self.store() as work:
            sweep_plans(work, now, self.ledger.rules)
            work.commit()

    def _note_dial(self, obligation_id: str, actor: str, agent: str | None, override: str | None) -> None:
        with self.store() as work:
            if override is not None:
                override_window(work, obligation_id, reason=override, actor=actor, now=self.clock())
            note_dial(work, obligation_id, agent, actor=actor, now=self.clock())
            work.commit()


@guarded(Verb.QUEUE_WORK)
def note_dial(
    work: UnitOfWork, obligation_id: str, agent: str | None, *, actor: str, now: datetime
) -> Obligation:
    """Record that `actor` has a debt dialled now, or raise `Forbidden`, `NotFound` or `Refused`."""
    allow(work, actor, Verb.QUEUE_WORK)
    obligation = still_open(work, obligation_id, now)
    if agent is not None:
        _check_agent(work, agent)
    note(work, actor, "obligation.dial", obligation.id, now, reason=agent or "ivr")
    return obligation


@guarded(Verb.QUEUE_DECIDE)
def override_window(
    work: UnitOfWork, obligation_id: str, *, reason: str, actor: str, now: datetime
) -> DebtEvent:
    """Record, before it is dialled, that `actor` has a call placed outside the window, and why (I5).

    It opens that gate for this one call, and no other. Raises `Forbidden`, `NotFound` or `Refused`.
    """
    allow(work, actor, Verb.QUEUE_DECIDE)
    because = needed(reason)
    place, one = begin(work, obligation_id, now)
    return record(
        work, one.id, DebtAct.OVERRIDDEN, place, actor, now, reason=because, value=Gate.OUTSIDE_WINDOW.value
    )


def keep_refusal(work: UnitOfWork, about: str, refused: Sequence[Gate], now: datetime) -> None:
    """Keep which gates refuse a debt (or the line), and since when these do; none: it was dialled."""
    codes, before = ",".join(gate.value for gate in refused), last_refusal(work, about)
    if before is None and not codes:
        return
    if before is None or [*before.gates] != [*refused]:
        work.debts.remember(f"refused:{about}", f"{now.isoformat()} {codes}" if codes else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The gates that refused a call last, and since when the same ones do."""

    gates: tuple[Gate, ...]
    since: datetime


def last_refusal(work: UnitOfWork, about: str) -> Refusal | None:
    """Return what refused a debt's last call (or, of `THE_LINE`, all of them); None: nothing did since."""
    since, _, codes = (work.debts.remembered(f"refused:{about}") or "").partition(" ")
    if not codes:
        return None
    known = tuple(Gate(code) for code in codes.split(",") if code in set(Gate))
    return Refusal(gates=known, since=datetime.fromisoformat(since))


def _check_agent(work: UnitOfWork, agent: str) -> None:
    user = work.users.get(agent)
    if not user.active or user.phone is PhoneKind.NONE:
        raise Refused(f"{agent} 已停用或没有话机，不能先振铃。")
