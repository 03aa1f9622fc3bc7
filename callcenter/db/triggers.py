"""Append-only tables, opened for the length of one transaction: for a new key, and for a restored backup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, text


@contextmanager
def lifted(connection: Connection, table: Table) -> Iterator[None]:
    """Take a table's triggers away and put them back, inside the transaction that is under way.

    If the block fails the transaction does too, and the triggers were never gone. On PostgreSQL this
    locks the table against other writers until the transaction ends; call it first thing.
    """
    lift = _on_postgresql if connection.dialect.name == "postgresql" else _on_sqlite
    with lift(connection, table):
        yield


@contextmanager
def _on_postgresql(connection: Connection, table: Table) -> Iterator[None]:
    connection.execute(text(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER'))
    yield
    connection.execute(text(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER'))


@contextmanager
def _on_sqlite(connection: Connection, table: Table) -> Iterator[None]:
    of_table = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name")
    triggers = connection.execute(of_table, {"name": table.name}).all()
    for name, _ in triggers:
        connection.execute(text(f'DROP TRIGGER "{name}"'))
    yield
    for _, sql in triggers:
        connection.exec_driver_sql(sql)
