"""Who sees whom in clear, how anonymous people are known, and what is kept of a number: in every store."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from people_world import QIAN, SHEN, a_call, a_promise, a_session, near, peopled, with_case

from callcenter.domain.cases import CaseState
from callcenter.domain.people import Person, Phone, PhoneStatus
from callcenter.domain.risk import Level
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.ports import Store
from callcenter.service.names import LETTERS, code_to_keep
from callcenter.service.people.caller_plans import plan_of, set_plan
from callcenter.service.people.merging import merge
from callcenter.service.people.people import (
    add_phone,
    caller_of,
    change_phone,
    find,
    give_code,
    new_person,
    resolve,
)
from callcenter.service.people.profiles import profile
from callcenter.service.people.reveal import reveal
from scheduler.obligations import Attempt

WHY = "需要核对回电号码"
NUMBER = "13861705555"


def sees(store: Store, who: str, now: datetime, person: str = "p1") -> bool:
    with store() as work:
        try:
            return reveal(work, person, ["numbers"], actor=who, now=now, reason=WHY) == {"numbers": NUMBER}
        except Forbidden:
            return False


def test_r38_a_counsellor_sees_nobody_they_do_not_work_with(store: Store, now: datetime) -> None:
    peopled(store)
    assert not sees(store, "c017", now)
    assert sees(store, "s001", now)


def test_r38_an_open_record_of_ones_own_is_near_enough(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call("1.1", now)])
        work.sessions.open_many([a_session("1.1", now)])
        work.commit()
    assert sees(store, "c017", now)
    assert not sees(store, "c018", now)


def test_r38_ones_own_case_is_near_enough_while_it_is_open(store: Store, now: datetime) -> None:
    peopled(store)
    with_case(store, "p1", Level.GENERAL, now, owner="c018")
    with_case(store, "p1", Level.GENERAL, now, owner="c017", id="ca-old", state=CaseState.CLOSED)
    assert sees(store, "c018", now)
    assert not sees(store, "c017", now)


def test_r38_a_debt_in_hand_is_near_enough_until_it_is_given_back(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.debts.add(a_promise("x", "p1", now))
        work.debts.claim("ob-x", "at-1", now, now + timedelta(minutes=10))
        work.debts.add_attempt(Attempt(id="at-1", obligation="ob-x", n=1, planned_at=now, by="c017"))
        work.commit()
    assert sees(store, "c017", now)
    assert not sees(store, "c018", now)
    assert not sees(store, "c017", now + timedelta(minutes=11))


def test_r38_at_high_risk_every_counsellor_sees_and_it_is_written_down(store: Store, now: datetime) -> None:
    peopled(store)
    with_case(store, "p1", Level.HIGH, now, owner="c017")
    with store() as work:
        reveal(work, "p1", ["numbers"], actor="c018", now=now, reason=WHY)
        assert [e.actor for e in work.audit.recent(5, verb="people.reveal")] == ["c018"]


def test_r38_what_was_refused_leaves_no_entry_and_unknown_fields_are_refused(
    store: Store, now: datetime
) -> None:
    peopled(store)
    assert not sees(store, "c017", now)
    with store() as work:
        with pytest.raises(Refused, match="可以查看的项目"):
            reveal(work, "p1", ["diary"], actor="s001", now=now, reason=WHY)
        assert list(work.audit.recent(5, verb="people.reveal")) == []


def test_a_new_person_has_a_pseudonym_that_is_read_aloud_without_mistakes(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        made = [new_person(work, number=None, actor="c017", now=now) for _ in range(40)]
    codes = {person.code for person in made}
    assert len(codes) == 40
    assert all(code.startswith("P-") and set(code[2:]) <= set(LETTERS) for code in codes)
    assert set(LETTERS).isdisjoint("0O1IL2Z5S8BUV")


@pytest.mark.parametrize("number", [None, "", "anonymous", "'; DROP TABLE people;--", "12"])
def test_a_caller_without_a_usable_number_is_somebody_all_the_same(
    store: Store, now: datetime, number: str | None
) -> None:
    peopled(store)
    with store() as work:
        assert new_person(work, number=number, actor="c017", now=now).phones == ()


def test_the_next_call_from_that_number_is_theirs(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        made = new_person(work, number="+86 137 0000 0001", actor="c017", now=now)
        again = caller_of(work, a_call("1.1", now, "13700000001"))
        assert again == made
        assert caller_of(work, a_call("1.2", now, None)) is None
        assert caller_of(work, a_call("1.3", now, "13700000002")) is None


def test_whom_we_called_is_whom_the_attempt_was_for(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.debts.add(a_promise("x", "p2", now))
        work.debts.add_attempt(Attempt(id="at-1", obligation="ob-x", n=1, planned_at=now, by="c017"))
        called = caller_of(work, a_call("at-1", now, None))
        assert called is not None
        assert called.id == "p2"


def test_a_code_works_after_a_merge_and_a_new_one_voids_both(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        near(work, now, "p1", "p2")
        old = {who: give_code(work, who, actor="c017", now=now) for who in ("p1", "p2")}
        merge(work, "p1", "p2", actor="s001", now=now, reason="同一个人,两次登记")
        for digits in old.values():
            assert [p.id for p in find(work, code=digits, actor="c018", now=now)] == ["p1"]
        new = give_code(work, "p2", actor="c017", now=now)
        assert [p.id for p in find(work, code=new, actor="c018", now=now)] == ["p1"]
        for digits in old.values():
            assert find(work, code=digits, actor="c018", now=now) == []


def test_codes_are_not_what_somebody_would_try_first() -> None:
    codes = {code_to_keep() for _ in range(300)}
    assert len(codes) > 250
    assert not codes & {"123456", "654321", "000000", "111111", "121212"}
    assert all(len(code) == 6 and code.isdecimal() for code in codes)


def test_r17_everybody_with_a_familys_number_is_found_merges_followed(store: Store, now: datetime) -> None:
    son = Person(id="p3", code="P-9MRT", phones=(Phone(number=NUMBER),))
    peopled(store, SHEN, QIAN, son)
    with store() as work:
        found = find(work, number=NUMBER, actor="c017", now=now, reason="来电者请我们核对")
        assert [p.id for p in found] == ["p1", "p3"]
        merge(work, "p1", "p3", actor="s001", now=now, reason="同一个人,两次登记")
        found = find(work, number=NUMBER, actor="c017", now=now, reason="来电者请我们核对")
        assert [p.id for p in found] == ["p1"]
        with pytest.raises(Refused, match="一项"):
            find(work, number=NUMBER, code="123456", actor="c017", now=now, reason=WHY)


def test_r33_what_is_known_of_a_number_is_known_wherever_it_is_added(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        near(work, now, "p1", "p2")
        change_phone(work, "p1", 1, status=PhoneStatus.WRONG, actor="c017", now=now, reason="接的人说打错了")
        added = add_phone(work, "p2", NUMBER, actor="c017", now=now)
        assert added.phones[1].status is PhoneStatus.WRONG
        assert new_person(work, number=NUMBER, actor="c017", now=now).phones[0].status is PhoneStatus.WRONG
        with pytest.raises(Conflict):
            add_phone(work, "p2", NUMBER, actor="c017", now=now)
        with pytest.raises(Refused):
            add_phone(work, "p2", "爸爸的手机", actor="c017", now=now)
        with pytest.raises(NotFound):
            change_phone(work, "p2", 5, safe_to_call=False, actor="c017", now=now)
        with pytest.raises(Refused, match="理由"):
            change_phone(work, "p2", 1, status=PhoneStatus.VACANT, actor="c017", now=now)


def test_calls_about_somebody_from_others_do_not_make_them_a_repeat_caller(
    store: Store, now: datetime
) -> None:
    """A mother calls each evening about her son: he has not called once."""
    peopled(store)
    with store() as work:
        work.calls.put_many([a_call(f"1.{n}", now - timedelta(days=n), "13700000009") for n in range(9)])
        work.calls.put_many([a_call("2.1", now, None), a_call("2.2", now - timedelta(days=40))])
        about = [a_session(f"1.{n}", now - timedelta(days=n), person="p1") for n in range(9)]
        work.sessions.open_many([*about, a_session("2.1", now, person="p1")])
        found = profile(work, "p1", actor="c017", now=now)
        assert (found.calls_lately, found.is_repeat) == (1, False)
        assert len(found.sessions) == 10
        caller = new_person(work, number="13700000009", actor="c017", now=now)
        mother = profile(work, caller.id, actor="c017", now=now)
        assert (mother.calls_lately, mother.is_repeat, mother.sessions) == (9, True, ())


def test_a_plan_is_kept_field_by_field_and_read_across_a_merge(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        near(work, now, "p2")
        near(work, now, "p2", by="c018")
        set_plan(work, "p2", worker="c017", times="每周二 19:00", actor="c017", now=now)
        set_plan(work, "p2", instructions="慢一点说", actor="c018", now=now)
        with pytest.raises(Refused, match="没有在用的人员"):
            set_plan(work, "p2", worker="nobody", actor="c017", now=now)
        with pytest.raises(Refused, match="最多"):
            set_plan(work, "p2", links="长" * 2001, actor="c017", now=now)
        merge(work, "p1", "p2", actor="s001", now=now, reason="同一个人,两次登记")
        found = plan_of(work, "p1", actor="c017", now=now)
        assert (found.worker, found.times, found.instructions) == ("c017", "每周二 19:00", "慢一点说")
        set_plan(work, "p1", worker="", actor="c017", now=now)
        found = plan_of(work, "p1", actor="c017", now=now)
        assert (found.id, found.worker, found.times) == ("p1", None, "每周二 19:00")
        assert "慢一点说" not in str(list(work.audit.recent(20)))


def test_links_made_in_a_ring_by_hand_are_told_and_not_followed_for_ever(store: Store) -> None:
    one = Person(id="p1", code="P-AAAA", merged_into="p2")
    two = Person(id="p2", code="P-CCCC", merged_into="p1")
    peopled(store, one, two)
    with store() as work, pytest.raises(Conflict, match="成环"):
        resolve(work, "p1")
