"""The alarm log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from callcenter.db.repositories.base import Repository, Row
from callcenter.db.tables import alarms
from callcenter.domain.alarms import OF_CALLS, Alarm, AlarmKind
from callcenter.errors import Conflict, NotFound

#: "alar": two processes must not both raise the same alarm.
_LOCK = 0x616C6172


class SqlAlarms(Repository):
    """At most one open alarm of a kind, `OF_CALLS` aside; a partial unique index holds it too."""

    def put(self, alarm: Alarm) -> None:
        """Upsert by id; raise `Conflict` if another alarm of its kind is open."""
        self._wait_turn(_LOCK)
        rivals = _open().where(alarms.c.kind == alarm.kind.value, alarms.c.id != alarm.id)
        if alarm.is_open and alarm.kind not in OF_CALLS and self._first(rivals):
            raise Conflict(f"告警 {alarm.kind} 尚未确认,不再另发。")
        row = _row(alarm)
        put = self._insert(alarms).values(id=alarm.id, **row)
        self._connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=row))

    def get(self, alarm_id: str) -> Alarm:
        """Return an alarm, or raise `NotFound`."""
        row = self._first(select(alarms).where(alarms.c.id == alarm_id))
        if row is None:
            raise NotFound(f"没有告警 {alarm_id}。")
        return _alarm(row)

    def open(self) -> Sequence[Alarm]:
        """Return the alarms nobody acknowledged, oldest first."""
        return [_alarm(row) for row in self._all(_open().order_by(alarms.c.raised_at, alarms.c.id))]

    def recent(self, limit: int) -> Sequence[Alarm]:
        """Return the newest alarms, newest first."""
        newest = select(alarms).order_by(alarms.c.raised_at.desc(), alarms.c.id.desc()).limit(limit)
        return [_alarm(row) for row in self._all(newest)]


def _open() -> Select[Any]:
    return select(alarms).where(alarms.c.acknowledged_at.is_(None))


def _row(alarm: Alarm) -> Row:
    return {
        "kind": alarm.kind.value,
        "raised_at": alarm.raised_at,
        "detail": alarm.detail,
        "rung_at": alarm.rung_at,
        "rounds": alarm.rounds,
        "acknowledged_at": alarm.acknowledged_at,
        "acknowledged_by": alarm.acknowledged_by,
        "cleared_at": alarm.cleared_at,
    }


def _alarm(row: Row) -> Alarm:
    return Alarm(**{**row, "kind": AlarmKind(row["kind"])})
