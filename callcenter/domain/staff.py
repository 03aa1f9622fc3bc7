"""What the line knows of those who answer: skills, how much of the load is theirs, how they are cared for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Skill(StrEnum):
    """What a caller may need or wish for in whoever answers. The codes stand in the PBX's facts."""

    #: Trained for people in danger: rung first for them.
    CRISIS = "crisis"
    #: Speaks 无锡话.
    DIALECT = "dialect"
    WOMAN = "woman"
    MAN = "man"
    #: Still learning: never alone at the line, rung for people in danger only when nobody else is there.
    TRAINEE = "trainee"


#: The PBX's queue of everybody on duty.
GENERAL = "hotline"
#: Those of the people on duty who have a skill that callers need or wish for.
QUEUE_OF: Mapping[Skill, str] = MappingProxyType(
    {skill: f"{GENERAL}-{skill}" for skill in (Skill.CRISIS, Skill.DIALECT, Skill.WOMAN, Skill.MAN)}
)
QUEUES = (GENERAL, *QUEUE_OF.values())
#: Added to a trainee's penalty in every queue: whoever may not wait for a trainee stops below it.
TRAINEE_PENALTY = 100


def queues_of(skills: Iterable[Skill]) -> frozenset[str]:
    """Return the queues in which somebody with these skills sits while on duty."""
    return frozenset({GENERAL, *(QUEUE_OF[skill] for skill in skills if skill in QUEUE_OF)})


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffProfile:
    """One counsellor as routing and planning see them. Its id is the user's code."""

    id: str
    skills: frozenset[Skill] = frozenset()
    #: How much of the load they take, in per cent of a full share.
    share: int = 100
    #: Nights in a row they may be planned for; None: the site's limit.
    most_nights: int | None = None
    revision: int = 0


class DebriefState(StrEnum):
    """Where a debriefing stands (R47)."""

    OWED = "owed"
    HELD = "held"
    WAIVED = "waived"


@dataclass(frozen=True, kw_only=True, slots=True)
class Debrief:
    """A call at high risk that is to be talked over with whoever took it, before their next one."""

    id: str
    agent: str
    #: The call or session it is about.
    about: str
    since: datetime
    state: DebriefState = DebriefState.OWED
    #: Who held it, or the counsellor who waived it.
    by: str = ""
    at: datetime | None = None
    note: str = field(default="", repr=False)
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class AttendanceCorrection:
    """Time that counts although nobody signed on then, or does not although somebody did. Never changed."""

    id: str
    agent: str
    start: datetime
    end: datetime
    counts: bool
    reason: str = field(repr=False)
    by: str
    at: datetime
    revision: int = 0
