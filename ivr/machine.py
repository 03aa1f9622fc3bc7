"""The meaning of a flow: `step(flow, state, event) -> (state, effects)`, without any telephone.

The dialplan compiler and the TwiML backend must agree with this; tests hold them to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import assert_never

from ivr.flow import (
    End,
    Enqueue,
    Escalate,
    Flow,
    Menu,
    Node,
    Outcome,
    Promise,
    Say,
    Transfer,
)

# --- events: what happens to a call ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """The caller pressed a key."""

    key: str


@dataclass(frozen=True, slots=True)
class Silence:
    """The prompts ended, and where a key was awaited none came in time."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A human took the call and that talk has ended."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody took the call."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller hung up."""


Event = Key | Silence | Answered | Failed | HungUp

# --- effects: what the line does -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """Journal: the caller came to a node."""

    node: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """Journal: the caller chose by key."""

    node: str
    key: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """Journal: the flow's word on the call."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Promised:
    """Journal: a promise, made by this row (R4)."""

    kind: str


@dataclass(frozen=True, slots=True)
class Play:
    """Say prompts; any key ends them."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Say prompts and wait for one key."""

    prompts: tuple[str, ...]
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Join:
    """Put the caller into a queue."""

    queue: str


@dataclass(frozen=True, slots=True)
class Climb:
    """Ring the people on call."""


@dataclass(frozen=True, slots=True)
class Put:
    """Hand the caller over to another service."""

    destination: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Say goodbye with these prompts, if any, and end the call."""

    prompts: tuple[str, ...] = ()


Effect = Entered | Pressed | Recorded | Promised | Play | Ask | Join | Climb | Put | HangUp


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Where a call is. `node` is None once the call is over."""

    node: str | None
    #: Silences and wrong keys at this menu.
    misses: int = 0
    #: Times this menu was asked to say it again.
    repeats: int = 0

    @property
    def over(self) -> bool:
        """Tell whether the flow has ended."""
        return self.node is None


OVER = State(node=None)
Step = tuple[State, tuple[Effect, ...]]


def begin(flow: Flow) -> Step:
    """Return the state and the effects of a call that has just come in."""
    return _enter(flow, flow.start)


def step(flow: Flow, state: State, event: Event) -> Step:
    """Return what an event makes of a call. An event that means nothing here changes nothing."""
    if state.node is None:
        return state, ()
    if isinstance(event, HungUp):
        return OVER, ()
    node = flow.nodes[state.node]
    match node:
        case Menu():
            return _at_menu(flow, state, node, event)
        case Say():
            return _enter(flow, node.next) if isinstance(event, Key | Silence) else (state, ())
        case Enqueue() | Escalate() | Transfer():
            return _at_people(flow, state, node, event)
        case Outcome() | Promise() | End():
            return state, ()  # nothing waits here: `_enter` has passed it already
        case _:
            assert_never(node)


def _at_menu(flow: Flow, state: State, menu: Menu, event: Event) -> Step:
    match event:
        case Key(key) if key in menu.options:
            pressed = (Pressed(state.node or "", key),) if menu.records else ()
            after, effects = _enter(flow, menu.options[key])
            return after, (*pressed, *effects)
        case Key(key) if key == menu.repeat and state.repeats < menu.repeats:
            return replace(state, repeats=state.repeats + 1), (Ask(menu.prompts, menu.timeout),)
        case Key() | Silence():
            return _missed(flow, state, menu, silent=isinstance(event, Silence))
        case Answered() | Failed() | HungUp():
            return state, ()
        case _:
            assert_never(event)


def _missed(flow: Flow, state: State, menu: Menu, *, silent: bool) -> Step:
    if state.misses + 1 < menu.tries:
        return replace(state, misses=state.misses + 1), (Ask(menu.prompts, menu.timeout),)
    return _enter(flow, menu.on_silence if silent else menu.on_wrong)


def _at_people(flow: Flow, state: State, node: Enqueue | Escalate | Transfer, event: Event) -> Step:
    match event:
        case Failed():
            return _enter(flow, node.failed)
        case Answered():
            return (OVER, (HangUp(),)) if isinstance(node, Transfer) else _enter(flow, node.answered)
        case Key() | Silence() | HungUp():
            return state, ()
        case _:
            assert_never(event)


def _enter(flow: Flow, name: str) -> Step:
    """Walk from a node to the first one that waits for something, or to the end."""
    effects: list[Effect] = []
    while True:
        node = flow.nodes[name]
        effects += [Entered(name), _effect_of(node)]
        match node:
            case Outcome() | Promise():
                name = node.next
            case End():
                return OVER, tuple(effects)
            case Say() | Menu() | Enqueue() | Escalate() | Transfer():
                return State(node=name), tuple(effects)
            case _:
                assert_never(node)


def _effect_of(node: Node) -> Effect:
    """Return what a node does when the caller comes to it."""
    match node:
        case Say():
            return Play(node.prompts)
        case Menu():
            return Ask(node.prompts, node.timeout)
        case Enqueue():
            return Join(node.queue)
        case Escalate():
            return Climb()
        case Transfer():
            return Put(node.destination)
        case Outcome():
            return Recorded(node.outcome)
        case Promise():
            return Promised(node.kind)
        case End():
            return HangUp(node.prompts)
        case _:
            assert_never(node)
