"""Lists of handling records: which call it was; what is in it only for those who may read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from callcenter.domain.access import Verb, may
from callcenter.domain.books import DRAFTS, SESSION_VERSIONS
from callcenter.domain.calls import CallRecord
from callcenter.domain.numbers import mask_number
from callcenter.domain.session_rules import list_marks, open_referrals, owes_report
from callcenter.domain.sessions import ASKED_FOR, LATE_AFTER, SessionRow, SessionStatus
from callcenter.domain.users import User
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.sessions.access import is_nobodys, may_read
from callcenter.service.sessions.noting import note

#: What was written longer ago is found by its id.
_LOOKS_BACK = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A record in a list, as one person may see it."""

    session: SessionRow
    #: Masked; what the call was, if it is still known.
    number: str = ""
    talk: timedelta | None = None
    is_live: bool = False
    #: Who has a draft lying beside it.
    draft_by: str | None = None
    #: It was submitted, and taken away since by the rules of retention.
    is_gone: bool = False
    #: Only for those who may read it.
    kind: str | None = None
    level: str | None = field(default=None, repr=False)
    marks: tuple[str, ...] = ()


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
) -> Sequence[Listed]:
    """Return the records, oldest first: whose they are, where they stand, which call it was.

    `late`: not written within 24 hours (I2). `mine`: the actor's own, and those nobody's yet. Those
    still to be written are all there, the others if they began within the `past`.
    """
    user = allow(work, actor, Verb.SESSIONS_LIST)
    found = _wanted(work, SessionStatus.OPEN if late else status, now - past)
    if late:
        found = [row for row in found if row.opened_at + LATE_AFTER < now]
    if mine:
        found = [row for row in found if row.counsellor == actor or is_nobodys(work, row)]
    return _listed(work, user, found)


@guarded(Verb.SESSION_WRITE)
def to_write(work: UnitOfWork, *, actor: str, now: datetime) -> Sequence[Listed]:
    """Return the actor's own records that are still to be written, of calls that ended, the newest first."""
    user = allow(work, actor, Verb.SESSION_WRITE)
    own = [row for row in work.sessions.all(SessionStatus.OPEN) if row.counsellor == actor]
    return [one for one in reversed(_listed(work, user, own)) if not one.is_live]


@guarded(Verb.SESSION_READ)
def open_reports(
    work: UnitOfWork, *, actor: str, now: datetime
) -> Sequence[tuple[SessionRow, tuple[str, ...]]]:
    """Return the records of minors of whom abuse is suspected with what is still owed, the oldest first.

    Owed by whoever wrote the record, until it says to whom and when it was reported and that a supervisor
    knows (R18). Supervisors see all of them, others their own. The reading is audited.
    """
    user = allow(work, actor, Verb.SESSION_READ)
    reads_all = may(user.roles, Verb.SESSION_READ_ALL)
    found = []
    for head in work.sessions.all():
        if head.version and (reads_all or head.counsellor == actor):
            owed = owes_report(newest_answers(work, head) or {})
            if owed:
                found.append((head, owed))
                note(work, actor, "session.read", head.id, now, field="reports")
    return found


@guarded(Verb.SESSION_READ)
def referrals_to_ask(
    work: UnitOfWork, *, actor: str, now: datetime
) -> Sequence[tuple[SessionRow, tuple[tuple[int, Mapping[str, Any]], ...]]]:
    """Return the actor's records of half a year with referrals of which nobody knows if they arrived."""
    allow(work, actor, Verb.SESSION_READ)
    found = []
    for head in work.sessions.since(now - ASKED_FOR, counsellor=actor):
        if still := open_referrals(newest_answers(work, head) or {}):
            found.append((head, still))
    if found:
        note(work, actor, "session.read", found[0][0].id, now, field="referrals")
    return found


def newest_answers(work: UnitOfWork, head: SessionRow) -> Mapping[str, Any] | None:
    """Return what a record says now. None: nothing was submitted, or it was taken away since."""
    newest = work.book(SESSION_VERSIONS).one(f"{head.id}/{head.version}") if head.version else None
    return newest.answers if newest else None


def call_of(work: UnitOfWork, head: SessionRow) -> CallRecord | None:
    """Return a record's call; None once it was forgotten: records stay longer."""
    try:
        return work.calls.get(head.call)
    except NotFound:
        return None


def _wanted(work: UnitOfWork, status: SessionStatus | None, since: datetime) -> list[SessionRow]:
    if status is SessionStatus.OPEN:
        return list(work.sessions.all(SessionStatus.OPEN))
    newer = [row for row in work.sessions.since(since) if status in (None, row.status)]
    if status is not None:
        return newer
    return [*(row for row in work.sessions.all(SessionStatus.OPEN) if row.opened_at < since), *newer]


def _listed(work: UnitOfWork, user: User, rows: Iterable[SessionRow]) -> list[Listed]:
    drafts = {str(draft["id"]): str(draft["by"]) for draft in work.book(DRAFTS).outline()}
    return [_one(work, user, row, drafts.get(row.id)) for row in rows]


def _one(work: UnitOfWork, user: User, row: SessionRow, draft_by: str | None) -> Listed:
    call = call_of(work, row)
    answers = newest_answers(work, row)
    seen = answers if answers is not None and may_read(work, user, row) else {}
    return Listed(
        session=row,
        number=mask_number(call.number) if call else "",
        talk=call.talk if call else None,
        is_live=call is not None and call.ended_at is None,
        draft_by=draft_by,
        is_gone=bool(row.version) and answers is None,
        kind=seen.get("kind"),
        level=seen.get("level_given"),
        marks=list_marks(seen),
    )
