"""A counsellor hands a caller to a supervisor or a colleague: nothing of ours runs, and nobody is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from harness import Actors, Pbx
from softphone import Softphone

from callcenter.asterisk.spool import Spool
from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, Caller, RingOn, presses

pytestmark = pytest.mark.asterisk

SECOND = timedelta(seconds=1)
TALK = 60 * SECOND
#: Codes of 王芳, 李娜 and 张秀英 as a keypad spells them.
LI_NA, SUPERVISOR = "*32002", "*30"


@pytest.fixture
def softphone(pbx: Pbx, actors: Actors) -> Iterator[Callable[..., Softphone]]:
    made: list[Softphone] = []

    def make(code: str, takes: int | None = None) -> Softphone:
        made.append(Softphone(pbx.sip, code, actors.password(code), takes=takes).register())
        return made[-1]

    yield make
    for phone in made:
        phone.close()


@pytest.fixture
def somebody(softphone: object, actors: Actors) -> Iterator[Callable[[], Caller]]:
    """Call the line, and end the call before the phones are gone."""
    made: list[Caller] = []

    def call() -> Caller:
        made.append(actors.caller(talk=TALK))
        return made[-1]

    yield call
    for caller in made:
        caller.hang_up()


def told(pbx: Pbx, event: str) -> list[str]:
    return [json.loads(text)["extra"] for name, text in pbx.user_events() if name == event]


def handovers(pbx: Pbx) -> list[str]:
    return told(pbx, "HANDOVER")


def together(pbx: Pbx) -> list[set[str]]:
    """Return who shares a bridge: endpoints of each bridge that is up."""
    bridges: dict[str, set[str]] = {}
    for line in pbx.console("core show channels concise").splitlines():
        channel, bridge = line.split("!")[0], line.split("!")[-2]
        if bridge:
            bridges.setdefault(bridge, set()).add(channel.partition("/")[2].partition("-")[0])
    return list(bridges.values())


def meets(pbx: Pbx, *endpoints: str) -> None:
    until(lambda: set(endpoints) in together(pbx), 20, what=f"{endpoints} to talk")


def test_a_counsellor_asks_a_colleague_and_then_joins_the_two(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    actors.phone("c002")
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    asked = wang_fang.dial(LI_NA)
    meets(pbx, "c001", "c002")
    wang_fang.hand_over(call, LI_NA, joined=asked)
    meets(pbx, "trunk", "c002")
    until(lambda: call.ended.is_set() or bool(wang_fang.sipfrags), what="the phone to be told")
    assert "ATTENDEDTRANSFER" in {row[0] for row in pbx.journal()}
    wang_fang.hang_up(call)
    assert together(pbx) == [{"trunk", "c002"}]


def test_a_colleague_takes_a_caller_who_was_handed_on(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    actors.phone("c002")
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(call, LI_NA)
    meets(pbx, "trunk", "c002")
    assert handovers(pbx) == ["from=c001&to=c002&act=sent", "from=c001&to=c002&act=accepted"]


def test_a_colleague_who_does_not_pick_up_costs_the_caller_nothing(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    actors.phone("c002", behaviour=RingOn())
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    first = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(first, LI_NA)
    until(lambda: len(wang_fang.dialogs) == 2, 30, what="whoever sent the caller to be rung again")
    meets(pbx, "trunk", "c001")
    assert handovers(pbx) == ["from=c001&to=c002&act=sent", "from=c001&act=back"]


def test_with_neither_to_be_had_the_caller_is_everybodys_again(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    zhang = actors.phone("c003")
    wang_fang = softphone("c001", takes=1)
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    pbx.off_duty("c001")
    pbx.on_duty("c003")
    wang_fang.hand_over(call, LI_NA)  # nobody is at that phone
    meets(pbx, "trunk", "c003")
    assert handovers(pbx) == ["from=c001&to=c002&act=sent", "from=c001&act=back"]
    assert len(zhang.calls()) == 1


def test_a_caller_handed_on_before_the_colleague_picked_up_is_still_the_lines(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    """The phone joins the two while the second still rings: the caller stands in its place (attended)."""
    actors.phone("c002", behaviour=Answer(after=3 * SECOND))
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(call, LI_NA, joined=wang_fang.ring(LI_NA))
    meets(pbx, "trunk", "c002")


def test_a_caller_handed_on_to_a_phone_that_rings_on_goes_back_to_everybody(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    actors.phone("c002", behaviour=RingOn())
    actors.phone("c003")
    wang_fang = softphone("c001", takes=1)
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    pbx.off_duty("c001")
    pbx.on_duty("c003")
    wang_fang.hand_over(call, LI_NA, joined=wang_fang.ring(LI_NA))
    meets(pbx, "trunk", "c003")


@pytest.mark.parametrize("why", ["owed a debriefing", "oneself"])
def test_whoever_may_not_be_rung_for_it_is_not_and_the_caller_comes_back(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller], why: str
) -> None:
    colleague = actors.phone("c002")
    pbx.put("hotline-debrief", "c002", "1")
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(call, "*32001" if why == "oneself" else LI_NA)
    until(lambda: len(wang_fang.dialogs) == 2, 20, what="whoever sent the caller to be rung again")
    meets(pbx, "trunk", "c001")
    assert colleague.calls() == []
    assert handovers(pbx)[-1] == "from=c001&act=back"


def test_when_the_colleagues_side_ends_the_caller_is_asked_whether_to_go_on(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    actors.phone("c002", behaviour=Answer(talk=2 * SECOND))
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(call, LI_NA)
    meets(pbx, "trunk", "c002")
    until(lambda: "flow=inbound&node=reconnect" in told(pbx, "IVR_NODE"), 20, what="the question")


def test_somebody_whom_we_called_is_handed_on_and_hears_no_greeting(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone]
) -> None:
    carrier = actors.carrier({"13700137000": Answer()})
    actors.phone("c002")
    wang_fang = softphone("c001")
    variables = ("Setvar: HOTLINE_NUMBER=13700137000", "Setvar: HOTLINE_RING=20", "Setvar: HOTLINE_BY=c001")
    order = ("Channel: PJSIP/c001", "Context: hotline-preview", "Extension: s", "Priority: 1")
    Spool(pbx.home).put("preview.call", (*order, *variables))
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(call, LI_NA)
    meets(pbx, "trunk", "c002")
    assert handovers(pbx) == ["from=c001&to=c002&act=sent", "from=c001&to=c002&act=accepted"]
    assert told(pbx, "IVR_NODE") == []
    carrier.hang_up()


def test_a_supervisor_on_call_is_rung_first_and_takes_the_caller_by_key(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    now = datetime.now(UTC)
    spans = f"{int(now.timestamp()) - 60}-{int(now.timestamp()) + 3600}"
    pbx.put("hotline-lead", "s002", spans)
    carrier = actors.carrier({"13900000022": Answer(keys=presses("1@1")), "13900000021": Answer()})
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    call = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(call, SUPERVISOR)
    until(
        lambda: handovers(pbx)[-1:] == ["from=c001&to=s002&act=accepted"],
        20,
        what="the supervisor to take it",
    )
    assert carrier.calls("13900000021") == []


def test_a_supervisors_voicemail_takes_no_caller(
    pbx: Pbx, actors: Actors, softphone: Callable[..., Softphone], somebody: Callable[[], Caller]
) -> None:
    actors.carrier({"13900000022": Answer(), "13900000021": Answer()})  # they pick up and press nothing
    wang_fang = softphone("c001")
    pbx.on_duty("c001")
    somebody()
    first = wang_fang.answered()
    meets(pbx, "trunk", "c001")
    wang_fang.hand_over(first, SUPERVISOR)
    until(lambda: len(wang_fang.dialogs) == 2, 40, what="whoever sent the caller to be rung again")
    assert handovers(pbx) == ["from=c001&to=lead&act=sent", "from=c001&act=back"]
