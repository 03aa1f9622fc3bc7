"""Whose caller it is, and who is rung when nobody at the line answers: owners, codes, backups, surges."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from harness import Actors
from routed_line import CAP, CHIEF, MOBILE, SECOND, RoutedPbx, around_now

from callcenter.asterisk.spool import SpoolEdges
from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, RingOn, presses

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
PICKS_UP = Answer(after=SOON)
ACCEPTS = Answer(after=SOON, keys=presses("1@0.7"))
GIRL, BOY = "13800138000", "13800138001"


def rung(line: RoutedPbx) -> list[str]:
    """Return who was rung by name of ours, and who took the call by it, as `ring c001`, `accept c001`."""
    return [
        f"{name.lower()} {text.partition('by=')[2][:4]}"
        for name, text in line.user_events()
        if name in ("RING", "ACCEPT")
    ]


# --- the same counsellor ----------------------------------------------------------------------


def test_a_caller_reaches_the_counsellor_who_owes_them(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002", load=9)
    line.caller_is(GIRL, "owed", owner="c002")
    caller = cast.caller(number=GIRL)
    until(lambda: "accept c002" in rung(line), 20, what="the owner to take the call")
    assert line.entered() == []
    caller.hang_up()


@pytest.mark.parametrize(
    "fact", [{"hotline-paused/c002": "meal"}, {"hotline-debrief/c002": 1}, {"hotline-signed/c002": ""}]
)
def test_an_owner_who_rests_or_is_owed_a_debriefing_is_not_rung(
    line: RoutedPbx, cast: Actors, fact: dict[str, object]
) -> None:
    phone = cast.phone("c002", behaviour=PICKS_UP)
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002")
    line.know(fact)
    line.caller_is(GIRL, owner="c002")
    caller = cast.caller(number=GIRL)
    assert line.until_took() == [("c001", "hotline")]
    assert phone.calls() == []
    caller.hang_up()


def test_an_owner_in_a_talk_is_not_rung_and_one_who_does_not_pick_up_costs_one_ring(
    line: RoutedPbx, cast: Actors
) -> None:
    deserted = cast.phone("c002", behaviour=RingOn())
    cast.phone("c001", "c003", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c003", load=9)
    line.caller_is(GIRL, owner="c001")
    line.caller_is(BOY, owner="c002")
    talking = cast.caller(number=GIRL)
    until(lambda: "accept c001" in rung(line), 20, what="the owner to take the call")
    again = cast.caller(number=GIRL)
    assert line.until_took() == [("c003", "hotline")]
    talking.hang_up()
    line.until_free("c001")
    line.seat("c002")
    other = cast.caller(number=BOY)
    assert line.until_took(2)[1] == ("c001", "hotline")
    assert len(deserted.calls()) == 1
    assert line.penalty("c002") == 10
    other.hang_up()
    again.hang_up()


def test_a_mobile_owner_takes_the_call_by_key(line: RoutedPbx, cast: Actors) -> None:
    cast.carrier({MOBILE: ACCEPTS})
    line.seat("m001")
    line.caller_is(GIRL, owner="m001")
    caller = cast.caller(number=GIRL)
    until(lambda: rung(line) == ["ring m001", "accept m001"], 20, what="the owner to accept")
    assert line.entered() == []
    caller.hang_up()


def test_who_returns_our_call_reaches_the_owner_first(line: RoutedPbx, cast: Actors) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001")
    line.seat("c002", load=9)
    line.caller_is(GIRL, owner="c002")
    caller = cast.caller(line.settings.site.outbound_number, number=GIRL)
    until(lambda: rung(line) == ["ring c002", "accept c002"], 20, what="the owner to take the call")
    caller.hang_up()


@pytest.mark.parametrize("on_duty", [True, False])
def test_a_code_asks_for_a_counsellor_and_without_them_anybody_comes(
    line: RoutedPbx, cast: Actors, on_duty: bool
) -> None:
    cast.phone("c001", "c002", behaviour=PICKS_UP)
    line.seat("c001")
    if on_duty:
        line.seat("c002", load=9)
    line.know({f"hotline-code/{line.hash_of('480195')}": "c002"})
    digits = " ".join(f"{key}@{1.4 + place / 5:.1f}" for place, key in enumerate("480195"))
    caller = cast.caller(withheld=True, keys=presses(f"3@0.6 {digits}"))
    if on_duty:
        until(lambda: rung(line) == ["ring c002", "accept c002"], 20, what="their counsellor")
    else:
        assert line.until_took(seconds=30) == [("c001", "hotline")]
    caller.hang_up()


# --- nobody at the line -----------------------------------------------------------------------


def test_backups_on_call_are_rung_before_the_chain_and_nobody_twice(line: RoutedPbx, cast: Actors) -> None:
    deserted = cast.phone("c003", behaviour=RingOn())
    carrier = cast.carrier({MOBILE: RingOn(), CHIEF: ACCEPTS})
    line.on_call("c003", "m001", "s001")
    line.know({"hotline-backup/c002": f"1-{int(time.time()) - 60}"})  # was on call, and is no longer
    caller = cast.caller()
    until(lambda: "accept s001" in rung(line), 40, what="the chief to accept")
    assert rung(line) == ["ring c003", "ring m001", "ring s001", "accept s001"]
    assert len(deserted.calls()) == len(carrier.calls(CHIEF)) == 1
    caller.hang_up()


def test_a_backup_who_did_not_accept_is_not_rung_again_as_link_of_the_chain(
    line: RoutedPbx, cast: Actors
) -> None:
    carrier = cast.carrier({CHIEF: RingOn()})
    line.on_call("s001")
    caller = cast.caller(refusal_ok=True)
    until(lambda: ("IVR_OUTCOME", '{"extra":"flow=inbound&outcome=overflowed"}') in line.user_events(), 30)
    assert len(carrier.calls(CHIEF)) == 1
    caller.hang_up()


def test_a_backup_in_a_talk_or_owed_a_debriefing_is_passed_over(line: RoutedPbx, cast: Actors) -> None:
    busy = cast.phone("c001", behaviour=PICKS_UP)
    resting = cast.phone("c002", behaviour=PICKS_UP)
    cast.phone("c003", behaviour=Answer(after=SOON, keys=presses("1@0.7")))
    line.seat("c001")
    talking = cast.caller(number=BOY)
    line.until_took()
    line.know({"hotline-signed/c001": "", "hotline-debrief/c002": 1})
    line.on_call("c001", "c002", "c003")
    caller = cast.caller(number=GIRL)
    until(lambda: "accept c003" in rung(line), 20, what="the free backup to accept")
    assert rung(line) == ["ring c003", "accept c003"]
    assert (len(busy.calls()), resting.calls()) == (1, [])
    caller.hang_up()
    talking.hang_up()


# --- a surge ----------------------------------------------------------------------------------


def test_in_a_surge_backups_are_rung_like_everybody_and_go_by_themselves_at_its_end(line: RoutedPbx) -> None:
    line.seat("c001")
    line.on_call("c002", "m001")
    line.know({"hotline-paused/m001": "meal"})
    ends = datetime.now(UTC).replace(microsecond=0) + 4 * SECOND
    SpoolEdges(line.home).lay({ends: frozenset({"c001", "c002", "m001"})})
    line.know({"hotline-surge/until": int(ends.timestamp())})
    assert line.members() == {"PJSIP/c001", "PJSIP/c002"}
    until(lambda: line.members() == {"PJSIP/c001"}, what="the surge to end")
    assert datetime.now(UTC) >= ends


def test_a_surge_whose_end_nobody_told_ends_with_the_next_caller(line: RoutedPbx, cast: Actors) -> None:
    backup = cast.phone("c002", behaviour=PICKS_UP)
    cast.phone("c001", behaviour=PICKS_UP)
    line.seat("c001", load=9)
    line.on_call("c002")
    ends = int(time.time()) + 2
    line.know({"hotline-surge/until": ends})
    assert line.members() == {"PJSIP/c001", "PJSIP/c002"}
    until(lambda: time.time() > ends + 0.1)
    caller = cast.caller()
    assert line.until_took() == [("c001", "hotline")]
    assert backup.calls() == []
    assert line.members() == {"PJSIP/c001"}
    caller.hang_up()


def test_in_a_surge_callers_are_told_sooner_what_else_there_is_and_wait_on(
    line: RoutedPbx, cast: Actors
) -> None:
    """Overflow: the choice, then the chain is rung as well, then the same place in the queue."""
    cast.phone("c001", behaviour=PICKS_UP)
    carrier = cast.carrier({CHIEF: RingOn()})
    line.seat("c001")
    talking = cast.caller(number=BOY)
    line.until_took()
    line.know({"hotline-surge/until": int(time.time()) + 3600})
    caller = cast.caller(number=GIRL)
    told = ("IVR_NODE", '{"extra":"flow=inbound&node=long_wait"}')
    until(lambda: told in line.user_events(), CAP.total_seconds() - 10, what="the choice")
    until(lambda: carrier.calls(CHIEF), 10, what="the chain to be rung as well")
    line.until_in("hotline", 3)
    caller.hang_up()
    talking.hang_up()


def test_shift_of_a_backup_who_also_works_at_the_line_outlives_the_surge(line: RoutedPbx) -> None:
    line.seat("c001")
    line.know({"hotline-backup/c001": around_now(), "hotline-surge/until": int(time.time()) + 3600})
    assert line.members() == {"PJSIP/c001"}
    line.know({"hotline-surge/until": ""})
    assert line.members() == {"PJSIP/c001"}
