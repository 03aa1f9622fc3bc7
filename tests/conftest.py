"""What every test can ask for: keys, and an empty store in memory, in SQLite and in PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from postgres import Server, running_server

from callcenter.db.migrate import upgrade
from callcenter.db.tables import metadata
from callcenter.db.unit_of_work import SqlStore, open_store
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.ports import Store

# Two busy cores: an example may take its time, and a run must be repeatable.
settings.register_profile("hotline", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("hotline")


@pytest.fixture(scope="session")
def keys() -> KeyRing:
    """The same keys in every test."""
    return KeyRing(master=bytes(range(32)))


@pytest.fixture
def now() -> datetime:
    """A Monday morning in Wuxi, before the calls begin."""
    return datetime(2026, 11, 23, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One real server per test process. Fails, and says the mend, where the binaries are missing."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "hotline.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def _postgres_database(postgres_server: Server) -> str:
    name = postgres_server.new_database()
    upgrade(postgres_server.url(name))
    return name


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """URL of an empty SQLite store."""
    file = tmp_path / "hotline.db"
    shutil.copy(_sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def postgres_url(postgres_server: Server, _postgres_database: str) -> str:
    """URL of an empty PostgreSQL store."""
    postgres_server.empty(_postgres_database, [table.name for table in metadata.sorted_tables])
    return postgres_server.url(_postgres_database)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty store, once in each database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def open_sql_store(keys: KeyRing) -> Iterator[Callable[[str], SqlStore]]:
    """Opens stores by URL and closes them at the end."""
    opened: list[SqlStore] = []

    def open_it(url: str) -> SqlStore:
        opened.append(open_store(url, keys))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def sql_store(database_url: str, open_sql_store: Callable[[str], SqlStore]) -> SqlStore:
    """An empty SQL store, once in each database."""
    return open_sql_store(database_url)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, open_sql_store: Callable[[str], SqlStore]) -> Store:
    """An empty store: in memory, in SQLite, in PostgreSQL. What holds for one holds for all."""
    if request.param == "memory":
        return MemoryStore()
    return open_sql_store(request.getfixturevalue(f"{request.param}_url"))
