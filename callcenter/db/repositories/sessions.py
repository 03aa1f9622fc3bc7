"""Handling records of answered calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from callcenter.db import tables
from callcenter.db.repositories.base import Repository, Row
from callcenter.ports import SessionRow, SessionStatus


class SqlSessions(Repository):
    """One per call; opening again changes nothing."""

    def open_many(self, sessions: Iterable[SessionRow]) -> int:
        """Open those whose call has none yet; return how many."""
        return self._insert_all_new(tables.sessions, [_row(session) for session in sessions])

    def all(self, status: SessionStatus | None = None) -> Sequence[SessionRow]:
        """Return the sessions, oldest first; only those of a status if one is given."""
        query = select(tables.sessions).order_by(tables.sessions.c.opened_at, tables.sessions.c.id)
        if status is not None:
            query = query.where(tables.sessions.c.status == status.value)
        return [_session(row) for row in self._all(query)]

    def of_call(self, call_id: str) -> SessionRow | None:
        """Return the session of a call."""
        row = self._first(select(tables.sessions).where(tables.sessions.c.call == call_id))
        return _session(row) if row else None


def _row(session: SessionRow) -> Row:
    return {
        "id": session.id,
        "call": session.call,
        "counsellor": session.counsellor,
        "opened_at": session.opened_at,
        "status": session.status.value,
    }


def _session(row: Row) -> SessionRow:
    return SessionRow(
        id=row["id"],
        call=row["call"],
        counsellor=row["counsellor"],
        opened_at=row["opened_at"],
        status=SessionStatus(row["status"]),
    )
