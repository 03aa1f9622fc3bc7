"""Calls, sessions and the journal's reading position."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcenter.domain.calls import CallRecord, Direction, EndedBy, Outcome
from callcenter.domain.sessions import SessionRow, SessionStatus
from callcenter.errors import NotFound
from callcenter.ports import Checkpoint, Store, UnreadRow


def call(n: int, now: datetime, **changes: object) -> CallRecord:
    plain = CallRecord(
        id=f"pbx1-1700000000.{n}",
        direction=Direction.INBOUND,
        outcome=Outcome.ABANDONED,
        started_at=now + timedelta(seconds=n),
        number="13861701234",
        dialled="4000850966",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def full(now: datetime) -> CallRecord:
    return call(
        1,
        now,
        outcome=Outcome.ANSWERED,
        offered_at=now + timedelta(seconds=12, microseconds=345),
        answered_at=now + timedelta(seconds=20),
        ended_at=now + timedelta(minutes=9),
        end_is_uncertain=True,
        answered_by="c017",
        answered_via="queue",
        ended_by=EndedBy.CALLER,
        hangup_cause=16,
        queue_entries=2,
        rings_not_answered=1,
        path=("greeting", "queue"),
        keys=("menu=1",),
        rung=("c018=no_answer", "c017=answered"),
        promises=("callback",),
        kept=("number=13861705678", "code=1204"),
        answers=("phq/1=3", "phq=14"),
        pieces=("breath_1", "sleep_2"),
        left_at="menu",
        unheard="screening_urgent",
        flow_outcome="answered",
        witness="queue_log",
    )


def put(store: Store, *records: CallRecord) -> None:
    with store() as work:
        work.calls.put_many(records)
        work.commit()


def test_every_field_of_a_call_comes_back(store: Store, now: datetime) -> None:
    record = full(now)
    put(store, record)
    with store() as work:
        assert work.calls.get(record.id) == record


def test_a_caller_without_a_number_is_recorded_all_the_same(store: Store, now: datetime) -> None:
    record = call(1, now, number=None, dialled=None)
    put(store, record)
    with store() as work:
        assert work.calls.get(record.id) == record
        assert work.calls.of_number("13861701234") == []


def test_an_unknown_call_is_not_found(store: Store) -> None:
    with store() as work, pytest.raises(NotFound):
        work.calls.get("pbx1-1.1")


def test_putting_nothing_changes_nothing(store: Store, now: datetime) -> None:
    put(store, call(1, now))
    put(store)
    with store() as work:
        assert [c.id for c in work.calls.between(now, now + timedelta(hours=1))] == [call(1, now).id]


def test_a_record_grows_until_it_is_closed(store: Store, now: datetime) -> None:
    ringing = call(1, now, outcome=Outcome.OPEN)
    put(store, ringing)
    with store() as work:
        assert work.calls.open_calls() == [ringing]
    put(store, full(now))
    with store() as work:
        assert work.calls.open_calls() == []
        assert work.calls.get(ringing.id) == full(now)


def test_a_closed_record_is_not_opened_again_by_a_late_event(store: Store, now: datetime) -> None:
    put(store, full(now))
    put(store, call(1, now, outcome=Outcome.OPEN))
    with store() as work:
        assert work.calls.get(full(now).id) == full(now)


def test_a_closed_record_may_be_told_better(store: Store, now: datetime) -> None:
    put(store, call(1, now))
    put(store, full(now))
    with store() as work:
        assert work.calls.get(full(now).id) == full(now)


def test_the_same_call_twice_in_one_batch_ends_as_the_last_closed_one(store: Store, now: datetime) -> None:
    put(store, call(1, now, outcome=Outcome.OPEN), full(now), call(1, now, outcome=Outcome.OPEN))
    with store() as work:
        assert work.calls.get(full(now).id) == full(now)


def test_known_closed_names_only_closed_calls_we_have(store: Store, now: datetime) -> None:
    put(store, call(1, now), call(2, now, outcome=Outcome.OPEN))
    many = [call(n, now).id for n in range(2500)]
    with store() as work:
        assert work.calls.known_closed(many) == {call(1, now).id}
        assert work.calls.known_closed([]) == frozenset()


def test_calls_between_take_the_start_and_leave_the_end(store: Store, now: datetime) -> None:
    put(store, *(call(n, now) for n in (3, 1, 2)))
    with store() as work:
        found = work.calls.between(now + timedelta(seconds=1), now + timedelta(seconds=3))
    assert found == [call(1, now), call(2, now)]


@pytest.mark.parametrize("spelling", ["13861701234", "+8613861701234", "0086 138-6170-1234"])
def test_calls_of_a_number_are_found_in_any_spelling_newest_first(
    store: Store, now: datetime, spelling: str
) -> None:
    put(store, *(call(n, now) for n in range(5)), call(9, now, number="13900000000"))
    with store() as work:
        assert work.calls.of_number(spelling, limit=2) == [call(4, now), call(3, now)]


def test_forgetting_calls_keeps_their_sessions(store: Store, now: datetime) -> None:
    put(store, call(1, now), call(2, now))
    session = SessionRow(id="se-1", call=call(1, now).id, counsellor="c017", opened_at=now)
    with store() as work:
        work.sessions.open_many([session])
        assert work.calls.delete_all() == 2
        work.commit()
    with store() as work:
        assert work.calls.between(now, now + timedelta(days=1)) == []
        assert work.sessions.of_call(session.call) == session


def test_a_call_has_one_session_however_often_it_is_opened(store: Store, now: datetime) -> None:
    first = SessionRow(id="se-1", call="c1", counsellor="c017", opened_at=now)
    again = SessionRow(id="se-9", call="c1", counsellor="c018", opened_at=now)
    other = SessionRow(
        id="se-2", call="c2", counsellor=None, opened_at=now - timedelta(1), status=SessionStatus.SUBMITTED
    )
    with store() as work:
        assert work.sessions.open_many([first, again, other]) == 2
        assert work.sessions.open_many([again]) == 0
        assert work.sessions.open_many([]) == 0
        work.commit()
    with store() as work:
        assert work.sessions.all() == [other, first]
        assert work.sessions.all(SessionStatus.OPEN) == [first]
        assert work.sessions.of_call("c3") is None
        assert work.sessions.since(now - timedelta(2)) == [other, first]
        assert work.sessions.since(now) == [first]
        assert work.sessions.since(now - timedelta(2), counsellor="c017") == [first]
        assert work.sessions.since(now + timedelta(1)) == []


def test_the_reading_position_is_replaced_and_can_be_forgotten(store: Store) -> None:
    early = Checkpoint(source="pbx1", segment="s1", offset=10, low_segment="s1", low_offset=0)
    late = replace(early, segment="s2", offset=5_000_000_000)
    with store() as work:
        assert work.journal.checkpoint("pbx1") is None
        work.journal.set_checkpoint(early)
        work.journal.set_checkpoint(late)
        work.commit()
    with store() as work:
        assert work.journal.checkpoint("pbx1") == late
        work.journal.forget()
        assert work.journal.checkpoint("pbx1") is None


def test_an_unread_row_is_kept_once(store: Store, now: datetime) -> None:
    rows = [UnreadRow(key=f"s1:{n % 2}", raw=b'"\xff13861701234', reason="cut", at=now) for n in range(3)]
    with store() as work:
        assert work.journal.keep_unread(rows) == 2
        assert work.journal.keep_unread(rows) == 0
        work.commit()
    with store() as work:
        assert work.journal.unread_count() == 2


_steps = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([Outcome.OPEN, Outcome.ANSWERED])), max_size=12
)


@given(_steps)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_once_closed_a_call_stays_closed_in_any_order(store: Store, now: datetime, steps: list) -> None:  # type: ignore[type-arg]
    with store() as work:
        work.calls.delete_all()
        for n, outcome in steps:
            work.calls.put_many([call(n, now, outcome=outcome)])
        closed = {call(n, now).id for n, outcome in steps if outcome is Outcome.ANSWERED}
        everything = {call(n, now).id for n, _ in steps}
        assert work.calls.known_closed(everything) == closed
        assert {c.id for c in work.calls.open_calls()} == everything - closed
