"""A stateful fake of Twilio's Calls resource behind the official library's `HttpClient`.

It checks every request against the published OpenAPI extract beside it, keeps calls with their
statuses, and can lose answers. It opens no socket.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests.exceptions import ConnectTimeout, ReadTimeout
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator

SPEC = json.loads((Path(__file__).parent / "twilio_calls.openapi.json").read_text(encoding="utf-8"))
CALLS = "/2010-04-01/Accounts/{AccountSid}/Calls.json"
CALL = "/2010-04-01/Accounts/{AccountSid}/Calls/{Sid}.json"
ENDED = {"completed", "busy", "failed", "no-answer", "canceled"}


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One request Twilio would send us, signed as Twilio signs."""

    url: str
    form: dict[str, str]
    signature: str


@dataclass(kw_only=True)
class Call:
    """One call at Twilio."""

    sid: str
    to: str
    from_: str
    made: datetime
    form: dict[str, list[str]]
    status: str = "queued"
    updates: int = 0


@dataclass(kw_only=True)
class FakeTwilio(HttpClient):
    """The REST API. `lose_answers` loses that many answers after the deed, `lose_requests` before it."""

    account_sid: str
    token: str
    clock: Callable[[], datetime]
    calls: dict[str, Call] = field(default_factory=dict)
    webhooks: list[Webhook] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    lose_answers: int = 0
    lose_requests: int = 0
    #: Answer every request with this HTTP status and Twilio error code.
    refuse: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._numbers = count(1)

    # --- what a test plays ---

    def moves(self, sid: str, status: str) -> None:
        """Play the network: the call gets a new status, and we are told if we asked to be."""
        call = self.calls[sid]
        call.status = status
        event = "answered" if status == "in-progress" else "completed" if status in ENDED else status
        if event in call.form.get("StatusCallbackEvent", []):
            self._tell(call, call.form["StatusCallback"][0])

    def answers(self, sid: str) -> None:
        """Play the callee picking up: Twilio asks for TwiML."""
        self.moves(sid, "in-progress")
        self._tell(self.calls[sid], self.calls[sid].form["Url"][0])

    def placed_elsewhere(self, to: str, from_: str, made: datetime) -> str:
        """Play a call of the same account that is not ours."""
        return self._new(to, from_, made, {}).sid

    # --- the API ---

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Answer as api.twilio.com would."""
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("https", "api.twilio.com"), uri
        self.requests.append((method.upper(), parts.path))
        if self.lose_requests:
            self.lose_requests -= 1
            raise ConnectTimeout
        if self.refuse:
            return _error(*self.refuse)
        if auth != (self.account_sid, self.token):
            return _error(401, 20003)
        query = dict(params or {}) | dict(parse_qsl(parts.query))
        answer = self._route(method.upper(), parts.path, query, _form(data or {}))
        if self.lose_answers:
            self.lose_answers -= 1
            raise ReadTimeout
        return answer

    def _route(
        self, method: str, path: str, query: dict[str, object], form: dict[str, list[str]]
    ) -> Response:
        base = f"/2010-04-01/Accounts/{self.account_sid}/Calls"
        if path == f"{base}.json":
            return self._create(form) if method == "POST" else self._list(query)
        found = re.fullmatch(re.escape(base) + r"/(CA[0-9a-f]{32})\.json", path)
        if not found or found[1] not in self.calls:
            return _error(404, 20404)
        call = self.calls[found[1]]
        return self._update(call, form) if method == "POST" else Response(200, json.dumps(self._shown(call)))

    def _create(self, form: dict[str, list[str]]) -> Response:
        problem = broken_rule(CALLS, form)
        if problem:
            return _error(400, 21100, problem)
        if not {"Url", "Twiml", "ApplicationSid"} & set(form):
            return _error(400, 21205, "Url parameter is required")
        call = self._new(form["To"][0], form["From"][0], self.clock(), form)
        return Response(201, json.dumps(self._shown(call)))

    def _list(self, query: dict[str, object]) -> Response:
        known = {p["name"] for p in SPEC["paths"][CALLS]["get"]["parameters"]}
        if unknown := set(query) - known:
            return _error(400, 20001, f"unknown parameters {sorted(unknown)}")
        calls = [self._shown(c) for c in sorted(self.calls.values(), key=lambda c: c.made, reverse=True)]
        wanted = [c for c in calls if all(c[k.lower()] == query[k] for k in ("To", "From") if k in query)]
        page = {"calls": wanted, "page": 0, "page_size": 50, "next_page_uri": None, "uri": ""}
        return Response(200, json.dumps(page))

    def _update(self, call: Call, form: dict[str, list[str]]) -> Response:
        problem = broken_rule(CALL, form)
        if problem:
            return _error(400, 21100, problem)
        if call.status in ENDED:
            return _error(400, 21220, "Call is not in-progress. Cannot redirect.")
        call.updates += 1
        if "Status" in form:
            self.moves(call.sid, form["Status"][0])
        return Response(200, json.dumps(self._shown(call)))

    def _new(self, to: str, from_: str, made: datetime, form: dict[str, list[str]]) -> Call:
        call = Call(sid=f"CA{next(self._numbers):032x}", to=to, from_=from_, made=made, form=form)
        self.calls[call.sid] = call
        return call

    def _shown(self, call: Call) -> dict[str, Any]:
        """Return the call as the API shows it: nothing of ours, not even the addresses we gave."""
        shown: dict[str, Any] = dict.fromkeys(
            SPEC["components"]["schemas"]["api.v2010.account.call"]["properties"]
        )
        return shown | {
            "sid": call.sid,
            "account_sid": self.account_sid,
            "to": call.to,
            "from": call.from_,
            "status": call.status,
            "date_created": format_datetime(call.made),
            "direction": "outbound-api",
        }

    def _tell(self, call: Call, url: str) -> None:
        form = {
            "CallSid": call.sid,
            "AccountSid": self.account_sid,
            "CallStatus": call.status,
            "From": call.from_,
            "To": call.to,
            "Direction": "outbound-api",
            "CallerName": "",
        }
        signature = RequestValidator(self.token).compute_signature(url, form)
        self.webhooks.append(Webhook(url=url, form=form, signature=signature))


def broken_rule(path: str, form: dict[str, list[str]]) -> str | None:
    """Return how a form breaks the published schema of POST `path`, or None."""
    body = SPEC["paths"][path]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    schema = body["schema"]
    for name in schema.get("required", []):
        if name not in form:
            return f"{name} is required"
    for name, values in form.items():
        rule = schema["properties"].get(name)
        if rule is None:
            return f"{name} is no parameter of this request"
        if problem := _broken(_resolved(rule), values):
            return f"{name}: {problem}"
    return None


def _broken(rule: dict[str, Any], values: list[str]) -> str | None:
    if rule["type"] != "array" and len(values) > 1:
        return "only one value"
    for value in values:
        if rule["type"] == "integer" and not re.fullmatch(r"-?\d+", value):
            return "not an integer"
        if rule.get("format") == "uri" and not re.fullmatch(r"https?://\S+", value):
            return "not an address"
        if rule.get("format") == "endpoint" and not re.fullmatch(r"\+[1-9]\d{6,14}", value):
            return "not an E.164 number"
        if "enum" in rule and value not in rule["enum"]:
            return f"not one of {rule['enum']}"
        if "pattern" in rule and not re.search(rule["pattern"], value):
            return "wrong form"
    return None


def _resolved(rule: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in rule:
        return rule
    found: dict[str, Any] = SPEC["components"]["schemas"][rule["$ref"].rpartition("/")[2]]
    return found


def _form(data: dict[str, object]) -> dict[str, list[str]]:
    """Return the form as it would travel: repeated keys for lists, all strings."""
    return {
        k: [str(v) for v in value] if isinstance(value, list) else [str(value)] for k, value in data.items()
    }


def _error(status: int, code: int, message: str = "no") -> Response:
    return Response(status, json.dumps({"code": code, "message": message, "status": status}))
