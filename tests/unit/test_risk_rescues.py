"""Rescues: begun in one act while they talk, ended only with confirmed contact or by a supervisor (R14)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from actors import enlist

from callcenter.config import Transfers
from callcenter.domain.alarms import AlarmKind, AlarmPolicy
from callcenter.domain.books import CASES, RESCUES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Rescue, RescueState
from callcenter.domain.levels import Level
from callcenter.domain.people import Person, Phone
from callcenter.domain.rescues import NEXT, stepped
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryStore, MemoryUnit
from callcenter.service.risk import case_verbs, rescues
from callcenter.service.risk.cases import follow
from callcenter.service.risk.rescue_calls import Begun, begin
from scheduler.cadence import SHANGHAI
from scheduler.gates import Rules
from scheduler.obligations import Kind

BEGAN = datetime(2026, 11, 24, 23, 40, tzinfo=SHANGHAI)
NOW = BEGAN + timedelta(minutes=10)
HOUR = timedelta(hours=1)
NUMBER = "13800001111"
S = RescueState


@pytest.fixture
def road() -> MemoryAlarmRoad:
    return MemoryAlarmRoad()


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """A call that still goes on, answered by 林晓燕; nobody has written anything."""
    with MemoryStore()() as unit:
        enlist(unit)
        unit.calls.put_many([_call("1764000000.7")])
        yield unit


def _call(call_id: str, number: str | None = NUMBER, ended: datetime | None = None) -> CallRecord:
    return CallRecord(
        id=call_id,
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED if ended else Outcome.OPEN,
        started_at=BEGAN,
        answered_at=BEGAN,
        ended_at=ended,
        answered_by="c017",
        number=number,
    )


def start(work: MemoryUnit, road: MemoryAlarmRoad, ref: str = "1764000000.7", **more: object) -> Begun:
    given = {"agency": "120", "policy": AlarmPolicy(), "rules": Rules(), "actor": "c017", "now": NOW} | more
    return begin(work, road, ref, **given)  # type: ignore[arg-type]


def step(work: MemoryUnit, rescue: str, state: RescueState, by: str = "c017") -> None:
    rescues.add_step(work, rescue, state, note="在楼下见到本人", actor=by, now=NOW)


def test_r47_a_rescue_over_an_old_call_takes_nobody_out_of_the_queue_by_anothers_word(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    work.calls.put_many([_call("1764000000.7", ended=BEGAN)])
    later = NOW + 24 * HOUR
    assert start(work, road, actor="s001", now=later).case.owner == "c017"
    assert work.roster.presence_events() == []
    start(work, road, actor="c017", now=later)
    assert [event.agent for event in work.roster.presence_events()] == ["c017"]


def test_r14_one_act_during_the_call_opens_case_and_rescue_and_rings_the_supervisor(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    begun = start(work, road)
    assert (begun.case.level, begun.case.owner) == (Level.IMMINENT, "c017")
    assert (begun.rescue.state, begun.rescue.agency) == (S.REQUESTED, "120")
    assert [(a.kind, a.rung_at) for a in road.rung] == [(AlarmKind.RISK_UNACKNOWLEDGED, NOW)]
    assert NUMBER not in road.rung[0].detail
    first = min(work.debts.open(person=begun.case.person), key=lambda o: o.window_end)
    assert (first.kind, first.window_end) == (Kind.HIGH_RISK, NOW + 2 * HOUR)


def test_the_caller_is_the_person_we_know_by_number(work: MemoryUnit, road: MemoryAlarmRoad) -> None:
    work.people.add(Person(id="p1", code="P-1", name="陈梦瑶", phones=(Phone(number=NUMBER),)))
    assert start(work, road).case.person == "p1"


def test_a_caller_who_withholds_the_number_is_helped_all_the_same(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    work.calls.put_many([_call("9.9", number=None)])
    begun = start(work, road, "9.9")
    assert work.people.get(begun.case.person).phones == ()


def test_the_record_of_that_call_finds_the_same_case_and_counts_from_the_calls_end(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    begun = start(work, road)
    case_verbs.acknowledge(work, begun.case.id, actor="s001", now=NOW)
    ended = NOW + HOUR
    row = SessionRow(id="se-1764000000.7", call="1764000000.7", counsellor="c017", opened_at=BEGAN)
    after = follow(
        work,
        session=row,
        person=begun.case.person,
        answers=RiskAnswers(asked=True, acting=True),
        ended_at=ended,
        actor="c017",
        now=ended + HOUR,
        rules=Rules(),
    )
    assert after is not None
    assert (after.id, after.acknowledged_by) == (begun.case.id, "s001")
    assert len(work.book(RESCUES).where(case=after.id)) == 1
    assert min(o.window_end for o in work.debts.open(person=after.person)) == ended + 2 * HOUR


def test_calling_a_second_agency_adds_a_step_and_rings_nobody_who_knows(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    begun = start(work, road)
    case_verbs.acknowledge(work, begun.case.id, actor="s001", now=NOW)
    again = start(work, road, agency="110", now=NOW + timedelta(minutes=3))
    assert (again.rescue.id, again.rescue.agency, again.alarm) == (begun.rescue.id, "110", None)
    assert len(again.rescue.steps) == 2
    assert len(road.rung) == 1


def test_whoever_needs_help_again_after_it_came_gets_another_rescue(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    first = start(work, road).rescue
    step(work, first.id, S.CONTACT_CONFIRMED)
    assert start(work, road, now=NOW + HOUR).rescue.id != first.id


def test_without_a_number_it_is_the_call_the_counsellor_is_in(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    assert start(work, road, "").rescue.session == "se-1764000000.7"
    with pytest.raises(NotFound, match="哪一通"):
        start(work, road, "", actor="s001")


def test_nobody_else_may_begin_one_and_an_unknown_call_is_said(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    with pytest.raises(Forbidden):
        start(work, road, actor="k001")
    with pytest.raises(NotFound, match="没有通话或接访记录 nonsense"):
        start(work, road, "nonsense")
    assert road.rung == []
    assert work.book(CASES).where() == []


def test_a_rescue_whose_road_is_broken_says_that_nobody_was_rung(work: MemoryUnit) -> None:
    class Broken(MemoryAlarmRoad):
        def ring(self, alarm: object) -> None:
            raise OSError("disk full")

    begun = start(work, Broken())
    assert begun.alarm is not None
    assert begun.alarm.rung_at is None
    assert begun.rescue.state is S.REQUESTED


def test_the_facts_that_are_missing_are_told_until_they_are_known(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    rescue = start(work, road, facts={"address": "滨湖区某小区3号楼"}).rescue
    assert rescues.missing_facts(rescue) == ("landmark", "alone", "means", "helper", "callback")
    more = {"landmark": "南门对面超市", "alone": "独自一人"}
    after = rescues.add_step(work, rescue.id, None, note="", facts=more, actor="s001", now=NOW)
    assert rescues.missing_facts(after) == ("means", "helper", "callback")
    with pytest.raises(Refused, match="colour"):
        rescues.add_step(work, rescue.id, None, note="", facts={"colour": "红"}, actor="s001", now=NOW)


def test_r14_a_rescue_ends_after_confirmed_contact_or_by_a_supervisor(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    rescue = start(work, road).rescue
    with pytest.raises(Refused, match="还没有确认"):
        rescues.close(work, rescue.id, reason="应该没事了", actor="c017", now=NOW)
    step(work, rescue.id, S.DISPATCHED)
    step(work, rescue.id, S.NOT_FOUND)
    step(work, rescue.id, S.FURTHER_STEP)
    step(work, rescue.id, S.CONTACT_CONFIRMED)
    closed = rescues.close(work, rescue.id, reason="民警已见到本人", actor="c017", now=NOW)
    assert [s.state for s in closed.steps][-2:] == [S.CONTACT_CONFIRMED, S.CLOSED]
    with pytest.raises(Refused, match="已经结束"):
        rescues.close(work, rescue.id, reason="再次结束", actor="s001", now=NOW)


def test_a_supervisor_ends_a_rescue_that_is_not_needed_and_says_why(
    work: MemoryUnit, road: MemoryAlarmRoad
) -> None:
    rescue = start(work, road).rescue
    with pytest.raises(Refused, match="写明"):
        rescues.close(work, rescue.id, reason=" ", actor="s001", now=NOW)
    assert rescues.close(work, rescue.id, reason="家人已在身边", actor="s001", now=NOW).state is S.CLOSED


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("wanted", [s for s in S if s is not S.CLOSED])
def test_steps_follow_in_order_and_confirmed_contact_is_the_end(
    state: RescueState, wanted: RescueState
) -> None:
    rescue = Rescue(id="re-1", case="ca-1", session="se-1", state=state, agency="120")
    if wanted in NEXT[state]:
        assert stepped(rescue, wanted, note="在楼下见到本人", by="c017", now=NOW).state is wanted
    else:
        with pytest.raises(Refused, match="下一步"):
            stepped(rescue, wanted, note="在楼下见到本人", by="c017", now=NOW)


def test_the_person_is_told_once_what_was_passed_on(work: MemoryUnit, road: MemoryAlarmRoad) -> None:
    rescue = start(work, road).rescue
    told = rescues.inform(work, rescue.id, how="次日回访时告知", actor="c017", now=NOW + 20 * HOUR)
    assert told.informed_at == NOW + 20 * HOUR
    with pytest.raises(Refused, match="已登记"):
        rescues.inform(work, rescue.id, how="再次告知", actor="c017", now=NOW + 30 * HOUR)


@pytest.mark.parametrize(
    ("agency", "number"), [("110", "051082222110"), ("120", "120"), ("119", "119"), ("家属", "")]
)
def test_a_command_rooms_direct_number_is_dialled_where_the_site_has_one(agency: str, number: str) -> None:
    assert rescues.direct_number(agency, Transfers(police="051082222110")) == number
