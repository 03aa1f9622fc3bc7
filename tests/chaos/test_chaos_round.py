"""One short seeded round: our Python is killed, hung and cut off while calls flow and debts are dialled."""

from __future__ import annotations

import pytest
from chaos import Chaos
from violence import Site

pytestmark = pytest.mark.asterisk
#: The same plan each time; `scripts/chaos` tries others, for as long as one likes.
SEED = 20261123
SECONDS = 20.0


def test_short_round_of_violence_leaves_the_record_whole(site: Site) -> None:
    chaos = Chaos(site=site, seed=SEED, seconds=SECONDS)
    found = chaos.run() + site.python.complaints()
    assert found == [], f"seed {SEED}; logs in {site.folder}\n{chaos.summary()}"
