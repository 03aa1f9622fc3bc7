"""A rescue begun while the counsellor still talks: one act opens the case, the form, and rings (R14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.alarms import Alarm, AlarmKind, AlarmPolicy, new_alarm, rung
from callcenter.domain.calls import CallRecord
from callcenter.domain.case_rules import Ruling
from callcenter.domain.cases import Case, Rescue, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role
from callcenter.errors import NotFound, PbxError, PbxUnreachable
from callcenter.ports import AlarmRoad, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty import debriefs
from callcenter.service.line.alarms import chain, raise_alarm
from callcenter.service.line.crisis import is_past
from callcenter.service.line.risk_clock import unacknowledged
from callcenter.service.names import anonymous_id, pseudonym
from callcenter.service.people.entries import caller_of, resolve
from callcenter.service.risk.cases import Told, follow_told
from callcenter.service.risk.rescues import add_step, asked_again
from scheduler.gates import Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What one act began."""

    case: Case
    rescue: Rescue
    #: None: a supervisor has put their name on the case already. Its `rung_at` is None where the road
    #: could not be rung: then somebody has to call them.
    alarm: Alarm | None
    #: Whom alarms ring, in order. Empty: nobody hears them.
    chain: tuple[str, ...] = ()
    #: Whom somebody has to call where no phone rings: the chain, or all supervisors.
    supervisors: tuple[str, ...] = ()


class HonestRoad:
    """An alarm road that does not count what a PBX that is not there was told; an `AlarmRoad`.

    The order is left all the same: the PBX runs it when it starts, and the alarm is due again at the next
    look. `rung` tells what was really heard.
    """

    def __init__(self, road: AlarmRoad, *, answers: bool) -> None:
        self._road = road
        self.answers = answers
        self.rung: list[Alarm] = []

    def ring(self, alarm: Alarm) -> None:
        """Ring; raise `PbxUnreachable` if nothing answers there."""
        self._road.ring(alarm)
        if not self.answers:
            raise PbxUnreachable
        self.rung.append(alarm)

    def silence(self, alarm_id: str) -> None:
        """Have a climb end."""
        self._road.silence(alarm_id)

    def rearm_watchdog(self, at: datetime) -> None:
        """Have the PBX ring by itself at `at`."""
        self._road.rearm_watchdog(at)


def ring_blind(road: HonestRoad, now: datetime) -> bool:
    """Ring the supervisors where nothing can be written; return whether their phones ring.

    Who asks cannot be checked then; a person in danger does not wait for that. The alarm gets its row when
    somebody acknowledges it by key.
    """
    if road.rung:
        return True
    try:
        road.ring(rung(new_alarm(AlarmKind.RISK_UNACKNOWLEDGED, "", now), now))
    except (OSError, PbxError):
        return False
    return True


@guarded(Verb.RESCUE_WRITE)
def begin(
    work: UnitOfWork,
    road: AlarmRoad,
    reference: str,
    *,
    agency: str,
    note: str = "",
    facts: Mapping[str, str] | None = None,
    line_used: str = "",
    policy: AlarmPolicy,
    rules: Rules,
    actor: str,
    now: datetime,
) -> Begun:
    """Open the caller's case at level 0 and its rescue, and ring the supervisors at once.

    `reference` is a session or a call, which may still go on; empty: the call the actor is in. Doing it
    again adds a step. The caller stays with the counsellor. Raises `NotFound` for none of these.
    """
    allow(work, actor, Verb.RESCUE_WRITE)
    call, session = _meant(work, reference or _own_call(work, actor))
    source = session.id if session is not None else f"se-{call.id}"
    owner = (session.counsellor if session else None) or call.answered_by or actor
    told = Told(
        source=source,
        ruling=Ruling(level=Level.IMMINENT),
        answers=RiskAnswers(asked=True, acting=True),
        ended_at=now,
        owner=owner,
        actor=actor,
        now=now,
        rules=rules,
    )
    case = follow_told(work, _person_of(work, call, session), told)
    if case is None:
        raise NotFound(f"{reference} 的个案已经结案；请先重开（hotline cases reopen）。")
    if actor == owner or not is_past(call, now):
        # Nobody is taken out of the queue over an old call by another's word.
        debriefs.owe(work, owner, call.id, by=actor, now=now)
    form = asked_again(work, case, session=source, by=actor, now=now)
    rescue = add_step(
        work,
        form.id,
        RescueState.REQUESTED if form.state in _MAY_ASK else RescueState.FURTHER_STEP,
        note=note or f"请求 {agency} 出动",
        facts=facts,
        agency=agency,
        line_used=line_used,
        actor=actor,
        now=now,
    )
    waiting = " ".join(unacknowledged(work, now, rules.risk))
    kind = AlarmKind.RISK_UNACKNOWLEDGED
    alarm = raise_alarm(work, road, kind, waiting, now, policy=policy, actor=actor) if waiting else None
    users = work.users.all()
    hear = tuple(user.code for user in chain(users))
    others = tuple(user.code for user in users if user.active and Role.SUPERVISOR in user.roles)
    return Begun(case=case, rescue=rescue, alarm=alarm, chain=hear, supervisors=hear or others)


_MAY_ASK = frozenset({RescueState.NEEDED, RescueState.REQUESTED})


def _own_call(work: UnitOfWork, actor: str) -> str:
    mine = [call.id for call in work.calls.open_calls() if call.answered_by == actor]
    if len(mine) != 1:
        raise NotFound("看不出是哪一通：请写上通话编号。用 hotline calls live 查看正在进行的通话。")
    return mine[0]


def _meant(work: UnitOfWork, reference: str) -> tuple[CallRecord, SessionRow | None]:
    try:
        session = work.sessions.get(reference)
        return work.calls.get(session.call), session
    except NotFound:
        pass
    try:
        call = work.calls.get(reference)
    except NotFound:
        raise NotFound(
            f"没有通话或接访记录 {reference[:60]}。用 hotline calls live 查看正在进行的通话。"
        ) from None
    return call, work.sessions.of_call(call.id)


def _person_of(work: UnitOfWork, call: CallRecord, session: SessionRow | None) -> Person:
    """Return whom the call is with; nobody we know becomes an anonymous person of this call."""
    if session is not None and session.person is not None:
        return resolve(work, session.person)
    known = caller_of(work, call)
    if known is not None:
        return known
    phones = (Phone(number=call.number),) if call.number else ()
    person = Person(id=anonymous_id(call.id), code=pseudonym(call.id), phones=phones)
    work.people.add(person)
    return person
