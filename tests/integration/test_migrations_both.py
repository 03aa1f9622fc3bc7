"""Migrations lead to the tables and back, and what must last is held by the database itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from postgres import Server
from sqlalchemy import insert, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from callcenter.db.engine import make_engine
from callcenter.db.errors import StoreError, StoreNotReady, StoreUnreachable
from callcenter.db.migrate import check, downgrade, is_current, upgrade
from callcenter.db.tables import APPEND_ONLY, evidence, metadata, obligations
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.people import Consent, ConsentKind, Person
from callcenter.errors import ConfigError
from callcenter.ports import AuditEntry

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.db'}"
        return
    server: Server = request.getfixturevalue("postgres_server")
    name = server.new_database()
    yield server.url(name)
    server.drop_database(name)


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_up_checked_down_and_up_again(bare_url: str) -> None:
    assert not is_current(bare_url)
    upgrade(bare_url)
    assert is_current(bare_url)
    assert tables(bare_url) == set(metadata.tables) | {"alembic_version"}
    check(bare_url)
    downgrade(bare_url, "base")
    assert tables(bare_url) == {"alembic_version"}
    upgrade(bare_url)
    check(bare_url)


def test_upgrading_what_is_up_to_date_changes_nothing(
    database_url: str, open_sql_store: Callable[[str], SqlStore]
) -> None:
    store = open_sql_store(database_url)
    with store() as work:
        work.people.add(Person(id="p1", code="P-7F3K", name="沈建国"))
        work.commit()
    upgrade(database_url)
    with store() as work:
        assert work.people.get("p1").name == "沈建国"


def test_the_alembic_command_does_the_same(bare_url: str) -> None:
    for act in (["upgrade", "head"], ["check"], ["downgrade", "base"], ["upgrade", "head"]):
        command = [sys.executable, "-m", "alembic", "-x", f"url={bare_url}", *act]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_alembic_command_finds_the_configured_database(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"HOTLINE_HOME": "here"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert is_current(f"sqlite:///{tmp_path / 'here' / 'hotline.db'}")


def test_an_unknown_revision_is_refused(bare_url: str) -> None:
    with pytest.raises(StoreError, match="版本"):
        upgrade(bare_url, "9999")


def test_an_empty_database_says_what_to_do(bare_url: str, open_sql_store: Callable[[str], SqlStore]) -> None:
    store = open_sql_store(bare_url)

    def look() -> None:
        with store() as work:
            work.users.all()

    with pytest.raises(StoreNotReady, match="hotline init"):
        look()


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET at = at"])
def test_what_is_append_only_cannot_be_changed_even_by_hand(
    sql_store: SqlStore, database_url: str, now: datetime, table: str, change: str
) -> None:
    consent = Consent(person="p1", kind=ConsentKind.IVR_CHECKIN, granted=True, at=now, channel="form")
    with sql_store() as work:
        work.audit.append(AuditEntry(actor="admin", verb="add", object="user:c017", at=now))
        work.people.add(Person(id="p1", code="P-7F3K"))
        work.people.add_consent(consent)
        work.commit()
    engine = make_engine(database_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change.format(table)))
    engine.dispose()
    with sql_store() as work:
        assert work.audit.recent(5)[0].object == "user:c017"
        assert work.people.consents("p1") == [consent]


@pytest.mark.postgres
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_postgres_does_not_truncate_it_either(postgres_url: str, table: str) -> None:
    engine = make_engine(postgres_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {table}"))
    engine.dispose()


@pytest.mark.parametrize("reference", [None, ""])
def test_the_database_itself_wants_a_reference_for_evidence(
    database_url: str, now: datetime, reference: str | None
) -> None:
    owed = {
        "id": "ob-1",
        "person": "p1",
        "kind": "hardship",
        "due_at": now,
        "window_end": now,
        "mode": "ivr_ok",
        "priority": 5,
        "origin": "",
        "created_at": now,
        "fence": 0,
    }
    proof = {
        "id": "ev-1",
        "obligation": "ob-1",
        "kind": "ivr_key",
        "at": now,
        "reference": reference,
        "by": "ivr",
    }
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(insert(obligations).values(owed))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(evidence).values(proof))
    engine.dispose()


def test_sqlite_runs_in_wal_with_references_checked_and_is_private(sqlite_url: str, tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'new' / 'hotline.db'}")
    with engine.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
        files = list((tmp_path / "new").iterdir())
        assert {f.name for f in files} >= {"hotline.db", "hotline.db-wal"}
        assert {f.stat().st_mode & 0o077 for f in files} == {0}
    engine.dispose()


@pytest.mark.parametrize(
    "url", ["mysql://u:geheim@h/d", "sqlite://", "sqlite:///:memory:", "not a url geheim"]
)
def test_a_wrong_url_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"database\.url") as refusal:
        make_engine(url)
    assert "geheim" not in str(refusal.value)


@pytest.mark.postgres
def test_a_server_that_does_not_answer_is_named_so(
    tmp_path: Path, open_sql_store: Callable[[str], SqlStore]
) -> None:
    url = f"postgresql://hotline:geheim@/nowhere?host={tmp_path}"
    store = open_sql_store(url)

    def look() -> None:
        with store() as work:
            work.users.all()

    with pytest.raises(StoreUnreachable) as refusal:
        look()
    assert "geheim" not in str(refusal.value)
    with pytest.raises(StoreUnreachable):
        upgrade(url)
