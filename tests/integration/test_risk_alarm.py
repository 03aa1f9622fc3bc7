"""The risk clock on a real Asterisk: a case nobody answers for rings the supervisor's phone (R14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from harness import USERS, Actors, Pbx

from callcenter.asterisk.spool import SpoolAlarms
from callcenter.bootstrap import App
from callcenter.config import Alarms, Settings
from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, presses
from callcenter.domain.alarms import AlarmAck, AlarmKind
from callcenter.domain.books import CASES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import RescueState
from callcenter.domain.people import Person
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.memory import MemoryStore
from callcenter.service.line.alarms import on_acks, policy_of
from callcenter.service.line.watch import Live, Watch
from callcenter.service.risk import case_verbs
from callcenter.service.risk.cases import follow
from callcenter.service.risk.rescue_calls import begin
from scheduler.gates import Rules

pytestmark = pytest.mark.asterisk

FIRST = "13900000021"
#: Picks up and presses 1 once the prompt speaks.
PRESSES_1 = Answer(after=timedelta(milliseconds=300), keys=presses("1@2"))
ALARMS = Alarms(ring=timedelta(seconds=4), rounds=2)
RULES = Rules()


@pytest.fixture(scope="module")
def _session_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    """A line of our own: supervisors ring for four seconds."""
    pbx = new_pbx(alarms=ALARMS)
    pbx.start()
    return pbx


@pytest.fixture
def store() -> MemoryStore:
    """The line's people, and 陈梦瑶."""
    store = MemoryStore()
    with store() as work:
        for user in USERS:
            work.users.add(user)
        work.people.add(Person(id="p1", code="P-7F3K", name="陈梦瑶"))
        work.commit()
    return store


def _submit(store: MemoryStore, now: datetime) -> str:
    """林晓燕 submits the record of a call in which somebody was acting."""
    row = SessionRow(id="se-1", call="c1", counsellor="c001", opened_at=now)
    with store() as work:
        case = follow(
            work,
            session=row,
            person="p1",
            answers=RiskAnswers(asked=True, acting=True),
            ended_at=now,
            actor="c001",
            now=now,
            rules=RULES,
        )
        work.commit()
    assert case is not None
    return case.id


def _acks(pbx: Pbx, now: datetime) -> list[AlarmAck]:
    rows = [text for name, text in pbx.user_events() if name == "ALARM_ACK"]
    found = [re.search(r"alarm=([a-z0-9_-]+)&by=([a-z0-9]+)", row) for row in rows]
    return [AlarmAck(alarm=f[1], by=f[2], at=now) for f in found if f]


def test_r14_an_unacknowledged_case_rings_until_a_supervisor_puts_their_name_on_it(
    pbx: Pbx, actors: Actors, store: MemoryStore
) -> None:
    carrier, now = actors.carrier({FIRST: PRESSES_1}), datetime.now(UTC)
    watch = Watch(store, SpoolAlarms(pbx.home), Live, ALARMS, RULES.risk)
    case = _submit(store, now)
    watch.once(now)
    until(lambda: _acks(pbx, now), 40, what="the supervisor to press 1")
    with store() as work:
        (alarm,) = on_acks(work, _acks(pbx, now), now)
        work.commit()
        assert (alarm.kind, alarm.acknowledged_by) == (AlarmKind.RISK_UNACKNOWLEDGED, "s001")
        assert work.book(CASES).get(case).acknowledged_by is None
    until(lambda: pbx.channels() == 0, 20, what="the climb to end")
    watch.once(now + RULES.risk.remind_after)
    until(lambda: len(carrier.calls(FIRST)) == 2, 40, what="the second ring")
    with store() as work:
        _, silenced = case_verbs.acknowledge(work, case, actor="s001", now=now)
        work.commit()
    assert len(silenced) == 1
    until(lambda: pbx.channels() == 0, 30, what="the second climb to end")
    watch.once(now + timedelta(hours=1))
    assert len(carrier.calls(FIRST)) == 2


def test_r14_one_act_during_the_call_rings_the_supervisor_at_once(
    pbx: Pbx, actors: Actors, store: MemoryStore
) -> None:
    carrier, now = actors.carrier({FIRST: PRESSES_1}), datetime.now(UTC)
    live = CallRecord(
        id="1764000000.7",
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=now,
        answered_at=now,
        ended_at=None,
        answered_by="c001",
        number="13800001111",
    )
    with store() as work:
        work.calls.put_many([live])
        begun = begin(
            work,
            SpoolAlarms(pbx.home),
            live.id,
            agency="120",
            policy=policy_of(ALARMS),
            rules=RULES,
            actor="c001",
            now=now,
        )
        work.commit()
    assert begun.rescue.state is RescueState.REQUESTED
    until(lambda: _acks(pbx, now), 40, what="the supervisor to press 1")
    assert [call.number for call in carrier.calls()] == [FIRST]


def test_r14_whether_a_real_pbx_answers_is_told_from_its_spool_folder_being_there(
    pbx: Pbx, actors: Actors, tmp_path: Path
) -> None:
    assert App(settings=pbx.settings).pbx_answers()
    nobody = Settings(home=tmp_path)
    (nobody.pbx_home / "spool" / "outgoing").mkdir(parents=True)
    assert not App(settings=nobody).pbx_answers()
