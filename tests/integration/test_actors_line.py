"""SIPp actors around the product's own line: do they play their parts, and tell when?"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha1

import pytest
from harness import Actors, Pbx

from callcenter.demo.runner import ActorFailed, until
from callcenter.demo.sipp import (
    BUSY,
    NO_ANSWER,
    OUT_OF_ORDER,
    VOICEMAIL,
    Answer,
    Refuse,
    RingOn,
    presses,
)

pytestmark = pytest.mark.asterisk
SECOND = timedelta(seconds=1)
SOON = timedelta(milliseconds=300)


def test_caller_reaches_the_counsellor_on_duty(pbx: Pbx, actors: Actors) -> None:
    phone = actors.phone("c001", behaviour=Answer(after=SECOND))
    pbx.on_duty("c001")
    caller = actors.caller(talk=4 * SECOND)
    timing = caller.wait()
    (rung,) = phone.calls()
    assert timing.answered_at is not None
    assert rung.answered_at is not None
    assert timing.answered_at < rung.answered_at
    assert rung.ended_at is not None
    assert [line.event for line in pbx.queue_log()][-3:] == ["ENTERQUEUE", "CONNECT", "COMPLETECALLER"]


def test_caller_hangs_up_while_waiting(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    caller = actors.caller()
    until(lambda: any(line.event == "ENTERQUEUE" for line in pbx.queue_log()), what="the queue")
    caller.hang_up()
    until(lambda: any(line.event == "ABANDON" for line in pbx.queue_log()), what="the abandon")


def test_counsellor_hangs_up_first(pbx: Pbx, actors: Actors) -> None:
    phone = actors.phone("c002", behaviour=Answer(after=SOON))
    pbx.on_duty("c002")
    caller = actors.caller()
    until(lambda: any(line.event == "CONNECT" for line in pbx.queue_log()), what="the talk")
    phone.hang_up()
    caller.wait()
    assert any(line.event == "COMPLETEAGENT" for line in pbx.queue_log())


def test_counsellor_declines_and_the_next_one_answers(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001", behaviour=BUSY)
    second = actors.phone("c002", behaviour=Answer(after=SOON, talk=SECOND))
    pbx.on_duty("c001", "c002")
    actors.caller().wait()
    assert second.calls()[0].talk is not None


def test_counsellor_signs_on_by_feature_code(pbx: Pbx, actors: Actors) -> None:
    salt = pbx.keys.password("pbx-salt")
    pbx.put("hotline-pin", "c001", sha1(f"{salt}c0014711".encode()).hexdigest())  # noqa: S324  the dialplan's
    pbx.put("hotline-shift", "c001", "0-4102444800")
    actors.phone("c001")
    actors.dials_from("c001", "*11", presses("4@0.6 7@0.9 1@1.2 1@1.5 #@1.8")).wait()
    assert ("DUTY", '{"extra":"agent=c001&act=on"}') in pbx.user_events()
    assert pbx.members() == {"PJSIP/c001"}


def test_nobody_on_duty_and_the_second_contact_accepts(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier(
        {"13900000021": VOICEMAIL, "13900000022": Answer(after=SOON, keys=presses("1@1"))}
    )
    timing = actors.caller(talk=12 * SECOND).wait()
    assert timing.talk is not None
    assert len(carrier.calls("13900000021")) == 1
    accepted = [text for name, text in pbx.user_events() if name == "ACCEPT"]
    assert accepted == ['{"extra":"by=s002"}']


@pytest.mark.parametrize("behaviour", [BUSY, NO_ANSWER, Refuse(status=404), OUT_OF_ORDER])
def test_every_contact_refuses_and_the_caller_hears_the_closed_message(
    pbx: Pbx, actors: Actors, behaviour: Refuse
) -> None:
    carrier = actors.carrier({"13900000021": behaviour, "13900000022": behaviour})
    timing = actors.caller().wait()
    assert timing.talk is not None
    assert [call.status for call in carrier.calls()] == [behaviour.status] * 2
    assert any(name == "IVR_OUTCOME" and "overflowed" in text for name, text in pbx.user_events())


@pytest.mark.parametrize(
    "description",
    [
        {"number": "1380%5C0%22x"},
        {"number": "138%0D%0AX-Evil"},
        {"number": None},
        {"withheld": True},
        {"name": '"; ${SHELL(id)} \\ [len] <sip:x> ]]>'},
        {"name": "心" * 200},
        {"name": "a\rb"},
    ],
)
def test_hostile_caller_still_reaches_a_counsellor(
    pbx: Pbx, actors: Actors, description: dict[str, object]
) -> None:
    phone = actors.phone("c001", behaviour=Answer(after=SOON, talk=SECOND))
    pbx.on_duty("c001")
    actors.caller(**description).wait()
    assert len(phone.calls()) == 1


def test_refused_caller_is_a_failed_actor(pbx: Pbx, actors: Actors) -> None:
    stranger = actors.caller(address="127.0.0.3")
    with pytest.raises(ActorFailed):
        stranger.wait()
    assert pbx.journal_rows() == []


def test_same_key_pressed_twice_counts_twice(pbx: Pbx, actors: Actors) -> None:
    salt = pbx.keys.password("pbx-salt")
    pbx.put("hotline-pin", "c001", sha1(f"{salt}c0011111".encode()).hexdigest())  # noqa: S324
    actors.phone("c001")
    actors.dials_from("c001", "*11", presses("1@0.6 1@0.9 1@1.2 1@1.5 #@1.8")).wait()
    assert pbx.get("hotline-signed", "c001") == "1"
