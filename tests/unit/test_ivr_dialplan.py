"""A compiled flow is whole, and nothing hostile gets into a line of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ivr.backends.dialplan import QueueOptions, compile_flow
from ivr.errors import CompileError
from ivr.flow import Direction, End, Flow, Menu, Node
from ivr.loader import SHIPPED, shipped

TRANSFERS = {"12356": "PJSIP/12356@trunk"}


def compiled(flow: Flow, **options: Any) -> str:
    given: dict[str, Any] = {"language": "zh", "queue_options": QueueOptions(), "transfers": TRANSFERS}
    return compile_flow(flow, **(given | options))


def section(text: str, node: str) -> str:
    """Return the lines of one extension."""
    return text.split(f"exten => {node},1,", 1)[1].split("\n\n", 1)[0]


def of_nodes(**nodes: Node) -> Flow:
    return Flow(name="mini", direction=Direction.INBOUND, language="zh", start=next(iter(nodes)), nodes=nodes)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_node_is_an_extension_and_every_jump_lands(name: str) -> None:
    flow = shipped(name)
    text = compiled(flow)
    assert text.startswith(f"[flow-{name}]\nexten => s,1,")
    extensions = re.findall(r"^exten => (\w+),1,", text, re.M)
    assert sorted(extensions) == sorted(["s", *flow.nodes])
    jumps = re.findall(r"(?:Goto\(|[?:])(\w+),1\)", text)
    assert jumps
    assert set(jumps) <= set(flow.nodes)
    for node in flow.nodes:
        labels = set(re.findall(r"n\((\w+)\)", section(text, node)))
        used = re.findall(r"\?(\w+)(?::(\w+))?\)", section(text, node))
        assert {label for pair in used for label in pair if label} <= labels


@pytest.mark.parametrize("name", SHIPPED)
def test_each_node_writes_its_row_first(name: str) -> None:
    text = compiled(shipped(name))
    for node in shipped(name).nodes:
        assert section(text, node).startswith(f"CELGenUserEvent(IVR_NODE,flow={name}&node={node})\n")


def test_the_queue_continues_when_the_counsellor_hangs_up_and_never_lets_a_star_end_the_call() -> None:
    queue = section(
        compiled(shipped("inbound"), queue_options=QueueOptions(cap=timedelta(minutes=4))), "queue"
    )
    assert "Queue(hotline,cCi,,,240)" in queue


def test_the_promise_is_written_before_it_is_spoken() -> None:
    text = compiled(shipped("checkin"))
    assert "PROMISE,flow=checkin&kind=callback" in section(text, "busy_promise")
    assert "Playback" not in section(text, "busy_promise")
    assert "Goto(busy_promised,1)" in section(text, "busy_promise")


def test_secret_keys_leave_no_row() -> None:
    menu = Menu(prompts=("pin",), options={"1": "bye", "0": "bye"}, on_silence="bye", on_wrong="bye")
    assert "IVR_KEY" in compiled(of_nodes(ask=menu, bye=End()))
    assert "IVR_KEY" not in compiled(of_nodes(ask=replace(menu, records=False), bye=End()))


def test_waits_are_scaled_but_never_to_asterisks_no_limit() -> None:
    text = compiled(shipped("inbound"), time_scale=0.1)
    assert "Read(HOTLINE_KEY,hotline/reconnect,1,t,1,0.5)" in text
    assert "Queue(hotline,cCi,,,18)" in text
    text = compiled(shipped("inbound"), time_scale=0)
    assert "Read(HOTLINE_KEY,hotline/reconnect,1,t,1,0.05)" in text
    assert "Queue(hotline,cCi,,,1)" in text


@pytest.mark.parametrize(
    "evil", ["greet;x", "gr\neet", "${SHELL(id)}", "greet,2", "greet&other", "gréet", "", "../x", "a b", "a)"]
)
def test_a_hostile_name_is_refused_wherever_it_stands(evil: str) -> None:
    flow = shipped("inbound")
    with pytest.raises(CompileError):
        compiled(replace(flow, name=evil))
    with pytest.raises(CompileError):
        compiled(replace(flow, start=evil))
    with pytest.raises(CompileError):
        compiled(replace(flow, nodes={**flow.nodes, evil: End()}))
    for node, field, value in [
        ("greet", "prompts", (evil,)),
        ("greet", "next", evil),
        ("queue", "queue", evil),
        ("queue", "failed", evil),
        ("nobody", "outcome", evil),
        ("closed", "options", {"1": evil}),
        ("closed", "options", {evil: "goodbye"}),
        ("closed", "repeat", evil),
    ]:
        hostile = replace(flow.nodes[node], **{field: value})
        with pytest.raises(CompileError):
            compiled(replace(flow, nodes={**flow.nodes, node: hostile}))


@pytest.mark.parametrize(
    "dial", ["PJSIP/1,60,g", "PJSIP/${X}", "PJSIP/1;x", "PJSIP/1\nexten => x", "12356", ""]
)
def test_a_hostile_dial_string_is_refused(dial: str) -> None:
    with pytest.raises(CompileError):
        compiled(shipped("inbound"), transfers={"12356": dial})


def test_a_destination_without_a_dial_string_is_refused_by_place() -> None:
    with pytest.raises(CompileError, match=r"inbound\.yaml:\d+: no dial string for `12356`"):
        compiled(shipped("inbound"), transfers={})


def test_a_hostile_language_is_refused() -> None:
    with pytest.raises(CompileError):
        compiled(shipped("inbound"), language="zh)\n same => n,System(id")
