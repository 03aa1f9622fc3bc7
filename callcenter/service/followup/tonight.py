"""What the dialler will do: the gates asked ahead of time, for what is owed until then (R22).

A look ahead, on what is known now: as if no caller rang in, and every call ended as assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup import debt_views
from callcenter.service.followup.debt_views import DebtView
from callcenter.service.followup.debts import LineFacts
from scheduler.gates import Line
from scheduler.ladder import Who
from scheduler.obligations import Result
from scheduler.outlook import Held, Try, simulate

#: So many debts are looked at; the caps let far fewer through in a day.
MOST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Tonight:
    """What is ahead until `until`."""

    until: datetime
    #: What a machine would dial, in time's order, with the debt it is for.
    tries: tuple[tuple[Try, DebtView], ...]
    #: What a machine might dial and would not, and the gates that say so.
    held: tuple[tuple[Held, DebtView], ...]
    #: What waits for a person, the most pressing first.
    people: tuple[DebtView, ...]
    #: Debts further down that nobody looked at.
    beyond: int


@guarded(Verb.QUEUE_SEE)
def tonight(
    work: UnitOfWork,
    facts: LineFacts,
    *,
    until: datetime,
    line: Line,
    assume: Result = Result.NO_ANSWER,
    actor: str,
) -> Tonight:
    """Return what the dialler will do until `until`; raise `Forbidden`.

    `line`: what the site has while nobody rings in.
    """
    allow(work, actor, Verb.QUEUE_SEE)
    owed = [v for v in debt_views.queue(work, facts, all_of_them=True) if v.obligation.due_at <= until]
    looked = owed[:MOST]
    machine = {view.id: view for view in looked if view.may_be_automatic and view.step.who is Who.IVR}
    ahead = simulate([view.situation for view in machine.values()], until=until, line=line, assume=assume)
    return Tonight(
        until=until,
        tries=tuple((one, machine[one.obligation]) for one in ahead.tries),
        held=tuple((one, machine[one.obligation]) for one in _never_dialled(ahead.held, ahead.tries)),
        people=tuple(view for view in looked if view.id not in machine),
        beyond=len(owed) - len(looked),
    )


def _never_dialled(held: Sequence[Held], tries: Sequence[Try]) -> list[Held]:
    dialled = {one.obligation for one in tries}
    return [one for one in held if one.obligation not in dialled]
