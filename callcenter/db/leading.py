"""Who leads, of several that could do the same work on one store: a lock that ends with its holder.

Kernel and database server let go of it the moment its holder is gone, so there is no time to wait out and
no clock to trust. It keeps idle copies from doing work twice over; what keeps them from dialling twice are
the claims of the ledger, which hold also for somebody who was stopped while leading.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from callcenter.db.engine import make_engine
from callcenter.db.errors import StoreError, named

#: Of our advisory lock, in the database that holds the store: "hotlined" as a number.
_KEY = int.from_bytes(b"hotlined")
#: Of our session at the server: one whose machine is gone is ended within half a minute, and its lock with
#: it; by itself TCP takes hours (seconds; the last in milliseconds). Unix sockets ignore all of them.
_PATIENCE = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


class Leadership(Protocol):
    """One candidate. Both methods block, and may be called from any thread."""

    def lead(self) -> bool:
        """Lead if nobody else does; tell whether we do. Raise `CallCenterError` if nobody can tell."""
        ...

    def resign(self) -> None:
        """Let somebody else lead."""
        ...


def leadership_of(database_url: str) -> Leadership:
    """Return a candidate for the lead of the store behind a URL; nothing is opened yet."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return FileLeadership(Path(str(url.database)))
    return ServerLeadership(database_url)


class FileLeadership:
    """Beside a SQLite database, which is on one machine: flock(2) on a file that stays empty."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file = database.with_name(f"{database.name}.leader")
        self._held: int | None = None
        self._one_at_a_time = Lock()

    def lead(self) -> bool:
        """Take the lock or keep it; tell whether we have it."""
        with self._one_at_a_time:
            if self._held is not None and not self._is_there(self._held):
                self._let_go()
            if self._held is None:
                self._held = self._take()
            return self._held is not None

    def _is_there(self, held: int) -> bool:
        """Tell whether others find what we have locked: a file that was deleted locks nobody out."""
        try:
            return os.path.samestat(os.fstat(held), os.stat(self._file))
        except FileNotFoundError:
            return False

    def _take(self) -> int | None:
        try:
            file = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise StoreError(
                f"打不开 {self._file}，没有调度能带头，到期的回访拨不出去：它的主人不是本账号，"
                f"运行 sudo chown --reference={self._database} {self._file}"
            ) from error
        self._give_to_owner(file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return file

    def _give_to_owner(self, file: int) -> None:
        """Let whoever owns the database open it too, if root was the first here; so does SQLite."""
        with suppress(OSError):  # a database that is not there has no owner
            owner = os.stat(self._database)
            if os.geteuid() == 0 and os.fstat(file).st_uid != owner.st_uid:
                os.fchown(file, owner.st_uid, owner.st_gid)

    def resign(self) -> None:
        """Let go of the lock. The file stays: whoever deleted it would leave two locks."""
        with self._one_at_a_time:
            self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            os.close(held)


class ServerLeadership:
    """In PostgreSQL: an advisory lock of a session of its own.

    Not through a pooler that gives a session to several clients (pgbouncer's transaction mode).
    """

    def __init__(self, database_url: str) -> None:
        self._engine = make_engine(database_url)
        self._session: Connection | None = None
        self._leads = False
        self._one_at_a_time = Lock()

    def lead(self) -> bool:
        """Take the lock, or make sure that the session that has it still lives."""
        with self._one_at_a_time:
            try:
                session = self._session = self._session or self._open()
                if self._leads:
                    session.exec_driver_sql("SELECT 1")
                else:
                    taken = session.exec_driver_sql(f"SELECT pg_try_advisory_lock({_KEY})")
                    self._leads = bool(taken.scalar_one())
            except SQLAlchemyError as error:
                self._close()
                raise named(error) from error
            return self._leads

    def resign(self) -> None:
        """Let go of the lock, and end the session, which the server notices a moment later."""
        with self._one_at_a_time:
            if self._session is not None and self._leads:
                with suppress(SQLAlchemyError):
                    self._session.exec_driver_sql(f"SELECT pg_advisory_unlock({_KEY})")
            self._close()

    def _open(self) -> Connection:
        # Autocommit: an open transaction would keep the server from tidying up for days.
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        for name, value in _PATIENCE.items():
            session.exec_driver_sql(f"SET {name} = {value}")
        return session

    def _close(self) -> None:
        session, self._session, self._leads = self._session, None, False
        if session is not None:
            session.invalidate()  # given back to the pool it would keep the lock
            session.close()
