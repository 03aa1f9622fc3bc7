"""The roster beside the load to be expected: for each stretch with the same people, what callers meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.duty import ShiftKind, coverage
from callcenter.domain.plan_rules import Fault, PlanRules
from callcenter.domain.staffing import MOST_CALLS, MOST_SEATS, Load, Outlook, Unstable, erlang_a, erlang_c
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.line.demand import Demand

_DAY = timedelta(days=1)
#: No shift is usually longer.
_LONG = timedelta(hours=12)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What callers would meet. `stays`: if everybody waited; `leaves`: as they do, where that is known."""

    load: Load
    stays: Outlook | Unstable
    leaves: Outlook | None

    @property
    def is_stable(self) -> bool:
        """Tell whether there are more seats than calls to fill them."""
        return isinstance(self.stays, Outlook)

    @property
    def met(self) -> Outlook | None:
        """Return what is met, the best that is known; None: nobody can tell."""
        return self.leaves or (self.stays if isinstance(self.stays, Outlook) else None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A stretch in which the line is served by the same people throughout; a long one ends at midnight."""

    start: datetime
    end: datetime
    agents: frozenset[str]
    #: Calls expected in it; None: too little is known.
    calls: float | None
    #: Of its busiest hour: a mean over quiet and busy ones would tell what nobody meets.
    forecast: Forecast | None


def forecast(load: Load, seats: int, patience: timedelta | None) -> Forecast:
    """Return what callers meet at so many seats."""
    leaves = None if patience is None else erlang_a(load, seats, patience)
    return Forecast(load=load, stays=erlang_c(load, seats), leaves=leaves)


@guarded(Verb.DUTY_SEE)
def slots_ahead(
    work: UnitOfWork, demand: Demand, start: datetime, end: datetime, *, rules: PlanRules, actor: str
) -> tuple[Slot, ...]:
    """Return the slots of [start, end) in which the line is served, by time; raise `Forbidden`.

    Only shifts at the line are seats: backups at home answer when nobody there does.
    """
    allow(work, actor, Verb.DUTY_SEE)
    shifts = [s for s in work.roster.shifts_between(start, end) if s.kind is ShiftKind.LINE]
    return tuple(
        _slot(left, right, stretch.agents, demand, rules)
        for first, last in rules.open_spans(start, end)
        for stretch in coverage(shifts, max(first, start), min(last, end))
        for left, right in _cut(stretch.start, stretch.end, rules)
    )


def _cut(start: datetime, end: datetime, rules: PlanRules) -> Iterator[tuple[datetime, datetime]]:
    """Yield a stretch, a long one cut at midnights: days differ in what they bring."""
    while end - start > _LONG:
        midnight = rules.midnight(rules.day_of(start) + _DAY)
        if midnight >= end:
            break
        yield start, midnight
        start = midnight
    yield start, end


def _slot(start: datetime, end: datetime, agents: frozenset[str], demand: Demand, rules: PlanRules) -> Slot:
    rate = demand.busiest(start, end, rules.zone)
    found = None
    if rate is not None and demand.aht is not None and len(agents) <= MOST_SEATS:
        load = Load(calls=min(rate, MOST_CALLS), aht=demand.aht)
        found = forecast(load, len(agents), demand.patience)
    calls = demand.expected(start, end, rules.zone)
    return Slot(start=start, end=end, agents=agents, calls=calls, forecast=found)


def faults_in(slot: Slot, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return what is wrong in a slot."""
    return tuple(f for f in faults if f.start < slot.end and f.end > slot.start)
