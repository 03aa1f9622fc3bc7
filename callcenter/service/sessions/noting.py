"""What somebody did to a record, in the audit: never what stands in it."""

from __future__ import annotations

from datetime import datetime

from callcenter.ports import AuditEntry, UnitOfWork


def note(
    work: UnitOfWork, by: str, verb: str, session_id: str, at: datetime, *, field: str = "", reason: str = ""
) -> None:
    """Write into the audit what somebody did to a record."""
    entry = AuditEntry(actor=by, verb=verb, object=f"session:{session_id}", at=at, field=field, reason=reason)
    work.audit.append(entry)
