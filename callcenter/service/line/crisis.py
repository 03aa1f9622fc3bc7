"""Somebody in a call is in danger: supervisors are called to it on another line (R14).

The counsellor's key does that with nothing of ours alive, and its journal row makes the alarm's row here;
a command takes the same road. The alarm's id follows from the call, so that both are one alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.alarms import Alarm, AlarmKind, crisis_id, rung
from callcenter.domain.calls import CallRecord
from callcenter.domain.fold import LineAct, LineActKind
from callcenter.errors import NotFound, PbxError, Refused
from callcenter.ports import AlarmRoad, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty import debriefs
from callcenter.service.line.alarms import SYSTEM, chain, note, ring

#: So long after its end a call may still be called out about; later a phone that rings helps nobody in it.
LATELY = timedelta(minutes=10)
#: How far back alarms that somebody acknowledged are looked for.
_RECENT = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Called:
    """What calling for help came to."""

    #: Its `rung_at` is before now where the order could not be left.
    alarm: Alarm
    #: Whom alarms ring, in order, besides supervisors on call. Empty: perhaps nobody.
    chain: tuple[str, ...]


@guarded(Verb.CRISIS_CALL)
def call_for_help(work: UnitOfWork, road: AlarmRoad, call_id: str, *, actor: str, now: datetime) -> Called:
    """Have supervisors rung for a call, now; the caller stays with the counsellor.

    Asked again, it rings again under the same alarm, but not beside a climb that goes on. Whoever talks
    is not rung for another caller until it was talked over (R47). Raises `NotFound` for an unknown call,
    and `Refused` for one that ended a while ago.
    """
    allow(work, actor, Verb.CRISIS_CALL)
    call = _call(work, call_id)
    if is_past(call, now):
        raise Refused(
            f"{call_id} 已经挂断一段时间，按这通电话呼叫督导帮不到本人。"
            f"人还在危险中：hotline rescue call {call_id} --agency 110（建个案并呼叫督导）；"
            "已有个案的，看 hotline cases list。"
        )
    known = _alarm(work, crisis_id(call_id))
    if known is None:
        known = _new(call_id, call.answered_by or actor, now)
        note(work, actor, "alarm.raise", known, now)
    alarm = ring(work, road, known, now, actor)
    work.alarms.put(alarm)
    if call.answered_by is not None:
        debriefs.owe(work, call.answered_by, call_id, by=actor, now=now)
    return Called(alarm=alarm, chain=tuple(user.code for user in chain(work.users.all())))


def is_past(call: CallRecord, now: datetime) -> bool:
    """Tell whether a call ended a while ago: nobody is in it any more, and whoever took it works on."""
    return call.ended_at is not None and now - call.ended_at > LATELY


def ring_blind(road: AlarmRoad, call_id: str, now: datetime) -> bool:
    """Ring where nothing can be read or written; return whether the order could be left.

    Who asks cannot be checked then; a person in danger does not wait for that. The alarm gets its row when
    somebody acknowledges it by key, or the store is asked again.
    """
    try:
        road.ring(rung(_new(call_id, "", now), now))
    except (OSError, PbxError):
        return False
    return True


def open_crises(work: UnitOfWork) -> dict[str, Alarm]:
    """Return, by call id, the crises that no supervisor has acknowledged."""
    return {_call_of(alarm): alarm for alarm in work.alarms.open() if alarm.kind is AlarmKind.CRISIS}


def on_rows(work: UnitOfWork, acts: Sequence[LineAct], now: datetime) -> tuple[Alarm, ...]:
    """Give each crisis told by the journal its row; return those that are new.

    The PBX has rung already. An acknowledgement by key may have come first: it stands (P6).
    """
    first: dict[str, LineAct] = {}
    for act in sorted((a for a in acts if a.kind is LineActKind.CRISIS), key=lambda a: (a.at, a.key)):
        first.setdefault(act.call, act)
    changed = (_heard(work, act) for act in first.values())
    return tuple(alarm for alarm in changed if alarm is not None)


def on_closed(work: UnitOfWork, calls: Sequence[CallRecord], now: datetime) -> None:
    """Note that the call of a crisis is over. That acknowledges nothing: an open alarm rings on."""
    ended = {call.id: call.ended_at for call in calls}
    for alarm in {a.id: a for a in (*work.alarms.open(), *work.alarms.recent(_RECENT))}.values():
        at = ended.get(_call_of(alarm)) if alarm.kind is AlarmKind.CRISIS else None
        if at is not None and alarm.stands:
            work.alarms.put(replace(alarm, cleared_at=at))


def _heard(work: UnitOfWork, act: LineAct) -> Alarm | None:
    known = _alarm(work, crisis_id(act.call))
    if known is not None and _call_of(known):
        return None
    told = _new(act.call, act.word("agent"), act.at)
    alarm = replace(known or told, raised_at=act.at, rung_at=act.at, detail=told.detail)
    alarm = replace(alarm, cleared_at=_ended_at(work, act.call))
    work.alarms.put(alarm)
    if known is None:
        note(work, SYSTEM, "alarm.raise", alarm, act.at)
    return alarm


def _new(call_id: str, agent: str, at: datetime) -> Alarm:
    detail = f"{call_id} {agent}".strip()
    return Alarm(id=crisis_id(call_id), kind=AlarmKind.CRISIS, raised_at=at, detail=detail)


def _call_of(alarm: Alarm) -> str:
    """Return the call an alarm of this kind is about; empty where only its key 1 was told."""
    return alarm.detail.partition(" ")[0]


def _ended_at(work: UnitOfWork, call_id: str) -> datetime | None:
    try:
        return work.calls.get(call_id).ended_at
    except NotFound:
        return None


def _call(work: UnitOfWork, call_id: str) -> CallRecord:
    try:
        return work.calls.get(call_id)
    except NotFound:
        raise NotFound(f"没有通话 {call_id[:60]}。用 hotline calls live 查看正在进行的通话。") from None


def _alarm(work: UnitOfWork, alarm_id: str) -> Alarm | None:
    try:
        return work.alarms.get(alarm_id)
    except NotFound:
        return None
