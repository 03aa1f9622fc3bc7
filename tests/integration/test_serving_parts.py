"""A bridge and several schedulers, each a process of its own, on one store: one dials, and is followed."""

from __future__ import annotations

import http.client
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from ami_tap import Moment
from prometheus_client.parser import text_string_to_metric_families
from test_violence_attempts import FINE, attempts, enlist, is_settled
from verdict import findings
from violence import Site, check_tools

from callcenter.db.leading import leadership_of
from callcenter.demo.runner import free_ports, until
from scheduler.obligations import Result

pytestmark = pytest.mark.asterisk
FIRST, KILLED, AFTER, STOPPED = WORKERS = tuple(f"1370000000{n}" for n in range(4))


class Parts:
    """The processes of a site by the port on which each says how it is."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.pids: dict[int, int] = {}

    def start(self, part: str) -> int:
        """Start one and return its port once it is ready."""
        (port,) = free_ports(1)
        before = set(self.site.python.pids())
        self.site.python.environment["HOTLINE_HEALTH__PORT"] = str(port)
        self.site.python.start("serve", part, ready=False)
        until(lambda: self.ask(port, "/readyz").get("ready"), 60, what=f"the {part} to be ready")
        (self.pids[port],) = set(self.site.python.pids()) - before
        return port

    def get(self, port: int, path: str) -> str:
        """Return what a process says."""
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            link.request("GET", path)
            return link.getresponse().read().decode()
        finally:
            link.close()

    def ask(self, port: int, path: str) -> dict[str, Any]:
        """Return what a process says of itself; nothing if it does not answer."""
        try:
            said: dict[str, Any] = json.loads(self.get(port, path))
        except OSError:
            return {}
        return said

    def metrics(self, port: int) -> dict[str, float]:
        """Return each sample, spelt with its labels."""
        families = text_string_to_metric_families(self.get(port, "/metrics"))
        samples = (sample for family in families for sample in family.samples)
        return {" ".join((s.name, *s.labels.values())): s.value for s in samples}

    def leader(self, *ports: int) -> int | None:
        """Return the one that leads; None if none of them says so. Never two."""
        leading = [port for port in ports if self.ask(port, "/readyz").get("leads")]
        assert len(leading) <= 1
        return leading[0] if leading else None

    def strike(self, port: int, number: signal.Signals) -> None:
        os.kill(self.pids[port], number)


def take_the_lead_away(site: Site) -> None:
    """Let somebody else lead although the leader lives: what no lock can rule out."""
    if site.postgres is None:
        os.unlink(f"{site.folder / 'hotline.db'}.leader")
        return
    url = site.app.settings.database_url
    holders = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    with psycopg.connect(url, autocommit=True) as link:
        assert link.execute(holders).fetchall()


@pytest.fixture
def parted(request: pytest.FixtureRequest) -> Iterator[Parts]:
    """A line of its own on either store; nothing of ours runs yet."""
    check_tools()
    site = Site(getattr(request, "param", "sqlite"))
    try:
        site.pbx.start()
        site.tap.start()
        yield Parts(site)
    finally:
        site.close(keep=bool(request.session.testsfailed))


@pytest.mark.parametrize(
    "parted", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_of_two_schedulers_one_dials_and_is_followed_and_nobody_is_rung_twice(parted: Parts) -> None:
    site = parted.site
    carrier = site.actors.carrier(dict.fromkeys(WORKERS, FINE))
    bridge = parted.start("bridge")
    assert "leads" not in parted.ask(bridge, "/readyz")
    one, two = parted.start("scheduler"), parted.start("scheduler")
    assert parted.leader(one, two) == one
    enlist(site, FIRST)
    until(lambda: is_settled(site, FIRST, Result.REACHED_SELF_IVR_OK), 60, what="FIRST to be reached")

    site.tap.arm(Moment.ORDERED, lambda: parted.strike(one, signal.SIGKILL))
    enlist(site, KILLED)
    site.tap.until_struck()
    until(lambda: parted.leader(two), 20, what="the other to lead")
    until(lambda: is_settled(site, KILLED, Result.REACHED_SELF_IVR_OK), 60, what="KILLED to be settled")
    enlist(site, AFTER)
    until(lambda: is_settled(site, AFTER, Result.REACHED_SELF_IVR_OK), 60, what="AFTER to be reached")

    three = parted.start("scheduler")
    site.tap.arm(Moment.ORDERED, lambda: parted.strike(two, signal.SIGSTOP))
    enlist(site, STOPPED)
    site.tap.until_struck()
    take_the_lead_away(site)
    until(lambda: parted.leader(three), 20, what="the third to lead beside one that hangs")
    until(lambda: is_settled(site, STOPPED, Result.REACHED_SELF_IVR_OK), 60, what="STOPPED to be settled")
    parted.strike(two, signal.SIGCONT)
    until(lambda: parted.ask(two, "/healthz").get("alive"), 20, what="who hung to go on")
    parted.strike(three, signal.SIGTERM)
    until(lambda: parted.leader(two), 20, what="the next one to lead after one that ended in order")
    until(lambda: '"action": "serve.stopped"' in site.python.log.read_text(), 20, what="it to end")

    if site.postgres is not None:
        without_the_store(parted, bridge, two)
    site.until_quiet()
    for number in WORKERS:
        assert len(attempts(site, number)) == len(carrier.calls(number)) == 1
    assert findings(site, carrier=carrier, workers=WORKERS) == []


def without_the_store(parted: Parts, *ports: int) -> None:
    """While the store is away nobody is ready, and everybody says why; then one leads again."""
    assert parted.site.postgres is not None
    parted.site.postgres.stop()
    for port in ports:
        until(lambda p=port: parted.ask(p, "/readyz").get("checks", {}).get("store") is False, 40)
        assert parted.ask(port, "/healthz")["alive"]
        assert parted.metrics(port)["hotline_store_away_seconds"] > 0
    parted.site.postgres.start()
    for port in ports:
        until(lambda p=port: parted.ask(p, "/readyz").get("ready"), 40, what="it to be ready again")
    until(lambda: parted.leader(*ports), 20, what="the lead to be taken again")


def test_a_bridge_alone_answers_callers_and_dials_nobody(parted: Parts) -> None:
    site = parted.site
    carrier = site.actors.carrier({FIRST: FINE})
    bridge = parted.start("bridge")
    site.on_duty("c001")
    site.until_members("c001")
    enlist(site, FIRST)
    until(lambda: parted.metrics(bridge).get("hotline_obligations due"), 40, what="the debt to be counted")
    found = parted.metrics(bridge)
    assert found["hotline_ami_up"] == found["hotline_ready"] == 1
    assert sum(n for name, n in found.items() if name.startswith("hotline_queue_members ")) == 1
    said = parted.get(bridge, "/metrics")
    assert not [word for word in (FIRST, "周伟", "c001", "WX-") if word in said]
    ours = leadership_of(site.app.settings.database_url)
    assert ours.lead(), "a bridge does not lead"
    ours.resign()
    site.pbx.process.stop()
    until(lambda: parted.ask(bridge, "/readyz").get("checks", {}).get("telephony") is False, 30)
    assert parted.ask(bridge, "/healthz")["alive"]
    assert not site.tap.ordered
    assert carrier.calls(FIRST) == []
