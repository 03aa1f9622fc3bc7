"""Asterisk itself dies under calls; its journal is rotated while nobody reads it (P2, P3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from verdict import findings
from violence import PINS, Site

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, RingOn
from callcenter.domain.calls import Direction, Outcome

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=300)
SECOND = timedelta(seconds=1)


def callers_on_record(site: Site) -> int:
    """Count the callers on record; the line may have called itself meanwhile."""
    return sum(record.direction is Direction.INBOUND for record in site.records())


def test_asterisk_dies_under_calls_and_comes_back(site: Site) -> None:
    site.actors.phone("c001", behaviour=Answer(after=SOON))
    site.on_duty("c001", "c002")
    site.until_members("c001", "c002")
    whole = site.call(talk=3 * SECOND)
    whole.actor.wait()
    talking = site.call()
    site.until_talking(talking)
    ringing = site.actors.phone("c002", behaviour=RingOn())
    waiting = site.call()
    until(lambda: ringing.calls(), what="the second phone to ring")
    until(lambda: callers_on_record(site) == 3, 30, what="the calls to be on record as going on")

    site.pbx.process.kill()
    for call in (talking, waiting):
        call.actor.stop()  # the line is dead: callers put down their telephones
    site.pbx.process.start()

    site.until_members("c001", "c002")
    site.until_reachable("c001", "c002")
    ringing.stop(leave=False)  # a dead phone, which the next caller must get past
    assert site.pbx.get("hotline-signed", "c001") == "1"
    after = site.call()
    site.until_talking(after)
    after.actor.hang_up()
    site.until_on_record()
    assert site.record_of(after).outcome is Outcome.ANSWERED
    cut_off = site.record_of(talking)
    assert cut_off.outcome is Outcome.ANSWERED
    assert cut_off.end_is_uncertain
    never = site.record_of(waiting)
    assert never.outcome is Outcome.SYSTEM_FAILURE
    assert never.end_is_uncertain
    assert not site.record_of(whole).end_is_uncertain
    assert findings(site) == []


def test_asterisk_and_python_die_together(site: Site) -> None:
    """A power cut: nothing in memory is left of either."""
    site.actors.phone("c001", behaviour=Answer(after=SOON))
    site.on_duty("c001")
    site.until_members("c001")
    talking = site.call()
    site.until_talking(talking)

    site.python.sigkill()
    site.pbx.process.kill()
    talking.actor.stop()
    site.pbx.process.start()
    early = site.call(talk=2 * SECOND)  # before anything of ours runs
    early.actor.wait()
    site.python.start()

    site.until_members("c001")
    site.until_reachable("c001")
    after = site.call(talk=3 * SECOND)
    after.actor.wait()
    site.until_on_record()
    assert site.record_of(talking).end_is_uncertain
    assert site.record_of(after).outcome is Outcome.ANSWERED
    assert findings(site) == []


def test_journal_rotated_while_nobody_reads_it(site: Site) -> None:
    phones = [site.actors.phone(code, behaviour=Answer(after=SOON)) for code in PINS]
    site.on_duty(*PINS)
    site.until_members(*PINS)
    read_in_part = site.call()
    site.until_talking(read_in_part)
    until(lambda: callers_on_record(site) == 1, what="the call to be on record as going on")

    site.python.sigkill()
    unread = site.call(talk=3 * SECOND)
    unread.actor.wait()
    over_both = site.call()
    site.until_talking(over_both)
    site.rotate_journal()
    over_both.actor.hang_up()
    site.call(talk=2 * SECOND).actor.wait()
    site.rotate_journal()
    read_in_part.actor.hang_up()
    site.call(talk=2 * SECOND).actor.wait()

    site.python.start()
    site.until_on_record()
    assert findings(site, phones=phones) == []


def test_after_a_crash_phones_are_rung_again_within_seconds_with_nothing_of_ours_alive(site: Site) -> None:
    """Asterisk takes phones for gone until they answer an OPTIONS; callers would go to the mobiles."""
    site.actors.phone(*PINS, behaviour=Answer(after=SOON))
    site.on_duty(*PINS)
    site.until_members(*PINS)
    site.call(talk=3 * SECOND).actor.wait()  # AstDB is a second behind
    site.python.sigkill()
    for _ in range(2):
        site.pbx.process.kill()
        site.pbx.process.start()
        site.until_reachable(*PINS)
    after = site.call(talk=3 * SECOND)
    site.until_talking(after)
    site.python.start()
    site.until_on_record([after])
    assert site.record_of(after).answered_via == "queue"
