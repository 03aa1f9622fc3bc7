"""Hours of attendance, for fees and for care: read out of acts and shifts, put right by a supervisor's word.

Acts are never changed: a correction stands beside them, with its reason. Functions take an open unit of
work and leave committing to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.attendance import ENOUGH_CALLS, ENOUGH_TIME, Hours, Told, corrected, hours, signed
from callcenter.domain.books import CORRECTIONS
from callcenter.domain.calls import CallRecord
from callcenter.domain.duty import PresenceEvent, joined_spans
from callcenter.domain.numbers import mask_name
from callcenter.domain.reasons import checked_reason
from callcenter.domain.spans import common, total
from callcenter.domain.staff import AttendanceCorrection
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.presence import note

#: Acts so long before a month are read too: somebody may have signed on then, and off within it.
_LOOK_BACK = timedelta(days=62)
#: A stretch of shifts over the end of a month is read whole.
_AROUND = timedelta(days=2)
_LONGEST = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One person's month."""

    hours: Hours
    #: Masked.
    name: str
    #: Calls they talked in.
    calls: int = 0
    #: Shifts with more than `ENOUGH_CALLS` of them; a hint, no more.
    busy_shifts: int = 0
    corrections: tuple[AttendanceCorrection, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tired:
    """Somebody who has been at the line for long, or had many calls, this shift."""

    agent: str
    at_line: timedelta
    calls: int


@guarded(Verb.DUTY_HOURS)
def sheets(
    work: UnitOfWork,
    start: datetime,
    end: datetime,
    *,
    agent: str | None = None,
    actor: str,
    now: datetime,
) -> tuple[Sheet, ...]:
    """Return attendance in [start, end) by code: of one person, or of all who were planned or there.

    Counsellors see their own and nobody else's, whoever plans everybody's (else `Forbidden`). Raise
    `NotFound` for a code that is nobody's.
    """
    user = allow(work, actor, Verb.DUTY_HOURS)
    if not may(user.roles, Verb.DUTY_PLAN):
        if agent not in (None, actor):
            raise Forbidden("只能查看自己的出勤;别人的由督导查看。")
        agent = actor
    shifts = work.roster.shifts_between(start - _AROUND, end + _AROUND)
    acts = _acts(work, start, end + _AROUND)
    book = work.book(CORRECTIONS)
    corrections = book.where(agent=agent) if agent else book.where()
    everybody = {*(s.agent for s in shifts), *acts, *(c.agent for c in corrections)}
    if agent and agent not in everybody:
        work.users.get(agent)
    calls = work.calls.between(start - _AROUND, end + _AROUND)
    found = (
        _sheet(
            Told.of(code, acts.get(code, ()), shifts, corrections), calls, _name(work, code), start, end, now
        )
        for code in sorted({agent} if agent else everybody)
    )
    return tuple(sheet for sheet in found if agent or _has_anything(sheet))


def _acts(work: UnitOfWork, start: datetime, end: datetime) -> dict[str, list[PresenceEvent]]:
    """Return, by code, the acts that say where everybody stood in a span of time."""
    known = (*work.roster.presence_between(start - _LOOK_BACK, end), *work.roster.presence_events())
    found: dict[str, list[PresenceEvent]] = {}
    for act in {act.key: act for act in known}.values():
        found.setdefault(act.agent, []).append(act)
    return found


def _name(work: UnitOfWork, code: str) -> str:
    try:
        return mask_name(work.users.get(code).name)
    except NotFound:
        return ""


def _sheet(
    told: Told, calls: Sequence[CallRecord], name: str, start: datetime, end: datetime, now: datetime
) -> Sheet:
    talks = [call.answered_at for call in calls if call.answered_by == told.agent and call.answered_at]
    begun = [stretch for stretch in joined_spans(told.shifts) if start <= stretch[0] < end]
    return Sheet(
        hours=hours(told, start, end, now),
        name=name,
        calls=sum(start <= at < end for at in talks),
        busy_shifts=sum(_within(talks, stretch) > ENOUGH_CALLS for stretch in begun),
        corrections=tuple(one for one in told.corrections if one.start < end and one.end > start),
    )


def _within(moments: Iterable[datetime], stretch: tuple[datetime, datetime]) -> int:
    return sum(stretch[0] <= at < stretch[1] for at in moments)


def _has_anything(sheet: Sheet) -> bool:
    found = sheet.hours
    return bool(found.planned or found.present or found.outside or sheet.corrections)


# --- putting right -------------------------------------------------------------------------


@guarded(Verb.DUTY_PLAN)
def correct(
    work: UnitOfWork,
    agent: str,
    start: datetime,
    end: datetime,
    counts: bool,
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> AttendanceCorrection:
    """Let time count although nobody signed on then, or not although somebody did.

    Raises `Refused` without a reason, for oneself, for time to come, for none or more than a day of it;
    `NotFound` for nobody. Of two corrections of one time the later stands.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    if agent == actor:
        raise Refused("自己的出勤由另一位督导更正。")
    work.users.get(agent)
    if not timedelta(0) < end - start <= _LONGEST:
        raise Refused("一次更正的时间要多于零、不超过 24 小时。")
    if end > now:
        raise Refused("还没有到的时间不能更正。")
    made = AttendanceCorrection(
        id=f"ac-{uuid4().hex[:12]}",
        agent=agent,
        start=start,
        end=end,
        counts=counts,
        reason=checked_reason(reason),
        by=actor,
        at=now,
    )
    work.book(CORRECTIONS).add(made)
    note(work, actor, "duty.correct", made.id, now, made.reason)
    return made


# --- care ------------------------------------------------------------------------------------


@guarded(Verb.DUTY_SEE)
def tired(work: UnitOfWork, *, actor: str, now: datetime) -> tuple[Tired, ...]:
    """Return who on shift now has had enough for one shift: four hours at the line, or six calls.

    A kind word for whoever looks; nothing is blocked by it.
    """
    allow(work, actor, Verb.DUTY_SEE)
    shifts, acts = work.roster.shifts_between(now - _AROUND, now + _LONGEST), _acts(work, now, now)
    calls = work.calls.between(now - _AROUND, now)
    found = []
    for agent in sorted({shift.agent for shift in shifts if shift.covers(now)}):
        told = Told.of(agent, acts.get(agent, ()), shifts, work.book(CORRECTIONS).where(agent=agent))
        there = corrected(signed(told.acts, now), told.corrections, now)
        for stretch in joined_spans(told.shifts):
            if not stretch[0] <= now < stretch[1]:
                continue
            talks = (call.answered_at for call in calls if call.answered_by == agent and call.answered_at)
            one = Tired(agent=agent, at_line=total(common(there, (stretch,))), calls=_within(talks, stretch))
            if one.at_line > ENOUGH_TIME or one.calls > ENOUGH_CALLS:
                found.append(one)
    return tuple(found)
