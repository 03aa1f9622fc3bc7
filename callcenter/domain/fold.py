"""The journal's fold: rows in, facts out. Pure, idempotent, and free of the rows' order (P6)."""

from __future__ import annotations

from collections.abc import Iterable

from callcenter.domain.folding.facts import Facts, LineAct, LineActKind, ProbeSeen
from callcenter.domain.folding.state import Folding
from callcenter.domain.journal import Row
from callcenter.domain.queue_log import QueueRow

__all__ = ["Facts", "Folding", "LineAct", "LineActKind", "ProbeSeen", "fold"]


def fold(rows: Iterable[Row], queue_rows: Iterable[QueueRow] = ()) -> Facts:
    """Return what all these rows say, as if nothing will ever follow them."""
    state = Folding()
    rows, queue_rows = list(rows), list(queue_rows)
    state.take(rows, range(len(rows)))
    state.take_queue(queue_rows, ((0, n) for n in range(len(queue_rows))))
    facts = state.judge(at_end=True)
    return Facts(
        calls=tuple(sorted(facts.calls, key=lambda call: (call.started_at, call.id))),
        presence=tuple(sorted(set(facts.presence), key=lambda event: (event.at, event.key))),
        acks=tuple(sorted(set(facts.acks), key=lambda ack: (ack.at, ack.alarm, ack.by))),
        probes=tuple(sorted(set(facts.probes), key=lambda probe: (probe.at, probe.probe))),
        line=tuple(sorted(set(facts.line), key=lambda act: (act.at, act.key))),
    )
