"""Any keys, silences and hang-ups whatever: no flow traps, strands or exposes anybody (P4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.acts import (
    Answered,
    Ask,
    Capped,
    Climb,
    EarlyKey,
    Effect,
    Event,
    Failed,
    Found,
    HangUp,
    HungUp,
    Join,
    Key,
    Look,
    Play,
    Pressed,
    Promised,
    Put,
    Recorded,
    RingOwner,
    Silence,
    Totalled,
)
from ivr.flow import ANY_KEYS, Flow
from ivr.graph import rings
from ivr.loader import SHIPPED, shipped
from ivr.machine import State, begin, step
from ivr.prompts.catalogue import load_catalogue
from ivr.vocabulary import HONEST_NUMBERS, NEUTRAL_NUMBERS, PROMISING_WORDS, PURPOSE_WORDS

FLOWS = {name: shipped(name) for name in SHIPPED}
WORDS = load_catalogue()

keys = st.sampled_from(sorted(ANY_KEYS)).map(Key)
#: Keys that mean something oftener than others.
likely = st.sampled_from("0129*#").map(Key)
caller_acts = st.lists(keys | likely | st.just(Silence()), max_size=60)
#: What becomes of the people who are rung, one after the other.
luck = st.lists(st.sampled_from([Answered(), Failed(), Capped()]), max_size=8)
truths = st.lists(st.booleans(), max_size=20)


@dataclass(frozen=True, kw_only=True)
class World:
    """What happens around a call: then the caller falls silent, nobody answers, nothing is true."""

    acts: list[Event]
    people: list[Event] = field(default_factory=list)
    truths: list[bool] = field(default_factory=list)


worlds = st.builds(World, acts=caller_acts, people=luck, truths=truths)


def happenings(flow: Flow, world: World) -> Iterator[tuple[Event, State, tuple[Effect, ...]]]:
    """Play a call to its end: each event with what it made of the call."""
    mine, theirs, true = iter(world.acts), iter(world.people), iter(world.truths)
    state, effects = begin(flow)
    while not state.over:
        node = flow.nodes[state.node or ""]
        if isinstance(effects[-1] if effects else None, Look):
            event: Event = Found(next(true, False))
        elif rings(node):
            event = next(theirs, Failed())
        else:
            event = next(mine, Silence())
        state, effects = step(flow, state, event)
        if rings(node) and not effects:  # a cap where nothing has one: it goes on ringing
            state, effects = step(flow, state, Failed())
        yield event, state, effects


def walk(flow: Flow, world: World) -> tuple[State, list[Effect]]:
    """Return where a call ends and everything done in it; fail if it goes on for ever."""
    state, effects = begin(flow)
    told = list(effects)
    for waits, (_, after, done) in enumerate(happenings(flow, world)):
        state = after
        told += done
        assert waits < 900, "a caller goes round for ever"
    return state, told


def said(effects: Iterable[Effect]) -> str:
    prompts = [p for e in effects if isinstance(e, Play | Ask | Put) for p in e.prompts]
    return "".join(WORDS.text(prompt) for prompt in prompts)


@pytest.mark.parametrize("name", SHIPPED)
@given(world=worlds)
def test_every_call_ends(name: str, world: World) -> None:
    state, effects = walk(FLOWS[name], world)
    assert state.over
    assert isinstance(effects[-1], HangUp)


@pytest.mark.parametrize("name", ["inbound", "return_call", "silent", "phq9", "gad7", "wellbeing", "talks"])
@given(world=worlds)
def test_nobody_leaves_an_inbound_call_unheard(name: str, world: World) -> None:
    """Each talked to a human, or heard where else to turn (R3, R5)."""
    flow = FLOWS[name]
    _, effects = walk(flow, world)
    met = any(isinstance(event, Answered) and effects for event, _, effects in happenings(flow, world))
    numbers = NEUTRAL_NUMBERS if flow.neutral else HONEST_NUMBERS
    assert met or all(number in said(effects) for number in numbers)


@given(world=worlds)
def test_a_caller_who_presses_nothing_is_always_rung_for(world: World) -> None:
    """R1: whatever is known of them, whatever the hour."""
    silent = World(acts=[], people=world.people, truths=world.truths)
    for name in ("inbound", "return_call", "silent", "phq9", "gad7", "wellbeing", "talks"):
        _, effects = walk(FLOWS[name], silent)
        assert any(isinstance(e, Join | Climb | RingOwner) for e in effects)


@given(world=worlds)
def test_nobody_hears_what_it_is_about_before_they_are_known(world: World) -> None:
    """R24: nor do they wait where 12356 is offered."""
    flow = FLOWS["checkin"]
    before = list(begin(flow)[1])
    for _, _, effects in happenings(flow, world):
        if "node='identified'" in repr(effects):
            break
        before += effects
    assert not [word for word in PURPOSE_WORDS if word in said(before)]
    assert not any(isinstance(e, Put) or (isinstance(e, Join) and e.keys) for e in before)


@given(world=worlds)
def test_whoever_rings_back_hears_nothing_of_what_we_do(world: World) -> None:
    _, effects = walk(FLOWS["return_call"], world)
    assert not [word for word in PURPOSE_WORDS if word in said(effects)]
    assert not any(isinstance(e, Put) or (isinstance(e, Join) and e.keys) for e in effects)


@pytest.mark.parametrize("name", SHIPPED)
@given(world=worlds)
def test_whoever_hears_that_we_will_call_was_promised_it_before(name: str, world: World) -> None:
    """R4: the row comes first, whatever the caller does next."""
    _, effects = walk(FLOWS[name], world)
    for place, effect in enumerate(effects):
        if any(word in said([effect]) for word in PROMISING_WORDS):
            assert any(isinstance(e, Promised) for e in effects[:place])


@given(world=worlds)
def test_only_nine_and_nine_again_is_a_refusal(world: World) -> None:
    _, effects = walk(FLOWS["checkin"], world)
    if Recorded("opted_out") in effects:
        assert Pressed("how", "9") in effects
        assert Pressed("stop", "9") in effects


@given(
    acts=st.lists(st.sampled_from("1234*79").map(Key) | st.just(Silence()), max_size=40), free=st.booleans()
)
def test_thoughts_of_death_are_never_only_added_up(acts: list[Event], free: bool) -> None:
    """Any answer but the first to the ninth item leads to a person before there is a sum."""
    events = happenings(FLOWS["phq9"], World(acts=acts, truths=[free]))
    answers = [effects for _, _, effects in events if "item='phq9_9'" in repr(effects)]
    for effects in answers:
        urgent = Recorded("screening_urgent") in effects
        assert urgent != any(isinstance(e, Totalled) for e in effects)
        assert urgent == ("score=0" not in repr(effects[0]))


@pytest.mark.parametrize("name", SHIPPED)
@given(world=worlds, at=st.integers(0, 30))
def test_hanging_up_ends_it_at_once_and_promises_nothing_more(name: str, world: World, at: int) -> None:
    flow = FLOWS[name]
    state, _ = begin(flow)
    for _, after, _ in [*happenings(flow, world)][:at]:
        state = after
    ended, effects = step(flow, state, HungUp())
    assert ended.over
    assert not any(isinstance(e, Promised | Join | Climb | Put) for e in effects)


@pytest.mark.parametrize("name", SHIPPED)
@given(world=worlds, cheek=keys, at=st.integers(0, 30))
def test_a_cheek_on_the_keys_before_the_first_word_changes_nothing(
    name: str, world: World, cheek: Key, at: int
) -> None:
    flow = FLOWS[name]
    state, _ = begin(flow)
    for _, after, _ in [*happenings(flow, world)][:at]:
        state = after
    assert step(flow, state, EarlyKey(cheek.key)) == (state, ())
