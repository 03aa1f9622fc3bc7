"""A call's place in its flow, sealed into a web address: nobody outside can make one up or read it.

Web addresses end up in the logs of proxies, and a place can hold the running sum of a questionnaire,
so a token is encrypted as well as authenticated (AES-SIV, RFC 5297: the same place gives the same
token). Digits that somebody types are never part of it.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, fields
from enum import StrEnum
from hashlib import sha256, sha512

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from ivr.errors import TokenError
from ivr.flow import Flow
from ivr.machine import Phase, State

#: Ours are about 150 characters long.
_LONGEST = 1024


class Hint(StrEnum):
    """What the address itself says happened, when the form that comes with it cannot."""

    NONE = ""
    SILENCE = "s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a call is. `call` is an opaque call id, never a number; it ties the token to its call."""

    flow: str
    #: `version_of` the flow.
    version: str
    call: str
    #: How many answers this call has had before: a later one makes this place an old one.
    turn: int
    state: State
    hint: Hint = Hint.NONE


def version_of(flow: Flow) -> str:
    """Return a short word for what a flow says and does; any change in it gives another."""
    meaning = [(spec.name, getattr(flow, spec.name)) for spec in fields(Flow) if spec.compare]
    return sha256(repr(meaning).encode()).hexdigest()[:8]


def seal(place: Place, key: bytes) -> str:
    """Return the token of a place: base64url, sealed for its call only. What was typed stays behind."""
    state = place.state
    body = [
        *(place.flow, place.version, place.turn, place.hint.value),
        *(state.node, state.misses, state.repeats, state.item, state.phase.value),
        *(state.score, state.language),
    ]
    raw = json.dumps(body, separators=(",", ":")).encode()
    return urlsafe_b64encode(_cipher(key).encrypt(raw, [place.call.encode()])).rstrip(b"=").decode()


def unseal(token: str, key: bytes, *, call: str) -> Place:
    """Return the place of `call`, or raise `TokenError` for a token of another call or not of ours."""
    flow, version, turn, hint, node, misses, repeats, item, phase, score, language = json.loads(
        _opened(token, key, call)
    )
    state = State(
        node=node,
        misses=misses,
        repeats=repeats,
        item=item,
        phase=Phase(phase),
        score=score,
        language=language,
    )
    return Place(flow=flow, version=version, call=call, turn=turn, state=state, hint=Hint(hint))


def _opened(token: str, key: bytes, call: str) -> bytes:
    if not token.isascii() or len(token) > _LONGEST:
        raise TokenError
    try:
        sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return _cipher(key).decrypt(sealed, [call.encode()])
    except (InvalidTag, NotBase64, ValueError):
        raise TokenError from None


def _cipher(key: bytes) -> AESSIV:
    return AESSIV(sha512(b"twiml-token" + key).digest())
