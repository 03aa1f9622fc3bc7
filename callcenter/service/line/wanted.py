"""What the PBX must hold, so that calls find their people while nothing of ours runs (P1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from callcenter.domain import reconcile
from callcenter.domain.books import STAFF
from callcenter.domain.duty import (
    Presence,
    Shift,
    ShiftKind,
    joined_spans,
    on_duty,
    presence_of,
    shift_edges,
)
from callcenter.domain.reconcile import Wanted
from callcenter.domain.staff import Skill, queues_of
from callcenter.domain.users import User
from callcenter.ports import UnitOfWork
from callcenter.service.duty.presence import by_phone, surge_until
from callcenter.service.followup.callers import Opening, line_facts

#: Shift edges are laid this far ahead in the PBX; the intervals reach a day further.
EDGES_AHEAD = timedelta(days=7)
INTERVALS_AHEAD = timedelta(days=8)
#: A change of the roster within this time is pushed at once, a later one with the next whole comparison.
SOON = timedelta(hours=1)
#: A line without opening hours.
ALWAYS = Opening()
_SPANS_OF = {
    ShiftKind.LINE: reconcile.SHIFT,
    ShiftKind.BACKUP: reconcile.BACKUP,
    ShiftKind.SUPERVISOR: reconcile.LEAD,
}
_NO_LOADS: Mapping[str, int] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What changes seldom, as read once: who has a phone, and the shifts with what follows from them."""

    users: Mapping[str, User]
    shifts: tuple[Shift, ...]
    facts: Mapping[str, str] = field(repr=False)
    edges: Mapping[datetime, frozenset[str]]

    def holds(self, work: UnitOfWork, now: datetime) -> bool:
        """Tell whether the roster still says the same about the next hour: a quarter of the work to ask."""
        near = work.roster.shifts_between(now, now + SOON)
        known = (s for s in self.shifts if s.start < now + SOON and s.end > now)
        return {s for s in near if s.agent in self.users} == set(known)


def pbx_wants(
    work: UnitOfWork,
    now: datetime,
    *,
    salt: str,
    opening: Opening = ALWAYS,
    loads: Mapping[str, int] = _NO_LOADS,
    plan: Plan | None = None,
) -> Wanted:
    """Return seats, facts and edges as the store has them at `now`. `salt`: the PBX's own.

    `loads`: agent -> 0 to 9 (`callcenter.service.line.load`). `plan`: as read just now.
    """
    plan = plan or plan_at(work, now)
    wanted = duty_wants(work, now, loads=loads, plan=plan)
    about_callers = line_facts(work, now, plan.users.values(), opening, salt)
    return replace(wanted, facts={**wanted.facts, **about_callers})


def plan_at(work: UnitOfWork, now: datetime) -> Plan:
    """Read the plan of the coming days."""
    users = by_phone(work)
    read = work.roster.shifts_between(now, now + INTERVALS_AHEAD)
    shifts = tuple(shift for shift in read if shift.agent in users)
    edges = shift_edges(shifts, now, now + EDGES_AHEAD)
    return Plan(users=users, shifts=shifts, facts=_span_facts(shifts), edges=edges)


def duty_wants(
    work: UnitOfWork, now: datetime, *, plan: Plan, loads: Mapping[str, int] = _NO_LOADS
) -> Wanted:
    """Return the same without what is known of callers: few rows, so that a change is quickly there."""
    users = plan.users
    presence = {a: p for a, p in presence_of(work.roster.presence_events()).items() if a in users}
    skills = {p.id: p.skills for p in work.book(STAFF).where() if p.id in users}
    until = surge_until(work)
    surge = until if until is not None and until > now else None
    facts = {
        **plan.facts,
        **_presence_facts(presence),
        **{f"{reconcile.PIN}/{u.code}": u.pin_verifier for u in users.values() if u.pin_verifier},
        **{f"{reconcile.SKILL}/{agent}": _words(has) for agent, has in skills.items() if has},
        **{
            f"{reconcile.LOAD}/{agent}": str(load) for agent, load in loads.items() if load and agent in users
        },
        **({f"{reconcile.SURGE}/until": str(int(surge.timestamp()))} if surge else {}),
    }
    here = on_duty(plan.shifts, presence, now, surge_until=surge)
    seats = {agent: queues_of(skills.get(agent, ())) for agent in here}
    return Wanted(seats=seats, facts=facts, edges=_edges(plan, surge))


def _span_facts(shifts: Iterable[Shift]) -> dict[str, str]:
    of_each: dict[str, list[Shift]] = defaultdict(list)
    for shift in shifts:
        of_each[f"{_SPANS_OF[shift.kind]}/{shift.agent}"].append(shift)
    return {
        key: reconcile.spans_text(joined_spans(theirs)[: reconcile.MOST_SPANS])
        for key, theirs in sorted(of_each.items())
    }


def _presence_facts(presence: Mapping[str, Presence]) -> dict[str, str]:
    facts = {}
    for agent, stands in presence.items():
        if stands.signed_on:
            facts[f"{reconcile.SIGNED}/{agent}"] = "1"
        if stands.paused:
            facts[f"{reconcile.PAUSED}/{agent}"] = stands.reason or "rest"
        if stands.debrief:
            facts[f"{reconcile.DEBRIEF}/{agent}"] = "1"
    return facts


def _words(skills: Collection[Skill]) -> str:
    return "&".join(skill for skill in Skill if skill in skills)


def _edges(plan: Plan, surge: datetime | None) -> Mapping[datetime, frozenset[str]]:
    """Return when whom has to be decided anew: where shifts and on-call times begin and end, and a surge."""
    if surge is None:
        return plan.edges
    called = {s.agent for s in plan.shifts if s.kind is ShiftKind.BACKUP and s.start < surge <= s.end}
    edges = {**plan.edges, surge: plan.edges.get(surge, frozenset()) | called}
    return dict(sorted(edges.items()))
