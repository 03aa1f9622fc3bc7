"""Walks through flows: what a caller does, what the machine says to it, and which walks take every edge.

Pure: no telephone. `walk_pbx.py` plays walks on a real Asterisk.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from itertools import count
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

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
    Pressed,
    Put,
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
    Digits,
    Enqueue,
    Flow,
    Hours,
    Identify,
    Language,
    Library,
    Menu,
    Node,
    Outcome,
    Promise,
    Questionnaire,
    Record,
    options_of,
)
from ivr.graph import reach, rings
from ivr.machine import Phase, State, begin, step
from ivr.rows import Row, rows_of

#: Every wait of a flow lasts this long on the walks' Asterisk: a busy machine must get its keys in.
WAIT = timedelta(seconds=2)
CAP = timedelta(seconds=4)
#: What a walk costs, in seconds, by how the call waits.
_COST: Mapping[type[Event], float] = {Silence: 2.5, Capped: 4.5, Answered: 0.8, Failed: 0.3, HungUp: 1.0}
_KEY_COST = 0.5
#: A walk that has cost so much hangs up.
_LONGEST = 22.0
_PASSING = Outcome | Promise | Language


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
        return [_word(act.event) for act in self.acts]


def _word(event: Event) -> str:
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
    return {_word(event): event for event in events}.get(word) or Key(word)


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


def _event(act: Act) -> Event:
    return act.event


# --- which edges an act takes --------------------------------------------------------------------

#: ("way", node, by), ("hung up", node, phase), ("stayed", node, phase, why) or ("sum", node, total).
Token = tuple[str, ...]


def required(flow: Flow) -> set[Token]:
    """Return every way out of every node."""
    return {("way", name, way.by) for name in flow.nodes for way in flow.ways(name)}


def tokens_of(flow: Flow, state: State, event: Event, effects: Sequence[Effect]) -> frozenset[Token]:
    """Return the edges that an event takes."""
    name = state.node or ""
    entered = [effect.node for effect in effects if isinstance(effect, Entered)]
    taken: set[Token] = {("way", node, "next") for node in entered if isinstance(flow.nodes[node], _PASSING)}
    if isinstance(event, HungUp):
        return frozenset({("hung up", name, state.phase)})
    taken |= {("sum", name, str(total)) for total in _sums_at_an_edge(flow, state, effects)}
    if by := _way_of(flow, state, event, effects):
        taken.add(("way", name, by))
    elif not entered:
        taken.add(("stayed", name, state.phase, _word(event)))
    return frozenset(taken)


def _sums_at_an_edge(flow: Flow, state: State, effects: Sequence[Effect]) -> Iterator[int]:
    """Yield the sum of a form if a point more or less would lead elsewhere."""
    node = flow.nodes[state.node or ""]
    for effect in effects:
        if isinstance(effect, Totalled) and isinstance(node, Questionnaire):
            yield from {effect.score} & {edge for least in node.bands for edge in (least, least - 1)}


def _way_of(flow: Flow, state: State, event: Event, effects: Sequence[Effect]) -> str:
    """Return the way out of the present node that an event takes, empty if it takes none."""
    node = flow.nodes[state.node or ""]
    chosen = isinstance(node, Menu) and isinstance(event, Key) and event.key in {HUMAN, *node.options}
    if isinstance(event, Key) and (chosen or any(isinstance(effect, Pressed) for effect in effects)):
        return f"key {event.key}"
    if not any(isinstance(effect, Entered) for effect in effects):
        return ""
    if isinstance(event, Found):
        return _answer_of(node, state, yes=event.yes)
    if isinstance(event, Answered | Failed | Capped):
        return "on_cap" if isinstance(event, Capped) else _word(event)
    match node:
        case Questionnaire():
            return _out_of_questionnaire(node, event, effects)
        case Digits() | Identify():
            return _out_of_number(node, state, event)
        case Menu():
            return "on_silence" if isinstance(event, Silence) else "on_wrong"
        case _:
            return "next"


def _answer_of(node: Node, state: State, *, yes: bool) -> str:
    if isinstance(node, Identify):
        return "passed" if yes == (state.phase is Phase.MATCHING) else "failed"
    if isinstance(node, Hours):
        return "open" if yes else "closed"
    return "yes" if yes else "no"


def _out_of_questionnaire(node: Questionnaire, event: Event, effects: Sequence[Effect]) -> str:
    for effect in effects:
        if isinstance(effect, Totalled):
            return f"band {max(least for least in node.bands if least <= effect.score)}"
    if any(isinstance(effect, Scored) for effect in effects):
        return "on_tripwire"
    return "on_silence" if isinstance(event, Silence) else "on_wrong"


def _out_of_number(node: Digits | Identify, state: State, event: Event) -> str:
    least = node.least if isinstance(node, Digits) else node.length
    digit = isinstance(event, Key) and event.key.isdecimal()
    if state.typed == HUMAN and not digit:
        return f"key {HUMAN}"
    if digit or (len(state.typed) >= least and event in (Silence(), Key(DONE))):
        return "next"
    if isinstance(event, Silence) and not state.typed:
        return "on_silence"
    return "failed" if isinstance(node, Identify) else "on_wrong"


# --- the walks that take every edge -----------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edge:
    act: Act
    after: State
    tokens: frozenset[Token]


class Map:
    """All states of a flow that the acts of `acts_at` lead to."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.start, effects = begin(flow)
        self.at_start = _passed_at_start(flow, effects)
        self._scores = {
            name
            for name in flow.nodes
            if any(isinstance(flow.nodes[n], Questionnaire) for n in reach([name], flow.ways))
        }
        self.edges: dict[State, list[_Edge]] = {}
        waiting = [self.start]
        while waiting:
            state = waiting.pop()
            if state.over or state in self.edges:
                continue
            self.edges[state] = list(self._edges(state))
            waiting += [edge.after for edge in self.edges[state]]

    def _edges(self, state: State) -> Iterator[_Edge]:
        for act in acts_at(self.flow, state):
            if act.event == Key(AGAIN) and state.repeats:
                continue  # how often it says it again is for random walks to find
            if state.item > 1 and act.event not in self._extremes(state):
                continue  # the third item of a form is asked like its second
            after, effects = step(self.flow, state, act.event)
            if after.node not in self._scores:
                after = replace(after, score=0)  # nobody will ask for it any more
            yield _Edge(act=act, after=after, tokens=tokens_of(self.flow, state, act.event, effects))

    def _extremes(self, state: State) -> Container[Event]:
        """Return the answers with the least and the highest score; everything where nothing is scored."""
        node = self.flow.nodes[state.node or ""]
        if not isinstance(node, Questionnaire):
            return list(map(_event, acts_at(self.flow, state)))
        by_score = sorted(node.answers, key=lambda key: node.answers[key])
        return {Key(by_score[0]), Key(by_score[-1])}

    def all_tokens(self) -> set[Token]:
        """Return every edge there is."""
        found: set[Token] = set(self.at_start)
        for edges in self.edges.values():
            for edge in edges:
                found |= edge.tokens
        return found

    def nearest(self, start: State, wanted: set[Token], budget: float) -> list[_Edge] | None:
        """Return the cheapest way from a state over an edge that is wanted; None if none is near enough."""
        order = count()
        heap: list[tuple[float, int, State, tuple[_Edge, ...]]] = [(0.0, next(order), start, ())]
        seen: set[State] = set()
        while heap:
            cost, _, state, path = heapq.heappop(heap)
            if path and path[-1].tokens & wanted:
                return list(path)
            if state.over or state in seen:
                continue
            seen.add(state)
            for edge in self.edges[state]:
                spent = cost + cost_of(edge.act.event)
                # Hanging up ends a walk: only if nothing else is left to do near by.
                price = spent + (3.0 if isinstance(edge.act.event, HungUp) else 0.0)
                if spent <= budget:
                    heapq.heappush(heap, (price, next(order), edge.after, (*path, edge)))
        return None


def edge_walks(flow: Flow) -> list[Walk]:
    """Return walks that together take every edge of a flow, each as long as is sensible."""
    world = Map(flow)
    wanted = world.all_tokens() - world.at_start
    walks: list[Walk] = []
    while wanted:
        acts: list[Act] = []
        state, spent = world.start, 0.0
        while not state.over:
            path = world.nearest(state, wanted, max(_LONGEST - spent, 0.0) if acts else 10 * _LONGEST)
            if path is None:
                break
            for edge in path:
                acts.append(edge.act)
                wanted -= edge.tokens
                spent += cost_of(edge.act.event)
                state = edge.after
        if not acts:
            raise AssertionError(f"{flow.name}: no walk takes {sorted(wanted)}")
        if not state.over:
            acts.append(Act(HungUp()))
        walks.append(Walk(flow=flow, acts=tuple(acts)))
    return _mannered(walks)


def _mannered(walks: Sequence[Walk]) -> list[Walk]:
    """Return the same walks with keys pressed early, at once, late and in bursts, each where it can be."""
    used: Counter[tuple[str, How]] = Counter()
    mannered = []
    for number, walk in enumerate(walks):
        acts = [Act(EarlyKey("0123456789*#"[number % 12]))] if number % 4 == 0 else []
        state, effects = begin(walk.flow)
        for act in walk.acts:
            if isinstance(act.event, Key) and not rings(walk.flow.nodes[state.node or ""]):
                node = state.node or ""
                manners = manners_of(walk.flow, state, act, acts, effects)
                act = min(manners, key=lambda one: used[node, one.how])
                used[node, act.how] += 1
            acts.append(act)
            state, effects = step(walk.flow, state, act.event)
        mannered.append(replace(walk, acts=tuple(acts)))
    return mannered


def covered(walks: Sequence[Walk]) -> set[Token]:
    """Return the edges that walks take, found by walking them again."""
    found: set[Token] = set()
    for walk in walks:
        state, effects = begin(walk.flow)
        found |= _passed_at_start(walk.flow, effects)
        for act in walk.acts:
            after, effects = step(walk.flow, state, act.event)
            found |= tokens_of(walk.flow, state, act.event, effects)
            state = after
    return found


def _passed_at_start(flow: Flow, effects: Sequence[Effect]) -> frozenset[Token]:
    passed = [effect.node for effect in effects if isinstance(effect, Entered)]
    return frozenset(("way", node, "next") for node in passed if isinstance(flow.nodes[node], _PASSING))


# --- random walks ------------------------------------------------------------------------------------


@st.composite
def walks(draw: st.DrawFn, flows: Sequence[Flow], longest: float = 12.0) -> Walk:
    """Draw a walk: any act that can happen, keys late and in bursts too, until the call is over."""
    flow = draw(st.sampled_from(flows))
    state, effects = begin(flow)
    acts: list[Act] = [Act(EarlyKey(draw(st.sampled_from("0123456789*#"))))] if draw(st.booleans()) else []
    spent = 0.0
    while not state.over:
        options = list(acts_at(flow, state))
        act = options[0] if spent > longest else draw(st.sampled_from(options[1:] * 4 + options[:1]))
        if isinstance(act.event, Key):
            act = draw(st.sampled_from(list(manners_of(flow, state, act, acts, effects))))
        before = state
        state, effects = step(flow, state, act.event)
        acts.append(act)
        spent += cost_of(act.event)
        assert state != before or effects
    return Walk(flow=flow, acts=tuple(acts))


def manners_of(
    flow: Flow, state: State, act: Act, before: Sequence[Act], effects: Sequence[Effect]
) -> Iterator[Act]:
    """Yield when a key can come so that the line is sure to take it there."""
    yield act
    node = flow.nodes[state.node or ""]
    if isinstance(node, Menu | Questionnaire) or (isinstance(node, Digits | Identify) and not state.typed):
        yield replace(act, how=How.LATE)
    last = before[-1] if before else None
    behind_a_key = last is not None and isinstance(last.event, Key) and last.how is not How.LATE
    straight = not any(isinstance(effect, Join | RingOwner | Climb | Put | Look) for effect in effects)
    if behind_a_key and straight and not rings(node) and not asks_the_world(flow, state):
        yield replace(act, how=How.IN_A_BURST)


def draw_walks(flows: Sequence[Flow], number: int) -> list[Walk]:
    """Return walks as hypothesis draws them, the same in every run: they are then played at one time."""
    drawn: list[Walk] = []

    @settings(max_examples=number, database=None)
    @given(walk=walks(flows))
    def draw(walk: Walk) -> None:
        drawn.append(walk)

    draw()
    return drawn
