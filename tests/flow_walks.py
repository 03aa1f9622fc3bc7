"""Walks that together take every way of a flow, found on the machine: for any backend to be walked along.

A walk is the events of one call. Looks are answered by `Found` events in the order they are asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from ivr.acts import (
    Answered,
    Capped,
    Effect,
    Entered,
    Event,
    Failed,
    Found,
    Kept,
    Key,
    Pressed,
    Silence,
    Totalled,
)
from ivr.explore import events
from ivr.flow import AGAIN, Flow, Language, Outcome, Promise
from ivr.machine import State, begin, step

#: Node and the way out of it, as `Flow.ways` names it.
Taken = tuple[str, str]
Walk = tuple[Event, ...]
#: What an event can be called in `Flow.ways`, best name first.
_NAMES: dict[type, Sequence[str]] = {
    Silence: ("on_silence", "next"),
    Key: ("on_wrong", "failed", "next"),
    Answered: ("answered",),
    Failed: ("failed",),
    Capped: ("on_cap",),
    Found: ("yes", "no", "open", "closed", "passed", "failed"),
}


def ways_of(flow: Flow) -> set[Taken]:
    """Return every way out of every node that a call can be at."""
    passed = (Language, Outcome, Promise)
    return {
        (name, way.by)
        for name, node in flow.nodes.items()
        if not isinstance(node, passed)
        for way in flow.ways(name)
    }


def walks(flow: Flow) -> dict[Taken, Walk]:
    """Return a shortest walk to, and along, each way that a call can take."""
    found: dict[Taken, Walk] = {}
    wanted = ways_of(flow)
    start, _ = begin(flow)
    seen = {start}
    waiting: deque[tuple[State, Walk]] = deque([(start, ())])
    while waiting and wanted - found.keys():
        state, walk = waiting.popleft()
        for event in _events(flow, state):
            after, effects = step(flow, state, event)
            entered = [effect.node for effect in effects if isinstance(effect, Entered)]
            if entered:
                way = _way(flow, state, event, effects, entered[0])
                found.setdefault((state.node or "", way), (*walk, event))
            if after not in seen:
                seen.add(after)
                waiting.append((after, (*walk, event)))
    return found


def _events(flow: Flow, state: State) -> Iterator[Event]:
    """Yield what can happen and leads on; the stray key is one that every telephone has."""
    drawn = [event for event in events(flow, state) if event != Key(AGAIN)]
    stray = next(k for k in "98765432" if Key(k) not in drawn)
    for event in drawn:
        yield Key(stray) if event == Key("D") else event


def _way(flow: Flow, state: State, event: Event, effects: Sequence[Effect], target: str) -> str:
    """Return by which of its ways a node was left; a target can be that of several."""
    there = [way.by for way in flow.ways(state.node or "") if way.target == target]
    names = [f"key {effect.key}" for effect in effects if isinstance(effect, Pressed)]
    names += ["next" for effect in effects if isinstance(effect, Kept)]
    names += [
        way for way in there if way.startswith("band") and any(isinstance(e, Totalled) for e in effects)
    ]
    names += [f"key {event.key}"] if isinstance(event, Key) else []
    names += _NAMES[type(event)]
    return next((name for name in names if name in there), there[0])
