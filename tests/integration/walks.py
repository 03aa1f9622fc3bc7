"""Walks through flows: what a caller does, what the machine says to it, and which walks take every edge.

Pure: no telephone. `walk_pbx.py` plays walks on a real Asterisk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, cast

from ivr.acts import (
    Answered,
    Ask,
    Capped,
    Climb,
    EarlyKey,
    Effect,
    Entered,
    Event,
    Failed,
    Found,
    HungUp,
    Join,
    Key,
    Listen,
    Look,
    Pause,
    Play,
    PlayPiece,
    Put,
    RecordMessage,
    Resume,
    RingOwner,
    Silence,
    Speak,
)
from ivr.flow import (
    AGAIN,
    DONE,
    HUMAN,
    Digits,
    Enqueue,
    Flow,
    Hours,
    Identify,
    Library,
    Questionnaire,
    Record,
    options_of,
)
from ivr.graph import rings
from ivr.machine import Phase, State, begin, step
from ivr.rows import Row, rows_of

#: Every wait of a flow lasts this long on the walks' Asterisk: a busy machine must get its keys in.
WAIT = timedelta(seconds=2)
CAP = timedelta(seconds=4)
#: What a walk costs, in seconds, by how the call waits.
_COST: Mapping[type[Event], float] = {Silence: 2.5, Capped: 4.5, Answered: 0.8, Failed: 0.3, HungUp: 1.0}
_KEY_COST = 0.5


class How(StrEnum):
    """When a caller does something, counted from the moment at which the line waits."""

    AT_ONCE = "at once"
    #: After the words, in the silence.
    LATE = "late"
    #: Right behind the key before, without listening.
    IN_A_BURST = "in a burst"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens to a call."""

    event: Event
    how: How = How.AT_ONCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """All that happens to one call of a flow; it ends it."""

    flow: Flow
    acts: tuple[Act, ...]

    @property
    def words(self) -> list[str]:
        """Return the events as a trace file spells them."""
        return [word_of(act.event) for act in self.acts]


def word_of(event: Event) -> str:
    """Return an event as a trace file spells it."""
    match event:
        case Key(key):
            return key
        case EarlyKey(key):
            return f"early-{key}"
        case Found(yes):
            return "yes" if yes else "no"
        case _:
            return type(event).__name__.lower()


def event_of(word: str) -> Event:
    """Return the event of a trace file's word."""
    if word.startswith("early-"):
        return EarlyKey(word.removeprefix("early-"))
    events = (Silence(), Answered(), Failed(), Capped(), HungUp(), Found(True), Found(False))
    return {word_of(event): event for event in events}.get(word) or Key(word)


# --- what a walk means on the line ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """The line waits or asks, as the trace of a compiled flow tells it."""

    kind: str
    node: str
    #: The set of prompts.
    language: str


@dataclass(frozen=True, slots=True)
class Deed:
    """What the caller does: keys pressed in one go, or hanging up. `after` in seconds."""

    keys: str
    after: float = 0.0

    @property
    def hangs_up(self) -> bool:
        """Tell whether this ends the call."""
        return not self.keys


@dataclass(kw_only=True, slots=True)
class Plan:
    """A walk as the caller plays it, and what must come of it."""

    walk: Walk
    moments: list[Moment] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    #: One letter for each moment: what the world answers, or how long the words are. See walk_pbx.py.
    script: str = ""
    #: What the caller does at which moment; -1 is the answer.
    deeds: dict[int, list[Deed]] = field(default_factory=dict)
    cost: float = 0.0


_KINDS: Mapping[type[Effect], str] = {
    Play: "say",
    Ask: "ask",
    Listen: "listen",
    PlayPiece: "play",
    Resume: "play",
    Pause: "pause",
    RecordMessage: "record",
    Look: "look",
    Join: "people",
    RingOwner: "people",
    Climb: "people",
    Put: "people",
}
#: In the silence after short words, well before `WAIT` is over.
_IN_SILENCE = 0.6


def plan_of(walk: Walk) -> Plan:
    """Return how a walk is played and what the machine says it means."""
    plan = Plan(walk=walk)
    state, effects = begin(walk.flow)
    language = walk.flow.language
    told = list(effects)
    language = _note(plan, walk.flow.start, language, effects)
    for act in walk.acts:
        _do(plan, act)
        before = state.node or ""
        state, effects = step(walk.flow, state, act.event)
        told += effects
        language = _note(plan, before, language, effects)
        plan.cost += cost_of(act.event)
    if not state.over:
        raise ValueError(f"this walk ends at `{state.node}`; let it hang up.")
    plan.rows = rows_of(walk.flow.name, told)
    return plan


def _note(plan: Plan, node: str, language: str, effects: Sequence[Effect]) -> str:
    for effect in effects:
        if isinstance(effect, Entered):
            node = effect.node
        elif isinstance(effect, Speak):
            language = effect.language
        elif kind := _KINDS.get(type(effect)):
            plan.moments.append(Moment(kind, node, language))
            plan.script += "s"
    return language


def _do(plan: Plan, act: Act) -> None:
    """Add an act to what the caller does or to what the world answers, at the present moment."""
    now = len(plan.moments) - 1
    match act.event:
        case EarlyKey(key):
            plan.deeds.setdefault(-1, []).append(Deed(key))
        case Key(key):
            _press(plan, now, key, act.how)
        case HungUp():
            deeds = plan.deeds.setdefault(now, [])
            deeds.append(Deed("", after=_IN_SILENCE * len(deeds)))
            _script(plan, "r" if plan.moments[now].kind == "people" else "k")
        case Found(yes):
            _script(plan, "y" if yes else "n")
        case Answered() | Failed() | Capped():
            _script(plan, type(act.event).__name__[0].lower())
        case Silence():
            pass  # the words are short already


def _press(plan: Plan, now: int, key: str, how: How) -> None:
    deeds = plan.deeds.setdefault(now, [])
    if how is How.IN_A_BURST:  # behind the last keys, wherever those were pressed
        del plan.deeds[now]
        last = max(moment for moment, done in plan.deeds.items() if done)
        plan.deeds[last][-1] = replace(plan.deeds[last][-1], keys=plan.deeds[last][-1].keys + key)
    elif deeds:  # a key that changed nothing came first
        deeds[-1] = replace(deeds[-1], keys=deeds[-1].keys + key)
    else:
        deeds.append(Deed(key, after=_IN_SILENCE if how is How.LATE else 0.0))
    if plan.moments[now].kind == "people":
        _script(plan, "r")
    elif how is not How.LATE:
        _script(plan, "k")


def _script(plan: Plan, letter: str) -> None:
    plan.script = plan.script[:-1] + letter


def cost_of(event: Event) -> float:
    """Return about how many seconds an event takes on the line."""
    return _COST.get(type(event), _KEY_COST)


def quickened(flow: Flow) -> Flow:
    """Return the flow with waits for tests; its graph stays as it is."""
    nodes = {}
    for name, node in flow.nodes.items():
        known = {spec for spec in ("timeout", "between", "longest_pause", "longest") if hasattr(node, spec)}
        waits: dict[str, Any] = dict.fromkeys(known, WAIT)
        if isinstance(node, Enqueue):
            waits["cap"] = CAP
        nodes[name] = replace(cast(Any, node), **waits)
    return replace(flow, nodes=nodes)


# --- what can happen --------------------------------------------------------------------------------

#: A key that is offered nowhere.
_STRAY = "8"


def acts_at(flow: Flow, state: State) -> Iterator[Act]:
    """Yield what can happen in a state and makes a difference that a test can bring about."""
    node = flow.nodes[state.node or ""]
    if asks_the_world(flow, state):  # at once, so that nobody can hang up meanwhile
        yield from (Act(Found(True)), Act(Found(False)))
        return
    yield Act(HungUp())
    if rings(node):
        yield from (Act(Answered()), Act(Failed()))
        if isinstance(node, Enqueue):
            yield Act(Capped())
            yield from (Act(Key(key)) for key in node.options)
        return
    keys = _keys_at(flow, state)
    yield from (Act(Key(key)) for key in keys)
    yield Act(Silence())


def asks_the_world(flow: Flow, state: State) -> bool:
    """Tell whether the machine waits for `Found`."""
    node = flow.nodes[state.node or ""]
    return state.phase in (Phase.EXPECTING, Phase.MATCHING) or hasattr(node, "yes") or isinstance(node, Hours)


def _keys_at(flow: Flow, state: State) -> list[str]:
    node = flow.nodes[state.node or ""]
    match node:
        case Digits() | Identify():
            # Any digit but a first 0 is as good as another.
            return [*(["1"] if state.typed else ["1", HUMAN]), AGAIN, DONE]
        case Record() if state.phase is Phase.RECORDING:
            return [HUMAN, DONE]
        case Library():
            return [*options_of(node), HUMAN, AGAIN, "1", "2"]
        case Questionnaire():
            return [*node.answers, *node.options, HUMAN, AGAIN, _STRAY]
        case _:
            return sorted({*options_of(node), HUMAN, AGAIN, _STRAY})
