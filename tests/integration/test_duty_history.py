"""A history of duty drawn by chance, on a real Asterisk: its five queues hold what Python says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from harness import Pbx
from test_bridge_line import HOURS, Steering, clock, soon, steering

from callcenter.domain.books import STAFF, SURGES
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind, on_duty, presence_of
from callcenter.domain.roster import Surge
from callcenter.domain.staff import GENERAL, QUEUES, Skill, StaffProfile, queues_of
from callcenter.service.duty.presence import SURGE, surge_until

pytestmark = pytest.mark.asterisk
AGENTS = ("c001", "c002", "c003", "c004")
ACTS = 40
#: More of these, or soon nobody is on duty any more.
LIKELY = (*(3 * [PresenceAct.ON]), *(2 * [PresenceAct.DEBRIEFED]), PresenceAct.UNPAUSE)
LONG = timedelta(hours=2)


@dataclass
class History:
    """What happens to the roster of one line, one act after the other."""

    line: Steering
    draw: Random
    shifts: list[str] = field(default_factory=list)
    n: int = 0

    def begin(self) -> None:
        """Put everybody on duty, the last one on call."""
        for agent in AGENTS:
            self.plans(agent, ShiftKind.BACKUP if agent == AGENTS[-1] else ShiftKind.LINE, length=LONG)
            self.signs(agent, PresenceAct.ON)

    def act(self) -> str:
        """Do something and return what."""
        self.n += 1
        agent = self.draw.choice(AGENTS)
        acts = (
            self.signs,
            self.signs,
            self.signs,
            self.plans,
            self.plans,
            self.unplans,
            self.surges,
            self.learns,
        )
        return f"{self.draw.choice(acts)(agent)} {agent}"

    def signs(self, agent: str, what: PresenceAct | None = None) -> str:
        what = what or self.draw.choice([*PresenceAct, *LIKELY])
        event = PresenceEvent(key=f"h{self.n:03}{agent}", agent=agent, act=what, at=clock(), source="cli")
        with self.line.store() as work:
            work.roster.add_presence(event)
            work.commit()
        return what.value

    def plans(self, agent: str, kind: ShiftKind | None = None, length: timedelta | None = None) -> str:
        """Plan a time that covers now; one in three is over, or begins, within seconds."""
        kind = kind or self.draw.choice(list(ShiftKind))
        start, drawn = clock() - HOURS, 9 if length else self.draw.randrange(6)
        length = LONG
        match drawn:
            case 0:
                length = HOURS + timedelta(seconds=self.draw.randint(2, 4))
            case 1:
                start = clock() + timedelta(seconds=self.draw.randint(2, 4))
        # Whole seconds, in which the PBX counts.
        shift = Shift(
            id=f"h-{self.n}-{agent}",
            agent=agent,
            start=start.replace(microsecond=0),
            length=length,
            kind=kind,
        )
        with self.line.store() as work:
            work.roster.replace_shifts([], [shift])
            work.commit()
        self.shifts.append(shift.id)
        return f"{kind.value} from {start:%T} for {length}"

    def unplans(self, agent: str) -> str:
        gone = self.shifts.pop(self.draw.randrange(len(self.shifts))) if self.shifts else ""
        with self.line.store() as work:
            work.roster.replace_shifts([gone], [])
            work.commit()
        return f"unplanned {gone}, not"

    def surges(self, agent: str, seconds: int | None = None) -> str:
        seconds = seconds if seconds is not None else self.draw.choice((0, 3, 3600))
        until = (clock() + timedelta(seconds=seconds)).replace(microsecond=0)
        with self.line.store() as work:
            book = work.book(SURGES)
            if book.one(SURGE) is not None:
                book.remove(SURGE)
            book.add(Surge(id=SURGE, until=until, by="s001", at=clock()))
            work.roster.touch()
            work.commit()
        return f"surge of {seconds} s, not of"

    def learns(self, agent: str, *skills: Skill) -> str:
        has = frozenset(skills or self.draw.sample(list(Skill), self.draw.randrange(4)))
        with self.line.store() as work:
            book = work.book(STAFF)
            if book.one(agent) is not None:
                book.remove(agent)
            book.add(StaffProfile(id=agent, skills=has))
            work.roster.touch()
            work.commit()
        return f"skills {sorted(has)}"

    def wanted(self) -> dict[str, frozenset[str]]:
        """Return agent -> queues, as Python decides it now."""
        now = clock()
        with self.line.store() as work:
            shifts = work.roster.shifts_between(now - LONG, now + LONG)
            presence = presence_of(work.roster.presence_events())
            here = on_duty(shifts, presence, now, surge_until=surge_until(work))
            skills = {profile.id: profile.skills for profile in work.book(STAFF).where()}
        return {agent: queues_of(skills.get(agent, ())) for agent in here}


async def held(line: Steering) -> dict[str, frozenset[str]]:
    """Return agent -> queues, as Asterisk has it now."""
    seats = (await line.queue.state()).seats
    agents = {seat.agent for seat in seats}
    return {agent: frozenset(s.queue for s in seats if s.agent == agent) for agent in agents}


async def agree(history: History, told: list[str], seconds: float = 15.0) -> None:
    """Wait until Python and Asterisk say the same; both are asked anew each time, for the clock goes on."""
    try:
        async with asyncio.timeout(seconds):
            while await held(history.line) != history.wanted():  # noqa: ASYNC110 - asks another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        has, wants = await held(history.line), history.wanted()
        pytest.fail(f"after {told}: Asterisk has {has}, Python says {wants}", pytrace=False)


def test_the_queues_hold_what_python_says_over_a_history_drawn_by_chance(pbx: Pbx) -> None:
    async def scene() -> None:
        async with asyncio.timeout(120), steering(pbx) as line:
            history, told = History(line, Random(20261127)), list[str]()
            history.begin()
            seen = set()
            for _ in range(ACTS):
                told.append(history.act())
                await agree(history, told)
                seen.add(frozenset(history.wanted().items()))
            assert len(seen) > ACTS / 4, "the history was too still to tell anything"
            assert line.bridge.status.trouble == ""

    asyncio.run(scene())


def test_a_surge_and_an_on_call_time_end_by_themselves_with_nothing_of_ours_alive(pbx: Pbx) -> None:
    """P1: the facts and edges that were pushed are enough, also for backups."""

    async def scene() -> None:
        async with asyncio.timeout(60), steering(pbx) as line:
            history = History(line, Random(1))
            history.learns("c002", Skill.CRISIS)
            history.plans("c002", ShiftKind.BACKUP, LONG)
            history.surges("c002", seconds=6)
            await agree(history, ["a surge of 6 s"])
            until = _edges_of(line)
            await soon(lambda: until <= set(_laid(pbx)), 5)
        await soon(lambda: not pbx.members() and not pbx.members("hotline-crisis"))

    asyncio.run(scene())


def _edges_of(line: Steering) -> set[int]:
    with line.store() as work:
        surge = surge_until(work)
    assert surge is not None
    return {int(surge.timestamp())}


def _laid(pbx: Pbx) -> Iterator[int]:
    for file in (pbx.home / "spool" / "outgoing").glob("edge-*.call"):
        yield int(file.name.split("-")[1])


def test_a_trainee_and_the_load_stand_in_the_penalty(pbx: Pbx) -> None:
    async def scene() -> None:
        async with asyncio.timeout(60), steering(pbx) as line:
            history = History(line, Random(1))
            for agent in ("c001", "c002"):
                history.plans(agent, ShiftKind.LINE, LONG)
                history.signs(agent, PresenceAct.ON)
            history.learns("c001", Skill.TRAINEE, Skill.WOMAN)
            await agree(history, ["two on duty, one a trainee"])

            async def penalties() -> set[tuple[str, int]]:
                return {(s.agent, s.penalty) for s in (await line.queue.state()).seats}

            assert await penalties() == {("c001", 100), ("c002", 0)}
            line.bridge._source._loads = {"c002": 4}
            history.learns("c001", Skill.TRAINEE)
            async with asyncio.timeout(15):
                while await penalties() != {("c001", 100), ("c002", 4)}:  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.05)
            assert set(await held(line)) == {"c001", "c002"}
            assert set().union(*(await held(line)).values()) == {GENERAL} <= set(QUEUES)

    asyncio.run(scene())
