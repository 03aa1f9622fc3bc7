"""The telephone system dies around an order to dial, and its journal comes late: nobody is rung twice.

Two schedulers run on one store all the while. What can be known is settled at once; of the rest a person is
told what is known (P2, R28).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from ami_tap import Moment
from test_violence_attempts import FINE, SOON, attempts, enlist, is_settled
from violence import Site

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, Carrier
from scheduler.obligations import Attempt, Doubt, Result

pytestmark = pytest.mark.asterisk
UNHEARD, ORDERED, ANSWERED, TALKING, LATE = (f"1370000001{n}" for n in range(5))
#: Says nothing for as long as it may.
SILENT = Answer(after=SOON, talk=timedelta(seconds=30))


def one_attempt(site: Site, number: str) -> Attempt:
    (attempt,) = attempts(site, number)
    return attempt


def is_on_record_as_answered(site: Site, number: str) -> bool:
    with site.looking() as work:
        going_on = {call.id: call for call in work.calls.open_calls()}
    attempt = one_attempt(site, number)
    return attempt.id in going_on and going_on[attempt.id].answered_at is not None


def explained(site: Site, number: str) -> dict[str, Any]:
    """Return what `queue why` says of the debt of this worker."""
    debt = one_attempt(site, number).obligation
    found: dict[str, Any] = json.loads(site.hotline("queue", "why", debt, "--json"))
    return found


def test_the_pbx_dies_around_the_order_to_dial_while_two_schedulers_run(site: Site) -> None:
    carrier = site.actors.carrier({TALKING: SILENT, LATE: FINE}, otherwise=FINE)
    site.python.start()  # a second one, beside the first
    for number, moment in ((UNHEARD, Moment.WRITTEN), (ORDERED, Moment.ORDERED), (ANSWERED, Moment.ANSWERED)):
        site.tap.arm(moment, site.pbx.process.kill)
        enlist(site, number)
        site.tap.until_struck()
        site.pbx.process.start()
    enlist(site, TALKING)
    until(lambda: carrier.calls(TALKING) and carrier.calls(TALKING)[0].answered_at, 60, what="the talk")
    until(lambda: is_on_record_as_answered(site, TALKING), 20, what="the journal to tell of the talk")
    site.pbx.process.kill()
    site.pbx.process.start()

    for number in (UNHEARD, ORDERED, ANSWERED, TALKING):
        until(lambda n=number: is_settled(site, n, Result.UNKNOWN), 60, what=f"{number} to be a person's")
    _is_told(site, UNHEARD, {Doubt.SILENT}, ("没有等到电话系统的答复", "重新启动过", "没有这通电话"))
    _is_told(site, ORDERED, {Doubt.SILENT, Doubt.TORN}, ("下令拨打",))
    _is_told(site, ANSWERED, {Doubt.SILENT, Doubt.TORN}, ("下令拨打",))
    _is_told(site, TALKING, {Doubt.TORN}, ("电话系统已接受", "电话系统就停了"))
    assert carrier.calls(UNHEARD) == []
    _the_journal_comes_late(site, carrier)
    for number in (ORDERED, ANSWERED, TALKING, LATE):
        assert len(carrier.calls(number)) <= 1
    assert len(set(site.tap.ordered)) == len(site.tap.ordered) == 5


def _is_told(site: Site, number: str, doubts: set[Doubt], words: tuple[str, ...]) -> None:
    """Check that a person is to look, and that they are told why."""
    row = explained(site, number)
    assert (row["last_attempt_state"], row["who_next"], row["why"]) == ("in_doubt", "human", "in_doubt")
    assert row["last_attempt_doubt"] in doubts
    assert row["doubt_text"] in row["chain"]
    assert all(word in row["doubt_text"] for word in words), row["doubt_text"]
    assert number not in row["doubt_text"]


def _the_journal_comes_late(site: Site, carrier: Carrier) -> None:
    """What was given to a person for want of a journal is settled by it when it comes."""
    enlist(site, LATE)
    until(lambda: any(a.placed_at for a in attempts(site, LATE)), 20, what="the order to be taken")
    site.python.sigkill()
    until(lambda: carrier.calls(LATE) and carrier.calls(LATE)[0].ended_at, 20, what="the call to end")
    site.until_quiet()
    journal = site.pbx.journal_file
    held_back = journal.rename(journal.with_name("held-back"))
    site.python.start()
    until(lambda: is_settled(site, LATE, Result.UNKNOWN), 60, what="LATE to be a person's")
    # Its beginning may have been read before the reader died.
    _is_told(site, LATE, {Doubt.SILENT, Doubt.UNENDED}, ("电话系统已接受", "话务日志"))
    held_back.rename(journal)
    until(lambda: is_settled(site, LATE, Result.REACHED_SELF_IVR_OK), 20, what="the journal to tell of it")
    assert one_attempt(site, LATE).doubt is None
    assert len(carrier.calls(LATE)) == 1
