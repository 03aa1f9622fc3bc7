"""What happens on a line of people: two calls for one seat, a shift that ends in mid-call, a dead carrier.

Nothing of ours runs in these tests but the test itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from harness import WAIT_CAP, Actors, Pbx

from callcenter.asterisk.spool import Spool, SpoolEdges
from callcenter.config import Queue, Transfers, Trunk
from callcenter.demo.runner import Address, free_ports, until
from callcenter.demo.sipp import Answer, Caller, Carrier, Refuse, RingOn

pytestmark = pytest.mark.asterisk

SECOND = timedelta(seconds=1)
AT_ONCE = Answer(after=timedelta(milliseconds=50))
HOUR = timedelta(hours=1)
SECOND_CARRIER = "127.0.0.3"


@pytest.fixture(scope="module")
def _session_pbx(new_pbx: Callable[..., Pbx]) -> Pbx:
    """A line whose phones ring for three seconds, so that a test need not wait for one long."""
    pbx = new_pbx(queue=Queue(ring=3 * SECOND, wrap_up=timedelta(0), wait_cap=WAIT_CAP))
    pbx.mobile_members = False
    pbx.start()
    return pbx


def now() -> datetime:
    return datetime.now(UTC)


def planned(pbx: Pbx, agent: str, start: datetime, end: datetime) -> None:
    """Plan somebody who has signed on."""
    pbx.put("hotline-shift", agent, f"{int(start.timestamp())}-{int(end.timestamp())}")
    pbx.put("hotline-signed", agent, "1")


def decide(pbx: Pbx, *agents: str, at: datetime | None = None) -> None:
    """Let the PBX decide about these people at an instant, now if none is given."""
    SpoolEdges(pbx.home).lay({at or now() - SECOND: frozenset(agents)})


def in_queue(pbx: Pbx, *agents: str) -> None:
    wanted = {pbx.interface(agent) for agent in agents}
    until(lambda: pbx.members() == wanted, 20, what=f"the queue to hold {agents}")


def rung(pbx: Pbx, agent: str) -> None:
    until(lambda: f"PJSIP/{agent}-" in pbx.console("core show channels"), 20, what=f"{agent} to be rung")


def connected(pbx: Pbx) -> list[tuple[str, str]]:
    """Return (call, agent) of everybody who took a call from the queue."""
    return [(line.call, line.agent) for line in pbx.queue_log() if line.event == "CONNECT"]


def nodes(pbx: Pbx) -> list[str]:
    """Return the nodes that callers came to."""
    told = [json.loads(text)["extra"] for name, text in pbx.user_events() if name == "IVR_NODE"]
    return [text.rpartition("node=")[2] for text in told]


def ends(*callers: Caller) -> None:
    for caller in callers:
        caller.hang_up()


def test_two_callers_for_one_seat_are_served_one_after_the_other(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001", behaviour=replace(AT_ONCE, talk=SECOND))
    pbx.on_duty("c001")
    callers = [actors.caller(number=f"1380013800{n}", talk=60 * SECOND) for n in (1, 2)]
    until(lambda: len(connected(pbx)) == 2, 30, what="both to be served")
    assert len({call for call, _ in connected(pbx)}) == 2
    ends(*callers)


def test_two_phones_that_answer_at_once_never_share_or_drop_a_caller(
    new_pbx: Callable[..., Pbx], tmp_path_factory: pytest.TempPathFactory
) -> None:
    pbx = new_pbx(queue=Queue(strategy="ringall", ring=5 * SECOND, wrap_up=timedelta(0)))
    pbx.start()
    actors = Actors(pbx=pbx, folder=tmp_path_factory.mktemp("actors"))
    try:
        actors.phone("c001", "c002", "c003", behaviour=AT_ONCE)
        pbx.on_duty("c001", "c002", "c003")
        callers = [actors.caller(number=f"1380013801{n}", talk=60 * SECOND) for n in range(3)]
        until(lambda: len(connected(pbx)) == 3, 30, what="all three to be served")
        assert len({call for call, _ in connected(pbx)}) == 3
        assert {agent for _, agent in connected(pbx)} == {"c001", "c002", "c003"}
        until(lambda: pbx.channels() == 6, what="nobody else to be on the line")
        ends(*callers)
    finally:
        actors.close()


def test_a_member_leaves_while_their_phone_rings_and_the_caller_goes_to_the_next(
    pbx: Pbx, actors: Actors
) -> None:
    actors.phone("c001", behaviour=RingOn())
    actors.phone("c002", behaviour=AT_ONCE)
    planned(pbx, "c001", now() - SECOND, now() + HOUR)
    decide(pbx, "c001")
    in_queue(pbx, "c001")
    caller = actors.caller(talk=40 * SECOND)
    rung(pbx, "c001")
    planned(pbx, "c002", now() - SECOND, now() + HOUR)
    pbx.put("hotline-paused", "c001", "rest")
    decide(pbx, "c001", "c002")
    in_queue(pbx, "c002")
    until(
        lambda: [agent for _, agent in connected(pbx)] == ["c002"], 20, what="the next one to take the call"
    )
    ends(caller)


def test_a_shift_that_ends_in_mid_call_ends_no_call(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001", behaviour=AT_ONCE)
    over = now() + 4 * SECOND
    planned(pbx, "c001", now() - SECOND, over)
    SpoolEdges(pbx.home).lay({now() - SECOND: frozenset({"c001"}), over: frozenset({"c001"})})
    in_queue(pbx, "c001")
    caller = actors.caller(talk=40 * SECOND)
    until(lambda: connected(pbx), 20, what="the call to be taken")
    in_queue(pbx)
    assert now() >= over
    assert pbx.channels() == 2
    ends(caller)
    until(
        lambda: "COMPLETECALLER" in [line.event for line in pbx.queue_log()], what="the talk to be on record"
    )


def test_the_last_member_signs_off_and_who_waits_goes_to_the_people_on_call(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001", behaviour=RingOn())
    carrier = actors.carrier({"13900000021": RingOn(), "13900000022": RingOn()})
    planned(pbx, "c001", now() - SECOND, now() + HOUR)
    decide(pbx, "c001")
    in_queue(pbx, "c001")
    callers = [actors.caller(number=f"1380013802{n}", talk=40 * SECOND) for n in (1, 2)]
    rung(pbx, "c001")
    until(lambda: nodes(pbx).count("queue") == 2, what="both to wait")
    pbx.put("hotline-signed", "c001", "0")
    decide(pbx, "c001")
    in_queue(pbx)
    until(lambda: nodes(pbx).count("escalate") == 2, 20, what="both to go on")
    until(lambda: carrier.calls("13900000021"), 20, what="the people on call to be rung")
    ends(*callers)


def test_at_midnight_one_shift_takes_over_the_caller_who_waits(pbx: Pbx, actors: Actors) -> None:
    """Midnight is an instant like any other to the PBX: one span ends in it and one begins."""
    actors.phone("c001", behaviour=RingOn())
    actors.phone("c002", behaviour=AT_ONCE)
    midnight = now().replace(microsecond=0) + 5 * SECOND
    planned(pbx, "c001", midnight - 3 * HOUR, midnight)
    planned(pbx, "c002", midnight, midnight + 3 * HOUR)
    both = frozenset({"c001", "c002"})
    SpoolEdges(pbx.home).lay({now() - SECOND: both, midnight: both})
    in_queue(pbx, "c001")
    caller = actors.caller(talk=40 * SECOND)
    rung(pbx, "c001")
    until(
        lambda: [agent for _, agent in connected(pbx)] == ["c002"], 25, what="the next shift to take the call"
    )
    in_queue(pbx, "c002")
    ends(caller)


def test_a_mobiles_voicemail_takes_no_caller(pbx: Pbx, actors: Actors) -> None:
    actors.carrier({"13900000004": AT_ONCE})  # it answers and presses nothing
    pbx.on_duty("c004")
    caller = actors.caller(talk=60 * SECOND)
    until(
        lambda: "RINGNOANSWER" in [line.event for line in pbx.queue_log()],
        30,
        what="the voicemail to be left",
    )
    assert connected(pbx) == []
    actors.phone("c001", behaviour=AT_ONCE)
    pbx.on_duty("c001")
    until(lambda: [agent for _, agent in connected(pbx)] == ["c001"], 40, what="a person to take the call")
    ends(caller)


def test_with_all_trunks_busy_the_caller_hears_who_else_there_is(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier({"13900000021": Refuse(status=503), "13900000022": Refuse(status=503)})
    caller = actors.caller(talk=60 * SECOND)
    until(lambda: "nobody" in nodes(pbx), 30, what="the honest message")
    assert len(carrier.calls("13900000021")) == len(carrier.calls("13900000022")) == 1
    assert pbx.channels() >= 1
    ends(caller)


@pytest.mark.parametrize("status", [503, 486])
def test_where_the_first_carrier_takes_no_call_the_second_is_asked_and_a_busy_person_is_busy(
    new_pbx: Callable[..., Pbx], tmp_path_factory: pytest.TempPathFactory, status: int
) -> None:
    second = Address(host=SECOND_CARRIER, port=free_ports(1, SECOND_CARRIER)[0])
    trunk = Trunk(port=free_ports(1, Trunk().host)[0], fallback_host=second.host, fallback_port=second.port)
    pbx = new_pbx(trunk=trunk)
    pbx.start()
    actors = Actors(pbx=pbx, folder=tmp_path_factory.mktemp("actors"))
    other = Carrier(
        pbx=pbx.sip,
        folder=tmp_path_factory.mktemp("second"),
        listens=second,
        numbers={"13900000021": RingOn(), "13900000022": RingOn()},
    ).start()
    try:
        first = actors.carrier({"13900000021": Refuse(status=status), "13900000022": RingOn()})
        caller = actors.caller(talk=40 * SECOND)
        until(lambda: len(first.calls()) == 2 if status == 486 else other.calls(), 30, what="the next one")
        assert bool(other.calls()) is (status == 503)
        ends(caller)
    finally:
        other.stop()
        actors.close()


def test_a_service_with_two_numbers_is_reached_at_the_second(
    new_pbx: Callable[..., Pbx], tmp_path_factory: pytest.TempPathFactory
) -> None:
    pbx = new_pbx(transfers=Transfers(mental_health_next=("051012356",)))
    pbx.start()
    actors = Actors(pbx=pbx, folder=tmp_path_factory.mktemp("actors"))
    try:
        carrier = actors.carrier({"12356": Refuse(status=480), "051012356": AT_ONCE})
        order = ("Channel: Local/12356@hotline-destination", "Application: Wait", "Data: 20")
        Spool(pbx.home).put("to-12356.call", order)
        until(lambda: carrier.calls("051012356"), 20, what="the second number to be dialled")
        assert len(carrier.calls("12356")) == 1
        pbx.console("channel request hangup all")
    finally:
        actors.close()
