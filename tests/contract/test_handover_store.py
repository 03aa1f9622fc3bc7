"""Hand-overs and crises in each store: one name at most, and nothing lost whoever came first (R14, R45)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from actors import enlist

from callcenter.domain.alarms import AlarmAck, AlarmKind, crisis_id
from callcenter.domain.books import CASES, HANDOVERS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fold import Facts, LineAct, LineActKind
from callcenter.domain.handover import HandoverState
from callcenter.domain.people import Person
from callcenter.domain.risk import RiskAnswers
from callcenter.domain.sessions import SessionRow
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict
from callcenter.ports import Store
from callcenter.service.line import crisis
from callcenter.service.line.alarms import on_acks
from callcenter.service.line.records import Hooks, apply
from callcenter.service.risk import handovers
from callcenter.service.risk.cases import follow
from scheduler.gates import Rules

CALL = "1764000000.7"
MINUTE = timedelta(minutes=1)
HOOKS = Hooks(
    on_acks=(on_acks,),
    on_closed=(crisis.on_closed,),
    on_line_acts=(crisis.on_rows, handovers.on_rows),
)


def enrol(store: Store, now: datetime) -> None:
    with store() as work:
        enlist(work)
        work.users.add(User(code="c018", name="吴倩", roles=frozenset({Role.COUNSELLOR})))
        work.users.add(User(code="s002", name="何敏", roles=frozenset({Role.SUPERVISOR})))
        work.people.add(Person(id="p1", code="P-1", name="陈梦瑶"))
        work.calls.put_many([call(now)])
        work.commit()


def call(now: datetime, ended: datetime | None = None) -> CallRecord:
    return CallRecord(
        id=CALL,
        direction=Direction.INBOUND,
        outcome=Outcome.ANSWERED if ended else Outcome.OPEN,
        started_at=now,
        answered_at=now,
        ended_at=ended,
        answered_by="c017",
    )


def act(kind: LineActKind, at: datetime, **words: str) -> LineAct:
    told = tuple(sorted((name.removesuffix("_"), value) for name, value in words.items()))
    return LineAct(key=f"{CALL}:{at.timestamp()}", kind=kind, call=CALL, words=told, at=at)


def tell(store: Store, facts: Facts, now: datetime) -> None:
    with store() as work:
        apply(work, facts, now, HOOKS)
        work.commit()


def case_of(store: Store, now: datetime) -> str:
    with store() as work:
        row = SessionRow(id="se-1", call="c1", counsellor="c017", opened_at=now)
        case = follow(
            work,
            session=row,
            person="p1",
            answers=RiskAnswers(asked=True, plan_soon=True),
            ended_at=now,
            actor="c017",
            now=now,
            rules=Rules(),
        )
        work.commit()
    assert case is not None
    return case.id


def test_r45_two_accept_at_one_moment_and_one_name_stands(store: Store, now: datetime) -> None:
    enrol(store, now)
    case = case_of(store, now)
    with store() as work:
        one = handovers.give(work, f"case:{case}", "c018", told="近况和约定都说了", actor="c017", now=now)
        work.commit()
    with store() as work:
        stale = work.book(HANDOVERS).get(one.id)
    with store() as work:
        handovers.accept(work, one.id, actor="c018", now=now + MINUTE)
        work.commit()
    with suppress(Conflict), store() as work:
        work.book(HANDOVERS).put(stale)
        work.commit()
    with suppress(Conflict), store() as work:
        handovers.accept(work, one.id, actor="s001", now=now + MINUTE)
        work.commit()
    with store() as work:
        kept = work.book(HANDOVERS).get(one.id)
        assert (kept.state, kept.accepted_by, kept.told) == (
            HandoverState.ACCEPTED,
            "c018",
            "近况和约定都说了",
        )
        assert work.book(CASES).get(case).owner == "c018"


def test_a_handover_by_phone_is_open_until_the_colleagues_key(store: Store, now: datetime) -> None:
    enrol(store, now)
    sent = act(LineActKind.HANDOVER, now, from_="c017", to="lead", act="sent")
    took = act(LineActKind.HANDOVER, now + MINUTE, from_="c017", to="s001", act="accepted")
    tell(store, Facts(line=(sent,)), now)
    with store() as work:
        (one,) = handovers.open_about(work, f"call:{CALL}")
        assert (one.from_agent, one.to) == ("c017", "lead")
    for _ in range(2):
        tell(store, Facts(line=(took, sent)), now + MINUTE)
        with store() as work:
            (one,) = work.book(HANDOVERS).where(about=f"call:{CALL}")
            assert (one.accepted_by, one.accepted_at) == ("s001", now + MINUTE)


def test_r14_a_key_1_that_was_told_before_the_crisis_still_names_who_knows(
    store: Store, now: datetime
) -> None:
    enrol(store, now)
    ack = AlarmAck(alarm=crisis_id(CALL), by="s001", at=now + MINUTE)
    pressed = act(LineActKind.CRISIS, now, agent="c017")
    tell(store, Facts(acks=(ack,)), now + MINUTE)
    tell(store, Facts(line=(pressed,)), now + MINUTE)
    tell(store, Facts(line=(pressed,), acks=(ack,)), now + 2 * MINUTE)
    with store() as work:
        (alarm,) = work.alarms.recent(10)
        assert (alarm.kind, alarm.detail, alarm.raised_at) == (AlarmKind.CRISIS, f"{CALL} c017", now)
        assert (alarm.acknowledged_by, alarm.acknowledged_at) == ("s001", now + MINUTE)
        assert crisis.open_crises(work) == {}
    tell(store, Facts(calls=(call(now, now + 5 * MINUTE),)), now + 5 * MINUTE)
    with store() as work:
        assert work.alarms.get(crisis_id(CALL)).cleared_at == now + 5 * MINUTE


def test_two_callers_in_danger_at_once_are_two_open_alarms(store: Store, now: datetime) -> None:
    enrol(store, now)
    other = "1764000000.9"
    also = LineAct(key="k", kind=LineActKind.CRISIS, call=other, words=(("agent", "c018"),), at=now)
    tell(store, Facts(line=(act(LineActKind.CRISIS, now, agent="c017"), also)), now)
    with store() as work:
        assert crisis.open_crises(work).keys() == {CALL, other}
