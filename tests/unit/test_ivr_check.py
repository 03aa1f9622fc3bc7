"""A flow that could strand or expose somebody is found out before it is on the line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ivr.check import check
from ivr.explore import states, zero_is_lost
from ivr.flow import (
    Digits,
    Direction,
    End,
    Enqueue,
    Fact,
    Flow,
    Language,
    Mode,
    Node,
    Outcome,
    Promise,
    Questionnaire,
    Say,
    Transfer,
)
from ivr.loader import SHIPPED, shipped
from ivr.nodes import complaint
from ivr.prompts.catalogue import Catalogue, Prompt, load_catalogue
from ivr.prompts.sets import PLAIN_SAYS
from ivr.vocabulary import OUTCOMES
from scheduler.obligations import Result

CATALOGUE = load_catalogue()


def changed(flow: Flow, **nodes: Node) -> Flow:
    """Return the flow with other nodes."""
    return replace(flow, nodes={**flow.nodes, **nodes})


def node_with(flow: Flow, name: str, **fields: Any) -> Flow:
    return changed(flow, **{name: replace(flow.nodes[name], **fields)})


def saying(**texts: str) -> Catalogue:
    """Return the catalogue with other words."""
    prompts = dict(CATALOGUE.prompts)
    for id_, text in texts.items():
        prompts[id_] = Prompt(id=id_, language="zh", text=text, version=2, checksum="", approver="王敏")
    return Catalogue(language="zh", prompts=prompts)


def problems(flow: Flow, catalogue: Catalogue = CATALOGUE, lengths: dict[str, float] | None = None) -> str:
    return "\n".join(str(finding) for finding in check(flow, catalogue, lengths))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_flows_are_safe(name: str) -> None:
    assert problems(shipped(name)) == ""


# --- the graph ---------------------------------------------------------------------------------


def test_a_lost_target_is_found() -> None:
    flow = node_with(shipped("inbound"), "greet_only", next="nowhere")
    assert "inbound.yaml:" in problems(flow)
    assert "`next` leads to `nowhere`" in problems(flow)
    assert "sends 0 to `nowhere`" in problems(replace(shipped("inbound"), human="nowhere"))


def test_a_node_nobody_reaches_is_found() -> None:
    assert "no caller can come here" in problems(changed(shipped("inbound"), attic=End()))


def test_a_loop_without_a_human_is_found() -> None:
    flow = node_with(shipped("inbound"), "greet", options={"1": "speaks"})
    assert "go round for ever: " in problems(flow)


def test_a_loop_of_doing_nothing_is_found_although_it_rings_somebody_each_time() -> None:
    flow = node_with(shipped("inbound"), "escalate", failed="queue")
    assert "go round for ever: " in problems(flow)


def test_waiting_on_after_the_longest_wait_is_no_such_loop() -> None:
    queue = shipped("inbound").nodes["queue"]
    assert isinstance(queue, Enqueue)
    assert queue.on_cap == "long_wait"


# --- words -------------------------------------------------------------------------------------


def test_a_prompt_without_words_is_found() -> None:
    assert "says `grete`" in problems(node_with(shipped("inbound"), "greet_only", prompts=("grete",)))
    assert "says nothing" in problems(node_with(shipped("inbound"), "greet_only", prompts=()))
    assert "says `gone`" in problems(node_with(shipped("silent"), "danger", after_silence=("gone",)))


@pytest.mark.parametrize(
    ("name", "node", "word"),
    [
        ("known", Fact(fact="no_menus", yes="slowly", no="speaks"), "no_menus"),
        ("slowly", Language(language="zh_fast", next="greet_only"), "zh_fast"),
        ("callback__noted", Promise(kind="call_back", next="callback__promised"), "call_back"),
        ("nobody", Outcome(outcome="overflown", next="closing__are_open"), "overflown"),
        ("greet_only", Say(prompts=("greet",), next="queue", on_hangup="gone"), "gone"),
        ("line_12356", Transfer(destination="13800000000", failed="still_here"), "13800000000"),
        (
            "queue",
            Enqueue(queue="hotlin", answered="reconnect", failed="escalate", on_cap="long_wait"),
            "hotlin",
        ),
    ],
)
def test_a_misspelt_word_is_found_before_it_is_silently_never_true(name: str, node: Node, word: str) -> None:
    assert f"nobody around the flow knows `{word}`" in problems(changed(shipped("inbound"), **{name: node}))


def test_digits_that_are_held_go_to_whoever_rings_by_them_and_nowhere_else() -> None:
    flow = shipped("inbound")
    assert "holds a `code` for a node that does not go by it" in problems(
        node_with(flow, "code", next="queue")
    )
    assert "nobody around the flow knows `pin`" in problems(node_with(flow, "code", hold="pin"))


def test_digits_are_written_down_or_held_and_never_both() -> None:
    code = shipped("inbound").nodes["code"]
    assert isinstance(code, Digits)
    assert complaint(code) == ""
    assert "`keep` writes the digits down and `hold` never does" in complaint(replace(code, keep="code"))


def test_a_sentence_that_takes_too_long_is_found_by_its_real_audio() -> None:
    assert problems(shipped("inbound"), lengths={"closed_keys": 16.0, "microclass_sleep": 80.0}) == ""
    found = problems(shipped("inbound"), lengths={"satisfaction": 30.0})
    assert "`satisfaction` has a sentence of" in found


def test_a_greeting_that_takes_too_long_is_found_whoever_it_greets() -> None:
    """R1: the guard time, the key sentence and the wait for the key count."""
    assert problems(shipped("inbound"), lengths={"greet": 6.0, "greet_keys": 4.2}) == ""
    assert "12.1 s of greeting" in problems(shipped("inbound"), lengths={"greet": 6.0, "greet_keys": 4.4})
    assert "of greeting" in problems(shipped("inbound"), lengths={"greet": 12.5})
    slow = node_with(shipped("inbound"), "greet", timeout=timedelta(seconds=8))
    assert "of greeting" in problems(slow, lengths={"greet": 5.0})


def test_the_words_of_flows_are_the_line_s_own() -> None:
    """Results that a machine's call can have, and the words the fold listens for."""
    from callcenter.domain.calls import URGENT

    ours = {word for word in OUTCOMES if not word.startswith(("screening_", "silent_"))} - {"overflowed"}
    assert ours <= set(Result)
    assert set(URGENT) <= OUTCOMES


# --- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_zero_reaches_a_human_from_every_state_of_every_flow(name: str) -> None:
    assert len(states(shipped(name))) > len(shipped(name).nodes) // 2
    assert zero_is_lost(shipped(name)) == set()


def test_a_zero_that_leads_nowhere_is_found() -> None:
    assert "pressing 0" in problems(replace(shipped("inbound"), human="goodbye"))
    flow = node_with(shipped("inbound"), "reconnect", options={"0": "goodbye", "1": "queue"})
    flow = replace(flow, nodes={**flow.nodes, "goodbye": End()})
    assert "reconnect" in zero_is_lost(flow)


def test_too_many_keys_are_found() -> None:
    many = dict.fromkeys("1234", "queue")
    assert "more than 3 keys" in problems(node_with(shipped("inbound"), "greet", options=many))


def test_a_nine_that_rings_somebody_is_found() -> None:
    flow = node_with(shipped("inbound"), "reconnect", options={"9": "queue"})
    assert "9 rings somebody" in problems(flow)


# --- nobody is stranded ------------------------------------------------------------------------


def test_a_caller_left_silent_without_a_human_is_found() -> None:
    flow = node_with(shipped("inbound"), "greet", on_silence="goodbye")
    assert "ends here and is never connected (R1)" in problems(flow)


def test_a_silent_elder_is_not_forgotten() -> None:
    flow = node_with(shipped("inbound"), "known", yes="goodbye")
    assert "ends here and is never connected (R1)" in problems(flow)


def test_a_dishonest_end_is_found() -> None:
    flow = node_with(shipped("inbound"), "nobody", next="goodbye")
    assert "without a human or an honest message" in problems(flow)
    assert "honest" in problems(shipped("inbound"), saying(closed="很抱歉，现在没有人能接听。"))
    assert "honest" in problems(shipped("return_call"), saying(neutral_danger="请保重。"))


@pytest.mark.parametrize("name", ["callback__noted", "callback__noted_there"])
def test_a_promise_spoken_before_it_is_made_is_found(name: str) -> None:
    """Whoever hears it may hang up content, and nobody would ever call (R4)."""
    flow = changed(shipped("inbound"), **{name: Language(language="zh", next="callback__promised")})
    assert "nothing is promised yet (R4)" in problems(flow)
    question = saying(callback_which="我们会尽快给您回电。同意请稍候，想换一个号码请按2。")
    assert problems(shipped("inbound"), question) == ""  # behind the promise it may be said


@pytest.mark.parametrize(("key", "what"), [("1", "a call back"), ("2", "12356"), ("3", "a library")])
def test_an_offer_that_does_not_do_what_the_queue_announces_is_found(key: str, what: str) -> None:
    queue = shipped("inbound").nodes["queue"]
    assert isinstance(queue, Enqueue)
    for options in ({**queue.options, key: "goodbye"}, {k: v for k, v in queue.options.items() if k != key}):
        found = problems(node_with(shipped("inbound"), "queue", options=options))
        assert f"{key} is announced to those who wait as {what}" in found


def test_an_offer_nobody_is_told_of_is_found() -> None:
    queue = shipped("inbound").nodes["queue"]
    assert isinstance(queue, Enqueue)
    options = {**queue.options, "4": "goodbye"}
    assert "offers 4, which nobody is told of" in problems(
        node_with(shipped("inbound"), "queue", options=options)
    )


def test_thoughts_of_death_that_are_only_added_up_are_found() -> None:
    flow = shipped("phq9")
    assert "only added up (R13)" in problems(node_with(flow, "last_item", tripwires={"phq9_9": 2}))
    assert "only added up (R13)" in problems(node_with(flow, "last_item", tripwires={}, on_tripwire=""))
    assert "without ringing anybody (R13)" in problems(node_with(flow, "last_item", on_tripwire="done"))


def test_a_caller_put_through_unwarned_is_found() -> None:
    assert "may not come along" in problems(shipped("inbound"), saying(transfer_wait="正在转接，请稍候。"))
    warm = Transfer(destination="12356", failed="still_here", mode=Mode.WARM)
    assert "may not come along" not in problems(changed(shipped("inbound"), line_12356=warm))


# --- nothing is disclosed ----------------------------------------------------------------------


@pytest.mark.parametrize("word", ["心理", "困难", "帮扶", "回访", "12356"])
@pytest.mark.parametrize(
    "prompt", ["who", "who_stop", "neutral_promised", "wrong_goodbye", "birth_month_wrong"]
)
def test_a_purpose_word_before_identity_is_found(prompt: str, word: str) -> None:
    found = problems(shipped("checkin"), saying(**{prompt: f"这是{word}来电。"}))
    assert f"`{prompt}` says {word} before identity" in found


def test_the_same_word_after_identity_is_allowed() -> None:
    assert problems(shipped("checkin"), saying(fine_goodbye="心理热线祝您一切都好。")) == ""


def test_a_purpose_word_to_whoever_rings_back_is_found() -> None:
    assert "says 心理" in problems(shipped("return_call"), saying(return_call="您好，心理热线。"))


def test_a_transfer_before_identity_is_found() -> None:
    put = Transfer(destination="12356", failed="neutral_promise")
    assert "transfers to 12356 before identity" in problems(changed(shipped("checkin"), neutral_queue=put))


def test_offers_while_waiting_before_identity_are_found() -> None:
    flow = node_with(shipped("checkin"), "neutral_queue", options={"1": "neutral_promise"})
    assert "the announcement names 12356" in problems(flow)


def test_a_questionnaire_before_identity_is_found() -> None:
    form = Questionnaire(
        items=("gad7_4",),
        scale=("phq9_scale",),
        answers={"1": 0, "2": 1},
        bands={0: "neutral_queue"},
        on_silence="neutral_queue",
        on_wrong="neutral_queue",
    )
    assert "a questionnaire before identity" in problems(changed(shipped("checkin"), neutral_hello=form))


@pytest.mark.parametrize("word", ["伤害自己", "自杀", "抑郁"])
def test_words_of_distress_before_identity_are_found(word: str) -> None:
    assert f"says {word} before identity" in problems(shipped("checkin"), saying(who=f"您最近{word}吗？"))


def test_what_the_queue_announces_before_identity_is_found_too() -> None:
    for announced in PLAIN_SAYS.values():
        found = problems(shipped("return_call"), saying(**{announced: "咨询员正在接听其他电话。"}))
        assert f"`{announced}` says 咨询 before identity" in found


def test_an_outbound_flow_without_identity_is_found() -> None:
    assert "asks nobody who they are" in problems(replace(shipped("checkin"), identity=None))


@pytest.mark.parametrize("word", ["诊断", "抑郁症"])
def test_a_diagnosis_is_found(word: str) -> None:
    assert f"says {word}" in problems(shipped("phq9"), saying(screen_refer=f"这是{word}。"))


def test_a_flow_may_be_made_in_code() -> None:
    flow = Flow(
        name="tiny",
        direction=Direction.INBOUND,
        language="zh",
        start="hello",
        human="wait",
        nodes={
            "hello": Say(prompts=("greet",), next="wait"),
            "wait": Enqueue(queue="hotline", answered="bye", failed="sorry", on_cap="sorry"),
            "bye": End(),
            "sorry": End(prompts=("transfer_failed",)),
        },
    )
    assert problems(flow) == ""
    assert flow.where("bye") == "tiny/bye"
