"""Pages written by hand keep up with what they describe: rows, contexts, facts, tables, tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callcenter.domain.calls import Outcome
from callcenter.domain.reconcile import FAMILIES
from callcenter.service.line.wanted import EDGES_AHEAD, INTERVALS_AHEAD

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "callcenter" / "asterisk" / "provision" / "templates"
EXTENSIONS = "\n".join(
    part.read_text(encoding="utf-8")
    for part in (TEMPLATES / "extensions.conf.j2", *sorted((TEMPLATES / "dialplan").glob("*.j2")))
)


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


def setting(file: str, key: str) -> list[str]:
    found = re.search(rf"^{key} = (.+)$", (TEMPLATES / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1].split(",")


# --- journal ----------------------------------------------------------------------------------


def test_the_journals_fields_stand_in_their_order() -> None:
    rows = re.findall(r"^\| [0-9]+ \| `([^`]+)` \|", page("journal"), re.MULTILINE)
    assert rows == setting("cel_custom.conf.j2", "fields")


def test_the_journals_events_are_named_and_no_other() -> None:
    sentence = page("journal").partition("Events written:\n")[2].partition("\n")[0]
    assert re.findall(r"`([A-Z_]+)`", sentence) == setting("cel.conf.j2", "events")


def test_every_event_of_ours_is_in_the_contract() -> None:
    written = set(re.findall(r"CELGenUserEvent\(([A-Z_]+),", EXTENSIONS))
    by_flows = re.findall(r'return "([A-Z_]+)"', (ROOT / "ivr" / "rows.py").read_text(encoding="utf-8"))
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page("journal"), re.MULTILINE)) == written | set(by_flows)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_explained(outcome: Outcome) -> None:
    assert f"| `{outcome}` |" in page("journal")


# --- dialplan ---------------------------------------------------------------------------------


def test_every_context_is_explained_and_no_other() -> None:
    rendered = set(re.findall(r"^\[((?:hotline|flow)-[a-z-]+)\]", EXTENSIONS, re.MULTILINE))
    told = set(re.findall(r"^\| `((?:hotline|flow)-[a-z-]+)` \|", page("dialplan"), re.MULTILINE))
    assert told == rendered


@pytest.mark.parametrize(
    "family", sorted({*FAMILIES, *re.findall(r"DB(?:_DELETE)?\((hotline-[a-z]+)/", EXTENSIONS)})
)
def test_every_family_of_facts_is_explained(family: str) -> None:
    assert f"`{family}/" in page("dialplan")


def test_every_kind_of_call_file_is_explained() -> None:
    orders = set(
        re.findall(
            r'f"([a-z]+)-\{[^"]*\.call"', (ROOT / "callcenter/asterisk/spool.py").read_text(encoding="utf-8")
        )
    )
    told = set(re.findall(r"^\| `([a-z]+)-<[a-z<>-]+>\.call` \|", page("dialplan"), re.MULTILINE))
    assert told == orders


def test_every_feature_code_is_explained() -> None:
    dialled = re.findall(r"^exten => (\*[0-9]+),", EXTENSIONS, re.MULTILINE)
    assert re.findall(r"^\| `(\*[0-9]+)` \|", page("dialplan"), re.MULTILINE) == dialled


def test_the_days_laid_ahead_are_the_days_told() -> None:
    assert f"the next {INTERVALS_AHEAD.days} days" in page("dialplan")
    assert f"the next {EDGES_AHEAD.days} days" in page("dialplan")
