"""Pages for people: links lead somewhere, one language each, one sentence a line, nothing of our machines."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from callcenter.cli import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OURS = [page for page in PAGES if "decisions" not in page.parts and page.name != "CHANGELOG.md"]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_CODE = re.compile(r"`[^`\n]*`")
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
#: Folders of machines we happen to work on, and hosts that packages come from.
_MACHINE = re.compile(
    r"(?<![\w.])/(?:work|root|home|tmp|mnt|Users)/|\.\./shared|pypi\.|mirrors?\.[a-z]+\.", re.I
)
_FILE = re.compile(r"`((?:callcenter|docs|ivr|scheduler|scripts|tests)/[\w./-]+?)(?:::\w+)?`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> list[str]:
    """Return the lines outside code, tables and headings."""
    lines = _FENCE.sub("", text(page)).splitlines()
    return [line for line in lines if line and not line.startswith(("|", "#", "!["))]


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere_inside_the_repository(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", _FENCE.sub("", text(page)))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert "://" not in link, f"{link}: leads out"
        assert target.is_relative_to(ROOT), f"{link}: leads out"
        assert target.exists(), f"{link}: leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", OURS, ids=name)
def test_every_file_named_is_there(page: Path) -> None:
    for file in _FILE.findall(text(page)):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_names_a_machine(page: Path) -> None:
    assert not _MACHINE.findall(text(page))


@pytest.mark.parametrize("page", OURS, ids=name)
def test_a_page_is_in_one_language(page: Path) -> None:
    chinese = page.name.endswith(".zh-CN.md")
    for heading in re.findall(r"^# (.+)$", _FENCE.sub("", text(page)), re.MULTILINE):
        assert bool(_HAN.search(heading)) is (chinese or "心线" in heading)
    share = sum(bool(_HAN.search(line)) for line in prose(page)) / len(prose(page))
    assert share > 0.8 if chinese else share < 0.5


@pytest.mark.parametrize("page", OURS, ids=name)
def test_a_line_holds_one_sentence(page: Path) -> None:
    ends = r"。(?=[\u4e00-\u9fffA-Z`])" if page.name.endswith(".zh-CN.md") else r"[a-z)`][.!?] (?=[A-Z])"
    assert [line for line in prose(page) if re.search(ends, line)] == []


@pytest.mark.parametrize("page", OURS, ids=name)
def test_every_command_line_on_a_page_could_be_typed(page: Path) -> None:
    """The words lead to a command, and it knows the options."""
    for line in re.findall(
        r"(?:^|`)hotline ((?:[a-z]|--)[^`\n]*)", text(page).replace("\\\n", " "), re.MULTILINE
    ):
        command: click.Command = main
        words = line.split()
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, f"hotline {line}"
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, f"hotline {line}"
