"""Two keystrokes for calls that were no counselling, and what forbids them: somebody may be in danger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.books import CASES, RESCUES
from callcenter.domain.calls import URGENT, CallRecord
from callcenter.domain.cases import CaseState, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.session_quick import check_length, needs_confirming, quick_answers
from callcenter.domain.session_words import LEVELS
from callcenter.domain.sessions import SessionRow
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.sessions.access import check_writes
from callcenter.service.sessions.forms import Desk
from callcenter.service.sessions.listing import call_of
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
    call = call_of(work, head)
    found = [*(_told_by(call) if call else ()), *_rescues(work, head), *_cases(work, head)]
    if found:
        raise Refused(
            f"{head.id} 不能这样登记:\n"
            + "\n".join(f"- {one}" for one in found)
            + f"\n请写整条记录:hotline sessions write {head.id}"
        )


def talk_of(work: UnitOfWork, head: SessionRow) -> timedelta | None:
    """Return how long a record's call was talked in, by the call's own record. None: nobody knows."""
    call = call_of(work, head)
    return call.talk if call else None


def _length(talk: timedelta | None) -> str:
    return "通话记录里没有时长" if talk is None else f"这一通谈了 {round(talk.total_seconds())} 秒"


def _told_by(call: CallRecord) -> Iterator[str]:
    if call.ended_at is None:
        yield "通话还没有结束"
    if call.flow_outcome in URGENT or call.unheard is not None:
        yield "来电者在语音里说过紧急的话(问卷或按键)"


def _rescues(work: UnitOfWork, head: SessionRow) -> Iterator[str]:
    going_on = (state for state in RescueState if state is not RescueState.CLOSED)
    for state in going_on:
        for one in work.book(RESCUES).where(state=state):
            if one.session in (head.id, head.call):
                yield f"救援 {one.id} 还没有结束"


def _cases(work: UnitOfWork, head: SessionRow) -> Iterator[str]:
    standing = (state for state in CaseState if state is not CaseState.CLOSED)
    for state in standing:
        for case in work.book(CASES).where(state=state, up_to={"level": int(Level.MEDIUM)}):
            if {case.opened_from, case.anchor} & {head.id, head.call}:
                yield f"由它立的个案 {case.id}({LEVELS[case.level]})还没有结案"
