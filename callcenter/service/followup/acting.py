"""How any act on a debt is written: counted, by name, with its reason (decision 0043)."""

from __future__ import annotations

from datetime import datetime

from callcenter.domain.books import DEBT_EVENTS
from callcenter.domain.ledger import DebtAct, DebtEvent
from callcenter.domain.reasons import checked_reason, storable
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.followup.settling import note
from callcenter.service.people.entries import open_cases, resolve
from scheduler.obligations import OF_REGISTER, URGENT_PRIORITY, Kind, Obligation, Status, status_of

#: A reason is a sentence or two, and no case history.
LONGEST_REASON = 500
#: Kinds a supervisor hears of at once when they are handed up (`callcenter.service.line.risk_clock`).
OF_RISK = frozenset({Kind.HIGH_RISK, Kind.MID_RISK})


def still_open(work: UnitOfWork, obligation_id: str, now: datetime) -> Obligation:
    """Return an obligation that is neither satisfied nor closed; raise `NotFound` or `Refused`."""
    obligation = work.debts.get(obligation_id)
    status = status_of(obligation, tuple(work.debts.evidence(obligation_id)), now)
    if status in {Status.SATISFIED, Status.CLOSED}:
        raise Refused(f"{obligation_id} 已经完成或结束。")
    return obligation


def begin(work: UnitOfWork, obligation_id: str, now: datetime) -> tuple[int, Obligation]:
    """Return the number of the next act on an open debt, and the debt; raise `NotFound` or `Refused`.

    In this order: whoever acts meanwhile takes the number, and what was decided on an older sight of the
    debt is refused as a conflict when its act is written.
    """
    place = len(work.book(DEBT_EVENTS).where(obligation=obligation_id)) + 1
    return place, still_open(work, obligation_id, now)


def record(
    work: UnitOfWork,
    obligation_id: str,
    act: DebtAct,
    place: int,
    actor: str,
    now: datetime,
    *,
    reason: str = "",
    value: str = "",
) -> DebtEvent:
    """Write one act into a debt's history and the audit; raise `Conflict` if its number is taken."""
    event = DebtEvent(
        id=f"de-{obligation_id}-{place:04d}",
        obligation=obligation_id,
        act=act,
        by=actor,
        at=now,
        reason=reason,
        value=value,
    )
    work.book(DEBT_EVENTS).add(event)
    note(work, actor, f"obligation.{act.value}", obligation_id, now, reason=value)
    return event


def needed(reason: str) -> str:
    """Return a reason that has to be there, or raise `Refused`."""
    return short(checked_reason(reason))


def short(text: str) -> str:
    """Return a text that is no longer than a reason, or raise `Refused`."""
    if len(text) > LONGEST_REASON:
        raise Refused(f"理由最多 {LONGEST_REASON} 个字；详情请写接访记录。")
    return storable(text)


def is_pressing(work: UnitOfWork, one: Obligation) -> bool:
    """Tell whether a debt is put off no longer than a high-risk step is (R14).

    Not for its kind alone: what is marked urgent, and whatever else somebody at level 1 or worse is owed.
    The register's is not, as it tells nothing of them and their case keeps them owed a contact.
    """
    if one.kind is Kind.HIGH_RISK:
        return True
    return one.kind not in OF_REGISTER and (one.priority <= URGENT_PRIORITY or _level(work, one) <= 1)


def needs_two(work: UnitOfWork, one: Obligation) -> bool:
    """Tell whether a debt is let go by two supervisors only: a step, what is urgent, anything at level <= 2.

    The register's own takes one, whoever it is owed to: it tells nothing of them, and their case keeps them
    owed a contact.
    """
    if one.kind in OF_REGISTER:
        return False
    return one.kind in OF_RISK or one.priority <= URGENT_PRIORITY or _level(work, one) <= 2


def _level(work: UnitOfWork, one: Obligation) -> int:
    """Return the level of the person's worst open case; one past the last if there is none."""
    cases = open_cases(work, resolve(work, one.person))
    return int(cases[0].level) if cases else 5
