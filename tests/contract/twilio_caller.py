"""A caller at Twilio and our webhooks behind a real HTTP server.

`Caller` does with TwiML what Twilio does, as far as its documentation goes: keys count inside a Gather
only and end what is played there, keys that one Gather does not take go to the next, a Gather without
a key falls through to the Redirect behind it, Enqueue plays its waitUrl round and round, Leave leads to
the queue's action, a Number's url is run on the callee's side, and whoever hangs up is told of by the
status callback.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from twilio.request_validator import RequestValidator

from callcenter.errors import NotFound
from callcenter.twilio.account import Account
from callcenter.twilio.answers import Answer, Line, answer
from callcenter.twilio.webhook import Forged, Hook
from ivr.acts import Answered, Capped, EarlyKey, Effect, Event, Failed, HungUp, Key, Silence

#: What may stand in a waitUrl's document (Twilio, <Enqueue>).
WAITING = {"Play", "Say", "Pause", "Hangup", "Redirect", "Leave", "Gather"}
_SIDS = count(1)


class Service:
    """Our webhooks on a loopback port. `line` may be changed between calls."""

    def __init__(self, line: Line) -> None:
        self.line = line
        #: Every answer given, oldest first.
        self.answers: list[Answer] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, page = service.answer(Hook(target=self.path, body=body, headers=dict(self.headers)))
                self.send_response(status)
                self.send_header("Content-Type", "text/xml; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def answer(self, hook: Hook) -> tuple[int, bytes]:
        """Return status and page for one request, as any web server around `answer` would."""
        try:
            found = answer(self.line, hook)
        except Forged as error:
            return 403, str(error).encode()
        except NotFound as error:
            return 404, str(error).encode()
        except Exception as error:  # the caller shows it; a web server would answer 500 as well
            return 500, repr(error).encode()
        self.answers.append(found)
        return 200, found.twiml.encode()

    def __enter__(self) -> Service:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Wire:
    """Twilio's side of HTTP: signed POSTs over one kept connection."""

    def __init__(self, account: Account, port: int) -> None:
        self._account = account
        self._validator = RequestValidator(account.token)
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, url: str, form: dict[str, str]) -> tuple[int, str]:
        """Send one signed form to an address of ours; return status and page."""
        form = {"AccountSid": self._account.sid, **form}
        signature = self._validator.compute_signature(url, form)
        return self.send(
            url.removeprefix(self._account.public_url), urlencode(form), {"X-Twilio-Signature": signature}
        )

    def send(self, target: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        """Send any body at all."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        self._http.request("POST", target, body.encode(), headers)
        response = self._http.getresponse()
        return response.status, response.read().decode()

    def close(self) -> None:
        """Hang up the wire."""
        self._http.close()


class Caller:
    """One call. `meets` lets one event happen; what is impossible where the call is does not happen."""

    def __init__(
        self, service: Service, wire: Wire, flow: str, *, cap: int = 100_000, number: str = "+8613800001234"
    ) -> None:
        self._service = service
        self._wire = wire
        self._cap = cap
        self._number = number
        self._base = f"{service.line.account.public_url}/twilio"
        self._first = len(service.answers)
        self.sid = f"CA{next(_SIDS):032x}"
        self.pages: list[str] = []
        self.over = False
        self._typed = ""
        #: Nothing has happened yet but early keys.
        self._is_young = True
        self._waits: list[ElementTree.Element] = []
        self._verbs: list[ElementTree.Element] = []
        self._load(self._post(f"{self._base}/begin/{flow}?call=at-1", CallStatus="in-progress"))

    # --- what a test looks at ---

    @property
    def answers(self) -> list[Answer]:
        """Return the answers this call was given."""
        return [one for one in self._service.answers[self._first :] if one.sid == self.sid]

    @property
    def effects(self) -> list[Effect]:
        """Return everything this call's steps did, each once, as a web server keeps it."""
        kept = {one.turn: one.effects for one in self.answers if one.turn}
        return [effect for turn in sorted(kept) for effect in kept[turn]]

    @property
    def sounds(self) -> set[str]:
        """Return set and id of every prompt Twilio was told to play."""
        plays = (verb for page in self.pages for verb in _parsed(page).iter("Play"))
        return {(verb.text or "").partition("/prompts/")[2] for verb in plays}

    # --- what happens ---

    def lives(self, events: Iterable[Event]) -> None:
        """Let events happen one after the other, until the call is over."""
        for event in events:
            if self.over:
                break
            self.meets(event)

    def meets(self, event: Event) -> None:
        """Let one event happen."""
        if isinstance(event, EarlyKey):
            if not self._is_young or self._verbs[0].tag == "Pause":
                return  # nothing listens
            event = Key(event.key)
        elif self._is_young:
            self._is_young = False
            self._settle()
        verb = self._verbs[0]
        {"Gather": self._gather, "Enqueue": self._enqueue, "Dial": self._dial, "Record": self._record}[
            verb.tag
        ](verb, event)

    # --- one verb each ---

    def _gather(self, verb: ElementTree.Element, event: Event) -> None:
        finish, most = verb.get("finishOnKey", "#"), int(verb.get("numDigits", "1000"))
        match event:
            case Key(key) if key == finish:
                self._submit(verb, finish)
            case Key(key):
                self._typed += key
                if len(self._typed) == most:
                    self._submit(verb, "")
            case Silence():
                # Cut short after `*`, the caller has heard nothing new and is silent still.
                silent_still = self._typed.endswith("*")
                self._submit(verb, "")
                if silent_still and not self.over:
                    self.meets(event)
            case HungUp():
                self._end()

    def _submit(self, verb: ElementTree.Element, finished_on: str) -> None:
        typed, self._typed = self._typed, ""
        if not typed and verb.get("actionOnEmptyResult") != "true":
            self._verbs.pop(0)  # falls through
            self._settle()
            return
        self._load(self._post(verb.attrib["action"], Digits=typed, FinishedOnKey=finished_on))

    def _enqueue(self, verb: ElementTree.Element, event: Event) -> None:
        match event:
            case Key(key) if self._waits and self._waits[0].tag == "Gather":
                self._waiting(self._post(self._waits[0].attrib["action"], Digits=key, FinishedOnKey=""))
            case Silence():
                self._wait(verb, 20)
            case Capped():
                self._wait(verb, self._cap)
            case Answered():
                self._leave(verb, "bridged")
            case Failed():
                self._leave(verb, "queue-full")
            case HungUp():
                self._post(verb.attrib["action"], QueueResult="hangup", QueueTime="9", CallStatus="completed")
                self._end()

    def _wait(self, verb: ElementTree.Element, seconds: int) -> None:
        form = {"QueueTime": str(seconds), "QueuePosition": "1", "CurrentQueueSize": "1"}
        self._waiting(self._post(verb.attrib["waitUrl"], **form), seconds)

    def _waiting(self, page: str, seconds: int = 20) -> None:
        self._waits = list(_parsed(page))
        tags = [verb.tag for verb in self._waits]
        assert set(tags) <= WAITING, tags
        verb = self._verbs[0]
        if tags[0] == "Leave":
            self._leave(verb, "leave", seconds)
        elif tags[0] == "Redirect":
            self._waiting(self._post(self._waits[0].text or "", QueueTime=str(seconds)), seconds)

    def _leave(self, verb: ElementTree.Element, result: str, seconds: int = 20) -> None:
        self._load(self._post(verb.attrib["action"], QueueResult=result, QueueTime=str(seconds)))

    def _dial(self, verb: ElementTree.Element, event: Event) -> None:
        match event:
            case Answered() | Failed():
                bridged = self._ring(list(verb), taken=isinstance(event, Answered))
                status = "completed" if bridged or "url" in verb[0].attrib else "no-answer"
                told = {"DialCallStatus": status, "DialBridged": str(bridged).lower()}
                self._load(self._post(verb.attrib["action"], **told))
            case HungUp():
                self._post(
                    verb.attrib["action"],
                    DialCallStatus="canceled",
                    DialBridged="false",
                    CallStatus="completed",
                )
                self._end()

    def _ring(self, numbers: list[ElementTree.Element], *, taken: bool) -> bool:
        """Ring one after the other: all but the last are voicemail boxes, the last is somebody or none."""
        for number in numbers[:-1]:
            assert not self._accepts(number, presses=False)
        return self._accepts(numbers[-1], presses=True) if taken else False

    def _accepts(self, number: ElementTree.Element, *, presses: bool) -> bool:
        if "url" not in number.attrib:
            return presses
        leg = {"CallSid": f"CA{next(_SIDS):032x}", "ParentCallSid": self.sid}
        gather, hangup = _parsed(self._post(number.attrib["url"], **leg))
        assert (gather.tag, hangup.tag) == ("Gather", "Hangup")
        if not presses:
            return False
        return not list(_parsed(self._post(gather.attrib["action"], **leg, Digits="1")))

    def _record(self, verb: ElementTree.Element, event: Event) -> None:
        made = {"RecordingSid": "RE" + "a" * 32, "RecordingUrl": "https://api.twilio.com/r", "Digits": ""}
        match event:
            case Key(key) if key in verb.get("finishOnKey", "1234567890*#"):
                self._load(self._post(verb.attrib["action"], **made | {"Digits": key}))
            case Silence():
                self._load(self._post(verb.attrib["action"], **made))
            case HungUp():
                self._post(verb.attrib["action"], **made | {"Digits": "hangup"}, CallStatus="completed")
                self._end()

    # --- pages ---

    def _load(self, page: str) -> None:
        self._verbs = list(_parsed(page))
        self._typed = ""
        if not self._is_young:
            self._settle()

    def _settle(self) -> None:
        """Go on to the verb at which the call waits. Keys during a Play or Pause of its own are lost."""
        while self._verbs and self._verbs[0].tag in {"Play", "Pause"}:
            self._verbs.pop(0)
        assert self._verbs, "the document ended, and Twilio would hang up"
        verb = self._verbs[0]
        if verb.tag == "Redirect":
            self._load(self._post(verb.text or ""))
        elif verb.tag == "Hangup":
            self._end()
        elif verb.tag == "Enqueue":
            self._wait(verb, 0)

    def _end(self) -> None:
        self.over = True
        self._verbs, self._waits = [], []
        self._post(f"{self._base}/status?call=at-1", CallStatus="completed", SequenceNumber="3")

    def _post(self, url: str, **form: str) -> str:
        standard = {
            "CallSid": self.sid,
            "CallStatus": "in-progress",
            "Direction": "inbound",
            "From": self._number,
        }
        status, page = self._wire.post(url, standard | form)
        assert status == 200, page
        self.pages.append(page)
        return page


def _parsed(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page)  # noqa: S314 - our own output
