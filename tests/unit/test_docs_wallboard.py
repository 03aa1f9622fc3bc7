"""The pictures of the wallboard and of the queue are of those there are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("script", "word"), [("wallboard", "最久等候"), ("queue_screen", "q离开")])
def test_the_picture_shows_what_the_command_would(script: str, word: str) -> None:
    spec = importlib.util.spec_from_file_location(f"docs_{script}", DOCS / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.drawn()
    assert module.PICTURE.read_text(encoding="utf-8") == drawn, f"renew it: .venv/bin/python docs/{script}.py"
    assert word in drawn
