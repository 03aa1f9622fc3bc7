"""Automated calls to many people at once, on the running line, and what the journal makes of each.

The people are played by SIPp behind the trunk; the order to dial, the journal, its fold and the settling
are the product's own. Nothing here constructs an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness import USERS, Actors, Pbx
from test_bridge_line import from_now_on, link_to, soon

from callcenter.asterisk.control import AsteriskCalls, PhoneBook
from callcenter.asterisk.journal import JournalFollower
from callcenter.demo.sipp import Behaviour
from callcenter.domain.people import Person, Phone
from callcenter.errors import PbxError
from callcenter.memory import MemoryStore
from callcenter.ports import PlaceCall
from callcenter.service.followup.settling import settle
from callcenter.service.line.records import Hooks
from scheduler.obligations import BY_IVR, Attempt, Evidence, Kind, Mode, Obligation

#: How long anybody is rung.
RING = timedelta(seconds=3)
DAY = timedelta(days=1)


@dataclass(kw_only=True)
class Placed:
    """People who are owed a check-in, each at their own number, and the calls to them."""

    pbx: Pbx
    store: MemoryStore = field(default_factory=MemoryStore)
    #: What each call is about -> the number called.
    numbers: dict[str, str] = field(default_factory=dict)
    #: What each call is about -> the month of birth that is asked for; none: nothing is asked.
    months: Mapping[str, str] = field(default_factory=dict)
    #: Those the telephone system refused to place.
    unplaced: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        from_now_on(self.pbx, self.store)
        self._follower = JournalFollower(self.pbx.home, self.store, hooks=Hooks(on_closed=[settle]))

    def owe(self, what: str, by: str = BY_IVR) -> Attempt:
        """Have somebody be owed a call, claim the debt and write the attempt, as the dispatcher does."""
        n = len(self.numbers) + 1
        number = self.numbers[what] = f"137000{n:05d}"
        debt = Obligation(
            id=f"ob-{n}",
            person=f"p{n}",
            kind=Kind.HARDSHIP,
            due_at=now() - DAY,
            window_end=now() + 7 * DAY,
            mode=Mode.IVR_OK,
            created_at=now() - DAY,
        )
        made = Attempt(
            id=f"at-{n:032x}",
            obligation=debt.id,
            n=1,
            planned_at=now(),
            dialled_at=now(),
            by=by,
            callee=number,
        )
        with self.store() as work:
            work.people.add(
                Person(id=debt.person, code=f"P-{n}", name="周伟", phones=(Phone(number=number),))
            )
            work.debts.add(debt)
            work.debts.claim(debt.id, made.id, now(), now() + DAY)
            work.debts.add_attempt(made)
            work.commit()
        return made

    def play(self, people: Mapping[str, Behaviour], actors: Actors) -> None:
        """Call everybody at once and wait until the journal has told of each."""
        attempts = [self.owe(what) for what in people]
        actors.carrier({self.numbers[what]: does for what, does in people.items()})
        self.dial(attempts)

    def dial(self, attempts: Sequence[Attempt], **more: str) -> None:
        """Place these calls and wait for their ends; `first_ring` and `flow` as in `PlaceCall`."""
        asyncio.run(self._dial(attempts, more))

    async def _dial(self, attempts: Sequence[Attempt], more: dict[str, str]) -> None:
        link = link_to(self.pbx)
        running = asyncio.create_task(link.run())
        shown = self.pbx.settings.site.outbound_number
        salt = self.pbx.keys.password("pbx-salt")
        calls = AsteriskCalls(link, PhoneBook(USERS), shown_number=shown, salt=salt)
        async with asyncio.timeout(50):
            await soon(lambda: link.connected)
            await asyncio.gather(*(self._place(calls, attempt, shown, more) for attempt in attempts))
            await soon(lambda: self._told(attempts))
        link.close()
        with suppress(asyncio.CancelledError):
            await running

    async def _place(self, calls: AsteriskCalls, attempt: Attempt, shown: str, more: dict[str, str]) -> None:
        assert attempt.callee is not None
        call = PlaceCall(
            id=attempt.id,
            number=attempt.callee,
            shown_number=shown,
            ring=RING,
            flow=more.get("flow", "checkin"),
            first_ring=more.get("first_ring"),
            expected={"birth_month": month} if (month := self._month(attempt)) else {},
        )
        try:
            await calls.place(call)
        except PbxError:
            self.unplaced.add(attempt.id)

    def _month(self, attempt: Attempt) -> str | None:
        about = next(what for what, number in self.numbers.items() if number == attempt.callee)
        return self.months.get(about)

    def _told(self, attempts: Sequence[Attempt]) -> bool:
        self._follower.catch_up(now())
        with self.store() as work:
            found = [work.debts.attempt(a.id) for a in attempts if a.id not in self.unplaced]
        return all(one is not None and one.result is not None for one in found)

    # --- what became of it ---

    def attempt(self, what: str) -> Attempt:
        """Return the attempt of the call that is about this."""
        with self.store() as work:
            found = work.debts.attempt(self._id(what))
        assert found is not None
        return found

    def debt(self, what: str) -> str:
        return self.attempt(what).obligation

    def evidence(self, what: str) -> list[Evidence]:
        debt = self.debt(what)
        with self.store() as work:
            return list(work.debts.evidence(debt))

    def phone(self, what: str) -> Phone:
        with self.store() as work:
            person = work.people.by_number(self.numbers[what])
        assert person is not None
        return person.phones[0]

    def promised(self, what: str) -> list[Kind]:
        """Return what is owed to this person besides the check-in."""
        debt = self.debt(what)
        with self.store() as work:
            person = work.debts.get(debt).person
            return [one.kind for one in work.debts.open(person=person) if one.id != debt]

    def path(self, what: str) -> tuple[str, ...]:
        """Return the nodes of the flow the call passed."""
        with self.store() as work:
            return work.calls.get(self._id(what)).path

    def _id(self, what: str) -> str:
        return f"at-{list(self.numbers).index(what) + 1:032x}"


def now() -> datetime:
    return datetime.now(UTC)


def played(
    pbx: Pbx, folder: Path, *crowds: Mapping[str, Behaviour], months: Mapping[str, str] | None = None
) -> Placed:
    """Return what became of calls to these people, one crowd after the other.

    SIPp reads no scenario of more than 64 kB, which is what about sixty people need.
    """
    pbx.reset()
    placed = Placed(pbx=pbx, months=months or {})
    for n, people in enumerate(crowds):
        actors = Actors(pbx=pbx, folder=folder / str(n))
        try:
            placed.play(people, actors)
        finally:
            actors.close()
    return placed
