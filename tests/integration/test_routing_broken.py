"""Nothing loses a caller: nonsense in the facts, people coming and going, keys and hang-ups anywhere."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from harness import Actors
from routed_line import RoutedPbx

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, RingOn, presses

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
PICKS_UP = Answer(after=SOON)
GIRL, BOY = "13800138000", "13800138001"

#: What could stand in a fact that was half written, of another release, or put there by hand.
NONSENSE = (
    *("x", "-", "&&&", "99999999999999999999999999", "-5", "0", "1-", "-1", "1-2-3&", "a&b&c", "trainee&"),
    *("${HANGUPCAUSE}", "$[1/0]", "crisis&&crisis", '"', "1|2", "NaN", "1e9", "&crisis&woman&man&dialect&"),
)
FACTS = (
    *("hotline-skill/c001", "hotline-load/c001", "hotline-missed/c001", "hotline-surge/until"),
    *("hotline-backup/c001", "hotline-backup/nobody", "hotline-missed/nobody", "hotline-backup/c002"),
)


@pytest.mark.parametrize("round_", range(4))
def test_whatever_stands_in_the_facts_a_caller_reaches_whoever_is_there(
    line: RoutedPbx, cast: Actors, round_: int
) -> None:
    chance = random.Random(round_)
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001")
    who = line.hash_of(GIRL)
    for fact in (*FACTS, f"hotline-fact/{who}", f"hotline-prio/{who}", f"hotline-owner/{who}"):
        family, key = fact.split("/")
        line.put(family, key, chance.choice(NONSENSE))
    line.know({}, decide=["c001", "c002", "nobody"])
    assert line.members() == {"PJSIP/c001"}
    assert 0 <= line.penalty("c001") <= 199
    caller = cast.caller(number=GIRL)
    line.until_took(seconds=30)
    caller.hang_up()


@pytest.mark.parametrize(
    "words", ["high_risk", "wants_woman&wants_man&dialect", "high_risk&wants_man&nothing"]
)
def test_queues_that_are_not_there_are_passed_by(line: RoutedPbx, cast: Actors, words: str) -> None:
    """An older queues.conf beside a newer dialplan."""
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001", "crisis", "woman", "man", "dialect")
    file = line.home / "etc" / "queues.conf"
    whole = file.read_text()
    file.write_text(whole.partition("[hotline-crisis]")[0])
    try:
        line.console("queue reload all")
        line.caller_is(GIRL, *words.split("&"))
        caller = cast.caller(number=GIRL)
        assert line.until_took(seconds=30) == [("c001", "hotline")]
        caller.hang_up()
        line.know({}, decide=["c001"])
        assert line.members() == {"PJSIP/c001"}
    finally:
        file.write_text(whole)
        line.console("queue reload all")


def test_the_woman_who_was_waited_for_signs_off_and_the_caller_goes_on_at_once(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001", load=9)
    line.seat("c002", "woman")
    talking = cast.caller(number=BOY)
    line.until_took()
    line.caller_is(GIRL, "wants_woman")
    caller = cast.caller(number=GIRL)
    line.until_in("hotline-woman")
    line.know({"hotline-signed/c002": ""})
    assert line.until_took(2)[1] == ("c001", "hotline")
    assert [one.event for one in line.queue_log() if one.queue == "hotline-woman"][-1] == "EXITEMPTY"
    caller.hang_up()
    talking.hang_up()


def test_a_member_leaves_while_ringing_and_the_caller_stays(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", behaviour=RingOn())
    cast.phone("c002", behaviour=PICKS_UP)
    line.seat("c001", "crisis")
    line.caller_is(GIRL, "high_risk")
    caller = cast.caller(number=GIRL)
    line.until_rings("c001")
    line.seat("c002")
    line.know({"hotline-signed/c001": ""})
    assert line.until_took() == [("c002", "hotline")]
    # Whoever is no longer there has no penalty to carry into their next shift.
    line.know({"hotline-signed/c001": 1})
    assert line.penalty("c001") == 0
    caller.hang_up()


def test_the_only_counsellor_goes_while_callers_wait_and_the_people_on_call_are_rung(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.phone("c001", behaviour=RingOn())
    cast.phone("c003", behaviour=Answer(after=SOON, keys=presses("1@0.7")))
    line.seat("c001", "woman")
    line.on_call("c003")
    line.caller_is(GIRL, "wants_woman")
    caller = cast.caller(number=GIRL)
    line.until_rings("c001")
    line.know({"hotline-debrief/c001": 1})
    until(lambda: ("ACCEPT", '{"extra":"by=c003"}') in line.user_events(), 20, what="the backup to accept")
    caller.hang_up()


@pytest.mark.parametrize("after", [0.3, 1.2, 3.2, 5.0])
def test_callers_hang_up_anywhere_and_nothing_is_left(line: RoutedPbx, cast: Actors, after: float) -> None:
    """In the greeting, with the owner, in a queue of fewer people, between the queues, in the last one."""
    cast.phone("c001", "c002", "c003", behaviour=RingOn())
    line.seat("c001", "woman", "crisis")
    line.seat("c002")
    line.seat("c003", "crisis")
    numbers = {"13800138001": "", "13800138002": "wants_woman", "13800138003": "high_risk"}
    for number, word in numbers.items():
        line.caller_is(number, word, owner="c002" if after > 2 else "")
    callers = [cast.caller(number=number, talk=timedelta(seconds=after)) for number in numbers]
    for caller in callers:
        caller.wait()
    until(lambda: line.channels() == 0, what="every channel to go")
    # Each wait that began has ended, so the fold has one whole record.
    told = [one.event for one in line.queue_log()]
    ends = ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY")
    assert told.count("ENTERQUEUE") == sum(told.count(end) for end in ends)


def test_keys_out_of_the_queues_leave_no_way_back_behind(line: RoutedPbx, cast: Actors) -> None:
    """The stack of the call is as it was: a leftover would one day return into the middle of nowhere."""
    cast.phone("c001", behaviour=RingOn())
    line.seat("c001", "woman")
    line.caller_is(GIRL, "wants_woman")
    caller = cast.caller(number=GIRL, keys=presses("3@2 0@3.2 3@5 0@6.2"))
    line.until_in("hotline-woman", 1)
    until(lambda: sum("node=microclass" in text for name, text in line.user_events()) > 1, 30)
    until(lambda: line.entered()[-1:] == ["hotline"], 20, what="the caller to wait for anybody")
    (channel,) = [
        shown.split("!")[0]
        for shown in line.console("core show channels concise").splitlines()
        if shown.startswith("PJSIP/trunk")
    ]
    shown = line.console(f"core show channel {channel}")
    # A routine that was left for good has taken its own variables with it.
    assert "HOTLINE_FIRST=\n" in shown
    assert not {name for name in ("queues", "left", "words") if f"\n{name}=" in shown}
    caller.hang_up()


def test_a_restart_forgets_neither_seats_nor_penalties(line: RoutedPbx) -> None:
    line.seat("c001", "woman", "trainee", load=3)
    line.process.stop()
    line.process.start()
    assert line.penalty("c001") == line.penalty("c001", "hotline-woman") == 103
