"""Who did what. Triggers in the database refuse UPDATE and DELETE; a keyed hash chains the entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from psycopg import ClientCursor
from psycopg import Connection as PgConnection
from sqlalchemy import Connection, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from callcenter.db.crypto import FieldCipher
from callcenter.db.repositories.base import Repository, Row, chunks
from callcenter.db.tables import audit
from callcenter.domain.audit_chain import AuditEntry, Head, Link, fold, next_hash
from callcenter.domain.moments import check_aware
from callcenter.errors import CallCenterError

#: "audi": any number will do, as long as nobody else's lock has it.
_LOCK = 0x61756469
#: More entries than this are written as a stream: an import of the register has one for each file.
_MANY = 1000
#: Entries read at a time by `links`.
_PAGE = 5000

_NEWEST_SQL = "SELECT seq, chain_hash FROM audit ORDER BY seq DESC LIMIT 1"
_NEWEST = select(audit.c.seq, audit.c.chain_hash).order_by(audit.c.seq.desc()).limit(1)
_TURN_AND_NEWEST = f"SELECT pg_advisory_xact_lock({_LOCK}); {_NEWEST_SQL}"
_INSERT = insert(audit)
_PLAIN_INSERT = str(_INSERT.compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]
# Read as the driver gives it: what somebody wrote by hand may not be a moment, a number or a text at all.
_AS_FOUND = (
    "SELECT seq, actor, verb, object, field, reason, at, chain_hash FROM audit {} ORDER BY seq LIMIT :page"
)


class SqlAuditLog(Repository):
    """Append-only; numbered without gaps and chained, so that what was changed or is missing shows.

    Nobody else can add a link between a link and its commit. So that they wait as briefly as can be, what
    is appended is written last of all, right before the commit (`flush`), or when the log is read.
    """

    def __init__(self, connection: Connection, cipher: FieldCipher) -> None:
        super().__init__(connection, cipher)
        #: Appended and not written yet, with the reason sealed.
        self._waiting: list[tuple[AuditEntry, bytes | None]] = []

    def append(self, entry: AuditEntry) -> None:
        """Append an entry; it gets the next sequence number when the unit is committed."""
        check_aware(entry.at)
        self._waiting.append((entry, self._cipher.seal(entry.reason, "audit.reason")))

    def flush(self, *, and_commit: bool = False) -> None:
        """Write what was appended, as the next links of the chain; others wait from here to the commit.

        `and_commit` ends the transaction in the same breath, where something was written.
        """
        if len(self._waiting) > _MANY:
            for rows in chunks(self._next_links()):
                self._insert_many(audit, rows)
        elif self._waiting:
            self._write(list(self._next_links()), and_commit=and_commit)
        self._waiting.clear()

    def recent(
        self,
        limit: int,
        *,
        actor: str | None = None,
        verb: str | None = None,
        object: str | None = None,
        since: datetime | None = None,
    ) -> Sequence[AuditEntry]:
        """Return the newest entries that are equal to what is given, newest first."""
        self.flush()
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        for column, wanted in ((audit.c.actor, actor), (audit.c.verb, verb), (audit.c.object, object)):
            if wanted is not None:
                query = query.where(column == wanted)
        if since is not None:
            query = query.where(audit.c.at >= since)
        return [self._entry(row) for row in self._all(query)]

    def links(self) -> Iterator[Link]:
        """Return every entry and its hash in sequence order, as they are found, a page at a time."""
        self.flush()
        yield from self._written()

    def mac(self, before: bytes, data: bytes) -> bytes:
        """Return the keyed hash that links `data` to what stands before it."""
        return self._cipher.chain(before, data)

    def head(self) -> Head | None:
        """Return the newest entry's number and hash; None if there is none, or it has no hash."""
        self.flush()
        row = self._first(_NEWEST)
        if row is None or row["chain_hash"] is None:
            return None
        return Head(seq=row["seq"], hash=row["chain_hash"])

    def passes(self, head: Head) -> bool:
        """Tell whether the entry of that number stands here with that hash."""
        self.flush()
        stored = self._connection.scalar(select(audit.c.chain_hash).where(audit.c.seq == head.seq))
        return head.is_of(Link(seq=head.seq, entry=None, stored=stored))

    def _next_links(self) -> Iterator[Row]:
        """Take the turn and return the rows of what was appended, numbered and chained."""
        last, before, is_first = self._take_turn()
        for seq, (entry, reason) in enumerate(self._waiting, start=last + 1):
            one = replace(entry, seq=seq)
            before, is_first = next_hash(self.mac, before, one, first=is_first), False
            yield _row(one, reason, before)

    def _write(self, rows: list[Row], *, and_commit: bool) -> None:
        if not self._is_postgresql:
            self._connection.execute(_INSERT, rows)
            return
        # Others wait meanwhile: all in one round trip, the commit too. A driver that finds its transaction
        # ended has nothing left to commit; one that is refused an insert or the commit rolls back as ever.
        cursor = ClientCursor(cast("PgConnection[Any]", self._connection.connection.driver_connection))
        parts = [cursor.mogrify(_PLAIN_INSERT, dict(row)) for row in rows]
        plain = "; ".join([*parts, "COMMIT"] if and_commit else parts)
        self._connection.exec_driver_sql(plain, execution_options={"no_parameters": True})

    def _take_turn(self) -> tuple[int, bytes, bool]:
        """Return the newest number, the hash to go on from, and whether no entry has a hash yet."""
        seq, newest = self._newest_in_turn() or (0, None)
        if newest is not None:
            return seq, newest, False
        # Once in a line's life: what stands here from before the chain is what its first link is made over.
        return seq, fold(self.mac, b"", (link.entry for link in self._written() if link.entry)), True

    def _newest_in_turn(self) -> tuple[int, bytes | None] | None:
        """Wait until nobody else appends, and return the newest number and hash."""
        if not self._is_postgresql:  # has one writer anyway
            row = self._connection.execute(_NEWEST).one_or_none()
            return None if row is None else (row[0], row[1])
        # Two statements, so that the second one sees what was committed while the first one waited; sent
        # together, so that others wait for one round trip less.
        result = self._connection.exec_driver_sql(_TURN_AND_NEWEST, execution_options={"no_parameters": True})
        cursor: Any = result.cursor
        cursor.nextset()
        found: tuple[int, bytes | None] | None = cursor.fetchone()
        result.close()
        return found

    def _written(self) -> Iterator[Link]:
        rows = self._page("", {})
        while rows:
            yield from (self._link(row) for row in rows)
            rows = self._page("WHERE seq > :last", {"last": rows[-1]["seq"]}) if len(rows) == _PAGE else []

    def _page(self, where: str, values: dict[str, Any]) -> list[Row]:
        query = text(_AS_FOUND.format(where)).bindparams(bindparam("page", _PAGE))
        return list(self._connection.execute(query, values).mappings().all())

    def _link(self, row: Row) -> Link:
        stored = row["chain_hash"]
        return Link(
            seq=row["seq"] if isinstance(row["seq"], int) else -1,
            entry=self._as_found(row),
            # A hash that is no bytes is not "none": it is one that fits nothing.
            stored=None if stored is None else stored if isinstance(stored, bytes) else b"?",
        )

    def _as_found(self, row: Row) -> AuditEntry | None:
        """Return the entry, or None if the row cannot be one."""
        words = [row[name] for name in ("actor", "verb", "object", "field")]
        try:
            at = datetime.fromisoformat(row["at"]) if isinstance(row["at"], str) else row["at"]
            reason = self._cipher.open(row["reason"], "audit.reason")
            if not isinstance(at, datetime) or reason is None or not all(isinstance(w, str) for w in words):
                return None
            return AuditEntry(
                seq=row["seq"],
                actor=words[0],
                verb=words[1],
                object=words[2],
                field=words[3],
                reason=reason,
                at=at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC),
            )
        except (CallCenterError, ValueError, TypeError):
            return None

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


def _row(entry: AuditEntry, reason: bytes | None, chained: bytes) -> Row:
    return {
        "seq": entry.seq,
        "actor": entry.actor,
        "verb": entry.verb,
        "object": entry.object,
        "field": entry.field,
        "reason": reason,
        "at": entry.at,
        "chain_hash": chained,
    }
