"""The database is held by somebody else, has no room, may only be read, or is gone."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from functools import partial

import psycopg
from postgres import BreakableServer
from violence import Site

from callcenter.demo.runner import until
from faults.base import Fault

#: The lock of each site that is held.
_HELD: dict[int, sqlite3.Connection] = {}
#: Beyond so many bytes nothing can be written into any file. SQLite says of it what it says of a disk that
#: became read-only under an open file (SQLITE_IOERR_WRITE); of one without room it says SQLITE_FULL.
_NO_ROOM = 4096


def _lock(site: Site) -> None:
    """Take the turn to write, as a backup program or somebody's database browser does."""
    if id(site) not in _HELD:
        held = sqlite3.connect(site.folder / "hotline.db", isolation_level=None, check_same_thread=False)
        held.execute("PRAGMA busy_timeout=30000")
        held.execute("BEGIN IMMEDIATE")
        _HELD[id(site)] = held


def _unlock(site: Site) -> None:
    held = _HELD.pop(id(site), None)
    if held is not None:
        held.close()


def _limit(site: Site, most: int) -> None:
    """Let no process of ours write beyond so many bytes of a file (prlimit(2)): EFBIG for ENOSPC."""
    for pid in site.python.pids():
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))


def _server(act: str) -> Callable[[Site], None]:
    def do(site: Site) -> None:
        assert site.postgres is not None
        getattr(site.postgres, act)()

    return do


def run_sql(server: BreakableServer, command: str) -> list[tuple[object, ...]]:
    """Run one command on a server and return its rows. Raise `psycopg.OperationalError` if it is away."""
    with psycopg.connect(server.server.url("postgres"), autocommit=True) as link:
        return link.execute(command).fetchall()


def _allow(site: Site, *, writes: bool) -> None:
    """Let transactions that begin from now on write, or only read (SQLSTATE 25006), as on a standby.

    Written as `ALTER SYSTEM` does, for whoever has to be told while the server is away.
    """
    server = site.postgres
    assert server is not None
    only_read = "off" if writes else "on"
    with (server.server.data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"default_transaction_read_only = {only_read}\n")
    if server.is_running:
        run_sql(server, "SELECT pg_reload_conf()")
        told = [(only_read,)]
        until(lambda: run_sql(server, "SHOW default_transaction_read_only") == told, 10, what="it to be told")


FAULTS = (
    Fault(name="sqlite_locked", strike=_lock, mend=_unlock, hold=(0.5, 8), store="sqlite"),
    Fault(
        name="sqlite_full",
        strike=partial(_limit, most=_NO_ROOM),
        mend=partial(_limit, most=resource.RLIM_INFINITY),
        hold=(0.5, 6),
        store="sqlite",
    ),
    Fault(
        name="postgres_stop", strike=_server("stop"), mend=_server("start"), hold=(0.5, 6), store="postgres"
    ),
    Fault(
        name="postgres_kill", strike=_server("kill"), mend=_server("start"), hold=(0.1, 4), store="postgres"
    ),
    Fault(
        name="postgres_read_only",
        strike=partial(_allow, writes=False),
        mend=partial(_allow, writes=True),
        hold=(0.5, 6),
        store="postgres",
    ),
)
