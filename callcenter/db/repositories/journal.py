"""How far the journal was read, and the rows nobody could."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from callcenter.db.repositories.base import Repository, insert_into
from callcenter.db.tables import checkpoints, unread
from callcenter.ports import Checkpoint, UnreadRow

_PLACE = select(checkpoints).where(checkpoints.c.source == bindparam("of"))


class SqlJournal(Repository):
    """Positions by source; unread rows sealed, because they may hold anything."""

    def checkpoint(self, source: str) -> Checkpoint | None:
        """Return how far a source has been folded."""
        row = self._first(_PLACE, {"of": source})
        return Checkpoint(**row) if row else None

    def set_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the position of its source."""
        self._connection.execute(_replace_place(self._dialect), asdict(checkpoint))

    def keep_unread(self, rows: Iterable[UnreadRow]) -> int:
        """Keep rows whose key is new; return how many were."""
        return self._insert_all_new(
            unread,
            [
                {
                    "key": row.key,
                    "raw": self._cipher.seal_bytes(row.raw, "unread.raw"),
                    "reason": row.reason,
                    "at": row.at,
                }
                for row in rows
            ],
        )

    def unread_count(self) -> int:
        """Return how many rows are kept unread."""
        return self._connection.scalar(select(func.count()).select_from(unread)) or 0

    def unread_until(self, last: datetime) -> Mapping[str, datetime]:
        """Return the unread rows of up to an instant: key -> when it was kept."""
        rows = self._all(select(unread.c.key, unread.c.at).where(unread.c.at <= last))
        return {row["key"]: row["at"] for row in rows}

    def forget_unread(self, key: str) -> None:
        """Take an unread row away."""
        self._connection.execute(delete(unread).where(unread.c.key == key))

    def forget(self) -> None:
        """Drop all checkpoints, so that the next reading starts at the oldest file."""
        self._connection.execute(delete(checkpoints))


@cache
def _replace_place(dialect: str) -> sqlite.Insert | postgresql.Insert:
    insert = insert_into(checkpoints, dialect)
    place = {column.name: insert.excluded[column.name] for column in checkpoints.c if column.name != "source"}
    return insert.on_conflict_do_update(index_elements=["source"], set_=place)
