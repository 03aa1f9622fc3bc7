"""The panoramisk door: one AMI link that stays up, tells no lies and forgets nobody who waits.

Connection states, heartbeat and back-off are ours; the wire is panoramisk's (`ami_session.py`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from callcenter.asterisk import wire
from callcenter.asterisk.ami_session import Headers, Session, Unanswered, new_action_id, plain
from callcenter.errors import PbxError, PbxUnreachable

__all__ = ["AmiLink", "Headers", "LoginRefused", "Patience", "Unanswered", "new_action_id"]

log = logging.getLogger(__name__)

OnEvent = Callable[[Headers], Awaitable[None]]
OnUp = Callable[[], Awaitable[None]]


class LoginRefused(PbxError):
    """The telephone system does not accept the bridge's name and password."""

    error_id = "pbx_login_refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long we wait, in seconds."""

    connect: float = 5.0
    reply: float = 10.0
    ping_every: float = 10.0
    ping_reply: float = 3.0
    #: Back-off: doubles from `first_rest` to `longest_rest`, half of it random.
    first_rest: float = 0.5
    longest_rest: float = 30.0
    #: After a refused login: each one costs Asterisk a sleeping second and its administrator a log line.
    refused_rest: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Up:
    """In the queue of events: the link came up here, or events were lost here."""


class AmiLink:
    """A link to one Asterisk. `run` keeps it up until `close`.

    `on_event` hears every event in order, `on_up` is told when everything must be compared anew:
    after each login, after each FullyBooted, after events were lost. Neither runs in the
    protocol's own callback, and what they raise is logged and survived.
    """

    def __init__(
        self,
        address: str,
        port: int,
        username: str,
        secret: str,
        on_event: OnEvent | None = None,
        on_up: OnUp | None = None,
        *,
        wanted: frozenset[str] | None = None,
        patience: Patience | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        backlog: int = 10_000,
    ) -> None:
        self._where = (address, port)
        self._username = username
        self._secret = secret
        self._on_event = [on_event] if on_event else []
        self._on_up = [on_up] if on_up else []
        self._wanted = wanted
        self._patience = patience or Patience()
        self._pause = pause
        self._jitter = jitter
        self._events: asyncio.Queue[Headers | _Up] = asyncio.Queue(backlog)
        self._overflowed = False
        self._session: Session | None = None
        self._closed = asyncio.Event()
        self._failures = 0
        #: Why there is no link, as last said in the log.
        self._said = ""
        #: Since when the link is up, or None.
        self.connected_since: datetime | None = None
        #: Why the last try to connect failed; empty while the link is up.
        self.trouble = ""

    def __repr__(self) -> str:
        return f"<AmiLink {self._where[0]}:{self._where[1]} {'up' if self.connected else 'down'}>"

    # --- asking -------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Tell whether we are logged in now."""
        return self.connected_since is not None

    def listen(self, on_event: OnEvent | None = None, on_up: OnUp | None = None) -> None:
        """Add a hearer of events or of the link coming up."""
        self._on_event += [on_event] if on_event else []
        self._on_up += [on_up] if on_up else []

    async def send(self, action: str, *, action_id: str | None = None, **headers: wire.Value) -> Headers:
        """Do one action and return its answer.

        Raise `PbxError` when Asterisk refuses (it was not done), `PbxUnreachable` when it was not sent,
        its subclass `Unanswered` when it may have been done; it is never sent a second time.
        """
        session = self._present(action)
        answer = await session.exchange(action, headers, timeout=self._patience.reply, action_id=action_id)
        return plain(answer[0])

    async def list(self, action: str, **headers: wire.Value) -> list[Headers]:
        """Do one listing action and return its items; raise as `send` does."""
        session = self._present(action)
        answer = await session.exchange(action, headers, timeout=self._patience.reply, as_list=True)
        return [plain(item) for item in answer[1:-1]]

    def _present(self, action: str) -> Session:
        if self._session is None or not self.connected:
            raise PbxUnreachable(f"{action}: not connected to the telephone system")
        return self._session

    # --- staying up ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and connect again after every loss, until `close`."""
        worker = asyncio.create_task(self._work())
        try:
            while not self._closed.is_set():
                rest = await self._live_once()
                await self._rest(rest)
        finally:
            self.close()
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker

    def close(self) -> None:
        """Drop the link for good, also while a new try to connect is pending."""
        self._closed.set()
        if self._session is not None:
            self._session.abort()

    async def _live_once(self) -> float:
        """Run one connection from start to loss; return how long to rest before the next."""
        try:
            session = await self._connect()
        except (OSError, PbxError, TimeoutError) as error:
            return self._note_failure(error)
        try:
            if self._closed.is_set():
                return 0.0
            await self._login(session)
            await self._keep(session)
        except PbxError as error:
            return self._note_failure(error)
        finally:
            self._down(session)
        return self._back_off(self._patience.first_rest)

    async def _connect(self) -> Session:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._patience.connect):
            _, session = await loop.create_connection(
                lambda: Session(self._heard, self._wanted), self._where[0], self._where[1]
            )
        return session

    async def _login(self, session: Session) -> None:
        self._session = session
        login = {"Username": self._username, "Secret": self._secret, "Events": "on"}
        try:
            await session.exchange("Login", login, timeout=self._patience.connect)
        except PbxUnreachable:
            raise
        except PbxError:
            raise LoginRefused from None
        self.connected_since, self.trouble, self._said = datetime.now(UTC), "", ""
        log.info("the link to the telephone system is up", extra={"action": "ami.up"})
        self._queue(_Up())

    async def _keep(self, session: Session) -> None:
        """Ping until the connection is lost or a ping goes unanswered."""
        while not session.lost.done():
            await asyncio.wait({session.lost}, timeout=self._patience.ping_every)
            if not session.lost.done():
                await session.exchange("Ping", {}, timeout=self._patience.ping_reply)
                self._failures = 0

    def _down(self, session: Session) -> None:
        session.abort()
        if self.connected:
            log.warning("the link to the telephone system is lost", extra={"action": "ami.down"})
        self._session, self.connected_since = None, None

    def _note_failure(self, error: Exception) -> float:
        self.trouble = str(error) if isinstance(error, PbxError) else type(error).__name__
        if self.trouble != self._said:  # once, not for each of a night's attempts
            self._said = self.trouble
            extra = {"action": "ami.failed", "error": self.trouble}
            log.warning("no link to the telephone system", extra=extra)
        refused = isinstance(error, LoginRefused)
        return self._back_off(self._patience.refused_rest if refused else self._patience.first_rest)

    def _back_off(self, least: float) -> float:
        whole = min(self._patience.longest_rest, least * 2.0**self._failures)
        self._failures = min(self._failures + 1, 16)
        return whole * (0.5 + 0.5 * self._jitter())

    async def _rest(self, seconds: float) -> None:
        nap = asyncio.ensure_future(self._pause(seconds))
        shut = asyncio.ensure_future(self._closed.wait())
        _, waiting = await asyncio.wait({nap, shut}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    # --- hearing ------------------------------------------------------------------------------

    def _heard(self, event: Headers) -> None:
        """Take an event from the protocol: put it into the queue and nothing else."""
        self._queue(event)
        if event.get("Event") == "FullyBooted":
            self._queue(_Up())

    def _queue(self, item: Headers | _Up) -> None:
        try:
            self._events.put_nowait(item)
        except asyncio.QueueFull:
            self._overflowed = True

    async def _work(self) -> None:
        """Hand on what was queued, in order, one at a time."""
        while True:
            item = await self._events.get()
            await self._hand_on(item)
            if self._overflowed and self._events.empty():
                self._overflowed = False
                log.warning("events were lost, comparing anew", extra={"action": "ami.overflow"})
                await self._hand_on(_Up())

    async def _hand_on(self, item: Headers | _Up) -> None:
        if isinstance(item, _Up):
            for on_up in self._on_up:
                await self._guarded(on_up)
        else:
            for on_event in self._on_event:
                await self._guarded(partial(on_event, item))

    async def _guarded(self, call: Callable[[], Awaitable[None]]) -> None:
        try:
            await call()
        except Exception as error:
            # The message could hold a caller's number: name the kind only.
            extra = {"action": "ami.handler_failed", "error": type(error).__name__}
            log.error("a handler of telephone events failed", extra=extra)
