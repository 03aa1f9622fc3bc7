"""Migrations lead to the tables and back, and what must last is held by the database itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from postgres import Server
from sqlalchemy import Engine, bindparam, insert, inspect, text
from sqlalchemy.exc import IntegrityError

from callcenter.db.engine import make_engine
from callcenter.db.errors import StoreError, StoreNotReady, StoreUnreachable
from callcenter.db.migrate import check, downgrade, is_current, upgrade
from callcenter.db.tables import Moment, evidence, metadata, obligations
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.people import Person
from callcenter.errors import ConfigError

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


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """An engine that is closed even where the test fails: an open link would fail the next test too."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def tables(url: str) -> set[str]:
    with engine_of(url) as engine:
        return set(inspect(engine).get_table_names())


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
    with engine_of(database_url) as engine:
        with engine.begin() as connection:
            connection.execute(insert(obligations).values(owed))
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(insert(evidence).values(proof))


def test_sqlite_runs_in_wal_with_references_checked_and_is_private(sqlite_url: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'hotline.db'}"
    with engine_of(url) as engine, engine.begin() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
        files = list((tmp_path / "new").iterdir())
        assert {f.name for f in files} >= {"hotline.db", "hotline.db-wal"}
        assert {f.stat().st_mode & 0o077 for f in files} == {0}


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


# --- revision 0003 on a database that was in use -------------------------------------------

#: Rows as revision 0002 had them.
_BEFORE = (
    "INSERT INTO users (code, name, roles, phone, active) "
    "VALUES ('c017', :sealed, '[\"counsellor\"]', '', :yes)",
    "INSERT INTO audit (seq, actor, verb, object, field, reason, at) "
    "VALUES (1, 'admin', 'add', 'user:c017', '', :sealed, :at)",
    "INSERT INTO people (id, code, name, no_ivr, speaks) VALUES ('p1', 'P-7F3K', :sealed, :no, '')",
    "INSERT INTO sessions (id, call, counsellor, opened_at, status) "
    "VALUES ('se-1', 'ca-1', 'c017', :at, 'open')",
)


def filled_as_0002(url: str, now: datetime) -> None:
    upgrade(url, "0002")
    with engine_of(url) as engine, engine.begin() as connection:
        for row in _BEFORE:
            query = text(row).bindparams(bindparam("at", type_=Moment)) if ":at" in row else text(row)
            values = {"sealed": b"x", "yes": True, "no": False, "at": now}
            connection.execute(query, {k: v for k, v in values.items() if f":{k}" in row})


def kept_of_0002(url: str) -> list[tuple[object, ...]]:
    asked = ("SELECT code, phone FROM users", "SELECT seq, actor, object FROM audit")
    more = ("SELECT id, code FROM people", "SELECT id, call, counsellor, status FROM sessions")
    with engine_of(url) as engine, engine.begin() as connection:
        return [tuple(row) for query in asked + more for row in connection.execute(text(query))]


def test_a_line_in_use_comes_forward_to_0003_with_everything_it_had(bare_url: str, now: datetime) -> None:
    filled_as_0002(bare_url, now)
    before = kept_of_0002(bare_url)
    upgrade(bare_url)
    check(bare_url)
    assert kept_of_0002(bare_url) == before
    with engine_of(bare_url) as engine, engine.begin() as connection:
        head = connection.execute(text("SELECT person, version, submitted_at FROM sessions")).one()
        assert tuple(head) == (None, 0, None)
        assert connection.scalar(text("SELECT chain_hash FROM audit")) is None
        assert connection.scalar(text("SELECT merged_into FROM people")) is None


def test_numbers_of_before_0003_are_the_registers_where_there_is_a_file(bare_url: str, now: datetime) -> None:
    filled_as_0002(bare_url, now)
    rows = (
        "INSERT INTO people (id, code, no_ivr, speaks) VALUES ('p2', 'P-4KXA', :no, '')",
        "INSERT INTO phones (person, place, number, number_hash, status, safe_to_call) "
        "VALUES ('p1', 0, :sealed, :sealed, 'ok', :yes), ('p2', 0, :sealed, :sealed, 'ok', :yes)",
        "INSERT INTO hardship_files "
        "(file_no, person, grade, status, since, district, union_unit, liaison) "
        "VALUES ('WX-1', 'p1', '深度困难', '在档', '2026-09-01', '', '', :sealed)",
    )
    with engine_of(bare_url) as engine, engine.begin() as connection:
        for row in rows:
            values = {"sealed": b"x", "yes": True, "no": False}
            connection.execute(text(row), {k: v for k, v in values.items() if f":{k}" in row})
    upgrade(bare_url)
    with engine_of(bare_url) as engine, engine.begin() as connection:
        found = connection.execute(text("SELECT person, source, listed FROM phones ORDER BY person"))
        assert [tuple(row) for row in found] in (
            [("p1", "register", True), ("p2", "line", False)],
            [("p1", "register", 1), ("p2", "line", 0)],
        )


def test_a_line_in_use_goes_back_to_0002_and_forward_again(bare_url: str, now: datetime) -> None:
    filled_as_0002(bare_url, now)
    before, as_it_was = kept_of_0002(bare_url), tables(bare_url)
    upgrade(bare_url)
    downgrade(bare_url, "0002")
    assert tables(bare_url) == as_it_was
    assert kept_of_0002(bare_url) == before
    upgrade(bare_url)
    check(bare_url)
    assert kept_of_0002(bare_url) == before


def test_a_line_in_use_comes_forward_to_0005_with_what_was_proven_and_goes_back_without_what_is_new(
    bare_url: str, now: datetime
) -> None:
    upgrade(bare_url, "0004")
    debt = (
        "INSERT INTO obligations (id, person, kind, due_at, window_end, mode, priority, origin, created_at, "
        "closed_at, fence) VALUES (:id, 'p1', :kind, :at, :at, 'ivr_ok', 5, :id, :at, :closed, 0)"
    )
    proof = (
        "INSERT INTO evidence (id, obligation, kind, at, reference, by) "
        "VALUES ('ev-1', 'ob-kept', 'human_talk', :at, 'c1', 'c017')"
    )
    at = f"{now:%Y-%m-%d %H:%M:%S.%f}"
    with engine_of(bare_url) as engine, engine.begin() as connection:
        for name, closed in (("ob-kept", None), ("ob-closed", at), ("ob-open", None)):
            connection.execute(text(debt), {"id": name, "kind": "hardship", "at": at, "closed": closed})
        connection.execute(text(proof), {"at": at})
    upgrade(bare_url)
    check(bare_url)
    told = "SELECT id, proven_at IS NOT NULL, closed_as FROM obligations ORDER BY id"
    with engine_of(bare_url) as engine, engine.begin() as connection:
        found = [(i, bool(p), c) for i, p, c in connection.execute(text(told))]
        assert found == [("ob-closed", False, "other"), ("ob-kept", True, None), ("ob-open", False, None)]
        connection.execute(text(debt), {"id": "ob-visit", "kind": "visit", "at": at, "closed": None})
    downgrade(bare_url, "0004")
    with engine_of(bare_url) as engine, engine.begin() as connection:
        left = connection.scalars(text("SELECT id FROM obligations ORDER BY id")).all()
        assert left == ["ob-closed", "ob-kept", "ob-open"]
        assert connection.scalar(text("SELECT COUNT(*) FROM evidence")) == 1
    upgrade(bare_url)
    check(bare_url)
