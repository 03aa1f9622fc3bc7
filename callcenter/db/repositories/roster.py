"""Shifts and presence acts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update

from callcenter.db.repositories.base import Repository, Row, chunks
from callcenter.db.tables import presence, roster_revision, shifts
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind, current_acts
from callcenter.errors import Conflict, NotFound

_SIGNS = (PresenceAct.ON.value, PresenceAct.OFF.value)
_DEBRIEFS = (PresenceAct.DEBRIEF.value, PresenceAct.DEBRIEFED.value)
#: Whoever plans holds this till the end of the transaction (PostgreSQL).
_LOCK = 0x726F7374


class SqlRoster(Repository):
    """`revision` grows with every change of shifts or presence."""

    def add_shift(self, shift: Shift) -> None:
        """Add a shift; raise `Conflict` if its id is taken."""
        if not self._insert_new(shifts, _row(shift)):
            raise Conflict(f"班次 {shift.id} 已存在。")
        self._bump()

    def replace_shifts(self, gone: Iterable[str], new: Iterable[Shift]) -> None:
        """Take shifts off by id and put others on, at once; an id that is not there is no fault."""
        for ids in chunks(gone):
            self._connection.execute(delete(shifts).where(shifts.c.id.in_(ids)))
        for some in chunks(new):
            self._connection.execute(insert(shifts), [_row(shift) for shift in some])
        self._bump()

    def remove_shift(self, shift_id: str) -> Shift:
        """Remove a shift and return it, or raise `NotFound`."""
        gone = delete(shifts).where(shifts.c.id == shift_id).returning(shifts)
        row = self._connection.execute(gone).mappings().first()
        if row is None:
            raise NotFound(f"没有班次 {shift_id}。")
        self._bump()
        return _shift(row)

    def shift(self, shift_id: str) -> Shift:
        """Return a shift, or raise `NotFound`."""
        row = self._first(select(shifts).where(shifts.c.id == shift_id))
        if row is None:
            raise NotFound(f"没有班次 {shift_id}。")
        return _shift(row)

    def hold(self) -> None:
        """Let one transaction at a time plan: what was read from here on stands until it commits."""
        self._wait_turn(_LOCK)

    def shifts_between(self, start: datetime, end: datetime) -> Sequence[Shift]:
        """Return the shifts that touch [start, end), by start."""
        touching = select(shifts).where(shifts.c.start_at < end, shifts.c.end_at > start)
        in_order = touching.order_by(shifts.c.start_at, shifts.c.id)
        # A year of a large line is many rows: one at a time.
        return [_shift(row) for row in self._connection.execute(in_order).mappings()]

    def add_presence(self, event: PresenceEvent) -> bool:
        """Store an act; return False if its key is already known."""
        row = {
            "key": event.key,
            "agent": event.agent,
            "act": event.act.value,
            "at": event.at,
            "source": event.source,
            "reason": event.reason,
        }
        is_new = self._insert_new(presence, row)
        if is_new:
            self._bump()
        return is_new

    def presence_events(self) -> Sequence[PresenceEvent]:
        """Return the acts that say where each agent stands now (`current_acts`)."""
        found = {
            row["key"]: _presence(row) for acts in (_SIGNS, _DEBRIEFS) for row in self._all(_since_last(acts))
        }
        return current_acts(found.values())

    def presence_between(self, start: datetime, end: datetime) -> Sequence[PresenceEvent]:
        """Return every act in [start, end), oldest first."""
        within = select(presence).where(presence.c.at >= start, presence.c.at < end)
        return [_presence(row) for row in self._all(within.order_by(presence.c.at, presence.c.key))]

    def revision(self) -> int:
        """Return a number that grows with every change of shifts or presence."""
        return self._connection.scalar(select(roster_revision.c.value)) or 0

    def touch(self) -> None:
        """Let the revision grow: something else that routing goes by has changed."""
        self._bump()

    def _bump(self) -> None:
        grown = update(roster_revision).values(value=roster_revision.c.value + 1)
        if self._connection.execute(grown).rowcount == 0:
            self._connection.execute(insert(roster_revision).values(value=1))


def _since_last(acts: tuple[str, ...]) -> Select[Any]:
    """Select each agent's acts since (and including) the last of these, all of them if there is none.

    Of debriefings only the last word counts, so those who never had one are left out.
    """
    last = (
        select(presence.c.agent, func.max(presence.c.at).label("at"))
        .where(presence.c.act.in_(acts))
        .group_by(presence.c.agent)
        .subquery()
    )
    if acts == _DEBRIEFS:
        newest = (presence.c.agent == last.c.agent) & (presence.c.at == last.c.at)
        return select(presence).join(last, newest).where(presence.c.act.in_(acts))
    since = (last.c.at.is_(None)) | (presence.c.at >= last.c.at)
    return select(presence).outerjoin(last, last.c.agent == presence.c.agent).where(since)


def _row(shift: Shift) -> dict[str, Any]:
    return {
        "id": shift.id,
        "agent": shift.agent,
        "start_at": shift.start,
        "end_at": shift.end,
        "kind": shift.kind.value,
        "source": shift.source,
    }


def _shift(row: Row) -> Shift:
    return Shift(
        id=row["id"],
        agent=row["agent"],
        start=row["start_at"],
        length=row["end_at"] - row["start_at"],
        kind=ShiftKind(row["kind"]),
        source=row["source"],
    )


def _presence(row: Row) -> PresenceEvent:
    return PresenceEvent(
        key=row["key"],
        agent=row["agent"],
        act=PresenceAct(row["act"]),
        at=row["at"],
        source=row["source"],
        reason=row["reason"],
    )
