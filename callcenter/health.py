"""How a serving process is, over HTTP on loopback: the door to prometheus_client.

It answers from a thread of its own, so that it tells also of an event loop that stands still, and from what
was seen last, so that nobody who asks waits for the store or the PBX. No label names a person, a number or
an agent; paths take no parameters.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from threading import Thread
from typing import TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from callcenter.service.health.standing import SEATS, Standing

log = logging.getLogger(__name__)

See = Callable[[], Standing]
Labels = TypeVar("Labels", bound=tuple[str, ...])
Answer = tuple[HTTPStatus, str, bytes]

#: Seconds a connection may stay silent.
_SILENT = 5.0


class HealthServer:
    """Answers until closed. `see` is called from other threads."""

    def __init__(self, address: str, port: int, see: See) -> None:
        self._where = (address, port)
        self._answers = _answers(see)
        self._server: _Server | None = None

    @property
    def port(self) -> int | None:
        """Return where it listens; None: it does not yet."""
        return None if self._server is None else int(self._server.server_address[1])

    async def listen(self) -> None:
        """Begin to answer, unless we do; raise `OSError` while somebody else has the port."""
        if self._server is None:
            self._server = _Server(self._where, _handler(self._answers))
            Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class _Server(ThreadingTCPServer):
    """One thread per question. Unlike `http.server`'s own it asks no DNS for the name of where it listens."""

    allow_reuse_address = daemon_threads = True
    #: Connections that wait to be taken, if many come at once.
    request_queue_size = 64

    def __init__(self, where: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        super().__init__(where, handler)

    def handle_error(self, *_: object) -> None:
        """Say nothing of whoever hangs up meanwhile; what fails on our side is logged, by its kind."""
        error = sys.exception()
        if not isinstance(error, OSError):
            extra = {"action": "health.answer", "error": type(error).__name__}
            log.error("a question about our health was not answered", exc_info=error, extra=extra)


def _answers(see: See) -> Mapping[str, Callable[[], Answer]]:
    registry = CollectorRegistry()
    registry.register(_LineCollector(see))
    ProcessCollector(registry=registry)
    return {
        "/healthz": lambda: _alive(see()),
        "/readyz": lambda: _ready(see()),
        "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry)),
    }


def _alive(standing: Standing) -> Answer:
    return _json(not standing.late, {"alive": not standing.late, "late": list(standing.late)})


def _ready(standing: Standing) -> Answer:
    ready = all(standing.checks.values())
    leads = {} if standing.leads is None else {"leads": standing.leads}
    return _json(ready, {"ready": ready, "checks": dict(standing.checks), **leads})


def _json(good: bool, said: Mapping[str, object]) -> Answer:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(said).encode() + b"\n"


def _handler(answers: Mapping[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One question. Nothing of it is logged: whoever asks may write what they like into it."""

        timeout = _SILENT
        server_version, sys_version = "hotline", ""

        def do_GET(self) -> None:
            """Answer one of the paths; any other is not here."""
            answer = answers.get(self.path)
            if answer is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            status, kind, body = answer()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


# --- metrics -----------------------------------------------------------------------------------


class _LineCollector(Collector):
    """Turns a standing into metrics. What nobody can tell is left out, never told as 0."""

    def __init__(self, see: See) -> None:
        self._see = see

    def collect(self) -> Iterator[Metric]:
        """Yield what is seen now."""
        standing = self._see()
        yield from _of_process(standing)
        yield from _of_pbx(standing)
        yield from _of_store(standing)


def _of_process(standing: Standing) -> Iterator[Metric]:
    yield _gauge("ready", "Whether this process may do its work.", all(standing.checks.values()))
    yield _gauge("scheduler_leads", "Whether this process leads the schedulers.", standing.leads)
    ages = {(name,): age.total_seconds() for name, age in standing.loop_ages.items()}
    yield _by("loop_age_seconds", "Since each loop began its present or last round.", ages, "loop")
    away = standing.store_away.total_seconds()
    yield _gauge("store_away_seconds", "Since how long the store has been of no use; 0: it serves.", away)


def _of_pbx(standing: Standing) -> Iterator[Metric]:
    yield _gauge("ami_up", "Whether the PBX's manager interface is there.", standing.connected)
    yield _gauge("trunk_up", "Whether the carrier answers.", standing.trunk_up)
    yield _gauge("queue_waiting", "Callers who wait.", standing.waiting)
    yield _gauge("journal_disk_free_ratio", "Free share of the journal's disk.", standing.disk_free)
    seats = standing.seats
    found = {} if seats is None else {(seat,): seats.get(seat, 0) for seat in SEATS}
    yield _by("queue_members", "Who sits in the queue, by what they do.", found, "state")


def _of_store(standing: Standing) -> Iterator[Metric]:
    counts = standing.counts
    if counts is None:
        return
    yield _gauge("counted_at_seconds", "When what follows was counted (Unix time).", counts.at.timestamp())
    calls = {(way.value, outcome.value): n for (way, outcome), n in counts.calls.items()}
    yield _by("calls_today", "Calls of the site's day that ended.", calls, "direction", "outcome")
    yield _gauge("calls_open", "Calls that go on.", counts.calls_open)
    yield _gauge("journal_behind_bytes", "Bytes of the journal not stored yet.", counts.journal_behind)
    yield _gauge("journal_unread_rows", "Rows of the journal that nobody could read.", counts.unread_rows)
    owed = {("due",): counts.due, ("overdue",): counts.overdue}
    yield _by("obligations", "Contacts owed that are due, and those of them past their end.", owed, "state")
    tries = {(result.value,): n for result, n in counts.attempts.items()}
    yield _by("attempts_today", "Attempts of the site's day, by result.", tries, "result")
    yield _gauge("attempts_in_doubt", "Attempts whose result is not known yet.", counts.in_doubt)
    alarms = {(kind.value,): n for kind, n in counts.alarms.items()}
    yield _by("alarms_open", "Alarms nobody has acknowledged.", alarms, "kind")


def _gauge(name: str, what: str, value: float | None) -> Metric:
    return _by(name, what, {} if value is None else {(): value})


def _by(name: str, what: str, found: Mapping[Labels, float], *labels: str) -> Metric:
    metric = GaugeMetricFamily(f"hotline_{name}", what, labels=labels)
    for values, number in sorted(found.items()):
        metric.add_metric(values, number)
    return metric
