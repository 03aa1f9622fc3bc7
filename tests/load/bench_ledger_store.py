"""A register as it stands in a large city: people, phones, consents, files, what is owed, what was kept.

Every sealed field and every hash is a real one; the rows themselves go in by the driver, thousands at a
time, with indexes and triggers put aside meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from session_desk import staff
from sqlalchemy import Connection, text

from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.migrate import upgrade
from callcenter.db.unit_of_work import SqlStore, SqlUnit
from callcenter.keys import KeyRing
from scheduler.cadence import CADENCES, SHANGHAI

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
KEYS = KeyRing(master=bytes(range(32)))
VISIT_EVERY = 182
_BATCH = 10_000
_GRADES = ("深度困难", "相对困难", "相对困难", "深度困难")
_DISTRICTS = ("梁溪区", "滨湖区", "惠山区", "锡山区", "新吴区")
#: One person in so many is owed a contact now; half of those for longer than they should be.
DUE = 100
#: One in so many consented to be called by machine; one file in so many left, and nobody looked yet.
_CONSENTED, _LEFT = 2, 2000

COLUMNS = {
    "people": "id code name no_ivr birth_year speaks",
    "phones": "person place number number_hash status safe_to_call source listed",
    "consents": "seq person kind granted at channel script_version evidence",
    "hardship_files": "file_no person grade status since district union_unit liaison",
    "obligations": "id person kind due_at window_end mode priority origin created_at proven_at fence raised",
    "evidence": "id obligation kind at reference by",
}


def person_id(n: int) -> str:
    """Return the id of a person; ids are in no order of need."""
    return f"p-{n:07d}"


def debt_id(n: int, what: str = "c") -> str:
    """Return the id of somebody's contact (`c`), visit (`v`) or kept contact (`k`)."""
    return f"ob-{what}{n:07d}"


def is_due(n: int) -> bool:
    """Tell whether somebody is owed a contact now."""
    return n % DUE == 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Dates:
    """When somebody came on file, was reached last, and is owed the next contact and a visit.

    They are what the sweep itself would derive, so that it finds nothing to move.
    """

    since: date
    kept: datetime
    due: datetime
    end: datetime
    visit: datetime

    @classmethod
    def of(cls, n: int) -> Dates:
        """Return somebody's dates: spread over weeks, and in the past for who is due."""
        every = CADENCES[_GRADES[n % 4]].every
        # Due: up to four weeks ago, half of them past their end. Others: on a day of the coming period.
        day = -(n // DUE % 28) if is_due(n) else 1 + n % (every - 2)
        end = datetime(2026, 11, 24, 23, 59, 59, tzinfo=SHANGHAI) + timedelta(days=day)
        if is_due(n) and n // DUE % 2:
            end += timedelta(days=30)
        due = min(end.replace(hour=9, minute=0, second=0), NOW - timedelta(hours=1)) if is_due(n) else None
        kept = end.replace(hour=10, minute=0, second=0) - timedelta(days=every)
        since = kept - timedelta(days=n % 50)
        return cls(
            since=since.date(),
            kept=kept,
            due=due or end.replace(hour=9, minute=0, second=0),
            end=end,
            visit=(since + timedelta(days=VISIT_EVERY)).replace(hour=9),
        )


def fill(url: str, people: int) -> SqlStore:
    """Make a store with this many people and return it."""
    upgrade(url)
    engine, cipher = make_engine(url), FieldCipher(KEYS)
    with engine.connect() as connection:
        unit = SqlUnit(connection, cipher)
        for user in staff():
            unit.users.add(user)
        unit.commit()
        filling = _OnPostgres if connection.dialect.name == "postgresql" else _OnSqlite
        filling(connection, cipher).run(people)
    return SqlStore(engine, cipher)


def keep(store: SqlStore, people: int) -> int:
    """Prove the contact of everybody who is due, as of this minute; return how many were."""
    some = [n for n in range(people) if is_due(n)]
    proof = text(
        "INSERT INTO evidence (id, obligation, kind, at, reference, by) "
        "VALUES (:id, :debt, 'human_talk', :at, :id, 'c017')"
    )
    at = NOW.astimezone(UTC).replace(tzinfo=None)
    with store._engine.connect() as connection:
        rows = [{"id": f"ev-n{n:07d}", "debt": debt_id(n), "at": f"{at:%Y-%m-%d %H:%M:%S.%f}"} for n in some]
        for start in range(0, len(rows), _BATCH):
            connection.execute(proof, rows[start : start + _BATCH])
        unit = SqlUnit(connection, store._cipher)
        unit.people.touch(person_id(n) for n in some)
        unit.commit()
    return len(some)


class _Filling:
    """Fills one store."""

    def __init__(self, connection: Connection, cipher: FieldCipher) -> None:
        self._connection, self._cipher = connection, cipher
        self._driver: Any = connection.connection.driver_connection

    def run(self, people: int) -> None:
        """Write everything."""
        self._begin()
        for start in range(0, people, _BATCH):
            some = range(start, min(start + _BATCH, people))
            for table, rows in self._rows(some).items():
                self._write(table, COLUMNS[table].split(), rows)
        self._end()

    def _rows(self, some: range) -> dict[str, list[tuple[Any, ...]]]:
        dates = {n: Dates.of(n) for n in some}
        return {
            "people": [self._person(n) for n in some],
            "phones": [self._phone(n) for n in some],
            "consents": [_consent(n) for n in some if n % _CONSENTED == 0],
            "hardship_files": [self._file(n, dates[n]) for n in some],
            "obligations": [row for n in some for row in _debts(n, dates[n])],
            "evidence": [_proof(n, dates[n]) for n in some],
        }

    def _person(self, n: int) -> tuple[Any, ...]:
        name = self._cipher.seal(f"沈师傅{n}", "people.name")
        born = self._cipher.seal(str(1960 + n % 40), "people.birth_year")
        return person_id(n), f"P-{n:07d}", name, False, born, ""

    def _phone(self, n: int) -> tuple[Any, ...]:
        number = f"138{n:08d}"
        sealed, found = self._cipher.seal(number, "phones.number"), self._cipher.lookup(number)
        return person_id(n), 0, sealed, found, "ok", True, "register", True

    def _file(self, n: int, dates: Dates) -> tuple[Any, ...]:
        left = n % _LEFT == 1
        liaison = self._cipher.seal("李干事", "hardship_files.liaison")
        where = (_DISTRICTS[n % 5], "无锡第一棉纺织厂")
        return (
            file_no(n),
            person_id(n),
            _GRADES[n % 4],
            "退档" if left else "在档",
            str(dates.since),
            *where,
            liaison,
        )

    def _begin(self) -> None: ...
    def _end(self) -> None: ...
    def _write(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None: ...


class _OnSqlite(_Filling):
    """Indexes and triggers are made anew afterwards."""

    def _begin(self) -> None:
        self._connection.commit()
        names = (
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('index', 'trigger')"
        )
        self._aside = self._driver.execute(names).fetchall()
        for kind, name, _ in self._aside:
            self._driver.execute(f"DROP {kind} {name}")
        self._driver.execute("PRAGMA synchronous = OFF")
        self._driver.execute("PRAGMA cache_size = -200000")

    def _write(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        into, marks = ", ".join(f'"{name}"' for name in columns), ", ".join("?" * len(columns))
        self._driver.execute("BEGIN")
        self._driver.executemany(f"INSERT INTO {table} ({into}) VALUES ({marks})", rows)  # noqa: S608
        self._driver.execute("COMMIT")

    def _end(self) -> None:
        for _, _, statement in self._aside:
            self._driver.execute(statement)
        self._driver.execute("PRAGMA synchronous = FULL")
        self._driver.execute("PRAGMA cache_size = -2000")
        self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _OnPostgres(_Filling):
    """As a replica the server minds neither triggers nor references meanwhile."""

    def _begin(self) -> None:
        self._connection.exec_driver_sql("SET session_replication_role = replica")

    def _write(self, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        into = ", ".join(f'"{name}"' for name in columns)
        with self._driver.cursor() as cursor, cursor.copy(f"COPY {table} ({into}) FROM STDIN") as stream:
            for row in rows:
                stream.write_row(row)

    def _end(self) -> None:
        self._connection.exec_driver_sql("SET session_replication_role = DEFAULT")
        self._connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('consents', 'seq'), 1000000000)"
        )
        self._connection.commit()
        self._driver.autocommit = True
        self._driver.execute("VACUUM ANALYZE")
        self._driver.autocommit = False


def file_no(n: int) -> str:
    """Return the number of somebody's file."""
    return f"WX-{n:07d}"


def _consent(n: int) -> tuple[Any, ...]:
    return n + 1, person_id(n), "ivr_checkin", True, _utc(datetime(2026, 1, 5, tzinfo=UTC)), "paper", "1", ""


def _debts(n: int, dates: Dates) -> Iterator[tuple[Any, ...]]:
    kept, due, end, visit = map(_utc, (dates.kept, dates.due, dates.end, dates.visit))
    before = _utc(dates.kept - timedelta(days=30))
    routine = ("ivr_ok", 5, file_no(n))
    visit_end = _utc(dates.visit.replace(hour=23, minute=59, second=59))
    yield debt_id(n, "k"), person_id(n), "hardship", before, kept, *routine, before, kept, 1, 0
    if n % _LEFT != 1:
        yield debt_id(n), person_id(n), "hardship", due, end, *routine, kept, None, 0, 0
        yield (
            debt_id(n, "v"),
            person_id(n),
            "visit",
            visit,
            visit_end,
            "human_only",
            6,
            file_no(n),
            kept,
            None,
            0,
            0,
        )


def _proof(n: int, dates: Dates) -> tuple[Any, ...]:
    return f"ev-{n:07d}", debt_id(n, "k"), "human_talk", _utc(dates.kept), f"pbx1-{n}.1", "c017"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
