"""Bringing a union's list of hardship workers into the store: all of it, or nothing.

What a person told us stands above what a list says: opt-outs, withdrawn consent, numbers learned on the
line and numbers found wrong survive every import (R32, R33). Who is missing from a new list is shown, never
dropped. A list is compared with what lists said before, and with nothing else: the clerk who brings it does
not learn from it who called (R39).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, tzinfo
from functools import cache
from pathlib import Path
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import CASES
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    PhoneSource,
    PhoneStatus,
    Suppression,
    in_force,
)
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.settling import note, pseudonym
from callcenter.service.hardship.fields import Columns, Entry, Field, understand
from callcenter.service.hardship.tables import ImportRefused, Problem, Progress, read_rows
from callcenter.service.people.entries import group_of, resolve
from scheduler.cadence import SHANGHAI

#: Finds whose a number is, as things stood before the import.
Known = Callable[[str], Sequence[Person]]
#: Consents that came with a list.
CHANNEL = "hardship_import"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One file that an import adds or alters. Texts are masked."""

    row: int
    file_no: str
    #: (what, before, after).
    fields: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Diff:
    """What an import does, or would do."""

    new: tuple[Change, ...]
    changed: tuple[Change, ...]
    unchanged: int
    #: In the store and owed, but not in this list: shown, never dropped.
    missing: tuple[str, ...]
    #: Columns nobody reads, so nothing of them is kept.
    unused_columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    """Where an entry goes: before and after."""

    entry: Entry
    person_before: Person | None = field(repr=False)
    person: Person = field(repr=False)
    file_before: HardshipFile | None
    file: HardshipFile
    consent: Consent | None
    #: What others with these numbers refused: it binds this entry too (R32).
    refused: tuple[Consent | Suppression, ...] = ()


def read_list(
    path: Path, mapping: Mapping[str, Field], now: datetime, progress: Progress | None = None
) -> tuple[Columns, list[Entry]]:
    """Read and understand a list, or raise `ImportRefused` with every problem in it."""
    return understand(read_rows(path, progress), mapping, now.astimezone(SHANGHAI).date())


@guarded(Verb.HARDSHIP_IMPORT)
def import_entries(
    work: UnitOfWork,
    entries: Sequence[Entry],
    *,
    actor: str,
    now: datetime,
    unused_columns: tuple[str, ...] = (),
    dry_run: bool = False,
    zone: tzinfo = SHANGHAI,
) -> Diff:
    """Write the entries (unless `dry_run`) and return what changes. The caller commits.

    Raises `ImportRefused`, before anything is written, if a number belongs to another open file.
    """
    allow(work, actor, Verb.HARDSHIP_IMPORT)
    files = {file.file_no: file for file in work.people.files()}
    known = cache(work.people.having)
    _check_numbers(known, entries, files)
    people = work.people.many({file.person for file in files.values()})
    planner = _Planner(work, known, files, people, now, zone)
    targets = [planner.target(entry) for entry in entries]
    if not dry_run:
        for target in targets:
            _write(work, target, actor, now)
    return _diff(targets, files, unused_columns)


class _Planner:
    """Finds, for each entry, whom it means and what it changes."""

    def __init__(
        self,
        work: UnitOfWork,
        known: Known,
        files: Mapping[str, HardshipFile],
        people: Mapping[str, Person],
        now: datetime,
        zone: tzinfo,
    ) -> None:
        self._work, self._files, self._people, self._now, self._zone = work, files, people, now, zone
        self._known = known
        self._linked: set[str] = set()

    def target(self, entry: Entry) -> _Target:
        """Return the entry's before and after."""
        file_before = self._files.get(entry.file_no)
        before = self._people[file_before.person] if file_before else self._known_worker(entry)
        person_id = before.id if before else f"p-{uuid4().hex}"
        consent = self._consent(entry, person_id if before else None)
        return _Target(
            entry=entry,
            person_before=before,
            person=self._person(entry, before, person_id),
            file_before=file_before,
            file=_file(entry, person_id),
            consent=replace(consent, person=person_id) if consent else None,
            refused=self._refused(entry, before, person_id),
        )

    def _known_worker(self, entry: Entry) -> Person | None:
        """Return who is, as far as anybody knows, this person: number and name, or a number and nothing else.

        A telephone is a family's. So nobody of whom there is a record or a case becomes a worker by their
        number: a supervisor finds the two entries (`callcenter.service.people.duplicates`) and merges them.
        """
        for number in entry.phones:
            for found in map(self._standing, self._known(number)):
                is_worker = found.name == entry.name and bool(self._work.people.files_of(found.id))
                if found.id in self._linked or not (is_worker or self._is_blank(found)):
                    continue
                self._linked.add(found.id)
                return found
        return None

    def _standing(self, person: Person) -> Person:
        return resolve(self._work, person.id)

    def _is_blank(self, person: Person) -> bool:
        """Tell whether nothing is known of somebody but a number they called from or left."""
        group = group_of(self._work, person)
        return person.name is None and not any(
            self._work.sessions.of_person(one) or self._work.book(CASES).where(person=one) for one in group
        )

    def _refused(
        self, entry: Entry, before: Person | None, person_id: str
    ) -> tuple[Consent | Suppression, ...]:
        """Return what others refused who have numbers new to this person: it is their telephone (R32)."""
        known = {phone.number for phone in before.phones} if before else set()
        found: dict[object, Consent | Suppression] = {}
        others = (one for number in entry.phones if number not in known for one in self._known(number))
        for one in others:
            for wish in in_force(self._work.people.suppressions(one.id), self._now):
                found[wish.kind, wish.topic] = replace(wish, person=person_id, reason="")
            said = [c for c in self._work.people.consents(one.id) if c.kind is ConsentKind.IVR_CHECKIN]
            if said and not said[-1].granted:
                found[said[-1].kind] = replace(said[-1], person=person_id)
        return tuple(found.values())

    def _person(self, entry: Entry, before: Person | None, person_id: str) -> Person:
        blank = Person(id=person_id, code=pseudonym(person_id))
        person = before or blank
        return replace(
            person,
            name=entry.name,
            birth_month=entry.birth_month or person.birth_month,
            birth_year=entry.birth_year or person.birth_year,
            phones=self._phones(entry, person),
            no_ivr=person.no_ivr if entry.no_ivr is None else entry.no_ivr,
            speaks=person.speaks if entry.speaks is None else entry.speaks,
        )

    def _phones(self, entry: Entry, person: Person) -> tuple[Phone, ...]:
        """Return the list's numbers first, with what we know of them, and those that outlive a list."""
        if not entry.phones:
            return person.phones
        known = {phone.number: phone for phone in person.phones}
        listed = tuple(self._listed(number, known.get(number)) for number in entry.phones)
        others = (replace(p, listed=False) for p in person.phones if p.number not in entry.phones)
        return listed + tuple(phone for phone in others if self._outlives(phone))

    def _outlives(self, phone: Phone) -> bool:
        """Tell whether a number stays that the register lets go: learned on the line, or found bad (R33)."""
        is_learned = phone.source is not PhoneSource.REGISTER or phone.status is not PhoneStatus.OK
        return is_learned or bool(self._work.calls.of_number(phone.number, 1))

    def _listed(self, number: str, known: Phone | None) -> Phone:
        if known is not None:
            is_typed = known.source is PhoneSource.HAND
            return replace(known, listed=True, source=PhoneSource.REGISTER if is_typed else known.source)
        others = (p for one in self._known(number) for p in one.phones if p.number == number)
        status = next((p.status for p in others if p.status is not PhoneStatus.OK), PhoneStatus.OK)
        return Phone(number=number, status=status, source=PhoneSource.REGISTER, listed=True)

    def _consent(self, entry: Entry, known_as: str | None) -> Consent | None:
        """Return what the list says of consent, if no list has said so before. The newest by date counts."""
        if entry.consent is None:
            return None
        said = self._work.people.consents(known_as) if known_as else ()
        listed = [c for c in said if c.kind is ConsentKind.IVR_CHECKIN and c.channel == CHANNEL]
        if entry.consent is bool(listed and listed[-1].granted):
            return None
        day = entry.consent_date
        at = datetime.combine(day, time(), self._zone) if day else self._now
        return Consent(person="", kind=ConsentKind.IVR_CHECKIN, granted=entry.consent, at=at, channel=CHANNEL)


def _check_numbers(known: Known, entries: Sequence[Entry], files: Mapping[str, HardshipFile]) -> None:
    leaving = {e.file_no for e in entries if e.status is FileStatus.CLOSED}
    owner = {
        f.person: f.file_no
        for f in files.values()
        if f.status is not FileStatus.CLOSED and f.file_no not in leaving
    }
    problems = [
        Problem(row=entry.row, column="", message=f"电话号码已登记在另一份档案（{other}）")
        for entry in entries
        for number in entry.phones
        for found in known(number)
        if any(phone.listed and phone.number == number for phone in found.phones)
        and (other := owner.get(found.id)) is not None
        and other != entry.file_no
    ]
    if problems:
        raise ImportRefused(problems)


def _file(entry: Entry, person_id: str) -> HardshipFile:
    return HardshipFile(
        file_no=entry.file_no,
        person=person_id,
        grade=entry.grade,
        status=entry.status,
        since=entry.since,
        district=entry.district,
        union_unit=entry.union_unit,
        liaison=entry.liaison,
    )


def _write(work: UnitOfWork, target: _Target, actor: str, now: datetime) -> None:
    changes = _changes(target)
    if target.file_before is not None and not changes:
        return
    if target.person_before is None:
        work.people.add(target.person)
    elif target.person_before != target.person:
        work.people.update(target.person)
    work.people.put_file(target.file)
    for said in (target.consent, *target.refused):
        if isinstance(said, Suppression):
            work.people.add_suppression(said)
        elif said is not None:
            work.people.add_consent(said)
    verb = "hardship.add" if target.file_before is None else "hardship.change"
    note(work, actor, verb, target.file.file_no, now, reason="、".join(what for what, _, _ in changes))


#: What is compared: title, and how to read it, masked, from a person and a file.
_READERS: tuple[tuple[str, Callable[[Person, HardshipFile], object]], ...] = (
    ("姓名", lambda p, f: mask_name(p.name)),
    ("电话", lambda p, f: " ".join(mask_number(number) for number in _listed(p))),
    ("出生月份", lambda p, f: "已登记" if p.birth_month else ""),
    ("出生年份", lambda p, f: "已登记" if p.birth_year else ""),
    ("仅人工联系", lambda p, f: "是" if p.no_ivr else "否"),
    ("语言", lambda p, f: "无锡话" if p.speaks else "普通话"),
    ("困难类别", lambda p, f: f.grade),
    ("档案状态", lambda p, f: f.status.value),
    ("建档日期", lambda p, f: f.since.isoformat()),
    ("区县", lambda p, f: f.district),
    ("所属工会", lambda p, f: f.union_unit),
    ("联系人", lambda p, f: mask_name(f.liaison) if f.liaison else ""),
)


def _changes(target: _Target) -> tuple[tuple[str, str, str], ...]:
    """Return what differs, masked. Two names that mask alike still differ."""
    consent: tuple[tuple[str, str, str], ...] = ()
    if target.consent is not None:
        consent = (("同意自动回访", "", "是" if target.consent.granted else "否"),)
    if target.person_before is None or target.file_before is None:
        return consent
    before, after = (target.person_before, target.file_before), (target.person, target.file)
    found = [(what, str(read(*before)), str(read(*after))) for what, read in _READERS]
    differing = {what for what, *_ in found if _raw(what, *before) != _raw(what, *after)}
    return tuple(row for row in found if row[0] in differing) + consent


def _raw(what: str, person: Person, file: HardshipFile) -> object:
    match what:
        case "姓名":
            return person.name
        case "电话":
            return _listed(person)
        case "出生月份":
            return person.birth_month
        case "出生年份":
            return person.birth_year
        case "联系人":
            return file.liaison
        case _:
            return dict(_READERS)[what](person, file)


def _listed(person: Person) -> tuple[str, ...]:
    """Return the numbers that the register holds: others are none of the clerk's business (R39)."""
    return tuple(phone.number for phone in person.phones if phone.listed)


def _diff(
    targets: Sequence[_Target], files: Mapping[str, HardshipFile], unused_columns: tuple[str, ...]
) -> Diff:
    changes = [(t, _changes(t)) for t in targets]
    said = [(t, Change(row=t.entry.row, file_no=t.file.file_no, fields=c)) for t, c in changes]
    listed = {t.file.file_no for t in targets}
    return Diff(
        new=tuple(c for t, c in said if t.file_before is None),
        changed=tuple(c for t, c in said if t.file_before is not None and c.fields),
        unchanged=sum(t.file_before is not None and not c.fields for t, c in said),
        missing=tuple(
            no for no, f in files.items() if no not in listed and f.status is not FileStatus.CLOSED
        ),
        unused_columns=unused_columns,
    )
