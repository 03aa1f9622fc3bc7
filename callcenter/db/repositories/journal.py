"""How far the journal was read, and the rows nobody could."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select

from callcenter.db.repositories.base import Repository
from callcenter.db.tables import checkpoints, unread
from callcenter.ports import Checkpoint, UnreadRow


class SqlJournal(Repository):
    """Positions by source; unread rows sealed, because they may hold anything."""

    def checkpoint(self, source: str) -> Checkpoint | None:
        """Return how far a source has been folded."""
        row = self._first(select(checkpoints).where(checkpoints.c.source == source))
        return Checkpoint(**row) if row else None

    def set_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the position of its source."""
        place = {
            "segment": checkpoint.segment,
            "offset": checkpoint.offset,
            "low_segment": checkpoint.low_segment,
            "low_offset": checkpoint.low_offset,
        }
        insert = self._insert(checkpoints).values(source=checkpoint.source, **place)
        self._connection.execute(insert.on_conflict_do_update(index_elements=["source"], set_=place))

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

    def forget(self) -> None:
        """Drop all checkpoints, so that the next reading starts at the oldest file."""
        self._connection.execute(delete(checkpoints))
