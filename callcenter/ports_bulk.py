"""What an import of thousands of people needs of the store: the same as for one, for many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from callcenter.domain.people import Consent, HardshipFile, Person, Suppression


class PeopleInBulk(Protocol):
    """The part of `callcenter.ports.People` that takes and gives many."""

    def mark_of(self, text: str, what: str = "identity number") -> str:
        """Return the keyed mark (hex) of something that is compared and not kept: an identity number.

        The same text of the same kind gives the same mark for as long as the site has its master key.
        """
        ...

    def marked(self, marks: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return, per identity mark, the ids of whom it stands with; a mark nobody has is not there."""
        ...

    def holders_of(self, numbers: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return, per telephone number, the ids of everybody who has it; one nobody has is not there."""
        ...

    def add_people(self, persons: Sequence[Person]) -> None:
        """Add people, all or none; raise `Conflict` if an id or a pseudonym is taken."""
        ...

    def update_people(self, persons: Sequence[Person]) -> None:
        """Replace people and their phones; raise `NotFound` if one is not here."""
        ...

    def put_files(self, files: Sequence[HardshipFile]) -> None:
        """Put several files, as `put_file` does; raise `NotFound` if somebody is not here."""
        ...

    def add_consents(self, consents: Sequence[Consent]) -> None:
        """Append statements of consent; raise `NotFound` if somebody is not here."""
        ...

    def add_suppressions(self, suppressions: Sequence[Suppression]) -> None:
        """Append opt-outs; raise `NotFound` if somebody is not here."""
        ...
