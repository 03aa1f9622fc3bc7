"""Of several schedulers on one store one leads; whoever dies is followed at once, on both databases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from postgres import BreakableServer, breakable_server

from callcenter.db.errors import StoreUnreachable
from callcenter.db.leading import Leadership, leadership_of
from callcenter.demo.runner import until
from callcenter.serving.dialling import SURE, Lead

#: Leads until it is killed.
LEADER = """
import sys, time
from callcenter.db.leading import leadership_of
candidate = leadership_of(sys.argv[1])
print(candidate.lead(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def candidate(database_url: str) -> Iterator[Callable[[], Leadership]]:
    """Brings up candidates for the lead of one store."""
    made: list[Leadership] = []

    def another() -> Leadership:
        made.append(leadership_of(database_url))
        return made[-1]

    yield another
    for one in made:
        one.resign()


def test_one_leads_until_it_resigns(candidate: Callable[[], Leadership]) -> None:
    first, second = candidate(), candidate()
    assert [first.lead(), second.lead(), first.lead(), second.lead()] == [True, False, True, False]
    first.resign()
    assert [second.lead(), first.lead()] == [True, False]


def test_a_leader_that_is_killed_is_followed(candidate: Callable[[], Leadership], database_url: str) -> None:
    other = subprocess.Popen([sys.executable, "-c", LEADER, database_url], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "True"
        second = candidate()
        assert not second.lead()
        other.kill()
        until(second.lead, 10, what="the lead to be free")
    finally:
        other.kill()
        other.communicate()


@pytest.fixture
def breakable() -> Iterator[BreakableServer]:
    """A server of one test's own."""
    with breakable_server() as server:
        yield server


@pytest.mark.postgres
def test_with_the_server_the_lead_is_lost_and_taken_again(breakable: BreakableServer) -> None:
    url = breakable.server.url(breakable.server.new_database())
    first, second = leadership_of(url), leadership_of(url)
    assert first.lead()
    breakable.kill()
    for one in (first, second, first):
        with pytest.raises(StoreUnreachable):
            one.lead()
    breakable.start()
    assert [second.lead(), first.lead()] == [True, False]
    for one in (first, second):
        one.resign()


class Whim:
    """Leads as it is told to."""

    def __init__(self) -> None:
        self.leads: bool | StoreUnreachable = True

    def lead(self) -> bool:
        if isinstance(self.leads, StoreUnreachable):
            raise self.leads
        return self.leads

    def resign(self) -> None:
        self.leads = False


def test_whoever_was_stopped_for_a_while_leads_no_more_before_it_has_asked() -> None:
    now, whim = [0.0], Whim()
    lead = Lead(whim, clock=lambda: now[0])
    assert not lead.is_ours
    asyncio.run(lead.renew())
    assert lead.is_ours
    now[0] += SURE
    assert not lead.is_ours
    asyncio.run(lead.renew())
    assert lead.is_ours
    whim.leads = False
    asyncio.run(lead.renew())
    assert not lead.is_ours


def test_whoever_cannot_tell_leads_on_for_a_moment_only() -> None:
    now, whim = [0.0], Whim()
    lead = Lead(whim, clock=lambda: now[0])
    asyncio.run(lead.renew())
    whim.leads = StoreUnreachable()
    with pytest.raises(StoreUnreachable):
        asyncio.run(lead.renew())
    assert lead.is_ours
    now[0] += SURE
    assert not lead.is_ours
