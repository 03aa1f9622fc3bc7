"""Sets of instants as spans [from, to): joined, cut, counted. Pure; no span is ever empty."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

Span = tuple[datetime, datetime]
#: Disjoint, by start, none touching the next.
Spans = tuple[Span, ...]


def union(spans: Iterable[Span]) -> Spans:
    """Return the instants that lie in any of these."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def common(one: Spans, other: Spans) -> Spans:
    """Return the instants that lie in both."""
    return union((max(a, c), min(b, d)) for a, b in one for c, d in other)


def without(one: Spans, other: Spans) -> Spans:
    """Return the instants of the first that do not lie in the second."""
    left: list[Span] = list(one)
    for start, end in other:
        left = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b)) if part[0] < part[1]]
    return union(left)


def within(spans: Spans, start: datetime, end: datetime) -> Spans:
    """Return the instants in [start, end)."""
    return common(spans, ((start, end),)) if start < end else ()


def before(spans: Spans, end: datetime) -> Spans:
    """Return the instants before `end`."""
    return tuple((first, min(last, end)) for first, last in spans if first < end)


def total(spans: Spans) -> timedelta:
    """Return how long they are together."""
    return sum((end - start for start, end in spans), timedelta())
