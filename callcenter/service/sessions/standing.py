"""What stands open of a call: while it does, the call is not written off as none (R9, R14)."""

from __future__ import annotations

from collections.abc import Iterator

from callcenter.domain.books import CASES, RESCUES
from callcenter.domain.calls import URGENT, CallRecord
from callcenter.domain.cases import CaseState, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.session_words import LEVELS
from callcenter.domain.sessions import SessionRow
from callcenter.ports import UnitOfWork
from callcenter.service.sessions.listing import call_of


def standing(work: UnitOfWork, head: SessionRow) -> tuple[str, ...]:
    """Return what tells that somebody may be in danger, in words; empty if nothing does."""
    call = call_of(work, head)
    return (*(_told_by(call) if call else ()), *_rescues(work, head), *_cases(work, head))


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
