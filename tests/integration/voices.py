"""People who can be told apart by ear: each hums a note of their own, and remembers what they heard.

SIPp plays sound but does not listen. This is one SIP call at a time, in as few words as that takes, with
a telephone's sound (RFC 3550, PCMA) both ways and keys (RFC 4733).
"""

from __future__ import annotations

import math
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass
from hashlib import md5
from typing import Self
from uuid import uuid4

from callcenter.demo.runner import Address, until

RATE, FRAME = 8000, 160
#: Louder than this (of 1.0) a note is there; what a telephone adds by itself stays far below.
AUDIBLE = 0.02
LOUD = 0.25
_KEYS = "0123456789*#"


def alaw(sample: float) -> int:
    """Return the A-law byte of a sample in -1..1 (ITU-T G.711)."""
    value = int(abs(sample) * 4095)
    segment = max(0, value.bit_length() - 5)
    step = value >> (segment if segment > 1 else 1) & 0x0F
    return (segment << 4 | step | (0x80 if sample >= 0 else 0)) ^ 0x55


def linear(byte: int) -> float:
    """Return the sample of an A-law byte."""
    byte ^= 0x55
    segment, step = (byte >> 4) & 7, byte & 0x0F
    value = (2 * step + 1) if segment == 0 else (2 * step + 33) << (segment - 1)
    return (value if byte & 0x80 else -value) / 4095


LINEAR = [linear(byte) for byte in range(256)]


def level(samples: list[float], note: float) -> float:
    """Return how loud a note is in the samples (0..1), by Goertzel's way."""
    if not samples:
        return 0.0
    turn = 2 * math.pi * note / RATE
    real = sum(s * math.cos(turn * n) for n, s in enumerate(samples))
    imaginary = sum(s * math.sin(turn * n) for n, s in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


@dataclass(kw_only=True)
class _Call:
    id: str
    ours: str
    theirs: str
    target: str


class Voice:
    """Somebody at a telephone: registers (with a password), answers whoever rings `number`, or dials."""

    def __init__(
        self, pbx: Address, at: Address, name: str, *, note: float, password: str = "", number: str = ""
    ) -> None:
        self._number = number
        self._pbx, self._name, self._password, self.note = pbx, name, password, note
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind((at.host, at.port))
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind((at.host, 0))
        self._host, self._port = self._sip.getsockname()
        self._call: _Call | None = None
        self._ended = threading.Event()
        self._replies: dict[str, str] = {}
        self._sound_to: tuple[str, int] | None = None
        self._heard: list[tuple[float, bytes]] = []
        self._keys: list[str] = []
        self._open = True
        self._threads = [threading.Thread(target=work) for work in (self._listen, self._hear, self._hum)]
        for wire in (self._sip, self._rtp):
            wire.settimeout(0.1)
        for thread in self._threads:
            thread.start()

    # --- what a person does ---

    def register(self) -> Self:
        """Tell the PBX where this phone is."""
        self._ask("REGISTER", f"sip:{self._pbx.host}", uuid4().hex)
        return self

    def dial(self, number: str) -> Self:
        """Call, and return once it was answered."""
        uri, call_id = f"sip:{number}@{self._pbx.host}:{self._pbx.port}", uuid4().hex
        me, answer, cseq = self._ask("INVITE", uri, call_id, body=self._sdp())
        self._call = _Call(id=call_id, ours=me, theirs=_header(answer, "To"), target=_uri(answer))
        self._sound_to = _sound(answer)
        self._send(self._request("ACK", self._call.target, call_id, me, self._call.theirs, cseq))
        return self

    def press(self, keys: str) -> None:
        """Press keys, a quarter of a second each."""
        self._keys += keys
        until(lambda: not self._keys, 10, what="the keys to be pressed")

    def hang_up(self) -> None:
        """End the call."""
        call = self._call
        assert call is not None
        self._send(self._request("BYE", call.target, call.id, call.ours, call.theirs, 90))
        self._ended.set()

    def hand_on(self, number: str) -> None:
        """Hand whoever is in the call to a number, and be rid of them (REFER)."""
        call = self._call
        assert call is not None
        to = f"Refer-To: <sip:{number.replace('*', '%2A')}@{self._pbx.host}>"
        self._send(self._request("REFER", call.target, call.id, call.ours, call.theirs, 50, to))

    @property
    def is_up(self) -> bool:
        """Tell whether a call is up that has not ended."""
        return self._call is not None and not self._ended.is_set()

    def until_up(self) -> None:
        """Wait until somebody rang and was answered."""
        until(lambda: self.is_up, 20, what=f"{self._name} to be in a call")

    def until_ended(self) -> None:
        """Wait for the other side to hang up."""
        until(self._ended.is_set, 20, what=f"the call of {self._name} to end")

    def hears(self, other: Voice) -> bool:
        """Tell whether the other's note was in the last fifth of a second of sound, and that is fresh."""
        return self.loudness(other.note) > AUDIBLE

    def loudness(self, note: float) -> float:
        """Return how loud a note is just now; of a silence nothing arrives."""
        since = time.monotonic() - 0.4
        fresh = b"".join(sound for at, sound in list(self._heard) if at >= since)
        return level([LINEAR[byte] for byte in fresh[-1600:]], note)

    def ever_heard(self, note: float, since: float) -> bool:
        """Tell whether a note was there in any fifth of a second since (`time.monotonic`)."""
        sound = b"".join(sound for at, sound in list(self._heard) if at >= since)
        pieces = (sound[start : start + 1600] for start in range(0, len(sound), 1600))
        return any(level([LINEAR[byte] for byte in piece], note) > AUDIBLE for piece in pieces)

    def close(self) -> None:
        """Be gone."""
        self._open = False
        for thread in self._threads:
            thread.join()
        self._sip.close()
        self._rtp.close()

    # --- sound ---

    def _hum(self) -> None:
        """Send a frame each 20 ms: the note, or a key that is being pressed."""
        sequence = 0
        due = time.monotonic()
        while self._open:
            due += FRAME / RATE
            time.sleep(max(0.0, due - time.monotonic()))  # the pace of sound, not a wait for anything
            if self._sound_to is None or self._ended.is_set():
                continue
            if self._keys:
                sequence = self._press(self._keys[0], sequence)
                del self._keys[0]
                due = time.monotonic()
            times = range(sequence * FRAME, (sequence + 1) * FRAME)
            frame = bytes(alaw(LOUD * math.sin(2 * math.pi * self.note * n / RATE)) for n in times)
            self._emit(8, sequence, sequence * FRAME, frame)
            sequence += 1

    def _press(self, key: str, sequence: int) -> int:
        stamp = sequence * FRAME
        for number in range(8):
            ends = number >= 5
            event = struct.pack(">BBH", _KEYS.index(key), (0x80 if ends else 0) | 10, FRAME * (number + 1))
            self._emit(101 | (0x80 if number == 0 else 0), sequence + number, stamp, event)
            time.sleep(FRAME / RATE)
        time.sleep(0.1)
        return sequence + 14

    def _emit(self, kind: int, sequence: int, stamp: int, payload: bytes) -> None:
        head = struct.pack(">BBHII", 0x80, kind, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 0x5A5A0001)
        if self._sound_to is not None:
            self._rtp.sendto(head + payload, self._sound_to)

    def _hear(self) -> None:
        while self._open:
            try:
                packet = self._rtp.recv(2048)
            except TimeoutError:
                continue
            if len(packet) > 12 and packet[1] & 0x7F == 8:
                self._heard.append((time.monotonic(), packet[12:]))

    # --- signalling ---

    def _ask(self, method: str, uri: str, call_id: str, body: str = "") -> tuple[str, str, int]:
        """Send a request, prove who we are if asked, and return our side, the 200 and its CSeq."""
        me = f"<sip:{self._name}@{self._pbx.host}>;tag={uuid4().hex[:12]}"
        to = f"<{uri}>" if method == "INVITE" else f"<sip:{self._name}@{self._pbx.host}>"
        request, cseq = self._request(method, uri, call_id, me, to, 1, body=body), 1
        answer = self._reply_to(request, call_id, 1)
        if " 401 " in answer.splitlines()[0]:
            if method == "INVITE":
                self._send(self._request("ACK", uri, call_id, me, _header(answer, "To"), 1))
            cseq, proof = 2, self._proof(_header(answer, "WWW-Authenticate"), method, uri)
            again = self._request(method, uri, call_id, me, to, 2, f"Authorization: {proof}", body=body)
            answer = self._reply_to(again, call_id, 2)
        assert " 200 " in answer.splitlines()[0], answer
        return me, answer, cseq

    def _proof(self, challenge: str, method: str, uri: str) -> str:
        told = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.removeprefix("Digest ")))
        one, two = _md5(f"{self._name}:{told['realm']}:{self._password}"), _md5(f"{method}:{uri}")
        response = _md5(f"{one}:{told['nonce']}:00000001:aa:auth:{two}")
        return (
            f'Digest username="{self._name}", realm="{told["realm"]}", nonce="{told["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="aa", '
            f'opaque="{told.get("opaque", "")}"'
        )

    def _request(
        self, method: str, uri: str, call_id: str, me: str, to: str, cseq: int, *more: str, body: str = ""
    ) -> str:
        return _message(
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._host}:{self._port};branch=z9hG4bK{uuid4().hex}",
            f"From: {me}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self._name}@{self._host}:{self._port}>",
            "Max-Forwards: 70",
            *more,
            body=body,
        )

    def _sdp(self) -> str:
        return (
            f"v=0\r\no=- 1 1 IN IP4 {self._host}\r\ns=-\r\nc=IN IP4 {self._host}\r\nt=0 0\r\n"
            f"m=audio {self._rtp.getsockname()[1]} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
            "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        )

    def _reply_to(self, request: str, call_id: str, cseq: int) -> str:
        key = f"{call_id}/{cseq}"
        self._send(request)
        until(lambda: key in self._replies, 20, what=f"an answer to {request.split(' ')[0]}")
        return self._replies[key]

    def _send(self, text: str) -> None:
        self._sip.sendto(text.encode(), (self._pbx.host, self._pbx.port))

    def _listen(self) -> None:
        while self._open:
            try:
                text = self._sip.recv(65535).decode()
            except TimeoutError:
                continue
            if text.startswith("SIP/2.0"):
                if int(text[8:11]) >= 200:
                    cseq = _header(text, "CSeq").split()[0]
                    self._replies.setdefault(f"{_header(text, 'Call-ID')}/{cseq}", text)
            elif text.startswith("INVITE"):
                self._take(text)
            elif not text.startswith("ACK"):
                self._answer(text, _header(text, "To"))
                if text.startswith("BYE") and self._call and _header(text, "Call-ID") == self._call.id:
                    self._ended.set()

    def _take(self, invite: str) -> None:
        call_id = _header(invite, "Call-ID")
        if self._number not in invite.splitlines()[0]:
            self._answer(invite, f"{_header(invite, 'To')};tag=busy", status="486 Busy Here")
            return
        if self._call is None or self._call.id != call_id:
            ours = f"{_header(invite, 'To')};tag={uuid4().hex[:12]}"
            theirs = _header(invite, "From")
            self._call = _Call(id=call_id, ours=ours, theirs=theirs, target=_uri(invite))
            self._ended.clear()
        self._sound_to = _sound(invite)
        self._answer(invite, self._call.ours, self._sdp())

    def _answer(self, request: str, to: str, body: str = "", status: str = "200 OK") -> None:
        vias = [line for line in request.split("\r\n") if line.lower().startswith("via:")]
        same = [f"{name}: {_header(request, name)}" for name in ("From", "Call-ID", "CSeq")]
        contact = f"Contact: <sip:{self._name}@{self._host}:{self._port}>"
        self._send(_message(f"SIP/2.0 {status}", *vias, *same, f"To: {to}", contact, body=body))


def _message(*lines: str, body: str) -> str:
    kind = ["Content-Type: application/sdp"] if body else []
    return "\r\n".join([*lines, *kind, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body


def _header(message: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*)\r$", message, re.MULTILINE | re.IGNORECASE)
    assert found is not None, f"{name} is missing in {message.splitlines()[0]}"
    return found[1]


def _uri(message: str) -> str:
    return _header(message, "Contact").partition("<")[2].partition(">")[0]


def _sound(message: str) -> tuple[str, int]:
    host = re.search(r"^c=IN IP4 (\S+)\r?$", message, re.MULTILINE)
    port = re.search(r"^m=audio (\d+) ", message, re.MULTILINE)
    assert host is not None
    assert port is not None
    return host[1], int(port[1])


def _md5(text: str) -> str:
    return md5(text.encode()).hexdigest()  # noqa: S324 - SIP digest is MD5
