"""Letting a debt go: by whom, with whom, for how long, and what is owed after it (I3, R29)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.ledger import DebtAct, WaiverState
from callcenter.domain.people import FileStatus, HardshipFile, Person, Phone
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import handling, waiving
from callcenter.service.followup.debts import sweep
from callcenter.service.followup.ending import close, done_by_visit
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import OF_CASES, URGENT_PRIORITY, ClosingKind, Kind, Mode, Obligation

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules(visit_every=182)
WHY = "本人住院，家属说下月再联系"


@pytest.fixture
def work() -> Iterator[UnitOfWork]:
    """沈建国 is owed a check-in and a visit. Two supervisors: 孙立 and 吴敏华."""
    with MemoryStore()() as unit:
        enlist(unit)
        unit.users.add(User(code="s002", name="吴敏华", roles=frozenset({Role.SUPERVISOR})))
        unit.people.add(Person(id="p1", code="P-1", name="沈建国", phones=(Phone(number="13800001111"),)))
        file = HardshipFile(
            file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 10, 1)
        )
        unit.people.put_file(file)
        sweep(unit, NOW, rules=RULES)
        unit.people.add(Person(id="p3", code="P-3", name="陈梦瑶", phones=(Phone(number="13700003333"),)))
        yield unit


def in_danger(work: UnitOfWork, level: str = "plan_soon") -> list[Obligation]:
    """Return the steps owed to 陈梦瑶, the earliest first."""
    follow(
        work,
        session=SessionRow(id="se-3", call="3", counsellor="c017", opened_at=NOW - DAY),
        person="p3",
        answers=RiskAnswers(asked=True, **{level: True}),  # type: ignore[arg-type]
        ended_at=NOW - DAY,
        actor="c017",
        now=NOW - DAY,
        rules=RULES,
    )
    return sorted(work.debts.open(person="p3"), key=lambda one: one.due_at)


def routine(work: UnitOfWork) -> Obligation:
    (one,) = work.debts.open(person="p1", kind=Kind.HARDSHIP)
    return one


def other(work: UnitOfWork, kind: Kind, **more: object) -> Obligation:
    plain = Obligation(
        id="ob-other",
        person="p1",
        kind=kind,
        due_at=NOW,
        window_end=NOW + DAY,
        mode=Mode.HUMAN_ONLY,
        origin="x",
        created_at=NOW,
    )
    one = replace(plain, **more)  # type: ignore[arg-type]
    assert work.debts.add(one)
    return one


def test_a_routine_period_is_waived_by_one_supervisor_with_a_reason(work: UnitOfWork) -> None:
    one = routine(work)
    with pytest.raises(Refused, match="请写明理由"):
        waiving.ask(work, one.id, reason="  ", actor="s001", now=NOW)
    waiver = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    assert (waiver.state, waiver.needs_two, waiver.decided_by) == (WaiverState.GRANTED, False, "s001")
    closing = work.debts.get(one.id).closing
    assert closing is not None
    assert (closing.kind, closing.by, closing.reason) == (ClosingKind.WAIVED, "s001", WHY)
    assert [e.act for e in handling.history(work, one.id)] == [DebtAct.WAIVED]


@pytest.mark.parametrize("actor", ["c017", "k001", "u001", "admin"])
def test_nobody_but_a_supervisor_waives(work: UnitOfWork, actor: str) -> None:
    one = routine(work)
    with pytest.raises(Forbidden):
        waiving.ask(work, one.id, reason=WHY, actor=actor, now=NOW)
    assert work.debts.get(one.id).closing is None


def test_the_next_period_is_counted_from_the_end_of_the_waived_one(work: UnitOfWork) -> None:
    one = routine(work)
    waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    sweep(work, NOW + HOUR, rules=RULES)
    following = routine(work)
    assert one.window_end.date() == date(2026, 10, 31)
    assert following.window_end.date() == date(2026, 11, 30)
    sweep(work, NOW + 2 * HOUR, rules=RULES)
    assert routine(work).id == following.id


def test_who_was_not_reached_for_long_is_owed_again_at_once(work: UnitOfWork) -> None:
    """A waiver lets one period go, and never the ones behind it."""
    later = NOW + 120 * DAY
    waiving.ask(work, routine(work).id, reason=WHY, actor="s001", now=later)
    sweep(work, later, rules=RULES)
    assert routine(work).window_end < later


def test_a_waived_check_in_leaves_the_visit_owed(work: UnitOfWork) -> None:
    waiving.ask(work, routine(work).id, reason=WHY, actor="s001", now=NOW)
    sweep(work, NOW + HOUR, rules=RULES)
    assert {o.kind for o in work.debts.open(person="p1")} == {Kind.HARDSHIP, Kind.VISIT}


@pytest.mark.parametrize("kind", [Kind.CALLBACK, Kind.APPOINTMENT, Kind.MISSED_CALL, Kind.PLANNED])
def test_a_promise_takes_one_supervisor(work: UnitOfWork, kind: Kind) -> None:
    one = other(work, kind)
    assert waiving.ask(work, one.id, reason="重复登记", actor="s002", now=NOW).state is WaiverState.GRANTED
    closing = work.debts.get(one.id).closing
    assert closing is not None
    assert closing.kind is ClosingKind.WAIVED


def test_what_has_to_be_looked_at_is_neither_waived_nor_closed(work: UnitOfWork) -> None:
    one = other(work, Kind.VERIFY)
    with pytest.raises(Refused, match="登记查到的情况"):
        waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    with pytest.raises(Refused, match="核实"):
        close(work, one.id, reason=WHY, actor="s001", now=NOW)
    with pytest.raises(Refused, match="核实"):
        done_by_visit(work, one.id, "2026-118", actor="c017", now=NOW)


@pytest.mark.parametrize("level", ["plan_soon", "thoughts"])
def test_of_somebody_in_danger_the_second_supervisor_must_be_another(work: UnitOfWork, level: str) -> None:
    one = in_danger(work, level)[0]
    asked = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    assert (asked.state, asked.needs_two) == (WaiverState.OPEN, True)
    assert work.debts.get(one.id).closing is None
    with pytest.raises(Refused, match="另一位督导"):
        waiving.grant(work, asked.id, actor="s001", now=NOW)
    with pytest.raises(Forbidden):
        waiving.grant(work, asked.id, actor="c017", now=NOW)
    assert [w.id for w in waiving.waivers(work, actor="c017", now=NOW)] == [asked.id]
    granted = waiving.grant(work, asked.id, actor="s002", now=NOW + HOUR)
    assert (granted.asked_by, granted.decided_by) == ("s001", "s002")
    assert [(e.act, e.by) for e in handling.history(work, one.id)] == [
        (DebtAct.WAIVER_ASKED, "s001"),
        (DebtAct.WAIVED, "s002"),
    ]
    assert waiving.waivers(work, actor="s001", now=NOW) == []


def test_i3_somebody_at_level_1_stays_owed_whatever_two_supervisors_sign(work: UnitOfWork) -> None:
    for one in in_danger(work):
        asked = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
        waiving.grant(work, asked.id, actor="s002", now=NOW)
        assert any(o.kind is Kind.HIGH_RISK for o in work.debts.open(person="p3"))


def test_a_waiver_is_refused_with_a_reason_and_may_be_asked_again(work: UnitOfWork) -> None:
    one = in_danger(work)[0]
    asked = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    with pytest.raises(Refused, match="等另一位督导决定"):
        waiving.ask(work, one.id, reason=WHY, actor="s002", now=NOW)
    with pytest.raises(Refused, match="请写明理由"):
        waiving.refuse(work, asked.id, actor="s002", now=NOW)
    waiving.refuse(work, asked.id, reason="先上门看看", actor="s002", now=NOW)
    assert work.debts.get(one.id).closing is None
    with pytest.raises(Refused, match="已由 s002 决定"):
        waiving.grant(work, asked.id, actor="s002", now=NOW)
    again = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW + HOUR)
    assert again.id != asked.id
    assert waiving.refuse(work, again.id, actor="s001", now=NOW + HOUR).state is WaiverState.REFUSED
    assert [w.state for w in waiving.waivers_of(work, one.id)] == [WaiverState.REFUSED] * 2


def test_a_waiver_of_what_was_kept_meanwhile_waits_for_nobody(work: UnitOfWork) -> None:
    one = in_danger(work)[0]
    asked = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    done_by_visit(
        work,
        one.id,
        "2026-118",
        actor="s001",
        now=NOW + HOUR,
        at=NOW + HOUR,
        met="本人",
        note="情绪平稳，约了下周",
        visitors=("c017", "s001"),
    )
    assert waiving.waivers(work, actor="s002", now=NOW + HOUR) == []
    with pytest.raises(Refused, match="已经完成或结束"):
        waiving.grant(work, asked.id, actor="s002", now=NOW + HOUR)


def test_r29_a_waived_step_keeps_its_place_in_the_history_of_its_case(work: UnitOfWork) -> None:
    one = in_danger(work)[0]
    asked = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    waiving.grant(work, asked.id, actor="s002", now=NOW)
    kept = work.debts.get(one.id)
    assert kept.kind in OF_CASES
    assert replace(kept, closing=None) == one


# --- whose danger decides ------------------------------------------------------------------


@pytest.mark.parametrize("level", ["plan_soon", "thoughts"])
@pytest.mark.parametrize("kind", [Kind.CALLBACK, Kind.PLANNED, Kind.MISSED_CALL])
def test_what_else_somebody_in_danger_is_owed_takes_two_as_well(
    work: UnitOfWork, level: str, kind: Kind
) -> None:
    in_danger(work, level)
    one = other(work, kind, person="p3")
    asked = waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW)
    assert (asked.state, asked.needs_two, work.debts.get(one.id).closing) == (WaiverState.OPEN, True, None)
    with pytest.raises(Refused, match="两位督导"):
        close(work, one.id, reason=WHY, actor="s001", now=NOW)


def test_what_a_second_entry_of_somebody_in_danger_is_owed_takes_two_as_well(work: UnitOfWork) -> None:
    in_danger(work)
    work.people.add(Person(id="p4", code="P-4", name="陈梦瑶", phones=(Phone(number="13700004444"),)))
    one = other(work, Kind.CALLBACK, person="p4")
    assert not waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW).needs_two
    one = other(work, Kind.CALLBACK, person="p4", id="ob-again", origin="y")
    work.people.update(replace(work.people.get("p4"), merged_into="p3"))
    assert waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW).needs_two


def test_what_is_marked_urgent_takes_two_whoever_it_is_owed_to(work: UnitOfWork) -> None:
    one = other(work, Kind.CALLBACK, priority=URGENT_PRIORITY)
    with pytest.raises(Refused, match="两位督导"):
        close(work, one.id, reason=WHY, actor="s001", now=NOW)
    assert waiving.ask(work, one.id, reason=WHY, actor="s001", now=NOW).state is WaiverState.OPEN


def test_a_register_debt_takes_one_and_tells_nothing_of_any_danger(work: UnitOfWork) -> None:
    in_danger(work)
    work.people.update(replace(work.people.get("p1"), merged_into="p3"))
    assert waiving.ask(work, routine(work).id, reason=WHY, actor="s001", now=NOW).needs_two is False


def test_a_step_of_an_open_case_is_not_closed_in_the_queue(work: UnitOfWork) -> None:
    one = in_danger(work)[0]
    with pytest.raises(Refused, match="随访属于个案"):
        close(work, one.id, reason=WHY, actor="s001", now=NOW)
    assert work.debts.get(one.id).closing is None


@pytest.mark.parametrize("reason", ["", "不用", "忙忙忙忙", "。。。。。", "太忙了"])
def test_what_explains_nothing_is_no_reason_to_let_anything_go(work: UnitOfWork, reason: str) -> None:
    step, promise = in_danger(work)[0], other(work, Kind.CALLBACK)
    asked = waiving.ask(work, step.id, reason=WHY, actor="s001", now=NOW)
    for act in (
        lambda: waiving.ask(work, promise.id, reason=reason, actor="s001", now=NOW),
        lambda: close(work, promise.id, reason=reason, actor="s001", now=NOW),
        lambda: waiving.refuse(work, asked.id, reason=reason, actor="s002", now=NOW),
    ):
        with pytest.raises(Refused, match="请写明理由"):
            act()
    assert work.debts.get(promise.id).closing is None


def test_the_words_of_a_reason_stand_sealed_and_not_in_the_audit(work: UnitOfWork) -> None:
    step, promise = in_danger(work)[0], other(work, Kind.CALLBACK)
    close(work, promise.id, reason="周秀英的丈夫说不用了", actor="s001", now=NOW)
    asked = waiving.ask(work, step.id, reason="周秀英陪她住院", actor="s001", now=NOW)
    waiving.refuse(work, asked.id, reason="周秀英说不清楚", actor="s002", now=NOW)
    again = waiving.ask(work, step.id, reason="周秀英陪她住院", actor="s001", now=NOW)
    waiving.grant(work, again.id, actor="s002", now=NOW)
    entries = work.audit.recent(100)
    assert [entry.verb for entry in entries].count("obligation.close") == 2
    told = [f"{entry.object} {entry.verb} {entry.reason}" for entry in entries]
    assert not [line for line in told if "周秀英" in line or "住院" in line]
    said = [e.reason for one in (step, promise) for e in handling.history(work, one.id)]
    assert sum("周秀英" in reason for reason in said) == 5
