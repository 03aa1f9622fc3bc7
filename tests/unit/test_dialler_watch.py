"""Alarms about calling out: faults that stopped the dialler (R27), and debts that callers starve."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from callcenter.config import Alarms as AlarmSettings
from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
)
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.service.followup.debts import sweep
from callcenter.service.line.dialler import faults_in_a_row, starved
from callcenter.service.line.watch import Live, Watch
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import BY_IVR, Attempt, Obligation, Result

NOW = datetime(2026, 12, 2, 10, tzinfo=SHANGHAI)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Line:
    """A line under watch, with one worker whose check-in is two days past its end."""

    def __init__(self, *, consent: bool = True) -> None:
        self.store, self.road = MemoryStore(), MemoryAlarmRoad()
        self.watch = Watch(self.store, self.road, lambda: Live(connected=True), AlarmSettings())
        with self.store() as work:
            phones = (Phone(number="13800000001"),)
            work.people.add(Person(id="p1", code="P-1", name="沈建国", phones=phones))
            work.people.add_consent(
                Consent(
                    person="p1", kind=ConsentKind.IVR_CHECKIN, granted=consent, at=NOW - 60 * DAY, channel="x"
                )
            )
            work.people.put_file(
                HardshipFile(
                    file_no="WX-1",
                    person="p1",
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=date(2026, 10, 31),
                )
            )
            sweep(work, NOW - 9 * DAY, rules=Rules())
            work.commit()

    @property
    def debt(self) -> Obligation:
        with self.store() as work:
            return work.debts.open(person="p1")[0]

    def tried(self, *results: Result | None, at: datetime = NOW - 30 * MINUTE) -> None:
        with self.store() as work:
            owed = work.debts.open(person="p1")[0].id
            for n, result in enumerate(results, start=len(work.debts.attempts(owed)) + 1):
                when = at + n * MINUTE
                work.debts.add_attempt(
                    Attempt(
                        id=f"at-{n}",
                        obligation=owed,
                        n=n,
                        planned_at=when,
                        by=BY_IVR,
                        dialled_at=when,
                        result=result,
                    )
                )
            work.commit()

    def look(self, *moments: datetime) -> list[Alarm]:
        for moment in moments:
            self.watch.once(moment)
        with self.store() as work:
            return list(work.alarms.recent(20))


# --- the breaker -----------------------------------------------------------------------------


def test_r27_faults_in_a_row_alarm_once_with_their_count_until_a_call_works() -> None:
    line = Line()
    line.tried(*[Result.NETWORK_CONGESTION] * 3)
    assert [a.kind for a in line.look(NOW)] == []
    line.tried(Result.OWN_FAULT)
    (alarm,) = line.look(NOW + MINUTE, NOW + 2 * MINUTE, NOW + 3 * MINUTE)
    assert (alarm.kind, alarm.detail) == (AlarmKind.DIALLER_STOPPED, "faults=4")
    assert len(line.road.rung) == 1
    line.tried(Result.NO_ANSWER)
    (alarm,) = line.look(NOW + 10 * MINUTE, NOW + 13 * MINUTE)
    assert not alarm.stands


def test_a_dialler_that_stopped_before_the_weekend_is_still_told_of_after_it() -> None:
    line = Line()
    line.tried(*[Result.OWN_FAULT] * 4, at=NOW - 4 * DAY)
    with line.store() as work:
        assert faults_in_a_row(work, Rules()) == 4


# --- starvation --------------------------------------------------------------------------------


def starving(line: Line, now: datetime = NOW, rules: Rules | None = None) -> tuple[str, ...]:
    with line.store() as work:
        return starved(work, now, rules or Rules())


def test_a_debt_past_its_end_that_the_line_never_let_through_is_named() -> None:
    line = Line()
    (alarm,) = line.look(NOW)
    assert (alarm.kind, alarm.detail) == (AlarmKind.DEBT_STARVED, line.debt.id)
    assert len(line.road.rung) == 1


@pytest.mark.parametrize("result", [Result.NO_ANSWER, None])
def test_a_debt_that_was_tried_is_not_starved(result: Result | None) -> None:
    line = Line()
    line.tried(result)
    assert starving(line) == ()


def test_before_its_end_nothing_starves() -> None:
    line = Line()
    assert starving(line, line.debt.window_end - MINUTE) == ()


def test_what_only_people_may_keep_is_not_starved_by_the_line() -> None:
    assert starving(Line(consent=False)) == ()


def test_a_debt_that_came_late_gets_a_day_first() -> None:
    line = Line()
    with line.store() as work:
        work.debts.close(line_debt := work.debts.open(person="p1")[0].id, "重复登记", "s001", NOW - DAY)
        late = replace(work.debts.get(line_debt), id="ob-late", origin="x", closing=None)
        work.debts.add(replace(late, created_at=NOW - 60 * MINUTE))
        work.commit()
    assert starving(line) == ()
    assert starving(line, NOW + DAY) == ("ob-late",)


def test_a_site_that_never_dials_by_machine_starves_nobody() -> None:
    assert starving(Line(), rules=Rules(paused=True)) == ()


def test_the_starved_debt_rings_no_more_once_it_is_dialled() -> None:
    line = Line()
    line.look(NOW)
    line.tried(None, at=NOW)
    (alarm,) = line.look(NOW + 2 * MINUTE, NOW + 5 * MINUTE)
    assert not alarm.stands
