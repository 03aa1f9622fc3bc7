"""Workers, their phones, consents, suppressions and hardship files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    bindparam,
    delete,
    distinct,
    func,
    insert,
    select,
    update,
)

from callcenter.db.repositories import looks
from callcenter.db.repositories.base import Row, among, chunks
from callcenter.db.repositories.files import SqlFiles
from callcenter.db.tables import books, consents, hardship_files, people, phones, suppressions
from callcenter.domain.numbers import normalise
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    HardshipFile,
    Person,
    Phone,
    PhoneSource,
    PhoneStatus,
    SafeContact,
    Suppression,
    SuppressionKind,
)
from callcenter.errors import Conflict, NotFound

#: Rows of `phones` that are no telephones: the code a person keeps, and what is left of an erased number
#: whose person had opted out: a keyed mark (R32). Neither is ever shown or dialled.
_SPOKEN, ERASED = "spoken", "erased"
IS_PHONE = phones.c.status.not_in((_SPOKEN, ERASED))
_SPOKEN_PLACE = -1


class SqlPeople(SqlFiles):
    """The people we look after; names, birth months and numbers are sealed."""

    def add(self, person: Person) -> None:
        """Add a person; raise `Conflict` if the id or the pseudonym is taken."""
        if not self._insert_new(people, self._row(person)):
            raise Conflict(f"职工 {person.id}(代号 {person.code})已在册。")
        self._put_phones(person)

    def update(self, person: Person) -> None:
        """Replace a person and their phones, or raise `NotFound`."""
        change = update(people).where(people.c.id == person.id).values(**self._row(person))
        if self._connection.execute(change).rowcount != 1:
            raise NotFound(f"没有职工 {person.id}。")
        is_theirs = (phones.c.person == person.id) & (phones.c.status != ERASED)
        self._connection.execute(delete(phones).where(is_theirs))
        self._put_phones(person)

    def get(self, person_id: str) -> Person:
        """Return a person, or raise `NotFound`."""
        found = self.many([person_id])
        if person_id not in found:
            raise NotFound(f"没有职工 {person_id}。")
        return found[person_id]

    def many(self, ids: Iterable[str]) -> dict[str, Person]:
        """Return those of the ids that are here."""
        found: dict[str, Person] = {}
        for chunk in chunks(ids):
            theirs = self._all(
                select(phones).where(among(self._connection, phones.c.person, chunk)).order_by(*_IN_ORDER)
            )
            rows = self._all(select(people).where(among(self._connection, people.c.id, chunk)))
            found.update((person.id, person) for person in self._people(rows, theirs))
        return found

    def all(self) -> Sequence[Person]:
        """Return everybody, by id."""
        theirs = self._all(select(phones).order_by(*_IN_ORDER))
        return self._people(self._all(select(people).order_by(people.c.id)), theirs)

    def by_number(self, number: str) -> Person | None:
        """Return who has this number; of several (a family's phone) the first by id."""
        return self._one(select(func.min(phones.c.person)).where(self._is_number(number)))

    def having(self, number: str) -> Sequence[Person]:
        """Return everybody who has this number, by id."""
        found = self.many(self._connection.scalars(select(phones.c.person).where(self._is_number(number))))
        return [found[person_id] for person_id in sorted(found)]

    def by_code(self, code: str) -> Person | None:
        """Return who has this pseudonym."""
        return self._one(select(people.c.id).where(people.c.code == code))

    def by_spoken(self, digits: str) -> Person | None:
        """Return whom we gave this code to keep; of several the first by id."""
        is_it = phones.c.number_hash.in_(self._cipher.lookups(_spoken(digits))) & (phones.c.status == _SPOKEN)
        return self._one(select(func.min(phones.c.person)).where(is_it))

    def set_phone_status(self, number: str, status: PhoneStatus) -> int:
        """Set the status of a number wherever it stands (R33); return at how many people."""
        is_it = self._is_number(number)
        count = self._connection.scalar(select(func.count(distinct(phones.c.person))).where(is_it)) or 0
        self._connection.execute(update(phones).where(is_it).values(status=status.value))
        return count

    def add_consent(self, consent: Consent) -> None:
        """Append a statement of consent; raise `NotFound` if the person is not here."""
        self._check_known(consent.person)
        self._connection.execute(insert(consents).values(**consent_row(consent)))

    def merged(self, person_id: str) -> Sequence[str]:
        """Return the ids of the entries that were merged into this one, also by way of others."""
        return sorted(set(self._group_of(person_id)) - {person_id})

    def parts_of(self, persons: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return, per person, their own id and those of the entries merged into theirs."""
        found: dict[str, set[str]] = {}
        for chunk in chunks(persons):
            for part, wholes in self._whose(chunk).items():
                for whole in wholes:
                    found.setdefault(whole, set()).add(part)
        return {person: frozenset(parts) for person, parts in found.items()}

    def consents(self, person_id: str) -> Sequence[Consent]:
        """Return the statements of a person and of the entries merged into theirs, oldest first."""
        theirs = select(consents).where(consents.c.person.in_(self._group_of(person_id)))
        return [_consent(row) for row in self._all(theirs.order_by(consents.c.at, consents.c.seq))]

    def add_suppression(self, suppression: Suppression) -> None:
        """Append an opt-out; raise `NotFound` if the person is not here."""
        self._check_known(suppression.person)
        self._connection.execute(insert(suppressions).values(**self._suppression_row(suppression)))
        looks.touch(self._connection, [suppression.person])

    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        """Return the opt-outs that bind a person, by group and by number (R32), oldest first."""
        group = self._group_of(person_id)
        bound = [*group, *self._erased_with_numbers_of(group)]
        theirs = select(suppressions).where(suppressions.c.person.in_(bound))
        rows = self._all(theirs.order_by(suppressions.c.at, suppressions.c.seq))
        return [self._suppression(row) for row in rows]

    def _group_of(self, person_id: str) -> list[str]:
        return list(self._connection.scalars(_GROUP, {"person": person_id}))

    def _erased_with_numbers_of(self, group: list[str]) -> list[str]:
        """Return the erased people of whose numbers somebody has one, whichever key hashed it."""
        theirs = select(phones.c.number).where(phones.c.person.in_(group), IS_PHONE)
        numbers = (self._cipher.open(sealed, "phones.number") for sealed in self._connection.scalars(theirs))
        marks = (self._mark_of(number) for number in numbers if number)
        hashes = [one for mark in marks for one in self._cipher.lookups(mark)]
        left = select(phones.c.person).where(phones.c.number_hash.in_(hashes), phones.c.status == ERASED)
        return list(self._connection.scalars(left)) if hashes else []

    def forget(self, person_id: str) -> int:
        """Erase name, birth, numbers and words of a person; the numbers of opt-outs keep binding."""
        person = self.get(person_id)
        if self.suppressions(person_id):
            self._keep_marks(person)
        is_theirs = (phones.c.person == person_id) & (phones.c.status != ERASED)
        self._connection.execute(delete(phones).where(is_theirs))
        blank = Person(id=person.id, code=person.code, no_ivr=person.no_ivr, merged_into=person.merged_into)
        self._connection.execute(update(people).where(people.c.id == person_id).values(**self._row(blank)))
        unsaid = update(suppressions).where(suppressions.c.person == person_id)
        self._connection.execute(unsaid.values(reason=self._cipher.seal("", "suppressions.reason")))
        return len({phone.number for phone in person.phones})

    def _keep_marks(self, person: Person) -> None:
        """Leave of each number a keyed mark alone, behind what was left before."""
        is_left = (phones.c.person == person.id) & (phones.c.status == ERASED)
        lowest = self._connection.scalar(select(func.min(phones.c.place)).where(is_left))
        first = _SPOKEN_PLACE - 1 if lowest is None else lowest - 1
        for n, number in enumerate(sorted({phone.number for phone in person.phones})):
            mark = Phone(number=self._mark_of(number), safe_to_call=False)
            row = {**self._phone_row(person.id, first - n, mark), "status": ERASED}
            self._connection.execute(insert(phones).values(**row))

    def _mark_of(self, number: str) -> str:
        """Return what is kept of an erased number: keyed with the master, so that new field keys fit it."""
        spelling = normalise(number) or number
        return "!" + self._cipher.chain(b"erased number", spelling.encode()).hex()

    def consents_of(self, persons: Iterable[str]) -> dict[str, Sequence[Consent]]:
        """Return the statements of several people, oldest first; who said nothing is not there."""
        found: dict[str, list[Consent]] = {}
        for chunk in chunks(persons):
            whose = self._whose(chunk)
            said = select(consents).where(among(self._connection, consents.c.person, whose))
            for row in self._all(said.order_by(consents.c.at, consents.c.seq)):
                for person in whose[row["person"]]:
                    found.setdefault(person, []).append(_consent(row))
        return dict(found)

    def suppressions_of(self, persons: Iterable[str]) -> dict[str, Sequence[Suppression]]:
        """Return what binds several people, oldest first; whom nothing binds is not there."""
        found: dict[str, list[Suppression]] = {}
        for chunk in chunks(persons):
            whose = self._whose(chunk)
            for erased, known in self._erased_beside(whose).items():
                whose.setdefault(erased, set()).update(known)
            said = select(suppressions).where(among(self._connection, suppressions.c.person, whose))
            for row in self._all(said.order_by(suppressions.c.at, suppressions.c.seq)):
                for person in whose[row["person"]]:
                    found.setdefault(person, []).append(self._suppression(row))
        return dict(found)

    def _erased_beside(self, whose: Mapping[str, set[str]]) -> dict[str, set[str]]:
        """Return the erased people whose numbers these entries have: id -> to which of us that belongs."""
        by_hash: dict[bytes, set[str]] = {}
        for some in chunks(whose):
            theirs = select(phones.c.person, phones.c.number).where(
                among(self._connection, phones.c.person, some), IS_PHONE
            )
            for person, sealed in self._connection.execute(theirs):
                mark = self._mark_of(self._cipher.open(sealed, "phones.number") or "")
                for one in self._cipher.lookups(mark):
                    by_hash.setdefault(one, set()).update(whose[person])
        found: dict[str, set[str]] = {}
        for hashes in chunks(by_hash):
            left = select(phones.c.person, phones.c.number_hash)
            marks = left.where(phones.c.number_hash.in_(hashes), phones.c.status == ERASED)
            for person, one in self._connection.execute(marks):
                found.setdefault(person, set()).update(by_hash[one])
        return found

    def _whose(self, persons: Sequence[str]) -> dict[str, set[str]]:
        """Return these people and the entries merged into theirs: id -> to which of them it belongs."""
        whose = looks.parts_of(self._connection, persons)
        for person in persons:
            whose.setdefault(person, set()).add(person)
        return whose

    def put_file(self, file: HardshipFile) -> None:
        """Upsert a file by its number; raise `NotFound` if its person is not here."""
        self._check_known(file.person)
        row = self._file_row(file)
        put = self._insert(hardship_files).values(file_no=file.file_no, **row)
        if self.file(file.file_no) == file:
            return
        self._connection.execute(put.on_conflict_do_update(index_elements=["file_no"], set_=row))
        looks.touch(self._connection, [file.person])

    def _check_known(self, person_id: str) -> None:
        if self._connection.scalar(select(people.c.id).where(people.c.id == person_id)) is None:
            raise NotFound(f"没有职工 {person_id}。")

    def _is_number(self, number: str) -> ColumnElement[bool]:
        return phones.c.number_hash.in_(self._cipher.lookups(number)) & IS_PHONE

    def _one(self, ids: Select[Any]) -> Person | None:
        person_id = self._connection.scalar(ids)
        return None if person_id is None else self.get(person_id)

    def _put_phones(self, person: Person) -> None:
        self._insert_many(phones, self._phone_rows(person))

    def _phone_rows(self, person: Person) -> list[Row]:
        """Return the rows of somebody's telephones, and of the code they keep."""
        rows = [self._phone_row(person.id, n, phone) for n, phone in enumerate(person.phones)]
        if person.spoken is not None:
            code = Phone(number=_spoken(person.spoken), safe_to_call=False)
            rows.append({**self._phone_row(person.id, _SPOKEN_PLACE, code), "status": _SPOKEN})
        return rows

    def _people(self, rows: Iterable[Row], numbers: Iterable[Row]) -> list[Person]:
        """Return people with their phones, and with the codes they keep."""
        theirs: defaultdict[str, list[Phone]] = defaultdict(list)
        kept: dict[str, str] = {}
        for row in numbers:
            if row["status"] == _SPOKEN:
                kept[row["person"]] = (self._cipher.open(row["number"], "phones.number") or "")[1:]
            elif row["status"] != ERASED:
                theirs[row["person"]].append(self._phone(row))
        return [self._person(row, tuple(theirs[row["id"]]), kept.get(row["id"])) for row in rows]

    def _row(self, person: Person) -> Row:
        month = None if person.birth_month is None else str(person.birth_month)
        year = None if person.birth_year is None else str(person.birth_year)
        return {
            "id": person.id,
            "code": person.code,
            "name": self._cipher.seal(person.name, "people.name"),
            "birth_month": self._cipher.seal(month, "people.birth_month"),
            "birth_year": self._cipher.seal(year, "people.birth_year"),
            "no_ivr": person.no_ivr,
            "speaks": person.speaks,
            "merged_into": person.merged_into,
            "identity_hash": bytes.fromhex(person.identity_mark) if person.identity_mark else None,
        }

    def _person(self, row: Row, numbers: tuple[Phone, ...], spoken: str | None) -> Person:
        month = self._cipher.open(row["birth_month"], "people.birth_month")
        year = self._cipher.open(row["birth_year"], "people.birth_year")
        return Person(
            id=row["id"],
            code=row["code"],
            name=self._cipher.open(row["name"], "people.name"),
            birth_month=None if month is None else int(month),
            phones=numbers,
            birth_year=None if year is None else int(year),
            no_ivr=row["no_ivr"],
            speaks=row["speaks"],
            merged_into=row["merged_into"],
            spoken=spoken,
            identity_mark=row["identity_hash"].hex() if row["identity_hash"] else None,
        )

    def _phone_row(self, person_id: str, place: int, phone: Phone) -> Row:
        return {
            "person": person_id,
            "place": place,
            "number": self._cipher.seal(phone.number, "phones.number"),
            "number_hash": self._cipher.lookup(phone.number),
            "status": phone.status.value,
            "safe_to_call": phone.safe_to_call,
            "source": phone.source.value,
            "listed": phone.listed,
            "verified_at": phone.verified_at,
            "agreed": self._cipher.seal(_written(phone.agreed), "phones.agreed"),
        }

    def _phone(self, row: Row) -> Phone:
        return Phone(
            number=self._cipher.open(row["number"], "phones.number") or "",
            status=PhoneStatus(row["status"]),
            safe_to_call=row["safe_to_call"],
            source=PhoneSource(row["source"]),
            listed=row["listed"],
            verified_at=row["verified_at"],
            agreed=_agreed(self._cipher.open(row["agreed"], "phones.agreed")),
        )

    def _suppression_row(self, suppression: Suppression) -> Row:
        return {
            "person": suppression.person,
            "kind": suppression.kind.value,
            "at": suppression.at,
            "reason": self._cipher.seal(suppression.reason, "suppressions.reason"),
            "until": suppression.until,
            "topic": suppression.topic,
            "lifted": suppression.lifted,
        }

    def _suppression(self, row: Row) -> Suppression:
        return Suppression(
            person=row["person"],
            kind=SuppressionKind(row["kind"]),
            at=row["at"],
            reason=self._cipher.open(row["reason"], "suppressions.reason") or "",
            until=row["until"],
            topic=row["topic"],
            lifted=row["lifted"],
        )

    def _file_row(self, file: HardshipFile) -> Row:
        """Return a file's columns without its number."""
        return {
            "person": file.person,
            "grade": str(file.grade),
            "status": file.status.value,
            "since": file.since,
            "district": file.district,
            "union_unit": file.union_unit,
            "liaison": self._cipher.seal(file.liaison, "hardship_files.liaison"),
            "household": file.household,
            "notice_from": file.notice_from,
            "notice_to": file.notice_to,
            "review_due": file.review_due,
            "exit_reason": file.exit_reason.value if file.exit_reason else None,
            "exit_confirmed_by": file.exit_confirmed_by,
        }


_IN_ORDER = (phones.c.person, phones.c.place)


def _spoken(digits: str) -> str:
    """Return a code as it is sealed and hashed: no number that was normalised has such a sign."""
    return f"#{digits}"


def _group() -> Select[Any]:
    """Select the ids of `:person` and of the entries merged into theirs, by the index of `merges`."""
    merges = books["merges"]
    group = select(bindparam("person", type_=Text).label("id")).cte("merged_group", recursive=True)
    into = (merges.c.kept == group.c.id) & (people.c.merged_into == group.c.id)
    next_ones = select(people.c.id).join(merges, merges.c.merged == people.c.id).join(group, into)
    return select(group.union(next_ones).c.id)


#: Made once: it is asked for every debt in a list.
_GROUP = _group()


def consent_row(consent: Consent) -> Row:
    """Return a statement's columns."""
    return {
        "person": consent.person,
        "kind": consent.kind.value,
        "granted": consent.granted,
        "at": consent.at,
        "channel": consent.channel,
        "script_version": consent.script_version,
        "evidence": consent.evidence,
        "expires_at": consent.expires_at,
    }


def _consent(row: Row) -> Consent:
    return Consent(
        person=row["person"],
        kind=ConsentKind(row["kind"]),
        granted=row["granted"],
        at=row["at"],
        channel=row["channel"],
        script_version=row["script_version"],
        evidence=row["evidence"],
        expires_at=row["expires_at"],
    )


#: What most numbers have: nothing agreed, and nothing written about it.
_NOTHING_AGREED = SafeContact()
_AGREED = TypeAdapter(SafeContact)


def _written(agreed: SafeContact) -> str | None:
    return None if agreed == _NOTHING_AGREED else _AGREED.dump_json(agreed).decode()


def _agreed(written: str | None) -> SafeContact:
    return _NOTHING_AGREED if written is None else _AGREED.validate_json(written)
