"""One flow, one meaning: a call played in the terminal leaves the rows that `machine.step` means."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.acts import Answered, Capped, EarlyKey, Event, Failed, Found, HungUp, Key, Look, Silence
from ivr.backends.simulator import Act, World, read_acts, simulate
from ivr.errors import FlowError, WordError
from ivr.flow import Direction, End, Enqueue, Escalate, Fact, Flow, Menu, Outcome, Owner, Transfer
from ivr.loader import SHIPPED, shipped
from ivr.machine import begin, step
from ivr.rows import Row, rows_of

FLOWS = {name: shipped(name) for name in SHIPPED}
FACTS = ("no_menu", "dialect", "high_risk", "slow", "owed")

keys = st.sampled_from("0123456789*#ABCD").map(Key)
quiet = st.sampled_from([Silence(), HungUp()])
lucks = st.sampled_from([Answered(), Failed(), Capped()])
#: Months, right and wrong, among the rest: nobody would come upon them by chance.
months = st.sampled_from(["07", "12", "08"]).map(lambda month: [*map(Key, month)])
acts = (keys | keys | keys | quiet | lucks).map(lambda act: [act]) | months
calls = st.lists(acts, max_size=30).map(lambda parts: [act for part in parts for act in part])
worlds = st.builds(
    World,
    facts=st.frozensets(st.sampled_from(FACTS)),
    is_open=st.booleans(),
    is_free=st.booleans(),
    has_number=st.booleans(),
    digits=st.sampled_from([{}, {"birth_month": "07"}, {"birth_month": "12"}]),
    otherwise=lucks,
)


def by_step(flow: Flow, acts: Sequence[Act], world: World, most: int) -> list[Row]:
    """Walk `most` steps with nothing but `step`, and return the rows."""
    state, effects = begin(flow)
    told, last, mine = list(effects), effects[-1], iter(acts)
    for _ in range(most):
        event: Event
        if isinstance(last, Look):
            event = Found(answer(last, world))
        else:
            event = next(mine, Silence())
            node = flow.nodes[state.node or ""]
            if isinstance(node, Enqueue | Owner | Escalate | Transfer):
                event = world.otherwise if event == Silence() else event
                if event == Capped() and not isinstance(node, Enqueue):
                    event = Failed()
            elif isinstance(event, Answered | Failed | Capped):
                event = Silence()
        state, effects = step(flow, state, event)
        told += effects
        last = effects[-1] if effects else last
    return rows_of(flow.name, told)


def answer(look: Look, world: World) -> bool:
    """Return what a world says, by the words of the question."""
    return {
        "hours": world.is_open,
        "free": world.is_free,
        "fact": look.of in world.facts or (look.of == "number" and world.has_number),
        "expected": look.of in world.digits,
        "matches": world.digits.get(look.of, "") == look.digits,
    }[look.question.value]


def typed(acts: Sequence[Act], bursts: Sequence[bool]) -> str:
    """Return acts as somebody types them; keys run together into bursts where told."""
    words, text = {Silence(): "-", HungUp(): "h", Answered(): "a", Failed(): "f", Capped(): "c"}, ""
    joined = iter(bursts)
    before: Act | None = None
    for act in acts:
        key = f"^{act.key}" if isinstance(act, EarlyKey) else act.key if isinstance(act, Key) else words[act]
        runs_on = isinstance(act, Key) and isinstance(before, Key) and next(joined, False)
        text += key if runs_on else f" {key}"
        before = act
    return text


@given(
    name=st.sampled_from(SHIPPED),
    early=st.lists(keys, max_size=2),
    acts=calls,
    world=worlds,
    bursts=st.lists(st.booleans(), max_size=40),
)
def test_any_call_leaves_the_same_rows(
    name: str, early: list[Key], acts: list[Act], world: World, bursts: list[bool]
) -> None:
    flow = FLOWS[name]
    drawn: list[Act] = [*(EarlyKey(key.key) for key in early), *acts]
    walk = simulate(flow, read_acts(typed(drawn, bursts)), world)
    assert walk.rows == by_step(flow, drawn, world, most=len(walk.moments) - 1)
    assert walk.over or len(walk.moments) > len(drawn)


@given(name=st.sampled_from(SHIPPED), acts=calls, world=worlds)
def test_a_call_that_does_not_end_would_never_end(name: str, acts: list[Act], world: World) -> None:
    """Where the simulator stops early, going on for long would only repeat what was."""
    flow = FLOWS[name]
    walk = simulate(flow, acts, world)
    if not walk.over:
        steps = len(walk.moments) - 1
        rows = by_step(flow, acts, world, most=steps + 500)
        assert {*rows} == {*walk.rows}
        assert len(rows) > len(walk.rows)


def test_people_who_are_rung_take_turns_with_their_luck() -> None:
    world = World(rung=(Failed(), Capped(), Answered()), otherwise=Failed())
    walk = simulate(FLOWS["inbound"], [], world)
    entered = [text.partition("node=")[2] for name, text in walk.rows if name == "IVR_NODE"]
    assert entered[:5] == ["known", "speaks", "greet", "owner", "queue"]
    assert entered[5:6] == ["long_wait"]
    assert entered[6:8] == ["also_on_call", "reconnect"]
    assert walk.over


def test_a_key_in_the_guard_time_is_lost_and_one_after_it_counts() -> None:
    lost = simulate(FLOWS["inbound"], read_acts("^3"), World())
    late = simulate(FLOWS["inbound"], read_acts("- f ^3"), World())
    taken = simulate(FLOWS["inbound"], read_acts("3"), World())
    assert ("IVR_KEY", "flow=inbound&node=greet&key=3") not in lost.rows
    assert ("IVR_KEY", "flow=inbound&node=queue&key=3") in late.rows
    assert ("IVR_KEY", "flow=inbound&node=greet&key=3") in taken.rows


@pytest.mark.parametrize(("typed_month", "passes"), [("07", True), ("08", False)])
def test_only_the_right_month_of_birth_passes(typed_month: str, passes: bool) -> None:
    world = World(digits={"birth_month": "07"})
    walk = simulate(FLOWS["checkin"], read_acts(f"1 {typed_month}"), world)
    assert (("IVR_NODE", "flow=checkin&node=identified") in walk.rows) is passes


def test_a_caller_who_comes_round_by_keys_is_played_on() -> None:
    """Coming back to where one was is no circle as long as the caller does something."""
    nodes = {
        "ask": Menu(prompts=("greet",), options={"1": "look"}, on_silence="bye", on_wrong="bye", tries=1),
        "look": Fact(fact="slow", yes="ask", no="ask"),
        "bye": End(),
    }
    flow = Flow(
        name="round", direction=Direction.INBOUND, language="zh", start="ask", human="bye", nodes=nodes
    )
    walk = simulate(flow, read_acts("1 1 1 1 h"), World())
    assert walk.rows.count(("IVR_KEY", "flow=round&node=ask&key=1")) == 4
    assert walk.rows[-1] == ("IVR_LEFT", "flow=round&node=ask")


def test_whoever_hangs_up_leaves_where_they_were() -> None:
    walk = simulate(FLOWS["checkin"], read_acts("1 h"), World())
    assert walk.rows[-2:] == [
        ("IVR_LEFT", "flow=checkin&node=how"),
        ("IVR_OUTCOME", "flow=checkin&outcome=reached_self_no_key"),
    ]


@pytest.mark.parametrize("word", ["x", "1x", "^", "1^", "--", "人", "a1", "1" * 3000 + "!"])
def test_a_word_that_means_nothing_is_named(word: str) -> None:
    with pytest.raises(WordError, match="means nothing here") as found:
        read_acts(f"1 {word}")
    assert word[:40] in str(found.value)
    assert len(str(found.value)) < 300


def test_nodes_that_go_round_without_a_pause_are_refused() -> None:
    ring: dict[str, Outcome] = {
        "here": Outcome(outcome="fine", next="there"),
        "there": Outcome(outcome="fine", next="here"),
    }
    flow = Flow(name="圈", direction=Direction.INBOUND, language="zh", start="here", human="here", nodes=ring)
    with pytest.raises(FlowError, match="here -> there -> here"):
        simulate(flow, [], World())


def test_a_part_is_not_played() -> None:
    with pytest.raises(FlowError, match="only a part"):
        simulate(shipped("people"), [], World())


def test_digits_stay_out_of_what_is_printed() -> None:
    assert "0731" not in repr(World(digits={"birth_month": "0731"}))
