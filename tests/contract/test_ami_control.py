"""Calls and the queue through AMI, against a server that keeps channels, members and facts."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ami_server import QUICK, AmiServer, Client, Sent, ami_server, linked
from call_control_contract import SHOWN, CallControlContract, a_call

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.control import AsteriskCalls, AsteriskQueue, PhoneBook, interface_of
from callcenter.domain.reconcile import Seat, whose
from callcenter.domain.staff import GENERAL, QUEUES
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import InDoubt, NotFound, PbxError, PbxUnreachable
from callcenter.memory import MemoryQueue
from callcenter.ports import LiveCalls, Member, PlaceCall

#: Has the channel say, when it ends unanswered, what the network said.
TELLS = 'CHANNEL(hangup_handler_push)="hotline-placed,ended,1"'
COUNSELLOR = frozenset({Role.COUNSELLOR})
SIP = User(code="c017", name="周敏", roles=COUNSELLOR, phone=PhoneKind.SIP)
MOBILE = User(code="c018", name="吴芳", roles=COUNSELLOR, phone=PhoneKind.MOBILE, mobile="13900000018")


class PlayedPbx:
    """What an Asterisk does with the bridge's actions, as seen on 22.10.1."""

    def __init__(self, server: AmiServer, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.server = server
        self.channels: set[str] = set()
        #: Queue -> interface -> name, status, paused; penalties beside.
        self.queues: dict[str, dict[str, tuple[str, int, int]]] = {queue: {} for queue in QUEUES}
        self.penalties: dict[tuple[str, str], int] = {}
        #: As rendered.
        self.interfaces = {user.code: interface_of(user) for user in (SIP, MOBILE)}
        self.facts: dict[str, str] = {}
        #: Dialplan decides by these rules.
        self.rules = MemoryQueue(clock)
        self.rules.pushed = self.facts
        self.reason_of_next: int | None = None
        self.endpoints_missing = False
        #: Since when it is up, as it tells: wall time of its machine.
        self.up = ("2026-11-27", "09:00:01")
        for action in (
            "Originate",
            "Getvar",
            "Hangup",
            "QueueRemove",
            "QueueStatus",
            "DBGetTree",
            "CoreShowChannels",
            "CoreStatus",
        ):
            server.on(action, getattr(self, action.lower()))

    def originate(self, client: Client, sent: Sent) -> None:
        client.say(sent, "Message: Originate successfully queued")
        own = f"ActionID: {sent['ActionID'][0]}"
        if (exten := sent["Channel"][0]) in ("Local/put@hotline-put/n", "Local/decide@hotline-put/n"):
            variables = dict(v.split("=", 1) for v in sent["Variable"])
            self.put(variables) if "put@" in exten else self.decide(*variables.values())
            client.event("OriginateResponse", own, "Response: Success", "Reason: 4", "Uniqueid: 1.1")
        elif self.reason_of_next is not None:
            reason, self.reason_of_next = self.reason_of_next, None
            client.event(
                "OriginateResponse", own, "Response: Failure", f"Reason: {reason}", "Uniqueid: <unknown>"
            )
        else:
            self.channels.add(sent["ChannelId"][0])

    @property
    def members(self) -> dict[str, tuple[str, int, int]]:
        """Return the members of the general queue."""
        return self.queues[GENERAL]

    def put(self, variables: dict[str, str]) -> None:
        about = []
        for n in range(1, len(variables) // 2 + 1):
            key, value = variables[f"KEY_{n}"], variables[f"VALUE_{n}"]
            self.facts.update({key: value})
            if not value:
                del self.facts[key]
            about.append(whose(key))
        self.decide(*about)

    def decide(self, *agents: str) -> None:
        """Seat as `hotline-duty,reconcile` does: late, early and repeated, it comes out the same."""
        for agent in filter(self.interfaces.get, agents):
            interface = self.interfaces[agent]
            self.rules.reconcile(agent)
            for queue in QUEUES:
                if queue in self.rules.queues_for(agent):
                    self.queues[queue].setdefault(interface, (agent, 1, 0))
                    self.penalties[queue, interface] = self.rules.seats[agent, queue].penalty
                else:
                    self.queues[queue].pop(interface, None)

    def getvar(self, client: Client, sent: Sent) -> None:
        channel = sent["Channel"][0]
        known = channel in self.channels
        client.say(
            sent, *([f"Value: {channel}"] if known else ["Response: Error", "Message: No such channel"])
        )

    def coreshowchannels(self, client: Client, sent: Sent) -> None:
        own = f"ActionID: {sent['ActionID'][0]}"
        client.say(sent, "EventList: start", "Message: Channels will follow")
        for call in sorted(self.channels):
            leg, _, first = call.partition(" of ")
            client.event("CoreShowChannel", own, f"Uniqueid: {leg}", f"Linkedid: {first or leg}")
        client.event("CoreShowChannelsComplete", own, "EventList: Complete", "ListItems: 1")

    def corestatus(self, client: Client, sent: Sent) -> None:
        client.say(sent, f"CoreStartupDate: {self.up[0]}", f"CoreStartupTime: {self.up[1]}")

    def hangup(self, client: Client, sent: Sent) -> None:
        known = sent["Channel"][0] in self.channels
        self.channels.discard(sent["Channel"][0])
        client.say(sent, *([] if known else ["Response: Error", "Message: No such channel"]))

    def queueremove(self, client: Client, sent: Sent) -> None:
        gone = self.queues[sent["Queue"][0]].pop(sent["Interface"][0], None)
        refusal = ["Response: Error", "Message: Unable to remove interface: Not there"]
        client.say(sent, *(["Message: Removed interface from queue"] if gone else refusal))

    def queuestatus(self, client: Client, sent: Sent) -> None:
        own = f"ActionID: {sent['ActionID'][0]}"
        client.say(sent, "EventList: start", "Message: Queue status will follow")
        for queue, members in self.queues.items():
            client.event("QueueParams", own, f"Queue: {queue}", "Calls: 2")
            for interface, (name, status, paused) in members.items():
                lines = (f"Name: {name}", f"Location: {interface}", f"Status: {status}", f"Paused: {paused}")
                penalty = f"Penalty: {self.penalties.get((queue, interface), 0)}"
                client.event("QueueMember", own, f"Queue: {queue}", *lines, penalty, "InCall: 0")
        client.event("QueueStatusComplete", own, "EventList: Complete")

    def dbgettree(self, client: Client, sent: Sent) -> None:
        own = f"ActionID: {sent['ActionID'][0]}"
        client.say(sent, "EventList: start", "Message: Result will follow")
        for key, value in self.facts.items():
            if key.startswith(sent["Family"][0] + "/"):
                client.event("DBGetTreeResponse", f"Key: /{key}", f"Val: {value}", own)
        client.event("DBGetTreeComplete", own, "EventList: Complete")


def phones() -> PhoneBook:
    return PhoneBook([SIP, MOBILE])


def play(
    scene: Callable[[PlayedPbx, AsteriskCalls, AsteriskQueue], Awaitable[None]], **options: object
) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30), ami_server() as server, linked(server, **options) as link:
            calls = AsteriskCalls(link, phones(), shown_number=SHOWN)
            await scene(PlayedPbx(server), calls, AsteriskQueue(link, phones()))

    asyncio.run(whole())


# --- the contract of every line ---------------------------------------------------------------


class _ElsewhereCalls:
    """Runs a control on the loop where its link lives, whatever loop asks."""

    def __init__(self, control: AsteriskCalls, loop: asyncio.AbstractEventLoop) -> None:
        self._control = control
        self._loop = loop

    async def _there(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def place(self, call: PlaceCall) -> None:
        await self._there(self._control.place(call))

    async def is_live(self, call_id: str) -> bool:
        return bool(await self._there(self._control.is_live(call_id)))

    async def alive(self, call_ids: Collection[str]) -> LiveCalls:
        found: LiveCalls = await self._there(self._control.alive(call_ids))
        return found

    async def talks_with(self, call_id: str) -> str | None:
        found = await self._there(self._control.talks_with(call_id))
        return str(found) if found is not None else None

    async def hang_up(self, call_id: str) -> None:
        await self._there(self._control.hang_up(call_id))


class AmiLine:
    """A played line behind a fake AMI server, on a loop of its own."""

    def __init__(self) -> None:
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with ami_server() as server, linked(server) as link:
            self.pbx = PlayedPbx(server)
            self.control = _ElsewhereCalls(AsteriskCalls(link, phones(), shown_number=SHOWN), self._loop)
            self._ready.set()
            await self._end.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def placed(self) -> int:
        return len(self.pbx.server.named("Originate"))

    def callee_hangs_up(self, call_id: str) -> None:
        self.pbx.channels.discard(call_id)

    def refuse_next(self) -> None:
        self.pbx.reason_of_next = 0


class TestAsteriskKeepsTheContract(CallControlContract):
    @pytest.fixture
    def line(self) -> Iterator[AmiLine]:
        line = AmiLine()
        yield line
        line.close()


# --- what is Asterisk's own ---------------------------------------------------------------------


def test_a_call_goes_out_by_the_trunk_under_its_id_and_our_number() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        await calls.place(replace(a_call(), variables={"__OBLIGATION": "ob-1"}))
        (sent,) = pbx.server.named("Originate")
        assert sent["Channel"] == ["PJSIP/13800001234@trunk"]
        assert sent["Context"] == ["flow-checkin"]
        assert sent["CallerID"] == [f"<{SHOWN}>"]
        assert sent["ChannelId"] == ["at-0001"]
        assert sent["Async"] == ["true"]
        assert sent["Timeout"] == ["45000"]
        assert sent["Variable"] == ["__OBLIGATION=ob-1", TELLS]

    play(scene)


def test_what_only_the_person_knows_goes_to_the_pbx_as_a_hash() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        told = replace(a_call(), facts="no_menu&owed", expected={"birth_month": "05"})
        await AsteriskCalls(calls._link, phones(), shown_number=SHOWN, salt="S").place(told)
        (sent,) = pbx.server.named("Originate")
        month = hashlib.sha1(b"S05").hexdigest()  # noqa: S324 - as dialplan computes it
        known = ["HOTLINE_FACTS=no_menu&owed", f"HOTLINE_EXPECT_birth_month={month}"]
        assert sent["Variable"] == [*known, TELLS]

    play(scene)


def test_without_a_salt_nothing_that_proves_a_person_is_sent() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        await calls.place(replace(a_call(), expected={"birth_month": "05"}))
        assert pbx.server.named("Originate")[0]["Variable"] == [TELLS]

    play(scene)


def test_our_own_probe_goes_to_its_own_place() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        await calls.place(replace(a_call("sd-0001", "4000850966"), flow="selfdial"))
        (sent,) = pbx.server.named("Originate")
        assert (sent["Context"], sent["Exten"]) == (["hotline-selfdial"], ["out"])

    play(scene)


def test_a_preview_call_rings_the_counsellor_first() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        await calls.place(replace(a_call(), first_ring="c018", flow="preview"))
        (sent,) = pbx.server.named("Originate")
        assert sent["Channel"] == ["Local/c018@hotline-mobile/n"]
        assert sent["Context"] == ["hotline-preview"]
        assert sent["Variable"] == ["HOTLINE_NUMBER=13800001234", "HOTLINE_RING=45", "HOTLINE_BY=c018"]

    play(scene)


def test_a_listening_rings_nobody_but_the_supervisor() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        told = {"LISTENING": "ls-1", "MODE": "whisper", "EAR": "Local/c018@hotline-mobile-0000001a;1"}
        asked = replace(a_call("ls-1", SHOWN), first_ring="c017", flow="listen", variables=told)
        await calls.place(asked)
        (sent,) = pbx.server.named("Originate")
        assert (sent["Channel"], sent["Context"]) == (["PJSIP/c017"], ["hotline-listen"])
        assert sent["Variable"] == [f"{name}={value}" for name, value in told.items()]

    play(scene)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (("Response: Success", "Variable: BRIDGEPEER", "Value: PJSIP/c001-0000001f"), "PJSIP/c001-0000001f"),
        (("Response: Success", "Variable: BRIDGEPEER", "Value: "), None),
        (("Response: Error", "Message: No such channel"), None),
    ],
    ids=["in a talk", "alone", "gone"],
)
def test_with_whom_a_call_talks_is_asked_by_its_own_id(said: tuple[str, ...], found: str | None) -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.server.on("Getvar", lambda c, s: c.say(s, *said))
        assert await calls.talks_with("pbx1-1700000000.1") == found
        (sent,) = pbx.server.named("Getvar")
        assert sent["Channel"] == ["pbx1-1700000000.1"]

    play(scene)


@pytest.mark.parametrize(
    "wrong",
    [
        {"shown_number": "4000850966"},
        {"number": "138@evil,1"},
        {"number": ""},
        {"number": "１３８００００１２３４"},
        {"flow": "x&y"},
        {"id": "at-1\r\nAction: Command"},
        {"variables": {"A": "1,B=2"}},
    ],
)
def test_a_call_that_must_not_go_out_is_never_sent(wrong: dict[str, Any]) -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        with pytest.raises(PbxError) as refusal:
            await calls.place(replace(a_call(), **wrong))
        assert not isinstance(refusal.value, (PbxUnreachable, InDoubt))
        assert not pbx.server.named("Originate")

    play(scene)


def test_the_line_is_lost_before_the_answer_and_the_call_is_in_doubt() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.server.on("Originate", lambda c, s: c.drop())
        with pytest.raises(InDoubt):
            await calls.place(a_call())

    play(scene)


def test_the_line_is_lost_after_the_answer_and_the_call_is_in_doubt() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        def accept_and_die(client: Client, sent: Sent) -> None:
            client.say(sent, "Message: Originate successfully queued")
            pbx.server.on("Getvar", lambda c, s: c.drop())

        pbx.server.on("Originate", accept_and_die)
        with pytest.raises(InDoubt):
            await calls.place(a_call())

    play(scene)


def test_nothing_is_in_doubt_while_the_link_is_down() -> None:
    async def scene() -> None:
        link = AmiLink("127.0.0.1", 1, "bridge", "x", patience=QUICK)
        with pytest.raises(PbxUnreachable):
            await AsteriskCalls(link, phones(), shown_number=SHOWN).place(a_call())

    asyncio.run(scene())


def test_a_call_handed_on_lives_by_the_channels_it_led_to() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.channels = {"1764205200.7 of at-0001", "at-0002"}
        found = await calls.alive({"at-0001", "at-0002", "at-0003", "1764205200.8"})
        assert found.ids == {"at-0001", "at-0002"}
        assert found.since == datetime(2026, 11, 27, 9, 0, 1).astimezone()

    play(scene)


@pytest.mark.parametrize("up", [("", ""), ("yesterday", "09:00"), ("2026-11-27", "")])
def test_a_pbx_that_does_not_say_since_when_it_is_up_is_asked_all_the_same(up: tuple[str, str]) -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.up = up
        pbx.channels = {"at-0001"}
        found = await calls.alive({"at-0001"})
        assert (found.ids, found.since) == ({"at-0001"}, None)

    play(scene)


def test_a_callee_who_is_busy_at_once_was_called() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.reason_of_next = 5
        await calls.place(a_call())
        assert len(pbx.server.named("Originate")) == 1

    play(scene)


def test_other_refusals_are_not_taken_for_an_ended_call() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        for action in ("Getvar", "Hangup"):
            pbx.server.on(action, lambda c, s: c.say(s, "Response: Error", "Message: Permission denied"))
        with pytest.raises(PbxError, match="denied"):
            await calls.is_live("at-1")
        with pytest.raises(PbxError, match="denied"):
            await calls.hang_up("at-1")

    play(scene)


def put_on_duty(pbx: PlayedPbx, *agents: str) -> None:
    for agent in agents:
        pbx.facts |= {f"hotline-shift/{agent}": "0-9999999999", f"hotline-signed/{agent}": "1"}


def test_members_come_and_go_and_twice_is_no_fault() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        put_on_duty(pbx, "c017", "c018")
        for _ in range(2):
            await queue.decide(["c017", "c018"])
        assert sorted(pbx.members) == ["Local/c018@hotline-mobile/n", "PJSIP/c017"]
        state = await queue.state()
        assert {m.agent for m in state.members} == {"c017", "c018"}
        assert {seat.queue for seat in state.seats} == {GENERAL}
        for _ in range(2):
            await queue.remove(Seat(queue=GENERAL, agent="c017"))
        assert [m.agent for m in (await queue.state()).members] == ["c018"]

    play(scene)


def test_each_queue_is_read_with_its_places_and_penalties() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        put_on_duty(pbx, "c017")
        pbx.facts |= {"hotline-skill/c017": "crisis&trainee", "hotline-load/c017": "4"}
        await queue.decide(["c017"])
        pbx.queues["hotline-crisis"]["PJSIP/c017"] = ("c017", 1, 1)
        state = await queue.state()
        assert set(state.seats) == {
            Seat(queue=GENERAL, agent="c017", penalty=104),
            Seat(queue="hotline-crisis", agent="c017", penalty=104, paused=True),
        }
        assert state.members == (Member(agent="c017"),)
        assert state.waiting == 2 * len(QUEUES)

    play(scene)


def test_many_agents_are_decided_in_batches() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        await queue.decide([f"c{n:03}" for n in range(100)])
        assert len(pbx.server.named("Originate")) == 3

    play(scene)


def test_a_member_at_an_old_phone_goes_by_its_interface_and_can_be_removed() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.members.update({"Local/c017@hotline-mobile/n": ("c017", 1, 0), "PJSIP/c099": ("c099", 5, 1)})
        state = await queue.state()
        assert state.members == (
            Member(agent="Local/c017@hotline-mobile/n"),
            Member(agent="PJSIP/c099", paused=True, reachable=False),
        )
        for stray in state.seats:
            await queue.remove(stray)
        assert not pbx.members

    play(scene)


def test_an_agent_without_a_phone_has_no_place_to_be_taken() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        with pytest.raises(NotFound):
            await queue.remove(Seat(queue=GENERAL, agent="c404"))

    play(scene)


def test_a_queue_that_is_not_configured_is_an_error_with_its_mend() -> None:
    def empty(client: Client, sent: Sent) -> None:
        client.say(sent, "EventList: start", "Message: Queue status will follow")
        client.event("QueueStatusComplete", f"ActionID: {sent['ActionID'][0]}", "EventList: Complete")

    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.server.on("QueueStatus", empty)
        with pytest.raises(PbxError, match="pbx apply"):
            await queue.state()

    play(scene)


def test_facts_are_pushed_in_batches_read_back_and_removed() -> None:
    facts: dict[str, str | None] = {f"hotline-shift/c{n:03}": f"{n}-{n + 1}" for n in range(1, 101)}

    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.facts["hotline-probe/current"] = "sd-1"
        await queue.push_facts({**facts, "hotline-signed/c001": "1"})
        assert await queue.facts() == {**facts, "hotline-signed/c001": "1"}
        assert len(pbx.server.named("Originate")) == 3
        await queue.push_facts(dict.fromkeys(facts))
        assert await queue.facts() == {"hotline-signed/c001": "1"}
        assert pbx.facts["hotline-probe/current"] == "sd-1"

    play(scene)


def test_facts_that_dialplan_does_not_take_are_an_error() -> None:
    def refuse(client: Client, sent: Sent) -> None:
        own = f"ActionID: {sent['ActionID'][0]}"
        client.say(sent, "Message: Originate successfully queued")
        client.event("OriginateResponse", own, "Response: Failure", "Reason: 0", "Uniqueid: <unknown>")

    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        pbx.server.on("Originate", refuse)
        with pytest.raises(PbxError, match="pbx apply"):
            await queue.push_facts({"hotline-signed/c017": "1"})
        with pytest.raises(PbxError):
            await queue.push_facts({"hotline-signed/c017": "1,KEY_2=x"})

    play(scene)


def test_ringing_takes_the_time_it_was_given() -> None:
    async def scene(pbx: PlayedPbx, calls: AsteriskCalls, queue: AsteriskQueue) -> None:
        await calls.place(replace(a_call(), ring=timedelta(seconds=7)))
        assert pbx.server.named("Originate")[0]["Timeout"] == ["7000"]

    play(scene)
