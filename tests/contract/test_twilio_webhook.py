"""Webhooks are proven before anything else is looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from call_control_contract import a_call
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from twilio_fake import FakeTwilio, Webhook

from callcenter.twilio.account import Account
from callcenter.twilio.book import SidBook
from callcenter.twilio.control import TwilioControl
from callcenter.twilio.webhook import MAX_BODY, Forged, Hook, further, prove

ACCOUNT = Account(
    sid="AC" + "a" * 32,
    token="t0ken",
    public_url="https://hotline.example.cn",
    fallback_url="https://elsewhere.example.cn/fallback.xml",
)
FORM = {"AccountSid": ACCOUNT.sid, "CallSid": "CA" + "1" * 32, "From": "+8613800001234", "CallerName": ""}
STATUSES = ["queued", "initiated", "ringing", "in-progress", "completed", "busy", "no-answer", "nonsense"]


def _hook(form: dict[str, str], target: str = "/twilio/status?call=at-1", **headers: str) -> Hook:
    signature = RequestValidator(ACCOUNT.token).compute_signature(ACCOUNT.public_url + target, form)
    return Hook(
        target=target,
        body=urlencode(form).encode(),
        headers={"X-Twilio-Signature": signature} | {k.replace("_", "-"): v for k, v in headers.items()},
    )


def _as_sent(webhook: Webhook) -> Hook:
    return Hook(
        target=webhook.url.removeprefix(ACCOUNT.public_url),
        body=urlencode(webhook.form).encode(),
        headers={"x-twilio-signature": webhook.signature},
    )


def test_a_genuine_hook_says_which_call_of_ours_it_is_about() -> None:
    proven = prove(ACCOUNT, _hook(FORM))
    assert (proven.path, proven.query, proven.sid) == ("/twilio/status", {"call": "at-1"}, FORM["CallSid"])


def test_every_hook_of_a_call_we_placed_is_proven() -> None:
    now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    fake = FakeTwilio(account_sid=ACCOUNT.sid, token=ACCOUNT.token, clock=lambda: now)
    book = SidBook()
    asyncio.run(TwilioControl(ACCOUNT, fake, book, lambda: now).place(a_call()))
    sid = book.sid("at-0001") or ""
    fake.moves(sid, "ringing")
    fake.answers(sid)
    fake.moves(sid, "completed")
    proven = [prove(ACCOUNT, _as_sent(webhook)) for webhook in fake.webhooks]
    assert [p.path for p in proven] == [*["/twilio/status"] * 2, "/twilio/begin/checkin", "/twilio/status"]
    assert {p.query["call"] for p in proven} == {"at-0001"}


def test_an_empty_field_is_signed_too() -> None:
    assert prove(ACCOUNT, _hook(FORM)).form["CallerName"] == ""


@pytest.mark.parametrize(
    "hook",
    [
        replace(_hook(FORM), headers={}),
        replace(_hook(FORM), headers={"X-Twilio-Signature": "bm90IHNpZ25lZA=="}),
        replace(_hook(FORM), headers={"X-Twilio-Signature": "签名"}),
        replace(_hook(FORM), body=urlencode(FORM | {"From": "+8613999999999"}).encode()),
        replace(_hook(FORM), body=urlencode(FORM).encode() + b"&Digits=1"),
        replace(_hook(FORM), body=b"\xff\xfe"),
        replace(_hook(FORM), body=b"no form at all"),
        replace(_hook(FORM), body=b"a=" + b"x" * MAX_BODY),
        replace(_hook(FORM), body=b"&".join(b"a=1" for _ in range(1000))),
        replace(_hook(FORM), target="/twilio/status?call=at-2"),
        replace(_hook(FORM), target="/twilio/begin/checkin?call=at-1"),
        _hook(FORM | {"AccountSid": "AC" + "b" * 32}),
        _hook(FORM, X_Twilio_Webhooks_Signature_Settings="key=k,algorithm=HMAC_SHA256"),
    ],
    ids=[
        "unsigned",
        "wrong signature",
        "signature not ascii",
        "changed number",
        "added key press",
        "not text",
        "not a form",
        "too long",
        "too many fields",
        "other call",
        "other address",
        "other account",
        "other algorithm",
    ],
)
def test_a_forged_hook_is_refused_and_says_nothing_of_its_content(hook: Hook) -> None:
    with pytest.raises(Forged) as caught:
        prove(ACCOUNT, hook)
    assert "138" not in str(caught.value)
    assert "138" not in repr(hook)


def test_behind_a_proxy_only_the_public_address_counts() -> None:
    """Twilio signed https; what our own socket saw is of no interest."""
    elsewhere = replace(ACCOUNT, public_url="http://127.0.0.1:8080")
    with pytest.raises(Forged, match="public_url"):
        prove(elsewhere, _hook(FORM))


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_hooks_in_any_order_never_take_a_call_back(heard: list[str]) -> None:
    ends = {"completed", "busy", "no-answer"}
    known: str | None = None
    for status in heard:
        before, known = known, further(known, status)
        assert before not in ends or known == before
        assert known in STATUSES
    first_end = next((s for s in heard if s in ends), None)
    assert first_end is None or known == first_end
