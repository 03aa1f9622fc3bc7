"""The roster: who is planned when, and where it falls short (R44).

Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.duty import Presence, Shift, Stretch, coverage, presence_of
from callcenter.domain.numbers import mask_name
from callcenter.domain.users import Role
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.presence import members_at, note, phone_user

#: R44: a line has two seats or more.
SEATS = 2


class Lack(StrEnum):
    """What a roster lacks (R44)."""

    NOBODY = "nobody"
    THIN = "thin"
    NO_SUPERVISOR = "no_supervisor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A time in which the roster falls short."""

    lack: Lack
    start: datetime
    end: datetime
    agents: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A shift, and what its time still lacks."""

    shift: Shift
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One shift on the board, and where its person stands now."""

    shift: Shift
    #: Masked.
    name: str
    signed_on: bool
    paused: bool
    #: True if the roster says that the queue must ring them now.
    on_duty: bool


# --- planning ------------------------------------------------------------------------------


@guarded(Verb.DUTY_PLAN)
def add_shift(
    work: UnitOfWork,
    agent: str,
    start: datetime,
    length: timedelta,
    *,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Planned:
    """Plan a shift. Raise `Refused` if the agent cannot take calls then, or has a shift then already.

    A roster with too few seats is allowed and its gaps are returned as warnings (R44).
    """
    allow(work, actor, Verb.DUTY_PLAN)
    user = phone_user(work, agent)
    if Role.COUNSELLOR not in user.roles:
        raise Refused(f"{agent} 不是咨询员,不能排班。")
    shift = Shift(id=f"sh-{uuid4().hex[:12]}", agent=agent, start=start, length=length)
    if shift.end <= now:
        raise Refused("班次已经结束,不能再排。请检查日期。")
    if any(s.agent == agent for s in work.roster.shifts_between(shift.start, shift.end)):
        raise Refused(f"{agent} 在这段时间已有班次。先用 hotline duty remove 取消,再重新排。")
    work.roster.add_shift(shift)
    note(work, actor, "duty.add", shift.id, now, reason)
    return Planned(shift=shift, gaps=gaps_between(work, shift.start, shift.end))


@guarded(Verb.DUTY_PLAN)
def remove_shift(work: UnitOfWork, shift_id: str, *, actor: str, now: datetime, reason: str = "") -> Planned:
    """Take a shift off the roster and return it with what its time lacks now; raise `NotFound`."""
    allow(work, actor, Verb.DUTY_PLAN)
    shift = work.roster.remove_shift(shift_id)
    note(work, actor, "duty.remove", shift.id, now, reason)
    return Planned(shift=shift, gaps=gaps_between(work, max(shift.start, now), shift.end))


def gaps_between(work: UnitOfWork, start: datetime, end: datetime) -> tuple[Gap, ...]:
    """Return when in [start, end) fewer than two people are planned, or no supervisor can be rung."""
    if start >= end:
        return ()
    stretches = coverage(work.roster.shifts_between(start, end), start, end)
    gaps = [_gap(s) for s in stretches if len(s.agents) < SEATS]
    if not any(u.active and u.alarm_rank is not None for u in work.users.all()):
        gaps.append(Gap(lack=Lack.NO_SUPERVISOR, start=start, end=end))
    return tuple(gaps)


def _gap(stretch: Stretch) -> Gap:
    lack = Lack.THIN if stretch.agents else Lack.NOBODY
    return Gap(lack=lack, start=stretch.start, end=stretch.end, agents=stretch.agents)


@guarded(Verb.DUTY_SEE)
def gaps_ahead(work: UnitOfWork, start: datetime, end: datetime, *, actor: str) -> tuple[Gap, ...]:
    """Return where the roster falls short in [start, end); raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SEE)
    return gaps_between(work, start, end)


@guarded(Verb.DUTY_SEE)
def board(
    work: UnitOfWork, start: datetime, end: datetime, *, actor: str, now: datetime
) -> tuple[Place, ...]:
    """Return the shifts that touch [start, end), by start, and where their people stand now."""
    allow(work, actor, Verb.DUTY_SEE)
    names = {user.code: mask_name(user.name) for user in work.users.all()}
    presence = presence_of(work.roster.presence_events())
    here = members_at(work, now)
    places = []
    for shift in sorted(work.roster.shifts_between(start, end), key=lambda s: (s.start, s.agent)):
        stands = presence.get(shift.agent, Presence())
        ringing = shift.agent in here and shift.covers(now)
        places.append(
            Place(
                shift=shift,
                name=names.get(shift.agent, ""),
                signed_on=stands.signed_on,
                paused=stands.paused,
                on_duty=ringing,
            )
        )
    return tuple(places)
