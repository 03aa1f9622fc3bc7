"""What was agreed about a number, and who makes sure of one that a call found bad (R25, R33)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from people_world import near, peopled

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.merging import joined
from callcenter.domain.people import (
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    SafeContact,
    callable_now,
)
from callcenter.domain.verifying import bad_number
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import debt_views
from callcenter.service.followup.debts import line_facts, settle, sweep
from callcenter.service.followup.settling import numbers_for, numbers_now
from callcenter.service.people import phones
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import BY_IVR, Attempt, ClosingKind, Kind, Mode, Obligation

NOW = datetime(2026, 11, 24, 10, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)
HOME, MOBILE, NEW = "051085001111", "13861705555", "13700003333"
EVENING = ((time(19), time(21)),)
AGREED = SafeContact(label="家里", say_name="老沈", code_word="晚饭", windows=EVENING)
WHY = "本人当面核对过"


@pytest.fixture
def work() -> Iterator[UnitOfWork]:
    """A line on which 沈建国 has two numbers and is owed a check-in."""
    shen = Person(id="p1", code="P-7F3K", name="沈建国", phones=(Phone(number=HOME), Phone(number=MOBILE)))
    with peopled(MemoryStore(), shen)() as unit:
        unit.people.put_file(
            HardshipFile(
                file_no="WX-1",
                person="p1",
                grade="深度困难",
                status=FileStatus.ACTIVE,
                since=date(2026, 9, 1),
            )
        )
        sweep(unit, NOW)
        yield unit


def routine(work: UnitOfWork) -> Obligation:
    return work.debts.open(person="p1", kind=Kind.HARDSHIP)[0]


def statuses(work: UnitOfWork) -> list[tuple[str, PhoneStatus]]:
    return [(p.number, p.status) for p in work.people.get("p1").phones]


# --- what was agreed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spans", "wall", "may"),
    [
        ((), time(3), True),
        (EVENING, time(18, 59), False),
        (EVENING, time(19), True),
        (EVENING, time(21), False),
        (((time(22), time(6)),), time(23, 30), True),
        (((time(22), time(6)),), time(5, 59), True),
        (((time(22), time(6)),), time(12), False),
        ((*EVENING, (time(12), time(13))), time(12, 30), True),
    ],
)
def test_a_number_rests_outside_its_agreed_hours(
    spans: tuple[tuple[time, time], ...], wall: time, may: bool
) -> None:
    phone = Phone(number=MOBILE, agreed=SafeContact(windows=spans))
    assert callable_now(phone, wall) is may


def test_the_number_that_rests_is_passed_over_for_one_that_does_not(work: UnitOfWork) -> None:
    person = phones.agree(work, "p1", 1, AGREED, actor="s001", now=NOW)
    assert numbers_for(person, routine(work)) == [HOME, MOBILE]
    assert numbers_now(person, routine(work), time(10)) == [MOBILE]
    assert numbers_now(person, routine(work), time(20)) == [HOME, MOBILE]


def test_whoever_dials_reads_what_was_agreed_and_the_audit_does_not(work: UnitOfWork) -> None:
    phones.agree(work, "p1", 1, AGREED, actor="s001", now=NOW)
    facts = line_facts(work, NOW, None, Rules())
    shown = debt_views.view(work, routine(work), facts)
    assert shown.agreed == "家里；找老沈；口令「晚饭」；只在 19:00-21:00 拨打；不要留言"
    assert "有约定" in shown.marks
    assert any("老沈" in line for line in debt_views.explain(work, shown, facts))
    assert not any(word in str(work.audit.recent(50)) for word in ("老沈", "晚饭", "家里"))
    assert "晚饭" not in repr(work.people.get("p1"))


def test_what_is_agreed_is_for_who_works_with_them(work: UnitOfWork) -> None:
    for act in (
        lambda: phones.agreed_with(work, "p1", actor="c017", now=NOW),
        lambda: phones.agree(work, "p1", 1, AGREED, actor="c017", now=NOW),
    ):
        with pytest.raises(Forbidden):
            act()
    near(work, NOW, "p1")
    phones.agree(work, "p1", 1, AGREED, actor="c017", now=NOW)
    assert phones.agreed_with(work, "p1", actor="c017", now=NOW).phones[0].agreed == AGREED


@pytest.mark.parametrize(
    "agreed",
    [
        SafeContact(say_name="老" * 21),
        SafeContact(label="家里\n别说"),
        SafeContact(windows=((time(9), time(9)),)),
        SafeContact(windows=EVENING * 5),
    ],
)
def test_what_nobody_can_keep_to_is_refused(work: UnitOfWork, agreed: SafeContact) -> None:
    with pytest.raises(Refused):
        phones.agree(work, "p1", 1, agreed, actor="s001", now=NOW)
    with pytest.raises(NotFound):
        phones.agree(work, "p1", 3, AGREED, actor="s001", now=NOW)


@pytest.mark.parametrize("text", ["19:00", "19:00-25:00", "晚上", "19:00-20:00-21:00", "19:00+08:00-21:00"])
def test_a_span_is_typed_as_two_times(text: str) -> None:
    assert phones.span_of("19:00-21:00") == EVENING[0]
    with pytest.raises(Refused, match="19:00-21:00"):
        phones.span_of(text)


def test_of_two_agreements_about_one_number_only_what_both_allow_holds() -> None:
    mine = replace(AGREED, voicemail=True, sms=True, windows=((time(18), time(20)),))
    theirs = replace(AGREED, voicemail=False, sms=True, windows=((time(19), time(2)),), say_name="")

    def merged(one: SafeContact, other: SafeContact) -> SafeContact:
        people = [
            Person(id=name, code=name, phones=(Phone(number=HOME, agreed=agreed),))
            for name, agreed in (("p1", one), ("p2", other))
        ]
        return joined(*people).phones[0].agreed

    both = merged(mine, theirs)
    assert (both.voicemail, both.sms, both.say_name) == (False, True, "老沈")
    assert both.windows == ((time(19), time(20)),)
    assert merged(mine, SafeContact()) == merged(SafeContact(), mine) == mine
    never = replace(theirs, windows=((time(6), time(7)),))
    assert merged(mine, never).windows == mine.windows


# --- a number found bad --------------------------------------------------------------------


def found(work: UnitOfWork, result: str, number: str = HOME, attempt: str = "at-1") -> None:
    """Dial a number for the check-in and have the call end so."""
    debt = routine(work)
    work.debts.claim(debt.id, attempt, NOW, NOW + 3 * MINUTE)
    n = len(work.debts.attempts(debt.id)) + 1
    tried = Attempt(
        id=attempt, obligation=debt.id, n=n, planned_at=NOW, dialled_at=NOW, by=BY_IVR, callee=number
    )
    work.debts.add_attempt(tried)
    record = CallRecord(
        id=attempt,
        direction=Direction.OUTBOUND,
        outcome=Outcome.OUTBOUND,
        started_at=NOW,
        answered_at=NOW,
        ended_at=NOW + MINUTE,
        flow_outcome=result,
        hangup_cause=16,
    )
    settle(work, [record, record], NOW + 2 * MINUTE)


def checks(work: UnitOfWork) -> list[Obligation]:
    return list(work.debts.open(person="p1", kind=Kind.VERIFY))


@pytest.mark.parametrize("result", ["phone_refused", "wrong_person", "vacant", "suspended"])
def test_r25_r33_a_number_found_bad_is_a_persons_to_make_sure_of(work: UnitOfWork, result: str) -> None:
    found(work, result)
    [asked] = checks(work)
    assert (asked.mode, asked.window_end - asked.due_at) == (Mode.HUMAN_ONLY, timedelta(days=7))
    assert bad_number(asked) == HOME
    assert HOME not in f"{asked.origin} {asked.id} {asked!r}"
    assert numbers_for(work.people.get("p1"), asked) == [MOBILE], "the bad number is not what is dialled"
    lines = debt_views.explain(
        work, debt_views.view(work, asked, facts := line_facts(work, NOW, None, Rules())), facts
    )
    assert "051****1111" in lines[0]


def test_a_call_that_says_nothing_of_the_number_asks_nobody(work: UnitOfWork) -> None:
    found(work, "no_answer")
    assert checks(work) == []


def test_r33_the_same_number_is_asked_about_once_and_another_one_by_itself(work: UnitOfWork) -> None:
    found(work, "vacant")
    phones.change_phone(work, "p1", 1, safe_to_call=True, actor="s001", now=NOW)
    found(work, "vacant", attempt="at-2")
    assert len(checks(work)) == 1
    found(work, "wrong_person", MOBILE, attempt="at-3")
    assert [bad_number(o) for o in checks(work)] == [HOME, MOBILE]


def closed_as(work: UnitOfWork, asked: Obligation) -> tuple[ClosingKind, str] | None:
    closing = work.debts.get(asked.id).closing
    return closing and (closing.kind, closing.by)


@pytest.mark.parametrize("status", [PhoneStatus.OK, PhoneStatus.WRONG, PhoneStatus.CHANGED])
def test_r33_whoever_made_sure_of_it_ends_the_question(work: UnitOfWork, status: PhoneStatus) -> None:
    found(work, "vacant")
    found(work, "vacant", MOBILE, attempt="at-2")
    home, mobile = checks(work)
    phones.change_phone(work, "p1", 1, status=status, actor="s001", now=NOW + MINUTE, reason=WHY)
    assert closed_as(work, home) == (ClosingKind.VERIFIED, "s001")
    assert checks(work) == [mobile], "of the other number nobody has said anything yet"
    phone = work.people.get("p1").phones[0]
    assert (phone.status, phone.verified_at) == (status, NOW + MINUTE if status is PhoneStatus.OK else None)


def test_r33_a_new_number_in_its_place_ends_the_question_and_the_old_one_stays_known(
    work: UnitOfWork,
) -> None:
    found(work, "vacant")
    [asked] = checks(work)
    phones.add_phone(work, "p1", NEW, replaces=1, actor="s001", now=NOW + MINUTE)
    assert closed_as(work, asked) == (ClosingKind.VERIFIED, "s001")
    assert statuses(work) == [
        (NEW, PhoneStatus.OK),
        (MOBILE, PhoneStatus.OK),
        (HOME, PhoneStatus.CHANGED),
    ]
    with pytest.raises(Conflict):
        phones.add_phone(work, "p1", HOME, actor="s001", now=NOW + 2 * MINUTE)
    with pytest.raises(NotFound):
        phones.add_phone(work, "p1", "13700004444", replaces=9, actor="s001", now=NOW + 2 * MINUTE)


def test_a_number_left_with_one_promise_is_no_question_about_the_person(work: UnitOfWork) -> None:
    found(work, "vacant", NEW)
    assert checks(work) == []
    assert [status for _, status in statuses(work)] == [PhoneStatus.OK, PhoneStatus.OK]
