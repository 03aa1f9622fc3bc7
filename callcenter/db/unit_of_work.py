"""The SQL store: one transaction per unit of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError, StatementError

from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import READING, make_engine
from callcenter.db.errors import named
from callcenter.db.repositories.alarms import SqlAlarms
from callcenter.db.repositories.audit import SqlAuditLog
from callcenter.db.repositories.books import SqlBook
from callcenter.db.repositories.calls import SqlCalls
from callcenter.db.repositories.debts import SqlDebts
from callcenter.db.repositories.figures import SqlFigures
from callcenter.db.repositories.journal import SqlJournal
from callcenter.db.repositories.people_bulk import SqlPeopleInBulk
from callcenter.db.repositories.roster import SqlRoster
from callcenter.db.repositories.sessions import SqlSessions
from callcenter.db.repositories.users import SqlUsers
from callcenter.domain.books import BookOf
from callcenter.keys import KeyRing
from callcenter.ports import (
    Alarms,
    AuditLog,
    Book,
    Calls,
    Debts,
    Figures,
    Journal,
    People,
    Roster,
    Sessions,
    UnitOfWork,
    Users,
)

T = TypeVar("T")
#: What an import, and the sweep after it, fill by the thousand.
_RECOUNT = "ANALYZE people, phones, consents, suppressions, hardship_files, obligations"


class SqlUnit:
    """A `UnitOfWork` in one transaction. After `commit` a new transaction begins by itself."""

    users: Users
    audit: AuditLog
    roster: Roster
    calls: Calls
    sessions: Sessions
    journal: Journal
    people: People
    debts: Debts
    figures: Figures
    alarms: Alarms

    def __init__(self, connection: Connection, cipher: FieldCipher) -> None:
        self._connection, self._cipher = connection, cipher
        self.users = SqlUsers(connection, cipher)
        self.audit = self._log = SqlAuditLog(connection, cipher)
        self.roster = SqlRoster(connection, cipher)
        self.calls = SqlCalls(connection, cipher)
        self.sessions = SqlSessions(connection, cipher)
        self.journal = SqlJournal(connection, cipher)
        self.people = SqlPeopleInBulk(connection, cipher)
        self.debts = SqlDebts(connection, cipher)
        self.figures = SqlFigures(connection, cipher)
        self.alarms = SqlAlarms(connection, cipher)

    def book(self, of: BookOf[T]) -> Book[T]:
        """Return the book of one kind of value."""
        return SqlBook(self._connection, self._cipher, of)

    def recount(self) -> None:
        """Let PostgreSQL sample the tables anew; SQLite goes by its indexes whatever they hold."""
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(_RECOUNT)

    def commit(self) -> None:
        """Make everything done so far last."""
        self._log.flush(and_commit=True)
        self._connection.commit()

    def flush(self) -> None:
        """Write what was kept back for the end of the transaction: the audit's entries."""
        self._log.flush()


class SqlStore:
    """A `Store` on SQLite or PostgreSQL. Safe to share between threads."""

    def __init__(self, engine: Engine, cipher: FieldCipher) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**{READING: True})
        self._cipher = cipher

    @contextmanager
    def __call__(self) -> Iterator[UnitOfWork]:
        """Open a unit of work; leaving the block without `commit` undoes everything.

        Raises `StoreNotReady`, `StoreBusy` or `StoreUnreachable` when the database cannot serve.
        """
        with _clear_errors(), self._engine.connect() as connection:
            yield SqlUnit(connection, self._cipher)

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        """Open a unit that will only read: on SQLite it neither waits for writers nor holds them up."""
        with _clear_errors(), self._reading.connect() as connection:
            yield SqlUnit(connection, self._cipher)

    def close(self) -> None:
        """Close every connection. The store may be used again; it then opens new ones."""
        self._engine.dispose()


def open_store(url: str, keys: KeyRing) -> SqlStore:
    """Return the store behind a database URL; nothing is opened before the first unit of work."""
    return SqlStore(make_engine(url), FieldCipher(keys))


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn the database's errors into ours: SQL, rows and passwords stay out of messages."""
    try:
        yield
    except SQLAlchemyError as error:
        if isinstance(error, StatementError) and isinstance(error.orig, ValueError):
            # Our own types refused a value (a moment without a zone): SQLAlchemy only wrapped it.
            raise error.orig from None
        raise named(error) from error
