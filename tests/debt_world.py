"""A line in memory with a few people it owes contacts, and what may happen to it: the machine's world."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from actors import enlist

from callcenter.config import Settings
from callcenter.domain.books import CASES, DEBT_EVENTS, PLANS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.fold import Facts
from callcenter.domain.ledger import DebtEvent, Plan, PlanKind
from callcenter.domain.levels import Level
from callcenter.domain.people import Consent, ConsentKind, FileStatus, Grade, HardshipFile, Person, Phone
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import CallCenterError
from callcenter.memory import MemoryCallControl, MemoryQueue, MemoryStore
from callcenter.ports import Member, PlaceCall, QueueState, UnitOfWork
from callcenter.service.followup.case_steps import keep_owed
from callcenter.service.followup.debts import settle
from callcenter.service.followup.dispatch import DebtRound, StoreLedger
from callcenter.service.followup.planning import sweep_plans
from callcenter.service.followup.sweeping import sweep
from callcenter.service.line.records import Hooks, apply
from scheduler.cadence import SHANGHAI
from scheduler.obligations import Attempt, Evidence, Kind, Obligation

#: On file; planned for, and agreed to be called back; in danger.
ON_FILE, PLANNED, IN_DANGER = ("p1", "p2"), "p3", "p4"
PEOPLE = (*ON_FILE, PLANNED, IN_DANGER)
SETTINGS = Settings(trunk={"channels": 4})  # type: ignore[arg-type]
#: A Monday; New Year's Day 2027, which nobody has published, comes on the second Friday.
START = datetime(2026, 12, 21, 9, 10, tzinfo=SHANGHAI)


class Died(BaseException):
    """The process dies in the middle of placing."""


class Telephone(MemoryCallControl):
    """Remembers when each call went out; may die before or after the network took it."""

    def __init__(self) -> None:
        super().__init__()
        self.placed_at: list[tuple[datetime, PlaceCall]] = []
        self.now = START
        self.dies = ""

    async def place(self, call: PlaceCall) -> None:
        if self.dies == "before":
            raise Died
        await super().place(call)
        self.placed_at.append((self.now, call))
        if self.dies == "after":
            raise Died


#: What somebody does beside a round; told which debt is about to be dialled, if one is.
Act = Callable[[Obligation | None], Awaitable[object]]


class Beside:
    """What somebody else does in the middle of a round: at its n-th look at the line, or before it dials."""

    def __init__(self) -> None:
        self.act: Act | None = None
        self.looks = 0

    async def now(self, claimed: Obligation | None = None) -> None:
        act, self.act = self.act, None
        if act is not None:
            with suppress(CallCenterError):
                await act(claimed)


class Queue(MemoryQueue):
    """Lets somebody else act when a scheduler looks at the line."""

    def __init__(self, beside: Beside) -> None:
        super().__init__()
        self.beside = beside

    async def state(self) -> QueueState:
        self.beside.looks -= 1
        if self.beside.looks == 0:
            await self.beside.now()
        return await super().state()


@dataclass(frozen=True, slots=True)
class Ledger(StoreLedger):
    """Lets somebody else act after every gate was asked and before the attempt is written."""

    beside: Beside

    def begin(self, claimed: Obligation, attempt: Attempt) -> None:
        if self.beside.looks < 0:
            asyncio.run(self.beside.now(claimed))  # in a thread of its own, as every act of the ledger
        StoreLedger.begin(self, claimed, attempt)


async def _told() -> bool:
    """Somebody reads the journal to its end, whatever it tells."""
    return True


class DebtWorld:
    """The line: its store, its telephone, two schedulers, and everything it was ever told."""

    def __init__(self, start: datetime) -> None:
        self.beside = Beside()
        self.store, self.control, self.queue = MemoryStore(), Telephone(), Queue(self.beside)
        self.queue.members = {code: Member(agent=code) for code in ("c017", "c018")}
        self.now = self.latest = start
        self.serial, self.jumped = 0, False
        #: Calls the line was told of, and calls that are over and not told yet.
        self.records: dict[str, CallRecord] = {}
        self.untold: dict[str, CallRecord] = {}
        self.rounds = [self._round(), self._round()]
        self.rules = self.rounds[0].ledger.rules
        #: Every row that was ever there, by its id.
        self.seen: dict[str, set[str]] = {"obligation": set(), "attempt": set(), "evidence": set()}
        with self.store() as work:
            self._enrol(work)
            work.commit()
        self.tell(self.call_from(1, Outcome.PROMISED, timedelta(minutes=1)))
        self.latest = start

    def _round(self) -> DebtRound:
        plain = DebtRound.wire(self.store, self.control, self.queue, SETTINGS, lambda: self.now, _told)
        return replace(plain, ledger=Ledger(self.store, plain.ledger.rules, self.beside))

    def _enrol(self, work: UnitOfWork) -> None:
        enlist(work, "c017", "s001")
        work.users.update(replace(work.users.get("c017"), phone=PhoneKind.SIP))
        work.users.add(User(code="s002", name="陆遥", roles=frozenset({Role.SUPERVISOR})))
        for n, person in enumerate(PEOPLE, start=1):
            number = Phone(number=f"1380000000{n}")
            work.people.add(Person(id=person, code=f"P-{n}", name="沈建国", phones=(number,)))
            said = Consent(
                person=person, kind=ConsentKind.IVR_CHECKIN, granted=True, at=START, channel="paper"
            )
            work.people.add_consent(said)
        for n, person in enumerate(ON_FILE):
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=person,
                    grade=list(Grade)[2 * n],
                    status=FileStatus.ACTIVE,
                    since=date(2026, 11, 20 + n),
                )
            )
        self._plan(work)
        self._follow(work)

    def _plan(self, work: UnitOfWork) -> None:
        follow = Consent(
            person=PLANNED,
            kind=ConsentKind.FOLLOWUP,
            granted=True,
            at=START - timedelta(days=60),
            channel="电话",
        )
        work.people.add_consent(follow)
        work.book(PLANS).add(
            Plan(
                id="pl-1",
                person=PLANNED,
                kind=PlanKind.HOSPITAL_DAY,
                anchor=date(2026, 12, 24),
                every_days=21,
                days_before=1,
                by="s001",
                at=START,
            )
        )

    def _follow(self, work: UnitOfWork) -> None:
        case = Case(
            id="ca-1",
            person=IN_DANGER,
            level=Level.HIGH,
            state=CaseState.ACTIVE,
            owner="c017",
            opened_at=START,
            opened_from="se-0",
            anchor="se-0",
        )
        # Past its ladder: one step at a time, and the next one follows whatever becomes of it (I3).
        case = keep_owed(work, case, rules=self.rules, now=START)
        work.book(CASES).add(case)

    # --- what happens ----------------------------------------------------------------------

    def tick(self, which: int = 0) -> None:
        self.control.now = self.now
        asyncio.run(self.rounds[which]())

    def tick_beside(self, act: Act, after: int) -> None:
        """One scheduler's round, into which something else falls whole, at some moment."""
        self.beside.act, self.beside.looks = act, after
        self.tick(0)
        self.beside.act = None

    async def dial_another(self, claimed: Obligation | None) -> None:
        """Have whoever is about to be dialled be dialled for something else as well."""
        if claimed is None:
            return
        with self.store() as work:
            others = [o.id for o in work.debts.open(person=claimed.person) if o.id != claimed.id]
        for other in others:
            await self.rounds[1].dial(other, actor="s001", agent="c017")

    def tick_and_die(self, when: str) -> None:
        self.control.dies = when
        try:
            self.tick()
        except Died:
            pass
        finally:
            self.control.dies = ""

    def dial(self, obligation: str, agent: str | None, override: str | None) -> None:
        self.control.now = self.now
        asyncio.run(self.rounds[0].dial(obligation, actor="s001", agent=agent, override=override))

    def tell(self, *records: CallRecord) -> None:
        """Tell the line of calls that are over, as the journal does."""
        hooks = Hooks(on_closed=(lambda w, calls, now: settle(w, calls, now, rules=self.rules),))
        with self.store() as work:
            apply(work, Facts(calls=records), self.now, hooks)
            work.commit()
        for record in records:
            self.records[record.id] = record
            self.untold.pop(record.id, None)
            self.latest = max(self.latest, record.ended_at or self.latest)

    def call_from(self, n: int, outcome: Outcome, length: timedelta) -> CallRecord:
        """Return a call somebody made to us just now; 5: from a number that was withheld."""
        self.serial += 1
        talked = outcome is Outcome.ANSWERED
        return CallRecord(
            id=f"c{self.serial}",
            direction=Direction.INBOUND,
            outcome=outcome,
            started_at=self.now,
            answered_at=self.now if talked else None,
            ended_at=self.now + length,
            answered_by="c017" if talked else None,
            number=f"1380000000{n}" if n <= len(PEOPLE) else None,
        )

    def attempt(self, act: Callable[[UnitOfWork], object]) -> None:
        """Let somebody do something; what is refused changes nothing. Nobody acts before what was told."""
        if self.now < self.latest:
            return
        with self.store() as work:
            try:
                act(work)
            except CallCenterError:
                return
            work.commit()

    def derive(self, work: UnitOfWork) -> None:
        """Derive everything that is owed, as the next round would."""
        sweep(work, self.now, rules=self.rules)
        sweep_plans(work, self.now, self.rules)

    def live(self) -> list[str]:
        """Return the calls that are going on, in the order in which they were placed: ids are by chance."""
        return [call.id for _, call in self.control.placed_at if call.id in self.control.live]

    # --- what is there ---------------------------------------------------------------------

    def obligations(self, work: UnitOfWork) -> list[Obligation]:
        """Return every obligation that was ever opened to anybody."""
        opened = {e.object for e in work.audit.recent(100_000) if e.verb == "obligation.open"}
        everybody = {work.debts.get(o).person for o in opened} | set(PEOPLE)
        return [o for person in sorted(everybody) for o in work.debts.of_person(person)]

    def attempts(self, work: UnitOfWork) -> list[Attempt]:
        return [a for o in self.obligations(work) for a in work.debts.attempts(o.id)]

    def proofs(self, work: UnitOfWork) -> list[Evidence]:
        return [e for o in self.obligations(work) for e in work.debts.evidence(o.id)]

    def events(self, work: UnitOfWork, obligation: str) -> list[DebtEvent]:
        return list(work.book(DEBT_EVENTS).where(obligation=obligation))

    def everything(self) -> object:
        """Return what telling the same calls again must not change."""
        with self.store() as work:
            # What somebody was owed "before" they rang may be younger than the call where a clock went back.
            owed = [o for o in work.debts.open() if o.kind is not Kind.MISSED_CALL or not self.jumped]
            acts = 0 if self.jumped else len(work.audit.recent(100_000))
            return owed, self.attempts(work), work.sessions.all(), acts
