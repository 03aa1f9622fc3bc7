"""The watch: what is wrong now, without flapping, and a watchdog that only a whole look keeps asleep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.config import Alarms as AlarmSettings
from callcenter.domain.alarms import AlarmKind, acknowledged
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.ports import Member, UnreadRow
from callcenter.service.line.watch import (
    CALM,
    Live,
    NumberWatch,
    Picture,
    Reading,
    Watch,
    look,
    right_now,
    wrong_now,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HERE = (Member(agent="c001"),)
ON_SHIFT = frozenset({"c001"})


def _wrong(*readings: Reading) -> set[tuple[AlarmKind, str]]:
    picture = Picture()
    for reading in readings:
        picture = look(picture, reading)
    return set(wrong_now(picture, readings[-1].at))


def _duty(at: datetime, *members: Member, on_shift: frozenset[str] = ON_SHIFT) -> Reading:
    return Reading(at=at, live=Live(members=members), on_shift=on_shift)


def test_nobody_came_to_the_shift() -> None:
    assert _wrong(_duty(NOW), _duty(NOW + 59 * SECOND)) == set()
    assert _wrong(_duty(NOW), _duty(NOW + 60 * SECOND)) == {(AlarmKind.NOBODY_ON_DUTY, "no_member")}


def test_a_phone_that_lost_its_registration_is_nobody() -> None:
    gone = Member(agent="c001", reachable=False)
    assert _wrong(_duty(NOW, gone), _duty(NOW + MINUTE, gone)) == {(AlarmKind.NOBODY_ON_DUTY, "unreachable")}


def test_a_counsellor_in_a_talk_is_somebody() -> None:
    busy = Member(agent="c001", in_call=True)
    assert _wrong(_duty(NOW, busy), _duty(NOW + 30 * MINUTE, busy)) == set()


def test_everybody_rests_for_a_while_and_then_for_too_long() -> None:
    rest = Member(agent="c001", paused=True)
    assert _wrong(_duty(NOW, rest), _duty(NOW + 9 * MINUTE, rest)) == set()
    assert _wrong(_duty(NOW, rest), _duty(NOW + 10 * MINUTE, rest)) == {
        (AlarmKind.NOBODY_ON_DUTY, "all_paused")
    }


def test_a_line_whose_only_seat_rests_by_feature_code_or_waits_for_a_talk_is_told_of_later() -> None:
    """A pause of ours takes the member out of the queue; so does a debriefing owed (R47)."""

    def resting(minutes: int) -> Reading:
        at = NOW + minutes * MINUTE
        return Reading(at=at, live=Live(members=()), on_shift=ON_SHIFT, resting=ON_SHIFT)

    assert _wrong(resting(0), resting(9)) == set()
    assert _wrong(resting(0), resting(10)) == {(AlarmKind.NOBODY_ON_DUTY, "all_paused")}


def test_outside_every_shift_nobody_is_missed() -> None:
    closed = frozenset[str]()
    assert _wrong(_duty(NOW, on_shift=closed), _duty(NOW + 60 * MINUTE, on_shift=closed)) == set()


def test_a_blink_starts_the_patience_anew() -> None:
    assert _wrong(_duty(NOW), _duty(NOW + 50 * SECOND, *HERE), _duty(NOW + 70 * SECOND)) == set()


def test_a_bridge_that_cannot_see_says_so_and_judges_nothing_else() -> None:
    blind = Live(connected=False)
    readings = [Reading(at=NOW + n * MINUTE, live=blind, on_shift=ON_SHIFT) for n in range(5)]
    assert _wrong(*readings) == {(AlarmKind.BRIDGE_DISCONNECTED, "no_ami")}


def test_a_trouble_seen_before_the_bridge_went_blind_stays_one() -> None:
    readings = [_duty(NOW), _duty(NOW + MINUTE), Reading(at=NOW + 2 * MINUTE, live=Live())]
    assert (AlarmKind.NOBODY_ON_DUTY, "no_member") in _wrong(*readings)


def test_the_trunk_does_not_answer() -> None:
    down = Live(trunk_up=False)
    assert _wrong(Reading(at=NOW, live=down), Reading(at=NOW + 90 * SECOND, live=down)) == {
        (AlarmKind.TRUNK_DOWN, "unreachable")
    }


def test_calls_are_seen_but_the_journal_does_not_grow() -> None:
    stalled = Live(last_call_at=NOW, journal_at=NOW - MINUTE)
    assert _wrong(Reading(at=NOW, live=stalled), Reading(at=NOW + MINUTE, live=stalled)) == {
        (AlarmKind.JOURNAL_STALLED, "behind")
    }


def test_a_quiet_night_is_no_stalled_journal() -> None:
    quiet = Live(last_call_at=NOW - 9 * 60 * MINUTE, journal_at=NOW - 9 * 60 * MINUTE)
    assert _wrong(Reading(at=NOW, live=quiet), Reading(at=NOW + 60 * MINUTE, live=quiet)) == set()


def test_rows_nobody_could_read_are_told_once() -> None:
    assert _wrong(Reading(at=NOW, unread_rows=3, unread_told=1)) == {(AlarmKind.JOURNAL_UNREADABLE, "rows=3")}
    assert _wrong(Reading(at=NOW, unread_rows=3, unread_told=3)) == set()


def _call(n: int, number: str | None, direction: Direction = Direction.INBOUND) -> CallRecord:
    at = NOW + n * SECOND
    return CallRecord(
        id=f"1795442047.{n}", direction=direction, outcome=Outcome.ANSWERED, started_at=at, number=number
    )


def test_a_carrier_that_sends_no_numbers_any_more() -> None:
    numbers, store = NumberWatch(), MemoryStore()
    with store() as work:
        numbers(work, [_call(n, None) for n in range(4)], NOW)
        numbers(work, [_call(4, None, Direction.OUTBOUND)], NOW)
        assert _wrong(Reading(at=NOW, live=Live(without_number=numbers.in_a_row))) == set()
        numbers(work, [_call(5, None)], NOW)
    assert _wrong(Reading(at=NOW, live=Live(without_number=numbers.in_a_row))) == {
        (AlarmKind.NO_CALLER_ID, "carrier_sends_none")
    }


def test_now_and_then_a_caller_withholds_the_number() -> None:
    numbers, store = NumberWatch(), MemoryStore()
    with store() as work:
        numbers(work, [_call(n, None if n % 5 else "13800001234") for n in range(50)], NOW)
    assert _wrong(Reading(at=NOW, live=Live(without_number=numbers.in_a_row))) == set()


def test_a_trouble_is_gone_only_when_it_stays_away() -> None:
    picture = look(look(Picture(), _duty(NOW)), _duty(NOW + MINUTE, *HERE))
    assert AlarmKind.NOBODY_ON_DUTY not in right_now(picture, NOW + MINUTE + CALM - SECOND)
    assert AlarmKind.NOBODY_ON_DUTY in right_now(picture, NOW + MINUTE + CALM)


@given(st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=1, max_size=40))
def test_no_kind_is_ever_both_wrong_and_right(steps: list[tuple[int, bool]]) -> None:
    picture, times = Picture(), accumulate(seconds for seconds, _ in steps)
    for seconds, (_, up) in zip(times, steps, strict=True):
        now = NOW + seconds * SECOND
        picture = look(picture, Reading(at=now, live=Live(trunk_up=up)))
        wrong = {kind for kind, _ in wrong_now(picture, now)}
        assert not wrong & right_now(picture, now)
        assert not (up and AlarmKind.TRUNK_DOWN in wrong)


class Line:
    """A line under watch: what the PBX shows can be set."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.road = MemoryAlarmRoad()
        self.live = Live(members=HERE, trunk_up=True, connected=True)
        self.store_dead = False
        self.watch = Watch(self._open, self.road, lambda: self.live, AlarmSettings())

    def _open(self):  # type: ignore[no-untyped-def]
        if self.store_dead:
            raise ConnectionError("database is gone")
        return self.store()

    def plan(
        self, start: datetime, length: timedelta, agent: str = "c001", kind: ShiftKind = ShiftKind.LINE
    ) -> None:
        with self.store() as work:
            name = f"sh-{agent}-{start:%H%M}"
            work.roster.add_shift(Shift(id=name, agent=agent, start=start, length=length, kind=kind))
            work.commit()

    def enlist(self, *agents: str) -> None:
        counsellor = frozenset({Role.COUNSELLOR})
        with self.store() as work:
            for code in agents:
                work.users.add(User(code=code, name="周敏", roles=counsellor, phone=PhoneKind.SIP))
            work.commit()

    def act(self, act: PresenceAct, at: datetime, agent: str = "c001") -> None:
        with self.store() as work:
            key = f"{at.timestamp()} {act}"
            work.roster.add_presence(PresenceEvent(key=key, agent=agent, act=act, at=at, source="phone"))
            work.commit()

    def acknowledge(self) -> None:
        """Somebody answers every open alarm by name."""
        with self.store() as work:
            for alarm in work.alarms.open():
                work.alarms.put(acknowledged(alarm, "s001", alarm.rung_at or alarm.raised_at))
            work.commit()

    def run(self, start: datetime, ticks: int) -> None:
        for tick in range(ticks):
            self.watch.once(start + tick * MINUTE)

    def rung(self) -> list[tuple[AlarmKind, datetime | None]]:
        return [(alarm.kind, alarm.rung_at) for alarm in self.road.rung]


def test_a_shift_over_midnight_that_nobody_took_rings_the_supervisor() -> None:
    line = Line()
    line.plan(NOW - timedelta(hours=8), timedelta(hours=12))
    line.live = Live(members=(), trunk_up=True, connected=True)
    line.run(NOW, 3)
    assert line.rung() == [(AlarmKind.NOBODY_ON_DUTY, NOW + MINUTE)]


def test_a_quiet_line_rings_nobody_and_keeps_the_watchdog_asleep() -> None:
    line = Line()
    line.plan(NOW, timedelta(hours=8))
    line.run(NOW, 10)
    assert line.rung() == []
    assert line.road.watchdog_at == NOW + 9 * MINUTE + AlarmSettings().watchdog


# --- somebody whose shift has begun is not there ---------------------------------------------


def _late(line: Line) -> list[tuple[str, datetime]]:
    """Return what was told of lateness and when it was raised; a climb tells nothing new."""
    told = ((a.detail, a.raised_at) for a in line.road.rung if a.kind is AlarmKind.LATE_FOR_DUTY)
    return list(dict.fromkeys(told))


def test_somebody_who_does_not_come_is_told_of_once_for_their_shift() -> None:
    line = Line()
    line.enlist("c001")
    line.plan(NOW, timedelta(hours=3))
    line.run(NOW, 6)
    assert _late(line) == [("c001", NOW + 5 * MINUTE)]
    line.acknowledge()
    line.run(NOW + 6 * MINUTE, 170)
    assert len(line.road.rung) == 1, "whoever knows need not hear it again"
    with line.store() as work:
        assert work.alarms.recent(5)[0].cleared_at is None
    line.run(NOW + timedelta(hours=3), 4)
    with line.store() as work:
        (alarm,) = [a for a in work.alarms.recent(5) if a.kind is AlarmKind.LATE_FOR_DUTY]
    assert alarm.cleared_at == NOW + timedelta(hours=3) + CALM, "the shift is over"


def test_the_next_shift_they_miss_and_the_next_person_ring_again() -> None:
    line = Line()
    line.enlist("c001", "c002")
    line.plan(NOW, timedelta(hours=1))
    line.plan(NOW + timedelta(hours=2), timedelta(hours=1))
    line.run(NOW, 6)
    line.acknowledge()
    line.plan(NOW + 10 * MINUTE, timedelta(minutes=30), agent="c002")
    line.run(NOW + 6 * MINUTE, 10)
    assert [detail for detail, _ in _late(line)] == ["c001", "c001 c002"]
    line.acknowledge()
    line.run(NOW + 16 * MINUTE, 130)
    assert _late(line)[2:] == [("c001", NOW + timedelta(hours=2, minutes=5))]


def test_signing_on_late_clears_it_whatever_they_do_then() -> None:
    line = Line()
    line.enlist("c001")
    line.plan(NOW, timedelta(hours=3))
    line.run(NOW, 7)
    line.act(PresenceAct.ON, NOW + 7 * MINUTE)
    line.act(PresenceAct.PAUSE, NOW + 8 * MINUTE)
    line.run(NOW + 8 * MINUTE, 4)
    line.act(PresenceAct.OFF, NOW + 20 * MINUTE)
    line.run(NOW + 20 * MINUTE, 30)
    with line.store() as work:
        (alarm,) = [a for a in work.alarms.recent(5) if a.kind is AlarmKind.LATE_FOR_DUTY]
    assert alarm.cleared_at == NOW + 10 * MINUTE
    assert len({a.id for a in line.road.rung if a.kind is AlarmKind.LATE_FOR_DUTY}) == 1


def test_whoever_signs_off_from_the_shift_before_and_forgets_this_one_is_missed() -> None:
    line = Line()
    line.enlist("c001")
    line.act(PresenceAct.ON, NOW - timedelta(hours=3))
    line.plan(NOW, timedelta(hours=3))
    line.act(PresenceAct.OFF, NOW + MINUTE)
    line.run(NOW + MINUTE, 5)
    assert _late(line) == [("c001", NOW + 5 * MINUTE)]


def test_nobody_on_call_at_home_is_late_nor_missed_at_the_line() -> None:
    line = Line()
    line.enlist("c001")
    line.live = Live(members=(), trunk_up=True, connected=True)
    line.plan(NOW, timedelta(hours=3), kind=ShiftKind.BACKUP)
    line.run(NOW, 15)
    assert line.rung() == []


def test_a_sole_counsellor_who_is_owed_a_talk_rings_the_supervisor_in_time() -> None:
    line = Line()
    line.enlist("c001")
    line.plan(NOW, timedelta(hours=3))
    line.act(PresenceAct.ON, NOW)
    line.act(PresenceAct.DEBRIEF, NOW)
    line.live = Live(members=(), trunk_up=True, connected=True)
    line.run(NOW, 12)
    assert line.rung() == [(AlarmKind.NOBODY_ON_DUTY, NOW + 10 * MINUTE)]


def test_a_cured_trouble_is_recorded_as_gone_but_waits_for_a_name() -> None:
    line = Line()
    line.live = Live(trunk_up=False)
    line.run(NOW, 3)
    line.live = Live(trunk_up=True)
    line.run(NOW + 3 * MINUTE, 4)
    with line.store() as work:
        (alarm,) = work.alarms.open()
    assert alarm.cleared_at == NOW + 5 * MINUTE


def test_a_dead_store_lets_the_watchdog_bite_and_the_trunk_still_alarms() -> None:
    line = Line()
    line.run(NOW, 1)
    line.store_dead = True
    line.live = Live(members=(), trunk_up=False, connected=True)
    line.run(NOW + MINUTE, 4)
    assert line.road.watchdog_at == NOW + AlarmSettings().watchdog
    rung = [(AlarmKind.STORE_AWAY, NOW + 2 * MINUTE), (AlarmKind.TRUNK_DOWN, NOW + 3 * MINUTE)]
    assert line.rung() == rung


def test_a_store_that_is_back_before_a_minute_is_over_rings_nobody() -> None:
    line = Line()
    line.store_dead = True
    line.run(NOW, 1)
    line.store_dead = False
    line.run(NOW + 50 * SECOND, 4)
    assert line.rung() == []


def test_a_disk_that_can_be_read_and_not_written_is_told_by_what_waits_in_vain() -> None:
    line = Line()
    line.live = Live(unstored_since=NOW)
    line.run(NOW, 2)
    line.live = Live()
    line.run(NOW + 2 * MINUTE, 4)
    (alarm,) = line.road.rung
    assert (alarm.kind, alarm.detail) == (AlarmKind.STORE_AWAY, "unwritable")
    with line.store() as work:
        assert work.alarms.get(alarm.id).cleared_at == NOW + 4 * MINUTE


def test_a_disk_that_fills_rings_while_there_is_still_room_for_calls() -> None:
    line = Line()
    line.live = Live(disk_free=0.09)
    line.run(NOW, 3)
    assert line.rung() == [(AlarmKind.DISK_FILLING, NOW + MINUTE)]
    assert line.road.rung[0].detail == "free=9%"
    assert _wrong(*(Reading(at=NOW + n * MINUTE, live=Live(disk_free=0.11)) for n in range(3))) == set()


def test_a_disk_that_fills_rings_without_the_store_too() -> None:
    line = Line()
    line.store_dead = True
    line.live = Live(disk_free=0.01)
    line.run(NOW, 2)
    assert {kind for kind, _ in line.rung()} == {AlarmKind.STORE_AWAY, AlarmKind.DISK_FILLING}


def test_an_hour_without_the_store_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.store_dead = True
    line.run(NOW, 60)
    line.store_dead = False
    line.run(NOW + 60 * MINUTE, 3)
    said = [getattr(record, "action", "") for record in caplog.records]
    assert set(said) == {"watch.no_store", "alarm.ring", "watch.no_store.mended"}
    assert (said.count("watch.no_store"), said.count("watch.no_store.mended")) == (1, 1)


def test_unreadable_rows_are_told_once_and_again_when_there_are_more() -> None:
    line = Line()
    _unread(line, "a:1")
    line.run(NOW, 4)
    with line.store() as work:
        (alarm,) = work.alarms.open()
    assert (alarm.detail, len(line.road.rung)) == ("rows=1", 1)
    _unread(line, "a:2")
    line.run(NOW + 4 * MINUTE, 1)
    with line.store() as work:
        assert work.alarms.get(alarm.id).detail == "rows=2"


def _unread(line: Line, key: str) -> None:
    with line.store() as work:
        work.journal.keep_unread([UnreadRow(key=key, raw=b"\xff", reason="cut", at=NOW)])
        work.commit()
