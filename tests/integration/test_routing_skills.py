"""Who is rung for whom: danger, dialect, woman or man, trainees, rank. Nothing of ours is alive."""

from __future__ import annotations

from datetime import timedelta

import pytest
from harness import Actors
from routed_line import SECOND, RoutedPbx, until_left
from softphone import Softphone
from test_handed_over import meets

from callcenter.demo.sipp import Answer, RingOn, presses

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
PICKS_UP = Answer(after=SOON)
GIRL, BOY, SHE = "13800138000", "13800138001", "13800138002"


def test_a_caller_in_danger_reaches_whoever_is_trained_for_it(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002", "crisis", load=9)
    line.caller_is(GIRL, "high_risk")
    caller = cast.caller(number=GIRL)
    assert line.until_took() == [("c002", "hotline-crisis")]
    caller.hang_up()
    ordinary = cast.caller(number=BOY)
    assert line.until_took(2)[1] == ("c001", "hotline")
    ordinary.hang_up()


def test_with_the_trained_in_talks_danger_goes_to_another_after_a_while_and_past_the_trainee(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.phone("c001", "c002", "c003", behaviour=PICKS_UP)
    line.seat("c001", "trainee")
    line.seat("c002", "crisis", load=2)
    line.seat("c003", load=9)
    line.caller_is(GIRL, "high_risk")
    line.caller_is(BOY, "high_risk")
    first = cast.caller(number=BOY)
    line.until_took()
    second = cast.caller(number=GIRL)
    assert line.until_took(2) == [("c002", "hotline-crisis"), ("c003", "hotline")]
    assert line.entered() == ["hotline-crisis", "hotline-crisis", "hotline"]
    until_left(first, second)


def test_a_caller_in_danger_who_is_handed_to_a_flow_waits_for_everybody_again(
    line: RoutedPbx, cast: Actors
) -> None:
    """A hand-over leads out of the middle of the wait: nothing of it may keep trainees away later."""
    cast.phone("c001", behaviour=RingOn())
    cast.phone("c004", behaviour=PICKS_UP)
    li_na = Softphone(line.sip, "c002", cast.password("c002"), takes=1).register()
    line.seat("c001", "crisis")
    line.seat("c002", load=1)
    line.caller_is(GIRL, "high_risk")
    asks_on = presses(" ".join(f"0@{second}" for second in range(1, 25)))
    caller = cast.caller(number=GIRL, keys=asks_on, talk=60 * SECOND)
    call = li_na.answered()
    meets(line, "trunk", "c002")
    line.know({"hotline-signed/c001": "", "hotline-signed/c002": ""})
    line.seat("c004", "trainee")
    li_na.hand_over(call, "*21")
    assert line.until_took(2)[1] == ("c004", "hotline")
    caller.hang_up()
    li_na.close()


def test_a_trainee_alone_takes_a_caller_in_danger_and_nobody_waits_for_others(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001", "trainee", "crisis")
    line.caller_is(GIRL, "high_risk")
    caller = cast.caller(number=GIRL)
    assert line.until_took() == [("c001", "hotline")]
    # They would have waited there for somebody who is not at the line.
    assert line.entered() == ["hotline"]
    assert line.penalty("c001") == 100
    caller.hang_up()


@pytest.mark.parametrize(
    ("word", "skill"), [("wants_woman", "woman"), ("wants_man", "man"), ("dialect", "dialect")]
)
def test_a_wish_is_kept_by_somebody_who_is_free(line: RoutedPbx, cast: Actors, word: str, skill: str) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002", skill, load=9)
    line.caller_is(GIRL, "owed", word)
    caller = cast.caller(number=GIRL)
    assert line.until_took() == [("c002", f"hotline-{skill}")]
    caller.hang_up()


def test_who_asks_for_the_dialect_by_key_reaches_a_speaker(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002", "dialect", load=9)
    caller = cast.caller(keys=presses("1@0.6"))
    assert line.until_took() == [("c002", "hotline-dialect")]
    caller.hang_up()


def test_a_wish_nobody_at_the_line_can_keep_costs_no_second(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001", "man")
    line.caller_is(GIRL, "wants_woman", "dialect")
    caller = cast.caller(number=GIRL)
    assert line.until_took() == [("c001", "hotline")]
    assert line.entered() == ["hotline"]
    caller.hang_up()


def test_a_wish_is_waited_for_a_while_and_then_anybody_is_rung(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001", load=9)
    line.seat("c002", "woman")
    other = cast.caller(number=BOY)
    assert line.until_took() == [("c002", "hotline")]
    line.caller_is(GIRL, "wants_woman")
    caller = cast.caller(number=GIRL)
    assert line.until_took(2)[1] == ("c001", "hotline")
    assert line.entered() == ["hotline", "hotline-woman", "hotline"]
    until_left(other, caller)


def test_nobody_who_waits_for_anybody_is_overtaken_for_a_wish(line: RoutedPbx, cast: Actors) -> None:
    phone = cast.phone("c002", behaviour=PICKS_UP)
    line.seat("c002", "woman")
    line.caller_is(GIRL, "wants_woman")
    talking = cast.caller(number=BOY)
    line.until_took()
    waiting = cast.caller(number=SHE)
    line.until_in("hotline", 2)
    wishing = cast.caller(number=GIRL)
    line.until_in("hotline-woman")
    talking.hang_up()
    assert line.until_took(2)[1] == ("c002", "hotline")
    waiting.hang_up()
    line.until_took(3)
    assert len(phone.calls()) == 3
    wishing.hang_up()


def test_danger_goes_before_all_who_wait(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c002", behaviour=PICKS_UP)
    line.seat("c002", "crisis")
    line.caller_is(GIRL, "high_risk")
    talking = cast.caller(number=BOY)
    line.until_took()
    waiting = cast.caller(number=SHE)
    line.until_in("hotline", 2)
    in_danger = cast.caller(number=GIRL)
    line.until_in("hotline-crisis")
    talking.hang_up()
    assert line.until_took(2)[1] == ("c002", "hotline-crisis")
    until_left(in_danger, waiting)


def test_a_rank_goes_before_those_who_came_earlier(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001")
    line.caller_is(GIRL, rank=5)
    talking = cast.caller(number=BOY)
    line.until_took()
    waiting = cast.caller(number=SHE)
    line.until_in("hotline", 2)
    owed = cast.caller(number=GIRL)
    line.until_in("hotline", 3)
    talking.hang_up()
    line.until_took(2)
    calls = {one.call: one.data[1] for one in line.queue_log() if one.event == "ENTERQUEUE"}
    taken = [calls[one.call] for one in line.queue_log() if one.event == "CONNECT"]
    assert taken == [BOY, GIRL]
    until_left(owed, waiting)


def test_people_sit_in_the_queues_of_their_skills_and_nowhere_else(line: RoutedPbx) -> None:
    line.seat("c001", "crisis", "woman", "trainee", load=4)
    line.seat("c002")
    phone = {"PJSIP/c001"}
    assert line.members() == {*phone, "PJSIP/c002"}
    assert [line.members(f"hotline-{skill}") for skill in ("crisis", "woman", "man", "dialect")] == [
        *(phone, phone, set(), set())
    ]
    assert [line.penalty("c001", queue) for queue in ("hotline", "hotline-crisis")] == [104, 104]
    line.know({"hotline-skill/c001": "man", "hotline-load/c001": 1})
    assert [line.members(f"hotline-{skill}") for skill in ("crisis", "woman", "man")] == [set(), set(), phone]
    assert line.penalty("c001", "hotline-man") == line.penalty("c001") == 1
    line.know({"hotline-debrief/c001": 1})
    assert line.members("hotline-man") == set()
    assert line.members() == {"PJSIP/c002"}


@pytest.mark.parametrize("where", ["hotline-woman", "hotline-crisis"])
def test_a_key_pressed_while_waiting_leads_where_it_leads_in_the_general_queue(
    line: RoutedPbx, cast: Actors, where: str
) -> None:
    """3 lets them listen to something; back in the queue they wait for anybody."""
    cast.phone("c002", behaviour=Answer(after=60 * SECOND))
    line.seat("c002", "woman", "crisis")
    line.caller_is(GIRL, "wants_woman" if where == "hotline-woman" else "high_risk")
    caller = cast.caller(number=GIRL, keys=presses("3@2.2 0@3.5"))
    line.until_in(where)
    line.until_in("hotline")
    assert ("IVR_KEY", '{"extra":"flow=inbound&node=queue&key=3"}') in line.user_events()
    caller.hang_up()
