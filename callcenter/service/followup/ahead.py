"""Reading ahead: what a list asks about each of its debts, read for all of them in a handful of queries.

Whoever judges a debt asks the store about it and its person, one thing at a time. A list hands them a unit
of work that reads the answer for everybody on the list as soon as it is asked for the first of them, and not
at all if nobody asks. Whatever it does not know how to read ahead is asked as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, cast

from callcenter.domain.books import CASES
from callcenter.domain.cases import Case
from callcenter.domain.people import Consent, HardshipFile, Person, Suppression
from callcenter.ports import Debts, People, UnitOfWork
from callcenter.service.people.entries import resolve
from scheduler.obligations import OF_REGISTER, Attempt, Evidence, Kind, Obligation


def read_ahead(work: UnitOfWork, obligations: Collection[Obligation]) -> UnitOfWork:
    """Return a unit of work that knows about these debts and their people already. It is for reading."""
    return cast(UnitOfWork, _Work(work, obligations))


def file_no_of(obligation: Obligation) -> str:
    """Return the number of the file that a routine debt comes from."""
    return obligation.origin.split("#")[0]


def worst_cases(work: UnitOfWork, persons: Collection[str]) -> dict[str, Case]:
    """Return, per person (merges followed), the worst of their open cases."""
    roots = {person: resolve(work, person).id for person in persons}
    parts = work.people.parts_of(set(roots.values()))
    entries = {entry for group in parts.values() for entry in group}
    standing = [case for case in work.book(CASES).among("person", entries) if case.is_open]
    worst = {case.person: case for case in sorted(standing, key=_harmless_first)}
    found: dict[str, Case] = {}
    for person, root in roots.items():
        theirs = [worst[entry] for entry in parts.get(root, ()) if entry in worst]
        if theirs:
            found[person] = max(theirs, key=_harmless_first)
    return found


def _harmless_first(case: Case) -> tuple[int, tuple[int, ...]]:
    """Order cases so that the worst comes last; of two alike the first by id."""
    return -int(case.level), tuple(-ord(letter) for letter in case.id)


class _Repository:
    """Answers from what was read ahead, and asks for the rest."""

    def __init__(self, asked: Any) -> None:
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asked, name)


class _Work(_Repository):
    def __init__(self, work: UnitOfWork, obligations: Collection[Obligation]) -> None:
        super().__init__(work)
        persons = frozenset(one.person for one in obligations)
        self.people = _People(work.people, persons, obligations)
        self.debts = _Debts(work.debts, persons, obligations)


class _People(_Repository):
    def __init__(self, people: People, persons: frozenset[str], listed: Collection[Obligation]) -> None:
        super().__init__(people)
        self._persons, self._listed = persons, listed

    @cached_property
    def _known(self) -> dict[str, Person]:
        return cast("dict[str, Person]", self._asked.many(self._persons))

    @cached_property
    def _consents(self) -> _Answers:
        return _Answers(self._asked.consents_of(self._persons), self._persons)

    @cached_property
    def _suppressions(self) -> _Answers:
        return _Answers(self._asked.suppressions_of(self._persons), self._persons)

    @cached_property
    def _files(self) -> dict[str, HardshipFile]:
        numbers = {file_no_of(one) for one in self._listed if one.kind in OF_REGISTER}
        return cast("dict[str, HardshipFile]", self._asked.files_named(numbers))

    def get(self, person_id: str) -> Person:
        return self._known.get(person_id) or cast(Person, self._asked.get(person_id))

    def consents(self, person_id: str) -> Sequence[Consent]:
        return self._consents.of(person_id, self._asked.consents)

    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        return self._suppressions.of(person_id, self._asked.suppressions)

    def file(self, file_no: str) -> HardshipFile | None:
        return self._files.get(file_no) or cast("HardshipFile | None", self._asked.file(file_no))


class _Debts(_Repository):
    def __init__(self, debts: Debts, persons: frozenset[str], listed: Collection[Obligation]) -> None:
        super().__init__(debts)
        self._persons, self._listed = persons, listed
        self._contacts: dict[Kind | None, dict[str, datetime]] = {}
        self._tried: dict[datetime, dict[str, Sequence[Attempt]]] = {}

    @cached_property
    def _open(self) -> _Answers:
        return _Answers(self._asked.open_of(self._persons), self._persons)

    @cached_property
    def _ids(self) -> frozenset[str]:
        theirs = (one.id for person in self._persons for one in self.open(person=person))
        return frozenset((*theirs, *(one.id for one in self._listed)))

    @cached_property
    def _attempts(self) -> _Answers:
        return _Answers(self._asked.attempts_of(self._ids), self._ids)

    @cached_property
    def _evidence(self) -> _Answers:
        return _Answers(self._asked.evidence_of(self._ids), self._ids)

    def open(self, *, person: str | None = None, kind: Kind | None = None) -> Sequence[Obligation]:
        if person is None:
            return cast("Sequence[Obligation]", self._asked.open(kind=kind))
        theirs = self._open.of(person, lambda one: self._asked.open(person=one))
        return [one for one in theirs if kind in (None, one.kind)]

    def attempts(self, obligation_id: str) -> Sequence[Attempt]:
        return self._attempts.of(obligation_id, self._asked.attempts)

    def tried_since(self, persons: Iterable[str], since: datetime) -> dict[str, Sequence[Attempt]]:
        if since not in self._tried:
            self._tried[since] = self._asked.tried_since(self._persons, since)
        return {one: self._tried[since][one] for one in persons if one in self._tried[since]}

    def evidence(self, obligation_id: str) -> Sequence[Evidence]:
        return self._evidence.of(obligation_id, self._asked.evidence)

    def last_contact(self, person: str, kind: Kind | None = None) -> datetime | None:
        if person not in self._persons:
            return cast("datetime | None", self._asked.last_contact(person, kind))
        if kind not in self._contacts:
            self._contacts[kind] = self._asked.last_contacts(kind, self._persons)
        return self._contacts[kind].get(person)


class _Answers:
    """Lists of things by what was asked about; who was asked about and is not here has none."""

    def __init__(self, known: Mapping[str, Sequence[Any]], asked: Collection[str]) -> None:
        self._known, self._about = known, asked

    def of(self, key: str, ask: Callable[[str], Sequence[Any]]) -> Sequence[Any]:
        return self._known.get(key, ()) if key in self._about else ask(key)
