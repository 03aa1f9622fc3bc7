"""How the link stays up, and how it goes down. Letters: faults of panoramisk 1.4."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from ami_server import QUICK, AmiServer, Client, Sent, ami_server, linked, until

from callcenter.asterisk.ami import AmiLink
from callcenter.errors import PbxUnreachable


def run(scene: object) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30):
            await scene  # type: ignore[misc]

    asyncio.run(whole())


def test_an_unanswered_originate_is_not_sent_again_after_reconnecting() -> None:
    """Faults f and g: panoramisk dials twice, or lets the caller wait for ever."""

    async def scene() -> None:
        async with ami_server() as server, linked(server) as link:
            server.on("Originate", lambda c, s: c.drop())
            with pytest.raises(PbxUnreachable, match="connection was lost"):
                await link.send("Originate", Channel="PJSIP/c017", Async=True, ChannelId="at-1")
            await until(lambda: len(server.clients) == 2 and link.connected)
            server.client.event("FullyBooted")
            await link.send("Ping")
            assert len(server.named("Originate")) == 1

    run(scene())


def test_everybody_who_waits_is_told_when_the_connection_breaks() -> None:
    async def scene() -> None:
        async with ami_server() as server, linked(server, patience=replace(QUICK, reply=20.0)) as link:
            server.on("QueueStatus", None)
            waiting = [asyncio.ensure_future(link.list("QueueStatus")) for _ in range(5)]
            await until(lambda: len(server.named("QueueStatus")) == 5)
            server.client.drop()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(result, PbxUnreachable) for result in results)

    run(scene())


def test_asking_while_down_fails_at_once() -> None:
    async def scene() -> None:
        link = AmiLink("127.0.0.1", 1, "bridge", "secret")
        with pytest.raises(PbxUnreachable, match="not connected"):
            await link.send("Ping")
        assert not link.connected

    run(scene())


def test_unanswered_pings_end_the_connection() -> None:
    """Fault i: a peer that hangs looks alive to TCP."""

    async def scene() -> None:
        patience = replace(QUICK, ping_every=0.05, ping_reply=0.5)
        async with ami_server() as server, linked(server, patience=patience) as link:
            server.on("Ping", None)
            await until(lambda: len(server.clients) >= 2)
            server.on("Ping", lambda c, s: c.say(s, "Ping: Pong"))
            before = len(server.named("Ping"))
            await until(lambda: len(server.named("Ping")) > before + 3)
            assert link.connected

    run(scene())


def test_closing_while_a_reconnect_is_pending_stays_closed() -> None:
    """Fault j."""

    async def scene() -> None:
        resting = asyncio.Event()

        async def pause(seconds: float) -> None:
            resting.set()
            await asyncio.Event().wait()

        async with ami_server() as server:
            link = AmiLink("127.0.0.1", server.port, "bridge", "secret", patience=QUICK, pause=pause)
            running = asyncio.create_task(link.run())
            await until(lambda: link.connected)
            server.client.drop()
            await resting.wait()
            link.close()
            await running
            assert len(server.clients) == 1
            assert not link.connected

    run(scene())


def test_a_refused_login_backs_off_and_says_why() -> None:
    """Fault l: panoramisk tries every two seconds for ever and raises nothing."""

    async def scene() -> None:
        rests: list[float] = []

        async def pause(seconds: float) -> None:
            rests.append(seconds)
            await asyncio.sleep(0)

        async with ami_server() as server:
            server.on("Login", lambda c, s: c.say(s, "Response: Error", "Message: Authentication failed"))
            patience = replace(QUICK, refused_rest=15.0, longest_rest=60.0)
            link = AmiLink(
                "127.0.0.1", server.port, "bridge", "x", patience=patience, pause=pause, jitter=lambda: 1.0
            )
            running = asyncio.create_task(link.run())
            await until(lambda: len(rests) >= 4)
            assert "name and password" in link.trouble
            assert not link.connected
            link.close()
            await running
        assert rests[:4] == [15.0, 30.0, 60.0, 60.0]

    run(scene())


def test_rests_grow_and_are_spread_when_nobody_listens() -> None:
    async def scene() -> None:
        rests: list[float] = []
        spread = iter([0.0, 1.0, 0.5, 0.0, 0.0])

        async def pause(seconds: float) -> None:
            rests.append(seconds)
            if len(rests) == 5:
                link.close()
            await asyncio.sleep(0)

        patience = replace(QUICK, first_rest=1.0, longest_rest=6.0)
        link = AmiLink(
            "127.0.0.1", 1, "bridge", "x", patience=patience, pause=pause, jitter=lambda: next(spread)
        )
        await link.run()
        assert rests == [0.5, 2.0, 3.0, 3.0, 3.0]

    run(scene())


def test_a_stranger_on_the_port_is_left() -> None:
    async def scene() -> None:
        async with ami_server() as server:
            server.greeting = b"SSH-2.0-OpenSSH_9.2\r\n"
            link = AmiLink("127.0.0.1", server.port, "bridge", "secret", patience=QUICK)
            running = asyncio.create_task(link.run())
            await until(lambda: len(server.clients) >= 2)
            assert not server.named("QueueStatus")
            assert not link.connected
            link.close()
            await running

    run(scene())


def test_a_server_that_greets_and_then_hangs_is_left() -> None:
    async def scene() -> None:
        async with ami_server() as server:
            server.on("Login", None)
            link = AmiLink("127.0.0.1", server.port, "bridge", "secret", patience=replace(QUICK, connect=0.1))
            running = asyncio.create_task(link.run())
            await until(lambda: len(server.clients) >= 2)
            link.close()
            await running

    run(scene())


def test_it_tells_to_compare_anew_on_each_login_and_each_full_boot() -> None:
    """Fault h: FullyBooted never comes to a user who may not read `system`; the login must do."""

    async def scene() -> None:
        ups = 0

        async def on_up() -> None:
            nonlocal ups
            ups += 1

        async with ami_server() as server, linked(server, on_up=on_up) as link:
            await until(lambda: ups == 1)
            server.client.event("FullyBooted", "Status: Fully Booted")
            await until(lambda: ups == 2)
            server.client.drop()
            await until(lambda: ups == 3)
            await until(lambda: link.connected)

    run(scene())


def test_shutdown_is_an_event_and_the_end_comes_from_the_peer() -> None:
    async def scene() -> None:
        heard: list[str] = []

        async def on_event(event: dict[str, str]) -> None:
            heard.append(event["Event"])

        async with ami_server() as server, linked(server, on_event=on_event) as link:
            server.client.event("Shutdown", "Shutdown: Cleanly", "Restart: False")
            await until(lambda: heard == ["Shutdown"])
            await link.send("Ping")
            assert len(server.clients) == 1

    run(scene())


def test_a_message_without_end_does_not_fill_the_memory() -> None:
    async def scene() -> None:
        async with ami_server() as server, linked(server) as link:
            server.client.write(b"Event: Newchannel\r\n" + b"X: " + b"y" * (2 << 20))
            await until(lambda: len(server.clients) == 2 and link.connected)

    run(scene())


def test_a_cancelled_question_leaves_nothing_behind() -> None:
    async def scene() -> None:
        async with ami_server() as server, linked(server) as link:
            held: list[tuple[Client, Sent]] = []
            server.on("QueueStatus", lambda c, s: held.append((c, s)))
            asked = asyncio.ensure_future(link.send("QueueStatus"))
            await until(lambda: held)
            asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            held[0][0].say(held[0][1], "Message: late")
            assert (await link.send("Ping"))["Ping"] == "Pong"

    run(scene())


def test_the_server_recorded_what_we_sent() -> None:
    async def scene() -> None:
        server: AmiServer
        async with ami_server() as server, linked(server) as link:
            await link.send(
                "Originate", Channel="Local/put@hotline-put/n", Async=True, Variable=["k1=a", "v1=b"]
            )
            assert server.named("Originate")[0]["Variable"] == ["k1=a", "v1=b"]

    run(scene())
