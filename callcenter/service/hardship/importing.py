"""Bringing a union's list of hardship workers into the store: all of it, or nothing.

What a person told us stands above what a list says: opt-outs, withdrawn consent and numbers found
wrong survive every import (R32, R33). Who is missing from a new list is shown, never dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, tzinfo
from functools import cache
from pathlib import Path
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
)
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.settling import note, pseudonym
from callcenter.service.hardship.fields import Columns, Entry, Field, understand
from callcenter.service.hardship.tables import ImportRefused, Problem, Progress, read_rows
from scheduler.cadence import SHANGHAI

#: Finds whom a number belongs to, as things stood before the import.
Known = Callable[[str], Person | None]
#: Consents that came with a list.
CHANNEL = "hardship_import"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One file that an import adds or alters. Texts are masked."""

    row: int
    file_no: str
    #: (what, before, after).
    fields: tuple[tuple[str, str, str], ...] = ()
    #: What the list says and we do not follow, and why.
    remarks: tuple[str, ...] = ()


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
    remarks: tuple[str, ...]


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
    known = cache(work.people.by_number)
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
        before = self._people[file_before.person] if file_before else self._known_caller(entry)
        person_id = before.id if before else f"p-{uuid4().hex}"
        consent, remarks = self._consent(entry, person_id if before else None)
        return _Target(
            entry=entry,
            person_before=before,
            person=self._person(entry, before, person_id),
            file_before=file_before,
            file=_file(entry, person_id),
            consent=replace(consent, person=person_id) if consent else None,
            remarks=remarks,
        )

    def _known_caller(self, entry: Entry) -> Person | None:
        """Return somebody we know by number and who is, as far as anybody knows, this person."""
        for number in entry.phones:
            found = self._known(number)
            if found is None or found.id in self._linked or found.name not in {None, entry.name}:
                continue
            self._linked.add(found.id)
            return found
        return None

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
        """Return the list's numbers with what we know of them; a number found bad is not forgotten."""
        if not entry.phones:
            return person.phones
        known = {phone.number: phone for phone in person.phones}
        listed = tuple(known.get(number) or self._new_phone(number) for number in entry.phones)
        bad = tuple(
            p for p in person.phones if p.number not in entry.phones and p.status is not PhoneStatus.OK
        )
        return listed + bad

    def _new_phone(self, number: str) -> Phone:
        elsewhere = self._known(number)
        others = elsewhere.phones if elsewhere is not None else ()
        status = next((p.status for p in others if p.number == number), PhoneStatus.OK)
        return Phone(number=number, status=status)

    def _consent(self, entry: Entry, known_as: str | None) -> tuple[Consent | None, tuple[str, ...]]:
        if entry.consent is None:
            return None, ()
        said = self._work.people.consents(known_as) if known_as else ()
        last = max((c for c in said if c.kind is ConsentKind.IVR_CHECKIN), key=lambda c: c.at, default=None)
        if entry.consent is (last is not None and last.granted):
            return None, ()
        day = entry.consent_date
        at = datetime.combine(day, time(), self._zone) if day else self._now
        if last is not None and at <= last.at:
            return None, ("本人后来另有表示，名单里的同意情况不采用",)
        return Consent(
            person="", kind=ConsentKind.IVR_CHECKIN, granted=entry.consent, at=at, channel=CHANNEL
        ), ()


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
        if (found := known(number)) is not None
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
    if target.consent is not None:
        work.people.add_consent(target.consent)
    verb = "hardship.add" if target.file_before is None else "hardship.change"
    note(work, actor, verb, target.file.file_no, now, reason="、".join(what for what, _, _ in changes))


#: What is compared: title, and how to read it, masked, from a person and a file.
_READERS: tuple[tuple[str, Callable[[Person, HardshipFile], object]], ...] = (
    ("姓名", lambda p, f: mask_name(p.name)),
    ("电话", lambda p, f: " ".join(mask_number(phone.number) for phone in p.phones)),
    ("出生月份", lambda p, f: "已登记" if p.birth_month else ""),
    ("出生年份", lambda p, f: "已登记" if p.birth_year else ""),
    ("仅人工联系", lambda p, f: "是" if p.no_ivr else "否"),
    ("语言", lambda p, f: "无锡话" if p.speaks else "普通话"),
    ("困难类别", lambda p, f: f.grade.value),
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
            return person.phones
        case "出生月份":
            return person.birth_month
        case "出生年份":
            return person.birth_year
        case "联系人":
            return file.liaison
        case _:
            return dict(_READERS)[what](person, file)


def _diff(
    targets: Sequence[_Target], files: Mapping[str, HardshipFile], unused_columns: tuple[str, ...]
) -> Diff:
    changes = [(t, _changes(t)) for t in targets]
    said = [
        (t, Change(row=t.entry.row, file_no=t.file.file_no, fields=c, remarks=t.remarks)) for t, c in changes
    ]
    listed = {t.file.file_no for t in targets}
    return Diff(
        new=tuple(c for t, c in said if t.file_before is None),
        changed=tuple(c for t, c in said if t.file_before is not None and (c.fields or c.remarks)),
        unchanged=sum(t.file_before is not None and not c.fields and not c.remarks for t, c in said),
        missing=tuple(
            no for no, f in files.items() if no not in listed and f.status is not FileStatus.CLOSED
        ),
        unused_columns=unused_columns,
    )
