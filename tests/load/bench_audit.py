"""Audit entries from many processes into one PostgreSQL: through the store, and bare beside it.

    python tests/load/bench_audit.py WAY URL SECONDS    one writer; it begins when a line comes in

Ways: `product` appends in a unit of work of its own; `turn` is the least a chain without gaps needs, by
hand (wait for the turn, read the newest, insert, commit); `bare` inserts the same bytes with a serial id.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "load")]

import psycopg  # noqa: E402

from callcenter.db.migrate import upgrade  # noqa: E402
from callcenter.db.unit_of_work import open_store  # noqa: E402
from callcenter.domain.audit_chain import AuditEntry, Verdict  # noqa: E402
from callcenter.keys import KeyRing  # noqa: E402
from callcenter.service.privacy.audit import verify  # noqa: E402

WAYS = ("product", "turn", "bare")
_KEYS = KeyRing(master=bytes(range(32)))
_REASON = "回电前核对号码"
_VALUES = ("c017", "people.reveal", "person:p-000001", "phone", bytes(29 + len(_REASON.encode())), bytes(32))
_COLUMNS = "actor, verb, object, field, reason, chain_hash, at"
_TABLES = f"""
CREATE TABLE bare (seq bigserial PRIMARY KEY, actor text, verb text, object text, field text,
    reason bytea, chain_hash bytea, at timestamptz);
CREATE INDEX ON bare (object);
CREATE TABLE turn (LIKE bare INCLUDING INDEXES);
INSERT INTO turn (seq, {_COLUMNS}) SELECT 0, '', '', '', '', '', '', now();
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """What some writers did in one round: entries a second, and milliseconds of each."""

    rate: float
    each: list[float] = field(repr=False)


def prepare(url: str) -> None:
    """Make the store, and the tables beside it."""
    upgrade(url)
    with psycopg.connect(url) as link:
        link.execute(_TABLES)


def write_at_once(way: str, url: str, *, writers: int, seconds: float) -> Writing:
    """Let so many processes write for so long; raise if one of them failed."""
    command = [sys.executable, __file__, way, url, str(seconds)]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(writers)
        ]
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in running:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        each = [float(word) * 1000 for one in running for word in one.communicate()[0].split()]
        assert not any(one.returncode for one in running)
    return Writing(rate=len(each) / seconds, each=each)


def chain_of(url: str) -> Verdict:
    """Return whether the store's chain is whole."""
    store = open_store(url, _KEYS)
    try:
        with store() as work:
            return verify(work)
    finally:
        store.close()


def appending(way: str, url: str) -> Callable[[], None]:
    """Return what appends one entry in a transaction of its own."""
    if way == "product":
        store = open_store(url, _KEYS)
        return lambda: _append(store)
    link = psycopg.connect(url)
    return (lambda: _insert(link)) if way == "bare" else (lambda: _take_turn(link))


def _append(store: Callable) -> None:  # type: ignore[type-arg]
    actor, verb, thing, name = _VALUES[:4]
    with store() as work:
        entry = AuditEntry(
            actor=actor, verb=verb, object=thing, field=name, reason=_REASON, at=datetime.now(UTC)
        )
        work.audit.append(entry)
        work.commit()


def _insert(link: psycopg.Connection) -> None:
    values = (*_VALUES, datetime.now(UTC))
    link.execute(f"INSERT INTO bare ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s)", values)  # noqa: S608
    link.commit()


def _take_turn(link: psycopg.Connection) -> None:
    link.execute("SELECT pg_advisory_xact_lock(1)")
    (newest, _) = link.execute("SELECT seq, chain_hash FROM turn ORDER BY seq DESC LIMIT 1").fetchone()
    insert = f"INSERT INTO turn (seq, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608
    link.execute(insert, (newest + 1, *_VALUES, datetime.now(UTC)))
    link.commit()


def main() -> None:
    """Write until the time is over, then tell how long each entry took."""
    way, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    append = appending(way, url)
    append()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    took, ends = [], time.perf_counter() + seconds
    while (begun := time.perf_counter()) < ends:
        append()
        took.append(time.perf_counter() - begun)
    sys.stdout.write(" ".join(f"{one:.6f}" for one in took))


if __name__ == "__main__":
    main()
