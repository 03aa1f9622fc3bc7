"""Orders in the spool folder: what is laid, what stays, what goes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.asterisk.spool import LONGEST_LIST, SpoolAlarms, SpoolEdges, _lists
from callcenter.domain.alarms import AlarmKind, kind_of, new_alarm
from callcenter.errors import PbxError

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def orders(home: Path) -> dict[str, float]:
    """Return the waiting orders and when they run."""
    return {f.name: f.stat().st_mtime for f in (home / "spool" / "outgoing").glob("*.call")}


def test_an_edge_runs_at_its_second_never_before(tmp_path: Path) -> None:
    SpoolEdges(tmp_path).lay({NINE + timedelta(milliseconds=1): frozenset({"c001"})})
    assert list(orders(tmp_path).values()) == [NINE.timestamp() + 1]


def test_laying_again_keeps_what_stands_and_removes_what_is_gone(tmp_path: Path) -> None:
    edges = SpoolEdges(tmp_path)
    edges.lay({NINE: frozenset({"c001"}), NINE + HOUR: frozenset({"c001", "c002"})})
    first = {f.name: f.stat().st_ino for f in (tmp_path / "spool/outgoing").iterdir()}
    edges.lay({NINE: frozenset({"c001"}), NINE + HOUR: frozenset({"c002"})})
    second = {f.name: f.stat().st_ino for f in (tmp_path / "spool/outgoing").iterdir()}
    assert len(second) == 2
    assert len(first.items() & second.items()) == 1
    edges.lay({})
    assert orders(tmp_path) == {}


def test_orders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "spool/outgoing").mkdir(parents=True)
    (tmp_path / "spool/outgoing/someone-else.call").write_text("")
    SpoolAlarms(tmp_path).rearm_watchdog(NINE)
    SpoolEdges(tmp_path).lay({NINE: frozenset({"c001"})})
    SpoolEdges(tmp_path).lay({})
    assert sorted(orders(tmp_path)) == ["someone-else.call", f"watchdog-{int(NINE.timestamp())}.call"]


def test_the_watchdog_moves_on_by_a_new_file_not_by_changing_the_old(tmp_path: Path) -> None:
    road = SpoolAlarms(tmp_path)
    road.rearm_watchdog(NINE)
    (old,) = orders(tmp_path)
    road.rearm_watchdog(NINE + HOUR)
    ((new, at),) = orders(tmp_path).items()
    assert new != old
    assert at == (NINE + HOUR).timestamp()


def test_an_alarm_tells_the_pbx_its_id_and_its_kind(tmp_path: Path) -> None:
    alarm = new_alarm(AlarmKind.TRUNK_DOWN, "detail stays here", NINE)
    SpoolAlarms(tmp_path).ring(alarm)
    text = (tmp_path / f"spool/outgoing/alarm-{alarm.id}.call").read_text()
    assert f"Setvar: ALARM={alarm.id}\n" in text
    assert "Setvar: KIND=trunk_down\n" in text
    assert "detail" not in text


def test_the_watchdogs_own_alarm_is_known_by_its_id(tmp_path: Path) -> None:
    SpoolAlarms(tmp_path).rearm_watchdog(NINE)
    (file,) = (tmp_path / "spool/outgoing").iterdir()
    found = re.search(r"ALARM=(\S+)", file.read_text())
    assert found is not None
    assert kind_of(found[1]) is AlarmKind.WATCHDOG
    assert found[1].startswith("al-watchdog-")


@pytest.mark.parametrize("code", ["c1\nSetvar: X=1", "c001-c002", "", "C001", "c" * 40])
def test_what_is_no_code_is_refused_and_leaves_nothing(tmp_path: Path, code: str) -> None:
    with pytest.raises(PbxError):
        SpoolEdges(tmp_path).lay({NINE: frozenset({code})})
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_spool_that_cannot_be_written_is_said_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where a folder belongs")
    with pytest.raises(PbxError, match="cannot be written"):
        SpoolAlarms(tmp_path).rearm_watchdog(NINE)


@given(st.lists(st.from_regex(r"[a-z][a-z0-9]{1,11}", fullmatch=True), unique=True, max_size=300))
def test_every_agent_is_told_once_on_lines_that_fit(codes: list[str]) -> None:
    lines = list(_lists(codes))
    assert [code for line in lines for code in line.split("-")] == codes
    assert all(len(line) <= LONGEST_LIST for line in lines)
