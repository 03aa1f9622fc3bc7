"""YAML -> `Flow`. Every complaint names file:line and the mend; nothing half-read is returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ivr import readers
from ivr.errors import FlowError
from ivr.flow import Direction, Flow, Identity, Node
from ivr.linking import RESERVED, Call, Loaded, link
from ivr.nodes import KINDS, complaint
from ivr.yaml_marks import Marked, read_yaml

#: Flows that come with the library.
SHIPPED = ("inbound", "return_call", "checkin", "silent", "phq9", "gad7", "wellbeing", "talks")
#: Parts that come with the library; flows put them in by `do: flow`.
PARTS = ("people", "closing", "callback", "leave_number", "requests", "satisfaction", "microclass")
FLOWS = Path(__file__).parent / "flows"

_REQUIRED = frozenset({"flow", "direction", "language", "start", "nodes"})
_KNOWN = _REQUIRED | {"identity", "human", "timeouts", "tries", "guard", "neutral"}
_READERS_OF_TOP = {"first": "timeout", "between": "between"}


def shipped(name: str) -> Flow:
    """Return a flow that comes with the library; raise `FlowError` if there is none of that name."""
    return site_flow(name, None)


def site_flow(name: str, folder: Path | None) -> Flow:
    """Return a flow as a site has it: its own file in `folder` if there is one, else ours.

    The same holds for each part of it. Raise `FlowError` for a name that we do not have either.
    """
    if name not in (*SHIPPED, *PARTS):
        known = ", ".join((*SHIPPED, *PARTS))
        raise FlowError(f"no flow `{name}` comes with the library. There are: {known}.")
    return _whole(_file_of(name, (folder,) if folder else ()), (), folder)


def load_flow(file: Path) -> Flow:
    """Read a flow with all its parts, or raise `FlowError`. Whether it is safe says `ivr.check`.

    Parts are looked for beside the file, then among ours.
    """
    return _whole(file, (), file.parent)


def _file_of(name: str, folders: tuple[Path, ...]) -> Path:
    own = (folder / f"{name}.yaml" for folder in folders)
    return next((file for file in own if file.exists()), FLOWS / f"{name}.yaml")


def _whole(file: Path, above: tuple[Path, ...], folder: Path | None) -> Flow:
    """Read a flow and put its parts in. `above`: the files that are being read, against circles."""
    loaded = _read(file)
    parts = {}
    for name, call in loaded.calls.items():
        part = _file_of(call.flow, (folder,) if folder else ())
        if part in (*above, file):
            raise FlowError(f"{loaded.lines[name]}: `{call.flow}` contains itself. Take this part out.")
        if not part.exists():
            raise FlowError(f"{loaded.lines[name]}: no flow `{call.flow}`. Write {call.flow}.yaml beside it.")
        parts[name] = _whole(part, (*above, file), folder)
    return link(loaded, parts)


def _read(file: Path) -> Loaded:
    root = read_yaml(file, FlowError)
    top = root.fields(_KNOWN, _REQUIRED)
    direction = readers.direction(top["direction"])
    if direction is not Direction.PART and "human" not in top:
        raise root.fail("`human` is missing. Name the node to which 0 leads from everywhere: `human: ...`.")
    defaults = _defaults(top)
    marks = {readers.name(key): value for key, value in top["nodes"].pairs()}
    for word in RESERVED & marks.keys():
        raise marks[word].fail(f"`{word}` always leads elsewhere. Give this node another name.")
    nodes = {name: _node(mark, defaults) for name, mark in marks.items()}
    flow = Flow(
        name=readers.name(top["flow"]),
        direction=direction,
        language=readers.language(top["language"]),
        start=readers.name(top["start"]),
        human=readers.name(top["human"]) if "human" in top else "",
        nodes=MappingProxyType({n: node for n, node in nodes.items() if not isinstance(node, Call)}),
        identity=_identity(top["identity"]) if "identity" in top else None,
        neutral="neutral" in top and readers.truth(top["neutral"]),
        source=str(file),
        lines=MappingProxyType({name: f"{file}:{mark.line}" for name, mark in marks.items()}),
    )
    if "guard" in top:
        flow = replace(flow, guard=readers.moment(top["guard"]))
    return Loaded(
        flow=flow,
        calls={n: node for n, node in nodes.items() if isinstance(node, Call)},
        lines=flow.lines,
        start=f"{file}:{top['start'].line}",
        human=f"{file}:{top['human'].line}" if "human" in top else "",
        identity=f"{file}:{top['identity'].line}" if "identity" in top else "",
    )


def _defaults(top: Mapping[str, Marked]) -> dict[str, Any]:
    """Return what a flow says once for all its nodes: how long to wait for keys, how often to ask."""
    defaults: dict[str, Any] = {}
    if "timeouts" in top:
        known = frozenset(_READERS_OF_TOP)
        for key, mark in top["timeouts"].fields(known, frozenset()).items():
            defaults[_READERS_OF_TOP[key]] = readers.seconds(mark)
    if "tries" in top:
        defaults["tries"] = readers.count(top["tries"])
    return defaults


def _node(mark: Marked, defaults: Mapping[str, Any]) -> Node | Call:
    given = {key.text(): value for key, value in mark.pairs()}
    if "do" not in given:
        raise mark.fail(f"`do` is missing. Say what the node does: {', '.join(sorted(KINDS))}.")
    kind = given["do"].text()
    if kind not in KINDS:
        raise given["do"].fail(f"unknown `do: {kind}`. Known: {', '.join(sorted(KINDS))}.")
    node_type = KINDS[kind]
    specs = {spec.name: spec for spec in fields(node_type)}
    required = {n for n, s in specs.items() if s.default is MISSING and s.default_factory is MISSING}
    found = mark.fields(frozenset({*specs, "do"}), frozenset(required))
    values = {key: value for key, value in defaults.items() if key in specs}
    values |= {key: readers.READERS[key](value) for key, value in found.items() if key != "do"}
    node = node_type(**values)
    if problem := complaint(node):
        raise mark.fail(problem)
    return node


def _identity(mark: Marked) -> Identity:
    both = frozenset({"node", "way"})
    found = mark.fields(both, both)
    return Identity(node=readers.name(found["node"]), way=found["way"].word())
