"""Counsellors at mobiles, and who takes a caller by key: one call at a time, whichever road it comes by."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from harness import Actors
from routed_line import CHIEF, MOBILE, SECOND, RoutedPbx
from softphone import Softphone
from test_handed_over import meets

from callcenter.asterisk.spool import Spool
from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, RingOn, presses

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
ACCEPTS = Answer(after=SOON, keys=presses("1@0.7"))
#: Picks up and hangs up before anything was asked to the end.
PUTS_DOWN = Answer(after=SOON, talk=timedelta(milliseconds=600))
GIRL, BOY = "13800138000", "13800138001"
#: Asks for somebody whenever there is a chance to; within a talk it means nothing.
ASKS_ON = presses(" ".join(f"0@{half / 2}" for half in range(1, 40)))


@pytest.fixture
def softphone(line: RoutedPbx, cast: Actors) -> Iterator[Callable[[str], Softphone]]:
    made: list[Softphone] = []

    def make(code: str) -> Softphone:
        made.append(Softphone(line.sip, code, cast.password(code)).register())
        return made[-1]

    yield make
    for phone in made:
        phone.close()


def rung(line: RoutedPbx) -> list[str]:
    """Return who was rung by name of ours, and who took the call by it, as `ring c001`, `accept c001`."""
    return [
        f"{name.lower()} {text.partition('by=')[2][:4]}"
        for name, text in line.user_events()
        if name in ("RING", "ACCEPT")
    ]


def talks(line: RoutedPbx, code: str) -> None:
    until(lambda: f"accept {code}" in rung(line), 20, what=f"{code} to accept")


def knows_of_it(line: RoutedPbx, code: str) -> None:
    """Wait until the queue has seen that somebody is in a talk."""
    shown = re.compile(rf"^ +{code} .*\(In use\)", re.MULTILINE)
    until(lambda: shown.search(line.console("queue show hotline")), what=f"the queue to see {code} talk")


# --- taken after a talk that broke ------------------------------------------------------------


def test_a_caller_whose_talk_broke_is_taken_by_key_once_more(line: RoutedPbx, cast: Actors) -> None:
    carrier = cast.carrier({CHIEF: Answer(after=SOON, keys=presses("1@0.7"), talk=3 * SECOND)})
    caller = cast.caller(number=GIRL, keys=ASKS_ON, talk=60 * SECOND)
    until(lambda: rung(line).count("accept s001") == 2, 30, what="the chief to accept again")
    assert rung(line) == ["ring s001", "accept s001"] * 2
    assert len(carrier.calls(CHIEF)) == 2
    caller.hang_up()


def test_an_owner_whose_talk_broke_takes_the_caller_once_more(
    line: RoutedPbx, cast: Actors, softphone: Callable[[str], Softphone]
) -> None:
    wang_fang = softphone("c001")
    line.seat("c001")
    line.caller_is(GIRL, owner="c001")
    caller = cast.caller(number=GIRL, keys=ASKS_ON, talk=60 * SECOND)
    first = wang_fang.answered()
    talks(line, "c001")
    wang_fang.hang_up(first)
    until(lambda: rung(line).count("accept c001") == 2, 30, what="the owner to take the call again")
    caller.hang_up()


# --- picked up and put down -------------------------------------------------------------------


def test_a_mobile_put_down_before_the_key_takes_no_caller_out_of_the_queue(
    line: RoutedPbx, cast: Actors
) -> None:
    cast.carrier({MOBILE: PUTS_DOWN})
    cast.phone("c002", behaviour=Answer(after=SOON))
    line.seat("m001")
    line.seat("c002", load=9)
    caller = cast.caller()
    assert line.until_took() == [("c002", "hotline")]
    assert line.penalty("m001") == 10
    caller.hang_up()


def test_a_contact_who_puts_the_phone_down_before_the_key_ends_nothing(line: RoutedPbx, cast: Actors) -> None:
    cast.carrier({CHIEF: PUTS_DOWN})
    caller = cast.caller(refusal_ok=True)
    until(lambda: ("IVR_OUTCOME", '{"extra":"flow=inbound&outcome=overflowed"}') in line.user_events(), 30)
    assert rung(line) == ["ring s001"]
    assert line.get("hotline-missed", "s001") is None
    caller.hang_up()


# --- one call at a mobile ---------------------------------------------------------------------


def test_a_mobile_owner_in_a_talk_is_rung_neither_as_owner_nor_by_the_queue(
    line: RoutedPbx, cast: Actors
) -> None:
    carrier = cast.carrier({MOBILE: ACCEPTS})
    cast.phone("c002", behaviour=Answer(after=SOON))
    line.seat("m001")
    line.caller_is(GIRL, owner="m001")
    line.caller_is(BOY, owner="m001")
    talking = cast.caller(number=GIRL)
    talks(line, "m001")
    knows_of_it(line, "m001")
    line.seat("c002", load=9)
    other = cast.caller(number=BOY)
    assert line.until_took() == [("c002", "hotline")]
    assert rung(line) == ["ring m001", "accept m001"]
    assert len(carrier.calls(MOBILE)) == 1
    other.hang_up()
    talking.hang_up()


@pytest.mark.parametrize("as_owner", [True, False])
def test_a_mobile_backup_in_a_talk_is_passed_over(line: RoutedPbx, cast: Actors, as_owner: bool) -> None:
    carrier = cast.carrier({MOBILE: ACCEPTS, CHIEF: ACCEPTS})
    if as_owner:
        line.seat("m001")
        line.caller_is(GIRL, owner="m001")
    line.on_call("m001")
    talking = cast.caller(number=GIRL)
    talks(line, "m001")
    line.know({"hotline-signed/m001": ""})
    caller = cast.caller(number=BOY)
    talks(line, "s001")
    assert rung(line) == ["ring m001", "accept m001", "ring s001", "accept s001"]
    assert len(carrier.calls(MOBILE)) == 1
    third = cast.caller(number="13800138002", refusal_ok=True)
    until(lambda: ("IVR_OUTCOME", '{"extra":"flow=inbound&outcome=overflowed"}') in line.user_events(), 30)
    assert len(carrier.calls()) == 2
    for one in (talking, caller, third):
        one.hang_up()


def test_a_mobile_backup_in_a_talk_is_not_rung_by_the_queue(line: RoutedPbx, cast: Actors) -> None:
    carrier = cast.carrier({MOBILE: ACCEPTS})
    line.on_call("m001")
    talking = cast.caller(number=GIRL)
    talks(line, "m001")
    line.seat("m001")
    knows_of_it(line, "m001")
    cast.phone("c002", behaviour=Answer(after=SOON))
    line.seat("c002", load=9)
    other = cast.caller(number=BOY)
    assert line.until_took() == [("c002", "hotline")]
    assert len(carrier.calls(MOBILE)) == 1
    other.hang_up()
    talking.hang_up()


def test_a_mobile_colleague_in_a_talk_is_not_handed_a_caller(
    line: RoutedPbx, cast: Actors, softphone: Callable[[str], Softphone]
) -> None:
    carrier = cast.carrier({MOBILE: ACCEPTS})
    line.on_call("m001")
    talking = cast.caller(number=BOY)
    talks(line, "m001")
    wang_fang = softphone("c001")
    line.seat("c001")
    caller = cast.caller(number=GIRL)
    first = wang_fang.answered()
    meets(line, "trunk", "c001")
    wang_fang.hand_over(first, "*36001")
    until(lambda: len(wang_fang.dialogs) == 2, 20, what="whoever sent the caller to be rung again")
    assert len(carrier.calls(MOBILE)) == 1
    caller.hang_up()
    talking.hang_up()


def test_a_mobile_colleague_takes_a_caller_by_key(
    line: RoutedPbx, cast: Actors, softphone: Callable[[str], Softphone]
) -> None:
    cast.carrier({MOBILE: ACCEPTS})
    wang_fang = softphone("c001")
    line.seat("c001")
    caller = cast.caller(number=GIRL)
    call = wang_fang.answered()
    meets(line, "trunk", "c001")
    wang_fang.hand_over(call, "*36001")
    talks(line, "m001")
    sent, accepted = (text for name, text in line.user_events() if name == "HANDOVER")
    assert (sent.count("act=sent"), accepted.count("from=c001&to=m001&act=accepted")) == (1, 1)
    assert rung(line).count("ring m001") == rung(line).count("accept m001") == 1
    caller.hang_up()


def test_a_call_a_mobile_counsellor_asked_for_is_no_missed_ring(line: RoutedPbx, cast: Actors) -> None:
    carrier = cast.carrier({MOBILE: RingOn()})
    line.seat("m001")
    Spool(line.home).put(
        "preview.call",
        (
            *(
                "Channel: Local/m001@hotline-mobile/n",
                "Context: hotline-preview",
                "Extension: s",
                "Priority: 1",
            ),
            *("Setvar: HOTLINE_NUMBER=13700000001", "Setvar: HOTLINE_BY=m001"),
        ),
    )
    until(lambda: carrier.calls(MOBILE), what="the mobile to ring")
    until(lambda: line.channels() == 0, what="the ring to end")
    assert line.get("hotline-missed", "m001") is None
    assert line.penalty("m001") == 0
