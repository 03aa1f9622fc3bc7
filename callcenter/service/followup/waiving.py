"""Letting a debt go by name and with a reason: a supervisor; where somebody is in danger, or urgent, two.

What a waiver ends is this one debt. The next routine period is counted from its end, and of somebody at
level 1 or worse a contact stays owed whatever two people sign (I3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import WAIVERS
from callcenter.domain.ledger import DebtAct, Waiver, WaiverState
from callcenter.domain.reasons import storable
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.acting import begin, needed, needs_two, record
from callcenter.service.followup.case_steps import keep_followed
from callcenter.service.followup.settling import note
from scheduler.gates import Rules
from scheduler.obligations import ClosingKind, Kind, Obligation, Status, status_of


@guarded(Verb.QUEUE_CLOSE)
def ask(
    work: UnitOfWork,
    obligation_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    rules: Rules | None = None,
) -> Waiver:
    """Let a debt go, by a supervisor's name; where it takes two, ask a second supervisor to agree.

    Raises `NotFound`, `Conflict`; `Refused` without a reason, while one is asked for already, and for what
    has to be looked at (`Kind.VERIFY`), which is closed by what was found.
    """
    allow(work, actor, Verb.QUEUE_CLOSE)
    place, one = begin(work, obligation_id, now)
    said = needed(reason)
    if one.kind is Kind.VERIFY:
        raise Refused("要核实的事不能免除：请核实，登记查到的情况。")
    known = work.book(WAIVERS).where(obligation=one.id)
    if standing := next((w for w in known if w.state is WaiverState.OPEN), None):
        raise Refused(f"{one.id} 已由 {standing.asked_by} 申请免除（{standing.id}），等另一位督导决定。")
    waiver = Waiver(
        id=f"wv-{one.id}-{len(known) + 1}",
        obligation=one.id,
        reason=said,
        asked_by=actor,
        asked_at=now,
        needs_two=needs_two(work, one),
    )
    work.book(WAIVERS).add(waiver)
    if waiver.needs_two:
        record(work, one.id, DebtAct.WAIVER_ASKED, place, actor, now, reason=said, value=waiver.id)
        return waiver
    return _let_go(work, waiver, one, place, actor, now, rules or Rules())


@guarded(Verb.QUEUE_CLOSE)
def grant(
    work: UnitOfWork, waiver_id: str, *, actor: str, now: datetime, rules: Rules | None = None
) -> Waiver:
    """Agree to a waiver as the second supervisor, who is another person. Raises `NotFound`, `Refused`."""
    allow(work, actor, Verb.QUEUE_CLOSE)
    waiver = _asked(work, waiver_id)
    place, one = begin(work, waiver.obligation, now)
    if waiver.asked_by == actor:
        raise Refused("申请免除的人不能自己同意：要由另一位督导决定。")
    return _let_go(work, waiver, one, place, actor, now, rules or Rules())


@guarded(Verb.QUEUE_CLOSE)
def refuse(work: UnitOfWork, waiver_id: str, *, reason: str = "", actor: str, now: datetime) -> Waiver:
    """Refuse a waiver, or take one's own back: the debt stays owed. Raises `NotFound`, `Refused`."""
    allow(work, actor, Verb.QUEUE_CLOSE)
    waiver = _asked(work, waiver_id)
    place, one = begin(work, waiver.obligation, now)
    said = needed(reason) if waiver.asked_by != actor else storable(reason)
    decided = replace(waiver, state=WaiverState.REFUSED, decided_by=actor, decided_at=now, decision=said)
    record(work, one.id, DebtAct.WAIVER_REFUSED, place, actor, now, reason=said, value=waiver.id)
    return work.book(WAIVERS).put(decided)


@guarded(Verb.QUEUE_SEE)
def waivers(work: UnitOfWork, *, actor: str, now: datetime) -> list[Waiver]:
    """Return the waivers that wait for a second supervisor, the oldest first.

    One whose debt was kept or ended meanwhile waits for nobody.
    """
    allow(work, actor, Verb.QUEUE_SEE)
    asked = work.book(WAIVERS).where(state=WaiverState.OPEN)
    return sorted((w for w in asked if _is_owed(work, w, now)), key=lambda w: (w.asked_at, w.id))


def asked_for(work: UnitOfWork) -> dict[str, Waiver]:
    """Return the open waivers by debt."""
    return {waiver.obligation: waiver for waiver in work.book(WAIVERS).where(state=WaiverState.OPEN)}


def waivers_of(work: UnitOfWork, obligation_id: str) -> Sequence[Waiver]:
    """Return every waiver of one debt, refused ones too, oldest first."""
    return sorted(work.book(WAIVERS).where(obligation=obligation_id), key=lambda w: (w.asked_at, w.id))


def _asked(work: UnitOfWork, waiver_id: str) -> Waiver:
    waiver = work.book(WAIVERS).get(waiver_id)
    if waiver.state is not WaiverState.OPEN:
        raise Refused(f"{waiver.id} 已由 {waiver.decided_by} 决定，不再等人。")
    return waiver


def _let_go(
    work: UnitOfWork, waiver: Waiver, one: Obligation, place: int, actor: str, now: datetime, rules: Rules
) -> Waiver:
    """End the debt by name. Somebody at level 1 or worse is owed the next contact at once (I3)."""
    granted = replace(waiver, state=WaiverState.GRANTED, decided_by=actor, decided_at=now)
    record(work, one.id, DebtAct.WAIVED, place, actor, now, reason=waiver.reason, value=waiver.id)
    # R29: the reason stands with the closing too, as of every debt that ended by name.
    work.debts.close(one.id, waiver.reason, actor, now, ClosingKind.WAIVED)
    note(work, actor, "obligation.close", one.id, now, reason=ClosingKind.WAIVED.value)
    saved = work.book(WAIVERS).put(granted)
    keep_followed(work, one, now=now, rules=rules)
    return saved


def _is_owed(work: UnitOfWork, waiver: Waiver, now: datetime) -> bool:
    one = work.debts.get(waiver.obligation)
    proofs = tuple(work.debts.evidence(one.id))
    return status_of(one, proofs, now) in {Status.SCHEDULED, Status.OWED}
