"""What a flow means, as tables: these events from the start lead here and say this."""

from __future__ import annotations

import pytest

from ivr.flow import Flow
from ivr.loader import shipped
from ivr.machine import (
    Answered,
    Ask,
    Effect,
    Event,
    Failed,
    HangUp,
    HungUp,
    Join,
    Key,
    Play,
    Promised,
    Recorded,
    Silence,
    State,
    begin,
    step,
)

SILENCE, ANSWERED, FAILED, HUNG_UP = Silence(), Answered(), Failed(), HungUp()


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


def promises(effects: list[Effect]) -> int:
    return sum(isinstance(e, Promised) for e in effects)


@pytest.mark.parametrize("during_greeting", [SILENCE, Key("5"), Key("#"), Key("0")])
def test_any_key_or_none_at_the_greeting_reaches_the_queue(during_greeting: Event) -> None:
    state, effects = run(shipped("inbound"), during_greeting)
    assert state.node == "queue"
    assert effects[-1] == Join("hotline")


@pytest.mark.parametrize(
    ("events", "ends_at"),
    [
        ((SILENCE, ANSWERED), "reconnect"),
        ((SILENCE, ANSWERED, "1"), "queue"),
        ((SILENCE, ANSWERED, "0"), "queue"),
        ((SILENCE, ANSWERED, SILENCE), None),
        ((SILENCE, ANSWERED, "7"), None),
        ((SILENCE, FAILED), "escalate"),
        ((SILENCE, FAILED, ANSWERED), "reconnect"),
        ((SILENCE, FAILED, FAILED), "closed"),
        ((SILENCE, FAILED, FAILED, SILENCE), "closed"),
        ((SILENCE, FAILED, FAILED, SILENCE, SILENCE), None),
        ((SILENCE, FAILED, FAILED, "1"), "to_12356"),
        ((SILENCE, FAILED, FAILED, "1", SILENCE), "transfer"),
        ((SILENCE, FAILED, FAILED, "1", SILENCE, ANSWERED), None),
        ((SILENCE, FAILED, FAILED, "1", SILENCE, FAILED), None),
        ((SILENCE, "123"), "queue"),
        ((HUNG_UP,), None),
    ],
)
def test_where_a_caller_to_the_line_comes(events: tuple[Event | str, ...], ends_at: str | None) -> None:
    assert run(shipped("inbound"), *events)[0].node == ends_at


def test_the_closed_message_is_said_twice_before_the_line_lets_go() -> None:
    _, effects = run(shipped("inbound"), SILENCE, FAILED, FAILED, SILENCE, SILENCE)
    said = [e for e in effects if isinstance(e, Ask) and "closed" in e.prompts]
    assert len(said) == 2
    assert outcome(effects) == "overflowed"
    assert effects[-1] == HangUp(("closed_goodbye",))


@pytest.mark.parametrize(
    ("events", "result", "promised"),
    [
        (("11",), "reached_self_ivr_ok", 0),
        (("12",), "reached_self_callback", 1),
        (("10", SILENCE, ANSWERED), "reached_self_transfer", 0),
        (("10", SILENCE, FAILED, ANSWERED), "reached_self_transfer", 0),
        (("10", SILENCE, FAILED, FAILED), "reached_self_transfer", 1),
        (("10", SILENCE, HUNG_UP), "reached_self_transfer", 0),
        (("199",), "opted_out", 0),
        (("19", SILENCE, SILENCE), "reached_self_no_key", 0),
        (("19", SILENCE, "9"), "opted_out", 0),
        (("192",), "reached_self_callback", 1),
        (("190", SILENCE, HUNG_UP), "reached_self_transfer", 0),
        (("1", HUNG_UP), "reached_self_no_key", 0),
        (("1", SILENCE, SILENCE, SILENCE), "reached_self_no_key", 0),
        (("1777",), "reached_self_no_key", 0),
        (("2",), "reached_other", 0),
        (("3",), "wrong_person", 0),
        (("9",), "phone_refused", 0),
        (("777",), "identity_failed", 0),
        ((SILENCE, SILENCE, SILENCE), "assistant_or_voicemail", 0),
        ((SILENCE, "7", SILENCE), "assistant_or_voicemail", 0),
        (("7", SILENCE, "7"), "identity_failed", 0),
        (("0", SILENCE, FAILED, FAILED), "identity_failed", 1),
        (("0", SILENCE, ANSWERED), "identity_failed", 0),
        ((HUNG_UP,), None, 0),
        (("***11",), "reached_self_ivr_ok", 0),
        (("*" * 7 + "1" * 2,), "reached_self_ivr_ok", 0),
        (("*" * 8,), "identity_failed", 0),
    ],
)
def test_what_a_check_in_call_comes_to(
    events: tuple[Event | str, ...], result: str | None, promised: int
) -> None:
    _, effects = run(shipped("checkin"), *events)
    assert outcome(effects) == result
    assert promises(effects) == promised


def test_saying_it_again_uses_up_no_try() -> None:
    state, effects = run(shipped("checkin"), "7*")
    assert (state.misses, state.repeats) == (1, 1)
    assert isinstance(effects[-1], Ask)


def test_nothing_happens_after_the_end() -> None:
    flow = shipped("inbound")
    over, _ = run(flow, HUNG_UP)
    for event in (Key("1"), SILENCE, ANSWERED, FAILED, HUNG_UP):
        assert step(flow, over, event) == (over, ())


def test_events_that_mean_nothing_change_nothing() -> None:
    flow = shipped("inbound")
    start, effects = begin(flow)
    assert effects[-1] == Play(("greet",))
    assert step(flow, start, ANSWERED) == (start, ())
    queue, _ = step(flow, start, SILENCE)
    assert step(flow, queue, Key("1")) == (queue, ())
