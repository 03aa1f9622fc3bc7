"""The line calls itself once a day: proven by its journal row, alarmed by its absence."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callcenter.config import Site
from callcenter.domain.alarms import AlarmKind
from callcenter.errors import InDoubt, PbxUnreachable
from callcenter.memory import MemoryAlarmRoad, MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.service.line.alarms import Bell
from callcenter.service.line.self_dial import (
    AT,
    CURRENT,
    JournalEar,
    SelfDial,
    is_due,
    last_self_dial,
    self_dial,
    settle,
)

NOW = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
ROW = (
    '"USER_DEFINED","SELFDIAL","{at:.6f}","051085000966","back","hotline-selfdial","PJSIP/trunk-00000002",'
    '"CELGenUserEvent","1795442047.2","1795442047.2","","{{""extra"":""probe={probe}&members={members}""}}"\n'
)


class Line:
    """A line with a clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW
        self.queue = MemoryQueue()
        self.calls = MemoryCallControl()
        self.facts_at_dialling: dict[str, str] = {}
        self.comes_back = True

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def heard(self, probe: str) -> int | None:
        self.facts_at_dialling = self.facts_at_dialling or dict(self.queue.pushed)
        return 2 if self.comes_back and self.now >= NOW + timedelta(seconds=3) else None

    def dial(self) -> SelfDial:
        job = self_dial(self.queue, self.calls, self.heard, Site(), lambda: self.now, sleep=self.sleep)
        return asyncio.run(job)


def test_the_line_works() -> None:
    line = Line()
    result = line.dial()
    assert (result.works, result.members, result.took) == (True, 2, timedelta(seconds=3))
    (call,) = line.calls.placed
    assert (call.number, call.shown_number, call.id) == ("4000850966", "051085000966", result.probe)
    assert line.facts_at_dialling == {CURRENT: result.probe, AT: str(int(NOW.timestamp()))}


def test_a_probe_leaves_no_mark_and_no_call_behind() -> None:
    line = Line()
    line.dial()
    assert line.queue.pushed == {}
    assert line.calls.live == set()


def test_the_call_never_comes_back() -> None:
    line = Line()
    line.comes_back = False
    assert line.dial().problem == "not_heard"
    assert line.now >= NOW + timedelta(seconds=60)


def test_the_pbx_is_gone() -> None:
    line = Line()
    line.calls.failing = PbxUnreachable()
    assert line.dial().problem == "not_placed"


def test_a_call_in_doubt_is_settled_by_the_journal() -> None:
    line = Line()
    line.calls.failing = InDoubt()
    assert line.dial().works


def test_a_failure_alarms_and_the_next_success_ends_its_cause() -> None:
    store, road = MemoryStore(), MemoryAlarmRoad()
    bell = Bell(store, road)
    settle(bell, SelfDial(probe="sd-1", at=NOW, problem="not_heard"), NOW)
    assert [alarm.kind for alarm in road.rung] == [AlarmKind.SELF_DIAL_FAILED]
    settle(bell, SelfDial(probe="sd-2", at=NOW, members=1), NOW + timedelta(minutes=9))
    with store() as work:
        (alarm,) = work.alarms.open()
        assert alarm.cleared_at == NOW + timedelta(minutes=9)
        assert last_self_dial(work) == NOW + timedelta(minutes=9)


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, datetime(2026, 11, 23, 8, 29, tzinfo=SHANGHAI), False),
        (None, datetime(2026, 11, 23, 8, 30, tzinfo=SHANGHAI), True),
        (
            datetime(2026, 11, 23, 8, 30, tzinfo=SHANGHAI),
            datetime(2026, 11, 23, 23, 0, tzinfo=SHANGHAI),
            False,
        ),
        (datetime(2026, 11, 22, 8, 30, tzinfo=SHANGHAI), datetime(2026, 11, 23, 9, 0, tzinfo=SHANGHAI), True),
        (datetime(2026, 11, 22, 23, 0, tzinfo=UTC), datetime(2026, 11, 23, 0, 31, tzinfo=UTC), True),
    ],
)
def test_once_a_day_and_made_up_for_after_an_outage(last: datetime | None, now: datetime, due: bool) -> None:
    assert is_due(last, now, time(8, 30), SHANGHAI) is due


def _row(probe: str, members: int = 3) -> bytes:
    return ROW.format(at=NOW.timestamp(), probe=probe, members=members).encode()


def test_the_ear_hears_its_own_probe_only(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    journal.write_bytes(_row("sd-old"))
    ear = JournalEar(tmp_path)
    with journal.open("ab") as out:
        out.write(b'"CHAN_START","","1.0","1380%5C0\xff\n' + _row("sd-other") + _row("sd-mine", 2))
    assert ear("sd-mine") == 2
    assert ear("sd-old") is None
    assert ear("sd-min") is None


def test_the_ear_hears_through_a_rotation(tmp_path: Path) -> None:
    journal = tmp_path / "journal.csv"
    journal.write_bytes(_row("sd-old"))
    ear = JournalEar(tmp_path)
    journal.rename(tmp_path / "journal.csv.1")
    assert ear("sd-mine") is None
    journal.write_bytes(_row("sd-mine", 0))
    assert ear("sd-mine") == 0


def test_no_journal_yet_is_silence(tmp_path: Path) -> None:
    assert JournalEar(tmp_path / "cel-custom")("sd-mine") is None
