"""What protects people's data, as values: plans, blocks, merges, requests, holds, tombstones, exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from callcenter.domain.cases import Case
from callcenter.domain.people import Person

#: By whom somebody would rather be answered.
Wish = Literal["", "woman", "man"]
#: A plan raises nobody as high as somebody in danger stands (8 and 9).
HIGHEST_RANK = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class CallerPlan:
    """How a repeat caller is looked after: shown when they call. Its id is the person's."""

    id: str
    #: Named worker, agreed times, links to care, what helps, what does not.
    worker: str | None = None
    times: str = field(default="", repr=False)
    links: str = field(default="", repr=False)
    instructions: str = field(default="", repr=False)
    #: Waited for a while, then whoever is there.
    wish: Wish = ""
    #: 0 to `HIGHEST_RANK`: their place in the queue; it raises, and never lowers what else holds.
    rank: int = 0
    review_on: datetime | None = None
    by: str
    at: datetime
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A number that is not put through for a while; its caller still hears 110, 120 and 12356 (R19)."""

    id: str
    number: str = field(repr=False)
    since: datetime
    #: At most 30 days later.
    until: datetime
    by: str
    reason: str = field(repr=False)
    lifted_at: datetime | None = None
    lifted_by: str | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Merge:
    """Two entries found to be one person, and what moved, so that it can be taken apart again."""

    id: str
    kept: str
    merged: str
    by: str
    at: datetime
    reason: str = field(repr=False)
    #: Kind of row -> ids that moved from `merged` to `kept`.
    moved: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    #: Both entries as they were; and the cases that became one: the one that ended, the one that went on.
    kept_before: Person | None = field(default=None, repr=False)
    merged_before: Person | None = field(default=None, repr=False)
    cases_before: tuple[Case, ...] = field(default=(), repr=False)
    undone_at: datetime | None = None
    undone_by: str | None = None
    revision: int = 0


class RequestKind(StrEnum):
    """What a person asks for (PIPL art. 44-47)."""

    ACCESS = "access"
    CORRECTION = "correction"
    ERASURE = "erasure"


class RequestState(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class DataRequest:
    """A person's request about their own data, to be answered in 15 working days (R43)."""

    id: str
    person: str
    kind: RequestKind
    state: RequestState
    opened_at: datetime
    due_at: datetime
    by: str
    #: How it was made sure that it is the person who asks.
    identity_check: str = field(repr=False)
    wish: str = field(default="", repr=False)
    answered_at: datetime | None = None
    answered_by: str | None = None
    answer: str = field(default="", repr=False)
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A legal hold: what it names is kept whatever the retention rules say (R42)."""

    id: str
    #: `person:<id>` or `session:<id>`.
    object: str
    by: str
    at: datetime
    reason: str = field(repr=False)
    released_at: datetime | None = None
    released_by: str | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tombstone:
    """That something stood here and was taken away, by which rule (I6). Append-only."""

    id: str
    #: `session:<id>`, `person:<id>`, ...
    object: str
    #: Retention rule or request by which it went.
    rule: str
    by: str
    at: datetime
    reason: str = field(default="", repr=False)
    #: For the yearly account, of `statistics:<month>`: what was counted -> value -> how often.
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict, repr=False)
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A file that left the store: by whom, what, until when it may lie about (R41)."""

    #: Also its watermark and its file's name.
    id: str
    kind: str
    by: str
    at: datetime
    expires_at: datetime
    rows: int
    reason: str = field(repr=False)
    #: SHA-256 of the file, to tell a leaked copy by.
    checksum: str = ""
    #: Id of the person whose own copy it is.
    about: str = ""
    deleted_at: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """How a user proves who they are. Its id is the user's code."""

    id: str
    #: Argon2id, in PHC form.
    password: str = field(repr=False)
    #: Secret of the second factor (RFC 6238), base32; None: none set.
    totp: str | None = field(default=None, repr=False)
    #: A new secret that no code confirmed yet.
    totp_pending: str | None = field(default=None, repr=False)
    #: Last time step a code was accepted in: a code counts once.
    totp_step: int = 0
    changed_at: datetime
    #: An administrator took the second factor off: it has to be set anew before the next login.
    totp_due: bool = False
    #: Wrong passwords and wrong codes since the last full sign-in.
    failures: int = 0
    totp_failures: int = 0
    locked_until: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A signed-in session of a user. Its id is the SHA-256 of the token: the token itself stands nowhere."""

    id: str
    user: str
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    revision: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Sound kept sealed: a message a caller left. Its file's name says nothing."""

    id: str
    call: str
    #: Node of the flow at which it was left.
    node: str
    at: datetime
    #: Bytes of the sound before sealing.
    size: int
    #: File name in the recordings folder; empty once it was deleted.
    file: str
    #: The key of that file alone (base64): without this row nobody opens it. Empty once it was deleted.
    key: str = field(default="", repr=False)
    #: SHA-256 of the sound: tells one that was sealed already from another.
    checksum: str = field(default="", repr=False)
    #: `message`: left by a caller. `call`: a conversation, recorded with consent (R15).
    kind: str = "message"
    #: Of a conversation: who talked with the caller, and when the caller agreed.
    agent: str = ""
    agreed_at: datetime | None = None
    #: When the caller took the consent back by way of the counsellor: from then on nothing was recorded.
    withdrawn_at: datetime | None = None
    #: When somebody had it deleted for good; what still comes of it is thrown away.
    dropped_at: datetime | None = None
    revision: int = 0
