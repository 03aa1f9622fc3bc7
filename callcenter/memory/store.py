"""A store in memory with real transactions: one unit of work at a time, undone unless committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from callcenter.domain.books import BookOf
from callcenter.memory.audit import MemoryAuditLog
from callcenter.memory.books import MemoryBook
from callcenter.memory.debts import MemoryDebts
from callcenter.memory.figures import MemoryFigures
from callcenter.memory.line import (
    MemoryAlarms,
    MemoryCalls,
    MemoryJournal,
    MemoryRoster,
    MemorySessions,
    MemoryUsers,
)
from callcenter.memory.people_bulk import MemoryPeopleInBulk
from callcenter.memory.state import State
from callcenter.ports import (
    Alarms,
    AuditLog,
    Book,
    Calls,
    Debts,
    Figures,
    Journal,
    People,
    Roster,
    Sessions,
    UnitOfWork,
    Users,
)

T = TypeVar("T")


class MemoryUnit:
    """A `UnitOfWork` on a copy of the store's state; `commit` publishes the copy."""

    users: Users
    audit: AuditLog
    roster: Roster
    calls: Calls
    sessions: Sessions
    journal: Journal
    people: People
    debts: Debts
    figures: Figures
    alarms: Alarms

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._state = state = store.state.copy()
        self.users = MemoryUsers(state)
        self.audit = MemoryAuditLog(state)
        self.roster = MemoryRoster(state)
        self.calls = MemoryCalls(state)
        self.sessions = MemorySessions(state)
        self.journal = MemoryJournal(state)
        self.people = MemoryPeopleInBulk(state)
        self.debts = MemoryDebts(state)
        self.figures = MemoryFigures(state)
        self.alarms = MemoryAlarms(state)

    def book(self, of: BookOf[T]) -> Book[T]:
        """Return the book of one kind of value."""
        return MemoryBook(self._state, of)

    def recount(self) -> None:
        """Nothing is planned here by how much there is."""

    def commit(self) -> None:
        """Publish everything done so far."""
        self._store.state = self._state.copy()


class MemoryStore:
    """A `Store`. Units of several threads wait for each other; a unit inside a unit is refused."""

    def __init__(self) -> None:
        self.state = State()
        self._turn = threading.Lock()
        self._holder: int | None = None

    @contextmanager
    def __call__(self) -> Iterator[UnitOfWork]:
        """Open a unit of work; leaving the block without `commit` undoes everything."""
        if self._holder == threading.get_ident():
            raise RuntimeError("a unit of work is open already in this thread: finish it first")
        with self._turn:
            self._holder = threading.get_ident()
            try:
                yield MemoryUnit(self)
            finally:
                self._holder = None
