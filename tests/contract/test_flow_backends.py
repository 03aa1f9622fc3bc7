"""One flow, one meaning: the machine still says what a real Asterisk did with the compiled flows.

Every test run also walks the flows on Asterisk itself (tests/integration/test_flow_walks.py); this needs
none and tells at once when a flow has come to mean something else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ivr.acts import Answered, Capped, EarlyKey, Event, Failed, Found, HungUp, Key, Silence
from ivr.flow import Flow
from ivr.loader import SHIPPED, shipped
from ivr.machine import begin, step
from ivr.rows import rows_of

FLOWS = {name: shipped(name) for name in SHIPPED}
#: Calls through Asterisk 22.10.1, one a line: what happened, and the rows that its journal then held.
TRACE = Path(__file__).parent.parent / "traces" / "flow_walks.jsonl"
WALKS = [json.loads(line) for line in TRACE.read_text(encoding="utf-8").splitlines()]
MEND = "if the flow was meant to change, record anew: python tests/integration/record_flow_walks.py"
EVENTS: dict[str, Event] = {
    "silence": Silence(),
    "answered": Answered(),
    "failed": Failed(),
    "capped": Capped(),
    "hungup": HungUp(),
    "yes": Found(True),
    "no": Found(False),
}


def event(word: str) -> Event:
    if word.startswith("early-"):
        return EarlyKey(word.removeprefix("early-"))
    return EVENTS.get(word) or Key(word)


def rows(flow: Flow, words: str) -> list[str]:
    """Return the rows that the machine means, as the trace spells them."""
    state, effects = begin(flow)
    told = list(effects)
    for word in words.split():
        state, effects = step(flow, state, event(word))
        told += effects
    return [f"{name} {text.removeprefix(f'flow={flow.name}&')}" for name, text in rows_of(flow.name, told)]


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: f"{walk['flow']}-{walk['events']}"[:60])
def test_asterisk_wrote_what_the_machine_means(walk: dict[str, Any]) -> None:
    assert rows(FLOWS[walk["flow"]], walk["events"]) == walk["rows"], MEND


@pytest.mark.parametrize("name", SHIPPED)
def test_the_trace_passes_every_node(name: str) -> None:
    told = {row for walk in WALKS if walk["flow"] == name for row in walk["rows"]}
    passed = {row.removeprefix("IVR_NODE node=") for row in told if row.startswith("IVR_NODE ")}
    assert passed == set(FLOWS[name].nodes), MEND


def test_in_the_trace_everything_happens_that_can_happen_to_a_call() -> None:
    assert {type(event(word)) for walk in WALKS for word in walk["events"].split()} == {
        *map(type, EVENTS.values()),
        Key,
        EarlyKey,
    }
