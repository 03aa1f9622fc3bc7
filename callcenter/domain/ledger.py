"""What is kept beside the debts themselves: plans they arise from, what people did with them, waivers.

None of it says "done". A waiver, a snooze or a claim changes who acts and when, never what is owed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum


class PlanKind(StrEnum):
    """Why somebody is to be called again and again."""

    #: A hospital day every so many days: the call comes the day before.
    HOSPITAL_DAY = "hospital_day"
    #: Talks as agreed with a counsellor.
    COUNSELLING = "counselling"
    OTHER = "other"


class PlanState(StrEnum):
    """Where a plan stands."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A series of contacts, counted from one date. A new anchor begins it anew and keeps its history."""

    id: str
    person: str
    kind: PlanKind
    #: The day the series is counted from: a hospital day, the first talk.
    anchor: date
    #: Exactly one of the two: every so many days, or months (the end of a shorter month is its last day).
    every_days: int | None = None
    every_months: int | None = None
    #: The contact falls due so many days before each day of the series.
    days_before: int = 0
    #: Wall time at which it falls due.
    hour: time = time(10)
    #: No day of the series after this one; None: until somebody ends it.
    until: date | None = None
    #: Who is to make the contacts; None: whoever works the queue.
    owner: str | None = None
    #: What it is about. Sealed; the queue shows it to who sees counselling.
    note: str = field(default="", repr=False)
    state: PlanState = PlanState.ACTIVE
    ended_because: str = field(default="", repr=False)
    #: When, by whom and why it was changed, a line each. Sealed: the audit has codes only.
    changes: tuple[str, ...] = field(default=(), repr=False)
    by: str
    at: datetime
    #: How often it was anchored anew: a mark in the origins of its debts.
    round: int = 0
    #: When it was anchored last: no day that was over by then is owed. None: when it was made.
    anchored_at: datetime | None = None
    revision: int = 0


class DebtAct(StrEnum):
    """What a person, or we, did with a debt."""

    CLAIMED = "claimed"
    RELEASED = "released"
    ASSIGNED = "assigned"
    SNOOZED = "snoozed"
    WOKEN = "woken"
    ESCALATED = "escalated"
    WAIVER_ASKED = "waiver_asked"
    WAIVER_REFUSED = "waiver_refused"
    WAIVED = "waived"
    #: An outcome written by hand: of a call on record, or of a private path (a visit, a message app).
    OUTCOME = "outcome"
    #: R26: what a supervisor decided about somebody in danger whom nobody reaches.
    DECIDED = "decided"
    OVERRIDDEN = "overridden"
    #: A promise ended without contact, by a supervisor: said twice, or nobody's voice in it.
    CLOSED = "closed"


class Decision(StrEnum):
    """What becomes of somebody in danger whom nobody reaches (R26)."""

    OTHER_PHONE = "other_phone"
    CONTACT_PERSON = "contact_person"
    HOME_VISIT = "home_visit"
    #: The police look after them at home (110).
    WELFARE_CHECK = "welfare_check"


@dataclass(frozen=True, kw_only=True, slots=True)
class DebtEvent:
    """One act on a debt, with its reason. Rows are added and never changed."""

    id: str
    obligation: str
    act: DebtAct
    by: str
    at: datetime
    reason: str = field(default="", repr=False)
    #: What it was set to: a moment, a code, a result.
    value: str = ""
    revision: int = 0


class WaiverState(StrEnum):
    """Asked for, granted, refused."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiver:
    """A debt let go by name. Where two are needed, the second is another supervisor."""

    id: str
    obligation: str
    reason: str = field(repr=False)
    asked_by: str
    asked_at: datetime
    #: Whether a second supervisor has to agree.
    needs_two: bool
    state: WaiverState = WaiverState.OPEN
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision: str = field(default="", repr=False)
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DiallerPause:
    """The dialler stopped by a person. There is one row of it, `dialler`."""

    id: str
    by: str
    at: datetime
    reason: str = field(default="", repr=False)
    #: It goes on by itself then; None: until somebody lets it.
    until: datetime | None = None
    #: Who let it go on.
    resumed_by: str | None = None
    resumed_at: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftSheet:
    """What one shift leaves to the next. Open until somebody accepts it by name (R45)."""

    id: str
    by: str
    at: datetime
    #: What stood open then, as lines of ids and codes.
    lines: tuple[str, ...] = field(default=(), repr=False)
    #: What the one who leaves adds. Sealed.
    note: str = field(default="", repr=False)
    accepted_by: str | None = None
    accepted_at: datetime | None = None
    #: `open` or `accepted`.
    state: str = "open"
    revision: int = 0
