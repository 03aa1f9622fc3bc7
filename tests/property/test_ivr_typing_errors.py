"""Whatever is mistyped in a flow file: an editor marks it when the loader refuses it, and only then."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ivr.errors import FlowError
from ivr.loader import FLOWS, PARTS, SHIPPED, load_flow
from ivr.nodes import KINDS
from ivr.readers import READERS
from ivr.schema import _digits_between, schema

VALIDATOR = Draft202012Validator(schema())

#: What only the loader knows, since two values, two nodes or two files have to agree.
ONLY_THE_LOADER = re.compile(
    "|".join(
        (
            "to `[a-z0-9_]+`, which does not exist",
            "there is no node `",
            "identity must name a node",
            "stands here twice",
            "use 1 <= least <= most",
            "`exact` asks for more or fewer",
            "is both an answer and an option",
            "is no item",
            "can never be tripped",
            "no sum reaches band",
            "too long for a name",
            "contains itself",
            "no flow `",
            "is no part",
            # `+5` and `5.0` are the number 5 in JSON; as a destination they are no word.
            r"`[-+.0-9eE]+` cannot stand here",
        )
    )
)

# --- flows as trees of YAML, scalars as they are written ---------------------------------------


@dataclass(frozen=True)
class Raw:
    """A scalar or a key as it is typed."""

    text: str


Tree = Raw | list[Any] | dict[Raw, Any]


def tree_of(node: yaml.Node) -> Tree:
    match node:
        case yaml.MappingNode():
            return {tree_of(key): tree_of(value) for key, value in node.value}  # type: ignore[misc]
        case yaml.SequenceNode():
            return [tree_of(item) for item in node.value]
        case _:
            return Raw(node.value if node.style is None else json.dumps(node.value))


def typed(tree: Tree) -> str:
    match tree:
        case Raw(text):
            return text
        case list():
            # Nothing at all is an item only when it is written as such.
            return f"[{', '.join(typed(item) or '~' for item in tree)}]"
        case _:
            return "{" + ", ".join(f"{key.text}: {typed(value)}" for key, value in tree.items()) + "}"


def places(tree: Tree) -> Iterator[list[Any] | dict[Raw, Any]]:
    """Yield every list and mapping."""
    if isinstance(tree, Raw):
        return
    yield tree
    for inner in tree if isinstance(tree, list) else tree.values():
        yield from places(inner)


def flow_of(name: str) -> Tree:
    return tree_of(yaml.compose((FLOWS / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader))


# --- the same text as editors read it: YAML 1.2, core schema -----------------------------------

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def as_json(node: yaml.Node) -> Any:
    match node:
        case yaml.MappingNode():
            return {key.value: as_json(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [as_json(item) for item in node.value]
        case yaml.ScalarNode() if node.style is not None:
            return node.value
    text = node.value
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text.lower() in {"true", "false"} and text in {text.lower(), text.upper(), text.capitalize()}:
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def is_marked(text: str) -> bool:
    return not VALIDATOR.is_valid(as_json(yaml.compose(text, Loader=yaml.BaseLoader)))


def refusal(text: str, file: Path) -> str:
    """Return why the loader refuses a text; empty if it does not."""
    file.write_text(text, encoding="utf-8")
    try:
        load_flow(file)
    except FlowError as refused:
        return str(refused)
    return ""


# --- what may be mistyped ----------------------------------------------------------------------

ODD = (
    *("null", "~", "", "'null'", "Null", "true", "'true'", "TRUE", "yes", "no", "on", "'on'", "False"),
    *("0", "1", "2", "9", "20", "21", "60", "61", "600", "601", "-1", "+2", "'2'", '"3"', "'02'", "07"),
    *("1_0", "'1_0'", "2.0", "2.5", "'2.5'", ".5", "1.", "1e1", "0x5", "0o7", "0b1", "1:30", "1e999", "''"),
    *('"trap\\n"', '"2\\n"', "human", "return", "_", "a b", "Greet", "greet", "queue", "zh", "中文"),
    *("warm", "part", "outbound", "key 1", "passed", "on_silence", "2026-11-23", "zh_slow"),
    *("[]", "{}", "[greet]", "{1: bye}", "{0: bye}"),
    *('"１"', "'0'", "hotline", "message", "a" * 40, "a" * 41, '"zh\\n"', '"1\\n"'),
)  # fmt: skip
odd = st.sampled_from([Raw(text) for text in ODD])
keys = st.sampled_from(
    [Raw(text) for text in (*"012345789", "'*'", "'#'", "00", "007", "0x1", "1_0", "12", "1000", "'0'")]
    + [Raw(text) for text in ("human", "return", "null", "true", "zz", "Zz", "tries", "neutral", "'1 '")]
    + [Raw(text) for text in READERS]
)


@st.composite
def mistyped(draw: st.DrawFn) -> str:
    """Draw a shipped flow with one place of it changed."""
    flow = flow_of(draw(st.sampled_from([*SHIPPED, *PARTS])))
    place = draw(st.sampled_from(list(places(flow))))
    if isinstance(place, list):
        at = draw(st.integers(0, len(place)))
        place[at : at + draw(st.integers(0, 1))] = draw(st.lists(odd, max_size=1))
        return typed(flow)
    old = draw(st.sampled_from([*place]))
    match draw(st.sampled_from(["value", "key", "more", "kind", "none", "less"])):
        case "value":
            place[old] = draw(odd)
        case "key":
            place[draw(keys)] = place.pop(old)
        case "more":
            place[draw(keys)] = draw(odd)
        case "kind" if Raw("do") in place:
            place[Raw("do")] = Raw(draw(st.sampled_from([*KINDS])))
        case "none":
            place.clear()
        case _:
            del place[old]
    return typed(flow)


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flows") / "流程.yaml"


@settings(max_examples=400)
@given(text=mistyped())
def test_an_editor_marks_what_the_loader_refuses_and_nothing_else(text: str, file: Path) -> None:
    why = refusal(text, file)
    if not ONLY_THE_LOADER.search(why):
        assert is_marked(text) == bool(why), why or text


@pytest.mark.parametrize("name", [*SHIPPED, *PARTS])
def test_a_flow_typed_anew_is_still_a_flow(name: str, file: Path) -> None:
    text = typed(flow_of(name))
    assert (refusal(text, file), is_marked(text)) == ("", False)


@given(ends=st.tuples(st.integers(0, 1200), st.integers(0, 1200)), number=st.integers(0, 1300))
def test_digits_in_quotes_keep_to_the_same_ends(ends: tuple[int, int], number: int) -> None:
    least, most = sorted(ends)
    found = re.fullmatch(_digits_between(str(least), str(most)), str(number))
    assert bool(found) == (least <= number <= most)
