"""What a look ahead says and what the dispatcher then does: the same calls, within the round's minute."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from callcenter.domain.people import (
    Consent,
    ConsentKind,
    FileStatus,
    HardshipFile,
    Person,
    Phone,
    SafeContact,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.users import Role, User
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.followup import pausing
from callcenter.service.followup.debts import finish, line_facts
from callcenter.service.followup.dispatch import StoreLedger
from callcenter.service.followup.tonight import Tonight, tonight
from scheduler.cadence import SHANGHAI
from scheduler.dispatcher import Dispatcher
from scheduler.gates import Line, Rules
from scheduler.obligations import Attempt, Evidence, EvidenceKind, Kind, Mode, Obligation, Result
from scheduler.windows import Windows

#: A Tuesday; 28 November is a Saturday.
TUESDAY = datetime(2026, 11, 24, tzinfo=SHANGHAI)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Spans = tuple[tuple[time, time], ...]


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """Who is owed a check-in, and what was agreed with them and learnt of them."""

    windows: Spans = ()
    #: No automated calls, until so many minutes after the look; None: they do not mind.
    opted_out: int | None = None
    #: No calls at all, likewise.
    refused: int | None = None
    #: The hour at which they were reached in the last period.
    reached: int | None = None
    #: On a Saturday.
    on_weekend: bool = False
    agreed: bool = True
    snoozed: int | None = None
    #: Minutes since the last call nobody answered.
    tried: int | None = None
    due_in: int = -60


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site at the moment of the look."""

    people: tuple[Somebody, ...]
    start: datetime
    #: Stopped until so many minutes after it.
    paused: int | None = None
    daily_cap: int = 40
    numbers: tuple[str, ...] = ("051000000001",)
    channels: int = 8
    result: Result = Result.NO_ANSWER

    @property
    def rules(self) -> Rules:
        """Return the rules, with windows on Saturdays for whoever was reached on one."""
        windows = Windows(weekend=((time(10), time(11)),))
        return Rules(daily_cap=self.daily_cap, numbers=self.numbers, windows=windows)


def enrol(work: UnitOfWork, n: int, one: Somebody, now: datetime) -> None:
    person = f"p{n}"
    phone = Phone(number=f"1380000{n:04}", agreed=SafeContact(windows=one.windows))
    work.people.add(Person(id=person, code=f"P-{n}", name="沈建国", phones=(phone,)))
    work.people.put_file(
        HardshipFile(
            file_no=f"WX-{n}",
            person=person,
            grade="深度困难",
            status=FileStatus.ACTIVE,
            since=date(2026, 9, 1),
        )
    )
    long_ago = now - 60 * DAY
    work.people.add_consent(
        Consent(person=person, kind=ConsentKind.IVR_CHECKIN, granted=one.agreed, at=long_ago, channel="paper")
    )
    for kind, minutes in (
        (SuppressionKind.AUTOMATION, one.opted_out),
        (SuppressionKind.ALL_OUTBOUND, one.refused),
    ):
        if minutes is not None:
            work.people.add_suppression(
                Suppression(
                    person=person, kind=kind, at=long_ago, reason="在外地", until=now + minutes * MINUTE
                )
            )
    debt = Obligation(
        id=f"ob-{n}",
        person=person,
        kind=Kind.HARDSHIP,
        due_at=now + one.due_in * MINUTE,
        window_end=now + (5 + n % 3) * DAY,
        mode=Mode.IVR_OK,
        origin=f"WX-{n}",
        created_at=now - 20 * DAY,
        snoozed_until=None if one.snoozed is None else now + one.snoozed * MINUTE,
    )
    if one.reached is not None:
        before = replace(
            debt,
            id=f"ob-{n}-before",
            origin=f"WX-{n}#1",
            due_at=long_ago,
            window_end=long_ago + 9 * DAY,
            created_at=long_ago,
            snoozed_until=None,
        )
        saturday = datetime(2026, 10, 24, tzinfo=SHANGHAI)
        at = (saturday if one.on_weekend else saturday - DAY).replace(hour=one.reached, minute=10)
        work.debts.add(before)
        work.debts.add_attempt(tried(before, at, Result.REACHED_SELF_IVR_OK))
        work.debts.add_evidence(
            Evidence(
                id=f"ev-{n}",
                obligation=before.id,
                kind=EvidenceKind.IVR_KEY,
                at=at,
                reference=f"at-{before.id}",
                by="ivr",
            )
        )
    work.debts.add(debt)
    if one.tried is not None:
        work.debts.add_attempt(tried(debt, now - one.tried * MINUTE, Result.NO_ANSWER))


def tried(debt: Obligation, at: datetime, result: Result) -> Attempt:
    return Attempt(
        id=f"at-{debt.id}",
        obligation=debt.id,
        n=1,
        planned_at=at,
        by="ivr",
        dialled_at=at,
        result=result,
        settled_at=at + MINUTE,
    )


def filled(site: Site) -> MemoryStore:
    store = MemoryStore()
    with store() as work:
        work.users.add(User(code="s001", name="王督导", roles=frozenset({Role.SUPERVISOR})))
        for n, one in enumerate(site.people):
            enrol(work, n, one, site.start)
        if site.paused is not None:
            until = site.start + site.paused * MINUTE
            pausing.pause(work, reason="线路检修，暂停", until=until, actor="s001", now=site.start)
        work.commit()
    return store


class World:
    """A telephone whose calls take a minute and end as assumed, and a clock."""

    def __init__(self, site: Site, store: MemoryStore) -> None:
        self.site, self.store, self.now = site, store, site.start
        self.placed: list[tuple[str, int, datetime]] = []
        self.under_way: list[Attempt] = []

    async def line(self, caller: str | None = None) -> Line:
        """Return what is free."""
        return Line(waiting=0, free_channels=self.site.channels - len(self.under_way), free_agents=3)

    async def place(self, attempt: Attempt) -> None:
        """Keep what is dialled."""
        self.placed.append((attempt.obligation, attempt.n, self.now))
        self.under_way.append(attempt)

    def end_calls(self) -> None:
        """End every call, as assumed; who presses 1 is contacted."""
        with self.store() as work:
            for attempt in self.under_way:
                written = work.debts.attempt(attempt.id)
                assert written is not None
                ended = replace(written, result=self.site.result, settled_at=self.now)
                finish(work, ended, self.now, self.site.rules)
                if self.site.result is Result.REACHED_SELF_IVR_OK:
                    work.debts.add_evidence(
                        Evidence(
                            id=f"ev-{attempt.id}",
                            obligation=attempt.obligation,
                            kind=EvidenceKind.IVR_KEY,
                            at=self.now,
                            reference=attempt.id,
                            by="ivr",
                        )
                    )
            work.commit()
        self.under_way = []


def looked(site: Site, store: MemoryStore, until: datetime) -> Tonight:
    line = Line(waiting=0, free_channels=site.channels)
    with store() as work:
        facts = line_facts(work, site.start, None, site.rules)
        return tonight(work, facts, until=until, line=line, assume=site.result, actor="s001")


async def dispatched(site: Site, store: MemoryStore, until: datetime) -> list[tuple[str, int, datetime]]:
    world = World(site, store)
    dispatcher = Dispatcher(ledger=StoreLedger(store, site.rules), dialler=world, clock=lambda: world.now)
    while world.now <= until:
        world.end_calls()
        await dispatcher.round()
        world.now += MINUTE
    return world.placed


def assert_the_same(site: Site, *, hours: int) -> list[tuple[str, int, datetime]]:
    store, until = filled(site), site.start + timedelta(hours=hours)
    ahead = looked(site, store, until)
    done = sorted(asyncio.run(dispatched(site, store, until)))
    said = sorted((one.obligation, one.n, one.at) for one, _ in ahead.tries)
    assert [one[:2] for one in said] == [one[:2] for one in done]
    assert all(abs(one[2] - two[2]) <= MINUTE for one, two in zip(said, done, strict=True))
    return done


MINUTES = st.none() | st.integers(1, 150)
#: Whole sites, begun before the windows open, within them, and towards their end.
SITES = st.builds(
    Site,
    people=st.lists(
        st.builds(
            Somebody,
            windows=st.sampled_from([(), ((time(11), time(12)),), ((time(14, 30), time(15)),)]),
            opted_out=MINUTES,
            refused=st.none() | st.integers(1, 90),
            reached=st.sampled_from([None, 10, 11, 15]),
            on_weekend=st.booleans(),
            agreed=st.sampled_from([True, True, True, False]),
            snoozed=MINUTES,
            tried=st.none() | st.integers(5, 300),
            due_in=st.integers(-3000, 120),
        ),
        min_size=1,
        max_size=6,
    ).map(tuple),
    start=st.sampled_from(
        [TUESDAY.replace(hour=h, minute=m) for h, m in ((8, 40), (10, 0), (13, 10))]
        + [(TUESDAY + 4 * DAY).replace(hour=9, minute=30)]
    ),
    paused=MINUTES,
    daily_cap=st.sampled_from([2, 6, 40]),
    numbers=st.sampled_from([("051000000001",), ("051000000001", "051000000002")]),
    channels=st.sampled_from([2, 3, 8]),
    result=st.sampled_from([Result.NO_ANSWER, Result.BUSY, Result.REACHED_SELF_IVR_OK]),
)


@settings(max_examples=12, deadline=None)
@given(SITES)
def test_r22_the_dispatcher_places_the_calls_that_a_look_ahead_told_of(site: Site) -> None:
    assert_the_same(site, hours=3)


def at_ten(*people: Somebody, **more: object) -> Site:
    return Site(people=people, start=TUESDAY.replace(hour=10), **more)  # type: ignore[arg-type]


def test_a_pause_ends_at_its_hour_and_the_calls_begin() -> None:
    (first,) = assert_the_same(at_ten(Somebody(), paused=60), hours=2)
    assert first[2] == TUESDAY.replace(hour=11)


def test_a_number_is_rung_in_its_agreed_hours_whatever_hour_it_is_now() -> None:
    (first,) = assert_the_same(at_ten(Somebody(windows=((time(11), time(12)),))), hours=2)
    assert first[2] == TUESDAY.replace(hour=11)
    assert assert_the_same(at_ten(Somebody(windows=((time(9), time(9, 30)),))), hours=2) == []


def test_whoever_wants_no_calls_for_an_hour_is_called_after_it() -> None:
    assert len(assert_the_same(at_ten(Somebody(opted_out=50), Somebody(refused=30)), hours=3)) == 2


def test_the_hour_at_which_somebody_was_reached_is_waited_for() -> None:
    (first,) = assert_the_same(at_ten(Somebody(reached=11)), hours=2)
    assert first[2].hour == 11


def test_on_a_saturday_who_was_reached_on_one_is_called() -> None:
    saturday = (TUESDAY + 4 * DAY).replace(hour=9, minute=30)
    people = (Somebody(reached=10, on_weekend=True), Somebody(reached=10))
    (first,) = assert_the_same(Site(people=people, start=saturday), hours=2)
    assert first[0] == "ob-0"


def test_a_spread_cap_lets_the_same_calls_through_at_the_same_minutes() -> None:
    assert len(assert_the_same(at_ten(*[Somebody()] * 14, daily_cap=27), hours=3)) > 5
