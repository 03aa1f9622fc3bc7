"""The call centre's webhooks: signed hooks in, TwiML out, nothing lost between them."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from twilio.request_validator import RequestValidator

from callcenter.config import Settings, Twilio
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import NotFound
from callcenter.keys import KeyRing
from callcenter.twilio.account import Account
from callcenter.twilio.answers import Answer, Line, answer, line_of
from callcenter.twilio.notes import Notes
from callcenter.twilio.webhook import Forged, Hook, Proven, prove
from callcenter.twilio.world import Known, Sources, world_of
from ivr.acts import Left
from ivr.backends.twiml import Note
from ivr.loader import SHIPPED, shipped

SID = "CA" + "1" * 32
CHILD = "CA" + "2" * 32
ACCOUNT = Account(
    sid="AC" + "a" * 32,
    token="t0ken",
    public_url="https://hotline.example.cn",
    fallback_url="https://elsewhere.example.cn/fallback.xml",
)
KEYS = KeyRing(master=bytes(range(32)))
PEOPLE = (
    User(
        code="s001",
        name="钱督导",
        roles=frozenset({Role.SUPERVISOR}),
        phone=PhoneKind.MOBILE,
        mobile="13900005678",
        escalation_rank=1,
    ),
    User(
        code="c001",
        name="赵咨询师",
        roles=frozenset({Role.COUNSELLOR}),
        phone=PhoneKind.SIP,
        escalation_rank=2,
    ),
)


def _line(sources: Sources | None = None) -> Line:
    settings = Settings(twilio=Twilio(transfers={"12356": "+8651012356000"}))
    return line_of(settings, ACCOUNT, KEYS, PEOPLE, [shipped(name) for name in SHIPPED], sources)


def _hook(target: str, sid: str = SID, **form: str) -> Hook:
    fields = {"AccountSid": ACCOUNT.sid, "CallSid": sid, "From": "+8613800001234"} | form
    signature = RequestValidator(ACCOUNT.token).compute_signature(ACCOUNT.public_url + target, fields)
    return Hook(target=target, body=urlencode(fields).encode(), headers={"X-Twilio-Signature": signature})


def _verbs(found: Answer) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(found.twiml))  # noqa: S314 - we wrote it ourselves


def _target(address: str | None) -> str:
    return (address or "").removeprefix(ACCOUNT.public_url)


def _gather(found: Answer) -> ElementTree.Element:
    return next(verb for verb in _verbs(found) if verb.tag == "Gather")


def test_a_call_begins_with_the_flow_of_its_address() -> None:
    begun = answer(_line(), _hook("/twilio/begin/checkin?call=at-7"))
    assert (begun.flow, begun.turn, begun.sid, begun.call_id) == ("checkin", 1, SID, "at-7")
    assert "/prompts/zh/who.wav" in begun.twiml
    assert answer(_line(), _hook("/twilio/inbound")).flow == "inbound"


def test_no_page_shows_a_caller_s_number() -> None:
    line = _line()
    begun = answer(line, _hook("/twilio/inbound"))
    queued = answer(line, _hook(_target(_verbs(begun)[-1].text)))
    assert "<Enqueue" in queued.twiml
    assert "13800001234" not in begun.twiml + queued.twiml


def test_only_mobiles_of_the_chain_are_rung_and_each_must_accept_by_key() -> None:
    line = _line()
    begun = answer(line, _hook("/twilio/inbound"))
    queued = answer(line, _hook(_target(_verbs(begun)[-1].text)))
    action = _target(_verbs(queued)[0].get("action"))
    (dial,) = _verbs(answer(line, _hook(action, QueueResult="queue-full")))
    (number,) = list(dial)
    assert number.text == "+8613900005678"
    asked = answer(line, _hook(_target(number.get("url")), CHILD, ParentCallSid=SID))
    target = _target(_gather(asked).get("action"))
    voicemail = answer(line, _hook(target, CHILD, ParentCallSid=SID))
    person = answer(line, _hook(target, CHILD, ParentCallSid=SID, Digits="1"))
    assert [verb.tag for verb in _verbs(voicemail)] == ["Hangup"]
    assert _verbs(person) == []


def test_the_accept_page_of_a_call_is_of_no_use_to_another() -> None:
    line = _line()
    begun = answer(line, _hook("/twilio/inbound"))
    token = _target(_gather(begun).get("action")).partition("?")[2]
    for path in ("accept", "accepted"):
        with pytest.raises(Forged):
            answer(line, _hook(f"/twilio/{path}?{token}", CHILD, ParentCallSid=CHILD, Digits="1"))


def test_a_status_says_which_call_of_ours_it_is_about() -> None:
    told = answer(_line(), _hook("/twilio/status?call=at-7", CallStatus="ringing"))
    assert (told.status, told.call_id, told.sid, told.effects) == ("ringing", "at-7", SID, ())


def test_whoever_hangs_up_leaves_a_row_once() -> None:
    line = _line()
    answer(line, _hook("/twilio/begin/checkin?call=at-7"))
    gone = answer(line, _hook("/twilio/status?call=at-7", CallStatus="completed"))
    again = answer(line, _hook("/twilio/status?call=at-7", CallStatus="completed", SequenceNumber="4"))
    assert (gone.effects, gone.turn, gone.status) == ((Left("who"),), 2, "completed")
    assert (again.effects, again.status) == ((), "completed")


def test_a_hook_repeated_gives_the_very_same_answer() -> None:
    line = _line()
    begun = answer(line, _hook("/twilio/begin/checkin"))
    hook = _hook(_target(_gather(begun).get("action")), Digits="3", CallStatus="in-progress")
    assert answer(line, hook) is answer(line, hook)


def test_a_place_the_call_has_left_is_refused() -> None:
    line = _line()
    action = _target(_gather(answer(line, _hook("/twilio/begin/checkin"))).get("action"))
    answer(line, _hook(action, Digits="1"))
    with pytest.raises(Forged, match="has left"):
        answer(line, _hook(action, Digits="9"))


def test_the_place_of_one_call_is_of_no_use_to_another() -> None:
    line = _line()
    action = _target(_gather(answer(line, _hook("/twilio/inbound"))).get("action"))
    with pytest.raises(Forged):
        answer(line, _hook(action, CHILD, Digits="1"))


@pytest.mark.parametrize(
    "target", ["/twilio/flow", "/twilio/flow?t=", "/twilio/flow?t=a.b", "/twilio/wait?t=...", "/twilio/key"]
)
def test_a_made_up_place_is_refused(target: str) -> None:
    with pytest.raises(Forged):
        answer(_line(), _hook(target))


@pytest.mark.parametrize("target", ["/twilio/", "/twilio/begin/secret", "/other", "/twilio/begin/../inbound"])
def test_an_address_that_is_none_of_ours(target: str) -> None:
    with pytest.raises(NotFound):
        answer(_line(), _hook(target))


@pytest.mark.parametrize("sid", ["", "CA", "CA" + "g" * 32, "AC" + "1" * 32])
def test_a_hook_about_no_call_is_refused(sid: str) -> None:
    with pytest.raises(Forged, match="CallSid"):
        answer(_line(), _hook("/twilio/inbound", sid))


def test_an_unsigned_hook_gets_no_word_of_the_flow() -> None:
    with pytest.raises(Forged):
        answer(_line(), replace(_hook("/twilio/inbound"), headers={}))


# --- what the flow can ask -----------------------------------------------------------------------


def _proven(**form: str) -> Proven:
    return prove(ACCOUNT, _hook("/twilio/begin/checkin?call=at-7", **form))


@pytest.mark.parametrize("number", ["anonymous", "", "+266696687", "unavailable", "sip:x@y", "+86", "12356"])
def test_whoever_withholds_the_number_is_nobody_we_know(number: str) -> None:
    asked: list[str] = []

    def known(number: str, _: str | None) -> Known:
        asked.append(number)
        return Known(facts=frozenset({"high_risk"}))

    world = world_of(Sources(known=known), _proven(From=number))
    assert (world.has("number"), world.has("high_risk"), asked) == (False, False, [])


def test_the_person_is_the_far_end_whoever_called() -> None:
    asked: list[tuple[str, str | None]] = []

    def known(number: str, call: str | None) -> Known:
        asked.append((number, call))
        return Known(facts=frozenset({"owed"}), expected={"birth_month": "05"}, owner="+8613700003333")

    sources = Sources(known=known)
    world_of(sources, _proven(Direction="inbound", From="+8613800001234", To="+8651085000966"))
    world = world_of(sources, _proven(Direction="outbound-api", From="+8651085000966", To="+8613800001234"))
    assert asked == [("+8613800001234", "at-7")] * 2
    assert (world.has("number"), world.has("owed"), world.has("slow")) == (True, True, False)
    assert (world.expects("birth_month"), world.expects("shoe_size")) == (True, False)
    assert (world.matches("birth_month", "05"), world.matches("birth_month", "50")) == (True, False)
    assert world.owner() == "+8613700003333"
    assert "05" not in repr(world.known)


def test_where_nothing_is_known_a_caller_is_led_to_a_human() -> None:
    world = world_of(Sources(), _proven())
    assert (world.is_open("hotline"), world.is_staffed("hotline"), world.is_free("hotline")) == (
        True,
        True,
        False,
    )
    assert not world.expects("birth_month")


# --- notes ---------------------------------------------------------------------------------------


def test_the_calls_that_were_quiet_longest_are_forgotten_first() -> None:
    notes: Notes[str] = Notes(most=2)
    for sid in ("a", "b", "a", "c"):
        notes.keep(sid, Note(turn=1, token="t"), sid.encode(), sid)
    assert [notes.newest(sid) is not None for sid in "abc"] == [True, False, True]
    assert [notes.given(sid, sid.encode()) for sid in "abc"] == ["a", None, "c"]


def test_only_the_very_same_hook_finds_its_answer() -> None:
    notes: Notes[str] = Notes()
    notes.keep("a", Note(turn=1, token="t"), b"1", "first")
    notes.keep("a", Note(turn=2, token="t"), b"2", "second")
    assert [notes.given("a", digest) for digest in (b"1", b"2")] == [None, "second"]
