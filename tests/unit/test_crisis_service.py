"""Somebody in a call is in danger: one alarm however it was raised, climbing until a name is told (R14)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from actors import enlist
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli.alarm import alarm
from callcenter.cli.calls import calls
from callcenter.config import Settings
from callcenter.db.errors import StoreUnreachable
from callcenter.domain.alarms import AlarmAck, AlarmKind, AlarmPolicy, crisis_id
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import presence_of
from callcenter.domain.fold import LineAct, LineActKind
from callcenter.domain.people import Person
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.memory import MemoryAlarmRoad, MemoryStore, MemoryUnit
from callcenter.service.line import crisis
from callcenter.service.line.alarms import climb, on_acks
from callcenter.service.line.watch import Live, Watch
from callcenter.serving.beside_pbx import LOOK
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Kind, Mode, Obligation

NOW = datetime(2026, 11, 24, 23, 40, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)
CALL, OTHER = "1764000000.7", "1764000000.9"


def talk(call_id: str, by: str = "c017") -> CallRecord:
    return CallRecord(
        id=call_id,
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=NOW - 9 * MINUTE,
        answered_at=NOW - 9 * MINUTE,
        ended_at=None,
        answered_by=by,
    )


def pressed(call_id: str = CALL, at: datetime = NOW, agent: str = "c017") -> LineAct:
    words = (("agent", agent),)
    return LineAct(key=f"{call_id}:{at}", kind=LineActKind.CRISIS, call=call_id, words=words, at=at)


def people(store: MemoryStore) -> None:
    with store() as work:
        enlist(work)
        supervisor = frozenset({Role.SUPERVISOR})
        work.users.add(User(code="s002", name="吴倩", roles=supervisor, phone=PhoneKind.SIP, alarm_rank=1))
        work.calls.put_many([talk(CALL), talk(OTHER, "c018")])
        work.commit()


@pytest.fixture
def work() -> Iterator[MemoryUnit]:
    """林晓燕 in a talk, and supervisors."""
    store = MemoryStore()
    people(store)
    with store() as unit:
        yield unit


def test_the_command_and_the_key_are_one_alarm_whichever_came_first(work: MemoryUnit) -> None:
    road = MemoryAlarmRoad()
    alarm = crisis.call_for_help(work, road, CALL, actor="c017", now=NOW).alarm
    assert crisis.on_rows(work, [pressed()], NOW) == ()
    assert work.alarms.open() == [alarm]
    assert [rung.id for rung in road.rung] == [crisis_id(CALL)]
    (other,) = crisis.on_rows(work, [pressed(OTHER), pressed(OTHER, NOW + MINUTE)], NOW)
    crisis.call_for_help(work, road, OTHER, actor="s001", now=NOW + MINUTE)
    assert {a.id for a in work.alarms.open()} == {alarm.id, other.id}


def test_two_callers_in_danger_are_two_alarms_and_one_ack_is_not_the_others(work: MemoryUnit) -> None:
    crisis.on_rows(work, [pressed(OTHER)], NOW)
    on_acks(work, [AlarmAck(alarm=crisis_id(CALL), by="s002", at=NOW)], NOW)
    assert crisis.open_crises(work).keys() == {OTHER}
    assert work.alarms.get(crisis_id(CALL)).acknowledged_by == "s002"


def test_the_pbx_has_rung_already_and_an_unacknowledged_crisis_climbs(work: MemoryUnit) -> None:
    road, policy = MemoryAlarmRoad(), AlarmPolicy()
    (alarm,) = crisis.on_rows(work, [pressed()], NOW)
    assert alarm.rung_at == NOW
    assert climb(work, road, NOW + MINUTE / 2, policy=policy) == ()
    for turn in range(1, 9):  # should the PBX have died under its climb, and without ever growing tired
        assert [a.id for a in climb(work, road, NOW + turn * MINUTE, policy=policy)] == [alarm.id]


def test_r47_who_was_in_the_call_is_owed_a_debriefing_also_when_a_colleague_asked(work: MemoryUnit) -> None:
    for actor in ("s001", "s001"):
        crisis.call_for_help(work, MemoryAlarmRoad(), CALL, actor=actor, now=NOW)
    assert presence_of(work.roster.presence_events())["c017"].debrief
    assert len(work.roster.presence_events()) == 1


def test_a_call_that_ended_a_while_ago_is_no_crisis_any_more_and_costs_nobody_their_place(
    work: MemoryUnit,
) -> None:
    road = MemoryAlarmRoad()
    work.calls.put_many([replace(talk(CALL), ended_at=NOW, outcome=Outcome.ANSWERED)])
    for later in (90 * 24 * 60 * MINUTE, crisis.LATELY + MINUTE):
        with pytest.raises(Refused, match="hotline rescue call"):
            crisis.call_for_help(work, road, CALL, actor="s001", now=NOW + later)
    assert (road.rung, work.alarms.open(), work.roster.presence_events()) == ([], [], [])
    crisis.call_for_help(work, road, CALL, actor="s001", now=NOW + crisis.LATELY)
    assert [alarm.id for alarm in road.rung] == [crisis_id(CALL)]


def test_an_unknown_call_is_told_kindly_and_a_clerk_is_refused(work: MemoryUnit) -> None:
    with pytest.raises(NotFound, match="hotline calls live"):
        crisis.call_for_help(work, MemoryAlarmRoad(), "x1", actor="c017", now=NOW)
    with pytest.raises(Forbidden):
        crisis.call_for_help(work, MemoryAlarmRoad(), CALL, actor="k001", now=NOW)


def test_p10_who_said_it_to_a_machine_and_was_heard_by_nobody_rings_supervisors() -> None:
    store, road = MemoryStore(), MemoryAlarmRoad()
    people(store)
    owed = Obligation(
        id="ob-1",
        person="p1",
        kind=Kind.CALLBACK,
        due_at=NOW,
        window_end=NOW + 30 * MINUTE,
        mode=Mode.HUMAN_ONLY,
        priority=1,
        origin=CALL,
        detail="urgent=silent_in_danger",
        created_at=NOW,
    )
    with store() as work:
        work.people.add(Person(id="p1", code="P-7F3K"))
        work.debts.add(owed)
        work.commit()
    watch = Watch(store, road, lambda: Live(connected=True), Settings().alarms)
    watch.once(NOW)
    assert [alarm.kind for alarm in road.rung] == [AlarmKind.RISK_UNACKNOWLEDGED]
    assert owed.id in road.rung[0].detail


def test_r14_the_running_line_looks_often_enough_to_ring_within_fifteen_seconds() -> None:
    assert timedelta(seconds=10) >= LOOK


# --- the command ---------------------------------------------------------------------------


class Night(App):
    """A counsellor alone with a call; the PBX and the store can be taken away."""

    def __init__(self, home: Path) -> None:
        super().__init__(settings=Settings(home=home))
        self.alive, self.bell, self.memory = True, MemoryAlarmRoad(), MemoryStore()
        self.__dict__.update(store=self.memory, road=self.bell)
        self.clock = lambda: NOW  # type: ignore[method-assign]
        people(self.memory)

    def pbx_answers(self) -> bool:
        return self.alive

    def crisis(self, *words: str) -> Result:
        env = {"HOTLINE_ACTOR": "c017"}
        return CliRunner().invoke(calls, ["crisis", CALL, *words], obj=self, env=env)

    def without_store(self) -> None:
        @contextmanager
        def dead() -> Iterator[MemoryUnit]:
            raise StoreUnreachable
            yield

        self.__dict__["store"] = dead


def test_the_command_says_that_supervisors_are_rung(tmp_path: Path) -> None:
    night = Night(tmp_path)
    assert "正在呼叫督导。" in night.crisis().output
    told = json.loads(night.crisis("--json").output)
    assert (told["alarm"], told["rung"]) == (crisis_id(CALL), True)


def test_r14_nobody_is_said_to_be_rung_where_the_pbx_does_not_answer(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.alive = False
    said = night.crisis().output.replace("\n", "")
    assert "正在呼叫" not in said
    assert "请马上打电话给督导" in said


def test_p10_a_crisis_that_rang_nobody_fails_and_is_listed_as_called_no_time(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.alive = False
    assert [night.crisis().exit_code for _ in range(3)] == [1, 1, 1]
    env = {"HOTLINE_ACTOR": "s002"}
    said = CliRunner().invoke(alarm, ["list", "--json"], obj=night, env=env).output
    assert [row["rings"] for row in json.loads(said)] == [0]
    assert "响铃" not in CliRunner().invoke(alarm, ["list"], obj=night, env=env).output
    night.alive = True
    assert night.crisis().exit_code == 0


def test_r14_an_empty_chain_is_a_failure_as_well(tmp_path: Path) -> None:
    night = Night(tmp_path)
    with night.memory() as work:
        for user in work.users.all():
            work.users.update(replace(user, alarm_rank=None))
        work.commit()
    result = night.crisis()
    assert result.exit_code == 1
    assert "请马上打电话给督导" in result.output.replace("\n", "")


def test_the_command_refuses_an_old_call_instead_of_ringing_blind(tmp_path: Path) -> None:
    night = Night(tmp_path)
    with night.memory() as work:
        ended = NOW - 60 * MINUTE
        work.calls.put_many([replace(talk(CALL), ended_at=ended, outcome=Outcome.ANSWERED)])
        work.commit()
    assert isinstance(night.crisis().exception, Refused)
    assert night.bell.rung == []


def test_r14_a_dead_store_does_not_stand_in_the_way_and_the_alarm_is_the_same(tmp_path: Path) -> None:
    night = Night(tmp_path)
    night.without_store()
    result = night.crisis()
    assert result.exit_code == 1
    assert "正在呼叫督导。" in result.output
    assert f"hotline calls crisis {CALL}" in result.output.replace("\n", "")
    assert [alarm.id for alarm in night.bell.rung] == [crisis_id(CALL)]
    assert json.loads(night.crisis("--json").output)["recorded"] is False
