"""Faults that a line survives: the doctor says what was hit, what waits, and the mend."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from callcenter.bootstrap import App
from callcenter.cli import doctor as command
from callcenter.cli import main
from callcenter.config import load_settings
from callcenter.db import engine as engine_module
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.ports import UnreadRow
from callcenter.service.health import doctor_faults as faults
from callcenter.service.health.doctor import State

#: What a real Asterisk wrote of an answered call.
TRACE = Path(__file__).parents[1] / "traces" / "journal" / "answered.csv"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["init", "--without-recovery-key"]).exit_code == 0
    made = App(settings=load_settings(None))
    yield made
    made.close()


def found(name: str) -> tuple[str, str]:
    rows = json.loads(CliRunner().invoke(main, ["doctor", "--json"], catch_exceptions=False).output)
    row = next(row for row in rows if row["id"] == name)
    return row["state"], row["sentence"]


def store_file(app: App) -> Path:
    return app.settings.home / "hotline.db"


# --- the store ---------------------------------------------------------------------------------


def test_a_store_that_somebody_holds_locked_says_so_and_that_calls_go_on(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.1)
    assert found("store_writes")[0] == "ok"
    holder = sqlite3.connect(store_file(app), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    state, sentence = found("store_writes")
    holder.execute("ROLLBACK")
    holder.close()
    assert state == "bad"
    assert "正忙" in sentence
    assert "不妨碍 Asterisk 接来电" in sentence
    assert found("store_writes")[0] == "ok"


def test_a_store_that_may_only_be_read_says_so(app: App) -> None:
    """Root may write whatever the mode says, so that the file itself is told to refuse."""
    store = sqlite3.connect(store_file(app))
    refuse = "CREATE TRIGGER no_writes BEFORE INSERT ON ledger_state BEGIN SELECT RAISE(ABORT, 'no'); END"
    store.execute(refuse)
    store.commit()
    store.close()
    state, sentence = found("store_writes")
    assert state == "bad"
    assert "磁盘满、只读或文件损坏" in sentence


# --- the journal -------------------------------------------------------------------------------


def test_rows_that_nobody_reads_are_told_with_their_size(app: App) -> None:
    assert found("journal")[0] == "warn", "a line that never rang has no journal"
    journal = app.settings.pbx_home / "log" / "cel-custom" / "journal.csv"
    journal.parent.mkdir(parents=True)
    journal.write_bytes(TRACE.read_bytes())
    assert found("journal")[0] == "ok", "written this moment: whoever reads is about to"
    an_hour_ago = datetime.now(UTC).timestamp() - 3600
    os.utime(journal, (an_hour_ago, an_hour_ago))
    state, sentence = found("journal")
    assert state == "bad"
    assert "KB 还没有入库" in sentence
    assert "hotline serve" in sentence
    assert app.follower().catch_up(datetime.now(UTC)).calls > 0
    assert found("journal")[0] == "ok"


def test_a_backlog_of_megabytes_is_told_at_once() -> None:
    now = datetime(2026, 11, 27, 12, tzinfo=UTC)
    seen = faults.journal(3 << 20, now, now)
    assert (seen.state, "3.0 MB" in seen.sentence) == (State.BAD, True)


def test_rows_cut_by_a_crash_are_counted(app: App) -> None:
    with app.store() as work:
        row = UnreadRow(key="s:1", raw=b'"CHAN_ST', reason="cut", at=datetime.now(UTC))
        work.journal.keep_unread([row])
        work.commit()
    state, sentence = found("unread_rows")
    assert state == "warn"
    assert "1 行读不懂" in sentence
    assert "queue_log 补全" in sentence


# --- the PBX and the clock -----------------------------------------------------------------------


def test_calls_that_the_pbx_died_under_are_counted_for_a_day(app: App) -> None:
    now = datetime.now(UTC)
    with app.store() as work:
        for n, ago in enumerate((timedelta(hours=2), timedelta(hours=30))):
            work.calls.put_many([died(f"pbx1-{n}", now - ago)])
        work.commit()
    state, sentence = found("broken_calls")
    assert state == "warn"
    assert "1 通来电因 Asterisk 中断" in sentence


def died(call: str, at: datetime) -> CallRecord:
    return CallRecord(
        id=call,
        direction=Direction.INBOUND,
        outcome=Outcome.SYSTEM_FAILURE,
        started_at=at,
        offered_at=at,
        ended_at=at,
        end_is_uncertain=True,
    )


@pytest.mark.parametrize(("said", "state"), [("yes", "ok"), ("no", "warn"), ("", "warn")])
def test_a_clock_that_nothing_keeps_right_is_told(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, state: str
) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert found("ntp")[0] == state


def test_where_there_is_no_systemd_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert command._is_synchronised() is None
