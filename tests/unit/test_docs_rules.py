"""docs/reference/rules.md names each rule once, and every page only tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (R[0-9]+) \|.*\| (.+) \|$", PAGE, re.MULTILINE))
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _named() -> list[tuple[str, str]]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted({found for page in pages for found in _TEST.findall(page.read_text(encoding="utf-8"))})


def test_each_rule_stands_there_once() -> None:
    numbers = re.findall(r"^\| R([0-9]+) \|", PAGE, re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, 53))


@pytest.mark.parametrize("rule", ROWS)
def test_a_rule_is_proven_by_a_test_or_planned(rule: str) -> None:
    assert _TEST.search(ROWS[rule]) or "planned: " in ROWS[rule]


@pytest.mark.parametrize(("file", "name"), _named())
def test_every_test_named_in_any_page_exists(file: str, name: str) -> None:
    assert name in _tests_in(ROOT / file)


def test_every_rule_a_test_names_is_a_rule() -> None:
    named = {
        found
        for file in (ROOT / "tests").rglob("test_*.py")
        for found in re.findall(r"def test_(r[0-9]+)_", file.read_text(encoding="utf-8"))
    }
    assert {name.upper() for name in named} <= ROWS.keys()


def _tests_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
