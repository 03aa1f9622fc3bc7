"""Loads: more work never counts less, whoever had least is 0, and half a share is full at half the work."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.load import HEAVY, MOST, STEP, loads, weight

AGENTS = ("c017", "c018", "c019", "c020")
talks = st.integers(0, 12 * 3600).map(lambda n: timedelta(seconds=n))
taken_by_any = st.dictionaries(st.sampled_from(AGENTS), talks, min_size=1)
shares_of_any = st.dictionaries(st.sampled_from(AGENTS), st.integers(10, 100))


@given(taken=taken_by_any, shares=shares_of_any)
def test_whoever_had_least_is_nought_and_nobody_is_past_nine(
    taken: dict[str, timedelta], shares: dict[str, int]
) -> None:
    found = loads(taken, shares)
    assert found.keys() == taken.keys()
    least = min(taken, key=lambda agent: taken[agent] * 100 / shares.get(agent, 100))
    assert found[least] == 0
    assert all(0 <= load <= MOST for load in found.values())


@given(taken=taken_by_any, shares=shares_of_any, more=talks, data=st.data())
def test_more_work_never_counts_less_and_lowers_only_others(
    taken: dict[str, timedelta], shares: dict[str, int], more: timedelta, data: st.DataObject
) -> None:
    agent = data.draw(st.sampled_from(sorted(taken)))
    before, after = loads(taken, shares), loads({**taken, agent: taken[agent] + more}, shares)
    assert after[agent] >= before[agent]
    assert all(after[other] <= before[other] for other in taken if other != agent)


@given(taken=taken_by_any, shares=shares_of_any)
def test_who_had_more_for_the_same_share_is_never_rung_before_who_had_less(
    taken: dict[str, timedelta], shares: dict[str, int]
) -> None:
    found = loads(taken, shares)
    for one in taken:
        for other in taken:
            if shares.get(one, 100) == shares.get(other, 100) and taken[one] <= taken[other]:
                assert found[one] <= found[other]


@given(taken=taken_by_any, shares=shares_of_any, data=st.data())
def test_half_the_share_is_as_loaded_by_half_the_work(
    taken: dict[str, timedelta], shares: dict[str, int], data: st.DataObject
) -> None:
    agent = data.draw(st.sampled_from(sorted(taken)))
    full = {**taken, agent: taken[agent] * 2}
    assert loads(full, {**shares, agent: 100}) == loads(taken, {**shares, agent: 50})
    less = loads(taken, {**shares, agent: 50})
    assert less[agent] >= loads(taken, {**shares, agent: 100})[agent]


def test_a_step_is_ten_minutes_and_a_talk_with_somebody_in_danger_counts_twice() -> None:
    hour = timedelta(hours=1)
    assert STEP == timedelta(minutes=10)
    assert weight(hour, is_heavy=True) == HEAVY * weight(hour, is_heavy=False) == 2 * hour
    assert loads({"c017": hour, "c018": timedelta(minutes=11)}, {}) == {"c017": 4, "c018": 0}
    assert loads({}, {}) == {}
