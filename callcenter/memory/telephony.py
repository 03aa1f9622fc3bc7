"""A telephone system in memory: it does what it is told, remembers it, and fails on request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from callcenter.domain.alarms import Alarm
from callcenter.domain.duty import BREAK
from callcenter.domain.reconcile import (
    BACKUP,
    DEBRIEF,
    FAMILIES,
    LOAD,
    PAUSED,
    SHIFT,
    SIGNED,
    SKILL,
    SURGE,
    Seat,
    family_of,
    spans_in,
    whose,
)
from callcenter.domain.staff import GENERAL, QUEUES, TRAINEE_PENALTY, Skill, queues_of
from callcenter.errors import PbxError
from callcenter.ports import LiveCalls, Member, PlaceCall, QueueState

#: Facts after which dialplan decides by itself.
_DECIDES = frozenset({SHIFT, BACKUP, SIGNED, PAUSED, DEBRIEF, SKILL, LOAD})
_NOW, _MINUTE = timedelta(0), timedelta(minutes=1)


class MemoryCallControl:
    """A `CallControl` that keeps what was placed. Set `failing` to make every act raise it.

    Whoever gives a `clock` has orders refused that come too late by it.
    """

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock
        self.placed: list[PlaceCall] = []
        self.live: set[str] = set()
        #: Call -> the channel its own one talks with.
        self.talks: dict[str, str] = {}
        #: Since when the telephone system has been up.
        self.since: datetime | None = None
        self.failing: PbxError | None = None

    async def place(self, call: PlaceCall) -> None:
        """Let the call live; raise `PbxError` if a call of that id lives already."""
        self._may_fail()
        if call.id in self.live:
            raise PbxError(f"{call.id}: a call of this id is up already")
        if self._clock is not None and call.order_by is not None and self._clock() > call.order_by:
            raise PbxError(f"{call.id}: the order was held up for too long, and is not sent any more")
        self.placed.append(call)
        self.live.add(call.id)

    async def is_live(self, call_id: str) -> bool:
        """Tell whether the call was placed and has not ended."""
        self._may_fail()
        return call_id in self.live

    async def alive(self, call_ids: Collection[str]) -> LiveCalls:
        """Return which of these were placed and have not ended."""
        self._may_fail()
        return LiveCalls(ids=frozenset(call_ids) & self.live, since=self.since)

    async def talks_with(self, call_id: str) -> str | None:
        """Return what the test says."""
        self._may_fail()
        return self.talks.get(call_id)

    async def hang_up(self, call_id: str) -> None:
        """End the call; one that has ended already is left alone."""
        self._may_fail()
        self.live.discard(call_id)

    def end(self, call_id: str) -> None:
        """Play the other side hanging up."""
        self.live.discard(call_id)

    def _may_fail(self) -> None:
        if self.failing is not None:
            raise self.failing


class MemoryQueue:
    """A `QueueControl`. `members`, `waiting` and `pushed` may be set; `failing` makes it raise.

    It decides from the facts as dialplan does (`hotline-duty,reconcile`), at the instant `clock` tells.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.members: dict[str, Member] = {}
        #: (agent, queue) -> place.
        self.seats: dict[tuple[str, str], Seat] = {}
        self.waiting = 0
        self.pushed: dict[str, str] = {}
        self.failing: PbxError | None = None
        self._clock = clock

    async def state(self) -> QueueState:
        """Return the members, by code, every place, and how many wait."""
        self._may_fail()
        members = tuple(self.members[agent] for agent in sorted(self.members))
        return QueueState(members=members, waiting=self.waiting, seats=tuple(self.seats.values()))

    async def decide(self, agents: Sequence[str]) -> None:
        """Seat these agents, or take them out, as the facts say."""
        self._may_fail()
        for agent in agents:
            self.reconcile(agent)

    async def remove(self, seat: Seat) -> None:
        """Take one place away; nobody there is no fault."""
        self._may_fail()
        self._leave(seat.agent, seat.queue)

    async def facts(self, families: Sequence[str] = FAMILIES) -> dict[str, str]:
        """Return a copy of the facts of these families."""
        self._may_fail()
        return {key: value for key, value in self.pushed.items() if family_of(key) in families}

    async def push_facts(self, changes: dict[str, str | None]) -> None:
        """Set or, with None, remove facts; decide anew about whom they are."""
        self._may_fail()
        for key, value in changes.items():
            if value is None:
                self.pushed.pop(key, None)
            else:
                self.pushed[key] = value
        for agent in sorted({whose(key) for key in changes if family_of(key) in _DECIDES}):
            self.reconcile(agent)

    def reconcile(self, agent: str) -> None:
        """Decide about one agent as `hotline-duty,reconcile` does."""
        wanted = self.queues_for(agent)
        for queue in QUEUES:
            if queue not in wanted:
                self._leave(agent, queue)
        for queue in wanted:
            self._sit(agent, queue)

    def edge(self, agent: str) -> bool:
        """Do what a shift edge does; return whether it signed them off (`hotline-duty,lapse`)."""
        spans = self.pushed.get(f"{SHIFT}/{agent}", "")
        is_over = self._covers(spans, back=_MINUTE) and not self._covers(spans, ahead=BREAK)
        lapses = is_over and self.pushed.pop(f"{SIGNED}/{agent}", "") == "1"
        if lapses:
            self.pushed.pop(f"{PAUSED}/{agent}", None)
        self.reconcile(agent)
        return lapses

    def restart(self) -> None:
        """Play the PBX dying and coming back without its memory."""
        self.members.clear()
        self.seats.clear()
        self.pushed.clear()
        self.waiting = 0

    def queues_for(self, agent: str) -> frozenset[str]:
        """Return where the facts say that an agent sits now."""

        def fact(family: str) -> str:
            return self.pushed.get(f"{family}/{agent}", "")

        if fact(PAUSED) or fact(DEBRIEF):
            return frozenset()
        surges = self._now() < int(self.pushed.get(f"{SURGE}/until", 0))
        at_line = fact(SIGNED) == "1" and self._covers(fact(SHIFT))
        if not at_line and not (surges and self._covers(fact(BACKUP))):
            return frozenset()
        return queues_of(Skill(word) for word in fact(SKILL).split("&") if word)

    def _covers(self, spans: str, *, ahead: timedelta = _NOW, back: timedelta = _NOW) -> bool:
        latest, earliest = self._now() + ahead.total_seconds(), self._now() - back.total_seconds()
        return any(start <= latest and end > earliest for start, end in spans_in(spans))

    def _now(self) -> int:
        return int(self._clock().timestamp())

    def _sit(self, agent: str, queue: str) -> None:
        trainee = "trainee" in self.pushed.get(f"{SKILL}/{agent}", "").split("&")
        penalty = (TRAINEE_PENALTY if trainee else 0) + int(self.pushed.get(f"{LOAD}/{agent}", 0))
        before = self.seats.get((agent, queue), Seat(queue=queue, agent=agent))
        missed = before.penalty % TRAINEE_PENALTY // 10 * 10
        self.seats[agent, queue] = replace(before, penalty=penalty + missed)
        if queue == GENERAL:
            self.members.setdefault(agent, Member(agent=agent))

    def _leave(self, agent: str, queue: str) -> None:
        self.seats.pop((agent, queue), None)
        if queue == GENERAL:
            self.members.pop(agent, None)

    def _may_fail(self) -> None:
        if self.failing is not None:
            raise self.failing


class MemoryShiftEdges:
    """A `ShiftEdges` that keeps what was laid last, and how often."""

    def __init__(self) -> None:
        self.laid: dict[datetime, frozenset[str]] = {}
        self.times_laid = 0

    def lay(self, edges: dict[datetime, frozenset[str]]) -> None:
        """Replace what was laid before."""
        self.laid = dict(edges)
        self.times_laid += 1


class MemoryAlarmRoad:
    """An `AlarmRoad` that keeps the alarms it rang and when the watchdog would bite."""

    def __init__(self) -> None:
        self.rung: list[Alarm] = []
        self.silenced: list[str] = []
        self.watchdog_at: datetime | None = None

    def ring(self, alarm: Alarm) -> None:
        """Remember the alarm."""
        self.rung.append(alarm)

    def silence(self, alarm_id: str) -> None:
        """Remember which."""
        self.silenced.append(alarm_id)

    def rearm_watchdog(self, at: datetime) -> None:
        """Remember the instant."""
        self.watchdog_at = at
