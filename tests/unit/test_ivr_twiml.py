"""A flow over Twilio's webhooks: the pages it answers with, and what it refuses."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from ivr.acts import HungUp, Kept, Left, Promised
from ivr.backends import twiml
from ivr.backends.token import Hint, Place, seal, unseal, version_of
from ivr.backends.twiml import Note, Reply, Site
from ivr.errors import CompileError, FormError, TokenError
from ivr.flow import Flow
from ivr.loader import load_flow, shipped
from ivr.machine import Phase, State, step

CALL = "CA0123456789abcdef0123456789abcdef"
SITE = Site(
    base_url="https://line.example/twilio",
    key=b"k" * 32,
    shown_number="+8651085000966",
    contacts=("+8613800001111", "+8613900002222"),
    transfers={"12356": "+8651012356", "120": "+8651000120"},
)
INBOUND = shipped("inbound")
CHECKIN = shipped("checkin")
EVERY_NODE = load_flow(Path(__file__).parent.parent / "contract" / "every_node.yaml")


@dataclass(frozen=True, kw_only=True)
class Simple:
    """A world in which most things are as on a quiet evening."""

    facts: frozenset[str] = frozenset({"number"})
    staffed: bool = True
    month: str = "05"
    number: str = "+8613700003333"

    def is_open(self, _: str) -> bool:
        return True

    def has(self, fact: str) -> bool:
        return fact in self.facts

    def is_free(self, _: str) -> bool:
        return False

    def is_staffed(self, _: str) -> bool:
        return self.staffed

    def expects(self, _: str) -> bool:
        return bool(self.month)

    def matches(self, _: str, digits: str) -> bool:
        return digits == self.month

    def owner(self, code: str = "") -> str:
        return self.number if code in ("", CODE) else ""


#: Whose counsellor has the world's number.
CODE = "264951"
WORLD = Simple()
OWNERLESS = Simple(number="")


def verbs(page: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(page))  # noqa: S314 - our own output


def token_of(address: str | None) -> str:
    return parse_qs(urlsplit(address or "").query)["t"][0]


def sealed(flow: Flow, state: State, hint: Hint = Hint.NONE, turn: int = 3) -> str:
    place = Place(flow=flow.name, version=version_of(flow), call=CALL, turn=turn, state=state, hint=hint)
    return seal(place, SITE.key)


def at(flow: Flow, node: str, form: dict[str, str], *, site: Site = SITE, world: Simple = WORLD) -> Reply:
    return twiml.handle(flow, sealed(flow, State(node=node)), form, site, world, call=CALL)


def silent(flow: Flow, node: str, world: Simple = WORLD) -> Reply:
    return twiml.handle(flow, sealed(flow, State(node=node), Hint.SILENCE), {}, SITE, world, call=CALL)


# --- pages ---------------------------------------------------------------------------------------


def test_the_first_page_waits_out_the_guard_time_and_then_listens_from_the_first_word() -> None:
    pause, gather, redirect = verbs(twiml.begin(INBOUND, SITE, WORLD, call=CALL).twiml)
    assert (pause.tag, pause.attrib["length"]) == ("Pause", "1")
    assert (gather.tag, gather.attrib["numDigits"], gather.attrib["finishOnKey"]) == ("Gather", "1", "")
    assert next(play.text for play in gather) == "https://line.example/twilio/prompts/zh/greet.wav"
    over = twiml.handle(INBOUND, token_of(redirect.text), {}, SITE, OWNERLESS, call=CALL)
    assert (redirect.tag, over.state.node) == ("Redirect", "queue")


def test_a_flow_without_a_guard_time_speaks_at_once() -> None:
    eager = replace(INBOUND, guard=timedelta())
    assert verbs(twiml.begin(eager, SITE, WORLD, call=CALL).twiml)[0].tag == "Gather"


def test_only_the_first_page_has_a_guard_time() -> None:
    assert "<Pause" not in silent(INBOUND, "greet").twiml


@pytest.mark.parametrize("node", ["greet", "reconnect", "long_wait", "still_here", "goodbye"])
def test_every_gather_is_followed_by_a_redirect(node: str) -> None:
    """Without one, silence falls off the end of the document and Twilio hangs up."""
    page = twiml.render(INBOUND, State(node=node), SITE, call=CALL)
    assert [verb.tag for verb in verbs(page)] == ["Gather", "Redirect"]


def test_a_number_comes_whole_and_an_empty_one_comes_too() -> None:
    gather, _ = verbs(twiml.render(EVERY_NODE, State(node="number"), SITE, call=CALL))
    assert (gather.attrib["numDigits"], gather.attrib["finishOnKey"]) == ("5", "#")
    assert gather.attrib["actionOnEmptyResult"] == "true"


def test_a_number_begun_anew_is_read_on_in_silence() -> None:
    reply = at(EVERY_NODE, "number", {"Digits": "12*34", "FinishedOnKey": ""})
    gather, _ = verbs(reply.twiml)
    assert (gather.attrib["numDigits"], list(gather)) == ("3", [])
    assert (reply.state.typed, unseal(reply.note.token, SITE.key, call=CALL).state.typed) == ("34", "")
    assert "typed" not in repr(reply.note)
    rest = twiml.handle(
        EVERY_NODE,
        reply.note.token,
        {"Digits": "5", "FinishedOnKey": "#"},
        SITE,
        WORLD,
        call=CALL,
        note=reply.note,
    )
    assert Kept("number", "number", "345") in rest.effects


def test_waits_are_whole_seconds_and_never_none() -> None:
    menu = replace(EVERY_NODE.nodes["menu"], timeout=timedelta(milliseconds=1200))
    flow = replace(EVERY_NODE, nodes={**EVERY_NODE.nodes, "menu": menu})
    assert verbs(twiml.render(flow, State(node="menu"), SITE, call=CALL))[0].attrib["timeout"] == "2"
    assert verbs(twiml.render(INBOUND, State(node="still_here"), SITE, call=CALL))[0].attrib["timeout"] == "1"


def test_a_message_is_ended_by_hash_or_by_zero() -> None:
    recording = State(node="message", phase=Phase.RECORDING)
    record, redirect = verbs(twiml.render(EVERY_NODE, recording, SITE, call=CALL))
    assert (record.tag, record.attrib["finishOnKey"], record.attrib["maxLength"]) == ("Record", "#0", "60")
    nothing = twiml.handle(EVERY_NODE, token_of(redirect.text), {}, SITE, WORLD, call=CALL)
    assert nothing.state.node == "goodbye"


def test_a_held_piece_waits_silently_and_then_begins_anew() -> None:
    piece = at(EVERY_NODE, "library", {"Digits": "2"})
    gather, _ = verbs(piece.twiml)
    assert (piece.state.phase, gather.attrib["timeout"], list(gather)) == (Phase.PAUSED, "60", [])
    on = twiml.handle(EVERY_NODE, piece.note.token, {"Digits": "2"}, SITE, WORLD, call=CALL)
    assert "microclass_breathing.wav" in on.twiml


def test_what_went_wrong_is_said_before_asking_again() -> None:
    page = at(EVERY_NODE, "menu", {"Digits": "9"}).twiml
    assert next(play.text or "" for play in verbs(page)[0]).endswith("/number_wrong.wav")


def test_the_same_is_said_where_a_key_means_nothing() -> None:
    reply = at(EVERY_NODE, "library", {"Digits": "7"})
    assert (reply.effects, reply.state.item) == ((), 0)
    assert "microclass_breathing.wav" in reply.twiml


def test_prompts_come_from_the_set_that_was_chosen_on_the_way() -> None:
    slow = Simple(facts=frozenset({"no_menu"}))
    assert "/prompts/zh_slow/greet.wav" in twiml.begin(INBOUND, SITE, slow, call=CALL).twiml


# --- the queue -----------------------------------------------------------------------------------


def test_the_queue_names_its_action_and_its_waiting_room() -> None:
    (enqueue,) = verbs(silent(INBOUND, "greet", OWNERLESS).twiml)
    assert (enqueue.tag, enqueue.text) == ("Enqueue", "hotline")
    assert enqueue.attrib["waitUrl"].startswith("https://line.example/twilio/wait?t=")


@pytest.mark.parametrize(
    ("result", "node"),
    [
        ("bridged", "reconnect"),
        ("redirected-from-bridged", "reconnect"),
        ("queue-full", "escalate"),
        ("error", "escalate"),
        ("system-error", "escalate"),
        ("", "escalate"),
        ("hangup", None),
    ],
)
def test_what_became_of_the_wait(result: str, node: str | None) -> None:
    assert at(INBOUND, "queue", {"QueueResult": result}).state.node == node


def test_leaving_at_the_cap_is_the_cap_and_before_it_is_waiting_on() -> None:
    late = at(INBOUND, "queue", {"QueueResult": "leave", "QueueTime": "180"})
    early = at(INBOUND, "queue", {"QueueResult": "leave", "QueueTime": "20"})
    assert (late.state.node, early.state.node, early.effects) == ("long_wait", "queue", ())
    assert "<Enqueue" in early.twiml


def test_a_queue_nobody_works_at_is_not_joined() -> None:
    nobody = Simple(staffed=False)
    reply = at(INBOUND, "still_here", {"Digits": "5"}, world=nobody)
    assert reply.state.node == "escalate"
    assert verbs(reply.twiml)[0].tag == "Dial"
    left = at(INBOUND, "queue", {"QueueResult": "leave", "QueueTime": "20"}, world=nobody)
    assert left.state.node == "escalate"


@pytest.mark.parametrize(
    ("waited", "world", "first"),
    [
        ("10", WORLD, "Gather"),
        ("180", WORLD, "Leave"),
        ("999999999999", WORLD, "Leave"),
        ("²", WORLD, "Gather"),
        ("10", Simple(staffed=False), "Leave"),
    ],
)
def test_nobody_waits_longer_than_the_cap_or_for_nobody(waited: str, world: Simple, first: str) -> None:
    token = sealed(INBOUND, State(node="queue"))
    page = twiml.wait(INBOUND, token, {"QueueTime": waited}, SITE, world, call=CALL)
    assert verbs(page)[0].tag == first


def test_a_queue_s_own_cap_counts() -> None:
    token = sealed(EVERY_NODE, State(node="queue"))
    page = twiml.wait(EVERY_NODE, token, {"QueueTime": "60"}, SITE, WORLD, call=CALL)
    assert verbs(page)[0].tag == "Leave"


def test_keys_are_offered_only_where_the_flow_offers_some() -> None:
    token = sealed(CHECKIN, State(node="neutral_queue"))
    page = twiml.wait(CHECKIN, token, {"QueueTime": "10"}, SITE, WORLD, call=CALL)
    assert [verb.tag for verb in verbs(page)] == ["Play", "Pause"]
    assert "queue_offer" not in page


def test_a_key_offered_leads_out_and_another_back_to_waiting() -> None:
    token = sealed(INBOUND, State(node="queue"))
    page, note = twiml.wait_key(INBOUND, token, {"Digits": "1"}, SITE, call=CALL)
    assert (verbs(page)[0].tag, note) == ("Leave", Note(turn=3, token=token, key="1"))
    page, note = twiml.wait_key(INBOUND, token, {"Digits": "7"}, SITE, call=CALL)
    assert (verbs(page)[0].tag, note) == ("Redirect", None)


def test_the_key_counts_at_the_queue_it_was_pressed_in_and_nowhere_else() -> None:
    form = {"QueueResult": "leave", "QueueTime": "20"}
    for turn, node in ((3, "line_12356"), (2, "queue")):
        reply = twiml.handle(
            INBOUND,
            sealed(INBOUND, State(node="queue")),
            form,
            SITE,
            WORLD,
            call=CALL,
            note=Note(turn=turn, token="", key="2"),
        )
        assert reply.state.node == node


def test_somebody_who_was_taken_is_not_led_out_by_a_late_key() -> None:
    """The key and the counsellor came at the same moment."""
    note = Note(turn=3, token="", key="2")
    token = sealed(INBOUND, State(node="queue"))
    form = {"QueueResult": "bridged"}
    assert twiml.handle(INBOUND, token, form, SITE, WORLD, call=CALL, note=note).state.node == "reconnect"


def test_whoever_has_pressed_a_key_hears_no_further_round() -> None:
    token = sealed(INBOUND, State(node="queue"))
    note = Note(turn=3, token=token, key="2")
    page = twiml.wait(INBOUND, token, {"QueueTime": "10"}, SITE, WORLD, call=CALL, note=note)
    assert verbs(page)[0].tag == "Leave"


def test_only_a_waiting_caller_has_a_waiting_room() -> None:
    with pytest.raises(TokenError, match="waiting caller"):
        twiml.wait(INBOUND, sealed(INBOUND, State(node="greet")), {}, SITE, WORLD, call=CALL)


# --- people --------------------------------------------------------------------------------------


def test_people_on_call_ring_in_order_behind_an_accept_key() -> None:
    (dial,) = verbs(twiml.render(INBOUND, State(node="escalate"), SITE, call=CALL))
    assert (dial.attrib["sequential"], dial.attrib["callerId"]) == ("true", "+8651085000966")
    assert [number.text for number in dial] == list(SITE.contacts)
    assert all("/accept?t=" in number.attrib["url"] for number in dial)


def test_the_owner_is_rung_alone_behind_an_accept_key() -> None:
    (dial,) = verbs(silent(shipped("return_call"), "greet").twiml)
    assert [(number.text, "/accept?t=" in number.attrib["url"]) for number in dial] == [
        ("+8613700003333", True)
    ]


def test_a_code_rings_its_counsellor_at_once_and_stands_in_no_address() -> None:
    reply = at(INBOUND, "code", {"Digits": CODE})
    (dial,) = verbs(reply.twiml)
    assert (reply.state.node, [number.text for number in dial]) == ("counsellor", ["+8613700003333"])
    assert CODE not in reply.twiml + repr(reply)
    assert CODE not in repr(unseal(token_of(dial.attrib["action"]), SITE.key, call=CALL))


def test_a_code_of_nobodys_goes_on_to_the_queue_in_kind_words() -> None:
    assert at(INBOUND, "code", {"Digits": "112233"}).state.node == "not_there"


def test_with_nobody_to_ring_the_flow_goes_on_in_the_same_answer() -> None:
    alone = replace(SITE, contacts=())
    reply = at(INBOUND, "queue", {"QueueResult": "queue-full"}, site=alone)
    assert reply.state.node == "closing__busy"
    no_owner = Simple(number="")
    assert at(EVERY_NODE, "menu", {"Digits": "6"}, world=no_owner).state.node == "escalate"


def test_a_voicemail_that_picked_up_is_no_answer() -> None:
    voicemail = {"DialCallStatus": "completed", "DialBridged": "false"}
    person = {"DialCallStatus": "completed", "DialBridged": "true"}
    assert at(INBOUND, "escalate", voicemail).state.node == "closing__busy"
    assert at(INBOUND, "escalate", person).state.node == "reconnect"


def test_a_blind_transfer_is_announced_and_a_warm_one_must_be_accepted_too() -> None:
    play, dial = verbs(twiml.render(EVERY_NODE, State(node="blind"), SITE, call=CALL))
    assert (play.tag, [number.text for number in dial]) == ("Play", ["+8651012356"])
    assert "url" not in dial[0].attrib
    _, dial = verbs(twiml.render(EVERY_NODE, State(node="warm"), SITE, call=CALL))
    assert "/accept?t=" in dial[0].attrib["url"]


def test_a_service_without_a_number_is_told_instead_of_dialled() -> None:
    nowhere = replace(SITE, transfers={})
    assert at(INBOUND, "long_wait", {"Digits": "2"}, site=nowhere).state.node == "still_here"
    with pytest.raises(CompileError, match="no number"):
        twiml.render(INBOUND, State(node="line_12356"), nowhere, call=CALL)


def test_only_key_1_accepts() -> None:
    token = sealed(INBOUND, State(node="escalate"))
    asked = verbs(twiml.ask_to_accept(INBOUND, token, SITE, call=CALL))
    assert [verb.tag for verb in asked] == ["Gather", "Hangup"]
    assert verbs(twiml.accepted({"Digits": "1"})) == []
    for form in ({}, {"Digits": "2"}, {"Digits": "11"}):
        assert [verb.tag for verb in verbs(twiml.accepted(form))] == ["Hangup"]


# --- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [{"CallStatus": "completed"}, {"QueueResult": "hangup"}, {"Digits": "hangup", "RecordingSid": "RE1"}],
)
def test_a_caller_who_hung_up_gets_no_more_words(form: dict[str, str]) -> None:
    reply = at(INBOUND, "queue", form)
    assert (reply.state.over, verbs(reply.twiml), reply.effects) == (True, [], (Left("queue"),))


def test_the_end_of_a_call_is_hanging_up_where_it_last_was() -> None:
    note = twiml.begin(CHECKIN, SITE, WORLD, call=CALL).note
    gone = twiml.hung_up(CHECKIN, note, SITE, call=CALL)
    assert gone.effects == step(CHECKIN, State(node="who"), HungUp())[1]
    assert gone.note.token == ""


def test_a_promise_comes_with_the_reply_that_speaks_it() -> None:
    reply = at(CHECKIN, "how", {"Digits": "2"})
    assert Promised("callback") in reply.effects
    assert "callback_promised.wav" in reply.twiml


def test_the_same_webhook_twice_gives_the_same_answer() -> None:
    assert at(INBOUND, "long_wait", {"Digits": "1"}) == at(INBOUND, "long_wait", {"Digits": "1"})


def test_the_last_word_is_followed_by_hanging_up() -> None:
    assert [verb.tag for verb in verbs(silent(INBOUND, "goodbye").twiml)] == ["Hangup"]


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["x", "é", "<Say>", "\n", "1" * 65, "1 2"])
def test_what_no_telephone_can_send_is_refused(digits: str) -> None:
    with pytest.raises(FormError, match="no telephone"):
        at(INBOUND, "long_wait", {"Digits": digits})


@pytest.mark.parametrize(
    ("node", "field"),
    [("long_wait", "Digits"), ("queue", "QueueResult"), ("escalate", "DialCallStatus")],
)
def test_a_missing_field_is_named(node: str, field: str) -> None:
    with pytest.raises(FormError, match=f"`{field}` is missing"):
        at(INBOUND, node, {})


def test_a_forged_token_is_refused() -> None:
    good = sealed(INBOUND, State(node="greet"))
    foreign = seal(unseal(good, SITE.key, call=CALL), b"x" * 32)
    for bad in ["", ".", "é.é", good[:-1], good[1:], good + "AAAA", "A" * len(good), "A" * 5000, foreign]:
        with pytest.raises(TokenError):
            twiml.handle(INBOUND, bad, {"Digits": "1"}, SITE, WORLD, call=CALL)


def test_a_token_serves_only_its_own_call_flow_and_version() -> None:
    good = sealed(INBOUND, State(node="greet"))
    with pytest.raises(TokenError, match="not sealed by us for this call"):
        twiml.handle(INBOUND, good, {}, SITE, WORLD, call="CAother")
    with pytest.raises(TokenError, match="flow `inbound`"):
        twiml.handle(CHECKIN, good, {}, SITE, WORLD, call=CALL)
    menu = replace(INBOUND.nodes["greet"], tries=2)
    newer = replace(INBOUND, nodes={**INBOUND.nodes, "greet": menu})
    with pytest.raises(TokenError, match="the flow changed"):
        twiml.handle(newer, good, {}, SITE, WORLD, call=CALL)


def test_a_place_the_call_has_left_is_refused() -> None:
    old = sealed(INBOUND, State(node="greet"), turn=3)
    with pytest.raises(TokenError, match="has left"):
        twiml.handle(INBOUND, old, {"Digits": "1"}, SITE, WORLD, call=CALL, note=Note(turn=4, token=""))


def test_a_token_carries_the_place_it_was_given_but_not_what_was_typed() -> None:
    state = State(
        node="who", misses=1, repeats=2, item=3, phase=Phase.PAUSED, score=21, language="zh_wx", typed="05"
    )
    token = sealed(CHECKIN, state, Hint.SILENCE)
    found = unseal(token, SITE.key, call=CALL)
    assert found.state == replace(state, typed="")
    assert (found.hint, found.turn) == (Hint.SILENCE, 3)


def test_nothing_can_be_read_from_a_token() -> None:
    """Web addresses lie in the logs of proxies."""
    token = sealed(INBOUND, State(node="queue", score=21))
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for word in (b"inbound", b"queue", CALL.encode()):
        assert word not in raw


def test_numbers_and_the_key_stay_out_of_sight() -> None:
    assert "138" not in repr(SITE)
    assert "kkk" not in repr(SITE)
    assert "12356" not in repr(SITE)
