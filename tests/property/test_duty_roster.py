"""Over any history of signing on, pausing and shifts, all answers about duty agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.books import SURGES
from callcenter.domain.duty import (
    PresenceAct,
    PresenceEvent,
    Shift,
    ShiftKind,
    coverage,
    joined_spans,
    on_duty,
    presence_of,
    shift_edges,
)
from callcenter.domain.roster import Surge
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryQueue, MemoryStore
from callcenter.service.duty.presence import LONGEST_SHIFT, SURGE, members_at
from callcenter.service.line.wanted import EDGES_AHEAD, pbx_wants

#: 上海 11-23 00:00.
MIDNIGHT = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
AGENTS = ("c017", "c018", "c019")

minutes = st.integers(-2 * 1440, 9 * 1440)
moments = minutes.map(lambda n: MIDNIGHT + timedelta(minutes=n))
kinds = st.sampled_from(ShiftKind)
shifts_of_any = st.lists(
    st.tuples(st.sampled_from(AGENTS), moments, st.integers(1, 1440), kinds), max_size=12
).map(
    lambda rows: [
        Shift(id=f"sh-{n}", agent=agent, start=start, length=timedelta(minutes=length), kind=kind)
        for n, (agent, start, length, kind) in enumerate(rows)
    ]
)
surges = st.none() | moments
acts_of_any = st.lists(
    st.tuples(st.sampled_from(AGENTS), st.sampled_from(PresenceAct), moments), max_size=12
).map(
    lambda rows: [
        PresenceEvent(key=f"k{n}", agent=agent, act=act, at=at, source="journal")
        for n, (agent, act, at) in enumerate(rows)
    ]
)


def store_with(shifts: list[Shift], acts: list[PresenceEvent], surge: datetime | None = None) -> MemoryStore:
    store = MemoryStore()
    with store() as work:
        for code in AGENTS:
            roles = frozenset({Role.COUNSELLOR})
            work.users.add(User(code=code, name="周敏", roles=roles, phone=PhoneKind.SIP))
        for shift in shifts:
            work.roster.add_shift(shift)
        for act in acts:
            work.roster.add_presence(act)
        if surge is not None:
            work.book(SURGES).add(Surge(id=SURGE, until=surge, by="s001", at=MIDNIGHT))
        work.commit()
    return store


def by_dialplan(facts: dict[str, str], agent: str, now: datetime) -> bool:
    """Decide as `hotline-duty,reconcile` does, from facts and the clock alone."""
    pbx = MemoryQueue(lambda: now)
    pbx.pushed = facts
    return bool(pbx.queues_for(agent))


@given(shifts=shifts_of_any, acts=acts_of_any, now=moments, surge=surges)
def test_members_equal_the_rosters_answer_at_any_instant(
    shifts: list[Shift], acts: list[PresenceEvent], now: datetime, surge: datetime | None
) -> None:
    with store_with(shifts, acts, surge)() as work:
        answer = on_duty(shifts, presence_of(acts), now, surge_until=surge)
        assert members_at(work, now) == answer
        assert pbx_wants(work, now, salt="S").members == answer


@given(shifts=shifts_of_any, acts=acts_of_any, now=moments, later=st.integers(0, 7 * 24 * 60), surge=surges)
def test_dialplan_decides_the_same_from_facts_days_later(
    shifts: list[Shift], acts: list[PresenceEvent], now: datetime, later: int, surge: datetime | None
) -> None:
    """P1: with Python dead from `now` on, the queue follows the roster for a week."""
    then = now + timedelta(minutes=later)
    with store_with(shifts, acts, surge)() as work:
        facts = dict(pbx_wants(work, now, salt="S").facts)
    here = on_duty(shifts, presence_of(acts), then, surge_until=surge)
    assert {a for a in AGENTS if by_dialplan(facts, a, then)} == here


@given(shifts=shifts_of_any, acts=acts_of_any, now=moments, surge=surges)
def test_between_two_edges_nobody_comes_or_goes(
    shifts: list[Shift], acts: list[PresenceEvent], now: datetime, surge: datetime | None
) -> None:
    with store_with(shifts, acts, surge)() as work:
        edges = pbx_wants(work, now, salt="S").edges
    here = presence_of(acts)
    before = on_duty(shifts, here, now, surge_until=surge)
    for at in range(0, int(EDGES_AHEAD / timedelta(minutes=1)), 30):
        then = now + timedelta(minutes=at)
        passed = [moment for moment in edges if moment <= then]
        changed = before ^ on_duty(shifts, here, then, surge_until=surge)
        assert changed <= {agent for moment in passed for agent in edges[moment]}


@given(acts=acts_of_any, order=st.randoms(use_true_random=False))
def test_presence_does_not_depend_on_the_order_of_arrival(acts: list[PresenceEvent], order: object) -> None:
    shuffled = list(acts)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert presence_of(shuffled) == presence_of(acts) == presence_of([*acts, *shuffled][: len(acts)])


@given(shifts=shifts_of_any, start=moments, length=st.integers(1, 3 * 1440))
def test_coverage_cuts_time_without_gap_or_overlap(shifts: list[Shift], start: datetime, length: int) -> None:
    end = start + timedelta(minutes=length)
    stretches = coverage(shifts, start, end)
    assert stretches[0].start == start
    assert stretches[-1].end == end
    for left, right in pairwise(stretches):
        assert left.end == right.start
        assert left.agents != right.agents
    for stretch in stretches:
        for moment in (stretch.start, stretch.end - timedelta(seconds=1)):
            assert stretch.agents == {s.agent for s in shifts if s.covers(moment)}


@given(shifts=shifts_of_any, now=moments)
def test_joined_spans_cover_the_same_instants_in_order(shifts: list[Shift], now: datetime) -> None:
    spans = joined_spans(shifts)
    assert any(start <= now < end for start, end in spans) == any(s.covers(now) for s in shifts)
    assert all(left[1] < right[0] for left, right in pairwise(spans))


@given(shifts=shifts_of_any, start=moments)
def test_edges_are_all_starts_and_ends_ahead(shifts: list[Shift], start: datetime) -> None:
    end = start + EDGES_AHEAD
    edges = shift_edges(shifts, start, end)
    assert list(edges) == sorted(edges)
    ahead = {(m, s.agent) for s in shifts for m in (s.start, s.end) if start < m <= end}
    assert {(moment, agent) for moment, agents in edges.items() for agent in agents} == ahead


def test_no_shift_is_longer_than_what_is_looked_back() -> None:
    assert timedelta(hours=24) == LONGEST_SHIFT
