"""The bridge makes the PBX follow the roster, whatever happens to either of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from actors import enlist
from ami_server import QUICK, AmiServer, Client, Sent, ami_server, until
from test_ami_control import MOBILE, SIP, PlayedPbx

from callcenter.asterisk.ami import AmiLink, Headers
from callcenter.asterisk.bridge import Bridge, Pace, RosterSource
from callcenter.asterisk.control import AsteriskQueue, PhoneBook
from callcenter.domain.books import STAFF
from callcenter.domain.duty import PresenceAct, PresenceEvent, Shift, ShiftKind
from callcenter.domain.reconcile import Wanted
from callcenter.domain.staff import Skill, StaffProfile
from callcenter.memory import MemoryShiftEdges, MemoryStore
from callcenter.service.duty import presence, roster
from callcenter.service.line import surge

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
HOURS = timedelta(hours=1)
SWIFT = Pace(look=0.01, whole=0.02, calm=0.02, settle=0.01, full=60.0, retry=0.02, journal=0.2)


class World:
    """A store, a played PBX and a bridge between them; the test holds the clock."""

    def __init__(self, server: AmiServer, pace: Pace) -> None:
        self.now = NOON
        self.pbx = PlayedPbx(server, self.clock)
        self.store = MemoryStore()
        self.edges = MemoryShiftEdges()
        self.journal_is_read = True
        self.late_acts: list[PresenceEvent] = []
        with self.store() as work:
            enlist(work, "s001")
            work.users.add(SIP)
            work.users.add(MOBILE)
            work.commit()
        phones = PhoneBook()
        self.link = AmiLink("127.0.0.1", server.port, "bridge", "x", patience=QUICK)
        self.bridge = Bridge(
            link=self.link,
            queue=AsteriskQueue(self.link, phones),
            edges=self.edges,
            source=RosterSource(self.store, phones, salt="S", clock=self.clock),
            caught_up=self._caught_up,
            clock=self.clock,
            pace=pace,
        )

    def clock(self) -> datetime:
        return self.now

    async def _caught_up(self) -> None:
        if not self.journal_is_read:
            await asyncio.Event().wait()
        with self.store() as work:
            for late in self.late_acts:
                work.roster.add_presence(late)
            work.commit()

    def plan(self, agent: str, start: datetime, length: timedelta) -> str:
        with self.store() as work:
            planned = roster.add_shift(work, agent, start, length, actor="s001", now=self.now)
            work.commit()
        return planned.shift.id

    def sign(self, agent: str, what: PresenceAct) -> None:
        self.now += timedelta(seconds=1)
        with self.store() as work:
            presence.act(work, agent, what, actor="s001", now=self.now)
            work.commit()

    async def members(self, *interfaces: str) -> None:
        await until(lambda: set(self.pbx.members) == set(interfaces))


Scene = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def bridged(pace: Pace) -> AsyncIterator[World]:
    async with asyncio.timeout(30), ami_server() as server:
        world = World(server, pace)
        running = asyncio.create_task(world.bridge.run())
        try:
            yield world
        finally:
            world.bridge.close()
            await running


def play(scene: Scene, pace: Pace = SWIFT) -> None:
    async def whole() -> None:
        async with bridged(pace) as world:
            await scene(world)

    asyncio.run(whole())


def test_members_follow_shifts_and_presence() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.plan("c018", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        world.sign("c018", PresenceAct.ON)
        await world.members("PJSIP/c017", "Local/c018@hotline-mobile/n")
        world.sign("c017", PresenceAct.PAUSE)
        await world.members("Local/c018@hotline-mobile/n")
        world.sign("c017", PresenceAct.UNPAUSE)
        world.sign("c018", PresenceAct.OFF)
        await world.members("PJSIP/c017")
        await until(lambda: world.bridge.status.members == {"c017"})
        assert world.bridge.status.trouble == ""
        assert world.bridge.status.connected_since is not None

    play(scene)


def test_a_shift_ends_by_the_clock_alone() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 2 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        world.now = NOON + 2 * HOURS
        await world.members()

    play(scene)


def test_edges_of_the_coming_days_are_laid_once_per_roster() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON + HOURS, 2 * HOURS)
        await until(lambda: len(world.edges.laid) == 2)
        assert world.edges.laid == {NOON + HOURS: {"c017"}, NOON + 3 * HOURS: {"c017"}}
        before = world.edges.times_laid
        world.sign("c017", PresenceAct.ON)
        await until(lambda: "hotline-signed/c017" in world.pbx.facts)
        assert world.edges.times_laid == before

    play(scene)


def test_asterisk_forgets_everything_and_is_told_again() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        await until(lambda: world.bridge.status.members == {"c017"})
        facts = dict(world.pbx.facts)
        world.pbx.members.clear()
        world.pbx.facts.clear()
        world.pbx.server.client.drop()
        await world.members("PJSIP/c017")
        await until(lambda: world.pbx.facts == facts)

    play(scene)


def test_a_full_boot_without_a_lost_connection_is_told_everything_too() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        await until(lambda: world.bridge.status.members == {"c017"})
        world.pbx.members.clear()
        world.pbx.server.client.event("FullyBooted", "Status: Fully Booted")
        await world.members("PJSIP/c017")

    play(scene)


def test_a_stranger_in_the_queue_is_noticed_and_removed() -> None:
    async def scene(world: World) -> None:
        await until(lambda: world.bridge.status.last_sync)
        world.pbx.members["PJSIP/c099"] = ("c099", 1, 0)
        world.pbx.server.client.event("QueueMemberAdded", "Queue: hotline", "MemberName: c099")
        await world.members()

    play(scene)


def test_a_member_paused_inside_the_queue_is_seated_anew() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        world.pbx.members["PJSIP/c017"] = ("c017", 1, 1)
        world.pbx.server.client.event("QueueMemberPause", "Queue: hotline", "MemberName: c017")
        await until(lambda: world.pbx.members.get("PJSIP/c017") == ("c017", 1, 0))

    play(scene)


def test_a_sign_on_made_while_we_were_away_is_not_undone() -> None:
    """The act stands in the journal; nobody may be pushed out before it is read."""

    async def scene() -> None:
        async with asyncio.timeout(30), ami_server() as server:
            world = World(server, SWIFT)
            world.plan("c017", NOON, 6 * HOURS)
            world.journal_is_read = False
            world.pbx.members["PJSIP/c017"] = ("c017", 1, 0)
            world.pbx.facts["hotline-signed/c017"] = "1"
            act = PresenceAct.ON
            world.late_acts = [PresenceEvent(key="j:1", agent="c017", act=act, at=NOON, source="journal")]
            removals: list[Sent] = []
            remove = world.pbx.queueremove

            def watched(client: Client, sent: Sent) -> None:
                removals.append(sent)
                remove(client, sent)

            server.on("QueueRemove", watched)
            running = asyncio.create_task(world.bridge.run())
            await until(lambda: "journal" in world.bridge.status.trouble)
            assert world.pbx.facts == {"hotline-signed/c017": "1"}
            world.journal_is_read = True
            await until(lambda: world.bridge.status.last_sync)
            assert not removals
            assert set(world.pbx.members) == {"PJSIP/c017"}
            assert world.pbx.facts["hotline-signed/c017"] == "1"
            world.bridge.close()
            await running

    asyncio.run(scene())


def test_somebody_known_is_never_taken_out_at_the_first_comparison() -> None:
    async def scene() -> None:
        async with asyncio.timeout(30), ami_server() as server:
            world = World(server, SWIFT)
            world.plan("c017", NOON, 6 * HOURS)
            world.sign("c017", PresenceAct.ON)
            world.pbx.members["PJSIP/c017"] = ("c017", 1, 0)
            running = asyncio.create_task(world.bridge.run())
            await until(lambda: world.bridge.status.last_sync)
            assert not server.named("QueueRemove")
            assert not [s for s in server.named("Originate") if "decide" in s["Channel"][0]]
            world.bridge.close()
            await running

    asyncio.run(scene())


def test_the_store_fails_for_a_while_and_nothing_is_taken_from_the_pbx() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        wanted = world.bridge._source.wanted

        def broken() -> object:
            raise OSError("13812345678")

        world.bridge._source.wanted = broken  # type: ignore[method-assign,assignment]
        world.sign("c018", PresenceAct.ON)
        await until(lambda: world.bridge.status.trouble == "OSError")
        assert set(world.pbx.members) == {"PJSIP/c017"}
        world.bridge._source.wanted = wanted  # type: ignore[method-assign]
        await until(lambda: "hotline-signed/c018" in world.pbx.facts)
        await until(lambda: world.bridge.status.trouble == "")

    play(scene)


def test_a_refusing_pbx_is_said_and_tried_again() -> None:
    async def scene(world: World) -> None:
        await until(lambda: world.bridge.status.last_sync)
        world.pbx.server.on(
            "Originate", lambda c, s: c.say(s, "Response: Error", "Message: Permission denied")
        )
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await until(lambda: "Permission denied" in world.bridge.status.trouble)
        world.pbx.server.on("Originate", world.pbx.originate)
        await world.members("PJSIP/c017")

    play(scene)


def test_a_pbx_that_forgets_what_it_is_told_is_trouble_not_a_loop() -> None:
    async def scene(world: World) -> None:
        world.pbx.decide = lambda *agents: None  # type: ignore[method-assign]
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await until(lambda: "does not keep" in world.bridge.status.trouble)

    play(scene, Pace(look=0.01, whole=0.02, calm=0.02, settle=0.01, retry=30.0))


def test_edges_are_laid_though_the_telephone_system_is_away() -> None:
    async def scene() -> None:
        async with asyncio.timeout(30), ami_server() as server:
            server.on("Login", lambda c, s: c.drop())
            world = World(server, SWIFT)
            running = asyncio.create_task(world.bridge.run())
            world.plan("c017", NOON + HOURS, 2 * HOURS)
            await until(lambda: len(world.edges.laid) == 2)
            assert world.bridge.status.connected_since is None
            assert world.bridge.status.trouble
            server.replies.pop("Login")
            await until(lambda: "hotline-shift/c017" in world.pbx.facts)
            world.bridge.close()
            await running

    asyncio.run(scene())


def test_a_change_is_followed_at_once_and_only_for_whom_it_is_about() -> None:
    """No whole comparison is near: what is pushed is the one who signed on, and nothing else is read."""

    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.plan("c018", NOON, 6 * HOURS)
        await until(lambda: "hotline-shift/c018" in world.pbx.facts)
        await until(lambda: world.bridge._seen.revision == world.bridge._revision)
        seen = len(world.pbx.server.named("QueueStatus"))
        orders = len(world.pbx.server.named("Originate"))
        world.bridge._pace = Pace(look=0.01, whole=60.0, calm=60.0)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        assert len(world.pbx.server.named("QueueStatus")) == seen

        def told() -> set[str]:
            fresh = world.pbx.server.named("Originate")[orders:]
            return {v.split("=", 1)[1] for sent in fresh for v in sent["Variable"]}

        await until(lambda: "c017" in told())  # the last of what is told of somebody
        assert told() == {"hotline-signed/c017", "1", "c017"}

    play(scene, Pace(look=0.01, whole=0.02, calm=0.02, settle=60.0))


def test_a_quick_push_is_not_undone_by_a_comparison_that_read_the_store_before_it() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        await until(lambda: "hotline-shift/c017" in world.pbx.facts)
        await until(lambda: world.bridge._seen.revision == world.bridge._revision)
        read, go_on = threading.Event(), threading.Event()
        wanted = world.bridge._source.wanted

        def slow() -> Wanted:
            before = wanted()
            read.set()
            go_on.wait(20)
            return before

        world.bridge._source.wanted = slow  # type: ignore[method-assign]
        world.bridge._seen.revision = None
        await until(read.is_set)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        world.bridge._source.wanted = wanted  # type: ignore[method-assign]
        go_on.set()
        await until(lambda: world.bridge.status.members == {"c017"})
        assert not world.pbx.server.named("QueueRemove")
        assert world.pbx.facts["hotline-signed/c017"] == "1"

    play(scene)


def test_a_quick_push_waits_for_the_journal_too() -> None:
    """A sign-off at the phone lies unread in the journal: a supervisor's older act must not undo it."""

    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        await until(lambda: "hotline-shift/c017" in world.pbx.facts)
        await until(lambda: world.bridge._seen.revision == world.bridge._revision)
        later = world.now + timedelta(seconds=5)
        world.late_acts = [
            PresenceEvent(key="j:1", agent="c017", act=PresenceAct.OFF, at=later, source="journal")
        ]
        orders = len(world.pbx.server.named("Originate"))
        world.sign("c017", PresenceAct.ON)
        before = world.store.state.revision
        await until(lambda: world.store.state.revision > before)
        await until(lambda: world.bridge._seen.revision == world.store.state.revision)
        assert len(world.pbx.server.named("Originate")) == orders
        assert not world.pbx.members

    play(scene)


def test_a_store_that_hangs_leaves_the_loop_free() -> None:
    async def scene(world: World) -> None:
        await until(lambda: world.bridge.status.last_sync)
        hangs, go_on = threading.Event(), threading.Event()
        revision = world.bridge._source.revision

        def hung() -> int:
            hangs.set()
            go_on.wait(20)
            return revision()

        world.bridge._source.revision = hung  # type: ignore[method-assign]
        await until(hangs.is_set)
        world.pbx.members["PJSIP/c099"] = ("c099", 1, 0)
        world.pbx.server.client.event("QueueMemberAdded", "Queue: hotline", "MemberName: c099")
        await world.members()
        go_on.set()

    play(scene)


def test_a_store_that_hangs_holds_up_no_event_of_a_busy_line() -> None:
    """As many events as the queue of events holds ten times over, while every question to the store hangs."""

    async def scene(world: World) -> None:
        await until(lambda: world.bridge.status.last_sync)
        go_on, told = threading.Event(), [0]

        async def hear(event: Headers) -> None:
            told[0] += event["Event"] == "QueueMemberStatus"

        def hung() -> int:
            go_on.wait(20)
            return 0

        for name in ("revision", "wanted", "duty", "refresh_phones"):
            setattr(world.bridge._source, name, hung)
        world.link.listen(hear)
        for _ in range(10):
            for _ in range(world.link._events.maxsize // 10):
                world.pbx.server.client.event("QueueMemberStatus", "Queue: hotline", "MemberName: c099")
            await world.pbx.server.client.writer.drain()
        await until(lambda: told[0] == world.link._events.maxsize)
        assert world.link._events.empty()
        assert not world.link._overflowed
        go_on.set()

    play(scene)


def test_who_answers_is_seated_before_all_that_is_known_of_callers_was_read() -> None:
    async def scene(world: World) -> None:
        go_on, wanted = threading.Event(), world.bridge._source.wanted

        def hung() -> Wanted:
            go_on.wait(20)
            return wanted()

        world.bridge._source.wanted = hung  # type: ignore[method-assign]
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        world.sign("c017", PresenceAct.OFF)
        await world.members()
        go_on.set()
        await until(lambda: world.bridge.status.trouble == "" and world.bridge._seen.revision)

    play(scene)


def test_skills_seat_in_their_queues_and_a_surge_seats_backups() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        with world.store() as work:
            on_call = Shift(id="b-1", agent="c018", start=NOON, length=6 * HOURS, kind=ShiftKind.BACKUP)
            work.roster.replace_shifts([], [on_call])
            crisis = StaffProfile(id="c018", skills=frozenset({Skill.CRISIS}))
            work.book(STAFF).add(crisis)
            work.commit()
        await world.members("PJSIP/c017")
        assert not world.pbx.queues["hotline-crisis"]
        with world.store() as work:
            surge.begin(work, HOURS, actor="s001", now=world.now, reason="台风")
            work.commit()
        await world.members("PJSIP/c017", "Local/c018@hotline-mobile/n")
        await until(lambda: set(world.pbx.queues["hotline-crisis"]) == {"Local/c018@hotline-mobile/n"})
        await until(lambda: any(at < NOON + 2 * HOURS for at in world.edges.laid))  # after the seats
        ends = max(at for at in world.edges.laid if at < NOON + 2 * HOURS)
        assert world.edges.laid[ends] == {"c018"}
        world.now = ends
        await world.members("PJSIP/c017")

    play(scene)


def test_a_changed_phone_moves_the_member_to_it() -> None:
    async def scene(world: World) -> None:
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        with world.store() as work:
            work.users.update(
                type(SIP)(code="c017", name="周敏", roles=SIP.roles, phone=MOBILE.phone, mobile="13900000017")
            )
            work.commit()
        world.pbx.interfaces["c017"] = "Local/c017@hotline-mobile/n"
        world.pbx.server.client.event("FullyBooted")
        await world.members("Local/c017@hotline-mobile/n")

    play(scene)


@pytest.mark.parametrize("name", ["QueueMemberStatus", "Hangup", "OriginateResponse"])
def test_a_broken_event_disturbs_nothing(name: str) -> None:
    async def scene(world: World) -> None:
        await until(lambda: world.bridge.status.last_sync)
        world.pbx.server.client.event(name, "Nonsense: 1")
        world.plan("c017", NOON, 6 * HOURS)
        world.sign("c017", PresenceAct.ON)
        await world.members("PJSIP/c017")
        assert len(world.pbx.server.clients) == 1

    play(scene)
