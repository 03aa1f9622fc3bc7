"""How a repeat caller is looked after. A plan helps whoever answers; it never limits anybody's calls.

Three things of it routing goes by: the worker, who is asked for first; a wish for a woman or a man; and a
rank in the queue, which raises and never lowers.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import CALLER_PLANS
from callcenter.domain.people import Person
from callcenter.domain.privacy import HIGHEST_RANK, CallerPlan, Wish
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of, named
from callcenter.service.people.nearness import changed_by
from callcenter.service.people.people import storable

_LONGEST = 2000
_ROUTED = ("worker", "wish", "rank")
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
    wish: Wish | None = None,
    rank: int | None = None,
    review_on: datetime | None = None,
    actor: str,
    now: datetime,
) -> CallerPlan:
    """Set what is given of somebody's plan and leave the rest; an empty text takes one away.

    Raises `Refused` for a worker who is not here, a text that is too long or a rank that only people in
    danger have, and `Forbidden` to a counsellor who does not work with them.
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
    if rank is not None and not 0 <= rank <= HIGHEST_RANK:
        raise Refused(f"排队次序为 0 至 {HIGHEST_RANK}。更高的次序只留给处在危险中的人。")
    before = book.one(person.id)
    plan = standing_plan(work, person) or CallerPlan(id=person.id, by=actor, at=now)
    changed = replace(
        plan,
        id=person.id,
        revision=before.revision if before else 0,
        **given,
        worker=_worker(work, plan.worker, worker),
        wish=plan.wish if wish is None else wish,
        rank=plan.rank if rank is None else rank,
        review_on=review_on or plan.review_on,
        by=actor,
        at=now,
    )
    if before is None:
        book.add(changed)
    else:
        changed = book.put(changed)
    _note_changes(work, plan, changed)
    return changed


def _note_changes(work: UnitOfWork, before: CallerPlan, after: CallerPlan) -> None:
    """Write which fields differ into the audit; tell the bridge of those that routing goes by."""
    differing = [n for n in (*_ROUTED, *_TEXTS, "review_on") if getattr(after, n) != getattr(before, n)]
    for name in differing:
        about = f"person:{after.id}"
        work.audit.append(
            AuditEntry(actor=after.by, verb="people.plan", object=about, at=after.at, field=name)
        )
    if any(name in _ROUTED for name in differing):
        work.roster.touch()


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
