"""Our Python dies at the very moments around an order to dial: nobody is rung twice or forgotten (R28)."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ami_tap import Moment
from verdict import findings
from violence import Site, run_verb

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, Carrier, presses
from scheduler.obligations import Attempt, Result

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=300)
LOST, RUNG, TOLD, HUNG, CUT = (f"1370000000{n}" for n in range(5))
#: Says at once who it is and that all is well.
FINE = Answer(after=SOON, keys=presses("1@1 1@2.4"))
HEADING = "档案编号,姓名,联系电话,困难类别,档案状态,建档日期,同意自动回访,同意日期"


def file_of(number: str) -> str:
    """Return a file's number, which stands in clear: no telephone number."""
    return f"WX-{number[-4:]}"


def enlist(site: Site, number: str) -> None:
    """Import one worker who is owed a call now."""
    file = Path(site.folder / "register.csv")
    line = f"{file_of(number)},周伟,{number},深度困难,在档,2026-01-05,是,2026-01-05"
    file.write_text(f"{HEADING}\n{line}\n", encoding="utf-8")
    done = run_verb(site.config, "hardship", "import", str(file))
    # The debt may be dialled, and the blow fall, before the command that made it has ended.
    assert done.returncode in (0, -signal.SIGKILL), done.stderr


def attempts(site: Site, number: str) -> list[Attempt]:
    """Return every attempt at this worker, of open debts and of those that ended."""
    with site.looking() as work:
        person = work.people.by_number(number)
        assert person is not None
        found = [work.debts.attempt(i) for i in dict.fromkeys(site.tap.ordered)]
        return [a for a in found if a and work.debts.get(a.obligation).person == person.id]


def owed_call(site: Site, number: str) -> dict[str, Any]:
    """Return the call this worker is owed; a visit at home is owed beside it."""
    theirs = [row for row in site.rows("hardship", "owed") if row["file_no"] == file_of(number)]
    (call,) = [row for row in theirs if row["kind"] == "hardship"]
    return call


def is_settled(site: Site, number: str, result: Result) -> bool:
    return [a.result for a in attempts(site, number)] == [result]


def test_killed_and_hung_around_the_order_to_dial(site: Site) -> None:
    carrier = site.actors.carrier(dict.fromkeys((LOST, RUNG, TOLD, HUNG, CUT), FINE))

    site.tap.arm(Moment.WRITTEN, site.python.sigkill)
    enlist(site, LOST)
    site.tap.until_struck()
    (doubtful,) = attempts(site, LOST)
    assert doubtful.in_doubt, "the attempt is written down before anybody dials"

    for number, moment in ((RUNG, Moment.ORDERED), (TOLD, Moment.ANSWERED)):
        site.python.restart()
        site.tap.arm(moment, site.python.sigkill)
        enlist(site, number)
        site.tap.until_struck()
        until(lambda n=number: carrier.calls(n) and carrier.calls(n)[0].ended_at, 20, what="the call to end")

    site.python.restart()
    until(lambda: is_settled(site, RUNG, Result.REACHED_SELF_IVR_OK), 20, what="the journal to tell of RUNG")
    until(lambda: is_settled(site, TOLD, Result.REACHED_SELF_IVR_OK), 20, what="the journal to tell of TOLD")

    site.tap.arm(Moment.ORDERED, site.python.sigstop)
    with ThreadPoolExecutor(1) as aside:  # the importing command may be hung with the rest
        enlisting = aside.submit(enlist, site, HUNG)
        site.tap.until_struck()
        until(lambda: carrier.calls(HUNG) and carrier.calls(HUNG)[0].ended_at, 20, what="the call to end")
        site.python.sigcont()
        enlisting.result()
    until(lambda: is_settled(site, HUNG, Result.REACHED_SELF_IVR_OK), 20, what="the journal to tell of HUNG")

    site.tap.arm(Moment.ORDERED, site.tap.sever)
    enlist(site, CUT)
    site.tap.until_struck()
    until(lambda: is_settled(site, CUT, Result.REACHED_SELF_IVR_OK), 20, what="the journal to tell of CUT")

    # Nothing ever tells of LOST: after its grace a human has to look, and no machine dials again.
    until(lambda: is_settled(site, LOST, Result.UNKNOWN), 60, what="LOST to be given to a human")
    assert carrier.calls(LOST) == []
    owed = owed_call(site, LOST)
    assert owed["who_next"] == "human"
    _human_calls(site, carrier, owed["id"])
    for number in (LOST, RUNG, TOLD, HUNG, CUT):
        assert len(carrier.calls(number)) == 1
    site.until_quiet()
    assert findings(site, carrier=carrier, workers=(LOST, RUNG, TOLD, HUNG, CUT)) == []


def _human_calls(site: Site, carrier: Carrier, debt: str) -> None:
    """Let c001 call; the command that placed the call dies at once, and the talk goes on."""
    phone = site.actors.phone("c001", behaviour=Answer(after=SOON))
    site.tap.arm(Moment.ORDERED, site.python.sigkill)
    site.python.start("queue", "dial", debt, "--agent", "c001", ready=False)
    site.tap.until_struck()
    until(lambda: carrier.calls(LOST) and carrier.calls(LOST)[0].answered_at, 20, what="the worker to answer")
    site.python.restart()
    assert [talk.ended_at for talk in (*phone.calls(), *carrier.calls(LOST))] == [None, None]
    phone.hang_up()
    until(lambda: all(a.result for a in attempts(site, LOST)), 20, what="the journal to tell of it")
    owed = owed_call(site, LOST)
    assert owed["who_next"] == "human", "nobody has said yet whom they reached"
