"""A file's steps, what hinders each, who confirms that one left, and what ends with it (R34)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from actors import enlist
from people_world import a_case, a_promise

from callcenter.config import Settings
from callcenter.domain.books import CASES, HOUSEHOLDS, MERGES, PLANS
from callcenter.domain.cases import CaseState
from callcenter.domain.hardship_files import months_later, notice_end
from callcenter.domain.households import Household, Member
from callcenter.domain.ledger import Plan, PlanKind, PlanState
from callcenter.domain.people import (
    ExitReason,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.privacy import Merge
from callcenter.domain.risk import Level
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore, MemoryUnit
from callcenter.service.followup.debts import sweep
from callcenter.service.hardship import filing, households
from callcenter.service.hardship.filing import Taken, register_of
from scheduler.cadence import SHANGHAI
from scheduler.obligations import ClosingKind, Kind, Mode, Obligation

#: A Monday; the days off of 国庆 2026 lie between 10-01 and 10-07.
NOW = datetime(2026, 9, 28, 10, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
WHY = "按入户核查的结果"
REGISTER = register_of(Settings())
FILE = HardshipFile(
    file_no="WX-1", person="p1", grade="深度困难", status=FileStatus.ACTIVE, since=date(2026, 9, 1)
)


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A register with 沈建国's file in it, swept."""
    with MemoryStore()() as unit:
        enlist(unit, "c017", "s001", "k001")
        unit.people.add(Person(id="p1", code="P-1", name="沈建国", phones=(Phone(number="13800001111"),)))
        unit.people.put_file(FILE)
        sweep(unit, NOW, rules=REGISTER.owed)
        yield unit


def step(
    work: MemoryUnit, act: Callable[..., Taken], at: datetime = NOW, by: str = "k001", **given: Any
) -> Taken:
    given = {"file_no": "WX-1", "reason": WHY, **given}
    return act(work, given.pop("file_no"), register=REGISTER, actor=by, now=at, **given)


def owed(work: MemoryUnit) -> list[Kind]:
    return sorted(o.kind for o in work.debts.open(person="p1"))


def at(work: MemoryUnit, status: FileStatus) -> None:
    work.people.put_file(replace(FILE, status=status))
    sweep(work, NOW, rules=REGISTER.owed)


# --- the way in ----------------------------------------------------------------------------


def test_a_new_applicant_is_owed_nothing_until_the_notice_is_over_and_somebody_approved(
    work: MemoryUnit,
) -> None:
    new: dict[str, Any] = {
        "file_no": "WX-9",
        "grade": "相对困难",
        "name": "钱秀英",
        "numbers": ["13800002222"],
    }
    applied = step(work, filing.apply, **new).after
    assert (applied.status, applied.since) == (FileStatus.APPLIED, NOW.date())
    put_up = step(work, filing.put_up, file_no="WX-9").after
    assert (put_up.notice_from, put_up.notice_to) == (date(2026, 9, 28), date(2026, 10, 9))
    assert work.debts.open(person=applied.person) == []
    with pytest.raises(Refused, match="期满后"):
        step(work, filing.approve, NOW + 11 * DAY, file_no="WX-9")
    taken = step(work, filing.approve, NOW + 12 * DAY, file_no="WX-9").after
    assert (taken.status, taken.since) == (FileStatus.ACTIVE, date(2026, 10, 10))
    assert taken.review_due == date(2027, 10, 10)
    kinds = sorted(o.kind for o in work.debts.open(person=applied.person))
    assert kinds == [Kind.HARDSHIP, Kind.VISIT]


def test_r32_what_was_refused_on_an_applicants_telephone_binds_the_applicant(work: MemoryUnit) -> None:
    caller = Person(id="p7", code="P-7", name="沈小梅", phones=(Phone(number="13800002222"),))
    work.people.add(caller)
    work.people.add_suppression(
        Suppression(person="p7", kind=SuppressionKind.AUTOMATION, at=NOW, reason="家里人会听见")
    )
    new: dict[str, Any] = {
        "file_no": "WX-9",
        "grade": "相对困难",
        "name": "钱秀英",
        "numbers": ["13800002222"],
    }
    person = step(work, filing.apply, **new).after.person
    assert person != "p7"
    assert [s.kind for s in work.people.suppressions(person)] == [SuppressionKind.AUTOMATION]


def test_a_notice_counts_working_days_of_the_sites_calendar(work: MemoryUnit) -> None:
    at(work, FileStatus.APPLIED)
    with pytest.raises(Refused, match=r"至少 5 个工作日.*只有 3 个"):
        step(work, filing.put_up, start=date(2026, 9, 28), end=date(2026, 10, 7))
    longer = step(work, filing.put_up, start=date(2026, 9, 28), end=date(2026, 10, 9)).after
    assert longer.notice_to == date(2026, 10, 9)


def test_a_grade_the_site_does_not_have_is_refused_with_those_it_has(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match="深度困难、意外致困、相对困难。"):
        step(work, filing.apply, file_no="WX-9", grade="特困", name="钱秀英", numbers=["13800002222"])
    assert work.people.file("WX-9") is None
    with pytest.raises(Refused, match="本站的类别"):
        step(work, filing.review, grade="特困")


def test_to_be_watched_is_no_grade_and_the_refusal_names_the_step(work: MemoryUnit) -> None:
    new: dict[str, Any] = {"file_no": "WX-9", "name": "钱秀英", "numbers": ["13800002222"]}
    with pytest.raises(Refused, match="hotline hardship watch"):
        step(work, filing.apply, grade="脱困观察", **new)
    with pytest.raises(Refused, match="hotline hardship watch"):
        step(work, filing.review, grade="脱困观察")
    step(work, filing.leave, because=ExitReason.RETIRED)
    with pytest.raises(Refused, match="hotline hardship watch"):
        step(work, filing.come_back, grade="脱困观察")


def test_a_notice_begins_no_earlier_than_the_application(work: MemoryUnit) -> None:
    work.people.put_file(replace(FILE, status=FileStatus.APPLIED, since=date(2026, 9, 21)))
    with pytest.raises(Refused, match="2026-09-21 才申请"):
        step(work, filing.put_up, start=date(2026, 9, 20), end=date(2026, 10, 9))
    assert step(work, filing.put_up, start=date(2026, 9, 21)).after.notice_from == date(2026, 9, 21)


@pytest.mark.parametrize(
    ("status", "act"),
    [
        (FileStatus.ACTIVE, filing.put_up),
        (FileStatus.APPLIED, filing.approve),
        (FileStatus.APPLIED, filing.watch),
        (FileStatus.NOTICE, filing.come_back),
        (FileStatus.CLOSED, filing.review),
        (FileStatus.CLOSED, filing.watch),
    ],
)
def test_a_step_from_where_the_table_has_none_says_where_the_file_stands(
    work: MemoryUnit, status: FileStatus, act: Callable[..., Taken]
) -> None:
    at(work, status)
    with pytest.raises(Refused, match=f"现在是{status.value}"):
        step(work, act)


def test_every_step_is_on_record_with_who_took_it_and_why(work: MemoryUnit) -> None:
    step(work, filing.watch)
    step(work, filing.leave, NOW + 200 * DAY, because=ExitReason.RECOVERED)
    step(work, filing.confirm, NOW + 201 * DAY)
    steps = [(e.verb, e.actor, e.reason) for e in work.audit.recent(50, object="WX-1")]
    assert steps == [(f"hardship.{name}", "k001", WHY) for name in ("confirm", "leave", "watch")]


# --- watching, leaving, coming back --------------------------------------------------------


def test_a_family_counts_as_recovered_only_after_it_was_watched(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match="先转入脱困观察"):
        step(work, filing.leave, because=ExitReason.RECOVERED)
    step(work, filing.watch)
    assert owed(work) == [Kind.HARDSHIP, Kind.VISIT], "who is watched is still owed"
    with pytest.raises(Refused, match="2027-03-28 期满"):
        step(work, filing.leave, NOW + 180 * DAY, because=ExitReason.RECOVERED)
    left = step(work, filing.leave, NOW + 181 * DAY, because=ExitReason.RECOVERED).after
    assert (left.status, left.exit_reason) == (FileStatus.CLOSED, ExitReason.RECOVERED)


def test_earlier_than_that_it_takes_a_reason_that_stays_on_record(work: MemoryUnit) -> None:
    step(work, filing.watch)
    with pytest.raises(Refused, match="理由"):
        step(work, filing.leave, because=ExitReason.RECOVERED, early="好")
    step(work, filing.leave, because=ExitReason.RECOVERED, early="全家已经就业满一年")
    [entry] = work.audit.recent(1, verb="hardship.leave")
    assert "全家已经就业满一年" in entry.reason


def test_a_reason_has_to_fit_where_the_file_stands(work: MemoryUnit) -> None:
    with pytest.raises(Refused, match="不能以「未通过」退档"):
        step(work, filing.leave, because=ExitReason.NOT_APPROVED)
    at(work, FileStatus.NOTICE)
    with pytest.raises(Refused, match="不能以「退休」退档"):
        step(work, filing.leave, because=ExitReason.RETIRED)
    refused = step(work, filing.leave, because=ExitReason.NOT_APPROVED).after
    assert refused.exit_confirmed_by == "k001", "nothing ended with it, so nobody is asked about it"
    assert owed(work) == []


def test_a_file_comes_back_at_any_time_and_counts_from_that_day(work: MemoryUnit) -> None:
    step(work, filing.leave, because=ExitReason.RETIRED)
    back = step(work, filing.come_back, NOW + 40 * DAY, grade="相对困难").after
    assert (back.status, back.since, back.grade) == (FileStatus.ACTIVE, date(2026, 11, 7), "相对困难")
    assert (back.exit_reason, back.exit_confirmed_by) == (None, None)
    assert owed(work) == [Kind.HARDSHIP, Kind.VISIT], (
        "and nobody is asked any more whether it was right to leave"
    )
    for minutes in (1, 2, 24 * 60):
        swept = sweep(work, NOW + 40 * DAY + timedelta(minutes=minutes), rules=REGISTER.owed)
        assert swept.changed == 0, "owed once, however often a round comes by"


@pytest.mark.parametrize("because", [ExitReason.MISTAKE, ExitReason.DIED])
def test_what_never_should_have_been_in_is_applied_for_again(work: MemoryUnit, because: ExitReason) -> None:
    step(work, filing.leave, because=because)
    with pytest.raises(Refused, match="重新申请"):
        step(work, filing.come_back)
    again = step(work, filing.apply, grade="深度困难").after
    assert (again.status, again.exit_reason) == (FileStatus.APPLIED, None)


def test_a_review_moves_the_next_one_and_a_new_grade_begins_that_day(work: MemoryUnit) -> None:
    same = step(work, filing.review, NOW + DAY).after
    assert (same.since, same.review_due) == (FILE.since, date(2027, 9, 29))
    other = step(work, filing.review, NOW + 2 * DAY, grade="相对困难").after
    assert (other.since, other.grade) == (date(2026, 9, 30), "相对困难")
    step(work, filing.watch)
    with pytest.raises(Refused, match="重新在档"):
        step(work, filing.review, grade="深度困难")


# --- R34: a person confirms ----------------------------------------------------------------


def exit_check(work: MemoryUnit) -> Obligation:
    [asked] = [o for o in work.debts.open(person="p1") if o.kind is Kind.VERIFY]
    return asked


def test_r34_who_left_is_owed_nothing_but_a_persons_look_within_a_week(work: MemoryUnit) -> None:
    before = work.debts.open(person="p1")
    step(work, filing.leave, because=ExitReason.RETIRED)
    asked = exit_check(work)
    assert owed(work) == [Kind.VERIFY]
    assert (asked.origin, asked.mode) == ("exit/WX-1", Mode.HUMAN_ONLY)
    assert (asked.due_at, asked.window_end) == (NOW, NOW + 7 * DAY)
    closings = [work.debts.get(o.id).closing for o in before]
    assert [c.kind for c in closings if c] == [ClosingKind.LEFT, ClosingKind.LEFT]


def test_r34_a_file_that_a_list_took_out_is_asked_about_as_well(work: MemoryUnit) -> None:
    work.people.put_file(replace(FILE, status=FileStatus.CLOSED))
    sweep(work, NOW, rules=REGISTER.owed)
    sweep(work, NOW + DAY, rules=REGISTER.owed)
    assert exit_check(work).origin == "exit/WX-1"
    work.people.put_file(FILE)
    sweep(work, NOW + 2 * DAY, rules=REGISTER.owed)
    assert owed(work) == [Kind.HARDSHIP, Kind.VISIT]


def test_r34_confirming_ends_the_question_by_name(work: MemoryUnit) -> None:
    step(work, filing.leave, because=ExitReason.RETIRED)
    asked = exit_check(work)
    confirmed = step(work, filing.confirm, NOW + DAY).after
    closing = work.debts.get(asked.id).closing
    assert confirmed.exit_confirmed_by == "k001"
    assert closing is not None
    assert (closing.kind, closing.by) == (ClosingKind.VERIFIED, "k001")
    sweep(work, NOW + 30 * DAY, rules=REGISTER.owed)
    assert owed(work) == []
    with pytest.raises(Refused, match="没有待核对"):
        step(work, filing.confirm)


@pytest.mark.parametrize("status", [FileStatus.ACTIVE, FileStatus.WATCH])
def test_r34_denying_puts_the_file_back_where_it_stood_and_it_is_owed_again(
    work: MemoryUnit, status: FileStatus
) -> None:
    at(work, status)
    step(work, filing.leave, because=ExitReason.RETIRED)
    back = step(work, filing.confirm, NOW + DAY, back=True).after
    assert (back.status, back.since, back.exit_reason) == (status, FILE.since, None)
    assert owed(work) == [Kind.HARDSHIP, Kind.VISIT]


def with_ties(work: MemoryUnit) -> None:
    """Let 沈建国 have been promised a call, have a plan, and be looked after in a case."""
    work.debts.add(a_promise("x", "p1", NOW))
    step_of_case: dict[str, Any] = {"kind": Kind.HIGH_RISK, "origin": "case/ca-p1/24h"}
    work.debts.add(a_promise("risk", "p1", NOW, **step_of_case))
    work.book(CASES).add(a_case("p1", Level.HIGH, NOW, state=CaseState.ACTIVE))
    plan = Plan(
        id="pl-1",
        person="p1",
        kind=PlanKind.HOSPITAL_DAY,
        anchor=NOW.date(),
        every_days=20,
        by="c017",
        at=NOW,
    )
    work.book(PLANS).add(plan)
    work.debts.add(a_promise("plan", "p1", NOW, kind=Kind.PLANNED, origin="plan/pl-1/2026-09-29"))


@pytest.mark.parametrize(
    ("because", "kind"), [(ExitReason.DIED, ClosingKind.DIED), (ExitReason.MOVED, ClosingKind.LEFT)]
)
def test_r34_with_death_or_leaving_promises_and_plans_end_once_a_supervisor_confirms(
    work: MemoryUnit, because: ExitReason, kind: ClosingKind
) -> None:
    with_ties(work)
    step(work, filing.leave, because=because)
    assert {Kind.CALLBACK, Kind.PLANNED} <= set(owed(work)), "one person's word ends no promise"
    with pytest.raises(Forbidden, match="由督导核对"):
        step(work, filing.confirm)
    step(work, filing.confirm, by="s001")
    assert owed(work) == [Kind.HIGH_RISK], "a case is closed by its own rules only"
    closings = [work.debts.get(f"ob-{name}").closing for name in ("x", "plan")]
    assert [(c.kind, c.by) for c in closings if c] == [(kind, "s001")] * 2
    assert work.book(PLANS).get("pl-1").state is PlanState.ENDED
    ends = [
        e for e in work.audit.recent(50) if e.verb in {"plan.end", "obligation.close"} and e.actor == "s001"
    ]
    assert {e.verb for e in ends} == {"plan.end", "obligation.close"}
    assert {e.reason for e in ends} == {kind, ClosingKind.VERIFIED}, "the words stand with what ended"


def test_r34_other_reasons_leave_promises_and_plans_alone(work: MemoryUnit) -> None:
    with_ties(work)
    step(work, filing.leave, because=ExitReason.RETIRED)
    step(work, filing.confirm)
    assert owed(work) == [Kind.CALLBACK, Kind.HIGH_RISK, Kind.PLANNED]
    assert work.book(PLANS).get("pl-1").state is PlanState.ACTIVE


def test_r34_nothing_ends_under_somebody_who_is_calling_at_this_moment(work: MemoryUnit) -> None:
    with_ties(work)
    step(work, filing.leave, because=ExitReason.DIED)
    work.debts.claim("ob-x", "c017", NOW, NOW + timedelta(minutes=10))
    with pytest.raises(Refused, match="正有人在联系"):
        step(work, filing.confirm, by="s001")
    assert work.people.file("WX-1").exit_confirmed_by is None  # type: ignore[union-attr]
    step(work, filing.confirm, NOW + timedelta(minutes=11), by="s001")
    assert owed(work) == [Kind.HIGH_RISK]


# --- one household, one file ---------------------------------------------------------------


def test_a_household_has_one_open_file_and_the_refusal_names_it(work: MemoryUnit) -> None:
    work.people.add(Person(id="p2", code="P-2", name="钱秀英", phones=(Phone(number="13800002222"),)))
    work.people.put_file(replace(FILE, file_no="WX-2", person="p2", status=FileStatus.CLOSED))
    how: dict[str, Any] = {"actor": "k001", "now": NOW, "reason": "同一本户口簿"}
    households.move_home(work, "WX-2", beside="WX-1", **how)
    with pytest.raises(Refused, match="WX-1"):
        step(work, filing.apply, file_no="WX-2", grade="深度困难")
    step(work, filing.leave, because=ExitReason.RETIRED)
    step(work, filing.apply, file_no="WX-2", grade="深度困难")
    with pytest.raises(Refused, match="WX-2"):
        step(work, filing.come_back)
    with pytest.raises(Refused, match="WX-2"):
        step(work, filing.confirm, back=True)
    households.move_home(work, "WX-1", beside=None, **how)
    step(work, filing.come_back)
    with pytest.raises(Refused, match="一户一档"):
        households.move_home(work, "WX-1", beside="WX-2", **how)


def other_file(work: MemoryUnit, **who: Any) -> None:
    """Enter 钱秀英 with a file in file, beside one of 沈建国's that left."""
    plain = {"id": "p2", "code": "P-2", "name": "钱秀英"}
    work.people.add(Person(**{**plain, "phones": (Phone(number="13800002222", listed=True),), **who}))
    work.people.put_file(replace(FILE, file_no="WX-2", person="p2"))
    step(work, filing.leave, because=ExitReason.RETIRED)


def test_one_person_has_one_open_file_by_whatever_way_it_opens(work: MemoryUnit) -> None:
    step(work, filing.leave, because=ExitReason.RETIRED)
    work.people.put_file(replace(FILE, file_no="WX-2"))
    sweep(work, NOW, rules=REGISTER.owed)
    for act, given in (
        (filing.come_back, {}),
        (filing.apply, {"grade": "深度困难"}),
        (filing.confirm, {"back": True}),
    ):
        with pytest.raises(Refused, match="此人还有在册的档案 WX-2"):
            step(work, act, **given)
    step(work, filing.leave, file_no="WX-2", because=ExitReason.RETIRED)
    step(work, filing.come_back)
    assert owed(work) == [Kind.HARDSHIP, Kind.VERIFY, Kind.VISIT]


def test_whoever_was_found_to_be_one_person_has_one_open_file(work: MemoryUnit) -> None:
    other_file(work)
    work.people.update(replace(work.people.get("p1"), merged_into="p2"))
    work.book(MERGES).add(Merge(id="me-1", kept="p2", merged="p1", by="s001", at=NOW, reason=WHY, moved={}))
    with pytest.raises(Refused, match="此人还有在册的档案 WX-2"):
        step(work, filing.come_back)


def test_an_identity_number_has_one_open_file(work: MemoryUnit) -> None:
    other_file(work, identity_mark="m1")
    work.people.update(replace(work.people.get("p1"), identity_mark="m1"))
    with pytest.raises(Refused, match="同一身份证号的人还有在册的档案 WX-2"):
        step(work, filing.come_back)


@pytest.mark.parametrize(("listed", "is_refused"), [(True, True), (False, False)])
def test_a_telephone_of_the_register_has_one_open_file_and_another_tells_of_nobody(
    work: MemoryUnit, listed: bool, is_refused: bool
) -> None:
    shared = Phone(number="13800001111", listed=True)
    other_file(work, phones=(replace(shared, listed=listed),))
    work.people.update(replace(work.people.get("p1"), phones=(shared,)))
    if is_refused:
        with pytest.raises(Refused, match="同一个电话号码的人还有在册的档案 WX-2"):
            step(work, filing.come_back)
    else:
        assert step(work, filing.come_back).after.status is FileStatus.ACTIVE


def test_two_files_that_are_open_already_are_gone_on_with_until_one_leaves(work: MemoryUnit) -> None:
    work.people.put_file(replace(FILE, file_no="WX-2"))
    step(work, filing.review)
    step(work, filing.watch)
    step(work, filing.leave, because=ExitReason.MISTAKE)


def test_a_register_number_names_one_household(work: MemoryUnit) -> None:
    how: dict[str, Any] = {"actor": "k001", "now": NOW, "reason": "入户时登记"}
    other_file(work)
    households.set_home(work, "WX-1", register_no="h1", **how)
    with pytest.raises(Refused, match="household set WX-2 --with WX-1"):
        households.set_home(work, "WX-2", register_no="Ｈ1", **how)
    households.set_home(work, "WX-1", register_no="H1", **how)
    households.move_home(work, "WX-1", beside=None, **how)
    home = households.set_home(work, "WX-2", register_no="H1", **how)
    assert [one.register_no for one in work.book(HOUSEHOLDS).where()].count("H1") == 1
    assert home.household.register_no == "H1"


def test_members_are_set_anew_and_the_register_number_stays(work: MemoryUnit) -> None:
    how: dict[str, Any] = {"actor": "k001", "now": NOW, "reason": "入户时登记"}
    wife, girl = Member(name="钱秀英", relation="配偶"), Member(name="沈小梅", relation="女儿")
    households.set_home(work, "WX-1", members=(wife, girl), register_no="320200-17", **how)
    home = households.set_home(work, "WX-1", members=(girl,), **how)
    assert (home.members, home.household.register_no) == ((girl,), "320200-17")
    assert [file.file_no for file in home.files] == ["WX-1"]
    with pytest.raises(NotFound, match="WX-8"):
        households.home_of(work, "WX-8", actor="k001")


def test_a_member_with_an_entry_of_their_own_goes_by_the_name_that_stands_there(work: MemoryUnit) -> None:
    work.people.add(Person(id="p2", code="P-2", name="钱秀英"))
    work.book(HOUSEHOLDS).add(Household(id="hh-1", members=(Member(name="", relation="配偶", person="p2"),)))
    work.people.put_file(replace(FILE, household="hh-1"))
    assert [m.name for m in households.home_of(work, "WX-1", actor="k001").members] == ["钱秀英"]


# --- arithmetic ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months", "after"),
    [
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2027, 8, 31), 6, date(2028, 2, 29)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2026, 3, 15), 12, date(2027, 3, 15)),
    ],
)
def test_months_end_where_the_shorter_month_does(day: date, months: int, after: date) -> None:
    assert months_later(day, months) == after


def test_a_calendar_without_workdays_ends_a_notice_all_the_same() -> None:
    assert notice_end(date(2026, 9, 28), lambda _: False, REGISTER.rules) > date(2027, 9, 1)
