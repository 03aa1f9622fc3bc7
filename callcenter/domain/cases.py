"""A case: that a person in danger is ours to follow, whose it is, and how it stands. And rescues.

Case: open -> active -> watch -> closed, and open again. Level changes are logged both ways; down only by
a person with a reason, at level 1 or worse by two (R12). Rescue: needed -> requested ->
dispatched -> contact_confirmed, or not_found -> further_step... -> closed (R14).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callcenter.domain.risk import Level


class CaseState(StrEnum):
    """Where a case stands."""

    #: Opened in somebody else's name, or in nobody's: whose it is has not taken it up yet.
    OPEN = "open"
    ACTIVE = "active"
    #: Danger has passed; still followed.
    WATCH = "watch"
    CLOSED = "closed"


#: As people read them.
CASE_WORDS = {
    CaseState.OPEN: "待接手",
    CaseState.ACTIVE: "跟进中",
    CaseState.WATCH: "观察",
    CaseState.CLOSED: "已结案",
}


class CloseReason(StrEnum):
    """Why a case was closed (closed list)."""

    GOAL_REACHED = "目标达成"
    IN_TREATMENT = "接受治疗"
    NO_LONGER_WISHED = "本人不再需要"
    REFERRED = "转介完成"
    DIED = "去世"
    #: Needs a supervisor, tries in three parts of the day, and one try that was no call.
    UNREACHABLE = "无法联系-督导决定"
    MISTAKE = "误建"
    #: The same person had two: the other one goes on.
    MERGED = "并入同一人的个案"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lowering:
    """A level proposed by one person, at level 1 or worse waiting for a second one (R12)."""

    level: Level
    by: str
    reason: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A closing proposed by one person, at level 1 or worse waiting for a second one."""

    reason: CloseReason
    note: str = field(repr=False)
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One person's case; at most one that is not closed."""

    id: str
    person: str
    level: Level
    state: CaseState
    #: Code of the counsellor whose case it is.
    owner: str | None
    opened_at: datetime
    #: Session from which it was opened.
    opened_from: str
    #: When the level last became this bad, and who of the supervisors knows it, since when: the risk clock.
    alarming_since: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    proposed: Lowering | None = None
    ending: Ending | None = None
    #: What its ladder is counted from: a session, or an act of a person (`raise/3`).
    anchor: str = ""
    anchored_at: datetime | None = None
    #: Every obligation ever opened for it: their attempts tell whether somebody could not be reached.
    steps: tuple[str, ...] = ()
    close_reason: CloseReason | None = None
    closed_at: datetime | None = None
    #: By chance, and shown to nobody: so that names of what is owed tell nothing of where it came from.
    key: str = field(default="", repr=False)
    revision: int = 0

    @property
    def is_open(self) -> bool:
        """Tell whether somebody is still looked after under it."""
        return self.state is not CaseState.CLOSED


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseEvent:
    """What happened to a case. Append-only."""

    id: str
    case: str
    #: `opened`, `level`, `state`, `owner`, `acknowledged`, `unacknowledged`, `proposed`, `withdrawn`,
    #: `ladder`, `tried`, `closed`, `reopened`.
    kind: str
    before: str = ""
    after: str = ""
    by: str
    #: The second person, where two are needed.
    second: str = ""
    reason: str = field(default="", repr=False)
    at: datetime
    revision: int = 0


class RescueState(StrEnum):
    """Where a rescue stands."""

    #: The form stands open: somebody is in danger, and nobody has been called yet.
    NEEDED = "needed"
    REQUESTED = "requested"
    DISPATCHED = "dispatched"
    CONTACT_CONFIRMED = "contact_confirmed"
    NOT_FOUND = "not_found"
    FURTHER_STEP = "further_step"
    CLOSED = "closed"


#: As people read them.
RESCUE_WORDS = {
    RescueState.NEEDED: "待呼叫救援",
    RescueState.REQUESTED: "已请求救援",
    RescueState.DISPATCHED: "已出动",
    RescueState.CONTACT_CONFIRMED: "已确认见到本人",
    RescueState.NOT_FOUND: "没有找到本人",
    RescueState.FURTHER_STEP: "进一步行动",
    RescueState.CLOSED: "已结束",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RescueStep:
    """One entry of a rescue's log."""

    state: RescueState
    at: datetime
    by: str
    #: What was done or learned, in words: who was told what, where they looked.
    note: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rescue:
    """Help sent to a person in danger. Closes with confirmed contact, or by a supervisor (R14)."""

    id: str
    case: str
    session: str
    state: RescueState
    #: `110`, `120`, `119` or another agency.
    agency: str
    #: The second line over which they were called: the caller stays with the counsellor.
    line_used: str = ""
    #: Place, landmarks, alone or not, means at hand, who can get there.
    given: str = field(default="", repr=False)
    #: Fact (`callcenter.domain.rescues.FACTS`) -> what is known of it.
    facts: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: `yes`, `no` or `not_possible` (PIPL art. 13: an emergency needs no consent).
    consent: str = "not_possible"
    #: PIPL art. 18(2): told afterwards that their data were passed on.
    informed_at: datetime | None = None
    informed_how: str = field(default="", repr=False)
    steps: tuple[RescueStep, ...] = ()
    revision: int = 0
