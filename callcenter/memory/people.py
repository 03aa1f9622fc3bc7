"""Workers, their phones, consents, suppressions and hardship files in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from callcenter.domain.people import Consent, FileStatus, HardshipFile, Person, PhoneStatus, Suppression
from callcenter.errors import Conflict, NotFound
from callcenter.memory.line import same_number
from callcenter.memory.state import State, checked

#: A look that is due whatever the time.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


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
        return next(iter(self.having(number)), None)

    def having(self, number: str) -> Sequence[Person]:
        """Return everybody who has this number, by id."""
        return [p for p in self.all() if _has(p, number)]

    def by_code(self, code: str) -> Person | None:
        """Return who has this pseudonym."""
        return next((p for p in self._state.people.values() if p.code == code), None)

    def by_spoken(self, digits: str) -> Person | None:
        """Return whom we gave this code to keep; of several the first by id."""
        return next((p for p in self.all() if p.spoken == digits), None)

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

    def merged(self, person_id: str) -> Sequence[str]:
        """Return the ids of the entries that were merged into this one, also by way of others."""
        found: set[str] = set()
        near = {person_id}
        while near := {p.id for p in self._state.people.values() if p.merged_into in near} - found:
            found |= near
        return sorted(found)

    def parts_of(self, persons: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, per person, their own id and those of the entries merged into theirs."""
        return {person: frozenset((person, *self.merged(person))) for person in persons}

    def consents(self, person_id: str) -> Sequence[Consent]:
        """Return the statements of a person and of the entries merged into theirs, oldest first."""
        group = {person_id, *self.merged(person_id)}
        return sorted((c for c in self._state.consents if c.person in group), key=lambda c: c.at)

    def add_suppression(self, suppression: Suppression) -> None:
        """Append an opt-out; raise `NotFound` if the person is not here."""
        self.get(suppression.person)
        self._state.suppressions.append(checked(suppression))
        self.touch([suppression.person])

    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        """Return the opt-outs that bind a person, by group and by number (R32), oldest first."""
        group = {person_id, *self.merged(person_id)}
        numbers = {
            same_number(f.number) for i in group & self._state.people.keys() for f in self.get(i).phones
        }
        group |= {i for i, kept in self._state.erased.items() if not kept.isdisjoint(numbers)}
        return sorted((s for s in self._state.suppressions if s.person in group), key=lambda s: s.at)

    def forget(self, person_id: str) -> int:
        """Erase name, birth, numbers and words of a person; the numbers of opt-outs keep binding."""
        person = self.get(person_id)
        numbers = {same_number(phone.number) for phone in person.phones}
        if self.suppressions(person_id):
            before = self._state.erased.get(person_id, frozenset())
            self._state.erased[person_id] = before | numbers
        blank = Person(id=person.id, code=person.code, no_ivr=person.no_ivr, merged_into=person.merged_into)
        self._state.people[person_id] = blank
        self._state.suppressions[:] = [
            replace(s, reason="") if s.person == person_id else s for s in self._state.suppressions
        ]
        return len(numbers)

    def files_of(self, person_id: str) -> Sequence[HardshipFile]:
        """Return a person's files, by number."""
        return [file for file in self.files() if file.person == person_id]

    def consents_of(self, persons: Iterable[str]) -> dict[str, Sequence[Consent]]:
        """Return the statements of several people; who said nothing is not there."""
        return {p: said for p in persons if (said := self.consents(p))}

    def suppressions_of(self, persons: Iterable[str]) -> dict[str, Sequence[Suppression]]:
        """Return what binds several people; whom nothing binds is not there."""
        return {p: said for p in persons if (said := self.suppressions(p))}

    def files_of_many(self, persons: Iterable[str]) -> dict[str, Sequence[HardshipFile]]:
        """Return several people's files; who has none is not there."""
        return {p: found for p in persons if (found := self.files_of(p))}

    def files_of_household(self, household: str) -> Sequence[HardshipFile]:
        """Return the files of a household, by number."""
        return [file for file in self.files() if file.household == household]

    def touch(self, persons: Iterable[str]) -> None:
        """Have the next sweep look at these people's files, and at those of whom they are part."""
        for person_id in persons:
            for one in (person_id, *self._above(person_id), *self.merged(person_id)):
                self._state.looks[one] = AT_ONCE

    def touch_next(self, after: str, limit: int) -> str | None:
        """Have the next sweep look at the files of the `limit` people after one; return the last of them."""
        some, last = people_after(self._state, after, limit)
        self._state.looks.update(dict.fromkeys(some, AT_ONCE))
        return last

    def to_look_at(self, now: datetime, limit: int) -> Sequence[str]:
        """Return people with a file that a sweep has to look at by `now`."""
        filed = {file.person for file in self._state.files.values()}
        waiting = sorted((at, p) for p, at in self._state.looks.items() if at <= now and p in filed)
        return [person for _, person in waiting[:limit]]

    def looked(self, again: Mapping[str, datetime | None]) -> None:
        """Note when each of these people's files has to be looked at again."""
        for person, at in again.items():
            self._state.looks.pop(person, None)
            if at is not None:
                self._state.looks[person] = at

    def _above(self, person_id: str) -> list[str]:
        """Return the entries that stand for this one, nearest first."""
        found: list[str] = []
        person = self._state.people.get(person_id)
        while person is not None and person.merged_into and person.merged_into not in found:
            found.append(person.merged_into)
            person = self._state.people.get(person.merged_into)
        return found

    def put_file(self, file: HardshipFile) -> None:
        """Upsert a file by its number; raise `NotFound` if its person is not here."""
        self.get(file.person)
        if self._state.files.get(file.file_no) != file:
            self._state.files[file.file_no] = file
            self.touch([file.person])

    def file(self, file_no: str) -> HardshipFile | None:
        """Return a file."""
        return self._state.files.get(file_no)

    def files_named(self, numbers: Iterable[str]) -> dict[str, HardshipFile]:
        """Return those of the files that are here, by number."""
        return {no: self._state.files[no] for no in numbers if no in self._state.files}

    def count_unchecked(self) -> int:
        """Count the files that left and that nobody has looked at since (R34)."""
        left = (file for file in self._state.files.values() if file.status is FileStatus.CLOSED)
        return sum(file.exit_confirmed_by is None for file in left)

    def files(self) -> Sequence[HardshipFile]:
        """Return every file, by number."""
        return [self._state.files[no] for no in sorted(self._state.files)]


def people_after(state: State, after: str, limit: int) -> tuple[list[str], str | None]:
    """Return the next `limit` people with a file after one, by id, and the last of them if more come."""
    waiting = sorted({file.person for file in state.files.values() if file.person > after})
    some = waiting[: limit + 1]
    return some, some[-1] if len(some) > limit else None


def _has(person: Person, number: str) -> bool:
    return any(same_number(phone.number) == same_number(number) for phone in person.phones)
