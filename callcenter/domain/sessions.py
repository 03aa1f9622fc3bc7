"""The handling record of an answered call: draft, submit, review, amend. Nothing is ever overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

#: A record is written within this time from the beginning of the talk, or it is late (I2).
LATE_AFTER = timedelta(hours=24)
#: Whether somebody arrived where they were referred to is asked for so long.
ASKED_FOR = timedelta(days=180)


class SessionStatus(StrEnum):
    """Where a handling record stands."""

    #: Opened by an answered call; a counsellor has still to write it. A draft may lie beside it.
    OPEN = "open"
    SUBMITTED = "submitted"
    REVIEWED = "reviewed"
    #: Amended after it was submitted; to be reviewed (again).
    AMENDED = "amended"


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRow:
    """The head of a handling record; what is in it stands in its versions."""

    id: str
    call: str
    counsellor: str | None
    opened_at: datetime
    status: SessionStatus = SessionStatus.OPEN
    #: Whom it is about; None until it is submitted, and for records about nobody (wrong number).
    person: str | None = None
    #: Number of the newest version; 0: none was submitted yet.
    version: int = 0
    submitted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionVersion:
    """One submitted version of a record. Append-only: amending adds one."""

    #: `<session>/<n>`.
    id: str
    session: str
    n: int
    #: `submitted`, `reviewed` or `amended`: what made this version.
    status: SessionStatus
    #: Form and version by which it was written, `session/1`, and the checksum of that definition.
    form: str
    checksum: str
    #: Field id -> value, as the form's types say.
    answers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    by: str
    at: datetime
    #: Why it was amended; what the reviewer remarked.
    reason: str = field(default="", repr=False)
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What somebody has typed so far. Its id is the session's; one per session."""

    id: str
    by: str
    at: datetime
    form: str
    #: The editor's text, word for word: also what does not parse yet is kept.
    text: str = field(default="", repr=False)
    #: The version of the record it began from: who amended it meanwhile is not overwritten.
    base: int = 0
    #: It came whole, from a file: a corrected file takes its place.
    handed_in: bool = False
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class FormText:
    """A form's definition as it was in use, so that old records stay readable. Id: `session/1`."""

    id: str
    checksum: str
    text: str
    first_used_at: datetime
    revision: int = 0
