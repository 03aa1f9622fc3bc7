"""What a serving process says of itself over HTTP, and that nobody is named in it."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callcenter.config import Health
from callcenter.demo.runner import until
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import Direction, Outcome
from callcenter.health import HealthServer
from callcenter.service.health.standing import Counts, Standing
from scheduler.obligations import Result

COUNTS = Counts(
    at=datetime(2026, 11, 23, 0, 30, tzinfo=UTC),
    calls={(Direction.INBOUND, Outcome.ANSWERED): 7, (Direction.INBOUND, Outcome.ABANDONED): 1},
    calls_open=2,
    unread_rows=0,
    due=12,
    overdue=3,
    attempts={Result.BUSY: 4},
    in_doubt=1,
    alarms={AlarmKind.TRUNK_DOWN: 1},
    journal_behind=512,
)
WELL = Standing(
    connected=True,
    counts=COUNTS,
    follows_roster=True,
    trunk_up=True,
    seats={"free": 2, "talking": 1},
    waiting=0,
    disk_free=0.5,
    leads=True,
    loop_ages={"journal.follow": timedelta(seconds=0.1)},
)


class Asked:
    """A server, what it sees, and how to ask it."""

    def __init__(self) -> None:
        self.standing = WELL
        self.server = HealthServer("127.0.0.1", 0, lambda: self.standing)
        asyncio.run(self.server.listen())

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        assert self.server.port is not None
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            link.request(method, path)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def metrics(self) -> dict[str, float]:
        """Return each sample of ours, spelt with its labels."""
        _, text = self.get("/metrics")
        families = text_string_to_metric_families(text)
        samples = (sample for family in families for sample in family.samples)
        return {" ".join((s.name, *s.labels.values())): s.value for s in samples}


@pytest.fixture
def asked() -> Iterator[Asked]:
    """A process that is well until told otherwise."""
    here = Asked()
    yield here
    here.server.close()


def test_whoever_is_well_is_alive_and_ready(asked: Asked) -> None:
    assert asked.get("/healthz")[0] == 200
    status, said = asked.get("/readyz")
    assert status == 200
    assert json.loads(said) == {
        "ready": True,
        "checks": {"loops": True, "store": True, "telephony": True, "roster": True},
        "leads": True,
    }


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"connected": False}, "telephony"),
        ({"store_away": timedelta(seconds=1)}, "store"),
        ({"counts": None}, "store"),
        ({"follows_roster": False}, "roster"),
    ],
)
def test_whoever_cannot_work_is_alive_not_ready_and_says_why(
    asked: Asked, wrong: dict[str, object], named: str
) -> None:
    asked.standing = replace(WELL, **wrong)  # type: ignore[arg-type]
    assert asked.get("/healthz")[0] == 200
    status, said = asked.get("/readyz")
    assert status == 503
    assert [name for name, holds in json.loads(said)["checks"].items() if not holds] == [named]
    assert asked.metrics()["hotline_ready"] == 0


def test_a_loop_that_stands_still_is_named(asked: Asked) -> None:
    asked.standing = replace(WELL, late=("journal.follow",))
    status, said = asked.get("/healthz")
    assert (status, json.loads(said)) == (503, {"alive": False, "late": ["journal.follow"]})
    assert asked.get("/readyz")[0] == 503


def test_a_standby_scheduler_is_ready(asked: Asked) -> None:
    asked.standing = Standing(connected=True, counts=COUNTS, leads=False)
    status, said = asked.get("/readyz")
    assert (status, json.loads(said)["leads"]) == (200, False)


def test_metrics_tell_the_figures(asked: Asked) -> None:
    found = asked.metrics()
    wanted = {
        "hotline_calls_today inbound answered": 7,
        "hotline_calls_open": 2,
        "hotline_journal_behind_bytes": 512,
        "hotline_ami_up": 1,
        "hotline_queue_members free": 2,
        "hotline_queue_members paused": 0,
        "hotline_queue_waiting": 0,
        "hotline_obligations due": 12,
        "hotline_obligations overdue": 3,
        "hotline_attempts_today busy": 4,
        "hotline_attempts_in_doubt": 1,
        "hotline_alarms_open trunk_down": 1,
        "hotline_store_away_seconds": 0,
        "hotline_loop_age_seconds journal.follow": 0.1,
    }
    assert {name: found[name] for name in wanted} == wanted


def test_what_nobody_can_tell_is_left_out_and_not_told_as_nothing(asked: Asked) -> None:
    asked.standing = Standing(connected=False, store_away=timedelta(seconds=90))
    found = asked.metrics()
    assert found["hotline_store_away_seconds"] == 90
    assert not [name for name in found if re.match("hotline_(calls|obligations|queue|trunk)", name)]


def test_labels_say_what_kind_and_never_who(asked: Asked) -> None:
    _, text = asked.get("/metrics")
    labels = {label for label in re.findall(r'[{,]([a-z_]+)="', text)}
    assert labels == {"loop", "state", "direction", "outcome", "result", "kind"}


@pytest.mark.parametrize("path", ["/", "/metrics?name=x", "/../hotline.toml", "/healthz/"])
def test_any_other_path_is_not_here(asked: Asked, path: str) -> None:
    assert asked.get(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_nothing_can_be_changed(asked: Asked, method: str) -> None:
    assert asked.get("/metrics", method)[0] == 501


def test_whoever_holds_the_line_keeps_nobody_else_from_asking(asked: Asked) -> None:
    with socket.create_connection(("127.0.0.1", asked.server.port or 0)):
        assert asked.get("/healthz")[0] == 200


def test_whoever_hangs_up_leaves_nothing_in_the_log(asked: Asked, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        link = socket.create_connection(("127.0.0.1", asked.server.port or 0))
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes by a reset
        link.sendall(b"GET /metrics HTTP/1.1\r\n")
        link.close()
    assert asked.get("/healthz")[0] == 200, "it comes after them"
    until(lambda: not [t for t in threading.enumerate() if "process_request" in t.name], 10)
    assert capfd.readouterr().err == ""


def test_what_fails_while_it_answers_is_logged_by_its_kind(
    asked: Asked, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "standing", None)
    with pytest.raises(http.client.HTTPException):
        asked.get("/healthz")
    until(lambda: "health.answer" in [getattr(record, "action", "") for record in caplog.records], 10)


def test_it_answers_on_ipv6_too() -> None:
    server = HealthServer("::1", 0, lambda: WELL)
    asyncio.run(server.listen())
    link = http.client.HTTPConnection("::1", server.port, timeout=10)
    link.request("GET", "/healthz")
    assert link.getresponse().status == 200
    link.close()
    server.close()


def test_a_port_that_is_taken_is_tried_again(asked: Asked) -> None:
    second = HealthServer("127.0.0.1", asked.server.port or 0, lambda: WELL)
    with pytest.raises(OSError, match="in use"):
        asyncio.run(second.listen())
    asked.server.close()
    asyncio.run(second.listen())
    assert second.port is not None
    second.close()


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.10", "localhost", "::"])  # noqa: S104
def test_only_this_machine_may_ask(address: str) -> None:
    with pytest.raises(ValueError, match="回环"):
        Health(address=address)
