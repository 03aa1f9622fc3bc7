"""Any keys, silences and hang-ups whatever: no flow traps, strands or exposes anybody (P4)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.check import HONEST_NUMBERS, PURPOSE_WORDS
from ivr.flow import Flow, Menu
from ivr.loader import SHIPPED, shipped
from ivr.machine import (
    Answered,
    Ask,
    Climb,
    Effect,
    Event,
    Failed,
    HangUp,
    HungUp,
    Join,
    Key,
    Play,
    Pressed,
    Promised,
    Put,
    Silence,
    State,
    begin,
    step,
)
from ivr.prompts.catalogue import load_catalogue

FLOWS = {name: shipped(name) for name in SHIPPED}
WORDS = load_catalogue()

keys = st.sampled_from("0123456789*#ABCD").map(Key)
caller_acts = st.lists(keys | st.just(Silence()), max_size=60)
#: What becomes of the people who are rung, one after the other.
luck = st.lists(st.sampled_from([Answered(), Failed()]), max_size=6)


def walk(flow: Flow, acts: Iterable[Event], people: Iterable[Event]) -> tuple[State, list[Effect], int]:
    """Play a call to its end. The caller falls silent after `acts`, and nobody answers after `people`."""
    mine, theirs = iter(acts), iter(people)
    state, effects = begin(flow)
    told = list(effects)
    steps = 0
    while not state.over:
        event = next(theirs, Failed()) if isinstance(told[-1], Join | Climb | Put) else next(mine, Silence())
        state, effects = step(flow, state, event)
        told += effects
        steps += 1
        assert steps <= bound(flow), "a caller goes round for ever"
    return state, told, steps


def bound(flow: Flow) -> int:
    """Return the most steps a call can take: each stretch between two humans is free of loops."""
    per_stretch = sum(
        node.tries + node.repeats if isinstance(node, Menu) else 1 for node in flow.nodes.values()
    )
    return per_stretch * 7


def said(effects: Iterable[Effect]) -> str:
    prompts = [p for e in effects if isinstance(e, Play | Ask | HangUp) for p in e.prompts]
    return "".join(WORDS.text(prompt) for prompt in prompts)


@given(name=st.sampled_from(SHIPPED), acts=caller_acts, people=luck)
def test_every_call_ends(name: str, acts: list[Event], people: list[Event]) -> None:
    state, effects, _ = walk(FLOWS[name], acts, people)
    assert state.over
    assert isinstance(effects[-1], HangUp)


@given(acts=caller_acts, people=luck)
def test_every_caller_to_the_line_is_queued_and_nobody_leaves_unheard(
    acts: list[Event], people: list[Event]
) -> None:
    """Each ends with a human, or heard 12356 and 110/120 (R3, R5)."""
    _, effects, _ = walk(FLOWS["inbound"], acts, people)
    assert Join("hotline") in effects
    answered = any(e == Answered() for e in people[: sum(isinstance(e, Join | Climb | Put) for e in effects)])
    assert answered or all(number in said(effects) for number in HONEST_NUMBERS)


@given(acts=caller_acts, people=luck)
def test_nobody_hears_what_it_is_about_before_saying_who_they_are(
    acts: list[Event], people: list[Event]
) -> None:
    """R24."""
    _, effects, _ = walk(FLOWS["checkin"], acts, people)
    gate = Pressed("who", "1")
    before = effects[: effects.index(gate)] if gate in effects else effects
    assert not [word for word in PURPOSE_WORDS if word in said(before)]
    assert not any(isinstance(e, Put) for e in before)


@given(acts=caller_acts, people=luck)
def test_what_is_spoken_of_as_promised_was_promised_before(acts: list[Event], people: list[Event]) -> None:
    """R4: the row comes first."""
    _, effects, _ = walk(FLOWS["checkin"], acts, people)
    for place, effect in enumerate(effects):
        if isinstance(effect, HangUp) and effect.prompts and "promised" in effect.prompts[0]:
            assert Promised("callback") in effects[:place]


@given(acts=caller_acts, people=luck)
def test_only_nine_and_nine_again_is_a_refusal(acts: list[Event], people: list[Event]) -> None:
    _, effects, _ = walk(FLOWS["checkin"], acts, people)
    if "opted_out" in str(effects):
        assert Pressed("how", "9") in effects
        assert Pressed("stop", "9") in effects


@pytest.mark.parametrize("name", SHIPPED)
@given(acts=caller_acts, people=luck, at=st.integers(0, 20))
def test_hanging_up_ends_it_at_once_and_writes_nothing(
    name: str, acts: list[Event], people: list[Event], at: int
) -> None:
    flow = FLOWS[name]
    state, _ = begin(flow)
    for event in [*acts, *people][:at]:
        state, _ = step(flow, state, event)
    after, effects = step(flow, state, HungUp())
    assert (after.over, effects) == (True, ())
