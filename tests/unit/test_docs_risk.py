"""docs/reference/risk.md says what the data say."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "reference" / "risk.md").read_text(encoding="utf-8")
MAKER = runpy.run_path(str(DOCS / "risk.py"))


def test_the_tables_are_the_data() -> None:
    assert MAKER["renewed"](PAGE) == PAGE, "run .venv/bin/python docs/risk.py"


def test_no_table_is_empty() -> None:
    assert all(make().count("\n") > 3 for make in MAKER["TABLES"].values())
