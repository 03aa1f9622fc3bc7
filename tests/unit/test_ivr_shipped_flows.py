"""Where the line's own flows lead: these events from the start, and this comes of them."""

from __future__ import annotations

import pytest

from ivr.acts import (
    Answered,
    Capped,
    Effect,
    Event,
    Failed,
    Found,
    Held,
    HungUp,
    Join,
    Key,
    Play,
    Promised,
    Recorded,
    RingOwner,
    Silence,
    Speak,
)
from ivr.flow import (
    Flow,
)
from ivr.loader import shipped
from ivr.machine import State, begin, step
from ivr.rows import rows_of

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


def outcome(effects: list[Effect]) -> str | None:
    """Return the last outcome written: the one that stands."""
    return next((e.outcome for e in reversed(effects) if isinstance(e, Recorded)), None)


def promises(effects: list[Effect]) -> list[str]:
    return [e.kind for e in effects if isinstance(e, Promised)]


TO_GREETING = [NO, NO]
#: Nobody is this caller's own counsellor.
TO_QUEUE = [*TO_GREETING, SILENCE, FAILED]


@pytest.mark.parametrize("during_greeting", [SILENCE, Key("5"), Key("#"), Key("0")])
def test_any_key_or_none_at_the_greeting_reaches_the_queue(during_greeting: Event) -> None:
    state, effects = run(shipped("inbound"), *TO_GREETING, during_greeting, FAILED)
    assert state.node == "queue"
    assert effects[-1] == Join("hotline", 0, ("1", "2", "3"))


def test_an_elder_hears_no_menu() -> None:
    state, effects = run(shipped("inbound"), YES)
    assert Speak("zh_slow") in effects
    assert isinstance(effects[-1], Play)
    assert run(shipped("inbound"), YES, SILENCE, FAILED)[0].node == "queue"
    assert state.language == "zh_slow"


@pytest.mark.parametrize(
    ("flow", "events", "ends_at"),
    [
        ("inbound", [*TO_GREETING, "1", SILENCE, FAILED], "queue"),
        ("inbound", [*TO_QUEUE, "1", YES, SILENCE, SILENCE, SILENCE], "goodbye"),
        ("inbound", [*TO_QUEUE, "1", YES, "2", SILENCE, SILENCE, SILENCE, FAILED], "queue"),
        ("inbound", [*TO_QUEUE, "1", YES, "55", FAILED], "queue"),
        ("inbound", [*TO_QUEUE, ANSWERED, SILENCE, NO, "30", FAILED], "queue"),
        ("inbound", [*TO_QUEUE, "2", FAILED], "still_here"),
        ("inbound", [*TO_QUEUE, "3", SILENCE, "9"], "queue"),
        ("inbound", [*TO_QUEUE, CAPPED, SILENCE, FAILED], "queue"),
        ("inbound", [*TO_QUEUE, CAPPED, SILENCE, ANSWERED], "reconnect"),
        ("inbound", [*TO_QUEUE, FAILED, FAILED, YES], "closing__busy"),
        ("inbound", [*TO_QUEUE, FAILED, FAILED, NO], "closing__closed"),
        ("inbound", [*TO_QUEUE, ANSWERED, SILENCE, NO, "1", SILENCE], "goodbye"),
        ("inbound", [*TO_QUEUE, ANSWERED, SILENCE, YES], "goodbye"),
        ("inbound", [*TO_QUEUE, ANSWERED, "1"], "queue"),
        ("return_call", [SILENCE, FAILED, CAPPED, SILENCE, FAILED], "queue"),
        ("silent", [SILENCE, "1", SILENCE], "first_in_queue"),
        ("silent", [SILENCE, SILENCE, SILENCE, SILENCE, SILENCE], "people__queue"),
        ("talks", [SILENCE, "2", "47#", YES, SILENCE], "request_goodbye"),
        ("checkin", [YES, SILENCE], "neutral_queue"),
        ("checkin", [NO, SILENCE, SILENCE, SILENCE], None),
        ("checkin", [NO, "1", YES, "03", YES, "1"], "fine_goodbye"),
        ("checkin", [NO, "1", YES, "03", NO, "04", NO], "neutral_goodbye"),
        ("checkin", [NO, "0", SILENCE, FAILED, FAILED], "neutral_promised"),
    ],
)
def test_the_lines_flows_lead_where_they_should(flow: str, events: list[Event | str], ends_at: str) -> None:
    assert run(shipped(flow), *events)[0].node == ends_at


@pytest.mark.parametrize(
    "before", [[NO, NO, SILENCE], [NO, NO, "7"], [NO, NO, "0"], [YES, SILENCE], [NO, NO, "1", "5"]]
)
def test_whoever_has_a_counsellor_of_their_own_is_put_through_to_them_first(
    before: list[Event | str],
) -> None:
    assert run(shipped("inbound"), *before)[1][-1] == RingOwner()
    assert run(shipped("inbound"), *before, ANSWERED)[0].node == "reconnect"
    assert run(shipped("inbound"), *before, FAILED)[1][-1] == Join("hotline", 0, ("1", "2", "3"))


def test_a_code_asks_for_its_counsellor_and_leaves_no_trace() -> None:
    state, effects = run(shipped("inbound"), *TO_GREETING, "3", "264951")
    assert state.node == "counsellor"
    assert effects[-1] == RingOwner()
    assert Held("code", "264951") in effects
    assert not [row for row in rows_of("inbound", effects) if "264951" in row[1]]
    assert "264951" not in repr((state, effects))


@pytest.mark.parametrize(
    ("keyed", "asked"), [(["264951", FAILED], True), (["2649#"], False), (["26", SILENCE], False)]
)
def test_a_code_of_nobodys_and_one_of_somebody_away_hear_the_same_and_wait(
    keyed: list[Event | str], asked: bool
) -> None:
    """R17: nobody learns whose a code is, or whether it is anybody's."""
    effects = run(shipped("inbound"), *TO_GREETING, "3", *keyed)[1]
    assert (effects[-1], RingOwner() in effects) == (Play(("caller_code_away",)), asked)
    assert run(shipped("inbound"), *TO_GREETING, "3", *keyed, SILENCE)[0].node == "queue"


def test_whoever_is_asked_for_a_code_and_keeps_silent_is_rung_for_like_everybody() -> None:
    assert run(shipped("inbound"), *TO_GREETING, "3", SILENCE)[1][-1] == RingOwner()
    assert run(shipped("inbound"), *TO_GREETING, "3", SILENCE, FAILED)[0].node == "queue"
    assert run(shipped("inbound"), *TO_GREETING, "3", "0", SILENCE, FAILED)[0].node == "queue"


def test_a_return_call_rings_the_owner_first() -> None:
    assert run(shipped("return_call"), SILENCE)[1][-1] == RingOwner()
    assert run(shipped("return_call"), SILENCE, FAILED)[1][-1] == Join("hotline", 1)


@pytest.mark.parametrize("key", ["2", "3", "4"])
def test_any_answer_but_never_to_the_ninth_item_goes_to_a_person_at_once(key: str) -> None:
    state, effects = run(shipped("phq9"), SILENCE, "11111111", YES, key, SILENCE)
    assert state.node == "first_in_queue"
    assert outcome(effects) == "screening_urgent"
    assert effects[-1] == Join("hotline", 5)


def test_the_ninth_item_is_asked_only_while_somebody_is_free() -> None:
    state, effects = run(shipped("phq9"), SILENCE, "11111111", NO, SILENCE, YES, SILENCE)
    assert "phq9_9" not in repr(effects)
    assert promises(effects) == ["callback"]
    assert state.node == "callback__which"


@pytest.mark.parametrize(
    ("flow", "events", "word"),
    [
        ("phq9", ["22222222", YES, "1"], "screening_done"),  # 8
        ("phq9", ["33222222", YES, "1"], "screening_refer"),  # 10
        ("gad7", ["3333211"], "screening_done"),  # 9
        ("gad7", ["3333311"], "screening_refer"),  # 10
        ("wellbeing", ["44333"], "screening_refer"),  # 12
        ("wellbeing", ["44433"], "screening_done"),  # 13
        ("gad7", ["333", "9"], "screening_unfinished"),
    ],
)
def test_a_sum_over_the_line_leads_to_an_offer(flow: str, events: list[Event | str], word: str) -> None:
    assert outcome(run(shipped(flow), SILENCE, *events)[1]) == word


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (["2"], "reached_other"),
        (["3"], "wrong_person"),
        (["9"], "phone_refused"),
        ([SILENCE, SILENCE, SILENCE], "assistant_or_voicemail"),
        (["44"], "identity_failed"),
        (["1", NO], "reached_self_no_key"),
        (["1", NO, HUNG_UP], "reached_self_no_key"),
        (["1", NO, "1"], "reached_self_ivr_ok"),
        (["1", NO, "2"], "reached_self_callback"),
        (["1", NO, "0"], "reached_self_transfer"),
        (["1", NO, "99"], "opted_out"),
        (["1", NO, "9", SILENCE, SILENCE], "reached_self_no_key"),
        (["1", YES, "12", NO, "11", NO], "identity_failed"),
    ],
)
def test_what_a_check_in_makes_of_keys(events: list[Event | str], expected: str) -> None:
    assert outcome(run(shipped("checkin"), NO, *events)[1]) == expected


@pytest.mark.parametrize(
    ("flow", "events", "kinds"),
    [
        ("inbound", [*TO_GREETING, "2", "1", YES, SILENCE], ["appointment"]),
        ("inbound", [*TO_GREETING, "2", "2", "1234#", NO, "13900001111#", SILENCE], ["talk"]),
        ("inbound", [*TO_GREETING, "2", "3", YES, SILENCE], ["talk"]),
        ("inbound", [*TO_QUEUE, "1", YES, HUNG_UP], ["callback"]),
        ("inbound", [*TO_QUEUE, "1", NO, NO, "0510#", "051082700000#", SILENCE], ["callback"]),
        (
            "inbound",
            [*TO_QUEUE, FAILED, FAILED, YES, "2", YES, "2", "13800138000#"],
            ["callback"],
        ),
        ("checkin", [NO, "1", NO, "2"], ["callback"]),
        ("inbound", [*TO_QUEUE, ANSWERED, SILENCE, NO, SILENCE, SILENCE], []),
    ],
)
def test_wishes_become_promises(flow: str, events: list[Event | str], kinds: list[str]) -> None:
    assert promises(run(shipped(flow), *events)[1]) == kinds
