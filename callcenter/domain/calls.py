"""A call: one contact from first ring to end, as the journal tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Direction(StrEnum):
    """Who called whom. `INTERNAL` is the PBX talking to itself (duty edges, alarms, feature codes)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Outcome(StrEnum):
    """What became of a call. Each *offered* call has exactly one of the first five (P3)."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    OVERFLOWED = "overflowed"
    PROMISED = "promised"
    SYSTEM_FAILURE = "system_failure"
    #: Left before the greeting ended: not offered.
    LEFT_IN_GREETING = "left_in_greeting"
    #: From a number that is blocked for a while: it heard 110, 120 and 12356, and nobody was rung (R19).
    BLOCKED = "blocked"
    #: Outbound calls: their result stands with the attempt.
    OUTBOUND = "outbound"
    #: The PBX's own calls (alarms, feature codes, phone to phone): no contact of the line.
    INTERNAL = "internal"
    #: Still going on.
    OPEN = "open"


class EndedBy(StrEnum):
    """Whose side ended the call."""

    CALLER = "caller"
    COUNSELLOR = "counsellor"
    NETWORK = "network"
    SYSTEM = "system"
    UNKNOWN = "unknown"


#: Words of a flow after which a person has to hear the caller: item 9 of the PHQ-9 was not "never"
#: (R13), or somebody who cannot speak pressed that they are in danger.
URGENT = frozenset({"screening_urgent", "silent_in_danger"})
#: Every offered call ends in exactly one of these (P3).
OFFERED = (
    Outcome.ANSWERED,
    Outcome.ABANDONED,
    Outcome.OVERFLOWED,
    Outcome.PROMISED,
    Outcome.SYSTEM_FAILURE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """One call. All queue entries and legs of a contact are one call."""

    #: Asterisk's linkedid; for a call of ours, the attempt's id.
    id: str
    direction: Direction
    outcome: Outcome
    started_at: datetime
    #: The caller's (or callee's) number as it arrived, normalised; None if there was none.
    number: str | None = field(default=None, repr=False)
    #: The number dialled.
    dialled: str | None = None
    offered_at: datetime | None = None
    answered_at: datetime | None = None
    #: When the caller last left a person's company; None if the call ended with it or nobody knows.
    parted_at: datetime | None = None
    ended_at: datetime | None = None
    #: True when the PBX died under the call: `ended_at` is then the last sign of life.
    end_is_uncertain: bool = False
    #: Code of the counsellor or escalation contact who took the call.
    answered_by: str | None = None
    #: `queue`, `escalation` or `direct`.
    answered_via: str | None = None
    ended_by: EndedBy = EndedBy.UNKNOWN
    hangup_cause: int | None = None
    #: Of a call of ours that nobody took: the last SIP status the network sent (0: none at all), and whether
    #: it played something. Told by the journal once; what follows from it is kept with the attempt alone.
    sip_status: int | None = field(default=None, compare=False)
    early_media: bool = field(default=False, compare=False)
    queue_entries: int = 0
    rings_not_answered: int = 0
    #: Flow nodes passed, in order.
    path: tuple[str, ...] = ()
    #: Answers given by key, `node=key`, never a PIN or an identity digit.
    keys: tuple[str, ...] = ()
    #: Everybody who was rung, in order: `code=answered`, `code=no_answer` or `code=rung` (end not told).
    rung: tuple[str, ...] = ()
    #: What the flow promised the other side, by kind (`callback`): the journal row is the promise (R4).
    promises: tuple[str, ...] = ()
    #: Digits the caller left, by what they are for: `number=13800001111`, `code=1234`.
    kept: tuple[str, ...] = field(default=(), repr=False)
    #: A questionnaire's answers, `node/item=score`, and its sum when it was complete, `node=score`.
    answers: tuple[str, ...] = field(default=(), repr=False)
    #: Pieces of a library that began, in order.
    pieces: tuple[str, ...] = ()
    #: The urgent word of a flow after which no person heard the caller any more.
    unheard: str | None = None
    #: The node at which the caller hung up, if a flow had them then.
    left_at: str | None = None
    #: The flow's own last word (`reached_self_ivr_ok`, ...), if a flow ran.
    flow_outcome: str | None = None
    #: `journal`, or `queue_log` when the journal's rows could not be read.
    witness: str = "journal"

    @property
    def left_number(self) -> str | None:
        """Return the number the caller left to be called at."""
        return dict(pair.split("=", 1) for pair in self.kept).get("number")

    @property
    def poster_code(self) -> str | None:
        """Return the code of the poster the caller came by."""
        return dict(pair.split("=", 1) for pair in self.kept).get("code")

    @property
    def wait(self) -> timedelta | None:
        """Return the time from being offered to being answered, or to the end."""
        until = self.answered_at or self.ended_at
        return until - self.offered_at if self.offered_at and until else None

    @property
    def talk(self) -> timedelta | None:
        """Return the time from being answered to parting, or to the end of the call."""
        until = self.parted_at or self.ended_at
        return until - self.answered_at if self.answered_at and until and self.ended_at else None

    @property
    def is_open(self) -> bool:
        """Tell whether the call still goes on."""
        return self.outcome is Outcome.OPEN
