"""The audit's chain in every store: written with each entry, by many writers at once, covering old rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from callcenter.db.engine import make_engine
from callcenter.db.errors import StoreError
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.audit_chain import AuditEntry, Fault, Head
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.ports import Store
from callcenter.service.privacy import audit as audits
from callcenter.service.privacy.audit import HEAD_FILE, anchor, examine, note_head, noted_head, verify


def entry(now: datetime, **given: str) -> AuditEntry:
    return AuditEntry(**{"actor": "s001", "verb": "people.reveal", "object": "person:p1", **given}, at=now)  # type: ignore[arg-type]


def write(store: Store, *entries: AuditEntry) -> None:
    with store() as work:
        for one in entries:
            work.audit.append(one)
        work.commit()


def add_auditor(store: Store) -> None:
    with store() as work:
        work.users.add(User(code="a001", name="顾明", roles=frozenset({Role.AUDITOR})))
        work.users.add(User(code="k001", name="许敏", roles=frozenset({Role.CLERK})))
        work.commit()


def begin(store: Store, folder: Path, first: AuditEntry) -> None:
    """Write the first entry and note the head, as `hotline init` does."""
    write(store, first)
    with store() as work:
        note_head(work, folder, anew=True)


def test_an_empty_log_is_whole_and_has_no_head(store: Store) -> None:
    with store() as work:
        assert work.audit.head() is None
        verdict = verify(work)
        assert verdict.is_whole
        assert verdict.entries == 0


def test_entries_written_at_once_and_one_by_one_are_one_chain(store: Store, now: datetime) -> None:
    write(store, entry(now), entry(now, reason="回电"))
    write(store, entry(now))
    with store() as work:
        verdict = verify(work)
        assert verdict.is_whole
        assert (verdict.entries, verdict.chained_from) == (3, 1)
        assert verdict.head == work.audit.head()


def test_what_was_undone_leaves_no_gap(store: Store, now: datetime) -> None:
    write(store, entry(now))
    with store() as work:
        work.audit.append(entry(now, verb="people.erase"))
    with store() as work:
        work.audit.append(entry(now))
        work.commit()
        work.audit.append(entry(now))
        work.commit()
    with store() as work:
        assert verify(work).is_whole
        assert [e.seq for e in work.audit.recent(9)] == [3, 2, 1]


def test_an_entry_is_read_in_its_own_unit_and_stands_once(store: Store, now: datetime) -> None:
    with store() as work:
        work.audit.append(entry(now, verb="people.add"))
        assert [(e.seq, e.verb) for e in work.audit.recent(9)] == [(1, "people.add")]
        work.audit.append(entry(now))
        head = work.audit.head()
        work.commit()
    with store() as work:
        assert [e.seq for e in work.audit.recent(9)] == [2, 1]
        assert verify(work, [head] if head else []).head == head


@pytest.mark.postgres
def test_a_long_unit_holds_nobody_up_who_appends_meanwhile(
    postgres_url: str, open_sql_store: Callable[[str], SqlStore], now: datetime
) -> None:
    store = open_sql_store(postgres_url)
    with store() as slow, ThreadPoolExecutor(1) as thread:
        slow.audit.append(entry(now, verb="session.submit"))
        thread.submit(write, store, entry(now)).result(timeout=20)
        slow.commit()
    with store() as work:
        assert [e.verb for e in work.audit.recent(9)] == ["session.submit", "people.reveal"]
        assert verify(work).is_whole


@contextmanager
def refusing_audit(url: str) -> Iterator[None]:
    """Let the database refuse every new entry, as one whose disk is full does."""
    engine = make_engine(url)
    full = (
        "ALTER TABLE audit ADD CONSTRAINT full_ CHECK (seq < 2)",
        "ALTER TABLE audit DROP CONSTRAINT full_",
    )
    if engine.dialect.name == "sqlite":
        trigger = "CREATE TRIGGER full_ BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
        full = (trigger, "DROP TRIGGER full_")
    try:
        with engine.begin() as connection:
            connection.execute(text(full[0]))
        yield
        with engine.begin() as connection:
            connection.execute(text(full[1]))
    finally:
        engine.dispose()


@pytest.mark.parametrize("entries", [1, 3])
def test_an_entry_the_database_refuses_takes_the_whole_unit_with_it(
    sql_store: SqlStore, database_url: str, now: datetime, entries: int
) -> None:
    def enlist() -> None:
        with sql_store() as work:
            work.users.add(User(code="k001", name="许敏", roles=frozenset({Role.CLERK})))
            for _ in range(entries):
                work.audit.append(entry(now, reason="回电"))
            work.commit()

    write(sql_store, entry(now))
    with refusing_audit(database_url), pytest.raises(StoreError) as failed:
        enlist()
    assert "INSERT" not in str(failed.value)
    with sql_store() as work:
        assert work.users.all() == []
    write(sql_store, entry(now))
    with sql_store() as work:
        assert verify(work).entries == 2


def test_a_moment_counts_as_the_same_instant_in_every_zone(store: Store, now: datetime) -> None:
    from zoneinfo import ZoneInfo

    write(store, entry(now.astimezone(ZoneInfo("Asia/Shanghai")).replace(microsecond=123456)))
    with store() as work:
        assert verify(work).is_whole


def test_an_entry_without_a_zone_is_refused(store: Store, now: datetime) -> None:
    with store() as work, pytest.raises(ValueError, match="zone"):
        work.audit.append(entry(now.replace(tzinfo=None)))


def test_the_list_is_narrowed_by_who_what_whom_and_since(store: Store, now: datetime) -> None:
    later = now + timedelta(hours=1)
    write(store, entry(now), entry(now, actor="c017"), entry(now, object="person:p2"), entry(later, verb="x"))
    with store() as work:
        log = work.audit
        assert [e.seq for e in log.recent(9, actor="c017")] == [2]
        assert [e.seq for e in log.recent(9, object="person:p1")] == [4, 2, 1]
        assert [e.seq for e in log.recent(9, verb="x")] == [4]
        assert [e.seq for e in log.recent(9, since=later)] == [4]
        assert [e.seq for e in log.recent(1, actor="s001")] == [4]


def test_writers_at_the_same_time_keep_one_unbroken_chain(store: Store, now: datetime) -> None:
    def writing(name: str) -> None:
        for _ in range(15):
            write(store, entry(now, actor=name))

    threads = [threading.Thread(target=writing, args=(f"c{n:03}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store() as work:
        verdict = verify(work)
        assert verdict.is_whole
        assert verdict.entries == 60


def test_entries_of_before_the_chain_are_covered_by_its_first_link(
    sql_store: SqlStore, database_url: str, now: datetime
) -> None:
    write(sql_store, entry(now, actor="admin"), entry(now))
    by_hand(database_url, "UPDATE audit SET chain_hash = NULL")
    with sql_store() as work:
        assert verify(work).fault is Fault.NO_HASH
    write(sql_store, entry(now), entry(now))
    with sql_store() as work:
        verdict = verify(work)
        assert verdict.is_whole
        assert (verdict.entries, verdict.chained_from) == (4, 3)
    by_hand(database_url, "UPDATE audit SET actor = 'c017' WHERE seq = 1")
    with sql_store() as work:
        verdict = verify(work)
        assert (verdict.fault, verdict.bad_seq) == (Fault.CHANGED, 3)


@pytest.mark.parametrize(
    ("change", "fault", "seq"),
    [
        ("UPDATE audit SET verb = 'calls.see' WHERE seq = 3", Fault.CHANGED, 3),
        ("DELETE FROM audit WHERE seq = 2", Fault.MISSING, 2),
        ("UPDATE audit SET reason = chain_hash WHERE seq = 4", Fault.UNREADABLE, 4),
        ("UPDATE audit SET chain_hash = NULL WHERE seq = 4", Fault.NO_HASH, 4),
        ("DELETE FROM audit WHERE seq > 3", Fault.CUT_OFF, 4),
        ("DELETE FROM audit", Fault.CUT_OFF, 1),
    ],
)
def test_the_first_bad_entry_is_named(
    sql_store: SqlStore, database_url: str, now: datetime, change: str, fault: Fault, seq: int
) -> None:
    write(sql_store, *(entry(now + timedelta(seconds=n)) for n in range(5)))
    with sql_store() as work:
        head = work.audit.head()
    assert head is not None
    by_hand(database_url, change)
    with sql_store() as work:
        verdict = verify(work, [head])
        assert (verdict.fault, verdict.bad_seq) == (fault, seq)


def by_hand(url: str, change: str) -> None:
    """Change the table as its owner could: with the triggers lifted."""
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SET session_replication_role = replica"))
            else:
                connection.execute(text("DROP TRIGGER IF EXISTS audit_no_update"))
                connection.execute(text("DROP TRIGGER IF EXISTS audit_no_delete"))
            connection.execute(text(change))
    finally:
        engine.dispose()


def test_the_head_is_noted_privately_and_a_cut_tail_is_found_by_it(
    sql_store: SqlStore, database_url: str, now: datetime, tmp_path: Path
) -> None:
    add_auditor(sql_store)
    begin(sql_store, tmp_path, entry(now))
    write(sql_store, entry(now), entry(now))
    with sql_store() as work:
        assert examine(work, tmp_path, actor="a001").is_whole
    assert (tmp_path / HEAD_FILE).stat().st_mode & 0o777 == 0o600
    by_hand(database_url, "DELETE FROM audit WHERE seq = 3")
    with sql_store() as work:
        found = examine(work, tmp_path, actor="a001")
        assert (found.fault, found.bad_seq) == (Fault.CUT_OFF, 3)
        note_head(work, tmp_path)  # a backup afterwards does not cover it up
        assert examine(work, tmp_path, actor="a001").fault is Fault.CUT_OFF
    write(sql_store, entry(now, reason="补上去的"), entry(now))
    with sql_store() as work:
        note_head(work, tmp_path)
        found = examine(work, tmp_path, actor="a001")
        assert (found.fault, found.bad_seq) == (Fault.OTHER_HEAD, 3)
        note_head(work, tmp_path, anew=True)
        assert examine(work, tmp_path, actor="a001").is_whole


def test_the_head_from_paper_is_enough_where_the_file_was_replaced_as_well(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    add_auditor(store)
    begin(store, tmp_path, entry(now))
    write(store, entry(now))
    with store() as work:
        paper = Head.parse(str(examine(work, tmp_path, actor="a001").head))
        assert examine(work, tmp_path, actor="a001", paper=paper).is_whole
        longer = replace(paper, seq=3)
        assert examine(work, tmp_path, actor="a001", paper=longer).fault is Fault.CUT_OFF
        other = replace(paper, hash=bytes(16))
        assert examine(work, tmp_path, actor="a001", paper=other).fault is Fault.OTHER_HEAD


@pytest.mark.parametrize(
    "text_", ["", "3", "3:", "3:12", "x:0123456789abcdef", "3:0123456789abcdefg", "-1:" + "0" * 16]
)
def test_a_head_written_wrongly_is_refused(text_: str) -> None:
    with pytest.raises(Refused, match="序号:散列"):
        Head.parse(text_)


def test_a_noted_head_that_is_none_is_refused_not_passed_over(tmp_path: Path) -> None:
    assert noted_head(tmp_path) is None
    (tmp_path / HEAD_FILE).write_bytes(b"\xff\x00")
    with pytest.raises(Refused, match=HEAD_FILE):
        noted_head(tmp_path)


def test_r50_a_log_cut_off_together_with_its_noted_head_is_found_and_stays_found(
    sql_store: SqlStore, database_url: str, now: datetime, tmp_path: Path
) -> None:
    add_auditor(sql_store)
    begin(sql_store, tmp_path, entry(now))
    write(sql_store, entry(now), entry(now))
    by_hand(database_url, "DELETE FROM audit WHERE seq = 3")
    (tmp_path / HEAD_FILE).unlink()
    with sql_store() as work:
        assert examine(work, tmp_path, actor="a001").fault is Fault.NO_HEAD
        note_head(work, tmp_path)  # a backup or an export afterwards does not cover it up
        assert noted_head(tmp_path) is None
        assert examine(work, tmp_path, actor="a001").fault is Fault.NO_HEAD


@pytest.mark.parametrize("is_noted", [True, False])
def test_r50_an_emptied_log_is_no_whole_one(
    sql_store: SqlStore, database_url: str, now: datetime, tmp_path: Path, is_noted: bool
) -> None:
    add_auditor(sql_store)
    begin(sql_store, tmp_path, entry(now))
    by_hand(database_url, "DELETE FROM audit")
    if not is_noted:
        (tmp_path / HEAD_FILE).unlink()
    with sql_store() as work:
        found = examine(work, tmp_path, actor="a001")
        assert (found.is_whole, found.fault) == (False, Fault.CUT_OFF if is_noted else Fault.EMPTY)


def test_r50_an_auditor_says_from_where_it_counts_again_and_why(
    store: Store, now: datetime, tmp_path: Path
) -> None:
    add_auditor(store)
    write(store, entry(now))
    with store() as work:
        with pytest.raises(Refused, match="理由"):
            anchor(work, actor="a001", now=now, reason="")
        with pytest.raises(Forbidden):
            anchor(work, actor="k001", now=now, reason="换机器时漏拷了链头文件")
        anchor(work, actor="a001", now=now, reason="换机器时漏拷了链头文件")
        work.commit()
        note_head(work, tmp_path, anew=True)
        assert examine(work, tmp_path, actor="a001").is_whole
        [said] = work.audit.recent(1)
        assert (said.verb, said.actor, said.reason) == ("audit.anchor", "a001", "换机器时漏拷了链头文件")


def test_r50_a_broken_chain_cannot_be_declared_whole(
    sql_store: SqlStore, database_url: str, now: datetime
) -> None:
    add_auditor(sql_store)
    write(sql_store, entry(now), entry(now), entry(now))
    by_hand(database_url, "DELETE FROM audit WHERE seq = 2")
    with sql_store() as work, pytest.raises(Refused, match="第 2 条"):
        anchor(work, actor="a001", now=now, reason="换机器时漏拷了链头文件")


def test_a_clerk_neither_reads_nor_verifies_it(store: Store, tmp_path: Path) -> None:
    add_auditor(store)
    calls: list[Callable[..., object]] = [
        audits.entries,
        lambda w, *, actor: examine(w, tmp_path, actor=actor),
    ]
    for call in calls:
        with store() as work, pytest.raises(Forbidden):
            call(work, actor="k001")
