"""What the store holds is counted alike in every store, and who sits in the queue by what they do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.ports import Member, Store
from callcenter.service.health.standing import SEATS, count, seat_of

HOUR = timedelta(hours=1)


def call(name: str, at: datetime, outcome: Outcome, direction: Direction = Direction.INBOUND) -> CallRecord:
    ended = None if outcome is Outcome.OPEN else at + timedelta(minutes=2)
    return CallRecord(id=name, direction=direction, started_at=at, ended_at=ended, outcome=outcome)


def test_todays_calls_are_counted_by_what_became_of_them(store: Store, now: datetime) -> None:
    midnight = now - 8 * HOUR
    with store() as work:
        work.calls.put_many(
            [
                call("1", now - HOUR, Outcome.ANSWERED),
                call("2", now - 2 * HOUR, Outcome.ANSWERED),
                call("3", now - 3 * HOUR, Outcome.OUTBOUND, Direction.OUTBOUND),
                call("4", midnight - HOUR, Outcome.ABANDONED),
                call("5", now - HOUR, Outcome.INTERNAL, Direction.INTERNAL),
                call("6", now, Outcome.OPEN),
                call("7", now, Outcome.OPEN, Direction.INTERNAL),
            ]
        )
        found = count(work, now, midnight)
    assert found.calls == {
        (Direction.INBOUND, Outcome.ANSWERED): 2,
        (Direction.OUTBOUND, Outcome.OUTBOUND): 1,
    }
    assert found.calls_open == 1


def test_alarms_are_counted_by_kind_until_somebody_has_heard_them(store: Store, now: datetime) -> None:
    alarm = Alarm(id="al-1", kind=AlarmKind.TRUNK_DOWN, detail="unreachable", raised_at=now)
    with store() as work:
        work.alarms.put(alarm)
        assert count(work, now, now).alarms == {AlarmKind.TRUNK_DOWN: 1}
        work.alarms.put(replace(alarm, acknowledged_at=now, acknowledged_by="c001"))
        assert count(work, now, now).alarms == {}


@pytest.mark.parametrize(
    ("member", "seat"),
    [
        (Member(agent="c001"), "free"),
        (Member(agent="c001", in_call=True), "talking"),
        (Member(agent="c001", paused=True), "paused"),
        (Member(agent="c001", paused=True, in_call=True), "talking"),
        (Member(agent="c001", reachable=False, paused=True), "unreachable"),
    ],
)
def test_everybody_in_the_queue_counts_once(member: Member, seat: str) -> None:
    assert seat_of(member) == seat
    assert seat in SEATS
