"""Of several schedulers on one store one leads; whoever dies is followed at once, on both databases."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres import BreakableServer, breakable_server

from callcenter.db.errors import StoreError, StoreUnreachable
from callcenter.db.leading import Leadership, leadership_of
from callcenter.demo.runner import until
from callcenter.serving.dialling import SURE, Lead

#: Leads until it is killed.
LEADER = """
import signal, sys
from callcenter.db.leading import leadership_of
candidate = leadership_of(sys.argv[1])
print(candidate.lead(), flush=True)
signal.pause()
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
def on_file(tmp_path: Path) -> Path:
    """A SQLite database; what the lead is taken by lies beside it."""
    file = tmp_path / "hotline.db"
    file.touch()
    return file


def test_whoever_leads_by_a_file_that_was_deleted_follows_who_leads_by_the_new_one(on_file: Path) -> None:
    first, second = (leadership_of(f"sqlite:///{on_file}") for _ in range(2))
    assert first.lead()
    Path(f"{on_file}.leader").unlink()
    assert [second.lead(), first.lead(), second.lead()] == [True, False, True]
    second.resign()
    assert first.lead()
    Path(f"{on_file}.leader").unlink()
    assert first.lead()
    assert not second.lead(), "it locked the file that all find"
    first.resign()


def test_a_file_of_somebody_else_is_told_with_its_mend(
    on_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(StoreError, match=rf"回访.*chown --reference={on_file} {on_file}\.leader"):
        leadership_of(f"sqlite:///{on_file}").lead()


def test_root_who_is_first_leaves_the_file_to_whom_the_database_belongs(
    on_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    kept = os.stat(on_file)
    theirs = os.stat_result((*kept[:4], 4321, 8765, *kept[6:]))
    leader = leadership_of(f"sqlite:///{on_file}")
    with monkeypatch.context() as root:
        root.setattr(os, "stat", lambda *_, **__: theirs)
        root.setattr(os, "geteuid", lambda: 0)
        root.setattr(os, "fchown", lambda _, uid, gid: given.append((uid, gid)))
        assert leader.lead()
    leader.resign()
    assert given == [(4321, 8765)]


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
