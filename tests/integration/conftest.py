"""The running line for integration tests: one real Asterisk per test process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import USERS, Actors, Pbx, short_home, test_settings
from routed_line import RoutedPbx, routed_pbx
from taped import COLLEAGUE, Talk, recording_pbx, spool
from violence import Site, check_tools
from voices import Voice

from callcenter.config import Settings
from callcenter.demo.runner import Address
from callcenter.keys import KeyRing
from ivr.prompts.sets import SETS, prompt_set
from ivr.prompts.synthesis import synthesise_all

#: Files that take most of a minute or more, the longest first; in seconds of a machine at rest.
LONGEST = {
    "test_line_contexts.py": 145,
    "test_pbx_contexts.py": 120,
    "test_alarm_road.py": 110,
    "test_actors_line.py": 90,
    "test_serving_parts.py": 85,
    "test_flow_walks.py": 80,
    "test_doctor_site.py": 75,
    "test_violence_pbx.py": 65,
    "test_routing_skills.py": 60,
    "test_routing_people.py": 60,
    "test_pbx_legacy_journal.py": 55,
    "test_pbx_duty.py": 55,
    "test_routing_turns.py": 55,
    "test_pbx_cli.py": 50,
    "test_violence_python.py": 50,
    "test_violence_attempts.py": 50,
    "test_routing_broken.py": 50,
    "test_handed_over.py": 50,
    "test_pbx_check.py": 45,
    "test_duty_situations.py": 45,
    "test_rehearsal_ends.py": 45,
    "test_recorded_site.py": 45,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: one begun at the end would keep everybody waiting."""
    items.sort(key=lambda item: -LONGEST.get(item.path.name, 0))


@pytest.fixture(scope="session")
def _tools() -> None:
    """Fail, never skip, where Asterisk or SIPp is missing."""
    check_tools()


@pytest.fixture(scope="session")
def new_pbx(_tools: None, keys: KeyRing, request: pytest.FixtureRequest) -> Iterator[Callable[..., Pbx]]:
    """Makes PBXes that are not yet running, for tests that kill theirs; options as `test_settings`."""
    made: list[Pbx] = []

    def make(*, trunk_qualify: int = 0, **sections: Any) -> Pbx:
        settings = test_settings(short_home(), **sections)
        made.append(Pbx(settings=settings, keys=keys, users=USERS, trunk_qualify=trunk_qualify))
        return made[-1]

    yield make
    for pbx in made:
        pbx.process.stop()
        if not request.session.testsfailed:
            shutil.rmtree(pbx.settings.home)


@pytest.fixture(scope="session")
def _session_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    pbx = new_pbx()
    pbx.start()
    return pbx


@pytest.fixture
def pbx(_session_pbx: Pbx) -> Iterator[Pbx]:
    """The running line, with nobody on duty and no call up. A channel left behind is a failure."""
    _session_pbx.reset()
    yield _session_pbx
    left = _session_pbx.leak()
    if left:
        pytest.fail(f"channels left behind:\n{left}", pytrace=False)


@pytest.fixture
def actors(pbx: Pbx, tmp_path: Path) -> Iterator[Actors]:
    """Callers, phones and the carrier around the line."""
    cast = Actors(pbx=pbx, folder=tmp_path)
    yield cast
    cast.close()


@pytest.fixture(scope="session")
def _session_routes(_tools: None, keys: KeyRing) -> Iterator[RoutedPbx]:
    routes = routed_pbx(keys)
    routes.start()
    yield routes
    routes.process.stop()


@pytest.fixture
def line(_session_routes: RoutedPbx) -> Iterator[RoutedPbx]:
    """A running line with short rings, of counsellors who differ, none of them on duty."""
    _session_routes.reset()
    yield _session_routes
    left = _session_routes.leak()
    if left:
        pytest.fail(f"channels left behind:\n{left}", pytrace=False)


@pytest.fixture
def cast(line: RoutedPbx, tmp_path: Path) -> Iterator[Actors]:
    """Callers, phones and the carrier around that line."""
    around = Actors(pbx=line, folder=tmp_path)
    yield around
    around.close()


@pytest.fixture(scope="session")
def _session_taped(new_pbx: Callable[..., Pbx]) -> Pbx:
    return recording_pbx(new_pbx)


@pytest.fixture
def taped(_session_taped: Pbx) -> Iterator[Pbx]:
    """A running line that records, with nobody on duty and nothing on tape."""
    _session_taped.reset()
    for wav in spool(_session_taped).iterdir():
        wav.unlink()
    yield _session_taped
    left = _session_taped.leak()
    if left:
        pytest.fail(f"channels left behind:\n{left}", pytrace=False)


@pytest.fixture
def talk(taped: Pbx) -> Iterator[Callable[..., Talk]]:
    """Begins a talk there."""
    made: list[Talk] = []

    def begin(agent: str = "c001") -> Talk:
        made.append(Talk(taped, agent))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture
def colleague(taped: Pbx) -> Iterator[Voice]:
    """李老师, c002, who picks up whatever rings."""
    here = Address(host="127.0.0.1", port=0)
    voice = Voice(taped.sip, here, "c002", note=COLLEAGUE, password=taped.keys.password("sip:c002"))
    yield voice.register()
    voice.close()


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sounds that `hotline pbx apply` speaks for a site: half a minute's work, to be copied."""
    sounds = tmp_path_factory.mktemp("spoken")
    language = prompt_set(Settings().site.language).language
    synthesise_all(sounds, names=tuple(one.name for one in SETS.values() if one.language == language))
    return sounds


@pytest.fixture
def site(_tools: None, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A whole line of its own, `hotline serve` included, with nobody on duty. For violence."""
    whole = Site()
    try:
        yield whole.open()
    finally:
        whole.close(keep=bool(request.session.testsfailed))
