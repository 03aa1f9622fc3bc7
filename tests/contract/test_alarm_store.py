"""An alarm's whole life is the same in every store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from callcenter.domain.alarms import AlarmAck, AlarmKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryAlarmRoad
from callcenter.ports import Store
from callcenter.service.line.alarms import Bell, acknowledge, clear, on_acks

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DOWN = AlarmKind.TRUNK_DOWN


def _people(store: Store) -> None:
    with store() as work:
        for rank, code in enumerate(("s001", "s002"), 1):
            work.users.add(
                User(
                    code=code,
                    name="钱督导",
                    roles=frozenset({Role.SUPERVISOR}),
                    phone=PhoneKind.SIP,
                    alarm_rank=rank,
                )
            )
        work.commit()


def test_raised_climbed_cured_acknowledged_and_raised_anew(store: Store) -> None:
    _people(store)
    road = MemoryAlarmRoad()
    bell = Bell(store, road)
    first = bell.raise_alarm(DOWN, "unreachable", NOW)
    assert bell.raise_alarm(DOWN, "unreachable", NOW + MINUTE).id == first.id
    bell.climb(NOW + 6 * MINUTE)
    bell.within(lambda work: clear(work, {DOWN}, NOW + 7 * MINUTE))
    bell.within(lambda work: on_acks(work, [AlarmAck(alarm=first.id, by="s002", at=NOW + 8 * MINUTE)], NOW))
    second = bell.raise_alarm(DOWN, "unreachable", NOW + 9 * MINUTE)
    assert [alarm.id for alarm in road.rung] == [first.id, first.id, second.id]
    with store() as work:
        row = work.alarms.get(first.id)
        assert (row.rounds, row.acknowledged_by, row.acknowledged_at) == (1, "s002", NOW + 8 * MINUTE)
        assert row.cleared_at == NOW + 7 * MINUTE
        assert [alarm.id for alarm in work.alarms.open()] == [second.id]
        assert [alarm.id for alarm in work.alarms.recent(5)] == [second.id, first.id]


def test_each_kind_has_its_row_and_the_watchdog_gets_one_late(store: Store) -> None:
    _people(store)
    bell = Bell(store, MemoryAlarmRoad())
    for kind in AlarmKind:
        bell.raise_alarm(kind, "", NOW)
    ack = AlarmAck(alarm="al-watchdog-6b03a2ff", by="s001", at=NOW - MINUTE)
    bell.within(lambda work: on_acks(work, [ack, ack], NOW))
    with store() as work:
        assert {alarm.kind for alarm in work.alarms.open()} == set(AlarmKind)
        assert work.alarms.get("al-watchdog-6b03a2ff").acknowledged_by == "s001"
        acknowledge(work, work.alarms.open()[0].id, actor="s001", now=NOW, reason="已派修")
        work.commit()


def test_two_watchers_of_one_store_keep_one_alarm(store: Store) -> None:
    _people(store)
    road = MemoryAlarmRoad()
    ids = {Bell(store, road).raise_alarm(DOWN, "unreachable", NOW).id for _ in range(3)}
    assert len(ids) == 1
    assert len(road.rung) == 1
