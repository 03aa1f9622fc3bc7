"""What is append-only is so in the database itself: nothing changes, and nothing goes without a tombstone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, Table, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from callcenter.db.engine import make_engine
from callcenter.db.tables import APPEND_ONLY, metadata
from callcenter.domain.books import BOOKS

BOOK_OF = {book.table: book for book in BOOKS}
GO_WITH_A_TOMBSTONE = [table for table in APPEND_ONLY if table in BOOK_OF and BOOK_OF[table].goes_with]
NEVER_GO = [table for table in APPEND_ONLY if table not in GO_WITH_A_TOMBSTONE]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database whose every append-only table has a row to try on."""
    made = make_engine(database_url)
    try:
        yield made
    finally:
        made.dispose()


def fill(engine: Engine, now: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(insert(metadata.tables["people"]).values(id="p1", code="P-7F3K", no_ivr=False))
        for table in APPEND_ONLY:
            connection.execute(insert(metadata.tables[table]).values(**_row(metadata.tables[table], now)))


def _row(table: Table, now: datetime) -> dict[str, Any]:
    """Return a row with something in every column; `session`, `case` and `person` are `x-1`."""
    given: dict[str, Any] = {"person": "p1", "session": "se-1", "case": "ca-1", "seq": 1}
    by_type = {"TEXT": "x-1", "INTEGER": 1, "BIGINT": 1, "BOOLEAN": True, "BLOB": b"x", "DATETIME": now}
    kinds = {c.name: str(getattr(c.type, "impl", c.type)).split("(")[0] for c in table.columns}
    return {name: given.get(name, by_type[kind]) for name, kind in kinds.items()}


def rows_of(engine: Engine, table: str) -> list[Any]:
    with engine.begin() as connection:
        return list(connection.execute(select(metadata.tables[table])).all())


def bury(engine: Engine, named: str, now: datetime) -> None:
    with engine.begin() as connection:
        stones = metadata.tables["tombstones"]
        stone = {**_row(stones, now), "id": f"to-{named}", "object": named}
        connection.execute(insert(stones).values(**stone))


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["DELETE FROM {}", 'UPDATE {} SET "{}" = "{}"'])
def test_by_hand_it_is_neither_changed_nor_taken_away(
    engine: Engine, now: datetime, table: str, change: str
) -> None:
    fill(engine, now)
    before = rows_of(engine, table)
    column = next(iter(metadata.tables[table].columns)).name
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change.format(table, column, column)))
    assert before
    assert rows_of(engine, table) == before


@pytest.mark.parametrize("table", GO_WITH_A_TOMBSTONE)
def test_a_tombstone_lets_go_what_it_names_and_nothing_else(
    engine: Engine, now: datetime, table: str
) -> None:
    fill(engine, now)
    goes_with = BOOK_OF[table].goes_with
    named = _row(metadata.tables[table], now)[goes_with]
    bury(engine, f"{goes_with}:another", now)
    bury(engine, f"person:{named}", now)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(delete(metadata.tables[table]))
    bury(engine, f"{goes_with}:{named}", now)
    with engine.begin() as connection:
        connection.execute(delete(metadata.tables[table]))
    assert rows_of(engine, table) == []


@pytest.mark.parametrize("table", GO_WITH_A_TOMBSTONE)
def test_even_with_a_tombstone_it_is_not_changed(engine: Engine, now: datetime, table: str) -> None:
    fill(engine, now)
    goes_with = BOOK_OF[table].goes_with
    bury(engine, f"{goes_with}:{_row(metadata.tables[table], now)[goes_with]}", now)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(update(metadata.tables[table]).values(id="x-2"))


@pytest.mark.parametrize("table", NEVER_GO)
def test_what_never_goes_does_not_go_with_a_tombstone_either(
    engine: Engine, now: datetime, table: str
) -> None:
    fill(engine, now)
    for named in ("person:p1", "session:se-1", "case:ca-1", f"{table}:x-1", ":"):
        bury(engine, named, now)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(delete(metadata.tables[table]))
    assert rows_of(engine, table)


@pytest.mark.postgres
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_postgres_does_not_truncate_it_either(postgres_url: str, table: str) -> None:
    made = make_engine(postgres_url)
    try:
        with pytest.raises(DBAPIError, match="append-only"), made.begin() as connection:
            connection.execute(text(f"TRUNCATE {table}"))
    finally:
        made.dispose()
