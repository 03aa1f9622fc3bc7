"""Handling records: what is in them, as one person may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from callcenter.domain.access import Verb, may
from callcenter.domain.books import SESSION_VERSIONS
from callcenter.domain.form_diff import Changed, changes
from callcenter.domain.forms import Form
from callcenter.domain.reasons import checked_reason
from callcenter.domain.session_masks import mask, masked
from callcenter.domain.session_rules import is_third_party, marks
from callcenter.domain.sessions import SessionRow, SessionVersion
from callcenter.domain.users import User
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import resolve
from callcenter.service.sessions.access import check_reads
from callcenter.service.sessions.forms import form_of
from callcenter.service.sessions.noting import note


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
    #: It was submitted, and taken away since by the rules of retention or at somebody's wish.
    is_gone: bool = False
    #: For supervisors, of a third party's record: the entry that bears the code the caller named (R17).
    named: str | None = None


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
        is_gone=bool(head.version) and not history,
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
    check_kept(head, history)
    found = next((version for version in history if version.n == n), None)
    if found is None:
        raise NotFound(f"{head.id} 没有第 {n} 版;现有 {len(history)} 版。")
    return found


def check_kept(head: SessionRow, history: Sequence[SessionVersion]) -> None:
    """Raise `NotFound` for a record that was submitted and taken away since."""
    if head.version and not history:
        raise NotFound(f"{head.id} 已按保存期删除:内容不在了,只留下有过这一通。")


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
    check_kept(head, history)
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
