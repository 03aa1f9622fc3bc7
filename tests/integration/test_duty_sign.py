"""Signing on, resting and being looked after, by feature code alone: nothing of ours runs here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha1

import pytest
from harness import USERS, Actors, Pbx, short_home, test_settings

from callcenter.asterisk.spool import SpoolEdges
from callcenter.config import Queue
from callcenter.demo.runner import until
from callcenter.demo.sipp import Answer, presses
from callcenter.keys import KeyRing

pytestmark = pytest.mark.asterisk

SECOND = timedelta(seconds=1)
PHONE = "PJSIP/c001"
PIN = presses("4@0.5 7@0.8 1@1.1 1@1.4 #@1.7")
#: Longer than any test waits: whoever is rung before it is over was taken out of it.
WRAP_UP = timedelta(minutes=5)


@pytest.fixture(scope="module")
def _line(keys: KeyRing, _tools: None) -> Iterator[Pbx]:
    queue = Queue(ring=timedelta(seconds=5), wrap_up=WRAP_UP, wait_cap=timedelta(minutes=2))
    line = Pbx(settings=test_settings(short_home(), queue=queue), keys=keys, users=USERS)
    line.start()
    yield line
    line.process.stop()
    shutil.rmtree(line.settings.home)


@pytest.fixture
def pbx(_line: Pbx) -> Iterator[Pbx]:
    """The line, with c001 on shift, signed on and in the queue."""
    _line.reset()
    at = int(datetime.now(UTC).timestamp())
    _line.put("hotline-shift", "c001", f"{at - 60}-{at + 3600}")
    _line.put("hotline-signed", "c001", "1")
    salt = _line.keys.password("pbx-salt")
    _line.put("hotline-pin", "c001", sha1(f"{salt}c0014711".encode()).hexdigest())  # noqa: S324 - what dialplan can compute
    decide(_line)
    assert _line.members() == {PHONE}
    yield _line
    assert _line.leak() == ""


def decide(pbx: Pbx) -> None:
    """Let the PBX decide about c001 now, and wait until it has."""
    SpoolEdges(pbx.home).lay({datetime.now(UTC) - SECOND: frozenset({"c001"})})
    until(lambda: not list((pbx.home / "spool" / "outgoing").glob("*.call")), what="the edge to be taken")
    until(lambda: "edge@hotline-duty" not in pbx.console("core show channels concise"), what="its end")


def acts(pbx: Pbx) -> list[str]:
    """Return the acts on record, `act` or `act reason`, in order."""
    texts = [text for name, text in pbx.user_events() if name == "DUTY"]
    return [" ".join(re.findall(r"(?:act|reason)=([a-z]+)", text)) for text in texts]


# --- pausing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "reason"), [("2", "meal"), ("5", "other")])
def test_a_pause_is_asked_for_its_reason(pbx: Pbx, actors: Actors, key: str, reason: str) -> None:
    actors.dials_from("c001", "*13", presses(f"{key}@0.7")).wait()
    assert pbx.get("hotline-paused", "c001") == reason
    assert pbx.members() == set()
    assert acts(pbx) == ["pause rest", f"pause {reason}"]


def test_a_pause_holds_though_the_phone_is_put_down_before_it_is_asked(pbx: Pbx, actors: Actors) -> None:
    actors.dials_from("c001", "*13", talk=timedelta(milliseconds=100)).wait()
    until(lambda: pbx.channels() == 0, what="the end of it")
    assert pbx.get("hotline-paused", "c001") == "rest"
    assert pbx.members() == set()
    assert acts(pbx) == ["pause rest"]


def test_another_key_is_a_rest_and_leaves_a_reason_that_was_named(pbx: Pbx, actors: Actors) -> None:
    actors.dials_from("c001", "*13", presses("9@0.7")).wait()
    assert pbx.get("hotline-paused", "c001") == "rest"
    pbx.put("hotline-paused", "c001", "paperwork")
    actors.dials_from("c001", "*13", presses("*@0.7")).wait()
    assert pbx.get("hotline-paused", "c001") == "paperwork"
    assert acts(pbx) == ["pause rest"]


def test_silence_is_a_rest_and_resuming_ends_it(pbx: Pbx, actors: Actors) -> None:
    actors.dials_from("c001", "*13").wait()
    assert pbx.get("hotline-paused", "c001") == "rest"
    actors.dials_from("c001", "*14").wait()
    assert pbx.get("hotline-paused", "c001") is None
    assert pbx.members() == {PHONE}
    assert acts(pbx) == ["pause rest", "unpause"]


def test_whoever_is_signed_off_pauses_nothing(pbx: Pbx, actors: Actors) -> None:
    pbx.console("database del hotline-signed c001")
    actors.dials_from("c001", "*13", presses("2@0.7")).wait()
    actors.dials_from("c001", "*14", presses("1@0.7")).wait()
    assert pbx.get("hotline-paused", "c001") is None
    assert acts(pbx) == []


@pytest.mark.parametrize("code", ["*11", "*13", "*14"])
def test_a_phone_that_is_nobodys_changes_nothing(pbx: Pbx, code: str) -> None:
    pbx.put("hotline-debrief", "c001", "1")
    pbx.console(f"channel originate Local/{code}@hotline-phones application Wait 2")
    until(lambda: pbx.channels() == 0, what="the end of it")
    assert acts(pbx) == []
    assert not re.search(r"^/hotline-(signed|paused)/(?!c001)", pbx.console("database show"), re.MULTILINE)


# --- the rest after a call ---------------------------------------------------------------------


def test_resuming_ends_the_rest_after_a_call_at_once(pbx: Pbx, actors: Actors) -> None:
    actors.phone(
        "c001", behaviour=Answer(after=timedelta(milliseconds=200), talk=timedelta(milliseconds=300))
    )
    actors.caller().wait()
    until(lambda: pbx.channels() == 0, what="the end of the first call")
    second = actors.caller(number="13800138001")
    until(lambda: "(wait" in pbx.console("queue show hotline"), what="the second caller in the queue")
    assert [line.event for line in pbx.queue_log() if line.event == "CONNECT"] == ["CONNECT"]
    actors.dials_from("c001", "*14").wait()
    second.wait(20)
    assert [line.agent for line in pbx.queue_log() if line.event == "CONNECT"] == ["c001", "c001"]


# --- a hard call that was not talked over (R47) ------------------------------------------------


def test_r47_a_debriefing_owed_ends_by_key_one_and_by_nothing_else(pbx: Pbx, actors: Actors) -> None:
    pbx.put("hotline-debrief", "c001", "1")
    decide(pbx)
    assert pbx.members() == set()
    actors.dials_from("c001", "*14", presses("9@0.7")).wait()
    assert (pbx.get("hotline-debrief", "c001"), pbx.members()) == ("1", set())
    actors.dials_from("c001", "*14", presses("1@0.7")).wait()
    assert (pbx.get("hotline-debrief", "c001"), pbx.members()) == (None, {PHONE})
    assert acts(pbx) == ["unpause", "unpause", "debriefed waived"]


def test_r47_putting_the_phone_down_at_the_question_waives_nothing(pbx: Pbx, actors: Actors) -> None:
    pbx.put("hotline-debrief", "c001", "1")
    pbx.put("hotline-paused", "c001", "meal")
    actors.dials_from("c001", "*14", talk=SECOND).wait()
    until(lambda: pbx.channels() == 0, what="the end of it")
    assert (pbx.get("hotline-paused", "c001"), pbx.get("hotline-debrief", "c001")) == (None, "1")
    assert pbx.members() == set()
    assert acts(pbx) == ["unpause"]


def test_r47_signing_off_and_on_does_not_end_it(pbx: Pbx, actors: Actors) -> None:
    pbx.put("hotline-debrief", "c001", "1")
    actors.dials_from("c001", "*12", PIN).wait()
    actors.dials_from("c001", "*11", PIN).wait()
    assert (pbx.get("hotline-debrief", "c001"), pbx.members()) == ("1", set())
    assert acts(pbx) == ["off", "on"]


def test_r47_a_call_that_goes_on_when_it_becomes_owed_is_kept(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001", behaviour=Answer(after=timedelta(milliseconds=200)))
    caller = actors.caller(talk=4 * SECOND)
    until(lambda: "CONNECT" in {line.event for line in pbx.queue_log()}, what="the talk to begin")
    pbx.put("hotline-debrief", "c001", "1")
    decide(pbx)
    assert pbx.members() == set()
    assert pbx.channels() == 2
    caller.wait()
    ended = [line.event for line in pbx.queue_log() if line.event.startswith("COMPLETE")]
    assert ended == ["COMPLETECALLER"], "the caller ended it, nobody else"
