"""A whole line as a site runs it, and violence against it.

`Site` is one line in one folder: the product's own Asterisk configuration (short prompts and waits), a
store made by `hotline init` (SQLite, or a PostgreSQL server of its own), people and shifts by `hotline`
verbs, `hotline serve` as a process of its own or, apart, its parts, SIPp around it. `Site.python` strikes
every Python process of ours, `Site.pbx.process` strikes Asterisk, `Site.tap` strikes at one exact word
between the two.

To grow it: a new process of ours needs nothing if its command line names the site's configuration
file; a new kind of blow is a method of `Python` (`processes.py`); a new invariant is a line in `verdict.py`.
"""

from __future__ import annotations

import atexit
import json
import shutil
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
from processes import Apart, Python
from processes import run_verb as run_verb

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


class Site:
    """One line and everything around it. `store`: `sqlite` or `postgres`; `apart`: our parts run alone."""

    def __init__(self, store: str = "sqlite", *, apart: bool = False) -> None:
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
        kind = Apart if apart else Python
        self.python: Python = kind(self.config, self.folder / "serve.log", self.tap.port)
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

    @property
    def is_apart(self) -> bool:
        """Tell whether our parts run alone."""
        return isinstance(self.python, Apart)

    @property
    def apart(self) -> Apart:
        """Return the parts of a site that runs apart."""
        assert isinstance(self.python, Apart), "this site runs whole"
        return self.python

    def open(self) -> Site:
        """Start Asterisk and what of ours this site runs; nobody is on duty yet."""
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
