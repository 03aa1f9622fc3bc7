"""A new field key under a running line: every sealed column sealed again, every look-up hash made again.

Which columns those are stands in the tables: each LargeBinary column that is no `*_hash` is sealed, and
its first byte names its key. So nothing has to be remembered: what is not under the current key is still
to do, and after a power cut the next run goes on with exactly that. Each batch is one short transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Select,
    Table,
    bindparam,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from callcenter.db.crypto import NOTICE, FieldCipher, SealBroken
from callcenter.db.engine import READING, make_engine
from callcenter.db.errors import StoreBusy, named
from callcenter.db.repositories.base import Row
from callcenter.db.tables import APPEND_ONLY, metadata
from callcenter.db.triggers import lifted
from callcenter.errors import Conflict
from callcenter.keys import KeyRing

#: Look-up hash -> the sealed column whose number it is made of.
HASH_OF = {"calls.number_hash": "calls.number", "phones.number_hash": "phones.number"}
#: Keyed with the master and made over plain text: a new field key leaves them as they are.
UNTOUCHED = frozenset({"audit.chain_hash", "people.identity_hash"})
#: Rows per transaction: a few hundredths of a second.
BATCH = 200
#: Rounds without progress before rows in other hands are given up for now.
_PATIENCE = 5

#: Told after every batch how many rows it sealed again.
Progress = Callable[[int], None]


def sealed_columns(table: Table) -> list[str]:
    """Return the names of a table's sealed columns."""
    return [c.name for c in table.columns if isinstance(c.type, LargeBinary) and not c.name.endswith("_hash")]


#: Every table with something sealed in it.
SEALED: tuple[Table, ...] = tuple(table for table in metadata.sorted_tables if sealed_columns(table))


@dataclass(frozen=True, kw_only=True, slots=True)
class Resealed:
    """What one run did."""

    rows: int
    #: Table -> rows still under an older key.
    left: dict[str, int]
    #: Table -> rows with a column that no key opens: it stays as it is.
    broken: dict[str, int] = field(default_factory=dict)


class Rotation:
    """Works on one store with one key file."""

    def __init__(self, url: str, keys: KeyRing, *, batch: int = BATCH) -> None:
        self._engine: Engine = make_engine(url)
        self._reading = self._engine.execution_options(**{READING: True})
        self._cipher = FieldCipher(keys)
        self._batch = batch
        self._broken: dict[str, int] = {}

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def left(self) -> dict[str, int]:
        """Return how many rows of each table are under an older key."""
        with _clear_errors(), self._reading.connect() as connection:
            return self._left(connection)

    def sample(self, rows: int) -> dict[str, int]:
        """Return how many of the first and last `rows` rows of each table do not open, where any do not."""
        broken: dict[str, int] = {}
        with _clear_errors(), self._reading.connect() as connection:
            for table in SEALED:
                key = [table.c[name] for name in _keys(table)]
                found = [
                    *connection.execute(select(table).order_by(*key).limit(rows)).mappings(),
                    *connection.execute(
                        select(table).order_by(*(c.desc() for c in key)).limit(rows)
                    ).mappings(),
                ]
                count = sum(self._is_broken(table, row) for row in found)
                if count:
                    broken[table.name] = count
        return broken

    def reseal(self, progress: Progress = lambda _: None) -> Resealed:
        """Seal again whatever is under an older key, while others read and write.

        A row somebody is writing this moment is passed over and met again in the next round.
        """
        done, patience = 0, _PATIENCE
        while True:
            self._broken = {}
            before = done
            waiting = self.left()
            for table in (table for table in SEALED if table.name in waiting):
                for count in self._through(table):
                    progress(count)
                    done += count
            left = self.left()
            patience = patience - 1 if done == before else _PATIENCE
            if sum(left.values()) <= sum(self._broken.values()) or patience == 0:
                return Resealed(rows=done, left=left, broken=self._broken)
            time.sleep(0.05)

    def retire(self, save: Callable[[], object]) -> None:
        """Call `save`, which drops the older keys from their file, if no row is under one of them.

        Nobody writes while that is looked at. Raises `Conflict`, naming the tables, if some row is.
        """
        with _clear_errors(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                every = ", ".join(f'"{table.name}"' for table in SEALED)
                connection.execute(text(f"LOCK TABLE {every} IN SHARE MODE"))
            self._check_none_left(connection)
            save()
            connection.rollback()

    def check_none_left(self) -> None:
        """Raise `Conflict`, naming the tables, if a row is under an older key."""
        with _clear_errors(), self._reading.connect() as connection:
            self._check_none_left(connection)

    def _check_none_left(self, connection: Connection) -> None:
        left = self._left(connection)
        if left and self._is_waiting(connection):
            tables = "、".join(f"{name} {count} 行" for name, count in left.items())
            raise Conflict(f"还有内容用旧密钥加密:{tables}。请再运行 hotline keys rotate。")

    def is_waiting(self) -> bool:
        """Tell whether something that can be read is under an older key. What no key opens does not count."""
        with _clear_errors(), self._reading.connect() as connection:
            return self._is_waiting(connection)

    def _is_waiting(self, connection: Connection) -> bool:
        for table in SEALED:
            for row in connection.execute(select(table).where(self._is_older(table))).mappings():
                older = [n for n in sealed_columns(table) if row[n] and not self._is_current(row[n])]
                if any(self._try_open(table, row, name) is not None for name in older):
                    return True
        return False

    def _left(self, connection: Connection) -> dict[str, int]:
        counts = {
            table.name: connection.scalar(
                select(func.count()).select_from(table).where(self._is_older(table))
            )
            for table in SEALED
        }
        return {name: count for name, count in counts.items() if count}

    def _is_older(self, table: Table) -> ColumnElement[bool]:
        current = bytes([self._cipher.version])
        first = [func.substr(table.c[name], 1, 1, type_=LargeBinary) for name in sealed_columns(table)]
        return or_(*(byte != current for byte in first))

    def _through(self, table: Table) -> Iterator[int]:
        """Go through a table by its key, once; yield how many rows each batch sealed again."""
        last: tuple[Any, ...] | None = None
        while True:
            began = time.monotonic()
            done, last = self._one_batch(table, last)
            yield done
            if last is None:
                return
            time.sleep(time.monotonic() - began)  # half of the time belongs to the line

    def _one_batch(self, table: Table, last: tuple[Any, ...] | None) -> tuple[int, tuple[Any, ...] | None]:
        """Seal one batch again; return how many rows, and the key of the last one if more may follow."""
        try:
            with _clear_errors(), self._engine.begin() as connection:
                if table.name not in APPEND_ONLY:
                    return self._work(connection, table, last)
                if connection.execute(self._next(table, last).limit(1)).first() is None:
                    return 0, None
                with lifted(connection, table):
                    return self._work(connection, table, last)
        except StoreBusy:
            time.sleep(0.1)
            return 0, last

    def _work(
        self, connection: Connection, table: Table, last: tuple[Any, ...] | None
    ) -> tuple[int, tuple[Any, ...] | None]:
        query = self._next(table, last).limit(self._batch).with_for_update(skip_locked=True)
        rows = connection.execute(query).mappings().all()
        changes = [change for row in rows if (change := self._change(table, row))]
        if changes:
            connection.execute(_update_of(table), changes)
        more = len(rows) == self._batch
        return len(changes), tuple(rows[-1][name] for name in _keys(table)) if more else None

    def _next(self, table: Table, last: tuple[Any, ...] | None) -> Select[Any]:
        key = [table.c[name] for name in _keys(table)]
        query = select(table).where(self._is_older(table)).order_by(*key)
        return query if last is None else query.where(tuple_(*key) > tuple_(*last))

    def _change(self, table: Table, row: Row) -> dict[str, Any] | None:
        """Return the new content of a row's sealed columns and hashes; None if nothing in it can be changed.

        A column that no key opens stays as it is, and so does a hash that is made of it.
        """
        names = [name for name in sealed_columns(table) if row[name] is not None]
        clear = {name: self._try_open(table, row, name) for name in names}
        if None in clear.values():
            self._broken[table.name] = self._broken.get(table.name, 0) + 1
        if all(self._is_current(row[name]) for name in names if clear[name] is not None):
            return None
        new: dict[str, Any] = {f"new_{name}": row[name] for name in (*sealed_columns(table), *_hashes(table))}
        for name, value in clear.items():
            if value is not None:
                new[f"new_{name}"] = self._cipher.seal_bytes(value, f"{table.name}.{name}")
        for name, source in _hashes(table).items():
            number = clear.get(source)
            if number is not None:
                new[f"new_{name}"] = self._cipher.lookup(number.decode())
        return {**{f"key_{name}": row[name] for name in _keys(table)}, **new}

    def _is_broken(self, table: Table, row: Row) -> bool:
        names = [name for name in sealed_columns(table) if row[name] is not None]
        return any(self._try_open(table, row, name) is None for name in names)

    def _is_current(self, sealed: bytes) -> bool:
        return sealed[:1] == bytes([self._cipher.version])

    def _try_open(self, table: Table, row: Row, name: str) -> bytes | None:
        """Return a sealed column's content, None if no key opens it."""
        try:
            return self._cipher.open_bytes(row[name], f"{table.name}.{name}")
        except SealBroken:
            return None


def retire(url: str, ring: KeyRing, file: Path) -> KeyRing:
    """Drop the older keys of fields from their file and return the ring that is left.

    Raises `Conflict` if something is still under one of them; the file is then as it was.
    """
    only = ring.only_current()
    # It must go on knowing the older keys when the file has lost them, or it sees nothing they would open.
    rotation = Rotation(url, replace(ring, file=None))
    try:
        rotation.retire(lambda: only.save(file))
        until_noticed()
        rotation.check_none_left()  # of somebody who sealed before and was held up all that time
    except Conflict:
        ring.save(file)
        raise
    finally:
        rotation.close()
    return only


def until_noticed() -> None:
    """Wait until every process that seals has seen the key file as it is now."""
    time.sleep(NOTICE * 1.5)


def _keys(table: Table) -> Sequence[str]:
    return [column.name for column in table.primary_key.columns]


def _hashes(table: Table) -> dict[str, str]:
    """Return a table's look-up hashes and the sealed columns they are made of."""
    pairs = (hashed.split(".") + source.split(".") for hashed, source in HASH_OF.items())
    return {name: source for owner, name, _, source in pairs if owner == table.name}


def _update_of(table: Table) -> Any:
    is_it = [table.c[name] == bindparam(f"key_{name}") for name in _keys(table)]
    names = [*sealed_columns(table), *_hashes(table)]
    return update(table).where(*is_it).values({name: bindparam(f"new_{name}") for name in names})


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise named(error) from error
