"""Who steals the disk reads no name, no number and no note: every table, both databases, their logs.

The store is filled by walking the tables, so that a new one cannot be forgotten; the search is itself
tested on values planted in clear.
"""

from __future__ import annotations

import gzip
import sqlite3
import zipfile
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import planted
import pytest
from planted import ALL, NAME, NEEDLES, NUMBER, fill, found_in, places_of_secrets, written
from postgres import Server
from sqlalchemy import LargeBinary, select
from typing_at import open_site

from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.tables import metadata
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.books import BOOKS
from callcenter.keys import KeyRing
from callcenter.service.line.recordings import seal_waiting

#: Sealed as well, and without a text to search for: a month, a year, moments, numbers, words of a list.
SHORT = {
    *(("people", "birth_month"), ("people", "birth_year"), ("logins", "body")),
    *(("shift_needs", "body"), ("staff_profiles", "body")),
}
#: Planted in clear to test the search; nothing else holds it, however long the server lives.
WITNESS = "闻人惊鸿"
#: Found, so that the search is known to look into the right files.
PLAIN = b"pbx1-1700000000.12"


def sealed_columns() -> list[tuple[str, str]]:
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary) and not column.name.endswith("_hash")
    ]


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


# --- the store is full of secrets ---------------------------------------------------------------


def test_every_table_holds_something_and_every_sealed_column_a_secret(
    sqlite_url: str, open_sql_store: Callable[[str], SqlStore], keys: KeyRing, now: datetime
) -> None:
    fill(open_sql_store(sqlite_url), now)
    cipher, engine = FieldCipher(keys), make_engine(sqlite_url)
    with closing(engine.connect()) as link:
        rows = {table.name: link.execute(select(table)).mappings().all() for table in metadata.sorted_tables}
    assert {name for name, found in rows.items() if not found} == set()
    opened = {
        (table, column): [
            cipher.open_bytes(row[column], f"{table}.{column}").decode() for row in rows[table] if row[column]
        ]
        for table, column in sealed_columns()
    }
    full = {place for place, texts in opened.items() if any(found_in(text.encode()) for text in texts)}
    assert full == set(sealed_columns()) - SHORT
    assert all(opened[place] for place in SHORT)


def test_every_text_of_every_book_was_given_a_secret(now: datetime) -> None:
    for book in BOOKS:
        value = planted.planted(book, now)
        texts = [
            text
            for name in value.__dataclass_fields__
            if name not in {"id", "revision", *planted.CODES, *book.clear, *planted.WORDS.get(book.table, {})}
            and isinstance(text := getattr(value, name), str)
        ]
        assert [text for text in texts if type(text) is str and not found_in(text.encode())] == [], book.table


# --- and the disk shows none ---------------------------------------------------------------------


def test_sqlite_shows_nothing_before_and_after_deleting_and_vacuum(
    sqlite_url: str, tmp_path: Path, open_sql_store: Callable[[str], SqlStore], now: datetime
) -> None:
    store = open_sql_store(sqlite_url)
    fill(store, now)
    assert (tmp_path / "hotline.db-wal").stat().st_size > 0
    assert (tmp_path / "hotline.db-shm").exists()
    assert PLAIN in everything(tmp_path)
    assert places_of_secrets(tmp_path) == {}
    with store() as work:
        for book in (book for book in BOOKS if not book.append_only):
            for value in work.book(book).where():
                work.book(book).remove(value.id)
        work.calls.delete_all()
        work.commit()
    assert places_of_secrets(tmp_path) == {}
    store.close()
    with closing(sqlite3.connect(tmp_path / "hotline.db")) as link:
        link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert places_of_secrets(tmp_path) == {}
        link.execute("VACUUM")
    assert places_of_secrets(tmp_path) == {}


@pytest.mark.postgres
def test_postgresql_shows_nothing_in_tables_wal_and_its_own_log(
    postgres_url: str,
    postgres_server: Server,
    open_sql_store: Callable[[str], SqlStore],
    now: datetime,
) -> None:
    store = open_sql_store(postgres_url)
    fill(store, now)
    with store() as work:
        for book in (book for book in BOOKS if not book.append_only):
            for value in work.book(book).where():
                work.book(book).remove(value.id)
        work.commit()
    postgres_server.checkpoint()
    assert PLAIN in everything(postgres_server.data)
    assert (postgres_server.folder / "server.log").stat().st_size > 0
    assert places_of_secrets(postgres_server.folder) == {}


# --- a test of the test ----------------------------------------------------------------------------


@pytest.mark.parametrize("core", ALL)
def test_a_value_is_found_in_every_spelling(core: str, tmp_path: Path) -> None:
    for number, form in enumerate(NEEDLES[core]):
        (tmp_path / f"{number}.bin").write_bytes(b"\x00\xff" * 99 + form + b"\x00")
    for ahead in (b"", b"a", b"ab"):
        (tmp_path / f"base64-{len(ahead)}").write_bytes(b64encode(ahead + core.encode() + b"."))
    assert places_of_secrets(tmp_path).keys() == {file.name for file in tmp_path.iterdir()}


def test_a_value_in_a_file_name_or_a_packed_file_is_found(tmp_path: Path) -> None:
    (tmp_path / f"{NUMBER}.wav").write_bytes(b"")
    (tmp_path / "log.gz").write_bytes(gzip.compress(f"x{NAME}".encode()))
    with zipfile.ZipFile(tmp_path / "list.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sheet1.xml", NAME)
    assert set(places_of_secrets(tmp_path)) == {f"{NUMBER}.wav", "log.gz", "list.xlsx"}


def test_a_value_in_clear_in_a_database_is_found(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """As it would be if somebody wrote a name where a code belongs."""
    engine, needles = make_engine(database_url), {WITNESS: written(WITNESS)}
    with engine.begin() as link:
        link.execute(metadata.tables["checkpoints"].insert().values(_clear_checkpoint()))
    folder = tmp_path
    if database_url.startswith("postgresql"):
        server: Server = request.getfixturevalue("postgres_server")
        server.checkpoint()
        folder = server.folder
    assert places_of_secrets(folder, needles) != {}
    with engine.begin() as link:
        link.execute(metadata.tables["checkpoints"].delete())
    assert places_of_secrets(folder, needles) != {}, "a deleted row is still on the disk"
    engine.dispose()


def _clear_checkpoint() -> dict[str, object]:
    return {"source": WITNESS, "segment": "s", "offset": 0, "low_segment": "s", "low_offset": 0}


# --- backups and sealed messages ---------------------------------------------------------------------


def a_call_with_secrets(home: Path, store: SqlStore, now: datetime) -> None:
    """Lay a journal, a message and a recorded talk as Asterisk leaves them, and seal what was said."""
    journal = home / "asterisk" / "log" / "cel-custom" / "journal.csv"
    journal.parent.mkdir(parents=True)
    journal.write_text(f'"CHAN_START","","1700000000.000000","{NUMBER}"\n')
    spool = home / "asterisk" / "spool" / "messages"
    spool.mkdir(parents=True)
    wav = spool / "pbx1-1700000000.12-leave_message.wav"
    wav.write_bytes(b"RIFF" + NAME.encode() * 4000)
    tapes = home / "asterisk" / "spool" / "recordings"
    tapes.mkdir()
    tape = tapes / "pbx1-1700000000.12-1.wav"
    tape.write_bytes(b"RIFF" + NAME.encode() * 4000)
    for folder in (spool, tapes):
        seal_waiting(store, folder, home / "recordings", now=now)
    assert not wav.exists(), "the message was not sealed"
    assert not tape.exists(), "the talk was not sealed"


def test_a_backup_and_sealed_messages_show_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_sql_store: Callable[[str], SqlStore], now: datetime
) -> None:
    with monkeypatch.context() as patch:
        site = open_site(tmp_path, patch)
        store = site.app.store
        assert isinstance(store, SqlStore)
        home = site.app.settings.home.resolve()
        a_call_with_secrets(home, store, now)
        recovery = site.type("keys", "escrow", "--replace", "--reason", "纸找不到了").output
        assert "AGE-SECRET-KEY-1" in recovery
        (tmp_path / "stick").mkdir()
        done = site.type("backup", str(tmp_path / "stick" / "line.age"))
        assert done.exit_code == 0, done.output
        store.close()
    assert (tmp_path / "stick" / "line.age").read_bytes().startswith(b"age-encryption.org/v1")
    assert len(list((home / "recordings").iterdir())) == 2
    assert set(places_of_secrets(tmp_path)) == {
        str((home / "asterisk/log/cel-custom/journal.csv").relative_to(tmp_path))
    }
