"""Signing on and off, resting, and who is therefore rung (P1).

Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import SURGES
from callcenter.domain.duty import (
    BREAK,
    SHIFT_OVER,
    PauseReason,
    Presence,
    PresenceAct,
    PresenceEvent,
    Shift,
    lapsed_at,
    on_duty,
    presence_of,
)
from callcenter.domain.users import PhoneKind, User
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty import debriefs
from callcenter.service.names import digest
from callcenter.service.staff.users import SYSTEM

LONGEST_SHIFT = timedelta(hours=24)
_INSTANT = timedelta(microseconds=1)
#: What people do by themselves; a debriefing is owed and ends by other doors.
_BY_HAND = frozenset({PresenceAct.ON, PresenceAct.OFF, PresenceAct.PAUSE, PresenceAct.UNPAUSE})
#: Id of the one value in the book of surges.
SURGE = "line"


@guarded(Verb.DUTY_ACT, Verb.DUTY_ACT_FOR)
def act(
    work: UnitOfWork,
    agent: str,
    what: PresenceAct,
    *,
    why: PauseReason = PauseReason.REST,
    waive: bool = False,
    actor: str,
    now: datetime,
    source: str = "cli",
) -> Presence:
    """Sign an agent on or off, pause or resume them; return where they stand then.

    `why`: of a pause. `waive`: whoever resumes goes on without the debriefing they are owed (R47).
    Everybody of the line acts for themselves, a supervisor for others too (else `Forbidden`). Raise
    `Refused` for a pause of somebody who is not signed on. The bridge sees the roster's new revision
    and makes the PBX follow.
    """
    allow(work, actor, Verb.DUTY_ACT if agent == actor else Verb.DUTY_ACT_FOR)
    phone_user(work, agent)
    if what not in _BY_HAND:
        raise Refused("支持性谈话请用 hotline duty debrief。")
    if waive and agent != actor:
        raise Refused("只有本人可以放弃支持性谈话;谈过了,请用 hotline duty debrief held 登记。")
    before = presence_of(work.roster.presence_events()).get(agent, Presence())
    if what in (PresenceAct.PAUSE, PresenceAct.UNPAUSE) and not before.signed_on:
        raise Refused(f"{agent} 尚未签到。先用 hotline duty on {agent}。")
    key, reason = f"{source}-{uuid4().hex}", why.value if what is PresenceAct.PAUSE else ""
    event = PresenceEvent(key=key, agent=agent, act=what, at=now, source=source, reason=reason)
    work.roster.add_presence(event)
    note(work, actor, f"duty.{what.value}", agent, now)
    stands = before.after(what, reason, now)
    if waive and stands.debrief:
        debriefs.waive(work, actor=actor, now=now)
        stands = stands.after(PresenceAct.DEBRIEFED, at=now)
    return stands


def lapse(work: UnitOfWork, now: datetime) -> tuple[str, ...]:
    """Sign off whoever did not when their shift ended (`lapsed_at`); return whom.

    Dialplan does so at the end of each shift; this is for a shift it did not see end. Idempotent: a sign-on
    lapses once, as of the shift's end, so that a later sign-on stands in whatever order they are heard of.
    """
    signs = {a.agent: a for a in work.roster.presence_events() if a.act in (PresenceAct.ON, PresenceAct.OFF)}
    signed = {agent: act for agent, act in signs.items() if act.act is PresenceAct.ON}
    if not signed:
        return ()
    first = min(act.at for act in signed.values())
    shifts: dict[str, list[Shift]] = defaultdict(list)
    for shift in work.roster.shifts_between(min(first, now), now + BREAK + _INSTANT):
        shifts[shift.agent].append(shift)
    return tuple(agent for agent, on in sorted(signed.items()) if _lapses(work, on, shifts[agent], now))


def _lapses(work: UnitOfWork, on: PresenceEvent, shifts: list[Shift], now: datetime) -> bool:
    at = lapsed_at(shifts, on.at, now)
    if at is None:
        return False
    off = PresenceEvent(
        key=f"lapse-{digest(on.key)}",
        agent=on.agent,
        act=PresenceAct.OFF,
        at=at,
        source="roster",
        reason=SHIFT_OVER,
    )
    is_new = work.roster.add_presence(off)
    if is_new:
        note(work, SYSTEM, "duty.off", on.agent, now, SHIFT_OVER)
    return is_new


def members_at(work: UnitOfWork, now: datetime) -> frozenset[str]:
    """Return who must be in the queue at `now`: on duty, and with a phone."""
    shifts = work.roster.shifts_between(now - LONGEST_SHIFT, now + LONGEST_SHIFT)
    presence = presence_of(work.roster.presence_events())
    return on_duty(shifts, presence, now, surge_until=surge_until(work)) & by_phone(work).keys()


def surge_until(work: UnitOfWork) -> datetime | None:
    """Return when the last surge ends or ended; None: there was none."""
    surge = work.book(SURGES).one(SURGE)
    return surge.until if surge else None


def by_phone(work: UnitOfWork) -> dict[str, User]:
    """Return the active users who have a phone, by code."""
    return {u.code: u for u in work.users.all() if u.active and u.phone is not PhoneKind.NONE}


def phone_user(work: UnitOfWork, agent: str) -> User:
    """Return an active user who has a phone; raise `Refused`."""
    try:
        user = work.users.get(agent)
    except NotFound:
        raise Refused(f"没有代码为 {agent} 的人员。用 hotline user list 查看。") from None
    if not user.active or user.phone is PhoneKind.NONE:
        raise Refused(f"{agent} 已停用或没有话机,不能值守。")
    return user


def note(work: UnitOfWork, actor: str, verb: str, thing: str, now: datetime, reason: str = "") -> None:
    """Write what somebody did to the roster or to their presence into the audit."""
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=thing, at=now, reason=reason))
