"""A case's ladder in the ledger: what is owed to a person in danger, opened, superseded, kept (R20, R21).

Nothing owed vanishes: a step that is already breached stays, one that is not is closed with its history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.books import CASES
from callcenter.domain.cases import Case
from callcenter.errors import Conflict, NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.followup.settling import SYSTEM, details_of, note
from callcenter.service.names import digest
from callcenter.service.people.entries import group_of, open_cases, resolve
from scheduler.gates import Rules
from scheduler.obligations import OF_CASES, Kind, Obligation
from scheduler.risk_ladder import After, Owed, ladder, owed

#: Where the ladder has ended and nobody has decided, a person is owed a contact each month.
REVIEW = After(amount=1, unit="mo")
#: The step somebody agreed to: a promise, which no ladder takes back.
AGREED = "agreed"


def open_steps(work: UnitOfWork, case: Case) -> list[Obligation]:
    """Return what is still owed under a case, oldest breach first."""
    mine = set(case.steps)
    # Merging people may have moved what is owed to the entry that stands for both.
    entries = group_of(work, resolve(work, case.person))
    found = [o for entry in entries for o in work.debts.open(person=entry) if o.id in mine]
    return sorted(found, key=lambda o: (o.window_end, o.due_at, o.id))


def climb(
    work: UnitOfWork, case: Case, *, anchor: str, since: datetime, rules: Rules, by: str, now: datetime
) -> Case:
    """Begin the ladder of the case's level at `since`; return the case with its steps, still to be saved."""
    end_steps(work, case, "被新的随访安排取代", by=by, now=now, keep_breached=True)
    anchored = replace(case, anchor=anchor, anchored_at=since)
    steps = ladder(int(case.level), since, rules=rules.risk, windows=rules.windows)
    opened = [_open(work, anchored, step, since, by, now) for step in steps]
    return replace(anchored, steps=tuple(dict.fromkeys((*case.steps, *opened))))


def agree(work: UnitOfWork, case: Case, at: datetime, *, rules: Rules, by: str, now: datetime) -> Case:
    """Owe a contact at a time the person agreed to, until a week later; another time takes its place."""
    for old in open_steps(work, case):
        if old.origin.startswith(f"{case.id}/{case.anchor}/{AGREED}") and old.due_at != at:
            work.debts.close(old.id, "改约了时间", by, now)
            note(work, by, "obligation.supersede", old.id, now, reason="case")
    week = owed(3, After(amount=1, unit="d"), at, rules=rules.risk, windows=rules.windows)
    step = replace(week, step=AGREED, kind=Kind.FOLLOW_UP, due_at=at)
    opened = _open(work, case, step, now, by, now)
    return replace(case, steps=tuple(dict.fromkeys((*case.steps, opened))))


def keep_owed(work: UnitOfWork, case: Case, *, rules: Rules, now: datetime) -> Case:
    """Return the case with at least one step open, if it is at level 1 or worse (I3)."""
    if not case.is_open or not case.level.is_high:
        return case
    if any(o.kind is Kind.HIGH_RISK for o in open_steps(work, case)):
        return case
    step = owed(int(case.level), REVIEW, now, rules=rules.risk, windows=rules.windows)
    opened = _open(work, case, replace(step, step=f"review-{len(case.steps)}"), now, SYSTEM, now)
    return replace(case, steps=(*case.steps, opened))


def keep_followed(work: UnitOfWork, proven: Obligation, *, now: datetime, rules: Rules) -> None:
    """After a step was kept: see to it that a person at level 1 or worse is still owed one (I3)."""
    if proven.kind not in OF_CASES:
        return
    # Merging people may have put the step under another case than the one it was opened for.
    for case in open_cases(work, resolve(work, proven.person)):
        if proven.id in case.steps and (after := keep_owed(work, case, rules=rules, now=now)) != case:
            work.book(CASES).put(after)


def end_steps(
    work: UnitOfWork, case: Case, reason: str, *, by: str, now: datetime, keep_breached: bool
) -> tuple[str, ...]:
    """Close what is owed under a case; return what was closed."""
    standing = open_steps(work, case)
    ended = [o for o in standing if not keep_breached or not (o.window_end < now or step_name(o) == AGREED)]
    for one in ended:
        work.debts.close(one.id, reason, by, now)
        note(work, by, "obligation.supersede", one.id, now, reason="case")
    return tuple(one.id for one in ended)


def case_of(obligation: Obligation) -> str | None:
    """Return the id of the case a debt belongs to."""
    return details_of(obligation).get("case") if obligation.kind in OF_CASES else None


def step_name(obligation: Obligation) -> str:
    """Return which step of a ladder a debt is: `24h`."""
    return details_of(obligation).get("step", "")


def _open(work: UnitOfWork, case: Case, step: Owed, since: datetime, by: str, now: datetime) -> str:
    """Add a step. One of the same name that was superseded does not stand in its way."""
    for again in range(100):
        mark = "" if again == 0 else f"#{again}"
        origin = f"{case.id}/{case.anchor}/{step.step}{mark}"
        obligation = _obligation(case, step, origin, since)
        if work.debts.add(obligation):
            note(work, by, "obligation.open", obligation.id, now, reason="case")
            return obligation.id
        if _stands(work, obligation.id):
            return obligation.id
    raise Conflict(f"{case.id}: its step {step.step} cannot be opened")


def _obligation(case: Case, step: Owed, origin: str, since: datetime) -> Obligation:
    return Obligation(
        # Keyed: the origin names the case and the call, and both are known to more people than the person is.
        id=f"ob-{digest(f'{case.key}{origin}/{step.due_at.isoformat()}')}",
        person=case.person,
        kind=step.kind,
        due_at=step.due_at,
        window_end=step.window_end,
        mode=step.mode,
        priority=step.priority,
        origin=origin,
        detail=f"case={case.id}&step={step.step}&level={int(case.level)}",
        created_at=since,
    )


def _stands(work: UnitOfWork, obligation_id: str) -> bool:
    """Tell whether that very step is owed, or was kept: what was superseded is owed anew."""
    try:
        return work.debts.get(obligation_id).closing is None
    except NotFound:
        return False


def attempts_on(work: UnitOfWork, steps: Sequence[str]) -> list[tuple[datetime, str]]:
    """Return when a case's steps were tried in vain, and how that ended."""
    tried = [attempt for step in steps for attempt in work.debts.attempts(step)]
    return [
        (a.at, str(a.result))
        for a in tried
        if a.counts and a.result is not None and not a.result.value.startswith("reached_self")
    ]
