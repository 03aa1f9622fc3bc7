"""The database is away for minutes or an hour while callers come: what is kept up, and what it costs.

On SQLite another connection holds the write lock, on PostgreSQL the server is stopped or, `--read-only`,
takes no writes. Callers must be answered as ever, the queue stays as it is, memory and log stay flat, and
all is on record after.
`scripts/chaos --outage MINUTES --store postgres` plays it for as long as one likes.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from faults import FAULTS
from verdict import findings
from violence import PINS, Site, run_verb

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import PresenceAct
from callcenter.service.duty import presence

SOON = timedelta(milliseconds=300)
#: How long a caller stays after the line has answered: through the greeting and into the talk.
TALK = timedelta(seconds=6)
#: Time for what goes on to end by itself, seconds.
_REST = 90.0
#: So much may memory grow in an outage of any length, KiB: a few threads' stacks and caches.
MOST_GROWTH = 16 * 1024
#: So many log lines may an outage cost, and so many more each minute: an alarm that climbs, and little else.
MOST_LINES, MOST_A_MINUTE = 40, 2.0
#: After so long the supervisor must have been rung, seconds: a minute's patience, a look that hangs on the
#: lock for half a minute, and the look's own pause.
_RUNG_AFTER = 150.0


#: Loops that try again an hour later: nobody waits for what they tidy.
_HOURLY = {"journal.tidy", "recordings.sweep", "exports.expire", "backup.round"}


@dataclass(kw_only=True)
class Outage:
    """One outage on a site of its own. `restart`: our Python dies in the midst and comes up storeless.

    `read_only`: the store (PostgreSQL) can be read as ever.
    """

    site: Site
    seconds: float
    #: Seconds between two callers: fewer than the phones can take.
    every: float = 4.0
    restart: bool = False
    read_only: bool = False
    #: Resident memory of the serving process, KiB, by seconds since the outage began.
    memory: list[tuple[float, int]] = field(default_factory=list)
    #: Seconds from the store's return until every call was on record.
    caught_up_after: float = 0.0
    #: The same until a change of the roster made at once was in the PBX's queue.
    followed_after: float = 0.0
    _lines: int = 0
    _wrong: list[str] = field(default_factory=list)
    _mend: Callable[[], object] = lambda: None

    def run(self) -> list[str]:
        """Play it, and return what is wrong."""
        site = self.site
        self._phones = [site.actors.phone(code, behaviour=Answer(after=SOON)) for code in PINS]
        site.on_duty(*PINS)
        site.until_members(*PINS)
        site.until_reachable(*PINS)
        site.until_on_record([self._a_call()])
        self._mend = take_away(site, read_only=self.read_only)
        try:
            self._last_it_out()
        finally:
            self._mend()
        self._come_back()
        return [*self._wrong, *self._unlike_before(), *findings(site, phones=self._phones)]

    def _a_call(self) -> Any:
        return self.site.call(talk=TALK)

    def _last_it_out(self) -> None:
        """Call again and again, look at memory each second, and at the queue with each call."""
        began, called, halved = monotonic(), 0.0, not self.restart
        lines = self._log_lines()
        while (passed := monotonic() - began) < self.seconds:
            if passed >= called:
                self._a_call()
                called += self.every
                self._look_at_queue(passed)
            self.memory += [(passed, kib) for kib in resident(self.site)]
            if not halved and passed > self.seconds / 2:
                halved = True
                self.site.python.restart()
            until(lambda: monotonic() - began > passed + 1, 5)
        self._ask_board()
        self._lines = self._log_lines() - lines
        self._rang = self.site.python.log.read_text(errors="replace").count("al-store_away-")

    def _look_at_queue(self, passed: float) -> None:
        if self.site.pbx.members() != {self.site.pbx.interface(code) for code in PINS}:
            self._wrong.append(f"{passed:.0f} s into the outage the queue holds others than before")

    def _ask_board(self) -> None:
        done = run_verb(self.site.config, "calls", "live", "--once")
        if "在等待入库" not in done.stdout + done.stderr:
            self._wrong.append("the wallboard does not say that records wait")

    def _come_back(self) -> None:
        """Wait until all that happened meanwhile is on record, and nobody complains any more."""
        site, began = self.site, monotonic()
        self._sign_off("c003")
        site.until_members("c001", "c002", seconds=_REST)
        self.followed_after = monotonic() - began
        site.until_on_record(seconds=_REST)
        self.caught_up_after = monotonic() - began
        self.memory += [(self.seconds + self.caught_up_after, kib) for kib in resident(site)]
        for call in site.calls:
            call.actor.wait(_REST)
        site.until_quiet()
        until(lambda: not self._unmended(), _REST, what="every loop to say that it works again")

    def _sign_off(self, code: str) -> None:
        """Change the roster at once; a command would take a second to start."""
        with self.site.app.store() as work:
            presence.act(work, code, PresenceAct.OFF, actor="admin", now=self.site.app.clock())
            work.commit()

    def _unlike_before(self) -> Iterator[str]:
        """Yield what the outage did to callers, memory, log and the supervisor."""
        unmet = sum(record.outcome is not Outcome.ANSWERED for record in self._inbound())
        if unmet:
            yield f"{unmet} callers reached no counsellor"
        if self.growth > MOST_GROWTH:
            yield f"memory grew by {self.growth} KiB"
        if self._lines > MOST_LINES + MOST_A_MINUTE * self.seconds / 60:
            yield f"{self._lines} lines in the log"
        twice = {said: n for said, n in self._complaints().items() if n > 1 + self.restart}
        yield from (f"{action} said {n} times that it failed" for (action, _), n in twice.items())
        if self.seconds > _RUNG_AFTER and not self._rang:
            yield "no supervisor was rung"

    def _inbound(self) -> list[CallRecord]:
        return [record for record in self.site.records() if record.direction is Direction.INBOUND]

    @property
    def growth(self) -> int:
        """Return by how much memory at its most exceeds that of the first looks, KiB."""
        if self.restart:  # two lives: each for itself
            half = self.seconds / 2
            lives = [m for at, m in self.memory if at <= half], [m for at, m in self.memory if at > half + 5]
        else:
            lives = ([m for _, m in self.memory], [])
        return max(max(life) - life[0] for life in lives if life)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for line in self.site.python.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)

    def _log_lines(self) -> int:
        return sum(1 for _ in self._entries())

    def _complaints(self) -> Counter[tuple[str, str]]:
        """Count what failed, by action and kind."""
        errors = (entry for entry in self._entries() if entry["level"] == "error")
        return Counter((entry.get("action", ""), entry.get("error", "")) for entry in errors)

    def _unmended(self) -> set[str]:
        """Return the actions that failed and have not said that they work again; hourly ones aside."""
        broken: set[str] = set()
        for entry in self._entries():
            action = entry.get("action", "")
            if action == "serve.started":
                broken.clear()
            elif entry["level"] == "error":
                broken.add(action)
            broken.discard(action.removesuffix(".mended") if action.endswith(".mended") else "")
        return broken - _HOURLY

    def figures(self) -> dict[str, object]:
        """Return what there is to tell."""
        waits = [call.answered_at - call.started_at for call in self._inbound() if call.answered_at]
        sizes = [kib for at, kib in self.memory if at <= self.seconds]
        return {
            "seconds": round(self.seconds),
            "calls": len(self.site.calls),
            "longest_wait_seconds": max((w.total_seconds() for w in waits), default=None),
            "memory_kib_first": sizes[0],
            "memory_kib_most": max(sizes),
            "memory_kib_last": sizes[-1],
            "memory_kib_caught_up": self.memory[-1][1],
            "log_lines": self._lines,
            "alarms_rung": self._rang,
            "roster_followed_after_seconds": round(self.followed_after, 1),
            "caught_up_after_seconds": round(self.caught_up_after, 1),
        }


def take_away(site: Site, *, read_only: bool = False) -> Callable[[], object]:
    """Let nobody use the site's store, or only read it; return what ends it."""
    if read_only:
        FAULTS["postgres_read_only"].strike(site)
        return lambda: FAULTS["postgres_read_only"].mend(site)
    if site.postgres is not None:
        site.postgres.stop()
        server = site.postgres
        return lambda: server.start()
    lock = sqlite3.connect(site.folder / "hotline.db", isolation_level=None, check_same_thread=False)
    lock.execute("PRAGMA busy_timeout=30000")
    lock.execute("BEGIN IMMEDIATE")
    return lock.close


def resident(site: Site) -> Iterator[int]:
    """Yield the resident memory of our Python's oldest process, KiB (proc(5)); nothing if there is none."""
    for pid in site.python.pids()[:1]:
        status = Path(f"/proc/{pid}/status").read_text()
        yield from (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def main() -> int:
    """Play an outage as the command line says; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="chaos --outage", description="Take the database away for a while.")
    parser.add_argument("--outage", type=float, required=True, metavar="MINUTES")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--read-only", action="store_true", help="PostgreSQL: it takes no writes")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two callers")
    parser.add_argument("--json", type=Path, help="where memory by the second and the figures go")
    chosen = parser.parse_args()
    if chosen.read_only and chosen.store != "postgres":
        parser.error("--read-only needs --store postgres")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    site, failed = Site(chosen.store), True
    try:
        seconds = chosen.outage * 60
        outage = Outage(site=site.open(), seconds=seconds, every=chosen.every, read_only=chosen.read_only)
        wrong = outage.run()
        failed = bool(wrong)
        figures = outage.figures() | {
            "store": chosen.store,
            "read_only": chosen.read_only,
            "findings": len(wrong),
        }
        sys.stdout.write("\n".join([json.dumps(figures, indent=2), *wrong, ""]))
        if chosen.json:
            chosen.json.write_text(json.dumps(figures | {"memory": outage.memory}))
    finally:
        site.close(keep=failed)
        if failed:
            sys.stdout.write(f"logs are kept in {site.folder}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
