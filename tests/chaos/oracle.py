"""What really happened, by witnesses that are not ours: what telephones and carrier saw, and queue_log.

Nothing here reads the journal we fold, nor the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from violence import Call, Site

from callcenter.demo.sipp import CallTiming, Carrier

#: queue_log has whole seconds.
SECOND = timedelta(seconds=1)
#: How a caller's stay in the queue ends.
_LEFT = frozenset({"CONNECT", "ABANDON", "EXITWITHKEY", "EXITWITHTIMEOUT", "EXITEMPTY"})


class Handset(Protocol):
    """A counsellor's phone, whoever plays it."""

    def calls(self) -> list[CallTiming]:
        """Return the calls that reached it, oldest first."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of time."""

    start: datetime
    end: datetime

    def meets(self, other: Span) -> bool:
        """Tell whether the two have an instant in common."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, kw_only=True, slots=True)
class Waited:
    """A caller's stay in the queue, as queue_log has it: until a counsellor was met, or they left."""

    call: str
    span: Span
    #: Of that time, how long a phone was idle: nothing but the line itself kept the caller waiting.
    idle: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Oracle:
    """The witnesses of one round."""

    site: Site
    #: By the counsellor's code.
    handsets: Mapping[str, Handset]
    carrier: Carrier

    def answered(self) -> list[Call]:
        """Return the callers whom the PBX took."""
        return [c for c in self.site.calls if c.actor.timing is not None and c.timing.answered_at is not None]

    @property
    def phones(self) -> list[Handset]:
        """Return every counsellor's phone."""
        return list(self.handsets.values())

    def dialled(self, number: str) -> int:
        """Return how often the carrier was asked for a number."""
        return len(self.carrier.calls(number))

    def picked_up(self, number: str) -> int:
        """Return how often somebody answered there."""
        return sum(timing.answered_at is not None for timing in self.carrier.calls(number))

    def refused(self, number: str, status: int) -> int:
        """Return how often the carrier refused with this SIP status."""
        return sum(timing.status == status for timing in self.carrier.calls(number))

    def waited(self) -> Iterator[Waited]:
        """Yield every stay in the queue, with how long a phone was idle meanwhile."""
        busy = [_busy(phone) for phone in self.phones]
        entered: dict[str, float] = {}
        for line in self.site.pbx.queue_log(all_tests=True):
            if line.event == "ENTERQUEUE":
                entered.setdefault(line.call, line.at)
            if line.event in _LEFT and line.call in entered:
                start, end = (datetime.fromtimestamp(at, UTC) for at in (entered.pop(line.call), line.at))
                span = Span(start=start, end=max(end, start))
                yield Waited(call=line.call, span=span, idle=_idle(span, busy))


def _busy(phone: Handset) -> list[Span]:
    """Return when a phone rang or was in a talk."""
    far = datetime.max.replace(tzinfo=UTC)
    return [Span(start=t.invited_at, end=t.ended_at or far) for t in phone.calls()]


def _idle(span: Span, busy: Sequence[Sequence[Span]]) -> timedelta:
    """Return for how long of a span at least one phone had nothing to do, in steps of a tenth of a second."""
    step, at, idle = SECOND / 10, span.start, timedelta(0)
    while at < span.end:
        instant = Span(start=at, end=at + step)
        if any(not any(instant.meets(one) for one in phone) for phone in busy):
            idle += step
        at += step
    return idle
