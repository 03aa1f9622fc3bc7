"""Applying the changes makes the PBX as wanted; applying them again changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.reconcile import (
    DUTY_FAMILIES,
    FAMILIES,
    LOAD,
    SKILL,
    Changes,
    Seat,
    Wanted,
    duty_changes,
    family_of,
    plan_changes,
    whose,
)
from callcenter.domain.staff import QUEUES

AGENTS = ("c017", "c018", "c019")
agents = st.sampled_from(AGENTS)
members = st.sampled_from([*AGENTS, "PJSIP/c017"])
queues = st.sampled_from(QUEUES)
plain = st.builds("{}/{}".format, st.sampled_from([f for f in FAMILIES if f not in (LOAD, SKILL)]), agents)
foreign = st.sampled_from(["hotline-probe/current", "Queue/PersistentMembers/hotline", "hotline-shift2/x"])
values = st.sampled_from(["", "1", "0-1&2-3"])
skills = st.dictionaries(agents.map(lambda a: f"{SKILL}/{a}"), st.sampled_from(["crisis", "crisis&trainee"]))
loads = st.dictionaries(agents.map(lambda a: f"{LOAD}/{a}"), st.integers(1, 9).map(str))
facts_of_any = st.builds(
    lambda *parts: {k: v for part in parts for k, v in part.items()},
    st.dictionaries(plain, st.sampled_from(["1", "0-1&2-3"])),
    skills,
    loads,
)
wanteds = st.builds(
    lambda seats, facts: Wanted(seats=seats, facts=facts, edges={}),
    st.dictionaries(agents, st.frozensets(queues, min_size=1)),
    facts_of_any,
)
seatings = st.lists(
    st.builds(Seat, queue=queues, agent=members, paused=st.booleans(), penalty=st.integers(0, 199)),
    unique_by=lambda seat: (seat.agent, seat.queue),
    max_size=12,
)
holdings = st.dictionaries(plain | foreign, values)


class Pbx:
    """Seats and facts; `decide` does what dialplan does, from what was wanted."""

    def __init__(self, wanted: Wanted, seats: list[Seat], facts: Mapping[str, str]) -> None:
        self.wanted, self.facts = wanted, dict(facts)
        self.seats = {(seat.agent, seat.queue): seat for seat in seats}

    def apply(self, changes: Changes) -> None:
        for key, value in changes.facts.items():
            self.facts.pop(key, None)
            self.facts |= {} if value is None else {key: value}
        for seat in changes.free:
            del self.seats[seat.agent, seat.queue]
        for agent in changes.decide:
            for queue in self.wanted.seats[agent]:
                seat = self.seats.get((agent, queue), Seat(queue=queue, agent=agent))
                self.seats[agent, queue] = replace(
                    seat, penalty=self.due(agent) + seat.penalty % 100 // 10 * 10
                )
        for seat in changes.remove:
            del self.seats[seat.agent, seat.queue]

    def due(self, agent: str) -> int:
        trainee = "trainee" in self.facts.get(f"{SKILL}/{agent}", "").split("&")
        return 100 * trainee + int(self.facts.get(f"{LOAD}/{agent}", 0))


@given(wanted=wanteds, seats=seatings, facts=holdings)
def test_applying_the_changes_makes_them_equal(
    wanted: Wanted, seats: list[Seat], facts: dict[str, str]
) -> None:
    pbx = Pbx(wanted, seats, facts)
    pbx.apply(plan_changes(wanted, seats, facts))
    assert set(pbx.seats) == {(agent, queue) for agent, those in wanted.seats.items() for queue in those}
    assert not any(seat.paused for seat in pbx.seats.values())
    for seat in pbx.seats.values():
        assert seat.penalty - seat.penalty % 100 // 10 * 10 == pbx.due(seat.agent)
    assert {k: v for k, v in pbx.facts.items() if family_of(k) in FAMILIES} == wanted.facts
    assert not plan_changes(wanted, pbx.seats.values(), pbx.facts)


@given(wanted=wanteds, seats=seatings, facts=holdings)
def test_missed_rings_are_left_to_dialplan(wanted: Wanted, seats: list[Seat], facts: dict[str, str]) -> None:
    later = [replace(seat, penalty=seat.penalty // 100 * 100 + seat.penalty % 10) for seat in seats]
    assert plan_changes(wanted, later, facts).decide == plan_changes(wanted, seats, facts).decide


@given(wanted=wanteds, seats=seatings, facts=holdings)
def test_what_is_not_ours_is_left_alone(wanted: Wanted, seats: list[Seat], facts: dict[str, str]) -> None:
    changes = plan_changes(wanted, seats, facts)
    assert all(family_of(key) in FAMILIES for key in changes.facts)


@given(wanted=wanteds, seats=seatings, facts=holdings)
def test_nothing_is_done_that_need_not_be(wanted: Wanted, seats: list[Seat], facts: dict[str, str]) -> None:
    changes = plan_changes(wanted, seats, facts)
    assert all(facts.get(key) != value for key, value in changes.facts.items())
    assert set(changes.decide) <= wanted.seats.keys()
    assert all(seat.queue not in wanted.seats.get(seat.agent, ()) for seat in changes.remove)
    assert all(seat.paused and seat.agent in changes.decide for seat in changes.free)


@given(before=wanteds, after=wanteds)
def test_a_quick_push_leaves_duty_facts_as_a_whole_comparison_would(before: Wanted, after: Wanted) -> None:
    changes = duty_changes(before, after)
    pbx = Pbx(after, [], before.facts)
    pbx.apply(replace(changes, decide=()))
    assert {k: v for k, v in pbx.facts.items() if family_of(k) in DUTY_FAMILIES} == after.duty_facts
    assert {k: v for k, v in pbx.facts.items() if family_of(k) not in DUTY_FAMILIES} == {
        k: v for k, v in before.facts.items() if family_of(k) not in DUTY_FAMILIES
    }
    moved = {a for a in AGENTS if before.seats.get(a) != after.seats.get(a)}
    assert moved <= set(changes.decide)
    assert not duty_changes(after, after)


@given(wanted=wanteds, seats=seatings, facts=holdings, left=st.frozensets(agents))
def test_who_is_left_out_is_not_touched_and_nobody_else_is_forgotten(
    wanted: Wanted, seats: list[Seat], facts: dict[str, str], left: frozenset[str]
) -> None:
    whole = plan_changes(wanted, seats, facts)
    part = whole.without(left)
    assert set(part.decide) == set(whole.decide) - left
    assert {k: v for k, v in whole.facts.items() if whose(k) not in left} == part.facts
    assert [seat for seat in whole.remove if seat.agent not in left] == list(part.remove)
