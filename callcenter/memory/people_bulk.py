"""People and their files in memory, many at once."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256

from callcenter.domain.people import Consent, HardshipFile, Person, Suppression
from callcenter.errors import Conflict
from callcenter.memory.line import same_number
from callcenter.memory.people import MemoryPeople

#: Nothing of worth is protected by it: the store in memory has no site.
_KEY = b"memory"


class MemoryPeopleInBulk(MemoryPeople):
    """`MemoryPeople`, and the same for many at once."""

    def mark_of(self, text: str, what: str = "identity number") -> str:
        """Return the keyed mark (hex) of something that is compared and not kept."""
        return hmac.digest(_KEY, f"{what}/{text}".encode(), sha256).hex()

    def marked(self, marks: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return, per identity mark, the ids of whom it stands with."""
        wanted, found = set(marks), dict[str, list[str]]()
        for person in self.all():
            if person.identity_mark in wanted:
                found.setdefault(person.identity_mark, []).append(person.id)
        return dict(found)

    def holders_of(self, numbers: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return, per telephone number, the ids of everybody who has it, in order."""
        holders: dict[str, list[str]] = {}
        for person in self.all():
            for number in {same_number(phone.number) for phone in person.phones}:
                holders.setdefault(number, []).append(person.id)
        return {number: holders[one] for number in numbers if (one := same_number(number)) in holders}

    def add_people(self, persons: Sequence[Person]) -> None:
        """Add people, all or none; raise `Conflict` if an id or a pseudonym is taken."""
        ids = [*self._state.people, *(person.id for person in persons)]
        codes = [*(p.code for p in self._state.people.values()), *(person.code for person in persons)]
        if len(set(ids)) < len(ids) or len(set(codes)) < len(codes):
            raise Conflict("名单里有人已在册。")
        self._state.people.update((person.id, person) for person in persons)

    def update_people(self, persons: Sequence[Person]) -> None:
        """Replace people and their phones; raise `NotFound` if one is not here."""
        self._check(person.id for person in persons)
        self._state.people.update((person.id, person) for person in persons)

    def put_files(self, files: Sequence[HardshipFile]) -> None:
        """Put several files, as `put_file` does; raise `NotFound` if somebody is not here."""
        self._check(file.person for file in files)
        for file in files:
            self.put_file(file)

    def add_consents(self, consents: Sequence[Consent]) -> None:
        """Append statements of consent; raise `NotFound` if somebody is not here."""
        self._check(consent.person for consent in consents)
        for consent in consents:
            self.add_consent(consent)

    def add_suppressions(self, suppressions: Sequence[Suppression]) -> None:
        """Append opt-outs; raise `NotFound` if somebody is not here."""
        self._check(one.person for one in suppressions)
        for one in suppressions:
            self.add_suppression(one)

    def _check(self, persons: Iterable[str]) -> None:
        for person in persons:
            self.get(person)
