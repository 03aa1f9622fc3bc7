"""The schema that editors check flow files by says what the loader says."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from callcenter.cli import main
from ivr.errors import FlowError
from ivr.loader import FLOWS, PARTS, SHIPPED, load_flow
from ivr.nodes import KINDS
from ivr.readers import READERS
from ivr.schema import schema

VALIDATOR = Draft202012Validator(schema())
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class Yaml12(yaml.BaseLoader):
    """Reads YAML as editors do: `yes` is a word, keys are text."""


def core(node: yaml.Node) -> Any:
    """Return a YAML 1.2 value."""
    match node:
        case yaml.MappingNode():
            return {key.value: core(value) for key, value in node.value}
        case yaml.SequenceNode():
            return [core(item) for item in node.value]
        case yaml.ScalarNode() if node.style is None and node.value in {"true", "false"}:
            return node.value == "true"
        case yaml.ScalarNode() if node.style is None and NUMBER.fullmatch(node.value):
            return float(node.value) if "." in node.value else int(node.value)
        case _:
            return node.value


def read(text: str) -> Any:
    return core(yaml.compose(text, Loader=Yaml12))


def problems(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(read(text))]


def text_of(name: str) -> str:
    return (FLOWS / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*SHIPPED, *PARTS])
def test_every_shipped_flow_follows_it(name: str) -> None:
    assert problems(text_of(name)) == []


@pytest.mark.parametrize("name", [*SHIPPED, *PARTS])
def test_every_shipped_flow_tells_editors_where_it_is(name: str) -> None:
    first = text_of(name).splitlines()[0]
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((FLOWS / path).read_text(encoding="utf-8")) == schema()


def test_it_is_a_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(schema())


def test_every_node_has_all_its_fields_and_every_field_is_explained() -> None:
    for word, kind in KINDS.items():
        node = schema()["$defs"][word]
        assert node["properties"].keys() == {"do", *(spec.name for spec in fields(kind))}
        assert node["description"].endswith((".", ":")), word


def test_every_reader_is_described() -> None:
    used = {spec.name for kind in KINDS.values() for spec in fields(kind)}
    assert used == READERS.keys()


CHANGES = {
    "unknown field of a flow": ("language: zh\n", "language: zh\ncolour: red\n"),
    "no language": ("language: zh\n", ""),
    "no human": ("human: owner\n", ""),
    "direction": ("direction: inbound", "direction: sideways"),
    "language": ("language: zh\nstart", "language: Chinese\nstart"),
    "guard too long": ("human: owner\n", "human: owner\nguard: 9\n"),
    "neutral is no word": ("human: owner\n", "human: owner\nneutral: perhaps\n"),
    "unknown wait": ("human: owner\n", "human: owner\ntimeouts: {last: 3}\n"),
    "wait of nothing": ("timeout: 1\n", "timeout: 0\n"),
    "endless wait": ("timeout: 1\n", "timeout: 61\n"),
    "wait is no number": ("timeout: 1\n", "timeout: soon\n"),
    "no tries": ("tries: 1\n", "tries: 0\n"),
    "half a try": ("tries: 1\n", "tries: 1.5\n"),
    "star offered": ("{1: dialect, 2: requests", "{'*': dialect, 2: requests"),
    "two digits": ("{1: dialect, 2: requests", "{12: dialect, 2: requests"),
    "odd target": ("on_silence: owner", "on_silence: 'the queue'"),
    "unknown node": ("do: fact", "do: facts"),
    "no kind": ("    do: fact\n", ""),
    "field of another kind": ("    fact: no_menu\n", "    fact: no_menu\n    timeout: 3\n"),
    "missing way": ("    yes: slowly\n", ""),
    "one prompt is no list": ("prompts: [goodbye]", "prompts: goodbye"),
    "odd name of a node": ("  speaks:\n", "  Speaks!:\n"),
    "destination": ('destination: "12356"', 'destination: "a b"'),
    "queue": ("queue: hotline", "queue: [hotline]"),
}


@pytest.mark.parametrize(("old", "new"), CHANGES.values(), ids=CHANGES.keys())
def test_what_the_loader_refuses_an_editor_marks(old: str, new: str, tmp_path: Path) -> None:
    before = text_of("inbound")
    text = before.replace(old, new)
    assert text != before
    file = tmp_path / "inbound.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FlowError):
        load_flow(file)
    assert problems(text) != []


def test_a_number_without_quotes_is_a_destination_to_both(tmp_path: Path) -> None:
    text = text_of("inbound").replace('destination: "12356"', "destination: 12356")
    file = tmp_path / "inbound.yaml"
    file.write_text(text, encoding="utf-8")
    assert load_flow(file).name == "inbound"
    assert problems(text) == []


MENU = "{do: menu, prompts: [greet], options: {1: bye}, on_silence: bye, on_wrong: bye, timeout: %s}"
RECORD = "{do: record, prompts: [greet], kind: message, next: bye, longest: %s}"
QUEUE = "{do: enqueue, queue: hotline, answered: bye, failed: bye, on_cap: bye, priority: %s}"
#: A node, and numbers just outside and just inside what it takes.
EDGES = [
    *((MENU, edge) for edge in (0.9, 1, 60, 60.1)),
    *((RECORD, edge) for edge in (0, 1, 600, 601)),
    *((QUEUE, edge) for edge in (-1, 0, 9, 10)),
]


@pytest.mark.parametrize(("node", "value"), EDGES)
def test_the_edges_are_the_loader_s(node: str, value: float, tmp_path: Path) -> None:
    text = (
        "flow: mine\ndirection: inbound\nlanguage: zh\nstart: first\nhuman: first\n"
        f"nodes:\n  first: {node % value}\n  bye: {{do: end}}\n"
    )
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load_flow(file)
    except FlowError:
        assert problems(text) != []
    else:
        assert problems(text) == []


def test_it_is_printed_for_editors() -> None:
    done = CliRunner().invoke(main, ["ivr", "schema"])
    assert done.exit_code == 0
    assert yaml.safe_load(done.output) == schema()
