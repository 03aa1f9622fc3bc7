"""A reader of the journal that is killed in the middle goes on from there, and loses and doubles nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from postgres import Server

sys.path.insert(0, str(Path(__file__).parents[1] / "load"))

from bench_journal import Written
from bench_recovery import Recovered, differences, make_store, recover, write_site

#: More than two stretches of the journal.
ROWS = 80_000


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """What the PBX wrote while nothing of ours lived."""
    home = tmp_path_factory.mktemp("outage")
    return home, write_site(home, ROWS)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_reader_killed_in_the_middle_leaves_what_an_undisturbed_one_leaves(
    kind: str, outage: tuple[Path, Written], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    home, written = outage

    def read(name: str, kills: tuple[float, ...] = ()) -> Recovered:
        url = None
        if kind == "postgres":
            server: Server = request.getfixturevalue("postgres_server")
            url = server.url(server.new_database())
        folder = tmp_path / name
        folder.mkdir()
        return recover(make_store(folder, home, written, url), written, kills)

    undisturbed, killed = read("undisturbed"), read("killed", (0.2, 0.6))
    assert all(left > 0 for left in killed.left)
    assert undisturbed.calls > ROWS / 20
    assert {
        "calls",
        "sessions",
        "attempts",
        "evidence",
        "audit",
        "checkpoints",
    } <= undisturbed.contents.keys()
    assert differences(undisturbed, killed) == []
