"""Every Python process dead or hung in the midst of things: calls and shift ends go on (P1, P2, R6).

The scenes run side by side, each on a line of its own, because each waits for the end of a shift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from verdict import findings
from violence import PINS, Site, until_after

from callcenter.demo.sipp import Answer

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=300)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
#: From planning the shifts to their end: room for two sign-ons and a talk on a busy machine.
TO_THE_EDGE = timedelta(seconds=20)

#: Whoever is stopped between a question to the PBX and its answer finds its time over when it goes on.
TOO_LATE = '"error": "Unanswered"'

Blow = Callable[[Site], None]


#: What is done to our Python, and what ends it.
BLOWS: dict[str, tuple[Blow, Blow]] = {
    "killed": (lambda site: site.python.sigkill(), lambda site: site.python.start()),
    "hung": (lambda site: site.python.sigstop(), lambda site: site.python.sigcont()),
}


@pytest.fixture(scope="module")
def scenes(_tools: None, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[list[str]]]]:
    """The scene of each blow, running."""
    with ThreadPoolExecutor(len(BLOWS)) as stage:
        yield {name: stage.submit(_play, *blow) for name, blow in BLOWS.items()}


def _play(strike: Blow, mend: Blow) -> list[str]:
    site = Site()
    failed = True
    try:
        found = across_a_shift_end(site.open(), strike, mend)
        failed = bool(found)
        return found
    finally:
        site.close(keep=failed)


def across_a_shift_end(site: Site, strike: Blow, mend: Blow) -> list[str]:
    """Play calls before, during and after a shift end of which our Python knows nothing."""
    phones = {code: site.actors.phone(code, behaviour=Answer(after=SOON)) for code in PINS}
    site.hotline("duty", "on", "c001")
    site.hotline("duty", "on", "c002")
    edge = datetime.now(UTC).replace(microsecond=0) + TO_THE_EDGE
    site.plan("c001", edge - HOUR, edge)
    site.plan("c002", edge, edge + HOUR)
    site.plan("c003", edge - HOUR, edge + HOUR)
    site.until_members("c001")
    for code in ("c001", "c002"):
        site.until_laid(code, edge)
    before = site.call()
    site.until_talking(before)

    strike(site)
    assert datetime.now(UTC) < edge, "too slow a machine: the shift ended before the blow"
    site.feature_code("c003", "*11")
    until_after(edge)
    site.until_members("c002", "c003", seconds=10)
    assert before.timing.ended_at is None, "a talk ended with our Python"
    assert phones["c001"].calls()[0].ended_at is None, "a talk ended with our Python"

    # c001 has a free phone again, but that shift is over: only the other two may be rung.
    before.actor.hang_up()
    first, second = site.call(), site.call()
    site.until_talking(first, second)
    assert [len(phones[code].calls()) for code in PINS] == [1, 1, 1]
    phones["c003"].hang_up()
    third = site.call(talk=3 * SECOND)
    third.actor.wait()

    mend(site)
    site.until_on_record([before, third])
    assert site.record_of(before).answered_by == "c001"
    still = [call for call in (first, second) if call.timing.ended_at is None]
    assert [site.record_of(call).is_open for call in still] == [True], "a talk was ended on paper"
    still.append(site.call())
    site.until_talking(*still)
    for call in still:
        call.actor.hang_up()
    site.until_on_record()
    site.until_members("c002", "c003")
    on_duty = {row["agent"] for row in site.rows("duty", "show") if row["on_duty"]}
    assert on_duty == {"c002", "c003"}
    complaints = [line for line in site.python.complaints() if TOO_LATE not in line]
    return findings(site, phones=list(phones.values())) + complaints


@pytest.mark.parametrize("blow", BLOWS)
def test_calls_and_a_shift_end_go_on_while_our_python_is(
    scenes: dict[str, Future[list[str]]], blow: str
) -> None:
    assert scenes[blow].result() == []
