"""What is wrong with calling out: faults that stopped the dialler (R27), and debts that callers starve."""

from __future__ import annotations

from datetime import datetime

from callcenter.ports import UnitOfWork
from callcenter.service.followup.ahead import read_ahead
from callcenter.service.followup.debts import line_facts, situation_of
from scheduler.gates import Rules, is_starved
from scheduler.obligations import Mode

#: How many of the newest calls are looked at, and of the oldest breaches.
_CALLS, _DEBTS = 50, 200
#: So many starving debts are named: whoever hears of twenty looks at the queue.
_NAMED = 20


def faults_in_a_row(work: UnitOfWork, rules: Rules) -> int:
    """Return how many faults in a row stopped the dialler; 0 once a call worked (R27)."""
    return rules.breaker.faults(work.debts.last_outcomes(_CALLS))


def starved(work: UnitOfWork, now: datetime, rules: Rules) -> tuple[str, ...]:
    """Return the debts past their end whose automated call the line refused all along, the oldest first.

    A site that has switched automated calls off for good keeps its debts by people, and starves none.
    """
    late = [o for o in work.debts.due(now, _DEBTS) if o.mode is Mode.IVR_OK and o.window_end < now]
    if rules.paused or not late:
        return ()
    facts, ahead = line_facts(work, now, None, rules), read_ahead(work, late)
    return tuple(o.id for o in late if is_starved(situation_of(ahead, o, facts)))[:_NAMED]
