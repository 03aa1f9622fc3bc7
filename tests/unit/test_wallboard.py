"""The wallboard: who waits, who talks, who is there, how today goes; and what each role sees of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.calls import calls as calls_group
from callcenter.cli.calls_live import lines_of, stale
from callcenter.config import Settings
from callcenter.db.errors import StoreUnreachable
from callcenter.domain.alarms import Alarm, AlarmKind, crisis_id
from callcenter.domain.books import CALLER_PLANS, CASES, HANDOVERS, LISTENINGS, SURGES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind
from callcenter.domain.handover import Handover
from callcenter.domain.levels import Level
from callcenter.domain.listening import Listening, ListenMode
from callcenter.domain.people import Person, Phone
from callcenter.domain.privacy import CallerPlan
from callcenter.domain.roster import Surge
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.domain.wallboard import (
    At,
    Board,
    Ear,
    OnBoard,
    OnLine,
    Pending,
    Priority,
    Standing,
    Today,
    place_of,
    today_of,
)
from callcenter.errors import Forbidden
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.line.wallboard import board

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 19, 30, tzinfo=SHANGHAI).astimezone(UTC)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=SHANGHAI).astimezone(UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NUMBER = "13800138000"
COUNSELLOR, SUPERVISOR = frozenset({Role.COUNSELLOR}), frozenset({Role.SUPERVISOR})


def call(n: int, *, ago: timedelta = MINUTE, **more: Any) -> CallRecord:
    given: dict[str, Any] = {
        "id": f"pbx1-{n}.1",
        "direction": Direction.INBOUND,
        "outcome": Outcome.OPEN,
        "started_at": NOW - ago - 10 * SECOND,
        "offered_at": NOW - ago,
        "number": f"138001380{n:02d}",
    }
    return CallRecord(**(given | more))


def talk(n: int, by: str, *, ago: timedelta, **more: Any) -> CallRecord:
    return call(n, ago=ago + 5 * SECOND, answered_at=NOW - ago, answered_by=by, **more)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def work(store: MemoryStore) -> Iterator[UnitOfWork]:
    with store() as unit:
        for code, name in (("c017", "林晓燕"), ("c018", "顾卫东"), ("c019", "吴芳芳")):
            unit.users.add(User(code=code, name=name, roles=COUNSELLOR, phone=PhoneKind.SIP))
        unit.users.add(User(code="s001", name="孙立", roles=SUPERVISOR, phone=PhoneKind.SIP))
        unit.users.add(User(code="x001", name="郑理", roles=frozenset({Role.ADMIN})))
        yield unit


def look(work: UnitOfWork, actor: str = "s001") -> Board:
    return board(work, midnight=MIDNIGHT, wrap_up=10 * SECOND, unread=0, actor=actor, now=NOW)


def planned(
    work: UnitOfWork, *agents: str, kind: ShiftKind = ShiftKind.LINE, ago: timedelta = 60 * MINUTE
) -> None:
    for agent in agents:
        shift = Shift(id=f"sh-{agent}", agent=agent, start=NOW - ago, length=timedelta(hours=4), kind=kind)
        work.roster.add_shift(shift)


def acts(work: UnitOfWork, agent: str, *told: PresenceAct, reason: str = "") -> None:
    for n, act in enumerate(told):
        at = NOW - (9 - n) * MINUTE
        event = PresenceEvent(key=f"{agent}-{n}", agent=agent, act=act, at=at, source="cli", reason=reason)
        work.roster.add_presence(event)


def at_risk(work: UnitOfWork, number: str = NUMBER) -> None:
    work.people.add(Person(id="p-1", code="P-AAAA", phones=(Phone(number=number),)))
    work.book(CASES).add(
        Case(
            id="ca-1",
            person="p-1",
            level=Level.HIGH,
            state=CaseState.OPEN,
            opened_at=NOW,
            opened_from="se-1",
            owner="c019",
        )
    )


# --- where callers are -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "at"),
    [
        (call(1, offered_at=None), At.LISTENING),
        (call(1), At.WAITING),
        (call(1, rung=("c017=no_answer", "c018=rung")), At.RINGING),
        (call(1, answered_at=NOW, answered_by="c017", rung=("c017=answered",)), At.TALKING),
        (call(1, answered_at=NOW, answered_by="c017", parted_at=NOW, path=("reconnect",)), At.LISTENING),
        (call(1, answered_at=NOW, answered_by="c017", parted_at=NOW, path=("queue",)), At.WAITING),
    ],
)
def test_a_caller_is_at_one_place(record: CallRecord, at: At) -> None:
    assert place_of(record)[0] is at


def test_whoever_waits_longest_is_named_in_the_head(work: UnitOfWork) -> None:
    work.calls.put_many([call(1, ago=MINUTE), call(2, ago=3 * MINUTE), call(3, ago=2 * MINUTE)])
    found = look(work)
    assert [one.id for one in found.of(At.WAITING)] == ["pbx1-2.1", "pbx1-3.1", "pbx1-1.1"]
    lines = lines_of(found, SHANGHAI)
    assert lines[0].startswith("11-23 19:30:00   等候 3 · 振铃 0 · 通话 0")
    assert lines[1] == "最久等候 3:00  138****8002"


def test_numbers_are_masked_and_an_administrator_sees_none(work: UnitOfWork) -> None:
    work.calls.put_many([call(1, number=NUMBER)])
    assert look(work).calls[0].number == "138****8000"
    assert look(work, "x001").calls[0].number == "***"
    for actor in ("s001", "c017", "x001"):
        assert NUMBER not in "\n".join(lines_of(look(work, actor), SHANGHAI))


def test_calls_of_the_line_to_itself_are_none(work: UnitOfWork) -> None:
    work.calls.put_many([call(1, direction=Direction.INTERNAL)])
    assert look(work).calls == ()


def test_somebody_without_a_part_in_calls_sees_no_board(work: UnitOfWork) -> None:
    work.users.add(User(code="k001", name="周文", roles=frozenset({Role.CLERK})))
    with pytest.raises(Forbidden):
        look(work, "k001")


# --- who goes first, and for how long ----------------------------------------------------------


def test_why_a_caller_goes_first_is_told_to_supervisors_and_to_others_only_that_they_do(
    work: UnitOfWork,
) -> None:
    at_risk(work)
    work.calls.put_many([call(1, number=NUMBER), call(2)])
    seen = {one.id: one.priority for one in look(work).calls}
    assert seen == {"pbx1-1.1": Priority.AT_RISK, "pbx1-2.1": Priority.NONE}
    seen = {one.id: one.priority for one in look(work, "c017").calls}
    assert seen == {"pbx1-1.1": Priority.SOME, "pbx1-2.1": Priority.NONE}
    assert "高危" not in "\n".join(lines_of(look(work, "c017"), SHANGHAI))


def test_an_agreed_place_is_named_as_such(work: UnitOfWork) -> None:
    work.people.add(Person(id="p-2", code="P-BBBB", phones=(Phone(number=NUMBER),)))
    work.book(CALLER_PLANS).add(CallerPlan(id="p-2", rank=5, by="s001", at=NOW))
    work.calls.put_many([call(1, number=NUMBER)])
    assert look(work).calls[0].priority is Priority.AGREED


def test_r11_after_fifty_minutes_there_is_a_soft_word_and_nothing_else(work: UnitOfWork) -> None:
    work.calls.put_many([talk(1, "c017", ago=50 * MINUTE), talk(2, "c018", ago=50 * MINUTE - SECOND)])
    assert {one.who: one.is_long for one in look(work).calls} == {("c017",): True, ("c018",): False}
    assert "可以慢慢收尾" in "\n".join(lines_of(look(work), SHANGHAI))


def test_r11_nobody_is_reminded_of_the_time_with_somebody_in_danger(work: UnitOfWork) -> None:
    at_risk(work)
    urgent = talk(2, "c018", ago=90 * MINUTE)
    work.calls.put_many([talk(1, "c017", ago=90 * MINUTE, number=NUMBER), urgent])
    alarm = Alarm(id=crisis_id(urgent.id), kind=AlarmKind.CRISIS, raised_at=NOW, detail=f"{urgent.id} c018")
    work.alarms.put(alarm)
    for actor in ("s001", "c017"):
        assert not any(one.is_long for one in look(work, actor).calls)


def test_a_supervisors_ear_is_seen_while_it_is_there(work: UnitOfWork) -> None:
    work.calls.put_many([talk(1, "c017", ago=MINUTE)])
    ear = Listening(
        id="ls-1",
        call="pbx1-1.1",
        agent="c017",
        by="s001",
        mode=ListenMode.WHISPER,
        reason="带教",
        asked_at=NOW,
    )
    work.book(LISTENINGS).add(ear)
    assert look(work).calls[0].ears == ()
    begun = work.book(LISTENINGS).put(replace(work.book(LISTENINGS).get("ls-1"), started_at=NOW))
    assert look(work).calls[0].ears == (Ear(by="s001", mode=ListenMode.WHISPER),)
    assert look(work, "c017").calls[0].ears == (Ear(by="s001", mode=ListenMode.WHISPER),)
    assert look(work, "c018").calls[0].ears == ()
    work.book(LISTENINGS).put(replace(begun, ended_at=NOW))
    assert look(work).calls[0].ears == ()


# --- what nobody has taken on ------------------------------------------------------------------


def test_crises_stand_first_and_hand_overs_are_seen_by_those_they_concern(work: UnitOfWork) -> None:
    work.alarms.put(Alarm(id="al-trunk_down-1", kind=AlarmKind.TRUNK_DOWN, raised_at=NOW - 9 * MINUTE))
    crisis = Alarm(
        id=crisis_id("pbx1-1.1"), kind=AlarmKind.CRISIS, raised_at=NOW - MINUTE, detail="pbx1-1.1 c017"
    )
    work.alarms.put(crisis)
    sent = Handover(id="ho-1", about="call:pbx1-1.1", from_agent="c017", to="c018", sent_at=NOW - 5 * MINUTE)
    work.book(HANDOVERS).add(sent)
    told = [(one.kind, one.agent, one.to) for one in look(work).pending]
    assert told == [
        (AlarmKind.CRISIS, "c017", ""),
        (AlarmKind.TRUNK_DOWN, "", ""),
        (AlarmKind.HANDOVER_OPEN, "c017", "c018"),
    ]
    concerned = {
        actor: any(one.kind is AlarmKind.HANDOVER_OPEN for one in look(work, actor).pending)
        for actor in ("c017", "c018", "c019", "x001")
    }
    assert concerned == {"c017": True, "c018": True, "c019": False, "x001": False}


# --- people ------------------------------------------------------------------------------------


def standing(work: UnitOfWork, agent: str = "c017") -> Standing:
    return next(one.standing for one in look(work).people if one.agent == agent)


def test_everybody_planned_for_now_is_there_with_what_they_do(work: UnitOfWork) -> None:
    planned(work, "c017")
    assert standing(work) is Standing.NOT_SIGNED_ON
    assert "迟 60:00" in "\n".join(lines_of(look(work), SHANGHAI))
    acts(work, "c017", PresenceAct.ON)
    assert standing(work) is Standing.FREE
    work.calls.put_many([call(1, rung=("c017=rung",))])
    assert standing(work) is Standing.RINGING
    work.calls.put_many([talk(1, "c017", ago=MINUTE)])
    assert standing(work) is Standing.TALKING
    over = replace(talk(1, "c017", ago=MINUTE), ended_at=NOW - 5 * SECOND, outcome=Outcome.ANSWERED)
    work.calls.put_many([over])
    assert standing(work) is Standing.WRAP_UP
    work.calls.put_many([replace(over, ended_at=NOW - 11 * SECOND)])
    assert standing(work) is Standing.FREE


def test_rest_leaving_and_a_hard_call_behind_one_are_seen(work: UnitOfWork) -> None:
    planned(work, "c017", "c018", "c019")
    acts(work, "c017", PresenceAct.ON, PresenceAct.PAUSE, reason="meal")
    acts(work, "c018", PresenceAct.ON, PresenceAct.OFF)
    acts(work, "c019", PresenceAct.ON, PresenceAct.DEBRIEF)
    assert [one.standing for one in look(work).people] == [Standing.PAUSED, Standing.LEFT, Standing.DEBRIEF]
    assert "暂停:用餐" in "\n".join(lines_of(look(work), SHANGHAI))


def test_r47_who_is_owed_a_debriefing_is_seen_by_themselves_and_supervisors_only(work: UnitOfWork) -> None:
    planned(work, "c017", "c018", "c019")
    planned(work, "s001", kind=ShiftKind.BACKUP)
    acts(work, "c017", PresenceAct.ON, PresenceAct.DEBRIEF)
    acts(work, "c018", PresenceAct.ON, PresenceAct.PAUSE, reason="meal")
    acts(work, "c019", PresenceAct.DEBRIEF)
    acts(work, "s001", PresenceAct.DEBRIEF)
    own = {one.agent: (one.standing, one.reason) for one in look(work, "c017").people}
    assert own["c017"] == (Standing.DEBRIEF, "")
    other = {one.agent: (one.standing, one.reason) for one in look(work, "c018").people}
    assert other == {
        "c017": (Standing.PAUSED, ""),
        "c018": (Standing.PAUSED, "meal"),
        "c019": (Standing.LEFT, ""),
        "s001": (Standing.PAUSED, ""),
    }
    told = "\n".join(lines_of(look(work, "c019"), SHANGHAI))
    assert "用餐" not in told
    assert told.count("待支持性谈话") == 1


def test_people_on_call_stand_behind_those_at_the_line(work: UnitOfWork) -> None:
    planned(work, "s001", kind=ShiftKind.SUPERVISOR)
    planned(work, "c018", kind=ShiftKind.BACKUP)
    planned(work, "c017")
    assert [(one.agent, one.kind) for one in look(work).people] == [
        ("c017", "line"),
        ("c018", "backup"),
        ("s001", "supervisor"),
    ]
    assert standing(work, "c018") is Standing.ON_CALL


def test_a_surge_is_named_while_it_lasts(work: UnitOfWork) -> None:
    work.book(SURGES).add(Surge(id="line", until=NOW + 30 * MINUTE, reason="降温", by="s001", at=NOW))
    assert "高峰接听至 20:00" in lines_of(look(work), SHANGHAI)[0]


# --- today -------------------------------------------------------------------------------------


def ended(n: int, outcome: Outcome, wait: int, **more: Any) -> CallRecord:
    offered = NOW - 60 * MINUTE
    over: dict[str, Any] = {"offered_at": offered, "ended_at": offered + wait * SECOND, "outcome": outcome}
    return call(n, **(over | more))


def taken(n: int, wait: int) -> CallRecord:
    at = NOW - 60 * MINUTE
    answered: dict[str, Any] = {"answered_at": at + wait * SECOND, "ended_at": at + 999 * SECOND}
    return ended(n, Outcome.ANSWERED, wait, **answered)


def test_the_share_in_time_names_what_it_is_a_share_of() -> None:
    found = today_of(
        [
            *(taken(1, 15), taken(2, 16), talk(3, "c017", ago=MINUTE)),
            *(ended(4, Outcome.ABANDONED, 5), ended(5, Outcome.ABANDONED, 6)),
            *(ended(6, Outcome.OVERFLOWED, 30), ended(7, Outcome.PROMISED, 40)),
            *(ended(8, Outcome.SYSTEM_FAILURE, 9), ended(9, Outcome.LEFT_IN_GREETING, 1, offered_at=None)),
            *(call(10), call(11, direction=Direction.OUTBOUND)),
        ]
    )
    assert found == Today(
        offered=8, answered=3, in_time=2, short=1, abandoned=1, overflowed=1, promised=1, failed=1
    )
    assert found.service_level == 2 / 7
    told = "\n".join(lines_of(Board(at=NOW, today=found), SHANGHAI))
    assert "今天 15 秒内接起 2 ÷(进入接听 8 − 5 秒内挂断 1) = 29%" in told


def test_before_the_first_call_there_is_no_share() -> None:
    assert today_of([]).service_level is None
    assert "%" not in "\n".join(lines_of(Board(at=NOW), SHANGHAI))


@given(
    kinds=st.lists(st.sampled_from([o for o in Outcome if o not in (Outcome.OUTBOUND, Outcome.INTERNAL)])),
    wait=st.integers(0, 60),
)
def test_every_settled_call_is_counted_once(kinds: list[Outcome], wait: int) -> None:
    offered = {
        Outcome.ANSWERED,
        Outcome.ABANDONED,
        Outcome.OVERFLOWED,
        Outcome.PROMISED,
        Outcome.SYSTEM_FAILURE,
    }
    records = [
        taken(n, wait) if kind is Outcome.ANSWERED else ended(n, kind, wait)
        for n, kind in enumerate(kinds)
        if kind in offered
    ]
    day = today_of(records)
    assert day.offered == len(records)
    assert (
        day.offered == day.answered + day.short + day.abandoned + day.overflowed + day.promised + day.failed
    )
    assert day.service_level is None or 0 <= day.service_level <= 1


# --- the text ----------------------------------------------------------------------------------

signs = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["欧阳" * 30, "\x1b[2J"]
)
moments = st.timedeltas(timedelta(0), timedelta(days=3)).map(lambda ago: NOW - ago)
online = st.builds(
    OnLine,
    id=signs,
    at=st.sampled_from(At),
    since=moments,
    direction=st.sampled_from(Direction),
    number=st.none() | signs,
    who=st.lists(signs, max_size=6).map(tuple),
    priority=st.sampled_from(Priority),
    is_long=st.booleans(),
    ears=st.lists(st.builds(Ear, by=signs, mode=st.sampled_from(ListenMode)), max_size=4).map(tuple),
)
people = st.builds(
    OnBoard,
    agent=signs,
    name=signs,
    kind=st.sampled_from(["line", "backup", "supervisor"]),
    standing=st.sampled_from(Standing),
    since=st.none() | moments,
    reason=st.sampled_from(["", "rest", "meal", "other"]),
)
pending = st.builds(Pending, kind=st.sampled_from(AlarmKind), id=signs, since=moments, agent=signs, to=signs)
boards = st.builds(
    Board,
    at=st.just(NOW),
    calls=st.lists(online, max_size=24).map(tuple),
    people=st.lists(people, max_size=40).map(tuple),
    pending=st.lists(pending, max_size=12).map(tuple),
    surge_until=st.none() | moments,
    unread=st.none() | st.integers(0, 10**12),
)


@settings(max_examples=60)
@given(shown=boards)
def test_no_board_is_wider_than_80_columns_or_acts_on_the_screen(shown: Board) -> None:
    lines = lines_of(shown, SHANGHAI)
    assert all(cell_len(line) <= 80 for line in lines)
    assert not any(sign in line for line in lines for sign in "\x1b\n\r\x07")
    assert len(lines) < 100


@settings(max_examples=40)
@given(shown=boards)
def test_whoever_is_not_shown_is_counted(shown: Board) -> None:
    told = "\n".join(lines_of(shown, SHANGHAI))
    for at in At:
        left_out = len(shown.of(at)) - 10
        assert left_out <= 0 or f"另有 {left_out}" in told
    assert len(shown.people) <= 24 or f"另有 {len(shown.people) - 24}" in told


@pytest.mark.parametrize(
    ("unread", "words"),
    [(0, "已读到最新"), (4096, "记录在等待入库:话务日志还有 4096 字节没有读"), (None, "不在本机")],
)
def test_the_board_says_how_fresh_it_is(unread: int | None, words: str) -> None:
    assert words in lines_of(Board(at=NOW, unread=unread), SHANGHAI)[-1]


# --- the command -------------------------------------------------------------------------------


def typed(store: MemoryStore, *words: str) -> Result:
    app = App(settings=Settings())
    app.__dict__["store"] = store
    app.clock = lambda: NOW  # type: ignore[method-assign]
    words = ("live", *words, "--as", "s001")
    return CliRunner().invoke(calls_group, words, obj=app, catch_exceptions=False)


@pytest.mark.parametrize("words", [("--once",), ("--json",), ()])
def test_while_the_store_is_away_the_board_says_that_callers_are_answered_and_records_wait(
    words: tuple[str, ...],
) -> None:
    def away() -> UnitOfWork:
        raise StoreUnreachable

    with pytest.raises(StoreUnreachable, match=r"数据库没有应答.*来电照常接听,通话记录在等待入库"):
        typed(away, *words)  # type: ignore[arg-type]


def test_a_board_left_on_the_screen_says_that_it_is_old() -> None:
    said = stale(StoreUnreachable())
    assert all(cell_len(line) <= 80 for line in said)
    assert "通话记录在等待入库" in "".join(said)
    assert said[-1] == "以上是最后一次看到的画面。"


def test_once_and_json_show_the_same(store: MemoryStore) -> None:
    with store() as work:
        work.users.add(User(code="s001", name="孙立", roles=SUPERVISOR))
        work.users.add(User(code="c017", name="林晓燕", roles=COUNSELLOR, phone=PhoneKind.SIP))
        planned(work, "c017")
        acts(work, "c017", PresenceAct.ON)
        work.calls.put_many([talk(1, "c017", ago=9 * MINUTE), call(2, ago=2 * MINUTE)])
        work.commit()

    text = typed(store, "--once").output
    assert "最久等候 2:00" in text
    assert "林**" in text
    assert "林晓燕" not in text
    told = json.loads(typed(store, "--json").output)
    assert told["longest_wait"] == 120
    assert [one["at"] for one in told["calls"]] == ["waiting", "talking"]
    assert told["people"][0]["standing"] == "talking"
    assert told["today"]["offered"] == 1
    assert told["journal_unread_bytes"] is None
