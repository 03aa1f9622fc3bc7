"""Run SIPp processes: files, exit codes, what was sent and received when.

SIPp 3.6.1 exit codes: 0 all calls went as written, 1 a call did not, 97 out of time, 99 no call
was made, 253 and above it could not run at all.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

from callcenter.errors import CallCenterError, ConfigError

T = TypeVar("T")

#: A copy of SIPp with the right to send raw packets, for machines where we are not root.
PRIVATE_SIPP = Path(".cache") / "sipp"
#: The test's own word to an actor, matched by SIPp through its Call-ID alone.
TUG = (
    "REFER sip:actor SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-tug\r\n"
    "From: <sip:test>;tag=tug\r\nTo: <sip:actor>\r\nCall-ID: {call}\r\nCSeq: 1 REFER\r\n"
    "Content-Length: 0\r\n\r\n"
)
#: Blocks of four ports for RTP; each process begins to lend them somewhere else.
_BLOCKS = 2500
_blocks = count(secrets.randbelow(_BLOCKS))
#: The last ports of the blocks lent last, held so that no other process lends one before SIPp has bound it.
_guards: deque[socket.socket] = deque()
_GUARDED = 50
MEANING = {1: "a call did not go as written", 97: "it ran out of time", 99: "no call was made"}


class ActorFailed(CallCenterError):
    """An actor of the rehearsal could not play its part."""

    error_id = "actor_failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a SIP party listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return `count` different ports of `host` free for UDP and TCP at this moment."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            stream = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            stream.bind((host, 0))
            port = stream.getsockname()[1]
            datagram = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            try:
                datagram.bind((host, port))
            except OSError:
                continue
            ports.append(port)
    return ports


def free_media_port(host: str) -> int:
    """Return a UDP port of `host` for RTP, between 20000 and 30000, free with the three after it.

    SIPp 3.6.1 binds it and, for video, the one two further on. Only whole blocks of four are lent, each
    once until all have been lent, so that two actors starting together never meet; the last of its ports,
    which SIPp leaves alone, keeps it from other processes until it is at work. SIPp also adds up to
    9999 to it call by call in the SDP (7292 for every call of an out-of-call scenario): a port from the
    system's own upper range would end beyond 65535.
    """
    while True:
        port = 20000 + 4 * (next(_blocks) % _BLOCKS)
        guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            guard.bind((host, port + 3))
            with ExitStack() as held:
                for one in (port, port + 2):
                    held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((host, one))
        except OSError:
            guard.close()
            continue
        _keep(guard)
        return port


def _keep(guard: socket.socket) -> None:
    """Hold this one, and let go of the oldest: its borrower has long been at work."""
    _guards.append(guard)
    if len(_guards) > _GUARDED:
        _guards.popleft().close()


def is_bound(address: Address) -> bool:
    """Tell whether somebody on this machine listens on the UDP `address` (IPv4)."""
    host = int.from_bytes(socket.inet_aton(address.host), sys.byteorder)
    wanted = f"{host:08X}:{address.port:04X}"
    rows = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    return any(row.split()[1] == wanted for row in rows)


def until(predicate: Callable[[], T], timeout: float = 10, *, what: str = "") -> T:
    """Return the first true answer of `predicate`, asked 20 times a second; `timeout` in seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout:g} s in vain{f' for {what}' if what else ''}.")
        time.sleep(0.05)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One SIP message as SIPp logged it. `first` is its first line, `cseq` its method."""

    at: datetime
    sent: bool
    call: str
    cseq: str
    first: str

    @property
    def status(self) -> int | None:
        """Return the status code of a response, None of a request."""
        match = re.match(r"SIP/2\.0 (\d{3})", self.first)
        return int(match[1]) if match else None


class SippRun:
    """One SIPp process with a folder of its own; logs stay there."""

    def __init__(self, *, folder: Path, scenario: str, pbx: Address, local: Address) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.scenario = folder / "scenario.xml"
        self.scenario.write_text(scenario, encoding="utf-8")
        self._pbx = pbx
        self._local = local
        self._process: subprocess.Popen[bytes] | None = None
        self._told_to_stop = False

    def start(self, arguments: Sequence[str] = (), *, full_trace: bool = True) -> None:
        """Start SIPp on the scenario, with further `arguments`; `full_trace` keeps whole messages."""
        words = [sipp_program(), str(self._pbx), "-sf", str(self.scenario), "-nostdin"]
        words += ["-i", self._local.host, "-mi", self._local.host, "-p", str(self._local.port)]
        # Its remote-control port would be open to the world otherwise.
        words += ["-ci", self._local.host]
        if full_trace:
            words += ["-trace_msg", "-message_file", str(self.messages_file)]
        words += ["-trace_shortmsg", "-shortmessage_file", str(self._short_file)]
        words += ["-trace_err", "-error_file", str(self.errors_file)]
        # A busy machine must not make SIPp end itself: its watchdog counts slow turns.
        words += ["-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000"]
        with (self.folder / "screen.log").open("wb") as out:
            self._process = subprocess.Popen(
                [*words, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, "TZ": "UTC", "TERM": "dumb"},
                start_new_session=True,
            )

    @property
    def messages_file(self) -> Path:
        """Return the file of all SIP messages, in full."""
        return self.folder / "messages.log"

    @property
    def errors_file(self) -> Path:
        """Return the file in which SIPp complains."""
        return self.folder / "errors.log"

    @property
    def _short_file(self) -> Path:
        return self.folder / "short.log"

    @property
    def is_running(self) -> bool:
        """Tell whether SIPp is still at work."""
        return self._process is not None and self._process.poll() is None

    def messages(self) -> list[Message]:
        """Return what was sent and received so far, oldest first."""
        if not self._short_file.exists():
            return []
        text = self._short_file.read_text(encoding="utf-8", errors="replace")
        return [read for line in text.splitlines(keepends=True) if (read := _read_short(line)) is not None]

    def wait(self, timeout: float) -> None:
        """Wait for SIPp to end by itself; raise `ActorFailed` unless all went as written."""
        if self._process is None:
            raise ActorFailed("The actor was never started.")
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            raise ActorFailed(f"Not done within {timeout:g} s. Messages: {self.messages_file}") from None
        if code != 0 and not self._told_to_stop:
            raise ActorFailed(self._why(code))

    def tug(self) -> None:
        """Tell every open call to hang up now (see scenarios/_blocks.xml)."""
        messages = self.messages()
        over = {line.call for line in messages if line.first.startswith(("BYE ", "CANCEL "))}
        target = (self._local.host, self._local.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            for call in dict.fromkeys(line.call for line in messages if line.cseq == "INVITE"):
                if call not in over:
                    out.sendto(TUG.format(call=call).encode(), target)

    def stop(self) -> None:
        """End SIPp without ceremony."""
        self._told_to_stop = True
        self._signal(signal.SIGTERM)
        if self._process is None:
            return
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def check_alive(self) -> None:
        """Raise `ActorFailed` if SIPp ended though nobody told it to."""
        if (
            self._process is not None
            and not self._told_to_stop
            and (code := self._process.poll()) is not None
        ):
            raise ActorFailed(self._why(code))

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _why(self, code: int) -> str:
        meaning = MEANING.get(code, "it could not run")
        return f"SIPp ended with {code}: {meaning}. Messages: {self.messages_file}\n{self._complaint()}"

    def _complaint(self) -> str:
        for file in (self.errors_file, self.folder / "screen.log"):
            if file.exists() and (text := file.read_text(encoding="utf-8", errors="replace").strip()):
                return text[-1500:]
        return ""


def sipp_program() -> str:
    """Return the SIPp to run; raise `ConfigError` with the mend when there is none."""
    if os.geteuid() != 0:
        for folder in (Path.cwd(), *Path.cwd().parents):
            if os.access(folder / PRIVATE_SIPP, os.X_OK):
                return str(folder / PRIVATE_SIPP)
    found = shutil.which("sipp")
    if found is None:
        raise ConfigError("SIPp is not installed. Run: apt-get install sip-tester")
    return found


def _read_short(line: str) -> Message | None:
    """Read one line of SIPp's short message log; a line still being written gives None."""
    parts = line.rstrip("\r\n").split("\t")
    if len(parts) < 7 or not line.endswith("\n"):
        return None
    at = datetime.fromtimestamp(float(parts[2]), UTC)
    method = parts[5].rpartition(" ")[2]
    return Message(at=at, sent=parts[3] == "S", call=parts[4], cseq=method, first=parts[6])
