"""What one person has to get done: what they took on or were given, and the steps of their cases."""

from __future__ import annotations

from callcenter.domain.access import Verb
from callcenter.domain.books import CASES
from callcenter.domain.cases import CaseState
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup import debt_views
from callcenter.service.followup.case_steps import open_steps
from callcenter.service.followup.debt_views import DebtView
from callcenter.service.followup.debts import LineFacts

_STANDING = (CaseState.OPEN, CaseState.ACTIVE, CaseState.WATCH)


@guarded(Verb.QUEUE_SEE)
def mine(work: UnitOfWork, facts: LineFacts, *, actor: str) -> list[DebtView]:
    """Return what is the actor's to do, due or not, the most pressing first; raise `Forbidden`."""
    allow(work, actor, Verb.QUEUE_SEE)
    found = {one.id: one for one in work.debts.owned_by(actor)}
    cases = [case for state in _STANDING for case in work.book(CASES).where(state=state, owner=actor)]
    found.update((step.id, step) for case in cases for step in open_steps(work, case))
    views = debt_views.views(work, list(found.values()), facts)
    return sorted((view for view in views if view.owner == actor), key=lambda view: view.rank)
