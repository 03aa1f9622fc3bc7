"""A call's place in its flow, sealed into a web address: nobody outside can make one up."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from ivr.errors import TokenError
from ivr.machine import State

_MARK_BYTES = 16


class Hint(StrEnum):
    """What the address itself says happened, when the form that comes with it cannot."""

    NONE = ""
    SILENCE = "s"
    FAILED = "f"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a call is. `call` is an opaque call id, never a number; it ties the token to its call."""

    flow: str
    call: str
    state: State
    hint: Hint = Hint.NONE


def seal(place: Place, key: bytes) -> str:
    """Return the token: base64url of the place and its HMAC-SHA256 mark, joined by a dot."""
    state = place.state
    body = [place.flow, place.call, state.node, state.misses, state.repeats, place.hint.value]
    payload = _encode(json.dumps(body, separators=(",", ":")).encode())
    return f"{payload}.{_mark(payload, key)}"


def unseal(token: str, key: bytes, *, call: str) -> Place:
    """Return the place of `call`, or raise `TokenError` for a token of another call or not of ours."""
    payload, _, mark = token.partition(".")
    if not token.isascii() or not hmac.compare_digest(mark, _mark(payload, key)):
        raise TokenError
    flow, sealed_call, node, misses, repeats, hint = _read(payload)
    if sealed_call != call:
        raise TokenError("the state in this web address belongs to another call")
    state = State(node=node, misses=misses, repeats=repeats)
    return Place(flow=flow, call=call, state=state, hint=Hint(hint))


def _read(payload: str) -> list[Any]:
    padded = payload + "=" * (-len(payload) % 4)
    body: list[Any] = json.loads(urlsafe_b64decode(padded))
    return body


def _mark(payload: str, key: bytes) -> str:
    return _encode(hmac.new(key, payload.encode(), sha256).digest()[:_MARK_BYTES])


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
