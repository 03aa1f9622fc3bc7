"""What people do with a case: who may, what it takes, and what stays owed (R12, R26, I3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.alarms import AlarmKind
from callcenter.domain.books import CASE_EVENTS, CASES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseState, CloseReason, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.people import Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryStore, MemoryUnit
from callcenter.service.followup.debts import close as close_debt
from callcenter.service.followup.debts import done_by_call, done_by_visit
from callcenter.service.line.alarms import raise_alarm
from callcenter.service.risk import case_verbs as verbs
from callcenter.service.risk import rescues
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Attempt, Kind, Result

ENDED = datetime(2026, 11, 24, 15, 20, tzinfo=SHANGHAI)
NOW = ENDED + timedelta(minutes=20)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules()
HIGH, MEDIUM = RiskAnswers(asked=True, plan_soon=True), RiskAnswers(asked=True, thoughts=True)


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """陈梦瑶, two counsellors, two supervisors."""
    with MemoryStore()() as unit:
        enlist(unit)
        for code, role in (("c018", Role.COUNSELLOR), ("s002", Role.SUPERVISOR)):
            unit.users.add(User(code=code, name="吴倩", roles=frozenset({role})))
        unit.people.add(Person(id="p1", code="P-7F3K", name="陈梦瑶", phones=(Phone(number="13800001111"),)))
        yield unit


def opened(work: MemoryUnit, answers: RiskAnswers = HIGH) -> Case:
    row = SessionRow(id="se-1", call="1", counsellor="c017", opened_at=ENDED)
    found = follow(
        work, session=row, person="p1", answers=answers, ended_at=ENDED, actor="c017", now=NOW, rules=RULES
    )
    assert found is not None
    return found


def kinds(work: MemoryUnit) -> set[Kind]:
    return {o.kind for o in work.debts.open(person="p1")}


def lower(work: MemoryUnit, case: Case, by: str = "c017", level: Level = Level.MEDIUM) -> Case:
    return verbs.lower(work, case.id, level, reason="家人已陪同就医", actor=by, now=NOW + HOUR, rules=RULES)


def confirm(work: MemoryUnit, case: Case, by: str = "s001", seen: Level | CloseReason | None = None) -> Case:
    """Confirm what is proposed, unless another thing was `seen`."""
    now = work.book(CASES).get(case.id)
    waits = now.ending.reason if now.ending else now.proposed.level if now.proposed else Level.MEDIUM
    return verbs.confirm(
        work, case.id, waits if seen is None else seen, actor=by, now=NOW + 2 * HOUR, rules=RULES
    )


def close(work: MemoryUnit, case: Case, why: CloseReason, by: str = "c017") -> Case:
    return verbs.close(work, case.id, why, note="已在门诊随诊", actor=by, now=NOW + HOUR, rules=RULES)


# --- whose it is ----------------------------------------------------------------------------


def test_a_case_is_taken_up_by_its_owner_and_by_nobody_else(work: MemoryUnit) -> None:
    case = opened(work)
    with pytest.raises(Refused, match="c017"):
        verbs.take(work, case.id, actor="c018", now=NOW)
    assert case.state is CaseState.ACTIVE
    assert verbs.take(work, case.id, actor="c017", now=NOW).owner == "c017"


def test_a_supervisor_hands_a_case_over_to_somebody_who_may_work_on_it(work: MemoryUnit) -> None:
    case = opened(work)
    with pytest.raises(Forbidden):
        verbs.hand_over(work, case.id, "c018", reason="她换班了", actor="c017", now=NOW)
    with pytest.raises(Refused, match="k001"):
        verbs.hand_over(work, case.id, "k001", reason="她换班了", actor="s001", now=NOW)
    moved = verbs.hand_over(work, case.id, "c018", reason="她换班了", actor="s001", now=NOW)
    assert (moved.owner, moved.state) == ("c018", CaseState.ACTIVE)


# --- levels ---------------------------------------------------------------------------------


def test_r12_level_1_goes_down_only_by_two_people_the_second_a_supervisor(work: MemoryUnit) -> None:
    case = lower(work, opened(work))
    assert case.level is Level.HIGH
    with pytest.raises(Forbidden):
        confirm(work, case, by="c018")
    lowered = confirm(work, case)
    assert (lowered.level, lowered.alarming_since, kinds(work)) == (Level.MEDIUM, None, {Kind.MID_RISK})
    told = [e for e in work.book(CASE_EVENTS).where(case=case.id) if e.kind == "level"]
    assert [(e.before, e.after, e.by, e.second) for e in told] == [("1", "2", "c017", "s001")]


def test_r12_a_supervisor_does_not_confirm_what_they_proposed_themselves(work: MemoryUnit) -> None:
    case = lower(work, opened(work), by="s001")
    with pytest.raises(Refused, match="另一个人"):
        confirm(work, case)
    assert confirm(work, case, by="s002").level is Level.MEDIUM


def test_r12_lowering_level_2_needs_a_reason_and_nobody_else(work: MemoryUnit) -> None:
    case = opened(work, MEDIUM)
    with pytest.raises(Refused, match="理由"):
        verbs.lower(work, case.id, Level.GENERAL, reason="  ", actor="c017", now=NOW, rules=RULES)
    assert lower(work, case, level=Level.GENERAL).level is Level.GENERAL
    assert work.debts.open(person="p1") == []


def test_lowering_keeps_what_is_overdue(work: MemoryUnit) -> None:
    case = lower(work, opened(work))
    lowered = verbs.confirm(work, case.id, Level.MEDIUM, actor="s001", now=NOW + 2 * DAY, rules=RULES)
    assert lowered.level is Level.MEDIUM
    assert kinds(work) == {Kind.HIGH_RISK, Kind.MID_RISK}
    overdue = [o for o in work.debts.open(person="p1") if o.kind is Kind.HIGH_RISK]
    assert [o.due_at for o in overdue] == [ENDED + DAY]


def test_another_dangerous_call_puts_an_end_to_what_was_proposed_before(work: MemoryUnit) -> None:
    case = lower(work, opened(work))
    row = SessionRow(id="se-2", call="2", counsellor="c018", opened_at=NOW)
    later = NOW + 3 * HOUR
    follow(work, session=row, person="p1", answers=HIGH, ended_at=later, actor="c018", now=later, rules=RULES)
    with pytest.raises(Refused, match="没有待确认"):
        confirm(work, case)


def test_a_proposal_is_taken_back_by_its_author_or_refused_by_a_supervisor(work: MemoryUnit) -> None:
    case = lower(work, opened(work))
    with pytest.raises(Refused, match="提出的人"):
        verbs.withdraw(work, case.id, reason="说得不妥", actor="c018", now=NOW)
    assert verbs.withdraw(work, case.id, reason="仍有计划", actor="s001", now=NOW).proposed is None


def test_raising_begins_the_ladder_now_and_starts_the_clock(work: MemoryUnit) -> None:
    case = opened(work, MEDIUM)
    raised = verbs.raise_level(
        work, case.id, Level.HIGH, reason="家属来电说买了药", actor="c018", now=NOW + DAY, rules=RULES
    )
    assert (raised.level, raised.alarming_since) == (Level.HIGH, NOW + DAY)
    assert min(o.due_at for o in work.debts.open(person="p1")) == NOW + 2 * DAY
    with pytest.raises(Refused, match="lower"):
        verbs.raise_level(work, case.id, Level.MEDIUM, reason="家属来电", actor="c017", now=NOW, rules=RULES)


def test_watching_is_for_who_is_out_of_danger(work: MemoryUnit) -> None:
    case = opened(work)
    with pytest.raises(Refused, match="先由两人降级"):
        verbs.watch(work, case.id, reason="情绪已稳定", actor="c017", now=NOW)
    confirm(work, lower(work, case))
    assert verbs.watch(work, case.id, reason="情绪已稳定", actor="c017", now=NOW).state is CaseState.WATCH
    assert kinds(work) == {Kind.MID_RISK}


# --- closing --------------------------------------------------------------------------------


def test_a_counsellor_closes_at_level_2_and_what_was_owed_ends_with_the_reason(work: MemoryUnit) -> None:
    case = close(work, opened(work, MEDIUM), CloseReason.IN_TREATMENT)
    assert (case.state, case.close_reason) == (CaseState.CLOSED, CloseReason.IN_TREATMENT)
    endings = [work.debts.get(step).closing for step in case.steps]
    assert all(c is not None and "接受治疗" in c.reason for c in endings)


def test_level_1_is_closed_by_two_people_the_second_a_supervisor(work: MemoryUnit) -> None:
    case = close(work, opened(work), CloseReason.GOAL_REACHED, by="s001")
    assert case.is_open
    assert kinds(work) == {Kind.HIGH_RISK}
    with pytest.raises(Refused, match="另一个人"):
        confirm(work, case)
    assert not confirm(work, case, by="s002").is_open
    assert work.debts.open(person="p1") == []


def test_nobody_becomes_unreachable_before_three_dayparts_and_a_try_that_was_no_call(
    work: MemoryUnit,
) -> None:
    case = opened(work, MEDIUM)
    with pytest.raises(Refused, match="督导"):
        close(work, case, CloseReason.UNREACHABLE)
    for n, hour in enumerate((10, 15), start=1):
        _tried(work, case.steps[0], n, hour)
    with pytest.raises(Refused, match="2 个时段"):
        close(work, case, CloseReason.UNREACHABLE, by="s001")
    _tried(work, case.steps[0], 3, 19)
    with pytest.raises(Refused, match="电话以外"):
        close(work, case, CloseReason.UNREACHABLE, by="s001")
    verbs.tried(work, case.id, "上门", note="敲门无人应", actor="c017", now=NOW)
    assert not close(work, case, CloseReason.UNREACHABLE, by="s001").is_open


def test_faults_of_the_line_are_no_tries(work: MemoryUnit) -> None:
    case = opened(work, MEDIUM)
    for n, hour in enumerate((10, 15, 19), start=1):
        _tried(work, case.steps[0], n, hour, Result.NETWORK_CONGESTION)
    verbs.tried(work, case.id, "微信", note="一直未回", actor="c017", now=NOW)
    with pytest.raises(Refused, match="0 个时段"):
        close(work, case, CloseReason.UNREACHABLE, by="s001")


def test_a_case_with_a_rescue_under_way_is_not_closed(work: MemoryUnit) -> None:
    case = opened(work, replace(HIGH, acting=True))
    close(work, case, CloseReason.REFERRED)
    with pytest.raises(Refused, match="救援"):
        confirm(work, case)
    (rescue,) = rescues.of_case(work, case.id)
    with pytest.raises(Refused, match="督导"):
        rescues.close(work, rescue.id, reason="是误报，人在家", actor="c017", now=NOW)
    assert (
        rescues.close(work, rescue.id, reason="是误报，人在家", actor="s001", now=NOW).state
        is RescueState.CLOSED
    )
    assert not confirm(work, case).is_open


def test_danger_that_comes_back_opens_another_rescue(work: MemoryUnit) -> None:
    case = opened(work, replace(HIGH, acting=True))
    (first,) = rescues.of_case(work, case.id)
    rescues.close(work, first.id, reason="家人在身边", actor="s001", now=NOW)
    verbs.lower(work, case.id, Level.HIGH, reason="情绪已稳定", actor="c017", now=NOW, rules=RULES)
    confirm(work, case)
    later = NOW + DAY
    verbs.raise_level(
        work, case.id, Level.IMMINENT, reason="又来电话了", actor="c017", now=later, rules=RULES
    )
    assert [r.state for r in rescues.of_case(work, case.id)] == [RescueState.CLOSED, RescueState.NEEDED]


def test_a_closed_case_is_reopened_with_a_ladder_from_now(work: MemoryUnit) -> None:
    case = confirm(work, close(work, opened(work), CloseReason.MISTAKE))
    later = NOW + 30 * DAY
    again = verbs.reopen(work, case.id, reason="同名误认", actor="s001", now=later, rules=RULES)
    assert (again.state, again.close_reason, again.alarming_since) == (CaseState.ACTIVE, None, later)
    assert min(o.due_at for o in work.debts.open(person="p1")) == later + DAY


def test_a_case_is_not_reopened_beside_another_one(work: MemoryUnit) -> None:
    case = confirm(work, close(work, opened(work), CloseReason.MISTAKE))
    row = SessionRow(id="se-9", call="9", counsellor="c018", opened_at=NOW)
    follow(work, session=row, person="p1", answers=HIGH, ended_at=NOW, actor="c018", now=NOW, rules=RULES)
    with pytest.raises(Refused, match="进行中"):
        verbs.reopen(work, case.id, reason="是误认的", actor="s001", now=NOW, rules=RULES)


def test_whoever_read_an_old_state_of_a_case_does_not_overwrite_a_newer_one(work: MemoryUnit) -> None:
    case = opened(work)
    verbs.take(work, case.id, actor="c017", now=NOW)
    with pytest.raises(Conflict):
        work.book(CASES).put(replace(case, owner="c018"))


# --- what is owed ---------------------------------------------------------------------------


def test_a_step_of_a_case_cannot_be_waved_off_in_the_queue(work: MemoryUnit) -> None:
    case = opened(work)
    with pytest.raises(Refused, match="hotline cases"):
        close_debt(work, case.steps[0], reason="这阵子太忙了", actor="s001", now=NOW)


def test_i3_after_the_last_step_somebody_is_still_owed_a_contact_each_month(work: MemoryUnit) -> None:
    case = opened(work)
    for n, step in enumerate(case.steps):
        at = work.debts.get(step).due_at
        done_by_visit(
            work,
            step,
            f"走访-{n}",
            actor="c017",
            now=at + HOUR,
            at=at,
            met="本人",
            note="在家，情绪平稳",
            visitors=("c017", "c018"),
        )
    (owed,) = work.debts.open(person="p1")
    assert owed.kind is Kind.HIGH_RISK
    assert owed.id in work.book(CASES).get(case.id).steps
    last = work.debts.get(case.steps[-1]).due_at
    assert owed.due_at > last + 27 * DAY


def test_an_answered_talk_keeps_a_step_and_a_machine_does_not(work: MemoryUnit) -> None:
    case = opened(work)
    step = case.steps[0]
    at = ENDED + DAY
    talk = CallRecord(
        id="c9",
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED,
        started_at=at,
        answered_at=at,
        ended_at=at + HOUR,
        answered_by="c017",
        number="13800001111",
    )
    work.calls.put_many([talk])
    assert done_by_call(work, step, "c9", actor="c017", now=at + HOUR).obligation == step


# --- the clock ------------------------------------------------------------------------------


def test_a_supervisors_name_stops_the_clock_and_the_bell_once_no_case_is_left(work: MemoryUnit) -> None:
    case = opened(work)
    road = MemoryAlarmRoad()
    alarm = raise_alarm(work, road, AlarmKind.RISK_UNACKNOWLEDGED, f"{case.id}@1", NOW)
    with pytest.raises(Forbidden):
        verbs.acknowledge(work, case.id, actor="c017", now=NOW)
    done, silenced = verbs.acknowledge(work, case.id, actor="s001", now=NOW)
    assert (done.acknowledged_by, [a.id for a in silenced]) == ("s001", [alarm.id])
    assert work.alarms.get(alarm.id).acknowledged_by == "s001"
    with pytest.raises(Refused, match="没有待确认"):
        verbs.acknowledge(work, case.id, actor="s002", now=NOW)


def _tried(work: MemoryUnit, step: str, n: int, hour: int, result: Result = Result.NO_ANSWER) -> None:
    at = datetime(2026, 11, 27, hour, tzinfo=SHANGHAI)
    work.debts.add_attempt(
        Attempt(id=f"at-{n}", obligation=step, n=n, planned_at=at, by="c017", dialled_at=at, result=result)
    )
