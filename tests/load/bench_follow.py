"""How long after a commit the PBX follows the roster: commit -> member, on a real Asterisk.

One line as a site runs it (`hotline serve` as a process of its own, its people and debts in the store)
with nobody calling. A counsellor is signed off or on by a commit of our own; the clock is read when that
commit has returned, and again when the kernel says that `queue_log` has grown by their row. Between two
acts there is a pause of random length, so that no act waits for the one before it.
"""

from __future__ import annotations

import os
import select
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import IO, Any

import click
from bench_line import Line, Product
from bench_measure import _notes_of, percentile
from bench_store import Size, fill_people
from postgres import running_server

from callcenter.bootstrap import App
from callcenter.config import load_settings
from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.migrate import upgrade
from callcenter.domain.duty import PresenceAct, Shift
from callcenter.domain.users import Role, User
from callcenter.service.duty import presence
from callcenter.service.staff import users

ROOT = Path(__file__).resolve().parents[2]
#: Wanted: so many ms from the commit to the queue, of nineteen acts in twenty.
WANTED = 200.0
#: People known, with their debts and cases.
PEOPLE = 4000
#: Seconds between two acts, in the middle.
PAUSES = (2.0, 0.2)
#: Seconds after everybody was seated in which the first whole comparisons come to rest.
SETTLE = 5.0
SEED = 1
#: Each counsellor's shifts reach so many days ahead.
DAYS = 10


class Follow(Product):
    """The product with people in the store and a roster of some days; phones are registered, nobody calls."""

    name = "follow"

    def __init__(self, folder: Path, *, seats: int, people: int, database: str | None = None) -> None:
        super().__init__(folder, seats=seats, greeting=0.2)
        self._people, self._database = people, database

    def prepare(self) -> None:
        """Write everything, make the database, fill it, plan everybody and sign them on."""
        Line.prepare(self)
        if self._database is not None:
            with self.config_file.open("a", encoding="utf-8") as config:
                config.write(f'\n[database]\nurl = "{self._database}"\n')
            self.settings = load_settings(self.config_file)
            self.app = App(settings=self.settings)
        upgrade(self.settings.database_url)
        self._fill()
        now = datetime.now(UTC)
        with self.app.store() as work:
            users.add_first_admin(work, "admin", "管理员", now=now)
            chief = User(code="s001", name="孙督导", roles=frozenset({Role.SUPERVISOR}))
            users.add_user(work, chief, actor="admin", now=now)
            for user in self.agents:
                users.add_user(work, user, actor="admin", now=now)
                presence.act(work, user.code, PresenceAct.ON, actor="s001", now=now)
            work.roster.replace_shifts([], self._shifts(now))
            work.commit()

    def _fill(self) -> None:
        engine = make_engine(self.settings.database_url)
        with engine.connect() as connection:
            fill_people(connection, FieldCipher(self.keys), Size(sessions=5 * self._people, fresh=0))
        engine.dispose()

    def _shifts(self, now: datetime) -> Iterator[Shift]:
        start = now - timedelta(minutes=5)
        for user in self.agents:
            for day in range(DAYS):
                at = start + timedelta(days=day)
                yield Shift(id=f"{user.code}-{day}", agent=user.code, start=at, length=timedelta(hours=8))

    def act(self, agent: str, what: PresenceAct) -> float:
        """Sign an agent on or off; return the clock when the commit had returned."""
        with self.app.store() as work:
            presence.act(work, agent, what, actor="s001", now=datetime.now(UTC))
            work.commit()
        return time.monotonic()


class SeatWatch:
    """Tells when the queue's own log says that somebody came or went."""

    def __init__(self, file: Path) -> None:
        self._source: IO[bytes] = file.open("rb")
        self._source.seek(0, os.SEEK_END)
        self._notes = _notes_of(file)
        self._rest = b""

    def wait(self, agent: str, event: str, seconds: float = 30.0) -> float:
        """Return the clock when the event's row for the agent was there."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._notes], [], [], left)[0]:
                os.read(self._notes, 4096)
                now = time.monotonic()
                if self._has(agent, event):
                    return now
        raise TimeoutError(f"{agent}: no {event} in {seconds:g} s")

    def _has(self, agent: str, event: str) -> bool:
        *lines, self._rest = (self._rest + self._source.read()).split(b"\n")
        rows = [line.decode("utf-8", "replace").split("|") for line in lines]
        return any(row[2:5] == ["hotline", agent, event] for row in rows)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._notes)
        self._source.close()


def follow(line: Follow, acts: int, pause: float) -> list[float]:
    """Return the milliseconds of each act, off and on in turns, of counsellors drawn by chance."""
    draw, took = Random(SEED), []
    watch = SeatWatch(line.queue_log)
    try:
        for _ in range(acts // 2):
            agent = draw.choice(line.agents).code
            for what, event in ((PresenceAct.OFF, "REMOVEMEMBER"), (PresenceAct.ON, "ADDMEMBER")):
                time.sleep(pause * (0.5 + draw.random()))
                done = line.act(agent, what)
                took.append((watch.wait(agent, event) - done) * 1000)
    finally:
        watch.close()
    return took


def look_cost(line: Follow, looks: int = 2000) -> float:
    """Return the CPU milliseconds of one look at the roster's revision."""
    store: Any = line.app.store
    begun = time.process_time()
    for _ in range(looks):
        with store.reading() as work:
            work.roster.revision()
    return (time.process_time() - begun) * 1000 / looks


def idle_share(line: Follow, seconds: float = 10.0) -> float:
    """Return the share of a core that `hotline serve` takes while nothing happens."""
    before = line.bridge_cpu()
    time.sleep(seconds)
    return (line.bridge_cpu() - before) / seconds


def measure(counsellors: int, rounds: int) -> tuple[dict[str, Any], bool]:
    """Measure both stores; return every figure, and whether the slower one is as wanted."""
    acts = 20 * rounds
    figures = {kind: _measure_store(kind, counsellors, acts) for kind in ("sqlite", "postgres")}
    slowest = max(percentile(each[f"{pause:g}"], 95) for each in figures.values() for pause in PAUSES)
    return figures, slowest <= WANTED


def _measure_store(kind: str, counsellors: int, acts: int) -> dict[str, Any]:
    with _database_of(kind) as database:
        folder = ROOT / "var" / "bench" / f"follow-{kind}"
        line = Follow(folder, seats=counsellors, people=PEOPLE, database=database)
        line.prepare()
        try:
            line.start()
            time.sleep(SETTLE)
            figures: dict[str, Any] = {"look_ms": look_cost(line), "idle": idle_share(line)}
            click.echo(
                f"follow, {kind:8} {counsellors} counsellors, {PEOPLE} people: a look at the revision costs"
                f" {figures['look_ms']:.2f} ms; hotline serve at rest {figures['idle'] * 100:.1f} % of a core"
            )
            for pause in PAUSES:
                figures[f"{pause:g}"] = took = follow(line, acts, pause)
                click.echo(
                    f"follow, {kind:8} an act each {pause:g} s ({len(took)}): p50 {median(took):.0f}"
                    f"  p95 {percentile(took, 95):.0f}  max {max(took):.0f} ms"
                    f"   wanted: p95 at most {WANTED:g}"
                )
        finally:
            line.stop()
    shutil.rmtree(line.folder, ignore_errors=True)
    return figures


@contextmanager
def _database_of(kind: str) -> Iterator[str | None]:
    """Yield the URL of an empty PostgreSQL database; None: the line's own SQLite file."""
    if kind == "sqlite":
        yield None
        return
    with running_server(durable=True) as server:
        yield server.url(server.new_database())
