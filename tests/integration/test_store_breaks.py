"""PostgreSQL stops, dies or hangs under a store that stays open: it says so, and works again by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from postgres import BreakableServer, breakable_server

from callcenter.db import engine
from callcenter.db.errors import StoreBusy, StoreUnreachable
from callcenter.db.migrate import upgrade
from callcenter.db.unit_of_work import SqlStore, open_store
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
