"""JSON Schema of flow files, for editors. Made from what reads them, so that the two cannot differ.

An editor that follows it completes words and points at wrong values while they are typed. What two
values or the whole flow have to agree on, such as `least` and `most` or a way that leads nowhere, only
`hotline ivr check` finds; tests/property/test_ivr_typing_errors.py lists all of it.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from typing import Any

from ivr import readers
from ivr.flow import (
    HUMAN,
    KEYS,
    NAME,
    NEXT_PIECE,
    PAUSE,
    Digits,
    Direction,
    Enqueue,
    Flow,
    Identify,
    Identity,
    Library,
    Menu,
    Mode,
    Questionnaire,
)
from ivr.linking import RESERVED
from ivr.nodes import KINDS

#: A JSON value.
Json = dict[str, Any]
Reader = Callable[..., Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_KEYS = "".join(sorted(KEYS))


def _whole_text(pattern: str) -> Json:
    """Return what a text must be from end to end: in some dialects `$` also stands before a last newline."""
    return {"type": "string", "pattern": rf"^({pattern})$(?!\n)"}


def _number_between(least: float, most: float, kind: str) -> Json:
    """Return a number, or nothing but its digits in quotes."""
    digits = _whole_text(_digits_between(str(int(least)), str(int(most))))["pattern"]
    return {"type": [kind, "string"], "minimum": least, "maximum": most, "pattern": digits}


def _digits_between(least: str, most: str) -> str:
    """Return a pattern of the whole numbers from one to another."""
    if len(least) < len(most):
        nines = "9" * len(least)
        return f"{_digits_between(least, nines)}|{_digits_between('1' + '0' * len(least), most)}"
    return _same_length(least, most)


def _same_length(least: str, most: str) -> str:
    if not least:
        return ""
    low, high, rest = least[0], most[0], len(least) - 1
    if low == high:
        return low + _same_length(least[1:], most[1:])
    if least[1:] == "0" * rest and most[1:] == "9" * rest:
        return f"[{low}-{high}]" + "[0-9]" * rest
    first, last = _same_length(least[1:], "9" * rest), _same_length("0" * rest, most[1:])
    between = [f"[{int(low) + 1}-{int(high) - 1}]{'[0-9]' * rest}"] if int(high) - int(low) > 1 else []
    return f"({'|'.join([f'{low}({first})', *between, f'{high}({last})'])})"


_NAME: Json = _whole_text(NAME.pattern)


def schema_text() -> str:
    """Return the schema as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def schema() -> Json:
    """Return the schema: draft 2020-12, for a flow file as YAML 1.2 reads it."""
    of_flow = _comments(Flow)
    return {
        "$schema": _DRAFT,
        "title": "A call flow",
        "description": _first_line(Flow),
        "type": "object",
        "properties": {
            "flow": _NAME | {"description": "Name of the flow, in every row of the journal."},
            "direction": _read(readers.direction, "Who calls whom; `part` is only ever a part of others."),
            "language": _read(readers.language, "The set of prompts it begins in."),
            "start": _NAME | {"description": "The first node."},
            "human": _NAME | {"description": of_flow["human"]},
            "identity": _object(_identity(), required=["node", "way"]),
            "neutral": _read(readers.truth, of_flow["neutral"]),
            "guard": _read(readers.moment, of_flow["guard"]),
            "timeouts": _object(_timeouts()),
            "tries": _read(readers.count, "How often every node asks that does not say so itself."),
            "nodes": {
                "type": "object",
                "description": "Every node by its name.",
                "propertyNames": _NAME | {"not": {"enum": sorted(RESERVED)}},
                "additionalProperties": {"$ref": "#/$defs/node"},
            },
        },
        "required": ["flow", "direction", "language", "start", "nodes"],
        "additionalProperties": False,
        "if": {"properties": {"direction": {"const": Direction.PART.value}}},
        "else": {"required": ["human"]},
        "$defs": {"node": _any_node(), **{word: _node(word, kind) for word, kind in KINDS.items()}},
    }


def _object(properties: Json, required: list[str] | None = None) -> Json:
    whole: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return whole | ({"required": required} if required else {})


def _identity() -> Json:
    comments = _comments(Identity)
    way = _whole_text(f"passed|key [{_KEYS}]") | {"description": comments["way"]}
    return {"node": _NAME | {"description": _first_line(Identity)}, "way": way}


def _timeouts() -> Json:
    return {
        "first": _read(readers.seconds, "How long every node waits for a key that does not say so itself."),
        "between": _read(readers.seconds, "How long every node waits for the next digit of a number."),
    }


def _any_node() -> Json:
    """Return a node of whatever kind: `do` decides which other fields it has."""
    return {
        "type": "object",
        "properties": {"do": {"enum": [*KINDS], "description": "What the node does."}},
        "required": ["do"],
        "allOf": [
            {
                "if": {"properties": {"do": {"const": word}}, "required": ["do"]},
                "then": {"$ref": f"#/$defs/{word}"},
            }
            for word in KINDS
        ],
    }


def _node(word: str, kind: type[Any]) -> Json:
    comments = _comments(kind)
    found = {
        spec.name: _read(readers.READERS[spec.name], comments.get(spec.name, "")) | _default(spec)
        for spec in fields(kind)
    }
    do: Json = {"const": word, "description": inspect.cleandoc(kind.__doc__ or "")}
    required = [spec.name for spec in fields(kind) if _is_required(spec)]
    whole = _object({"do": do} | found, required=["do", *required]) | {"description": _first_line(kind)}
    return whole | ({"allOf": _NARROWER[kind]} if kind in _NARROWER else {})


def _is_required(spec: Field[Any]) -> bool:
    return spec.default is MISSING and spec.default_factory is MISSING


def _default(spec: Field[Any]) -> Json:
    """Return a field's default, where it has one that can be written down."""
    match spec.default:
        case timedelta() as length:
            return {"default": _number(length)}
        case bool() | int() | str() as value if value != "":
            return {"default": value}
        case _:
            return {}


def _number(length: timedelta) -> float:
    seconds = length.total_seconds()
    return int(seconds) if seconds == int(seconds) else seconds


# --- what each reader takes --------------------------------------------------------------------


def _read(reader: Reader, description: str = "") -> Json:
    """Return what a reader takes; raise `LookupError` for a reader nobody has described here."""
    inner = inspect.getclosurevars(reader).nonlocals
    if reader in _TAKES:
        taken = _TAKES[reader]
    elif {"least", "most"} <= inner.keys():
        taken = _number_between(inner["least"], inner["most"], "integer")
    elif {"read_key", "read_value"} <= inner.keys():
        taken = {
            "type": "object",
            "propertyNames": _keys_of(inner["read_key"]),
            "additionalProperties": _read(inner["read_value"]),
        }
    else:
        raise LookupError(f"say in ivr/schema.py what {reader.__qualname__} takes")
    return taken | ({"description": description} if description else {})


def _keys_of(reader: Reader) -> Json:
    """Return what a mapping's keys may be. In JSON they are text, whatever they stand for."""
    return {"pattern": _read(reader)["pattern"]}


def _span(least: float, most: timedelta) -> Json:
    return _number_between(least, _number(most), "number")


_TAKES: Mapping[Reader, Json] = {
    readers.name: _NAME,
    readers.names: {"type": "array", "items": _NAME},
    # `12356` without quotes is a number to YAML, and all the same to us.
    readers.word: _whole_text("(?=_*[A-Za-z0-9])[A-Za-z0-9_]{1,40}")
    | {"type": ["string", "integer"], "minimum": 0, "exclusiveMaximum": 10**40},
    readers.key: _whole_text(f"[{_KEYS}]"),
    readers.direction: {"enum": [direction.value for direction in Direction]},
    readers.mode: {"enum": [mode.value for mode in Mode]},
    readers.language: _whole_text(readers.LANGUAGE.pattern),
    readers.truth: {"type": "boolean"},
    readers.seconds: _span(1, timedelta(seconds=60)),
    readers.moment: _span(0, timedelta(seconds=3)),
    readers.span: _span(1, readers.LONGEST),
}


def _never(field: str, *keys: str) -> Json:
    return {"properties": {field: {"propertyNames": {"not": {"enum": list(keys)}}}}}


def _some(*names: str) -> Json:
    """Return that these lists and mappings hold something."""
    return {"properties": {name: {"minItems": 1, "minProperties": 1} for name in names}}


#: What a node's values must keep to beside what their readers take, as `ivr.nodes.complaint` says it.
_NARROWER: Mapping[type[Any], list[Json]] = {
    Menu: [_some("options")],
    Digits: [{"properties": {"most": _number_between(2, 20, "integer")}}],
    Identify: [{"properties": {"length": _number_between(2, 8, "integer")}}],
    Enqueue: [_never("options", HUMAN)],
    Library: [_some("pieces"), _never("options", NEXT_PIECE, PAUSE)],
    Questionnaire: [
        _some("items", "answers"),
        _never("answers", HUMAN),
        {"properties": {"bands": {"required": ["0"]}}},
        {
            "if": {"required": ["tripwires"], "properties": {"tripwires": {"minProperties": 1}}},
            "then": {"required": ["on_tripwire"]},
            "else": {"not": {"required": ["on_tripwire"]}},
        },
    ],
}


# --- what the source says of it ----------------------------------------------------------------


def _first_line(kind: type[Any]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]


def _comments(kind: type[Any]) -> dict[str, str]:
    """Return what the `#:` comments above a class's fields say."""
    found: dict[str, str] = {}
    words: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        bare = line.strip()
        if bare.startswith("#:"):
            words.append(bare.removeprefix("#:").strip())
        elif named := re.match(r"(\w+):", bare):
            if words:
                found[named[1]] = " ".join(words)
            words = []
    return found
