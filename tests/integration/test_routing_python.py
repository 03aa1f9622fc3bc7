"""Every rule of routing with our Python hung in the midst of things: the PBX goes on by what it knows."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from routed_line import around_now, hash_of, know
from violence import Site

from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer

pytestmark = pytest.mark.asterisk
SOON = timedelta(milliseconds=200)
HOUR = timedelta(hours=1)
GIRL, SHE, OWED, BY_CODE = "13800138000", "13800138001", "13800138002", "13800138003"


def test_with_every_process_of_ours_hung_callers_reach_whom_they_need(site: Site) -> None:
    phones = {
        code: site.actors.phone(code, behaviour=Answer(after=SOON)) for code in ("c001", "c002", "c003")
    }
    now = datetime.now(UTC)
    for code in phones:
        site.hotline("duty", "on", code)
        site.plan(code, now - HOUR, now + HOUR)
    site.until_members(*phones)
    site.until_reachable(*phones)

    site.python.sigstop()
    # Whoever pushed this is dead by now: what follows is Asterisk's own.
    know(
        site.pbx,
        {
            "hotline-skill/c001": "trainee",
            "hotline-skill/c002": "woman&dialect",
            "hotline-skill/c003": "crisis",
            "hotline-load/c003": 9,
            f"hotline-fact/{hash_of(site.pbx, GIRL)}": "high_risk",
            f"hotline-fact/{hash_of(site.pbx, SHE)}": "wants_woman",
            f"hotline-owner/{hash_of(site.pbx, OWED)}": "c001",
            f"hotline-code/{hash_of(site.pbx, '480195')}": "c001",
        },
    )
    in_danger, wishing = site.call(GIRL), site.call(SHE)
    site.until_talking(in_danger, wishing)
    owed = site.call(OWED)
    until(lambda: ("ACCEPT", '{"extra":"by=c001"}') in site.pbx.user_events(), 20, what="the owner")
    took = [(one.agent, one.queue) for one in site.pbx.queue_log() if one.event == "CONNECT"]
    assert sorted(took) == [("c002", "hotline-woman"), ("c003", "hotline-crisis")]
    assert [len(phone.calls()) for phone in phones.values()] == [1, 1, 1]

    # Everybody is in a talk; a backup on call is added for a surge and goes with it.
    owed.actor.hang_up()
    know(site.pbx, {"hotline-signed/c001": "", "hotline-backup/c001": around_now()})
    know(site.pbx, {"hotline-surge/until": int(time.time()) + 600})
    site.until_members(*phones)
    last = site.call(BY_CODE)
    site.until_talking(last)
    assert len(phones["c001"].calls()) == 2
    know(site.pbx, {"hotline-surge/until": ""})
    site.until_members("c002", "c003")
    for call in (in_danger, wishing, last):
        call.actor.hang_up()

    # Awake again, our Python has every call once, whichever queues they went through.
    site.python.sigcont()
    numbers = {in_danger.number, wishing.number, owed.number, last.number}

    def told() -> dict[str | None, tuple[str | None, str | None]]:
        with site.app.store() as work:
            found = work.calls.between(now - HOUR, datetime.now(UTC) + HOUR)
            return {c.number: (c.answered_by, c.answered_via) for c in found if not c.is_open}

    until(lambda: numbers <= told().keys(), 40, what="the records of the calls")
    assert told()[GIRL] == ("c003", "queue")
    assert told()[SHE] == ("c002", "queue")
    assert told()[OWED] == ("c001", "owner")
