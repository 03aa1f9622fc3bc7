"""A compiled flow is whole, and nothing hostile gets into a line of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from ivr.backends.dialplan import QueueOptions, compile_flow, queue_keys
from ivr.errors import CompileError
from ivr.flow import Digits, Direction, End, Flow, Menu, Node, options_of
from ivr.loader import SHIPPED, shipped

TRANSFERS = {name: f"PJSIP/{name}@trunk" for name in ("12356", "110", "120")}


def compiled(flow: Flow, **options: Any) -> str:
    given: dict[str, Any] = {"language": "zh", "queue_options": QueueOptions(), "transfers": TRANSFERS}
    return compile_flow(flow, **(given | options))


def section(text: str, node: str) -> str:
    """Return the lines of one extension."""
    return text.split(f"exten => {node},1,", 1)[1].split("\n\n", 1)[0]


def of_nodes(**nodes: Node) -> Flow:
    first, last = next(iter(nodes)), list(nodes)[-1]
    return Flow(name="mini", direction=Direction.INBOUND, language="zh", start=first, nodes=nodes, human=last)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_node_is_an_extension_and_every_jump_lands(name: str) -> None:
    flow = shipped(name)
    text = compiled(flow)
    assert text.startswith(f"[flow-{name}]\nexten => s,1,")
    extensions = re.findall(r"^exten => (\w+),1,", text, re.M)
    assert sorted(extensions) == sorted(["s", "b", *flow.nodes])
    jumps = re.findall(r"(?:Goto\(|[?:])(\w+),1\)", text)
    assert jumps
    assert set(jumps) <= set(flow.nodes)
    for node in flow.nodes:
        labels = set(re.findall(r"n\((\w+)\)", section(text, node)))
        used = re.findall(r"\?(\w+)(?=[:)])|(?<=:)(\w+)\)|Goto\((\w+)\)", section(text, node))
        assert {label for group in used for label in group if label} <= labels


@pytest.mark.parametrize("node", ["queue", "people__queue"])
def test_where_the_line_rings_some_people_first_it_is_asked_before_everybody_is_rung(node: str) -> None:
    text = compiled(shipped("inbound" if node == "queue" else "talks"))
    lines = section(text, node).splitlines()
    asks, rings = (
        next(place for place, line in enumerate(lines) if word in line)
        for word in ("Gosub(hotline-first,s,1)", "Queue(hotline")
    )
    assert asks < rings
    assert "DIALPLAN_EXISTS(hotline-first,s,1)}=0]?wait)" in lines[asks - 1]


def test_a_code_is_held_for_the_owner_node_and_written_nowhere() -> None:
    code = section(compiled(shipped("inbound")), "code")
    assert "MSet(HOTLINE_CODE=${HOTLINE_TYPED},HOTLINE_TYPED=)\n same => n,Goto(counsellor,1)" in code
    assert not [line for line in code.splitlines() if "CELGen" in line and "HOTLINE_TYPED" in line]


@pytest.mark.parametrize("name", SHIPPED)
def test_each_node_writes_its_row_first(name: str) -> None:
    text = compiled(shipped(name))
    for node in shipped(name).nodes:
        assert section(text, node).startswith(f"CELGenUserEvent(IVR_NODE,flow={name}&node={node})\n")


def test_the_queue_continues_when_the_counsellor_hangs_up_and_never_lets_a_star_end_the_call() -> None:
    queue = section(
        compiled(shipped("inbound"), queue_options=QueueOptions(cap=timedelta(minutes=4))), "queue"
    )
    assert "Queue(hotline,cCi,,,${HOTLINE_LEFT})" in queue
    assert "HOTLINE_LEFT=240," in queue


def test_the_promise_is_written_before_it_is_spoken() -> None:
    text = compiled(shipped("checkin"))
    assert "PROMISE,flow=checkin&kind=callback" in section(text, "busy_promise")
    assert "Playback" not in section(text, "busy_promise")
    assert "Goto(busy_promised,1)" in section(text, "busy_promise")


def test_secret_keys_leave_no_row() -> None:
    menu = Menu(prompts=("pin",), options={"1": "bye", "0": "bye"}, on_silence="bye", on_wrong="bye")
    assert "IVR_KEY" in compiled(of_nodes(ask=menu, bye=End()))
    assert "IVR_KEY" not in compiled(of_nodes(ask=replace(menu, records=False), bye=End()))


def test_a_number_is_written_only_where_it_is_kept() -> None:
    number = Digits(prompts=("number",), least=7, most=12, next="bye", on_silence="bye", on_wrong="bye")
    assert "IVR_DIGITS" not in compiled(of_nodes(ask=number, bye=End()))
    kept = compiled(of_nodes(ask=replace(number, keep="number"), bye=End()))
    assert "IVR_DIGITS,flow=mini&node=ask&keep=number&digits=${HOTLINE_TYPED})" in kept


def test_the_digits_of_somebodys_birth_reach_the_call_only_as_a_hash_and_leave_no_row() -> None:
    code = section(compiled(shipped("checkin")), "code")
    assert "IVR_DIGITS" not in code
    assert "MSet(HOTLINE_TYPED=,HOTLINE_KEY=${SHA1(${HOTLINE_SALT}${HOTLINE_TYPED})})" in code


def test_a_key_that_is_not_offered_in_the_queue_leads_back_into_it() -> None:
    flow = shipped("inbound")
    queue = section(compiled(flow), "queue")
    labels = dict(re.findall(r"n\(k(\d)\),(\w+)", queue))
    assert set(labels) == set("0123456789")
    offered = set(options_of(flow.nodes["queue"]))
    assert {key for key, app in labels.items() if app == "CELGenUserEvent"} == offered
    assert {key for key, app in labels.items() if app == "Goto"} == set("0123456789") - offered


def test_the_line_learns_every_key_that_some_queue_offers() -> None:
    flows = [shipped(name) for name in SHIPPED]
    assert queue_keys(flows) == ("1", "2", "3")
    assert queue_keys([shipped("gad7")]) == ()


def test_where_nothing_may_be_offered_the_queue_speaks_the_plain_set() -> None:
    text = compiled(shipped("checkin"))
    assert "CHANNEL(language)=${HOTLINE_LANGUAGE}_plain" in section(text, "neutral_queue")
    assert "_plain" not in section(text, "queue")


def test_only_a_flow_that_ranks_its_callers_changes_their_place() -> None:
    assert "HOTLINE_PLACE" not in compiled(shipped("inbound"))
    text = compiled(shipped("phq9"))
    assert "QUEUE_PRIO=$[${HOTLINE_PLACE}+5 * 100000000]" in section(text, "first_in_queue")
    assert "QUEUE_PRIO=${HOTLINE_PLACE}" in section(text, "people__queue")


def test_a_trace_is_told_of_every_wait_and_a_line_without_one_has_no_hook() -> None:
    flow = shipped("phq9")
    assert "Gosub(spy" not in compiled(flow)
    traced = compiled(flow, trace="spy")
    assert {kind for kind in re.findall(r"Gosub\(spy,(\w+),1\(\w+\)\)", traced)} >= {
        "ask",
        "people",
        "look",
        "say",
    }
    assert re.sub(r"Gosub\(spy,\w+,1\(\w+\)\)\n same => n,", "", traced) == compiled(flow)


def test_waits_are_scaled_but_never_to_asterisks_no_limit() -> None:
    text = compiled(shipped("inbound"), time_scale=0.1)
    assert "Read(HOTLINE_KEY,hotline/reconnect,1,t,1,0.5)" in text
    assert "HOTLINE_LEFT=18," in text
    text = compiled(shipped("inbound"), time_scale=0)
    assert "Read(HOTLINE_KEY,hotline/reconnect,1,t,1,0.05)" in text
    assert "HOTLINE_LEFT=1," in text


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
        ("greet_only", "prompts", (evil,)),
        ("greet_only", "next", evil),
        ("queue", "queue", evil),
        ("queue", "failed", evil),
        ("nobody", "outcome", evil),
        ("greet", "options", {"1": evil}),
        ("greet", "options", {evil: "goodbye"}),
        ("greet", "after_wrong", (evil,)),
        ("known", "fact", evil),
        ("in_dialect", "language", evil),
        ("microclass__pieces", "pieces", (evil,)),
        ("closing__are_open", "hours", evil),
    ]:
        hostile: Any = replace(cast(Any, flow.nodes[node]), **{field: value})
        with pytest.raises(CompileError):
            compiled(replace(flow, nodes={**flow.nodes, node: hostile}))


@pytest.mark.parametrize("evil", ["number;x", "a)", "${X}", "n,2"])
@pytest.mark.parametrize("field", ["keep", "on_hangup"])
def test_a_hostile_word_that_may_be_left_out_is_refused(field: str, evil: str) -> None:
    flow = shipped("inbound")
    hostile: Any = replace(cast(Any, flow.nodes["callback__other"]), **{field: evil})
    with pytest.raises(CompileError):
        compiled(replace(flow, nodes={**flow.nodes, "callback__other": hostile}))


@pytest.mark.parametrize("hook", [{"trace": "a)"}, {"queues": {"hotline": "a,b"}}])
def test_a_hostile_hook_of_a_test_is_refused(hook: dict[str, Any]) -> None:
    with pytest.raises(CompileError):
        compiled(shipped("inbound"), **hook)


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
