"""Books in SQL: each value one row, sealed whole, with its clear columns beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, delete, select, update
from sqlalchemy.exc import DBAPIError

from callcenter.db.crypto import FieldCipher
from callcenter.db.repositories.base import Repository, Row, chunks
from callcenter.db.tables import books
from callcenter.domain.books import BOOKS, BookOf
from callcenter.errors import Conflict, NotFound, Refused

T = TypeVar("T")


class SqlBook(Repository, Generic[T]):
    """A `Book` in one table."""

    def __init__(self, connection: Connection, cipher: FieldCipher, book: BookOf[T]) -> None:
        super().__init__(connection, cipher)
        self._book = book
        self._table = books[book.table]
        self._column = f"{book.table}.body"
        self._codec = _codec(book.table)

    def add(self, value: T) -> None:
        """Add a value; raise `Conflict` if its id is taken."""
        if not self._insert_new(self._table, {"id": _id(value), **self._row(value)}):
            raise Conflict(f"编号为 {_id(value)} 的{self._book.called}已存在。")

    def add_many(self, values: Iterable[T]) -> None:
        """Add those values whose ids are free; the others stay as they stand."""
        for chunk in chunks(values):
            self._insert_all_new(self._table, [{"id": _id(one), **self._row(one)} for one in chunk])

    def get(self, value_id: str) -> T:
        """Return a value, or raise `NotFound`."""
        found = self.one(value_id)
        if found is None:
            raise NotFound(f"没有编号为 {value_id} 的{self._book.called}。")
        return found

    def one(self, value_id: str) -> T | None:
        """Return a value, if it is here."""
        row = self._first(select(self._table).where(self._table.c.id == value_id))
        return self._value(row) if row else None

    def put(self, value: T) -> T:
        """Replace a value and return it as it now stands, or raise `NotFound` or `Conflict`."""
        if self._book.append_only:
            raise Refused(f"{self._book.called}只能添加,不能更改。")
        seen = _revision(value)
        after: T = replace(value, revision=seen + 1)  # type: ignore[type-var]
        mine = (self._table.c.id == _id(value)) & (self._table.c.revision == seen)
        change = update(self._table).where(mine).values(**self._row(after))
        if self._connection.execute(change).rowcount != 1:
            self.get(_id(value))
            raise Conflict(f"{_id(value)} 刚被别人改过,请重新打开再改。")
        return after

    def where(self, *, up_to: Mapping[str, Any] | None = None, **equal: Any) -> Sequence[T]:
        """Return the values whose clear columns are equal to these and at most those, by id."""
        query: Select[Any] = select(self._table).order_by(self._table.c.id)
        for name, wanted in equal.items():
            query = query.where(self._table.c[name] == wanted)
        for name, most in (up_to or {}).items():
            query = query.where(self._table.c[name] <= most)
        return [self._value(row) for row in self._all(query)]

    def among(self, name: str, wanted: Iterable[Any]) -> Sequence[T]:
        """Return the values of which a clear column is one of these, by id."""
        found = []
        for chunk in chunks(wanted):
            found += self._all(select(self._table).where(self._table.c[name].in_(chunk)))
        return [self._value(row) for row in sorted(found, key=lambda row: str(row["id"]))]

    def outline(self, *, up_to: Mapping[str, Any] | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the ids and clear columns of all values, without opening any."""
        columns = [self._table.c[name] for name in ("id", *self._book.clear)]
        query: Select[Any] = select(*columns).order_by(self._table.c.id)
        for name, most in (up_to or {}).items():
            query = query.where(self._table.c[name] <= most)
        return self._all(query)

    def remove(self, value_id: str) -> None:
        """Take a value away, or raise `NotFound`, or `Refused` where a tombstone has to stand first."""
        try:
            gone = self._connection.execute(delete(self._table).where(self._table.c.id == value_id))
        except DBAPIError as error:
            raise Refused(f"{self._book.called} {value_id} 还没有留下删除记录,不能删除。") from error
        if gone.rowcount != 1:
            raise NotFound(f"没有编号为 {value_id} 的{self._book.called}。")

    def _row(self, value: T) -> Row:
        clear = {name: getattr(value, name) for name in self._book.clear}
        body = self._cipher.seal_bytes(self._codec.dump_json(value), self._column)
        return {**clear, "revision": _revision(value), "body": body}

    def _value(self, row: Row) -> T:
        found: T = self._codec.validate_json(self._cipher.open_bytes(row["body"], self._column))
        return found


@cache
def _codec(table: str) -> TypeAdapter[Any]:
    """Return what turns a book's values into JSON and back. Making one is slow, so it is made once."""
    return TypeAdapter(next(book.of for book in BOOKS if book.table == table))


def _id(value: object) -> str:
    return str(value.id)  # type: ignore[attr-defined]


def _revision(value: object) -> int:
    return int(value.revision)  # type: ignore[attr-defined]
