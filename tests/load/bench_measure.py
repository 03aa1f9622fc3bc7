"""What is measured: CPU of a process from /proc, and the moments at which queue_log grows."""

from __future__ import annotations

import ctypes
import os
import select
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from types import TracebackType
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_IN_MODIFY = 0x2


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and of its children that have ended, user and system together."""
    # The name may hold spaces and brackets; what follows the last bracket is fixed (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Some figures in order: the middle one, and the ends."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread | None:
        """Return the spread of some figures, None if there are none."""
        if not figures:
            return None
        return cls(low=min(figures), middle=median(figures), high=max(figures))


def percentile(figures: Sequence[float], share: int) -> float:
    """Return the figure below which `share` percent lie."""
    return quantiles(figures, n=100)[share - 1] if len(figures) > 1 else figures[0]


class QueueWatch:
    """Notes when queue_log lines appear: `ENTERQUEUE` and `CONNECT` by call.

    The file's own times are whole seconds, and a journal would burden only one side: so the clock is
    read here, by the same thread on both sides, each time the kernel says that the file has grown.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.entered: dict[str, float] = {}
        self.connected: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="queue-watch")

    def __enter__(self) -> Self:
        self._source = self._file.open("rb")
        self._source.seek(0, os.SEEK_END)
        self._rest = b""
        self._notes = _notes_of(self._file)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._source.close()
        os.close(self._notes)

    def waits(self) -> list[float]:
        """Return the seconds from the queue to the counsellor, of each call that reached one."""
        return [at - self.entered[call] for call, at in self.connected.items() if call in self.entered]

    def _watch(self) -> None:
        with suppress(
            PermissionError
        ):  # waking late would count as waiting; this thread does next to nothing
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), -15)
        while not self._ended.is_set():
            if select.select([self._notes], [], [], 0.2)[0]:
                os.read(self._notes, 4096)
                self._read(time.monotonic())

    def _read(self, now: float) -> None:
        *lines, self._rest = (self._rest + self._source.read()).split(b"\n")
        for line in lines:
            words = line.decode("utf-8", "replace").split("|")
            match words[4] if len(words) > 4 else "":
                case "ENTERQUEUE":
                    self.entered.setdefault(words[1], now)
                case "CONNECT":
                    self.connected.setdefault(words[1], now)


def _notes_of(file: Path) -> int:
    """Return a descriptor that is readable when the file has grown (inotify(7))."""
    libc = ctypes.CDLL(None, use_errno=True)
    notes: int = libc.inotify_init1(os.O_CLOEXEC)
    if notes < 0 or libc.inotify_add_watch(notes, os.fsencode(file), _IN_MODIFY) < 0:
        raise OSError(ctypes.get_errno(), "inotify", str(file))
    return notes
