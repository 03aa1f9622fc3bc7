"""A telephone system in memory: it does what it is told, remembers it, and fails on request."""

from __future__ import annotations

from datetime import datetime

from callcenter.domain.alarms import Alarm
from callcenter.errors import PbxError
from callcenter.ports import Member, PlaceCall, QueueState


class MemoryCallControl:
    """A `CallControl` that keeps what was placed. Set `failing` to make every act raise it."""

    def __init__(self) -> None:
        self.placed: list[PlaceCall] = []
        self.live: set[str] = set()
        self.failing: PbxError | None = None

    async def place(self, call: PlaceCall) -> None:
        """Let the call live; raise `PbxError` if a call of that id lives already."""
        self._may_fail()
        if call.id in self.live:
            raise PbxError(f"{call.id}: a call of this id is up already")
        self.placed.append(call)
        self.live.add(call.id)

    async def is_live(self, call_id: str) -> bool:
        """Tell whether the call was placed and has not ended."""
        self._may_fail()
        return call_id in self.live

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
    """A `QueueControl`. `members`, `waiting` and `pushed` may be set; `failing` makes it raise."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.waiting = 0
        self.pushed: dict[str, str] = {}
        self.failing: PbxError | None = None

    async def state(self) -> QueueState:
        """Return the members, by code, and how many wait."""
        self._may_fail()
        return QueueState(members=tuple(self.members[a] for a in sorted(self.members)), waiting=self.waiting)

    async def add_member(self, agent: str) -> None:
        """Put the agent into the queue; one who is there already stays as they are."""
        self._may_fail()
        self.members.setdefault(agent, Member(agent=agent))

    async def remove_member(self, agent: str) -> None:
        """Take the agent out of the queue; one who is not there is no fault."""
        self._may_fail()
        self.members.pop(agent, None)

    async def facts(self) -> dict[str, str]:
        """Return a copy of every fact pushed so far."""
        self._may_fail()
        return dict(self.pushed)

    async def push_facts(self, changes: dict[str, str | None]) -> None:
        """Set or, with None, remove facts."""
        self._may_fail()
        for key, value in changes.items():
            if value is None:
                self.pushed.pop(key, None)
            else:
                self.pushed[key] = value

    def set_member(self, member: Member) -> None:
        """Play a member whose phone changes: paused, in a call, out of reach."""
        self.members[member.agent] = member

    def restart(self) -> None:
        """Play the PBX dying and coming back without its memory."""
        self.members.clear()
        self.pushed.clear()
        self.waiting = 0

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
