"""Swaps: somebody offers a shift of theirs, somebody takes it, a supervisor lets it pass or not.

Only the approval changes the roster, and all of it at once: until then the shift is its owner's. Every
step is compared and set, so that of two people who take one offer one has it.
Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.books import SWAPS
from callcenter.domain.duty import Shift
from callcenter.domain.plan_faults import faults
from callcenter.domain.plan_rules import PERSONAL, Fault, Lack, PlanRules
from callcenter.domain.reasons import storable
from callcenter.domain.roster import Swap, SwapState
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import AROUND, check_fit, ground_of
from callcenter.service.duty.presence import note
from callcenter.service.duty.templates import keep_in_plan

#: A swap that may still come to pass.
PENDING = (SwapState.OFFERED, SwapState.TAKEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class SwapView:
    """A swap, and its shift if that still stands."""

    swap: Swap
    shift: Shift | None


class WorsePlan(Refused):
    """The plan would be worse for it. `faults`: what would be wrong then."""

    def __init__(self, message: str, found: tuple[Fault, ...]) -> None:
        super().__init__(message)
        self.faults = found


@guarded(Verb.DUTY_SWAP)
def offer(work: UnitOfWork, shift_id: str, *, actor: str, now: datetime, reason: str = "") -> Swap:
    """Offer a shift of one's own that has not begun.

    Raise `NotFound`, `Forbidden` for somebody else's, `Refused` if it began or is offered already.
    """
    allow(work, actor, Verb.DUTY_SWAP)
    work.roster.hold()
    shift = work.roster.shift(shift_id)
    if shift.agent != actor:
        raise Forbidden(f"{shift_id} 不是您的班次。用 hotline duty show 查看。")
    _check_ahead(shift, now)
    if any(swap.state in PENDING for swap in work.book(SWAPS).where(shift=shift_id)):
        raise Refused(f"{shift_id} 已经在换班。用 hotline duty swap list 查看。")
    swap = Swap(id=f"sw-{uuid4().hex[:8]}", shift=shift_id, agent=actor, reason=storable(reason), at=now)
    work.book(SWAPS).add(swap)
    note(work, actor, "duty.swap_offer", swap.id, now, reason)
    return swap


@guarded(Verb.DUTY_SWAP)
def take(work: UnitOfWork, swap_id: str, *, actor: str, now: datetime) -> Swap:
    """Say that one would take an offered shift; a supervisor decides.

    Raise `NotFound`, `Refused` if it is no longer on offer or one cannot have it.
    """
    allow(work, actor, Verb.DUTY_SWAP)
    swap, shift = _pending(work, swap_id, SwapState.OFFERED, now)
    if swap.agent == actor:
        raise Refused("这是您自己的班次。不想换了,用 hotline duty swap withdraw。")
    check_fit(work, (actor,), shift.kind)
    if any(s.agent == actor for s in work.roster.shifts_between(shift.start, shift.end)):
        raise Refused("您在这段时间已有班次,不能接这个班。")
    after = work.book(SWAPS).put(replace(swap, state=SwapState.TAKEN, taker=actor))
    note(work, actor, "duty.swap_take", swap_id, now)
    return after


@guarded(Verb.DUTY_SWAP)
def withdraw(work: UnitOfWork, swap_id: str, *, actor: str, now: datetime, reason: str = "") -> Swap:
    """Take back one's offer, or one's word to take it (then it is on offer again); raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SWAP)
    swap = _in_state(work, swap_id, PENDING)
    match actor:
        case swap.agent:
            after = replace(swap, state=SwapState.WITHDRAWN, decided_by=actor, decided_at=now)
        case swap.taker:
            after = replace(swap, state=SwapState.OFFERED, taker="")
        case _:
            raise Forbidden(f"{swap_id} 不是您提出的,也不是您接的。")
    after = work.book(SWAPS).put(after)
    note(work, actor, "duty.swap_withdraw", swap_id, now, reason)
    return after


@guarded(Verb.DUTY_PLAN)
def approve(
    work: UnitOfWork, swap_id: str, *, rules: PlanRules, actor: str, now: datetime, reason: str = ""
) -> Swap:
    """Give a shift that was taken to whoever took it.

    Raise `NotFound`; `Refused` if it began, changed hands, cannot be theirs, or is one's own swap;
    `WorsePlan` if more would be wrong in its time than now.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    work.roster.hold()
    swap, shift = _pending(work, swap_id, SwapState.TAKEN, now)
    if actor in (swap.agent, swap.taker):
        raise Refused("自己参与的换班,要由另一位督导批准。")
    check_fit(work, (swap.taker,), shift.kind)
    after = replace(shift, agent=swap.taker)
    if worse := _worse(work, shift, after, rules):
        raise WorsePlan("这样换班,排班会更不足。", worse)
    decided = replace(swap, state=SwapState.APPROVED, decided_by=actor, decided_at=now)
    done = work.book(SWAPS).put(decided)
    work.roster.replace_shifts([shift.id], [after])
    keep_in_plan(work, shift, swap.taker, by=actor, now=now, reason=reason)
    note(work, actor, "duty.swap_approve", swap_id, now, reason)
    return done


@guarded(Verb.DUTY_PLAN)
def refuse(work: UnitOfWork, swap_id: str, *, actor: str, now: datetime, reason: str) -> Swap:
    """Let a swap not pass, with a reason: the shift stays its owner's. Raise `NotFound`, `Refused`."""
    allow(work, actor, Verb.DUTY_PLAN)
    swap = _in_state(work, swap_id, PENDING)
    if not reason.strip():
        raise Refused("请写明理由(--reason),好让两位知道。")
    refused = replace(swap, state=SwapState.REFUSED, decided_by=actor, decided_at=now)
    after = work.book(SWAPS).put(refused)
    note(work, actor, "duty.swap_refuse", swap_id, now, reason)
    return after


@guarded(Verb.DUTY_SWAP)
def list_swaps(
    work: UnitOfWork, *, actor: str, now: datetime, everything: bool = False
) -> Sequence[SwapView]:
    """Return the swaps that may still come to pass, by time of the shift; `everything`: the others too.

    Decided ones are shown to those two, and to whoever plans.
    """
    user = allow(work, actor, Verb.DUTY_SWAP)
    plans = may(user.roles, Verb.DUTY_PLAN)
    found = []
    for swap in work.book(SWAPS).where():
        view = SwapView(swap=swap, shift=_shift_of(work, swap))
        is_open = swap.state in PENDING and view.shift is not None and view.shift.start > now
        if is_open or (everything and (plans or actor in (swap.agent, swap.taker))):
            found.append(view)
    return sorted(found, key=lambda v: (v.shift.start if v.shift else v.swap.at, v.swap.id))


def withdraw_stale(work: UnitOfWork, shifts: Collection[str], *, by: str, now: datetime) -> None:
    """Withdraw what was offered about shifts that went or changed: nobody agreed to what they are now."""
    for state in PENDING:
        for swap in work.book(SWAPS).where(state=state.value):
            if swap.shift in shifts:
                gone = replace(swap, state=SwapState.WITHDRAWN, decided_by=by, decided_at=now)
                work.book(SWAPS).put(gone)
                note(work, by, "duty.swap_withdraw", swap.id, now, "排班有变")


# --- what may be ---------------------------------------------------------------------------------


def _in_state(work: UnitOfWork, swap_id: str, states: Collection[SwapState]) -> Swap:
    swap = work.book(SWAPS).get(swap_id)
    if swap.state not in states:
        raise Refused(f"{swap_id} 已不能这样办。用 hotline duty swap list --all 查看。")
    return swap


def _pending(work: UnitOfWork, swap_id: str, state: SwapState, now: datetime) -> tuple[Swap, Shift]:
    """Return a swap in this state with its shift, which is still its owner's and ahead."""
    swap = _in_state(work, swap_id, (state,))
    shift = _shift_of(work, swap)
    if shift is None or shift.agent != swap.agent:
        raise Refused(f"{swap_id} 的班次已经取消或换了人,不能再换。")
    _check_ahead(shift, now)
    return swap, shift


def _shift_of(work: UnitOfWork, swap: Swap) -> Shift | None:
    try:
        return work.roster.shift(swap.shift)
    except NotFound:
        return None


def _check_ahead(shift: Shift, now: datetime) -> None:
    if shift.start <= now:
        raise Refused("班次已经开始,不能再换。有事请告诉督导。")


def _worse(work: UnitOfWork, before: Shift, after: Shift, rules: PlanRules) -> tuple[Fault, ...]:
    """Return what would be wrong with the taker, and of what the line lacks what it would lack for longer.

    Compared by how long, kind by kind: who is short-handed with whom may change without harm.
    """
    others = [
        s for s in work.roster.shifts_between(before.start - AROUND, before.end + AROUND) if s.id != before.id
    ]
    ground = ground_of(work, rules, [*others, before])
    now, then = (faults([*others, s], s.start, s.end, ground) for s in (before, after))
    lasted, lasts = _lengths(now), _lengths(then)
    theirs = (f for f in then if f.lack in PERSONAL and after.agent in f.agents and f not in now)
    lines = (f for f in then if f.lack not in PERSONAL and lasts[f.lack] > lasted[f.lack])
    return (*theirs, *lines)


def _lengths(found: Collection[Fault]) -> dict[Lack, timedelta]:
    lengths: dict[Lack, timedelta] = defaultdict(timedelta)
    for fault in found:
        lengths[fault.lack] += fault.end - fault.start
    return lengths
