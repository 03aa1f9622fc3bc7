"""What is owed: obligations, attempts and evidence as values, and what follows from them.

"Still owed" is computed from these (I4, I12); no field says "done".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from scheduler.errors import SchedulerError


class Kind(StrEnum):
    """Why something is owed."""

    HARDSHIP = "hardship"
    #: A promise made to a caller or to somebody we called (key 2).
    CALLBACK = "callback"
    #: Asked for an appointment, for a talk at their place of work; left a message. Owned tasks.
    APPOINTMENT = "appointment"
    TALK = "talk"
    MESSAGE = "message"
    #: Follow-up of a person in danger, by people only: at level 0 or 1; at level 2; as agreed (R20, R21).
    HIGH_RISK = "high_risk"
    MID_RISK = "mid_risk"
    FOLLOW_UP = "follow_up"
    #: A contact that a plan calls for: the day before a hospital day, the monthly talk.
    PLANNED = "planned"
    #: Somebody we know rang and got nobody, and agreed before to be called back.
    MISSED_CALL = "missed_call"
    #: The half-yearly visit at home.
    VISIT = "visit"
    #: Something on record has to be looked at by a person: a number found bad, a file that left (R25, R34).
    VERIFY = "verify"


#: Steps of a case's ladder: they end with contact, or with what becomes of the case.
OF_CASES = frozenset({Kind.HIGH_RISK, Kind.MID_RISK, Kind.FOLLOW_UP})
#: What people are promised in a call, one task for each.
PROMISED = frozenset({Kind.CALLBACK, Kind.APPOINTMENT, Kind.TALK, Kind.MESSAGE})
#: What the hardship register calls for, and all that its clerks learn of (R39).
OF_REGISTER = frozenset({Kind.HARDSHIP, Kind.VISIT})


class Mode(StrEnum):
    """Who may keep it."""

    HUMAN_ONLY = "human_only"
    IVR_OK = "ivr_ok"


class Result(StrEnum):
    """What became of an attempt (closed list)."""

    REACHED_SELF_HUMAN = "reached_self_human"
    REACHED_SELF_IVR_OK = "reached_self_ivr_ok"
    REACHED_SELF_CALLBACK = "reached_self_callback"
    REACHED_SELF_TRANSFER = "reached_self_transfer"
    OPTED_OUT = "opted_out"
    #: 9 before identity: that phone only (R25).
    PHONE_REFUSED = "phone_refused"
    REACHED_SELF_NO_KEY = "reached_self_no_key"
    REACHED_OTHER = "reached_other"
    WRONG_PERSON = "wrong_person"
    IDENTITY_FAILED = "identity_failed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    POWERED_OFF = "powered_off"
    OUT_OF_AREA = "out_of_area"
    SUSPENDED = "suspended"
    VACANT = "vacant"
    ASSISTANT_OR_VOICEMAIL = "assistant_or_voicemail"
    NETWORK_CONGESTION = "network_congestion"
    OWN_FAULT = "own_fault"
    BLOCKED_BY_RULE = "blocked_by_rule"
    #: Left in doubt by a crash and not to be settled from the journal: a human looks.
    UNKNOWN = "unknown"


#: What is at most this is urgent: it stands before everything else.
URGENT_PRIORITY = 1
#: `Attempt.by` of a call that no human places.
BY_IVR = "ivr"

#: R27: the network's faults and our own use up no attempt.
FREE_RESULTS = frozenset({Result.NETWORK_CONGESTION, Result.OWN_FAULT, Result.BLOCKED_BY_RULE})


class CauseSource(StrEnum):
    """What told how an attempt ended."""

    #: The flow's own word: a key, a voice, a silence.
    FLOW = "flow"
    #: A Q.850 cause in a Reason header of the answer (RFC 3326), which says more than the SIP status.
    REASON = "reason"
    #: The SIP status of the answer, as Asterisk turns it into a cause.
    SIP = "sip"
    #: Our own hanging up after ringing for the whole time.
    TIMEOUT = "timeout"
    #: A person, who heard it.
    HUMAN = "human"
    #: We could not hand the call to the network.
    OURS = "ours"


class Doubt(StrEnum):
    """Why nobody can tell how an attempt ended (`Result.UNKNOWN`)."""

    #: The telephone system has no such call, and its journal, read past it, tells of none.
    SILENT = "silent"
    #: The journal tells of its beginning; the call is gone and its end was never told.
    UNENDED = "unended"
    #: The telephone system has no such call, and its journal has not been read for too long.
    UNREAD = "unread"
    #: The telephone system died under the call: the record's end is only the last sign of it.
    TORN = "torn"


class EvidenceKind(StrEnum):
    """What proves a qualifying contact."""

    #: Identity key, then key 1, on an automated check-in (routine only, R25).
    IVR_KEY = "ivr_key"
    #: A talk with the person, proven by an answered call on record.
    HUMAN_TALK = "human_talk"
    HOME_VISIT = "home_visit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """A proven contact. `reference` names what proves it: a call id, a visit's number."""

    id: str
    obligation: str
    kind: EvidenceKind
    at: datetime
    reference: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try. Its id is the channel id of the call, and is written before dialling."""

    id: str
    obligation: str
    #: 1-based within the obligation.
    n: int
    planned_at: datetime
    #: `ivr` or the code of the counsellor who calls.
    by: str
    dialled_at: datetime | None = None
    result: Result | None = None
    settled_at: datetime | None = None
    #: What the network said (Q.850), if it said anything.
    cause: int | None = None
    #: Where it went, in words of the one who dials; opaque here.
    callee: str | None = field(default=None, repr=False)
    #: Which of our numbers was shown (R37).
    did: str | None = None
    cause_source: CauseSource | None = None
    #: The network played something before anybody answered: an announcement nobody can read by machine.
    early_media: bool = False
    #: When the telephone system said that it took the order; None: it never said so, or nobody heard it.
    placed_at: datetime | None = None
    #: Why its end is unknown, since when the telephone system had been up then, and up to when its journal
    #: had been read.
    doubt: Doubt | None = None
    pbx_since: datetime | None = None
    read_to: datetime | None = None

    @property
    def in_doubt(self) -> bool:
        """Tell whether nobody knows yet what became of it."""
        return self.result is None

    @property
    def is_automatic(self) -> bool:
        """Tell whether no human placed it."""
        return self.by == BY_IVR

    @property
    def at(self) -> datetime:
        """Return when it was dialled, or was going to be."""
        return self.dialled_at or self.planned_at

    @property
    def may_be_heard(self) -> bool:
        """Tell whether only an announcement may have said why nobody answered: who heard it may say so."""
        unheard = self.cause_source is not CauseSource.HUMAN
        return self.early_media and unheard and self.result is Result.NO_ANSWER

    @property
    def counts(self) -> bool:
        """Tell whether it uses up one rung of the ladder (R27)."""
        return self.result is not None and self.result not in FREE_RESULTS


class ClosingKind(StrEnum):
    """How an obligation ended without contact (closed list)."""

    #: Another one took its place: a new grade, a new anchor, another contact.
    SUPERSEDED = "superseded"
    #: A named supervisor let it go; of people in danger two did.
    WAIVED = "waived"
    #: The person does not want it, on record.
    REFUSED = "refused"
    #: The file left, the plan or the case ended.
    LEFT = "left"
    DIED = "died"
    WRONG_PERSON = "wrong_person"
    DUPLICATE = "duplicate"
    #: Looked at and set right (`Kind.VERIFY`).
    VERIFIED = "verified"
    #: For a reason that stands in words.
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """An obligation ended without contact. Always by a name."""

    at: datetime
    reason: str
    by: str
    kind: ClosingKind = ClosingKind.OTHER


#: No lease is given for longer.
LONGEST_LEASE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who works on an obligation now. `fence` grows with each claim; a stale holder is refused."""

    owner: str
    until: datetime
    fence: int

    def holds(self, now: datetime) -> bool:
        """Tell whether it still keeps others away.

        Nobody is given one for longer than `LONGEST_LEASE`: one that would last longer was given before
        the clock was set back, and would keep somebody waiting for as long as it was wrong.
        """
        return now < self.until <= now + LONGEST_LEASE


@dataclass(frozen=True, kw_only=True, slots=True)
class Obligation:
    """What we owe a person."""

    id: str
    person: str
    kind: Kind
    due_at: datetime
    #: R31: never later than this.
    window_end: datetime
    mode: Mode
    #: Smaller is more urgent.
    priority: int = 5
    #: What it arose from: the file number, the promising call's id.
    origin: str = ""
    #: What came with it, as `k=v` joined by `&`: `number`, `code`, `node`. Opaque here.
    detail: str = field(default="", repr=False)
    created_at: datetime
    closing: Closing | None = None
    lease: Lease | None = None
    #: Ladder: not before this instant.
    next_at: datetime | None = None
    #: Code of who took it on; nobody is held to it, and a supervisor may pass it on.
    owner: str | None = None
    #: A person put it off until then, with a reason; it stays owed.
    snoozed_until: datetime | None = None
    #: When it was last handed up to a supervisor.
    escalated_at: datetime | None = None
    #: By how much misses raised it (R35): taken off `priority`.
    raised: int = 0

    def __post_init__(self) -> None:
        if self.window_end < self.due_at:
            raise SchedulerError("an obligation's window cannot end before it is due")


class Status(StrEnum):
    """Where an obligation stands: derived, never stored."""

    SCHEDULED = "scheduled"
    OWED = "owed"
    SATISFIED = "satisfied"
    CLOSED = "closed"


def status_of(obligation: Obligation, evidence: tuple[Evidence, ...], now: datetime) -> Status:
    """Return where the obligation stands at `now`, from evidence and closing alone."""
    if any(proof.obligation == obligation.id for proof in evidence):
        return Status.SATISFIED
    if obligation.closing is not None:
        return Status.CLOSED
    return Status.OWED if now >= obligation.due_at else Status.SCHEDULED
