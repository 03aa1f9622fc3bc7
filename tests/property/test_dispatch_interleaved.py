"""R28: two dispatchers over one ledger, stopped and resumed between any two steps, killed and late.

Every step of a dispatcher that touches the ledger or the line waits for its turn; hypothesis deals the turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scheduler.dispatcher
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    Person,
    Phone,
)
from callcenter.memory import MemoryStore
from callcenter.service.followup.debts import sweep
from callcenter.service.followup.dispatch import StoreLedger
from scheduler.cadence import SHANGHAI
from scheduler.dispatcher import Dispatcher
from scheduler.gates import Line, Rules
from scheduler.obligations import Attempt, Kind, Mode, Obligation

START = datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)
PEOPLE = ("p1", "p2")


def ledger() -> MemoryStore:
    """Return a store in which two workers are owed a check-in, and one of them another call."""
    store = MemoryStore()
    with store() as work:
        for n, person in enumerate(PEOPLE, start=1):
            number = Phone(number=f"1380000000{n}")
            work.people.add(Person(id=person, code=f"P-{n}", name="沈建国", phones=(number,)))
            yes = Consent(
                person=person, kind=ConsentKind.IVR_CHECKIN, granted=True, at=START, channel="paper"
            )
            work.people.add_consent(yes)
            work.people.put_file(
                HardshipFile(
                    file_no=f"WX-{n}",
                    person=person,
                    grade=Grade.DEEP,
                    status=FileStatus.ACTIVE,
                    since=date(2026, 10, 1),
                )
            )
        sweep(work, START, rules=Rules())
        work.debts.add(
            Obligation(
                id="ob-planned",
                person="p1",
                kind=Kind.PLANNED,
                due_at=START,
                window_end=START + timedelta(hours=8),
                mode=Mode.IVR_OK,
                created_at=START,
            )
        )
        work.commit()
    return store


@dataclass
class Turns:
    """Deals turns: who waits goes on when it is called."""

    now: datetime = START
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    async def __call__(self, who: str) -> None:
        self.waiting[who] = asyncio.get_running_loop().create_future()
        await self.waiting[who]

    def let(self, who: str) -> None:
        turn = self.waiting.pop(who, None)
        if turn is not None and not turn.done():
            turn.set_result(None)


@dataclass
class Telephone:
    """Keeps what went out, and who is just being dialled."""

    turns: Turns
    who: str
    placed: list[Attempt]

    async def line(self, caller: str | None = None) -> Line:
        await self.turns(self.who)
        return Line(waiting=0, free_channels=8, free_agents=2)

    async def place(self, attempt: Attempt) -> None:
        await self.turns(self.who)
        self.placed.append(attempt)


@dataclass(frozen=True)
class Turn:
    """Whose turn it is, what time passes before, and whether they die instead."""

    who: int
    minutes: int
    dies: bool


TURNS = st.lists(
    st.builds(
        Turn,
        who=st.integers(0, 1),
        minutes=st.sampled_from([0, 0, 0, 1, 4]),
        dies=st.sampled_from([False] * 19 + [True]),
    ),
    min_size=30,
    max_size=60,
)


async def play(store: MemoryStore, deal: Sequence[Turn], check: Callable[[], None]) -> list[Attempt]:
    turns, placed = Turns(), list[Attempt]()
    current: dict[asyncio.Task[object], str] = {}

    async def in_turn(act: Callable[..., Any], *args: object) -> Any:
        await turns(current[asyncio.current_task()])  # type: ignore[index]
        return act(*args)

    def dispatcher(who: str) -> Awaitable[object]:
        telephone = Telephone(turns, who, placed)
        return Dispatcher(
            ledger=StoreLedger(store, Rules()), dialler=telephone, clock=lambda: turns.now
        ).round()

    tasks: dict[str, asyncio.Task[object]] = {}

    def begin(who: str) -> None:
        tasks[who] = asyncio.ensure_future(dispatcher(who))
        current[tasks[who]] = who

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler.dispatcher, "asyncio", SimpleNamespace(to_thread=in_turn))
        for turn in deal:
            who = f"d{turn.who}"
            if who not in tasks or tasks[who].done():
                begin(who)
                await asyncio.sleep(0)
            turns.now += timedelta(minutes=turn.minutes)
            if turn.dies:
                turns.waiting.pop(who, None)
                tasks[who].cancel()
                with suppress(asyncio.CancelledError):
                    await tasks[who]
            else:
                turns.let(who)
                await asyncio.sleep(0)
            check()
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    return placed


@settings(max_examples=60, deadline=None)
@given(deal=TURNS)
def test_r28_however_two_dispatchers_interleave_nobody_is_dialled_twice(deal: list[Turn]) -> None:
    store = ledger()

    def nobody_is_in_doubt_twice() -> None:
        with store() as work:
            for person in PEOPLE:
                owed = work.debts.of_person(person)
                doubts = [a for one in owed for a in work.debts.attempts(one.id) if a.in_doubt]
                assert len(doubts) <= 1

    placed = asyncio.run(play(store, deal, nobody_is_in_doubt_twice))
    with store() as work:
        called = [work.debts.get(attempt.obligation).person for attempt in placed]
        written = [work.debts.attempt(attempt.id) for attempt in placed]
    # No call has ended: each person has had one at most, whatever they are owed, and it was written before.
    assert len(called) == len(set(called))
    assert None not in written


def test_r28_left_alone_two_dispatchers_dial_everybody_once() -> None:
    """What the property above says is worth something only if calls do go out."""
    deal = [Turn(who=n % 2, minutes=0, dies=False) for n in range(200)]
    placed = asyncio.run(play(ledger(), deal, lambda: None))
    assert len(placed) == len(PEOPLE)
