"""Put parts into flows: after this a flow is one graph, and no backend knows that it had parts.

The nodes of a part stand in its host as `<calling node>__<node>`. Where the part returns, the host goes
on by the calling node's `next`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from ivr.errors import FlowError
from ivr.flow import NAME, TARGETS, Direction, Flow, Node

#: Fields of nodes that hold a target for each key or sum.
_TABLES = frozenset({"options", "bands"})
#: A part's ways lead here to go back to its host.
RETURN = "return"
#: Every flow's ways to `human` lead where its 0 leads; a part's where its host's 0 leads.
TO_HUMAN = "human"
RESERVED = frozenset({RETURN, TO_HUMAN})


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """Put another flow in here; go on by `next` where it returns."""

    flow: str
    next: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A flow as read, its parts not yet in."""

    flow: Flow
    calls: Mapping[str, Call]
    #: `file:line` of each node, and of `start`, `human` and `identity`.
    lines: Mapping[str, str]
    start: str
    human: str
    identity: str


def link(loaded: Loaded, parts: Mapping[str, Flow]) -> Flow:
    """Return the flow with its parts in; raise `FlowError` naming file:line for a way that leads nowhere.

    `parts`: the whole part of each node of `loaded.calls`.
    """
    _refuse_lost_ways(loaded)
    flow = loaded.flow
    doors = {name: f"{name}__{part.start}" for name, part in parts.items()}
    human = doors.get(flow.human, flow.human)
    if human:  # a part leaves it to its host
        doors[TO_HUMAN] = human
    nodes = {name: _moved(node, lambda to: doors.get(to, to)) for name, node in flow.nodes.items()}
    lines = dict(flow.lines)
    for name, part in parts.items():
        back = loaded.calls[name].next
        outside = {RETURN: doors.get(back, back), TO_HUMAN: human or TO_HUMAN}
        nodes |= _inner(loaded.lines[name], name, part, outside)
        lines |= {f"{name}__{old}": where for old, where in part.lines.items()}
    whole = replace(
        flow,
        nodes=MappingProxyType(nodes),
        start=doors.get(flow.start, flow.start),
        human=human,
        lines=MappingProxyType(lines),
    )
    _refuse_false_identity(whole, loaded)
    return whole


def _inner(where: str, name: str, part: Flow, outside: Mapping[str, str]) -> dict[str, Node]:
    if part.direction is not Direction.PART:
        raise FlowError(f"{where}: `{part.name}` is no part. Write `direction: part` in it, or take it out.")
    inner = {
        f"{name}__{old}": _moved(node, lambda to: outside.get(to, f"{name}__{to}"))
        for old, node in part.nodes.items()
    }
    if long := [new for new in inner if not NAME.fullmatch(new)]:
        raise FlowError(f"{where}: `{long[0]}` is too long for a name. Give this node a shorter one.")
    return inner


def _moved(node: Node, move: Callable[[str], str]) -> Node:
    """Return a node whose ways lead where `move` says."""
    changes: dict[str, Any] = {}
    for spec in fields(node):
        value = getattr(node, spec.name)
        if spec.name in TARGETS and value:
            changes[spec.name] = move(value)
        elif spec.name in _TABLES:
            changes[spec.name] = MappingProxyType({key: move(target) for key, target in value.items()})
    return replace(node, **changes)


def _refuse_lost_ways(loaded: Loaded) -> None:
    flow = loaded.flow
    known = {*flow.nodes, *loaded.calls, TO_HUMAN}
    if flow.direction is Direction.PART:
        known.add(RETURN)
    if flow.start not in known:
        raise FlowError(f"{loaded.start}: there is no node `{flow.start}`. Add it, or start at another.")
    if flow.human and flow.human not in known:
        raise FlowError(
            f"{loaded.human}: `human` leads to `{flow.human}`, which does not exist. Name a node."
        )
    ways = [(name, way.by, way.target) for name in flow.nodes for way in replace(flow, human="").ways(name)]
    ways += [(name, "next", call.next) for name, call in loaded.calls.items()]
    for name, by, target in ways:
        if target not in known:
            raise FlowError(
                f"{loaded.lines[name]}: `{name}` leads by `{by}` to `{target}`, which does not exist. "
                "Add that node, or name another."
            )


def _refuse_false_identity(flow: Flow, loaded: Loaded) -> None:
    gate = flow.identity
    if gate is None:
        return
    known = gate.node in flow.nodes and any(way.by == gate.way for way in flow.ways(gate.node))
    if not known or not (gate.way == "passed" or gate.way.startswith("key ")):
        raise FlowError(
            f"{loaded.identity}: identity must name a node and one of its ways, "
            "`passed` or a key, such as `{node: code, way: passed}`. Silence proves nothing."
        )
