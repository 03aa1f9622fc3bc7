"""Whom each line of a list means, and how they and their files stand before and after it.

Everything is read in a few questions, whatever the length of the list; nothing is written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, tzinfo
from functools import cached_property
from typing import Any
from uuid import uuid4

from callcenter.domain.books import CASES, HOUSEHOLDS
from callcenter.domain.households import Household
from callcenter.domain.identity import names_somebody
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    PhoneSource,
    PhoneStatus,
    SafeContact,
    Suppression,
    SuppressionKind,
    in_force,
)
from callcenter.ports import UnitOfWork
from callcenter.service.followup.settling import pseudonym
from callcenter.service.hardship.cells import folded
from callcenter.service.hardship.fields import Entry
from callcenter.service.hardship.stated import exit_reason, is_set_by_command

#: Consents that came with a list.
CHANNEL = "hardship_import"
_NOTHING_AGREED = SafeContact()
#: What a list says of somebody, and they themselves may say otherwise.
_OF_SOMEBODY = ("name", "birth_month", "birth_year", "no_ivr", "speaks")
#: How the audit calls what somebody said of themselves, and of how many it is asked.
_BY_HAND, _MOST_NOTES = ("people.care", "people.correct"), 1_000_000
#: No chain of merges is longer; one that is was made by hand.
_LONGEST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where an entry goes: before and after."""

    entry: Entry
    person_before: Person | None = field(repr=False)
    person: Person = field(repr=False)
    file_before: HardshipFile | None
    file: HardshipFile
    consent: Consent | None
    #: What others with these numbers refused: it binds this entry too (R32).
    refused: tuple[Consent | Suppression, ...] = ()
    #: Of several lines about one person: the one that says how they are reached.
    leads: bool = True

    @property
    def is_unchanged(self) -> bool:
        """Tell whether the list says what stands already."""
        same = self.person == self.person_before and self.file == self.file_before
        return same and self.consent is None


class Known:
    """What the store knows of the people and files of a list, read at once.

    `whole`: the list is the register's, so that every file is looked at; else only what it names.
    """

    def __init__(self, work: UnitOfWork, entries: Sequence[Entry], *, whole: bool) -> None:
        people = work.people
        self.work = work
        self.holders = people.holders_of({number for entry in entries for number in entry.phones})
        self.marks = {e.identity: people.mark_of(e.identity) for e in entries if e.identity is not None}
        self._marked = people.marked(self.marks.values())
        found = {person for theirs in self.holders.values() for person in theirs}
        found |= {person for theirs in self._marked.values() for person in theirs}
        self.homes = _Homes(work, entries)
        self.files = self._read_files(entries, found, whole=whole)
        self._people = people.many(found | {file.person for file in self.files.values()})
        self._follow_merges()
        self.filed = frozenset(file.person for file in self.files.values())

    def _read_files(
        self, entries: Sequence[Entry], found: Iterable[str], *, whole: bool
    ) -> dict[str, HardshipFile]:
        people = self.work.people
        if whole:
            return {file.file_no: file for file in people.files()}
        files = people.files_named({one for entry in entries for one in _spellings(entry.file_no)})
        beside = [file for theirs in people.files_of_many(found).values() for file in theirs]
        for home in filter(None, {self.homes.id_of(entry) for entry in entries}):
            beside += people.files_of_household(home)
        return files | {file.file_no: file for file in beside}

    def _follow_merges(self) -> None:
        for _ in range(_LONGEST):
            above = {p.merged_into for p in self._people.values() if p.merged_into} - self._people.keys()
            if not above:
                return
            self._people |= self.work.people.many(above)

    def person(self, person_id: str) -> Person:
        """Return somebody as they stand before the import."""
        return self._people[person_id]

    def standing(self, person_id: str) -> Person:
        """Return the entry that stands for somebody, merges followed."""
        person = self._people[person_id]
        for _ in range(_LONGEST):
            if person.merged_into is None or person.merged_into not in self._people:
                break
            person = self._people[person.merged_into]
        return person

    def having(self, number: str) -> Iterable[Person]:
        """Return everybody who has a number, by id."""
        return (self._people[one] for one in self.holders.get(number, ()))

    def of_identity(self, identity: str | None) -> list[Person]:
        """Return who stands here with an identity number, merges followed."""
        ids = self._marked.get(self.marks[identity], ()) if identity is not None else ()
        return list({(one := self.standing(person)).id: one for person in ids}.values())

    @cached_property
    def by_hand(self) -> frozenset[tuple[str, str]]:
        """Return what people said of themselves to the line: who, merges followed, and which field."""
        notes = [note for verb in _BY_HAND for note in self.work.audit.recent(_MOST_NOTES, verb=verb)]
        told = {(note.object.removeprefix("person:"), note.field) for note in notes}
        self._people |= self.work.people.many({person for person, _ in told} - self._people.keys())
        self._follow_merges()
        return frozenset((self.standing(one).id, what) for one, what in told if one in self._people)

    @cached_property
    def recorded(self) -> frozenset[str]:
        """Return, of people without a name who have a number of the list, those of whom there is a record."""
        ids = {one for theirs in self.holders.values() for one in theirs}
        nameless = {one.id for one in map(self.standing, ids) if one.name is None}
        parts = self.work.people.parts_of(nameless)
        about = self.work.sessions.about({part for theirs in parts.values() for part in theirs})
        cases = {row["person"] for row in self.work.book(CASES).outline()} if nameless else set()
        return frozenset(one for one in nameless if not parts.get(one, {one}).isdisjoint(about | cases))


class _Homes:
    """Households by what the register calls them. One it names by somebody's number is known by a mark."""

    def __init__(self, work: UnitOfWork, entries: Sequence[Entry]) -> None:
        self._work = work
        self._ids: dict[str, str] = {}
        self.new: dict[str, Household] = {}
        if any(entry.household is not None for entry in entries):
            known = work.book(HOUSEHOLDS).where()
            self._ids = {folded(one.register_no): one.id for one in known if one.register_no}
            self._there = {one.id for one in known}

    def id_of(self, entry: Entry) -> str | None:
        """Return the id of an entry's household; None: the list says nothing of it."""
        if entry.household is None:
            return None
        number = folded(entry.household)
        if number not in self._ids:
            self._ids[number] = self._made(entry.household)
        return self._ids[number]

    def _made(self, number: str) -> str:
        as_spelled, home = map(self._marked, (number, folded(number)))
        if as_spelled in self._there:
            return as_spelled
        if home not in self._there:
            self.new[home] = Household(id=home, register_no="" if names_somebody(number) else number)
        return home

    def _marked(self, number: str) -> str:
        return f"hh-{self._work.people.mark_of(number, 'household')[:24]}"


def _spellings(file_no: str) -> set[str]:
    return {file_no, file_no.upper(), file_no.lower()}


def targets_of(known: Known, entries: Sequence[Entry], now: datetime, zone: tzinfo) -> list[Target]:
    """Return each entry's before and after, in the list's order."""
    return _Planner(known, entries, now, zone).targets()


class _Planner:
    """Finds, for each entry, whom it means and what it changes."""

    def __init__(self, known: Known, entries: Sequence[Entry], now: datetime, zone: tzinfo) -> None:
        self._known, self._entries, self._now, self._zone = known, list(entries), now, zone
        stays = {e.file_no for e in entries if e.is_open}
        leaving = {e.file_no for e in entries if not e.is_open}
        #: Person -> their files that are open once the list is in.
        self._open: defaultdict[str, set[str]] = defaultdict(set)
        for file in known.files.values():
            is_open = file.status is not FileStatus.CLOSED and file.file_no not in leaving
            if is_open or file.file_no in stays:
                self._open[file.person].add(file.file_no)
        self._linked: set[str] = set()
        #: Identity, or name and number, of somebody new -> the id they get.
        self._new: dict[tuple[str, ...], str] = {}

    def targets(self) -> list[Target]:
        """Return each entry's target."""
        work = self._known.work
        whom = [self._whom(entry) for entry in self._entries]
        leaders = self._leaders([person_id for _, person_id in whom])
        self._join([person_id for _, person_id in whom], leaders)
        self._before = [before for before, _ in whom]
        self._consents = work.people.consents_of({one.id for one in self._before if one is not None})
        self._called = work.calls.known_numbers(self._let_go())
        others = {one.id for entry, before in self._pairs() for one in self._others(entry, before)}
        self._wishes = work.people.suppressions_of(others)
        self._said = work.people.consents_of(others)
        after = {
            person_id: self._person(self._entries[n], self._before[n], person_id)
            for person_id, n in leaders.items()
        }
        return [
            self._target(entry, before, after[person_id], leads=leaders[person_id] == n)
            for n, (entry, (before, person_id)) in enumerate(zip(self._entries, whom, strict=True))
        ]

    def _pairs(self) -> Iterable[tuple[Entry, Person | None]]:
        return zip(self._entries, self._before, strict=True)

    def _leaders(self, ids: Sequence[str]) -> dict[str, int]:
        """Return, per person, which of their lines says how they are reached: that of an open file."""
        found: dict[str, int] = {}
        for n, person_id in enumerate(ids):
            best = found.setdefault(person_id, n)
            found[person_id] = min(best, n, key=self._rank)
        return found

    def _join(self, ids: Sequence[str], leaders: Mapping[str, int]) -> None:
        """Give who has several open lines the numbers of all of them."""
        phones: defaultdict[int, list[str]] = defaultdict(list)
        for n, person_id in enumerate(ids):
            leader = leaders[person_id]
            if n != leader and self._entries[n].is_open:
                phones[leader] += self._entries[n].phones
        for leader, further in phones.items():
            entry = self._entries[leader]
            self._entries[leader] = replace(entry, phones=tuple(dict.fromkeys((*entry.phones, *further))))

    def _rank(self, n: int) -> tuple[bool, str]:
        return (not self._entries[n].is_open, self._entries[n].file_no)

    # --- whom it means ---------------------------------------------------------------------------

    def _whom(self, entry: Entry) -> tuple[Person | None, str]:
        """Return who it is, as things stand, and the id they have or get."""
        before = self._of_file(entry) or self._of_identity(entry) or self._of_number(entry)
        if before is not None:
            return before, before.id
        keys = [("identity", entry.identity)] if entry.identity is not None else []
        told: list[tuple[str, ...]] = [*keys, *((entry.name, number) for number in entry.phones)]
        person_id = next((self._new[key] for key in told if key in self._new), f"p-{uuid4().hex}")
        self._new.update(dict.fromkeys(told, person_id))
        return None, person_id

    def _of_file(self, entry: Entry) -> Person | None:
        """Return whose file it is, unless another name and another identity number stand in it now."""
        file = self._known.files.get(entry.file_no)
        if file is None:
            return None
        person = self._known.person(file.person)
        mark = self._known.marks.get(entry.identity) if entry.identity is not None else None
        is_other = mark is not None and person.identity_mark not in (None, mark)
        return None if is_other and person.name != entry.name else person

    def _of_identity(self, entry: Entry) -> Person | None:
        return next(iter(self._known.of_identity(entry.identity)), None)

    def _of_number(self, entry: Entry) -> Person | None:
        """Return who is, as far as anybody knows, this person: number and name, or a number and nothing else.

        A telephone is a family's. So nobody of whom there is a record or a case becomes a worker by their
        number: a supervisor finds the two entries (`callcenter.service.people.duplicates`) and merges them.
        """
        for number in entry.phones:
            for one in self._known.having(number):
                found = self._known.standing(one.id)
                if self._is_taken(found, entry) or not self._fits(found, entry):
                    continue
                if entry.is_open:
                    self._linked.add(found.id)
                return found
        return None

    def _is_taken(self, found: Person, entry: Entry) -> bool:
        """Tell whether another file speaks for somebody, so that an open one cannot too."""
        return entry.is_open and (found.id in self._linked or bool(self._open[found.id] - {entry.file_no}))

    def _fits(self, found: Person, entry: Entry) -> bool:
        mark = None if entry.identity is None else self._known.marks[entry.identity]
        if mark is not None and found.identity_mark not in (None, mark):
            return False
        if found.name is None:
            return found.id not in self._known.recorded
        return found.name == entry.name and found.id in self._known.filed

    # --- how they stand after it -----------------------------------------------------------------

    def _target(self, entry: Entry, before: Person | None, person: Person, *, leads: bool) -> Target:
        consent = self._consent(entry, before) if leads else None
        file_before = self._known.files.get(entry.file_no)
        return Target(
            entry=entry,
            person_before=before if leads else person,
            person=person,
            file_before=file_before,
            file=self._file(entry, file_before, person.id),
            consent=replace(consent, person=person.id) if consent else None,
            refused=self._refused(entry, before, person.id) if leads else (),
            leads=leads,
        )

    def _others(self, entry: Entry, before: Person | None) -> Iterable[Person]:
        """Return who else has numbers that are new to this person."""
        theirs = {phone.number for phone in before.phones} if before else set()
        return (one for number in entry.phones if number not in theirs for one in self._known.having(number))

    def _refused(
        self, entry: Entry, before: Person | None, person_id: str
    ) -> tuple[Consent | Suppression, ...]:
        """Return what others refused who have numbers new to this person: it is their telephone (R32).

        What somebody does not want to be called about is theirs alone.
        """
        found: dict[object, Consent | Suppression] = {}
        for one in self._others(entry, before):
            for wish in in_force(self._wishes.get(one.id, ()), self._now):
                if wish.kind is not SuppressionKind.TOPIC:
                    # Said as of now: what this person lifted before was of their own numbers.
                    found[wish.kind] = replace(wish, person=person_id, reason="", at=self._now)
            said = [c for c in self._said.get(one.id, ()) if c.kind is ConsentKind.IVR_CHECKIN]
            if said and not said[-1].granted:
                found[said[-1].kind] = replace(said[-1], person=person_id)
        return tuple(found.values())

    def _person(self, entry: Entry, before: Person | None, person_id: str) -> Person:
        person = before or Person(id=person_id, code=pseudonym(person_id))
        mark = None if entry.identity is None else self._known.marks[entry.identity]
        return replace(
            person,
            phones=self._phones(entry, person),
            identity_mark=mark or person.identity_mark,
            **self._told(entry, person),
        )

    def _told(self, entry: Entry, person: Person) -> dict[str, Any]:
        """Return what the list says of somebody, but for what they said of it to the line (R32, R39).

        That people alone may call them is never taken back by a list: a wish that a list had said already
        left no trace.
        """
        said = {what: getattr(entry, what) for what in _OF_SOMEBODY}
        said["no_ivr"] = said["no_ivr"] or None
        new = {w: v for w, v in said.items() if v is not None and v != getattr(person, w)}
        if all(getattr(person, what) is None for what in new):
            return new
        return {what: v for what, v in new.items() if (person.id, what) not in self._known.by_hand}

    def _phones(self, entry: Entry, person: Person) -> tuple[Phone, ...]:
        """Return the list's numbers first, with what we know of them, and those that outlive a list."""
        if not entry.phones:
            return person.phones
        known = {phone.number: phone for phone in person.phones}
        listed = tuple(self._listed(number, known.get(number)) for number in entry.phones)
        others = (replace(p, listed=False) for p in person.phones if p.number not in entry.phones)
        return listed + tuple(p for p in others if _is_learned(p) or p.number in self._called)

    def _let_go(self) -> set[str]:
        """Return the numbers that the register lets go, and that nobody learned otherwise."""
        return {
            phone.number
            for entry, before in self._pairs()
            if before is not None and entry.phones
            for phone in before.phones
            if phone.number not in entry.phones and not _is_learned(phone)
        }

    def _listed(self, number: str, known: Phone | None) -> Phone:
        if known is not None:
            is_typed = known.source is PhoneSource.HAND
            return replace(known, listed=True, source=PhoneSource.REGISTER if is_typed else known.source)
        others = (p for one in self._known.having(number) for p in one.phones if p.number == number)
        found = list(others)
        return Phone(
            number=number,
            status=next((p.status for p in found if p.status is not PhoneStatus.OK), PhoneStatus.OK),
            safe_to_call=all(p.safe_to_call for p in found),
            source=PhoneSource.REGISTER,
            listed=True,
        )

    def _consent(self, entry: Entry, before: Person | None) -> Consent | None:
        """Return what the list says of consent, if no list has said so before. The newest by date counts.

        Only another word, or another paper, is something new: a column of dates is soon filled anew, and
        would outdo what somebody has taken back since (R32).
        """
        if entry.consent is None:
            return None
        day = entry.consent_date
        new = Consent(
            person=before.id if before else "",
            kind=ConsentKind.IVR_CHECKIN,
            granted=entry.consent,
            at=datetime.combine(day, time(), self._zone) if day else self._now,
            channel=CHANNEL,
            script_version=entry.consent_version,
            evidence=entry.consent_evidence,
        )
        listed = [c for c in self._consents.get(new.person, ()) if _is_listed(c)]
        last = listed[-1].granted if listed else False
        paper = (entry.consent_version, entry.consent_evidence)
        is_old_paper = not any(paper) or any((c.script_version, c.evidence) == paper for c in listed)
        if (entry.consent is last and (is_old_paper or not entry.consent)) or _was_said(new, listed, day):
            return None
        return new

    def _file(self, entry: Entry, before: HardshipFile | None, person_id: str) -> HardshipFile:
        status = entry.status or FileStatus.ACTIVE
        base = before or HardshipFile(
            file_no=entry.file_no, person=person_id, grade=entry.grade, status=status, since=entry.since
        )
        reason = exit_reason(entry, before)
        is_kept = status is FileStatus.CLOSED and reason == base.exit_reason
        return replace(
            base,
            person=person_id,
            grade=entry.grade,
            status=status,
            since=self._since(entry, before),
            district=base.district if entry.district is None else entry.district,
            union_unit=base.union_unit if entry.union_unit is None else entry.union_unit,
            liaison=base.liaison if entry.liaison is None else entry.liaison,
            household=self._known.homes.id_of(entry) or base.household,
            notice_from=entry.notice_from or base.notice_from,
            notice_to=entry.notice_to or base.notice_to,
            review_due=entry.review_due or base.review_due,
            exit_reason=reason,
            exit_confirmed_by=base.exit_confirmed_by if is_kept else None,
        )

    def _since(self, entry: Entry, before: HardshipFile | None) -> date:
        """Return the list's day, unless a step was taken since by command: a watch is not shortened so."""
        if before is None or entry.since >= before.since:
            return entry.since
        is_set = is_set_by_command(self._known.work, before, self._zone)
        return before.since if is_set else entry.since


def _is_learned(phone: Phone) -> bool:
    """Tell whether a number stays that the register lets go: learned on the line, or found bad (R33).

    So does one of which somebody said when, and whether, it is safe to ring.
    """
    is_plain = phone.safe_to_call and phone.verified_at is None and phone.agreed == _NOTHING_AGREED
    return phone.source is not PhoneSource.REGISTER or phone.status is not PhoneStatus.OK or not is_plain


def _is_listed(consent: Consent) -> bool:
    return consent.kind is ConsentKind.IVR_CHECKIN and consent.channel == CHANNEL


def _was_said(new: Consent, listed: Sequence[Consent], day: object) -> bool:
    """Tell whether a list said this very thing before: of that day, by that paper."""
    return day is not None and any(
        (c.granted, c.at, c.script_version, c.evidence)
        == (new.granted, new.at, new.script_version, new.evidence)
        for c in listed
    )
