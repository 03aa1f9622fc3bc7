"""Who may read and write which handling record."""

from __future__ import annotations

from callcenter.domain.access import Verb, may
from callcenter.domain.books import DRAFTS
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import User
from callcenter.errors import Forbidden, NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.people.entries import open_cases, resolve


def check_reads(work: UnitOfWork, user: User, session: SessionRow) -> None:
    """Raise `Forbidden` unless it is theirs, or about somebody whose case they own, or they read all."""
    if may(user.roles, Verb.SESSION_READ_ALL) or session.counsellor == user.code:
        return
    if session.person is not None:
        person = resolve(work, session.person)
        if any(case.owner == user.code for case in open_cases(work, person)):
            return
    raise Forbidden("这条接访记录只有写的人、个案负责人和督导能看。")


def may_read(work: UnitOfWork, user: User, session: SessionRow) -> bool:
    """Tell whether somebody may read a record."""
    try:
        check_reads(work, user, session)
    except Forbidden:
        return False
    return True


def check_writes(work: UnitOfWork, user: User, session: SessionRow) -> None:
    """Raise `Forbidden` unless it is theirs, or nobody's and nobody else writes it, or they write for others.

    What is nobody's belongs to whoever typed into it first: what they typed is theirs.
    """
    if session.counsellor == user.code or may(user.roles, Verb.SESSION_WRITE_FOR):
        return
    if not is_nobodys(work, session):
        raise Forbidden("这条接访记录不是您的,只有写的人和督导能填写、修改。")
    draft = work.book(DRAFTS).one(session.id)
    if draft is not None and draft.by != user.code:
        raise Forbidden(f"{draft.by} 正在写这条接访记录;只有 {draft.by} 和督导能接着写,或丢弃草稿。")


def is_nobodys(work: UnitOfWork, session: SessionRow) -> bool:
    """Tell whether nobody has to write a record: nobody is known, or who took the call writes none.

    A contact of the escalation chain may be no counsellor; then a counsellor takes the record up.
    """
    if session.version or session.counsellor is None:
        return not session.version
    try:
        return not may(work.users.get(session.counsellor).roles, Verb.SESSION_WRITE)
    except NotFound:
        return True


def writer_of(work: UnitOfWork, session: SessionRow, code: str) -> str:
    """Return whose record it becomes by being submitted: of what is nobody's, whose draft it was."""
    if session.counsellor is not None and not is_nobodys(work, session):
        return session.counsellor
    draft = work.book(DRAFTS).one(session.id)
    return draft.by if draft is not None else code
