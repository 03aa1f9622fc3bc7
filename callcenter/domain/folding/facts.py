"""What a fold finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Acts:
    """What people did by phone. Told again when the same rows are read again: keep by key."""

    presence: tuple[PresenceEvent, ...] = ()
    acks: tuple[AlarmAck, ...] = ()
    probes: tuple[ProbeSeen, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts(Acts):
    """Everything that rows say: calls, open and closed, and acts."""

    calls: tuple[CallRecord, ...] = ()
