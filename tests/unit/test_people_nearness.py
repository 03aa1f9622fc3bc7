"""Nobody makes themselves near: who may change what is kept of somebody, and whom a number tells of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from people_world import QIAN, SHEN, a_call, a_session, near, on_file, peopled, with_case

from callcenter.domain.books import CASES
from callcenter.domain.cases import CaseState
from callcenter.domain.people import ConsentKind, Person, Phone, PhoneSource, SuppressionKind
from callcenter.domain.privacy import RequestKind
from callcenter.domain.risk import Level, RiskAnswers
from callcenter.domain.sessions import SessionStatus
from callcenter.errors import CallCenterError, Forbidden, NotFound
from callcenter.ports import Store, UnitOfWork
from callcenter.service.people.caller_plans import set_plan
from callcenter.service.people.entries import caller_of, own_numbers
from callcenter.service.people.people import (
    add_phone,
    change_care,
    change_phone,
    give_code,
    opt_out,
    record_consent,
)
from callcenter.service.people.profiles import profile
from callcenter.service.people.reveal import BY_DANGER, look_over, reveal, reveal_call, shown
from callcenter.service.privacy.requests import open_request
from callcenter.service.risk.case_verbs import raise_level, see_case
from callcenter.service.risk.cases import follow
from callcenter.service.sessions.access import check_reads
from scheduler.gates import Rules

MINE = "13700000001"
WHY = "需要核对回电号码"
SEEN = "当面看过身份证"


def calls_from_own_number(work: UnitOfWork, now: datetime) -> None:
    work.calls.put_many([a_call("9.9", now, MINE)])
    work.sessions.open_many([a_session("9.9", now)])


def test_r38_a_counsellor_adds_no_number_to_somebody_they_do_not_work_with(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        with pytest.raises(Forbidden, match="正在服务"):
            add_phone(work, "P-7F3K", MINE, actor="c017", now=now)
        calls_from_own_number(work, now)
        with pytest.raises(Forbidden):
            reveal(work, "p1", ["numbers"], actor="c017", now=now, reason=WHY)


def test_r38_a_number_a_counsellor_typed_recognises_nobody_and_opens_no_road(
    store: Store, now: datetime
) -> None:
    """c017 talked with Shen once, typed a number of their own, and calls from it weeks later."""
    peopled(store)
    with_case(store, "p1", Level.GENERAL, now, owner="c018")
    with store() as work:
        near(work, now, "p1")
        added = add_phone(work, "p1", MINE, actor="c017", now=now)
        assert added.phones[1].source is PhoneSource.HAND
        head = work.sessions.get("se-near-c017-p1")
        work.sessions.update(replace(head, version=1, person="p2"), seen=0)
        later = now + timedelta(days=20)
        calls_from_own_number(work, later)
        assert caller_of(work, work.calls.get("9.9")) is None, "and so no record or case of theirs"
        with pytest.raises(Forbidden):
            reveal(work, "p1", ["numbers"], actor="c017", now=later, reason=WHY)
        about = a_session("1.1", now, person="p1", counsellor="c018")
        with pytest.raises(Forbidden):
            check_reads(work, work.users.get("c017"), about)
        assert MINE not in own_numbers(work, work.people.get("p1")), "nor does a copy hold those calls"


def test_a_supervisor_makes_sure_of_a_number_and_then_its_calls_are_theirs(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        near(work, now, "p1")
        add_phone(work, "p1", MINE, actor="c017", now=now)
        with pytest.raises(Forbidden, match="督导核实"):
            change_phone(work, "p1", 2, confirmed=True, actor="c017", now=now)
        assert not profile(work, "p1", actor="c017", now=now).phones[1].is_known
        change_phone(work, "p1", 2, confirmed=True, actor="s001", now=now)
        found = caller_of(work, a_call("9.9", now, MINE))
        assert found is not None
        assert found.id == "p1"
        told = [(e.actor, e.field) for e in work.audit.recent(1, verb="people.phone_change")]
        assert told == [("s001", "confirmed")]


def test_of_a_shared_number_who_called_goes_before_whom_a_list_names(store: Store, now: datetime) -> None:
    listed = Phone(number=MINE, source=PhoneSource.REGISTER, listed=True)
    on_list = Person(id="a1", code="P-AAAA", name="赵大海", phones=(listed,))
    caller = Person(id="z9", code="P-ZZZZ", phones=(Phone(number=MINE),))
    peopled(store, SHEN, QIAN, on_list, caller)
    with store() as work:
        found = caller_of(work, a_call("9.9", now, MINE))
        assert found is not None
        assert found.id == "z9"


CHANGES = {
    "phone": lambda work, who, now: add_phone(work, "p1", MINE, actor=who, now=now),
    "mark": lambda work, who, now: change_phone(work, "p1", 1, safe_to_call=False, actor=who, now=now),
    "code": lambda work, who, now: give_code(work, "p1", actor=who, now=now),
    "care": lambda work, who, now: change_care(work, "p1", no_ivr=True, actor=who, now=now),
    "plan": lambda work, who, now: set_plan(work, "p1", times="每周二", actor=who, now=now),
    "consent": lambda work, who, now: record_consent(
        work, "p1", ConsentKind.FOLLOWUP, True, channel="电话", actor=who, now=now
    ),
    "optout": lambda work, who, now: opt_out(work, "p1", SuppressionKind.ALL_OUTBOUND, actor=who, now=now),
}


@pytest.mark.parametrize("change", CHANGES)
def test_r38_what_changes_somebody_is_for_who_works_with_them_and_supervisors(
    store: Store, now: datetime, change: str
) -> None:
    peopled(store)
    with store() as work:
        near(work, now, "p1", by="c018")
        with pytest.raises(Forbidden):
            CHANGES[change](work, "c017", now)
        for who in ("c018", "s001") if change != "phone" else ("c018",):
            CHANGES[change](work, who, now)


def test_what_was_agreed_in_a_talk_is_written_down_within_the_week(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.sessions.open_many([a_session("1.1", now)])
        head = work.sessions.get("se-1.1")
        work.sessions.update(replace(head, person="p1", version=1, status=SessionStatus.SUBMITTED), seen=0)
        give_code(work, "p1", actor="c017", now=now + timedelta(days=6))
        with pytest.raises(Forbidden):
            give_code(work, "p1", actor="c017", now=now + timedelta(days=8))


# --- clerks ---------------------------------------------------------------------------------


def answers_to_a_clerk(work: UnitOfWork, name: str, now: datetime) -> list[str]:
    """Return what a clerk is told for each verb of theirs."""
    told = []
    for verb in (
        lambda: record_consent(
            work, name, ConsentKind.IVR_CHECKIN, True, channel="当面", actor="k001", now=now
        ),
        lambda: opt_out(work, name, SuppressionKind.AUTOMATION, actor="k001", now=now),
        lambda: open_request(work, name, RequestKind.ACCESS, identity_check=SEEN, actor="k001", now=now),
    ):
        try:
            verb()
        except CallCenterError as error:
            told.append(f"{type(error).__name__}: {error}")
        else:
            told.append("done")
    return told


def test_r39_a_clerk_reaches_only_who_has_a_file_and_cannot_tell_a_caller_from_nobody(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        on_file(work, "p1")
        assert answers_to_a_clerk(work, "P-7F3K", now) == ["done"] * 3
        caller, nobody = (answers_to_a_clerk(work, name, now) for name in ("P-4KXA", "P-NONE"))
        assert caller == nobody
        assert all(told.startswith("NotFound") for told in caller)
        assert list(work.people.suppressions("p2")) == []


# --- danger ---------------------------------------------------------------------------------


def test_r38_whoever_raised_a_case_themselves_sees_nobody_by_that(store: Store, now: datetime) -> None:
    """S17: raise a colleague's case, reveal, and say it was danger."""
    peopled(store)
    with_case(store, "p1", Level.MEDIUM, now, owner="c018")
    with store() as work:
        why = {"reason": "听起来更危险了", "now": now, "rules": Rules()}
        raise_level(work, "ca-p1", Level.HIGH, actor="c017", **why)  # type: ignore[arg-type]
        with pytest.raises(Forbidden, match="您自己定的"):
            reveal(work, "p1", ["numbers"], actor="c017", now=now, reason=WHY)
        raise_level(work, "ca-p1", Level.IMMINENT, actor="c017", **why)  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            reveal(work, "p1", ["numbers"], actor="c017", now=now, reason=WHY)
        work.book(CASES).put(replace(work.book(CASES).get("ca-p1"), owner="c017"))
        assert reveal(work, "p1", ["numbers"], actor="c017", now=now, reason=WHY)


def test_r38_danger_that_others_found_opens_and_the_reviewer_is_told(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        follow(
            work,
            session=a_session("1.1", now, person="p1", counsellor="c018"),
            person="p1",
            answers=RiskAnswers(asked=True, thoughts=True, plan_soon=True),
            ended_at=now,
            actor="c018",
            now=now,
            rules=Rules(),
        )
        work.calls.put_many([a_call("1.1", now, answered_by="c018")])
        assert reveal(work, "p1", ["numbers"], actor="c017", now=now, reason=WHY)
        assert reveal_call(work, "1.1", actor="c017", now=now, reason=WHY)
        told = [one.reason for one in shown(work, actor="s001", now=now, since=now)]
        assert told == [WHY + BY_DANGER] * 2
        reveal(work, "p1", ["numbers"], actor="c018", now=now, reason=WHY)
        assert shown(work, actor="s001", now=now, since=now)[0].reason == WHY


# --- what is looked over --------------------------------------------------------------------


def test_s25_looking_at_a_colleagues_person_or_case_is_written_down(store: Store, now: datetime) -> None:
    peopled(store)
    with_case(store, "p1", Level.GENERAL, now, owner="c017")
    with store() as work:
        for who in ("c017", "c018"):
            profile(work, "p1", actor=who, now=now)
            see_case(work, "ca-p1", actor=who, now=now)
        told = [(e.verb, e.actor, e.object) for e in work.audit.recent(9) if e.verb.endswith(".see")]
    assert told == [("case.see", "c018", "case:ca-p1"), ("people.see", "c018", "person:p1")]


def test_a_closed_case_makes_nobody_near(store: Store, now: datetime) -> None:
    peopled(store)
    with_case(store, "p1", Level.GENERAL, now, owner="c017", state=CaseState.CLOSED)
    with store() as work, pytest.raises(Forbidden):
        give_code(work, "p1", actor="c017", now=now)


def test_what_is_looked_over_must_be_a_showing(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        profile(work, "p1", actor="c017", now=now)
        [entry] = work.audit.recent(1, verb="people.see")
        with pytest.raises(NotFound):
            look_over(work, entry.seq, actor="s001", now=now)
