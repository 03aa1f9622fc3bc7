"""An answered call without a record a day later is told to a supervisor, by day, as a count (I2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from actors import enlist

from callcenter.config import Alarms as AlarmSettings
from callcenter.domain.alarms import Alarm, AlarmAck, AlarmKind
from callcenter.domain.sessions import SessionRow, SessionStatus
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.service.line.alarms import on_acks
from callcenter.service.line.watch import Live, Watch
from scheduler.cadence import SHANGHAI

MISSING = AlarmKind.RECORD_MISSING
TALKED = datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Line:
    """A quiet line with one call nobody has written up."""

    def __init__(self, talked: datetime = TALKED) -> None:
        self.store, self.road = MemoryStore(), MemoryAlarmRoad()
        self.watch = Watch(self.store, self.road, lambda: Live(connected=True), AlarmSettings())
        self.row = SessionRow(id="se-1", call="pbx1-1.7", counsellor="c017", opened_at=talked)
        with self.store() as work:
            enlist(work)
            work.sessions.open_many([self.row])
            work.commit()

    def rung(self, start: datetime, end: datetime) -> list[datetime]:
        """Look every five minutes; return when something rang."""
        before, at = len(self.road.rung), start
        while at <= end:
            self.watch.once(at)
            at += 5 * MINUTE
        new = self.road.rung[before:]
        assert {alarm.kind for alarm in new} <= {MISSING}
        return [alarm.rung_at for alarm in new if alarm.rung_at]

    def written(self) -> None:
        with self.store() as work:
            done = replace(self.row, status=SessionStatus.SUBMITTED, version=1, submitted_at=TALKED)
            work.sessions.update(done, seen=0)
            work.commit()

    def press_1(self, at: datetime) -> None:
        with self.store() as work:
            on_acks(work, [AlarmAck(alarm=self.road.rung[-1].id, by="s001", at=at)], at)
            work.commit()

    def open(self) -> list[Alarm]:
        with self.store() as work:
            return list(work.alarms.open())


def test_i2_a_record_missing_after_a_day_rings_and_not_before() -> None:
    line = Line()
    assert line.rung(TALKED + HOUR, TALKED + DAY) == []
    assert line.rung(TALKED + DAY + MINUTE, TALKED + DAY + 2 * MINUTE) == [TALKED + DAY + MINUTE]
    assert [alarm.detail for alarm in line.road.rung] == ["records=1"]


def test_a_record_written_in_time_rings_nobody() -> None:
    line = Line()
    line.written()
    assert line.rung(TALKED + DAY, TALKED + 2 * DAY) == []


def test_i2_nobody_is_woken_for_a_record_and_the_morning_tells_of_it() -> None:
    line = Line(talked=TALKED.replace(hour=23))
    morning = (TALKED + 2 * DAY).replace(hour=9)
    assert line.rung(TALKED.replace(hour=23) + DAY, morning - 5 * MINUTE) == []
    assert line.rung(morning, morning) == [morning]


def test_an_alarm_nobody_answered_by_day_keeps_still_at_night() -> None:
    line = Line()
    rang = line.rung(TALKED + DAY, TALKED + 3 * DAY)
    assert len(rang) > 5
    assert {at.astimezone(SHANGHAI).hour for at in rang} <= {9, 10, 11, *range(14, 20)}


def test_after_somebody_pressed_1_it_rings_again_a_day_later() -> None:
    line = Line()
    due = TALKED + DAY + MINUTE
    assert line.rung(due, due) == [due]
    line.press_1(due + MINUTE)
    assert line.rung(due + 5 * MINUTE, due + DAY - 5 * MINUTE) == []
    # Acknowledged a minute after it rang: a day after that.
    assert line.rung(due + DAY, due + DAY + 5 * MINUTE) == [due + DAY + 5 * MINUTE]


def test_what_is_written_at_last_is_recorded_as_gone() -> None:
    line = Line()
    line.rung(TALKED + DAY + MINUTE, TALKED + DAY + MINUTE)
    line.written()
    line.rung(TALKED + DAY + 10 * MINUTE, TALKED + DAY + 20 * MINUTE)
    (alarm,) = line.open()
    assert alarm.cleared_at is not None
