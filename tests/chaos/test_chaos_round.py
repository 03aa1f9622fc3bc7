"""Short seeded rounds: our processes, the wire, the PBX and the store break while calls flow both ways.

On SQLite one process serves, on PostgreSQL a bridge and two schedulers do.
"""

from __future__ import annotations

import pytest
from chaos import Chaos, faults_for
from violence import Site, check_tools

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres]
#: The same plans each time; `scripts/chaos` tries others, for as long as one likes.
ROUNDS = {"sqlite-whole": 20261123, "postgres-apart": 20261135}
SECONDS = 20.0


@pytest.mark.parametrize(("kind", "seed"), ROUNDS.items(), ids=ROUNDS)
def test_a_short_round_of_chaos_leaves_the_record_whole(kind: str, seed: int) -> None:
    check_tools()
    store, _, how = kind.partition("-")
    apart = how == "apart"
    site, faults, failed = Site(store, apart=apart), faults_for(store, apart=apart), True
    try:
        for fault in faults.values():
            fault.prepare(site)
        chaos = Chaos(site=site.open(), seed=seed, seconds=SECONDS, faults=faults)
        found = chaos.run()
        assert found == [], f"logs in {site.folder}\n{chaos.figures()}"
        failed = False
    finally:
        site.close(keep=failed)
