"""Engines: SQLite in WAL mode by default, PostgreSQL by URL. Made when asked for, never at import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from callcenter.errors import ConfigError

#: Execution option of a connection that only reads: it then takes no write lock on SQLite.
READING = "hotline_reading"
#: How long a writer waits for another one before it gives up.
BUSY_SECONDS = 30.0

#: No more connections than this in one process; who finds none free waits, then hears `StoreBusy`'s kin.
_POOL: Mapping[str, Any] = {"pool_size": 5, "max_overflow": 10, "pool_timeout": BUSY_SECONDS}
#: libpq: a server whose machine is gone is noticed within half a minute; by itself TCP takes hours (seconds;
#: the last in milliseconds). Unix sockets ignore all but the first.
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
#: Whoever hangs with a lock holds nobody else up for longer than on SQLite (SQLSTATE 55P03: `StoreBusy`).
_SESSION = f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS:.0f}s"

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # FULL, not NORMAL: an attempt must be on the disk before its call is placed, power cut included.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)


def make_engine(url: str) -> Engine:
    """Return an engine for a SQLite file or a PostgreSQL server; raise `ConfigError` on another URL."""
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql":
            return _postgresql(parsed)
        case other:
            raise ConfigError(f"database.url:不支持 {other}。请用 sqlite:/// 或 postgresql://")


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        # The message of SQLAlchemy repeats the URL, and with it a password.
        raise ConfigError("database.url:不是数据库地址。请用 sqlite:/// 或 postgresql://") from None


def _sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigError("database.url:SQLite 需要一个文件,如 sqlite:////path/hotline.db")
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS}, **_POOL)
    file = Path(url.database)
    event.listen(engine, "do_connect", lambda *_: _make_private(file))
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(file: Path) -> None:
    """Create the database file for its owner only; SQLite gives its WAL the same rights."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _set_pragmas(connection: SqliteConnection, _record: Any) -> None:
    # sqlite3 of Python 3.11 would begin (deferred) transactions by itself; `_begin` does it instead.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads first cannot safely write later (SQLITE_BUSY_SNAPSHOT), so a
    # unit of work takes the write lock at once: what it read is still true when it writes.
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _postgresql(url: URL) -> Engine:
    # Before use each connection is tried, so after the server's restart new ones are made by themselves.
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={**_PATIENCE, "application_name": "hotline", "options": _SESSION},
        **_POOL,
    )
