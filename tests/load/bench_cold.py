"""From the start of `hotline serve` to the first change of the queue it makes, on a real Asterisk.

A line as a site runs it, with years of calls on record. The process is killed; somebody is signed off, or
on, while nothing of ours lives; the process is started again. The clock runs from that start until the
kernel says that `queue_log` has grown by the change. Files are in the page cache, as after a crash.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from random import Random
from statistics import median

import click
from bench_follow import Follow, SeatWatch, _database_of
from bench_measure import percentile
from bench_store import Size, fill_calls

from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.domain.duty import PresenceAct

ROOT = Path(__file__).resolve().parents[2]
#: Wanted: so many ms at most.
WANTED = 2000.0


class Cold(Follow):
    """The product with calls on record; phones are registered, nobody calls."""

    name = "cold"

    def __init__(self, folder: Path, *, seats: int, calls: int, database: str | None = None) -> None:
        super().__init__(folder, seats=seats, people=calls // 5, database=database)
        self._calls = calls

    def _fill(self) -> None:
        engine = make_engine(self.settings.database_url)
        with engine.connect() as connection:
            fill_calls(connection, FieldCipher(self.keys), Size(sessions=self._calls, fresh=0))
        engine.dispose()

    def restart(self, agent: str, what: PresenceAct, watch: SeatWatch, event: str) -> float:
        """Let somebody sign off or on while nothing of ours lives; return the ms until the queue says so."""
        self.crash()
        self.act(agent, what)
        begun = time.monotonic()
        self.serve()
        return (watch.wait(agent, event) - begun) * 1000


def measure(kind: str, *, seats: int, calls: int, rounds: int) -> list[float]:
    """Return the milliseconds of each start on one store."""
    with _database_of(kind) as database:
        line = Cold(ROOT / "var" / "bench" / f"cold-{kind}", seats=seats, calls=calls, database=database)
        line.prepare()
        try:
            line.start()
            took = _starts(line, rounds)
        finally:
            line.stop()
    shutil.rmtree(line.folder, ignore_errors=True)
    click.echo(
        f"cold start, {kind:8} {calls:,} calls on record, {seats} counsellors, {rounds} starts:"
        f" p50 {median(took):.0f}  p95 {percentile(took, 95):.0f}  max {max(took):.0f} ms"
        f"   wanted: at most {WANTED:g}   load {os.getloadavg()[0]:.1f}"
    )
    return took


def _starts(line: Cold, rounds: int) -> list[float]:
    draw, took = Random(1), []
    watch = SeatWatch(line.queue_log)
    try:
        for _ in range((rounds + 1) // 2):
            agent = draw.choice(line.agents).code
            took.append(line.restart(agent, PresenceAct.OFF, watch, "REMOVEMEMBER"))
            took.append(line.restart(agent, PresenceAct.ON, watch, "ADDMEMBER"))
    finally:
        watch.close()
    return took
