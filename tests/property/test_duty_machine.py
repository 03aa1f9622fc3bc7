"""Over any history, in whatever order its parts come about, the queues hold what the roster says.

Sign-ons, rests, debriefings, shifts (overlapping, over midnight), on-call times, surges, skills and loads
change in the store; the bridge follows each at once, or misses it; edges run or are late; the PBX loses
its memory or somebody meddles with it. After the next comparison every seat is right, and dialplan alone,
from the facts it holds, keeps it right as the clock goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.bridge import Bridge, Pace, RosterSource
from callcenter.asterisk.control import PhoneBook
from callcenter.domain.books import STAFF, SURGES
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind, on_duty, presence_of
from callcenter.domain.reconcile import Seat
from callcenter.domain.roster import Surge
from callcenter.domain.staff import GENERAL, QUEUES, Skill, StaffProfile, queues_of
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import PbxError
from callcenter.memory import MemoryQueue, MemoryShiftEdges, MemoryStore
from callcenter.service.duty.presence import SURGE, lapse

#: 上海 23:00, so that midnight lies in the history.
EVENING = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
AGENTS = ("c017", "c018", "c019")
agents = st.sampled_from(AGENTS)
_EVER = EVENING - timedelta(days=9)


class Deaf(AmiLink):
    """A link that is always up and carries nothing: the bridge under test talks to a queue in memory."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 1, "bridge", "x")

    @property
    def connected(self) -> bool:
        return True

    async def send(self, action: str, **headers: Any) -> dict[str, str]:  # type: ignore[override]
        return {}


class Duty(RuleBasedStateMachine):
    """The bridge's own code between a store and a PBX that decides as dialplan does."""

    @initialize()
    def begin(self) -> None:
        self.now, self.n = EVENING, 0
        self.store, self.edges = MemoryStore(), MemoryShiftEdges()
        self.pbx = MemoryQueue(lambda: self.now)
        self.shifts: dict[str, Shift] = {}
        self.acts: list[PresenceEvent] = []
        self.surge: datetime | None = None
        self.skills: dict[str, frozenset[Skill]] = {}
        with self.store() as work:
            for code in AGENTS:
                roles = frozenset({Role.COUNSELLOR})
                work.users.add(User(code=code, name="周敏", roles=roles, phone=PhoneKind.SIP))
            work.commit()
        self.bridge = Bridge(
            link=Deaf(),
            queue=self.pbx,
            edges=self.edges,
            source=RosterSource(self.store, PhoneBook(), salt="S", clock=lambda: self.now),
            caught_up=_nothing,
            clock=lambda: self.now,
            pace=Pace(),
            in_thread=_at_once,
        )
        #: The PBX holds what the bridge told it: nothing was lost, and nobody meddled.
        self.is_whole = False
        self.is_right = False
        for agent, kind in zip(AGENTS, (ShiftKind.LINE, ShiftKind.LINE, ShiftKind.BACKUP), strict=True):
            self.plan(agent, kind, starts=-30, minutes=240)
            self.presence(agent, PresenceAct.ON)
        self.compares(whole=True)

    # --- what people do ---

    @rule(agent=agents, act=st.sampled_from(PresenceAct))
    def presence(self, agent: str, act: PresenceAct) -> None:
        self.n += 1
        event = PresenceEvent(key=f"k{self.n:04}", agent=agent, act=act, at=self.now, source="cli")
        self.acts.append(event)
        with self.store() as work:
            work.roster.add_presence(event)
            work.commit()
        self.is_right = False

    @rule(
        agent=agents,
        kind=st.sampled_from(ShiftKind),
        starts=st.integers(-60, 90),
        minutes=st.integers(1, 240),
    )
    def plan(self, agent: str, kind: ShiftKind, starts: int, minutes: int) -> None:
        self.n += 1
        start = self.now + timedelta(minutes=starts)
        shift = Shift(
            id=f"sh-{self.n}", agent=agent, start=start, length=timedelta(minutes=minutes), kind=kind
        )
        self.shifts[shift.id] = shift
        with self.store() as work:
            work.roster.replace_shifts([], [shift])
            work.commit()
        self.is_right = False

    @precondition(lambda self: self.shifts)
    @rule(data=st.data())
    def unplan(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.shifts)))
        del self.shifts[gone]
        with self.store() as work:
            work.roster.replace_shifts([gone], [])
            work.commit()
        self.is_right = False

    @rule(minutes=st.integers(0, 120))
    def surges(self, minutes: int) -> None:
        self.surge = self.now + timedelta(minutes=minutes)
        with self.store() as work:
            book, surge = work.book(SURGES), Surge(id=SURGE, until=self.surge, by="s001", at=self.now)
            before = book.one(SURGE)
            if before is None:
                book.add(surge)
            else:
                book.remove(SURGE)
                book.add(surge)
            work.roster.touch()
            work.commit()
        self.is_right = False

    @rule()
    def lapses(self) -> None:
        """The serving process looks whose sign-on is over; nobody on shift is signed off."""
        here = on_duty(self.shifts.values(), presence_of(self.acts), self.now)
        with self.store() as work:
            gone = lapse(work, self.now)
            work.commit()
            self.acts = list(work.roster.presence_between(_EVER, self.now + timedelta(days=1)))
        assert not here & set(gone)
        self.is_right = self.is_right and not gone

    @rule(agent=agents, skills=st.frozensets(st.sampled_from(Skill)))
    def learns(self, agent: str, skills: frozenset[Skill]) -> None:
        self.skills[agent] = skills
        with self.store() as work:
            book = work.book(STAFF)
            if book.one(agent) is not None:
                book.remove(agent)
            book.add(StaffProfile(id=agent, skills=skills))
            work.roster.touch()
            work.commit()
        self.is_right = False

    # --- what happens to the PBX ---

    @rule()
    def forgets(self) -> None:
        """The PBX died, and its AstDB with it."""
        self.pbx.restart()
        self._run(self.bridge._came_up())
        self.is_whole = self.is_right = False

    @rule(agent=agents, queue=st.sampled_from(QUEUES))
    def meddles(self, agent: str, queue: str) -> None:
        """Somebody at the console puts a member in."""
        self.pbx.seats.setdefault((agent, queue), Seat(queue=queue, agent=agent))
        self.is_whole = self.is_right = False

    @rule()
    def pauses_all(self) -> None:
        """Somebody at the console pauses everybody inside the queues."""
        for place, seat in self.pbx.seats.items():
            self.pbx.seats[place] = replace(seat, paused=True)
        self.is_whole = self.is_right = False

    @rule(agent=agents)
    def misses(self, agent: str) -> None:
        """A ring is missed: dialplan's tens, which nobody resets."""
        for queue in QUEUES:
            if (seat := self.pbx.seats.get((agent, queue))) is not None and seat.penalty % 100 < 90:
                self.pbx.seats[agent, queue] = replace(seat, penalty=seat.penalty + 10)

    # --- what the bridge does, sometimes ---

    @rule()
    def follows(self) -> None:
        """A quick push, as after a commit: all that holds now is right, unless something was lost before."""
        self._run(self.bridge._look())
        if self.is_whole:
            self.check_now()

    @rule()
    def push_is_lost(self) -> None:
        self.pbx.failing = PbxError("lost")
        try:
            self._run(self.bridge._look())
        except PbxError:
            self.is_whole = self.is_right = False
        finally:
            self.pbx.failing = None

    @rule(whole=st.booleans())
    def compares(self, whole: bool) -> None:
        self._run(self.bridge._compare(whole=whole))
        self.is_whole = self.is_right = True

    @rule(minutes=st.integers(1, 45))
    def time_passes(self, minutes: int) -> None:
        """The clock goes on; edges laid ahead run at their time, with nothing of ours alive."""
        until = self.now + timedelta(minutes=minutes)
        for at, whom in sorted(self.edges.laid.items()):
            if self.now < at <= until:
                self.now = at
                for agent in sorted(whom):
                    if self.pbx.edge(agent):
                        self.presence(agent, PresenceAct.OFF)
        self.now = until

    # --- what always holds ---

    @invariant()
    def check(self) -> None:
        """Once compared, every queue holds exactly whom the roster says, whatever the clock says."""
        if self.is_right:
            self.check_now()

    def check_now(self) -> None:
        here = on_duty(self.shifts.values(), presence_of(self.acts), self.now, surge_until=self.surge)
        wanted = {(a, q) for a in here for q in queues_of(self.skills.get(a, ()))}
        assert set(self.pbx.seats) == wanted
        assert not any(seat.paused for seat in self.pbx.seats.values())
        for seat in self.pbx.seats.values():
            trainee = Skill.TRAINEE in self.skills.get(seat.agent, ())
            assert (seat.penalty >= 100) == trainee
        assert {a for a, q in self.pbx.seats if q == GENERAL} == here

    def teardown(self) -> None:
        """Whatever came before: one comparison, and then hours with nothing of ours alive."""
        if not hasattr(self, "bridge"):
            return
        self.compares(whole=True)
        for _ in range(6):
            self.check_now()
            self.time_passes(30)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)


async def _nothing() -> None:
    return


async def _at_once(work: Any) -> Any:
    return work()


TestDuty = Duty.TestCase
TestDuty.settings = settings(
    max_examples=100, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
