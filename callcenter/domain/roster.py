"""How the roster is planned: slots to fill, shifts that recur, what differs on a date, swaps, publications.

All of it is plan; what the line goes by are the published shifts (`callcenter.domain.duty.Shift`).
Times are wall time at the site, so that a shift at 19:00 stays one whatever the clock does; a shift is
start + length, so that one over midnight belongs to the day on which it begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from callcenter.domain.duty import ShiftKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """How many people a slot of the week needs (R44). Without any, the line's hours need 2 and 1."""

    id: str
    #: 0 is Monday.
    days: frozenset[int]
    start: time
    length: timedelta
    seats: int = 2
    supervisors: int = 1
    backups: int = 0
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A shift that recurs each week, or every so many weeks, for the same people."""

    id: str
    name: str
    kind: ShiftKind = ShiftKind.LINE
    #: Days on which it begins; 0 is Monday.
    days: frozenset[int]
    start: time
    length: timedelta
    agents: tuple[str, ...]
    #: First and last day on which it may begin; no last day: for ever.
    first: date
    last: date | None = None
    #: Every so many weeks, counted from the week of `first`.
    every: int = 1
    revision: int = 0


class OverrideAct(StrEnum):
    """What differs from the template on a date."""

    CANCEL = "cancel"
    SUBSTITUTE = "substitute"


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """On one date a template does not hold, for one of its people or for all."""

    id: str
    template: str
    day: date
    act: OverrideAct
    #: Whom it is about; empty: everybody of the template (cancel only).
    agent: str = ""
    #: Who comes instead (substitute only).
    substitute: str = ""
    reason: str = field(default="", repr=False)
    by: str
    at: datetime
    revision: int = 0


class SwapState(StrEnum):
    """Where a swap stands. Only an approved one changes the roster."""

    OFFERED = "offered"
    TAKEN = "taken"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """A published shift that its owner offers to others."""

    id: str
    shift: str
    #: Whose shift it is, and who would take it.
    agent: str
    taker: str = ""
    state: SwapState = SwapState.OFFERED
    reason: str = field(default="", repr=False)
    at: datetime
    decided_by: str = ""
    decided_at: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One publishing: which days, by whom, and which faults were let pass with what reason (R44)."""

    id: str
    first: date
    last: date
    shifts: int
    faults: tuple[str, ...] = ()
    reason: str = field(default="", repr=False)
    by: str
    at: datetime
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Surge:
    """Until when backups are rung like everybody at the line. One value, id `line`; ends by itself."""

    id: str
    until: datetime
    reason: str = field(default="", repr=False)
    by: str
    at: datetime
    revision: int = 0
