"""A counsellor's softphone with two lines: takes a call, asks a colleague on the other, joins the two.

SIPp plays one dialog at a time and cannot name a second one's tags in a REFER, which an attended
transfer needs (RFC 3891). So much SIP as that takes, and no more; no sound is sent.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from threading import Event, Lock, Thread
from typing import Self
from urllib.parse import quote
from uuid import uuid4

from callcenter.demo.runner import Address, until

_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


@dataclass(kw_only=True)
class Dialog:
    """One call of the phone."""

    call_id: str
    ours: str
    #: The From (or To) header of the other side, with its tag.
    theirs: str
    target: str
    cseq: int = 1
    ended: Event = field(default_factory=Event)

    def replaces(self) -> str:
        """Return what a Refer-To says to mean this call."""
        text = f"{self.call_id};to-tag={_tag(self.theirs)};from-tag={_tag(self.ours)}"
        return quote(text, safe="")


class Softphone:
    """Registers and answers every call at once; with `takes`, so many and no more."""

    def __init__(self, pbx: Address, code: str, password: str, *, takes: int | None = None) -> None:
        self._pbx, self._code, self._password, self._takes = pbx, code, password, takes
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((pbx.host, 0))
        self._sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sound.bind((pbx.host, 0))
        self._port = self._socket.getsockname()[1]
        self._replies: dict[str, str] = {}
        self._ringing: dict[str, str] = {}
        self._lock = Lock()
        self.dialogs: dict[str, Dialog] = {}
        self.sipfrags: list[str] = []
        # A thread that waits on a closed socket would steal from whoever gets its number next.
        self._closing = Event()
        self._socket.settimeout(0.1)
        self._ear = Thread(target=self._listen, daemon=True)
        self._ear.start()

    def register(self) -> Self:
        """Tell the PBX where we are."""
        uri, call_id = f"sip:{self._pbx.host}", uuid4().hex
        self._ask("REGISTER", uri, call_id, self._me(), f"<{uri_of(self._code, self._pbx)}>", body=None)
        return self

    def dial(self, extension: str) -> Dialog:
        """Call somebody and return once they answered."""
        uri, call_id, me = self._uri_of(extension), uuid4().hex, self._me()
        answer, cseq = self._ask("INVITE", uri, call_id, me, f"<{uri}>", body=self._sdp())
        dialog = self._begun(call_id, me, answer, cseq)
        self._send(self._request("ACK", dialog.target, call_id, me, dialog.theirs, cseq))
        return dialog

    def ring(self, extension: str) -> Dialog:
        """Call somebody and return while they ring."""
        uri, call_id, me = self._uri_of(extension), uuid4().hex, self._me()
        self._prove("INVITE", uri, call_id, me, f"<{uri}>", body=self._sdp())
        until(lambda: call_id in self._ringing, 20, what=f"{extension} to ring")
        return self._begun(call_id, me, self._ringing[call_id], 2)

    def answered(self) -> Dialog:
        """Return the call that came in, once one has."""
        until(lambda: bool(self.dialogs), 20, what=f"{self._code} to be rung")
        return next(iter(self.dialogs.values()))

    def hand_over(self, dialog: Dialog, extension: str, joined: Dialog | None = None) -> None:
        """Hand the other side to somebody: blindly, or (attended) to the far end of another call of ours."""
        dialog.cseq += 1
        replaces = f"?Replaces={joined.replaces()}" if joined else ""
        refer_to = f"Refer-To: <sip:{quote(extension, safe='*')}@{self._pbx.host}{replaces}>"
        request = self._request(
            "REFER", dialog.target, dialog.call_id, dialog.ours, dialog.theirs, dialog.cseq, refer_to
        )
        reply = self._reply_to(request, dialog.call_id, dialog.cseq)
        assert " 202 " in reply.split("\r\n")[0], reply.split("\r\n")[0]

    def hang_up(self, dialog: Dialog) -> None:
        """End one call."""
        dialog.cseq += 1
        self._send(
            self._request("BYE", dialog.target, dialog.call_id, dialog.ours, dialog.theirs, dialog.cseq)
        )
        dialog.ended.set()

    def close(self) -> None:
        """Be gone."""
        self._closing.set()
        self._ear.join()
        self._socket.close()
        self._sound.close()

    # --- what goes out ---

    def _ask(
        self, method: str, uri: str, call_id: str, me: str, to: str, *, body: str | None
    ) -> tuple[str, int]:
        """Send a request, prove who we are when asked, and return the 200 and its CSeq."""
        self._prove(method, uri, call_id, me, to, body=body)
        answer = self._reply(call_id, 2, method)
        assert " 200 " in answer.split("\r\n")[0], answer
        return answer, 2

    def _prove(self, method: str, uri: str, call_id: str, me: str, to: str, *, body: str | None) -> None:
        """Send a request, and once more with the proof of who we are."""
        request = self._request(method, uri, call_id, me, to, 1, body=body)
        challenge = self._reply_to(request, call_id, 1)
        assert " 401 " in challenge.split("\r\n")[0], challenge
        if method == "INVITE":
            self._send(self._request("ACK", uri, call_id, me, header(challenge, "To"), 1))
        proof = self._proof(header(challenge, "WWW-Authenticate"), method, uri)
        self._send(self._request(method, uri, call_id, me, to, 2, f"Authorization: {proof}", body=body))

    def _begun(self, call_id: str, me: str, answer: str, cseq: int) -> Dialog:
        target = _uri(header(answer, "Contact"))
        dialog = Dialog(call_id=call_id, ours=me, theirs=header(answer, "To"), target=target, cseq=cseq)
        self.dialogs[call_id] = dialog
        return dialog

    def _uri_of(self, extension: str) -> str:
        return f"sip:{quote(extension, safe='*')}@{self._pbx.host}"

    def _proof(self, challenge: str, method: str, uri: str) -> str:
        told = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.removeprefix("Digest ")))
        one = _md5(f"{self._code}:{told['realm']}:{self._password}")
        two, nonce, cnonce = _md5(f"{method}:{uri}"), told["nonce"], uuid4().hex
        response = _md5(f"{one}:{nonce}:00000001:{cnonce}:auth:{two}")
        return (
            f'Digest username="{self._code}", realm="{told["realm"]}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{cnonce}", '
            f'opaque="{told.get("opaque", "")}"'
        )

    def _request(
        self,
        method: str,
        uri: str,
        call_id: str,
        me: str,
        to: str,
        cseq: int,
        *more: str,
        body: str | None = None,
    ) -> str:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._pbx.host}:{self._port};branch=z9hG4bK{uuid4().hex}",
            f"From: {me}",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self._code}@{self._pbx.host}:{self._port}>",
            "Max-Forwards: 70",
            *more,
        ]
        return _message(lines, body)

    def _reply_to(self, request: str, call_id: str, cseq: int) -> str:
        self._send(request)
        return self._reply(call_id, cseq, request.split(" ")[0])

    def _reply(self, call_id: str, cseq: int, method: str) -> str:
        key = f"{call_id}/{cseq}"
        until(lambda: key in self._replies, 20, what=f"an answer to {method}")
        return self._replies[key]

    def _send(self, text: str) -> None:
        with self._lock:
            self._socket.sendto(text.encode(), (self._pbx.host, self._pbx.port))

    def _me(self) -> str:
        return f"<{uri_of(self._code, self._pbx)}>;tag={uuid4().hex[:12]}"

    def _sdp(self) -> str:
        return _SDP.format(host=self._pbx.host, port=self._sound.getsockname()[1])

    # --- what comes in ---

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                text = self._socket.recv(65535).decode()
            except TimeoutError:
                continue
            if text.startswith("SIP/2.0"):
                status, (cseq, _) = int(text[8:11]), header(text, "CSeq").split()
                if status == 180:
                    self._ringing[header(text, "Call-ID")] = text
                if status >= 200:
                    self._replies.setdefault(f"{header(text, 'Call-ID')}/{cseq}", text)
            else:
                answer: Callable[[str], None] = getattr(self, f"_on_{text.split(' ')[0].lower()}", self._ok)
                answer(text)

    def _on_invite(self, request: str) -> None:
        call_id, to = header(request, "Call-ID"), header(request, "To")
        known = self.dialogs.get(call_id)
        ours = known.ours if known else f"{to};tag={uuid4().hex[:12]}"
        if known is None and self._takes is not None and len(self.dialogs) >= self._takes:
            self._answer(request, ours, status="486 Busy Here")
            return
        self._answer(request, ours, self._sdp())
        if known is None:
            self.dialogs[call_id] = Dialog(
                call_id=call_id,
                ours=ours,
                theirs=header(request, "From"),
                target=_uri(header(request, "Contact")),
            )

    def _on_ack(self, _request: str) -> None:
        """Nobody answers an ACK."""

    def _on_bye(self, request: str) -> None:
        self._answer(request, header(request, "To"))
        dialog = self.dialogs.get(header(request, "Call-ID"))
        if dialog is not None:
            dialog.ended.set()

    def _on_notify(self, request: str) -> None:
        self.sipfrags.append(request.partition("\r\n\r\n")[2].strip())
        self._answer(request, header(request, "To"))

    def _ok(self, request: str) -> None:
        self._answer(request, header(request, "To"))

    def _answer(self, request: str, to: str, body: str | None = None, *, status: str = "200 OK") -> None:
        vias = [line for line in request.split("\r\n") if line.lower().startswith("via:")]
        same = [f"{name}: {header(request, name)}" for name in ("From", "Call-ID", "CSeq")]
        contact = f"Contact: <sip:{self._code}@{self._pbx.host}:{self._port}>"
        self._send(_message([f"SIP/2.0 {status}", *vias, *same, f"To: {to}", contact], body))


def uri_of(code: str, pbx: Address) -> str:
    """Return a phone's address at the PBX."""
    return f"sip:{code}@{pbx.host}"


def _message(lines: list[str], body: str | None) -> str:
    kind = ["Content-Type: application/sdp"] if body else []
    head = [*lines, *kind, f"Content-Length: {len(body or '')}"]
    return "\r\n".join(head) + "\r\n\r\n" + (body or "")


def header(message: str, name: str) -> str:
    """Return the value of a header; fail where there is none."""
    found = re.search(rf"^{name}:[ \t]*(.*)\r$", message, re.MULTILINE | re.IGNORECASE)
    assert found is not None, f"{name} is missing in {message.splitlines()[0]}"
    return found[1]


def _uri(contact: str) -> str:
    return contact.partition("<")[2].partition(">")[0]


def _tag(header: str) -> str:
    return header.partition(";tag=")[2].partition(";")[0]


def _md5(text: str) -> str:
    return md5(text.encode()).hexdigest()  # noqa: S324 - SIP digest (RFC 2617) is MD5
