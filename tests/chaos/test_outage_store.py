"""Twenty seconds without a database, on both stores: calls, queue, memory and log bear it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from outage import Outage
from violence import Site, check_tools

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres]
SECONDS = 20.0
STORES = ("sqlite", "postgres")


@pytest.fixture(scope="module")
def outages() -> Iterator[dict[str, Future[list[str]]]]:
    """The outage of each store, running side by side: each mostly waits."""
    check_tools()
    with ThreadPoolExecutor(len(STORES)) as stage:
        yield {store: stage.submit(_play, store) for store in STORES}


def _play(store: str) -> list[str]:
    site, failed = Site(store), True
    try:
        outage = Outage(site=site.open(), seconds=SECONDS, restart=store == "postgres")
        found = outage.run()
        failed = bool(found)
        return [*found, f"logs in {site.folder}"] if failed else []
    finally:
        site.close(keep=failed)


@pytest.mark.parametrize("store", STORES)
def test_the_line_goes_on_while_the_database_is_away_and_catches_up(
    outages: dict[str, Future[list[str]]], store: str
) -> None:
    assert outages[store].result() == []
