"""A store, a telephone and a clock for rounds of the dialler, and what may happen in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

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
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.memory import MemoryCallControl, MemoryQueue
from callcenter.ports import Store
from callcenter.service.followup.debts import settle
from callcenter.service.followup.dispatch import DebtRound
from callcenter.service.followup.doubts import settle_doubts
from scheduler.cadence import SHANGHAI
from scheduler.dispatcher import Dispatched
from scheduler.gates import Gate
from scheduler.obligations import Attempt, Obligation

START = datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)
SETTINGS = Settings(trunk=Trunk(channels=4))


@dataclass
class World:
    """A store, a telephone and a clock that tests move."""

    store: Store
    now: datetime = START
    control: MemoryCallControl = field(default_factory=MemoryCallControl)
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    settings: Settings = SETTINGS
    #: Somebody reads the journal to its end.
    read: bool = True

    def __post_init__(self) -> None:
        self.round = DebtRound.wire(
            self.store, self.control, self.queue, self.settings, lambda: self.now, self.told
        )

    async def told(self) -> bool:
        """Tell whether whatever the telephone system wrote is in the store."""
        return self.read

    def tick(self) -> list[Dispatched]:
        return list(asyncio.run(self.round()))

    def settle(self) -> tuple[Attempt, ...]:
        """Settle what is in doubt; return what nobody will tell of any more."""
        work = settle_doubts(self.store, self.control, self.round.ledger.rules, lambda: self.now, self.told)
        return asyncio.run(work)

    def attempts(self, person: str = "p1") -> list[Attempt]:
        with self.store() as work:
            return [a for o in work.debts.open(person=person) for a in work.debts.attempts(o.id)]

    def debt(self, person: str = "p1") -> Obligation:
        with self.store() as work:
            return work.debts.open(person=person)[0]

    def journal(self, call_id: str, outcome: str | None = None, **more: object) -> None:
        """Let the call end and the journal tell of it, as the follower does."""
        self.control.end(call_id)
        plain = CallRecord(
            id=call_id,
            direction=Direction.OUTBOUND,
            outcome=Outcome.OUTBOUND,
            started_at=self.now,
            answered_at=self.now + timedelta(seconds=5),
            ended_at=self.now + timedelta(seconds=40),
            flow_outcome=outcome,
        )
        record = replace(plain, **more)  # type: ignore[arg-type]
        with self.store() as work:
            work.calls.put_many([record])
            settle(work, [record], self.now)
            work.commit()


def enrol(store: Store, n: int, *, consent: bool = True, since: date = date(2026, 10, 1)) -> None:
    with store() as work:
        person = f"p{n}"
        phones = (Phone(number=f"1380000{n:04d}"),)
        work.people.add(Person(id=person, code=f"P-{n}", name="沈建国", phones=phones))
        if consent:
            work.people.add_consent(
                Consent(
                    person=person,
                    kind=ConsentKind.IVR_CHECKIN,
                    granted=True,
                    at=START - 90 * MINUTE,
                    channel="paper",
                )
            )
        work.people.put_file(
            HardshipFile(
                file_no=f"WX-{n}", person=person, grade=Grade.DEEP, status=FileStatus.ACTIVE, since=since
            )
        )
        work.commit()


def gates_of(done: list[Dispatched]) -> set[Gate]:
    return {gate for one in done for gate in one.reasons}


def counsellor() -> User:
    return User(code="c017", name="顾咨询", roles=frozenset({Role.COUNSELLOR}), phone=PhoneKind.SIP)
