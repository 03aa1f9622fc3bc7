"""The call centre's own dialplan contexts on a real Asterisk, in the situations they are made for."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha1
from threading import Event, Thread

import pytest
from harness import Actors, Pbx

from callcenter.asterisk.spool import Spool
from callcenter.demo.runner import until
from callcenter.demo.sipp import SECOND, VOICEMAIL, Answer, presses

pytestmark = pytest.mark.asterisk

FIRST, SECOND_CONTACT, DUTY_MOBILE = "13900000021", "13900000022", "13900000004"
QUICKLY = timedelta(milliseconds=300)
#: Picks up and presses 1 once the prompt has begun.
ACCEPTS = Answer(after=QUICKLY, keys=presses("1@1"))


def said(pbx: Pbx, name: str) -> list[str]:
    """Return what our rows of this name say."""
    found = [re.search(r'"extra":"([^"]*)"', text) for event, text in pbx.user_events() if event == name]
    return [match[1] for match in found if match]


def ended(pbx: Pbx, calls: int = 1) -> Callable[[], bool]:
    return lambda: sum(row[0] == "LINKEDID_END" for row in pbx.journal()) >= calls


def order(pbx: Pbx, *lines: str) -> None:
    """Have the PBX place a call now, without AMI."""
    Spool(pbx.home).put(f"test-{time.monotonic_ns()}.call", lines)


def bridged(pbx: Pbx) -> set[str]:
    """Return the technology and endpoint of every channel that was in a talk."""
    return {row[6].partition("-")[0] for row in pbx.journal() if row[0] == "BRIDGE_ENTER"}


# --- nobody at the line ---------------------------------------------------------------------


def test_a_voicemail_is_rung_out_and_the_next_contact_takes_the_call(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier({FIRST: VOICEMAIL, SECOND_CONTACT: ACCEPTS})
    caller = actors.caller(talk=14 * SECOND)
    until(lambda: said(pbx, "ACCEPT"), 20, what="the second contact to accept")
    caller.wait()
    assert said(pbx, "RING") == ["by=s001", "by=s002"]
    assert said(pbx, "ACCEPT") == ["by=s002"]
    assert [call.number for call in carrier.calls()] == [FIRST, SECOND_CONTACT]


def test_a_contact_presses_a_wrong_key_and_then_accepts(pbx: Pbx, actors: Actors) -> None:
    actors.carrier({FIRST: Answer(after=QUICKLY, keys=presses("5@1 1@2"))})
    actors.caller(talk=6 * SECOND).wait()
    assert said(pbx, "ACCEPT") == ["by=s001"]
    assert "PJSIP/trunk" in bridged(pbx)


def test_caller_hangs_up_before_the_contact_accepts_and_nobody_took_a_call(pbx: Pbx, actors: Actors) -> None:
    """Dial notices the hang-up only after the accept routine; the row must not claim an answer."""
    actors.carrier({FIRST: Answer(after=QUICKLY, keys=presses("1@2.5"))})
    actors.caller(talk=2 * SECOND).wait()
    until(ended(pbx), 20, what="the call to end")
    assert said(pbx, "RING") == ["by=s001"]
    assert said(pbx, "ACCEPT") == []
    assert bridged(pbx) == set()


def test_the_carrier_never_sees_the_callers_number(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier({FIRST: ACCEPTS})
    actors.caller(number="13812345678", name="Sister Ju", talk=5 * SECOND).wait()
    actors.caller(withheld=True, talk=5 * SECOND).wait()
    sent = carrier._run.messages_file.read_text(errors="replace")
    assert len(carrier.calls(FIRST)) == 2
    assert "13812345678" not in sent
    assert "Sister" not in sent
    assert "nonymous" not in sent
    outbound = pbx.settings.site.outbound_number
    assert re.search(rf"^From: <sip:{outbound}@", sent, re.MULTILINE)


# --- counsellors on mobiles -------------------------------------------------------------------


def test_a_member_on_a_mobile_accepts_and_talks(pbx: Pbx, actors: Actors) -> None:
    actors.carrier({DUTY_MOBILE: ACCEPTS})
    pbx.on_duty("c004")
    actors.caller(talk=6 * SECOND).wait()
    until(ended(pbx), what="the call to end")
    assert said(pbx, "ACCEPT") == ["by=c004"]
    assert [(q.agent, q.event) for q in pbx.queue_log() if q.event == "CONNECT"] == [("c004", "CONNECT")]


def test_a_members_voicemail_is_no_answer(pbx: Pbx, actors: Actors) -> None:
    actors.carrier({DUTY_MOBILE: VOICEMAIL})
    pbx.on_duty("c004")
    actors.caller(talk=9 * SECOND).wait()
    events = [q.event for q in pbx.queue_log() if q.agent == "c004"]
    assert "RINGNOANSWER" in events
    assert "CONNECT" not in events
    assert said(pbx, "ACCEPT") == []


def test_caller_leaves_while_a_mobile_member_hears_the_prompt(pbx: Pbx, actors: Actors) -> None:
    actors.carrier({DUTY_MOBILE: Answer(after=QUICKLY, keys=presses("1@3"))})
    pbx.on_duty("c004")
    actors.caller(talk=2 * SECOND).wait()
    until(lambda: pbx.channels() == 0, 20, what="the mobile's leg to go")
    assert said(pbx, "ACCEPT") == []
    assert "ABANDON" in [q.event for q in pbx.queue_log()]


# --- calls from the trunk ---------------------------------------------------------------------


@pytest.mark.parametrize("dialled", ["4000850966", "051085000966", "0", "s", "*99", "+864000850966", "abc"])
def test_whatever_was_dialled_reaches_the_line(pbx: Pbx, actors: Actors, dialled: str) -> None:
    actors.phone("c001")
    pbx.on_duty("c001")
    actors.caller(dialled, talk=3 * SECOND).wait()
    assert bridged(pbx) == {"PJSIP/trunk", "PJSIP/c001"}


@pytest.mark.parametrize("shown", ["051085000966", "+8651085000966", "51085000966"])
def test_our_probe_comes_back_and_uses_up_its_mark(pbx: Pbx, actors: Actors, shown: str) -> None:
    pbx.put("hotline-probe", "current", "sd-0a1b")
    pbx.put("hotline-probe", "at", str(int(time.time())))
    pbx.on_duty("c004")
    actors.caller(number=shown).wait()
    assert said(pbx, "SELFDIAL") == ["probe=sd-0a1b&members=1"]
    assert pbx.get("hotline-probe", "current") is None
    actors.caller(number=shown, talk=2 * SECOND).wait()
    assert len(said(pbx, "SELFDIAL")) == 1
    assert "flow=inbound&node=queue" in said(pbx, "IVR_NODE")


def test_an_old_mark_turns_nobody_away(pbx: Pbx, actors: Actors) -> None:
    pbx.put("hotline-probe", "current", "sd-0a1b")
    pbx.put("hotline-probe", "at", str(int(time.time()) - 130))
    actors.caller(number="051085000966", talk=2 * SECOND).wait()
    assert said(pbx, "SELFDIAL") == []
    assert "flow=inbound&node=queue" in said(pbx, "IVR_NODE")


@pytest.mark.parametrize("shown", ["13812345678", "+8613812345678", "008613812345678"])
def test_a_caller_at_risk_goes_first_however_the_number_is_spelt(
    pbx: Pbx, actors: Actors, shown: str
) -> None:
    salt = pbx.keys.password("pbx-salt")
    key = sha1(f"{salt}13812345678".encode()).hexdigest()  # noqa: S324 - what dialplan can compute
    pbx.put("hotline-prio", key, "7")
    pbx.on_duty("c004")
    actors.carrier({DUTY_MOBILE: VOICEMAIL})
    caller = actors.caller(number=shown, talk=4 * SECOND)
    waits = re.compile(r"\(wait: .*prio: 7[0-9]{8}\)")
    until(lambda: waits.search(pbx.console("queue show hotline")), what="the caller to wait first")
    caller.wait()


# --- a carrier that redirects -----------------------------------------------------------------


@pytest.fixture
def redirecting(pbx: Pbx) -> Iterator[list[str]]:
    """A carrier that sends every call on to another number; yields the numbers it was asked for."""
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((pbx.trunk.host, pbx.trunk.port))
        line.settimeout(0.2)
        done = Event()
        answering = Thread(target=_redirect, args=(line, asked, done))
        answering.start()
        yield asked
        done.set()
        answering.join()


def _redirect(line: socket.socket, asked: list[str], done: Event) -> None:
    """Answer OPTIONS with 200 and INVITE with 302 to 13700000000."""
    while not done.is_set():
        try:
            request, sender = line.recvfrom(4096)
        except TimeoutError:
            continue
        head = request.decode(errors="replace").split("\r\n")
        method, _, rest = head[0].partition(" ")
        if method not in ("OPTIONS", "INVITE"):
            continue
        kept = [h for h in head if h.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        to = next(h for h in head if h.startswith("To:"))
        status = "SIP/2.0 200 OK"
        if method == "INVITE":
            asked.append(rest.removeprefix("sip:").partition("@")[0])
            status = "SIP/2.0 302 Moved Temporarily"
            kept.append(f"Contact: <sip:13700000000@{sender[0]}>")
        reply = [status, *kept, f"{to};tag=r", "Content-Length: 0", "", ""]
        line.sendto("\r\n".join(reply).encode(), sender)


def test_a_redirected_check_in_is_not_answered_by_our_own_line(pbx: Pbx, redirecting: list[str]) -> None:
    """A redirect comes back as Local/<number>@hotline-trunk: it must not pass for a call to the line."""
    place = ("Context: flow-checkin", "Extension: s", "Priority: 1")
    order(pbx, "Channel: PJSIP/13711112222@trunk", *place)
    until(lambda: redirecting, what="the person to be called")
    until(lambda: pbx.channels() == 0, what="the call to fail")
    assert redirecting == ["13711112222"]
    assert said(pbx, "IVR_NODE") == []


def test_a_redirected_contact_counts_as_not_reached(pbx: Pbx, actors: Actors, redirecting: list[str]) -> None:
    caller = actors.caller(talk=4 * SECOND)
    caller.wait()
    # Asterisk may still repeat an INVITE of an earlier test, whose carrier has gone (SIP timer A).
    ours = [number for number in redirecting if number in (FIRST, SECOND_CONTACT)]
    assert ours == [FIRST, SECOND_CONTACT]
    assert "flow=inbound&outcome=overflowed" in said(pbx, "IVR_OUTCOME")


# --- facts without system rights --------------------------------------------------------------


def test_facts_are_put_removed_and_fenced(pbx: Pbx) -> None:
    pbx.put("hotline-prio", "old", "3")
    pairs = {
        "hotline-prio/new": "5",
        "hotline-prio/old": "",
        "Queue/PersistentMembers": "1",
        "hotline-prio/a/b": "1",
        "hotline-": "1",
        "hotline-shift/c001": "1-${SHELL(id)}2",
    }
    lines = [
        line
        for n, (key, value) in enumerate(pairs.items(), 1)
        for line in (f"Setvar: KEY_{n}={key}", f"Setvar: VALUE_{n}={value}")
    ]
    before = set(re.findall(r"^(/\S+)", pbx.console("database show"), re.MULTILINE))
    order(pbx, "Channel: Local/put@hotline-put/n", "Application: NoOp", *lines)
    until(ended(pbx), what="the facts to be put")
    after = set(re.findall(r"^(/\S+)", pbx.console("database show"), re.MULTILINE))
    assert after - before == {"/hotline-prio/new", "/hotline-shift/c001"}
    assert before - after == {"/hotline-prio/old"}
    assert re.fullmatch(r"[0-9a-z&-]+", pbx.get("hotline-shift", "c001") or "")


# --- calls of ours ----------------------------------------------------------------------------


def test_a_preview_rings_the_counsellor_then_the_person(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier({"13711112222": Answer(after=QUICKLY, talk=2 * SECOND)})
    phone = actors.phone("c001")
    order(
        pbx,
        "Channel: PJSIP/c001",
        "Context: hotline-preview",
        "Extension: s",
        "Priority: 1",
        "Setvar: HOTLINE_NUMBER=13711112222",
        "Setvar: HOTLINE_BY=c001",
        "Setvar: HOTLINE_RING=20",
    )
    until(ended(pbx), 20, what="the talk to end")
    assert said(pbx, "ACCEPT") == ["by=c001"]
    assert bridged(pbx) == {"PJSIP/trunk", "PJSIP/c001"}
    (to_counsellor,), (to_person,) = phone.calls(), carrier.calls("13711112222")
    assert to_counsellor.answered_at is not None
    assert to_person.invited_at >= to_counsellor.answered_at


def test_a_counsellor_who_does_not_answer_costs_the_person_no_call(pbx: Pbx, actors: Actors) -> None:
    carrier = actors.carrier({"13711112222": Answer()})
    order(pbx, "Channel: PJSIP/c001", "Context: hotline-preview", "Extension: s", "Priority: 1")
    until(lambda: pbx.channels() == 0, what="the call to fail")
    assert carrier.calls() == []
