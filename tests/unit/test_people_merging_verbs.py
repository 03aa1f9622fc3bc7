"""Two entries that are one person, in every store: what holds at once, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from people_world import QIAN, SHEN, a_call, a_promise, a_session, peopled, with_case

from callcenter.config import Settings
from callcenter.domain.books import CASE_EVENTS, CASES, MERGES
from callcenter.domain.cases import CaseState, CloseReason
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.risk import Level
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.ports import Store, UnitOfWork
from callcenter.service.followup.debts import has_ivr_consent, line_facts, rules_of, situation_of, sweep
from callcenter.service.people.blocking import block, standing
from callcenter.service.people.entries import caller_of, open_cases, resolve
from callcenter.service.people.merging import merge, merges_of, unmerge
from scheduler.gates import Rules
from scheduler.obligations import OF_REGISTER, Attempt, Kind, Result

WHY, APART = "同一单位、同一生日,本人在电话里确认", "两人同名,不是一人"
RULES = rules_of(Settings())


def one_person(store: Store, now: datetime) -> None:
    """Find Shen (p1) and Qian (p2) to be one: p1 stands for both."""
    with store() as work:
        merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        work.commit()


def test_a_caller_is_known_by_either_number(store: Store, now: datetime) -> None:
    peopled(store)
    one_person(store, now)
    with store() as work:
        assert resolve(work, "p2").id == "p1"
        numbers = [phone.number for phone in resolve(work, "p2").phones]
        assert numbers == ["13861705555", "13912345678"]
        for number in numbers:
            known = caller_of(work, a_call("1.1", now, number))
            assert known is not None
            assert known.id == "p1"


@pytest.mark.parametrize("who", ["p1", "p2"])
def test_r32_an_opt_out_of_either_binds_both(store: Store, now: datetime, who: str) -> None:
    peopled(store)
    with store() as work:
        work.people.add_suppression(
            Suppression(person=who, kind=SuppressionKind.ALL_OUTBOUND, at=now, reason="不要再打")
        )
        work.debts.add(a_promise("x", "p2", now))
        work.commit()
    one_person(store, now)
    with store() as work:
        [owed] = work.debts.open(person="p1")
        asked = situation_of(work, owed, line_facts(work, now, None, Rules()))
        assert asked.person.no_outbound


def test_consent_is_what_was_said_last_by_either(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        for who, granted, at in (("p1", True, now), ("p2", False, now + timedelta(minutes=1))):
            work.people.add_consent(
                Consent(person=who, kind=ConsentKind.IVR_CHECKIN, granted=granted, at=at, channel="电话")
            )
        work.commit()
    one_person(store, now + timedelta(hours=1))
    with store() as work:
        assert not has_ivr_consent(work, "p1", now)
        assert [c.person for c in work.people.consents("p1")] == ["p1", "p2"]


def test_who_asked_to_be_spared_machines_is_spared_under_both(store: Store, now: datetime) -> None:
    peopled(store, SHEN, replace(QIAN, no_ivr=True, speaks="zh_wx"))
    one_person(store, now)
    with store() as work:
        kept = work.people.get("p1")
        assert (kept.no_ivr, kept.speaks, kept.name) == (True, "zh_wx", "沈建国")


def test_the_gates_see_the_attempts_of_both(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        for who in ("p1", "p2"):
            work.debts.add(a_promise(who, who, now))
        tried = Attempt(id="at-1", obligation="ob-p2", n=1, planned_at=now, by="c017")
        work.debts.add_attempt(replace(tried, result=Result.NO_ANSWER, settled_at=now))
        work.commit()
    one_person(store, now)
    with store() as work:
        own = work.debts.get("ob-p1")
        asked = situation_of(work, own, line_facts(work, now, None, Rules()))
        assert [attempt.id for attempt in asked.person.attempts] == ["at-1"]


def test_i1_one_person_is_dialled_once_at_a_time_after_a_merge(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        for who in ("p1", "p2"):
            work.debts.add(a_promise(who, who, now))
        work.commit()
    one_person(store, now)
    with store() as work:
        work.debts.claim("ob-p1", "c017", now, now + timedelta(minutes=5))
        with pytest.raises(Conflict):
            work.debts.claim("ob-p2", "c018", now, now + timedelta(minutes=5))


def a_file(person: str, grade: Grade) -> HardshipFile:
    return HardshipFile(
        file_no=f"WX-{person}",
        person=person,
        grade=grade,
        status=FileStatus.ACTIVE,
        since=date(2026, 3, 1),
    )


def test_two_files_make_one_routine_debt_and_it_is_the_sooner_one(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.people.put_file(a_file("p1", Grade.RELATIVE))
        work.people.put_file(a_file("p2", Grade.DEEP))
        sweep(work, now)
        ends = {o.person: o.window_end for o in work.debts.open()}
        work.commit()
    assert ends["p2"] < ends["p1"]
    one_person(store, now)
    with store() as work:
        for turn in range(3):
            sweep(work, now + timedelta(minutes=turn))
            [owed] = work.debts.open()
            assert (owed.person, owed.window_end) == ("p1", ends["p2"])


@pytest.mark.parametrize("worse", ["p1", "p2"])
def test_two_open_cases_become_one_at_the_worse_level(store: Store, now: datetime, worse: str) -> None:
    peopled(store)
    milder = "p2" if worse == "p1" else "p1"
    with_case(store, worse, Level.HIGH, now, owner=None)
    with_case(store, milder, Level.GENERAL, now, owner="c018", steps=("ob-m",))
    one_person(store, now)
    with store() as work:
        [going] = open_cases(work, work.people.get("p1"))
        assert (going.id, going.level, going.owner, going.person) == (f"ca-{worse}", Level.HIGH, "c018", "p1")
        assert going.steps == ("ob-m",)
        ended = work.book(CASES).get(f"ca-{milder}")
        assert (ended.state, ended.close_reason) == (CaseState.CLOSED, CloseReason.MERGED)
        assert [e.kind for e in work.book(CASE_EVENTS).where(case=ended.id)] == ["closed"]
        [done] = merges_of(work, "p2", actor="s001", now=now)
        unmerge(work, done.id, actor="s001", now=now, reason=APART)
        assert {c.person: c.id for one in ("p1", "p2") for c in open_cases(work, work.people.get(one))} == {
            "p1": "ca-p1",
            "p2": "ca-p2",
        }


def test_a_merge_with_somebody_in_danger_lifts_the_block_on_the_other_number(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with_case(store, "p1", Level.MEDIUM, now)
    with store() as work:
        block(work, "13912345678", length=timedelta(days=3), actor="s001", now=now, reason="反复骚扰")
        merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        assert standing(work, now) == []


def test_a_merge_waits_while_somebody_is_being_dialled(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.debts.add(a_promise("x", "p2", now))
        work.debts.claim("ob-x", "c017", now, now + timedelta(minutes=5))
        with pytest.raises(Refused, match="正有人在联系"):
            merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        merge(work, "p1", "p2", actor="s001", now=now + timedelta(minutes=6), reason=WHY)


def test_a_merge_waits_while_an_attempt_is_in_doubt(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.debts.add(a_promise("x", "p1", now))
        work.debts.add_attempt(Attempt(id="at-1", obligation="ob-x", n=1, planned_at=now, by="ivr"))
        with pytest.raises(Refused, match="还不知道结果"):
            merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)


def test_a_dry_run_tells_what_would_move_and_moves_nothing(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.debts.add(a_promise("x", "p2", now))
        work.sessions.open_many([a_session("1.1", now, person="p2")])
        told = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY, dry_run=True)
        assert (told.moved["obligation"], told.moved["session"]) == (("ob-x",), ("se-1.1",))
        assert work.people.get("p2").merged_into is None
        assert work.debts.get("ob-x").person == "p2"
        assert list(work.book(MERGES).where()) == []
        assert list(work.audit.recent(5)) == []


def test_what_is_newer_than_the_merge_stays_and_a_number_found_wrong_stays_wrong(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        done = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        work.debts.add(a_promise("new", "p1", now))
        work.people.set_phone_status("13912345678", PhoneStatus.WRONG)
        kept = work.people.get("p1")
        work.people.update(replace(kept, phones=(*kept.phones, Phone(number="13700000000"))))
        unmerge(work, done.id, actor="s001", now=now, reason=APART)
        assert [p.number for p in work.people.get("p1").phones] == ["13861705555", "13700000000"]
        assert work.people.get("p2").phones == (Phone(number="13912345678", status=PhoneStatus.WRONG),)
        assert work.debts.get("ob-new").person == "p1"


def test_r32_what_was_refused_while_both_were_one_binds_both_after(store: Store, now: datetime) -> None:
    peopled(store)
    later = now + timedelta(hours=1)
    with store() as work:
        done = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.AUTOMATION, at=later, reason="不要机器打")
        )
        unmerge(work, done.id, actor="s001", now=later, reason=APART)
        for who in ("p1", "p2"):
            assert [s.kind for s in work.people.suppressions(who)] == [SuppressionKind.AUTOMATION]


def test_a_later_merge_is_taken_apart_first(store: Store, now: datetime) -> None:
    third = Person(id="p3", code="P-9MRT", name="沈建国")
    peopled(store, SHEN, QIAN, third)
    with store() as work:
        first = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        second = merge(work, "p3", "p1", actor="s001", now=now, reason=WHY)
        assert resolve(work, "p2").id == "p3"
        assert work.people.merged("p3") == ["p1", "p2"]
        with pytest.raises(Refused, match="较晚"):
            unmerge(work, first.id, actor="s001", now=now, reason=APART)
        unmerge(work, second.id, actor="s001", now=now, reason=APART)
        unmerge(work, first.id, actor="s001", now=now, reason=APART)
        assert [resolve(work, one).id for one in ("p1", "p2", "p3")] == ["p1", "p2", "p3"]


def test_only_a_supervisor_merges_and_says_why(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        with pytest.raises(Forbidden):
            merge(work, "p1", "p2", actor="c017", now=now, reason=WHY)
        with pytest.raises(Refused, match="理由"):
            merge(work, "p1", "p2", actor="s001", now=now, reason="一样")
        with pytest.raises(Refused, match="同一份"):
            merge(work, "p1", "p1", actor="s001", now=now, reason=WHY)
        merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        told = [(e.object, e.reason) for e in work.audit.recent(9) if e.verb == "people.merge"]
        assert told == [("person:p2", WHY), ("person:p1", WHY)]
        with pytest.raises(Refused):
            merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)


def in_file(work: UnitOfWork, now: datetime) -> None:
    """Put both in the register, the second a day before the first, and sweep."""
    for n in (1, 2):
        file = HardshipFile(
            file_no=f"WX-{n}",
            person=f"p{n}",
            grade=Grade.DEEP,
            status=FileStatus.ACTIVE,
            since=now.date() - timedelta(days=n),
        )
        work.people.put_file(file)
    sweep(work, now, rules=RULES)


def routine(work: UnitOfWork, person: str) -> dict[Kind, str]:
    """Return the ids of what the register owes somebody; fail where it is the same twice."""
    standing = [o for o in work.debts.open(person=person) if o.kind in OF_REGISTER]
    found = {o.kind: o.id for o in standing}
    assert len(found) == len(standing)
    return found


def test_what_the_merge_ended_is_owed_again_when_it_is_taken_apart_and_once(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        in_file(work, now)
        before = [routine(work, one) for one in ("p1", "p2")]
        done = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        assert routine(work, "p1").keys() == set(OF_REGISTER), "one person is owed each once"
        unmerge(work, done.id, actor="s001", now=now, reason=APART)
        assert [routine(work, one) for one in ("p1", "p2")] == before, "at once, without a sweep"
        assert sweep(work, now, rules=RULES).changed == 0


def test_what_took_its_place_while_both_were_one_is_not_owed_beside_it(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        in_file(work, now)
        done = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        sweep(work, now, rules=RULES)
        [second] = [file for file in work.people.files_of("p1") if file.file_no == "WX-2"]
        work.people.put_file(replace(second, status=FileStatus.CLOSED))
        sweep(work, now, rules=RULES)
        place = routine(work, "p1")
        assert place.keys() == set(OF_REGISTER)
        unmerge(work, done.id, actor="s001", now=now, reason=APART)
        assert (routine(work, "p1"), routine(work, "p2")) == (place, {})
        assert sweep(work, now, rules=RULES).changed == 0


@pytest.mark.parametrize("still_in", [True, False])
def test_a_file_that_left_meanwhile_is_owed_nothing_when_the_merge_is_taken_apart(
    store: Store, now: datetime, still_in: bool
) -> None:
    peopled(store)
    with store() as work:
        in_file(work, now)
        done = merge(work, "p1", "p2", actor="s001", now=now, reason=WHY)
        sweep(work, now, rules=RULES)
        for file in work.people.files_of("p1"):
            work.people.put_file(replace(file, status=FileStatus.ACTIVE if still_in else FileStatus.CLOSED))
        sweep(work, now, rules=RULES)
        unmerge(work, done.id, actor="s001", now=now, reason=APART)
        owed = [*routine(work, "p1"), *routine(work, "p2")]
        assert owed == [] or still_in
        sweep(work, now, rules=RULES)
        owed = [*routine(work, "p1"), *routine(work, "p2")]
        assert sorted(owed) == (sorted([*OF_REGISTER, *OF_REGISTER]) if still_in else [])
