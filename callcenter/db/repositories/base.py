"""What every repository shares: its connection, its cipher, and the few dialect differences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar, cast

from psycopg import Connection as PgConnection
from psycopg import sql
from sqlalchemy import ColumnElement, Connection, Select, Table, Text, any_, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from callcenter.db.crypto import FieldCipher

T = TypeVar("T")
#: Column name -> value, in either direction (SQLAlchemy types its keys more loosely than str).
Row = Mapping[Any, Any]

#: Ids per `IN (...)`: well under SQLite's 32 766 variables and PostgreSQL's 65 535.
_CHUNK = 1000


class Repository:
    """Works inside one unit's transaction."""

    def __init__(self, connection: Connection, cipher: FieldCipher) -> None:
        self._connection = connection
        self._cipher = cipher

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT that knows ON CONFLICT; both dialects spell it alike."""
        return insert_into(table, self._dialect)

    def _insert_new(self, table: Table, row: Row) -> bool:
        """Insert unless a unique key is taken; tell whether it was inserted.

        Asking the database, instead of catching its error, leaves a PostgreSQL transaction usable.
        """
        return self._insert_all_new(table, [row]) == 1

    def _insert_all_new(self, table: Table, rows: list[Row]) -> int:
        """Insert the rows whose unique keys are free; return how many were."""
        if not rows:
            return 0
        return self._connection.execute(_insert_new_into(table, self._dialect), rows).rowcount

    def _insert_many(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows that have the same columns and whose keys are known to be free.

        PostgreSQL takes them as one stream: four times as fast as a statement for each.
        """
        if not rows:
            return
        if not self._is_postgresql:
            self._connection.execute(insert(table), list(rows))
            return
        names = list(rows[0])
        binds = [self._bind(table, name) for name in names]
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        driver = cast("PgConnection[Any]", self._connection.connection.driver_connection)
        with driver.cursor() as cursor, cursor.copy(into) as stream:
            for row in rows:
                stream.write_row([bind(row[name]) for name, bind in zip(names, binds, strict=True)])

    def _bind(self, table: Table, name: str) -> Callable[[Any], Any]:
        """Return what makes of a column's value what the driver is given, as a statement would."""
        dialect = self._connection.dialect
        return table.c[name].type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is

    def _all(self, query: Select[Any], values: Row | None = None) -> list[Row]:
        # Plain dicts: reading a page of rows column by column is twice as fast from them.
        found = self._connection.execute(query, values)
        names = tuple(found.keys())
        return [dict(zip(names, row, strict=True)) for row in found.all()]

    def _first(self, query: Select[Any], values: Row | None = None) -> Row | None:
        return self._connection.execute(query, values).mappings().first()

    def _wait_turn(self, lock: int) -> None:
        """Let one transaction at a time pass here. SQLite has one writer anyway."""
        if self._is_postgresql:
            self._connection.execute(select(func.pg_advisory_xact_lock(lock)))

    @property
    def _dialect(self) -> str:
        return self._connection.dialect.name

    @property
    def _is_postgresql(self) -> bool:
        return self._dialect == "postgresql"


def _as_it_is(value: Any) -> Any:
    return value


def insert_into(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT of that dialect (`sqlite`, `postgresql`)."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


@cache
def _insert_new_into(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    return insert_into(table, dialect).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def chunks(ids: Iterable[T]) -> Iterator[list[T]]:
    """Cut ids, or rows, into lists that fit into one statement."""
    rest = iter(ids)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def among(connection: Connection, column: ColumnElement[Any], texts: Iterable[str]) -> ColumnElement[bool]:
    """Tell of a column whether it is one of these texts.

    PostgreSQL gets them as one array: a statement with a parameter for each is taken to pieces every time.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(texts), postgresql.ARRAY(Text)))
    return column.in_(list(texts))
