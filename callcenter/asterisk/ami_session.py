"""One AMI connection: panoramisk's protocol with its faults fenced (panoramisk 1.4).

Used of panoramisk: the protocol class, `Action` (writing, completion of lists), `Message` (reading).
Not used: its `Manager`, whose reconnect repeats an Originate, forgets futures and cannot be closed.
Each fence has a contract test in `tests/contract/test_ami_*.py`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Mapping

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from callcenter.asterisk import wire
from callcenter.errors import PbxError, PbxUnreachable

log = logging.getLogger(__name__)

Fields = Mapping[str, wire.Value]
Headers = dict[str, str]

_GREETING = b"Asterisk Call Manager/"
#: A message is a few kilobytes; a megabyte without an end is no AMI.
_LONGEST = 1 << 20
#: A number in Asterisk's refusal could be somebody's telephone.
_MANY_DIGITS = re.compile(r"\d{5,}")


class Unanswered(PbxUnreachable):
    """The action was sent and no answer came: it may have been done."""


def new_action_id() -> str:
    """Return an id nobody can guess, so that no hostile caller's name can forge an answer."""
    return secrets.token_hex(12)


class Session(AMIProtocol):  # type: ignore[misc]
    """One connection from connect to loss. `lost` is done once it is over."""

    def __init__(self, on_event: Callable[[Headers], None], wanted: frozenset[str] | None = None) -> None:
        self._on_event = on_event
        self._wanted = None if wanted is None else frozenset(name.encode() for name in wanted)
        self._buffer = b""
        self._greeted = False
        self._lists = 0
        self._pending: dict[str, Action] = {}
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- asking -------------------------------------------------------------------------------

    async def exchange(
        self,
        action: str,
        fields: Fields,
        *,
        timeout: float,  # noqa: ASYNC109 - becomes asyncio.timeout below
        as_list: bool = False,
        action_id: str | None = None,
    ) -> list[Message]:
        """Send one action and return its answer, and for lists its items.

        Raise `Unanswered` when no answer came (the action may have been done), `PbxUnreachable` when it
        was not even sent, `PbxError` when Asterisk refused.
        """
        asked = self._action(action, fields, as_list, action_id or new_action_id())
        if self.closed or self.lost.done():
            raise PbxUnreachable(f"{action}: the connection is lost")
        self._pending[asked.id] = asked
        self._lists += as_list
        try:
            self.transport.write(str(asked).encode())
            async with asyncio.timeout(timeout):
                answer = await asked.future
        except TimeoutError:
            raise Unanswered(f"{action}: no answer within {timeout:g} s") from None
        finally:
            self._lists -= as_list
            self._pending.pop(asked.id, None)
        return _accepted(action, answer)

    def _action(self, action: str, fields: Fields, as_list: bool, action_id: str) -> Action:
        if action.lower() == "originate" and str(fields.get("Async", "")).lower() != "true":
            # A synchronous Originate blocks the whole session, and kills panoramisk's (KeyError 'async').
            raise wire.Unsendable("Originate must be sent with Async: true")
        headers = wire.headers(action, fields)
        # as_list must be said: left to itself panoramisk takes "Added interface to queue" for the start
        # of a list and waits for ever. `None` for lists, because with True a refusal never resolves.
        return Action({**headers, "ActionID": action_id}, as_list=None if as_list else False)

    # --- hearing ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Cut bytes into messages. A character split over two segments stays whole: we decode late."""
        self._buffer += data
        if not self._greeted and not self._greet():
            return
        *blocks, self._buffer = self._buffer.split(b"\r\n\r\n")
        for block in blocks:
            self._hear(block)
        if len(self._buffer) > _LONGEST:
            log.error("a message without end came from AMI", extra={"action": "ami.overlong"})
            self.abort()

    def _greet(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not _GREETING.startswith(line[: len(_GREETING)]):
            log.error("the other side does not speak AMI", extra={"action": "ami.not_ami"})
            self.abort()
        elif end:
            self._greeted, self._buffer = True, rest
            self.version = line[len(_GREETING) :].decode("ascii", "replace")
        return self._greeted

    def _hear(self, block: bytes) -> None:
        """Read one message. Nothing that goes wrong here may close the connection or lose the next one."""
        if self._is_noise(block):
            return
        try:
            message = Message.from_line(block.decode("utf-8", "replace").strip())
            if message is not None:
                self.handle_message(message)
        except Exception as error:
            log.error(
                "an AMI message was dropped",
                extra={"action": "ami.dropped", "error": type(error).__name__},
            )

    def _is_noise(self, block: bytes) -> bool:
        if self._wanted is None or self._lists or not block.startswith(b"Event: "):
            return False
        return block[7:].partition(b"\r\n")[0] not in self._wanted

    def handle_message(self, message: Message) -> None:
        """Give an answer to who asked, everything else to the event queue.

        Only a list takes events as its items: an OriginateResponse carries its action's id as well.
        """
        asked = self._pending.get(message.action_id or "")
        if "event" in message:
            if asked is None or asked.as_list is False or not asked.responses:
                self._on_event(plain(message))
                return
        if asked is not None:
            self._answer(asked, message)

    def _answer(self, asked: Action, message: Message) -> None:
        try:
            asked.add_message(message)
        except Exception as error:
            if not asked.future.done():
                asked.future.set_exception(PbxError(f"{asked.action}: an answer we cannot read"))
            log.error(
                "an AMI answer was unreadable",
                extra={"action": "ami.bad_answer", "error": type(error).__name__},
            )

    # --- ending -------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever still waits. Nothing is ever sent again: an Originate sent twice is two calls."""
        self.closed = True
        for asked in self._pending.values():
            if not asked.future.done():
                asked.future.set_exception(Unanswered(f"{asked.action}: the connection was lost"))
        if not self.lost.done():
            self.lost.set_result(None)

    def abort(self) -> None:
        """Drop the connection at once; a hung peer would never finish a polite close."""
        self.closed = True
        self.transport.abort()

    def close(self) -> None:
        """Close as `abort` does."""
        self.abort()


def plain(message: Message) -> Headers:
    """Return the headers as a plain dict; of a header given twice the first counts, as in Asterisk."""
    return {key: value[0] if isinstance(value, list) else value for key, value in message.items()}


def _accepted(action: str, answer: Message | list[Message]) -> list[Message]:
    messages = answer if isinstance(answer, list) else [answer]
    first = messages[0]
    if not first.success:
        raise PbxError(f"{action}: {_MANY_DIGITS.sub('…', first.message) or 'refused'}")
    return messages
