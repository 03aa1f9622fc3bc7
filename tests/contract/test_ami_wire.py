"""What the link sends and hears, against a scriptable server. Letters: faults of panoramisk 1.4."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from ami_server import QUICK, AmiServer, Client, Sent, ami_server, block, linked, until

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.wire import Unsendable
from callcenter.errors import PbxError, PbxUnreachable

Scene = Callable[[AmiServer, AmiLink], Awaitable[None]]


def play(scene: Scene, **options: object) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30), ami_server() as server, linked(server, **options) as link:
            await scene(server, link)

    asyncio.run(whole())


class Events:
    """Collects what a link hears."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        self.ups = 0

    async def on_event(self, event: dict[str, str]) -> None:
        self.heard.append(event)

    async def on_up(self) -> None:
        self.ups += 1

    def names(self) -> list[str]:
        return [event["Event"] for event in self.heard]


def test_queue_add_resolves_though_its_answer_looks_like_a_list() -> None:
    """Fault a."""

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("QueueAdd", lambda c, s: c.say(s, "Message: Added interface to queue"))
        answer = await link.send("QueueAdd", Queue="hotline", Interface="PJSIP/c017")
        assert answer["Message"] == "Added interface to queue"

    play(scene)


@pytest.mark.parametrize(
    "message", ["DTMF successfully queued", "Atxfer successfully queued", "Originate successfully queued"]
)
def test_successfully_queued_does_not_kill_the_connection(message: str) -> None:
    """Fault c."""

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("Atxfer", lambda c, s: c.say(s, f"Message: {message}"))
        assert (await link.send("Atxfer", Channel="PJSIP/c017-1"))["Message"] == message
        with pytest.raises(PbxError):
            await link.list("Atxfer", Channel="PJSIP/c017-1")
        await link.send("Ping")
        assert len(server.clients) == 1

    play(scene)


def test_originate_without_async_is_never_sent() -> None:
    async def scene(server: AmiServer, link: AmiLink) -> None:
        for wrong in ({}, {"Async": "false"}, {"Async": False}):
            with pytest.raises(Unsendable):
                await link.send("Originate", Channel="PJSIP/c017", **wrong)
        await link.send("Originate", Channel="PJSIP/c017", Async=True)
        assert [s["Async"] for s in server.named("Originate")] == [["true"]]

    play(scene)


def test_a_raising_handler_does_not_close_the_connection() -> None:
    """Faults d and e."""
    events = Events()

    async def broken(event: dict[str, str]) -> None:
        raise ValueError("13812345678")

    async def scene(server: AmiServer, link: AmiLink) -> None:
        link.listen(events.on_event)
        server.client.write(block("Event: Hangup", "N: 1") + block("Event: Hangup", "N: 2"))
        await until(lambda: len(events.heard) == 2)
        await link.send("Ping")
        assert len(server.clients) == 1

    play(scene, on_event=broken)


def test_a_handlers_fault_is_logged_without_what_it_held(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(event: dict[str, str]) -> None:
        raise ValueError(event["CallerIDNum"])

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.client.event("Newchannel", "CallerIDNum: 13812345678", "CallerIDName: 沈先生")
        await until(lambda: "handler of telephone events failed" in caplog.text)

    with caplog.at_level(logging.DEBUG):
        play(scene, on_event=broken)
    assert "13812345678" not in caplog.text
    assert "沈先生" not in caplog.text


def test_handlers_run_in_the_order_of_events() -> None:
    """Fault e: a slow first handler is not overtaken."""
    seen: list[str] = []

    async def slow(event: dict[str, str]) -> None:
        for _ in range(20 if event["N"] == "1" else 0):
            await asyncio.sleep(0)
        seen.append(event["N"])

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.client.write(b"".join(block("Event: Hangup", f"N: {n}") for n in range(1, 6)))
        await until(lambda: len(seen) == 5)
        assert seen == ["1", "2", "3", "4", "5"]

    play(scene, on_event=slow)


def test_a_character_split_over_two_segments_stays_whole() -> None:
    """Fault k: 心理热线 arrived as 心热线."""
    events = Events()

    async def scene(server: AmiServer, link: AmiLink) -> None:
        raw = block("Event: Newchannel", "CallerIDName: 心理热线")
        cut = raw.index("理".encode()) + 1
        await server.client.write_apart(raw[:cut], raw[cut:])
        await until(lambda: events.heard)
        assert events.heard[0]["CallerIDName"] == "心理热线"

    play(scene, on_event=events.on_event)


def test_messages_cut_anywhere_are_the_same_messages() -> None:
    events = Events()
    raw = block("Event: A", "X: 1") + block("Event: B", "Y: 沈") + block("Event: C", "Z: 3")

    async def scene(server: AmiServer, link: AmiLink) -> None:
        await server.client.write_apart(*(raw[i : i + 1] for i in range(len(raw))))
        await until(lambda: len(events.heard) == 3)
        assert events.names() == ["A", "B", "C"]

    play(scene, on_event=events.on_event)


def test_bytes_that_are_no_utf8_lose_no_event() -> None:
    events = Events()

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.client.write(b"Event: Newchannel\r\nCallerIDName: \xff\xfe\r\n\r\n" + block("Event: Hangup"))
        await until(lambda: len(events.heard) == 2)

    play(scene, on_event=events.on_event)


@pytest.mark.parametrize("bad", ["x\r\n\r\nAction: Command", "x\nY: z", "x\0y", "x\ry", "y" * 1000, "\ud800"])
def test_a_value_that_could_be_a_second_action_is_refused(bad: str) -> None:
    """Fault p."""

    async def scene(server: AmiServer, link: AmiLink) -> None:
        with pytest.raises(Unsendable) as refusal:
            await link.send("Originate", Channel="PJSIP/c017", Async=True, CallerID=bad)
        assert bad not in str(refusal.value)
        await link.send("Ping")
        assert [sent["Action"] for sent in server.actions] == [["Login"], ["Ping"]]

    play(scene)


def test_a_silent_action_fails_in_time() -> None:
    """Fault g: a future that never completes."""

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("QueueStatus", None)
        with pytest.raises(PbxUnreachable, match="no answer"):
            await link.list("QueueStatus")
        with pytest.raises(PbxUnreachable, match="no answer"):
            await link.send("QueueStatus")

    play(scene, patience=replace(QUICK, reply=0.3))


def test_a_list_that_never_ends_fails_in_time() -> None:
    async def half(client: Client, sent: Sent) -> None:
        client.say(sent, "EventList: start", "Message: Queue status will follow")
        client.event("QueueMember", f"ActionID: {sent['ActionID'][0]}")

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("QueueStatus", half)
        with pytest.raises(PbxUnreachable):
            await link.list("QueueStatus")

    play(scene, patience=replace(QUICK, reply=0.3))


def test_a_list_returns_its_items_and_leaves_other_events_alone() -> None:
    events = Events()

    def items(client: Client, sent: Sent) -> None:
        own = f"ActionID: {sent['ActionID'][0]}"
        client.say(sent, "EventList: start", "Message: Queue status will follow")
        client.event("QueueMember", own, "Name: c017")
        client.event("Hangup", "Uniqueid: 1.1")
        client.event("QueueMember", own, "Name: c018")
        client.event("QueueStatusComplete", own, "EventList: Complete", "ListItems: 2")

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("QueueStatus", items)
        assert [m["Name"] for m in await link.list("QueueStatus")] == ["c017", "c018"]
        await until(lambda: events.names() == ["Hangup"])

    play(scene, on_event=events.on_event)


def test_a_refused_list_is_an_error_and_does_not_hang() -> None:
    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("DBGetTree", lambda c, s: c.say(s, "Response: Error", "Message: Permission denied"))
        with pytest.raises(PbxError, match="Permission denied") as refusal:
            await link.list("DBGetTree", Family="hotline-shift")
        assert not isinstance(refusal.value, PbxUnreachable)

    play(scene)


def test_a_refusal_does_not_repeat_a_number() -> None:
    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("Hangup", lambda c, s: c.say(s, "Response: Error", "Message: No 13812345678"))
        with pytest.raises(PbxError) as refusal:
            await link.send("Hangup", Channel="x")
        assert "13812345678" not in str(refusal.value)

    play(scene)


def test_the_end_of_an_originate_is_an_event_even_before_its_answer() -> None:
    events = Events()

    def early(client: Client, sent: Sent) -> None:
        client.event(
            "OriginateResponse", f"ActionID: {sent['ActionID'][0]}", "Response: Failure", "Reason: 0"
        )
        client.say(sent, "Message: Originate successfully queued")

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("Originate", early)
        answer = await link.send("Originate", Channel="PJSIP/c017", Async=True)
        assert answer["Message"] == "Originate successfully queued"
        await until(lambda: events.names() == ["OriginateResponse"])

    play(scene, on_event=events.on_event)


def test_a_forged_answer_reaches_nobody() -> None:
    """A caller's name with line breaks may look like a message; it cannot know an action's id."""

    def forge(client: Client, sent: Sent) -> None:
        client.write(block("Event: Newchannel", "CallerIDName: x"))
        client.write(block("Response: Error", "ActionID: 1", "Message: forged"), block("Response: Error"))
        client.say(sent, "Message: true")

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.on("QueueAdd", forge)
        assert (await link.send("QueueAdd", Queue="hotline"))["Message"] == "true"

    play(scene)


def test_more_events_than_fit_mean_comparing_anew_not_a_crash() -> None:
    events = Events()
    gate = asyncio.Event()

    async def stuck(event: dict[str, str]) -> None:
        await gate.wait()

    async def scene(server: AmiServer, link: AmiLink) -> None:
        await until(lambda: events.ups == 1)
        server.client.write(b"".join(block("Event: Hangup", f"N: {n}") for n in range(50)))
        await link.send("Ping")
        gate.set()
        await until(lambda: events.ups == 2)
        await link.send("Ping")

    play(scene, on_event=stuck, on_up=events.on_up, backlog=8)


def test_unwanted_events_are_dropped_before_they_are_read() -> None:
    events = Events()

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.client.event("VarSet", "Variable: SECRET")
        server.client.event("Hangup", "Uniqueid: 1.1")
        await until(lambda: events.heard)
        assert events.names() == ["Hangup"]

    play(scene, on_event=events.on_event, wanted=frozenset({"Hangup"}))


def test_nothing_personal_is_logged_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    """Fault q."""

    async def scene(server: AmiServer, link: AmiLink) -> None:
        server.client.event("Newchannel", "CallerIDNum: 13812345678", "CallerIDName: 沈先生")
        server.on("Originate", lambda c, s: c.drop())
        with pytest.raises(PbxUnreachable):
            await link.send("Originate", Channel="PJSIP/13900000000@trunk", Async=True)
        await until(lambda: link.connected)

    with caplog.at_level(logging.DEBUG):
        play(scene)
    said = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    for secret in ("13812345678", "13900000000", "沈先生", "Secret: secret"):
        assert secret not in said
