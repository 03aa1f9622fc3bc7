"""Whom a call would ring, and why: what dialplan decides, as a pure function of the facts it decides by.

The same dictionary that is pushed to the PBX (`callcenter.domain.reconcile`) and an instant go in. What
only the PBX knows stays out: phones that are switched off, rings missed a moment ago, and who of equals
has been idle longest. `tests/integration/test_route_agrees.py` holds it to the real dialplan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from callcenter.domain import reconcile
from callcenter.domain.staff import TRAINEE_PENALTY, Skill

Facts = Mapping[str, str]


class Stage(StrEnum):
    """Where on its way a call is."""

    #: A number that is blocked now: told where else to turn, and nobody is rung (R19).
    BLOCKED = "blocked"
    #: What is known of the caller: words, and their rank in the queue.
    KNOWN = "known"
    #: Whether the line is served: it decides the last message only, people are rung at any hour (R3).
    HOURS = "hours"
    #: The counsellor a keyed code asks for.
    CODE = "code"
    #: The caller's own counsellor.
    OWNER = "owner"
    #: Danger: those trained for it.
    CRISIS = "crisis"
    #: Danger: everybody who is no trainee.
    EXPERIENCED = "experienced"
    #: A wish: those who speak the dialect, women, men.
    DIALECT = "dialect"
    WOMAN = "woman"
    MAN = "man"
    #: Everybody on duty.
    QUEUE = "queue"
    #: The longest wait is over: what else there is is said, and they may wait on.
    OFFER = "offer"
    #: On call at home now.
    BACKUPS = "backups"
    #: The fixed escalation chain.
    CHAIN = "chain"
    #: Back in the queue, in the same place.
    AGAIN = "again"
    #: The honest last message, with 12356, 110 and 120.
    CLOSING = "closing"


class Why(StrEnum):
    """Why a stage is passed, or somebody is not rung."""

    RINGS = "rings"
    #: Stages that are said, not rung.
    SAID = "said"
    OPEN = "open"
    CLOSED = "closed"
    NOBODY_THERE = "nobody_there"
    ONLY_TRAINEES = "only_trainees"
    NO_TIME_LEFT = "no_time_left"
    NO_OWNER = "no_owner"
    NO_NUMBER = "no_number"
    UNKNOWN_CODE = "unknown_code"
    # --- about a person
    NO_PHONE = "no_phone"
    OFF_SHIFT = "off_shift"
    NOT_SIGNED_ON = "not_signed_on"
    PAUSED = "paused"
    DEBRIEF = "debrief"
    BUSY = "busy"
    #: A trainee is rung while nobody else is free.
    TRAINEE = "trainee"
    #: They are rung in the queue already.
    IN_QUEUE = "in_queue"
    RUNG_BEFORE = "rung_before"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """Somebody whose phone rings. Of equal penalties whoever has been idle longest is first."""

    agent: str
    penalty: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One stage of a call's way. A stage that does not happen says why."""

    stage: Stage
    why: Why
    #: Who is rung, in order.
    who: tuple[Rung, ...] = ()
    #: Who is not, and why: `(agent, why)`.
    passed_over: tuple[tuple[str, Why], ...] = ()
    #: How long it lasts at most; for each phone, where phones ring one after the other.
    lasts: timedelta = timedelta(0)
    #: Words known of the caller.
    words: tuple[str, ...] = ()
    rank: int = 0

    @property
    def happens(self) -> bool:
        """Tell whether the caller is at this stage at all."""
        return self.why in (Why.RINGS, Why.SAID, Why.OPEN, Why.CLOSED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who calls, as the PBX knows them: salted hashes, never a number."""

    #: Of their number; empty: withheld.
    number: str = field(default="", repr=False)
    #: Of the code they keyed; empty: none.
    code: str = field(default="", repr=False)
    #: They asked for the dialect by key 1.
    dialect: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LineRules:
    """What is configured, and stands in the rendered dialplan."""

    #: Everybody with a phone.
    agents: frozenset[str]
    #: The fixed escalation chain.
    chain: tuple[str, ...]
    ring: timedelta
    chain_ring: timedelta
    wish_wait: timedelta
    wait_cap: timedelta
    surge_cap: timedelta


#: The words of a wish and the stage that serves it, in dialplan's order.
_WISHES = ((Stage.DIALECT, "dialect"), (Stage.WOMAN, "wants_woman"), (Stage.MAN, "wants_man"))
_SKILL_OF = {
    Stage.CRISIS: Skill.CRISIS,
    Stage.DIALECT: Skill.DIALECT,
    Stage.WOMAN: Skill.WOMAN,
    Stage.MAN: Skill.MAN,
}


def route(
    facts: Facts, at: datetime, caller: Caller, rules: LineRules, *, busy: frozenset[str] = frozenset()
) -> tuple[Step, ...]:
    """Return the way of a call that comes in at `at`, every phone left to ring to the end.

    `busy`: who is in a talk meanwhile.
    """
    line = _Line(facts=facts, now=int(at.timestamp()), rules=rules, busy=busy)
    if line.number(f"{reconcile.BLOCK}/{caller.number}") > line.now:
        return (Step(stage=Stage.BLOCKED, why=Why.SAID),)
    return (*line.about(caller), *line.asked_for(caller), *line.waits(caller))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """The line at an instant."""

    facts: Facts
    now: int
    rules: LineRules
    busy: frozenset[str]

    # --- what the facts say

    def text(self, key: str) -> str:
        return self.facts.get(key, "")

    def number(self, key: str) -> int:
        return int(self.facts.get(key) or 0)

    def covers(self, family: str, agent: str) -> bool:
        return any(a <= self.now < b for a, b in reconcile.spans_in(self.text(f"{family}/{agent}")))

    @property
    def surge(self) -> bool:
        return self.number(f"{reconcile.SURGE}/until") > self.now

    def words(self, caller: Caller) -> tuple[str, ...]:
        return tuple(filter(None, self.text(f"{reconcile.FACT}/{caller.number}").split("&")))

    def skills(self, agent: str) -> frozenset[str]:
        return frozenset(self.text(f"{reconcile.SKILL}/{agent}").split("&"))

    def penalty(self, agent: str) -> int:
        trainee = TRAINEE_PENALTY if Skill.TRAINEE in self.skills(agent) else 0
        return trainee + self.number(f"{reconcile.LOAD}/{agent}")

    def away(self, agent: str) -> Why | None:
        """Return why somebody is not on duty; None: they are."""
        if agent not in self.rules.agents:
            return Why.NO_PHONE
        if self.text(f"{reconcile.DEBRIEF}/{agent}"):
            return Why.DEBRIEF
        if self.text(f"{reconcile.PAUSED}/{agent}"):
            return Why.PAUSED
        on_shift = self.covers(reconcile.SHIFT, agent)
        if on_shift and self.text(f"{reconcile.SIGNED}/{agent}") == "1":
            return None
        if self.surge and self.covers(reconcile.BACKUP, agent):
            return None
        return Why.NOT_SIGNED_ON if on_shift else Why.OFF_SHIFT

    @property
    def members(self) -> frozenset[str]:
        """Return who sits in the queue of everybody."""
        return frozenset(agent for agent in self.rules.agents if self.away(agent) is None)

    @property
    def is_open(self) -> bool:
        """Tell whether the line is served, as `hotline-hours` reads it: not knowing lets callers in."""
        fact = self.text(f"{reconcile.HOURS}/hotline")
        known = [(a == b <= self.now) or (a <= self.now < b) for a, b in reconcile.spans_in(fact)]
        return not fact or any(known)

    # --- the way of a call

    def about(self, caller: Caller) -> Iterator[Step]:
        rank = self.number(f"{reconcile.PRIORITY}/{caller.number}") % 10
        yield Step(stage=Stage.KNOWN, why=Why.SAID, words=self.words(caller), rank=rank)
        yield Step(stage=Stage.HOURS, why=Why.OPEN if self.is_open else Why.CLOSED)

    def asked_for(self, caller: Caller) -> Iterator[Step]:
        """Who is asked for by code, else the caller's own counsellor: never both."""
        stage, family, key, nobody = (
            (Stage.CODE, reconcile.CODE, caller.code, Why.UNKNOWN_CODE)
            if caller.code
            else (Stage.OWNER, reconcile.OWNER, caller.number, Why.NO_OWNER)
        )
        agent = self.text(f"{family}/{key}")
        if not key or not agent:
            yield Step(stage=stage, why=nobody if key else Why.NO_NUMBER)
        elif why := self.away(agent) or (Why.BUSY if agent in self.busy else None):
            yield Step(stage=stage, why=why, passed_over=((agent, why),))
        else:
            yield Step(stage=stage, why=Why.RINGS, who=(Rung(agent=agent),), lasts=self.rules.ring)

    def waits(self, caller: Caller) -> Iterator[Step]:
        cap = min(self.rules.wait_cap, self.rules.surge_cap) if self.surge else self.rules.wait_cap
        for stage, experienced in self.first_stages(caller):
            step = self.at_queue(stage, min(cap, self.rules.wish_wait), experienced=experienced)
            yield step
            cap -= step.lasts
        general = self.at_queue(Stage.QUEUE, cap)
        yield general
        if general.why is Why.NOBODY_THERE:
            yield from self.escalates()
            yield Step(stage=Stage.CLOSING, why=Why.OPEN if self.is_open else Why.CLOSED)
            return
        yield Step(stage=Stage.OFFER, why=Why.SAID)
        yield from self.escalates()
        yield Step(stage=Stage.AGAIN, why=Why.SAID)

    def first_stages(self, caller: Caller) -> tuple[tuple[Stage, bool], ...]:
        """Return where a caller waits before everybody is rung, and whether trainees are left out there."""
        words = self.words(caller)
        if "high_risk" in words:
            return ((Stage.CRISIS, True), (Stage.EXPERIENCED, True))
        told = {*words, *(("dialect",) if caller.dialect else ())}
        return tuple((stage, False) for stage, word in _WISHES if word in told)

    def at_queue(self, stage: Stage, longest: timedelta, *, experienced: bool = False) -> Step:
        skill = _SKILL_OF.get(stage)
        there = sorted(
            (self.penalty(agent), agent)
            for agent in self.members
            if skill is None or skill in self.skills(agent)
        )
        fit = [one for one in there if not experienced or one[0] < TRAINEE_PENALTY]
        absent = self.absent() if stage is Stage.QUEUE else ()
        if not fit:
            why = Why.ONLY_TRAINEES if there else Why.NOBODY_THERE
            return Step(stage=stage, why=why, passed_over=absent)
        if longest <= timedelta(0):
            return Step(stage=stage, why=Why.NO_TIME_LEFT, passed_over=absent)
        free = [one for one in fit if one[1] not in self.busy]
        # Missed rings add 90 at the most, so a trainee comes after everybody else who is free.
        rung = [one for one in free if one[0] < TRAINEE_PENALTY] or free
        left_out = [
            (one[1], Why.BUSY if one[1] in self.busy else Why.TRAINEE) for one in there if one not in rung
        ]
        return Step(
            stage=stage,
            why=Why.RINGS,
            who=tuple(Rung(agent=agent, penalty=penalty) for penalty, agent in rung),
            passed_over=(*left_out, *absent),
            lasts=longest,
        )

    def absent(self) -> tuple[tuple[str, Why], ...]:
        """Return who is planned for now and is not rung, and why."""
        planned = sorted(
            agent
            for agent in self.rules.agents
            if self.covers(reconcile.SHIFT, agent) or (self.surge and self.covers(reconcile.BACKUP, agent))
        )
        return tuple((agent, why) for agent in planned if (why := self.away(agent)) is not None)

    def escalates(self) -> Iterator[Step]:
        """Backups on call now, then the chain. Nobody is rung twice, and nobody who sits in the queue."""
        called = sorted(a for a in self.rules.agents if self.covers(reconcile.BACKUP, a))
        left_out = {agent: why for agent in called if (why := self._not_called(agent)) is not None}
        backups = [agent for agent in called if agent not in left_out]
        yield self._one_by_one(Stage.BACKUPS, backups, left_out)
        before = {agent: Why.RUNG_BEFORE for agent in self.rules.chain if agent in backups}
        yield self._one_by_one(Stage.CHAIN, [a for a in self.rules.chain if a not in before], before)

    def _not_called(self, agent: str) -> Why | None:
        if self.text(f"{reconcile.DEBRIEF}/{agent}"):
            return Why.DEBRIEF
        if agent in self.members:
            return Why.IN_QUEUE
        return Why.BUSY if agent in self.busy else None

    def _one_by_one(self, stage: Stage, agents: list[str], left_out: Mapping[str, Why]) -> Step:
        return Step(
            stage=stage,
            why=Why.RINGS if agents else Why.NOBODY_THERE,
            who=tuple(Rung(agent=agent) for agent in agents),
            passed_over=tuple(left_out.items()),
            lasts=self.rules.chain_ring if agents else timedelta(0),
        )
