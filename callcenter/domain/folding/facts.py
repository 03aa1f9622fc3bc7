"""What a fold finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from callcenter.domain.alarms import AlarmAck
from callcenter.domain.calls import CallRecord
from callcenter.domain.duty import PresenceEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeSeen:
    """Our own self-dial arrived at the inbound route (journal row `SELFDIAL`)."""

    #: The probe's id, `sd-<hex>`.
    probe: str
    #: How many members the queue had.
    members: int
    at: datetime


class LineActKind(StrEnum):
    """What was done on a live call; each is a row of the journal by that name."""

    #: A counsellor pressed the key for somebody in danger (R14): `agent`; pressed on a second line: `call`.
    CRISIS = "CRISIS"
    #: A supervisor's ear came or went: `listening`, `act` (`start`, `end`).
    LISTEN = "LISTEN"
    #: Recording: `agent`, `act` (`asked`, `agreed`, `refused`, `paused`, `resumed`, `stopped`, `withdrawn`).
    RECORD = "RECORD"
    #: A caller was handed on: `from`, `to`, `act` (`sent`, `accepted`, `back`).
    HANDOVER = "HANDOVER"


@dataclass(frozen=True, kw_only=True, slots=True)
class LineAct:
    """Something that was done on a live call, in the journal's words."""

    key: str
    kind: LineActKind
    #: The call's id.
    call: str
    words: tuple[tuple[str, str], ...] = field(repr=False)
    at: datetime

    def word(self, name: str) -> str:
        """Return a word of the row; empty if it has none."""
        return dict(self.words).get(name, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Acts:
    """What people did by phone. Told again when the same rows are read again: keep by key."""

    presence: tuple[PresenceEvent, ...] = ()
    acks: tuple[AlarmAck, ...] = ()
    probes: tuple[ProbeSeen, ...] = ()
    line: tuple[LineAct, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts(Acts):
    """Everything that rows say: calls, open and closed, and acts."""

    calls: tuple[CallRecord, ...] = ()
