"""One flow, one meaning: Asterisk and TwiML take the same way as `machine.step`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.backends import twiml
from ivr.flow import Flow
from ivr.loader import SHIPPED, shipped
from ivr.machine import Answered, Event, Failed, HungUp, Key, Silence, begin, step
from ivr.rows import rows_of

FLOWS = {name: shipped(name) for name in SHIPPED}
#: Calls through Asterisk 22.10.1 with the compiled flows: random keys and silences sent as DTMF over
#: Local channels, and the user rows its CEL journal then held. Each line is one call.
TRACE = Path(__file__).parent.parent / "traces" / "flow_walks.jsonl"
WALKS = [json.loads(line) for line in TRACE.read_text(encoding="utf-8").splitlines()]
EVENTS: dict[str, Event] = {
    "silence": Silence(),
    "answered": Answered(),
    "failed": Failed(),
    "hungup": HungUp(),
}


def rows(flow: Flow, events: list[Event]) -> list[str]:
    state, effects = begin(flow)
    told = list(effects)
    for event in events:
        state, effects = step(flow, state, event)
        told += effects
    return [f"{name},{text}" for name, text in rows_of(flow.name, told)]


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: f"{walk['flow']}-{'.'.join(walk['events'])}"[:60])
def test_asterisk_wrote_what_the_machine_means(walk: dict[str, Any]) -> None:
    events = [EVENTS.get(word) or Key(word) for word in walk["events"]]
    assert rows(FLOWS[walk["flow"]], events) == walk["rows"]


def test_the_trace_passes_every_kind_of_answer() -> None:
    assert len(WALKS) > 60
    passed = {row.split("node=")[1] for walk in WALKS for row in walk["rows"] if row.startswith("IVR_NODE")}
    never = {node for flow in FLOWS.values() for node in flow.nodes} - passed
    assert never <= {"transfer_failed"}


SITE = twiml.Site(
    base_url="https://line.example/twilio",
    key=b"k" * 32,
    shown_number="+8651085000966",
    contacts=("+8613800001111",),
    transfers={"12356": "+8651012356"},
)


def webhook(document: str, event: Event) -> tuple[str, dict[str, str]]:
    """Return the token and the form Twilio would send next after this TwiML."""
    first, *rest = list(ElementTree.fromstring(document))  # noqa: S314 - our own output
    silent = first.tag == "Gather" and isinstance(event, Silence)
    address = rest[-1].text if silent else first.attrib["action"]
    taken = isinstance(event, Answered)
    form = {
        "Gather": {"Digits": event.key} if isinstance(event, Key) else {},
        "Enqueue": {"QueueResult": "bridged" if taken else "leave"},
        "Dial": {"DialCallStatus": "completed", "DialBridged": str(taken).lower()},
    }[first.tag]
    gone = {"CallStatus": "completed"} if isinstance(event, HungUp) else {"CallStatus": "in-progress"}
    return parse_qs(urlsplit(address or "").query)["t"][0], form | gone


@given(
    name=st.sampled_from(SHIPPED),
    acts=st.lists(st.sampled_from("0123456789*#").map(Key) | st.just(Silence()), max_size=12),
    people=st.lists(st.sampled_from([Answered(), Failed()]), max_size=4),
    hangs_up=st.booleans(),
)
def test_twiml_takes_the_same_way(name: str, acts: list[Event], people: list[Event], hangs_up: bool) -> None:
    flow, mine, theirs = FLOWS[name], iter(acts), iter(people)
    state, effects = begin(flow)
    reply = twiml.begin(flow, SITE, call="CA1")
    assert (reply.state, reply.effects) == (state, effects)
    while not state.over:
        waits_for_people = "<Gather" not in reply.twiml
        patient = Failed() if waits_for_people else Silence()
        last: Event = HungUp() if hangs_up else patient
        event = next(theirs if waits_for_people else mine, last)
        token, form = webhook(reply.twiml, event)
        state, effects = step(flow, state, event)
        reply = twiml.handle(flow, token, form, SITE, call="CA1")
        assert (reply.state, reply.effects) == (state, effects)
