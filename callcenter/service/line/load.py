"""What those on duty have carried this shift, from the calls on record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from callcenter.domain.books import CASES, STAFF
from callcenter.domain.calls import URGENT, CallRecord
from callcenter.domain.cases import CaseState
from callcenter.domain.duty import PresenceAct, joined_spans, on_duty, presence_of
from callcenter.domain.levels import Level
from callcenter.domain.load import loads, weight
from callcenter.ports import UnitOfWork
from callcenter.service.duty.presence import LONGEST_SHIFT, surge_until


def loads_at(work: UnitOfWork, now: datetime) -> dict[str, int]:
    """Return agent -> 0 to 9 of everybody on duty: how much more they had than whoever had least."""
    began = _began(work, now)
    if len(began) < 2:
        return dict.fromkeys(began, 0)
    since = min(began.values())
    calls = [c for c in work.calls.between(since, now) if c.answered_by in began and c.talk is not None]
    heavy = _heavy(work, calls, since, now)
    taken = dict.fromkeys(began, timedelta(0))
    for call in calls:
        agent, talk = call.answered_by, call.talk
        if agent is not None and talk is not None and call.started_at >= began[agent]:
            taken[agent] += weight(talk, is_heavy=call.id in heavy)
    return loads(taken, {profile.id: profile.share for profile in work.book(STAFF).where()})


def _began(work: UnitOfWork, now: datetime) -> dict[str, datetime]:
    """Return when the present time at the line of everybody on duty began; shifts that touch are one."""
    shifts = work.roster.shifts_between(now - LONGEST_SHIFT, now + LONGEST_SHIFT)
    presence = presence_of(work.roster.presence_events())
    began = {}
    for agent in on_duty(shifts, presence, now, surge_until=surge_until(work)):
        spans = joined_spans(shift for shift in shifts if shift.agent == agent)
        began[agent] = next(start for start, end in spans if start <= now < end)
    return began


def _heavy(work: UnitOfWork, calls: Iterable[CallRecord], since: datetime, now: datetime) -> frozenset[str]:
    """Return the calls in which somebody was in danger: by what followed from them, or by their flow."""
    acts = work.roster.presence_between(since, now)
    debriefs = {act.reason for act in acts if act.act is PresenceAct.DEBRIEF}
    open_states = (CaseState.OPEN, CaseState.ACTIVE, CaseState.WATCH)
    book = work.book(CASES)
    at_risk = {c.person for s in open_states for c in book.where(up_to={"level": Level.HIGH}, state=s)}
    sessions = {row.call: row for row in work.sessions.since(since)}
    heavy = set()
    for call in calls:
        row = sessions.get(call.id)
        about = row is not None and (row.id in debriefs or row.person in at_risk)
        if about or call.id in debriefs or call.flow_outcome in URGENT:
            heavy.add(call.id)
    return frozenset(heavy)
