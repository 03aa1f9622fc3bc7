"""What people do with a case: take, hand over, raise, lower, watch, close, reopen, acknowledge.

Each verb loads the case, decides with `callcenter.domain.case_rules`, saves, logs and audits. Whoever
works on a case may raise it; lowering and closing at level 1 or worse takes two people (R12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from callcenter.domain import case_rules as rule
from callcenter.domain.access import Verb, may
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.books import CASE_EVENTS, CASES
from callcenter.domain.case_rules import Change, Note
from callcenter.domain.case_rules import is_alarming as is_alarming
from callcenter.domain.cases import Case, CaseEvent, CaseState, CloseReason, Rescue, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.people import Person
from callcenter.domain.users import User
from callcenter.errors import Forbidden, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.case_steps import attempts_on, climb, end_steps, open_steps
from callcenter.service.followup.plan_steps import end_of_life
from callcenter.service.line import alarms
from callcenter.service.people.entries import group_of, open_cases, resolve
from callcenter.service.risk import handovers
from callcenter.service.risk.cases import log_notes, save
from callcenter.service.risk.rescues import asked_again, of_case
from scheduler.gates import Rules
from scheduler.obligations import Obligation
from scheduler.windows import daypart_of

#: How somebody was tried other than by a telephone call of ours.
OTHER_WAYS = ("上门", "微信", "短信", "紧急联系人", "单位工会", "社区", "公安")
#: Reasons people give for closing; merging two cases gives its own.
CLOSABLE = tuple(reason.value for reason in CloseReason if reason.name != "MERGED")
#: R26: so many parts of the day have to be tried before somebody counts as unreachable.
DAYPARTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseView:
    """One case with everything that is shown beside it."""

    case: Case
    person: Person = field(repr=False)
    #: What is owed under it, oldest breach first.
    steps: tuple[Obligation, ...] = ()
    events: tuple[CaseEvent, ...] = ()
    rescues: tuple[Rescue, ...] = ()


@guarded(Verb.CASES_SEE)
def list_cases(work: UnitOfWork, *, actor: str, all_of_them: bool = False) -> list[CaseView]:
    """Return the open cases (or all): nobody's and unacknowledged first, then the worst, then the oldest."""
    allow(work, actor, Verb.CASES_SEE)
    found = [
        c for state in CaseState if all_of_them or state is not CaseState.CLOSED for c in _in(work, state)
    ]
    ordered = sorted(
        found, key=lambda c: (not c.is_open, not rule.is_alarming(c), c.level, c.opened_at, c.id)
    )
    people = work.people.many({case.person for case in ordered})
    return [
        CaseView(case=case, person=people[case.person], steps=tuple(open_steps(work, case)))
        for case in ordered
        if case.person in people
    ]


@guarded(Verb.CASES_SEE)
def see_case(work: UnitOfWork, case_id: str, *, actor: str, now: datetime) -> CaseView:
    """Return one case with its steps, its log and its rescues. Looking at a colleague's is written down.

    Raises `NotFound`.
    """
    allow(work, actor, Verb.CASES_SEE)
    case = work.book(CASES).get(case_id)
    if case.owner != actor:
        work.audit.append(AuditEntry(actor=actor, verb="case.see", object=f"case:{case_id}", at=now))
    events = sorted(work.book(CASE_EVENTS).where(case=case_id), key=lambda e: (e.at, e.id))
    return CaseView(
        case=case,
        person=resolve(work, case.person),
        steps=tuple(open_steps(work, case)),
        events=tuple(events),
        rescues=of_case(work, case_id),
    )


@guarded(Verb.CASE_ACT)
def take(work: UnitOfWork, case_id: str, *, actor: str, now: datetime) -> Case:
    """Take a case nobody has: open -> active. Raises `Refused` if it is somebody else's."""
    allow(work, actor, Verb.CASE_ACT)
    return _done(work, rule.taken(work.book(CASES).get(case_id), actor), actor, now)


@guarded(Verb.CASE_SUPERVISE)
def hand_over(work: UnitOfWork, case_id: str, to: str, *, reason: str, actor: str, now: datetime) -> Case:
    """Give a case to somebody else, who must be allowed to work on it. Raises `Refused`.

    It is theirs at once, as a case is never nobody's; supervisors are rung until they say so by name (R45).
    """
    allow(work, actor, Verb.CASE_SUPERVISE)
    _check_may_own(work, to)
    before = work.book(CASES).get(case_id)
    moved = _done(work, rule.handed_over(before, to, reason=reason), actor, now)
    if before.owner != to:
        handovers.reassigned(work, moved, told=reason, by=actor, now=now)
    return moved


def _check_may_own(work: UnitOfWork, to: str) -> None:
    """Raise `Refused` unless the other may work on cases: it is not the actor who is in the wrong place."""
    try:
        allow(work, to, Verb.CASE_ACT)
    except Forbidden as error:
        raise Refused(str(error)) from None


@guarded(Verb.CASE_ACT)
def raise_level(
    work: UnitOfWork, case_id: str, level: Level, *, reason: str, actor: str, now: datetime, rules: Rules
) -> Case:
    """Raise the level: its ladder begins now. Level 0 opens the rescue form (R14)."""
    allow(work, actor, Verb.CASE_ACT)
    change = rule.raised(work.book(CASES).get(case_id), level, reason=reason, now=now)
    return _climbing(work, change, actor, now, rules)


@guarded(Verb.CASE_ACT)
def lower(
    work: UnitOfWork, case_id: str, level: Level, *, reason: str, actor: str, now: datetime, rules: Rules
) -> Case:
    """Lower the level with a reason; from level 1 or worse only propose it (R12).

    Raises `Forbidden` for a colleague's case, except to a supervisor.
    """
    before = _mine(work, case_id, allow(work, actor, Verb.CASE_ACT))
    change = rule.lowered(before, level, by=actor, reason=reason, now=now)
    if change.case.level == before.level:
        return _done(work, change, actor, now)
    return _climbing(work, change, actor, now, rules)


@guarded(Verb.CASE_SUPERVISE)
def confirm(
    work: UnitOfWork,
    case_id: str,
    seen: Level | CloseReason | None,
    *,
    actor: str,
    now: datetime,
    rules: Rules,
) -> Case:
    """Confirm what somebody else proposed, a lower level or closing: never one's own (R12).

    `seen` is the level, or the reason for closing, that the actor saw proposed: raises `Refused` if
    something else is proposed by now, or nothing is named.
    """
    allow(work, actor, Verb.CASE_SUPERVISE)
    if seen is None:
        raise Refused(
            "请写明确认的是什么：--level 级别，或 --closing 原因。先用 hotline cases show 看清提议。"
        )
    case = work.book(CASES).get(case_id)
    if isinstance(seen, Level):
        return _climbing(work, rule.confirmed_lower(case, seen, by=actor, now=now), actor, now, rules)
    change = rule.confirmed_ending(case, seen, by=actor, now=now)
    return _ended(work, case, change, seen, actor, now, rules)


@guarded(Verb.CASE_ACT)
def withdraw(work: UnitOfWork, case_id: str, *, reason: str, actor: str, now: datetime) -> Case:
    """Take back what was proposed: whoever proposed it, or a supervisor who refuses it."""
    user = allow(work, actor, Verb.CASE_ACT)
    case = work.book(CASES).get(case_id)
    proposers = {p.by for p in (case.proposed, case.ending) if p is not None}
    if actor not in proposers and proposers and not may(user.roles, Verb.CASE_SUPERVISE):
        raise Refused("提议由提出的人撤回，或由督导驳回。")
    return _done(work, rule.withdrawn(case, reason=reason), actor, now)


@guarded(Verb.CASE_ACT)
def watch(work: UnitOfWork, case_id: str, *, reason: str, actor: str, now: datetime) -> Case:
    """Only watch from now on: danger has passed, its steps stay owed. Not at level 1 or worse.

    Raises `Forbidden` for a colleague's case, except to a supervisor.
    """
    case = _mine(work, case_id, allow(work, actor, Verb.CASE_ACT))
    return _done(work, rule.watched(case, reason=reason), actor, now)


@guarded(Verb.CASE_ACT)
def close(
    work: UnitOfWork, case_id: str, why: CloseReason, *, note: str, actor: str, now: datetime, rules: Rules
) -> Case:
    """Close a case, and what is owed under it; at level 1 or worse only propose it.

    "Unreachable" is a supervisor's word, after tries in three parts of the day and one that was no call.
    Raises `Forbidden` for a colleague's case, except to a supervisor.
    """
    user = allow(work, actor, Verb.CASE_ACT)
    if why.value not in CLOSABLE:
        raise Refused(f"结案原因应是其中之一：{'、'.join(CLOSABLE)}。")
    case = _mine(work, case_id, user)
    if why is CloseReason.UNREACHABLE:
        if not case.level.is_high and not may(user.roles, Verb.CASE_SUPERVISE):
            raise Refused("以“无法联系”结案由督导决定。")
        _check_tried(work, case, rules)
    change = rule.closed(case, why, by=actor, note=note, now=now)
    if change.case.is_open:
        return _done(work, change, actor, now)
    return _ended(work, case, change, why, actor, now, rules)


@guarded(Verb.CASE_SUPERVISE)
def reopen(work: UnitOfWork, case_id: str, *, reason: str, actor: str, now: datetime, rules: Rules) -> Case:
    """Take a closed case up again: its ladder begins now. Raises `Refused` if another one is open."""
    allow(work, actor, Verb.CASE_SUPERVISE)
    case = work.book(CASES).get(case_id)
    if others := [c.id for c in open_cases(work, resolve(work, case.person)) if c.id != case.id]:
        raise Refused(f"此人已有进行中的个案 {others[0]}，不能再重开一个。")
    return _climbing(work, rule.reopened(case, reason=reason, now=now), actor, now, rules)


@guarded(Verb.CASE_SUPERVISE)
def acknowledge(
    work: UnitOfWork, case_id: str, *, actor: str, now: datetime
) -> tuple[Case, tuple[Alarm, ...]]:
    """Put a supervisor's name on a case: the risk clock stops.

    Returns also the alarms acknowledged with it, for the road to be silenced: once no case is left
    without a name, nobody has to press a key as well.
    """
    allow(work, actor, Verb.CASE_SUPERVISE)
    saved = _done(work, rule.acknowledged(work.book(CASES).get(case_id), by=actor, now=now), actor, now)
    if any(
        rule.is_alarming(c) for state in CaseState if state is not CaseState.CLOSED for c in _in(work, state)
    ):
        return saved, ()
    ringing = [a for a in work.alarms.open() if a.kind is AlarmKind.RISK_UNACKNOWLEDGED]
    return saved, tuple(alarms.acknowledge(work, a.id, actor=actor, now=now) for a in ringing)


@guarded(Verb.CASE_ACT)
def tried(work: UnitOfWork, case_id: str, way: str, *, note: str, actor: str, now: datetime) -> Case:
    """Log a try that was no call of ours: a visit, a message, a contact person. It satisfies nothing."""
    allow(work, actor, Verb.CASE_ACT)
    case = work.book(CASES).get(case_id)
    if way not in OTHER_WAYS:
        raise Refused(f"方式应是其中之一：{'、'.join(OTHER_WAYS)}。")
    entry = Note(kind="tried", after=way, reason=rule.check_reason(note))
    log_notes(work, case, (entry,), by=actor, now=now)
    return case


def _mine(work: UnitOfWork, case_id: str, user: User) -> Case:
    """Return a case that is the user's to make milder, or raise `Forbidden`."""
    case = work.book(CASES).get(case_id)
    rule.check_mine(case, user.code, supervisor=may(user.roles, Verb.CASE_SUPERVISE))
    return case


def _done(work: UnitOfWork, change: Change, actor: str, now: datetime) -> Case:
    return save(work, change, by=actor, now=now)


def _climbing(work: UnitOfWork, change: Change, actor: str, now: datetime, rules: Rules) -> Case:
    """Save a case at another level, and begin its ladder now."""
    saved = save(work, change, by=actor, now=now)
    anchor = f"act-{saved.revision}"
    if saved.level is Level.IMMINENT:
        asked_again(work, saved, session=saved.opened_from, by=actor, now=now)
    return work.book(CASES).put(climb(work, saved, anchor=anchor, since=now, rules=rules, by=actor, now=now))


def _ended(
    work: UnitOfWork, before: Case, change: Change, why: CloseReason, actor: str, now: datetime, rules: Rules
) -> Case:
    if why is CloseReason.UNREACHABLE:
        _check_tried(work, before, rules)
    if still := [r.id for r in of_case(work, before.id) if r.state is not RescueState.CLOSED]:
        raise Refused(f"救援 {still[0]} 还没有结束，先结束救援再结案。")
    saved = save(work, change, by=actor, now=now)
    end_steps(work, before, f"个案已结案：{why.value}", by=actor, now=now, keep_breached=False)
    if why is CloseReason.DIED:
        end_of_life(work, group_of(work, resolve(work, saved.person)), by=actor, now=now)
    return saved


def _check_tried(work: UnitOfWork, case: Case, rules: Rules) -> None:
    """Refuse "unreachable" before people were tried often and differently enough (R26)."""
    zone = rules.windows.zone
    at = [moment for moment, _ in attempts_on(work, case.steps)]
    parts = {daypart_of(moment.astimezone(zone).time()) for moment in at}
    if len(parts) < DAYPARTS:
        raise Refused(f"无法联系：要在早、午、晚三个时段都拨打过（现在有 {len(parts)} 个时段）。")
    if not any(e.kind == "tried" for e in work.book(CASE_EVENTS).where(case=case.id)):
        raise Refused(
            "无法联系：还要有一次电话以外的尝试（上门、微信、联系人），用 hotline cases tried 登记。"
        )


def _in(work: UnitOfWork, state: CaseState) -> Sequence[Case]:
    return work.book(CASES).where(state=state)
