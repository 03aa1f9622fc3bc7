"""Counts over the ledger in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from callcenter.domain.coverage import Coverage
from callcenter.domain.people import ConsentKind, FileStatus, Grade, HardshipFile, agreed_to
from callcenter.memory.debts import MemoryDebts
from callcenter.memory.people import MemoryPeople
from callcenter.memory.state import State
from scheduler.obligations import OF_REGISTER, Evidence, Kind, Result
from scheduler.outlook import Load

_Group = tuple[str, str]


class MemoryFigures:
    """Counts, made by looking at everything."""

    def __init__(self, state: State) -> None:
        self._state = state

    def loads(self, until: datetime) -> Sequence[Load]:
        """Return what is open and falls due by `until`, alike ones counted together."""
        owed = [o for o in MemoryDebts(self._state).open() if o.due_at <= until]
        alike = Counter((o.mode, self._agreed(o.person, until), o.due_at, o.window_end) for o in owed)
        found = (
            Load(mode=mode, consented=agreed, due=due, end=end, count=count)
            for (mode, agreed, due, end), count in alike.items()
        )
        return sorted(found, key=lambda one: (one.end, one.due, one.mode, one.consented))

    def owed(self, now: datetime) -> tuple[int, int]:
        """Return how many obligations stand that are due, and how many of them past their end."""
        due = [o for o in MemoryDebts(self._state).open() if o.due_at <= now]
        return len(due), sum(o.window_end < now for o in due)

    def tries_between(self, start: datetime, end: datetime) -> Sequence[tuple[datetime, bool, Result | None]]:
        """Return of each attempt in [start, end) when it was planned, whether by machine, and its result."""
        made = (a for a in self._state.attempts.values() if start <= a.planned_at < end)
        ordered = sorted(made, key=lambda a: (a.planned_at, a.id))
        return [(a.planned_at, a.is_automatic, a.result) for a in ordered]

    def proofs_between(self, start: datetime, end: datetime) -> Sequence[Evidence]:
        """Return the proofs of contacts in [start, end), oldest first."""
        found = (e for e in self._state.evidence.values() if start <= e.at < end)
        return sorted(found, key=lambda e: (e.at, e.id))

    def coverage(self, start: datetime, end: datetime, now: datetime) -> Sequence[Coverage]:
        """Return, by grade and district, who is in file, was contacted in [start, end), and is owed now."""
        owners = {o.id: o.person for o in self._state.obligations.values() if o.kind in OF_REGISTER}
        proofs = (e for e in self.proofs_between(start, end) if e.obligation in owners)
        contacted = {owners[e.obligation] for e in proofs}
        open_ones = [o for o in MemoryDebts(self._state).open() if o.kind is Kind.HARDSHIP]
        owed = {o.person for o in open_ones if o.due_at <= now}
        overdue = {o.person for o in open_ones if o.window_end < now}
        people: dict[_Group, set[str]] = {}
        for file in self._state.files.values():
            if file.status in {FileStatus.ACTIVE, FileStatus.WATCH}:
                people.setdefault(_group(file), set()).add(file.person)
        return [
            Coverage(
                grade=grade,
                district=district,
                in_file=len(theirs),
                contacted=_count(theirs, contacted),
                owed=_count(theirs, owed),
                overdue=_count(theirs, overdue),
            )
            for (grade, district), theirs in sorted(people.items())
        ]

    def _agreed(self, person: str, until: datetime) -> bool:
        return agreed_to(MemoryPeople(self._state).consents(person), ConsentKind.IVR_CHECKIN, until)


def _group(file: HardshipFile) -> _Group:
    return (Grade.WATCH.value if file.status is FileStatus.WATCH else file.grade), file.district


def _count(people: Iterable[str], among: set[str]) -> int:
    return sum(person in among for person in people)
