"""The Python processes of ours at one site: how they are started, struck, and asked.

`Python` runs one `hotline serve`. `Apart` runs one bridge and two schedulers, each a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Lock
from typing import Any

from callcenter.demo.runner import free_ports, until

HOTLINE = (sys.executable, "-m", "callcenter.cli")


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
        """Start what the site runs, or these words of `hotline`; `ready`: wait until it is at work."""
        self._log_from = self._log_size()
        process = self.launch(*(words or ("serve",)))
        if ready:
            until(lambda: self._is_up(process), 60, what="hotline serve to be up")

    def launch(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """Start these words of `hotline` in a session of their own, with more of an environment."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*HOTLINE, "--config", str(self.config), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(HOTLINE_ASTERISK__AMI_PORT=str(self._port)) | self.environment | more,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def restart(self) -> None:
        """Start afresh, as a service manager does once the old one is gone."""
        self.sigkill()
        self.start()

    def sigkill(self) -> None:
        """End every process at once."""
        self._strike(signal.SIGKILL)
        for process in self._started:
            process.kill()  # one just forked does not bear our words yet
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
        """Return how often what was started last logged this action."""
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


@dataclass(kw_only=True)
class Unit:
    """One part as a service manager knows it: at most one living process, and where that says how it is."""

    part: str
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def lives(self) -> bool:
        """Tell whether its process is there, be it at work or hung."""
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Strike its process, if there is one; it is dead or stands still when this returns."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait(10)
        if number is signal.SIGSTOP:
            until(lambda: _state(process.pid) in ("T", "Z", ""), what="the process to stand still")

    def readiness(self) -> dict[str, Any]:
        """Return what it says of itself (`/readyz`); nothing if it hangs or is not up yet."""
        if not self.lives or self.process is None or _state(self.process.pid) == "T":
            return {}
        link = HTTPConnection("127.0.0.1", self.port, timeout=2)
        with suppress(OSError, HTTPException, ValueError):
            link.request("GET", "/readyz")
            said: dict[str, Any] = json.loads(link.getresponse().read())
            link.close()
            return said
        link.close()
        return {}


class Apart(Python):
    """One bridge and two schedulers, of which one leads."""

    def __init__(self, config: Path, log: Path, tapped_port: int) -> None:
        super().__init__(config, log, tapped_port)
        parts = ("bridge", "scheduler", "scheduler")
        self._units = [Unit(part=p, port=n) for p, n in zip(parts, free_ports(len(parts)), strict=True)]
        self._one_at_a_time = Lock()

    def start(self, *words: str, ready: bool = True) -> None:
        """Start every part that is missing, or these words of `hotline`; `ready`: wait for its PBX link."""
        if words:
            super().start(*words, ready=ready)
            return
        self._log_from = self._log_size()
        self.complete("bridge")
        self.complete("scheduler")
        if ready:
            until(lambda: all(map(_is_linked, self._units)), 60, what="every part to be up")

    def units(self, part: str) -> list[Unit]:
        """Return the units of one part, living or not."""
        return [unit for unit in self._units if unit.part == part]

    def complete(self, part: str) -> None:
        """Start what is missing of a part, as its service manager does."""
        with self._one_at_a_time:
            for unit in self.units(part):
                if not unit.lives:
                    unit.process = self.launch("serve", part, HOTLINE_HEALTH__PORT=str(unit.port))

    def leaders(self) -> list[Unit]:
        """Return the schedulers that say they lead; one that hangs says nothing."""
        return [unit for unit in self.units("scheduler") if unit.readiness().get("leads")]


def _is_linked(unit: Unit) -> bool:
    assert unit.lives, f"a {unit.part} ended by itself"
    return bool(unit.readiness().get("checks", {}).get("telephony"))


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
