"""What the watch is shown of the store and of the journal's disk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callcenter.asterisk.console import Console
from callcenter.asterisk.eyes import Eyes, free_share
from callcenter.asterisk.tree import AsteriskProgram
from callcenter.db.errors import StoreError

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _eyes(home: Path, clock: Callable[[], datetime]) -> Eyes:
    program = AsteriskProgram(argv=("false",), module_dir=home, data_dir=home, version=(22, 10, 1))
    return Eyes(Console(program=program, home=home), clock)


def _store(eyes: Eyes, error: Exception | None = None) -> None:
    with eyes.storing():
        if error is not None:
            raise error


def test_records_wait_since_the_first_failure_until_the_next_success(tmp_path: Path) -> None:
    now = [NOW]
    eyes = _eyes(tmp_path, lambda: now[0])
    for _ in range(3):
        with pytest.raises(StoreError):
            _store(eyes, StoreError())
        now[0] += MINUTE
    assert eyes.live().unstored_since == NOW
    _store(eyes)
    assert eyes.live().unstored_since is None


def test_a_fault_of_the_reader_is_no_fault_of_the_store(tmp_path: Path) -> None:
    eyes = _eyes(tmp_path, lambda: NOW)
    with pytest.raises(ZeroDivisionError):
        _store(eyes, ZeroDivisionError())
    assert eyes.live().unstored_since is None


def test_the_disk_looked_at_is_the_journal_s(tmp_path: Path) -> None:
    eyes = _eyes(tmp_path, lambda: NOW)
    eyes.look()
    assert eyes.live().disk_free is None
    (tmp_path / "log").mkdir()
    eyes.look()
    free = eyes.live().disk_free
    assert free is not None
    assert 0 <= free <= 1


def test_a_folder_without_a_disk_tells_nothing() -> None:
    assert free_share(Path("/proc")) is None
    assert free_share(Path("/no/such/folder")) is None
