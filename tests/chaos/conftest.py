"""Chaos plays on the same sites as the integration tests do; their helpers lie beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from violence import Site, check_tools


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A whole line of its own, `hotline serve` included, with nobody on duty. For violence."""
    check_tools()
    whole = Site()
    try:
        yield whole.open()
    finally:
        whole.close(keep=bool(request.session.testsfailed))
