"""YAML -> `Flow`. Every complaint names file:line and the mend; nothing half-read is returned."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ivr.errors import FlowError
from ivr.flow import (
    ANY_KEYS,
    KEYS,
    NAME,
    Direction,
    End,
    Enqueue,
    Escalate,
    Flow,
    Identity,
    Menu,
    Node,
    Outcome,
    Promise,
    Say,
    Transfer,
    ways,
)
from ivr.yaml_marks import Marked, read_yaml

#: Flows that come with the library.
SHIPPED = ("inbound", "checkin")
_FLOWS = Path(__file__).parent / "flows"


def shipped(name: str) -> Flow:
    """Return a flow that comes with the library; raise `FlowError` if there is none of that name."""
    if name not in SHIPPED:
        raise FlowError(f"no flow `{name}` comes with the library. There are: {', '.join(SHIPPED)}.")
    return load_flow(_FLOWS / f"{name}.yaml")


def load_flow(file: Path) -> Flow:
    """Read a flow, or raise `FlowError`. Targets exist; whether it is safe says `ivr.check`."""
    root = read_yaml(file, FlowError)
    required = frozenset({"flow", "direction", "language", "start", "nodes"})
    top = root.fields(required | {"identity"}, required)
    marks = {_name(key): value for key, value in top["nodes"].pairs()}
    nodes = {name: _node(mark) for name, mark in marks.items()}
    flow = Flow(
        name=_name(top["flow"]),
        direction=_direction(top["direction"]),
        language=_language(top["language"]),
        start=_name(top["start"]),
        nodes=MappingProxyType(nodes),
        identity=_identity(top["identity"]) if "identity" in top else None,
        source=str(file),
        lines=MappingProxyType({name: mark.line for name, mark in marks.items()}),
    )
    _check_targets(flow, marks, top)
    return flow


def _check_targets(flow: Flow, marks: dict[str, Marked], top: dict[str, Marked]) -> None:
    if flow.start not in flow.nodes:
        raise top["start"].fail(f"there is no node `{flow.start}`. Add it, or start at another.")
    for name, node in flow.nodes.items():
        for way in ways(node):
            if way.target not in flow.nodes:
                raise marks[name].fail(
                    f"`{name}` leads by `{way.by}` to `{way.target}`, which does not exist. "
                    "Add that node, or name another."
                )
    if flow.identity is not None:
        menu = flow.nodes.get(flow.identity.menu)
        if not isinstance(menu, Menu) or flow.identity.key not in menu.options:
            raise top["identity"].fail("identity must name a menu and one of its keys.")


def _node(mark: Marked) -> Node:
    kinds = {key.text(): value for key, value in mark.pairs()}
    if "do" not in kinds:
        raise mark.fail(f"`do` is missing. Say what the node does: {', '.join(sorted(_KINDS))}.")
    kind = kinds["do"].text()
    if kind not in _KINDS:
        raise kinds["do"].fail(f"unknown `do: {kind}`. Known: {', '.join(sorted(_KINDS))}.")
    node_type = _KINDS[kind]
    known = {spec.name for spec in fields(node_type)}
    required = {
        spec.name for spec in fields(node_type) if spec.default is MISSING and spec.default_factory is MISSING
    }
    found = mark.fields(frozenset(known | {"do"}), frozenset(required))
    values: dict[str, Any] = {key: _READERS[key](value) for key, value in found.items() if key != "do"}
    return node_type(**values)


def _name(mark: Marked) -> str:
    text = mark.text()
    if not NAME.fullmatch(text):
        raise mark.fail(
            f"`{text}` cannot be a name. Use 2 to 40 small letters, digits and _, a letter first."
        )
    return text


def _word(mark: Marked) -> str:
    text = mark.text()
    if not text.isascii() or not text.replace("_", "").isalnum() or len(text) > 40:
        raise mark.fail(f"`{text}` cannot stand here. Use up to 40 letters, digits and _.")
    return text


def _direction(mark: Marked) -> Direction:
    return mark.convert(Direction, "a direction: inbound or outbound")


def _language(mark: Marked) -> str:
    text = mark.text()
    if not re.fullmatch(r"[a-z]{2}(-[A-Za-z]{2,8})?", text):
        raise mark.fail(f"`{text}` is not a language. Use two small letters such as zh.")
    return text


def _prompts(mark: Marked) -> tuple[str, ...]:
    return tuple(_name(item) for item in mark.items())


def _options(mark: Marked) -> MappingProxyType[str, str]:
    options = {}
    for key, target in mark.pairs():
        if key.text() not in KEYS:
            raise key.fail(f"`{key.text()}` is not a key a menu may offer. Use one digit.")
        options[key.text()] = _name(target)
    if not options:
        raise mark.fail("a menu needs at least one key.")
    return MappingProxyType(options)


def _seconds(mark: Marked) -> timedelta:
    seconds = mark.convert(float, "a number of seconds")
    if not math.isfinite(seconds) or not 1 <= seconds <= 60:
        raise mark.fail(f"`{mark.text()}` seconds: wait between 1 and 60 seconds for a key.")
    return timedelta(seconds=seconds)


def _count(mark: Marked) -> int:
    count = mark.convert(int, "a whole number")
    if not 1 <= count <= 9:
        raise mark.fail(f"`{count}`: use a number from 1 to 9.")
    return count


def _repeat(mark: Marked) -> str:
    if mark.text() not in ANY_KEYS:
        raise mark.fail(f"`{mark.text()}` is not a key of a telephone.")
    return mark.text()


def _truth(mark: Marked) -> bool:
    if mark.text() not in {"true", "false"}:
        raise mark.fail(f"`{mark.text()}` is neither true nor false.")
    return mark.text() == "true"


def _identity(mark: Marked) -> Identity:
    both = frozenset({"menu", "key"})
    found = mark.fields(both, both)
    return Identity(menu=_name(found["menu"]), key=found["key"].text())


_KINDS: dict[str, type[Node]] = {
    "say": Say,
    "menu": Menu,
    "enqueue": Enqueue,
    "escalate": Escalate,
    "transfer": Transfer,
    "outcome": Outcome,
    "promise": Promise,
    "end": End,
}
_READERS: dict[str, Callable[[Marked], Any]] = {
    "prompts": _prompts,
    "options": _options,
    "timeout": _seconds,
    "tries": _count,
    "repeats": _count,
    "repeat": _repeat,
    "records": _truth,
    "queue": _name,
    "destination": _word,
    "outcome": _name,
    "kind": _name,
    "next": _name,
    "answered": _name,
    "failed": _name,
    "on_silence": _name,
    "on_wrong": _name,
}
