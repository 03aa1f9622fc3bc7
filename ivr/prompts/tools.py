"""Run the programs that speak and convert, and say plainly what to mend when one fails."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from subprocess import PIPE
from threading import Lock

from ivr.errors import SynthesisError

#: Programs whose Debian package has their name.
_PACKAGES = frozenset({"espeak-ng", "sox", "ffmpeg"})


class Batch:
    """Programs that several threads run for one purpose: the first failure stops them all."""

    def __init__(self) -> None:
        """Begin with nothing running."""
        self.trouble: Exception | None = None
        self.stopped = False
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = Lock()

    def stop(self, trouble: Exception | None = None) -> None:
        """Kill what runs and refuse what would; remember the first `trouble`, the cause of all others."""
        with self._lock:
            if not self.stopped:
                self.trouble = trouble
            self.stopped = True
            for process in self._running:
                _kill(process)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Count what this thread runs meanwhile as part of the batch."""
        token = _batch.set(self)
        try:
            yield
        finally:
            _batch.reset(token)

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program; raise `SynthesisError` if the batch is stopped."""
        with self._lock:
            if self.stopped:
                raise SynthesisError("stopped, because something else failed.")
            process = _popen(command)
            self._running.add(process)
            return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Take note that a program has ended."""
        with self._lock:
            self._running.discard(process)


_batch: ContextVar[Batch | None] = ContextVar("batch", default=None)


def run(command: Sequence[str], given: bytes = b"", *, seconds: float = 30, mend: str = "") -> bytes:
    """Return what a program wrote; `given` is its input.

    Raise `SynthesisError` naming the program, its last words and `mend` if it is missing, fails or
    takes longer than `seconds`. Never a shell, so no text can become a command.
    """
    tool = command[0]
    try:
        with _running(command) as process:
            wrote, complaint = process.communicate(given, timeout=seconds)
    except (FileNotFoundError, PermissionError):
        raise SynthesisError(_absent(tool, mend)) from None
    except subprocess.TimeoutExpired:
        raise SynthesisError(_sentence(f"{tool} did not finish within {seconds:.0f} s.", mend)) from None
    if process.returncode:
        words = complaint.decode(errors="replace").strip().splitlines()
        said = words[-1] if words else f"exit code {process.returncode}"
        raise SynthesisError(_sentence(f"{tool} failed: {said}", mend))
    return wrote


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program; whatever goes wrong meanwhile, it and what it has started are gone afterwards."""
    batch = _batch.get()
    with batch.start(command) if batch else _popen(command) as process:
        try:
            yield process
        except BaseException:
            _kill(process)
            raise
        finally:
            if batch:
                batch.forget(process)


def _popen(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # A group of its own, so that what it starts can be killed with it.
    return subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, process_group=0)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _absent(tool: str, mend: str) -> str:
    if tool in _PACKAGES:
        return f"{tool} is not installed. Run: apt-get install {tool}"
    return _sentence(f"{tool} cannot be run.", mend)


def _sentence(problem: str, mend: str) -> str:
    return f"{problem} {mend}" if mend else problem
