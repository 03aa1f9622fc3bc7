"""Over any plan and any sign-ons: whose shift is over is signed off, and nobody who is on shift."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from test_duty_roster import AGENTS, acts_of_any, moments, shifts_of_any, store_with

from callcenter.domain.duty import (
    BREAK,
    UNPLANNED,
    PresenceAct,
    PresenceEvent,
    Shift,
    ShiftKind,
    lapsed_at,
    on_duty,
    presence_of,
    shift_edges,
)
from callcenter.domain.reconcile import SIGNED
from callcenter.memory import MemoryQueue
from callcenter.service.duty.presence import lapse
from callcenter.service.line.wanted import pbx_wants


def at_line(shifts: list[Shift], agent: str) -> list[Shift]:
    return [s for s in shifts if s.agent == agent and s.kind is ShiftKind.LINE]


def is_soon(shifts: list[Shift], now: datetime) -> bool:
    """Tell whether one of them runs or begins within the hour."""
    return any(s.covers(now) or now <= s.start <= now + BREAK for s in shifts)


@given(shifts=shifts_of_any, acts=acts_of_any, now=moments)
def test_exactly_those_whose_shift_is_over_are_signed_off(
    shifts: list[Shift], acts: list[PresenceEvent], now: datetime
) -> None:
    past = [act for act in acts if act.at <= now]
    before = presence_of(past)
    with store_with(shifts, past)() as work:
        gone = lapse(work, now)
        assert lapse(work, now) == ()
        after = presence_of(work.roster.presence_events())
    assert on_duty(shifts, after, now) == on_duty(shifts, before, now)
    for agent in AGENTS:
        theirs = at_line(shifts, agent)
        if agent in before and before[agent].signed_on:
            came = max(a.at for a in past if a.agent == agent and a.act is PresenceAct.ON)
            is_over = any(came < s.end <= now for s in theirs) or now - came >= UNPLANNED
            assert (agent in gone) == (is_over and not is_soon(theirs, now))
        else:
            assert agent not in gone
        if agent in gone:
            assert not after[agent].signed_on
            # R47: a debriefing that is owed outlives the sign-on.
            assert after[agent].debrief == before[agent].debrief


@given(shifts=shifts_of_any, came=moments, now=moments, later=st.integers(0, 600))
def test_when_it_lapsed_does_not_depend_on_when_somebody_looks(
    shifts: list[Shift], came: datetime, now: datetime, later: int
) -> None:
    theirs = at_line(shifts, AGENTS[0])
    then = now + timedelta(minutes=later)
    first, second = lapsed_at(theirs, came, now), lapsed_at(theirs, came, then)
    if first is not None:
        assert came < first <= now
        if not any(now < s.end <= then or s.covers(then) or is_soon(theirs, then) for s in theirs):
            assert second == first


@given(shifts=shifts_of_any, acts=acts_of_any, now=moments)
def test_dialplan_signs_off_whom_python_would_and_nobody_on_shift(
    shifts: list[Shift], acts: list[PresenceEvent], now: datetime
) -> None:
    """With Python dead from `now` on, at each edge of the coming days."""
    past = [act for act in acts if act.at <= now]
    with store_with(shifts, past)() as work:
        lapse(work, now)
        came = {a.agent: a.at for a in work.roster.presence_events() if a.act is PresenceAct.ON}
        facts = dict(pbx_wants(work, now, salt="S").facts)
    clock = [now]
    pbx = MemoryQueue(lambda: clock[0])
    pbx.pushed = facts
    for at, whom in shift_edges(shifts, now, now + timedelta(days=7)).items():
        clock[0] = at
        for agent in sorted(whom):
            theirs, held = at_line(shifts, agent), f"{SIGNED}/{agent}" in pbx.pushed
            lapsed = pbx.edge(agent)
            assert not (lapsed and is_soon(theirs, at))
            if held and any(s.end == at for s in theirs) and not is_soon(theirs, at):
                assert lapsed
            if lapsed:
                assert lapsed_at(theirs, came[agent], at) == at
