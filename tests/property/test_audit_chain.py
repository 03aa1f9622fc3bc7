"""Whatever single change somebody makes to the audit by hand, verifying finds it (R50)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection, connect
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.db.migrate import upgrade
from callcenter.db.unit_of_work import SqlStore, open_store
from callcenter.domain.audit_chain import AuditEntry, Head, encode
from callcenter.keys import KeyRing
from callcenter.service.privacy.audit import verify

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ENTRIES = 9
#: How many entries the log had before there was a chain: none, some.
BEFORE = (0, 3)


def entry(n: int) -> AuditEntry:
    # Two that say the same in all but time and number: only their place tells them apart.
    return AuditEntry(
        actor=f"c0{n % 3}",
        verb="people.reveal",
        object=f"person:p{n // 2}",
        field="number",
        reason="回电，与本人约定" if n % 2 else "",
        at=START + timedelta(seconds=n),
    )


class Log:
    """An audit log in SQLite, of which every example gets its own copy."""

    def __init__(self, folder: Path, before: int) -> None:
        self.folder, self.keys = folder, KeyRing(master=bytes(range(32)))
        self.master = folder / "master.db"
        upgrade(f"sqlite:///{self.master}")
        self.fill(before)
        with self.open(self.master) as connection:
            connection.execute("DROP TRIGGER audit_no_update")
            connection.execute("DROP TRIGGER audit_no_delete")
            # As revision 0002 left them.
            connection.execute("UPDATE audit SET chain_hash = NULL")
        self.fill(ENTRIES - before, start=before)
        store = self.store(self.master)
        with store() as work:
            head = work.audit.head()
        store.close()
        assert head is not None
        self.head: Head = head

    def fill(self, count: int, start: int = 0) -> None:
        store = self.store(self.master)
        with store() as work:
            for n in range(start, start + count):
                work.audit.append(entry(n))
            work.commit()
        store.close()

    def store(self, file: Path) -> SqlStore:
        return open_store(f"sqlite:///{file}", self.keys)

    def open(self, file: Path) -> closing[Connection]:
        # Closed again at once: rows that still lie in the WAL would not be in the copies.
        return closing(connect(file, isolation_level=None))

    def finds(self, change: Callable[[Connection], int], *, head: bool = True) -> bool:
        """Tell whether a change made by hand to a copy is found; `change` says how many rows it touched."""
        file = self.folder / f"{uuid4().hex}.db"
        shutil.copy(self.master, file)
        with self.open(file) as connection:
            assert change(connection) > 0
        store = self.store(file)
        try:
            with store() as work:
                return not verify(work, [self.head] if head else []).is_whole
        finally:
            store.close()
            for left in self.folder.glob(f"{file.name}*"):
                left.unlink()


@pytest.fixture(scope="module", params=BEFORE)
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Log:
    return Log(tmp_path_factory.mktemp("audit"), request.param)


seqs = st.integers(1, ENTRIES)


def test_a_log_nobody_touched_is_whole(log: Log) -> None:
    assert not log.finds(lambda c: c.execute("SELECT count(*) FROM audit").fetchone()[0])


@given(
    seq=seqs,
    column=st.sampled_from(["actor", "verb", "object", "field", "at", "reason", "chain_hash", "seq"]),
    value=st.one_of(
        st.text(max_size=6),
        st.binary(max_size=40),
        st.integers(-3, 40),
        st.floats(allow_nan=False),
        st.just("2026-11-23 08:00:00.000001"),
    ),
)
def test_any_value_changed_by_hand_is_found(log: Log, seq: int, column: str, value: object) -> None:
    def change(connection: Connection) -> int:
        old = connection.execute(f"SELECT {column} FROM audit WHERE seq = ?", [seq]).fetchone()[0]  # noqa: S608
        if old == value or (column == "seq" and isinstance(value, float) and int(value) == old):
            connection.execute("DELETE FROM audit WHERE seq = ?", [seq])
            return 1
        taken = f"UPDATE OR REPLACE audit SET {column} = ? WHERE seq = ?"  # noqa: S608
        return connection.execute(taken, [value, seq]).rowcount

    assert log.finds(change)


@given(seq=seqs)
def test_a_hash_that_was_blanked_is_found(log: Log, seq: int) -> None:
    def change(connection: Connection) -> int:
        blanked = "UPDATE audit SET chain_hash = NULL WHERE seq = ? AND chain_hash IS NOT NULL"
        done = connection.execute(blanked, [seq]).rowcount
        return done or connection.execute("UPDATE audit SET chain_hash = x'00' WHERE seq = ?", [seq]).rowcount

    assert log.finds(change)


@given(first=st.integers(0, ENTRIES), count=st.integers(1, ENTRIES))
def test_hashes_blanked_from_the_beginning_are_found(log: Log, first: int, count: int) -> None:
    blank = "UPDATE audit SET chain_hash = NULL WHERE chain_hash IS NOT NULL AND seq <= ?"
    started = "SELECT min(seq) FROM audit WHERE chain_hash IS NOT NULL"

    def change(connection: Connection) -> int:
        since = connection.execute(started).fetchone()[0]
        return connection.execute(blank, [max(since, min(first + count, ENTRIES))]).rowcount

    assert log.finds(change)


@given(seq=seqs)
def test_an_entry_deleted_is_found_wherever_it_stood(log: Log, seq: int) -> None:
    assert log.finds(lambda c: c.execute("DELETE FROM audit WHERE seq = ?", [seq]).rowcount)


@given(seq=seqs)
def test_an_entry_deleted_and_the_rest_moved_up_is_found(log: Log, seq: int) -> None:
    def change(connection: Connection) -> int:
        gone = connection.execute("DELETE FROM audit WHERE seq = ?", [seq]).rowcount
        for later in range(seq + 1, ENTRIES + 1):
            connection.execute("UPDATE audit SET seq = seq - 1 WHERE seq = ?", [later])
        return gone

    assert log.finds(change)


@given(pair=st.lists(seqs, min_size=2, max_size=2, unique=True))
def test_two_entries_swapped_are_found(log: Log, pair: list[int]) -> None:
    one, other = pair

    def change(connection: Connection) -> int:
        for old, new in ((one, -1), (other, one), (-1, other)):
            done = connection.execute("UPDATE audit SET seq = ? WHERE seq = ?", [new, old]).rowcount
        return done

    assert log.finds(change)


@given(seq=st.integers(1, ENTRIES + 1), copied=seqs)
def test_an_entry_put_in_between_is_found(log: Log, seq: int, copied: int) -> None:
    columns = "actor, verb, object, field, reason, at, chain_hash"

    def change(connection: Connection) -> int:
        for later in range(ENTRIES, seq - 1, -1):
            connection.execute("UPDATE audit SET seq = seq + 1 WHERE seq = ?", [later])
        source = copied if copied < seq else copied + 1
        copy = f"INSERT INTO audit (seq, {columns}) SELECT ?, {columns} FROM audit WHERE seq = ?"  # noqa: S608
        return connection.execute(copy, [seq, source]).rowcount

    assert log.finds(change, head=False)


@given(left=st.integers(0, ENTRIES - 1))
def test_a_tail_cut_off_is_found_by_the_head_alone(log: Log, left: int) -> None:
    assert log.finds(lambda c: c.execute("DELETE FROM audit WHERE seq > ?", [left]).rowcount)


words = st.text(max_size=8)
moments = st.integers(0, 10**15).map(lambda n: START + timedelta(microseconds=n))
entries = st.builds(
    AuditEntry,
    actor=words,
    verb=words,
    object=words,
    field=words,
    reason=words,
    at=moments,
    seq=st.integers(1, 9),
)


@given(one=entries, other=entries)
def test_two_entries_are_encoded_alike_only_if_they_are_alike(one: AuditEntry, other: AuditEntry) -> None:
    assert (encode(one) == encode(other)) == (one == other)
