"""Plans: contacts called for again and again, and the debts that follow from them.

The debts follow from plans, evidence and closings alone, like those of the register (`sweeping`): one open
step per plan at a time. A step about a hospital day that was missed is worthless once that day is over, so
the next one takes its place, a rank higher; a missed talk stays owed until it is kept, and those whose day
has come meanwhile are one debt with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.books import PLANS
from callcenter.domain.ledger import Plan, PlanKind, PlanState
from callcenter.domain.reasons import storable
from callcenter.errors import NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.debts import LineFacts
from callcenter.service.followup.plan_steps import (
    begin_anew,
    belongs,
    day_of,
    ended_steps,
    first_owed,
    number_of,
    series_of,
    stays,
    sweep_some,
)
from callcenter.service.followup.settling import note
from callcenter.service.followup.sweeping import Swept, is_leased
from callcenter.service.people.entries import group_of, named, resolve
from callcenter.service.people.nearness import changed_by, check_changes
from callcenter.words import PLAN_WORDS, rhythm_words
from scheduler.errors import SchedulerError
from scheduler.gates import Rules
from scheduler.obligations import ClosingKind, Kind, Obligation

_LONGEST_NOTE = 500
_SHORTEST_MONTH = 28
#: An anchor lies no further from today than this: a mistyped year plans nothing for ever.
_BACK, _AHEAD = timedelta(days=3660), timedelta(days=740)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanView:
    """A plan as it stands: whose it is by pseudonym, and what is owed under it."""

    plan: Plan
    code: str
    owed: Obligation | None = None

    @property
    def rank(self) -> tuple[object, ...]:
        """Return its place in a list."""
        return (self.owed is None, self.owed.due_at if self.owed else self.plan.at, self.plan.id)


def sweep_plans(work: UnitOfWork, now: datetime, rules: Rules) -> Swept:
    """Bring what plans call for up to date: one open step per plan. The caller commits."""
    return sweep_some(work, work.book(PLANS).where(state=PlanState.ACTIVE), now, rules)


@guarded(Verb.PLANS_CHANGE)
def plan(
    work: UnitOfWork,
    person: str,
    *,
    kind: PlanKind,
    anchor: date,
    every_days: int | None = None,
    every_months: int | None = None,
    days_before: int = 0,
    hour: time = time(10),
    until: date | None = None,
    owner: str | None = None,
    about: str = "",
    actor: str,
    now: datetime,
    rules: Rules,
) -> Plan:
    """Plan contacts for somebody and owe the first one.

    Raises `Refused` for a series that makes no sense, owes nothing or is there already, `NotFound`, and
    `Forbidden` to a counsellor who does not work with them.
    """
    found = changed_by(work, person, verb=Verb.PLANS_CHANGE, actor=actor, now=now)
    made = Plan(
        id=f"pl-{uuid4().hex[:12]}",
        person=found.id,
        kind=kind,
        anchor=anchor,
        every_days=every_days,
        every_months=every_months,
        days_before=days_before,
        hour=hour,
        until=until,
        owner=owner,
        note=about.strip(),
        by=actor,
        at=now,
        anchored_at=now,
    )
    _check(work, made, now, rules)
    _check_rhythm(work, made, now, rules)
    work.book(PLANS).add(made)
    _note(work, made, "plan.add", actor, now)
    sweep_some(work, [made], now, rules)
    return work.book(PLANS).get(made.id)


@guarded(Verb.PLANS_CHANGE)
def move(
    work: UnitOfWork,
    plan_id: str,
    anchor: date,
    *,
    reason: str,
    actor: str,
    now: datetime,
    rules: Rules,
) -> Plan:
    """Begin a plan anew from another day; what was owed gives way by name.

    What is due stays, or counts as missed. Raises `Refused` as `plan` does.
    """
    before = _of(work, plan_id, actor, now)
    return _anew(work, before, replace(before, anchor=anchor), "anchor", _reason(reason), actor, now, rules)


@guarded(Verb.PLANS_CHANGE)
def change(
    work: UnitOfWork,
    plan_id: str,
    *,
    every_days: int | None = None,
    every_months: int | None = None,
    days_before: int | None = None,
    hour: time | None = None,
    until: date | None = None,
    owner: str | None = None,
    about: str | None = None,
    reason: str,
    actor: str,
    now: datetime,
    rules: Rules,
) -> Plan:
    """Change what is given of a plan and leave the rest; `owner` "" takes the owner away.

    Another rhythm, hour or end begins it anew from the same day, as `move` does.
    """
    before, told = _of(work, plan_id, actor, now), _reason(reason)
    other_rhythm = every_days is not None or every_months is not None
    rhythm = replace(
        before,
        every_days=every_days if other_rhythm else before.every_days,
        every_months=every_months if other_rhythm else before.every_months,
        days_before=before.days_before if days_before is None else days_before,
        hour=hour or before.hour,
        until=until or before.until,
    )
    after = replace(
        rhythm,
        owner=before.owner if owner is None else owner or None,
        note=before.note if about is None else about.strip(),
    )
    anew = rhythm != before
    if anew:
        return _anew(work, before, after, "rhythm", told, actor, now, rules)
    _check(work, after, now, rules)
    saved = work.book(PLANS).put(_told(after, told, actor, now))
    _hand_on(work, saved)
    _note(work, saved, "plan.change", actor, now, "owner" if after.owner != before.owner else "note")
    return saved


@guarded(Verb.PLANS_CHANGE)
def end(work: UnitOfWork, plan_id: str, *, reason: str, actor: str, now: datetime) -> Plan:
    """End a plan, and the step that is owed under it, by name and with a reason."""
    before, told = _of(work, plan_id, actor, now), _reason(reason)
    _check_idle(work, before, now)
    ended_steps(work, before, told, ClosingKind.LEFT, by=actor, now=now)
    saved = work.book(PLANS).put(replace(before, state=PlanState.ENDED, ended_because=told))
    _note(work, saved, "plan.end", actor, now, ClosingKind.LEFT.value)
    return saved


@guarded(Verb.PLANS_SEE)
def plans(
    work: UnitOfWork, *, person: str | None = None, ended: bool = False, actor: str
) -> Sequence[PlanView]:
    """Return the plans (of one person), what is owed soonest first; ended ones on demand, at the end."""
    allow(work, actor, Verb.PLANS_SEE)
    group = None if person is None else group_of(work, named(work, person))
    book = work.book(PLANS)
    found = book.where() if ended else book.where(state=PlanState.ACTIVE)
    mine = [one for one in found if group is None or one.person in group]
    return sorted(_views(work, mine), key=lambda row: row.rank)


@guarded(Verb.PLANS_SEE)
def plan_of(work: UnitOfWork, plan_id: str, *, actor: str) -> PlanView:
    """Return a plan and what is owed under it, or raise `NotFound`."""
    allow(work, actor, Verb.PLANS_SEE)
    return _views(work, [_known(work, plan_id)])[0]


def why_planned(work: UnitOfWork, one: Obligation, facts: LineFacts) -> list[str]:
    """Say of a step which plan calls for it, and how its day was counted."""
    found = work.book(PLANS).one(one.origin.split("/")[0])
    zone, day = facts.rules.windows.zone, day_of(one)
    due = f"{one.due_at.astimezone(zone):%Y-%m-%d %H:%M} 起应联系，只能由工作人员联系。"
    if found is None or day is None:
        return [due]
    about = f"说明：{found.note}" if found.note else ""
    plain = day - timedelta(days=found.days_before)
    moved = one.due_at.astimezone(zone).date() < plain
    ahead = f"，提前 {found.days_before} 天联系" if found.days_before else ""
    return [
        f"联系计划 {found.id}（{PLAN_WORDS[found.kind]}）：{rhythm_words(found)}，从 {found.anchor} 起算。",
        f"第 {number_of(one) + 1} 次，日子是 {day}{ahead}。",
        *(["遇休息日，提前到最近的工作日。"] if moved else []),
        *([about] if about else []),
        *(["上一次没有联系上，这一次提前办理。"] if one.raised else []),
        due,
    ]


# --- how -----------------------------------------------------------------------------------


def _known(work: UnitOfWork, plan_id: str) -> Plan:
    found = work.book(PLANS).one(plan_id.strip()[:60])
    if found is None:
        raise NotFound(f"没有联系计划 {plan_id[:60]}。用 hotline plans list 查看。")
    return found


def _views(work: UnitOfWork, found: Sequence[Plan]) -> list[PlanView]:
    people = work.people.many({one.person for one in found})
    owed = work.debts.open_of({one.person for one in found})
    return [
        PlanView(
            plan=one,
            code=people[one.person].code,
            owed=next((o for o in owed.get(one.person, ()) if belongs(o, one)), None),
        )
        for one in found
    ]


def _of(work: UnitOfWork, plan_id: str, actor: str, now: datetime) -> Plan:
    """Return a plan that stands, for somebody who may change it."""
    user, found = allow(work, actor, Verb.PLANS_CHANGE), _known(work, plan_id)
    if found.owner != actor:
        check_changes(work, user, resolve(work, found.person), now)
    if found.state is PlanState.ENDED:
        raise Refused(f"{found.id} 已经结束。要再联系，请另订一份（hotline plans add）。")
    return found


def _anew(
    work: UnitOfWork,
    before: Plan,
    after: Plan,
    what: str,
    reason: str,
    actor: str,
    now: datetime,
    rules: Rules,
) -> Plan:
    anchored = replace(_told(after, reason, actor, now), round=before.round + 1, anchored_at=now)
    _check(work, anchored, now, rules)
    _check_idle(work, before, now)
    _check_rhythm(work, anchored, now, rules)
    saved = work.book(PLANS).put(anchored)
    _note(work, saved, "plan.move", actor, now, what)
    begin_anew(work, saved, f"计划改期：{reason}", by=actor, now=now, rules=rules)
    return work.book(PLANS).get(saved.id)


def _told(after: Plan, reason: str, actor: str, now: datetime) -> Plan:
    """Keep why a plan was changed with it, sealed: the audit has codes only."""
    return replace(after, changes=(*after.changes, f"{now:%Y-%m-%d %H:%M%z} {actor}：{reason}"))


def _check_rhythm(work: UnitOfWork, wanted: Plan, now: datetime, rules: Rules) -> None:
    """Refuse a plan that calls for a day before the last one is over, or that owes nothing."""
    shortest = wanted.every_days or _SHORTEST_MONTH * (wanted.every_months or 1)
    if wanted.days_before >= shortest:
        raise Refused("提前的天数要少于间隔：下一次不能早于上一个日子。")
    following = first_owed(work, wanted, now, rules)
    owed = [o for o in work.debts.open(person=wanted.person, kind=Kind.PLANNED) if belongs(o, wanted)]
    if following is not None or any(stays(wanted, one, following, now, rules) for one in owed):
        return
    first = first_owed(work, replace(wanted, until=None), now, rules)
    when = f"最早能联系的是 {first.due_at:%Y-%m-%d}（为 {first.day}），" if first else ""
    raise Refused(
        f"这样一次联系也不会有：{when}而计划到 {wanted.until} 为止。"
        "请改起算或终止的日子；不再联系，请结束这份计划（hotline plans end）。"
    )


def _check(work: UnitOfWork, wanted: Plan, now: datetime, rules: Rules) -> None:
    today = now.astimezone(rules.windows.zone).date()
    if not today - _BACK <= wanted.anchor <= today + _AHEAD:
        raise Refused("起算的日子离今天太远，请核对年份。")
    if wanted.until is not None and wanted.until < max(wanted.anchor, today):
        raise Refused("终止的日子已经过去，或早于起算的日子。")
    if rules.windows.is_quiet(datetime.combine(today, wanted.hour, rules.windows.zone)):
        raise Refused("这个时刻在静默时段内，不能定为联系的时间。")
    if len(wanted.note) > _LONGEST_NOTE:
        raise Refused(f"说明最多 {_LONGEST_NOTE} 个字。")
    try:
        series_of(wanted)
    except SchedulerError:
        raise Refused("请写一种间隔：1 至 366 天，或 1 至 24 个月；提前 0 至 60 天。") from None
    _check_owner(work, wanted)
    _check_twin(work, wanted)


def _check_owner(work: UnitOfWork, wanted: Plan) -> None:
    if wanted.owner is None:
        return
    try:
        user = work.users.get(wanted.owner)
    except NotFound:
        raise Refused(f"没有在用的人员 {wanted.owner[:40]}。") from None
    if not user.active or not may(user.roles, Verb.QUEUE_WORK):
        raise Refused(
            f"{user.code} 已停用，或其角色不办理回访，不能由其负责。用 hotline user list 查看人员。"
        )


def _check_twin(work: UnitOfWork, wanted: Plan) -> None:
    what = (wanted.kind, wanted.anchor, wanted.every_days, wanted.every_months, wanted.days_before)
    for one in work.book(PLANS).where(person=wanted.person, state=PlanState.ACTIVE):
        its = (one.kind, one.anchor, one.every_days, one.every_months, one.days_before)
        if one.id != wanted.id and its == what:
            raise Refused(f"已有同样的联系计划 {one.id}。")


def _check_idle(work: UnitOfWork, one: Plan, now: datetime) -> None:
    """Refuse while somebody is just making the contact."""
    doubtful = {attempt.obligation for attempt in work.debts.attempts_in_doubt()}
    for owed in work.debts.open(person=one.person, kind=Kind.PLANNED):
        if belongs(owed, one) and (owed.id in doubtful or is_leased(owed, now)):
            raise Refused("正有人在联系此人，或有一通电话还不知道结果。请过几分钟再试。")


def _hand_on(work: UnitOfWork, saved: Plan) -> None:
    """Give the step that is owed to the plan's new owner."""
    for owed in work.debts.open(person=saved.person, kind=Kind.PLANNED):
        if belongs(owed, saved) and owed.owner != saved.owner:
            work.debts.handle(replace(owed, owner=saved.owner))


def _reason(text: str) -> str:
    if not text.strip():
        raise Refused("更改或结束一份联系计划必须写明理由。")
    if len(text) > _LONGEST_NOTE:
        raise Refused(f"理由最多 {_LONGEST_NOTE} 个字。")
    return storable(text)


def _note(work: UnitOfWork, one: Plan, verb: str, actor: str, now: datetime, reason: str = "") -> None:
    note(work, actor, verb, f"plan:{one.id}", now, reason=reason)
