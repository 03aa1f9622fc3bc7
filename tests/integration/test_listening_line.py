"""A supervisor listens, whispers or joins: who hears whom, on a real Asterisk and by ear.

Each person hums a note of their own (`voices`), so that what arrives at a telephone says who is heard there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from harness import Pbx
from voices import Voice

from callcenter.asterisk.ami import AmiLink
from callcenter.asterisk.control import AsteriskCalls, PhoneBook
from callcenter.asterisk.journal_rows import parse_journal
from callcenter.asterisk.translate import HEARD
from callcenter.demo.runner import Address, until
from callcenter.domain.books import LISTENINGS
from callcenter.domain.calls import CallRecord
from callcenter.domain.fold import fold
from callcenter.domain.listening import Listening, ListenMode
from callcenter.domain.users import Role
from callcenter.memory import MemoryStore
from callcenter.ports import PlaceCall
from callcenter.service.line import listening

pytestmark = pytest.mark.asterisk

COUNSELLOR, CALLER, SUPERVISOR = 500.0, 800.0, 1100.0
WHY = "新咨询员第一次独立接听"


class Talk:
    """王女士 talks with c001, and 陈静 (s001) may come in at her mobile.

    Or with c004 at a mobile, and c003 comes in at her SIP phone.
    """

    def __init__(self, pbx: Pbx, agent: str = "c001") -> None:
        self.is_mobile = agent == "c004"
        self.begin(pbx, agent, by="c003" if self.is_mobile else "s001")
        here, there = Address(host="127.0.0.1", port=0), Address(host=pbx.trunk.host, port=0)
        note, mobile = (COUNSELLOR, SUPERVISOR) if self.is_mobile else (SUPERVISOR, COUNSELLOR)
        at_mobile = Voice(pbx.sip, pbx.trunk, "mobile", note=note)
        code = self.by if self.is_mobile else agent
        at_desk = Voice(pbx.sip, here, code, note=mobile, password=pbx.keys.password(f"sip:{code}"))
        at_desk.register()
        couple = (at_mobile, at_desk) if self.is_mobile else (at_desk, at_mobile)
        self.counsellor, self.supervisor = couple
        self.caller = Voice(pbx.sip, there, "13800138000", note=CALLER)
        pbx.on_duty(agent)
        self.caller.dial("4000850966")
        self.counsellor.until_up()
        if self.is_mobile:
            self.accept(self.counsellor)
        until(self.they_talk, 30, what="the two to hear each other")

    def begin(self, pbx: Pbx, agent: str, *, by: str) -> None:
        """Let a supervisor and an agent work here."""
        self.pbx, self.agent, self.by = pbx, agent, by
        self.store = MemoryStore()
        with self.store() as work:
            for user in pbx.users:
                roles = frozenset({Role.SUPERVISOR}) if user.code == by else user.roles
                work.users.add(replace(user, roles=roles))
            work.commit()

    def accept(self, mobile: Voice) -> None:
        """Press 1 once the prompt may be heard."""
        accepts = len([1 for name, _ in self.pbx.user_events() if name == "ACCEPT"])
        mobile.press("1")
        until(
            lambda: len([1 for name, _ in self.pbx.user_events() if name == "ACCEPT"]) > accepts,
            what="the accept key to count",
        )

    def they_talk(self) -> bool:
        return self.caller.hears(self.counsellor) and self.counsellor.hears(self.caller)

    def records(self) -> list[CallRecord]:
        rows = parse_journal(b"".join(self.pbx.journal_rows()), final=True).rows
        return list(fold(rows).calls)

    def follow(self) -> None:
        """Do what `hotline serve` does with the journal."""
        rows = parse_journal(b"".join(self.pbx.journal_rows()), final=True).rows
        facts = fold(rows)
        with self.store() as work:
            work.calls.put_many(facts.calls)
            listening.on_line_acts(work, facts.line, datetime.now(UTC))
            work.commit()

    def ask(self, mode: ListenMode, target: str = "") -> Listening:
        """Do what `hotline calls listen` does, by the supervisor."""
        return asyncio.run(self._ask(mode, target or self.agent))

    async def _ask(self, mode: ListenMode, target: str) -> Listening:
        self.follow()
        async with self.link() as calls:
            shown = self.pbx.settings.site.outbound_number
            with self.store() as work:
                call = listening.talk_of(work, target, mode, actor=self.by)
                ear = await listening.ear_of(calls, call)
                now = datetime.now(UTC)
                granted = listening.grant(work, call, mode, ear, actor=self.by, now=now, reason=WHY)
                work.commit()
            await listening.place(calls, granted, self.mishear(ear), shown_number=shown)
        return granted

    @asynccontextmanager
    async def link(self) -> AsyncIterator[AsteriskCalls]:
        link = AmiLink(
            self.pbx.settings.asterisk.ami_address,
            self.pbx.settings.asterisk.ami_port,
            "bridge",
            self.pbx.keys.password("ami:bridge"),
            wanted=HEARD,
        )
        running = asyncio.create_task(link.run())
        shown = self.pbx.settings.site.outbound_number
        try:
            async with asyncio.timeout(10):
                while not link.connected:  # noqa: ASYNC110 - only success is announced
                    await asyncio.sleep(0.02)
            yield AsteriskCalls(link, PhoneBook(self.pbx.users), shown_number=shown)
        finally:
            link.close()
            await running

    def mishear(self, ear: str) -> str:
        """Return the channel to listen to; a test may lose a digit of it."""
        return ear

    def comes_in(self, mode: ListenMode) -> Listening:
        """Let her ask, pick up, accept by key, and hear both."""
        granted = self.ask(mode)
        self.supervisor.until_up()
        if not self.is_mobile:
            self.accept(self.supervisor)
        until(self.she_hears_both, 15, what="the supervisor to hear both")
        return granted

    def she_hears_both(self) -> bool:
        return self.supervisor.hears(self.caller) and self.supervisor.hears(self.counsellor)

    def listening(self, listening_id: str) -> Listening:
        self.follow()
        with self.store() as work:
            return work.book(LISTENINGS).get(listening_id)

    def close(self) -> None:
        for voice in (self.caller, self.counsellor, self.supervisor):
            voice.close()


class FollowUp(Talk):
    """c001 calls 王女士 back, her own phone first; c003 comes in at her SIP phone."""

    def __init__(self, pbx: Pbx) -> None:
        self.is_mobile = True
        self.begin(pbx, "c001", by="c003")
        self.caller = Voice(pbx.sip, pbx.trunk, "callee", note=CALLER)
        self.counsellor, self.supervisor = (
            Voice(
                pbx.sip,
                Address(host="127.0.0.1", port=0),
                code,
                note=note,
                password=pbx.keys.password(f"sip:{code}"),
            ).register()
            for code, note in (("c001", COUNSELLOR), ("c003", SUPERVISOR))
        )
        asyncio.run(self._call_back())
        self.counsellor.until_up()
        self.caller.until_up()
        until(self.they_talk, 30, what="the two to hear each other")

    async def _call_back(self) -> None:
        async with self.link() as calls:
            call = PlaceCall(
                id="at-1",
                number="13800138000",
                shown_number=self.pbx.settings.site.outbound_number,
                flow="preview",
                ring=timedelta(seconds=20),
                first_ring="c001",
            )
            await calls.place(call)


@pytest.fixture
def talk(pbx: Pbx) -> Iterator[Callable[..., Talk]]:
    made: list[Talk] = []

    def begin(agent: str = "c001", *, follow_up: bool = False) -> Talk:
        made.append(FollowUp(pbx) if follow_up else Talk(pbx, agent))
        return made[-1]

    yield begin
    for one in made:
        if one.caller.is_up:
            one.caller.hang_up()
        one.close()


@pytest.mark.parametrize(
    ("mode", "counsellor_hears_her", "caller_hears_her"),
    [(ListenMode.LISTEN, False, False), (ListenMode.WHISPER, True, False), (ListenMode.BARGE, True, True)],
)
def test_who_hears_the_supervisor_is_what_was_granted_and_nobody_else(
    talk: Callable[..., Talk], mode: ListenMode, counsellor_hears_her: bool, caller_hears_her: bool
) -> None:
    line = talk()
    before = time.monotonic()
    granted = line.comes_in(mode)
    if counsellor_hears_her:
        until(lambda: line.counsellor.hears(line.supervisor), what="the counsellor to hear her")
    if caller_hears_her:
        until(lambda: line.caller.hears(line.supervisor), what="the caller to hear her")
    # No key of hers changes it: 4, 5 and 6 would, where ChanSpy was let to.
    line.supervisor.press("456*#")
    until(line.she_hears_both, 15, what="the supervisor to hear both still")
    assert line.counsellor.ever_heard(SUPERVISOR, before) is counsellor_hears_her
    assert line.caller.ever_heard(SUPERVISOR, before) is caller_hears_her
    until(line.they_talk, 30, what="the two to go on")
    # She hangs up, and the talk is what it was.
    line.supervisor.hang_up()
    until(lambda: line.listening(granted.id).ended_at is not None, what="the row of the end")
    seen = line.listening(granted.id)
    assert seen.started_at is not None
    assert (seen.agent, seen.by, seen.mode) == ("c001", "s001", mode)
    assert line.counsellor.is_up
    until(line.they_talk, 30, what="the two to talk on")


def test_an_ear_ends_with_the_call_and_is_no_call_of_the_line(talk: Callable[..., Talk]) -> None:
    line = talk()
    granted = line.comes_in(ListenMode.LISTEN)
    line.caller.hang_up()
    line.supervisor.until_ended()
    until(lambda: line.listening(granted.id).ended_at is not None, what="the row of the end")
    until(lambda: line.pbx.channels() == 0, what="the channels to go")
    (theirs,) = [call for call in line.records() if call.answered_by]
    assert theirs.answered_by == "c001"
    assert {call.direction.value for call in line.records()} <= {"inbound", "internal"}
    assert [c.direction.value for c in line.records() if c.id == granted.id] in ([], ["internal"])


@pytest.mark.parametrize("mode", [ListenMode.WHISPER, ListenMode.BARGE])
def test_a_counsellor_at_a_mobile_is_whispered_to_alone_or_joined(
    talk: Callable[..., Talk], mode: ListenMode
) -> None:
    line = talk("c004")
    before = time.monotonic()
    granted = line.comes_in(mode)
    assert granted.agent == "c004"
    until(lambda: line.counsellor.hears(line.supervisor), what="the counsellor to hear her")
    if mode is ListenMode.BARGE:
        until(lambda: line.caller.hears(line.supervisor), what="the caller to hear her")
    until(lambda: line.they_talk() and line.she_hears_both(), 30, what="all to go on")
    assert line.caller.ever_heard(SUPERVISOR, before) is (mode is ListenMode.BARGE)


def test_in_a_call_the_counsellor_placed_a_whisper_is_the_counsellors_alone(
    talk: Callable[..., Talk],
) -> None:
    line = talk(follow_up=True)
    before = time.monotonic()
    granted = line.comes_in(ListenMode.WHISPER)
    assert (granted.call, granted.agent) == ("at-1", "c001")
    until(lambda: line.counsellor.hears(line.supervisor), what="the counsellor to hear her")
    until(lambda: line.they_talk() and line.she_hears_both(), 30, what="all to go on")
    assert not line.caller.ever_heard(SUPERVISOR, before)


def test_an_ear_on_a_channel_that_only_begins_like_another_hears_nobody(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = talk()
    monkeypatch.setattr(line, "mishear", lambda ear: ear[:-1])  # c001 of c0010
    before = time.monotonic()
    granted = line.ask(ListenMode.BARGE)
    line.supervisor.until_up()
    line.accept(line.supervisor)
    line.supervisor.until_ended()
    assert line.listening(granted.id).started_at is None
    assert not any(line.supervisor.ever_heard(note, before) for note in (COUNSELLOR, CALLER))
    assert not line.caller.ever_heard(SUPERVISOR, before)
    until(line.they_talk, 30, what="the two to talk on")
