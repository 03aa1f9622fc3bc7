"""People and their files by the thousand: what an import reads and writes in a few statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import Column, bindparam, delete, select, update

from callcenter.db.repositories import looks
from callcenter.db.repositories.base import Row, chunks
from callcenter.db.repositories.people import ERASED, IS_PHONE, SqlPeople, consent_row
from callcenter.db.tables import consents, hardship_files, people, phones, suppressions
from callcenter.domain.people import Consent, HardshipFile, Person, Suppression
from callcenter.errors import Conflict, NotFound

#: Numbers asked for at once: while keys change each stands under several hashes.
_NUMBERS = 500


class SqlPeopleInBulk(SqlPeople):
    """`SqlPeople`, and the same for many at once."""

    def mark_of(self, text: str, what: str = "identity number") -> str:
        """Return the keyed mark (hex) of something that is compared and not kept."""
        # Of the master, not of a field key: a change of field keys leaves it as it is.
        return self._cipher.chain(what.encode(), text.encode()).hex()

    def marked(self, marks: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return, per identity mark, the ids of whom it stands with."""
        found: dict[str, list[str]] = {}
        for chunk in chunks(dict.fromkeys(marks)):
            wanted = [bytes.fromhex(mark) for mark in chunk]
            theirs = select(people.c.identity_hash, people.c.id).where(people.c.identity_hash.in_(wanted))
            for mark, person in self._connection.execute(theirs.order_by(people.c.id)):
                found.setdefault(mark.hex(), []).append(person)
        return dict(found)

    def holders_of(self, numbers: Iterable[str]) -> dict[str, Sequence[str]]:
        """Return, per telephone number, the ids of everybody who has it, in order."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for chunk in _pieces(list(dict.fromkeys(numbers)), _NUMBERS):
            of_hash: dict[bytes, list[str]] = {}
            for number in chunk:  # two spellings of one number have one hash
                for one in self._cipher.lookups(number):
                    of_hash.setdefault(one, []).append(number)
            theirs = select(phones.c.number_hash, phones.c.person)
            for one, person in self._connection.execute(
                theirs.where(phones.c.number_hash.in_(of_hash), IS_PHONE)
            ):
                for number in of_hash[one]:
                    found[number].add(person)
        return {number: sorted(persons) for number, persons in found.items()}

    def add_people(self, persons: Sequence[Person]) -> None:
        """Add people, all or none; raise `Conflict` if an id or a pseudonym is taken."""
        self._check_free(persons)
        self._insert_many(people, [self._row(person) for person in persons])
        self._insert_many(phones, [row for person in persons for row in self._phone_rows(person)])

    def update_people(self, persons: Sequence[Person]) -> None:
        """Replace people and their phones; raise `NotFound` if one is not here."""
        self._check_all_known(person.id for person in persons)
        if not persons:
            return
        self._update_many(people.c.id, [self._row(person) for person in persons])
        for chunk in chunks(person.id for person in persons):
            is_theirs = phones.c.person.in_(chunk) & (phones.c.status != ERASED)
            self._connection.execute(delete(phones).where(is_theirs))
        self._insert_many(phones, [row for person in persons for row in self._phone_rows(person)])

    def put_files(self, files: Sequence[HardshipFile]) -> None:
        """Put several files, as `put_file` does; raise `NotFound` if somebody is not here."""
        self._check_all_known(file.person for file in files)
        standing = self.files_named(file.file_no for file in files)
        changed = {file.file_no: file for file in files if standing.get(file.file_no) != file}
        new = [file for file in changed.values() if file.file_no not in standing]
        self._insert_many(hardship_files, [{"file_no": f.file_no, **self._file_row(f)} for f in new])
        known = [file for file in changed.values() if file.file_no in standing]
        rows = [{"file_no": f.file_no, **self._file_row(f)} for f in known]
        self._update_many(hardship_files.c.file_no, rows)
        looks.touch(self._connection, {file.person for file in changed.values()})

    def add_consents(self, consents_: Sequence[Consent]) -> None:
        """Append statements of consent; raise `NotFound` if somebody is not here."""
        self._check_all_known(consent.person for consent in consents_)
        self._insert_many(consents, [consent_row(consent) for consent in consents_])

    def add_suppressions(self, suppressions_: Sequence[Suppression]) -> None:
        """Append opt-outs; raise `NotFound` if somebody is not here."""
        self._check_all_known(one.person for one in suppressions_)
        self._insert_many(suppressions, [self._suppression_row(one) for one in suppressions_])
        looks.touch(self._connection, {one.person for one in suppressions_})

    def _update_many(self, key: Column[str], rows: Sequence[Row]) -> None:
        """Give each row's columns to the row that stands under its key."""
        if not rows:
            return
        names = [name for name in rows[0] if name != key.name]
        this_one = key == bindparam("this_one")
        change = update(key.table).where(this_one).values({name: bindparam(f"new_{name}") for name in names})
        given = [{"this_one": row[key.name], **{f"new_{name}": row[name] for name in names}} for row in rows]
        self._connection.execute(change, given)

    def _check_free(self, persons: Sequence[Person]) -> None:
        for column, read in _NAMES:
            wanted = [read(person) for person in persons]
            taken = next(self._there(people.c[column], wanted), None)
            if taken is not None or len(set(wanted)) < len(wanted):
                raise Conflict(f"职工 {taken or '名单里的同一个人'} 已在册。")

    def _check_all_known(self, persons: Iterable[str]) -> None:
        wanted = set(persons)
        missing = wanted - set(self._there(people.c.id, wanted))
        if missing:
            raise NotFound(f"没有职工 {min(missing)}。")

    def _there(self, column: Column[str], wanted: Iterable[str]) -> Iterator[str]:
        for chunk in chunks(wanted):
            yield from self._connection.scalars(select(column).where(column.in_(chunk)))


#: What is one person's alone.
_NAMES: tuple[tuple[str, Callable[[Person], str]], ...] = (("id", lambda p: p.id), ("code", lambda p: p.code))


def _pieces(numbers: list[str], size: int) -> Iterator[list[str]]:
    return (numbers[at : at + size] for at in range(0, len(numbers), size))
