"""Shifts and presence acts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from callcenter.db.repositories.base import Repository, Row
from callcenter.db.tables import presence, roster_revision, shifts
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, current_acts
from callcenter.errors import Conflict, NotFound

_SIGNS = (PresenceAct.ON.value, PresenceAct.OFF.value)


class SqlRoster(Repository):
    """`revision` grows with every change of shifts or presence."""

    def add_shift(self, shift: Shift) -> None:
        """Add a shift; raise `Conflict` if its id is taken."""
        row = {"id": shift.id, "agent": shift.agent, "start_at": shift.start, "end_at": shift.end}
        if not self._insert_new(shifts, row):
            raise Conflict(f"班次 {shift.id} 已存在。")
        self._bump()

    def remove_shift(self, shift_id: str) -> Shift:
        """Remove a shift and return it, or raise `NotFound`."""
        gone = delete(shifts).where(shifts.c.id == shift_id).returning(shifts)
        row = self._connection.execute(gone).mappings().first()
        if row is None:
            raise NotFound(f"没有班次 {shift_id}。")
        self._bump()
        return _shift(row)

    def shifts_between(self, start: datetime, end: datetime) -> Sequence[Shift]:
        """Return the shifts that touch [start, end), by start."""
        touching = select(shifts).where(shifts.c.start_at < end, shifts.c.end_at > start)
        return [_shift(row) for row in self._all(touching.order_by(shifts.c.start_at, shifts.c.id))]

    def add_presence(self, event: PresenceEvent) -> bool:
        """Store an act; return False if its key is already known."""
        row = {
            "key": event.key,
            "agent": event.agent,
            "act": event.act.value,
            "at": event.at,
            "source": event.source,
        }
        is_new = self._insert_new(presence, row)
        if is_new:
            self._bump()
        return is_new

    def presence_events(self) -> Sequence[PresenceEvent]:
        """Return, per agent, the acts since (and including) the last `on` or `off`."""
        last = (
            select(presence.c.agent, func.max(presence.c.at).label("at"))
            .where(presence.c.act.in_(_SIGNS))
            .group_by(presence.c.agent)
            .subquery()
        )
        since = (
            select(presence)
            .outerjoin(last, last.c.agent == presence.c.agent)
            .where((last.c.at.is_(None)) | (presence.c.at >= last.c.at))
        )
        return current_acts(_presence(row) for row in self._all(since))

    def revision(self) -> int:
        """Return a number that grows with every change of shifts or presence."""
        return self._connection.scalar(select(roster_revision.c.value)) or 0

    def _bump(self) -> None:
        grown = update(roster_revision).values(value=roster_revision.c.value + 1)
        if self._connection.execute(grown).rowcount == 0:
            self._connection.execute(insert(roster_revision).values(value=1))


def _shift(row: Row) -> Shift:
    return Shift(
        id=row["id"], agent=row["agent"], start=row["start_at"], length=row["end_at"] - row["start_at"]
    )


def _presence(row: Row) -> PresenceEvent:
    return PresenceEvent(
        key=row["key"], agent=row["agent"], act=PresenceAct(row["act"]), at=row["at"], source=row["source"]
    )
