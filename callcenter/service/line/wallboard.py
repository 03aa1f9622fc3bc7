"""The wallboard: who waits, who talks with whom, who is there, and how today goes.

All of it is read from the store, so it is there while the PBX is away; how fresh it is stands on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from callcenter.domain.access import Verb, may
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.books import CALLER_PLANS
from callcenter.domain.calls import CallRecord, Direction
from callcenter.domain.duty import Presence, Shift, ShiftKind, presence_of
from callcenter.domain.numbers import mask_name
from callcenter.domain.people import Person
from callcenter.domain.users import User
from callcenter.domain.wallboard import (
    LONG_TALK,
    At,
    Board,
    Ear,
    OnBoard,
    OnLine,
    Pending,
    Priority,
    Standing,
    place_of,
    ringing,
    today_of,
)
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.presence import LONGEST_SHIFT, by_phone, surge_until
from callcenter.service.line import call_views
from callcenter.service.line.call_views import ShownCall
from callcenter.service.line.crisis import open_crises
from callcenter.service.line.listening import ears_on
from callcenter.service.people.nearness import at_high_risk
from callcenter.service.risk import handovers

#: Which of somebody's shifts counts, where they have two.
_KINDS = (ShiftKind.LINE, ShiftKind.BACKUP, ShiftKind.SUPERVISOR)


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """Who looks, and when."""

    work: UnitOfWork
    user: User
    now: datetime

    @property
    def sees_all(self) -> bool:
        """Tell whether what callers and colleagues are to each other is theirs to see."""
        return may(self.user.roles, Verb.SESSION_READ_ALL)


@guarded(Verb.CALLS_SEE)
def board(
    work: UnitOfWork,
    *,
    midnight: datetime,
    wrap_up: timedelta,
    unread: int | None = None,
    actor: str,
    now: datetime,
) -> Board:
    """Return the wallboard as the actor may see it; raise `Forbidden`.

    `midnight`: when today began at the site. `wrap_up`: how long nobody rings after a talk. `unread`: bytes
    of the journal that are not in the store yet.
    """
    view = _View(work=work, user=allow(work, actor, Verb.CALLS_SEE), now=now)
    raw = {call.id: call for call in work.calls.open_calls() if call.direction is not Direction.INTERNAL}
    today = work.calls.between(midnight, now + timedelta(seconds=1))
    until = surge_until(work)
    crises = open_crises(work)
    shown = (one for one in call_views.going_on(work, actor=actor) if one.call.id in raw)
    return Board(
        at=now,
        calls=tuple(_on_line(view, raw[one.call.id], one, crises) for one in shown),
        people=_people(view, raw.values(), today, wrap_up),
        pending=_pending(view, crises),
        today=today_of(today),
        surge_until=until if until and until > now else None,
        unread=unread,
    )


# --- callers -----------------------------------------------------------------------------------


def _on_line(view: _View, call: CallRecord, shown: ShownCall, crises: Mapping[str, Alarm]) -> OnLine:
    at, since = place_of(call)
    priority = _priority(view, call)
    calm = priority is not Priority.AT_RISK and call.id not in crises
    talks = at is At.TALKING and call.answered_by is not None
    return OnLine(
        id=call.id,
        at=at,
        since=since,
        direction=call.direction,
        number=shown.call.number,
        who=(call.answered_by or "",) if talks else ringing(call),
        priority=priority if view.sees_all or not priority else Priority.SOME,
        is_long=talks and calm and view.now - since >= LONG_TALK,
        ears=_ears(view, call) if talks else (),
    )


def _priority(view: _View, call: CallRecord) -> Priority:
    """Return why a caller goes before others, the gravest reason."""
    people = view.work.people.having(call.number) if call.number else ()
    reasons = [_reason(view.work, person) for person in people]
    order = (Priority.AT_RISK, Priority.AGREED, Priority.OWED)
    return next((one for one in order if one in reasons), Priority.NONE)


def _reason(work: UnitOfWork, person: Person) -> Priority:
    if at_high_risk(work, person):
        return Priority.AT_RISK
    plan = work.book(CALLER_PLANS).one(person.id)
    if plan is not None and plan.rank:
        return Priority.AGREED
    return Priority.OWED if work.debts.open(person=person.id) else Priority.NONE


def _ears(view: _View, call: CallRecord) -> tuple[Ear, ...]:
    found = ears_on(view.work, call.id, actor=view.user.code)
    now = (one for one in found if one.started_at is not None and one.ended_at is None)
    return tuple(Ear(by=one.by, mode=one.mode) for one in now)


# --- what nobody has taken on ------------------------------------------------------------------


def _pending(view: _View, crises: Mapping[str, Alarm]) -> tuple[Pending, ...]:
    found = [
        Pending(kind=alarm.kind, id=call, since=alarm.raised_at, agent=alarm.detail.partition(" ")[2])
        for call, alarm in crises.items()
    ]
    if may(view.user.roles, Verb.HANDOVER):
        found += [
            Pending(
                kind=AlarmKind.HANDOVER_OPEN,
                id=one.id,
                since=one.sent_at,
                agent=one.from_agent,
                to=one.to,
            )
            for one in handovers.listed(view.work, actor=view.user.code)
        ]
    told = (AlarmKind.CRISIS, AlarmKind.HANDOVER_OPEN)
    found += [
        Pending(kind=alarm.kind, id=alarm.id, since=alarm.raised_at)
        for alarm in view.work.alarms.open()
        if alarm.kind not in told
    ]
    return tuple(sorted(found, key=lambda one: (one.kind is not AlarmKind.CRISIS, one.since, one.id)))


# --- people at the line ------------------------------------------------------------------------


def _people(
    view: _View, calls: Iterable[CallRecord], today: Iterable[CallRecord], wrap_up: timedelta
) -> tuple[OnBoard, ...]:
    work, now = view.work, view.now
    users = by_phone(work)
    planned = work.roster.shifts_between(now - LONGEST_SHIFT, now + timedelta(seconds=1))
    shifts: dict[str, Shift] = {}
    for kind in _KINDS:
        for shift in planned:
            if shift.kind is kind and shift.covers(now) and shift.agent in users:
                shifts.setdefault(shift.agent, shift)
    presence = presence_of(work.roster.presence_events())
    busy = _busy(calls)
    ended = _last_ends(today)
    found = []
    for agent, shift in shifts.items():
        standing = _standing(
            shift,
            presence.get(agent, Presence()),
            busy.get(agent),
            ended.get(agent),
            now - wrap_up,
            sees_why=agent == view.user.code or may(view.user.roles, Verb.DEBRIEF_HOLD),
        )
        found.append(replace(standing, name=mask_name(users[agent].name)))
    order = [kind.value for kind in _KINDS]
    return tuple(sorted(found, key=lambda one: (order.index(one.kind), one.agent)))


def _busy(calls: Iterable[CallRecord]) -> dict[str, tuple[Standing, datetime]]:
    """Return who talks or is rung, and since when."""
    busy: dict[str, tuple[Standing, datetime]] = {}
    for call in calls:
        at, since = place_of(call)
        if at is At.TALKING and call.answered_by:
            busy[call.answered_by] = (Standing.TALKING, since)
        for agent in ringing(call):
            busy.setdefault(agent, (Standing.RINGING, since))
    return busy


def _last_ends(calls: Iterable[CallRecord]) -> dict[str, datetime]:
    ended: dict[str, datetime] = {}
    for call in calls:
        over = call.parted_at or call.ended_at
        if call.answered_by and over:
            ended[call.answered_by] = max(over, ended.get(call.answered_by, over))
    return ended


def _standing(
    shift: Shift,
    presence: Presence,
    busy: tuple[Standing, datetime] | None,
    ended: datetime | None,
    wraps_since: datetime,
    *,
    sees_why: bool,
) -> OnBoard:
    """Return what somebody does. Why they rest, a hard call above all, is theirs and supervisors' (R47)."""

    def is_(standing: Standing, since: datetime | None, reason: str = "") -> OnBoard:
        return OnBoard(
            agent=shift.agent, name="", kind=shift.kind.value, standing=standing, since=since, reason=reason
        )

    if busy is not None:
        return is_(*busy)
    at_line = shift.kind is ShiftKind.LINE
    if presence.debrief and (sees_why or presence.signed_on or not at_line):
        return is_(Standing.DEBRIEF if sees_why else Standing.PAUSED, presence.since)
    if not at_line:
        return is_(Standing.ON_CALL, None)
    if not presence.signed_on:
        left = presence.since is not None and presence.since > shift.start
        return is_(Standing.LEFT, presence.since) if left else is_(Standing.NOT_SIGNED_ON, shift.start)
    if presence.paused:
        return is_(Standing.PAUSED, presence.since, presence.reason if sees_why else "")
    if ended is not None and ended > wraps_since:
        return is_(Standing.WRAP_UP, ended)
    return is_(Standing.FREE, ended or presence.since)
