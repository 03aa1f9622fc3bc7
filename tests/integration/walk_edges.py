"""Which edges of a flow a walk takes, the walks that together take all of them, and random ones.

Pure, like `walks.py`: no telephone.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from walks import Act, How, Walk, acts_at, asks_the_world, cost_of, word_of

from ivr.acts import (
    Answered,
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
    Look,
    Pressed,
    Put,
    RingOwner,
    Scored,
    Silence,
    Totalled,
)
from ivr.flow import (
    AGAIN,
    DONE,
    HUMAN,
    Digits,
    Flow,
    Hours,
    Identify,
    Language,
    Menu,
    Node,
    Outcome,
    Promise,
    Questionnaire,
)
from ivr.graph import reach, rings
from ivr.machine import Phase, State, begin, step

#: A walk that has cost so much hangs up.
_LONGEST = 22.0
_PASSING = Outcome | Promise | Language

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
        taken.add(("stayed", name, state.phase, word_of(event)))
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
        return "on_cap" if isinstance(event, Capped) else word_of(event)
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


def _event(act: Act) -> Event:
    return act.event
