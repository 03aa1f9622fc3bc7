"""Walk a flow as a graph: what can be reached, where it goes round. Pure questions, no rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never, get_args

from ivr.flow import (
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
    Menu,
    Node,
    Outcome,
    Owner,
    Promise,
    Questionnaire,
    Record,
    Ringing,
    Say,
    Transfer,
    Way,
)

#: Picks the ways to follow out of a node, by its name.
Out = Callable[[str], Iterable[Way]]
_RINGING = get_args(Ringing)


def rings(node: Node) -> bool:
    """Tell whether a node rings somebody."""
    return isinstance(node, _RINGING)


def reach(starts: Iterable[str], out: Out) -> set[str]:
    """Return the names that can be reached."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [way.target for way in out(name)]
    return seen


def first_loop(flow: Flow, out: Out) -> list[str]:
    """Return the nodes of one loop, its first one repeated, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for way in out(name):
            if loop := visit(way.target, [*path, name]):
                return loop
        done.add(name)
        return []

    return next((loop for name in flow.nodes if (loop := visit(name, []))), [])


def idle_ways(flow: Flow, name: str) -> tuple[Way, ...]:
    """Return the ways of a caller who presses nothing while nobody is there to answer."""
    wanted = _idle_names(flow.nodes[name])
    return tuple(way for way in flow.ways(name) if way.by in wanted)


def _idle_names(node: Node) -> frozenset[str]:
    match node:
        case Say() | Record() | Library() | Language() | Outcome() | Promise():
            return frozenset({"next"})
        case Menu() | Digits() | Questionnaire():
            return frozenset({"on_silence"})
        case Identify():
            return frozenset({"on_silence", "passed"})
        case Hours():
            return frozenset({"open", "closed"})
        case Fact() | Free():
            return frozenset({"yes", "no"})
        case Enqueue() | Owner() | Escalate() | Transfer():
            return frozenset({"failed"})
        case End():
            return frozenset()
        case _:
            assert_never(node)
