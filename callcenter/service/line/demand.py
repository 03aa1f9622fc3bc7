"""What comes to the line, from its own past: calls per weekday and hour, how long each takes, how patient.

Only hours in which the line was served count: a night in which nobody could call tells nothing of nights.
What rests on too few calls is None, and the counts tell why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from callcenter.domain.access import Verb
from callcenter.domain.calls import OFFERED, CallRecord, Direction, Outcome
from callcenter.domain.hours import Span
from callcenter.domain.plan_rules import PlanRules
from callcenter.domain.staffing import LONGEST, LONGEST_PATIENCE, SHORTEST
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded

#: How far back is looked.
WEEKS = timedelta(weeks=8)
#: Fewer calls, or a shorter past, say nothing of hours; fewer of the others nothing of means.
ENOUGH_CALLS, ENOUGH_PAST = 30, timedelta(weeks=2)
ENOUGH_ANSWERED, ENOUGH_ABANDONED = 10, 5

#: Weekday (0 is Monday) and hour of the wall clock.
Cell = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """Arrivals and means of a stretch of the past."""

    since: datetime
    until: datetime
    #: Calls that were offered while the line was served.
    calls: int
    answered: int
    abandoned: int
    #: Talk and wrap-up; None: too few were answered.
    aht: timedelta | None
    #: How long callers are willing to wait, on average; None: too few gave up.
    patience: timedelta | None
    arrivals: Mapping[Cell, int] = field(default_factory=dict)
    served: Mapping[Cell, timedelta] = field(default_factory=dict)

    @property
    def is_enough(self) -> bool:
        """Tell whether hours can be told apart by it."""
        return self.calls >= ENOUGH_CALLS and self.until - self.since >= ENOUGH_PAST

    def expected(self, start: datetime, end: datetime, zone: tzinfo) -> float | None:
        """Return how many calls [start, end) brings; None: too little is known of some hour of it."""
        if not self.is_enough:
            return None
        total = 0.0
        for cell, length in hours_of(start, end, zone):
            if not (seen := self.served.get(cell)):
                return None
            total += self.arrivals.get(cell, 0) * (length / seen)
        return total

    def busiest(self, start: datetime, end: datetime, zone: tzinfo) -> float | None:
        """Return how many calls an hour the busiest hour of [start, end) brings; None as in `expected`."""
        cells = [cell for cell, _ in hours_of(start, end, zone)]
        if not self.is_enough or not all(self.served.get(cell) for cell in cells):
            return None
        rates = (self.arrivals.get(cell, 0) * (timedelta(hours=1) / self.served[cell]) for cell in cells)
        return max(rates, default=0.0)


def demand_of(
    calls: Iterable[CallRecord],
    served: Iterable[Span],
    *,
    since: datetime,
    until: datetime,
    zone: tzinfo,
    wrap_up: timedelta,
    wait_cap: timedelta,
) -> Demand:
    """Return the demand in [since, until): what was offered within the spans in which the line was served.

    Patience is all waiting over the number of those who gave up, as for any life that may end otherwise
    first. Whoever went another way from the queue had waited `wait_cap` at most.
    """
    spans = [(max(start, since), min(end, until)) for start, end in served if start < until and end > since]
    offered = [call for call in calls if _counts(call, spans)]
    answered = [c for c in offered if c.outcome is Outcome.ANSWERED and c.talk is not None]
    abandoned = sum(c.outcome is Outcome.ABANDONED for c in offered)
    talk = sum((c.talk or timedelta() for c in answered), timedelta())
    waited = sum((_waited(c, wait_cap) for c in offered), timedelta())
    hours: Counter[Cell] = Counter()
    for start, end in spans:
        for cell, length in hours_of(start, end, zone):
            hours[cell] += round(length.total_seconds())
    return Demand(
        since=since,
        until=until,
        calls=len(offered),
        answered=len(answered),
        abandoned=abandoned,
        aht=_usable(talk / len(answered) + wrap_up, LONGEST) if len(answered) >= ENOUGH_ANSWERED else None,
        patience=_usable(waited / abandoned, LONGEST_PATIENCE) if abandoned >= ENOUGH_ABANDONED else None,
        arrivals=Counter(_cell(c.offered_at, zone) for c in offered if c.offered_at),
        served={cell: timedelta(seconds=seconds) for cell, seconds in hours.items()},
    )


def hours_of(start: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[Cell, timedelta]]:
    """Cut [start, end) where the wall clock shows a full hour; yield each piece's cell and length."""
    while start < end:
        local = start.astimezone(zone)
        past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        # In real time: an hour that the clock shows twice is two hours of that name.
        until = min(start + timedelta(hours=1) - past, end)
        yield (local.weekday(), local.hour), until - start
        start = until


@guarded(Verb.DUTY_SEE)
def past_demand(
    work: UnitOfWork, rules: PlanRules, *, actor: str, now: datetime, wrap_up: timedelta, wait_cap: timedelta
) -> Demand:
    """Return the demand of the past weeks: counts and means, nothing of any one call; raise `Forbidden`.

    A line younger than that is looked at from the day of its first call on.
    """
    allow(work, actor, Verb.DUTY_SEE)
    calls = work.calls.between(now - WEEKS, now)
    first = min((c.started_at for c in calls if c.direction is Direction.INBOUND), default=now)
    dawn = first.astimezone(rules.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = max(now - WEEKS, dawn.astimezone(now.tzinfo))
    return demand_of(
        calls,
        rules.open_spans(since, now),
        since=since,
        until=now,
        zone=rules.zone,
        wrap_up=wrap_up,
        wait_cap=wait_cap,
    )


def _counts(call: CallRecord, spans: Iterable[Span]) -> bool:
    at = call.offered_at
    if at is None or call.direction is not Direction.INBOUND or call.outcome not in OFFERED:
        return False
    return any(start <= at < end for start, end in spans)


def _waited(call: CallRecord, cap: timedelta) -> timedelta:
    wait = call.wait or timedelta()
    return wait if call.outcome in (Outcome.ANSWERED, Outcome.ABANDONED) else min(wait, cap)


def _usable(mean: timedelta, longest: timedelta) -> timedelta:
    """Return a mean with which one can reckon, however odd the past was."""
    return min(max(mean, SHORTEST), longest)


def _cell(at: datetime, zone: tzinfo) -> Cell:
    local = at.astimezone(zone)
    return local.weekday(), local.hour
