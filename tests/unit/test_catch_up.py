"""After three days down: one debt for each person, calls spread over the day, and danger first."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from actors import enlist
from people_world import a_case

from callcenter.config import Settings
from callcenter.domain.books import CASES, PLANS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import Plan, PlanKind
from callcenter.domain.levels import Level
from callcenter.domain.people import Consent, ConsentKind, FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup.case_steps import climb
from callcenter.service.followup.debt_views import queue
from callcenter.service.followup.debts import line_facts, rules_of, settle, sweep
from callcenter.service.followup.dispatch import DebtRound
from callcenter.service.followup.planning import sweep_plans
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind

#: Friday evening the machine goes down; Monday at half past nine it is back.
DOWN = datetime(2026, 12, 18, 19, 0, tzinfo=SHANGHAI)
BACK = datetime(2026, 12, 21, 9, 30, tzinfo=SHANGHAI)
CAP = 24
SETTINGS = Settings(trunk={"channels": 30}, outbound={"daily_cap": CAP})  # type: ignore[arg-type]
RULES = rules_of(SETTINGS)
WORKERS = 40
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Line:
    """Forty workers fall due while the line is down; one more is in danger, and one is to be treated."""

    def __init__(self) -> None:
        self.store, self.control, self.queue = MemoryStore(), MemoryCallControl(), MemoryQueue()
        self.now = DOWN
        self.round = DebtRound.wire(self.store, self.control, self.queue, SETTINGS, lambda: self.now)
        self.placed: list[tuple[datetime, str]] = []
        with self.store() as work:
            enlist(work)
            for n in range(WORKERS):
                self._enrol(work, n)
            self._in_danger(work)
            self._treated(work)
            sweep(work, DOWN, rules=RULES)
            work.commit()

    def _enrol(self, work: UnitOfWork, n: int) -> None:
        person = f"p{n:02d}"
        phone = Phone(number=f"138000010{n:02d}")
        work.people.add(Person(id=person, code=f"P-{n:02d}", name="沈建国", phones=(phone,)))
        said = Consent(person=person, kind=ConsentKind.IVR_CHECKIN, granted=True, at=DOWN, channel="paper")
        work.people.add_consent(said)
        # Two each file: neither doubles what is owed.
        for no in ("甲", "乙"):
            since = date(2026, 11, 19) + timedelta(days=n % 3)
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{no}{n:02d}",
                    person=person,
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=since,
                )
            )

    def _in_danger(self, work: UnitOfWork) -> None:
        work.people.add(
            Person(id="risk", code="P-risk", name="陈梦瑶", phones=(Phone(number="13800009999"),))
        )
        case = climb(
            work,
            a_case("risk", Level.HIGH, DOWN),
            anchor="se-1",
            since=DOWN,
            rules=RULES,
            by="c017",
            now=DOWN,
        )
        work.book(CASES).add(case)

    def _treated(self, work: UnitOfWork) -> None:
        work.people.add(Person(id="ill", code="P-ill", name="许文", phones=(Phone(number="13800008888"),)))
        daily = Plan(
            id="pl-1",
            person="ill",
            kind=PlanKind.OTHER,
            anchor=date(2026, 12, 18),
            every_days=1,
            by="c017",
            at=DOWN,
        )
        work.book(PLANS).add(daily)
        sweep_plans(work, DOWN, RULES)

    def tick(self, word: str | None = "reached_self_ivr_ok") -> None:
        """One round; every call that goes out ends before the next one, in this word."""
        asyncio.run(self.round())
        for call in list(self.control.placed):
            self.placed.append((self.now, call.number))
            self.control.end(call.id)
            record = CallRecord(
                id=call.id,
                direction=Direction.OUTBOUND,
                outcome=Outcome.OUTBOUND,
                started_at=self.now,
                answered_at=self.now if word else None,
                ended_at=self.now + MINUTE,
                flow_outcome=word,
                hangup_cause=16,
            )
            with self.store() as work:
                work.calls.put_many([record])
                settle(work, [record], self.now + MINUTE, rules=RULES)
                work.commit()
        self.control.placed.clear()

    def a_day(self, word: str | None = "reached_self_ivr_ok") -> None:
        """Let the line run from its coming back to the end of the day's last window."""
        self.now = BACK
        while self.now < BACK.replace(hour=20):
            self.tick(word)
            self.now += 15 * MINUTE


@pytest.fixture(scope="module")
def reached() -> Line:
    """The day after the outage, on which everybody who is called is well."""
    line = Line()
    line.a_day()
    return line


def test_three_days_down_leave_one_debt_for_each_person() -> None:
    line = Line()
    with line.store() as work:
        sweep(work, BACK, rules=RULES)
        sweep_plans(work, BACK, RULES)
        owed = Counter((o.person, o.kind) for o in work.debts.open() if o.kind is not Kind.HIGH_RISK)
    assert max(owed.values()) == 1
    assert sum(kind is Kind.HARDSHIP for _, kind in owed) == WORKERS
    assert owed["ill", Kind.PLANNED] == 1


def test_nobody_gets_a_second_call_after_a_first_one_that_went_well(reached: Line) -> None:
    assert max(Counter(number for _, number in reached.placed).values()) == 1


def test_the_days_calls_are_no_more_than_the_cap_and_no_hour_has_more_than_its_share(reached: Line) -> None:
    times = sorted(at for at, _ in reached.placed)
    share = -(-CAP // 9)  # the windows leave nine hours
    assert len(times) <= CAP
    assert len(times) >= CAP - 2 * share  # and the day is used
    for at in times:
        assert sum(at <= other < at + HOUR for other in times) <= share


def test_the_machine_calls_nobody_in_danger_and_they_stand_first_for_people(reached: Line) -> None:
    assert not {"13800009999", "13800008888"} & {number for _, number in reached.placed}
    with reached.store() as work:
        facts = line_facts(work, reached.now, None, RULES)
        first = queue(work, facts)[0]
    assert (first.obligation.person, first.obligation.kind) == ("risk", Kind.HIGH_RISK)


def test_those_nobody_answered_are_tried_again_within_their_days_share_and_not_at_once() -> None:
    line = Line()
    line.a_day(word=None)
    calls: dict[str, list[datetime]] = {}
    for at, number in line.placed:
        calls.setdefault(number, []).append(at)
    assert max(map(len, calls.values())) <= 2
    assert all(later - first >= 2 * HOUR for first, later in (c for c in calls.values() if len(c) == 2))
    assert len(line.placed) <= CAP


def test_the_rest_follow_on_the_days_after_and_nobody_is_left_out() -> None:
    line = Line()
    for day in range(3):
        line.now = BACK + timedelta(days=day)
        while line.now < BACK.replace(hour=20) + timedelta(days=day):
            line.tick()
            line.now += 30 * MINUTE
    assert len({number for _, number in line.placed}) == WORKERS == len(line.placed)
