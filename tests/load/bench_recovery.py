"""How fast a site comes back: the journal of an outage into the store, by the reader that a site runs.

The journal is captured calls (`bench_journal`), a tenth of them ours with attempts that nobody settled, a
third of the callers people whom we know. Reading is a process of its own with every hook of the product;
in the disturbed run it is killed (SIGKILL) twice on the way, and what stands in the store at the end has
to be what an undisturbed run leaves there.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from random import Random

import click
from sqlalchemy import LargeBinary, func, insert, select

from callcenter.bootstrap import App
from callcenter.config import load_settings
from callcenter.db import tables
from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.migrate import upgrade
from callcenter.db.repositories.debts import SqlDebts
from callcenter.db.repositories.people import SqlPeople
from callcenter.domain.people import Person, Phone
from callcenter.keys import KeyRing
from callcenter.service.names import pseudonym
from scheduler.obligations import BY_IVR, Attempt, Kind, Lease, Mode, Obligation

from bench_journal import SITE, Written, write_journal  # isort: skip

ROOT = Path(__file__).resolve().parents[2]
#: Wanted: rows a second, from the start of the process to its end.
WANTED = 20_000
#: One caller in so many is somebody we know.
_KNOWN = 3
#: How many of those take turns: minutes go by before one rings again.
_PEOPLE = 3_000
_BATCH = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """One run. Seconds are wall clock, starts of Python included."""

    rows: int
    seconds: float
    cpu: float
    #: Bytes that had not been read each time it was killed.
    left: tuple[float, ...]
    peak_mb: float
    #: Of what stands in the store at the end.
    calls: int
    contents: dict[str, str]

    @property
    def rate(self) -> float:
        """Return rows a second."""
        return self.rows / self.seconds


# --- the site ------------------------------------------------------------------------------


def write_site(home: Path, rows: int) -> Written:
    """Write the PBX's files of an outage of so many rows."""
    return write_journal(home / "asterisk", rows, SITE, _callers())


def _callers() -> Callable[[Random], str]:
    """Return who calls next: strangers, and people we know in turns: nobody is in two calls at once."""
    turns = count()

    def caller(random: Random) -> str:
        if random.randrange(_KNOWN) == 0:
            return number_of(next(turns) % _PEOPLE)
        return f"139{random.randrange(10**8):08d}"

    return caller


def number_of(person: int) -> str:
    """Return the number of somebody we know."""
    return f"138{person:08d}"


def make_store(folder: Path, home: Path, written: Written, url: str | None) -> App:
    """Make a store as an outage finds it: people, what they are owed, calls of ours without an end."""
    config = folder / "hotline.toml"
    database = f'\n[database]\nurl = "{url}"\n' if url else ""
    config.write_text(f'home = "{folder}"\n{database}', encoding="utf-8")
    (folder / "asterisk").symlink_to(home / "asterisk")
    app = App(config_file=config, settings=load_settings(config))
    keys = KeyRing.create(app.settings.key_file)
    upgrade(app.settings.database_url)
    engine = make_engine(app.settings.database_url)
    with engine.connect() as connection:
        cipher = FieldCipher(keys)
        debts, people = SqlDebts(connection, cipher), SqlPeople(connection, cipher)
        for start in range(0, len(written.ours), _BATCH):
            some = [*enumerate(written.ours)][start : start + _BATCH]
            persons = [_person(n) for n, _ in some]
            phones = [people._phone_row(one.id, 0, one.phones[0]) for one in persons]
            connection.execute(insert(tables.people), [people._row(one) for one in persons])
            connection.execute(insert(tables.phones), phones)
            owed = [debts._row(_obligation(n, call, at)) for n, (call, at) in some]
            tried = [debts._attempt_row(_attempt(n, call, at)) for n, (call, at) in some]
            connection.execute(insert(tables.obligations), owed)
            connection.execute(insert(tables.attempts), tried)
        connection.commit()
    engine.dispose()
    return app


def _person(n: int) -> Person:
    return Person(id=f"p-{n:07d}", code=pseudonym(str(n)), phones=(Phone(number=number_of(n)),))


def _obligation(n: int, call: str, at: float) -> Obligation:
    due = datetime.fromtimestamp(at, UTC) - timedelta(hours=1)
    return Obligation(
        id=f"ob-{n:07d}",
        person=f"p-{n:07d}",
        kind=Kind.HARDSHIP,
        due_at=due,
        window_end=due + timedelta(days=7),
        mode=Mode.IVR_OK,
        origin="check-in",
        created_at=due,
        lease=Lease(owner=call, until=due + timedelta(hours=2), fence=1),
    )


def _attempt(n: int, call: str, at: float) -> Attempt:
    when = datetime.fromtimestamp(at, UTC)
    return Attempt(
        id=call,
        obligation=f"ob-{n:07d}",
        n=1,
        planned_at=when,
        by=BY_IVR,
        dialled_at=when,
        callee=number_of(n),
    )


# --- reading it ----------------------------------------------------------------------------


def recover(app: App, written: Written, kills: Sequence[float] = ()) -> Recovered:
    """Read a journal into a store in a process of its own, killed when such shares of it were read."""
    begun = time.monotonic()
    size = (app.settings.pbx_home / "log" / "cel-custom" / "journal.csv").stat().st_size
    left = []
    for share in kills:
        with _reader(app, written) as child:
            last, took = time.monotonic(), 0.0
            for _, behind in _said(child):
                last, took = time.monotonic(), time.monotonic() - last
                if behind <= size * (1 - share):
                    left.append(behind)
                    break
            time.sleep(took / 3)  # into the middle of the next transaction
            child.kill()
    with _reader(app, written) as child:
        used = dict(_said(child))
        if child.wait() != 0:
            raise RuntimeError(f"the reader ended with {child.returncode}")
    return Recovered(
        rows=written.rows,
        seconds=time.monotonic() - begun,
        cpu=used["cpu"],
        left=tuple(left),
        peak_mb=used["peak"],
        calls=_count(app),
        contents=contents_of(app),
    )


def _said(child: subprocess.Popen[str]) -> Iterator[tuple[str, float]]:
    for line in child.stdout or ():
        word, figure = line.split()
        yield word, float(figure)


@contextmanager
def _reader(app: App, written: Written) -> Iterator[subprocess.Popen[str]]:
    """Start what reads, as `hotline serve` would; leave nothing of it running."""
    command = [sys.executable, __file__, str(app.config_file), str(written.end)]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=nothing, text=True, env=env)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def read(config: Path, now: float) -> None:
    """Read to the end; print the bytes left after each committed stretch, then CPU seconds and peak MB."""
    app, at = App(config_file=config), datetime.fromtimestamp(now, UTC)
    app.follower().catch_up(at, told=lambda total: click.echo(f"behind {total.behind}"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    click.echo(f"cpu {used.ru_utime + used.ru_stime}\npeak {_peak_kib() / 1024}")


def _peak_kib() -> int:
    """Return the most memory this process had; `ru_maxrss` tells also of who started it (Linux 6)."""
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1])


# --- what stands there then ----------------------------------------------------------------


def contents_of(app: App) -> dict[str, str]:
    """Return a digest of every table that holds anything, free of order, of salt and of what seals.

    Sealed columns differ each time they are written; what calls say in them is read and taken as well.
    """
    engine = make_engine(app.settings.database_url)
    found: dict[str, str] = {}
    try:
        with engine.connect() as connection:
            for table in tables.metadata.sorted_tables:
                plain = [c for c in table.c if not isinstance(c.type, LargeBinary) and c.name != "seq"]
                rows = sorted(map(repr, connection.execute(select(*plain)))) if plain else []
                if rows:
                    found[table.name] = _digest(rows)
    finally:
        engine.dispose()
    with app.store.reading() as work:  # type: ignore[attr-defined]
        every = work.calls.between(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        found["calls, opened"] = _digest(
            f"{call} {call.number} {call.dialled} {call.kept} {call.answers}" for call in every
        )
    app.close()
    return found


def _digest(rows: Iterator[str] | Sequence[str]) -> str:
    told = sha256()
    for row in rows:
        told.update(row.encode() + b"\n")
    return told.hexdigest()[:16]


def _count(app: App) -> int:
    engine = make_engine(app.settings.database_url)
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(tables.calls)) or 0
    engine.dispose()
    return count


def differences(one: Recovered, other: Recovered) -> list[str]:
    """Return the tables that two runs left differently."""
    names = one.contents.keys() | other.contents.keys()
    return sorted(name for name in names if one.contents.get(name) != other.contents.get(name))


if __name__ == "__main__":
    read(Path(sys.argv[1]), float(sys.argv[2]))
