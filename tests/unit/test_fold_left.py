"""What callers leave in a flow: numbers, answers, promises; as their call's record tells it."""

from __future__ import annotations

import pytest
from journal_text import row

from callcenter.domain.calls import CallRecord, Outcome
from callcenter.domain.fold import fold
from callcenter.domain.journal import Row

ID, CALLER, COUNSELLOR = "pbx1-1795459000.1", "PJSIP/trunk-00000001", "PJSIP/c017-00000002"


def call_of(*said: tuple[str, str], answered: bool = False) -> CallRecord:
    """Return the record of a call in which a flow wrote these rows, and perhaps a talk came after."""
    now = 1_795_459_000.0
    rows = [row("CHAN_START", now, CALLER, ID, ID, context="hotline-trunk", exten="4000850966")]
    for event, words in said:
        now += 1
        rows.append(row(event, now, CALLER, ID, ID, words=words))
    if answered:
        rows += _talk(now)
    now += 100
    hung_up = '{"hangupcause":16,"hangupsource":"' + CALLER + '","dialstatus":""}'
    rows.append(row("HANGUP", now, CALLER, ID, ID, extra=hung_up))
    rows.append(row("CHAN_END", now, CALLER, ID, ID))
    rows.append(row("LINKEDID_END", now, CALLER, ID, ID))
    (call,) = fold(rows).calls
    return call


def _talk(now: float) -> list[Row]:
    bridge = '{"bridge_id":"b1","bridge_technology":"simple_bridge"}'
    return [
        row("APP_START", now + 1, CALLER, ID, ID, app="Queue"),
        row("CHAN_START", now + 2, COUNSELLOR, f"{ID}2", ID, context="hotline-phones"),
        row("BRIDGE_ENTER", now + 3, COUNSELLOR, f"{ID}2", ID, app="AppQueue", extra=bridge),
        row("BRIDGE_ENTER", now + 4, CALLER, ID, ID, app="Queue", peer=COUNSELLOR, extra=bridge),
        row("BRIDGE_EXIT", now + 60, CALLER, ID, ID, app="Queue", extra=bridge),
        row("CHAN_END", now + 61, COUNSELLOR, f"{ID}2", ID),
    ]


def test_a_number_keyed_twice_is_the_second_one() -> None:
    call = call_of(
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=number&digits=1390000222"),
        ("IVR_DIGITS", "flow=inbound&node=poster&keep=code&digits=1204"),
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=number&digits=13900002222"),
    )
    assert (call.left_number, call.poster_code) == ("13900002222", "1204")


def test_a_questionnaire_is_its_last_answers_and_its_sum() -> None:
    call = call_of(
        ("IVR_ANSWER", "flow=phq9&node=phq&item=1&score=3"),
        ("IVR_ANSWER", "flow=phq9&node=phq&item=9&score=0"),
        ("IVR_ANSWER", "flow=phq9&node=phq&item=9&score=1"),
        ("IVR_SCORE", "flow=phq9&node=phq&score=4"),
    )
    assert call.answers == ("phq/1=3", "phq/9=1", "phq=4")


def test_pieces_heard_and_where_the_caller_left() -> None:
    call = call_of(
        ("IVR_ITEM", "flow=class&node=play&item=breath_1"),
        ("IVR_ITEM", "flow=class&node=play&item=sleep_1"),
        ("IVR_LEFT", "flow=class&node=play"),
    )
    assert (call.pieces, call.left_at) == (("breath_1", "sleep_1"), "play")


def test_what_is_asked_for_before_a_talk_is_still_promised_after_it() -> None:
    call = call_of(("PROMISE", "flow=talks&kind=talk"), answered=True)
    assert (call.outcome, call.answered_by) == (Outcome.ANSWERED, "c017")
    assert call.promises == ("talk",)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=number&digits=13a"),
        ("IVR_DIGITS", "flow=inbound&node=ask&digits=139"),
        ("IVR_DIGITS", ""),
        ("IVR_ANSWER", "flow=phq9&node=phq&item=9&score=99999"),
        ("IVR_ANSWER", "flow=phq9&score=1"),
        ("IVR_SCORE", "flow=phq9&node=phq&score="),
        ("IVR_ITEM", "flow=class&node=play"),
        ("IVR_LEFT", "flow=class"),
        ("IVR_NEWER", "flow=class&node=play&item=1"),
    ],
)
def test_a_row_without_its_words_says_nothing(event: str, words: str) -> None:
    call = call_of((event, words))
    assert (call.kept, call.answers, call.pieces, call.left_at) == ((), (), (), None)


def test_neither_numbers_nor_answers_show_in_a_printed_record() -> None:
    call = call_of(
        ("IVR_DIGITS", "flow=inbound&node=ask&keep=number&digits=13900002222"),
        ("IVR_ANSWER", "flow=phq9&node=phq&item=9&score=1"),
    )
    assert "13900002222" not in repr(call)
    assert "phq" not in repr(call)


@pytest.mark.parametrize(
    ("context", "road"), [("hotline-owner", "owner"), ("hotline-escalate", "escalation")]
)
def test_who_was_rung_as_owner_is_told_from_who_was_rung_by_the_chain(context: str, road: str) -> None:
    bridge = '{"bridge_id":"b1","bridge_technology":"simple_bridge"}'
    rows = [
        row("CHAN_START", 1_795_459_000.0, CALLER, ID, ID, context="hotline-trunk", exten="4000850966"),
        row("RING", 1_795_459_001.0, CALLER, ID, ID, context=context, words="by=c017"),
        row("ACCEPT", 1_795_459_002.0, COUNSELLOR, f"{ID}2", ID, context="hotline-took", words="by=c017"),
        row("BRIDGE_ENTER", 1_795_459_003.0, COUNSELLOR, f"{ID}2", ID, app="AppDial", extra=bridge),
        row("BRIDGE_ENTER", 1_795_459_004.0, CALLER, ID, ID, app="Dial", peer=COUNSELLOR, extra=bridge),
        row("CHAN_END", 1_795_459_010.0, CALLER, ID, ID),
        row("LINKEDID_END", 1_795_459_010.0, CALLER, ID, ID),
    ]
    (call,) = fold(rows).calls
    assert (call.outcome, call.answered_by, call.answered_via) == (Outcome.ANSWERED, "c017", road)


URGENT = ("IVR_OUTCOME", "flow=phq9&outcome=screening_urgent")


def test_something_urgent_that_nobody_came_to_hear_stays_on_record() -> None:
    assert call_of(URGENT).unheard == "screening_urgent"
    over = ("IVR_OUTCOME", "flow=phq9&outcome=overflowed")
    assert (call_of(URGENT, over).flow_outcome, call_of(URGENT, over).unheard) == (
        "overflowed",
        "screening_urgent",
    )


def test_something_urgent_that_a_person_heard_is_in_their_hands() -> None:
    assert call_of(URGENT, answered=True).unheard is None


def test_a_talk_before_the_urgent_word_was_not_about_it() -> None:
    """A counsellor handed the caller to the silent flow; there they pressed that they are in danger."""
    now = 1_795_459_000.0
    words = "flow=silent&outcome=silent_in_danger"
    rows = [
        row("CHAN_START", now, CALLER, ID, ID, context="hotline-trunk", exten="4000850966"),
        *_talk(now),
        row("IVR_OUTCOME", now + 70, CALLER, ID, ID, words=words),
        row("CHAN_END", now + 90, CALLER, ID, ID),
        row("LINKEDID_END", now + 90, CALLER, ID, ID),
    ]
    (call,) = fold(rows).calls
    assert (call.outcome, call.unheard) == (Outcome.ANSWERED, "silent_in_danger")
