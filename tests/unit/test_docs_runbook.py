"""The runbook quotes what the doctor and the alarms really say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callcenter.words import ALARMS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "runbook.zh-CN.md").read_text(encoding="utf-8")
SOURCES = "".join(
    file.read_text(encoding="utf-8")
    for file in sorted((ROOT / "callcenter/service/health").glob("doctor*.py"))
)
SEEN = [row.split("|")[1] for row in PAGE.splitlines() if row.startswith("| ") and "“" in row]
QUOTES = sorted({quote for seen in SEEN for quote in re.findall(r"“([^”]+)”", seen)})


@pytest.mark.parametrize("quote", QUOTES)
def test_what_the_runbook_quotes_is_said(quote: str) -> None:
    if quote not in ALARMS.values():
        # What stands for a number, a name or a part of its own is left out.
        pieces = [piece.strip() for piece in re.split(r"[…：（）%]|\b[0-9]+\b", quote)]
        assert [piece for piece in pieces if piece not in SOURCES] == []


def test_it_tells_of_every_part() -> None:
    assert len(QUOTES) > 20
