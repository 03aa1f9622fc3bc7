"""The meaning of a flow: `step(flow, state, event) -> (state, effects)`, without any telephone.

Every backend must agree with this; tests hold them to it. Keys come one at a time:

- a key while something is said counts at once and ends what is said;
- a burst is its keys one after the other: each goes to whatever the one before it led to;
- a key in the guard time at the start of a call does not count (`EarlyKey`);
- keys while somebody is rung do not count, except those that a queue offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, assert_never

from ivr.acts import (
    Answered,
    Ask,
    Capped,
    Climb,
    Effect,
    Entered,
    Event,
    Failed,
    Found,
    HangUp,
    Held,
    HungUp,
    Join,
    Kept,
    Key,
    Left,
    Listen,
    Look,
    Pause,
    Play,
    PlayPiece,
    Pressed,
    Promised,
    Put,
    Question,
    Recorded,
    RecordMessage,
    Resume,
    RingOwner,
    Scored,
    Silence,
    Speak,
    Totalled,
)
from ivr.flow import (
    AGAIN,
    DONE,
    HUMAN,
    LAST_REPEATS,
    NEXT_PIECE,
    PAUSE,
    REPEATS,
    Arrival,
    Digits,
    End,
    Enqueue,
    Escalate,
    Fact,
    Flow,
    Free,
    Hours,
    Identify,
    Language,
    Library,
    Looking,
    Menu,
    Mode,
    Node,
    Outcome,
    Owner,
    Promise,
    Questionnaire,
    Record,
    Ringing,
    Say,
    Transfer,
    options_of,
)


class Phase(StrEnum):
    """Where inside a node a call is, for nodes that do more than one thing."""

    ASKING = ""
    #: `Identify` waits to hear whether there is anything to ask.
    EXPECTING = "e"
    #: `Identify` waits to hear whether the digits are right.
    MATCHING = "m"
    #: `Record` records.
    RECORDING = "r"
    #: `Library` is paused.
    PAUSED = "p"


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Where a call is. `node` is None once the call is over."""

    node: str | None
    #: Silences and wrong keys here.
    misses: int = 0
    #: Times the caller asked to hear it again.
    repeats: int = 0
    #: Which item or piece.
    item: int = 0
    #: Digits so far.
    typed: str = field(default="", repr=False)
    phase: Phase = Phase.ASKING
    #: Sum of the questionnaire.
    score: int = 0
    #: The set of prompts, if not the flow's own.
    language: str | None = None

    @property
    def over(self) -> bool:
        """Tell whether the flow has ended."""
        return self.node is None


OVER = State(node=None)
Step = tuple[State, tuple[Effect, ...]]
_NOTHING: tuple[Effect, ...] = ()


def begin(flow: Flow) -> Step:
    """Return the state and the effects of a call that has just come in."""
    return come_to(flow, flow.start)


def come_to(flow: Flow, node: str) -> Step:
    """Return the state and the effects of a call that comes to a node with nothing behind it."""
    return _enter(flow, node, OVER)


def step(flow: Flow, state: State, event: Event) -> Step:
    """Return what an event makes of a call. An event that means nothing here changes nothing."""
    if state.node is None:
        return state, _NOTHING
    node = flow.nodes[state.node]
    if isinstance(event, HungUp):
        return _left(state.node, node)
    if isinstance(event, Key) and event.key == HUMAN and type(node) in _ZERO_AT_ONCE:
        return _to_human(flow, state, node)
    return _HANDLERS[type(node)](flow, state, node, event)


def _left(name: str, node: Node) -> Step:
    outcome = getattr(node, "on_hangup", "")
    return OVER, (Left(name), Recorded(outcome)) if outcome else (Left(name),)


def _to_human(flow: Flow, state: State, node: Node) -> Step:
    return _press(flow, state, HUMAN, options_of(node).get(HUMAN, flow.human), node)


def _press(flow: Flow, state: State, key: str, target: str, node: Node) -> Step:
    after, effects = _enter(flow, target, state)
    if getattr(node, "records", True):
        return after, (Pressed(state.node or "", key), *effects)
    return after, effects


# --- what an event means at each kind of node --------------------------------------------------


def _at_say(flow: Flow, state: State, node: Say, event: Event) -> Step:
    match event:
        case Key(key) if key == AGAIN and state.repeats < REPEATS:
            return replace(state, repeats=state.repeats + 1), (Play(node.prompts),)
        case Key() | Silence():
            return _enter(flow, node.next, state)
        case _:
            return state, _NOTHING


def _at_end(flow: Flow, state: State, node: End, event: Event) -> Step:
    """The last words may name where else to turn: a stray key starts them anew and never cuts them off."""
    match event:
        case Key() if state.repeats < LAST_REPEATS:
            return replace(state, repeats=state.repeats + 1), (Play(node.prompts),)
        case Key() | Silence():
            return OVER, (HangUp(),)
        case _:
            return state, _NOTHING


def _at_menu(flow: Flow, state: State, node: Menu, event: Event) -> Step:
    match event:
        case Key(key) if key in node.options:
            return _press(flow, state, key, node.options[key], node)
        case Key(key) if key == AGAIN and state.repeats < REPEATS:
            return replace(state, repeats=state.repeats + 1), (Ask(node.prompts, node.timeout),)
        case Key() | Silence():
            return _missed(flow, state, node, silent=isinstance(event, Silence))
        case _:
            return state, _NOTHING


def _missed(
    flow: Flow, state: State, node: Menu | Digits | Identify | Questionnaire, *, silent: bool
) -> Step:
    if state.misses + 1 >= node.tries:
        return _enter(flow, node.on_silence if silent else _on_wrong(node), state)
    first = () if isinstance(node, Questionnaire) else node.after_wrong
    if silent:
        first = () if isinstance(node, Questionnaire | Identify) else node.after_silence
    again = replace(state, misses=state.misses + 1, typed="", phase=Phase.ASKING)
    return again, (Ask((*first, *_asked(node, state)), node.timeout),)


def _on_wrong(node: Menu | Digits | Identify | Questionnaire) -> str:
    return node.failed if isinstance(node, Identify) else node.on_wrong


def _asked(node: Menu | Digits | Identify | Questionnaire, state: State) -> tuple[str, ...]:
    if isinstance(node, Questionnaire):
        return (node.items[state.item], *node.scale)
    return node.prompts


def _at_digits(flow: Flow, state: State, node: Digits, event: Event) -> Step:
    return _typing(flow, state, node, event, least=node.least, most=node.most)


def _at_identify(flow: Flow, state: State, node: Identify, event: Event) -> Step:
    match state.phase, event:
        case Phase.EXPECTING, Found(yes):
            if not yes:
                return _enter(flow, node.passed, state)
            return replace(state, phase=Phase.ASKING), (Ask(node.prompts, node.timeout),)
        case Phase.MATCHING, Found(yes):
            return _enter(flow, node.passed, state) if yes else _missed(flow, state, node, silent=False)
        case Phase.ASKING, _:
            return _typing(flow, state, node, event, least=node.length, most=node.length)
        case _:
            return state, _NOTHING


def _typing(
    flow: Flow, state: State, node: Digits | Identify, event: Event, *, least: int, most: int
) -> Step:
    match event:
        case Key(key) if key.isdecimal():
            typed = state.typed + key
            if len(typed) < most:
                return replace(state, typed=typed), (Listen(node.between),)
            if _is_whole(node, typed):
                return _typed(flow, replace(state, typed=typed), node)
            return _missed(flow, state, node, silent=False)
        case Key(key) if key == AGAIN and state.repeats < REPEATS:
            anew = replace(state, repeats=state.repeats + 1, typed="")
            return anew, (Ask(node.prompts, node.timeout),)
        case Key(key) if key != DONE:
            return _missed(flow, state, node, silent=False)
        case Key() | Silence():
            if state.typed == HUMAN:
                return _press(flow, state, HUMAN, flow.human, node)
            if len(state.typed) >= least and _is_whole(node, state.typed):
                return _typed(flow, state, node)
            return _missed(flow, state, node, silent=isinstance(event, Silence) and not state.typed)
        case _:
            return state, _NOTHING


def _is_whole(node: Digits | Identify, typed: str) -> bool:
    """Tell whether a number has as many digits as its first one asks for."""
    return isinstance(node, Identify) or node.exact.get(typed[:1], len(typed)) == len(typed)


def _typed(flow: Flow, state: State, node: Digits | Identify) -> Step:
    if isinstance(node, Identify):
        return replace(state, phase=Phase.MATCHING), (Look(Question.MATCHES, node.expect, state.typed),)
    after, effects = _enter(flow, node.next, state)
    if node.hold:
        return after, (Held(node.hold, state.typed), *effects)
    if node.keep:
        return after, (Kept(state.node or "", node.keep, state.typed), *effects)
    return after, effects


def _at_questionnaire(flow: Flow, state: State, node: Questionnaire, event: Event) -> Step:
    match event:
        case Key(key) if key in node.answers:
            return _answer(flow, state, node, node.answers[key])
        case Key(key) if key in node.options:
            return _press(flow, state, key, node.options[key], node)
        case Key(key) if key == AGAIN and state.repeats < REPEATS:
            return replace(state, repeats=state.repeats + 1), (Ask(_asked(node, state), node.timeout),)
        case Key() | Silence():
            return _missed(flow, state, node, silent=isinstance(event, Silence))
        case _:
            return state, _NOTHING


def _answer(flow: Flow, state: State, node: Questionnaire, score: int) -> Step:
    name, item = state.node or "", node.items[state.item]
    scored = Scored(name, item, score)
    summed = replace(state, score=state.score + score, item=state.item + 1, misses=0, repeats=0)
    if item in node.tripwires and score >= node.tripwires[item]:
        after, effects = _enter(flow, node.on_tripwire, summed)
        return after, (scored, *effects)
    if summed.item < len(node.items):
        return summed, (scored, Ask(_asked(node, summed), node.timeout))
    after, effects = _enter(flow, band_of(node.bands, summed.score), summed)
    return after, (scored, Totalled(name, summed.score), *effects)


def band_of(bands: Mapping[int, str], score: int) -> str:
    """Return where a sum leads."""
    return bands[max(least for least in bands if least <= score)]


def _at_record(flow: Flow, state: State, node: Record, event: Event) -> Step:
    match state.phase, event:
        case Phase.ASKING, Key() | Silence():
            recording = RecordMessage(state.node or "", node.longest)
            return replace(state, phase=Phase.RECORDING), (recording,)
        case Phase.RECORDING, Silence():
            return _enter(flow, node.next, state)
        case Phase.RECORDING, Key(key) if key == DONE:
            return _enter(flow, node.next, state)
        case _:
            return state, _NOTHING


def _at_library(flow: Flow, state: State, node: Library, event: Event) -> Step:
    match event:
        case Key(key) if key in node.options:
            return _press(flow, state, key, node.options[key], node)
        case Key(key) if key == NEXT_PIECE:
            return _piece(flow, state, node, state.item + 1)
        case Key(key) if key == AGAIN:
            return _piece(flow, state, node, state.item)
        case Key(key) if key == PAUSE and state.phase is Phase.ASKING:
            return replace(state, phase=Phase.PAUSED), (Pause(node.longest_pause),)
        case Key(key) if key == PAUSE:
            return replace(state, phase=Phase.ASKING), (Resume(node.pieces[state.item]),)
        case Silence() if state.phase is Phase.PAUSED:
            return replace(state, phase=Phase.ASKING), (Resume(node.pieces[state.item]),)
        case Silence():
            return _piece(flow, state, node, state.item + 1)
        case _:
            return state, _NOTHING


def _piece(flow: Flow, state: State, node: Library, item: int) -> Step:
    if item >= len(node.pieces):
        return _enter(flow, node.next, state)
    playing = replace(state, item=item, phase=Phase.ASKING)
    return playing, (PlayPiece(state.node or "", node.pieces[item]),)


def _at_look(flow: Flow, state: State, node: Hours | Fact | Free, event: Event) -> Step:
    if not isinstance(event, Found):
        return state, _NOTHING
    if isinstance(node, Hours):
        return _enter(flow, node.open if event.yes else node.closed, state)
    return _enter(flow, node.yes if event.yes else node.no, state)


def _at_queue(flow: Flow, state: State, node: Enqueue, event: Event) -> Step:
    match event:
        case Key(key) if key in node.options:
            return _press(flow, state, key, node.options[key], node)
        case Answered():
            return _enter(flow, node.answered, state)
        case Failed():
            return _enter(flow, node.failed, state)
        case Capped():
            return _enter(flow, node.on_cap, state)
        case _:
            return state, _NOTHING


def _at_people(flow: Flow, state: State, node: Owner | Escalate | Transfer, event: Event) -> Step:
    match event:
        case Failed():
            return _enter(flow, node.failed, state)
        case Answered():
            return (OVER, (HangUp(),)) if isinstance(node, Transfer) else _enter(flow, node.answered, state)
        case _:
            return state, _NOTHING


_Handler = Callable[[Flow, State, Any, Event], Step]
_HANDLERS: Mapping[type[Node], _Handler] = {
    Say: _at_say,
    Menu: _at_menu,
    Digits: _at_digits,
    Identify: _at_identify,
    Questionnaire: _at_questionnaire,
    Record: _at_record,
    Library: _at_library,
    End: _at_end,
    Hours: _at_look,
    Fact: _at_look,
    Free: _at_look,
    Enqueue: _at_queue,
    Owner: _at_people,
    Escalate: _at_people,
    Transfer: _at_people,
}
#: Where a 0 can be nothing but a call for a human. In a number it is a digit until it stands alone.
_ZERO_AT_ONCE = frozenset({Say, Menu, Questionnaire, Record, Library, End})


# --- coming to a node --------------------------------------------------------------------------


def _enter(flow: Flow, name: str, before: State) -> Step:
    """Go to a node and on to the first one that waits for something, or to the end."""
    arrival = flow.arrivals.get(name)
    if arrival is None:
        arrival = flow.arrivals[name] = _arrive(flow, name)
    if arrival.node is None:
        return OVER, arrival.effects
    node = flow.nodes[arrival.node]
    keeps = not isinstance(node, Questionnaire) or node.adds
    state = State(
        node=arrival.node,
        phase=Phase.EXPECTING if isinstance(node, Identify) else Phase.ASKING,
        score=before.score if keeps else 0,
        language=arrival.language or before.language,
    )
    return state, arrival.effects


def _arrive(flow: Flow, name: str) -> Arrival:
    effects: list[Effect] = []
    language: str | None = None
    while True:
        node = flow.nodes[name]
        effects += [Entered(name), *_on_entry(name, node)]
        match node:
            case Outcome() | Promise():
                name = node.next
            case Language():
                language, name = node.language, node.next
            case End() if not node.prompts:
                return Arrival(node=None, effects=tuple(effects), language=language)
            case _:
                return Arrival(node=name, effects=tuple(effects), language=language)


def _on_entry(name: str, node: Node) -> tuple[Effect, ...]:
    """Return what a node does when the caller comes to it."""
    match node:
        case Say() | End():
            return (Play(node.prompts),) if node.prompts else (HangUp(),)
        case Menu() | Digits():
            return (Ask(node.prompts, node.timeout),)
        case Questionnaire():
            return (Ask((node.items[0], *node.scale), node.timeout),)
        case Record():
            return (Promised(node.kind), Play(node.prompts))
        case Library():
            return (PlayPiece(name, node.pieces[0]),)
        case Language():
            return (Speak(node.language),)
        case Outcome():
            return (Recorded(node.outcome),)
        case Promise():
            return (Promised(node.kind),)
        case _:
            return (_asked_of_the_world(node),)


def _asked_of_the_world(node: Identify | Looking | Ringing) -> Effect:
    match node:
        case Identify():
            return Look(Question.EXPECTED, node.expect)
        case Hours():
            return Look(Question.HOURS, node.hours)
        case Fact():
            return Look(Question.FACT, node.fact)
        case Free():
            return Look(Question.FREE, node.queue)
        case Enqueue():
            return Join(node.queue, node.priority, tuple(node.options), node.cap)
        case Owner():
            return RingOwner()
        case Escalate():
            return Climb()
        case Transfer():
            return Put(node.destination, node.mode is Mode.WARM, node.prompts)
        case _:
            assert_never(node)
