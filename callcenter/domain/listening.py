"""A supervisor's ear on a call: heard by nobody, by the counsellor, or by both. Always with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ListenMode(StrEnum):
    """How far a supervisor comes in."""

    #: Hears both, is heard by nobody.
    LISTEN = "listen"
    #: Heard by the counsellor only.
    WHISPER = "whisper"
    #: Heard by both: a call of three, never by accident.
    BARGE = "barge"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listening:
    """One supervisor on one call. Never changed but for its start and end, which the journal tells."""

    id: str
    call: str
    #: Whose call it is.
    agent: str
    by: str
    mode: ListenMode
    reason: str = field(repr=False)
    asked_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    revision: int = 0
