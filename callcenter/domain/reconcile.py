"""What the PBX should hold, what it holds, and the least that makes them equal. Pure.

A fact is `family/key` -> value in Asterisk's own database; dialplan decides from facts and the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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
#: The families that are ours to push. Others belong to dialplan and are left alone.
FAMILIES = (
    *(SHIFT, BACKUP, LEAD, SIGNED, PAUSED, DEBRIEF, PIN, SKILL, LOAD, SURGE),
    *(PRIORITY, FACT, OWNER, CODE, HOURS, BLOCK),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the PBX should hold at an instant."""

    members: frozenset[str]
    #: `family/key` -> value.
    facts: Mapping[str, str] = field(repr=False)
    #: Instants at which dialplan must decide again, and for whom.
    edges: Mapping[datetime, frozenset[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What to do to the PBX. Apply facts first, then `reseat`, `add`, `remove`: nobody is missed."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    #: Members whom somebody paused inside the queue: out and in again.
    reseat: tuple[str, ...] = ()
    #: None removes a fact.
    facts: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.add or self.remove or self.reseat or self.facts)


def plan_changes(wanted: Wanted, seated: Mapping[str, bool], facts: Mapping[str, str]) -> Changes:
    """Return the least that makes the PBX as wanted.

    `seated`: each member the queue has, and whether it is paused there (a pause of ours takes the
    member out instead).
    """
    ours = {key: value for key, value in facts.items() if key.partition("/")[0] in FAMILIES}
    pushed: dict[str, str | None] = {k: v for k, v in wanted.facts.items() if ours.get(k) != v}
    gone = dict.fromkeys(sorted(ours.keys() - wanted.facts.keys()))
    return Changes(
        add=tuple(sorted(wanted.members - seated.keys())),
        remove=tuple(sorted(seated.keys() - wanted.members)),
        reseat=tuple(sorted(a for a, paused in seated.items() if paused and a in wanted.members)),
        facts={**dict(sorted(pushed.items())), **gone},
    )
