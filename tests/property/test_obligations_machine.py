"""Whatever happens in whatever order: I1, I4, I5, one debt per worker, and never two calls for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from actors import enlist
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callcenter.config import Settings
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
    PhoneStatus,
)
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.ports import PlaceCall, UnitOfWork
from callcenter.service.followup.debts import done_by_call, done_by_visit, settle
from callcenter.service.followup.dispatch import DebtRound
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Attempt, EvidenceKind, Kind, Result

PEOPLE = ("p1", "p2", "p3")
SETTINGS = Settings(trunk={"channels": 4})  # type: ignore[arg-type]
START = datetime(2026, 12, 21, 9, 10, tzinfo=SHANGHAI)
#: Words a flow may leave, and none; and one that means nothing.
WORDS = st.sampled_from([*Result, None, "nonsense"])
CAUSES = st.sampled_from([None, 1, 3, 16, 17, 18, 19, 20, 21, 34, 38, 127])


class _Died(BaseException):
    """The process dies in the middle of placing."""


class _Telephone(MemoryCallControl):
    """Remembers when each call went out; may die before or after the network took it."""

    def __init__(self) -> None:
        super().__init__()
        self.placed_at: list[tuple[datetime, PlaceCall]] = []
        self.now = START
        self.dies = ""

    async def place(self, call: PlaceCall) -> None:
        if self.dies == "before":
            raise _Died
        await super().place(call)
        self.placed_at.append((self.now, call))
        if self.dies == "after":
            raise _Died


class Debts(RuleBasedStateMachine):
    """A year of work, in any order."""

    @initialize(
        days=st.sampled_from([0, 1, 2, 10, 5, 11, 46, 60]), hour=st.sampled_from([9, 10, 15, 17, 3, 13, 21])
    )
    def enrol(self, days: int, hour: int) -> None:
        self.store, self.control, self.queue = MemoryStore(), _Telephone(), MemoryQueue()
        self.now = START.replace(hour=hour) + timedelta(days=days)
        self.serial, self.records = 0, dict[str, CallRecord]()
        self.round = DebtRound.wire(self.store, self.control, self.queue, SETTINGS, lambda: self.now)
        with self.store() as work:
            enlist(work, "c017")
            work.commit()
        for n, person in enumerate(PEOPLE, start=1):
            self._enrol_one(n, person)

    def _enrol_one(self, n: int, person: str) -> None:
        with self.store() as work:
            number = Phone(number=f"1380000000{n}")
            work.people.add(Person(id=person, code=f"P-{n}", name="沈建国", phones=(number,)))
            consent = Consent(
                person=person, kind=ConsentKind.IVR_CHECKIN, granted=True, at=START, channel="paper"
            )
            work.people.add_consent(consent)
            grade = list(Grade)[n]
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=person,
                    grade=grade,
                    status=FileStatus.ACTIVE,
                    since=date(2026, 10, 20 + n),
                )
            )
            work.commit()

    # --- what happens ----------------------------------------------------------------------

    @rule()
    def tick(self) -> None:
        self.control.now = self.now
        asyncio.run(self.round())

    @rule(ticks=st.integers(2, 6), minutes=st.sampled_from([1, 4, 40]))
    def the_line_runs_for_a_while(self, ticks: int, minutes: int) -> None:
        for _ in range(ticks):
            self.tick()
            self.now += timedelta(minutes=minutes)

    @rule(when=st.sampled_from(["before", "after"]))
    def tick_and_die(self, when: str) -> None:
        self.control.now, self.control.dies = self.now, when
        try:
            asyncio.run(self.round())
        except _Died:
            pass
        finally:
            self.control.dies = ""

    @rule(minutes=st.sampled_from([1, 3, 17, 125, 60 * 7, 60 * 24, 60 * 24 * 11]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.control.live)
    @rule(data=st.data(), word=WORDS, cause=CAUSES, answered=st.booleans(), told=st.booleans())
    def a_call_ends(
        self, data: st.DataObject, word: str | None, cause: int | None, answered: bool, told: bool
    ) -> None:
        call_id = data.draw(st.sampled_from(sorted(self.control.live)))
        self.control.end(call_id)
        record = CallRecord(
            id=call_id,
            direction=Direction.OUTBOUND,
            outcome=Outcome.OUTBOUND,
            started_at=self.now,
            answered_at=self.now if answered else None,
            ended_at=self.now + timedelta(seconds=30),
            flow_outcome=word if answered else None,
            hangup_cause=cause,
        )
        if told:
            self._journal(record)

    @rule(n=st.integers(1, 4), promised=st.booleans())
    def somebody_calls_us(self, n: int, promised: bool) -> None:
        self.serial += 1
        record = CallRecord(
            id=f"c{self.serial}",
            direction=Direction.INBOUND,
            outcome=Outcome.PROMISED if promised else Outcome.ANSWERED,
            started_at=self.now,
            answered_at=None if promised else self.now,
            ended_at=self.now + timedelta(minutes=1),
            answered_by=None if promised else "c017",
            number=f"1380000000{n}" if n < 4 else None,
        )
        self._journal(record)

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def the_journal_is_read_again(self, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.sampled_from(sorted(self.records)), max_size=5))
        before = self._everything()
        with self.store() as work:
            settle(work, [self.records[i] for i in some], self.now)
            work.commit()
        assert self._everything() == before

    @rule(person=st.sampled_from(PEOPLE), data=st.data())
    def a_counsellor_records_a_talk(self, person: str, data: st.DataObject) -> None:
        call_id = data.draw(st.sampled_from(["", *sorted(self.records)]))
        self._try(lambda work, debt: done_by_call(work, debt, call_id, actor="c017", now=self.now), person)

    @rule(person=st.sampled_from(PEOPLE), visit=st.sampled_from(["", "走访-1", "走访-2"]))
    def a_counsellor_records_a_visit(self, person: str, visit: str) -> None:
        self._try(lambda work, debt: done_by_visit(work, debt, visit, actor="c017", now=self.now), person)

    @rule(person=st.sampled_from(PEOPLE), status=st.sampled_from(FileStatus), grade=st.sampled_from(Grade))
    def a_file_changes(self, person: str, status: FileStatus, grade: Grade) -> None:
        with self.store() as work:
            file = next(f for f in work.people.files() if f.person == person)
            work.people.put_file(replace(file, status=status, grade=grade))
            work.commit()

    @rule(n=st.integers(1, 3), status=st.sampled_from(PhoneStatus))
    def a_number_is_verified(self, n: int, status: PhoneStatus) -> None:
        with self.store() as work:
            work.people.set_phone_status(f"1380000000{n}", status)
            work.commit()

    @rule(waiting=st.integers(0, 2))
    def callers_wait(self, waiting: int) -> None:
        self.queue.waiting = waiting

    # --- what always holds -----------------------------------------------------------------

    @invariant()
    def i1_one_lease_and_one_doubt_per_person(self) -> None:
        with self.store() as work:
            for person in PEOPLE:
                mine = work.debts.open(person=person)
                held = [o for o in mine if o.lease is not None and o.lease.until > self.now]
                doubts = [a for o in mine for a in work.debts.attempts(o.id) if a.in_doubt]
                assert len(held) <= 1
                assert len(doubts) <= 1

    @invariant()
    def i4_satisfied_means_evidence_of_something_on_record(self) -> None:
        with self.store() as work:
            opened = [e.object for e in work.audit.recent(100_000) if e.verb == "obligation.open"]
            proofs = [(work.debts.get(o), p) for o in opened for p in work.debts.evidence(o)]
            for obligation, proof in proofs:
                match proof.kind:
                    case EvidenceKind.IVR_KEY:
                        attempt = work.debts.attempt(proof.reference)
                        assert attempt is not None
                        assert attempt.result is Result.REACHED_SELF_IVR_OK
                        assert obligation.kind is Kind.HARDSHIP
                    case EvidenceKind.HUMAN_TALK:
                        assert self.records[proof.reference].answered_at is not None
                    case EvidenceKind.HOME_VISIT:
                        assert proof.reference.startswith("走访")

    @invariant()
    def i5_nobody_is_called_outside_the_windows(self) -> None:
        rules = self.round.ledger.rules
        for at, _ in self.control.placed_at:
            assert rules.windows.is_open(at)
            assert rules.calendar.may_automate(at.astimezone(SHANGHAI).date())

    @invariant()
    def nobody_has_two_open_routine_debts(self) -> None:
        with self.store() as work:
            routine = [o.person for o in work.debts.open() if o.kind is Kind.HARDSHIP]
            assert len(routine) == len(set(routine))

    @invariant()
    def every_call_that_went_out_has_its_attempt_and_its_own_id(self) -> None:
        ids = [call.id for _, call in self.control.placed_at]
        assert len(ids) == len(set(ids))
        assert set(ids) <= {a.id for a in self._attempts()}

    @invariant()
    def nobody_is_called_by_machine_more_than_allowed_a_day(self) -> None:
        days: dict[tuple[str, date], list[datetime]] = {}
        for at, call in self.control.placed_at:
            days.setdefault((call.number, at.astimezone(SHANGHAI).date()), []).append(at)
        # Two rungs; a busy line's quick retries (two each) belong to their rung; faults are free.
        for calls in days.values():
            assert len(calls) <= 2 * 3 + 8

    # --- how -------------------------------------------------------------------------------

    def _journal(self, record: CallRecord) -> None:
        self.records[record.id] = record
        with self.store() as work:
            work.calls.put_many([record])
            settle(work, [record], self.now)
            work.commit()

    def _try(self, verb: Callable[[UnitOfWork, str], object], person: str) -> None:
        with self.store() as work:
            mine = work.debts.open(person=person)
            if mine:
                try:
                    verb(work, mine[0].id)
                except CallCenterError:
                    return
                work.commit()

    def _attempts(self) -> list[Attempt]:
        with self.store() as work:
            entries = [e.object for e in work.audit.recent(100_000) if e.verb == "attempt.begin"]
            return [a for i in entries if (a := work.debts.attempt(i)) is not None]

    def _everything(self) -> object:
        with self.store() as work:
            return list(work.debts.open()), work.debts.last_contacts(), len(work.audit.recent(100_000))


TestDebts = Debts.TestCase
TestDebts.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
