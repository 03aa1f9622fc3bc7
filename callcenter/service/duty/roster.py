"""The roster: who is planned when, and where it falls short (R44).

Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.duty import Presence, Shift, ShiftKind, presence_of
from callcenter.domain.numbers import mask_name
from callcenter.domain.plan_rules import Fault, Lack, PlanRules
from callcenter.domain.reasons import checked_reason
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import ALWAYS, check_fit, faults_between, late_words
from callcenter.service.duty.presence import members_at, note
from callcenter.service.duty.swaps import withdraw_stale
from callcenter.service.duty.templates import keep_in_plan

#: What is wrong at a time, by value.
Gap = Fault
__all__ = [
    "Gap",
    "Lack",
    "Place",
    "Planned",
    "add_shift",
    "board",
    "gaps_ahead",
    "gaps_between",
    "remove_shift",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A shift, and what its time still lacks."""

    shift: Shift
    gaps: tuple[Gap, ...]
    #: Of a shift ended while it ran: what has passed of it, which stays.
    kept: Shift | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One shift on the board, and where its person stands now."""

    shift: Shift
    #: Masked.
    name: str
    signed_on: bool
    paused: bool
    #: Of a pause.
    why: str = ""
    #: R47: a hard call is to be talked over first.
    debrief: bool = False
    #: True if the roster says that the queue must ring them now.
    on_duty: bool = False


# --- planning ------------------------------------------------------------------------------


@guarded(Verb.DUTY_PLAN)
def add_shift(
    work: UnitOfWork,
    agent: str,
    start: datetime,
    length: timedelta,
    *,
    kind: ShiftKind = ShiftKind.LINE,
    rules: PlanRules = ALWAYS,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Planned:
    """Plan a shift by hand. Raise `Refused` if the agent cannot have it, or has a shift then already.

    A roster that falls short is allowed and its gaps are returned as warnings (R44). One that began is
    planned for others only, for at most a day back, and with a reason.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    work.roster.hold()
    check_fit(work, (agent,), kind)
    shift = Shift(id=f"sh-{uuid4().hex[:12]}", agent=agent, start=start, length=length, kind=kind)
    if shift.end <= now:
        raise Refused("班次已经结束,不能再排。请检查日期。")
    if (late := late_words(agent, start, by=actor, now=now, reason=reason)) is not None:
        raise Refused(late)
    if any(s.agent == agent for s in work.roster.shifts_between(shift.start, shift.end)):
        raise Refused(f"{agent} 在这段时间已有班次。先用 hotline duty remove 取消,再重新排。")
    work.roster.add_shift(shift)
    note(work, actor, "duty.add", shift.id, now, reason)
    return Planned(shift=shift, gaps=gaps_between(work, shift.start, shift.end, rules))


@guarded(Verb.DUTY_PLAN)
def remove_shift(
    work: UnitOfWork,
    shift_id: str,
    *,
    rules: PlanRules = ALWAYS,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Planned:
    """Take a shift off the roster and return it with what its time lacks now; raise `NotFound`.

    One from a template stays off when its day is published again. One that runs ends now, with a reason:
    what has passed of it stays, for attendance. Raise `Refused` for one that is over.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    work.roster.hold()
    shift = work.roster.shift(shift_id)
    if shift.end <= now:
        raise Refused("已经结束的班不能取消。出勤有误,用 hotline duty correct 更正。")
    passed = now.replace(microsecond=0) - shift.start
    kept = replace(shift, length=passed) if passed > timedelta(0) else None
    if kept is not None:
        reason = checked_reason(reason)
    else:
        keep_in_plan(work, shift, None, by=actor, now=now, reason=reason)
    # What has begun publishing leaves alone, so that the plan and what is kept name the same person.
    work.roster.replace_shifts([shift.id], [kept] if kept is not None else [])
    withdraw_stale(work, {shift.id}, by=actor, now=now)
    note(work, actor, "duty.remove", shift.id, now, reason)
    gaps = gaps_between(work, max(shift.start, now), shift.end, rules)
    return Planned(shift=shift, gaps=gaps, kept=kept)


def gaps_between(
    work: UnitOfWork, start: datetime, end: datetime, rules: PlanRules = ALWAYS
) -> tuple[Gap, ...]:
    """Return what is wrong with the roster in [start, end), by time (R44). Without `rules`: always served."""
    return faults_between(work, start, end, rules)


@guarded(Verb.DUTY_SEE)
def gaps_ahead(
    work: UnitOfWork, start: datetime, end: datetime, *, actor: str, rules: PlanRules = ALWAYS
) -> tuple[Gap, ...]:
    """Return where the roster falls short in [start, end); raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SEE)
    return gaps_between(work, start, end, rules)


@guarded(Verb.DUTY_SEE)
def board(
    work: UnitOfWork, start: datetime, end: datetime, *, actor: str, now: datetime
) -> tuple[Place, ...]:
    """Return the shifts that touch [start, end), by start, and where their people stand now.

    Why somebody rests, a hard call above all, is theirs and supervisors': others see that they do (R47).
    """
    user = allow(work, actor, Verb.DUTY_SEE)
    names = {user.code: mask_name(user.name) for user in work.users.all()}
    presence = presence_of(work.roster.presence_events())
    here = members_at(work, now)
    places = []
    for shift in sorted(work.roster.shifts_between(start, end), key=lambda s: (s.start, s.agent)):
        stands = presence.get(shift.agent, Presence())
        sees = shift.agent == actor or may(user.roles, Verb.DEBRIEF_HOLD)
        ringing = shift.agent in here and shift.covers(now) and shift.kind is not ShiftKind.SUPERVISOR
        places.append(
            Place(
                shift=shift,
                name=names.get(shift.agent, ""),
                signed_on=stands.signed_on,
                paused=stands.paused or (stands.debrief and stands.signed_on and not sees),
                why=stands.reason if sees else "",
                debrief=stands.debrief and sees,
                on_duty=ringing,
            )
        )
    return tuple(places)
