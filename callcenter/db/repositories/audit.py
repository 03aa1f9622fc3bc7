"""Who did what. Triggers in the database refuse UPDATE and DELETE."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from callcenter.db.repositories.base import Repository, Row
from callcenter.db.tables import audit
from callcenter.ports import AuditEntry

#: "audi": any number will do, as long as nobody else's lock has it.
_LOCK = 0x61756469


class SqlAuditLog(Repository):
    """Append-only; numbered without gaps, so that a missing entry shows."""

    def append(self, entry: AuditEntry) -> None:
        """Append an entry under the next sequence number."""
        self._wait_turn(_LOCK)
        last = self._connection.scalar(select(func.max(audit.c.seq))) or 0
        self._connection.execute(insert(audit).values(**self._row(entry), seq=last + 1))

    def recent(self, limit: int) -> Sequence[AuditEntry]:
        """Return the newest entries, newest first."""
        return [
            self._entry(row) for row in self._all(select(audit).order_by(audit.c.seq.desc()).limit(limit))
        ]

    def _row(self, entry: AuditEntry) -> Row:
        return {
            "actor": entry.actor,
            "verb": entry.verb,
            "object": entry.object,
            "field": entry.field,
            "reason": self._cipher.seal(entry.reason, "audit.reason"),
            "at": entry.at,
        }

    def _entry(self, row: Row) -> AuditEntry:
        return AuditEntry(
            seq=row["seq"],
            actor=row["actor"],
            verb=row["verb"],
            object=row["object"],
            field=row["field"],
            reason=self._cipher.open(row["reason"], "audit.reason") or "",
            at=row["at"],
        )
