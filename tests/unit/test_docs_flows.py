"""The pictures of the shipped flows, the published schema and the page about them are in step."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ivr.loader import PARTS, SHIPPED
from ivr.nodes import KINDS
from ivr.readers import READERS
from ivr.schema import schema_text

DOCS = Path(__file__).parents[2] / "docs"
RENEW = "run: .venv/bin/python docs/flows.py"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_flows", DOCS / "flows.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()
SOURCES: dict[Path, str] = GENERATE.sources()
PAGE = (DOCS / "reference" / "flows.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.stem)
def test_a_picture_was_made_from_the_flow_as_it_is(file: Path) -> None:
    assert GENERATE.is_current(file, SOURCES[file]), RENEW


def test_there_is_a_picture_of_every_flow_and_of_nothing_else() -> None:
    assert {file.stem for file in (DOCS / "images" / "flows").iterdir()} == {*SHIPPED, *PARTS}


def test_the_published_schema_is_the_one_that_is_printed() -> None:
    assert GENERATE.SCHEMA.read_text(encoding="utf-8") == schema_text(), RENEW


@pytest.mark.parametrize("name", [*SHIPPED, *PARTS])
def test_the_page_shows_every_flow(name: str) -> None:
    assert f"(../images/flows/{name}.svg)" in PAGE


def test_the_page_names_every_node_and_every_field() -> None:
    assert [word for word in KINDS if f"| `{word}` |" not in PAGE] == []
    assert [field for field in READERS if f"`{field}`" not in PAGE] == []


def test_the_start_of_the_documentation_leads_to_the_page() -> None:
    assert "(reference/flows.md)" in (DOCS / "README.md").read_text(encoding="utf-8")
