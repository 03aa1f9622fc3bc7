"""Whose turn it is: longest idle, loads, and what a ring nobody picked up costs whom."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise

import pytest
from harness import Actors
from routed_line import MOBILE, SECOND, RoutedPbx, until_left

from callcenter.demo.runner import until
from callcenter.demo.sipp import VOICEMAIL, Answer, Refuse, RingOn, presses

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
PICKS_UP = Answer(after=SOON)


def test_whoever_has_been_idle_longest_is_rung(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", "c003", behaviour=PICKS_UP)
    for code in ("c001", "c002", "c003"):
        line.seat(code)
    callers = []
    for count in (1, 2, 3):
        callers.append(cast.caller())
        line.until_took(count)
    order = [agent for agent, _ in line.took()]
    assert sorted(order) == ["c001", "c002", "c003"]
    # Their talks end in another order than they began: idle is since the talk, not since the ring.
    for place in (1, 2, 0):
        callers[place].hang_up()
        line.until_free(order[place])
        next_second = time.time() + 1.1  # what Asterisk counts by
        until(lambda: time.time() >= next_second)  # noqa: B023 - asked at once
    again = []
    for count in (4, 5, 6):
        again.append(cast.caller())
        line.until_took(count)
    assert [agent for agent, _ in line.took()[3:]] == [order[1], order[2], order[0]]
    until_left(*again)


def test_whoever_has_had_less_is_rung_first_and_the_others_when_they_are_busy(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001", load=3)
    line.seat("c002", load=1)
    first = cast.caller()
    line.until_took(1)
    second = cast.caller()
    assert [agent for agent, _ in line.until_took(2)] == ["c002", "c001"]
    until_left(first, second)
    line.until_free("c002")
    third = cast.caller()
    assert line.until_took(3)[2][0] == "c002"
    third.hang_up()


def test_a_deserted_phone_costs_one_ring_and_then_comes_after_all_others(
    line: RoutedPbx, cast: Actors
) -> None:
    deserted = cast.phone("c001", behaviour=RingOn())
    cast.phone("c002", behaviour=PICKS_UP)
    line.seat("c001", "woman")
    line.seat("c002", load=9)
    for count in (1, 2, 3):
        caller = cast.caller()
        line.until_took(count)
        caller.hang_up()
    assert len(deserted.calls()) == 1
    assert [agent for agent, _ in line.took()] == ["c002"] * 3
    assert line.penalty("c001") == line.penalty("c001", "hotline-woman") == 10
    assert line.members() == {"PJSIP/c001", "PJSIP/c002"}


def test_a_phone_that_sends_calls_away_is_not_asked_again_and_again(line: RoutedPbx, cast: Actors) -> None:
    away = cast.phone("c001", behaviour=Refuse())
    cast.phone("c002", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002")
    for count in (1, 2):
        caller = cast.caller()
        line.until_took(count)
        caller.hang_up()
        line.until_free("c002")
    assert len(away.calls()) <= 1
    assert [agent for agent, _ in line.took()] == ["c002"] * 2


def test_an_answer_takes_it_back_and_so_does_coming_on_duty_anew(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", behaviour=Answer(after=3 * SECOND))
    line.seat("c001", load=4)
    caller = cast.caller()
    until(lambda: line.penalty("c001") == 14, what="a ring to be missed")
    caller.hang_up()
    cast.phone("c001", behaviour=PICKS_UP)
    caller = cast.caller()
    line.until_took()
    caller.hang_up()
    until(lambda: line.penalty("c001") == 4, what="the answer to take it back")
    line.know({"hotline-missed/c001": "3-1"}, decide=["c001"])
    assert line.penalty("c001") == 34
    line.know({"hotline-signed/c001": ""})
    line.know({"hotline-signed/c001": 1})
    assert line.penalty("c001") == 4


def test_a_missed_ring_of_a_quarter_of_an_hour_ago_says_nothing_any_more(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.phone("c001", behaviour=PICKS_UP)
    now = int(time.time())
    for code in ("c001", "c002", "c003"):
        line.seat(code)
    line.know(
        {"hotline-missed/c002": f"2-{now - 901}", "hotline-missed/c003": f"1-{now - 60}"},
        decide=["c002", "c003"],
    )
    assert [line.penalty(code) for code in ("c001", "c002", "c003")] == [0, 20, 10]
    caller = cast.caller()
    line.until_took()
    caller.hang_up()
    until(lambda: line.penalty("c002") == 0, what="the old one to be forgiven")
    assert line.penalty("c003") == 10


def test_a_caller_who_leaves_before_the_end_of_a_ring_is_nobodys_fault(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", behaviour=RingOn())
    line.seat("c001")
    caller = cast.caller()
    line.until_rings("c001")
    caller.hang_up()
    line.until_free("c001")
    assert line.get("hotline-missed", "c001") is None
    assert line.penalty("c001") == 0


def test_at_a_mobile_only_the_key_counts(line: RoutedPbx, cast: Actors) -> None:
    carrier = cast.carrier({MOBILE: Answer(after=SOON, keys=presses("1@0.7"))})
    line.seat("m001", "crisis")
    caller = cast.caller()
    assert line.until_took() == [("m001", "hotline")]
    assert ("ACCEPT", '{"extra":"by=m001"}') in line.user_events()
    caller.hang_up()
    assert line.get("hotline-missed", "m001") is None
    assert len(carrier.calls(MOBILE)) == 1


def test_a_mobiles_voicemail_has_missed_the_ring(line: RoutedPbx, cast: Actors) -> None:
    cast.carrier({MOBILE: VOICEMAIL})
    cast.phone("c002", behaviour=PICKS_UP)
    line.seat("m001")
    line.seat("c002", load=9)
    caller = cast.caller()
    assert line.until_took() == [("c002", "hotline")]
    until(lambda: line.penalty("m001") == 10, what="the ring to count as missed")
    caller.hang_up()


def test_a_mobile_whose_caller_left_has_missed_nothing(line: RoutedPbx, cast: Actors) -> None:
    carrier = cast.carrier({MOBILE: RingOn()})
    line.seat("m001")
    caller = cast.caller()
    until(lambda: carrier.calls(MOBILE), what="the mobile to ring")
    caller.hang_up()
    until(lambda: line.channels() == 0)
    assert line.get("hotline-missed", "m001") is None


def test_where_nobody_picks_up_phones_ring_in_turns(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", behaviour=RingOn())
    line.seat("c001")
    line.seat("c002")
    caller = cast.caller()
    until(lambda: len(line.missed()) >= 4, 20, what="four rings")
    caller.hang_up()
    missed = line.missed()
    assert all(a != b for a, b in pairwise(missed))
    assert line.members() == {"PJSIP/c001", "PJSIP/c002"}
