"""Calls out, however they are torn apart: written, ordered, rung and told in any order of deaths (P2, R28).

Two schedulers die, hang and lose answers between any two steps; the telephone system dies under calls and
starts again; its journal is read late, or by nobody; clocks jump. What always holds is in the invariants,
and at the end, when everything runs again, nothing is left in the dark that anybody wrote down.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callcenter.config import Settings, Trunk
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
)
from callcenter.errors import InDoubt, PbxError, PbxUnreachable
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.ports import LiveCalls, PlaceCall
from callcenter.service.followup.dispatch import DebtRound, StoreLedger
from callcenter.service.followup.settling import settle
from callcenter.words import doubt_words
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Attempt, Doubt, Obligation, Result
from scheduler.stages import Progress, Stage, stage_of

START = datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)
PEOPLE = ("p1", "p2", "p3")
SECOND = timedelta(seconds=1)
#: Where a scheduler dies: before the attempt is kept, before the order, after it, after its answer.
DEATHS = ("", "", "unwritten", "written", "ordered", "answered")
#: What may follow what.
FOLLOWS = {
    None: frozenset(Stage),
    Stage.WRITTEN: frozenset(Stage),
    Stage.PLACED: frozenset(Stage) - {Stage.WRITTEN},
    Stage.RINGING: frozenset({Stage.RINGING, Stage.ANSWERED, Stage.SETTLED, Stage.IN_DOUBT}),
    Stage.ANSWERED: frozenset({Stage.ANSWERED, Stage.SETTLED, Stage.IN_DOUBT}),
    Stage.IN_DOUBT: frozenset({Stage.IN_DOUBT, Stage.SETTLED}),
    Stage.SETTLED: frozenset({Stage.SETTLED}),
}


class Died(BaseException):
    """A scheduler dies here."""


@dataclass
class Pbx(MemoryCallControl):
    """Keeps its calls and its own journal, whoever asks and whoever reads."""

    now: datetime = START
    up: bool = True
    #: What the next order meets: nothing, or the asker's death or loss of the answer.
    fate: str = ""
    #: Told of its calls, in the order of writing; the reader's business.
    written: list[CallRecord] = field(default_factory=list)
    current: dict[str, CallRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        MemoryCallControl.__init__(self, lambda: self.now)
        self.since = START - timedelta(days=3)

    async def place(self, call: PlaceCall) -> None:
        self._check()
        if self.fate == "written":
            raise Died
        await super().place(call)
        self.tell(
            CallRecord(id=call.id, direction=Direction.OUTBOUND, outcome=Outcome.OPEN, started_at=self.now)
        )
        match self.fate:
            case "ordered":
                raise Died
            case "lost":
                raise InDoubt

    async def alive(self, call_ids: object) -> LiveCalls:
        self._check()
        return await super().alive(call_ids)  # type: ignore[arg-type]

    def tell(self, record: CallRecord) -> None:
        self.current[record.id] = record
        self.written.append(record)

    def end(self, call_id: str, **more: object) -> None:
        """End a call and write it down."""
        super().end(call_id)
        ended = replace(self.current[call_id], outcome=Outcome.OUTBOUND, ended_at=self.now)
        self.tell(replace(ended, **more))  # type: ignore[arg-type]

    def crash(self) -> None:
        """Die under every call: what is known of them is how far they had come."""
        self.up = False
        self.live.clear()

    def boot(self) -> None:
        """Start again; what was going on is then known to be torn."""
        self.up, self.since = True, self.now
        for record in list(self.current.values()):
            if record.is_open:
                torn = replace(record, outcome=Outcome.OUTBOUND, ended_at=self.now, end_is_uncertain=True)
                self.tell(torn)

    def _check(self) -> None:
        if not self.up:
            raise PbxUnreachable


class Dying(StoreLedger):
    """A ledger whose owner dies, or hangs, beside one of its steps."""

    pbx: Pbx
    machine: TornCalls

    def begin(self, claimed: Obligation, attempt: Attempt) -> None:
        if self.pbx.fate == "unwritten":
            raise Died
        super().begin(claimed, attempt)
        self.machine.hang(attempt)

    def placed(self, attempt_id: str, now: datetime) -> None:
        if self.pbx.fate == "answered":
            raise Died
        super().placed(attempt_id, now)


class TornCalls(RuleBasedStateMachine):
    """One line, two schedulers, three people who are owed a call."""

    @initialize()
    def begin(self) -> None:
        self.store, self.pbx, self.queue = MemoryStore(), Pbx(), MemoryQueue()
        self.reader_up, self.read_to = True, 0
        self.hung = timedelta(0)
        self.stages: dict[str, Stage] = {}
        self.ordered_at: dict[str, int] = {}
        site = Settings(trunk=Trunk(channels=8))
        plain = DebtRound.wire(self.store, self.pbx, self.queue, site, lambda: self.pbx.now, self.told)
        ledger = Dying(self.store, plain.ledger.rules)
        object.__setattr__(ledger, "pbx", self.pbx)
        object.__setattr__(ledger, "machine", self)
        self.rounds = (plain, replace(plain, ledger=ledger))
        self._enrol()

    def _enrol(self) -> None:
        with self.store() as work:
            for n, person in enumerate(PEOPLE):
                work.people.add(
                    Person(id=person, code=f"P-{n}", name="沈建国", phones=(Phone(number=f"1380000000{n}"),))
                )
                said = Consent(
                    person=person, kind=ConsentKind.IVR_CHECKIN, granted=True, at=START, channel="paper"
                )
                work.people.add_consent(said)
                work.people.put_file(
                    HardshipFile(
                        file_no=f"WX-{n}",
                        person=person,
                        grade=Grade.DEEP,
                        status=FileStatus.ACTIVE,
                        since=date(2026, 10, 1),
                    )
                )
            work.commit()

    # --- what happens ----------------------------------------------------------------------

    @rule(fate=st.sampled_from([*DEATHS, "lost"]), hung=st.sampled_from([0, 0, 4, 20, 4000]))
    def a_scheduler_works(self, fate: str, hung: int) -> None:
        """Dial what is due; die at some step, lose the answer, or hang after writing it down."""
        self.pbx.fate, self.hung = fate, timedelta(seconds=hung)
        try:
            asyncio.run(self.rounds[1]())
        except Died:
            pass
        finally:
            self.pbx.fate, self.hung = "", timedelta(0)

    @rule()
    def a_scheduler_works_undisturbed(self) -> None:
        asyncio.run(self.rounds[0]())

    def hang(self, attempt: Attempt) -> None:
        """Stand still after writing an attempt, while the other scheduler does its rounds."""
        if self.hung:
            self.pbx.now += self.hung
            fate, self.pbx.fate = self.pbx.fate, ""
            asyncio.run(self.rounds[0]())
            self.pbx.fate = fate

    @precondition(lambda self: self.pbx.live)
    @rule(data=st.data(), word=st.sampled_from(["reached_self_callback", "no_answer", None]))
    def a_call_is_answered_or_ends(self, data: st.DataObject, word: str | None) -> None:
        call_id = data.draw(st.sampled_from([c.id for c in self.pbx.placed if c.id in self.pbx.live]))
        record = self.pbx.current[call_id]
        if record.answered_at is None and data.draw(st.booleans()):
            self.pbx.tell(replace(record, answered_at=self.pbx.now))
        else:
            self.pbx.end(call_id, flow_outcome=word, hangup_cause=19)

    @rule(rows=st.integers(1, 4))
    def the_journal_is_read(self, rows: int) -> None:
        self.read(rows)

    @rule(up=st.booleans())
    def its_reader_dies_or_starts(self, up: bool) -> None:
        self.reader_up = up

    @precondition(lambda self: self.pbx.up and self.pbx.live)
    @rule(word=st.sampled_from(["reached_self_callback", "no_answer"]))
    def calls_end_and_nobody_reads_of_it_for_an_hour(self, word: str) -> None:
        self.reader_up = False
        for call_id in sorted(self.pbx.live):
            self.pbx.end(call_id, flow_outcome=word)
        self.pbx.now += timedelta(hours=1)
        asyncio.run(self.rounds[0]())

    @rule()
    def the_telephone_system_dies_or_starts(self) -> None:
        (self.pbx.crash if self.pbx.up else self.pbx.boot)()

    @rule(seconds=st.sampled_from([1, 12, 70, 900, 3 * 3600, -30, -3600]))
    def the_clock_goes_on_or_jumps(self, seconds: int) -> None:
        self.pbx.now += timedelta(seconds=seconds)

    # --- how it works ----------------------------------------------------------------------

    async def told(self) -> bool:
        if self.reader_up:
            self.read(len(self.pbx.written))
        return self.reader_up

    def read(self, rows: int) -> None:
        told = self.pbx.written[self.read_to : self.read_to + rows]
        with self.store() as work:
            for record in told:
                work.calls.put_many([record])
                settle(work, [record], self.pbx.now)
            work.commit()
        self.read_to += len(told)

    def attempts(self) -> list[Attempt]:
        with self.store() as work:
            owed = [o.id for person in PEOPLE for o in work.debts.of_person(person)]
            return [attempt for tries in work.debts.attempts_of(owed).values() for attempt in tries]

    def progress(self, attempt: Attempt) -> Progress:
        with self.store() as work:
            going_on = {call.id: call for call in work.calls.open_calls()}
        if attempt.id not in going_on:
            return Progress.NONE
        return Progress.ANSWERED if going_on[attempt.id].answered_at else Progress.BEGUN

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def a_stage_never_goes_back(self) -> None:
        for attempt in self.attempts():
            stage, before = stage_of(attempt, self.progress(attempt)), self.stages.get(attempt.id)
            assert stage in FOLLOWS[before], (before, stage)
            self.stages[attempt.id] = stage

    @invariant()
    def nothing_is_in_doubt_while_its_call_lives(self) -> None:
        lost = {a.id for a in self.attempts() if a.doubt not in {None, Doubt.UNREAD}}
        assert not lost & self.pbx.live

    @invariant()
    def no_attempt_is_dialled_twice_and_none_that_is_not_written(self) -> None:
        placed = [call.id for call in self.pbx.placed]
        assert len(placed) == len(set(placed))
        assert set(placed) <= {attempt.id for attempt in self.attempts()}

    @invariant()
    def nobody_is_dialled_while_an_earlier_call_is_in_the_dark(self) -> None:
        """A machine dials once for each attempt that somebody could tell the end of, and once more."""
        dark: dict[str, int] = {}
        for attempt in self.attempts():
            if attempt.result in {None, Result.UNKNOWN}:
                dark[attempt.obligation] = dark.get(attempt.obligation, 0) + 1
        assert all(count == 1 for count in dark.values())

    @invariant()
    def what_is_in_doubt_says_why_and_nothing_else_does(self) -> None:
        for attempt in self.attempts():
            said = doubt_words(attempt, lambda at: f"{at:%H:%M:%S}")
            assert bool(said) == (attempt.result is Result.UNKNOWN) == (attempt.doubt is not None)

    def teardown(self) -> None:
        """Everything runs again: each attempt is settled, from its record wherever there is a whole one."""
        if not hasattr(self, "pbx"):
            return
        if not self.pbx.up:
            self.pbx.boot()
        for call_id in sorted(self.pbx.live):
            self.pbx.end(call_id, flow_outcome="reached_self_callback")
        self.reader_up = True
        self.pbx.now += timedelta(hours=3)
        self.pbx.fate = ""
        asyncio.run(self.rounds[0]())
        self.read(len(self.pbx.written))
        whole = {r.id for r in self.pbx.current.values() if not r.is_open and not r.end_is_uncertain}
        last = {a.id: a for a in self.attempts() if a.id not in self.pbx.live}
        assert all(attempt.result is not None for attempt in last.values())
        assert all(a.result is not Result.UNKNOWN for a in last.values() if a.id in whole)


TestTornCalls = TornCalls.TestCase
TestTornCalls.settings = settings(max_examples=120, stateful_step_count=25)


def test_an_order_refused_is_no_doubt() -> None:
    """What the telephone system refuses surely did not go out."""
    machine = TornCalls()
    machine.begin()

    async def refuse(call: PlaceCall) -> None:
        raise PbxError("no such endpoint")

    machine.pbx.place = refuse  # type: ignore[method-assign]
    asyncio.run(machine.rounds[0]())
    assert {a.result for a in machine.attempts()} == {Result.OWN_FAULT}
