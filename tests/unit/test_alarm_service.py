"""The alarm road: one open alarm of a kind, rung until a name acknowledges it, with or without a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from callcenter.domain.alarms import Alarm, AlarmAck, AlarmKind, AlarmPolicy
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, NotFound
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.line.alarms import Bell, acknowledge, chain, clear, climb, on_acks, raise_alarm

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOWN = AlarmKind.TRUNK_DOWN


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    with store() as work:
        work.users.add(_user("s001", "钱督导", Role.SUPERVISOR, rank=1))
        work.users.add(_user("s002", "孙督导", Role.SUPERVISOR, rank=2))
        work.users.add(_user("k001", "李录入", Role.CLERK))
        work.commit()
    return store


@pytest.fixture
def road() -> MemoryAlarmRoad:
    return MemoryAlarmRoad()


def _user(code: str, name: str, role: Role, rank: int | None = None) -> User:
    phone = PhoneKind.NONE if rank is None else PhoneKind.SIP
    return User(code=code, name=name, roles=frozenset({role}), phone=phone, alarm_rank=rank)


def _raise(store: MemoryStore, road: MemoryAlarmRoad, now: datetime, kind: AlarmKind = DOWN) -> Alarm:
    with store() as work:
        alarm = raise_alarm(work, road, kind, "unreachable", now)
        work.commit()
    return alarm


def _climb(store: MemoryStore, road: MemoryAlarmRoad, now: datetime) -> tuple[Alarm, ...]:
    with store() as work:
        again = climb(work, road, now)
        work.commit()
    return again


def _ack(store: MemoryStore, *acks: AlarmAck) -> tuple[Alarm, ...]:
    with store() as work:
        changed = on_acks(work, acks, NOW + 30 * MINUTE)
        work.commit()
    return changed


def _row(store: MemoryStore, alarm_id: str) -> Alarm:
    with store() as work:
        return work.alarms.get(alarm_id)


def _verbs(store: MemoryStore) -> list[tuple[str, str]]:
    with store() as work:
        return [(entry.actor, entry.verb) for entry in work.audit.recent(50)]


def test_an_alarm_rings_once_and_its_row_says_when(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    assert [rung.id for rung in road.rung] == [alarm.id]
    assert _row(store, alarm.id).rung_at == NOW
    assert {("system", "alarm.raise"), ("system", "alarm.ring")} <= set(_verbs(store))


def test_raised_again_it_does_not_ring_again_before_its_pause_is_over(
    store: MemoryStore, road: MemoryAlarmRoad
) -> None:
    first = _raise(store, road, NOW)
    for minute in range(1, 5):
        assert _raise(store, road, NOW + minute * MINUTE).id == first.id
    assert len(road.rung) == 1
    assert _raise(store, road, NOW + 5 * MINUTE).rounds == 1
    assert len(road.rung) == 2


def test_an_alarm_of_another_kind_rings_at_once(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    _raise(store, road, NOW)
    _raise(store, road, NOW + MINUTE, AlarmKind.NOBODY_ON_DUTY)
    assert [alarm.kind for alarm in road.rung] == [DOWN, AlarmKind.NOBODY_ON_DUTY]


def test_an_unacknowledged_alarm_climbs_ever_slower_and_never_stops(
    store: MemoryStore, road: MemoryAlarmRoad
) -> None:
    alarm = _raise(store, road, NOW)
    for minute in range(1, 24 * 60):
        _climb(store, road, NOW + minute * MINUTE)
    rings = [rung.rung_at for rung in road.rung if rung.rung_at]
    pauses = [(later - earlier) // MINUTE for earlier, later in pairwise(rings)]
    assert pauses[:6] == [5, 5, 5, 10, 20, 40]
    assert set(pauses[6:]) == {60}
    assert _row(store, alarm.id).rounds == len(pauses)


def test_key_1_acknowledges_by_name_and_the_alarm_stops(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    changed = _ack(store, AlarmAck(alarm=alarm.id, by="s002", at=NOW + MINUTE))
    assert [(a.acknowledged_by, a.acknowledged_at) for a in changed] == [("s002", NOW + MINUTE)]
    assert _climb(store, road, NOW + 60 * MINUTE) == ()
    assert ("s002", "alarm.acknowledge") in _verbs(store)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_acknowledgements_out_of_order_or_twice_give_the_same_row(
    store: MemoryStore, road: MemoryAlarmRoad, order: tuple[int, int]
) -> None:
    alarm = _raise(store, road, NOW)
    acks = [AlarmAck(alarm=alarm.id, by=by, at=NOW + n * MINUTE) for n, by in ((1, "s001"), (2, "s002"))]
    for index in order * 2:
        _ack(store, acks[index])
    assert _row(store, alarm.id).acknowledged_by == "s001"
    assert _row(store, alarm.id).acknowledged_at == NOW + MINUTE


def test_a_name_nobody_knows_acknowledges_nothing(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    assert _ack(store, AlarmAck(alarm=alarm.id, by="x999", at=NOW)) == ()
    assert _row(store, alarm.id).is_open


def test_a_cause_that_went_away_acknowledges_nothing(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    with store() as work:
        clear(work, {DOWN}, NOW + MINUTE)
        work.commit()
    assert _row(store, alarm.id).cleared_at == NOW + MINUTE
    assert [a.id for a in _climb(store, road, NOW + 5 * MINUTE)] == [alarm.id]


def test_a_cause_that_comes_back_is_the_same_open_alarm(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    with store() as work:
        clear(work, {DOWN}, NOW + MINUTE)
        work.commit()
    assert _raise(store, road, NOW + 2 * MINUTE).id == alarm.id
    assert _row(store, alarm.id).cleared_at is None


def test_an_acknowledged_cause_stays_quiet_for_an_hour_then_is_told_again(
    store: MemoryStore, road: MemoryAlarmRoad
) -> None:
    alarm = _raise(store, road, NOW)
    _ack(store, AlarmAck(alarm=alarm.id, by="s001", at=NOW))
    assert _raise(store, road, NOW + 59 * MINUTE).id == alarm.id
    assert _raise(store, road, NOW + 60 * MINUTE).id != alarm.id
    assert len(road.rung) == 2


def test_a_cause_cured_and_broken_again_rings_at_once(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    _ack(store, AlarmAck(alarm=alarm.id, by="s001", at=NOW))
    with store() as work:
        clear(work, {DOWN}, NOW + MINUTE)
        work.commit()
    assert _raise(store, road, NOW + 2 * MINUTE).id != alarm.id
    assert len(road.rung) == 2


def test_every_test_rings_really(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    first = _raise(store, road, NOW, AlarmKind.TEST)
    assert _raise(store, road, NOW + MINUTE, AlarmKind.TEST).id == first.id
    _ack(store, AlarmAck(alarm=first.id, by="s001", at=NOW + MINUTE))
    assert _raise(store, road, NOW + 2 * MINUTE, AlarmKind.TEST).id != first.id
    assert len(road.rung) == 3


def test_the_command_line_acknowledges_with_a_reason(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    with store() as work:
        acknowledge(work, alarm.id, actor="s001", now=NOW, reason="运营商已派修")
        assert work.audit.recent(1)[0].reason == "运营商已派修"
        work.commit()
    assert not _row(store, alarm.id).is_open


def test_a_clerk_and_a_stranger_may_not_acknowledge(store: MemoryStore, road: MemoryAlarmRoad) -> None:
    alarm = _raise(store, road, NOW)
    with store() as work:
        for stranger in ("k001", "x999"):
            with pytest.raises(Forbidden, match=stranger):
                acknowledge(work, alarm.id, actor=stranger, now=NOW)
        with pytest.raises(NotFound):
            acknowledge(work, "al-none", actor="s001", now=NOW)


def test_the_chain_is_in_order_and_leaves_out_who_left(store: MemoryStore) -> None:
    with store() as work:
        assert [user.code for user in chain(work.users.all())] == ["s001", "s002"]


def test_the_watchdog_s_own_ring_gets_its_row_from_the_acknowledgement(store: MemoryStore) -> None:
    ack = AlarmAck(alarm="al-watchdog-6b03a2ff", by="s001", at=NOW)
    assert [a.kind for a in _ack(store, ack)] == [AlarmKind.WATCHDOG]
    assert _ack(store, ack) == ()
    assert not _row(store, "al-watchdog-6b03a2ff").is_open


class BrokenRoad(MemoryAlarmRoad):
    """A road whose spool cannot be written."""

    broken = True

    def ring(self, alarm: Alarm) -> None:
        if self.broken:
            raise OSError("No space left on device")
        super().ring(alarm)


def test_a_road_that_failed_is_tried_again_at_the_next_look(store: MemoryStore) -> None:
    road = BrokenRoad()
    assert _raise(store, road, NOW).rung_at is None
    road.broken = False
    assert [a.rounds for a in _climb(store, road, NOW + MINUTE)] == [0]
    assert len(road.rung) == 1


class DyingStore:
    """A store that can be told to refuse reading, or only committing (a full disk)."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.readable = True
        self.writable = True

    def __call__(self) -> AbstractContextManager[UnitOfWork]:
        return self._open()

    @contextmanager
    def _open(self) -> Iterator[UnitOfWork]:
        if not self.readable:
            raise ConnectionError("database is gone")
        with self._store() as work:
            if not self.writable:
                work.commit = self._refuse  # type: ignore[method-assign]
            yield work

    def _refuse(self) -> None:
        raise ConnectionError("disk full")


@pytest.mark.parametrize("still_readable", [True, False])
def test_with_a_dead_store_the_road_rings_at_its_pace_and_the_row_comes_later(
    store: MemoryStore, road: MemoryAlarmRoad, still_readable: bool
) -> None:
    dying = DyingStore(store)
    bell = Bell(dying, road)
    dying.readable, dying.writable = still_readable, False
    for minute in range(10):
        bell.raise_alarm(DOWN, "unreachable", NOW + minute * MINUTE)
        bell.climb(NOW + minute * MINUTE)
    assert [rung.rung_at for rung in road.rung] == [NOW, NOW + 5 * MINUTE]
    dying.readable = dying.writable = True
    bell.climb(NOW + 10 * MINUTE)
    assert {rung.id for rung in road.rung} == {road.rung[0].id}
    assert _row(store, road.rung[0].id).rounds == 2


def test_a_store_that_dies_under_an_open_alarm_keeps_its_pace(
    store: MemoryStore, road: MemoryAlarmRoad
) -> None:
    alarm = _raise(store, road, NOW)
    dying = DyingStore(store)
    bell = Bell(dying, road)
    dying.writable = False
    for minute in range(1, 11):
        bell.climb(NOW + minute * MINUTE)
    assert [(rung.id, rung.rung_at) for rung in road.rung] == [
        (alarm.id, NOW + n * 5 * MINUTE) for n in range(3)
    ]
    dying.writable = True
    bell.climb(NOW + 11 * MINUTE)
    assert _row(store, alarm.id).rung_at == NOW + 10 * MINUTE


def test_what_rang_blind_is_acknowledged_by_the_key_that_was_pressed(
    store: MemoryStore, road: MemoryAlarmRoad
) -> None:
    """The store dies with an alarm open, the road rings under a new id, key 1 answers that id."""
    alarm = _raise(store, road, NOW - 10 * MINUTE)
    dying = DyingStore(store)
    dying.readable = False
    blind = Bell(dying, road).raise_alarm(DOWN, "unreachable", NOW)
    assert blind.id != alarm.id
    ack = AlarmAck(alarm=blind.id, by="s001", at=NOW + MINUTE)
    _ack(store, ack)
    assert _row(store, alarm.id).acknowledged_by == "s001"
    assert _ack(store, ack) == ()


def test_a_long_chain_is_climbed_to_its_end_before_it_is_climbed_again() -> None:
    assert AlarmPolicy().for_chain(2).climb_after == 5 * MINUTE
    assert AlarmPolicy().for_chain(9).climb_after == 3 * timedelta(seconds=9 * 30 + 20)


def test_the_pause_grows_but_never_beyond_the_longest() -> None:
    policy = AlarmPolicy()
    assert [policy.pause(n) // MINUTE for n in (0, 2, 3, 4, 50)] == [5, 5, 10, 20, 60]
    assert AlarmPolicy(climb_after=timedelta(hours=2)).pause(9) == timedelta(hours=2)
