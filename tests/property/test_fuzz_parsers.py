"""A short seeded round of `scripts/fuzz`: nothing from outside makes a parser do more than refuse."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest
from fuzzing import TARGETS, Target, feed, mutations

SEED = 20261123


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no HOTLINE_* of this machine into what is read."""
    for name in [name for name in os.environ if name.startswith("HOTLINE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_right_is_read(target: Target) -> None:
    """Else the rounds below would break what is refused at the door."""
    for data in target.seeds():
        target.run(data)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_nearly_right_is_read_or_refused(target: Target, tmp_path: Path) -> None:
    for number, data in enumerate(islice(mutations(target, SEED), target.rounds)):
        try:
            feed(target, data)
        except BaseException as error:
            error.add_note(f"input {number} of {target.name}: {data[:200]!r}")
            raise
