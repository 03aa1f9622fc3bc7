"""Who may read and write which handling record."""

from __future__ import annotations

from callcenter.domain.access import Verb, may
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import User
from callcenter.errors import Forbidden
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


def check_writes(user: User, session: SessionRow) -> None:
    """Raise `Forbidden` unless it is theirs or nobody's, or they write for others."""
    if session.counsellor in (None, user.code) or may(user.roles, Verb.SESSION_WRITE_FOR):
        return
    raise Forbidden("这条接访记录不是您的,只有写的人和督导能填写、修改。")
