"""What the store in memory holds. Values are frozen, so that copying the containers is enough."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from callcenter.domain.alarms import Alarm
from callcenter.domain.books import BOOKS
from callcenter.domain.calls import CallRecord
from callcenter.domain.duty import PresenceEvent, Shift
from callcenter.domain.moments import check_aware
from callcenter.domain.people import Consent, HardshipFile, Person, Suppression
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import User
from callcenter.ports import AuditEntry, Checkpoint, UnreadRow
from scheduler.obligations import Attempt, Evidence, Obligation

T = TypeVar("T")


@dataclass(kw_only=True, slots=True)
class State:
    """Every row, by its key."""

    users: dict[str, User] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    #: Hash of each entry of `audit`, in the same order.
    audit_hashes: list[bytes] = field(default_factory=list)
    shifts: dict[str, Shift] = field(default_factory=dict)
    presence: dict[str, PresenceEvent] = field(default_factory=dict)
    revision: int = 0
    calls: dict[str, CallRecord] = field(default_factory=dict)
    #: By call id.
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    unread: dict[str, UnreadRow] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    consents: list[Consent] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)
    files: dict[str, HardshipFile] = field(default_factory=dict)
    #: Person -> when the sweep has to look at their files.
    looks: dict[str, datetime] = field(default_factory=dict)
    #: What the ledger keeps of itself.
    remembered: dict[str, str] = field(default_factory=dict)
    #: Erased person -> numbers that stay barred. Only the database knows how to keep no more than hashes.
    erased: dict[str, frozenset[str]] = field(default_factory=dict)
    obligations: dict[str, Obligation] = field(default_factory=dict)
    #: Last fence given for an obligation; outlives the lease, so that a stale holder stays refused.
    fences: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    #: Table -> id -> value, of every book.
    books: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {book.table: {} for book in BOOKS},
    )

    def copy(self) -> State:
        """Return a state whose containers may be changed without touching this one."""
        return State(**{f.name: _copied(getattr(self, f.name)) for f in fields(self)})


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: v.copy() if isinstance(v, dict) else v for k, v in value.items()}
    return value if isinstance(value, int) else value.copy()


def checked(value: T) -> T:
    """Return a dataclass value, or raise `ValueError` if one of its moments has no zone."""
    for f in fields(value):  # type: ignore[arg-type]
        moment = getattr(value, f.name)
        if isinstance(moment, datetime):
            check_aware(moment)
    return value
