"""Publishing: the plan of some days becomes the shifts that the line goes by (R44).

A plan with faults is refused with all of them, unless somebody gives a reason; then both stay on record.
Functions take an open unit of work and leave committing to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import OVERRIDES, PUBLICATIONS, TEMPLATES
from callcenter.domain.duty import Shift
from callcenter.domain.plan_faults import faults
from callcenter.domain.plan_rules import Fault, PlanRules
from callcenter.domain.planning import expand, source_of
from callcenter.domain.reasons import checked_reason
from callcenter.domain.roster import Publication
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import AROUND, ground_of
from callcenter.service.duty.presence import note
from callcenter.service.duty.swaps import withdraw_stale

_MOST_DAYS = timedelta(days=400)


class PlanFaulty(Refused):
    """A plan with faults is not published without a reason. `faults`: all of them."""

    def __init__(self, found: tuple[Fault, ...]) -> None:
        super().__init__(
            f"排班有 {len(found)} 处不足,没有发布。改好再发布;确要这样发布,用 --reason 写明理由。"
        )
        self.faults = found


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What publishing changes. `record` is None where nothing was written."""

    gone: tuple[Shift, ...]
    new: tuple[Shift, ...]
    #: Shifts of these days that stay as they are, those planned by hand and those begun included.
    kept: int
    faults: tuple[Fault, ...]
    record: Publication | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    gone: tuple[Shift, ...]
    new: tuple[Shift, ...]
    #: All shifts as they are then, some weeks before and behind included.
    after: Sequence[Shift]


@guarded(Verb.DUTY_PLAN)
def publish(
    work: UnitOfWork,
    first: date,
    last: date,
    *,
    rules: PlanRules,
    actor: str,
    now: datetime,
    reason: str = "",
    dry_run: bool = False,
) -> Published:
    """Replace, in one step, the shifts from templates that begin on these days by what the plan says now.

    Shifts planned by hand stay, and so does what has begun. Raise `PlanFaulty` where the plan has faults
    from `now` on and no reason is given. A dry run only says what would be. Publishing again changes nothing.
    """
    allow(work, actor, Verb.DUTY_PLAN)
    work.roster.hold()
    start, end = _span(first, last, rules, now)
    change = _change(work, first, last, rules, now)
    ground = ground_of(work, rules, change.after)
    found = faults(change.after, max(start, now), end, ground)
    kept = sum(start <= s.start < end for s in change.after) - len(change.new)
    done = Published(gone=change.gone, new=change.new, kept=kept, faults=found)
    if dry_run:
        return done
    if found and not reason.strip():
        raise PlanFaulty(found)
    why = checked_reason(reason) if found else reason
    if not change.gone and not change.new:
        return done
    record = _write(work, first, last, change, found, actor=actor, now=now, reason=why)
    return Published(gone=change.gone, new=change.new, kept=kept, faults=found, record=record)


@guarded(Verb.DUTY_SEE)
def list_publications(work: UnitOfWork, *, actor: str) -> Sequence[Publication]:
    """Return what was published, newest first; raise `Forbidden`."""
    allow(work, actor, Verb.DUTY_SEE)
    return sorted(work.book(PUBLICATIONS).where(), key=lambda p: (p.at, p.id), reverse=True)


def _span(first: date, last: date, rules: PlanRules, now: datetime) -> tuple[datetime, datetime]:
    if not first <= last < first + _MOST_DAYS:
        raise Refused(f"从第一天到最后一天,一次最多发布 {_MOST_DAYS.days} 天。")
    if last < rules.day_of(now):
        raise Refused("这些天已经过去,不能再发布。")
    return rules.midnight(first), rules.midnight(last + timedelta(days=1))


def _change(work: UnitOfWork, first: date, last: date, rules: PlanRules, now: datetime) -> _Change:
    """Compare the plan with what is published: what begins after `now` and differs goes or comes."""
    start, end = rules.midnight(first), rules.midnight(last + timedelta(days=1))
    fixed, ours = [], {}
    for shift in work.roster.shifts_between(start - AROUND, end + AROUND):
        source = source_of(shift)
        if source is not None and first <= source[1] <= last and shift.start > now:
            ours[shift.id] = shift
        else:
            fixed.append(shift)
    begun = {shift.id for shift in fixed}
    templates, overrides = work.book(TEMPLATES).where(), work.book(OVERRIDES).where()
    wanted = {
        shift.id: shift
        for shift in expand(templates, overrides, first, last, rules.zone)
        if shift.start > now and shift.id not in begun
    }
    return _Change(
        gone=tuple(shift for shift in ours.values() if wanted.get(shift.id) != shift),
        new=tuple(shift for shift in wanted.values() if ours.get(shift.id) != shift),
        after=[*fixed, *wanted.values()],
    )


def _write(
    work: UnitOfWork,
    first: date,
    last: date,
    change: _Change,
    found: tuple[Fault, ...],
    *,
    actor: str,
    now: datetime,
    reason: str,
) -> Publication:
    gone = {shift.id for shift in change.gone}
    work.roster.replace_shifts(sorted(gone), change.new)
    withdraw_stale(work, gone, by=actor, now=now)
    record = Publication(
        id=f"pu-{uuid4().hex[:12]}",
        first=first,
        last=last,
        shifts=len(change.new),
        faults=tuple(map(str, found)),
        reason=reason,
        by=actor,
        at=now,
    )
    work.book(PUBLICATIONS).add(record)
    note(work, actor, "duty.publish", f"{first}/{last}", now, reason)
    return record
