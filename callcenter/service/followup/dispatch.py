"""The scheduler's ports, spoken with our store and our telephone; and one round of the dialler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from callcenter.config import Settings
from callcenter.domain.access import Verb
from callcenter.domain.calls import Direction
from callcenter.domain.users import PhoneKind
from callcenter.errors import Conflict, InDoubt, NotFound, PbxError, Refused
from callcenter.ports import CallControl, Clock, PlaceCall, QueueControl, Store, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.callers import words_about
from callcenter.service.followup.debts import line_facts, rules_of, situation_of, still_open, sweep
from callcenter.service.followup.settling import SYSTEM, finish, note, numbers_for, settle, write_off
from callcenter.service.people.entries import open_cases
from scheduler.dispatcher import Dispatched, Dispatcher
from scheduler.errors import LeaseLost, LineUnreachable, PlacingFailed
from scheduler.gates import Line, Rules, Situation
from scheduler.obligations import Attempt, Obligation, Result

log = logging.getLogger(__name__)

#: Flow of an automated check-in, and of a call that rings the counsellor first.
CHECKIN, PREVIEW = "checkin", "preview"
#: After ringing for its whole time, an attempt the journal knows nothing of was never made.
JOURNAL_GRACE = timedelta(seconds=30)
#: A call the journal still thinks is going on, though the PBX has none such: it died under it.
OPEN_GRACE = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class StoreLedger:
    """The scheduler's `Ledger` over our store; every method is one unit of work."""

    store: Store
    rules: Rules
    #: Faults of our own leave no call record; the breaker has to hear of them all the same.
    _faults: list[tuple[datetime, Result]]

    @classmethod
    def over(cls, store: Store, rules: Rules) -> StoreLedger:
        """Return a ledger over `store`."""
        return cls(store, rules, [])

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

    def begin(self, claimed: Obligation, attempt: Attempt) -> None:
        """Write the attempt if the lease is still ours, else raise `LeaseLost`."""
        with self.store() as work:
            lease = work.debts.get(claimed.id).lease
            if lease is None or lease.owner != attempt.id or lease.until <= attempt.planned_at:
                raise LeaseLost(claimed.id)
            person = work.people.get(claimed.person)
            work.debts.add_attempt(replace(attempt, callee=next(iter(numbers_for(person, claimed)), None)))
            note(work, SYSTEM, "attempt.begin", attempt.id, attempt.planned_at, reason=claimed.id)
            work.commit()

    def settle(self, attempt_id: str, result: Result, now: datetime) -> None:
        """Write how an attempt ended that the network never saw."""
        self._faults.append((now, result))
        del self._faults[:-20]
        with self.store() as work:
            attempt = work.debts.attempt(attempt_id)
            if attempt is not None and attempt.in_doubt:
                finish(work, replace(attempt, result=result, settled_at=now), now, self.rules)
                work.commit()

    def _read(self, work: UnitOfWork, one: Obligation, now: datetime, line: Line | None) -> Situation:
        fence = one.lease.fence if one.lease is not None else None
        found = situation_of(work, one, line_facts(work, now, line, self.rules), our_fence=fence)
        return replace(found, outcomes=(*found.outcomes, *self._faults))


@dataclass(frozen=True, kw_only=True, slots=True)
class LineDialler:
    """The scheduler's `Dialler` over `CallControl` and the live queue."""

    store: Store
    control: CallControl
    queue: QueueControl
    settings: Settings

    async def line(self) -> Line:
        """Return how many wait and how many channels are free; raise `LineUnreachable`."""
        try:
            waiting = (await self.queue.state()).waiting
        except PbxError as error:
            raise LineUnreachable("the queue cannot be seen") from error
        return Line(waiting=waiting, free_channels=await asyncio.to_thread(self._free_channels))

    async def place(self, attempt: Attempt) -> None:
        """Place the attempt's call to the number written with it, under the attempt's id."""
        number = await asyncio.to_thread(self._number_for, attempt)
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
            shown_number=self.settings.site.outbound_number,
            flow=CHECKIN if attempt.is_automatic else PREVIEW,
            ring=self.settings.outbound.ring,
            first_ring=None if attempt.is_automatic else attempt.by,
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

    def _number_for(self, attempt: Attempt) -> str | None:
        with self.store() as work:
            written = work.debts.attempt(attempt.id)
        return written.callee if written else None

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

    @classmethod
    def wire(
        cls, store: Store, control: CallControl, queue: QueueControl, settings: Settings, clock: Clock
    ) -> DebtRound:
        """Return a round over these ports."""
        ledger = StoreLedger.over(store, rules_of(settings))
        return cls(store=store, control=control, queue=queue, settings=settings, clock=clock, ledger=ledger)

    @property
    def dispatcher(self) -> Dispatcher:
        """Return the dispatcher over our ports."""
        dialler = LineDialler(
            store=self.store, control=self.control, queue=self.queue, settings=self.settings
        )
        return Dispatcher(ledger=self.ledger, dialler=dialler, clock=self.clock)

    async def __call__(self) -> Sequence[Dispatched]:
        """Run once; return what was dialled and what was refused."""
        await asyncio.to_thread(self._sweep)
        await settle_doubts(self.store, self.control, self.settings, self.clock())
        return await self.dispatcher.round()

    async def dial(self, obligation_id: str, *, actor: str, agent: str | None = None) -> Attempt:
        """Dial one debt now: `agent` first, or by machine. Raise `Refused` with every gate's sentence."""
        await asyncio.to_thread(self._note_dial, obligation_id, actor, agent)
        dispatcher = self.dispatcher
        done = await (
            dispatcher.preview(obligation_id, agent) if agent else dispatcher.dispatch(obligation_id)
        )
        if done.attempt is None:
            raise Refused("现在不能拨打:" + ";".join(v.sentence for v in done.refused) + "。")
        return done.attempt

    def _sweep(self) -> None:
        with self.store() as work:
            swept = sweep(work, self.clock(), rules=self.ledger.rules)
            work.commit()
        if swept.opened or swept.moved or swept.left:
            counts = {"opened": len(swept.opened), "moved": len(swept.moved), "left": len(swept.left)}
            log.info("debts swept", extra={"action": "sweep", **counts})

    def _note_dial(self, obligation_id: str, actor: str, agent: str | None) -> None:
        with self.store() as work:
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


def _check_agent(work: UnitOfWork, agent: str) -> None:
    user = work.users.get(agent)
    if not user.active or user.phone is PhoneKind.NONE:
        raise Refused(f"{agent} 已停用或没有话机，不能先振铃。")


async def settle_doubts(
    store: Store, control: CallControl, settings: Settings, now: datetime
) -> tuple[Attempt, ...]:
    """Settle attempts without a result: from the journal, or, where it is silent, as unknown.

    Nothing is dialled again. While the PBX cannot be asked, what is in doubt stays in doubt.
    """
    rules = rules_of(settings)
    stale = await asyncio.to_thread(_from_journal, store, settings, rules, now)
    gone = []
    try:
        for attempt in stale:
            if not await control.is_live(attempt.id):
                gone.append(attempt)
    except PbxError:
        log.warning("attempts stay in doubt", extra={"action": "in_doubt", "count": len(stale)})
    return await asyncio.to_thread(_write_off_all, store, gone, now)


def _from_journal(store: Store, settings: Settings, rules: Rules, now: datetime) -> list[Attempt]:
    """Settle what the journal tells; return what it has been silent about for too long."""
    with store() as work:
        doubtful = {a.id: a for a in work.debts.attempts_in_doubt()}
        closed = work.calls.known_closed(doubtful)
        settle(work, [work.calls.get(i) for i in sorted(closed)], now, rules=rules)
        still_open = {c.id for c in work.calls.open_calls()}
        work.commit()
    grace = settings.outbound.ring + JOURNAL_GRACE
    waited = {i: now - a.at for i, a in doubtful.items() if i not in closed}
    return [doubtful[i] for i, w in waited.items() if w > (OPEN_GRACE if i in still_open else grace)]


def _write_off_all(store: Store, gone: Sequence[Attempt], now: datetime) -> tuple[Attempt, ...]:
    with store() as work:
        # The journal may have spoken between our reading and the PBX's answer.
        fresh = [a for g in gone if (a := work.debts.attempt(g.id)) is not None and a.in_doubt]
        done = tuple(write_off(work, attempt, now) for attempt in fresh)
        work.commit()
    return done
