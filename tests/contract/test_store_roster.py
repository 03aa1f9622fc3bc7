"""Shifts, presence acts and the revision that says when to look again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift
from callcenter.errors import Conflict, NotFound
from callcenter.ports import Store

WUXI = ZoneInfo("Asia/Shanghai")
NIGHT = Shift(
    id="s1", agent="c017", start=datetime(2026, 11, 23, 20, 0, tzinfo=WUXI), length=timedelta(hours=12)
)
DAY = Shift(
    id="s2",
    agent="c018",
    start=datetime(2026, 11, 24, 8, 0, tzinfo=WUXI),
    length=timedelta(hours=8, seconds=1),
)


def presence(key: str, agent: str, act: PresenceAct, minute: int) -> PresenceEvent:
    at = datetime(2026, 11, 23, 12, minute, tzinfo=UTC)
    return PresenceEvent(key=key, agent=agent, act=act, at=at, source="phone")


def test_a_shift_over_midnight_comes_back_as_one_shift_in_utc(store: Store) -> None:
    with store() as work:
        work.roster.add_shift(NIGHT)
        work.commit()
    with store() as work:
        found = work.roster.shifts_between(NIGHT.start, NIGHT.end)
    assert found == [NIGHT]
    assert found[0].length == timedelta(hours=12)


def test_shifts_that_touch_the_interval_are_found_in_order(store: Store) -> None:
    with store() as work:
        work.roster.add_shift(DAY)
        work.roster.add_shift(NIGHT)
        work.commit()
    midnight = datetime(2026, 11, 24, 0, 0, tzinfo=WUXI)
    with store() as work:
        found = work.roster.shifts_between
        assert found(midnight, midnight + timedelta(days=1)) == [NIGHT, DAY]
        assert found(NIGHT.end, NIGHT.end + timedelta(hours=1)) == [DAY], "an end is not in the shift"
        assert found(DAY.end, DAY.end + timedelta(hours=1)) == []


def test_removing_a_shift_returns_it_once(store: Store) -> None:
    with store() as work:
        work.roster.add_shift(NIGHT)
        assert work.roster.remove_shift("s1") == NIGHT
        with pytest.raises(NotFound):
            work.roster.remove_shift("s1")


def test_a_shift_id_is_used_once(store: Store) -> None:
    with store() as work:
        work.roster.add_shift(NIGHT)
        with pytest.raises(Conflict):
            work.roster.add_shift(NIGHT)


def test_the_revision_grows_with_every_change_and_only_then(store: Store) -> None:
    seen: list[int] = []
    with store() as work:
        seen.append(work.roster.revision())
        work.roster.add_shift(NIGHT)
        seen.append(work.roster.revision())
        work.roster.add_presence(presence("k1", "c017", PresenceAct.ON, 1))
        seen.append(work.roster.revision())
        work.roster.add_presence(presence("k1", "c017", PresenceAct.ON, 1))
        seen.append(work.roster.revision())
        work.roster.remove_shift("s1")
        seen.append(work.roster.revision())
    assert seen[0] < seen[1] < seen[2] == seen[3] < seen[4]


def test_the_same_act_is_stored_once(store: Store) -> None:
    act = presence("k1", "c017", PresenceAct.ON, 1)
    with store() as work:
        assert work.roster.add_presence(act) is True
        assert work.roster.add_presence(act) is False
        work.commit()
    with store() as work:
        assert work.roster.presence_events() == [act]


def test_only_acts_since_the_last_sign_on_or_off_are_returned(store: Store) -> None:
    acts = [
        presence("a1", "c017", PresenceAct.ON, 1),
        presence("a2", "c017", PresenceAct.PAUSE, 2),
        presence("a3", "c017", PresenceAct.OFF, 5),
        presence("b1", "c018", PresenceAct.ON, 3),
        presence("b2", "c018", PresenceAct.PAUSE, 4),
        presence("c1", "c019", PresenceAct.PAUSE, 6),
    ]
    with store() as work:
        for act in reversed(acts):
            work.roster.add_presence(act)
        work.commit()
    with store() as work:
        assert [e.key for e in work.roster.presence_events()] == ["b1", "b2", "a3", "c1"]


def test_two_signs_at_the_same_instant_are_ordered_by_key(store: Store) -> None:
    with store() as work:
        work.roster.add_presence(presence("k2", "c017", PresenceAct.OFF, 1))
        work.roster.add_presence(presence("k1", "c017", PresenceAct.ON, 1))
        assert [e.key for e in work.roster.presence_events()] == ["k2"]
