"""Handling records of answered calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update

from callcenter.db import tables
from callcenter.db.repositories.base import Repository, Row, chunks
from callcenter.domain.sessions import SessionRow, SessionStatus
from callcenter.errors import Conflict, NotFound


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

    def since(self, start: datetime, *, counsellor: str | None = None) -> Sequence[SessionRow]:
        """Return the sessions opened from then on, oldest first; of one counsellor if given."""
        # Named one by one, so that the index by status and time is used: there are millions of older ones.
        every = tables.sessions.c.status.in_([status.value for status in SessionStatus])
        query = select(tables.sessions).where(every, tables.sessions.c.opened_at >= start)
        if counsellor is not None:
            query = query.where(tables.sessions.c.counsellor == counsellor)
        return [
            _session(row)
            for row in self._all(query.order_by(tables.sessions.c.opened_at, tables.sessions.c.id))
        ]

    def of_call(self, call_id: str) -> SessionRow | None:
        """Return the session of a call."""
        row = self._first(select(tables.sessions).where(tables.sessions.c.call == call_id))
        return _session(row) if row else None

    def get(self, session_id: str) -> SessionRow:
        """Return a session, or raise `NotFound`."""
        row = self._first(select(tables.sessions).where(tables.sessions.c.id == session_id))
        if row is None:
            raise NotFound(f"没有接访记录 {session_id}。")
        return _session(row)

    def of_person(self, person: str) -> Sequence[SessionRow]:
        """Return the sessions about a person, oldest first."""
        theirs = select(tables.sessions).where(tables.sessions.c.person == person)
        oldest_first = theirs.order_by(tables.sessions.c.opened_at, tables.sessions.c.id)
        return [_session(row) for row in self._all(oldest_first)]

    def about(self, persons: Iterable[str]) -> frozenset[str]:
        """Return those of the people of whom there is a record."""
        found: set[str] = set()
        for chunk in chunks(persons):
            theirs = select(tables.sessions.c.person).where(tables.sessions.c.person.in_(chunk)).distinct()
            found.update(self._connection.scalars(theirs))
        return frozenset(found)

    def update(self, session: SessionRow, *, seen: int) -> None:
        """Replace the head if its version is still `seen`, or raise `Conflict`."""
        mine = (tables.sessions.c.id == session.id) & (tables.sessions.c.version == seen)
        change = update(tables.sessions).where(mine).values(**_row(session))
        if self._connection.execute(change).rowcount != 1:
            self.get(session.id)
            raise Conflict(f"接访记录 {session.id} 刚被别人改过,请重新打开再改。")


def _row(session: SessionRow) -> Row:
    return {
        "id": session.id,
        "call": session.call,
        "counsellor": session.counsellor,
        "opened_at": session.opened_at,
        "status": session.status.value,
        "person": session.person,
        "version": session.version,
        "submitted_at": session.submitted_at,
    }


def _session(row: Row) -> SessionRow:
    return SessionRow(
        id=row["id"],
        call=row["call"],
        counsellor=row["counsellor"],
        opened_at=row["opened_at"],
        status=SessionStatus(row["status"]),
        person=row["person"],
        version=row["version"],
        submitted_at=row["submitted_at"],
    )
