"""PostgreSQL stops, dies, hangs or may only be read: a store that stays open says so, and works again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from postgres import BreakableServer, breakable_server
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from callcenter.db import engine
from callcenter.db.errors import StoreBusy, StoreReadOnly, StoreUnreachable, named
from callcenter.db.migrate import upgrade
from callcenter.db.unit_of_work import SqlStore, open_store
from callcenter.demo.runner import until
from callcenter.keys import KeyRing
from callcenter.ports import Checkpoint

pytestmark = pytest.mark.postgres
PLACE = Checkpoint(source="pbx1:journal", segment="s", offset=7, low_segment="s", low_offset=7)


@pytest.fixture(scope="module")
def breakable() -> Iterator[BreakableServer]:
    """A server of this module's own."""
    with breakable_server() as server:
        yield server


@pytest.fixture
def store(breakable: BreakableServer, keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlStore]:
    """An open store, whoever waits for a lock loses patience soon."""
    monkeypatch.setattr(engine, "_SESSION", "-c timezone=UTC -c lock_timeout=200ms")
    breakable.start()
    url = breakable.server.url(breakable.server.new_database())
    upgrade(url)
    opened = open_store(url, keys)
    yield opened
    opened.close()


def _place(store: SqlStore) -> Checkpoint | None:
    with store() as work:
        return work.journal.checkpoint(PLACE.source)


def _put(store: SqlStore) -> None:
    with store() as work:
        work.journal.set_checkpoint(PLACE)
        work.commit()


def _torn(store: SqlStore, blow: Callable[[], None]) -> None:
    with store() as work:
        work.journal.set_checkpoint(PLACE)
        blow()
        work.commit()


@pytest.mark.parametrize("blow", ["stop", "kill"])
def test_a_server_that_comes_back_is_used_again_by_the_same_store(
    breakable: BreakableServer, store: SqlStore, blow: str
) -> None:
    _put(store)
    getattr(breakable, blow)()
    for _ in range(3):
        with pytest.raises(StoreUnreachable):
            _place(store)
    breakable.start()
    assert _place(store) == PLACE


@pytest.mark.parametrize("blow", ["stop", "kill"])
def test_a_server_that_dies_in_the_midst_of_a_unit_keeps_nothing_of_it(
    breakable: BreakableServer, store: SqlStore, blow: str
) -> None:
    with pytest.raises(StoreUnreachable):
        _torn(store, getattr(breakable, blow))
    breakable.start()
    assert _place(store) is None


def _told(server: BreakableServer, only_read: str) -> None:
    """Let transactions of every session write, or only read, as on a server that became a standby."""
    with psycopg.connect(server.server.url("postgres"), autocommit=True) as link:
        link.execute(f"ALTER SYSTEM SET default_transaction_read_only = {only_read}")
        link.execute("SELECT pg_reload_conf()")


def _refuses(store: SqlStore) -> bool:
    try:
        _put(store)
    except StoreReadOnly:
        return True
    return False


def test_a_server_that_may_only_be_read_says_so_and_is_written_again_by_the_same_store(
    breakable: BreakableServer, store: SqlStore
) -> None:
    _put(store)
    _told(breakable, "on")
    try:
        until(lambda: _refuses(store), 5, what="the store's sessions to be told")
        with pytest.raises(StoreReadOnly, match="主库"):
            _put(store)
        assert _place(store) == PLACE, "what is there can be read"
    finally:
        _told(breakable, "off")
    until(lambda: not _refuses(store), 5, what="the store's sessions to be told")


def test_a_sqlite_file_that_may_only_be_read_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "hotline.db"
    sqlite3.connect(file).execute("CREATE TABLE t (a)").connection.close()
    ours = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(OperationalError) as refused, ours.connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    ours.dispose()
    assert isinstance(named(refused.value), StoreReadOnly)


def test_whoever_hangs_with_a_lock_holds_nobody_up_for_ever(store: SqlStore) -> None:
    _put(store)
    with store() as hung:
        hung.journal.set_checkpoint(PLACE)
        with pytest.raises(StoreBusy):
            _put(store)
    _put(store)


def test_a_connection_says_how_long_it_waits(breakable: BreakableServer) -> None:
    breakable.start()
    made = engine.make_engine(breakable.server.url(breakable.server.new_database()))
    with made.connect() as connection:
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar_one() == "30s"
    made.dispose()
