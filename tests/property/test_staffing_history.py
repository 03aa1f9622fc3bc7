"""Whatever the past was: no call is counted twice or lost, and every hour asked for is one of the week's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.service.line.demand import demand_of, hours_of

#: Half an hour off the full one, and an hour that the clock shows twice or never.
ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe")]
START = datetime(2026, 9, 28, tzinfo=UTC)
moments = st.integers(0, 56 * 24 * 3600).map(lambda s: START + timedelta(seconds=s))
zones = st.sampled_from(ZONES)


@given(moments, moments, zones)
def test_pieces_of_a_span_are_the_span(one: datetime, other: datetime, zone: ZoneInfo) -> None:
    start, end = sorted((one, other))
    pieces = list(hours_of(start, end, zone))
    assert sum((length for _, length in pieces), timedelta()) == end - start
    assert all(timedelta() < length <= timedelta(hours=1) for _, length in pieces)
    assert all(0 <= day <= 6 and 0 <= hour <= 23 for (day, hour), _ in pieces)


@given(
    st.lists(st.tuples(moments, st.sampled_from(Outcome), st.integers(0, 7200)), max_size=60),
    st.lists(st.tuples(moments, st.integers(1, 72)), max_size=6),
    zones,
)
def test_every_offered_call_in_served_time_is_in_one_hour(
    calls: list[tuple[datetime, Outcome, int]], served: list[tuple[datetime, int]], zone: ZoneInfo
) -> None:
    records = [
        CallRecord(
            id=str(n),
            direction=Direction.INBOUND,
            outcome=outcome,
            started_at=at,
            offered_at=at,
            answered_at=at if outcome is Outcome.ANSWERED else None,
            ended_at=at + timedelta(seconds=seconds),
        )
        for n, (at, outcome, seconds) in enumerate(calls)
    ]
    spans = []
    free = START
    for at, hours in sorted(served):  # as opening hours are: one after another
        start = max(at, free)
        free = start + timedelta(hours=hours)
        spans.append((start, free))
    until = START + timedelta(weeks=8)
    found = demand_of(
        records,
        spans,
        since=START,
        until=until,
        zone=zone,
        wrap_up=timedelta(seconds=10),
        wait_cap=timedelta(minutes=3),
    )
    assert sum(found.arrivals.values()) == found.calls <= len(records)
    assert found.answered + found.abandoned <= found.calls
    assert set(found.arrivals) <= set(found.served)
    inside = sum((min(end, until) - start for start, end in spans if start < until), timedelta())
    assert sum(found.served.values(), timedelta()).total_seconds() == pytest.approx(inside.total_seconds())
    assert found.aht is None or found.aht >= timedelta(seconds=10)
    assert found.patience is None or found.patience >= timedelta()
