"""What a flow means, as tables: these events from the start lead here and say this."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ivr.acts import (
    Answered,
    Ask,
    Capped,
    EarlyKey,
    Effect,
    Entered,
    Event,
    Failed,
    Found,
    HangUp,
    HungUp,
    Kept,
    Key,
    Left,
    Listen,
    Look,
    Pause,
    Play,
    PlayPiece,
    Pressed,
    Promised,
    Question,
    Recorded,
    RecordMessage,
    Resume,
    Scored,
    Silence,
    Totalled,
)
from ivr.flow import (
    Digits,
    Direction,
    End,
    Flow,
    Identify,
    Library,
    Menu,
    Node,
    Questionnaire,
    Record,
    Say,
)
from ivr.machine import State, begin, step

SILENCE, ANSWERED, FAILED, CAPPED, HUNG_UP = Silence(), Answered(), Failed(), Capped(), HungUp()
YES, NO = Found(True), Found(False)


def run(flow: Flow, *events: Event | str) -> tuple[State, list[Effect]]:
    """Return the last state and all effects; a text is a row of keys."""
    state, effects = begin(flow)
    told = list(effects)
    for event in events:
        for one in [Key(key) for key in event] if isinstance(event, str) else [event]:
            state, effects = step(flow, state, one)
            told += effects
    return state, told


def mini(node: Node, **others: Node) -> Flow:
    """Return a flow that begins at `node`; `bye`, `oops`, `hush` and `people` are its ends."""
    ends = {name: End(prompts=(name,)) for name in ("bye", "oops", "hush", "people")}
    return Flow(
        name="mini",
        direction=Direction.INBOUND,
        language="zh",
        start="here",
        human="people",
        nodes={"here": node, **ends, **others},
    )


def promises(effects: list[Effect]) -> list[str]:
    return [e.kind for e in effects if isinstance(e, Promised)]


# --- one kind of node at a time ---------------------------------------------------------------

MENU = Menu(
    prompts=("ask",),
    options={"1": "bye"},
    on_silence="hush",
    on_wrong="oops",
    after_silence=("still_there",),
    after_wrong=("not_that",),
)


@pytest.mark.parametrize(
    ("events", "ends_at"),
    [
        (["1"], "bye"),
        (["0"], "people"),
        (["71"], "bye"),
        ([SILENCE, "1"], "bye"),
        ([SILENCE, SILENCE], "hush"),
        (["77"], "oops"),
        (["7", SILENCE], "hush"),  # what went wrong last decides
        ([SILENCE, "#"], "oops"),
        (["*****1"], "bye"),
        (["*****", "**"], "oops"),  # after five repeats `*` is a wrong key
        (["A", "1"], "bye"),
        ([EarlyKey("1"), SILENCE, "1"], "bye"),
        ([YES, ANSWERED, CAPPED, "1"], "bye"),  # what cannot happen here changes nothing
    ],
)
def test_a_menu_is_left_by_key_silence_or_too_many_tries(events: list[Event | str], ends_at: str) -> None:
    state, _ = run(mini(MENU), *events)
    assert state.node == ends_at


def test_what_went_wrong_is_said_before_asking_again() -> None:
    wait = timedelta(seconds=10)
    assert run(mini(MENU), SILENCE)[1][-1] == Ask(("still_there", "ask"), wait)
    assert run(mini(MENU), "7")[1][-1] == Ask(("not_that", "ask"), wait)
    assert run(mini(MENU), "*")[1][-1] == Ask(("ask",), wait)


def test_a_burst_goes_on_in_the_next_menu() -> None:
    second = Menu(prompts=("more",), options={"2": "bye"}, on_silence="hush", on_wrong="oops")
    flow = mini(
        Menu(prompts=("ask",), options={"1": "more"}, on_silence="hush", on_wrong="oops"), more=second
    )
    _, effects = run(flow, "12")
    assert [e for e in effects if isinstance(e, Pressed)] == [Pressed("here", "1"), Pressed("more", "2")]


def test_a_key_during_a_sentence_skips_it_zero_leads_to_people_and_star_says_it_again() -> None:
    flow = mini(Say(prompts=("words",), next="bye"))
    assert run(flow, "5")[0].node == "bye"
    assert run(flow, SILENCE)[0].node == "bye"
    assert run(flow, "0")[0].node == "people"
    assert run(flow, "***")[1][-1] == Play(("words",))
    assert run(flow, "******")[0].node == "bye"


def test_the_last_words_are_never_cut_off_by_a_stray_key() -> None:
    flow = mini(End(prompts=("turn_to",)))
    assert run(flow, "5")[1][-1] == Play(("turn_to",))
    assert not run(flow, "55")[0].over
    assert run(flow, "555") == (run(flow, SILENCE)[0], [*run(flow, "55")[1], HangUp()])
    assert run(flow, "50")[0].node == "people"


NUMBER = Digits(
    prompts=("number",),
    least=3,
    most=5,
    next="bye",
    on_silence="hush",
    on_wrong="oops",
    keep="number",
    after_wrong=("incomplete",),
)


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        (["123#"], "123"),
        (["1234", SILENCE], "1234"),
        (["12345"], "12345"),
        (["10203"], "10203"),
        (["012#"], "012"),
        (["12*345#"], "345"),
        (["12#", "123#"], "123"),
        (["1A", "123#"], "123"),
    ],
)
def test_a_number_is_read_key_by_key(events: list[Event | str], kept: str) -> None:
    state, effects = run(mini(NUMBER), *events)
    assert state.node == "bye"
    assert Kept("here", "number", kept) in effects


@pytest.mark.parametrize(
    ("events", "ends_at"),
    [
        ([SILENCE, SILENCE], "hush"),
        (["12", SILENCE, "12", SILENCE], "oops"),
        (["#", "#"], "oops"),
        (["0", SILENCE], "people"),
        (["0#"], "people"),
        (["12*0", SILENCE], "people"),
    ],
)
def test_a_number_that_does_not_come_leads_on(events: list[Event | str], ends_at: str) -> None:
    state, effects = run(mini(NUMBER), *events)
    assert state.node == ends_at
    assert not [e for e in effects if isinstance(e, Kept)]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["13800001111#"], "13800001111"),
        (["13800001111", SILENCE], "13800001111"),
        (["1380000111", SILENCE, "13800001111#"], "13800001111"),  # one digit short: asked again
        (["138000011112", "13800001111#"], "13800001111"),
        (["051082700000"], "051082700000"),
        (["82700000#"], "82700000"),
    ],
)
def test_a_mobile_number_has_eleven_digits_or_is_asked_for_again(typed: list[Event | str], kept: str) -> None:
    flow = mini(replace(NUMBER, least=7, most=12, exact={"1": 11}))
    state, effects = run(flow, *typed)
    assert state.node == "bye"
    assert [e.digits for e in effects if isinstance(e, Kept)] == [kept]


def test_between_two_digits_the_line_listens_in_silence() -> None:
    assert run(mini(NUMBER), "1")[1][-1] == Listen(timedelta(seconds=5))
    assert run(mini(NUMBER), "12#")[1][-1] == Ask(("incomplete", "number"), timedelta(seconds=10))


def test_a_number_without_a_name_leaves_no_trace() -> None:
    secret = Digits(prompts=("code",), least=2, most=4, next="bye", on_silence="hush", on_wrong="oops")
    _, effects = run(mini(secret), "4711")
    assert "4711" not in repr(effects)


MONTH = Identify(
    prompts=("month",), expect="birth_month", length=2, passed="bye", failed="oops", on_silence="hush"
)


@pytest.mark.parametrize(
    ("events", "ends_at"),
    [
        ([NO], "bye"),  # nothing is known of them: they are not asked
        ([YES, "03", YES], "bye"),
        ([YES, "04", NO, "03", YES], "bye"),
        ([YES, "04", NO, "05", NO], "oops"),
        ([YES, SILENCE, SILENCE], "hush"),
        ([YES, "3", SILENCE, "3#"], "oops"),
        ([YES, "0", SILENCE], "people"),
    ],
)
def test_who_somebody_is_can_be_asked_by_digits(events: list[Event | str], ends_at: str) -> None:
    state, effects = run(mini(MONTH), *events)
    assert state.node == ends_at
    assert "03" not in repr(effects)
    assert "04" not in repr(effects)


def test_the_world_is_asked_whether_digits_are_known_and_right() -> None:
    _, effects = run(mini(MONTH), YES, "03")
    looks = [e for e in effects if isinstance(e, Look)]
    assert looks == [
        Look(Question.EXPECTED, "birth_month"),
        Look(Question.MATCHES, "birth_month", "03"),
    ]


FORM = Questionnaire(
    items=("sad", "tired", "dark"),
    scale=("scale",),
    answers={"1": 0, "2": 1, "3": 2},
    bands={0: "bye", 3: "refer"},
    on_silence="hush",
    on_wrong="oops",
    options={"9": "stop"},
    tripwires={"dark": 1},
    on_tripwire="now",
)
FORM_ENDS = {name: End(prompts=(name,)) for name in ("refer", "stop", "now")}


@pytest.mark.parametrize(
    ("events", "ends_at", "score"),
    [
        (["111"], "bye", 0),
        (["221"], "bye", 2),
        (["331"], "refer", 4),
        (["1", "*", SILENCE, "21"], "bye", 1),
        (["112"], "now", None),  # whatever the sum
        (["33", "9"], "stop", None),
        (["3", SILENCE, SILENCE], "hush", None),
        (["3", "7", "7"], "oops", None),
        (["1", "0"], "people", None),
    ],
)
def test_a_form_has_a_sum_only_when_it_is_complete(
    events: list[Event | str], ends_at: str, score: int | None
) -> None:
    state, effects = run(mini(FORM, **FORM_ENDS), *events)
    assert state.node == ends_at
    assert [e.score for e in effects if isinstance(e, Totalled)] == ([] if score is None else [score])


def test_each_answer_is_written_under_its_item() -> None:
    _, effects = run(mini(FORM, **FORM_ENDS), "31", SILENCE)
    assert [e for e in effects if isinstance(e, Scored)] == [
        Scored("here", "sad", 2),
        Scored("here", "tired", 0),
    ]
    assert effects[-1] == Ask(("dark", "scale"), timedelta(seconds=10))


def test_a_second_form_adds_only_if_it_says_so() -> None:
    def second(adds: bool) -> Questionnaire:
        return Questionnaire(
            items=("last",),
            scale=(),
            answers={"2": 1},
            bands={0: "bye"},
            on_silence="hush",
            on_wrong="oops",
            adds=adds,
        )

    first = Questionnaire(
        items=("first",), scale=(), answers={"2": 5}, bands={0: "then"}, on_silence="hush", on_wrong="oops"
    )
    for adds, total in ((True, 6), (False, 1)):
        _, effects = run(mini(first, then=second(adds)), "22")
        assert [e.score for e in effects if isinstance(e, Totalled)] == [5, total]


def test_a_message_is_promised_to_somebody_before_its_first_word() -> None:
    flow = mini(Record(prompts=("speak",), kind="message", next="bye"))
    _, effects = begin(flow)
    assert effects == (Entered("here"), Promised("message"), Play(("speak",)))
    assert run(flow, SILENCE)[1][-1] == RecordMessage("here", timedelta(seconds=120))
    assert run(flow, SILENCE, "5")[0].node == "here"  # other keys are part of the message
    assert run(flow, SILENCE, "#")[0].node == "bye"
    assert run(flow, "5", SILENCE)[0].node == "bye"
    assert run(flow, SILENCE, "0")[0].node == "people"
    assert promises(run(flow, HUNG_UP)[1]) == ["message"]


def test_pieces_are_played_paused_repeated_and_skipped() -> None:
    flow = mini(Library(pieces=("one", "two"), options={"9": "bye"}, next="hush"))
    assert run(flow)[1][-1] == PlayPiece("here", "one")
    assert run(flow, "1")[1][-1] == PlayPiece("here", "two")
    assert run(flow, SILENCE)[1][-1] == PlayPiece("here", "two")
    assert run(flow, "2")[1][-1] == Pause(timedelta(seconds=60))
    assert run(flow, "22")[1][-1] == Resume("one")
    assert run(flow, "2", SILENCE)[1][-1] == Resume("one")
    assert run(flow, "2*")[1][-1] == PlayPiece("here", "one")
    assert run(flow, "25")[0] == run(flow, "2")[0]
    assert run(flow, "11")[0].node == "hush"
    assert run(flow, "9")[0].node == "bye"
    assert run(flow, "20")[0].node == "people"


def test_a_flow_with_another_node_means_what_it_says_although_the_old_one_was_played() -> None:
    old = mini(Say(prompts=("words",), next="bye"))
    run(old, SILENCE)
    new = replace(old, nodes={**old.nodes, "bye": Say(prompts=("more",), next="oops")})
    assert run(new, SILENCE)[1][-1] == Play(("more",))


def test_hanging_up_is_written_with_the_outcome_a_node_names() -> None:
    flow = mini(Say(prompts=("words",), next="bye", on_hangup="left_early"))
    assert run(flow, HUNG_UP)[1][-2:] == [Left("here"), Recorded("left_early")]
    assert run(flow, SILENCE, HUNG_UP)[1][-1] == Left("bye")
    assert run(flow, HUNG_UP, "1", SILENCE)[0].over
