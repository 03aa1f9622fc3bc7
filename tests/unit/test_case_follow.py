"""Following a record: the person's case, what they are owed, and when (R12, R20, R21)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.alarms import AlarmKind
from callcenter.domain.books import ASSESSMENTS, CASE_EVENTS, CASES, RESCUES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseState, RescueState
from callcenter.domain.instruments import checksum_of, load_instruments
from callcenter.domain.levels import Level
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.errors import Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.ports import UnitOfWork
from callcenter.service.followup.case_steps import open_steps, step_name
from callcenter.service.risk.cases import follow
from callcenter.words import ALARMS, CASE_WORDS, KIND_WORDS, LEVEL_WORDS, RESCUE_WORDS
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Attempt, Kind, Mode, Obligation

ENDED = datetime(2026, 11, 24, 15, 20, tzinfo=SHANGHAI)
NOW = ENDED + timedelta(minutes=20)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules()


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """陈梦瑶 has called; 林晓燕 writes the record."""
    with MemoryStore()() as unit:
        enlist(unit)
        unit.people.add(Person(id="p1", code="P-7F3K", name="陈梦瑶", phones=(Phone(number="13800001111"),)))
        yield unit


def answers(**more: object) -> RiskAnswers:
    return RiskAnswers(asked=True, **more)  # type: ignore[arg-type]


PLAN, THOUGHTS, ACTING = answers(plan_soon=True), answers(thoughts=True), answers(acting=True)


def told(
    work: UnitOfWork,
    said: RiskAnswers,
    *,
    session: str = "se-1",
    ended_at: datetime = ENDED,
    actor: str = "c017",
    person: str | None = "p1",
    later: timedelta = timedelta(minutes=20),
) -> Case | None:
    row = SessionRow(id=session, call=session.removeprefix("se-"), counsellor=actor, opened_at=ended_at)
    return follow(
        work,
        session=row,
        person=person,
        answers=said,
        ended_at=ended_at,
        actor=actor,
        now=ended_at + later,
        rules=RULES,
    )


def case(work: UnitOfWork, said: RiskAnswers, **more: object) -> Case:
    found = told(work, said, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def owed(work: UnitOfWork, person: str = "p1") -> list[Obligation]:
    return sorted(work.debts.open(person=person), key=lambda o: o.due_at)


def dues(work: UnitOfWork) -> list[str]:
    return [o.due_at.astimezone(SHANGHAI).strftime("%m-%d %H:%M") for o in owed(work)]


def test_r20_a_plan_within_72_hours_opens_a_case_and_its_ladder_from_the_end_of_the_call(
    work: MemoryUnit,
) -> None:
    opened = case(work, PLAN)
    assert (opened.level, opened.state, opened.owner) == (Level.HIGH, CaseState.ACTIVE, "c017")
    assert dues(work) == ["11-25 15:20", "12-01 10:00", "12-24 10:00", "02-24 10:00", "05-24 10:00"]
    assert {o.kind for o in owed(work)} == {Kind.HIGH_RISK}


def test_how_urgent_somebody_is_makes_the_telephone_system_look_at_once(work: MemoryUnit) -> None:
    before = work.roster.revision()
    case(work, PLAN)
    opened = work.roster.revision()
    assert opened > before
    case(work, ACTING, session="se-2", ended_at=ENDED + timedelta(hours=1))
    assert work.roster.revision() > opened


def test_r21_whoever_is_followed_is_followed_by_people_only(work: MemoryUnit) -> None:
    case(work, PLAN)
    assert {o.mode for o in owed(work)} == {Mode.HUMAN_ONLY}


def test_thoughts_without_a_plan_are_followed_after_72_hours(work: MemoryUnit) -> None:
    assert case(work, THOUGHTS).level is Level.MEDIUM
    assert dues(work) == ["11-27 15:20", "12-08 10:00", "12-24 10:00"]
    assert {o.kind for o in owed(work)} == {Kind.MID_RISK}


def test_an_attempt_in_progress_is_owed_a_call_within_two_hours_and_a_rescue_form(work: MemoryUnit) -> None:
    opened = case(work, ACTING)
    first = owed(work)[0]
    assert (first.due_at, first.window_end) == (ENDED, ENDED + 2 * HOUR)
    (rescue,) = work.book(RESCUES).where(case=opened.id)
    assert (rescue.state, rescue.session) == (RescueState.NEEDED, "se-1")


def test_an_ordinary_call_opens_no_case(work: MemoryUnit) -> None:
    assert told(work, answers(given=Level.GENERAL)) is None
    assert told(work, answers(given=Level.INFORMATION)) is None
    assert told(work, answers()) is None
    assert work.debts.open() == []


def test_a_question_that_was_not_asked_lowers_nothing(work: MemoryUnit) -> None:
    case(work, PLAN)
    silent = RiskAnswers(asked=False, given=Level.INFORMATION)
    assert case(work, silent, session="se-2", ended_at=ENDED + DAY).level is Level.HIGH


def test_a_reason_lowers_nothing_where_nobody_asked(work: MemoryUnit) -> None:
    case(work, THOUGHTS)
    silent = RiskAnswers(asked=False, given=Level.INFORMATION, given_reason="聊得轻松,没有问")
    assert case(work, silent, session="se-2", ended_at=ENDED + DAY).level is Level.MEDIUM


def test_the_same_record_amended_changes_nothing(work: MemoryUnit) -> None:
    first = case(work, PLAN)
    before = owed(work)
    assert case(work, PLAN, later=HOUR) == first
    assert owed(work) == before
    assert len(work.book(CASES).where(person="p1")) == 1


def test_an_amended_record_raises_the_level_and_its_ladder(work: MemoryUnit) -> None:
    case(work, THOUGHTS)
    raised = case(work, PLAN, later=HOUR)
    assert raised.level is Level.HIGH
    assert dues(work)[0] == "11-25 15:20"
    assert {o.kind for o in owed(work)} == {Kind.HIGH_RISK}


def test_another_call_at_the_same_level_restarts_the_ladder_and_keeps_the_history(work: MemoryUnit) -> None:
    first = case(work, PLAN)
    again = case(work, PLAN, session="se-2", ended_at=ENDED + 3 * HOUR)
    assert again.id == first.id
    assert dues(work)[0] == "11-25 18:20"
    assert len(owed(work)) == 5
    superseded = [work.debts.get(step) for step in first.steps]
    assert all(o.closing is not None and o.closing.by == "c017" for o in superseded)


def test_a_step_already_breached_stays_owed_when_the_ladder_restarts(work: MemoryUnit) -> None:
    case(work, PLAN)
    case(work, PLAN, session="se-2", ended_at=ENDED + 2 * DAY)
    assert dues(work)[:2] == ["11-25 15:20", "11-27 15:20"]
    assert len(owed(work)) == 6


def test_an_older_call_written_up_late_restarts_nothing(work: MemoryUnit) -> None:
    case(work, PLAN, session="se-2", ended_at=ENDED)
    before = owed(work)
    case(work, PLAN, session="se-1", ended_at=ENDED - DAY, later=2 * DAY)
    assert owed(work) == before


def test_the_owner_is_kept_when_another_counsellor_takes_the_next_call(work: MemoryUnit) -> None:
    case(work, PLAN)
    assert case(work, PLAN, session="se-2", ended_at=ENDED + HOUR, actor="s001").owner == "c017"


def test_r12_a_milder_level_than_what_was_found_needs_a_reason(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match="理由"):
        told(work, replace(THOUGHTS, given=Level.GENERAL))
    mild = replace(THOUGHTS, given=Level.GENERAL, given_reason="一时气话,已核实")
    assert told(work, mild) is None


def test_r12_below_high_risk_one_person_only_proposes(work: MemoryUnit) -> None:
    opened = case(work, replace(PLAN, given=Level.MEDIUM, given_reason="计划已放弃,家人陪同"))
    assert opened.level is Level.HIGH
    assert opened.proposed is not None
    assert (opened.proposed.level, opened.proposed.by) == (Level.MEDIUM, "c017")
    assert {o.kind for o in owed(work)} == {Kind.HIGH_RISK}


def test_a_milder_next_call_lowers_nothing_by_itself(work: MemoryUnit) -> None:
    case(work, THOUGHTS)
    assert (
        case(work, answers(given=Level.GENERAL), session="se-2", ended_at=ENDED + DAY).level is Level.MEDIUM
    )


def test_a_milder_next_call_with_a_reason_lowers_level_2_and_keeps_what_is_overdue(work: MemoryUnit) -> None:
    case(work, THOUGHTS)
    mild = answers(given=Level.GENERAL, given_reason="已无想法,有家人陪伴")
    lowered = case(work, mild, session="se-2", ended_at=ENDED + 10 * DAY)
    assert lowered.level is Level.GENERAL
    assert dues(work) == ["11-27 15:20"]


def test_an_old_record_amended_for_a_typo_does_not_lower_what_a_newer_one_found(work: MemoryUnit) -> None:
    mild = answers(thoughts=True, given=Level.GENERAL, given_reason="一时气话")
    told(work, mild)
    case(work, THOUGHTS, session="se-2", ended_at=ENDED + DAY)
    assert case(work, mild, later=3 * DAY).level is Level.MEDIUM


def test_danger_to_nobody_is_refused(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match="匿名"):
        told(work, PLAN, person=None)
    assert told(work, answers(given=Level.INFORMATION), person=None) is None


def test_a_call_that_was_dialled_for_a_step_keeps_that_step(work: MemoryUnit) -> None:
    case(work, PLAN)
    step = owed(work)[0]
    dialled = ENDED + DAY
    work.debts.add_attempt(Attempt(id="at-1", obligation=step.id, n=1, planned_at=dialled, by="c017"))
    record = CallRecord(
        id="at-1",
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=dialled,
        answered_at=dialled,
        ended_at=dialled + HOUR,
        answered_by="c017",
    )
    work.calls.put_many([record])
    case(work, THOUGHTS, session="se-at-1", ended_at=dialled + HOUR)
    assert [p.reference for p in work.debts.evidence(step.id)] == ["at-1"]
    assert step.id not in {o.id for o in owed(work)}


def test_instruments_are_kept_with_version_and_checksum_once(work: MemoryUnit) -> None:
    said = answers(items={"phq9": {f"phq9_{n}": 2 for n in range(1, 9)}}, scores={"beijing": 9})
    assert case(work, said).level is Level.HIGH
    case(work, said, later=HOUR)
    kept = {a.instrument: a for a in work.book(ASSESSMENTS).where(session="se-1")}
    assert len(work.book(ASSESSMENTS).where(session="se-1")) == 2
    assert (kept["phq9"].score, kept["phq9"].level, kept["phq9"].version) == (18.0, Level.MEDIUM, "1")
    assert (kept["beijing"].score, kept["beijing"].answers, kept["beijing"].band) == (9.0, {}, "高")


def test_an_unknown_instrument_is_refused_by_name(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match="mmpi"):
        told(work, answers(scores={"mmpi": 3}))


def test_a_merged_person_has_one_case(work: MemoryUnit) -> None:
    first = case(work, PLAN)
    work.people.add(Person(id="p2", code="P-8G4L", merged_into="p1"))
    assert case(work, PLAN, session="se-2", ended_at=ENDED + HOUR, person="p2").id == first.id


def test_what_the_case_log_and_the_audit_say(work: MemoryUnit) -> None:
    opened = case(work, replace(PLAN, given=Level.MEDIUM, given_reason="计划已放弃"))
    events = sorted(e.kind for e in work.book(CASE_EVENTS).where(case=opened.id))
    assert events == ["opened", "proposed"]
    about = [e for e in work.audit.recent(100) if e.object == f"case:{opened.id}"]
    assert {e.verb for e in about} == {"case.opened", "case.proposed"}
    assert all("放弃" not in f"{e}" for e in about)


def test_steps_say_what_they_are(work: MemoryUnit) -> None:
    opened = case(work, PLAN)
    named = [step_name(o) for o in sorted(open_steps(work, opened), key=lambda o: o.due_at)]
    assert named == ["24h", "7d", "1mo", "3mo", "6mo"]


def test_an_agreed_contact_is_owed_at_its_time_and_no_ladder_takes_it_back(work: MemoryUnit) -> None:
    at = ENDED + 5 * DAY
    first = case(work, answers(given=Level.GENERAL, follow_up_at=at))
    assert first.level is Level.GENERAL
    assert [(o.kind, o.due_at) for o in owed(work)] == [(Kind.FOLLOW_UP, at)]
    case(work, THOUGHTS, session="se-2", ended_at=ENDED + DAY)
    assert Kind.FOLLOW_UP in {o.kind for o in owed(work)}


def test_another_time_agreed_in_an_amended_record_takes_the_place_of_the_first(work: MemoryUnit) -> None:
    case(work, answers(given=Level.GENERAL, follow_up_at=ENDED + 5 * DAY))
    case(work, answers(given=Level.GENERAL, follow_up_at=ENDED + 6 * DAY), later=HOUR)
    assert [o.due_at for o in owed(work)] == [ENDED + 6 * DAY]


def test_a_scale_that_changed_while_its_version_did_not_is_refused(work: MemoryUnit) -> None:
    known = load_instruments()
    softer = replace(known["beijing"], floors=())
    changed = {**known, "beijing": replace(softer, checksum=checksum_of(softer))}
    case(work, answers(scores={"beijing": 9}))
    row = SessionRow(id="se-2", call="2", counsellor="c017", opened_at=NOW)
    with pytest.raises(Refused, match="version"):
        follow(
            work,
            session=row,
            person="p1",
            answers=answers(scores={"beijing": 9}),
            ended_at=NOW,
            actor="c017",
            now=NOW,
            rules=RULES,
            instruments=changed,
        )


def test_every_kind_of_debt_and_alarm_has_its_words() -> None:
    assert KIND_WORDS.keys() == set(Kind)
    assert ALARMS.keys() == set(AlarmKind)
    assert CASE_WORDS.keys() == set(CaseState)
    assert RESCUE_WORDS.keys() == set(RescueState)
    assert LEVEL_WORDS.keys() == {int(level) for level in Level}
