"""Nothing anybody may see or hear of us says a diagnosis (R16): every text, one by one, from everywhere.

Whatever is not found by walking the package would not be shown; what is shown is a prompt, a text in code, a
command's help, a definition in YAML, a template or a page.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from callcenter.cli import main
from callcenter.domain.wording import diagnostic_words

ROOT = Path(__file__).parents[2]
PACKAGES = ("callcenter", "ivr", "scheduler")

#: (file, word) -> why it may stand there all the same.
ALLOWED: dict[tuple[str, str], str] = {
    ("ivr/diagnosis.py", "*"): "the list of these words itself",
    ("README.zh-CN.md", "诊断"): "says that the line makes none",
    ("callcenter/domain/cases.py", "治疗"): "a case may be closed because somebody is in others' care",
    ("callcenter/forms/session.yaml", "精神疾病"): "a heading of the official list of problems; "
    "exports say 精神卫生 for it (`callcenter.service.privacy.export_sheets`)",
    ("callcenter/service/privacy/export_sheets.py", "精神疾病"): "what exports replace",
    ("callcenter/forms/session.yaml", "诊断"): "tells counsellors to write none",
    ("callcenter/domain/session_rules.py", "诊断"): "tells counsellors that a word is one",
    ("callcenter/cli/export.py", "诊断"): "tells that such words were replaced",
    ("docs/howto/supervisor.zh-CN.md", "诊断"): "tells supervisors that such words are replaced",
    ("ivr/check.py", "diagnose"): "tells who writes a flow not to",
    ("README.md", "diagnose"): "says that the line does not",
    ("docs/howto/counsellor.zh-CN.md", "诊断"): "tells counsellors to write none",
}


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def files(*patterns: str) -> list[Path]:
    found = (file for package in PACKAGES for pattern in patterns for file in (ROOT / package).rglob(pattern))
    return sorted(file for file in found if "migrations" not in file.parts)


def texts_in_code(file: Path) -> Iterator[str]:
    """Yield the texts of a module but its docstrings, which only we read."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def texts_in_yaml(value: object) -> Iterator[str]:
    match value:
        case dict():
            for key, inner in value.items():
                yield str(key)
                yield from texts_in_yaml(inner)
        case list():
            for inner in value:
                yield from texts_in_yaml(inner)
        case _:
            yield str(value)


def texts_of(command: click.Command) -> Iterator[str]:
    yield command.get_help(click.Context(command))
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            yield from texts_of(found)


def said() -> Iterator[tuple[str, str]]:
    """Yield every place and text."""
    for file in files("*.py"):
        yield from ((name(file), text) for text in texts_in_code(file))
    for file in files("*.yaml", "*.yml"):
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
        yield from ((name(file), text) for text in texts_in_yaml(loaded))
    for file in [
        *files("*.j2", "*.html", "*.txt"),
        *ROOT.glob("README*.md"),
        *(ROOT / "docs/howto").glob("*.md"),
    ]:
        yield name(file), file.read_text(encoding="utf-8")
    yield from (("hotline --help", text) for text in texts_of(main))


SAID = list(said())
FOUND = {(place, word): text for place, text in SAID for word in diagnostic_words(text)}


def is_allowed(place: str, word: str) -> bool:
    return (place, word) in ALLOWED or (place, "*") in ALLOWED


def test_nothing_shown_or_spoken_holds_a_diagnosis() -> None:
    assert {key: text for key, text in FOUND.items() if not is_allowed(*key)} == {}


def test_the_walk_sees_what_people_see() -> None:
    places = {place for place, _ in SAID}
    for seen in ("ivr/prompts/texts/zh.yaml", "ivr/prompts/texts/en.yaml", "callcenter/cli/queue.py"):
        assert seen in places
    assert "docs/howto/counsellor.zh-CN.md" in places
    assert any(place == "hotline --help" and "困难职工" in text for place, text in SAID)


@pytest.mark.parametrize("key", ALLOWED)
def test_nothing_is_allowed_that_does_not_stand_there(key: tuple[str, str]) -> None:
    assert key in FOUND or (key[1] == "*" and any(place == key[0] for place, _ in FOUND))
