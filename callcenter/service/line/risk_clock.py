"""The risk clock: which cases wait for a supervisor's name, and which contacts are past their time (R14)."""

from __future__ import annotations

from datetime import datetime, timedelta

from callcenter.domain.books import CASES, HANDOVERS, SHIFT_SHEETS
from callcenter.domain.case_rules import is_alarming
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.handover import HandoverState
from callcenter.domain.ledger import DebtAct
from callcenter.domain.levels import Level
from callcenter.ports import UnitOfWork
from callcenter.service.followup.handling import OF_RISK, history
from scheduler.obligations import URGENT_PRIORITY, Kind, Obligation
from scheduler.risk_ladder import RiskRules

_STANDING = (CaseState.OPEN, CaseState.ACTIVE, CaseState.WATCH)


def alarming(work: UnitOfWork) -> list[Case]:
    """Return the cases at level 1 or worse that no supervisor has put their name on, the oldest first."""
    high = {"level": int(Level.HIGH)}
    found = [case for state in _STANDING for case in work.book(CASES).where(state=state, up_to=high)]
    return sorted(filter(is_alarming, found), key=lambda case: (_since(case), case.id))


def unacknowledged(work: UnitOfWork, now: datetime, rules: RiskRules) -> tuple[str, ...]:
    """Return the cases that ring now: at level 0 at once, at level 1 after `acknowledge_within`.

    One word a case, with the instant of its danger: the next danger of the same person is another one.
    """
    ringing = (case for case in alarming(work) if now >= _since(case) + _patience(case, rules))
    return tuple(f"{case.id}@{int(_since(case).timestamp())}" for case in ringing)


def unheard(work: UnitOfWork) -> tuple[str, ...]:
    """Return the calls back owed to who said something urgent to a machine and was heard by nobody (P10).

    They ring as an unacknowledged case does, until somebody has called back or a supervisor ended it.
    """
    owed = (one for one in work.debts.open(kind=Kind.CALLBACK) if one.priority <= URGENT_PRIORITY)
    return tuple(f"{one.id}@{int(one.due_at.timestamp())}" for one in owed)


def overdue(work: UnitOfWork, now: datetime, rules: RiskRules | None = None) -> tuple[str, ...]:
    """Return the contacts owed to people at high risk that are past their time, the longest first.

    Past their time whether somebody put them off or not. A supervisor's decision about the person (R26) is
    an acknowledgement of this one: for as long, it rings for nobody.
    """
    late = [one for one in work.debts.open(kind=Kind.HIGH_RISK) if one.window_end < now]
    since = now - (rules or RiskRules()).overdue_remind_after
    return tuple(one.id for one in late if not _decided(work, one, since))


def handed_up(work: UnitOfWork) -> tuple[str, ...]:
    """Return the contacts owed to people in danger that somebody handed up and nobody took on since.

    One word each, with its instant: what is handed up again rings again.
    """
    owed = [one for kind in sorted(OF_RISK) for one in work.debts.open(kind=kind)]
    waiting = ((o.id, o.escalated_at) for o in owed if o.escalated_at and not _is_taken_on(work, o))
    return tuple(f"{name}@{int(at.timestamp())}" for name, at in waiting)


def _decided(work: UnitOfWork, one: Obligation, since: datetime) -> bool:
    return any(e.act is DebtAct.DECIDED and e.at > since for e in history(work, one.id))


def _is_taken_on(work: UnitOfWork, one: Obligation) -> bool:
    """Tell whether a supervisor passed it on or decided since, or somebody else claimed it."""
    acts = list(history(work, one.id))
    last = max((n for n, event in enumerate(acts) if event.act is DebtAct.ESCALATED), default=None)
    if last is None:
        return False
    handed = acts[last]
    return any(
        event.act in {DebtAct.ASSIGNED, DebtAct.DECIDED}
        or (event.act is DebtAct.CLAIMED and event.by != handed.by)
        for event in acts[last:]
    )


def unaccepted(work: UnitOfWork, now: datetime, within: timedelta) -> tuple[str, ...]:
    """Return the hand-overs (calls, cases, shifts) nobody accepted within so long, oldest first (R45)."""
    sent = [(one.sent_at, one.id) for one in work.book(HANDOVERS).where(state=HandoverState.OPEN)]
    written = [(one.at, one.id) for one in work.book(SHIFT_SHEETS).where(state="open")]
    return tuple(name for at, name in sorted([*sent, *written]) if at + within < now)


def _since(case: Case) -> datetime:
    return case.alarming_since or case.opened_at


def _patience(case: Case, rules: RiskRules) -> timedelta:
    return timedelta(0) if case.level is Level.IMMINENT else rules.acknowledge_within
