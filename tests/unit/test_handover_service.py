"""A call or a case goes to somebody else: open until they say by name that they have it (R45)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from actors import enlist
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli.handover import handover
from callcenter.config import Settings
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.books import CASES, HANDOVERS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.case_rules import handed_over
from callcenter.domain.fold import LineAct, LineActKind
from callcenter.domain.handover import HandoverState
from callcenter.domain.people import Person
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryStore, MemoryUnit
from callcenter.ports import UnitOfWork
from callcenter.service.line.risk_clock import unaccepted
from callcenter.service.line.watch import Live, Watch
from callcenter.service.risk import handovers
from callcenter.service.risk.case_verbs import hand_over
from callcenter.service.risk.cases import follow, save
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules

NOW = datetime(2026, 11, 24, 15, 40, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)
CALL = "1764000000.7"
TOLD = "说了近况、约定和下次联系的时间"


def people(work: UnitOfWork) -> str:
    """林晓燕's call with 陈梦瑶 and her case; 吴倩, and two supervisors. Return the case's id."""
    enlist(work)
    for code, role in (("c018", Role.COUNSELLOR), ("s002", Role.SUPERVISOR)):
        work.users.add(User(code=code, name="吴倩", roles=frozenset({role})))
    work.people.add(Person(id="p1", code="P-7F3K", name="陈梦瑶"))
    call = CallRecord(
        id=CALL,
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=NOW,
        answered_at=NOW,
        ended_at=None,
        answered_by="c017",
    )
    work.calls.put_many([call])
    case = follow(
        work,
        session=SessionRow(id="se-1", call="c1", counsellor="c017", opened_at=NOW),
        person="p1",
        answers=RiskAnswers(asked=True, plan_soon=True),
        ended_at=NOW,
        actor="c017",
        now=NOW,
        rules=Rules(),
    )
    assert case is not None
    return case.id


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    with MemoryStore()() as unit:
        people(unit)
        yield unit


@pytest.fixture
def case(work: MemoryUnit) -> str:
    return work.book(CASES).where()[0].id


def owner(work: MemoryUnit, case: str) -> str | None:
    return work.book(CASES).get(case).owner


def test_r45_a_case_is_its_owners_until_the_colleague_took_it_by_name(work: MemoryUnit, case: str) -> None:
    one = handovers.give(work, f"case:{case}", "c018", told=TOLD, actor="c017", now=NOW)
    assert (one.state, owner(work, case)) == (HandoverState.OPEN, "c017")
    taken = handovers.accept(work, one.id, actor="c018", now=NOW + MINUTE)
    assert (taken.accepted_by, taken.accepted_at, owner(work, case)) == ("c018", NOW + MINUTE, "c018")
    with pytest.raises(Conflict):
        handovers.accept(work, one.id, actor="s001", now=NOW + MINUTE)


def test_r45_an_agency_has_accepted_only_once_somebody_there_said_their_name(work: MemoryUnit) -> None:
    one = handovers.give(work, f"call:{CALL}", "120", told=TOLD, actor="c017", now=NOW)
    for nobody in ("", "  ", "120", "…", "很长" * 30):
        with pytest.raises(Refused):
            handovers.accept(work, one.id, name=nobody, actor="c017", now=NOW)
    taken = handovers.accept(work, one.id, name=" 周调度员 ", actor="c017", now=NOW)
    assert taken.accepted_by == "周调度员"


@pytest.mark.parametrize(
    "nobody",
    ["他们", "对方", "接线员", "有人", "工作人员", "周", "120 接线员", "120急救中心", "12356热线的人员"],
)
def test_r45_words_that_name_nobody_accept_nothing(work: MemoryUnit, nobody: str) -> None:
    one = handovers.give(work, f"call:{CALL}", "120", told=TOLD, actor="c017", now=NOW)
    with pytest.raises(Refused, match="姓名或工号"):
        handovers.accept(work, one.id, name=nobody, actor="c017", now=NOW)
    assert handovers.open_about(work, f"call:{CALL}") == [one]


@pytest.mark.parametrize("name", ["周调度员", "王医生", "工号3307", "接线员 3307", "120 李警官", "王伟"])
def test_a_name_or_a_number_on_a_badge_is_one(work: MemoryUnit, name: str) -> None:
    one = handovers.give(work, f"call:{CALL}", "120", told=TOLD, actor="c017", now=NOW)
    assert handovers.accept(work, one.id, name=name, actor="c017", now=NOW).accepted_by == name


def test_a_colleague_it_does_not_concern_registers_no_agencys_name(work: MemoryUnit, case: str) -> None:
    for about in (f"call:{CALL}", f"case:{case}"):
        one = handovers.give(work, about, "120", told=TOLD, actor="s001", now=NOW)
        with pytest.raises(Forbidden, match="督导登记"):
            handovers.accept(work, one.id, name="周调度员", actor="c018", now=NOW)
        assert (
            handovers.accept(work, one.id, name="周调度员", actor="c017", now=NOW).accepted_by == "周调度员"
        )


def test_r45_an_older_hand_over_takes_no_case_from_its_newer_owner(work: MemoryUnit, case: str) -> None:
    old = handovers.give(work, f"case:{case}", "s002", told=TOLD, actor="c017", now=NOW)
    save(work, handed_over(work.book(CASES).get(case), "c018", reason="轮班调整"), by="s001", now=NOW)
    with pytest.raises(Refused, match="c018 负责"):
        handovers.accept(work, old.id, actor="s002", now=NOW)
    assert owner(work, case) == "c018"


def test_r45_reassigning_a_case_takes_back_what_was_open_and_asks_its_new_owner(
    work: MemoryUnit, case: str
) -> None:
    old = handovers.give(work, f"case:{case}", "s002", told=TOLD, actor="c017", now=NOW)
    hand_over(work, case, "c018", reason="轮班调整", actor="s001", now=NOW)
    assert owner(work, case) == "c018"
    with pytest.raises(Conflict):
        handovers.accept(work, old.id, actor="s002", now=NOW)
    (asked,) = handovers.open_about(work, f"case:{case}")
    assert (asked.to, asked.from_agent) == ("c018", "s001")
    assert unaccepted(work, NOW + 60 * MINUTE, 15 * MINUTE) == (asked.id,)
    handovers.accept(work, asked.id, actor="c018", now=NOW)
    assert (owner(work, case), handovers.open_about(work, f"case:{case}")) == ("c018", [])


def test_reassigning_a_case_leaves_an_agency_waiting_for_a_name(work: MemoryUnit, case: str) -> None:
    told = handovers.give(work, f"case:{case}", "120", told=TOLD, actor="c017", now=NOW)
    hand_over(work, case, "s001", reason="我来继续跟进", actor="s001", now=NOW)
    assert handovers.open_about(work, f"case:{case}") == [told]


def test_a_case_told_to_an_agency_stays_its_owners(work: MemoryUnit, case: str) -> None:
    one = handovers.give(work, f"case:{case}", "12356", told=TOLD, actor="c017", now=NOW)
    handovers.accept(work, one.id, name="陈老师", actor="c017", now=NOW)
    assert owner(work, case) == "c017"


def test_nobody_takes_what_was_not_given_to_them_nor_what_they_gave(work: MemoryUnit, case: str) -> None:
    one = handovers.give(work, f"case:{case}", "s002", told=TOLD, actor="c017", now=NOW)
    for actor in ("c018", "c017"):
        with pytest.raises(Forbidden):
            handovers.accept(work, one.id, actor=actor, now=NOW)
    assert handovers.accept(work, one.id, actor="s001", now=NOW).accepted_by == "s001"


@pytest.mark.parametrize("to", ["c017", "k001", "x999", "119", ""])
def test_it_is_given_to_a_colleague_who_may_take_it_or_to_an_agency(
    work: MemoryUnit, case: str, to: str
) -> None:
    with pytest.raises(Refused) as refused:
        handovers.give(work, f"case:{case}", to, told=TOLD, actor="c017", now=NOW)
    assert not isinstance(refused.value, Forbidden)


def test_only_whose_it_is_or_a_supervisor_hands_over_and_one_at_a_time(work: MemoryUnit, case: str) -> None:
    with pytest.raises(Forbidden):
        handovers.give(work, f"case:{case}", "s001", told=TOLD, actor="c018", now=NOW)
    first = handovers.give(work, f"case:{case}", "c018", told=TOLD, actor="s001", now=NOW)
    with pytest.raises(Refused, match="hotline handover back"):
        handovers.give(work, f"case:{case}", "s002", told=TOLD, actor="c017", now=NOW)
    handovers.take_back(work, first.id, reason="对方今天请假", actor="s001", now=NOW)
    handovers.give(work, f"case:{case}", "s002", told=TOLD, actor="c017", now=NOW)
    with pytest.raises(Conflict):
        handovers.accept(work, first.id, actor="c018", now=NOW)
    with pytest.raises(Refused):
        handovers.give(work, "person:p1", "c018", told=TOLD, actor="s001", now=NOW)


def test_each_sees_their_own_and_a_supervisor_all(work: MemoryUnit, case: str) -> None:
    one = handovers.give(work, f"case:{case}", "s002", told=TOLD, actor="c017", now=NOW)
    seen = {who: handovers.listed(work, actor=who) for who in ("c017", "c018", "s001", "s002")}
    assert seen == {"c017": [one], "c018": [], "s001": [one], "s002": [one]}
    handovers.accept(work, one.id, actor="s002", now=NOW)
    assert handovers.listed(work, actor="s001") == []
    assert len(handovers.listed(work, actor="s001", all_of_them=True)) == 1


def test_r45_nobody_accepted_within_the_time_rings_supervisors() -> None:
    store, road = MemoryStore(), MemoryAlarmRoad()
    with store() as work:
        people(work)
        one = handovers.give(work, f"call:{CALL}", "120", told=TOLD, actor="c017", now=NOW)
        work.commit()
    within = 20 * MINUTE
    watch = Watch(store, road, lambda: Live(connected=True), Settings().alarms, accept_within=within)
    watch.once(NOW + within)
    rung = [(alarm.kind, alarm.detail) for alarm in road.rung]
    assert (AlarmKind.HANDOVER_OPEN, one.id) not in rung
    watch.once(NOW + within + MINUTE)
    rung = [(alarm.kind, alarm.detail) for alarm in road.rung]
    assert (AlarmKind.HANDOVER_OPEN, one.id) in rung


# --- by phone ------------------------------------------------------------------------------


def row(minute: int, **words: str) -> LineAct:
    at = NOW + minute * MINUTE
    told = tuple((name.removesuffix("_"), value) for name, value in words.items())
    return LineAct(key=f"k{minute}", kind=LineActKind.HANDOVER, call=CALL, words=told, at=at)


def standing(work: MemoryUnit) -> list[tuple[str, HandoverState, str]]:
    found = sorted(work.book(HANDOVERS).where(), key=lambda one: one.sent_at)
    return [(one.to, one.state, one.accepted_by) for one in found]


def test_sent_come_back_and_sent_again_is_told_twice_without_a_difference(work: MemoryUnit) -> None:
    rows = [
        row(0, from_="c017", to="c018", act="sent"),
        row(1, from_="c017", act="back"),
        row(2, from_="c017", to="lead", act="sent"),
        row(3, from_="c017", to="s001", act="accepted"),
    ]
    for _ in range(2):
        handovers.on_rows(work, rows, NOW)
        assert standing(work) == [
            ("c018", HandoverState.TAKEN_BACK, ""),
            ("lead", HandoverState.ACCEPTED, "s001"),
        ]


def test_a_key_pressed_at_an_agency_names_nobody(work: MemoryUnit) -> None:
    handovers.on_rows(work, [row(0, from_="c017", to="12356", act="sent")], NOW)
    handovers.on_rows(work, [row(1, from_="c017", to="12356", act="accepted")], NOW)
    assert standing(work) == [("12356", HandoverState.OPEN, "")]


def test_an_acceptance_whose_sending_was_lost_is_one_all_the_same(work: MemoryUnit) -> None:
    took = row(1, from_="c017", to="c018", act="accepted")
    for _ in range(2):
        handovers.on_rows(work, [took], NOW)
    assert standing(work) == [("c018", HandoverState.ACCEPTED, "c018")]


def test_rows_that_say_nothing_known_change_nothing(work: MemoryUnit) -> None:
    handovers.on_rows(work, [row(0, from_="c017", to="c018", act="x"), row(1, act="back"), row(2)], NOW)
    assert standing(work) == []


# --- at the terminal -----------------------------------------------------------------------


class Desk(App):
    def __init__(self, home: Path) -> None:
        super().__init__(settings=Settings(home=home))
        self.memory = MemoryStore()
        self.__dict__.update(store=self.memory)
        self.clock = lambda: NOW  # type: ignore[method-assign]
        with self.memory() as work:
            self.case = people(work)
            work.commit()

    def type(self, *words: str, by: str = "c017") -> Result:
        return CliRunner().invoke(handover, words, obj=self, env={"HOTLINE_ACTOR": by})


def test_given_listed_taken_at_the_terminal(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    given = json.loads(
        desk.type("give", "--case", desk.case, "--to", "c018", "--told", TOLD, "--json").output
    )
    assert given["state"] == "open"
    assert given["id"] in desk.type("list", by="c018").output
    assert "试算" in desk.type("back", given["id"], "--reason", "先不交了", "--dry-run").output
    assert TOLD in desk.type("accept", given["id"], by="c018").output
    assert json.loads(desk.type("list", "--json").output) == []


def test_an_agencys_name_is_asked_for_and_not_listed(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    said = desk.type("give", "--call", CALL, "--to", "120", "--told", TOLD).output.replace("\n", "")
    assert "--name 对方姓名" in said
    with desk.memory() as work:
        (one,) = work.book(HANDOVERS).where()
    assert "周*" in desk.type("accept", one.id, "--name", "周调度员").output
    assert "周调度员" not in desk.type("list", "--all").output


def test_a_call_and_a_case_at_once_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    result = desk.type("give", "--call", CALL, "--case", desk.case, "--to", "c018", "--told", TOLD)
    assert isinstance(result.exception, Refused)
