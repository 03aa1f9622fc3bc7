"""A caller or a case goes to somebody else: open until that person says by name that they have it (R45)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class HandoverState(StrEnum):
    """Sent and read is not accepted."""

    OPEN = "open"
    ACCEPTED = "accepted"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, kw_only=True, slots=True)
class Handover:
    """One hand-over, to a colleague or to an agency (110, 120, 12356)."""

    id: str
    #: `call:<id>` or `case:<id>`.
    about: str
    from_agent: str
    #: A user's code, or an agency's name.
    to: str
    #: What they were told.
    told: str = field(default="", repr=False)
    sent_at: datetime
    state: HandoverState = HandoverState.OPEN
    #: The name of the person who took it: a user's code, or what somebody at the agency said.
    accepted_by: str = field(default="", repr=False)
    accepted_at: datetime | None = None
    revision: int = 0
