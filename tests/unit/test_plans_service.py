"""Plans: what they make us owe, who may agree on them, and how they move and end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from people_world import QIAN, SHEN, a_call, a_case, near, on_file, peopled

from callcenter.domain.books import CASES, PLANS
from callcenter.domain.cases import CloseReason
from callcenter.domain.ledger import Plan, PlanKind, PlanState
from callcenter.domain.levels import Level
from callcenter.domain.people import ExitReason, FileStatus, Suppression, SuppressionKind
from callcenter.domain.privacy import RequestKind
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.ports import UnitOfWork
from callcenter.service.followup.debt_views import explain, view
from callcenter.service.followup.debts import close, done_by_call, line_facts
from callcenter.service.followup.planning import change, end, move, plan, plan_of, plans, sweep_plans
from callcenter.service.people.merging import merge, unmerge
from callcenter.service.privacy.erasing import erase
from callcenter.service.privacy.requests import open_request
from callcenter.service.risk.case_verbs import close as close_case
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import ClosingKind, Kind, Mode, Obligation

RULES = Rules()
#: A Friday; 沈建国's next hospital day is Tuesday, 1 December.
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=SHANGHAI)
HOSPITAL = date(2026, 12, 1)
DAY = timedelta(days=1)


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A store with two workers and the staff; 周岚 (c017) has just talked with 沈建国."""
    store = MemoryStore()
    peopled(store)
    with store() as unit:
        near(unit, NOW, SHEN.id)
        yield unit


def at(year: int, month: int, day: int, hour: int = 10) -> datetime:
    return datetime(year, month, day, hour, tzinfo=SHANGHAI)


def treatment(work: UnitOfWork, **given: object) -> Plan:
    wanted = {"anchor": HOSPITAL, "every_days": 21, "days_before": 1, "kind": PlanKind.HOSPITAL_DAY}
    return plan(work, SHEN.id, **{**wanted, **given}, actor="c017", now=NOW, rules=RULES)  # type: ignore[arg-type]


def talks(work: UnitOfWork, **given: object) -> Plan:
    wanted = {"anchor": date(2026, 12, 31), "every_months": 1, "kind": PlanKind.COUNSELLING}
    return plan(work, SHEN.id, **{**wanted, **given}, actor="c017", now=NOW, rules=RULES)  # type: ignore[arg-type]


def owed(work: UnitOfWork) -> list[Obligation]:
    return list(work.debts.open(person=SHEN.id, kind=Kind.PLANNED))


def the_step(work: UnitOfWork) -> Obligation:
    (only,) = owed(work)
    return only


def keep(work: UnitOfWork, when: datetime) -> None:
    """Talk with 沈建国 and record it for the step that is owed."""
    call = a_call(f"c-{when.isoformat()}", when)
    work.calls.put_many([call])
    done_by_call(work, the_step(work).id, call.id, actor="c017", now=when + timedelta(hours=1))


def sweep(work: UnitOfWork, now: datetime) -> None:
    """Sweep twice: what follows from what stands follows once."""
    sweep_plans(work, now, RULES)
    before = work.debts.of_person(SHEN.id)
    swept = sweep_plans(work, now, RULES)
    assert (swept.opened, swept.moved, swept.left) == ((), (), ())
    assert work.debts.of_person(SHEN.id) == before


def test_a_hospital_day_is_owed_a_call_by_a_person_the_day_before(work: MemoryUnit) -> None:
    made = treatment(work)
    step = the_step(work)
    assert (step.due_at, step.window_end) == (at(2026, 11, 30), at(2026, 11, 30, 22))
    assert (step.mode, step.origin) == (Mode.HUMAN_ONLY, f"{made.id}/0/0")
    assert step.priority < 5  # a routine check-in's


def test_every_21_days_the_call_comes_the_day_before_from_2026_to_2028(work: MemoryUnit) -> None:
    treatment(work, anchor=date(2026, 12, 1))
    for n in range(36):
        hospital = HOSPITAL + 21 * DAY * n
        sweep(work, datetime.combine(hospital - 15 * DAY, time(8), SHANGHAI) if n else NOW)
        assert the_step(work).due_at == datetime.combine(hospital - DAY, time(10), SHANGHAI)
        keep(work, the_step(work).due_at + timedelta(hours=2))
        assert owed(work) == []
    assert hospital.year == 2028


def test_a_call_missed_before_a_hospital_day_is_of_no_use_after_it_and_the_next_one_climbs(
    work: MemoryUnit,
) -> None:
    treatment(work)
    first = the_step(work)
    sweep(work, at(2026, 12, 1, 20))  # overdue, and the day is not over: somebody may still ring
    assert the_step(work).id == first.id
    sweep(work, at(2026, 12, 2, 1))
    following = the_step(work)
    assert (following.due_at, following.raised) == (at(2026, 12, 21), 1)
    closing = work.debts.get(first.id).closing
    assert closing is not None
    assert (closing.kind, closing.by) == (ClosingKind.SUPERSEDED, "system")
    assert "2026-12-01" in closing.reason


def test_after_months_without_a_sweep_one_call_is_owed_and_not_many(work: MemoryUnit) -> None:
    treatment(work)
    sweep(work, at(2027, 6, 1))
    assert the_step(work).due_at == at(2027, 6, 7)
    assert len(work.debts.of_person(SHEN.id)) == 2


def test_missed_talks_are_one_debt_that_stays_until_it_is_kept(work: MemoryUnit) -> None:
    talks(work)
    first = the_step(work)
    sweep(work, at(2027, 3, 5))
    assert the_step(work).id == first.id
    keep(work, at(2027, 3, 5, 11))
    sweep(work, at(2027, 3, 5, 13))
    assert the_step(work).due_at == at(2027, 3, 31)


def test_a_month_counted_from_the_31st_clamps_and_comes_back(work: MemoryUnit) -> None:
    talks(work)
    days = []
    for _ in range(4):
        days.append(the_step(work).due_at.date())
        keep(work, the_step(work).due_at + timedelta(hours=1))
        sweep(work, at(days[-1].year, days[-1].month, days[-1].day, 13))
    # 31 January and 28 February 2027 are Sundays, and talks move to the Friday before.
    assert days == [date(2026, 12, 31), date(2027, 1, 29), date(2027, 2, 26), date(2027, 3, 31)]


def test_a_contact_long_before_the_day_is_one_more_contact_and_not_that_one(work: MemoryUnit) -> None:
    treatment(work, anchor=date(2026, 12, 22))
    with pytest.raises(Refused, match="还早"):
        keep(work, at(2026, 12, 10))
    keep(work, at(2026, 12, 20, 11))


def test_a_new_hospital_day_begins_the_plan_anew_and_keeps_its_history(work: MemoryUnit) -> None:
    made = treatment(work)
    old = the_step(work)
    moved = move(work, made.id, date(2026, 12, 3), reason="医院改期", actor="c017", now=NOW, rules=RULES)
    step = the_step(work)
    assert (step.due_at, step.origin, moved.round) == (at(2026, 12, 2), f"{made.id}/1/0", 1)
    closing = work.debts.get(old.id).closing
    assert closing is not None
    assert (closing.kind, closing.by) == (ClosingKind.SUPERSEDED, "c017")
    move(work, made.id, HOSPITAL, reason="又改回来", actor="c017", now=NOW, rules=RULES)
    assert the_step(work).due_at == old.due_at
    assert len(work.debts.of_person(SHEN.id)) == 3


def test_a_day_that_was_kept_is_not_owed_again_because_the_hour_changed(work: MemoryUnit) -> None:
    made = treatment(work)
    keep(work, at(2026, 11, 30, 11))
    later = at(2026, 11, 30, 13)
    change(work, made.id, hour=time(15), reason="下午方便", actor="c017", now=later, rules=RULES)
    assert the_step(work).due_at == at(2026, 12, 21, 15)


def test_another_owner_or_note_moves_nothing(work: MemoryUnit) -> None:
    made = treatment(work)
    before = the_step(work)
    change(work, made.id, owner="c018", about="市二院", reason="换人", actor="s001", now=NOW, rules=RULES)
    after = the_step(work)
    assert (after.id, after.owner) == (before.id, "c018")
    assert plan_of(work, made.id, actor="c018").plan.note == "市二院"


def test_ending_a_plan_ends_its_step_by_name_and_with_the_reason(work: MemoryUnit) -> None:
    made = treatment(work)
    step = the_step(work)
    end(work, made.id, reason="疗程结束", actor="c017", now=NOW)
    closing = work.debts.get(step.id).closing
    assert closing is not None
    assert (closing.kind, closing.by, closing.reason) == (ClosingKind.LEFT, "c017", "疗程结束")
    sweep(work, NOW + 40 * DAY)
    assert owed(work) == []
    with pytest.raises(Refused, match="已经结束"):
        move(work, made.id, HOSPITAL, reason="再开始", actor="c017", now=NOW, rules=RULES)


def test_a_plan_with_a_last_day_ends_by_itself_after_it(work: MemoryUnit) -> None:
    made = treatment(work, until=HOSPITAL)
    keep(work, at(2026, 11, 30, 11))
    sweep(work, at(2026, 11, 30, 13))
    assert owed(work) == []
    assert work.book(PLANS).get(made.id).state is PlanState.ENDED


def test_a_step_a_supervisor_let_go_is_dealt_with_and_the_next_one_is_owed(work: MemoryUnit) -> None:
    treatment(work)
    close(work, the_step(work).id, reason="本人住院，家属陪同", actor="s001", now=NOW)
    sweep(work, NOW)
    assert the_step(work).due_at == at(2026, 12, 21)


def test_who_died_is_called_no_more_and_the_plan_ends_once_somebody_confirmed_it(work: MemoryUnit) -> None:
    made = treatment(work)
    on_file(work, SHEN.id, status=FileStatus.CLOSED, exit_reason=ExitReason.DIED)
    step = the_step(work)
    sweep(work, NOW)
    closing = work.debts.get(step.id).closing
    assert closing is not None
    assert closing.kind is ClosingKind.DIED
    assert work.book(PLANS).get(made.id).state is PlanState.ACTIVE
    (file,) = work.people.files_of(SHEN.id)
    work.people.put_file(replace(file, exit_confirmed_by="k001"))
    sweep(work, NOW)
    assert work.book(PLANS).get(made.id).state is PlanState.ENDED


def test_a_death_on_file_by_mistake_forgets_nobody(work: MemoryUnit) -> None:
    treatment(work)
    on_file(work, SHEN.id, status=FileStatus.CLOSED, exit_reason=ExitReason.DIED)
    sweep(work, NOW)
    on_file(work, SHEN.id, status=FileStatus.ACTIVE)
    sweep(work, NOW)
    assert the_step(work).due_at == at(2026, 11, 30)


def test_who_wants_no_planned_calls_for_a_while_is_owed_them_again_afterwards(work: MemoryUnit) -> None:
    treatment(work)
    wish = Suppression(
        person=SHEN.id,
        kind=SuppressionKind.TOPIC,
        topic="planned",
        at=NOW,
        reason="住院",
        until=NOW + 5 * DAY,
    )
    work.people.add_suppression(wish)
    sweep(work, NOW)
    assert owed(work) == []
    sweep(work, NOW + 6 * DAY)
    assert the_step(work).due_at == at(2026, 12, 21)


def test_while_somebody_is_being_rung_nothing_moves_under_their_hands(work: MemoryUnit) -> None:
    made = treatment(work)
    work.debts.claim(the_step(work).id, "c017", NOW, NOW + timedelta(minutes=3))
    for act in (
        lambda: move(work, made.id, HOSPITAL + DAY, reason="改期", actor="c017", now=NOW, rules=RULES),
        lambda: end(work, made.id, reason="结束", actor="c017", now=NOW),
    ):
        with pytest.raises(Refused, match="正有人在联系"):
            act()


def test_a_plan_goes_with_its_person_when_two_entries_are_one_and_back(work: MemoryUnit) -> None:
    made = treatment(work)
    done = merge(work, QIAN.id, SHEN.id, actor="s001", now=NOW, reason="同一人，电话里确认")
    sweep(work, NOW)
    (step,) = work.debts.open(person=QIAN.id, kind=Kind.PLANNED)
    assert work.book(PLANS).get(made.id).person == QIAN.id
    unmerge(work, done.id, actor="s001", now=NOW, reason="弄错了，是两个人")
    sweep(work, NOW)
    assert the_step(work).id == step.id
    assert work.book(PLANS).get(made.id).person == SHEN.id


def test_who_has_a_plan_is_not_erased_and_an_ended_one_forgets_what_it_was_about(work: MemoryUnit) -> None:
    made = treatment(work, about="市二院肿瘤科")
    changed(work, made.id, NOW, about="市二院放疗科")
    asked = open_request(
        work, SHEN.id, RequestKind.ERASURE, identity_check="当面核对了证件", actor="s001", now=NOW
    )
    with pytest.raises(Refused, match="联系计划"):
        erase(work, asked.id, actor="s001", now=NOW, reason="本人要求删除")
    end(work, made.id, reason="本人要求不再联系", actor="c017", now=NOW)
    erase(work, asked.id, actor="s001", now=NOW, reason="本人要求删除")
    kept = work.book(PLANS).get(made.id)
    assert (kept.note, kept.ended_because, kept.changes) == ("", "", ())
    assert kept.state is PlanState.ENDED


def test_why_says_which_plan_which_day_and_how_it_was_counted(work: MemoryUnit) -> None:
    made = treatment(work, about="市二院")
    shown = view(work, the_step(work), line_facts(work, NOW, None, RULES))
    told = "\n".join(explain(work, shown, line_facts(work, NOW, None, RULES)))
    for word in (
        made.id,
        "就诊",
        "每 21 天一次",
        "2026-12-01",
        "第 1 次",
        "提前 1 天",
        "市二院",
        "2026-11-30 10:00",
    ):
        assert word in told


def test_the_list_shows_what_is_owed_soonest_first_and_ended_ones_on_demand(work: MemoryUnit) -> None:
    late, soon = talks(work), treatment(work)
    assert [one.plan.id for one in plans(work, actor="s001")] == [soon.id, late.id]
    end(work, soon.id, reason="疗程结束", actor="c017", now=NOW)
    assert [one.plan.id for one in plans(work, actor="s001")] == [late.id]
    assert [one.plan.id for one in plans(work, ended=True, actor="s001")] == [late.id, soon.id]
    assert plans(work, person=QIAN.id, actor="s001") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_months": 1},
        {"every_days": 0},
        {"days_before": 61},
        {"hour": time(23)},
        {"anchor": date(2036, 12, 1)},
        {"until": date(2026, 11, 1)},
        {"owner": "c999"},
        {"owner": "k001"},  # a clerk works no queue
        {"days_before": 21},
        {"every_days": None, "every_months": 1, "days_before": 28},
        {"about": "长" * 501},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(work: MemoryUnit, wrong: dict[str, object]) -> None:
    with pytest.raises(Refused):
        treatment(work, **wrong)
    assert work.book(PLANS).where() == []


def test_the_same_plan_twice_is_one_too_many(work: MemoryUnit) -> None:
    treatment(work)
    with pytest.raises(Refused, match="已有同样"):
        treatment(work)


def test_a_counsellor_plans_for_those_they_work_with_only(work: MemoryUnit) -> None:
    made = treatment(work)
    with pytest.raises(Forbidden):
        plan(
            work,
            QIAN.id,
            kind=PlanKind.OTHER,
            anchor=HOSPITAL,
            every_days=7,
            actor="c017",
            now=NOW,
            rules=RULES,
        )
    with pytest.raises(Forbidden):
        end(work, made.id, reason="不归我", actor="c018", now=NOW)
    change(work, made.id, owner="c018", reason="交接", actor="s001", now=NOW, rules=RULES)
    end(work, made.id, reason="疗程结束", actor="c018", now=NOW)  # now it is theirs


def test_a_clerk_learns_of_no_plan(work: MemoryUnit) -> None:
    made = treatment(work)
    with pytest.raises(Forbidden):
        plans(work, actor="k001")
    with pytest.raises(Forbidden):
        plan_of(work, made.id, actor="k001")


def test_a_plan_nobody_knows_is_not_found(work: MemoryUnit) -> None:
    with pytest.raises(NotFound):
        end(work, "pl-none", reason="结束", actor="s001", now=NOW)


def test_two_who_change_a_plan_at_once_do_not_undo_each_other(work: MemoryUnit) -> None:
    made = treatment(work)
    move(work, made.id, HOSPITAL + DAY, reason="改期", actor="c017", now=NOW, rules=RULES)
    with pytest.raises(Conflict):
        work.book(PLANS).put(replace(made, note="旧的"))


def test_r34_a_case_closed_by_death_ends_the_plans_by_the_name_of_who_closed_it(work: MemoryUnit) -> None:
    made = treatment(work)
    step = the_step(work)
    work.book(CASES).add(a_case(SHEN.id, Level.MEDIUM, NOW))
    close_case(work, "ca-p1", CloseReason.DIED, note="家属告知，已核实", actor="c017", now=NOW, rules=RULES)
    closing = work.debts.get(step.id).closing
    assert closing is not None
    assert (closing.kind, closing.by) == (ClosingKind.DIED, "c017")
    assert work.book(PLANS).get(made.id).state is PlanState.ENDED


def changed(work: UnitOfWork, plan_id: str, now: datetime, **given: object) -> Plan:
    return change(work, plan_id, **given, reason="本人要求", actor="c017", now=now, rules=RULES)  # type: ignore[arg-type]


def test_a_call_missed_on_the_eve_stays_owed_when_the_hour_is_changed_that_night(work: MemoryUnit) -> None:
    made = treatment(work, anchor=date(2026, 11, 28))
    missed, night = the_step(work), at(2026, 11, 27, 23)
    changed(work, made.id, night, hour=time(11))
    assert the_step(work) == missed
    sweep(work, night)
    assert the_step(work) == missed  # somebody may still ring in the morning
    sweep(work, at(2026, 11, 29, 1))
    assert (the_step(work).due_at, the_step(work).raised) == (at(2026, 12, 18, 11), 1)


def test_what_is_due_is_called_at_the_new_hour_of_the_same_day(work: MemoryUnit) -> None:
    made = treatment(work)
    changed(work, made.id, at(2026, 11, 30, 11), hour=time(15))
    assert (the_step(work).due_at, the_step(work).raised) == (at(2026, 11, 30, 15), 0)


@pytest.mark.parametrize(
    ("anchor", "due"), [(date(2026, 11, 1), at(2026, 12, 12)), (date(2026, 11, 26), at(2026, 12, 16))]
)
def test_a_call_of_today_whose_hospital_day_is_none_any_more_counts_as_missed(
    work: MemoryUnit, anchor: date, due: datetime
) -> None:
    made = treatment(work, anchor=date(2026, 11, 28))
    move(work, made.id, anchor, reason="医院改期", actor="c017", now=NOW, rules=RULES)
    assert (the_step(work).due_at, the_step(work).raised) == (due, 1)


def test_a_talk_of_today_stays_owed_when_its_plan_is_counted_from_an_earlier_day(work: MemoryUnit) -> None:
    made = talks(work, anchor=date(2026, 11, 27))
    today = the_step(work)
    move(work, made.id, date(2026, 11, 20), reason="记错了日子", actor="c017", now=NOW, rules=RULES)
    sweep(work, NOW)
    assert the_step(work) == today
    keep(work, at(2026, 11, 27, 11))
    sweep(work, at(2026, 11, 27, 13))
    assert the_step(work).due_at == at(2026, 12, 18)  # the 20th is a Sunday


def test_what_stayed_owed_and_was_let_go_is_not_owed_again(work: MemoryUnit) -> None:
    made = treatment(work, anchor=date(2026, 11, 28))
    changed(work, made.id, at(2026, 11, 27, 11), days_before=0)
    assert the_step(work).due_at == at(2026, 11, 27)
    close(work, the_step(work).id, reason="家属陪同", actor="s001", now=at(2026, 11, 27, 12))
    sweep(work, at(2026, 11, 27, 13))
    assert the_step(work).due_at == at(2026, 12, 19)


def test_a_plan_made_late_on_the_eve_owes_the_call_that_can_still_be_made(work: MemoryUnit) -> None:
    eve = at(2026, 11, 30, 22) + timedelta(minutes=30)
    near(work, eve, SHEN.id)
    plan(
        work,
        SHEN.id,
        kind=PlanKind.HOSPITAL_DAY,
        anchor=HOSPITAL,
        every_days=21,
        days_before=1,
        actor="c017",
        now=eve,
        rules=RULES,
    )
    assert (the_step(work).due_at, the_step(work).window_end) == (eve, at(2026, 12, 1, 9))
    sweep(work, eve + timedelta(hours=1))
    assert the_step(work).due_at == eve
    keep(work, at(2026, 12, 1, 8))
    sweep(work, at(2026, 12, 1, 9))
    assert the_step(work).due_at == at(2026, 12, 21)


def test_a_plan_counted_from_todays_hospital_day_owes_the_next_one(work: MemoryUnit) -> None:
    treatment(work, anchor=NOW.date())
    assert the_step(work).due_at == at(2026, 12, 17)


def test_a_plan_that_would_owe_nothing_is_refused_with_the_first_day_it_could_serve(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match=r"2026-12-10（为 2026-12-11）.*2026-12-05"):
        treatment(work, anchor=date(2026, 11, 20), until=date(2026, 12, 5))
    made = treatment(work)
    keep(work, at(2026, 11, 30, 11))
    with pytest.raises(Refused, match="plans end"):
        changed(work, made.id, at(2026, 11, 30, 13), until=HOSPITAL)


def test_why_a_plan_was_changed_stands_with_it_and_not_in_the_audit(work: MemoryUnit) -> None:
    made = treatment(work)
    move(work, made.id, HOSPITAL + DAY, reason="改去市二院", actor="c017", now=NOW, rules=RULES)
    change(work, made.id, owner="c018", reason="休长假", actor="s001", now=NOW, rules=RULES)
    changed(work, made.id, NOW, hour=time(9))
    end(work, made.id, reason="化疗做完", actor="c017", now=NOW)
    kept = work.book(PLANS).get(made.id)
    assert [line.partition("：")[2] for line in kept.changes] == ["改去市二院", "休长假", "本人要求"]
    assert kept.ended_because == "化疗做完"
    told = [e for e in work.audit.recent(100) if e.object == f"plan:{made.id}"]
    assert {(e.verb, e.reason) for e in told} == {
        ("plan.add", ""),
        ("plan.move", "anchor"),
        ("plan.change", "owner"),
        ("plan.move", "rhythm"),
        ("plan.end", "left"),
    }
