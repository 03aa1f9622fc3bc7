"""A service manager is told that we are ready, and its watchdog is fed only while our loops turn."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from callcenter.notify import Watchdog, notify, watchdog_every
from callcenter.pacing import PATIENCE, Pulse

MINUTE = timedelta(minutes=1)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        here.bind(str(tmp_path / "notify"))
        here.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield here


def heard(manager: socket.socket) -> str:
    try:
        return manager.recv(4096).decode()
    except BlockingIOError:
        return ""


def test_words_reach_the_service_manager(manager: socket.socket) -> None:
    assert notify("READY=1", "STATUS=at work")
    assert heard(manager) == "READY=1\nSTATUS=at work"


def test_an_abstract_socket_is_one_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as here:
        here.bind(f"\0hotline-test-{os.getpid()}")
        assert notify("READY=1", environment={"NOTIFY_SOCKET": f"@hotline-test-{os.getpid()}"})
        assert here.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nobody/listens/here"])
def test_where_nobody_listens_nothing_happens(address: str) -> None:
    assert not notify("READY=1", environment={"NOTIFY_SOCKET": address})


@pytest.mark.parametrize(
    ("told", "every"),
    [
        ({"WATCHDOG_USEC": "120000000"}, MINUTE),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, MINUTE),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_patience(told: dict[str, str], every: timedelta | None) -> None:
    assert watchdog_every(told) == every


def test_a_loop_that_stands_still_lets_the_watchdog_bark(
    manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    pulse = Pulse(clock=lambda: now[0])
    watchdog = Watchdog(pulse.late)
    pulse.beat("journal.follow", MINUTE)
    asyncio.run(watchdog.feed())
    assert heard(manager) == "WATCHDOG=1"
    now[0] = 60 + PATIENCE + 1
    assert pulse.ages() == {"journal.follow": timedelta(seconds=now[0])}
    for _ in range(2):
        asyncio.run(watchdog.feed())
    assert heard(manager) == ""
    assert [record.reason for record in caplog.records] == ["journal.follow"]  # type: ignore[attr-defined]
    pulse.beat("journal.follow", MINUTE)
    asyncio.run(watchdog.feed())
    assert heard(manager) == "WATCHDOG=1"
