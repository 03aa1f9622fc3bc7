"""What the roster is planned from: shifts that recur, how many people are needed, what differs on a date.

Nothing here changes who is rung: that does publishing (`callcenter.service.duty.publishing`).
Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import NEEDS, OVERRIDES, TEMPLATES
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_faults import USUAL
from callcenter.domain.planning import days_of, named_in, override_id, source_of
from callcenter.domain.reasons import SHORTEST, explains, storable
from callcenter.domain.roster import Need, Override, OverrideAct, Template
from callcenter.errors import NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import check_fit
from callcenter.service.duty.presence import LONGEST_SHIFT, note

_MOST_WEEKS, _MOST_PEOPLE, _LONGEST_NAME = 52, 100, 40
_WEEK = frozenset(range(7))


# --- templates ---------------------------------------------------------------------------------


@guarded(Verb.DUTY_PLAN)
def add_template(
    work: UnitOfWork,
    *,
    name: str,
    kind: ShiftKind,
    days: frozenset[int],
    start: time,
    length: timedelta,
    agents: tuple[str, ...],
    first: date,
    last: date | None = None,
    every: int = 1,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Template:
    """Plan a shift that recurs; raise `Refused` where it makes no sense or its people cannot have it."""
    allow(work, actor, Verb.DUTY_PLAN)
    template = Template(
        id=f"tp-{uuid4().hex[:8]}",
        name=storable(name),
        kind=kind,
        days=days,
        start=start,
        length=length,
        agents=agents,
        first=first,
        last=last,
        every=every,
    )
    _check(work, template)
    work.book(TEMPLATES).add(template)
    note(work, actor, "duty.template_add", template.id, now, reason)
    return template


@guarded(Verb.DUTY_PLAN)
def change_template(
    work: UnitOfWork, template: Template, *, actor: str, now: datetime, reason: str = ""
) -> Template:
    """Replace a template as it was read; raise `Refused`, `NotFound`, or `Conflict` if it changed since."""
    allow(work, actor, Verb.DUTY_PLAN)
    _check(work, template)
    after = work.book(TEMPLATES).put(template)
    note(work, actor, "duty.template_change", template.id, now, reason)
    return after


@guarded(Verb.DUTY_PLAN)
def end_template(
    work: UnitOfWork, template_id: str, last: date, *, actor: str, now: datetime, reason: str = ""
) -> Template:
    """Let a template's shifts begin for the last time on `last`; raise `NotFound` or `Refused`."""
    allow(work, actor, Verb.DUTY_PLAN)
    template = replace(work.book(TEMPLATES).get(template_id), last=last)
    if last < template.first:
        raise Refused("最后一天早于第一天。要整个取消,用 hotline duty template remove。")
    after = work.book(TEMPLATES).put(template)
    note(work, actor, "duty.template_end", template_id, now, reason)
    return after


@guarded(Verb.DUTY_PLAN)
def remove_template(
    work: UnitOfWork, template_id: str, *, actor: str, now: datetime, reason: str = ""
) -> Template:
    """Take a template away, and what differed from it; raise `NotFound`.

    Its shifts stay published until their days are published anew.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    template = work.book(TEMPLATES).get(template_id)
    for override in work.book(OVERRIDES).where(template=template_id):
        work.book(OVERRIDES).remove(override.id)
    work.book(TEMPLATES).remove(template_id)
    note(work, actor, "duty.template_remove", template_id, now, reason)
    return template


@guarded(Verb.DUTY_SEE)
def list_templates(work: UnitOfWork, *, actor: str) -> Sequence[Template]:
    """Return the templates by kind, start and name; raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SEE)
    return sorted(work.book(TEMPLATES).where(), key=lambda t: (t.kind, t.start, t.name, t.id))


def _check(work: UnitOfWork, template: Template) -> None:
    _check_slot(template.days, template.length)
    if not 0 < len(template.name) <= _LONGEST_NAME:
        raise Refused(f"名称要有,最多 {_LONGEST_NAME} 个字。")
    if not 1 <= template.every <= _MOST_WEEKS:
        raise Refused(f"每几周一次:1 到 {_MOST_WEEKS}。")
    if template.last is not None and template.last < template.first:
        raise Refused("最后一天早于第一天。")
    if len(set(template.agents)) != len(template.agents) or not 0 < len(template.agents) <= _MOST_PEOPLE:
        raise Refused(f"人员要写 1 到 {_MOST_PEOPLE} 位,每位一次。")
    check_fit(work, template.agents, template.kind)


def _check_slot(days: frozenset[int], length: timedelta) -> None:
    if not days or not days <= _WEEK:
        raise Refused("请写明星期几。")
    if not timedelta(0) < length <= LONGEST_SHIFT:
        raise Refused("时长要大于零,最多 24 小时。")


# --- how many are needed -----------------------------------------------------------------------


@guarded(Verb.DUTY_PLAN)
def add_need(
    work: UnitOfWork,
    *,
    days: frozenset[int],
    start: time,
    length: timedelta,
    seats: int = 2,
    supervisors: int = 1,
    backups: int = 0,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Need:
    """Say how many people a slot of the week needs (R44); where slots overlap the most counts.

    Raise `Refused` for less than two seats or a supervisor without a reason.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    _check_slot(days, length)
    if not all(0 <= count <= _MOST_PEOPLE for count in (seats, supervisors, backups)):
        raise Refused(f"人数:0 到 {_MOST_PEOPLE}。")
    if (seats < USUAL[0] or supervisors < USUAL[1]) and not explains(reason):
        raise Refused(f"少于两席或没有督导,要用 --reason 写明理由,至少 {SHORTEST} 个字。")
    need = Need(
        id=f"nd-{uuid4().hex[:8]}",
        days=days,
        start=start,
        length=length,
        seats=seats,
        supervisors=supervisors,
        backups=backups,
    )
    work.book(NEEDS).add(need)
    note(work, actor, "duty.need_add", _told(need), now, reason)
    return need


@guarded(Verb.DUTY_PLAN)
def remove_need(work: UnitOfWork, need_id: str, *, actor: str, now: datetime, reason: str = "") -> Need:
    """Take a need away and return it; raise `NotFound`."""
    allow(work, actor, Verb.DUTY_PLAN)
    need = work.book(NEEDS).get(need_id)
    work.book(NEEDS).remove(need_id)
    note(work, actor, "duty.need_remove", _told(need), now, reason)
    return need


def _told(need: Need) -> str:
    """Return a need as the audit keeps it: seats, supervisors and backups behind its id."""
    return f"{need.id}/{need.seats}-{need.supervisors}-{need.backups}"


@guarded(Verb.DUTY_SEE)
def list_needs(work: UnitOfWork, *, actor: str) -> Sequence[Need]:
    """Return the needs by day of the week and start; raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SEE)
    return sorted(work.book(NEEDS).where(), key=lambda n: (sorted(n.days), n.start, n.id))


# --- what differs on a date --------------------------------------------------------------------


@guarded(Verb.DUTY_PLAN)
def add_override(
    work: UnitOfWork,
    template_id: str,
    day: date,
    act: OverrideAct,
    *,
    agent: str = "",
    substitute: str = "",
    actor: str,
    now: datetime,
    reason: str = "",
) -> Override:
    """Let a template not hold on one date, for one of its people or all, or somebody else come instead.

    Raise `NotFound`; `Refused` if there is no such shift then, it differs already, or the substitute
    cannot have it.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    template = work.book(TEMPLATES).get(template_id)
    if day not in days_of(template, day, day):
        raise Refused(f"{template_id} 在 {day} 没有班。用 hotline duty template list 查看。")
    if agent and agent not in template.agents:
        raise Refused(f"{agent} 不在 {template_id} 里。")
    match act:
        case OverrideAct.CANCEL if substitute:
            raise Refused("取消就不写替班的人。")
        case OverrideAct.SUBSTITUTE if not agent or not substitute or substitute in template.agents:
            raise Refused("替班要写明替谁、由谁来替;来替的人当天不在这个班里。")
        case OverrideAct.SUBSTITUTE:
            check_fit(work, (substitute,), template.kind)
        case OverrideAct.CANCEL:
            pass
    made = _override(template_id, day, agent, substitute, by=actor, now=now, reason=reason)
    if work.book(OVERRIDES).one(made.id) is not None:
        raise Refused(f"这一天已有调整 {made.id}。先用 hotline duty override remove {made.id} 撤销。")
    _check_has_effect(work, template, made)
    work.book(OVERRIDES).add(made)
    note(work, actor, "duty.override_add", made.id, now, reason)
    return made


def _check_has_effect(work: UnitOfWork, template: Template, made: Override) -> None:
    """Raise `Refused` where the whole shift is called off and somebody would be put into it all the same."""
    others = [o for o in work.book(OVERRIDES).where(template=template.id) if o.day == made.day]
    if made.agent and (whole := [o.id for o in others if not o.agent]):
        raise Refused(
            f"这一天整个班已取消({whole[0]}),单独的调整不起作用。"
            f"先用 hotline duty override remove {whole[0]} 撤销。"
        )
    off = {o.agent for o in others if o.act is OverrideAct.CANCEL}
    in_vain = [o.id for o in others if o.act is OverrideAct.SUBSTITUTE or off >= {*template.agents}]
    if not made.agent and in_vain:
        raise Refused(
            f"这一天已有单独的调整 {'、'.join(sorted(in_vain))},整个班取消后不起作用。"
            "先用 hotline duty override remove 逐个撤销。"
        )


@guarded(Verb.DUTY_PLAN)
def remove_override(
    work: UnitOfWork, override_id: str, *, actor: str, now: datetime, reason: str = ""
) -> Override:
    """Let the template hold again on that date; raise `NotFound`."""
    allow(work, actor, Verb.DUTY_PLAN)
    override = work.book(OVERRIDES).get(override_id)
    work.book(OVERRIDES).remove(override_id)
    note(work, actor, "duty.override_remove", override_id, now, reason)
    return override


@guarded(Verb.DUTY_SEE)
def list_overrides(work: UnitOfWork, *, actor: str, since: date | None = None) -> Sequence[Override]:
    """Return what differs from `since` on, by date; raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SEE)
    found = (o for o in work.book(OVERRIDES).where() if since is None or o.day >= since)
    return sorted(found, key=lambda o: (o.day, o.template, o.agent))


def keep_in_plan(
    work: UnitOfWork, shift: Shift, taker: str | None, *, by: str, now: datetime, reason: str
) -> None:
    """Write into the plan who has a published shift now (None: nobody), so that publishing keeps it.

    A shift planned by hand, or of a template that is gone or names others now, is in no plan.
    """
    source = source_of(shift)
    template = work.book(TEMPLATES).one(source[0]) if source else None
    named = named_in(template, shift) if template else None
    if source is None or named is None:
        return
    made = _override(*source, named, taker or "", by=by, now=now, reason=reason)
    try:
        work.book(OVERRIDES).remove(made.id)
    except NotFound:
        pass
    if taker != named:
        work.book(OVERRIDES).add(made)


def _override(
    template: str, day: date, agent: str, substitute: str, *, by: str, now: datetime, reason: str
) -> Override:
    return Override(
        id=override_id(template, day, agent),
        template=template,
        day=day,
        act=OverrideAct.SUBSTITUTE if substitute else OverrideAct.CANCEL,
        agent=agent,
        substitute=substitute,
        reason=storable(reason),
        by=by,
        at=now,
    )
