"""What stands in the store, as far as it decides what is due to go and what a hold keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from callcenter.domain.books import (
    BLOCKS,
    CASES,
    DEBRIEFS,
    DRAFTS,
    HANDOVERS,
    LISTENINGS,
    MERGES,
    RECORDINGS,
    REQUESTS,
    SESSION_VERSIONS,
    SHIFT_SHEETS,
)
from callcenter.domain.calls import CallRecord
from callcenter.domain.people import FileStatus
from callcenter.domain.retention import Going, Rule, Term, latest
from callcenter.domain.sessions import SessionRow
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.followup.forgetting import named_on
from callcenter.service.privacy.holds import Held

Terms = Mapping[Rule, Term]


@dataclass(kw_only=True)
class Ground:
    """What the finders need to know, asked for one thing at a time: for a few things."""

    work: UnitOfWork
    terms: Terms
    #: Start of the day: what stands its time by then is due.
    until: datetime
    held: Held
    _clocks: dict[str, datetime | None] = field(default_factory=dict, init=False)

    def is_due(self, rule: Rule, since: datetime) -> bool:
        """Tell whether what is counted from `since` has stood its time."""
        return self.terms[rule].after(since) <= self.until

    @cached_property
    def cases_end(self) -> dict[str, datetime | None]:
        """Return, per person who has cases, when the last of them was closed; None: one is open."""
        ends: dict[str, datetime | None] = {}
        for case in self.work.book(CASES).where():
            before = ends.get(case.person, case.closed_at)
            open_now = case.is_open or case.closed_at is None or before is None
            ends[case.person] = None if open_now else latest([before, case.closed_at])
        return ends

    @cached_property
    def _kept_of(self) -> dict[str, str]:
        """Return, per entry that was merged into another, that other one."""
        merges = self.work.book(MERGES).where()
        return {merge.merged: merge.kept for merge in merges if merge.undone_at is None}

    @cached_property
    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for merged in self._kept_of:
            groups.setdefault(self.root(merged), []).append(merged)
        return groups

    def root(self, person: str) -> str:
        """Return the entry that stands for this one."""
        for _ in range(len(self._kept_of) + 1):
            if person not in self._kept_of:
                break
            person = self._kept_of[person]
        return person

    def entries(self, person: str) -> tuple[str, ...]:
        """Return every entry of one person."""
        root = self.root(person)
        return (root, *self._groups.get(root, ()))

    def cases_of(self, person: str | None) -> tuple[bool, datetime | None]:
        """Return whether a case of theirs is open, and when the last one was closed."""
        ends = [self.cases_end[e] for e in (self.entries(person) if person else ()) if e in self.cases_end]
        return (None in ends, latest(ends))

    def session_clock(self, session_id: str) -> datetime | None:
        """Return from when a record's time counts; None: not while a case of its person is open."""
        if session_id not in self._clocks:
            self._clocks[session_id] = self._session_clock(session_id)
        return self._clocks[session_id]

    def _session_clock(self, session_id: str) -> datetime | None:
        moments, head = self.written_at(session_id), self.head(session_id)
        if head is None:
            return latest(moments)
        is_open, closed = self.cases_of(head.person)
        return None if is_open else latest([*moments, head.opened_at, head.submitted_at, closed])

    def written_at(self, session_id: str) -> list[datetime]:
        """Return when the versions and the draft of a record that are still here were written."""
        versions = self.work.book(SESSION_VERSIONS).where(session=session_id)
        draft = self.work.book(DRAFTS).one(session_id)
        return [*(version.at for version in versions), *([draft.at] if draft else [])]

    def head(self, session_id: str) -> SessionRow | None:
        """Return the head of a record, if it is here."""
        try:
            return self.work.sessions.get(session_id)
        except NotFound:
            return None

    def session_of(self, call: str) -> str | None:
        """Return the record of a call."""
        found = self.work.sessions.of_call(call)
        return found.id if found else None

    def sessions_about(self, entry: str) -> Sequence[SessionRow]:
        """Return the records about an entry."""
        return self.work.sessions.of_person(entry)

    def is_claimed(self, entry: str) -> bool:
        """Tell whether somebody is in a file that counts, is owed something, or waits for an answer."""
        in_file = any(file.status is not FileStatus.CLOSED for file in self.work.people.files_of(entry))
        asks = any(one.answered_at is None for one in self.work.book(REQUESTS).where(person=entry))
        return in_file or asks or bool(self.work.debts.open(person=entry))

    def record_goes(self, session_id: str) -> bool:
        """Tell whether a record has stood its time (what went already has as well)."""
        since = self.session_clock(session_id)
        return since is not None and self.is_due(Rule.FORMS, since)

    def is_held(self, going: Going) -> bool:
        """Tell whether a legal hold keeps it."""
        kind, _, value = going.object.partition(":")
        match kind:
            case "call":
                return self.holds_call(self.work.calls.get(value))
            case "recording":
                return self._holds_about(f"call:{self.work.book(RECORDINGS).get(value).call}")
            case "handover":
                return self._holds_about(self.work.book(HANDOVERS).get(value).about)
            case "debrief":
                return self._holds_about(f"call:{self.work.book(DEBRIEFS).get(value).about}")
            case "listening":
                return self._holds_about(f"call:{self.work.book(LISTENINGS).get(value).call}")
            case "sheet":
                return self.held.binds(going.object) or any(map(self._holds_named, self._on_sheet(value)))
            case "block":
                return self.held.binds(number=self.work.book(BLOCKS).get(value).number)
            case "person":
                return self.held.binds(*(f"person:{entry}" for entry in self.entries(value)))
            case _:
                return self.held.binds(going.object)

    def _on_sheet(self, sheet: str) -> set[str]:
        return named_on(self.work.book(SHIFT_SHEETS).get(sheet))

    def _holds_named(self, name: str) -> bool:
        """Tell whether a legal hold keeps what a line of a sheet names: a case, or whose debt it is."""
        if self.held.binds(f"case:{name}"):
            return True
        try:
            person = self.work.debts.get(name).person
        except NotFound:
            return False
        return self.held.binds(*(f"person:{entry}" for entry in self.entries(person)))

    def holds_call(self, call: CallRecord) -> bool:
        """Tell whether a legal hold keeps a call: by its session, or by whose number it is."""
        return self.held.binds(f"call:{call.id}", number=call.number)

    def _holds_about(self, thing: str) -> bool:
        """Tell whether a legal hold keeps what is about `call:<id>` or `case:<id>`."""
        kind, _, value = thing.partition(":")
        try:
            return self.holds_call(self.work.calls.get(value)) if kind == "call" else self.held.binds(thing)
        except NotFound:
            return self.held.binds(thing)


class WholeGround(Ground):
    """The same, read in a few sweeps without opening what is sealed: for everything there is."""

    @cached_property
    def _written(self) -> dict[str, list[datetime]]:
        written: dict[str, list[datetime]] = {}
        for version in self.work.book(SESSION_VERSIONS).outline():
            written.setdefault(version["session"], []).append(version["at"])
        for draft in self.work.book(DRAFTS).outline():
            written.setdefault(draft["id"], []).append(draft["at"])
        return written

    @cached_property
    def _heads(self) -> dict[str, SessionRow]:
        return {head.id: head for head in self.work.sessions.all()}

    @cached_property
    def _of_calls(self) -> dict[str, str]:
        return {head.call: head.id for head in self._heads.values()}

    @cached_property
    def _about(self) -> dict[str, list[SessionRow]]:
        about: dict[str, list[SessionRow]] = {}
        for head in self._heads.values():
            if head.person is not None:
                about.setdefault(head.person, []).append(head)
        return about

    @cached_property
    def _claimed(self) -> set[str]:
        filed = {f.person for f in self.work.people.files() if f.status is not FileStatus.CLOSED}
        owed = {one.person for one in self.work.debts.open()}
        asking = {one.person for one in self.work.book(REQUESTS).where() if one.answered_at is None}
        return filed | owed | asking

    def written_at(self, session_id: str) -> list[datetime]:
        """Return when the versions and the draft of a record that are still here were written."""
        return self._written.get(session_id, [])

    def head(self, session_id: str) -> SessionRow | None:
        """Return the head of a record, if it is here."""
        return self._heads.get(session_id)

    def session_of(self, call: str) -> str | None:
        """Return the record of a call."""
        return self._of_calls.get(call)

    def sessions_about(self, entry: str) -> Sequence[SessionRow]:
        """Return the records about an entry."""
        return self._about.get(entry, [])

    def is_claimed(self, entry: str) -> bool:
        """Tell whether somebody is in a file that counts, is owed something, or waits for an answer."""
        return entry in self._claimed
