"""A flow that could strand or expose somebody is found out before it is on the line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ivr.check import check
from ivr.flow import End, Enqueue, Flow, Menu, Node, Say, Transfer
from ivr.loader import SHIPPED, shipped
from ivr.prompts.catalogue import Catalogue, Prompt, load_catalogue

CATALOGUE = load_catalogue()


def changed(flow: Flow, **nodes: Node) -> Flow:
    return replace(flow, nodes={**flow.nodes, **nodes})


def node_with(flow: Flow, name: str, **fields: Any) -> Flow:
    return changed(flow, **{name: replace(flow.nodes[name], **fields)})


def saying(**texts: str) -> Catalogue:
    """Return the catalogue with other words."""
    prompts = dict(CATALOGUE.prompts)
    for id_, text in texts.items():
        prompts[id_] = Prompt(id=id_, language="zh", text=text, version=2, checksum="", approver="王敏")
    return Catalogue(language="zh", prompts=prompts)


def problems(flow: Flow, catalogue: Catalogue = CATALOGUE) -> str:
    return "\n".join(str(finding) for finding in check(flow, catalogue))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_flows_are_safe(name: str) -> None:
    assert problems(shipped(name)) == ""


def test_a_lost_target_is_found() -> None:
    flow = node_with(shipped("inbound"), "greet", next="nowhere")
    assert "inbound.yaml:" in problems(flow)
    assert "`next` leads to `nowhere`" in problems(flow)


def test_a_prompt_without_words_is_found() -> None:
    assert "says `grete`" in problems(node_with(shipped("inbound"), "greet", prompts=("grete",)))
    assert "says nothing" in problems(node_with(shipped("inbound"), "greet", prompts=()))


def test_a_node_nobody_reaches_is_found() -> None:
    assert "no caller can come here" in problems(changed(shipped("inbound"), attic=End()))


def test_a_loop_without_a_human_is_found() -> None:
    flow = node_with(shipped("inbound"), "closed", on_silence="queue")
    assert "go round for ever: " in problems(flow)


def test_reconnecting_to_a_human_again_and_again_is_no_such_loop() -> None:
    menu = shipped("inbound").nodes["reconnect"]
    assert isinstance(menu, Menu)
    assert menu.options["1"] == "queue"


def test_a_menu_without_zero_is_found() -> None:
    assert "key 0" in problems(node_with(shipped("inbound"), "closed", options={"1": "to_12356"}))
    flow = node_with(shipped("inbound"), "closed", options={"0": "closed_goodbye", "1": "to_12356"})
    assert "key 0" in problems(flow)


def test_too_many_keys_are_found() -> None:
    many = {key: "to_12356" for key in "01234"}
    assert "more than 3 keys" in problems(node_with(shipped("inbound"), "closed", options=many))


def test_a_caller_left_silent_without_a_human_is_found() -> None:
    silent = Menu(
        prompts=("closed",),
        options={"1": "queue", "0": "queue"},
        on_silence="closed_goodbye",
        on_wrong="closed_goodbye",
    )
    found = problems(changed(shipped("inbound"), greet=silent))
    assert "presses nothing is never connected" in found


def test_a_dishonest_end_is_found() -> None:
    flow = node_with(shipped("inbound"), "nobody", next="goodbye")
    assert "without a human or an honest message" in problems(flow)
    assert "honest" in problems(shipped("inbound"), saying(closed="很抱歉，现在没有人能接听。"))


@pytest.mark.parametrize("word", ["心理", "困难", "帮扶", "回访", "12356"])
def test_a_purpose_word_before_identity_is_found(word: str) -> None:
    for prompt in ("who", "who_stop", "neutral_promised", "wrong_goodbye"):
        assert f"`{prompt}` says {word} before identity" in problems(
            shipped("checkin"), saying(**{prompt: f"这是{word}来电。"})
        )


def test_the_same_word_after_identity_is_allowed() -> None:
    assert problems(shipped("checkin"), saying(fine_goodbye="心理热线祝您一切都好。")) == ""


def test_a_transfer_before_identity_is_found() -> None:
    flow = changed(shipped("checkin"), neutral_queue=Transfer(destination="12356", failed="neutral_promise"))
    assert "transfers to 12356 before identity" in problems(flow)


def test_an_outbound_flow_without_identity_is_found() -> None:
    assert "asks nobody who they are" in problems(replace(shipped("checkin"), identity=None))


def test_a_diagnosis_is_found() -> None:
    assert "says 诊断" in problems(shipped("inbound"), saying(goodbye="您的诊断是……"))


def test_a_flow_may_be_made_in_code() -> None:
    flow = Flow(
        name="tiny",
        direction=shipped("inbound").direction,
        language="zh",
        start="hello",
        nodes={
            "hello": Say(prompts=("greet",), next="wait"),
            "wait": Enqueue(queue="hotline", answered="bye", failed="sorry"),
            "bye": End(),
            "sorry": End(prompts=("transfer_failed",)),
        },
    )
    assert problems(flow) == ""
    assert flow.where("bye") == "tiny/bye"
