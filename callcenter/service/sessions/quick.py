"""Two keystrokes for calls that were no counselling, and what forbids them: somebody may be in danger."""

from __future__ import annotations

from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.session_quick import check_length, needs_confirming, quick_answers
from callcenter.domain.sessions import SessionRow
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.sessions.access import check_writes
from callcenter.service.sessions.forms import Desk
from callcenter.service.sessions.listing import call_of
from callcenter.service.sessions.standing import standing
from callcenter.service.sessions.writing import Submitted, submit


@guarded(Verb.SESSION_WRITE, Verb.SESSION_WRITE_FOR)
def submit_quick(
    work: UnitOfWork,
    session_id: str,
    kind: str,
    *,
    why: str | None = None,
    is_sure: bool = False,
    desk: Desk,
    actor: str,
    now: datetime,
) -> Submitted:
    """Submit the record of a call that was no counselling: a wrong number, silence, a question answered.

    `why`: why the risk question was not asked, where the kind does not say so (R9). `is_sure`: said again
    of a wrong number that took long. Raises what `submit` raises, and `Refused` for a kind that the
    call's record does not bear out, and where somebody may be in danger.
    """
    user = allow(work, actor, Verb.SESSION_WRITE)
    head = work.sessions.get(session_id)
    check_writes(work, user, head)
    answers = quick_answers(kind, why)
    check_nothing_open(work, head)
    talk = talk_of(work, head)
    check_length(kind, talk)
    if needs_confirming(kind, talk) and not is_sure:
        raise Refused(f"{_length(talk)},不像「{kind}」。确实是{kind}的,请加 --yes;否则写整条记录。")
    return submit(work, session_id, answers, desk=desk, draft=None, actor=actor, now=now)


def check_nothing_open(work: UnitOfWork, head: SessionRow) -> None:
    """Raise `Refused` if somebody may be in danger, saying what stands open."""
    if found := standing(work, head):
        told = "\n".join(f"- {one}" for one in found)
        raise Refused(f"{head.id} 不能这样登记:\n{told}\n请写整条记录:hotline sessions write {head.id}")


def talk_of(work: UnitOfWork, head: SessionRow) -> timedelta | None:
    """Return how long a record's call was talked in, by the call's own record. None: nobody knows."""
    call = call_of(work, head)
    return call.talk if call else None


def _length(talk: timedelta | None) -> str:
    return "通话记录里没有时长" if talk is None else f"这一通谈了 {round(talk.total_seconds())} 秒"
