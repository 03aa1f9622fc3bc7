"""Duty: who is planned, who signed on, and what the PBX must therefore hold (R44, P1).

Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from callcenter.domain import reconcile
from callcenter.domain.access import Verb
from callcenter.domain.duty import (
    Presence,
    PresenceAct,
    PresenceEvent,
    Shift,
    Stretch,
    coverage,
    joined_spans,
    on_duty,
    presence_of,
    shift_edges,
)
from callcenter.domain.numbers import mask_name
from callcenter.domain.reconcile import Wanted
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.callers import Opening, line_facts

#: Shift edges are laid this far ahead in the PBX; the intervals reach a day further.
EDGES_AHEAD = timedelta(days=7)
INTERVALS_AHEAD = timedelta(days=8)
LONGEST_SHIFT = timedelta(hours=24)
#: R44: a line has two seats or more.
SEATS = 2
#: A line without opening hours.
ALWAYS = Opening()
#: An AMI header holds fewer than 1000 bytes, an interval takes 22.
_MOST_INTERVALS = 40


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
    user = _who(work, agent)
    if Role.COUNSELLOR not in user.roles:
        raise Refused(f"{agent} 不是咨询员,不能排班。")
    shift = Shift(id=f"sh-{uuid4().hex[:12]}", agent=agent, start=start, length=length)
    if shift.end <= now:
        raise Refused("班次已经结束,不能再排。请检查日期。")
    if any(s.agent == agent for s in work.roster.shifts_between(shift.start, shift.end)):
        raise Refused(f"{agent} 在这段时间已有班次。先用 hotline duty remove 取消,再重新排。")
    work.roster.add_shift(shift)
    _audit(work, actor, "duty.add", shift.id, now, reason)
    return Planned(shift=shift, gaps=gaps_between(work, shift.start, shift.end))


@guarded(Verb.DUTY_PLAN)
def remove_shift(work: UnitOfWork, shift_id: str, *, actor: str, now: datetime, reason: str = "") -> Planned:
    """Take a shift off the roster and return it with what its time lacks now; raise `NotFound`."""
    allow(work, actor, Verb.DUTY_PLAN)
    shift = work.roster.remove_shift(shift_id)
    _audit(work, actor, "duty.remove", shift.id, now, reason)
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


# --- presence ------------------------------------------------------------------------------


@guarded(Verb.DUTY_ACT, Verb.DUTY_ACT_FOR)
def act(
    work: UnitOfWork, agent: str, what: PresenceAct, *, actor: str, now: datetime, source: str = "cli"
) -> Presence:
    """Sign an agent on or off, pause or resume them; return where they stand then.

    Everybody of the line acts for themselves, a supervisor for others too (else `Forbidden`). Raise
    `Refused` for a pause of somebody who is not signed on. The bridge sees the roster's new revision
    and makes the PBX follow.
    """
    allow(work, actor, Verb.DUTY_ACT if agent == actor else Verb.DUTY_ACT_FOR)
    _who(work, agent)
    before = presence_of(work.roster.presence_events()).get(agent, Presence())
    if what in (PresenceAct.PAUSE, PresenceAct.UNPAUSE) and not before.signed_on:
        raise Refused(f"{agent} 尚未签到。先用 hotline duty on {agent}。")
    key = f"{source}-{uuid4().hex}"
    work.roster.add_presence(PresenceEvent(key=key, agent=agent, act=what, at=now, source=source))
    _audit(work, actor, f"duty.{what.value}", agent, now)
    return before.after(what)


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


# --- what the PBX must hold ----------------------------------------------------------------


def members_at(work: UnitOfWork, now: datetime) -> frozenset[str]:
    """Return who must be in the queue at `now`: on shift ∩ signed on ∩ not paused, with a phone."""
    shifts = work.roster.shifts_between(now - LONGEST_SHIFT, now + LONGEST_SHIFT)
    return _members(shifts, presence_of(work.roster.presence_events()), _by_phone(work), now)


def wanted(work: UnitOfWork, now: datetime, *, salt: str, opening: Opening = ALWAYS) -> Wanted:
    """Return members, facts and edges as the store has them at `now`. `salt`: the PBX's own."""
    shifts = work.roster.shifts_between(now - LONGEST_SHIFT, now + INTERVALS_AHEAD)
    presence = presence_of(work.roster.presence_events())
    users = _by_phone(work)
    facts = {
        **_interval_facts([s for s in shifts if s.end > now and s.agent in users]),
        **{f"{reconcile.SIGNED}/{a}": "1" for a, p in presence.items() if p.signed_on and a in users},
        **{f"{reconcile.PAUSED}/{a}": "1" for a, p in presence.items() if p.paused and a in users},
        **{f"{reconcile.PIN}/{u.code}": u.pin_verifier for u in users.values() if u.pin_verifier},
        **line_facts(work, now, users.values(), opening, salt),
    }
    return Wanted(
        members=_members(shifts, presence, users, now),
        facts=facts,
        edges=shift_edges((s for s in shifts if s.agent in users), now, now + EDGES_AHEAD),
    )


def _members(
    shifts: Iterable[Shift], presence: dict[str, Presence], users: Mapping[str, User], now: datetime
) -> frozenset[str]:
    return on_duty(shifts, presence, now) & users.keys()


def _by_phone(work: UnitOfWork) -> dict[str, User]:
    """Return the active users who have a phone, by code."""
    return {u.code: u for u in work.users.all() if u.active and u.phone is not PhoneKind.NONE}


def _interval_facts(shifts: Sequence[Shift]) -> dict[str, str]:
    facts = {}
    for agent in sorted({s.agent for s in shifts}):
        spans = joined_spans(s for s in shifts if s.agent == agent)[:_MOST_INTERVALS]
        texts = (f"{int(start.timestamp())}-{int(end.timestamp())}" for start, end in spans)
        facts[f"{reconcile.SHIFT}/{agent}"] = "&".join(texts)
    return facts


def _who(work: UnitOfWork, agent: str) -> User:
    try:
        user = work.users.get(agent)
    except NotFound:
        raise Refused(f"没有代码为 {agent} 的人员。用 hotline user list 查看。") from None
    if not user.active or user.phone is PhoneKind.NONE:
        raise Refused(f"{agent} 已停用或没有话机,不能值守。")
    return user


def _audit(work: UnitOfWork, actor: str, verb: str, thing: str, now: datetime, reason: str = "") -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=thing, at=now, reason=reason))
