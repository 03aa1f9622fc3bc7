"""The bridge's loop: the PBX holds what the roster says, always, and says so when it does not.

Two tasks. One looks at the roster's revision many times a second and, when it has grown, pushes at once
what that change asks for: the duty facts that differ from those the PBX was told last, and seats. The
other compares: everything on each connect and FullyBooted (AstDB is a second stale after a crash), after
each change of the roster and each minute; seats and duty facts alone when the queues' members change,
and when a shift or a surge begins or ends. Signing on by feature code has already changed the PBX before
we hear of it, so both wait for the journal to be read to its end before they ask the store, and a
comparison reads the PBX before that: what is decided from is never older than what it would undo
(decision 0032).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Protocol, TypeVar

from callcenter.asterisk import wire
from callcenter.asterisk.ami import AmiLink, Headers
from callcenter.asterisk.control import PhoneBook
from callcenter.domain.reconcile import (
    DUTY_FAMILIES,
    FAMILIES,
    Changes,
    Wanted,
    duty_changes,
    plan_changes,
    whose,
)
from callcenter.errors import CallCenterError, PbxError
from callcenter.pacing import Spell
from callcenter.ports import Clock, QueueControl, ShiftEdges, Store, UnitOfWork
from callcenter.service.followup.callers import Opening
from callcenter.service.line.load import loads_at
from callcenter.service.line.wanted import ALWAYS, Plan, duty_wants, pbx_wants, plan_at

log = logging.getLogger(__name__)

T = TypeVar("T")

#: QueueMemberStatus comes with each call and changes no membership.
_ABOUT_MEMBERS = frozenset({"QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause"})
#: A comparison and what it pushed are compared again, so many times at most.
_ROUNDS = 4
#: Loads are weighed anew so often, seconds.
WEIGH = 60.0


class JournalBehind(CallCenterError):
    """The journal is not read to its end, so presence acts may be missing."""

    error_id = "journal_behind"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often the bridge looks, in seconds."""

    #: Asking the store for the roster's revision.
    look: float = 0.04
    #: Asking whether a whole comparison is due; and the store again after it failed.
    whole: float = 0.5
    #: Comparing after a change of the roster whose quick push is done: once no other came for so long, so
    #: that two changes in a row do not wait for each other's comparison.
    calm: float = 1.0
    #: After news of a member: dialplan's journal row needs a moment to reach the disk.
    settle: float = 0.3
    #: Comparing although nothing seems to have changed.
    full: float = 60.0
    #: After a comparison that failed.
    retry: float = 5.0
    #: Waiting for the journal's reader.
    journal: float = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BridgeStatus:
    """What alarms and `doctor` want to know."""

    connected_since: datetime | None = None
    last_sync: datetime | None = None
    #: The queue's members as of the last comparison.
    members: frozenset[str] = frozenset()
    unreachable: frozenset[str] = frozenset()
    waiting: int = 0
    #: Why the PBX may not hold what the roster says; empty if it does.
    trouble: str = ""


@dataclass(slots=True)
class _Seen:
    """What the last comparison stood on."""

    revision: int | None = None
    next_edge: datetime | None = None
    laid: Mapping[datetime, frozenset[str]] | None = None
    at: float = -math.inf
    #: What the PBX was last told of those who answer; None: nobody knows what it holds.
    told: Wanted | None = None


class InThread(Protocol):
    """Runs blocking work beside the event loop, as `asyncio.to_thread` or `StoreWorker.run` do."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """Return what `work` returns."""
        ...


class RosterSource:
    """Reads the store for the bridge. Every method blocks: the bridge calls them in a thread."""

    def __init__(
        self,
        store: Store,
        phones: PhoneBook,
        *,
        salt: str,
        clock: Clock,
        opening: Opening = ALWAYS,
    ) -> None:
        self._store = store
        self._phones = phones
        self._salt = salt
        self._clock = clock
        self._opening = opening
        self._plan: Plan | None = None
        self._loads: Mapping[str, int] = {}
        self._weighed_at = -math.inf

    def revision(self) -> int:
        """Return the roster's revision."""
        with self._look() as work:
            return work.roster.revision()

    def refresh_phones(self) -> None:
        """Bring the phone book up to date. Before the queue is read, or known members look strange."""
        with self._look() as work:
            self._phones.refresh(work.users.all())

    def duty(self) -> Wanted:
        """Return what the PBX should hold of those who answer, with the loads as last weighed.

        Shifts of the coming days are read anew only if those of the next hour have changed.
        """
        with self._look() as work:
            now, plan = self._clock(), self._plan
            if self._weighed_at == -math.inf:
                self._weigh(work, now)
            if plan is None or not plan.holds(work, now):
                self._plan = plan = plan_at(work, now)
            return duty_wants(work, now, loads=self._loads, plan=plan)

    def wanted(self) -> Wanted:
        """Return what the PBX should hold now; weigh the loads anew if that is long ago."""
        with self._look() as work:
            now = self._clock()
            if monotonic() - self._weighed_at >= WEIGH:
                self._weigh(work, now)
            self._plan = plan = plan_at(work, now)
            return pbx_wants(work, now, salt=self._salt, opening=self._opening, loads=self._loads, plan=plan)

    def _weigh(self, work: UnitOfWork, now: datetime) -> None:
        self._loads, self._weighed_at = loads_at(work, now), monotonic()

    def _look(self) -> AbstractContextManager[UnitOfWork]:
        """Open a unit that only reads: on SQLite, where stores have one, it waits for no writer."""
        reading: Store = getattr(self._store, "reading", self._store)
        return reading()


class Bridge:
    """Keeps one PBX equal to the roster until cancelled or closed.

    `caught_up` returns once every journal row written before the call is in the store.
    """

    def __init__(
        self,
        *,
        link: AmiLink,
        queue: QueueControl,
        edges: ShiftEdges,
        source: RosterSource,
        caught_up: Callable[[], Awaitable[None]],
        clock: Clock,
        pace: Pace | None = None,
        in_thread: InThread = asyncio.to_thread,
    ) -> None:
        self._link = link
        self._queue = queue
        self._edges = edges
        self._source = source
        self._caught_up = caught_up
        self._clock = clock
        self._pace = pace or Pace()
        self._in_thread = in_thread
        self._seen = _Seen()
        #: The roster's revision as last looked at.
        self._revision: int | None = None
        #: Whom a quick push was about since the present comparison began: it knows them from before.
        self._pushed: set[str] = set()
        self._pushing = asyncio.Lock()
        self._followed_at = -math.inf
        self._dirty = asyncio.Event()
        self._status = BridgeStatus()
        self._spell = Spell("bridge.trouble", log, what="making the telephone system follow the roster")
        link.listen(self._hear, self._came_up)

    @property
    def status(self) -> BridgeStatus:
        """Return where the bridge stands."""
        trouble = self._status.trouble if self._link.connected else self._link.trouble or "not connected"
        return replace(self._status, connected_since=self._link.connected_since, trouble=trouble)

    async def run(self) -> None:
        """Keep the link up and the PBX equal to the roster; nothing but `close` or cancelling ends it."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._watch_roster()), group.create_task(self._watch_all())]
            await self._link.run()
            for task in tasks:
                task.cancel()

    def close(self) -> None:
        """End `run`."""
        self._link.close()

    # --- when to look -------------------------------------------------------------------------

    async def _hear(self, event: Headers) -> None:
        """Take a member's change as a hint only: a hostile name can forge an event, not the queue."""
        if event.get("Event") in _ABOUT_MEMBERS:
            self._dirty.set()

    async def _came_up(self) -> None:
        self._seen.at, self._seen.laid, self._seen.told = -math.inf, None, None
        self._dirty.set()

    async def _watch_roster(self) -> None:
        """Look at the revision again and again, and push at once what a change asks for.

        Once looking works again everything is compared: nobody knows what was missed meanwhile.
        """
        failed = False
        while True:
            try:
                await self._look()
            except Exception as error:
                self._fail(error)
                failed = True
                await asyncio.sleep(self._pace.whole)
                continue
            if failed:
                failed = False
                self._compare_anew()
            await asyncio.sleep(self._pace.look)

    def _compare_anew(self) -> None:
        self._seen.at = -math.inf
        self._dirty.set()

    async def _look(self) -> None:
        revision = await self._in_thread(self._source.revision)
        if revision == self._revision:
            return
        self._revision = revision
        if self._seen.told is not None and self._link.connected:
            await self._follow()

    async def _watch_all(self) -> None:
        """Compare whenever it is due; whatever goes wrong is said, counted as trouble and tried again."""
        while True:
            try:
                async with asyncio.timeout(self._pace.whole):
                    await self._dirty.wait()
                if self._seen.at != -math.inf:
                    await asyncio.sleep(self._pace.settle)
            except TimeoutError:
                pass
            whole = self._is_whole_due()
            if whole or self._is_duty_due():
                try:
                    if whole and self._seen.told is None and self._link.connected:
                        # Seats first: of callers there may be a hundred thousand facts to read.
                        await self._compare(whole=False)
                    await self._compare(whole=whole)
                except Exception as error:
                    self._fail(error)

    def _is_whole_due(self) -> bool:
        changed = self._revision != self._seen.revision
        return (changed and self._is_calm()) or monotonic() - self._seen.at >= self._pace.full

    def _is_duty_due(self) -> bool:
        edge = self._seen.next_edge
        return self._dirty.is_set() or (edge is not None and self._clock() >= edge)

    def _is_calm(self) -> bool:
        return self._seen.told is None or monotonic() - self._followed_at >= self._pace.calm

    def _fail(self, error: Exception) -> None:
        """Note the trouble and look again after a while. Kinds only: a message may hold a number."""
        said = str(error) if isinstance(error, CallCenterError) else type(error).__name__
        self._spell.failed(error)
        self._status = replace(self._status, trouble=said)
        self._seen.revision = None
        self._seen.at = monotonic() - self._pace.full + self._pace.retry

    # --- following a change -------------------------------------------------------------------

    async def _follow(self) -> None:
        """Push what differs from what the PBX was told last; a whole comparison comes after it."""
        try:
            await self._wait_for_journal()
            async with self._pushing:
                wanted = await self._in_thread(self._source.duty)
                if self._seen.told is None:
                    return
                changes = duty_changes(self._seen.told, wanted)
                self._pushed |= {*changes.decide, *map(whose, changes.facts)}
                await self._apply(changes)
                await self._lay(wanted)
                self._seen.told, self._followed_at = wanted, monotonic()
        except Exception:
            self._seen.told = None
            raise

    # --- comparing ----------------------------------------------------------------------------

    async def _compare(self, *, whole: bool) -> None:
        """Compare and push until nothing differs; without `whole` only seats and facts about duty."""
        self._dirty.clear()
        revision = self._revision
        for _ in range(_ROUNDS):
            wanted, changes = await self._compare_once(whole=whole)
            if not changes:
                break
        else:
            raise PbxError("the telephone system does not keep what is pushed. Run `hotline pbx check`.")
        self._seen.next_edge = min((at for at in wanted.edges if at > self._clock()), default=None)
        if whole:
            self._seen.revision = revision
            self._seen.at = monotonic()
            self._spell.worked()

    async def _compare_once(self, *, whole: bool) -> tuple[Wanted, Changes]:
        if not self._link.connected:
            return await self._lay_edges_alone()
        self._pushed.clear()
        families = FAMILIES if whole else DUTY_FAMILIES
        await self._in_thread(self._source.refresh_phones)
        state, facts = await self._queue.state(), await self._queue.facts(families)
        unreachable = frozenset(m.agent for m in state.members if not m.reachable)
        await self._ask_phones(unreachable)
        await self._wait_for_journal()
        wanted = await self._in_thread(self._source.wanted if whole else self._source.duty)
        async with self._pushing:
            changes = plan_changes(wanted, state.seats, facts, families).without(self._pushed)
            await self._apply(changes)
            if not self._pushed:
                await self._lay(wanted)
                self._seen.told = wanted
        self._status = BridgeStatus(
            last_sync=self._clock(),
            members=frozenset(m.agent for m in state.members),
            unreachable=unreachable,
            waiting=state.waiting,
            trouble="" if whole else self._status.trouble,
        )
        return wanted, changes

    async def _ask_phones(self, agents: frozenset[str]) -> None:
        """Have Asterisk ask these phones at once whether they are there.

        After its start it takes each phone for gone until its next OPTIONS, up to ten seconds later
        (res_pjsip, 22.10), and calls would go to the mobiles meanwhile. Only a phone answers; who has
        a mobile is refused, which does no harm.
        """
        for agent in sorted(agents):
            with suppress(PbxError):
                await self._link.send("PJSIPQualify", Endpoint=wire.argument(agent))

    async def _lay_edges_alone(self) -> tuple[Wanted, Changes]:
        """Without AMI the spool can still be reached: the coming shift edges need no connection."""
        wanted = await self._in_thread(self._source.duty)
        async with self._pushing:
            await self._lay(wanted)
        return wanted, Changes()

    async def _lay(self, wanted: Wanted) -> None:
        """Lay the edges if they differ from what was laid, those since passed left aside."""
        now = self._clock()
        laid = self._seen.laid
        left = None if laid is None else {at: who for at, who in laid.items() if at > now}
        if left != {at: who for at, who in wanted.edges.items() if at > now}:
            await self._in_thread(partial(self._edges.lay, dict(wanted.edges)))
            self._seen.laid = wanted.edges

    async def _wait_for_journal(self) -> None:
        """Wait for presence acts made by feature code; without them we would undo a sign-on."""
        try:
            async with asyncio.timeout(self._pace.journal):
                await self._caught_up()
        except TimeoutError:
            raise JournalBehind from None

    async def _apply(self, changes: Changes) -> None:
        """Facts first, so that dialplan agrees; then in, and last out: the queue is never emptier."""
        if not changes:
            return
        log.info("making the telephone system follow the roster", extra={"action": "bridge.push"})
        if changes.facts:
            await self._queue.push_facts(dict(changes.facts))
        for seat in changes.free:
            await self._queue.remove(seat)
        if changes.decide:
            await self._queue.decide(changes.decide)
        for seat in changes.remove:
            await self._queue.remove(seat)
