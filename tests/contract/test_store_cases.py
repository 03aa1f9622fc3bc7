"""Cases in each store: one that is open per person, also when two records are submitted at one moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from actors import enlist

from callcenter.db.unit_of_work import SqlStore
from callcenter.domain.books import CASE_EVENTS, CASES, RESCUES
from callcenter.domain.cases import Case
from callcenter.domain.levels import Level
from callcenter.domain.people import Person
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.errors import Refused
from callcenter.ports import Store
from callcenter.service.followup.case_steps import open_steps
from callcenter.service.line.risk_clock import overdue, unacknowledged
from callcenter.service.risk import case_verbs, rescues
from callcenter.service.risk.cases import follow
from scheduler.gates import Rules
from scheduler.obligations import Kind

RULES = Rules()
HOUR = timedelta(hours=1)
ACTING, PLAN = RiskAnswers(asked=True, acting=True), RiskAnswers(asked=True, plan_soon=True)


def enrol(store: Store) -> None:
    with store() as work:
        enlist(work)
        work.people.add(Person(id="p1", code="P-1", name="陈梦瑶"))
        work.commit()


def submit(store: Store, n: int, answers: RiskAnswers, at: datetime) -> str:
    row = SessionRow(id=f"se-{n}", call=f"{n}", counsellor="c017", opened_at=at)
    with store() as work:
        case = follow(
            work,
            session=row,
            person="p1",
            answers=answers,
            ended_at=at,
            actor="c017",
            now=at + HOUR,
            rules=RULES,
        )
        assert case is not None
        work.commit()
        return case.id


def test_a_case_with_its_log_and_rescue_is_kept_whole(store: Store, now: datetime) -> None:
    enrol(store)
    case_id = submit(store, 1, ACTING, now)
    with store() as work:
        view = case_verbs.see_case(work, case_id, actor="s001", now=now)
        assert (view.case.level, view.case.anchored_at) == (Level.IMMINENT, now)
        assert [e.kind for e in view.events] == ["opened"]
        rescue = view.rescues[0]
        facts = {"address": "滨湖区", "alone": "是"}
        rescues.add_step(work, rescue.id, None, note="", facts=facts, actor="s001", now=now)
        work.commit()
    with store() as work:
        assert work.book(RESCUES).get(rescue.id).facts == facts
        assert [c.case.id for c in case_verbs.list_cases(work, actor="c017")] == [case_id]


def test_the_clock_reads_what_rings_and_what_is_overdue(store: Store, now: datetime) -> None:
    enrol(store)
    case_id = submit(store, 1, PLAN, now)
    since = now + HOUR
    with store() as work:
        assert unacknowledged(work, since, RULES.risk) == ()
        (word,) = unacknowledged(work, since + HOUR, RULES.risk)
        assert word == f"{case_id}@{int(since.timestamp())}"
        assert overdue(work, now + 20 * HOUR) == ()
        (late,) = overdue(work, now + 48 * HOUR)
        assert work.debts.get(late).kind is Kind.HIGH_RISK


def test_only_the_kind_asked_for_is_read(store: Store, now: datetime) -> None:
    enrol(store)
    submit(store, 1, PLAN, now)
    with store() as work:
        assert {o.kind for o in work.debts.open(kind=Kind.HIGH_RISK)} == {Kind.HIGH_RISK}
        assert work.debts.open(kind=Kind.MID_RISK) == []
        assert len(work.debts.open(person="p1", kind=Kind.HIGH_RISK)) == len(RULES.risk.steps[1])


def test_what_happened_to_a_case_is_never_rewritten(store: Store, now: datetime) -> None:
    enrol(store)
    submit(store, 1, PLAN, now)
    with store() as work:
        (event,) = work.book(CASE_EVENTS).where()
        with pytest.raises(Refused, match="只能添加"):
            work.book(CASE_EVENTS).put(event)


def test_records_submitted_at_one_moment_open_one_case(sql_store: SqlStore, now: datetime) -> None:
    enrol(sql_store)
    many = 4
    with ThreadPoolExecutor(many) as pool:
        jobs = [
            pool.submit(submit, sql_store, n, PLAN if n % 2 else ACTING, now + n * HOUR) for n in range(many)
        ]
        ids = {job.result() for job in jobs}
    assert len(ids) == 1
    with sql_store() as work:
        (case,) = work.book(CASES).where(person="p1")
        assert _is_sound(case)
        assert any(o.kind is Kind.HIGH_RISK for o in open_steps(work, case))


def _is_sound(case: Case) -> bool:
    return case.is_open and case.level is Level.IMMINENT and len(case.steps) == len(set(case.steps))
