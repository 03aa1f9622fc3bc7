"""A blocked number on a real Asterisk (R19): its caller is told who else is there, and nobody is rung."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from harness import Actors, Pbx, write_silence

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.demo.runner import until
from callcenter.demo.sipp import SECOND
from callcenter.domain.calls import CallRecord, EndedBy, Outcome
from callcenter.domain.fold import fold
from callcenter.service.followup.callers import hashed

pytestmark = pytest.mark.asterisk

CALLER = "13812345678"


@pytest.fixture
def long_words(pbx: Pbx) -> Iterator[None]:
    """The message, long enough to be seen being played."""
    file = pbx.home / "sounds" / pbx.settings.site.language / "hotline" / "blocked.wav"
    before = file.read_bytes()
    write_silence(file, timedelta(seconds=2))
    yield
    file.write_bytes(before)


def block(pbx: Pbx, number: str, seconds: int) -> None:
    until_then = int(time.time()) + seconds
    pbx.put("hotline-block", hashed(pbx.keys.password("pbx-salt"), number), str(until_then))


def calls(pbx: Pbx) -> list[CallRecord]:
    rows = parse_journal(b"".join(pbx.journal_rows())).rows
    return list(fold(rows).calls)


def test_a_blocked_caller_hears_the_message_and_no_phone_rings(
    pbx: Pbx, actors: Actors, long_words: None
) -> None:
    actors.phone("c001")
    pbx.on_duty("c001")
    block(pbx, CALLER, 3600)
    caller = actors.caller(number=f"+86{CALLER}", talk=20 * SECOND)
    until(lambda: "hotline/blocked" in pbx.console("core show channels concise"), what="the message")
    caller.wait()
    until(lambda: pbx.channels() == 0, what="the call to end")
    [call] = calls(pbx)
    assert (call.outcome, call.flow_outcome) == (Outcome.BLOCKED, "blocked")
    assert (call.offered_at, call.queue_entries, call.ended_by) == (None, 0, EndedBy.SYSTEM)
    assert call.number == CALLER
    assert not [row for row in pbx.journal() if row[6].startswith("PJSIP/c001")]


def test_past_its_second_a_block_means_nothing_though_nobody_removes_it(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001")
    pbx.on_duty("c001")
    block(pbx, CALLER, -1)
    actors.caller(number=CALLER, talk=3 * SECOND).wait()
    until(lambda: [c.outcome for c in calls(pbx)] == [Outcome.ANSWERED], what="the call to be over")


def test_other_callers_and_those_without_a_number_ring_through(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001")
    pbx.on_duty("c001")
    block(pbx, CALLER, 3600)
    actors.caller(number="13812345679", talk=3 * SECOND).wait()
    until(lambda: pbx.channels() == 0, what="the first call to end")
    actors.caller(withheld=True, talk=3 * SECOND).wait()
    until(lambda: [c.outcome for c in calls(pbx)] == [Outcome.ANSWERED] * 2, what="both calls to be over")
