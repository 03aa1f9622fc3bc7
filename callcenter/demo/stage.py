"""The rehearsal's stage: one folder, one Asterisk, one serving process, SIPp around them.

Everything lies below `var/rehearsal`; the trunk is a SIPp on another loopback address, so a
rehearsal can never reach a real one (P9, R52). The database is written by `hotline` verbs and by
what Asterisk journals, by nothing here.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.tree import find_asterisk
from callcenter.bootstrap import App
from callcenter.config import Settings, load_settings
from callcenter.demo.runner import ActorFailed, Address, free_ports, until
from callcenter.demo.sipp import Behaviour, Caller, Carrier, Phone
from callcenter.errors import CallCenterError, Refused

#: Where the carrier and the callers are: not the phones' address, so that the trunk is known by it.
TRUNK = "127.0.0.2"

CONFIG = """\
# Written by the rehearsal. Nothing here reaches a real telephone line.
home = {home}

[asterisk]
sip_port = {sip}
ami_port = {ami}
rtp_first = {rtp}
rtp_last = {rtp_last}

[trunk]
host = "{trunk}"
port = {carrier}

[queue]
ring = 10
wrap_up = 2

[escalation]
ring = 10
accept = 6

[outbound]
# A rehearsal runs at any hour and on any day.
windows = [["00:00:00", "23:59:59"]]
daily_cap = 400
quiet = ["00:00:00", "00:00:00"]
ring = 15
sweep = 3

[alarms]
# The probe of the day is a scene of its own.
self_dial_at = "23:59:59"

[calendar.days]
{today} = "work"
"""


class Stage:
    """Sets up, plays verbs, and leaves nothing behind."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder = folder.resolve()
        self.config_file = self.folder / "hotline.toml"
        self._now = now
        self._serving: subprocess.Popen[bytes] | None = None
        self._actors: list[Caller | Phone | Carrier] = []
        self._places = 0
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Keep the folder to ourselves until this process ends; raise `Refused` if another has it.

        The lock dies with its holder, so what a killed rehearsal left behind can still be cleared.
        """
        beside = self.folder.with_name(f"{self.folder.name}.lock")
        beside.parent.mkdir(parents=True, exist_ok=True)
        self._lock = beside.open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise Refused(
                f"{self.folder} 里已有一场排练在进行。请先在那个终端按 Ctrl-C,或用 --folder 另指一个文件夹。"
            ) from None

    def release(self) -> None:
        """Let others have the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def clear(self) -> None:
        """End what an interrupted rehearsal left running, then empty the folder but for the prompts."""
        self.asterisk_at(self.folder).stop()
        self._end_stale_server()
        sounds = self.folder / "asterisk" / "sounds"
        kept = self.folder.with_name(f"{self.folder.name}.sounds")
        if sounds.is_dir() and not kept.exists():
            sounds.rename(kept)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if kept.exists():
            sounds.parent.mkdir(parents=True)
            kept.rename(sounds)

    def write_config(self) -> None:
        """Write `hotline.toml` with free ports, never the well-known ones a real line may hold."""
        sip, ami, rtp = *free_ports(2), 20000
        carrier = free_ports(1, TRUNK)[0]
        zone_day = self._now.astimezone(Settings().site.zone).date()
        self.config_file.write_text(
            CONFIG.format(
                home=json.dumps(str(self.folder)),
                sip=sip,
                ami=ami,
                rtp=rtp,
                rtp_last=rtp + 999,
                trunk=TRUNK,
                carrier=carrier,
                today=zone_day.isoformat(),
            ),
            encoding="utf-8",
        )

    @property
    def settings(self) -> Settings:
        """Return the rehearsal's configuration."""
        return load_settings(self.config_file)

    @property
    def app(self) -> App:
        """Return the rehearsal's wiring, for looking only."""
        return App(settings=self.settings)

    @property
    def pbx(self) -> Address:
        """Return where the PBX takes calls."""
        return Address(host=self.settings.asterisk.sip_address, port=self.settings.asterisk.sip_port)

    @staticmethod
    def asterisk_at(folder: Path) -> AsteriskProcess:
        """Return the Asterisk of that folder."""
        return AsteriskProcess(find_asterisk(), folder / "asterisk")

    @property
    def asterisk(self) -> AsteriskProcess:
        """Return the stage's Asterisk."""
        return self.asterisk_at(self.folder)

    def hotline(self, *words: str) -> str:
        """Run one verb as a person would and return what it printed; raise if it failed."""
        done = subprocess.run(
            [*_HOTLINE, "--config", str(self.config_file), *words],
            capture_output=True,
            text=True,
            env=_environment(actor_of(words[0])),
            check=False,
        )
        if done.returncode != 0:
            raise CallCenterError(f"hotline {words[0]} {words[1]}: {done.stderr.strip()}")
        return done.stdout

    def hotline_json(self, *words: str) -> Any:
        """Run one listing verb and return its JSON."""
        return json.loads(self.hotline(*words, "--json"))

    def hotline_meanwhile(self, *words: str) -> subprocess.Popen[str]:
        """Start one verb and return it running."""
        return subprocess.Popen(
            [*_HOTLINE, "--config", str(self.config_file), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment(actor_of(words[0])),
        )

    def serve(self) -> None:
        """Start `hotline serve` in a session of its own; its log is `serve.log`."""
        log = (self.folder / "serve.log").open("ab")
        self._serving = subprocess.Popen(
            [*_HOTLINE, "--config", str(self.config_file), "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(),
            start_new_session=True,
        )
        log.close()
        (self.folder / "serve.pid").write_text(str(self._serving.pid))

    def stop_serving(self) -> None:
        """End `hotline serve` as a service manager would."""
        if self._serving is None:
            return
        self._serving.terminate()
        try:
            self._serving.wait(15)
        except subprocess.TimeoutExpired:
            self._serving.kill()
            self._serving.wait()
        self._serving = None
        (self.folder / "serve.pid").unlink(missing_ok=True)

    def check_serving(self) -> None:
        """Raise if `hotline serve` has ended by itself."""
        if self._serving is not None and self._serving.poll() is not None:
            raise ActorFailed(f"hotline serve ended. See {self.folder / 'serve.log'}")

    def stay_up(self) -> None:
        """Return never; raise as soon as the PBX or `hotline serve` is no longer there."""
        asterisk = self.asterisk
        while True:
            self.check_serving()
            if not asterisk.is_running:
                raise ActorFailed(f"Asterisk ended. See {asterisk.home / 'log'}")
            time.sleep(1)

    def members(self) -> set[str]:
        """Return the codes of those in the queue, as Asterisk says."""
        said = self.asterisk.console.run("queue show hotline")
        return {line.split()[0] for line in said.splitlines() if "(dynamic)" in line}

    def until_members(self, *codes: str) -> None:
        """Wait until exactly these are in the queue."""
        self._until(lambda: self.members() == set(codes), f"队列里应当是 {codes}")

    def _until(self, true: Any, what: str, timeout: float = 30) -> None:
        def alive_and_true() -> bool:
            self.check_serving()
            return bool(true())

        until(alive_and_true, timeout, what=what)

    def caller(self, **described: Any) -> Caller:
        """Put a caller on stage and let them dial the line."""
        site = self.settings.site
        caller = Caller(
            pbx=self.pbx, folder=self._place(), dials=site.public_number, address=TRUNK, **described
        )
        self._actors.append(caller)
        return caller.start()

    def phone(self, code: str, behaviour: Behaviour | None = None) -> Phone:
        """Register a counsellor's phone."""
        phone = Phone(
            pbx=self.pbx,
            folder=self._place(),
            users={code: self.app.keys.password(f"sip:{code}")},
            behaviour=behaviour,
        )
        self._actors.append(phone)
        return phone.start()

    def dial_from_phone(self, code: str, **described: Any) -> Caller:
        """Let a counsellor dial a feature code from their own phone."""
        caller = Caller(
            pbx=self.pbx,
            folder=self._place(),
            address="127.0.0.1",
            user=code,
            password=self.app.keys.password(f"sip:{code}"),
            **described,
        )
        self._actors.append(caller)
        return caller.start()

    def carrier(self, numbers: dict[str, Behaviour]) -> Carrier:
        """Put the carrier at the other end of the trunk."""
        trunk = self.settings.trunk
        carrier = Carrier(
            pbx=self.pbx,
            folder=self._place(),
            listens=Address(host=trunk.host, port=trunk.port),
            numbers=numbers,
        )
        self._actors.append(carrier)
        return carrier.start()

    def close(self) -> None:
        """End everything this stage started."""
        for actor in reversed(self._actors):
            with suppress(CallCenterError):
                actor.stop()
        self._actors.clear()
        self.stop_serving()
        self.asterisk.stop()
        self.release()

    def _place(self) -> Path:
        self._places += 1
        return self.folder / "actors" / f"{self._places:02d}"

    def _end_stale_server(self) -> None:
        file = self.folder / "serve.pid"
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int(file.read_text())
            if str(self.config_file).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                os.killpg(pid, signal.SIGKILL)


_HOTLINE = (sys.executable, "-m", "callcenter.cli")


def actor_of(group: str) -> str:
    """Return who types the verbs of a group: the administrator enrols, the supervisor does the rest."""
    return "admin" if group == "user" else "s001"


def _environment(actor: str = "admin") -> dict[str, str]:
    """Return the environment without anybody's HOTLINE_*: the rehearsal's file alone counts."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HOTLINE_")}
    tree = os.environ.get("HOTLINE_ASTERISK_TREE")
    return kept | ({"HOTLINE_ASTERISK_TREE": tree} if tree else {}) | {"HOTLINE_ACTOR": actor}
