"""Workers, their phones, consents, suppressions and hardship files in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from callcenter.domain.people import Consent, HardshipFile, Person, PhoneStatus, Suppression
from callcenter.errors import Conflict, NotFound
from callcenter.memory.line import same_number
from callcenter.memory.state import State, checked


class MemoryPeople:
    """The people we look after."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, person: Person) -> None:
        """Add a person; raise `Conflict` if the id or the pseudonym is taken."""
        taken = person.id in self._state.people or any(
            p.code == person.code for p in self._state.people.values()
        )
        if taken:
            raise Conflict(f"职工 {person.id}(代号 {person.code})已在册。")
        self._state.people[person.id] = person

    def update(self, person: Person) -> None:
        """Replace a person and their phones, or raise `NotFound`."""
        self.get(person.id)
        self._state.people[person.id] = person

    def get(self, person_id: str) -> Person:
        """Return a person, or raise `NotFound`."""
        if person_id not in self._state.people:
            raise NotFound(f"没有职工 {person_id}。")
        return self._state.people[person_id]

    def many(self, ids: Iterable[str]) -> dict[str, Person]:
        """Return those of the ids that are here."""
        return {i: self._state.people[i] for i in ids if i in self._state.people}

    def all(self) -> Sequence[Person]:
        """Return everybody, by id."""
        return sorted(self._state.people.values(), key=lambda p: p.id)

    def by_number(self, number: str) -> Person | None:
        """Return who has this number; of several (a family's phone) the first by id."""
        having = (p for p in self._state.people.values() if _has(p, number))
        return min(having, key=lambda p: p.id, default=None)

    def set_phone_status(self, number: str, status: PhoneStatus) -> int:
        """Set the status of a number wherever it stands (R33); return at how many people."""
        having = [p for p in self._state.people.values() if _has(p, number)]
        for person in having:
            phones = (
                replace(p, status=status) if same_number(p.number) == same_number(number) else p
                for p in person.phones
            )
            self._state.people[person.id] = replace(person, phones=tuple(phones))
        return len(having)

    def add_consent(self, consent: Consent) -> None:
        """Append a statement of consent; raise `NotFound` if the person is not here."""
        self.get(consent.person)
        self._state.consents.append(checked(consent))

    def consents(self, person_id: str) -> Sequence[Consent]:
        """Return a person's statements, oldest first."""
        return sorted((c for c in self._state.consents if c.person == person_id), key=lambda c: c.at)

    def add_suppression(self, suppression: Suppression) -> None:
        """Append an opt-out; raise `NotFound` if the person is not here."""
        self.get(suppression.person)
        self._state.suppressions.append(checked(suppression))

    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        """Return a person's opt-outs, oldest first."""
        return sorted((s for s in self._state.suppressions if s.person == person_id), key=lambda s: s.at)

    def put_file(self, file: HardshipFile) -> None:
        """Upsert a file by its number; raise `NotFound` if its person is not here."""
        self.get(file.person)
        self._state.files[file.file_no] = file

    def file(self, file_no: str) -> HardshipFile | None:
        """Return a file."""
        return self._state.files.get(file_no)

    def files(self) -> Sequence[HardshipFile]:
        """Return every file, by number."""
        return [self._state.files[no] for no in sorted(self._state.files)]


def _has(person: Person, number: str) -> bool:
    return any(same_number(phone.number) == same_number(number) for phone in person.phones)
