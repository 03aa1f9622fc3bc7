"""Every state a call can be in, found by playing the machine itself: proofs that need more than a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.acts import Answered, Capped, Event, Failed, Found, Key, Silence
from ivr.flow import (
    AGAIN,
    DONE,
    HUMAN,
    NEXT_PIECE,
    PAUSE,
    Digits,
    Flow,
    Identify,
    Library,
    Questionnaire,
    options_of,
)
from ivr.graph import rings
from ivr.machine import Phase, State, come_to, step

#: Any digit that is not 0 stands for all the others in a number.
SOME_DIGIT = "1"
#: A key that no node of a flow offers, if there is one.
_STRAY = "D"
#: So often a caller who wants a human presses 0, with silence in between.
_PATIENCE = 12


def states(flow: Flow) -> set[State]:
    """Return every state a call can come to, up to which digits a number has and what a sum is exactly.

    Beginning at each node as well makes up for the sums that are passed over.
    """
    waiting = [come_to(flow, name)[0] for name in (flow.start, *flow.nodes)]
    seen = set(waiting)
    while waiting:
        state = waiting.pop()
        for event in events(flow, state):
            after, _ = step(flow, state, event)
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return seen


def events(flow: Flow, state: State) -> Iterator[Event]:
    """Yield what can happen in a state and makes a difference."""
    if state.node is None:
        return
    node = flow.nodes[state.node]
    if rings(node):
        yield from (Answered(), Failed(), Capped())
        yield from map(Key, options_of(node))
        return
    if isinstance(node, Digits | Identify) and state.phase is Phase.ASKING:
        keys = {SOME_DIGIT, AGAIN, DONE, _STRAY} | (set() if state.typed else {HUMAN})
        yield Silence()
        yield from map(Key, sorted(keys))
        return
    own = {NEXT_PIECE, PAUSE} if isinstance(node, Library) else set()
    answers = set(_extremes(node.answers)) if isinstance(node, Questionnaire) else set()
    yield from map(Key, sorted({HUMAN, AGAIN, DONE, _STRAY, *own, *answers, *options_of(node)}))
    yield from (Silence(), Found(True), Found(False))


def _extremes(answers: Mapping[str, int]) -> tuple[str, str]:
    return min(answers, key=lambda key: answers[key]), max(answers, key=lambda key: answers[key])


def zero_is_lost(flow: Flow) -> set[str]:
    """Return the nodes at which somebody who keeps pressing 0 is not sure to reach a human (R2)."""
    known: dict[State, bool] = {}

    def heard(state: State, rounds: int) -> bool:
        if state.node is None or rounds == 0:
            return False
        if rings(flow.nodes[state.node]):
            return True
        if state not in known:
            known[state] = all(heard(after, rounds - 1) for after in _after_zero(flow, state))
        return known[state]

    return {s.node for s in states(flow) if s.node and not heard(s, _PATIENCE)}


def _after_zero(flow: Flow, state: State) -> list[State]:
    """Return where a call may be after 0 and, if that was a digit, a silence."""
    pressed, _ = step(flow, state, Key(HUMAN))
    if pressed.typed:
        pressed, _ = step(flow, pressed, Silence())
    if pressed != state:
        return [pressed]
    looked = [step(flow, state, event)[0] for event in (Found(True), Found(False))]
    return looked if looked != [state, state] else [step(flow, state, Silence())[0]]
