"""Whatever people and telephones do to hand-overs: one name at most, and none is ever lost (R45)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callcenter.domain.books import HANDOVERS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fold import LineAct, LineActKind
from callcenter.domain.handover import Handover, HandoverState
from callcenter.domain.users import Role, User
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryStore
from callcenter.service.line.risk_clock import unaccepted
from callcenter.service.risk import handovers
from scheduler.cadence import SHANGHAI

START = datetime(2026, 11, 24, 9, tzinfo=SHANGHAI)
CALLS = ("c1", "c2")
PEOPLE = ("c017", "c018", "s001", "s002")
WHO = st.sampled_from(PEOPLE)
TO = st.sampled_from([*PEOPLE, "110", "12356", "lead"])
CALL = st.sampled_from(CALLS)


class Handovers(RuleBasedStateMachine):
    """Two calls that four people hand about, at the terminal and by phone; rows may be told again."""

    @initialize()
    def begin(self) -> None:
        self.store, self.now = MemoryStore(), START
        self.rows: list[LineAct] = []
        self.names: dict[str, str] = {}
        self.known: set[str] = set()
        with self.store() as work:
            for code in PEOPLE:
                role = Role.COUNSELLOR if code.startswith("c") else Role.SUPERVISOR
                work.users.add(User(code=code, name="吴倩", roles=frozenset({role})))
            work.calls.put_many(map(_talk, CALLS))
            work.commit()

    def _try(self, act: object) -> None:
        self.now += timedelta(minutes=1)
        with suppress(CallCenterError), self.store() as work:
            act(work)  # type: ignore[operator]
            work.commit()

    def _all(self) -> list[Handover]:
        with self.store() as work:
            return list(work.book(HANDOVERS).where())

    @rule(call=CALL, actor=WHO, to=TO)
    def give(self, call: str, actor: str, to: str) -> None:
        told = "近况和约定都说了"
        self._try(lambda work: handovers.give(work, f"call:{call}", to, told=told, actor=actor, now=self.now))

    @rule(actor=WHO, data=st.data(), name=st.sampled_from(["", "周调度员", "李警官"]))
    def accept(self, actor: str, data: st.DataObject, name: str) -> None:
        if every := sorted(one.id for one in self._all()):
            one = data.draw(st.sampled_from(every))
            self._try(lambda work: handovers.accept(work, one, name=name, actor=actor, now=self.now))

    @rule(actor=WHO, data=st.data())
    def take_back(self, actor: str, data: st.DataObject) -> None:
        if every := sorted(one.id for one in self._all()):
            one, why = data.draw(st.sampled_from(every)), "对方今天请假"
            self._try(lambda work: handovers.take_back(work, one, reason=why, actor=actor, now=self.now))

    @rule(call=CALL, who=WHO, to=TO, act=st.sampled_from(["sent", "accepted", "back"]))
    def by_phone(self, call: str, who: str, to: str, act: str) -> None:
        self.now += timedelta(minutes=1)
        words = (("act", act), ("from", who), ("to", to))
        row = LineAct(
            key=f"k{len(self.rows)}", kind=LineActKind.HANDOVER, call=call, words=words, at=self.now
        )
        self.rows.append(row)
        self._try(lambda work: handovers.on_rows(work, [row], self.now))

    @rule()
    def told_again(self) -> None:
        before = self._all()
        self._try(lambda work: handovers.on_rows(work, self.rows, self.now))
        assert sorted(one.id for one in self._all()) == sorted(one.id for one in before)

    @invariant()
    def r45_one_name_at_most_and_it_stays(self) -> None:
        for one in self._all():
            assert (one.state is HandoverState.ACCEPTED) == bool(one.accepted_by)
            if one.accepted_by:
                assert self.names.setdefault(one.id, one.accepted_by) == one.accepted_by

    @invariant()
    def none_is_lost_and_what_is_open_rings(self) -> None:
        every = self._all()
        assert self.known <= {one.id for one in every}
        self.known = {one.id for one in every}
        with self.store() as work:
            waiting = unaccepted(work, self.now + timedelta(days=1), timedelta(minutes=15))
        assert set(waiting) == {one.id for one in every if one.state is HandoverState.OPEN}


def _talk(call: str) -> CallRecord:
    return CallRecord(
        id=call,
        direction=Direction.INBOUND,
        outcome=Outcome.OPEN,
        started_at=START,
        answered_at=START,
        ended_at=None,
        answered_by="c017",
    )


Handovers.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestHandovers = Handovers.TestCase
