"""The picture of the wallboard is of the wallboard there is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_picture_shows_what_the_command_would() -> None:
    spec = importlib.util.spec_from_file_location("docs_wallboard", DOCS / "wallboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.drawn()
    assert module.PICTURE.read_text(encoding="utf-8") == drawn, "renew it: .venv/bin/python docs/wallboard.py"
    assert "最久等候" in drawn
