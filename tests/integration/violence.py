"""A whole line as a site runs it, and violence against it.

`Site` is one line in one folder: the product's own Asterisk configuration (short prompts and waits), a
store made by `hotline init` (SQLite, or a PostgreSQL server of its own), people and shifts by `hotline`
verbs, `hotline serve` as a process of its own, SIPp around it. `Site.python` strikes every Python
process of ours, `Site.pbx.process` strikes Asterisk, `Site.tap` strikes at one exact word between the two.

To grow it: a new process of ours needs nothing if its command line names the site's configuration
file; a new kind of blow is a method of `Python`; a new invariant is a line in `verdict.py`.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ami_tap import AmiTap
from harness import Actors, Pbx, short_home
from postgres import BreakableServer, breakable_server

from callcenter.asterisk.spool import whole_second
from callcenter.asterisk.tree import find_asterisk
from callcenter.bootstrap import App
from callcenter.config import load_settings
from callcenter.db.unit_of_work import SqlStore
from callcenter.demo.runner import free_ports, sipp_program, until
from callcenter.demo.sipp import Caller, CallTiming, presses
from callcenter.domain.calls import CallRecord
from callcenter.errors import ConfigError
from callcenter.ports import UnitOfWork
from callcenter.service.duty import roster

HOTLINE = (sys.executable, "-m", "callcenter.cli")
TRUNK = "127.0.0.2"
PINS = {"c001": "480195", "c002": "730264", "c003": "159357"}
NAMES = {"c001": "王芳", "c002": "李娜", "c003": "张秀英"}
#: The duty mobile: rung when nobody is at the line.
DUTY_MOBILE = "13900000021"
HOUR = timedelta(hours=1)
#: Why somebody is planned for a shift that has begun.
LATE = ("--reason", "这一班已经开始")
#: What `queue show` says of a member whose phone would ring.
IDLE = "(Not in use)"

CONFIG = """\
home = {home}
[asterisk]
sip_port = {sip}
ami_port = {ami}
[trunk]
host = "{trunk}"
port = {carrier}
channels = 20
[queue]
ring = 4
wrap_up = 0
wait_cap = 20
[escalation]
ring = 4
accept = 3
[outbound]
windows = [["00:00:00", "23:59:59"]]
quiet = ["00:00:00", "00:00:00"]
ring = 3
sweep = 1
daily_cap = 1000
# A self-dial that nobody answers is awaited for two minutes: a caller with our own number passes for it.
[alarms]
self_dial_at = "23:59:59"
[calendar.days]
{days}
"""


def check_tools() -> None:
    """Fail, never skip, where Asterisk or SIPp is missing."""
    try:
        find_asterisk(start=Path(__file__))
        sipp_program()
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)


def run_verb(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one `hotline` verb as a person would, whatever comes of it."""
    return subprocess.run(
        [*HOTLINE, "--config", str(config), *words],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=60,
    )


def environment(**more: str) -> dict[str, str]:
    """Return the environment without anybody's HOTLINE_*: the site's file alone counts."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HOTLINE_")}
    tree = os.environ.get("HOTLINE_ASTERISK_TREE")
    return kept | ({"HOTLINE_ASTERISK_TREE": tree} if tree else {}) | {"HOTLINE_ACTOR": "admin"} | more


@cache
def _enrolled() -> Path:
    """Make the store and the people once per test process; every site begins with a copy."""
    folder = short_home()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config = folder / "hotline.toml"
    config.write_text(f"home = {json.dumps(str(folder))}\n")
    _enrol(config)
    return folder


def _enrol(config: Path) -> None:
    """Make a store and the people by the product's own verbs."""
    verbs = [["init"]]
    for code, name in NAMES.items():
        sip = ["--phone", "sip", "--role", "counsellor", "--pin", PINS[code]]
        verbs.append(["user", "add", code, "--name", name, *sip])
    mobile = ["--phone", "mobile", "--mobile", DUTY_MOBILE, "--role", "supervisor", "--escalation-rank", "1"]
    verbs.append(["user", "add", "d001", "--name", "赵值班", *mobile])
    verbs.append(["user", "set", "admin", "--role", "admin", "--role", "supervisor"])
    for verb in verbs:
        done = run_verb(config, *verb)
        assert done.returncode == 0, done.stderr


@dataclass(frozen=True, slots=True)
class Call:
    """One caller of this site, known by the number they call from."""

    number: str
    actor: Caller

    @property
    def timing(self) -> CallTiming:
        """Return what SIPp knows of it so far."""
        timing = self.actor.timing
        assert timing is not None, "the call was never placed"
        return timing


class Python:
    """Every Python process of ours at one site: whoever names its configuration file when started."""

    def __init__(self, config: Path, log: Path, tapped_port: int) -> None:
        self.config = config
        self.log = log
        self._port = tapped_port
        self._started: list[subprocess.Popen[bytes]] = []
        self._log_from = 0
        #: More of the environment of whatever is started from now on.
        self.environment: dict[str, str] = {}

    def start(self, *words: str, ready: bool = True) -> None:
        """Start `hotline serve` (or other words) in a session of its own; wait until it is at work."""
        self._log_from = self._log_size()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*HOTLINE, "--config", str(self.config), *(words or ("serve",))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(HOTLINE_ASTERISK__AMI_PORT=str(self._port)) | self.environment,
                start_new_session=True,
            )
        self._started.append(process)
        if ready:
            until(lambda: self._is_up(process), 60, what="hotline serve to be up")

    def restart(self) -> None:
        """Start afresh, as a service manager does once the old one is gone."""
        self.sigkill()
        self.start()

    def sigkill(self) -> None:
        """End every process at once."""
        self._strike(signal.SIGKILL)
        for process in self._started:
            process.wait(10)
        self._started.clear()

    def sigstop(self) -> None:
        """Hang every process: alive, holding what it holds, doing nothing."""
        self._strike(signal.SIGSTOP)
        until(lambda: all(_state(pid) == "T" for pid in self.pids()), what="every process to stand still")

    def sigcont(self) -> None:
        """Let what hangs go on, as if nothing had happened."""
        self._strike(signal.SIGCONT)

    def pids(self) -> list[int]:
        """Return every living process of ours."""
        wanted = str(self.config).encode()
        found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in found if wanted in _words(pid) and _state(pid) not in ("Z", "X", "")]

    def said(self, action: str) -> int:
        """Return how often the process started last logged this action."""
        return self._fresh_log().count(f'"action": "{action}"')

    def complaints(self) -> list[str]:
        """Return every logged line above warning, of all lives."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return [line for line in text.splitlines() if '"level": "error"' in line or "Traceback" in line]

    def close(self) -> None:
        """Leave nothing behind, also of what was stopped."""
        self.sigkill()

    def _is_up(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise AssertionError(f"hotline serve ended with {process.returncode}: {self._fresh_log()}")
        return self.said("ami.up") > 0

    def _fresh_log(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode(errors="replace")

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _strike(self, number: signal.Signals) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


class Site:
    """One line and everything around it. `store`: `sqlite` or `postgres`."""

    def __init__(self, store: str = "sqlite") -> None:
        self.folder = short_home()
        self.config = self.folder / "hotline.toml"
        self.began = datetime.now(UTC)
        #: What is undone last of all, when the site is closed.
        self.endings = ExitStack()
        #: The server the store is in; None: it is in SQLite.
        self.postgres: BreakableServer | None = None
        self._configure(store)
        settings = load_settings(self.config)
        self.app = App(settings=settings)
        self.endings.callback(self.app.close)  # before the server its connections lead to
        with self.looking() as work:
            users = tuple(work.users.all())
        self.pbx = Pbx(settings=settings, keys=self.app.keys, users=users)
        self.tap = AmiTap(settings.asterisk.ami_port)
        self.python = Python(self.config, self.folder / "serve.log", self.tap.port)
        self.actors = Actors(pbx=self.pbx, folder=self.folder / "actors")
        self.calls: list[Call] = []

    def _configure(self, store: str) -> None:
        sip, ami = free_ports(2)
        today = datetime.now(UTC).astimezone(load_settings().site.zone).date()
        days = "\n".join(f'{today + timedelta(days=n)} = "work"' for n in range(-1, 3))
        self.config.write_text(
            CONFIG.format(
                home=json.dumps(str(self.folder)),
                sip=sip,
                ami=ami,
                trunk=TRUNK,
                carrier=free_ports(1, TRUNK)[0],
                days=days,
            )
        )
        if store == "postgres":
            self._use_postgres()
        else:
            for name in ("hotline.db", "hotline.key"):
                shutil.copy(_enrolled() / name, self.folder / name)

    def _use_postgres(self) -> None:
        self.postgres = self.endings.enter_context(breakable_server(durable=True))
        server = self.postgres.server
        with self.config.open("a") as config:
            config.write(f"[database]\nurl = {json.dumps(server.url(server.new_database()))}\n")
        _enrol(self.config)

    def open(self) -> Site:
        """Start Asterisk and `hotline serve`; nobody is on duty yet."""
        self.pbx.start()
        self.tap.start()
        self.python.start()
        return self

    def close(self, *, keep: bool = False) -> None:
        """End everything; `keep` leaves the folder for whoever looks into a failure."""
        self.python.close()
        self.tap.close()
        with suppress(Exception):
            self.actors.close()
        self.pbx.process.stop()
        self.endings.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- people -------------------------------------------------------------------------------

    def hotline(self, *words: str) -> str:
        """Run one verb and return what it printed."""
        done = run_verb(self.config, *words)
        assert done.returncode == 0, f"hotline {' '.join(words[:2])}: {done.stderr}"
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run one listing verb and return its rows."""
        found: list[dict[str, Any]] = json.loads(self.hotline(*words, "--json"))
        return found

    def on_duty(self, *codes: str) -> None:
        """Put counsellors on shift since an hour ago for many hours more, and sign them on."""
        start = (self.began - HOUR).astimezone(self.app.settings.site.zone)
        for code in codes:
            self.hotline("duty", "add", code, f"{start:%Y-%m-%d %H:%M}", "--length", "20h", *LATE)
            self.hotline("duty", "on", code)

    def plan(self, code: str, start: datetime, end: datetime) -> None:
        """Put a counsellor on shift to the second; `hotline duty add` knows minutes, which take too long."""
        with self.app.store() as work:
            now = self.app.clock()
            roster.add_shift(work, code, start, end - start, actor="admin", now=now, reason=LATE[1])
            work.commit()

    def until_members(self, *codes: str, seconds: float = 30) -> None:
        """Wait until exactly these are in the real queue."""
        wanted = {self.pbx.interface(code) for code in codes}
        until(lambda: self.pbx.members() == wanted, seconds, what=f"the queue to hold {codes}")

    def until_reachable(self, *codes: str) -> None:
        """Wait until these phones would ring: Asterisk takes a phone it has not asked for gone."""

        wanted = {f"({self.pbx.interface(code)})" for code in codes}

        def free() -> bool:
            idle = [line for line in self.pbx.console("queue show hotline").splitlines() if IDLE in line]
            return all(any(phone in line for line in idle) for phone in wanted)

        until(free, 10, what=f"the phones of {codes} to be there")

    def until_laid(self, code: str, edge: datetime) -> None:
        """Wait until the PBX knows the shift's edge and has it in its own hands."""
        stamp = whole_second(edge)

        def laid() -> bool:
            fact = self.pbx.get("hotline-shift", code) or ""
            spool = (self.pbx.home / "spool" / "outgoing").glob(f"edge-{stamp}-*.call")
            return str(stamp) in fact and any(spool)

        until(laid, 30, what=f"the edge of {code} to be laid ahead")

    def feature_code(self, code: str, feature: str) -> None:
        """Dial a feature code from the counsellor's own phone and key in the PIN."""
        keys = presses(" ".join(f"{key}@{1 + 0.4 * n:.1f}" for n, key in enumerate(f"{PINS[code]}#")))
        self.actors.dials_from(code, feature, keys).wait(30)

    # --- calls --------------------------------------------------------------------------------

    def call(self, number: str | None = None, **description: Any) -> Call:
        """Let somebody dial the line, each from a number of their own unless told otherwise."""
        number = number or f"138{len(self.calls):08d}"
        self.calls.append(Call(number, self.actors.caller(number=number, **description)))
        return self.calls[-1]

    def line_id(self, call: Call) -> str | None:
        """Return Asterisk's id of a call, found by its number in queue_log."""
        entered = (line for line in self.pbx.queue_log() if line.event == "ENTERQUEUE")
        return next((l.call for l in entered if len(l.data) > 1 and l.data[1] == call.number), None)  # noqa: E741

    def is_talking(self, call: Call) -> bool:
        """Tell whether this call has met its counsellor, as queue_log has it."""
        met = {line.call for line in self.pbx.queue_log() if line.event == "CONNECT"}
        return self.line_id(call) in met

    def until_talking(self, *calls: Call) -> None:
        """Wait until these calls are with a counsellor."""
        until(lambda: all(map(self.is_talking, calls)), 30, what="the talk to begin")

    def until_quiet(self, seconds: float = 60) -> None:
        """Wait until no call is up on the PBX."""
        until(lambda: self.pbx.channels() == 0, seconds, what="every call to end")

    # --- what is on record --------------------------------------------------------------------

    def looking(self) -> AbstractContextManager[UnitOfWork]:
        """Open a unit of work that only reads, so that whoever hangs with the store's lock is left to it."""
        store = self.app.store
        assert isinstance(store, SqlStore)
        return store.reading()

    def records(self) -> list[CallRecord]:
        """Return every call on record since this site began."""
        with self.looking() as work:
            return list(work.calls.between(self.began - HOUR, datetime.now(UTC) + HOUR))

    def record_of(self, call: Call) -> CallRecord:
        """Return the one record of a call."""
        (found,) = [record for record in self.records() if record.number == call.number]
        return found

    def until_on_record(self, calls: Sequence[Call] | None = None, seconds: float = 40) -> None:
        """Wait until each of these (or of all) calls has a closed record."""
        wanted = {call.number for call in (self.calls if calls is None else calls)}

        def there() -> bool:
            return wanted <= {record.number for record in self.records() if not record.is_open}

        until(there, seconds, what="every call to be on record")

    def rotate_journal(self) -> Path:
        """Begin a new journal file, as a log rotation beside us would."""
        old = self.pbx.journal_file
        target = old.with_name(f"{old.name}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        old.rename(target)
        return target


def until_after(moment: datetime, seconds: float = 150) -> None:
    """Wait until the clock has passed this instant."""
    until(lambda: datetime.now(UTC) > moment, seconds, what="the clock")


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _state(pid: int) -> str:
    """Return the process' state letter (proc(5)); empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
