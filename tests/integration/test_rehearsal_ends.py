"""Ctrl-C in the middle of a rehearsal leaves no process behind, and the next one starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from callcenter.demo.runner import until

pytestmark = pytest.mark.asterisk
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(spoken: Path) -> Iterator[Path]:
    """A short path: Asterisk's control socket lies below it. The prompts are there from the day before."""
    made = Path(tempfile.mkdtemp(prefix="reh"))
    shutil.copytree(spoken, made / "r" / "asterisk" / "sounds")
    yield made / "r"
    shutil.rmtree(made, ignore_errors=True)


def of_folder(folder: Path) -> list[int]:
    """Return the processes whose command line or working folder names `folder`."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = place.joinpath("cmdline").read_bytes().decode(errors="replace")
            where = str(place.joinpath("cwd").readlink())
        except OSError:
            continue
        if str(folder) in words or where.startswith(str(folder)):
            found.append(int(place.name))
    return found


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_mid_call_nothing_is_left_running(folder: Path, stop: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "callcenter.cli", "demo", "--check", "--folder", str(folder)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as rehearsal:
        journal = folder / "asterisk/log/cel-custom/journal.csv"
        until(lambda: journal.exists() and b'"hotline-trunk"' in journal.read_bytes(), 120, what="a call")
        assert len(of_folder(folder)) >= 4
        os.killpg(rehearsal.pid, stop)
        assert rehearsal.stdout is not None
        until(lambda: "正在收场" in rehearsal.stdout.readline().decode(), 30, what="the end")
        os.killpg(rehearsal.pid, stop)  # somebody impatient
        rehearsal.communicate(timeout=60)
    assert of_folder(folder) == []
    assert rehearsal.returncode == 1, "a check that was cut short has proved nothing"
