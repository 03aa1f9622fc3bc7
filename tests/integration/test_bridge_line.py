"""The bridge on a real Asterisk with the product's own configuration."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from hashlib import sha1
from typing import Any

import pytest
from harness import ANOTHER_OF_OURS, COUNSELLOR, USERS, Actors, Pbx

from callcenter.asterisk.ami import AmiLink, Patience
from callcenter.asterisk.bridge import Bridge, Pace, RosterSource
from callcenter.asterisk.control import AsteriskCalls, AsteriskQueue, PhoneBook, interface_of
from callcenter.asterisk.journal import JournalFollower
from callcenter.asterisk.provision.plan import BRIDGE, plan_from
from callcenter.asterisk.spool import SpoolEdges
from callcenter.asterisk.translate import EVENTS
from callcenter.asterisk.wire import Unsendable
from callcenter.config import Site
from callcenter.demo.sipp import Answer, presses
from callcenter.domain.duty import PresenceAct
from callcenter.domain.people import Person, Phone
from callcenter.domain.users import PhoneKind, User
from callcenter.errors import PbxError, PbxUnreachable
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.ports import PlaceCall
from callcenter.service.duty import presence, roster
from callcenter.service.followup.callers import Opening
from callcenter.service.line.wanted import ALWAYS, pbx_wants
from scheduler.obligations import Attempt, Kind, Mode, Obligation

pytestmark = pytest.mark.asterisk
HOURS = timedelta(hours=1)
PIN = "1111"


def clock() -> datetime:
    return datetime.now(UTC)


class Steering:
    """A bridge between a store (a new one, if none is given) and a running PBX."""

    def __init__(self, pbx: Pbx, opening: Opening = ALWAYS, store: MemoryStore | None = None) -> None:
        self.pbx = pbx
        salt = pbx.keys.password("pbx-salt")
        self.store = store or from_now_on(pbx, staffed(salt))
        self.follower = JournalFollower(pbx.home, self.store)
        phones = PhoneBook(USERS)
        self.link = link_to(pbx)
        settings = pbx.settings
        shown, others = settings.site.outbound_number, settings.outbound.numbers
        self.calls = AsteriskCalls(self.link, phones, shown_number=shown, others=others)
        self.queue = AsteriskQueue(self.link, phones)
        self.bridge = Bridge(
            link=self.link,
            queue=self.queue,
            edges=SpoolEdges(pbx.home),
            source=RosterSource(self.store, phones, salt=salt, clock=clock, opening=opening),
            caught_up=self._caught_up,
            clock=clock,
            pace=Pace(retry=0.5),
        )

    async def _caught_up(self) -> None:
        await asyncio.to_thread(self.follower.catch_up, clock())

    def plan(self, agent: str, length: timedelta = HOURS, start: datetime | None = None) -> None:
        with self.store() as work:
            roster.add_shift(work, agent, start or clock(), length, actor="s001", now=clock())
            work.commit()

    def sign(self, agent: str, what: PresenceAct) -> None:
        with self.store() as work:
            presence.act(work, agent, what, actor="s001", now=clock())
            work.commit()

    async def members(self, *agents: str) -> None:
        """Wait until the real queue holds exactly these."""
        wanted = {self.pbx.interface(agent) for agent in agents}
        await soon(lambda: self.pbx.members() == wanted)

    async def rest(self) -> None:
        """Have the bridge compare everything anew, and wait until it finds nothing to change."""
        since = clock()
        self.bridge._compare_anew()
        await soon(lambda: (self.bridge.status.last_sync or since) > since or self.bridge.status.trouble)
        assert self.bridge.status.trouble == ""


def link_to(pbx: Pbx, name: str = BRIDGE, secret: str | None = None) -> AmiLink:
    ami = pbx.settings.asterisk
    return AmiLink(
        ami.ami_address,
        ami.ami_port,
        name,
        secret or pbx.keys.password(f"ami:{BRIDGE}"),
        wanted=EVENTS,
        patience=Patience(first_rest=0.1, longest_rest=0.5, refused_rest=0.1),
    )


async def soon(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until `true()`, which may block, holds."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110 - polls any condition
            await asyncio.sleep(0.1)


def staffed(salt: str) -> MemoryStore:
    """Return a store with the line's people."""
    store = MemoryStore()
    proof = sha1(f"{salt}c001{PIN}".encode()).hexdigest()  # noqa: S324 - what dialplan can compute
    with store() as work:
        for user in USERS:
            work.users.add(user)
        work.users.update(
            User(code="c001", name="王芳", roles=COUNSELLOR, phone=PhoneKind.SIP, pin_verifier=proof)
        )
        work.commit()
    return store


def from_now_on(pbx: Pbx, store: MemoryStore) -> MemoryStore:
    """Have the store know nothing of what the journal holds so far: other tests' people and their acts."""
    past = MemoryStore()
    follower = JournalFollower(pbx.home, past)
    follower.catch_up(clock())
    with past() as before, store() as work:
        for source in (follower._journal.name, follower._queue.name):
            if place := before.journal.checkpoint(source):
                work.journal.set_checkpoint(place)
        work.commit()
    return store


@asynccontextmanager
async def steering(
    pbx: Pbx, opening: Opening = ALWAYS, store: MemoryStore | None = None
) -> AsyncIterator[Steering]:
    steered = Steering(pbx, opening, store)
    running = asyncio.create_task(steered.bridge.run())
    try:
        await soon(lambda: steered.bridge.status.last_sync)
        yield steered
    finally:
        steered.bridge.close()
        await running


def play(pbx: Pbx, scene: Callable[[Steering], Awaitable[None]], opening: Opening = ALWAYS) -> None:
    async def whole() -> None:
        async with asyncio.timeout(120), steering(pbx, opening) as steered:
            await scene(steered)

    asyncio.run(whole())


def test_members_and_facts_follow_the_roster(pbx: Pbx) -> None:
    async def scene(line: Steering) -> None:
        for agent in ("c001", "c002", "c004"):
            line.plan(agent)
        line.sign("c001", PresenceAct.ON)
        line.sign("c004", PresenceAct.ON)
        await line.members("c001", "c004")
        line.sign("c001", PresenceAct.PAUSE)
        await line.members("c004")
        assert line.pbx.get("hotline-paused", "c001") == "rest"
        line.sign("c001", PresenceAct.UNPAUSE)
        line.sign("c004", PresenceAct.OFF)
        await line.members("c001")
        await soon(lambda: line.pbx.get("hotline-signed", "c004") is None)
        with line.store() as work:
            wanted = pbx_wants(work, clock(), salt=line.pbx.keys.password("pbx-salt"))
        assert await line.queue.facts() == wanted.facts

    play(pbx, scene)


def test_what_flows_are_told_of_callers_and_hours_lies_in_the_pbx_word_for_word(pbx: Pbx) -> None:
    async def scene(line: Steering) -> None:
        with line.store() as work:
            phones = (Phone(number="13812345678"),)
            elder = Person(id="p1", code="P-1", birth_year=1950, speaks="zh_wx", phones=phones)
            work.people.add(elder)
            work.debts.add(
                Obligation(
                    id="ob-1",
                    person="p1",
                    kind=Kind.CALLBACK,
                    due_at=clock(),
                    window_end=clock() + HOURS,
                    mode=Mode.HUMAN_ONLY,
                    created_at=clock(),
                )
            )
            made = Attempt(id="at-1", obligation="ob-1", n=1, planned_at=clock(), by="c002")
            work.debts.add_attempt(made)
            work.commit()
        line.plan("c001")
        await soon(lambda: line.pbx.get("hotline-owner", key))
        assert line.pbx.get("hotline-fact", key) == "no_menu&slow&dialect&owed"
        with line.store() as work:
            wanted = pbx_wants(work, clock(), salt=salt, opening=opening)
        assert await line.queue.facts() == wanted.facts
        assert len(wanted.facts["hotline-hours/hotline"]) > 600

    salt = pbx.keys.password("pbx-salt")
    key = sha1(f"{salt}13812345678".encode()).hexdigest()  # noqa: S324 - what dialplan can compute
    windows = tuple((time(hour), time(hour + 1)) for hour in (8, 10, 14, 19))
    opening = Opening(week=(windows,) * 7)
    play(pbx, scene, opening)


def test_a_shift_begins_and_ends_while_we_watch(pbx: Pbx) -> None:
    async def scene(line: Steering) -> None:
        line.sign("c002", PresenceAct.ON)
        line.plan("c002", start=clock() + timedelta(seconds=3), length=timedelta(seconds=4))
        await soon(lambda: line.pbx.get("hotline-shift", "c002"))
        assert line.pbx.members() == set()
        await line.members("c002")
        await line.members()

    play(pbx, scene)


def test_the_bridge_goes_and_the_shift_still_begins_and_ends(pbx: Pbx) -> None:
    """P1: the facts and edges it pushed are enough."""

    async def scene() -> None:
        async with steering(pbx) as line:
            line.sign("c002", PresenceAct.ON)
            line.plan("c002", start=clock() + timedelta(seconds=4), length=timedelta(seconds=4))
            await soon(lambda: pbx.get("hotline-shift", "c002"))
        await line.members("c002")
        await line.members()

    asyncio.run(scene())


def test_a_roster_edited_while_our_program_was_down_holds_once_it_is_back(pbx: Pbx) -> None:
    async def scene() -> None:
        async with steering(pbx) as line:
            line.plan("c001")
            line.sign("c001", PresenceAct.ON)
            await line.members("c001")
        line.plan("c002")
        line.sign("c002", PresenceAct.ON)
        line.sign("c001", PresenceAct.OFF)
        assert pbx.members() == {pbx.interface("c001")}
        async with steering(pbx, store=line.store) as back:
            await back.members("c002")

    asyncio.run(scene())


def test_signing_on_at_the_phone_is_kept(pbx: Pbx, actors: Actors) -> None:
    async def scene(line: Steering) -> None:
        line.plan("c001")
        await soon(lambda: line.pbx.get("hotline-pin", "c001"))
        dial = partial(actors.dials_from, "c001", "*11", presses("1@0.6 1@0.9 1@1.2 1@1.5 #@1.8"))
        await asyncio.to_thread(lambda: dial().wait())
        await line.members("c001")
        await soon(lambda: line.bridge.status.members == {"c001"})
        removed = [entry for entry in line.pbx.queue_log() if entry.event == "REMOVEMEMBER"]
        assert removed == []
        with line.store() as work:
            # Of c001 alone: the journal knows whose shift ended in other tests.
            acts = [event.act for event in work.roster.presence_events() if event.agent == "c001"]
            assert acts == [PresenceAct.ON]

    play(pbx, scene)


def test_signing_on_at_the_phone_while_nothing_of_ours_runs_is_kept(pbx: Pbx, actors: Actors) -> None:
    async def scene() -> None:
        line = Steering(pbx)
        line.plan("c001")
        running = asyncio.create_task(line.bridge.run())
        await soon(lambda: pbx.get("hotline-pin", "c001"))
        line.bridge.close()
        await running
        dial = partial(actors.dials_from, "c001", "*11", presses("1@0.6 1@0.9 1@1.2 1@1.5 #@1.8"))
        await asyncio.to_thread(lambda: dial().wait())
        await line.members("c001")
        again = Steering(pbx)
        again.store, again.bridge._source._store = line.store, line.store
        again.follower = line.follower
        running = asyncio.create_task(again.bridge.run())
        await soon(lambda: again.bridge.status.last_sync)
        assert again.bridge.status.members == {"c001"}
        assert not [entry for entry in pbx.queue_log() if entry.event == "REMOVEMEMBER"]
        again.bridge.close()
        await running

    asyncio.run(scene())


def test_asterisk_is_killed_and_gets_everything_again(new_pbx: Callable[..., Pbx]) -> None:
    pbx = new_pbx()
    pbx.start()

    async def scene(line: Steering) -> None:
        for agent in ("c001", "c002"):
            line.plan(agent)
            line.sign(agent, PresenceAct.ON)
        await line.members("c001", "c002")
        facts = await line.queue.facts()
        await asyncio.to_thread(pbx.process.kill)
        await soon(lambda: line.bridge.status.connected_since is None)
        assert line.bridge.status.trouble
        with pytest.raises(PbxUnreachable):
            await line.queue.state()
        (pbx.home / "lib" / "astdb.sqlite3").unlink()
        await asyncio.to_thread(pbx.process.start)
        await line.members("c001", "c002")
        await soon(lambda: pbx.get("hotline-signed", "c002") == "1")
        assert await line.queue.facts() == facts
        await line.rest()

    play(pbx, scene)


def test_the_bridges_account_cannot_reach_a_shell(pbx: Pbx) -> None:
    forbidden: list[tuple[str, dict[str, Any]]] = [
        ("Command", {"Command": "core show version"}),
        ("DBPut", {"Family": "hotline-signed", "Key": "c003", "Val": "1"}),
        ("DBDel", {"Family": "hotline-signed", "Key": "c003"}),
        ("Reload", {}),
        ("UpdateConfig", {"SrcFilename": "manager.conf", "DstFilename": "manager.conf"}),
        ("GetConfig", {"Filename": "manager.conf"}),
        ("ModuleLoad", {"LoadType": "unload", "Module": "app_queue.so"}),
        ("Getvar", {"Variable": "SHELL(id)"}),
        ("Setvar", {"Variable": "DB(hotline-signed/c003)", "Value": "1"}),
        (
            "Originate",
            {"Channel": "Local/put@hotline-put/n", "Application": "System", "Data": "id", "Async": True},
        ),
    ]

    async def scene(line: Steering) -> None:
        for action, headers in forbidden:
            with pytest.raises(PbxError) as refusal:
                await line.link.send(action, **headers)
            assert not isinstance(refusal.value, PbxUnreachable), action
        assert line.link.connected
        assert line.pbx.get("hotline-signed", "c003") is None

    play(pbx, scene)


def test_a_fact_outside_our_families_is_not_stored(pbx: Pbx) -> None:
    async def scene(line: Steering) -> None:
        await line.queue.push_facts({"cidname/13800138000": "1", "hotline-signed/c003": "1"})
        assert line.pbx.get("cidname", "13800138000") is None
        assert line.pbx.get("hotline-signed", "c003") == "1"

    play(pbx, scene)


def test_a_refused_login_is_said(pbx: Pbx) -> None:
    async def scene() -> None:
        link = link_to(pbx, secret="wrong")
        running = asyncio.create_task(link.run())
        await soon(lambda: "password" in link.trouble)
        assert not link.connected
        link.close()
        await running

    asyncio.run(scene())


@pytest.mark.parametrize("shown", [Site().outbound_number, ANOTHER_OF_OURS])
def test_a_call_of_ours_lives_and_ends_under_its_id_and_shows_the_number_it_is_told(
    pbx: Pbx, actors: Actors, shown: str
) -> None:
    carrier = actors.carrier({"13700000001": Answer(after=timedelta(seconds=1))})

    async def scene(line: Steering) -> None:
        call = PlaceCall(
            id="at-" + shown[-1] * 32,
            number="13700000001",
            shown_number=shown,
            flow="checkin",
            ring=timedelta(seconds=20),
        )
        await line.calls.place(call)
        assert await line.calls.is_live(call.id)
        with pytest.raises(PbxError):
            await line.calls.place(call)
        await soon(lambda: any(timing.answered_at for timing in carrier.calls()))
        await line.calls.hang_up(call.id)
        await soon(lambda: line.pbx.channels() == 0)
        assert not await line.calls.is_live(call.id)
        await line.calls.hang_up(call.id)
        assert {row[9] for row in line.pbx.journal() if row[8] == call.id} == {call.id}
        with pytest.raises(Unsendable):
            await line.calls.place(replace(call, shown_number="051085000978"))

    play(pbx, scene)
    sent = carrier._run.messages_file.read_text(errors="replace")
    assert set(re.findall(r"^From: .*<sip:(\+?\d+)@", sent, re.MULTILINE)) == {shown}


def test_a_call_without_a_way_out_is_surely_not_placed(pbx: Pbx) -> None:
    async def scene(line: Steering) -> None:
        call = PlaceCall(
            id="at-" + "1" * 32,
            number="13700000001",
            shown_number=line.pbx.settings.site.outbound_number,
            flow="preview",
            ring=timedelta(seconds=20),
            first_ring="c003",
        )
        with pytest.raises(PbxError, match="could not be started"):
            await line.calls.place(call)

    play(pbx, scene)


def test_interfaces_are_spelt_as_rendered(keys: KeyRing, pbx: Pbx) -> None:
    plan = plan_from(pbx.settings, keys, USERS, flows={}, journal=pbx.process.program.journal)
    assert {a.code: a.interface for a in plan.agents} == {u.code: interface_of(u) for u in USERS}
