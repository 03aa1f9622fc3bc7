"""People in danger and the line's machines: no automated call, and the first place in the queue (R21)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.debts import line_facts, situation_of, sweep
from callcenter.service.followup.settling import settle
from callcenter.service.line.wanted import pbx_wants
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Gate, Line, Rules, Verdict, check, check_human, step_of
from scheduler.ladder import Who
from scheduler.obligations import BY_IVR, Attempt, Kind, Obligation, Result

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
NIGHT = NOW.replace(hour=23, minute=30)
NUMBER, NAME = "13800001111", "陈梦瑶"
RULES = Rules()


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """陈梦瑶, who has a hardship file and agreed to automated calls."""
    with MemoryStore()() as unit:
        enlist(unit)
        roles = frozenset({Role.COUNSELLOR})
        unit.users.add(User(code="c018", name="王芳", roles=roles, phone=PhoneKind.SIP))
        unit.people.add(Person(id="p1", code="P-1", name=NAME, phones=(Phone(number=NUMBER),)))
        consent = Consent(person="p1", kind=ConsentKind.IVR_CHECKIN, granted=True, at=NOW, channel="paper")
        unit.people.add_consent(consent)
        unit.people.put_file(
            HardshipFile(
                file_no="WX-1",
                person="p1",
                grade=Grade.DEEP,
                status=FileStatus.ACTIVE,
                since=date(2026, 10, 1),
            )
        )
        sweep(unit, NOW)
        yield unit


def danger(work: MemoryUnit, at: datetime = NOW - timedelta(days=2), by: str = "c018", **more: bool) -> Case:
    row = SessionRow(id="se-1", call="c1", counsellor=by, opened_at=at)
    answers = RiskAnswers(asked=True, **(more or {"plan_soon": True}))
    found = follow(
        work, session=row, person="p1", answers=answers, ended_at=at, actor=by, now=at, rules=RULES
    )
    assert found is not None
    return found


def routine(work: MemoryUnit) -> Obligation:
    return next(o for o in work.debts.open(person="p1") if o.kind is Kind.HARDSHIP)


def refused(verdicts: tuple[Verdict, ...]) -> set[Gate]:
    return {v.gate for v in verdicts if not v.passed}


def gates(work: MemoryUnit, one: Obligation, now: datetime = NOW, human: bool = False) -> set[Gate]:
    facts = line_facts(work, now, Line(waiting=0, free_channels=4), RULES)
    situation = situation_of(work, one, facts)
    return refused(check_human(situation) if human else check(situation))


def test_r21_no_machine_calls_somebody_at_high_risk_even_for_a_routine_check_in(work: MemoryUnit) -> None:
    assert gates(work, routine(work)) == set()
    danger(work)
    assert Gate.HUMAN_ONLY in gates(work, routine(work))
    facts = line_facts(work, NOW, None, RULES)
    assert step_of(situation_of(work, routine(work), facts)).who is Who.HUMAN


def test_somebody_at_medium_risk_may_still_have_their_routine_call(work: MemoryUnit) -> None:
    danger(work, thoughts=True)
    assert gates(work, routine(work)) == set()


def test_r21_key_1_of_an_automated_call_keeps_no_step_of_a_case(work: MemoryUnit) -> None:
    case = danger(work)
    step = work.debts.get(case.steps[0])
    work.debts.add_attempt(Attempt(id="at-1", obligation=step.id, n=1, planned_at=NOW, by=BY_IVR))
    pressed = CallRecord(
        id="at-1",
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=NOW,
        answered_at=NOW,
        ended_at=NOW + timedelta(minutes=1),
        flow_outcome=Result.REACHED_SELF_IVR_OK,
    )
    settle(work, [pressed], NOW)
    assert work.debts.evidence(step.id) == []


def test_who_refused_every_call_may_be_called_by_a_person_while_in_danger(work: MemoryUnit) -> None:
    step = work.debts.get(danger(work).steps[0])
    wish = Suppression(person="p1", kind=SuppressionKind.ALL_OUTBOUND, at=NOW, reason="key 9")
    work.people.add_suppression(wish)
    assert gates(work, step, human=True) == set()
    assert Gate.SUPPRESSED in gates(work, routine(work), human=True)


def test_at_night_a_person_may_be_rung_in_the_first_hours_of_an_imminent_danger_only(
    work: MemoryUnit,
) -> None:
    high = work.debts.get(danger(work).steps[0])
    assert gates(work, high, now=NIGHT, human=True) == {Gate.OUTSIDE_WINDOW}
    now = danger(work, at=NIGHT, acting=True)
    steps = [work.debts.get(step) for step in now.steps]
    first = next(o for o in steps if o.due_at == NIGHT and o.closing is None)
    assert gates(work, first, now=NIGHT, human=True) == set()


# --- what the PBX is told ---------------------------------------------------------------------


def key(family: str, number: str = NUMBER) -> str:
    return f"hotline-{family}/{hashlib.sha1(f'S{number}'.encode()).hexdigest()}"  # noqa: S324


def told(work: MemoryUnit) -> dict[str, str]:
    return dict(pbx_wants(work, NOW, salt="S").facts)


def test_the_pbx_is_told_of_high_risk_by_a_salted_key_and_of_no_person(work: MemoryUnit) -> None:
    assert "high_risk" not in told(work).get(key("fact"), "")
    danger(work)
    facts = told(work)
    assert facts[key("fact")] == "owed&high_risk"
    assert facts[key("prio")] == "9"
    secrets = (NAME, NUMBER, "p1", "ca-")
    assert not any(secret in text for pair in facts.items() for text in pair for secret in secrets)


def test_a_case_at_medium_risk_goes_before_others_and_says_nothing_of_danger(work: MemoryUnit) -> None:
    danger(work, thoughts=True)
    facts = told(work)
    assert (facts[key("fact")], facts[key("prio")]) == ("owed", "8")


def test_the_cases_owner_is_rung_first_whoever_tried_last(work: MemoryUnit) -> None:
    work.users.update(replace(work.users.get("c017"), phone=PhoneKind.SIP))
    danger(work)
    attempt = Attempt(id="at-9", obligation=routine(work).id, n=1, planned_at=NOW, by="c017")
    work.debts.add_attempt(attempt)
    assert told(work)[key("owner")] == "c018"


def test_of_two_people_with_one_number_the_one_in_danger_decides(work: MemoryUnit) -> None:
    work.people.add(Person(id="p0", code="P-0", name="陈卫国", phones=(Phone(number=NUMBER),)))
    work.people.add(Person(id="p9", code="P-9", name="陈卫民", phones=(Phone(number=NUMBER),)))
    danger(work)
    assert "high_risk" in told(work)[key("fact")]
    assert told(work)[key("owner")] == "c018"


def test_a_number_of_an_entry_that_was_merged_tells_of_the_case_too(work: MemoryUnit) -> None:
    other = "13800002222"
    work.people.add(Person(id="p2", code="P-2", phones=(Phone(number=other),), merged_into="p1"))
    danger(work)
    assert "high_risk" in told(work)[key("fact", other)]
