"""Who steals the disk reads no name and no number; and units of several processes stay whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from postgres import Server

from callcenter.db import engine
from callcenter.db.errors import StoreBusy
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import (
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.ports import AuditEntry, Store, UnreadRow
from scheduler.obligations import Kind, Mode, Obligation

NAMES = ("林晓燕", "沈建国", "顾卫东")
NUMBERS = ("13861700017", "13861705555", "13861709876", "051085004444", "13861703210", "13861708642")
#: One answer of a questionnaire.
SCORE = "phq_sleep/3=2"
#: Found, so that the search is known to work: these are not personal.
PLAIN = ("c017", "P-7F3K", "pbx1-1700000000.12")


def store_something_personal(store: Store, now: datetime) -> None:
    with store() as work:
        work.users.add(
            User(
                code="c017",
                name=NAMES[0],
                roles=frozenset({Role.COUNSELLOR}),
                phone=PhoneKind.MOBILE,
                mobile=NUMBERS[0],
                pin_verifier="5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
            )
        )
        person = Person(
            id="p1", code="P-7F3K", name=NAMES[1], birth_month=11, phones=(Phone(number=NUMBERS[1]),)
        )
        work.people.add(person)
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.AUTOMATION, at=now, reason=f"{NAMES[1]}要求")
        )
        work.people.put_file(
            HardshipFile(
                file_no="WX-1",
                person="p1",
                grade=Grade.DEEP,
                status=FileStatus.ACTIVE,
                since=now.date(),
                liaison=NAMES[2],
            )
        )
        work.calls.put_many(
            [
                CallRecord(
                    id="pbx1-1700000000.12",
                    direction=Direction.INBOUND,
                    outcome=Outcome.ABANDONED,
                    started_at=now,
                    number=NUMBERS[2],
                    dialled=NUMBERS[3],
                    kept=(f"number={NUMBERS[5]}",),
                    answers=(SCORE,),
                )
            ]
        )
        raw = f'"CHAN_START","{NUMBERS[4]}","{NAMES[1]}'.encode()
        work.journal.keep_unread([UnreadRow(key="s:1", raw=raw, reason="cut", at=now)])
        work.audit.append(
            AuditEntry(actor="admin", verb="reveal", object="person:p1", reason=f"{NAMES[1]}来电", at=now)
        )
        debt = Obligation(
            id="ob-1",
            person="p1",
            kind=Kind.HARDSHIP,
            due_at=now,
            window_end=now,
            mode=Mode.IVR_OK,
            detail=f"number={NUMBERS[5]}",
            created_at=now,
        )
        work.debts.add(debt)
        work.debts.close("ob-1", f"{NAMES[1]}去世", "s001", now)
        work.commit()


def assert_sealed(folder: Path) -> None:
    content = b"".join(f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file())
    for plain in PLAIN:
        assert plain.encode() in content, "the search must be able to find something"
    for secret in (*NAMES, *NUMBERS, SCORE, "5baa61e4c9b9"):
        assert secret.encode() not in content
        assert secret.encode("utf-16-le") not in content


def test_sqlite_and_its_wal_hold_no_name_and_no_number(
    sqlite_url: str, tmp_path: Path, open_sql_store: Callable[[str], SqlStore], now: datetime
) -> None:
    store = open_sql_store(sqlite_url)
    store_something_personal(store, now)
    assert (tmp_path / "hotline.db-wal").stat().st_size > 0
    assert_sealed(tmp_path)


@pytest.mark.postgres
def test_postgres_holds_no_name_and_no_number_in_tables_or_wal(
    postgres_url: str,
    postgres_server: Server,
    open_sql_store: Callable[[str], SqlStore],
    now: datetime,
) -> None:
    store_something_personal(open_sql_store(postgres_url), now)
    postgres_server.checkpoint()
    assert_sealed(postgres_server.data)


def test_a_reading_unit_sees_the_last_commit_and_holds_nobody_up(sql_store: SqlStore) -> None:
    with sql_store() as work:
        work.people.add(Person(id="p1", code="P-0001"))
        work.commit()
    with sql_store() as writing:
        writing.people.add(Person(id="p2", code="P-0002"))
        with sql_store.reading() as work:
            assert set(work.people.many(["p1", "p2"])) == {"p1"}
        writing.commit()
    with sql_store.reading() as work:
        assert set(work.people.many(["p1", "p2"])) == {"p1", "p2"}


_KILLED_IN_MID_UNIT = """
import sys
from callcenter.db.unit_of_work import open_store
from callcenter.domain.people import Person
from callcenter.keys import KeyRing

with open_store(sys.argv[1], KeyRing(master=bytes(range(32))))() as work:
    work.people.add(Person(id="p1", code="P-0001"))
    work.commit()
    work.people.add(Person(id="p2", code="P-0002"))
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_a_process_killed_in_mid_unit_leaves_what_it_committed_and_nobody_waits(
    sql_store: SqlStore, database_url: str
) -> None:
    command = [sys.executable, "-c", _KILLED_IN_MID_UNIT, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    with sql_store() as work:
        assert set(work.people.many(["p1", "p2"])) == {"p1"}
        work.people.add(Person(id="p3", code="P-0003"))
        work.commit()


def test_a_writer_who_waits_too_long_is_told_so(
    sqlite_url: str, open_sql_store: Callable[[str], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    first, second = open_sql_store(sqlite_url), open_sql_store(sqlite_url)

    def write_too() -> None:
        with second() as work:
            work.users.all()

    with first() as work:
        work.people.add(Person(id="p1", code="P-0001"))
        with pytest.raises(StoreBusy):
            write_too()
        work.commit()
