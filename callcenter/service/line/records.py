"""Call records into the store: what the journal's fold found, in the caller's unit of work.

Everything is an upsert or keyed, so the same facts again change nothing (P6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from callcenter.domain.alarms import AlarmAck
from callcenter.domain.books import TOMBSTONES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PresenceEvent
from callcenter.domain.fold import Facts, LineAct, ProbeSeen
from callcenter.domain.sessions import SessionRow
from callcenter.ports import UnitOfWork

T = TypeVar("T")

OnClosed = Callable[[UnitOfWork, Sequence[CallRecord], datetime], object]
OnAcks = Callable[[UnitOfWork, Sequence[AlarmAck], datetime], object]
OnLineActs = Callable[[UnitOfWork, Sequence[LineAct], datetime], object]
OnPresence = Callable[[UnitOfWork, Sequence[PresenceEvent], datetime], object]
OnProbes = Callable[[UnitOfWork, Sequence[ProbeSeen], datetime], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """Who else wants to know, in the same transaction. All must bear being told the same twice."""

    #: Every call that ended, of any direction.
    on_closed: Sequence[OnClosed] = ()
    on_acks: Sequence[OnAcks] = ()
    on_probes: Sequence[OnProbes] = ()
    on_line_acts: Sequence[OnLineActs] = ()
    on_presence: Sequence[OnPresence] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """How much was new."""

    sessions: int = 0
    presence: int = 0


_NONE = Hooks()


def apply(work: UnitOfWork, facts: Facts, now: datetime, hooks: Hooks = _NONE) -> Applied:
    """Store calls, sessions and presence acts, and tell the hooks. The caller commits."""
    calls = _without_buried(work, facts.calls)
    work.calls.put_many(calls)
    opened = work.sessions.open_many(map(_session, filter(was_talk, calls)))
    heard = sum(work.roster.add_presence(event) for event in facts.presence)
    _tell(hooks.on_presence, work, facts.presence, now)
    _tell(hooks.on_closed, work, [call for call in calls if not call.is_open], now)
    _tell(hooks.on_acks, work, facts.acks, now)
    _tell(hooks.on_probes, work, facts.probes, now)
    _tell(hooks.on_line_acts, work, facts.line, now)
    return Applied(sessions=opened, presence=heard)


def _tell(
    hooks: Sequence[Callable[[UnitOfWork, Sequence[T], datetime], object]],
    work: UnitOfWork,
    told: Sequence[T],
    now: datetime,
) -> None:
    if told:
        for hook in hooks:
            hook(work, told, now)


def with_callees(work: UnitOfWork, calls: Iterable[CallRecord]) -> list[CallRecord]:
    """Return the calls, our own with what their attempt knows: the number dialled, and the result."""
    return [_with_callee(work, call) if call.direction is Direction.OUTBOUND else call for call in calls]


def was_talk(call: CallRecord) -> bool:
    """Tell whether a person of the line talked in it: then somebody has a record to write."""
    if call.direction is Direction.OUTBOUND:
        return call.answered_by is not None
    return call.direction is Direction.INBOUND and call.answered_at is not None


def count_outcomes(calls: Sequence[CallRecord]) -> dict[Outcome, int]:
    """Return how many calls ended in each way."""
    counts = dict.fromkeys(Outcome, 0)
    for call in calls:
        counts[call.outcome] += 1
    return counts


def _without_buried(work: UnitOfWork, calls: Sequence[CallRecord]) -> list[CallRecord]:
    """Return calls without what was deleted of them: a journal told again brings nothing back (R42, R43)."""
    telling = [f"call:{call.id}" for call in calls if call.number or call.kept or call.answers]
    buried = {stone.object for stone in work.book(TOMBSTONES).among("object", telling)}
    return [
        replace(call, number=None, kept=(), answers=()) if f"call:{call.id}" in buried else call
        for call in calls
    ]


def _session(call: CallRecord) -> SessionRow:
    return SessionRow(
        id=f"se-{call.id}",
        call=call.id,
        counsellor=call.answered_by,
        opened_at=call.answered_at or call.started_at,
    )


def _with_callee(work: UnitOfWork, call: CallRecord) -> CallRecord:
    attempt = work.debts.attempt(call.id)
    if attempt is None:
        return call
    told = attempt.result.value if attempt.result else None
    return replace(call, number=call.number or attempt.callee, flow_outcome=call.flow_outcome or told)
