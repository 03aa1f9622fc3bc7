"""Twenty seconds without a database, on both stores, or with one that takes no writes: all of it is borne."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from outage import Outage
from violence import Site, check_tools

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres]
SECONDS = 20.0
KINDS = ("sqlite", "postgres", "postgres-read-only")


@pytest.fixture(scope="module")
def outages() -> Iterator[dict[str, Future[list[str]]]]:
    """The outage of each kind, running side by side: each mostly waits."""
    check_tools()
    with ThreadPoolExecutor(len(KINDS)) as stage:
        yield {kind: stage.submit(_play, kind) for kind in KINDS}


def _play(kind: str) -> list[str]:
    store, _, read_only = kind.partition("-")
    site, failed = Site(store), True
    try:
        restart = kind == "postgres"
        outage = Outage(site=site.open(), seconds=SECONDS, restart=restart, read_only=bool(read_only))
        found = outage.run()
        failed = bool(found)
        return [*found, f"logs in {site.folder}"] if failed else []
    finally:
        site.close(keep=failed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_line_goes_on_while_the_database_is_away_and_catches_up(
    outages: dict[str, Future[list[str]]], kind: str
) -> None:
    assert outages[kind].result() == []
