"""The risk clock through the alarm road: who rings, when, and who stops it (R14)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta

from actors import enlist

from callcenter.config import Alarms as AlarmSettings
from callcenter.domain.alarms import Alarm, AlarmAck, AlarmKind
from callcenter.domain.books import CASES
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.levels import Level
from callcenter.domain.people import FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.memory import MemoryAlarmRoad, MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import debt_rows
from callcenter.service.followup.debts import line_facts
from callcenter.service.line.alarms import on_acks
from callcenter.service.line.watch import Live, Watch
from callcenter.service.names import digest
from callcenter.service.risk import case_verbs as verbs
from callcenter.service.risk.cases import follow
from callcenter.serving.beside_pbx import LOOK
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Kind, Mode, Obligation

NOW = datetime(2026, 11, 24, 19, tzinfo=SHANGHAI)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NAME, NUMBER = "陈梦瑶", "13800001111"


class Line:
    """A quiet line under watch, with cases."""

    def __init__(self) -> None:
        self.store, self.road = MemoryStore(), MemoryAlarmRoad()
        self.watch = Watch(self.store, self.road, lambda: Live(connected=True), AlarmSettings())
        self.at = NOW
        with self.store() as work:
            enlist(work)
            for n in (1, 2, 3):
                phone = Phone(number=NUMBER[:-1] + str(n))
                work.people.add(Person(id=f"p{n}", code=f"P-{n}", name=NAME, phones=(phone,)))
            work.commit()

    def case(self, n: int, level: Level) -> str:
        case = Case(
            id=f"ca-p{n}-1",
            person=f"p{n}",
            level=level,
            state=CaseState.OPEN,
            owner="c017",
            opened_at=self.at,
            opened_from=f"se-{n}",
            alarming_since=self.at if level.is_high else None,
        )
        self.do(lambda work: work.book(CASES).add(case))
        return case.id

    def do(self, act: object) -> object:
        with self.store() as work:
            result = act(work)  # type: ignore[operator]
            work.commit()
        return result

    def run(self, length: timedelta) -> list[tuple[AlarmKind, timedelta]]:
        """Look every ten seconds for so long; return what rang, and how long after the start."""
        start, before = self.at, len(self.road.rung)
        while self.at <= start + length:
            self.watch.once(self.at)
            self.at += LOOK
        return [(a.kind, a.rung_at - start) for a in self.road.rung[before:] if a.rung_at]

    def press_1(self) -> None:
        """The supervisor presses 1 on the phone that rings."""
        alarm = self.road.rung[-1]
        self.do(lambda work: on_acks(work, [AlarmAck(alarm=alarm.id, by="s001", at=self.at)], self.at))

    def name_it(self, case_id: str) -> None:
        self.do(lambda work: verbs.acknowledge(work, case_id, actor="s001", now=self.at))

    def alarms(self) -> list[Alarm]:
        found = self.do(lambda work: list(work.alarms.open()))
        assert isinstance(found, list)
        return found


RISK = AlarmKind.RISK_UNACKNOWLEDGED


def test_r14_imminent_danger_rings_at_the_very_next_look() -> None:
    line = Line()
    line.case(1, Level.IMMINENT)
    assert line.run(SECOND) == [(RISK, timedelta(0))]
    assert LOOK <= 15 * SECOND


def test_r14_high_risk_rings_after_a_quarter_of_an_hour_without_a_name() -> None:
    line = Line()
    line.case(1, Level.HIGH)
    assert line.run(16 * MINUTE) == [(RISK, 15 * MINUTE)]


def test_a_case_with_a_supervisors_name_never_rings() -> None:
    line = Line()
    case = line.case(1, Level.HIGH)
    line.name_it(case)
    assert line.run(30 * MINUTE) == []


def test_a_case_at_level_2_rings_nobody() -> None:
    line = Line()
    line.case(1, Level.MEDIUM)
    assert line.run(30 * MINUTE) == []


def test_a_second_case_rings_at_once_although_the_first_ones_alarm_still_climbs() -> None:
    line = Line()
    line.case(1, Level.IMMINENT)
    assert len(line.run(MINUTE)) == 1
    line.case(2, Level.IMMINENT)
    assert line.run(SECOND) == [(RISK, timedelta(0))]
    assert len(line.alarms()) == 1


def test_a_new_case_rings_at_once_after_somebody_pressed_1_for_an_older_one() -> None:
    line = Line()
    line.case(1, Level.IMMINENT)
    line.run(SECOND)
    line.press_1()
    line.case(2, Level.IMMINENT)
    assert line.run(SECOND) == [(RISK, timedelta(0))]


def test_the_next_danger_of_the_same_person_rings_at_once() -> None:
    line = Line()
    case = line.case(1, Level.IMMINENT)
    line.run(SECOND)
    line.press_1()
    line.at += MINUTE

    def again(work: UnitOfWork) -> None:
        work.book(CASES).put(replace(work.book(CASES).get(case), alarming_since=line.at))

    line.do(again)
    assert line.run(SECOND) == [(RISK, timedelta(0))]


def test_pressing_1_stops_the_bell_and_leaves_the_case_without_a_name() -> None:
    line = Line()
    case = line.case(1, Level.IMMINENT)
    line.run(SECOND)
    line.press_1()
    assert line.run(14 * MINUTE) == []
    assert line.alarms() == []
    with line.store() as work:
        assert work.book(CASES).get(case).acknowledged_by is None
    assert [kind for kind, _ in line.run(2 * MINUTE)] == [RISK]


def test_a_name_on_every_case_ends_the_climb() -> None:
    line = Line()
    cases = [line.case(n, Level.IMMINENT) for n in (1, 2)]
    line.run(SECOND)
    line.name_it(cases[0])
    assert len(line.alarms()) == 1
    line.name_it(cases[1])
    assert line.alarms() == []
    assert line.run(30 * MINUTE) == []


def test_an_overdue_contact_rings_at_once_and_again_hours_later() -> None:
    line = Line()
    step = _step(line.at + MINUTE)
    line.do(lambda work: work.debts.add(step))
    assert line.run(2 * MINUTE) == [(AlarmKind.RISK_OVERDUE, MINUTE + LOOK)]
    line.press_1()
    rang = line.run(5 * HOUR)
    assert [kind for kind, _ in rang[:1]] == [AlarmKind.RISK_OVERDUE]
    assert rang[0][1] >= 4 * HOUR - LOOK


def test_an_overdue_contact_at_medium_risk_rings_nobody() -> None:
    line = Line()
    line.do(lambda work: work.debts.add(replace(_step(line.at), kind=Kind.MID_RISK)))
    assert line.run(HOUR) == []


def test_an_alarm_says_nothing_of_the_person() -> None:
    line = Line()
    line.case(1, Level.IMMINENT)
    line.do(lambda work: work.debts.add(_step(line.at)))
    line.run(MINUTE)
    details = [alarm.detail for alarm in line.road.rung]
    assert {alarm.kind for alarm in line.road.rung} == {RISK, AlarmKind.RISK_OVERDUE}
    assert not any(secret in detail for detail in details for secret in (NAME, NUMBER[:-1], "p1@"))


def test_s25_no_word_of_an_alarm_stands_in_what_the_archives_side_sees() -> None:
    """Who sees alarms and the clerk's list learns nothing by laying them side by side."""
    line = Line()
    file = HardshipFile(
        file_no="WX-1", person="p1", grade=Grade.DEEP, status=FileStatus.ACTIVE, since=date(2026, 9, 1)
    )
    row = SessionRow(id="se-1", call="1", counsellor="c017", opened_at=line.at)
    danger = RiskAnswers(asked=True, acting=True)

    def happens(work: UnitOfWork) -> None:
        work.people.put_file(file)
        follow(
            work,
            session=row,
            person="p1",
            answers=danger,
            ended_at=line.at,
            actor="c017",
            now=line.at,
            rules=Rules(),
        )

    line.do(happens)
    line.run(6 * HOUR)
    told = {word for alarm in line.road.rung for word in re.split(r"[ @=/-]", alarm.detail)}
    assert {alarm.kind for alarm in line.road.rung} == {RISK, AlarmKind.RISK_OVERDUE}
    with line.store() as work:
        facts = line_facts(work, line.at, None, Rules())
        files = debt_rows.files(work, actor="k001", now=facts.now)
        seen = [*debt_rows.owed(work, facts, actor="k001").rows, *files.rows]
    shown = {part for one in seen for value in one.values() for part in re.split(r"[ @=/-]", str(value))}
    assert seen
    assert told & shown <= {"ob", "ca"}
    assert not any(person in word for person in ("p1", "P-1", digest("p1")) for word in told)


def _step(breach: datetime) -> Obligation:
    return Obligation(
        id="ob-risk1",
        person="p3",
        kind=Kind.HIGH_RISK,
        due_at=breach - HOUR,
        window_end=breach,
        mode=Mode.HUMAN_ONLY,
        priority=1,
        origin="ca-p3-1/se-3/24h",
        detail="case=ca-p3-1&step=24h&level=1",
        created_at=breach - 24 * HOUR,
    )
