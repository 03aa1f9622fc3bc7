"""Twilio's webhooks, proven before anything else is looked at. Pure functions; a web server calls them.

Twilio signs the address it was given (scheme, host, path and query exactly as the outside world
spells them) and the sorted form fields. The signature holds no time: repeated hooks are genuine, so
everything they lead to must be idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, parse_qsl, urlsplit

from twilio.request_validator import HMAC_SHA1, SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, RequestValidator

from callcenter.errors import Refused
from callcenter.twilio.account import Account

#: Twilio's forms are a few kilobytes.
MAX_BODY = 64 * 1024
MAX_FIELDS = 200


class Forged(Refused):
    """This request was not signed by Twilio for us."""

    error_id = "forged_webhook"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """One HTTP request as it came. `target` is path and raw query below the public address."""

    target: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def header(self, name: str) -> str:
        """Return a header's value, whatever the case of its name; empty if there is none."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """A hook that Twilio did sign for us."""

    path: str
    query: Mapping[str, str]
    #: Holds numbers: never log it.
    form: Mapping[str, str] = field(repr=False)

    @property
    def sid(self) -> str:
        """Return Twilio's sid of the call."""
        return self.form.get("CallSid", "")


def prove(account: Account, hook: Hook) -> Proven:
    """Return what a genuine hook says, or raise `Forged` naming what is wrong, never what it held.

    The algorithm is pinned to HMAC-SHA1 with the auth token: the header that names another is no
    reason to believe another. Empty fields are signed too, so they are kept.
    """
    if hook.header(SIGNATURE_SETTINGS_HEADER):
        raise Forged("Signed with a shared key. Use the account's auth token for this address.")
    signature = hook.header(SIGNATURE_HEADER)
    if not signature:
        raise Forged(f"There is no {SIGNATURE_HEADER} header.")
    if len(hook.body) > MAX_BODY:
        raise Forged(f"The body is longer than {MAX_BODY} bytes.")
    fields = _Fields(_pairs(hook))
    url = account.public_url + hook.target
    if not RequestValidator(account.token).validate(url, fields, signature, HMAC_SHA1):
        raise Forged(
            "The signature does not fit. Check that twilio.public_url is spelt exactly as at Twilio, "
            "and that the auth token is the account's present one."
        )
    if fields.get("AccountSid") != account.sid:
        raise Forged("Signed for another account.")
    parts = urlsplit(hook.target)
    query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
    return Proven(path=parts.path, query=query, form=dict(fields))


#: How far along a call is. A status never goes back, whatever order hooks come in.
_RANK = {"queued": 0, "initiated": 1, "ringing": 2, "in-progress": 3, "answered": 3}
#: Statuses after which nothing more comes.
ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})


def further(known: str | None, heard: str) -> str:
    """Return the status a call has after hearing `heard`: the first end stands, nothing goes back (P6)."""
    if known in ENDED or heard not in _RANK.keys() | ENDED:
        return known or "queued"
    if heard in ENDED or known is None:
        return heard
    return max(known, heard, key=_RANK.__getitem__)


class _Fields(dict[str, str]):
    """Form fields: the first of a name counts, the signature covers all."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(reversed(pairs))
        self._pairs = pairs

    def getlist(self, name: str) -> list[str]:
        """Return every value of a name (what RequestValidator asks for)."""
        return [value for key, value in self._pairs if key == name]


def _pairs(hook: Hook) -> list[tuple[str, str]]:
    try:
        text = hook.body.decode("ascii")
        return parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise Forged("The body is not a form.") from None
