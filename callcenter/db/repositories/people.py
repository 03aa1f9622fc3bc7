"""Workers, their phones, consents, suppressions and hardship files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, distinct, func, insert, select, update

from callcenter.db.repositories.base import Repository, Row, chunks
from callcenter.db.tables import consents, hardship_files, people, phones, suppressions
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.errors import Conflict, NotFound


class SqlPeople(Repository):
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
        self._connection.execute(delete(phones).where(phones.c.person == person.id))
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
            theirs = self._phones_of(chunk)
            for row in self._all(select(people).where(people.c.id.in_(chunk))):
                found[row["id"]] = self._person(row, tuple(theirs[row["id"]]))
        return found

    def all(self) -> Sequence[Person]:
        """Return everybody, by id."""
        theirs: defaultdict[str, list[Phone]] = defaultdict(list)
        for row in self._all(select(phones).order_by(phones.c.person, phones.c.place)):
            theirs[row["person"]].append(self._phone(row))
        found = self._all(select(people).order_by(people.c.id))
        return [self._person(row, tuple(theirs[row["id"]])) for row in found]

    def by_number(self, number: str) -> Person | None:
        """Return who has this number; of several (a family's phone) the first by id."""
        having = select(func.min(phones.c.person)).where(
            phones.c.number_hash.in_(self._cipher.lookups(number))
        )
        person_id = self._connection.scalar(having)
        return None if person_id is None else self.get(person_id)

    def set_phone_status(self, number: str, status: PhoneStatus) -> int:
        """Set the status of a number wherever it stands (R33); return at how many people."""
        is_it = phones.c.number_hash.in_(self._cipher.lookups(number))
        count = self._connection.scalar(select(func.count(distinct(phones.c.person))).where(is_it)) or 0
        self._connection.execute(update(phones).where(is_it).values(status=status.value))
        return count

    def add_consent(self, consent: Consent) -> None:
        """Append a statement of consent; raise `NotFound` if the person is not here."""
        self._check_known(consent.person)
        row = {
            "person": consent.person,
            "kind": consent.kind.value,
            "granted": consent.granted,
            "at": consent.at,
            "channel": consent.channel,
            "script_version": consent.script_version,
        }
        self._connection.execute(insert(consents).values(**row))

    def consents(self, person_id: str) -> Sequence[Consent]:
        """Return a person's statements, oldest first."""
        theirs = select(consents).where(consents.c.person == person_id)
        return [_consent(row) for row in self._all(theirs.order_by(consents.c.at, consents.c.seq))]

    def add_suppression(self, suppression: Suppression) -> None:
        """Append an opt-out; raise `NotFound` if the person is not here."""
        self._check_known(suppression.person)
        row = {
            "person": suppression.person,
            "kind": suppression.kind.value,
            "at": suppression.at,
            "reason": self._cipher.seal(suppression.reason, "suppressions.reason"),
        }
        self._connection.execute(insert(suppressions).values(**row))

    def suppressions(self, person_id: str) -> Sequence[Suppression]:
        """Return a person's opt-outs, oldest first."""
        theirs = select(suppressions).where(suppressions.c.person == person_id)
        rows = self._all(theirs.order_by(suppressions.c.at, suppressions.c.seq))
        return [self._suppression(row) for row in rows]

    def put_file(self, file: HardshipFile) -> None:
        """Upsert a file by its number; raise `NotFound` if its person is not here."""
        self._check_known(file.person)
        row = {
            "person": file.person,
            "grade": file.grade.value,
            "status": file.status.value,
            "since": file.since,
            "district": file.district,
            "union_unit": file.union_unit,
            "liaison": self._cipher.seal(file.liaison, "hardship_files.liaison"),
        }
        put = self._insert(hardship_files).values(file_no=file.file_no, **row)
        self._connection.execute(put.on_conflict_do_update(index_elements=["file_no"], set_=row))

    def file(self, file_no: str) -> HardshipFile | None:
        """Return a file."""
        row = self._first(select(hardship_files).where(hardship_files.c.file_no == file_no))
        return self._file(row) if row else None

    def files(self) -> Sequence[HardshipFile]:
        """Return every file, by number."""
        return [self._file(row) for row in self._all(select(hardship_files).order_by("file_no"))]

    def _check_known(self, person_id: str) -> None:
        if self._connection.scalar(select(people.c.id).where(people.c.id == person_id)) is None:
            raise NotFound(f"没有职工 {person_id}。")

    def _put_phones(self, person: Person) -> None:
        rows = [self._phone_row(person.id, n, phone) for n, phone in enumerate(person.phones)]
        if rows:
            self._connection.execute(insert(phones), rows)

    def _phones_of(self, ids: list[str]) -> defaultdict[str, list[Phone]]:
        theirs: defaultdict[str, list[Phone]] = defaultdict(list)
        query = select(phones).where(phones.c.person.in_(ids)).order_by(phones.c.person, phones.c.place)
        for row in self._all(query):
            theirs[row["person"]].append(self._phone(row))
        return theirs

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
        }

    def _person(self, row: Row, numbers: tuple[Phone, ...]) -> Person:
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
        )

    def _phone_row(self, person_id: str, place: int, phone: Phone) -> Row:
        return {
            "person": person_id,
            "place": place,
            "number": self._cipher.seal(phone.number, "phones.number"),
            "number_hash": self._cipher.lookup(phone.number),
            "status": phone.status.value,
            "safe_to_call": phone.safe_to_call,
        }

    def _phone(self, row: Row) -> Phone:
        return Phone(
            number=self._cipher.open(row["number"], "phones.number") or "",
            status=PhoneStatus(row["status"]),
            safe_to_call=row["safe_to_call"],
        )

    def _suppression(self, row: Row) -> Suppression:
        return Suppression(
            person=row["person"],
            kind=SuppressionKind(row["kind"]),
            at=row["at"],
            reason=self._cipher.open(row["reason"], "suppressions.reason") or "",
        )

    def _file(self, row: Row) -> HardshipFile:
        return HardshipFile(
            file_no=row["file_no"],
            person=row["person"],
            grade=Grade(row["grade"]),
            status=FileStatus(row["status"]),
            since=row["since"],
            district=row["district"],
            union_unit=row["union_unit"],
            liaison=self._cipher.open(row["liaison"], "hardship_files.liaison") or "",
        )


def _consent(row: Row) -> Consent:
    return Consent(
        person=row["person"],
        kind=ConsentKind(row["kind"]),
        granted=row["granted"],
        at=row["at"],
        channel=row["channel"],
        script_version=row["script_version"],
    )
