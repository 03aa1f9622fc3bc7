"""A leaked field key is replaced under a running line: nothing is lost, whatever dies meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select, text, update
from sqlalchemy.exc import DBAPIError
from test_store_at_rest import NUMBERS, store_something_personal

from callcenter.db import crypto as crypto_module
from callcenter.db import rotation as rotation_module
from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.rotation import HASH_OF, SEALED, UNTOUCHED, Rotation, retire
from callcenter.db.tables import books, metadata, people, phones
from callcenter.db.unit_of_work import SqlStore, open_store
from callcenter.domain.books import CASES, SESSION_VERSIONS
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.people import Person, Phone, PhoneStatus
from callcenter.domain.risk import Level
from callcenter.domain.sessions import SessionStatus, SessionVersion
from callcenter.errors import Conflict
from callcenter.keys import KeyRing
from callcenter.ports import AuditEntry

#: Enough people for several batches.
CROWD = 30


def person(n: int) -> Person:
    return Person(id=f"w{n}", code=f"P-{n:04d}", name=f"顾卫东{n}", phones=(Phone(number=f"1390510{n:04d}"),))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    KeyRing.create(tmp_path / "hotline.key")
    return tmp_path / "hotline.key"


@pytest.fixture
def line(key_file: Path, database_url: str, now: datetime) -> Iterator[SqlStore]:
    """A store, full, of a process that knows only the first key."""
    store = open_store(database_url, KeyRing.load(key_file))
    store_something_personal(store, now)
    with store() as work:
        for n in range(CROWD):
            work.people.add(person(n))
            work.audit.append(
                AuditEntry(actor="admin", verb="x", object=f"o:{n}", at=now, reason="沈建国来电")
            )
        case = Case(
            id="ca-1",
            person="w1",
            level=Level.HIGH,
            state=CaseState.OPEN,
            owner="c017",
            opened_at=now,
            opened_from="s",
        )
        work.book(CASES).add(case)
        work.book(SESSION_VERSIONS).add(
            SessionVersion(
                id="s/1",
                session="s",
                n=1,
                status=SessionStatus.SUBMITTED,
                form="session/1",
                checksum="0" * 64,
                answers={"facts": "说睡不好"},
                by="c017",
                at=now,
            )
        )
        work.commit()
    yield store
    store.close()


def everything(store: SqlStore) -> list[object]:
    """Return what people would read, in whatever key it is sealed."""
    with store.reading() as work:
        return [
            work.users.all(),
            work.people.all(),
            [work.people.suppressions("p1"), work.people.files()],
            work.calls.get("pbx1-1700000000.12"),
            work.audit.recent(100),
            work.debts.get("ob-1"),
            work.book(CASES).where(),
            work.book(SESSION_VERSIONS).where(),
        ]


def rotate(url: str, key_file: Path, *, batch: int = 7) -> dict[str, int]:
    rotation = Rotation(url, KeyRing.load(key_file), batch=batch)
    try:
        return rotation.reseal().left
    finally:
        rotation.close()


def new_key(key_file: Path) -> KeyRing:
    return KeyRing.load(key_file).with_new_key().save(key_file)


def test_every_sealed_column_and_every_hash_is_known_to_the_rotation() -> None:
    binary = {
        f"{t.name}.{c.name}" for t in metadata.tables.values() for c in t.c if isinstance(c.type, LargeBinary)
    }
    hashes = {name for name in binary if name.endswith("_hash")}
    assert hashes == {*HASH_OF, *UNTOUCHED}
    assert set(HASH_OF.values()) <= binary - hashes
    assert {table.name for table in SEALED} >= {*books, "audit", "users", "people", "phones", "calls"}


def test_everything_is_read_as_before_under_the_new_key_alone(
    line: SqlStore, key_file: Path, database_url: str
) -> None:
    before = everything(line)
    ring = new_key(key_file)
    assert rotate(database_url, key_file) == {}
    retire(database_url, ring, key_file)
    fresh = open_store(database_url, KeyRing.load(key_file))
    assert KeyRing.load(key_file).versions == (2,)
    assert everything(fresh) == before
    with fresh() as work:
        assert work.people.by_number(NUMBERS[1]) == work.people.get("p1")
        assert [c.id for c in work.calls.of_number(NUMBERS[2])] == ["pbx1-1700000000.12"]
    fresh.close()


def test_the_old_key_then_opens_nothing(line: SqlStore, key_file: Path, database_url: str) -> None:
    first = KeyRing.load(key_file)
    new_key(key_file)
    rotate(database_url, key_file)
    old = FieldCipher(replace(first, file=None))
    engine = make_engine(database_url)
    with engine.connect() as connection:
        for sealed in connection.scalars(select(people.c.name)):
            assert sealed is None or sealed[0] == 2
    engine.dispose()
    assert old.lookups(NUMBERS[1]) != FieldCipher(KeyRing.load(key_file)).lookups(NUMBERS[1])[:1]


def test_a_process_with_the_old_keys_goes_on_reading_writing_and_finding(
    line: SqlStore, key_file: Path, database_url: str
) -> None:
    new_key(key_file)
    assert rotate(database_url, key_file) == {}
    with line() as work:
        assert work.people.get("w3") == person(3)
        assert work.people.by_number("13905100003") == person(3)
        work.people.add(person(900))
        work.commit()
    assert rotate(database_url, key_file) == {}
    with line() as work:
        assert work.people.by_number("13905100900") == person(900)


def test_numbers_are_found_while_only_half_of_them_have_the_new_hash(
    line: SqlStore, key_file: Path, database_url: str
) -> None:
    new_key(key_file)
    rotation = Rotation(database_url, KeyRing.load(key_file), batch=CROWD // 2)
    next(rotation._through(phones))
    half = rotation.left()["phones"]
    rotation.close()
    assert 0 < half < CROWD
    fresh = open_store(database_url, KeyRing.load(key_file))
    with fresh() as work:
        assert all(work.people.by_number(f"1390510{n:04d}") == person(n) for n in range(CROWD))
        assert work.people.set_phone_status("13905100001", PhoneStatus.WRONG) == 1
    fresh.close()


def test_the_line_writes_meanwhile_and_no_write_is_lost(
    line: SqlStore, key_file: Path, database_url: str
) -> None:
    new_key(key_file)
    stop, written = threading.Event(), [0]

    def call_after_call() -> None:
        while not stop.wait(0.005):
            n = written[0]
            with line() as work:
                work.people.add(person(1000 + n))
                one = work.people.get(f"w{n % CROWD}")
                work.people.update(replace(one, speaks=f"wx{n}"))
                work.commit()
            written[0] = n + 1

    writer = threading.Thread(target=call_after_call)
    writer.start()
    try:
        rotate(database_url, key_file, batch=3)
    finally:
        stop.set()
        writer.join()
    assert rotate(database_url, key_file) == {}
    assert written[0] > 0
    with line() as work:
        for n in range(written[0]):
            assert work.people.get(f"w{1000 + n}") == person(1000 + n)
        last = written[0] - 1
        assert work.people.get(f"w{last % CROWD}").speaks == f"wx{last}"


_ROTATE = """
import sys
from pathlib import Path
from callcenter.db.rotation import Rotation
from callcenter.keys import KeyRing

rotation = Rotation(sys.argv[1], KeyRing.load(Path(sys.argv[2])), batch=2)
rotation.reseal(lambda rows: print(rows, flush=True))
print("done", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("batches", [1, 6, 19, 33])
def test_killed_at_any_point_it_goes_on_where_it_was(
    line: SqlStore, key_file: Path, database_url: str, batches: int
) -> None:
    before = everything(line)
    ring = new_key(key_file)
    command = [sys.executable, "-c", _ROTATE, database_url, str(key_file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(batches):
            process.stdout.readline()
        process.kill()
    assert everything(line) == before
    with pytest.raises(Conflict, match="hotline keys rotate"):
        retire(database_url, ring, key_file)
    assert KeyRing.load(key_file).versions == (1, 2)
    assert rotate(database_url, key_file) == {}
    assert everything(line) == before


def test_append_only_tables_are_append_only_again(line: SqlStore, key_file: Path, database_url: str) -> None:
    new_key(key_file)
    rotate(database_url, key_file)
    for table in ("audit", "session_versions"):
        engine = make_engine(database_url)
        with engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608
        column = metadata.tables[table].primary_key.columns[0]
        with engine.connect() as connection, pytest.raises(DBAPIError, match="append-only"):
            connection.execute(update(column.table).values({column: column}))
        engine.dispose()


def test_a_column_that_no_key_opens_is_counted_and_holds_up_nothing(
    line: SqlStore, key_file: Path, database_url: str
) -> None:
    wreck = b"\x01" + b"x" * 40
    engine = make_engine(database_url)
    with engine.begin() as connection:
        connection.execute(update(people).where(people.c.id == "p1").values(name=wreck))
        connection.execute(update(phones).where(phones.c.person == "w5").values(number=wreck))
        before = connection.scalar(select(phones.c.number_hash).where(phones.c.person == "w5"))
    ring = new_key(key_file)
    rotation = Rotation(database_url, ring, batch=4)
    result = rotation.reseal()
    assert result.broken == result.left == {"people": 1, "phones": 1}
    assert not rotation.is_waiting()
    assert rotation.sample(1000) == {"people": 2, "phones": 2}  # from either end
    rotation.close()
    retire(database_url, ring, key_file)
    with engine.begin() as connection:
        row = connection.execute(select(people).where(people.c.id == "p1")).mappings().one()
        assert row["name"] == wreck
        assert FieldCipher(KeyRing.load(key_file)).open(row["birth_month"], "people.birth_month") == "11"
        assert connection.scalar(select(phones.c.number_hash).where(phones.c.person == "w5")) == before
    engine.dispose()


def test_the_old_key_comes_back_if_somebody_sealed_with_it_at_the_last_moment(
    line: SqlStore, key_file: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(KeyRing.load(key_file), file=None)
    ring = new_key(key_file)
    rotate(database_url, key_file)

    def somebody_held_up_all_that_time() -> None:
        late = open_store(database_url, first)
        with late() as work:
            work.people.add(person(700))
            work.commit()
        late.close()

    monkeypatch.setattr(rotation_module, "until_noticed", somebody_held_up_all_that_time)
    monkeypatch.setattr(crypto_module, "NOTICE", 0.0)  # as after the wait that is left out
    with pytest.raises(Conflict):
        retire(database_url, ring, key_file)
    assert KeyRing.load(key_file) == ring
