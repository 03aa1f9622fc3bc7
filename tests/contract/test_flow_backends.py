"""One flow, one meaning: Asterisk takes the same way as `machine.step`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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
