"""What people do with a debt: none of it makes one disappear, and each act has a name (R26, R29, R35)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from actors import enlist

from callcenter.domain.alarms import AlarmKind
from callcenter.domain.books import DEBT_EVENTS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import DebtAct, Decision
from callcenter.domain.people import FileStatus, HardshipFile, Person, Phone, PhoneStatus, SuppressionKind
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import handling, pausing
from callcenter.service.followup.debts import settle, sweep
from callcenter.service.followup.ending import close, done_by_call, done_by_visit
from callcenter.service.line.risk_clock import handed_up, overdue
from callcenter.service.line.watch import Live, read, troubles
from callcenter.service.risk.cases import follow
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import (
    BY_IVR,
    Attempt,
    CauseSource,
    EvidenceKind,
    Kind,
    Mode,
    Obligation,
    Result,
    Status,
    status_of,
)

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NUMBER = "13800001111"
RULES = Rules(visit_every=182)
#: 陈梦瑶's call, yesterday at noon: her first step falls due today at noon, and is late four hours later.
ENDED = NOW - 22 * HOUR


@pytest.fixture
def work() -> Iterator[UnitOfWork]:
    """沈建国 is owed a check-in and a visit, 周秀英 a call back, 陈梦瑶 is in danger."""
    with MemoryStore()() as unit:
        enlist(unit)
        for code, name, role in (("c018", "沈洁", Role.COUNSELLOR), ("s002", "吴敏华", Role.SUPERVISOR)):
            unit.users.add(User(code=code, name=name, roles=frozenset({role})))
        unit.people.add(Person(id="p1", code="P-1", name="沈建国", phones=(Phone(number=NUMBER),)))
        file = HardshipFile(
            file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 10, 1)
        )
        unit.people.put_file(file)
        sweep(unit, NOW, rules=RULES)
        unit.people.add(Person(id="p2", code="P-2", name="周秀英", phones=(Phone(number="13900002222"),)))
        unit.debts.add(promise("ob-call"))
        unit.people.add(Person(id="p3", code="P-3", name="陈梦瑶", phones=(Phone(number="13700003333"),)))
        in_danger(unit)
        yield unit


def promise(name: str) -> Obligation:
    return Obligation(
        id=name,
        person="p2",
        kind=Kind.CALLBACK,
        due_at=NOW - HOUR,
        window_end=NOW + HOUR,
        mode=Mode.HUMAN_ONLY,
        priority=3,
        origin=name,
        created_at=NOW - HOUR,
    )


def in_danger(work: UnitOfWork, level: str = "plan_soon") -> None:
    follow(
        work,
        session=SessionRow(id="se-3", call="3", counsellor="c017", opened_at=ENDED),
        person="p3",
        answers=RiskAnswers(asked=True, **{level: True}),  # type: ignore[arg-type]
        ended_at=ENDED,
        actor="c017",
        now=ENDED,
        rules=RULES,
    )


def of(work: UnitOfWork, kind: Kind) -> Obligation:
    return min(work.debts.open(kind=kind), key=lambda one: one.due_at)


def acts(work: UnitOfWork, one: Obligation) -> list[tuple[DebtAct, str]]:
    return [(event.act, event.by) for event in handling.history(work, one.id)]


# --- whose it is ---------------------------------------------------------------------------


def test_a_debt_is_claimed_by_name_and_given_back(work: UnitOfWork) -> None:
    handling.claim(work, "ob-call", actor="c017", now=NOW)
    assert work.debts.get("ob-call").owner == "c017"
    handling.release(work, "ob-call", actor="c017", now=NOW + MINUTE)
    one = work.debts.get("ob-call")
    assert one.owner is None
    assert acts(work, one) == [(DebtAct.CLAIMED, "c017"), (DebtAct.RELEASED, "c017")]
    said = [(entry.actor, entry.verb) for entry in work.audit.recent(2)]
    assert said == [("c017", "obligation.released"), ("c017", "obligation.claimed")]


def test_what_somebody_else_has_is_theirs_until_a_supervisor_passes_it_on(work: UnitOfWork) -> None:
    handling.claim(work, "ob-call", actor="c017", now=NOW)
    for wish in (handling.claim, handling.release):
        with pytest.raises(Refused, match="由 c017 负责"):
            wish(work, "ob-call", actor="c018", now=NOW)
    with pytest.raises(Forbidden):
        handling.assign(work, "ob-call", "c018", actor="c018", now=NOW)
    handling.assign(work, "ob-call", "c018", reason="林晓燕今天休息", actor="s001", now=NOW)
    assert work.debts.get("ob-call").owner == "c018"
    assert handling.claim(work, "ob-call", actor="s001", now=NOW).owner == "s001"


def test_claiming_twice_is_one_act_and_releasing_what_nobody_has_is_refused(work: UnitOfWork) -> None:
    with pytest.raises(Refused, match="没有人认领"):
        handling.release(work, "ob-call", actor="c017", now=NOW)
    for _ in range(2):
        handling.claim(work, "ob-call", actor="c017", now=NOW)
    assert len(handling.history(work, "ob-call")) == 1


@pytest.mark.parametrize("to", ["k001", "admin"])
def test_a_debt_is_given_to_nobody_who_does_not_work_the_queue(work: UnitOfWork, to: str) -> None:
    with pytest.raises(Refused, match="不办理回访"):
        handling.assign(work, "ob-call", to, actor="s001", now=NOW)


def test_r29_who_decided_on_an_older_sight_of_a_debt_is_told_so(
    work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = handling.begin(work, "ob-call", NOW)
    handling.claim(work, "ob-call", actor="c017", now=NOW)
    monkeypatch.setattr(handling, "begin", lambda *_: seen)
    with pytest.raises(Conflict):
        handling.claim(work, "ob-call", actor="c018", now=NOW)
    assert work.debts.get("ob-call").owner == "c017"


def test_what_is_kept_or_ended_is_nobody_s_to_handle(work: UnitOfWork) -> None:
    close(work, "ob-call", reason="重复登记", actor="s001", now=NOW)
    with pytest.raises(Refused, match="已经完成或结束"):
        handling.claim(work, "ob-call", actor="c017", now=NOW)
    with pytest.raises(NotFound):
        handling.claim(work, "ob-none", actor="c017", now=NOW)


# --- putting off ---------------------------------------------------------------------------


def snooze(work: UnitOfWork, one: Obligation, until: datetime, now: datetime = NOW) -> Obligation:
    return handling.snooze(work, one.id, until, reason="本人说下班后方便", actor="c017", now=now, rules=RULES)


def test_a_promise_put_off_stays_owed_and_wakes_by_itself(work: UnitOfWork) -> None:
    one = snooze(work, of(work, Kind.CALLBACK), NOW + 3 * HOUR)
    assert handling.is_snoozed(one, NOW + 2 * HOUR)
    assert not handling.is_snoozed(one, NOW + 3 * HOUR)
    assert status_of(one, (), NOW) is Status.OWED
    event = handling.history(work, one.id)[0]
    assert (event.act, event.reason) == (DebtAct.SNOOZED, "本人说下班后方便")
    assert datetime.fromisoformat(event.value) == NOW + 3 * HOUR


@pytest.mark.parametrize(
    ("kind", "longest", "says"),
    [
        (Kind.HIGH_RISK, 4 * HOUR, "最多推迟 4 小时.*11-24 14:00"),
        (Kind.CALLBACK, 24 * HOUR, "最多推迟 24 小时.*11-25 10:00"),
        (Kind.VISIT, None, "最迟推迟到本期结束"),
    ],
)
def test_a_snooze_beyond_the_ceiling_is_refused_with_the_ceiling(
    work: UnitOfWork, kind: Kind, longest: timedelta | None, says: str
) -> None:
    one = of(work, kind)
    latest = one.window_end if longest is None else NOW + longest
    with pytest.raises(Refused, match=says):
        snooze(work, one, latest + MINUTE)
    assert snooze(work, one, latest).snoozed_until == latest


def test_r31_a_routine_debt_whose_period_is_over_is_put_off_no_more(work: UnitOfWork) -> None:
    one = of(work, Kind.HARDSHIP)
    assert one.window_end < NOW
    with pytest.raises(Refused, match=r"已经逾期.*escalate"):
        snooze(work, one, NOW + HOUR)


def test_a_high_risk_step_is_never_put_off_past_four_hours_after_its_breach(work: UnitOfWork) -> None:
    one = of(work, Kind.HIGH_RISK)
    late = one.window_end + 3 * HOUR
    with pytest.raises(Refused, match="不晚于逾期后 4 小时"):
        snooze(work, one, late + 2 * HOUR, now=late)
    assert snooze(work, one, late + HOUR, now=late).snoozed_until == one.window_end + 4 * HOUR
    with pytest.raises(Refused, match="已经逾期"):
        snooze(work, one, late + 3 * HOUR, now=late + HOUR)


def test_r14_a_snoozed_high_risk_debt_breaches_on_time_and_alarms(work: UnitOfWork) -> None:
    one = of(work, Kind.HIGH_RISK)
    before = one.window_end - HOUR
    snooze(work, one, before + 4 * HOUR, now=before)
    assert overdue(work, one.window_end) == ()
    assert overdue(work, one.window_end + MINUTE) == (one.id,)
    wrong = troubles(read(work, Live(), one.window_end + MINUTE, RULES.risk))
    assert wrong[AlarmKind.RISK_OVERDUE] == one.id


@pytest.mark.parametrize("until", [NOW, NOW - DAY])
def test_nothing_is_put_off_into_the_past_or_without_a_reason(work: UnitOfWork, until: datetime) -> None:
    with pytest.raises(Refused, match="在现在之后"):
        snooze(work, of(work, Kind.CALLBACK), until)
    with pytest.raises(Refused, match="请写明理由"):
        handling.snooze(work, "ob-call", NOW + HOUR, reason=" ", actor="c017", now=NOW, rules=RULES)


def test_who_wakes_a_debt_has_it_in_the_queue_now(work: UnitOfWork) -> None:
    with pytest.raises(Refused, match="没有推迟"):
        handling.wake(work, "ob-call", actor="c017", now=NOW)
    snooze(work, of(work, Kind.CALLBACK), NOW + HOUR)
    assert handling.wake(work, "ob-call", actor="c018", now=NOW).snoozed_until is None


# --- handing up, deciding ------------------------------------------------------------------


def test_what_is_handed_up_is_marked_and_put_off_no_longer(work: UnitOfWork) -> None:
    snooze(work, of(work, Kind.CALLBACK), NOW + HOUR)
    one = handling.escalate(work, "ob-call", reason="三次都没人接", actor="c017", now=NOW)
    assert (one.escalated_at, one.snoozed_until) == (NOW, None)
    assert handed_up(work) == ()  # nobody is rung for a promise


def test_r14_somebody_in_danger_who_is_handed_up_rings_until_somebody_else_takes_it_on(
    work: UnitOfWork,
) -> None:
    one = of(work, Kind.HIGH_RISK)
    handling.escalate(work, one.id, reason="电话里声音不对", actor="c017", now=NOW)
    handling.claim(work, one.id, actor="c017", now=NOW + MINUTE)
    assert handed_up(work) == (f"{one.id}@{int(NOW.timestamp())}",)
    rings = troubles(read(work, Live(), NOW + MINUTE, RULES.risk))[AlarmKind.RISK_UNACKNOWLEDGED]
    assert one.id in str(rings)
    handling.assign(work, one.id, "c018", actor="s001", now=NOW + 2 * MINUTE)
    assert handed_up(work) == ()
    handling.escalate(work, one.id, reason="还是联系不上", actor="c018", now=NOW + HOUR)
    assert handed_up(work) == (f"{one.id}@{int((NOW + HOUR).timestamp())}",)


def test_r26_a_supervisor_s_decision_keeps_the_debt_owed_and_rests_its_alarm(work: UnitOfWork) -> None:
    one = of(work, Kind.HIGH_RISK)
    late = one.due_at + 4 * HOUR + MINUTE
    assert handling.needs_decision(one, handling.history(work, one.id), late)
    assert overdue(work, late) == (one.id,)
    event = handling.decide(work, one.id, "welfare_check", reason="已请梁溪公安上门", actor="s001", now=late)
    assert (event.act, event.value, event.by) == (DebtAct.DECIDED, Decision.WELFARE_CHECK, "s001")
    assert not handling.needs_decision(one, handling.history(work, one.id), late)
    assert overdue(work, late + HOUR) == ()
    assert overdue(work, late + RULES.risk.overdue_remind_after + MINUTE) == (one.id,)
    assert status_of(work.debts.get(one.id), tuple(work.debts.evidence(one.id)), late) is Status.OWED


def test_r26_a_counsellor_decides_nothing_and_nobody_about_a_promise(work: UnitOfWork) -> None:
    one = of(work, Kind.HIGH_RISK)
    with pytest.raises(Forbidden):
        handling.decide(work, one.id, Decision.HOME_VISIT, reason="敲门没人应", actor="c017", now=NOW)
    with pytest.raises(Refused, match="只有高危随访"):
        handling.decide(work, "ob-call", Decision.HOME_VISIT, reason="一直没有人接", actor="s001", now=NOW)
    with pytest.raises(Refused, match="没有「wait」"):
        handling.decide(work, one.id, "wait", reason="再等等", actor="s001", now=NOW)


# --- what somebody heard -------------------------------------------------------------------


def dialled(work: UnitOfWork, one: Obligation, *, by: str = "c017", n: int = 1, **more: object) -> Attempt:
    plain = Attempt(
        id=f"at-{n}", obligation=one.id, n=n, planned_at=NOW, dialled_at=NOW, by=by, callee=NUMBER
    )
    made = replace(plain, **more)  # type: ignore[arg-type]
    work.debts.add_attempt(made)
    return made


def test_a_result_heard_by_a_person_means_what_the_machine_s_means(work: UnitOfWork) -> None:
    one = of(work, Kind.HARDSHIP)
    dialled(work, one, result=Result.UNKNOWN)
    tried = handling.outcome(work, one.id, Result.VACANT, actor="c017", now=NOW + MINUTE, call="at-1")
    assert (tried.result, tried.cause_source) == (Result.VACANT, CauseSource.HUMAN)
    assert work.debts.attempt("at-1") == tried
    assert work.people.get("p1").phones[0].status is PhoneStatus.VACANT
    assert status_of(one, tuple(work.debts.evidence(one.id)), NOW) is Status.OWED


def test_an_outcome_by_hand_gives_the_lease_back_to_the_ladder(work: UnitOfWork) -> None:
    one = of(work, Kind.HARDSHIP)
    work.debts.claim(one.id, "at-1", NOW, NOW + HOUR)
    dialled(work, one)
    handling.outcome(work, one.id, "no_answer", actor="c017", now=NOW + MINUTE, call="at-1")
    assert work.debts.get(one.id).lease is None


def test_what_the_journal_tells_later_does_not_rewrite_what_somebody_heard(work: UnitOfWork) -> None:
    one = of(work, Kind.HARDSHIP)
    dialled(work, one)
    handling.outcome(work, one.id, Result.REACHED_OTHER, actor="c017", now=NOW, call="at-1")
    record = CallRecord(
        id="at-1",
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=NOW,
        ended_at=NOW + MINUTE,
        hangup_cause=17,
    )
    settle(work, [record], NOW + HOUR)
    found = work.debts.attempt("at-1")
    assert found is not None
    assert found.result is Result.REACHED_OTHER
    with pytest.raises(Refused, match="已有结果"):
        handling.outcome(work, one.id, Result.BUSY, actor="c017", now=NOW + HOUR, call="at-1")


def test_a_visit_in_vain_and_a_message_app_are_tries_of_their_own(work: UnitOfWork) -> None:
    one = of(work, Kind.VISIT)
    dialled(work, one, result=Result.NO_ANSWER)
    for n, when in ((2, NOW), (3, NOW + HOUR)):
        tried = handling.outcome(work, one.id, Result.NO_ANSWER, actor="c017", now=when, note="敲门没人应")
        assert (tried.n, tried.by, tried.callee) == (n, "c017", None)
    assert [a.n for a in work.debts.attempts(one.id)] == [1, 2, 3]
    assert handling.history(work, one.id)[-1].reason == "敲门没人应"


@pytest.mark.parametrize("result", [Result.REACHED_SELF_HUMAN, Result.REACHED_SELF_IVR_OK])
def test_i4_what_would_keep_a_debt_takes_a_proof(work: UnitOfWork, result: Result) -> None:
    with pytest.raises(Refused, match=r"queue done .*--call .*--visit"):
        handling.outcome(work, "ob-call", result, actor="c017", now=NOW)
    assert work.debts.attempts("ob-call") == []


@pytest.mark.parametrize("result", [Result.UNKNOWN, Result.BLOCKED_BY_RULE, "fine"])
def test_nobody_hears_what_only_a_machine_can_tell(work: UnitOfWork, result: str) -> None:
    with pytest.raises(Refused, match="能听到的结果"):
        handling.outcome(work, "ob-call", result, actor="c017", now=NOW)


def test_who_asks_a_person_to_be_called_again_is_promised_it_once(work: UnitOfWork) -> None:
    routine = of(work, Kind.HARDSHIP)
    handling.outcome(work, routine.id, Result.REACHED_SELF_CALLBACK, actor="c017", now=NOW)
    owed = work.debts.open(person="p1")
    assert {o.kind for o in owed} == {Kind.HARDSHIP, Kind.VISIT, Kind.CALLBACK}
    handling.outcome(work, "ob-call", Result.REACHED_SELF_CALLBACK, actor="c017", now=NOW)
    assert [o.id for o in work.debts.open(person="p2")] == ["ob-call"]


def test_r25_who_tells_a_person_that_machines_may_not_call_is_heard(work: UnitOfWork) -> None:
    one = of(work, Kind.HARDSHIP)
    dialled(work, one, by=BY_IVR, result=Result.UNKNOWN)
    handling.outcome(work, one.id, Result.OPTED_OUT, actor="c017", now=NOW, call="at-1")
    (said,) = work.people.suppressions("p1")
    assert said.kind is SuppressionKind.AUTOMATION


def test_an_outcome_of_another_debt_s_call_or_of_the_future_is_refused(work: UnitOfWork) -> None:
    dialled(work, of(work, Kind.HARDSHIP))
    with pytest.raises(NotFound, match="没有这次拨打"):
        handling.outcome(work, "ob-call", Result.BUSY, actor="c017", now=NOW, call="at-1")
    with pytest.raises(Refused, match="不能在将来"):
        handling.outcome(work, "ob-call", Result.BUSY, actor="c017", now=NOW, at=NOW + HOUR)


# --- done ----------------------------------------------------------------------------------


def test_one_visit_at_home_keeps_the_visit_and_the_check_in(work: UnitOfWork) -> None:
    visit, routine = of(work, Kind.VISIT), of(work, Kind.HARDSHIP)
    done_by_visit(work, visit.id, "走访2026-118号", actor="k001", now=NOW + HOUR)
    for one in (visit, routine):
        (proof,) = work.debts.evidence(one.id)
        assert (proof.kind, proof.reference) == (EvidenceKind.HOME_VISIT, "走访2026-118号")
    assert work.debts.open(person="p1") == []


def test_a_visit_before_a_debt_arose_does_not_keep_it(work: UnitOfWork) -> None:
    visit, routine = of(work, Kind.VISIT), of(work, Kind.HARDSHIP)
    older = replace(routine, id="ob-older", kind=Kind.HARDSHIP, person="p2", created_at=NOW - 9 * DAY)
    newer = replace(visit, id="ob-newer", person="p2", origin="WX-2", created_at=NOW)
    assert work.debts.add(older)
    assert work.debts.add(newer)
    done_by_visit(work, older.id, "2026-119", actor="k001", now=NOW, at=NOW - DAY)
    assert newer.id in {o.id for o in work.debts.open(person="p2")}


def talk(name: str, number: str | None, direction: Direction = Direction.INBOUND) -> CallRecord:
    return CallRecord(
        id=name,
        direction=direction,
        outcome=Outcome.ANSWERED,
        started_at=NOW + MINUTE,
        answered_at=NOW + 2 * MINUTE,
        ended_at=NOW + 20 * MINUTE,
        answered_by="c017",
        number=number,
    )


def test_a_visit_owed_at_home_is_kept_by_no_call(work: UnitOfWork) -> None:
    work.calls.put_many([talk("c1", NUMBER)])
    with pytest.raises(Refused, match="电话不能代替"):
        done_by_call(work, of(work, Kind.VISIT).id, "c1", actor="c017", now=NOW + HOUR)


def test_a_call_of_their_own_keeps_a_check_in_where_the_site_says_so(work: UnitOfWork) -> None:
    work.calls.put_many([talk("c1", NUMBER)])
    one = of(work, Kind.HARDSHIP)
    with pytest.raises(Refused, match="inbound_counts"):
        done_by_call(work, one.id, "c1", actor="c017", now=NOW + HOUR, inbound=False)
    assert done_by_call(work, one.id, "c1", actor="c017", now=NOW + HOUR).reference == "c1"


def test_a_call_from_a_family_s_phone_counts_only_once_its_record_says_whose_it_was(
    work: UnitOfWork,
) -> None:
    work.people.add(Person(id="p9", code="P-9", name="沈洁", phones=(Phone(number=NUMBER),)))
    work.calls.put_many([talk("c1", NUMBER)])
    one = of(work, Kind.HARDSHIP)
    with pytest.raises(Refused, match="接访记录"):
        done_by_call(work, one.id, "c1", actor="c017", now=NOW + HOUR)
    written = SessionRow(id="se-1", call="c1", counsellor="c017", opened_at=NOW, version=1, person="p1")
    work.sessions.open_many([written])
    assert done_by_call(work, one.id, "c1", actor="c017", now=NOW + HOUR).at == NOW + 2 * MINUTE


# --- the dialler ---------------------------------------------------------------------------


def test_a_pause_holds_until_its_hour_or_until_somebody_lets_it_go_on(work: UnitOfWork) -> None:
    pausing.pause(work, reason="话务高峰", until=NOW + HOUR, actor="s001", now=NOW)
    held = pausing.standing(work, NOW + 59 * MINUTE)
    assert held is not None
    assert (held.by, held.reason) == ("s001", "话务高峰")
    assert pausing.standing(work, NOW + HOUR) is None
    pausing.pause(work, reason="线路检修", actor="s002", now=NOW + 2 * HOUR)
    assert pausing.standing(work, NOW + 300 * DAY) is not None
    pausing.resume(work, actor="s001", now=NOW + 3 * HOUR)
    assert pausing.standing(work, NOW + 3 * HOUR) is None
    with pytest.raises(Refused, match="没有暂停"):
        pausing.resume(work, actor="s001", now=NOW + 3 * HOUR)


def test_a_pause_takes_a_supervisor_a_reason_and_an_hour_to_come(work: UnitOfWork) -> None:
    with pytest.raises(Forbidden):
        pausing.pause(work, reason="话务高峰", actor="c017", now=NOW)
    with pytest.raises(Refused, match="请写明理由"):
        pausing.pause(work, reason="", actor="s001", now=NOW)
    with pytest.raises(Refused, match="在现在之后"):
        pausing.pause(work, reason="话务高峰", until=NOW, actor="s001", now=NOW)
    assert pausing.standing(work, NOW) is None


def test_no_reason_stands_in_the_audit_where_nobody_can_forget_it(work: UnitOfWork) -> None:
    handling.escalate(work, "ob-call", reason="周秀英的丈夫接的", actor="c017", now=NOW)
    assert "周秀英" not in "".join(entry.reason for entry in work.audit.recent(20))
    assert work.book(DEBT_EVENTS).where()[0].reason == "周秀英的丈夫接的"
