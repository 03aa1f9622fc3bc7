"""Reading ahead: what a list asks about each of its debts, read for all of them in a handful of queries.

Whoever judges a debt asks the store about it and its person, one thing at a time. A list hands them a unit
of work that has the answers already; whatever was not read ahead is asked as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar, cast

from callcenter.domain.books import CASES
from callcenter.domain.cases import Case
from callcenter.domain.people import Consent, HardshipFile, Person, Suppression
from callcenter.ports import Debts, People, UnitOfWork
from callcenter.service.people.entries import resolve
from scheduler.obligations import OF_REGISTER, Attempt, Evidence, Kind, Obligation

T = TypeVar("T")


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
        persons = {one.person for one in obligations}
        self.people = _People(work.people, persons, obligations)
        self.debts = _Debts(work.debts, persons, obligations)


class _People(_Repository):
    def __init__(self, people: People, persons: set[str], obligations: Collection[Obligation]) -> None:
        super().__init__(people)
        self._known = people.many(persons)
        self._consents = _Answers(people.consents_of(persons), persons)
        self._suppressions = _Answers(people.suppressions_of(persons), persons)
        numbers = {file_no_of(one) for one in obligations if one.kind in OF_REGISTER}
        self._files = people.files_named(numbers)

    def get(self, person_id: str) -> Person:
        return self._known.get(person_id) or cast(Person, self._asked.get(person_id))

    def consents(self, person_id: str) -> Sequence[Consent]:
        return self._consents.of(person_id, self._asked.consents)

    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        return self._suppressions.of(person_id, self._asked.suppressions)

    def file(self, file_no: str) -> HardshipFile | None:
        return self._files.get(file_no) or cast("HardshipFile | None", self._asked.file(file_no))


class _Debts(_Repository):
    def __init__(self, debts: Debts, persons: set[str], obligations: Collection[Obligation]) -> None:
        super().__init__(debts)
        theirs = debts.open_of(persons)
        ids = {one.id for one in obligations} | {one.id for some in theirs.values() for one in some}
        self._persons, self._open = persons, _Answers(theirs, persons)
        self._attempts = _Answers(debts.attempts_of(ids), ids)
        self._evidence = _Answers(debts.evidence_of(ids), ids)
        self._contacts: dict[Kind | None, dict[str, Any]] = {}

    def open(self, *, person: str | None = None, kind: Kind | None = None) -> Sequence[Obligation]:
        if person is None:
            return cast("Sequence[Obligation]", self._asked.open(kind=kind))
        theirs = self._open.of(person, lambda one: self._asked.open(person=one))
        return [one for one in theirs if kind in (None, one.kind)]

    def attempts(self, obligation_id: str) -> Sequence[Attempt]:
        return self._attempts.of(obligation_id, self._asked.attempts)

    def evidence(self, obligation_id: str) -> Sequence[Evidence]:
        return self._evidence.of(obligation_id, self._asked.evidence)

    def last_contact(self, person: str, kind: Kind | None = None) -> Any:
        if kind not in self._contacts:
            self._contacts[kind] = self._asked.last_contacts(kind, self._persons)
        known = person in self._persons
        return self._contacts[kind].get(person) if known else self._asked.last_contact(person, kind)


class _Answers:
    """Lists of things by what was asked about; who is asked about and not here has none."""

    def __init__(self, known: Mapping[str, Sequence[Any]], asked: Collection[str]) -> None:
        self._known, self._about = known, asked

    def of(self, key: str, ask: Callable[[str], Sequence[Any]]) -> Sequence[Any]:
        return self._known.get(key, ()) if key in self._about else ask(key)
