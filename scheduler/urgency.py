"""What comes before what in a supervisor's list (R29). The database knows the same order by its indexes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from scheduler.obligations import URGENT_PRIORITY, Attempt, Obligation, Result


def rank(obligation: Obligation, now: datetime, *, in_doubt: bool) -> tuple[object, ...]:
    """Return the place of an open debt: handed up, urgent, in doubt, oldest breach, then by weight and date.

    What is not due yet comes by its time alone: a step in half a year is not before tonight's. What somebody
    put off stands at the end, by its hour.
    """
    is_due, breached = now >= obligation.due_at, now > obligation.window_end
    weight = obligation.priority - obligation.raised
    return (
        *((True, obligation.snoozed_until) if is_put_off(obligation, now) else (False, now)),
        obligation.escalated_at is None,
        not (is_due and obligation.priority <= URGENT_PRIORITY),
        not in_doubt,
        obligation.window_end if breached else datetime.max.replace(tzinfo=UTC),
        not is_due,
        weight if is_due else 0,
        obligation.due_at,
        weight,
        obligation.id,
    )


def by_date(obligation: Obligation, now: datetime) -> tuple[object, ...]:
    """Return the place of an open debt where nobody may see what was done about it: oldest first (R39)."""
    breached = now > obligation.window_end
    breach = obligation.window_end if breached else datetime.max.replace(tzinfo=UTC)
    return breach, obligation.priority if breached else 0, obligation.due_at, obligation.id


def is_put_off(obligation: Obligation, now: datetime) -> bool:
    """Tell whether somebody put it off and its hour has not come."""
    return obligation.snoozed_until is not None and obligation.snoozed_until > now


def is_lost(attempts: Sequence[Attempt]) -> bool:
    """Tell whether the last attempt that was settled is a machine's of which nobody knows the end."""
    settled = [attempt for attempt in attempts if attempt.result is not None]
    last = max(settled, key=lambda attempt: attempt.n, default=None)
    return last is not None and last.result is Result.UNKNOWN and last.is_automatic
