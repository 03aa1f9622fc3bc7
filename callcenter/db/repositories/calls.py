"""Call records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callcenter.db.repositories.base import Repository, Row, chunks, insert_into
from callcenter.db.tables import calls
from callcenter.domain.calls import CallRecord, Direction, EndedBy, Outcome
from callcenter.errors import NotFound

_OPEN = Outcome.OPEN.value


class SqlCalls(Repository):
    """Upserted by id; both numbers are sealed, the caller's can be looked up."""

    def put_many(self, records: Iterable[CallRecord]) -> None:
        """Upsert by id. A record that is closed is not overwritten by one that is open."""
        rows = [self._row(record) for record in records]
        if not rows:
            return
        self._connection.execute(_upsert(self._dialect), rows)

    def get(self, call_id: str) -> CallRecord:
        """Return a call, or raise `NotFound`."""
        row = self._first(select(calls).where(calls.c.id == call_id))
        if row is None:
            raise NotFound(f"没有通话 {call_id}。")
        return self._record(row)

    def known_closed(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of the ids whose record is here and closed."""
        closed: set[str] = set()
        for chunk in chunks(ids):
            query = select(calls.c.id).where(calls.c.id.in_(chunk), calls.c.outcome != _OPEN)
            closed.update(self._connection.scalars(query))
        return frozenset(closed)

    def between(self, start: datetime, end: datetime) -> Sequence[CallRecord]:
        """Return the calls that started in [start, end), by start."""
        query = select(calls).where(calls.c.started_at >= start, calls.c.started_at < end)
        return [self._record(row) for row in self._all(query.order_by(calls.c.started_at, calls.c.id))]

    def open_calls(self) -> Sequence[CallRecord]:
        """Return the calls that still go on, by start."""
        query = select(calls).where(calls.c.outcome == _OPEN)
        return [self._record(row) for row in self._all(query.order_by(calls.c.started_at, calls.c.id))]

    def of_number(self, number: str, limit: int = 20) -> Sequence[CallRecord]:
        """Return the newest calls from or to a number, newest first."""
        query = select(calls).where(calls.c.number_hash.in_(self._cipher.lookups(number))).limit(limit)
        newest = query.order_by(calls.c.started_at.desc(), calls.c.id.desc())
        return [self._record(row) for row in self._all(newest)]

    def known_numbers(self, numbers: Iterable[str]) -> frozenset[str]:
        """Return those of the numbers from or to which there was a call."""
        of_hash = {one: number for number in numbers for one in self._cipher.lookups(number)}
        found: set[str] = set()
        for chunk in chunks(of_hash):
            there = select(calls.c.number_hash).where(calls.c.number_hash.in_(chunk)).distinct()
            found.update(of_hash[one] for one in self._connection.scalars(there))
        return frozenset(found)

    def forget_number(self, number: str) -> int:
        """Blank a number, and what was left by key, in every call from or to it; return how many."""
        theirs = update(calls).where(calls.c.number_hash.in_(self._cipher.lookups(number)))
        blank = {"number": None, "number_hash": None, "kept": None, "answers": None}
        return self._connection.execute(theirs.values(**blank)).rowcount

    def delete_all(self) -> int:
        """Forget every call row (replay rebuilds them); sessions stay. Return how many there were."""
        return self._connection.execute(delete(calls)).rowcount

    def _seal_words(self, words: tuple[str, ...], column: str) -> bytes | None:
        """Seal a list as JSON. Without any words there is nothing to hide."""
        return self._cipher.seal(json.dumps(words) if words else None, column)

    def _open_words(self, sealed: bytes | None, column: str) -> tuple[str, ...]:
        return tuple(json.loads(self._cipher.open(sealed, column) or "[]"))

    def _row(self, call: CallRecord) -> Row:
        return {
            "id": call.id,
            "direction": call.direction.value,
            "outcome": call.outcome.value,
            "started_at": call.started_at,
            "number": self._cipher.seal(call.number, "calls.number"),
            "number_hash": self._cipher.lookup(call.number),
            "dialled": self._cipher.seal(call.dialled, "calls.dialled"),
            "offered_at": call.offered_at,
            "answered_at": call.answered_at,
            "parted_at": call.parted_at,
            "ended_at": call.ended_at,
            "end_is_uncertain": call.end_is_uncertain,
            "answered_by": call.answered_by,
            "answered_via": call.answered_via,
            "ended_by": call.ended_by.value,
            "hangup_cause": call.hangup_cause,
            "queue_entries": call.queue_entries,
            "rings_not_answered": call.rings_not_answered,
            "path": call.path,
            "keys": call.keys,
            "rung": call.rung,
            "promises": call.promises,
            "flow_outcome": call.flow_outcome,
            "kept": self._seal_words(call.kept, "calls.kept"),
            "answers": self._seal_words(call.answers, "calls.answers"),
            "pieces": call.pieces,
            "left_at": call.left_at,
            "unheard": call.unheard,
            "witness": call.witness,
        }

    def _record(self, row: Row) -> CallRecord:
        return CallRecord(
            id=row["id"],
            direction=Direction(row["direction"]),
            outcome=Outcome(row["outcome"]),
            started_at=row["started_at"],
            number=self._cipher.open(row["number"], "calls.number"),
            dialled=self._cipher.open(row["dialled"], "calls.dialled"),
            offered_at=row["offered_at"],
            answered_at=row["answered_at"],
            parted_at=row["parted_at"],
            ended_at=row["ended_at"],
            end_is_uncertain=row["end_is_uncertain"],
            answered_by=row["answered_by"],
            answered_via=row["answered_via"],
            ended_by=EndedBy(row["ended_by"]),
            hangup_cause=row["hangup_cause"],
            queue_entries=row["queue_entries"],
            rings_not_answered=row["rings_not_answered"],
            path=tuple(row["path"]),
            keys=tuple(row["keys"]),
            rung=tuple(row["rung"]),
            promises=tuple(row["promises"]),
            flow_outcome=row["flow_outcome"],
            kept=self._open_words(row["kept"], "calls.kept"),
            answers=self._open_words(row["answers"], "calls.answers"),
            pieces=tuple(row["pieces"]),
            left_at=row["left_at"],
            unheard=row["unheard"],
            witness=row["witness"],
        )


@cache
def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Return the statement of `put_many`. Made once: the journal's follower says it five times a second."""
    insert = insert_into(calls, dialect)
    changes = {column.name: insert.excluded[column.name] for column in calls.c if column.name != "id"}
    newer = (calls.c.outcome == _OPEN) | (insert.excluded.outcome != _OPEN)
    return insert.on_conflict_do_update(index_elements=["id"], set_=changes, where=newer)
