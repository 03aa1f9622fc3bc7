"""The load: callers on one side of the PBX, counsellors' phones on the other. One SIPp process each.

Unlike the rehearsal's actors these write no message logs, so that SIPp leaves the two cores to what
is measured. Both sides of a comparison get exactly the same processes.
"""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from callcenter.demo.runner import Address, free_media_port, sipp_program

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How many calls, how fast, how long: `rate` calls a second for `seconds`, each lasting `hold`."""

    seats: int
    rate: float
    seconds: int
    #: Seconds from the PBX's answer (before the greeting) to the caller's hang-up.
    hold: float

    @property
    def calls(self) -> int:
        """Return how many calls are offered."""
        return round(self.rate * self.seconds)


class _Sipp:
    """One SIPp process in a folder of its own."""

    def __init__(self, folder: Path, scenario: str, pbx: Address, local: Address) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._words = [
            sipp_program(), str(pbx), "-sf", str(HERE / scenario), "-nostdin", "-i", local.host,
            "-mi", local.host, "-p", str(local.port), "-trace_err", "-error_file", str(folder / "errors.log"),
            "-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000",
        ]  # fmt: skip
        self._media = str(free_media_port(local.host))
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self, *words: str) -> None:
        with (self._folder / "screen.log").open("wb") as out:
            self._process = subprocess.Popen(
                [*self._words, *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env={**os.environ, "TERM": "dumb"},
                start_new_session=True,
            )

    def stop(self) -> None:
        """End the process, if it still runs."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Seats(_Sipp):
    """All counsellors' phones: they register, ring `ring` seconds and are picked up."""

    def __init__(
        self, folder: Path, pbx: Address, local: Address, users: Mapping[str, str], ring: float
    ) -> None:
        super().__init__(folder, "register.xml", pbx, local)
        self._users = users
        self._ring = ring

    def start(self) -> None:
        """Register, 50 phones a second."""
        rows = [f"{user};[authentication username={user} password={pw}]" for user, pw in self._users.items()]
        _write_rows(self._folder / "users.csv", rows)
        count, seat = str(len(rows)), (HERE / "seat.xml").read_text(encoding="utf-8")
        if not self._ring:  # even a pause of nothing would cost SIPp one turn, about 5 ms
            seat = seat.replace("<pause/>", "")
        (self._folder / "seat.xml").write_text(seat, encoding="utf-8")
        self._start(
            "-inf", "users.csv", "-m", count, "-l", count, "-r", "50", "-oocsf", "seat.xml", "-aa",
            "-mp", self._media, "-d", str(round(self._ring * 1000)),
        )  # fmt: skip


class Callers(_Sipp):
    """So many people who dial, each with a number of their own."""

    def __init__(
        self, folder: Path, pbx: Address, local: Address, shape: Shape, numbers: Sequence[str]
    ) -> None:
        super().__init__(folder, "callers.xml", pbx, local)
        self._shape = shape
        self._numbers = numbers

    def start(self) -> None:
        """Begin to dial."""
        _write_rows(self._folder / "numbers.csv", self._numbers)
        self._start(
            "-inf", "numbers.csv", "-m", str(self._shape.calls), "-r", f"{self._shape.rate:g}", "-l", "5000",
            "-d", str(round(self._shape.hold * 1000)), "-mp", self._media, "-aa", "-recv_timeout", "20000",
            "-trace_stat", "-stf", "stat.csv", "-fd", "1",
        )  # fmt: skip

    def wait(self) -> int:
        """Wait until all is over and return how many calls did not go as written."""
        if self._process is None:
            raise RuntimeError("start first")
        self._process.wait(self._shape.seconds + self._shape.hold + 60)
        with (self._folder / "stat.csv").open(encoding="ascii") as source:
            last = list(csv.DictReader(source, delimiter=";"))[-1]
        return self._shape.calls - int(last["SuccessfulCall(C)"])


def _write_rows(file: Path, rows: Sequence[str]) -> None:
    file.touch(mode=0o600)
    file.write_text("\n".join(["SEQUENTIAL", *rows, ""]), encoding="ascii")
