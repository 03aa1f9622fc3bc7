"""Who is on duty, decided by dialplan alone: shift edges in the spool, facts and feature codes.

Nothing of ours runs in these tests but the test itself, which only writes and looks.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha1

import pytest
from harness import Actors, Pbx

from callcenter.asterisk.spool import SpoolEdges
from callcenter.demo.runner import until
from callcenter.demo.sipp import presses

pytestmark = pytest.mark.asterisk

SECOND = timedelta(seconds=1)
PHONE, MOBILE = "PJSIP/c001", "Local/c004@hotline-mobile/n"


def now() -> datetime:
    return datetime.now(UTC)


def shift(pbx: Pbx, agent: str, *spans: tuple[datetime, datetime]) -> None:
    """Put an agent's shifts, signed on."""
    text = "&".join(f"{int(a.timestamp())}-{int(b.timestamp())}" for a, b in spans)
    pbx.put("hotline-shift", agent, text)
    pbx.put("hotline-signed", agent, "1")


def reconcile(pbx: Pbx, *agents: str) -> None:
    """Let the PBX decide these agents now and wait until it has."""
    SpoolEdges(pbx.home).lay({now() - SECOND: frozenset(agents)})
    until(lambda: not waiting(pbx), what="the edge to run")
    until(lambda: pbx.channels() == 0, what="the edge to be done")


def waiting(pbx: Pbx) -> list[str]:
    return sorted(p.name for p in (pbx.home / "spool" / "outgoing").glob("*.call"))


def set_pin(pbx: Pbx, agent: str, pin: str) -> None:
    salt = pbx.keys.password("pbx-salt")
    pbx.put("hotline-pin", agent, sha1(f"{salt}{agent}{pin}".encode()).hexdigest())  # noqa: S324 - what dialplan can compute


def test_a_shift_begins_and_ends_with_nothing_of_ours_alive(pbx: Pbx) -> None:
    start, end = now() + 2 * SECOND, now() + 5 * SECOND
    shift(pbx, "c001", (start, end))
    shift(pbx, "c004", (start, end))
    both = frozenset({"c001", "c004"})
    SpoolEdges(pbx.home).lay({start: both, end: both})
    assert pbx.members() == set()
    until(lambda: pbx.members() == {PHONE, MOBILE}, what="the shift to begin")
    assert now() >= start
    until(lambda: pbx.members() == set(), what="the shift to end")
    assert now() >= end
    assert waiting(pbx) == []


def test_whoever_forgot_to_sign_off_is_signed_off_with_their_shift_with_nothing_of_ours_alive(
    pbx: Pbx,
) -> None:
    """c001 forgot. c004 has a break of half an hour: their sign-on is for both shifts."""
    start, end, again = now() - timedelta(hours=3), now() + 3 * SECOND, now() + timedelta(minutes=30)
    tomorrow = now() + timedelta(hours=20)
    pbx.put("hotline-debrief", "c001", "1")
    shift(pbx, "c001", (start, end), (tomorrow, tomorrow + timedelta(hours=4)))
    shift(pbx, "c004", (start, end), (again, again + timedelta(hours=1)))
    both = frozenset({"c001", "c004"})
    SpoolEdges(pbx.home).lay({now(): both, end: both})
    until(lambda: pbx.members() == {MOBILE}, what="the shift to have begun")
    until(lambda: pbx.get("hotline-signed", "c001") is None, what="the sign-on to lapse")
    assert now() >= end
    until(lambda: pbx.members() == set(), what="the shift to end")
    assert pbx.get("hotline-signed", "c004") == "1"
    # R47: what is owed is owed still.
    assert pbx.get("hotline-debrief", "c001") == "1"
    told = [text for name, text in pbx.user_events() if name == "DUTY"]
    assert told == ['{"extra":"agent=c001&act=off&reason=shift_over"}']


def test_an_edge_that_runs_late_signs_nobody_off(pbx: Pbx) -> None:
    """They may have signed on again since: that is left to whoever knows when."""
    shift(pbx, "c001", (now() - timedelta(hours=3), now() - timedelta(minutes=5)))
    reconcile(pbx, "c001")
    assert pbx.members() == set()
    assert pbx.get("hotline-signed", "c001") == "1"


def test_an_early_a_late_and_a_doubled_edge_change_nothing(pbx: Pbx) -> None:
    start = now() + timedelta(hours=1)
    shift(pbx, "c001", (now() - timedelta(hours=1), now() + timedelta(minutes=5)), (start, start + SECOND))
    for _ in range(3):
        reconcile(pbx, "c001")
    assert pbx.members() == {PHONE}
    added = [line for line in pbx.queue_log() if line.event == "ADDMEMBER"]
    assert [line.agent for line in added] == ["c001"]


def test_a_removed_edge_does_not_run(pbx: Pbx) -> None:
    at = now() + 2 * SECOND
    shift(pbx, "c001", (now() - SECOND, now() + timedelta(hours=1)))
    edges = SpoolEdges(pbx.home)
    edges.lay({at: frozenset({"c001"})})
    edges.lay({at + SECOND: frozenset({"c002"})})
    until(lambda: not waiting(pbx), what="the later edge to run")
    assert pbx.members() == set()


def test_a_file_moved_forward_runs_at_its_first_time(pbx: Pbx) -> None:
    """The trap of pbx_spool that makes every order of ours a new file (22.10)."""
    for code in ("c001", "c004"):
        shift(pbx, code, (now() - SECOND, now() + timedelta(hours=1)))
    edges = SpoolEdges(pbx.home)
    later = now() + 5 * SECOND
    edges.lay({later: frozenset({"c001"})})
    (file,) = (pbx.home / "spool" / "outgoing").glob("*.call")
    # A second order that has run proves that Asterisk has taken note of the first.
    edges.lay({later: frozenset({"c001"}), now() - SECOND: frozenset({"c004"})})
    until(lambda: pbx.members() == {MOBILE}, what="the order that is due at once")
    time_far_ahead = time.time() + 3600
    os.utime(file, (time_far_ahead, time_far_ahead))
    until(lambda: pbx.members() == {PHONE, MOBILE}, 20, what="the moved edge to run all the same")


def test_an_edge_that_came_due_while_asterisk_was_down_runs_at_its_start(pbx: Pbx) -> None:
    shift(pbx, "c001", (now() - SECOND, now() + timedelta(hours=1)))
    pbx.process.stop()
    SpoolEdges(pbx.home).lay({now(): frozenset({"c001"})})
    pbx.process.start()
    until(lambda: pbx.members() == {PHONE}, what="the edge to run")


def test_three_hundred_agents_change_shift_at_one_edge(pbx: Pbx) -> None:
    crowd = frozenset(f"x{n:03d}" for n in range(300)) | {"c001", "c004"}
    for agent in ("c001", "c004"):
        shift(pbx, agent, (now() - SECOND, now() + timedelta(hours=1)))
    reconcile(pbx, *crowd)
    assert pbx.members() == {PHONE, MOBILE}


@pytest.mark.parametrize(
    ("family", "value"),
    [
        ("hotline-signed", ""),
        ("hotline-paused", "rest"),
        ("hotline-shift", ""),
        ("hotline-shift", "1-2&3-4"),
        ("hotline-shift", "99999999999-99999999999"),
        ("hotline-shift", "nonsense"),
        ("hotline-shift", "-&-&"),
    ],
)
def test_whoever_is_not_on_shift_signed_on_and_unpaused_is_no_member(
    pbx: Pbx, family: str, value: str
) -> None:
    shift(pbx, "c001", (now() - SECOND, now() + timedelta(hours=1)))
    reconcile(pbx, "c001")
    assert pbx.members() == {PHONE}
    if value:
        pbx.put(family, "c001", value)
    else:
        pbx.console(f"database del {family} c001")
    reconcile(pbx, "c001")
    assert pbx.members() == set()


def test_a_counsellor_signs_on_pauses_resumes_and_signs_off(pbx: Pbx, actors: Actors) -> None:
    shift(pbx, "c001", (now() - SECOND, now() + timedelta(hours=1)))
    pbx.console("database del hotline-signed c001")
    set_pin(pbx, "c001", "4711")
    pin = presses("4@0.8 7@1.2 1@1.6 1@2 #@2.4")
    actors.dials_from("c001", "*11", pin).wait()
    assert pbx.members() == {PHONE}
    actors.dials_from("c001", "*13").wait()
    assert pbx.members() == set()
    actors.dials_from("c001", "*14").wait()
    assert pbx.members() == {PHONE}
    actors.dials_from("c001", "*12", pin).wait()
    assert pbx.members() == set()
    acts = [text for name, text in pbx.user_events() if name == "DUTY"]
    told = ("on", "pause&reason=rest", "unpause", "off")
    assert acts == [f'{{"extra":"agent=c001&act={act}"}}' for act in told]
    assert not [row for row in pbx.journal() if row[0].startswith("DTMF")]


def test_three_wrong_pins_sign_nobody_on(pbx: Pbx, actors: Actors) -> None:
    shift(pbx, "c001", (now() - SECOND, now() + timedelta(hours=1)))
    pbx.console("database del hotline-signed c001")
    set_pin(pbx, "c001", "4711")
    actors.dials_from("c001", "*11", presses("9@0.8 #@1.2 8@2.2 #@2.6 7@3.6 #@4")).wait()
    assert pbx.members() == set()
    assert pbx.get("hotline-signed", "c001") is None
    assert not [text for name, text in pbx.user_events() if name == "DUTY"]


def test_somebody_elses_pin_signs_nobody_on(pbx: Pbx, actors: Actors) -> None:
    set_pin(pbx, "c002", "4711")
    pin = presses("4@0.8 7@1.2 1@1.6 1@2 #@2.4")
    actors.dials_from("c001", "*11", pin, talk=5 * SECOND).wait()
    assert pbx.get("hotline-signed", "c001") is None


def test_signing_on_before_the_shift_counts_when_it_begins(pbx: Pbx, actors: Actors) -> None:
    start = now() + 6 * SECOND
    pbx.put("hotline-shift", "c001", f"{int(start.timestamp())}-{int(start.timestamp()) + 3600}")
    set_pin(pbx, "c001", "4711")
    SpoolEdges(pbx.home).lay({start: frozenset({"c001"})})
    actors.dials_from("c001", "*11", presses("4@0.8 7@1.2 1@1.6 1@2 #@2.4")).wait()
    until(lambda: pbx.members() == {PHONE}, what="the shift to begin")
    assert now() >= start - SECOND
