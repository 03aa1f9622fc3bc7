"""How a repeat caller is looked after. A plan helps whoever answers; it never limits anybody's calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import CALLER_PLANS
from callcenter.domain.people import Person
from callcenter.domain.privacy import CallerPlan
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of, named
from callcenter.service.people.nearness import changed_by
from callcenter.service.people.people import storable

_LONGEST = 2000
_TEXTS = ("times", "links", "instructions")


@guarded(Verb.PEOPLE_PLAN)
def set_plan(
    work: UnitOfWork,
    person_id: str,
    *,
    worker: str | None = None,
    times: str | None = None,
    links: str | None = None,
    instructions: str | None = None,
    review_on: datetime | None = None,
    actor: str,
    now: datetime,
) -> CallerPlan:
    """Set what is given of somebody's plan and leave the rest; an empty text takes one away.

    Raises `Refused` for a worker who is not here or a text that is too long, and `Forbidden` to a
    counsellor who does not work with them.
    """
    person = changed_by(work, person_id, verb=Verb.PEOPLE_PLAN, actor=actor, now=now)
    book = work.book(CALLER_PLANS)
    given: dict[str, str] = {
        name: storable(text)
        for name, text in (("times", times), ("links", links), ("instructions", instructions))
        if text is not None
    }
    if any(len(text) > _LONGEST for text in given.values()):
        raise Refused(f"每一项最多 {_LONGEST} 个字。")
    before = book.one(person.id)
    plan = standing_plan(work, person) or CallerPlan(id=person.id, by=actor, at=now)
    changed = replace(
        plan,
        id=person.id,
        revision=before.revision if before else 0,
        **given,
        worker=_worker(work, plan.worker, worker),
        review_on=review_on or plan.review_on,
        by=actor,
        at=now,
    )
    if before is None:
        book.add(changed)
    else:
        changed = book.put(changed)
    for name in ("worker", *_TEXTS, "review_on"):
        if getattr(changed, name) != getattr(plan, name):
            entry = AuditEntry(
                actor=actor, verb="people.plan", object=f"person:{person.id}", at=now, field=name
            )
            work.audit.append(entry)
    return changed


@guarded(Verb.PEOPLE_PLAN)
def plan_of(work: UnitOfWork, person_id: str, *, actor: str, now: datetime) -> CallerPlan:
    """Return somebody's plan, or raise `NotFound`."""
    allow(work, actor, Verb.PEOPLE_PLAN)
    plan = standing_plan(work, named(work, person_id))
    if plan is None:
        raise NotFound("还没有为此人写约定。用 hotline people plan --set 写一份。")
    return plan


def standing_plan(work: UnitOfWork, person: Person) -> CallerPlan | None:
    """Return somebody's plan; where they have none, that of an entry merged into theirs."""
    found = (work.book(CALLER_PLANS).one(entry) for entry in group_of(work, person))
    return next((plan for plan in found if plan is not None), None)


def _worker(work: UnitOfWork, before: str | None, wanted: str | None) -> str | None:
    if not wanted:
        return before if wanted is None else None
    try:
        is_here = work.users.get(wanted).active
    except NotFound:
        is_here = False
    if not is_here:
        raise Refused(f"没有在用的人员 {wanted}。")
    return wanted
