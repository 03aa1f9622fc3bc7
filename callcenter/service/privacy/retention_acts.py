"""Taking away what is due, one thing at a time: a tombstone first, then what it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any
from uuid import uuid4

from callcenter.domain.books import (
    ASSESSMENTS,
    BLOCKS,
    CALLER_PLANS,
    CASE_EVENTS,
    CASES,
    DEBRIEFS,
    DRAFTS,
    EXPORTS,
    HANDOVERS,
    HOLDS,
    HOUSEHOLDS,
    LISTENINGS,
    LOGINS,
    MERGES,
    PLANS,
    RECORDINGS,
    REQUESTS,
    RESCUES,
    SESSION_VERSIONS,
    SHIFT_SHEETS,
    TOMBSTONES,
    BookOf,
)
from callcenter.domain.handover import HandoverState
from callcenter.domain.households import Household
from callcenter.domain.merging import blanked
from callcenter.domain.people import FileStatus
from callcenter.domain.privacy import Merge, Tombstone
from callcenter.domain.retention import Going, Rule, add_counts, counted, length_band
from callcenter.domain.sessions import SessionRow, SessionVersion
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.followup.forgetting import forget_words
from callcenter.service.privacy.retention_finds import Ground


@dataclass(kw_only=True)
class Burial:
    """One batch of what goes: who takes it away and why, and what is left of it."""

    work: UnitOfWork
    ground: Ground
    by: str
    at: datetime
    reason: str
    zone: tzinfo
    #: `2026-05` -> what was counted -> value -> how often.
    counts: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    #: Sound files nothing names any more; to be deleted once the batch is committed.
    files: list[str] = field(default_factory=list)

    def take(self, going: Going) -> None:
        """Take one thing away."""
        self.stone(going.object, going.rule)
        _ACTS[going.rule](self, going.object.partition(":")[2])

    def again(self, stone: Tombstone) -> None:
        """Take away once more what a tombstone from elsewhere names; that it is not here is all right."""
        put_tombstone(self.work, replace(stone, revision=0))
        kind, _, value = stone.object.partition(":")
        if kind in _KINDS and stone.rule in _ACTS:
            with suppress(NotFound):
                _ACTS[Rule(stone.rule)](self, value)

    def stone(self, object: str, rule: str) -> None:
        """Leave word that something stood here."""
        put_tombstone(
            self.work,
            Tombstone(
                id=f"to-{uuid4().hex}",
                object=object,
                rule=rule,
                by=self.by,
                at=self.at,
                reason=self.reason,
            ),
        )

    def leave_counts(self) -> None:
        """Keep what the yearly account needs of the records that went: counts about nobody, by month."""
        for month, counts in sorted(self.counts.items()):
            stone = Tombstone(
                id=f"to-{uuid4().hex}",
                object=f"statistics:{month}",
                rule=Rule.FORMS,
                by=self.by,
                at=self.at,
                counts=counts,
            )
            put_tombstone(self.work, stone)


def put_tombstone(work: UnitOfWork, stone: Tombstone) -> None:
    """Add a tombstone."""
    work.book(TOMBSTONES).add(stone)


def _form(burial: Burial, session_id: str) -> None:
    work = burial.work
    versions = work.book(SESSION_VERSIONS).where(session=session_id)
    head = _head(work, session_id)
    if versions:
        _count(burial, head, max(versions, key=lambda version: version.n))
    for version in versions:
        work.book(SESSION_VERSIONS).remove(version.id)
    for assessment in work.book(ASSESSMENTS).where(session=session_id):
        work.book(ASSESSMENTS).remove(assessment.id)
    if work.book(DRAFTS).one(session_id) is not None:
        work.book(DRAFTS).remove(session_id)
    if head is not None and head.person is not None:
        work.sessions.update(replace(head, person=None), seen=head.version)


def _head(work: UnitOfWork, session_id: str) -> SessionRow | None:
    try:
        return work.sessions.get(session_id)
    except NotFound:
        return None


def _count(burial: Burial, head: SessionRow | None, last: SessionVersion) -> None:
    month, more = month_and_counts(burial.work, head, last, burial.zone)
    burial.counts[month] = add_counts(burial.counts.get(month, {}), more)


def month_and_counts(
    work: UnitOfWork, head: SessionRow | None, last: SessionVersion, zone: tzinfo
) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return the month of a record and what it adds to the yearly account."""
    at = head.opened_at if head else last.at
    return at.astimezone(zone).strftime("%Y-%m"), {
        **counted(last.answers),
        "length": (length_band(_talk(work, head)),),
    }


def _talk(work: UnitOfWork, head: SessionRow | None) -> timedelta | None:
    try:
        return work.calls.get(head.call).talk if head else None
    except NotFound:
        return None


def _merges(work: UnitOfWork, entry: str) -> list[Merge]:
    """Return the merges an entry had part in."""
    found = [*work.book(MERGES).where(kept=entry), *work.book(MERGES).where(merged=entry)]
    return list({merge.id: merge for merge in found}.values())


def _case(burial: Burial, case_id: str) -> None:
    work = burial.work
    for merge in _merges(work, work.book(CASES).get(case_id).person):
        left = tuple(case for case in merge.cases_before if case.id != case_id)
        if left != merge.cases_before:
            work.book(MERGES).put(replace(merge, cases_before=left))
    for event in work.book(CASE_EVENTS).where(case=case_id):
        work.book(CASE_EVENTS).remove(event.id)
    for rescue in work.book(RESCUES).where(case=case_id):
        burial.stone(f"rescue:{rescue.id}", Rule.CASES)
        work.book(RESCUES).remove(rescue.id)
    for one in work.book(HANDOVERS).where(about=f"case:{case_id}"):
        # Somebody still waits to be told who has it.
        if one.state is not HandoverState.OPEN:
            work.book(HANDOVERS).remove(one.id)
    work.book(CASES).remove(case_id)


def _recording(burial: Burial, recording_id: str) -> None:
    recording = burial.work.book(RECORDINGS).get(recording_id)
    burial.work.book(RECORDINGS).remove(recording_id)
    if recording.file:
        burial.files.append(recording.file)


def _call(burial: Burial, call_id: str) -> None:
    call = burial.work.calls.get(call_id)
    burial.work.calls.put_many([replace(call, number=None, kept=(), answers=())])


def _debrief(burial: Burial, debrief_id: str) -> None:
    book = burial.work.book(DEBRIEFS)
    book.put(replace(book.get(debrief_id), note=""))


def _listening(burial: Burial, listening_id: str) -> None:
    book = burial.work.book(LISTENINGS)
    book.put(replace(book.get(listening_id), reason=""))


def _sheet(burial: Burial, sheet_id: str) -> None:
    book = burial.work.book(SHIFT_SHEETS)
    book.put(replace(book.get(sheet_id), note="", lines=()))


def _person(burial: Burial, person_id: str) -> None:
    work = burial.work
    for entry in burial.ground.entries(person_id):
        if entry != person_id:
            burial.stone(f"person:{entry}", Rule.PEOPLE)
        _forget(burial, entry)
        work.people.forget(entry)
        work.debts.forget(entry)


def _forget(burial: Burial, entry: str) -> None:
    work = burial.work
    if work.book(CALLER_PLANS).one(entry) is not None:
        burial.stone(f"plan:{entry}", Rule.PEOPLE)
        work.book(CALLER_PLANS).remove(entry)
    for contact_plan in work.book(PLANS).where(person=entry):
        # That there was one stays with the debts it called for; what it was about does not.
        work.book(PLANS).put(replace(contact_plan, note="", ended_because="", changes=()))
    for home in left_homes(work, entry):
        # Who lived with them is theirs as much as their own name.
        work.book(HOUSEHOLDS).put(replace(home, members=(), register_no=""))
    forget_words(work, entry)
    for merge in _merges(work, entry):
        # That two entries are one stays: an opt-out of either has to bind the other (R32).
        work.book(MERGES).put(blanked(merge))
    for session in work.sessions.of_person(entry):
        work.sessions.update(replace(session, person=None), seen=session.version)


def left_homes(work: UnitOfWork, entry: str) -> list[Household]:
    """Return the households of a worker of which no file is open any more."""
    ids = sorted({file.household for file in work.people.files_of(entry) if file.household})
    files = {one: work.people.files_of_household(one) for one in ids}
    left = (one for one in ids if all(f.status is FileStatus.CLOSED for f in files[one]))
    return [home for home in map(work.book(HOUSEHOLDS).one, left) if home is not None]


def _from(book: BookOf[Any]) -> Callable[[Burial, str], None]:
    """Return what takes a value out of a book."""
    return lambda burial, value_id: burial.work.book(book).remove(value_id)


_ACTS: Mapping[Rule, Callable[[Burial, str], None]] = {
    Rule.FORMS: _form,
    Rule.CASES: _case,
    Rule.HANDOVERS: _from(HANDOVERS),
    Rule.DEBRIEFS: _debrief,
    Rule.LISTENINGS: _listening,
    Rule.SHEETS: _sheet,
    Rule.RECORDINGS: _recording,
    Rule.CALLS: _call,
    Rule.REQUESTS: _from(REQUESTS),
    Rule.PEOPLE: _person,
    Rule.BLOCKS: _from(BLOCKS),
    Rule.LOGINS: _from(LOGINS),
    Rule.EXPORTS: _from(EXPORTS),
    Rule.UNREAD: lambda burial, key: burial.work.journal.forget_unread(key),
    Rule.HOLDS: _from(HOLDS),
}
#: What an act takes away by itself; a plan or a rescue goes with what it belongs to.
_KINDS = frozenset(
    {
        "session",
        "case",
        "handover",
        "debrief",
        "listening",
        "sheet",
        "recording",
        "call",
        "request",
        "person",
        "block",
        "login",
        "export",
        "unread",
        "hold",
    }
)
