"""What people ask about their own data, in every store: to see it, to put it right, to have it gone (R43)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from people_world import QIAN, SHEN, a_call, a_promise, a_session, on_file, peopled, with_case

from callcenter.domain.books import (
    ASSESSMENTS,
    CALLER_PLANS,
    EXPORTS,
    HOLDS,
    MERGES,
    REQUESTS,
    SESSION_VERSIONS,
    TOMBSTONES,
)
from callcenter.domain.people import (
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.privacy import DataRequest, Hold, RequestKind, RequestState
from callcenter.domain.risk import Assessment, Level
from callcenter.domain.sessions import SessionStatus, SessionVersion
from callcenter.errors import Forbidden, Refused
from callcenter.ports import Store, UnitOfWork
from callcenter.service.hardship.fields import Entry
from callcenter.service.hardship.importing import import_entries
from callcenter.service.people.caller_plans import set_plan
from callcenter.service.people.merging import merge, unmerge
from callcenter.service.privacy.copies import answer_access, copy_of
from callcenter.service.privacy.erasing import Erasure, erase
from callcenter.service.privacy.export_files import FileKind
from callcenter.service.privacy.requests import answer, correct, open_request, refuse, requests
from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar

SEEN = "当面看过身份证"
NUMBER = "13861705555"
YEARS_AGO = timedelta(days=366 * 4)


def ask(work: UnitOfWork, kind: RequestKind, now: datetime, person: str = "p1") -> DataRequest:
    return open_request(work, person, kind, identity_check=SEEN, actor="c017", now=now)


# --- the clock ------------------------------------------------------------------------------


def test_r43_it_is_due_after_fifteen_working_days_over_a_holiday_with_a_made_up_sunday(
    store: Store,
) -> None:
    """From Monday 21 September 2026: mid-autumn 25-27, National Day 1-7 October, Saturday 10 works."""
    peopled(store)
    monday = datetime(2026, 9, 21, 10, tzinfo=SHANGHAI)
    with store() as work:
        made = ask(work, RequestKind.ACCESS, monday)
        assert made.due_at.astimezone(SHANGHAI).date() == date(2026, 10, 19)
        assert made.due_at.astimezone(SHANGHAI).hour == 23


def test_the_sites_own_holidays_count(store: Store) -> None:
    peopled(store)
    monday = datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)
    off = Calendar(site={date(2026, 11, 24): False})
    with store() as work:
        on_file(work, "p1")
        kinds = (RequestKind.ACCESS, Calendar()), (RequestKind.CORRECTION, off)
        due = [
            open_request(
                work, "p1", kind, identity_check=SEEN, actor="k001", now=monday, calendar=calendar
            ).due_at
            for kind, calendar in kinds
        ]
    assert due[1].date() - due[0].date() == timedelta(days=1)


def test_r43_overdue_requests_are_listed_until_they_are_answered(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        made = ask(work, RequestKind.ACCESS, now)
        later = ask(work, RequestKind.ACCESS, now + timedelta(days=9), "p2")
        assert requests(work, actor="s001", now=made.due_at, overdue=True) == []
        late = made.due_at + timedelta(seconds=1)
        assert [r.id for r in requests(work, actor="s001", now=late, overdue=True)] == [made.id]
        assert [r.id for r in requests(work, actor="s001", now=late)] == [made.id, later.id]
        answer(work, made.id, "已当面说明", actor="s001", now=late)
        assert requests(work, actor="s001", now=late, overdue=True) == []
        assert len(requests(work, actor="s001", now=late, everything=True)) == 2


def test_a_request_says_how_it_was_made_sure_who_asks(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        with pytest.raises(Refused, match="怎样核实是本人"):
            open_request(work, "p1", RequestKind.ACCESS, identity_check="是", actor="c017", now=now)
        ask(work, RequestKind.ACCESS, now)
        with pytest.raises(Refused, match="不必再登记"):
            ask(work, RequestKind.ACCESS, now)
        ask(work, RequestKind.ERASURE, now)


def test_a_refusal_has_a_reason_and_ends_the_request(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        made = ask(work, RequestKind.ERASURE, now)
        with pytest.raises(Refused, match="理由"):
            refuse(work, made.id, actor="s001", now=now, reason="不行")
        with pytest.raises(Refused, match="erase"):
            answer(work, made.id, "已经处理好了", actor="s001", now=now)
        done = refuse(work, made.id, actor="s001", now=now, reason="无法核实是本人,请带证件来")
        assert (done.state, done.answered_by) == (RequestState.REFUSED, "s001")
        with pytest.raises(Refused, match="已经答复"):
            refuse(work, made.id, actor="s001", now=now, reason="无法核实是本人,请带证件来")
        with pytest.raises(Forbidden):
            requests(work, actor="c017", now=now)


# --- putting right --------------------------------------------------------------------------


def test_a_correction_says_before_and_after_masked(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        made = ask(work, RequestKind.CORRECTION, now)
        done = correct(work, made.id, "name", " 陈建国 ", actor="s001", now=now)
        assert done.answer == "name: 沈** -> 陈**"
        assert work.people.get("p1").name == "陈建国"
        assert "建国" not in str([e for e in work.audit.recent(9)])


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "  "), ("birth_month", "13"), ("birth_year", "68"), ("birth_month", "五"), ("code", "P-1")],
)
def test_a_clumsy_correction_changes_nothing(store: Store, now: datetime, field: str, value: str) -> None:
    peopled(store)
    with store() as work:
        made = ask(work, RequestKind.CORRECTION, now)
        with pytest.raises(Refused):
            correct(work, made.id, field, value, actor="s001", now=now)
        assert work.people.get("p1") == SHEN
        assert work.book(REQUESTS).get(made.id).state is RequestState.OPEN


# --- the copy -------------------------------------------------------------------------------


def a_version(session: str, now: datetime, **answers: object) -> SessionVersion:
    return SessionVersion(
        id=f"{session}/1",
        session=session,
        n=1,
        status=SessionStatus.SUBMITTED,
        form="session/1",
        checksum="0" * 64,
        answers=answers,
        by="c017",
        at=now,
    )


def recorded(work: UnitOfWork, call: str, now: datetime, **answers: object) -> None:
    """A call from Shen's number, with its record."""
    work.calls.put_many([a_call(call, now)])
    head = replace(
        a_session(call, now, person="p1"), version=1, status=SessionStatus.SUBMITTED, submitted_at=now
    )
    work.sessions.open_many([head])
    work.book(SESSION_VERSIONS).add(a_version(head.id, now, **answers))
    work.book(ASSESSMENTS).add(
        Assessment(
            id=f"as-{call}",
            session=head.id,
            person="p1",
            instrument="who5",
            version="1",
            checksum="0" * 64,
            score=44.0,
            by="c017",
            at=now,
        )
    )


def test_a_copy_holds_what_is_theirs_and_nothing_of_others_or_of_judgement(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        recorded(
            work,
            "1.1",
            now,
            caller_type="本人",
            codes=["工作压力", "睡眠"],
            facts="说三个月没有睡好",
            judgement="我看他在隐瞒酒量",
            level_reason="看法",
            plan_coping="去运河边走走",
            plan_contacts="妹妹沈建芳 13700000009",
            actions=[{"text": "下周二再通话", "state": "约定", "by": "c017"}],
        )
        recorded(work, "1.2", now, caller_type="第三方", facts="母亲说他摔了碗", codes=["家庭"])
        work.people.put_file(
            HardshipFile(
                file_no="WX-1",
                person="p1",
                grade=Grade.DEEP,
                status=FileStatus.CLOSED,
                since=date(2026, 1, 1),
                liaison="顾卫东",
            )
        )
        sheets = copy_of(work, work.people.get("p1"), SHANGHAI, with_facts=False)
        said = str([(sheet.title, sheet.headings, sheet.rows) for sheet in sheets])
        for own in ("沈建国", NUMBER, "工作压力、睡眠", "下周二再通话 约定", "去运河边走走", "WHO-5", "WX-1"):
            assert own in said
        for withheld in (
            "隐瞒",
            "看法",
            "沈建芳",
            "13700000009",
            "母亲",
            "家庭",
            "顾卫东",
            "c017",
            "who5",
            "没有睡好",
        ):
            assert withheld not in said
        sheets = copy_of(work, work.people.get("p1"), SHANGHAI, with_facts=True)
        read_through = str([sheet.rows for sheet in sheets])
        assert "没有睡好" in read_through
        assert "母亲" not in read_through


def test_calls_from_a_familys_phone_are_in_nobodys_copy(store: Store, now: datetime) -> None:
    son = Person(id="p3", code="P-9MRT", name="沈小军", phones=(Phone(number=NUMBER),))
    peopled(store, SHEN, QIAN, son)
    with store() as work:
        work.calls.put_many([a_call("1.1", now)])
        titles = {s.title for s in copy_of(work, work.people.get("p1"), SHANGHAI, with_facts=False)}
        assert "通话登记" not in titles


def test_r43_access_is_answered_by_an_export_that_is_written_down(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        recorded(work, "1.1", now, caller_type="本人", codes=["睡眠"])
        made = ask(work, RequestKind.ACCESS, now)
        done = answer_access(
            work,
            made.id,
            form=FileKind.CSV,
            lasts=timedelta(days=7),
            zone=SHANGHAI,
            actor="s001",
            now=now,
            reason="本人查阅",
        )
        text = done.content.decode("utf-8-sig")
        assert "沈建国" in text
        assert done.export.id in text
        for theirs in ("您本人的资料", "妥善保管", "请拨打本热线"):
            assert theirs in text
        for ours in ("内部资料", "不得外传", "s001", "who5"):
            assert ours not in text
        assert work.book(EXPORTS).get(done.export.id).expires_at == now + timedelta(days=7)
        assert done.export.id in work.book(REQUESTS).get(made.id).answer
        wrong = ask(work, RequestKind.CORRECTION, now)
        with pytest.raises(Refused, match="不是查阅"):
            answer_access(
                work,
                wrong.id,
                form=FileKind.CSV,
                lasts=timedelta(days=7),
                zone=SHANGHAI,
                actor="s001",
                now=now,
                reason="本人查阅",
            )


# --- erasing --------------------------------------------------------------------------------


def erased(work: UnitOfWork, now: datetime, *, dry_run: bool = False) -> Erasure:
    made = ask(work, RequestKind.ERASURE, now)
    return erase(work, made.id, actor="s001", now=now, reason="本人要求删除", dry_run=dry_run)


def test_r43_names_numbers_and_plans_go_and_young_records_stay_without_their_person(
    store: Store, now: datetime
) -> None:
    peopled(store)
    with store() as work:
        recorded(work, "1.1", now - YEARS_AGO, caller_type="本人", codes=["睡眠"], facts="很久以前的话")
        recorded(work, "1.2", now - timedelta(days=30), caller_type="本人", facts="上个月的话")
        set_plan(work, "p1", instructions="慢一点说", actor="s001", now=now)
        work.debts.add(a_promise("x", "p1", now, detail="number=13700000001"))
        work.debts.close("ob-x", "沈建国说不用回了", "s001", now)
        done = erased(work, now)
        assert {(i.what, i.count) for i in done.goes} >= {("满三年的接访记录", 1), ("电话号码", 1)}
        stays = {i.what: i for i in done.stays}
        assert stays["接访记录与评估"].count == 1
        assert "三年" in stays["接访记录与评估"].why
        work.commit()
    with store() as work:
        assert work.people.get("p1") == Person(id="p1", code="P-7F3K")
        assert work.people.by_number(NUMBER) is None
        assert list(work.calls.of_number(NUMBER)) == []
        assert work.calls.get("1.2").answered_at is not None, "the call itself is a statistic"
        assert work.book(CALLER_PLANS).one("p1") is None
        owed = work.debts.get("ob-x")
        assert (owed.detail, owed.closing and owed.closing.reason) == ("", "")
        assert [v.session for v in work.book(SESSION_VERSIONS).where()] == ["se-1.2"]
        assert [a.session for a in work.book(ASSESSMENTS).where()] == ["se-1.2"]
        assert work.sessions.get("se-1.2").person is None
        stones = {stone.object: stone for stone in work.book(TOMBSTONES).where()}
        assert {"person:p1", "session:se-1.1"} <= stones.keys()
        assert any(name.startswith("statistics:") for name in stones)
        [asked] = work.book(REQUESTS).where(person="p1")
        assert (asked.state, asked.answered_by) == (RequestState.ANSWERED, "s001")
        assert "满三年的接访记录 1" in asked.answer


def test_a_dry_run_tells_what_would_go_and_takes_nothing(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        recorded(work, "1.1", now - YEARS_AGO, caller_type="本人")
        told = erased(work, now, dry_run=True)
        assert {i.what for i in told.goes} >= {"姓名、出生年月、来电口令", "满三年的接访记录"}
        assert told.hindered == ()
        assert work.people.get("p1") == SHEN
        assert len(work.book(SESSION_VERSIONS).where()) == 1
        assert work.book(REQUESTS).where(person="p1")[0].state is RequestState.OPEN


def hold(work: UnitOfWork, now: datetime) -> None:
    work.book(HOLDS).add(Hold(id="ho-1", object="person:p1", by="s001", at=now, reason="法院来函"))


def owe(work: UnitOfWork, now: datetime) -> None:
    work.debts.add(a_promise("x", "p1", now))


def register(work: UnitOfWork, now: datetime) -> None:
    work.people.put_file(
        HardshipFile(
            file_no="WX-1",
            person="p1",
            grade=Grade.DEEP,
            status=FileStatus.ACTIVE,
            since=date(2026, 1, 1),
        )
    )


def wait_for_a_copy(work: UnitOfWork, now: datetime) -> None:
    ask(work, RequestKind.ACCESS, now)


@pytest.mark.parametrize(
    ("hinder", "sentence"),
    [(hold, "保全"), (owe, "应做的联系"), (register, "退档"), (wait_for_a_copy, "没有答复")],
)
def test_r43_whoever_has_still_to_be_looked_after_is_not_erased(
    store: Store, now: datetime, hinder: object, sentence: str
) -> None:
    peopled(store)
    with store() as work:
        hinder(work, now)  # type: ignore[operator]
        made = ask(work, RequestKind.ERASURE, now)
        told = erase(work, made.id, actor="s001", now=now, reason="本人要求删除", dry_run=True)
        assert any(sentence in one for one in told.hindered)
        with pytest.raises(Refused, match=sentence):
            erase(work, made.id, actor="s001", now=now, reason="本人要求删除")
        assert work.people.get("p1") == SHEN


@pytest.mark.parametrize("level", [Level.IMMINENT, Level.MEDIUM, Level.GENERAL])
def test_r43_an_open_case_is_not_forgotten(store: Store, now: datetime, level: Level) -> None:
    peopled(store)
    with_case(store, "p1", level, now)
    with store() as work, pytest.raises(Refused, match="个案"):
        erased(work, now)


def test_r32_an_erased_opt_out_outlives_the_next_import(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        work.people.add_suppression(
            Suppression(person="p1", kind=SuppressionKind.ALL_OUTBOUND, at=now, reason="不要再打")
        )
        erased(work, now)
        entry = Entry(
            row=2,
            file_no="WX-9",
            name="沈建国",
            grade=Grade.DEEP,
            status=FileStatus.ACTIVE,
            since=date(2026, 11, 1),
            phones=(NUMBER,),
        )
        import_entries(work, [entry], actor="s001", now=now)
        file = work.people.file("WX-9")
        assert file is not None
        assert file.person != "p1", "who they were is not known any more"
        assert [s.kind for s in work.people.suppressions(file.person)] == [SuppressionKind.ALL_OUTBOUND]


def test_merged_entries_are_erased_together_and_not_taken_apart_again(store: Store, now: datetime) -> None:
    peopled(store)
    with store() as work:
        done = merge(work, "p1", "p2", actor="s001", now=now, reason="同一个人,两次登记")
        erased(work, now)
        for who in ("p1", "p2"):
            person = work.people.get(who)
            assert (person.name, person.phones) == (None, ())
        left = work.book(MERGES).get(done.id)
        assert (left.reason, left.moved, left.kept_before) == ("", {}, None)
        with pytest.raises(Refused, match="不能再拆开"):
            unmerge(work, done.id, actor="s001", now=now, reason="原来是两姐妹")


def test_a_number_shared_with_somebody_else_stays_in_the_register(store: Store, now: datetime) -> None:
    son = Person(id="p3", code="P-9MRT", name="沈小军", phones=(Phone(number=NUMBER),))
    peopled(store, SHEN, QIAN, son)
    with store() as work:
        work.calls.put_many([a_call("1.1", now)])
        erased(work, now)
        assert [call.id for call in work.calls.of_number(NUMBER)] == ["1.1"]
        known = work.people.by_number(NUMBER)
        assert known == son
