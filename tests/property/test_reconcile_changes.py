"""Applying the changes makes the PBX as wanted; applying them again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.reconcile import FAMILIES, Changes, Wanted, plan_changes

agents = st.sampled_from(["c017", "c018", "c019", "PJSIP/c017"])
keys = st.builds("{}/{}".format, st.sampled_from(FAMILIES), st.sampled_from(["c017", "c018", "c019"]))
foreign = st.sampled_from(["hotline-probe/current", "Queue/PersistentMembers/hotline", "hotline-shift2/x"])
values = st.sampled_from(["", "1", "0-1&2-3"])
wanteds = st.builds(
    lambda members, facts: Wanted(members=members, facts=facts, edges={}),
    st.frozensets(agents),
    st.dictionaries(keys, st.sampled_from(["1", "0-1&2-3"])),
)
seatings = st.dictionaries(agents, st.booleans())
holdings = st.dictionaries(keys | foreign, values)


def applied(
    changes: Changes, seated: Mapping[str, bool], facts: Mapping[str, str]
) -> tuple[dict[str, bool], dict[str, str]]:
    seats, held = dict(seated), dict(facts)
    for key, value in changes.facts.items():
        held.pop(key, None)
        held |= {} if value is None else {key: value}
    for agent in (*changes.reseat, *changes.add):
        seats[agent] = False
    for agent in changes.remove:
        del seats[agent]
    return seats, held


@given(wanted=wanteds, seated=seatings, facts=holdings)
def test_applying_the_changes_makes_them_equal(
    wanted: Wanted, seated: dict[str, bool], facts: dict[str, str]
) -> None:
    seats, held = applied(plan_changes(wanted, seated, facts), seated, facts)
    assert seats == dict.fromkeys(wanted.members, False)
    assert {k: v for k, v in held.items() if k.partition("/")[0] in FAMILIES} == wanted.facts
    assert not plan_changes(wanted, seats, held)


@given(wanted=wanteds, seated=seatings, facts=holdings)
def test_what_is_not_ours_is_left_alone(
    wanted: Wanted, seated: dict[str, bool], facts: dict[str, str]
) -> None:
    changes = plan_changes(wanted, seated, facts)
    assert all(key.partition("/")[0] in FAMILIES for key in changes.facts)


@given(wanted=wanteds, seated=seatings, facts=holdings)
def test_nothing_is_done_that_need_not_be(
    wanted: Wanted, seated: dict[str, bool], facts: dict[str, str]
) -> None:
    changes = plan_changes(wanted, seated, facts)
    assert all(facts.get(key) != value for key, value in changes.facts.items())
    assert not set(changes.add) & seated.keys()
    assert not set(changes.remove) & wanted.members
    assert all(seated[agent] for agent in changes.reseat)
