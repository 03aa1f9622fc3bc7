"""What people do with a debt: take it on, put it off, hand it up, say what they heard, decide.

None of it ends a debt. Each act is one row of the debt's history, which only grows, and one of the audit;
the words of a reason stand sealed in the history alone, so that they can be forgotten with the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from callcenter.domain.access import Verb, may
from callcenter.domain.books import DEBT_EVENTS
from callcenter.domain.ledger import DebtAct, DebtEvent, Decision
from callcenter.domain.users import User
from callcenter.errors import NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.acting import LONGEST_REASON as LONGEST_REASON
from callcenter.service.followup.acting import OF_RISK as OF_RISK
from callcenter.service.followup.acting import begin as begin
from callcenter.service.followup.acting import is_pressing, short
from callcenter.service.followup.acting import needed as needed
from callcenter.service.followup.acting import record as record
from callcenter.service.followup.settling import (
    PHONE_STATUS,
    PROMISE_PRIORITY,
    PROMISE_SLA,
    finish,
    learn,
    note,
    numbers_for,
)
from callcenter.service.names import digest
from scheduler.gates import Rules
from scheduler.obligations import (
    OF_CASES,
    OF_REGISTER,
    PROMISED,
    Attempt,
    CauseSource,
    Kind,
    Mode,
    Obligation,
    Result,
)

#: How long a debt may be put off at once, by a person who says why. A routine one: until
#: its period ends.
HIGH_RISK_SNOOZE, SNOOZE = timedelta(hours=4), timedelta(hours=24)
#: R26: somebody in danger who was not reached so long after they were owed a contact needs a decision.
DECIDE_AFTER = timedelta(hours=4)
#: What somebody can hear and say of a try that kept nothing. Anything else is told by the machine.
HEARD = frozenset(
    {
        Result.NO_ANSWER,
        Result.BUSY,
        Result.DECLINED,
        Result.POWERED_OFF,
        Result.OUT_OF_AREA,
        Result.SUSPENDED,
        Result.VACANT,
        Result.ASSISTANT_OR_VOICEMAIL,
        Result.REACHED_OTHER,
        Result.WRONG_PERSON,
        Result.PHONE_REFUSED,
        Result.OPTED_OUT,
        Result.REACHED_SELF_CALLBACK,
        Result.NETWORK_CONGESTION,
    }
)
#: A talk with the person: it keeps the debt, and so it takes something that proves it.
_TALKED = frozenset(
    {
        Result.REACHED_SELF_HUMAN,
        Result.REACHED_SELF_IVR_OK,
        Result.REACHED_SELF_TRANSFER,
        Result.REACHED_SELF_NO_KEY,
    }
)
#: Ids of tries by another road than a call of ours: a visit in vain, a message app.
PRIVATE_PREFIX = "by-"


@guarded(Verb.QUEUE_WORK)
def claim(work: UnitOfWork, obligation_id: str, *, actor: str, now: datetime) -> Obligation:
    """Take a debt on by name.

    Raises `NotFound`; `Refused` for one that is somebody else's, unless the actor may pass debts on;
    `Conflict` if somebody was quicker.
    """
    user = allow(work, actor, Verb.QUEUE_WORK)
    place, one = begin(work, obligation_id, now)
    if one.owner == actor:
        return one
    _check_free(one, user)
    return _handle(work, replace(one, owner=actor), DebtAct.CLAIMED, place, actor, now)


@guarded(Verb.QUEUE_WORK)
def release(work: UnitOfWork, obligation_id: str, *, actor: str, now: datetime) -> Obligation:
    """Give a debt back to whoever works the queue. Raises `NotFound`, `Refused`, `Conflict`."""
    user = allow(work, actor, Verb.QUEUE_WORK)
    place, one = begin(work, obligation_id, now)
    if one.owner is None:
        raise Refused(f"{one.id} 现在没有人认领，不用放回。")
    _check_free(one, user)
    return _handle(work, replace(one, owner=None), DebtAct.RELEASED, place, actor, now, value=one.owner)


@guarded(Verb.QUEUE_ASSIGN)
def assign(
    work: UnitOfWork, obligation_id: str, to: str, *, reason: str = "", actor: str, now: datetime
) -> Obligation:
    """Pass a debt to somebody who works the queue. Raises `NotFound`, `Refused`, `Conflict`."""
    allow(work, actor, Verb.QUEUE_ASSIGN)
    place, one = begin(work, obligation_id, now)
    user = work.users.get(to)
    if not user.active or not may(user.roles, Verb.QUEUE_WORK):
        raise Refused(f"{to} 已停用，或其角色不办理回访，不能交给他们。用 hotline user list 查看人员。")
    said = short(reason)
    return _handle(work, replace(one, owner=to), DebtAct.ASSIGNED, place, actor, now, reason=said, value=to)


@guarded(Verb.QUEUE_WORK)
def snooze(
    work: UnitOfWork,
    obligation_id: str,
    until: datetime,
    *,
    reason: str,
    actor: str,
    now: datetime,
    rules: Rules,
) -> Obligation:
    """Put a debt off until an hour, with a reason. It stays owed, breaches on time and wakes by itself.

    Raises `Refused`, which names the ceiling, for an hour past it (`ceiling`, R31); for somebody else's
    debt, and for one that was handed up, unless the actor may pass debts on.
    """
    user = allow(work, actor, Verb.QUEUE_WORK)
    place, one = begin(work, obligation_id, now)
    _check_free(one, user)
    if one.escalated_at is not None and not may(user.roles, Verb.QUEUE_ASSIGN):
        raise Refused(f"{one.id} 已上报，只有督导可以推迟：请现在办理，或请督导决定。")
    said = needed(reason)
    _check_hour(work, one, until, now, rules)
    put_off = replace(one, snoozed_until=until)
    value = until.isoformat()
    return _handle(work, put_off, DebtAct.SNOOZED, place, actor, now, reason=said, value=value)


@guarded(Verb.QUEUE_WORK)
def wake(work: UnitOfWork, obligation_id: str, *, actor: str, now: datetime) -> Obligation:
    """Take a debt up again before its hour. Raises `NotFound`, `Refused`, `Conflict`."""
    user = allow(work, actor, Verb.QUEUE_WORK)
    place, one = begin(work, obligation_id, now)
    _check_free(one, user)
    if not is_snoozed(one, now):
        raise Refused(f"{one.id} 没有推迟，现在就可以办。")
    return _handle(work, replace(one, snoozed_until=None), DebtAct.WOKEN, place, actor, now)


@guarded(Verb.QUEUE_WORK)
def escalate(work: UnitOfWork, obligation_id: str, *, reason: str, actor: str, now: datetime) -> Obligation:
    """Hand a debt up to the supervisors: it stands first, marked, and is put off no longer.

    Of somebody in danger the supervisors on call are rung too, at the next look at the line. Raises
    `NotFound`, `Refused` without a reason, `Conflict`.
    """
    allow(work, actor, Verb.QUEUE_WORK)
    place, one = begin(work, obligation_id, now)
    said = needed(reason)
    handed = replace(one, escalated_at=now, snoozed_until=None)
    return _handle(work, handed, DebtAct.ESCALATED, place, actor, now, reason=said)


@guarded(Verb.QUEUE_DECIDE)
def decide(
    work: UnitOfWork, obligation_id: str, what: Decision | str, *, reason: str, actor: str, now: datetime
) -> DebtEvent:
    """Record what a supervisor decided about somebody in danger whom nobody reaches (R26).

    The debt stays owed; its alarm rests as if somebody had acknowledged it. It may come before the four
    hours are over: nobody waits with a welfare check. Raises `NotFound`, `Refused`, `Conflict`.
    """
    allow(work, actor, Verb.QUEUE_DECIDE)
    place, one = begin(work, obligation_id, now)
    if one.kind is not Kind.HIGH_RISK:
        raise Refused("只有高危随访要作这样的决定；别的事可以转交（assign）、推迟（snooze）或免除（waive）。")
    if what not in set(Decision):
        raise Refused(f"没有「{what}」这样的决定：{'、'.join(Decision)}。")
    said = needed(reason)
    return record(work, one.id, DebtAct.DECIDED, place, actor, now, reason=said, value=Decision(what).value)


@guarded(Verb.QUEUE_WORK)
def outcome(
    work: UnitOfWork,
    obligation_id: str,
    result: Result | str,
    *,
    actor: str,
    now: datetime,
    at: datetime | None = None,
    call: str | None = None,
    place: int | None = None,
    note: str = "",
    rules: Rules | None = None,
) -> Attempt:
    """Write down what somebody heard: of a call that was dialled (`call`), or of another road.

    It means what the same result means when the machine finds it: for the ladder, the number, the person's
    wishes. Who asked to be called again is promised it. `place`: which of the person's numbers it is about,
    from 1, where no call tells. Raises `NotFound`; `Conflict`; `Refused` for what would keep the debt, which
    takes a proof (`queue done`), and for a call that still rings or whose result stands.
    """
    allow(work, actor, Verb.QUEUE_WORK)
    turn, one = begin(work, obligation_id, now)
    heard, when = _heard(result), at or now
    if when > now or when < one.created_at:
        raise Refused("时间不能在将来，也不能早于这件事产生的时间。")
    if call and place is not None:
        raise Refused("写了 --call 就不写 --number-place：拨的是哪个号码，那次拨打已经记着。")
    rules = rules or Rules()
    if call:
        tried = _dialled(work, one, call, heard, actor, now)
    else:
        callee = _number_meant(work, one, heard, place)
        tried = replace(_privately(work, one, heard, actor, when, now), callee=callee)
    record(work, one.id, DebtAct.OUTCOME, turn, actor, now, reason=short(note), value=heard.value)
    if call:
        finish(work, tried, now, rules)
    else:
        work.debts.add_attempt(tried)
    learn(work, one, tried, when, told=f"heard by {actor}, {tried.id}")
    if heard is Result.REACHED_SELF_CALLBACK:
        _promise(work, one, tried, when, actor, now, rules)
    return tried


def history(work: UnitOfWork, obligation_id: str) -> Sequence[DebtEvent]:
    """Return what was done with a debt, in the order of the acts' numbers: a clock may go back."""
    return work.book(DEBT_EVENTS).where(obligation=obligation_id)


def is_snoozed(one: Obligation, now: datetime) -> bool:
    """Tell whether somebody put it off and its hour has not come."""
    return one.snoozed_until is not None and one.snoozed_until > now


def ceiling(one: Obligation, now: datetime, *, pressing: bool) -> datetime:
    """Return until when a debt may be put off at `now`; not after `now`: it may not be at all.

    Pressing ones (`is_pressing`) four hours, and never past four hours after the breach; routine until the
    period ends (R31), what a plan calls for until its window does; everything else a day.
    """
    longest = min(now, one.window_end) + HIGH_RISK_SNOOZE if pressing else now + SNOOZE
    if one.kind is Kind.PLANNED:
        return min(longest, one.window_end) if pressing else one.window_end
    return one.window_end if one.kind in OF_REGISTER else longest


def needs_decision(one: Obligation, acts: Sequence[DebtEvent], now: datetime) -> bool:
    """Tell whether a supervisor has to say what becomes of somebody in danger (R26)."""
    decided = any(act.act is DebtAct.DECIDED for act in acts)
    return one.kind is Kind.HIGH_RISK and not decided and now >= one.due_at + DECIDE_AFTER


def _check_free(one: Obligation, user: User) -> None:
    if one.owner in {None, user.code} or may(user.roles, Verb.QUEUE_ASSIGN):
        return
    raise Refused(
        f"{one.id} 由 {one.owner} 负责。请对方放回（hotline queue release），"
        "或请督导转交（hotline queue assign）。"
    )


def _check_hour(work: UnitOfWork, one: Obligation, until: datetime, now: datetime, rules: Rules) -> None:
    zone = rules.windows.zone
    if until <= now:
        passed = f"{until.astimezone(zone):%m-%d %H:%M} 已经过去"
        raise Refused(f"{passed}：推迟到的时间要在现在之后。")
    pressing = is_pressing(work, one)
    latest = ceiling(one, now, pressing=pressing)
    if latest <= now:
        raise Refused(f"{one.id} 已经逾期，不能再推迟：请现在办理，或上报督导（hotline queue escalate）。")
    if until > latest:
        rule = _CEILINGS.get(one.kind) or (_PRESSING if pressing else _OTHERS)
        raise Refused(f"{rule}：这一件最迟到 {latest.astimezone(zone):%m-%d %H:%M}。")


def _heard(result: Result | str) -> Result:
    if result in _TALKED:
        raise Refused(
            "与本人谈过要有凭据才算：hotline queue done 编号 --call 通话编号，或 --visit 走访编号。"
        )
    if result not in HEARD:
        raise Refused(f"没有「{result}」这样能听到的结果：{'、'.join(sorted(HEARD))}。")
    return Result(result)


def _dialled(
    work: UnitOfWork, one: Obligation, call: str, heard: Result, actor: str, now: datetime
) -> Attempt:
    """Return the attempt that was dialled, with the result somebody heard."""
    attempt = work.debts.hold_attempt(call)
    if attempt is None or attempt.obligation != one.id:
        raise NotFound(f"{one.id} 没有这次拨打：{call}。别的方式联系过，请不写 --call。")
    if attempt.result not in {None, Result.UNKNOWN} and not attempt.may_be_heard:
        raise Refused(f"{call} 已有结果，不能改写。")
    if any(open_call.id == call for open_call in work.calls.open_calls()):
        raise Refused("通话还没有结束，结束后再登记。")
    # Who was rung first hears their own call; of a machine's call nobody hears anything.
    is_heard = attempt.by == actor and not attempt.is_automatic
    if not is_heard and _still_rings(work, one, attempt, now):
        raise Refused(
            "这通电话可能还在响，或者正在通话：请等通话记录。几分钟后还没有结果，再登记您知道的情况。"
        )
    return replace(attempt, result=heard, settled_at=now, cause_source=CauseSource.HUMAN, doubt=None)


def _still_rings(work: UnitOfWork, one: Obligation, attempt: Attempt, now: datetime) -> bool:
    """Tell whether a call may still go on of which the journal has told nothing: only its lease knows."""
    lease = one.lease
    held = lease is not None and lease.owner == attempt.id and lease.holds(now)
    return held and attempt.in_doubt and attempt.id not in work.calls.known_closed([attempt.id])


def _number_meant(work: UnitOfWork, one: Obligation, heard: Result, place: int | None) -> str | None:
    """Return the number that a result without a call is about; None: it is about none, or nobody can tell.

    At somebody's door no number was dialled. Raises `Refused` for a place where no number stands.
    """
    person = work.people.get(one.person)
    if place is not None:
        if not 1 <= place <= len(person.phones):
            raise Refused(f"本人登记了 {len(person.phones)} 个号码，没有第 {place} 个：hotline people show。")
        return person.phones[place - 1].number
    if heard not in PHONE_STATUS or one.kind is Kind.VISIT:
        return None
    known = numbers_for(person, one)
    return known[0] if len(known) == 1 else None


def _privately(
    work: UnitOfWork, one: Obligation, heard: Result, actor: str, when: datetime, now: datetime
) -> Attempt:
    """Return a try that no line of ours knows of."""
    made = work.debts.attempts(one.id)
    n = max((attempt.n for attempt in made), default=0) + 1
    return Attempt(
        id=f"{PRIVATE_PREFIX}{digest(f'{one.id}/{n}')}",
        obligation=one.id,
        n=n,
        planned_at=when,
        dialled_at=when,
        by=actor,
        result=heard,
        settled_at=now,
        cause_source=CauseSource.HUMAN,
    )


def _promise(
    work: UnitOfWork, one: Obligation, tried: Attempt, when: datetime, actor: str, now: datetime, rules: Rules
) -> None:
    """Owe a call back to who asked for one, beside what is owed; a promise or a step is owed already."""
    if one.kind in PROMISED or one.kind in OF_CASES:
        return
    within = PROMISE_SLA[Kind.CALLBACK]
    promised = Obligation(
        id=f"ob-{digest(f'heard/{tried.id}')}",
        person=one.person,
        kind=Kind.CALLBACK,
        due_at=when,
        window_end=rules.windows.after_working_time(when, within, rules.calendar),
        mode=Mode.HUMAN_ONLY,
        priority=PROMISE_PRIORITY[Kind.CALLBACK],
        origin=tried.id,
        created_at=when,
    )
    if work.debts.add(promised):
        note(work, actor, "obligation.open", promised.id, now, reason="promise")


_CEILINGS = {
    Kind.HIGH_RISK: "高危随访一次最多推迟 4 小时，且不晚于逾期后 4 小时",
    **dict.fromkeys(OF_REGISTER, "例行回访最迟推迟到本期结束"),
    Kind.PLANNED: "计划内的联系最迟推迟到它自己的期限",
}
_PRESSING = "紧急的事、处境危险的人的事，一次最多推迟 4 小时，且不晚于逾期后 4 小时"
_OTHERS = "这类事一次最多推迟 24 小时"


def _handle(
    work: UnitOfWork,
    changed: Obligation,
    act: DebtAct,
    place: int,
    actor: str,
    now: datetime,
    *,
    reason: str = "",
    value: str = "",
) -> Obligation:
    """Write the act, then what it changed: who lost the race for its number changes nothing."""
    record(work, changed.id, act, place, actor, now, reason=reason, value=value)
    work.debts.handle(changed)
    return changed
