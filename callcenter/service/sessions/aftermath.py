"""What a submitted record sets going, told by what now stands in the store: nothing is promised here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from callcenter.domain.cases import Case, RescueState
from callcenter.domain.people import PhoneStatus
from callcenter.domain.sessions import SessionRow
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.followup.case_steps import open_steps
from callcenter.service.people.entries import group_of, resolve
from callcenter.service.risk.rescues import of_case
from scheduler.obligations import Obligation


@dataclass(frozen=True, kw_only=True, slots=True)
class Aftermath:
    """What stands open after a record was submitted."""

    #: Pseudonym of whom the record is about.
    person: str | None = None
    #: Whether there is a number of theirs that may be dialled.
    is_reachable: bool = True
    #: Rescues of the case that have not ended.
    rescues: tuple[str, ...] = ()
    #: What is owed under the case, the most pressing first.
    owed: Sequence[Obligation] = field(default=(), repr=False)
    #: Whether the caller is still in the line.
    is_live: bool = False


NOTHING = Aftermath()


def aftermath(work: UnitOfWork, head: SessionRow, case: Case | None) -> Aftermath:
    """Return what stands open for whom a record is about."""
    return Aftermath(
        person=resolve(work, head.person).code if head.person else None,
        is_reachable=head.person is None or _is_reachable(work, head.person),
        rescues=_going_on(work, case),
        owed=tuple(open_steps(work, case)) if case else (),
        is_live=_is_live(work, head),
    )


def _is_reachable(work: UnitOfWork, person_id: str) -> bool:
    group = group_of(work, resolve(work, person_id))
    phones = (phone for entry in group for phone in work.people.get(entry).phones)
    return any(phone.safe_to_call and phone.status is PhoneStatus.OK for phone in phones)


def _going_on(work: UnitOfWork, case: Case | None) -> tuple[str, ...]:
    if case is None:
        return ()
    return tuple(one.id for one in of_case(work, case.id) if one.state is not RescueState.CLOSED)


def _is_live(work: UnitOfWork, head: SessionRow) -> bool:
    try:
        return work.calls.get(head.call).ended_at is None
    except NotFound:
        return False
