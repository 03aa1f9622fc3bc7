"""Handling records: which there are, what is in them, and the drafts of those being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from callcenter.domain.access import Verb, may
from callcenter.domain.books import DRAFTS, SESSION_VERSIONS
from callcenter.domain.form_diff import Changed, changes
from callcenter.domain.form_text import beside
from callcenter.domain.forms import Form
from callcenter.domain.session_masks import mask, masked
from callcenter.domain.session_rules import is_third_party, marks, open_referrals
from callcenter.domain.sessions import ASKED_FOR, LATE_AFTER, Draft, SessionRow, SessionStatus, SessionVersion
from callcenter.domain.users import User
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import resolve
from callcenter.service.people.people import checked_reason
from callcenter.service.privacy.holds import check_free
from callcenter.service.sessions.access import check_reads, check_writes
from callcenter.service.sessions.forms import form_of

#: What was written longer ago is found by its id.
_LOOKS_BACK = timedelta(days=30)
#: Longer than anything somebody types in one call; what is longer was not typed.
MOST_TYPED = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A handling record as one person may see it."""

    session: SessionRow
    #: The version shown, and all there are, oldest first. None: nothing was submitted yet.
    version: SessionVersion | None = field(repr=False)
    history: tuple[SessionVersion, ...] = field(repr=False)
    #: The form it was written on.
    form: Form | None = field(repr=False)
    #: Only what the reader may see, masked unless it was revealed.
    answers: Mapping[str, Any] = field(repr=False)
    marks: tuple[str, ...] = ()
    #: Pseudonym of whom it is about.
    person: str | None = None
    #: For supervisors, of a third party's record: the entry that bears the code the caller named (R17).
    named: str | None = None


@guarded(Verb.SESSIONS_LIST)
def list_sessions(
    work: UnitOfWork,
    *,
    status: SessionStatus | None = None,
    late: bool = False,
    mine: bool = False,
    past: timedelta = _LOOKS_BACK,
    actor: str,
    now: datetime,
) -> Sequence[SessionRow]:
    """Return the records, oldest first: that they exist, whose they are, where they stand.

    `late`: not written within 24 hours (I2). `mine`: the actor's own, and those nobody's yet. Those
    still to be written are all there, the others if they began within the `past`.
    """
    allow(work, actor, Verb.SESSIONS_LIST)
    found = _listed(work, SessionStatus.OPEN if late else status, now - past)
    if late:
        found = [row for row in found if row.opened_at + LATE_AFTER < now]
    return [row for row in found if not mine or row.counsellor in (None, actor)]


def _listed(work: UnitOfWork, status: SessionStatus | None, since: datetime) -> list[SessionRow]:
    if status is SessionStatus.OPEN:
        return list(work.sessions.all(SessionStatus.OPEN))
    newer = [row for row in work.sessions.since(since) if status in (None, row.status)]
    if status is not None:
        return newer
    return [*(row for row in work.sessions.all(SessionStatus.OPEN) if row.opened_at < since), *newer]


@guarded(Verb.SESSION_READ, Verb.SESSION_READ_ALL)
def read_session(
    work: UnitOfWork,
    session_id: str,
    *,
    actor: str,
    now: datetime,
    n: int | None = None,
    reveal: bool = False,
    reason: str = "",
) -> Record:
    """Return a record as the actor may see it: its newest version, or version `n`. The reading is audited.

    `reveal`: unmasked, for a reason. Raises `NotFound`, `Refused` and `Forbidden`.
    """
    user = allow(work, actor, Verb.SESSION_READ)
    head = work.sessions.get(session_id)
    check_reads(work, user, head)
    if reveal:
        reason = checked_reason(reason)
    history = versions_of(work, session_id)
    shown = _version(history, head, n)
    verb = "session.reveal" if reveal else "session.read"
    note(work, actor, verb, session_id, now, field=f"v{shown.n}" if shown else "", reason=reason)
    return _record(work, user, head, history, shown, reveal=reveal)


def _record(
    work: UnitOfWork,
    user: User,
    head: SessionRow,
    history: tuple[SessionVersion, ...],
    shown: SessionVersion | None,
    *,
    reveal: bool,
) -> Record:
    form = form_of(work, shown.form) if shown else None
    whole = shown.answers if shown else {}
    seen = {} if form is None else {n: v for n, v in whole.items() if n in visible_fields(form, user)}
    supervises = may(user.roles, Verb.SESSION_REVIEW)
    return Record(
        session=head,
        version=shown,
        history=history,
        form=form,
        answers=seen if reveal or form is None else masked(form, seen),
        marks=marks(whole),
        person=resolve(work, head.person).code if head.person else None,
        named=_named(work, whole) if supervises and is_third_party(whole) else None,
    )


def visible_fields(form: Form, user: User) -> frozenset[str]:
    """Return the ids of the fields that the user may see."""
    return frozenset(name for name, one in form.fields.items() if one.is_seen_by(user.roles))


def _named(work: UnitOfWork, answers: Mapping[str, Any]) -> str | None:
    """Return the code of the entry that a third party's code names, if there is one. Only for review."""
    code = str(answers.get("subject_code", "")).strip().upper()
    found = work.people.by_code(code) if code else None
    return resolve(work, found.id).code if found else None


def versions_of(work: UnitOfWork, session_id: str) -> tuple[SessionVersion, ...]:
    """Return every version of a record, oldest first."""
    found = work.book(SESSION_VERSIONS).where(session=session_id)
    return tuple(sorted(found, key=lambda version: version.n))


def _version(history: tuple[SessionVersion, ...], head: SessionRow, n: int | None) -> SessionVersion | None:
    if n is None:
        return history[-1] if history else None
    found = next((version for version in history if version.n == n), None)
    if found is None:
        raise NotFound(f"{head.id} 没有第 {n} 版;现有 {len(history)} 版。")
    return found


@guarded(Verb.SESSION_READ, Verb.SESSION_READ_ALL)
def compare(
    work: UnitOfWork, session_id: str, older: int, newer: int, *, actor: str, now: datetime
) -> tuple[Changed, ...]:
    """Return what changed between two versions of a record, as the actor may see it, masked.

    The reading is audited. Raises `NotFound` and `Forbidden`.
    """
    user = allow(work, actor, Verb.SESSION_READ)
    head = work.sessions.get(session_id)
    check_reads(work, user, head)
    history = versions_of(work, session_id)
    before, after = _version(history, head, older), _version(history, head, newer)
    if before is None or after is None:
        raise NotFound(f"{session_id} 还没有提交。")
    note(work, actor, "session.read", session_id, now, field=f"v{older}-v{newer}")
    form = form_of(work, after.form)
    seen = visible_fields(form, user)
    return tuple(
        replace(one, before=mask(form.fields[one.id], one.before), after=mask(form.fields[one.id], one.after))
        for one in changes(form, before.answers, after.answers)
        if one.id in seen
    )


@guarded(Verb.SESSION_READ)
def referrals_to_ask(
    work: UnitOfWork, *, actor: str, now: datetime
) -> Sequence[tuple[SessionRow, tuple[tuple[int, Mapping[str, Any]], ...]]]:
    """Return the actor's records of half a year with referrals of which nobody knows if they arrived."""
    allow(work, actor, Verb.SESSION_READ)
    found = []
    for head in work.sessions.since(now - ASKED_FOR, counsellor=actor):
        if head.version:
            newest = work.book(SESSION_VERSIONS).get(f"{head.id}/{head.version}")
            if still := open_referrals(newest.answers):
                found.append((head, still))
    if found:
        note(work, actor, "session.read", found[0][0].id, now, field="referrals")
    return found


# --- drafts --------------------------------------------------------------------------------


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def read_draft(work: UnitOfWork, session_id: str, *, actor: str, now: datetime) -> Draft | None:
    """Return what has been typed so far, if anything has. Raises `NotFound` and `Forbidden`."""
    user = allow(work, actor, Verb.SESSION_WRITE)
    check_writes(user, work.sessions.get(session_id))
    found = work.book(DRAFTS).one(session_id)
    if found is not None and found.by != actor:
        note(work, actor, "session.draft_read", session_id, now)
    return found


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def save_draft(
    work: UnitOfWork,
    session_id: str,
    text: str,
    *,
    form: Form,
    base: int,
    seen: int | None,
    actor: str,
    now: datetime,
) -> Draft:
    """Keep what has been typed so far, also what does not parse yet; return the draft as it now stands.

    `base`: the version of the record it began from. `seen`: the revision of the draft it continues, None
    for none. If the draft was saved elsewhere meanwhile, that text is kept below this one, as remarks:
    nothing typed is ever lost. Raises `NotFound`, `Forbidden`, and `Refused` for a text no one typed.
    """
    user = allow(work, actor, Verb.SESSION_WRITE)
    check_writes(user, work.sessions.get(session_id))
    if len(text) > MOST_TYPED:
        raise Refused(f"一条记录最多 {MOST_TYPED} 字,现在 {len(text)} 字,请缩短。")
    drafts = work.book(DRAFTS)
    before = drafts.one(session_id)
    text = _storable(text)
    fresh = Draft(id=session_id, by=actor, at=now, form=form.id, text=text, base=base)
    if before is None:
        drafts.add(fresh)
        note(work, actor, "session.draft", session_id, now)
        return fresh
    if before.revision != seen and before.text != text:
        fresh = replace(fresh, text=beside(text, before.text))
    return drafts.put(replace(fresh, revision=before.revision))


def _storable(text: str) -> str:
    """Return the text without the halves of characters and zeros that no store takes."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def discard_draft(work: UnitOfWork, session_id: str, *, actor: str, now: datetime) -> None:
    """Throw away what was typed. Raises `NotFound` if nothing was, and `Refused` under a legal hold (R42)."""
    user = allow(work, actor, Verb.SESSION_WRITE)
    check_writes(user, work.sessions.get(session_id))
    if work.book(DRAFTS).one(session_id) is None:
        raise NotFound(f"{session_id} 没有草稿。")
    check_free(work, f"session:{session_id}")
    work.book(DRAFTS).remove(session_id)
    note(work, actor, "session.draft_discard", session_id, now)


def note(
    work: UnitOfWork, by: str, verb: str, session_id: str, at: datetime, *, field: str = "", reason: str = ""
) -> None:
    """Write into the audit what somebody did to a record."""
    entry = AuditEntry(actor=by, verb=verb, object=f"session:{session_id}", at=at, field=field, reason=reason)
    work.audit.append(entry)
