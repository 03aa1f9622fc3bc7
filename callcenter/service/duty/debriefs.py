"""Debriefings: a call at high risk is talked over before the next one, unless the counsellor waives it (R47).

What routing goes by are the presence acts `debrief` and `debriefed`; a row of the book says about which
call, and how it ended. Rows are folded from acts, so the same acts again, in any order, change nothing.
Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.books import DEBRIEFS
from callcenter.domain.duty import PresenceAct, PresenceEvent
from callcenter.domain.reasons import checked_reason
from callcenter.domain.staff import Debrief, DebriefState
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.names import digest

#: How an act says that a debriefing was held, before who held it; any other end is a waiver.
_HELD = "held."
_WAIVED = "waived"
_INSTANT = timedelta(microseconds=1)
_ALWAYS = datetime(9000, 1, 1, tzinfo=UTC)


# --- how it becomes owed -------------------------------------------------------------------


def heard(work: UnitOfWork, events: Iterable[PresenceEvent], now: datetime) -> None:
    """Fold acts about debriefings into their rows; a hook of the journal's follower. Idempotent (P6)."""
    acts = [e for e in events if e.act in (PresenceAct.DEBRIEF, PresenceAct.DEBRIEFED)]
    for event in acts:
        if event.act is PresenceAct.DEBRIEF:
            _keep(work, event)
    for agent in sorted({event.agent for event in acts}):
        _settle(work, agent)


def owe(work: UnitOfWork, agent: str, call: str, *, by: str, now: datetime) -> bool:
    """Owe somebody a talk about a call of theirs, once for each call; return whether that is new (R47).

    A call they are in goes on: only the next one waits.
    """
    if work.book(DEBRIEFS).one(_id(agent, call)) is not None:
        return False
    event = PresenceEvent(
        key=f"risk-{digest(f'{agent} {call}')}",
        agent=agent,
        act=PresenceAct.DEBRIEF,
        at=now,
        source="risk",
        reason=call,
    )
    work.roster.add_presence(event)
    heard(work, [event], now)
    _audit(work, by, "duty.debrief", agent, now)
    return True


def _id(agent: str, about: str) -> str:
    return f"db-{digest(f'{agent} {about}')}"


def _keep(work: UnitOfWork, event: PresenceEvent) -> None:
    """Keep a row for what an act says; a later act about the same call makes it owed anew."""
    book, about = work.book(DEBRIEFS), event.reason or event.key
    known = book.one(_id(event.agent, about))
    if known is None:
        book.add(Debrief(id=_id(event.agent, about), agent=event.agent, about=about, since=event.at))
    elif event.at > known.since:
        book.put(replace(known, since=event.at))


def _settle(work: UnitOfWork, agent: str) -> None:
    """Let each row of theirs stand as the acts say: ended by the first end at or after its beginning."""
    rows = work.book(DEBRIEFS).where(agent=agent)
    unsure = [row for row in rows if row.at is None or row.at < row.since]
    if not unsure:
        return
    acts = work.roster.presence_between(min(row.since for row in unsure), _ALWAYS)
    ends = [act for act in acts if act.agent == agent and act.act is PresenceAct.DEBRIEFED]
    for row in unsure:
        after = _ended(row, next((end for end in ends if end.at >= row.since), None))
        if after != row:
            work.book(DEBRIEFS).put(after)


def _ended(row: Debrief, end: PresenceEvent | None) -> Debrief:
    if end is None:
        return replace(row, state=DebriefState.OWED, by="", at=None)
    if end.reason.startswith(_HELD):
        return replace(row, state=DebriefState.HELD, by=end.reason.removeprefix(_HELD), at=end.at)
    return replace(row, state=DebriefState.WAIVED, by=end.agent, at=end.at)


# --- how it ends -----------------------------------------------------------------------------


@guarded(Verb.DEBRIEF_HOLD)
def hold(work: UnitOfWork, agent: str, *, note: str, actor: str, now: datetime) -> tuple[Debrief, ...]:
    """Record that a supervisor talked over with somebody what they owed; return what it was about.

    Raises `Refused` for a note that explains nothing, for oneself, and if nothing is owed.
    """
    allow(work, actor, Verb.DEBRIEF_HOLD)
    if agent == actor:
        raise Refused("自己的支持性谈话由另一位督导登记;不需要谈,可以自己放弃:hotline duty debrief waive")
    note = checked_reason(note)
    return _end(work, agent, reason=f"{_HELD}{actor}", note=note, actor=actor, now=now)


@guarded(Verb.DUTY_ACT)
def waive(work: UnitOfWork, *, actor: str, now: datetime) -> tuple[Debrief, ...]:
    """Let a counsellor go on without it, for themselves only; return what it was about (R47).

    Raises `Refused` if nothing is owed.
    """
    allow(work, actor, Verb.DUTY_ACT)
    return _end(work, actor, reason=_WAIVED, note="", actor=actor, now=now)


def _end(
    work: UnitOfWork, agent: str, *, reason: str, note: str, actor: str, now: datetime
) -> tuple[Debrief, ...]:
    book = work.book(DEBRIEFS)
    owed = book.where(agent=agent, state=DebriefState.OWED.value)
    if not owed:
        raise Refused(f"{agent} 没有待谈的支持性谈话。")
    # After its beginning, whatever this machine's clock says.
    at = max(now, *(row.since + _INSTANT for row in owed))
    event = PresenceEvent(
        key=f"cli-{uuid4().hex}",
        agent=agent,
        act=PresenceAct.DEBRIEFED,
        at=at,
        source="cli",
        reason=reason,
    )
    work.roster.add_presence(event)
    ended = tuple(book.put(replace(_ended(row, event), note=note)) for row in owed)
    _audit(work, actor, f"duty.debrief_{ended[0].state.value}", agent, now)
    return ended


# --- looking ---------------------------------------------------------------------------------


@guarded(Verb.DUTY_ACT)
def listed(work: UnitOfWork, *, every: bool = False, actor: str) -> Sequence[Debrief]:
    """Return what is owed, oldest first, or `every` debriefing; counsellors see their own only."""
    user = allow(work, actor, Verb.DUTY_ACT)
    book = work.book(DEBRIEFS)
    found = book.where() if every else book.where(state=DebriefState.OWED.value)
    everybody = may(user.roles, Verb.DEBRIEF_HOLD)
    mine = (row for row in found if everybody or row.agent == actor)
    return sorted(mine, key=lambda row: (row.since, row.id))


def _audit(work: UnitOfWork, actor: str, verb: str, agent: str, now: datetime) -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=agent, at=now))
