"""A flow over Twilio's webhooks: what it answers, and what it refuses."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from ivr.backends.token import Hint, Place, seal, unseal
from ivr.backends.twiml import Site, accepted, ask_to_accept, begin, handle, wait
from ivr.errors import CompileError, TokenError
from ivr.loader import shipped
from ivr.machine import Promised, State

CALL = "CA0123456789abcdef0123456789abcdef"
SITE = Site(
    base_url="https://line.example/twilio",
    key=b"k" * 32,
    shown_number="+8651085000966",
    contacts=("+8613800001111", "+8613900002222"),
    transfers={"12356": "+8651012356"},
)
INBOUND = shipped("inbound")


def verbs(twiml: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(twiml))  # noqa: S314 - our own output


def token_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["t"][0]


def action(twiml: str) -> str:
    return token_of(verbs(twiml)[0].attrib["action"])


def at(node: str, hint: Hint = Hint.NONE) -> str:
    return seal(Place(flow="inbound", call=CALL, state=State(node=node), hint=hint), SITE.key)


def test_the_greeting_can_be_interrupted_and_goes_on_by_itself() -> None:
    gather, redirect = verbs(begin(INBOUND, SITE, call=CALL).twiml)
    assert (gather.tag, gather.attrib["numDigits"], gather.attrib["finishOnKey"]) == ("Gather", "1", "")
    assert [play.text for play in gather] == ["https://line.example/twilio/prompts/zh/greet.wav"]
    assert redirect.tag == "Redirect"
    assert handle(INBOUND, token_of(redirect.text or ""), {}, SITE, call=CALL).state.node == "queue"


@pytest.mark.parametrize("node", ["greet", "reconnect", "closed", "to_12356"])
def test_every_gather_is_followed_by_a_redirect(node: str) -> None:
    """Without one, silence falls off the end of the document and Twilio hangs up."""
    escalate = {"closed": ("escalate", {}), "reconnect": ("queue", {"QueueResult": "bridged"})}
    where, form = escalate.get(node, ("closed", {"Digits": "1"}))
    twiml = (
        begin(INBOUND, SITE, call=CALL).twiml
        if node == "greet"
        else handle(INBOUND, at(where), form, SITE, call=CALL).twiml
    )
    assert [verb.tag for verb in verbs(twiml)] == ["Gather", "Redirect"]


def test_the_queue_names_its_action_and_its_waiting_room() -> None:
    (enqueue,) = verbs(handle(INBOUND, at("greet"), {"Digits": "5"}, SITE, call=CALL).twiml)
    assert (enqueue.tag, enqueue.text) == ("Enqueue", "hotline")
    assert enqueue.attrib["waitUrl"].startswith("https://line.example/twilio/wait?t=")


@pytest.mark.parametrize(
    ("result", "node"),
    [
        ("bridged", "reconnect"),
        ("redirected-from-bridged", "reconnect"),
        ("leave", "escalate"),
        ("queue-full", "escalate"),
        ("error", "escalate"),
        ("", "escalate"),
        ("hangup", None),
    ],
)
def test_what_became_of_the_wait(result: str, node: str | None) -> None:
    reply = handle(INBOUND, at("queue"), {"QueueResult": result}, SITE, call=CALL)
    assert reply.state.node == node


def test_people_on_call_ring_in_order_behind_an_accept_key() -> None:
    (dial,) = verbs(handle(INBOUND, at("queue"), {"QueueResult": "leave"}, SITE, call=CALL).twiml)
    assert (dial.attrib["sequential"], dial.attrib["callerId"]) == ("true", "+8651085000966")
    assert [number.text for number in dial] == list(SITE.contacts)
    assert all("/accept?t=" in number.attrib["url"] for number in dial)


def test_a_voicemail_that_picked_up_is_no_answer() -> None:
    form = {"DialCallStatus": "completed", "DialBridged": "false"}
    assert handle(INBOUND, at("escalate"), form, SITE, call=CALL).state.node == "closed"
    form = {"DialCallStatus": "completed", "DialBridged": "true"}
    assert handle(INBOUND, at("escalate"), form, SITE, call=CALL).state.node == "reconnect"


def test_with_nobody_on_call_the_flow_goes_on_by_itself() -> None:
    alone = Site(base_url=SITE.base_url, key=SITE.key, shown_number=SITE.shown_number)
    (redirect,) = verbs(handle(INBOUND, at("queue"), {}, alone, call=CALL).twiml)
    token = token_of(redirect.text or "")
    assert handle(INBOUND, token, {}, alone, call=CALL).state.node == "closed"


def test_a_transfer_dials_the_number_given_and_ends_when_it_was_taken() -> None:
    reply = handle(INBOUND, at("to_12356", Hint.SILENCE), {}, SITE, call=CALL)
    (dial,) = verbs(reply.twiml)
    assert [number.text for number in dial] == ["+8651012356"]
    over = handle(INBOUND, at("transfer"), {"DialBridged": "true"}, SITE, call=CALL)
    assert [verb.tag for verb in verbs(over.twiml)] == ["Hangup"]
    failed = handle(INBOUND, at("transfer"), {"DialBridged": "false"}, SITE, call=CALL)
    assert [verb.tag for verb in verbs(failed.twiml)] == ["Play", "Hangup"]


def test_a_transfer_without_a_number_is_refused() -> None:
    nowhere = Site(base_url=SITE.base_url, key=SITE.key, shown_number=SITE.shown_number)
    with pytest.raises(CompileError, match="no number for `12356`"):
        handle(INBOUND, at("to_12356"), {"Digits": "1"}, nowhere, call=CALL)


def test_a_caller_who_hung_up_gets_no_more_words() -> None:
    reply = handle(INBOUND, at("queue"), {"CallStatus": "completed"}, SITE, call=CALL)
    assert (reply.state.over, verbs(reply.twiml)) == (True, [])


def test_a_promise_comes_with_the_reply_that_speaks_it() -> None:
    flow = shipped("checkin")
    token = seal(Place(flow="checkin", call=CALL, state=State(node="how")), SITE.key)
    reply = handle(flow, token, {"Digits": "2"}, SITE, call=CALL)
    assert Promised("callback") in reply.effects
    assert "callback_promised.wav" in reply.twiml


def test_the_same_webhook_twice_gives_the_same_answer() -> None:
    first = handle(INBOUND, at("closed"), {"Digits": "1"}, SITE, call=CALL)
    assert handle(INBOUND, at("closed"), {"Digits": "1"}, SITE, call=CALL) == first


def test_nobody_waits_longer_than_the_cap() -> None:
    assert [verb.tag for verb in verbs(wait(INBOUND, {"QueueTime": "10"}, SITE))] == ["Play", "Pause"]
    assert [verb.tag for verb in verbs(wait(INBOUND, {"QueueTime": "180"}, SITE))] == ["Leave"]
    assert [verb.tag for verb in verbs(wait(INBOUND, {"QueueTime": "²"}, SITE))] == ["Play", "Pause"]


def test_only_key_1_accepts() -> None:
    assert [verb.tag for verb in verbs(ask_to_accept(INBOUND, at("escalate"), SITE))] == ["Gather", "Hangup"]
    assert verbs(accepted({"Digits": "1"})) == []
    for form in ({}, {"Digits": "2"}, {"Digits": "11"}):
        assert [verb.tag for verb in verbs(accepted(form))] == ["Hangup"]


@pytest.mark.parametrize("digits", ["", "x", "é", "<Say>", "\n"])
def test_what_no_telephone_can_send_is_silence(digits: str) -> None:
    assert handle(INBOUND, at("closed"), {"Digits": digits}, SITE, call=CALL).state.misses == 1


def test_a_forged_token_is_refused() -> None:
    good = at("closed")
    payload, mark = good.split(".")
    other = seal(Place(flow="inbound", call=CALL, state=State(node="closed")), b"x" * 32)
    for bad in ["", ".", "é.é", payload, f"{payload}.", f"{payload[:-1]}A.{mark}", f".{mark}", other]:
        with pytest.raises(TokenError):
            handle(INBOUND, bad, {}, SITE, call=CALL)


def test_a_token_serves_only_its_own_call_and_flow() -> None:
    with pytest.raises(TokenError, match="another call"):
        handle(INBOUND, at("closed"), {}, SITE, call="CAother")
    with pytest.raises(TokenError, match="flow `inbound`"):
        handle(shipped("checkin"), at("closed"), {}, SITE, call=CALL)
    with pytest.raises(TokenError, match="the flow changed"):
        handle(INBOUND, at("gone"), {}, SITE, call=CALL)


def test_a_token_carries_the_place_it_was_given() -> None:
    place = Place(
        flow="inbound", call=CALL, state=State(node="closed", misses=1, repeats=2), hint=Hint.SILENCE
    )
    assert unseal(seal(place, SITE.key), SITE.key, call=CALL) == place


def test_numbers_and_the_key_stay_out_of_sight() -> None:
    assert "138" not in repr(SITE)
    assert "kkk" not in repr(SITE)
    assert "12356" not in repr(SITE)
