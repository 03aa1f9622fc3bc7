"""What the PBX should hold, what it holds, and the least that makes them equal. Pure.

A fact is `family/key` -> value in Asterisk's own database; dialplan decides from facts and the clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from callcenter.domain.staff import TRAINEE_PENALTY, Skill

SHIFT = "hotline-shift"
SIGNED = "hotline-signed"
PAUSED = "hotline-paused"
PIN = "hotline-pin"
PRIORITY = "hotline-prio"
#: About whoever has a number: words, and who owes them.
FACT = "hotline-fact"
OWNER = "hotline-owner"
HOURS = "hotline-hours"
#: Until when a number is not put through: epoch seconds, so that it ends by itself.
BLOCK = "hotline-block"
#: On-call times, as `SHIFT`: backups, and supervisors.
BACKUP = "hotline-backup"
LEAD = "hotline-lead"
#: R47: a debriefing is owed.
DEBRIEF = "hotline-debrief"
#: What somebody is good at (`callcenter.domain.staff.Skill`), words joined by `&`.
SKILL = "hotline-skill"
#: 0 to 9: how much more than others somebody has had this shift, their share counted in.
LOAD = "hotline-load"
#: `until`: epoch second until which backups are rung like everybody at the line.
SURGE = "hotline-surge"
#: Whose a caller's code is: the counsellor to ask for.
CODE = "hotline-code"
#: Facts about those who answer: few, read quickly, and pushed at once when the roster changes.
DUTY_FAMILIES = (SHIFT, BACKUP, LEAD, SIGNED, PAUSED, DEBRIEF, PIN, SKILL, LOAD, SURGE)
#: So many spans in one fact: an AMI header holds fewer than 1000 bytes, a span takes 22.
MOST_SPANS = 40
#: The families that are ours to push. Others belong to dialplan and are left alone.
FAMILIES = (*DUTY_FAMILIES, PRIORITY, FACT, OWNER, CODE, HOURS, BLOCK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """An agent's place in one queue, as the PBX has it."""

    queue: str
    #: Whoever has it: a code, or an interface that is no agent's.
    agent: str
    paused: bool = False
    #: 100 for a trainee, 10 for each ring that was missed (dialplan's), and the load.
    penalty: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the PBX should hold at an instant."""

    #: Agent -> the queues in which they sit; who is not on duty stands not here.
    seats: Mapping[str, frozenset[str]]
    #: `family/key` -> value.
    facts: Mapping[str, str] = field(repr=False)
    #: Instants at which dialplan must decide again, and for whom.
    edges: Mapping[datetime, frozenset[str]]

    @property
    def members(self) -> frozenset[str]:
        """Return who is on duty."""
        return frozenset(self.seats)

    @property
    def duty_facts(self) -> dict[str, str]:
        """Return the facts about those who answer."""
        return _of(DUTY_FAMILIES, self.facts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What to do to the PBX, in this order, so that nobody is missed: in first, and out last."""

    #: None removes a fact.
    facts: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    #: Seats somebody paused inside the PBX: freed, then taken anew (a pause of ours is a fact).
    free: tuple[Seat, ...] = ()
    #: Agents whom dialplan seats anew from the facts.
    decide: tuple[str, ...] = ()
    #: Seats nobody should have.
    remove: tuple[Seat, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.facts or self.free or self.decide or self.remove)

    def without(self, agents: Collection[str]) -> Changes:
        """Return the same, but nothing about these: what is known of them by now is newer."""
        if not agents:
            return self
        return replace(
            self,
            facts={key: value for key, value in self.facts.items() if whose(key) not in agents},
            free=tuple(seat for seat in self.free if seat.agent not in agents),
            decide=tuple(agent for agent in self.decide if agent not in agents),
            remove=tuple(seat for seat in self.remove if seat.agent not in agents),
        )


def family_of(key: str) -> str:
    """Return the family of a fact's key."""
    return key.partition("/")[0]


def whose(key: str) -> str:
    """Return whom a fact is about: `hotline-shift/c017` -> `c017`."""
    return key.partition("/")[2]


def spans_text(spans: Iterable[tuple[datetime, datetime]]) -> str:
    """Return spans of time as a fact spells them: `from-to&from-to`, epoch seconds."""
    return "&".join(f"{int(start.timestamp())}-{int(end.timestamp())}" for start, end in spans)


def spans_in(text: str) -> list[tuple[int, int]]:
    """Return the spans that a fact spells, in epoch seconds."""
    pairs = (span.partition("-") for span in text.split("&") if span)
    return [(int(start), int(end)) for start, _, end in pairs]


def plan_changes(
    wanted: Wanted, seats: Iterable[Seat], facts: Mapping[str, str], families: Collection[str] = FAMILIES
) -> Changes:
    """Return the least that makes the PBX as wanted, in facts of these families alone.

    Tens of a penalty are missed rings: dialplan's own.
    """
    held = {(seat.agent, seat.queue): seat for seat in seats}
    right = {(agent, queue) for agent, queues in wanted.seats.items() for queue in queues}
    free = [seat for place, seat in sorted(held.items()) if place in right and seat.paused]
    amiss = {
        agent
        for agent, queue in right
        if (seat := held.get((agent, queue))) is None or seat.paused or not _has_due_penalty(seat, wanted)
    }
    return Changes(
        facts=_differing(_of(families, facts), _of(families, wanted.facts)),
        free=tuple(free),
        decide=tuple(sorted(amiss)),
        remove=tuple(seat for place, seat in sorted(held.items()) if place not in right),
    )


def duty_changes(before: Wanted, after: Wanted) -> Changes:
    """Return what a change of the roster asks for where the PBX holds what was wanted before."""
    facts = _differing(before.duty_facts, after.duty_facts)
    agents = before.seats.keys() | after.seats.keys()
    moved = {agent for agent in agents if before.seats.get(agent) != after.seats.get(agent)}
    ranked = {whose(key) for key in facts if family_of(key) in (SKILL, LOAD)}
    return Changes(facts=facts, decide=tuple(sorted(moved | ranked)))


def _of(families: Collection[str], facts: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in facts.items() if family_of(key) in families}


def _differing(held: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    pushed: dict[str, str | None] = {k: v for k, v in sorted(wanted.items()) if held.get(k) != v}
    return {**pushed, **dict.fromkeys(sorted(held.keys() - wanted.keys()))}


def _has_due_penalty(seat: Seat, wanted: Wanted) -> bool:
    is_trainee = Skill.TRAINEE in wanted.facts.get(f"{SKILL}/{seat.agent}", "").split("&")
    load = int(wanted.facts.get(f"{LOAD}/{seat.agent}", 0))
    return seat.penalty % 10 == load and (seat.penalty >= TRAINEE_PENALTY) == is_trainee
