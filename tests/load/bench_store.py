"""A store as it stands after years: people, phones, calls, records with versions, cases, debts, audit.

Rows are made by the repositories themselves, so that every sealed body and every hash is a real one; only
the way in is shorter: thousands of rows per statement and transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from typing import Any

from session_desk import DANGER, FULL, staff
from sqlalchemy import Connection, Table, insert

from callcenter.db import tables
from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.migrate import upgrade
from callcenter.db.repositories.audit import SqlAuditLog, _row
from callcenter.db.repositories.books import SqlBook
from callcenter.db.repositories.debts import SqlDebts
from callcenter.db.repositories.people import SqlPeople
from callcenter.db.unit_of_work import SqlUnit
from callcenter.domain.audit_chain import AuditEntry, next_hash
from callcenter.domain.books import CASES, SESSION_VERSIONS, BookOf
from callcenter.domain.calls import CallRecord, Direction, EndedBy, Outcome
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.levels import Level
from callcenter.domain.people import Person, Phone
from callcenter.domain.sessions import SessionRow, SessionStatus, SessionVersion
from callcenter.keys import KeyRing
from callcenter.service.names import LETTERS
from scheduler.obligations import Closing, Kind, Mode, Obligation

NOW = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
KEYS = KeyRing(master=bytes(range(32)))
_BATCH = 10_000
_APART, _TALK = timedelta(minutes=5), timedelta(minutes=3)
#: Whose record it is, by the people's count: coprime to it, so that their sessions lie scattered.
_STRIDE = 7919


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much stands in the store. `fresh`: answered calls whose record is still to be written."""

    sessions: int
    fresh: int

    @property
    def people(self) -> int:
        """Return how many people are known, each with a phone."""
        return self.sessions // 5

    @property
    def debts(self) -> int:
        """Return how many obligations there are; one in ten is still open."""
        return self.sessions * 3 // 10

    @property
    def cases(self) -> int:
        """Return how many cases there are; one in ten is still open."""
        return self.sessions // 20


def known_number(person: int) -> str:
    """Return the number of a person who is known."""
    return f"138{person:08d}"


def unknown_number(n: int) -> str:
    """Return a number nobody has."""
    return f"159{n:08d}"


def session_id(n: int) -> str:
    """Return the id of a session."""
    return f"se-pbx1-{n}.1"


def fill(url: str, size: Size) -> None:
    """Make a store and fill it."""
    upgrade(url)
    engine, cipher = make_engine(url), FieldCipher(KEYS)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA cache_size = -1000000")
            connection.commit()
            _Filling(connection, cipher, size).run()
            connection.exec_driver_sql("PRAGMA optimize")
            connection.commit()
    finally:
        engine.dispose()


def fill_people(connection: Connection, cipher: FieldCipher, size: Size) -> None:
    """Fill an empty store with people, what is owed to them and their cases; no calls, no records."""
    filling = _Filling(connection, cipher, size)
    filling._in_batches(size.people, filling._people)
    filling._in_batches(size.debts, filling._debts)
    filling._in_batches(size.cases, filling._cases)


def fill_calls(connection: Connection, cipher: FieldCipher, size: Size) -> None:
    """Fill an empty store with people as `fill_people` does, and with calls and heads of their records."""
    fill_people(connection, cipher, size)
    filling = _Filling(connection, cipher, size)
    filling._in_batches(size.sessions, filling._calls)


class _Filling:
    """Fills one store, table by table."""

    def __init__(self, connection: Connection, cipher: FieldCipher, size: Size) -> None:
        self._connection, self._cipher, self._size = connection, cipher, size
        self._unit = SqlUnit(connection, cipher)

    def run(self) -> None:
        """Write everything."""
        for user in staff():
            self._unit.users.add(user)
        self._in_batches(self._size.people, self._people)
        self._in_batches(self._size.sessions + self._size.fresh, self._calls)
        self._in_batches(self._size.sessions, self._versions)
        self._in_batches(self._size.debts, self._debts)
        self._in_batches(self._size.cases, self._cases)
        self._add(tables.audit, self._audit())

    def _in_batches(self, count: int, write: Callable[[range], None]) -> None:
        for start in range(0, count, _BATCH):
            write(range(start, min(start + _BATCH, count)))
            self._connection.commit()

    def _add(self, table: Table, rows: Iterator[Mapping[str, Any]]) -> None:
        while some := [dict(row) for row in islice(rows, _BATCH)]:
            self._connection.execute(insert(table), some)
            self._connection.commit()

    def _people(self, some: range) -> None:
        repository, codes = SqlPeople(self._connection, self._cipher), _codes(some)
        everybody = [
            Person(
                id=f"p-{n:06d}",
                code=code,
                name=f"沈师傅{n}" if n % 3 == 0 else None,
                birth_year=1960 + n % 40,
                phones=(Phone(number=known_number(n)),),
            )
            for n, code in zip(some, codes, strict=True)
        ]
        rows = [repository._row(person) for person in everybody]
        phones = [repository._phone_row(person.id, 0, person.phones[0]) for person in everybody]
        self._connection.execute(insert(tables.people), rows)
        self._connection.execute(insert(tables.phones), phones)

    def _calls(self, some: range) -> None:
        self._unit.calls.put_many([_call(n, self._size) for n in some])
        self._unit.sessions.open_many([_session(n, self._size) for n in some])

    def _versions(self, some: range) -> None:
        self._book(SESSION_VERSIONS, [_version(n, self._size) for n in some])

    def _cases(self, some: range) -> None:
        self._book(CASES, [_case(n, self._size) for n in some])

    def _book(self, of: BookOf[Any], values: Sequence[Any]) -> None:
        book = SqlBook(self._connection, self._cipher, of)
        rows = [{"id": value.id, **book._row(value)} for value in values]
        self._connection.execute(insert(tables.books[of.table]), rows)

    def _debts(self, some: range) -> None:
        repository = SqlDebts(self._connection, self._cipher)
        rows = [repository._row(_debt(n, self._size)) for n in some]
        self._connection.execute(insert(tables.obligations), rows)

    def _audit(self) -> Iterator[Mapping[str, Any]]:
        log, chained = SqlAuditLog(self._connection, self._cipher), b""
        for n in range(self._size.sessions):
            entry = AuditEntry(
                seq=n + 1,
                actor="c017",
                verb="session.submit",
                object=f"session:{session_id(n)}",
                at=_ended(n, self._size),
                field="v1",
            )
            chained = next_hash(log.mac, chained, entry, first=n == 0)
            yield _row(entry, self._cipher.seal("", "audit.reason"), chained)


def _codes(some: range) -> Iterator[str]:
    """Return pseudonyms: of four letters for half of all there are, longer ones after that."""
    short = ["".join(letters) for letters in product(LETTERS, repeat=4)][::2]
    for n in some:
        yield f"P-{short[n]}" if n < len(short) else f"P-{n:06d}"


def _ended(n: int, size: Size) -> datetime:
    return NOW - (size.sessions + size.fresh - n) * _APART


def _person(n: int, size: Size) -> int | None:
    """Return whom a session is about, one in four: nobody who is known."""
    return None if n % 4 == 3 else n * _STRIDE % size.people


def _call(n: int, size: Size) -> CallRecord:
    person, ended = _person(n, size), _ended(n, size)
    return CallRecord(
        id=f"pbx1-{n}.1",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        number=unknown_number(n) if person is None else known_number(person),
        dialled="051012345678",
        started_at=ended - _TALK,
        offered_at=ended - _TALK,
        answered_at=ended - _TALK,
        ended_at=ended,
        answered_by="c017",
        answered_via="queue",
        ended_by=EndedBy.CALLER,
        queue_entries=1,
        path=("welcome", "menu", "queue"),
        keys=("menu=1",),
        rung=("c017=answered",),
    )


def _session(n: int, size: Size) -> SessionRow:
    row = SessionRow(
        id=session_id(n), call=f"pbx1-{n}.1", counsellor="c017", opened_at=_ended(n, size) - _TALK
    )
    if n >= size.sessions:
        return row
    person = _person(n, size)
    return replace(
        row,
        status=SessionStatus.SUBMITTED if n % 10 else SessionStatus.REVIEWED,
        person=None if person is None else f"p-{person:06d}",
        version=1,
        submitted_at=_ended(n, size),
    )


def _version(n: int, size: Size) -> SessionVersion:
    return SessionVersion(
        id=f"{session_id(n)}/1",
        session=session_id(n),
        n=1,
        status=SessionStatus.SUBMITTED,
        form="session/1",
        checksum="0" * 64,
        answers={**FULL, **DANGER} if n % 20 == 0 else FULL,
        by="c017",
        at=_ended(n, size),
    )


def _debt(n: int, size: Size) -> Obligation:
    due = NOW - (size.debts - n) * _APART
    return Obligation(
        id=f"ob-{n:07d}",
        person=f"p-{n * _STRIDE % size.people:06d}",
        kind=Kind.FOLLOW_UP,
        due_at=due,
        window_end=due + timedelta(days=7),
        mode=Mode.HUMAN_ONLY,
        origin=session_id(n),
        created_at=due - timedelta(days=7),
        closing=None if n % 10 == 0 else Closing(reason="已联系", by="c017", at=due),
    )


def _case(n: int, size: Size) -> Case:
    is_open = n % 10 == 0
    return Case(
        id=f"ca-{n:06d}",
        person=f"p-{n * _STRIDE % size.people:06d}",
        level=Level.MEDIUM,
        state=CaseState.OPEN if is_open else CaseState.CLOSED,
        owner="c017",
        opened_at=NOW - timedelta(days=300),
        opened_from=session_id(n),
        closed_at=None if is_open else NOW - timedelta(days=100),
    )
