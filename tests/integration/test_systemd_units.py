"""The units for systemd are right by its own word, and closed."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from violence import Site, check_tools

from callcenter.demo.runner import until

UNITS = sorted((Path(__file__).parents[2] / "docs" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
#: systemd's own scale: 0 is closed, 10 is open; without a sandbox a service has 9.6.
MOST_EXPOSED = 2.5


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    line = ["systemd-analyze", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units as somebody installs them, where the programs are."""
    for unit in UNITS:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    return [tmp_path / unit.name for unit in UNITS]


def test_systemd_finds_nothing_wrong_with_the_units(units: list[Path]) -> None:
    done = analyze("verify", "--man=no", *map(str, units))
    ours = [line for line in done.stderr.splitlines() if "hotline" in line]
    assert (done.returncode, ours) == (0, [])


def test_a_unit_that_is_wrong_is_found(units: list[Path]) -> None:
    wrong = next(unit for unit in units if unit.name == "hotline.service")
    wrong.write_text(wrong.read_text().replace("WatchdogSec=120", "WatchdogSec=often"))
    assert "Failed to parse sec value" in analyze("verify", "--man=no", str(wrong)).stderr


@pytest.mark.parametrize("service", SERVICES, ids=lambda unit: unit.name)
def test_a_service_has_little_to_reach(service: Path) -> None:
    done = analyze("security", "--offline=yes", "--no-pager", str(service))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_nothing_of_ours_stops_the_pbx() -> None:
    text = next(unit for unit in SERVICES if unit.name == "hotline-asterisk.service").read_text()
    assert not re.search(r"^(Requires|BindsTo|Requisite|PartOf)=.*hotline\.service", text, re.MULTILINE)


@pytest.mark.asterisk
def test_serve_says_that_it_is_ready_that_it_turns_and_that_it_ends() -> None:
    check_tools()
    site = Site()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(site.folder / "notify"))
        manager.settimeout(30)
        site.python.environment |= {"NOTIFY_SOCKET": str(site.folder / "notify"), "WATCHDOG_USEC": "400000"}

        def says(words: str) -> bool:
            return manager.recv(4096).decode() == words

        try:
            site.open()
            until(lambda: says("READY=1"), 30)
            for _ in range(2):
                until(lambda: says("WATCHDOG=1"), 30)
            for pid in site.python.pids():
                os.kill(pid, signal.SIGTERM)
            until(lambda: says("STOPPING=1"), 30)
        finally:
            site.close()
