"""A scriptable AMI server on loopback: real TCP, whole control over the bytes and their chunks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from callcenter.asterisk.ami import AmiLink, Patience

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
QUICK = Patience(
    connect=10.0,
    reply=10.0,
    ping_every=30.0,
    ping_reply=10.0,
    first_rest=0.01,
    longest_rest=0.05,
    refused_rest=0.01,
)

Sent = dict[str, list[str]]
Reply = Callable[["Client", Sent], Awaitable[None] | None]


def block(*lines: str) -> bytes:
    """Return one AMI message."""
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Client:
    """One accepted connection, as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: AmiServer

    def write(self, *chunks: bytes) -> None:
        """Send chunks as separate segments."""
        for chunk in chunks:
            self.writer.write(chunk)

    async def write_apart(self, *chunks: bytes) -> None:
        """Send chunks so that each arrives by itself: the loop turns between them."""
        for chunk in chunks:
            self.writer.write(chunk)
            await self.writer.drain()
            for _ in range(5):
                await asyncio.sleep(0)

    def say(self, sent: Sent, *lines: str) -> None:
        """Answer an action: success unless a Response is given."""
        first = [] if lines and lines[0].startswith("Response:") else ["Response: Success"]
        self.write(block(*first, f"ActionID: {sent['ActionID'][0]}", *lines))

    def event(self, name: str, *lines: str) -> None:
        """Send an event."""
        self.write(block(f"Event: {name}", *lines))

    def drop(self) -> None:
        """Cut the connection as a dying peer does."""
        self.writer.transport.abort()


@dataclass
class AmiServer:
    """Accepts logins, answers pings, records actions; each action's reply may be replaced."""

    port: int = 0
    greeting: bytes = GREETING
    replies: dict[str, Reply | None] = field(default_factory=dict)
    actions: list[Sent] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)

    def on(self, action: str, reply: Reply | None) -> None:
        """Answer `action` by `reply`; None keeps silent."""
        self.replies[action] = reply

    def named(self, action: str) -> list[Sent]:
        """Return what was received of one action."""
        return [sent for sent in self.actions if sent["Action"] == [action]]

    @property
    def client(self) -> Client:
        """Return the newest connection."""
        return self.clients[-1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until either side ends."""
        client = Client(reader, writer, self)
        self.clients.append(client)
        client.write(self.greeting)
        try:
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                self.raw += raw
                await self._answer(client, _parsed(raw))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, client: Client, sent: Sent) -> None:
        self.actions.append(sent)
        name = sent["Action"][0]
        if name in self.replies:
            reply = self.replies[name]
            done = reply(client, sent) if reply else None
            if done is not None:
                await done
        else:
            client.say(sent, *(["Ping: Pong"] if name == "Ping" else []))


def _parsed(raw: bytes) -> Sent:
    sent: Sent = {}
    for line in raw.decode().strip().split("\r\n"):
        key, _, value = line.partition(": ")
        sent.setdefault(key, []).append(value)
    return sent


@asynccontextmanager
async def ami_server() -> AsyncIterator[AmiServer]:
    """Run a server on a free loopback port."""
    server = AmiServer()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for client in server.clients:
            client.drop()
        await listening.wait_closed()


@asynccontextmanager
async def linked(server: AmiServer, **options: object) -> AsyncIterator[AmiLink]:
    """Run a link to the server, logged in."""
    settings: dict[str, object] = {"patience": QUICK, **options}
    link = AmiLink("127.0.0.1", server.port, "bridge", "secret", **settings)  # type: ignore[arg-type]
    running = asyncio.create_task(link.run())
    try:
        await until(lambda: link.connected)
        yield link
    finally:
        link.close()
        await running


async def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until `true()`; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - polls any condition
            await asyncio.sleep(0.005)
