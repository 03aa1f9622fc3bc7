"""The ledger beside hand-written SQL: what is measured, and the arithmetic of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from bench_ledger_store import NOW
from bench_measure import percentile

from callcenter.db.crypto import FieldCipher
from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.numbers import mask_name, mask_number
from scheduler.cadence import SHANGHAI

#: What is wanted: the list beside hand-written SQL, its growth over the sizes, seconds and milliseconds.
RATIO, GROWTH, SWEEP, WHY, IMPORT = 1.5, 2.0, 5.0, 50.0, 60.0
PAGE, MOST = 50, 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """How long something took: milliseconds by the clock, and (`cpu`) of this process's own work."""

    p50: float
    p95: float
    low: float
    cpu: float

    @classmethod
    def of(cls, took: Sequence[tuple[float, float]]) -> Times:
        """Return the middle, the 95 % and the shortest of (clock, CPU) milliseconds."""
        clock = [one for one, _ in took]
        cpu = median(one for _, one in took)
        return cls(p50=median(clock), p95=percentile(clock, 95), low=min(clock), cpu=cpu)


def in_turns(rounds: int, *ways: Callable[[], object]) -> list[Times]:
    """Run each way once per round, in turns, so that other work on the machine meets all alike."""
    took: list[list[tuple[float, float]]] = [[] for _ in ways]
    for way in ways:
        way()
    for round_ in range(rounds):
        for n in range(len(ways)):
            place = (n + round_) % len(ways)
            took[place].append(timed(ways[place]))
    return [Times.of(one) for one in took]


def timed(way: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds a call takes, by the clock and of this process's CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    way()
    return (time.perf_counter() - clock) * 1000, (time.process_time() - cpu) * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What one store of one size took."""

    store: str
    people: int
    owed: Times
    by_hand: Times
    supervisor: Times
    queue: Times
    why: Times
    candidates: Times
    swept: int
    sweep_seconds: float
    #: Of that, this process's own work; SQLite's is in it.
    sweep_cpu: float
    compare_seconds: float
    load: float

    @property
    def ratio(self) -> float:
        """Return how much longer the list takes than the same by hand, of the medians."""
        return self.owed.p50 / self.by_hand.p50


def growth(small: Figures, large: Figures) -> float:
    """Return by how much the list's 95 % grew from one size to another."""
    return large.owed.p95 / small.owed.p95


def shortfalls(figures: Sequence[Figures], imports: dict[str, float]) -> list[str]:
    """Return, a sentence each, what is not as wanted."""
    found = [
        f"{one.store}, {one.people:,} people: {what}"
        for one in figures
        for what, falls_short in (
            (f"the list takes {one.ratio:.1f} times as long as by hand", one.ratio > RATIO),
            (f"a sweep takes {one.sweep_seconds:.1f} s", one.sweep_seconds > SWEEP),
            (f"why takes {one.why.p95:.0f} ms", one.why.p95 > WHY),
        )
        if falls_short
    ]
    for store in sorted({one.store for one in figures}):
        mine = sorted((one for one in figures if one.store == store), key=lambda one: one.people)
        if growth(mine[0], mine[-1]) > GROWTH:
            found.append(f"{store}: the list's 95 % grows {growth(mine[0], mine[-1]):.1f} times")
    late = {store: took for store, took in imports.items() if took > IMPORT}
    return [*found, *(f"{store}: the import takes {took:.0f} s" for store, took in sorted(late.items()))]


_PAGE = """
SELECT o.id, o.kind, o.due_at, o.window_end, p.id, p.code, p.name, f.file_no, f.grade, f.district
FROM (SELECT id, kind, due_at, window_end, priority, person, origin FROM obligations
      WHERE closed_at IS NULL AND proven_at IS NULL AND coalesce(kind, kind) IN ('hardship', 'visit')
        AND {} ORDER BY {} LIMIT ?) o
JOIN people p ON p.id = o.person LEFT JOIN hardship_files f ON f.file_no = o.origin ORDER BY {}
"""
_BREACHED = _PAGE.format(
    "window_end < ?", "window_end, priority, due_at, id", "o.window_end, o.priority, o.due_at, o.id"
)
_DUE = _PAGE.format("coalesce(window_end, window_end) >= ? AND due_at <= ?", "due_at, id", "o.due_at, o.id")
_BEHIND = """
SELECT count(*) FROM (SELECT 1 FROM obligations WHERE closed_at IS NULL AND proven_at IS NULL
  AND coalesce(kind, kind) IN ('hardship', 'visit') AND due_at <= ? LIMIT ?) s
"""
_LEFT = "SELECT count(*) FROM hardship_files WHERE status = '退档' AND exit_confirmed_by IS NULL"
_ROLES = "SELECT roles, active FROM users WHERE code = ?"


class ByHand:
    """A clerk's list by the driver alone: the same rows, opened and masked by the same functions."""

    def __init__(self, store: SqlStore, cipher: FieldCipher) -> None:
        self._pool, self._cipher = store._engine.raw_connection(), cipher
        self._driver: Any = self._pool.driver_connection
        self._is_postgres = store._engine.dialect.name == "postgresql"
        if not self._is_postgres:
            self._driver.isolation_level = None

    def close(self) -> None:
        """Give the connection back."""
        self._pool.close()

    def owed(self) -> tuple[list[dict[str, Any]], int, int]:
        """Return the rows, how many files left, and how many debts stand behind."""
        self._ask("BEGIN")
        if not self._ask(_ROLES, "k001")[0][1]:
            raise PermissionError
        now = self._bound(NOW)
        found = self._ask(_BREACHED, now, PAGE)
        if len(found) < PAGE:
            found += self._ask(_DUE, now, now, PAGE - len(found))
        numbers = self._numbers([row[4] for row in found])
        rows = [self._row(row, numbers.get(row[4], "无")) for row in found]
        behind = self._ask(_BEHIND, now, len(rows) + MOST)[0][0] - len(rows)
        left = self._ask(_LEFT)[0][0]
        self._ask("ROLLBACK")
        return rows, left, behind

    def _numbers(self, persons: list[str]) -> dict[str, str]:
        marks = ", ".join("?" * len(persons))
        listed = f"SELECT person, number, status, listed FROM phones WHERE person IN ({marks})"  # noqa: S608
        found: dict[str, str] = {}
        for person, sealed, status, is_listed in self._ask(f"{listed} ORDER BY person, place", *persons):
            if status == "ok" and is_listed and person not in found:
                found[person] = mask_number(self._cipher.open(sealed, "phones.number"))
        return found

    def _row(self, row: Sequence[Any], phone: str) -> dict[str, Any]:
        debt, kind, due_at, window_end, _, code, name, file_no, grade, district = row
        due, end = _moment(due_at), _moment(window_end)
        return {
            "id": debt,
            "file_no": file_no,
            "code": code,
            "name": mask_name(self._cipher.open(name, "people.name")) if name else code,
            "phone": phone,
            "kind": kind,
            "grade": grade,
            "district": district,
            "owed_since": due.astimezone(SHANGHAI).date(),
            "due_at": due,
            "breach_at": end,
            "overdue_days": (NOW - end).days if NOW > end else None,
            "is_due": due <= NOW,
            "ended_at": None,
        }

    def _ask(self, sql: str, *values: Any) -> list[Any]:
        if self._is_postgres:
            cursor = self._driver.execute(sql.replace("?", "%s"), values or None)
        else:
            cursor = self._driver.execute(sql, values)
        return cursor.fetchall() if cursor.description else []

    def _bound(self, at: datetime) -> Any:
        return at if self._is_postgres else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)
