"""What flows find at the line: hours, the owner, ranks, keys while waiting and the true place."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from pathlib import Path

import pytest
from harness import (
    ANOTHER_OF_OURS,
    TIME_SCALE,
    USERS,
    Actors,
    Pbx,
    short_home,
    test_settings,
    write_short_prompts,
    write_silence,
)

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.provision.plan import dial_strings, plan_from
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.provision.write import write, write_hold_tone
from callcenter.config import Queue, Site
from callcenter.demo.runner import until
from callcenter.demo.sipp import NO_ANSWER, SECOND, VOICEMAIL, Answer, Phone, RingOn, presses
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.fold import fold
from callcenter.domain.staff import QUEUES
from callcenter.keys import KeyRing
from ivr.backends.dialplan import QueueOptions, compile_flow
from ivr.loader import shipped
from ivr.prompts.sets import prompt_set

pytestmark = pytest.mark.asterisk

DUTY_MOBILE = "13900000004"
QUICKLY = timedelta(milliseconds=300)

#: The least a compiled flow does at the line: it says what it was told, asks hours and owner, waits.
INBOUND = """
[flow-inbound]
exten => s,1,Answer()
 same => n,CELGenUserEvent(TOLD,rank=${HOTLINE_RANK}&dialled=${HOTLINE_DIALLED}&facts=_${HOTLINE_FACTS})
 same => n,Gosub(hotline-hours,s,1(hotline))
 same => n,CELGenUserEvent(TOLD,hours=${GOSUB_RETVAL})
 same => n,Gosub(hotline-owner,s,1)
 same => n,CELGenUserEvent(TOLD,owner=${GOSUB_RETVAL})
 same => n,GotoIf($["${GOSUB_RETVAL}"="answered"]?bye)
 same => n,Goto(wait,1)
 same => n(bye),Hangup()
exten => wait,1,CELGenUserEvent(IVR_NODE,flow=inbound&node=wait)
 same => n,Set(HOTLINE_AT=flow-inbound,wait)
 same => n,Queue(hotline,cCi,,,40)
 same => n,CELGenUserEvent(TOLD,left=${QUEUESTATUS})
 same => n,Hangup()
 same => n(k1),CELGenUserEvent(IVR_KEY,flow=inbound&node=wait&key=1)
 same => n,Wait(2)
 same => n,Goto(wait,1)
"""
TALKS = """
[flow-talks]
exten => s,1,Answer()
 same => n,CELGenUserEvent(IVR_NODE,flow=talks&node=greet)
 same => n,Hangup()
"""
SILENT = """
[flow-silent]
exten => s,1,CELGenUserEvent(IVR_NODE,flow=silent&node=ask)
 same => n,Read(HOTLINE_KEY,hotline/accept,1,,1,4)
 same => n,CELGenUserEvent(IVR_KEY,flow=silent&node=ask&key=${HOTLINE_KEY})
 same => n,Hangup()
"""
#: Feature code -> flow, beside `*21`.
SCREENS = {"*22": "phq9", "*23": "gad7", "*24": "wellbeing"}
#: Whoever dials this registers for a talk.
TALKS_NUMBER = "051085000967"
#: What is said while waiting. Long enough here to press a key into it.
ANNOUNCED = ("queue_wait", "queue_offer")


class Line(Pbx):
    """A line whose flows are the few extensions above, and whose log says what is played."""

    def provision(self) -> None:
        flows = {"inbound": INBOUND, "return_call": self.return_call(), "silent": SILENT, "talks": TALKS}
        flows |= {name: SILENT.replace("silent", name) for name in SCREENS.values()}
        plan = plan_from(
            self.settings, self.keys, self.users, flows=flows, journal=self.process.program.journal
        )
        # No mobile rings in this queue, so a phone rings no longer than the setting says.
        plan = replace(plan, mobile_members=False, trunk_qualify=0)
        files = render(replace(plan, log_levels=("error", "warning", "verbose(3)")))
        often, count = re.subn(r"(periodic-announce-frequency) = \d+", r"\1 = 4", files["queues.conf"])
        assert count == len(QUEUES)
        self.process.prepare()
        write(files | {"queues.conf": often}, self.home / "etc")
        write_hold_tone(self.home)
        sounds = self.home / "sounds" / "zh"
        write_short_prompts(sounds / "hotline")
        (sounds / "digits").mkdir(exist_ok=True)
        for digit in range(1, 10):
            shutil.copy(sounds / "hotline" / "accept.wav", sounds / "digits" / f"{digit}.wav")
        plain = self.home / "sounds" / "zh_plain" / "hotline"
        plain.mkdir(parents=True)
        files_of_both = [sounds / "hotline" / f"{name}.wav" for name in ANNOUNCED]
        files_of_both += [plain / f"{name}.wav" for name in prompt_set("zh_plain").says]
        for file in files_of_both:
            write_silence(file, 2 * SECOND)

    def return_call(self) -> str:
        """Return the flow that we ship for calls to our outbound number, hurried."""
        return compile_flow(
            shipped("return_call"),
            language=self.settings.site.language,
            queue_options=QueueOptions(cap=timedelta(seconds=30) / TIME_SCALE),
            transfers=dial_strings(self.settings),
            time_scale=TIME_SCALE,
        )

    def log(self) -> str:
        """Return what the log says, of every test so far."""
        return (self.home / "log" / "messages.log").read_text(errors="replace")

    def played(self) -> list[tuple[str, str]]:
        """Return (channel, sound) of everything that was played, in order."""
        return re.findall(r"<(PJSIP/[^>]+)> Playing '([^']+)\.\w+'", self.log())

    def heard(self, channel: str) -> list[str]:
        """Return what was played to one channel, in order."""
        return [sound for one, sound in self.played() if one == channel]

    def records(self) -> list[CallRecord]:
        """Return the callers' calls since the last reset, as the fold tells them."""
        rows = parse_journal(b"".join(self.journal_rows()), final=True).rows
        return [call for call in fold(rows).calls if call.direction is Direction.INBOUND]

    def waiting(self) -> list[str]:
        """Return the channels that wait, first to last."""
        return re.findall(r"^\s+\d+\. (PJSIP/\S+) \(wait", self.console("queue show hotline"), re.MULTILINE)


@pytest.fixture(scope="module")
def _line(keys: KeyRing, _tools: None) -> Iterator[Line]:
    queue = Queue(ring=timedelta(seconds=4), wrap_up=timedelta(0))
    site = Site(talks_number=TALKS_NUMBER)
    line = Line(settings=test_settings(short_home(), queue=queue, site=site), keys=keys, users=USERS)
    line.start()
    line.console("core set verbose 3")
    yield line
    line.process.stop()
    shutil.rmtree(line.settings.home)


@pytest.fixture
def pbx(_line: Line) -> Iterator[Line]:
    _line.reset()
    yield _line
    assert _line.leak() == ""


def told(pbx: Line, word: str) -> list[str]:
    """Return what the flow was told under this word."""
    found = [re.search(rf"[\"&]{word}=([^&\"]*)", text) for name, text in pbx.user_events() if name == "TOLD"]
    return [match[1] for match in found if match]


def said(pbx: Line, name: str) -> list[str]:
    found = [re.search(r'"extra":"([^"]*)"', text) for event, text in pbx.user_events() if event == name]
    return [match[1] for match in found if match]


def key_of(pbx: Line, number: str) -> str:
    salt = pbx.keys.password("pbx-salt")
    return sha1(f"{salt}{number}".encode()).hexdigest()  # noqa: S324 - what dialplan can compute


def over(pbx: Line) -> Callable[[], bool]:
    return lambda: pbx.channels() == 0


# --- the folder of messages -------------------------------------------------------------------


def test_messages_lie_where_only_the_line_can_read_them(pbx: Line) -> None:
    assert (pbx.home / "spool" / "messages").stat().st_mode & 0o777 == 0o700


# --- facts and ranks ------------------------------------------------------------------------


def test_a_flow_is_told_rank_facts_and_the_number_dialled(pbx: Line, actors: Actors) -> None:
    pbx.put("hotline-prio", key_of(pbx, "13800138000"), "7")
    pbx.put("hotline-fact", key_of(pbx, "13800138000"), '"no_menu&slow&Bad"')
    pbx.on_duty("c004")
    actors.carrier({DUTY_MOBILE: VOICEMAIL})
    actors.caller(talk=2 * SECOND).wait()
    actors.caller(number="13700137000", talk=2 * SECOND).wait()
    assert told(pbx, "rank") == ["7", "0"]
    assert told(pbx, "dialled") == ["4000850966", "4000850966"]
    assert any("facts=_no_menu&slow&ad" in text for _, text in pbx.user_events())


@pytest.mark.parametrize("dialled", ["051085000966", "+8651085000966", "51085000966", ANOTHER_OF_OURS])
def test_who_rings_our_outbound_number_back_is_greeted_by_its_own_flow(
    pbx: Line, actors: Actors, dialled: str
) -> None:
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    actors.caller(dialled, talk=SECOND).wait()
    assert said(pbx, "IVR_NODE")[0] == "flow=return_call&node=greet"


@pytest.mark.parametrize("dialled", [TALKS_NUMBER, "+8651085000967", "51085000967"])
def test_who_rings_the_number_for_talks_registers_for_one(pbx: Line, actors: Actors, dialled: str) -> None:
    actors.caller(dialled).wait()
    assert said(pbx, "IVR_NODE") == ["flow=talks&node=greet"]


def test_of_two_ranks_the_higher_stands_first_and_of_one_rank_the_earlier(pbx: Line, actors: Actors) -> None:
    pbx.put("hotline-prio", key_of(pbx, "13800000003"), "5")
    first, second, urgent = _three_wait(pbx, actors)
    assert pbx.waiting() == [urgent, first, second]
    pbx.console("channel request hangup all")


def _three_wait(pbx: Line, actors: Actors) -> list[str]:
    """Let three callers wait behind a phone that is never answered; return their channels."""
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    channels: list[str] = []
    for n in (1, 2, 3):
        actors.caller(number=f"1380000000{n}", talk=12 * SECOND)
        until(lambda n=n: len(pbx.waiting()) == n, what="the caller to wait")
        channels += [channel for channel in pbx.waiting() if channel not in channels]
        second = int(time.time())
        until(lambda second=second: int(time.time()) > second, what="the next second")
    return channels


# --- opening hours ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "answer"),
    [
        ("", "open"),
        ("-60:+60", "open"),
        ("-120:-60", "closed"),
        ("+60:+120", "closed"),
        ("-120:-60 -30:+30 +60:+90", "open"),
        ("-120:-60 +60:+90", "closed"),
        # Where the fact ends: known to be closed before it, unknown past it.
        ("+900:+900", "closed"),
        ("-120:-60 -5:-5", "open"),
    ],
)
def test_the_line_is_open_within_its_hours_and_where_nobody_knows(
    pbx: Line, actors: Actors, fact: str, answer: str
) -> None:
    now = int(time.time())
    spans = ("-".join(str(now + int(edge)) for edge in span.split(":")) for span in fact.split())
    if fact:
        pbx.put("hotline-hours", "hotline", f'"{"&".join(spans)}"')
    actors.caller(talk=SECOND).wait()
    assert told(pbx, "hours") == [answer]


# --- who owes the caller ----------------------------------------------------------------------


def test_the_owner_at_their_own_phone_is_rung_first_and_needs_no_key(pbx: Line, actors: Actors) -> None:
    owner = actors.phone("c002")
    other = actors.phone("c001")
    pbx.on_duty("c001", "c002")
    pbx.put("hotline-owner", key_of(pbx, "13800138000"), "c002")
    actors.caller(talk=4 * SECOND).wait()
    until(over(pbx), what="the call to end")
    assert (said(pbx, "RING"), said(pbx, "ACCEPT")) == (["by=c002"], ["by=c002"])
    assert (len(owner.calls()), len(other.calls())) == (1, 0)
    (call,) = pbx.records()
    assert (call.outcome, call.answered_by, call.answered_via) == (Outcome.ANSWERED, "c002", "owner")


def test_an_owner_who_does_not_answer_leaves_the_caller_to_the_queue(pbx: Line, actors: Actors) -> None:
    owner = actors.phone("c002", behaviour=NO_ANSWER)
    other = actors.phone("c001")
    pbx.on_duty("c001", "c002")
    pbx.put("hotline-owner", key_of(pbx, "13800138000"), "c002")
    actors.caller(talk=10 * SECOND).wait()
    assert told(pbx, "owner") == ["failed"]
    assert len(owner.calls()) >= 1
    assert [call.status for call in other.calls()] == [200]


@pytest.mark.parametrize("on_duty", [(), ("c001",)])
def test_an_owner_who_is_off_duty_is_not_rung(pbx: Line, actors: Actors, on_duty: tuple[str, ...]) -> None:
    owner = actors.phone("c002")
    pbx.on_duty(*on_duty)
    pbx.put("hotline-owner", key_of(pbx, "13800138000"), "c002")
    actors.caller(talk=2 * SECOND).wait()
    assert told(pbx, "owner") == ["failed"]
    assert owner.calls() == []


def test_an_owner_in_a_talk_is_not_rung_a_second_time(pbx: Line, actors: Actors) -> None:
    owner = actors.phone("c002")
    pbx.on_duty("c002")
    actors.caller(number="13800000001", talk=8 * SECOND)
    until(lambda: [call for call in owner.calls() if call.answered_at], what="the owner to talk")
    pbx.put("hotline-owner", key_of(pbx, "13800138000"), "c002")
    actors.caller(talk=2 * SECOND).wait()
    assert said(pbx, "RING") == []
    assert told(pbx, "owner") == ["failed", "failed"]
    pbx.console("channel request hangup all")


def test_a_stranger_and_a_withheld_number_have_no_owner(pbx: Line, actors: Actors) -> None:
    pbx.on_duty("c002")
    pbx.put("hotline-owner", key_of(pbx, ""), "c002")
    actors.caller(withheld=True, talk=2 * SECOND).wait()
    actors.caller(talk=2 * SECOND).wait()
    assert told(pbx, "owner") == ["failed", "failed"]
    assert said(pbx, "RING") == []


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [(Answer(after=QUICKLY, keys=presses("1@1"), talk=3 * SECOND), "answered"), (VOICEMAIL, "failed")],
)
def test_at_a_mobile_only_the_owners_key_counts(
    pbx: Line, actors: Actors, behaviour: Answer, answer: str
) -> None:
    actors.carrier({DUTY_MOBILE: behaviour})
    pbx.on_duty("c004")
    pbx.put("hotline-owner", key_of(pbx, "13800138000"), "c004")
    actors.caller(talk=14 * SECOND)
    until(lambda: told(pbx, "owner"), 20, what="the owner to be tried")
    assert told(pbx, "owner") == [answer]
    assert said(pbx, "ACCEPT") == ["by=c004"] * (answer == "answered")
    pbx.console("channel request hangup all")


# --- keys while waiting -----------------------------------------------------------------------


def test_a_caller_leaves_by_a_key_and_comes_back_before_a_later_one(pbx: Line, actors: Actors) -> None:
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    actors.caller(number="13800000001", keys=presses("1@4"), talk=12 * SECOND)
    until(lambda: len(pbx.waiting()) == 1, what="the first to wait")
    first = pbx.waiting()
    second = int(time.time())
    until(lambda: int(time.time()) > second, what="the next second")
    actors.caller(number="13800000002", talk=12 * SECOND)
    until(lambda: len(pbx.waiting()) == 2, what="the second to wait")
    later = pbx.waiting()[1:]
    until(lambda: pbx.waiting() == later, 10, what="the first to be out")
    until(lambda: len(pbx.waiting()) == 2, 10, what="the first to be back")
    assert pbx.waiting() == first + later
    assert said(pbx, "IVR_KEY") == ["flow=inbound&node=wait&key=1"]
    assert [q.event for q in pbx.queue_log() if q.event == "EXITWITHKEY"] == ["EXITWITHKEY"]
    pbx.console("channel request hangup all")


def test_a_key_that_the_node_does_not_offer_leaves_the_caller_waiting(pbx: Line, actors: Actors) -> None:
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    caller = actors.caller(keys=presses("3@3 8@5"), talk=9 * SECOND)
    until(lambda: said(pbx, "IVR_NODE").count("flow=inbound&node=wait") == 2, 10, what="the key to be taken")
    until(lambda: len(pbx.waiting()) == 1, what="the caller to wait again")
    caller.wait()
    assert said(pbx, "IVR_KEY") == []


def test_the_second_caller_is_told_the_second_place_and_the_first_none(pbx: Line, actors: Actors) -> None:
    first, second, third = _three_wait(pbx, actors)
    until(over(pbx), 30, what="all to go")
    played = pbx.played()
    assert (second, "digits/2") in played
    assert (third, "digits/3") in played
    assert set(pbx.heard(first)) <= {f"hotline/{name}" for name in ANNOUNCED}


def test_the_first_caller_hears_what_may_be_pressed_and_never_while_a_phone_rings_for_them(
    pbx: Line, actors: Actors
) -> None:
    before = len(pbx.log())
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    actors.caller(talk=25 * SECOND)
    until(lambda: len(pbx.waiting()) == 1, what="the caller to wait")
    (first,) = pbx.waiting()
    both = [f"hotline/{name}" for name in ANNOUNCED]
    until(lambda: pbx.heard(first) == both, 20, what="both to be said")
    told = re.findall(r"Called PJSIP/c001|Nobody picked up|> Playing", pbx.log()[before:])
    pbx.console("channel request hangup all")
    ring = ["Called PJSIP/c001", "Nobody picked up"]
    assert told[:6] == [*ring, "> Playing", *ring, "> Playing"]


def test_a_key_of_the_first_caller_counts_while_offers_are_spoken(pbx: Line, actors: Actors) -> None:
    actors.phone("c001", behaviour=RingOn())
    pbx.on_duty("c001")
    actors.caller(keys=presses("1@7"), talk=12 * SECOND).wait()
    assert said(pbx, "IVR_KEY") == ["flow=inbound&node=wait&key=1"]


def test_who_rings_our_outbound_number_hears_nothing_of_counsellors_while_waiting(
    pbx: Line, actors: Actors
) -> None:
    # Without the usual sounds only the plain ones can be played: a missing one says nothing at all.
    folder = pbx.home / "sounds" / "zh" / "hotline"
    for name in ANNOUNCED:
        (folder / f"{name}.wav").rename(folder / f"{name}.away")
    try:
        actors.phone("c001", behaviour=RingOn())
        pbx.on_duty("c001")
        actors.caller(pbx.settings.site.outbound_number, talk=20 * SECOND)
        until(lambda: len(pbx.waiting()) == 1, what="the caller to wait")
        (channel,) = pbx.waiting()
        both = {f"hotline/{name}" for name in ANNOUNCED}
        until(lambda: both <= set(pbx.heard(channel)), 20, what="the caller to hear both")
        pbx.console("channel request hangup all")
    finally:
        for name in ANNOUNCED:
            (folder / f"{name}.away").rename(folder / f"{name}.wav")


# --- handed over by a counsellor's phone ------------------------------------------------------

#: In place of waiting for the end of the talk: hand the caller to what is dialled.
REFER = """
  <pause milliseconds="700"/>
  <send retrans="500"><![CDATA[
REFER [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-refer-[call_id]
Max-Forwards: 70
From:[$me];tag=[pid]a[call_number]
To:[$caller]
Call-ID: [call_id]
CSeq: 1 REFER
Contact: <sip:actor@[local_ip]:[local_port]>
Refer-To: <sip:DIALLED@[remote_ip]>
Content-Length: 0

]]></send>
  <recv response="202" optional="true" next="handed"/>
  <recv response="404" next="refused"/>
  <label id="handed"/>
  <recv request="NOTIFY" optional="true" next="noted"/>
  <recv request="BYE" next="ended"/>
  <label id="noted"/>
OK  <nop next="handed"/>
  <label id="refused"/>
  <recv request="BYE" next="ended"/>
"""
_OK = """  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""
_WAITS = re.compile(
    r'\s*<recv request="REFER" optional="true" next="hangup"/>\s*<recv request="BYE" next="ended"/>'
)


class HandingPhone(Phone):
    """A phone that takes a call and hands it over."""

    def hand_to(self, dialled: str) -> None:
        """Choose whereto; before `start`."""
        file = self._run.folder / "answerer.xml"
        block = REFER.replace("OK  ", _OK).replace("DIALLED", dialled)
        text, count = _WAITS.subn(lambda _: block, file.read_text(encoding="utf-8"))
        assert count == 1
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def handing_phone(pbx: Line, actors: Actors, tmp_path: Path) -> Iterator[Callable[[str], HandingPhone]]:
    made: list[HandingPhone] = []

    def make(dialled: str) -> HandingPhone:
        users = {"c001": actors.password("c001")}
        phone = HandingPhone(
            pbx=pbx.sip, folder=tmp_path / "handing", users=users, behaviour=Answer(after=QUICKLY)
        )
        phone.hand_to(dialled)
        made.append(phone)
        phone.start()
        return phone

    yield make
    for phone in made:
        phone.stop()


def test_a_counsellor_hands_a_caller_who_cannot_speak_to_the_silent_flow(
    pbx: Line, actors: Actors, handing_phone: Callable[[str], HandingPhone]
) -> None:
    handing_phone("*21")
    pbx.on_duty("c001")
    actors.caller(keys=presses("2@5")).wait()
    assert said(pbx, "IVR_NODE")[-1] == "flow=silent&node=ask"
    assert said(pbx, "IVR_KEY") == ["flow=silent&node=ask&key=2"]
    assert "BLINDTRANSFER" in {row[0] for row in pbx.journal()}
    until(over(pbx), what="the call to end")
    (call,) = pbx.records()
    assert (call.outcome, call.answered_by, call.keys) == (Outcome.ANSWERED, "c001", ("ask=2",))


def test_a_counsellors_phone_can_hear_what_it_hands_callers_to(pbx: Line, actors: Actors) -> None:
    actors.phone("c001")
    actors.dials_from("c001", "*21", keys=presses("1@1")).wait()
    assert said(pbx, "IVR_KEY") == ["flow=silent&node=ask&key=1"]
    assert pbx.records() == []  # no contact of the line


def test_a_counsellor_hands_a_caller_to_a_questionnaire(
    pbx: Line, actors: Actors, handing_phone: Callable[[str], HandingPhone]
) -> None:
    handing_phone("*22")
    pbx.on_duty("c001")
    actors.caller(keys=presses("2@5")).wait()
    assert said(pbx, "IVR_KEY") == ["flow=phq9&node=ask&key=2"]


@pytest.mark.parametrize(("code", "flow"), [*SCREENS.items(), ("*25", "talks")])
def test_a_counsellors_phone_can_dial_every_flow_for_handing_over(
    pbx: Line, actors: Actors, code: str, flow: str
) -> None:
    actors.dials_from("c001", code, keys=presses("1@1")).wait()
    assert f"flow={flow}&" in said(pbx, "IVR_NODE")[0]
    assert pbx.records() == []


@pytest.mark.parametrize("dialled", ["*11", "13700137000", "hotline"])
def test_nowhere_else_can_a_phone_hand_a_caller(
    pbx: Line, actors: Actors, handing_phone: Callable[[str], HandingPhone], dialled: str
) -> None:
    carrier = actors.carrier({"13700137000": Answer()})
    handing_phone(dialled)
    pbx.on_duty("c001")
    actors.caller(talk=4 * SECOND).wait()
    until(over(pbx), what="the call to end")
    assert carrier.calls() == []
    assert "BLINDTRANSFER" not in {row[0] for row in pbx.journal()}
    assert [q.event for q in pbx.queue_log() if q.event.startswith("COMPLETE")] == ["COMPLETECALLER"]
