"""A wire tap between our Python and Asterisk's manager port: it strikes at one exact moment, or breaks.

Our process is what a site runs; only its manager port leads here. The tap passes everything on, keeps
what was said, and on the first order to dial an attempt does the armed act at the armed moment. It can
also become a bad wire: cut, deaf, mute or stalled, until it is whole again.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from threading import Event, Lock, Thread

_ATTEMPT = re.compile(rb"^channelid: (at-[0-9a-f]+)\r?$", re.IGNORECASE | re.MULTILINE)
_ACTION_ID = re.compile(rb"^actionid: (.+?)\r?$", re.IGNORECASE | re.MULTILINE)
_END = b"\r\n\r\n"


class Moment(Enum):
    """When to strike, seen from an attempt's order to dial."""

    #: The attempt is written down and Asterisk has not heard of it: the order is lost with us.
    WRITTEN = "written"
    #: Asterisk has the order; its answer never reaches us.
    ORDERED = "ordered"
    #: The answer has reached us.
    ANSWERED = "answered"


class Wire(Enum):
    """What becomes of what is said."""

    WHOLE = "whole"
    #: Every connection is gone and none is let in.
    CUT = "cut"
    #: Half open: what Asterisk says is lost without a word, what we say arrives.
    DEAF = "deaf"
    #: Half open the other way: what we say is lost.
    MUTE = "mute"
    #: Nothing gets through, either way, and nothing is lost: it arrives once the wire is whole.
    STALLED = "stalled"


class AmiTap:
    """Listens on a port of its own and leads to Asterisk's."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = Lock()
        self._armed: tuple[Moment, Callable[[], None]] | None = None
        self._awaited = b""
        self._open: set[socket.socket] = set()
        self._wire = Wire.WHOLE
        self._flows = Event()
        self._flows.set()
        #: Connections of which something was lost: TCP does not go on behind a gap.
        self._torn: set[socket.socket] = set()
        #: How many pieces the wire has swallowed or held back so far.
        self.harmed = 0
        #: Ids of the attempts whose order passed here, those included that an armed act let get lost.
        self.ordered: list[str] = []
        #: Everything Asterisk said.
        self.heard = bytearray()
        self.struck = Event()

    def start(self) -> None:
        """Begin to listen."""
        Thread(target=self._listen, daemon=True, name="ami-tap").start()

    def arm(self, moment: Moment, act: Callable[[], None]) -> None:
        """Do `act` once, at this moment of the next attempt; `struck` is set when it is done."""
        with self._lock:
            self.struck.clear()
            self._awaited = b""
            self._armed = moment, act

    def disarm(self) -> None:
        """Forget an act whose moment has not come."""
        with self._lock:
            self._armed, self._awaited = None, b""

    def until_struck(self, seconds: float = 60) -> None:
        """Wait until the armed act is done."""
        if not self.struck.wait(seconds):
            raise TimeoutError(f"No attempt was ordered within {seconds:g} s.")

    def sever(self) -> None:
        """Cut every connection that leads through here; new ones are let in."""
        self._shut(list(self._open))

    def become(self, wire: Wire) -> None:
        """Be such a wire from now on. A connection that has lost something breaks when it could go on."""
        self._wire = wire
        if wire is Wire.STALLED:
            self._flows.clear()
        else:
            self._flows.set()
        if wire is Wire.CUT:
            self.sever()
        if wire is Wire.WHOLE:
            self._shut([end for end in list(self._torn) if end in self._open])
            self._torn.clear()

    @staticmethod
    def _shut(ends: list[socket.socket]) -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no more."""
        self._flows.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.sever()

    def _listen(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            if self._wire is Wire.CUT:
                ours.close()
                continue
            try:
                theirs = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:  # Asterisk is down: so is this port, as far as anybody can tell
                ours.close()
                continue
            theirs.settimeout(None)
            self._open |= {ours, theirs}
            Thread(target=self._pump, args=(ours, theirs, self._orders, Wire.MUTE), daemon=True).start()
            Thread(target=self._pump, args=(theirs, ours, self._answers, Wire.DEAF), daemon=True).start()

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        pass_on: Callable[[bytes, socket.socket], bytes],
        lost_when: Wire,
    ) -> None:
        """Hand on whole messages, one by one, until either end closes."""
        rest = b""
        with suppress(OSError):
            while data := source.recv(65536):
                if self._wire is lost_when:
                    self._torn |= {source, sink}
                    self.harmed += 1
                    continue
                if self._wire is Wire.STALLED:
                    self.harmed += 1
                    self._flows.wait()
                rest = pass_on(rest + data, sink)
        self._flows.wait()  # not even an end gets through
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._open.discard(end)

    def _orders(self, data: bytes, asterisk: socket.socket) -> bytes:
        *messages, rest = data.split(_END)
        for message in messages:
            found = _ATTEMPT.search(message)
            if found is None:
                asterisk.sendall(message + _END)
                continue
            self.ordered.append(found[1].decode())
            if self._strikes(Moment.WRITTEN):
                continue
            self._await_answer(message)
            asterisk.sendall(message + _END)
            self._strikes(Moment.ORDERED)
        return rest

    def _answers(self, data: bytes, ours: socket.socket) -> bytes:
        self.heard += data
        ours.sendall(data)
        if self._awaited and self._awaited in self.heard:
            self._strikes(Moment.ANSWERED)
        return b""

    def _await_answer(self, order: bytes) -> None:
        named = _ACTION_ID.search(order)
        if self._armed is not None and self._armed[0] is Moment.ANSWERED and named is not None:
            self._awaited = named[1]

    def _strikes(self, moment: Moment) -> bool:
        with self._lock:
            if self._armed is None or self._armed[0] is not moment:
                return False
            act, self._armed, self._awaited = self._armed[1], None, b""
        act()
        self.struck.set()
        return True
