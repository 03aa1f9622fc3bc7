"""A counsellor walks away without signing off: the phone rings on, and callers must not wait behind it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from harness import USERS, Actors, Pbx, short_home, test_settings

from callcenter.config import Queue
from callcenter.demo.sipp import Answer, RingOn
from callcenter.domain.users import PhoneKind
from callcenter.keys import KeyRing

pytestmark = [pytest.mark.asterisk, pytest.mark.usefixtures("_tools")]
SOON = timedelta(milliseconds=300)
RING = timedelta(seconds=2)


def test_call_moves_on_from_a_phone_nobody_picks_up(keys: KeyRing, tmp_path: Path) -> None:
    queue = Queue(ring=RING, wrap_up=timedelta(0), wait_cap=timedelta(seconds=20))
    at_desks = [user for user in USERS if user.phone is PhoneKind.SIP]
    pbx = Pbx(settings=test_settings(short_home(), queue=queue), keys=keys, users=at_desks)
    actors = Actors(pbx=pbx, folder=tmp_path)
    try:
        pbx.start()
        left_alone = actors.phone("c001", behaviour=RingOn())
        at_the_desk = actors.phone("c002", behaviour=Answer(after=SOON, talk=SOON))
        pbx.on_duty("c001", "c002")
        for _ in range(3):
            actors.caller(talk=timedelta(seconds=9)).wait()
        assert len(at_the_desk.calls()) == 3
        assert left_alone.calls()
    finally:
        actors.close()
        pbx.process.stop()
