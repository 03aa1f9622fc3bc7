"""One contract for every line, and what is Twilio's own: lost answers, refusals, no network."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from call_control_contract import NUMBER, SHOWN, CallControlContract, a_call
from twilio_fake import CALLS, FakeTwilio, broken_rule

from callcenter.config import Settings, Twilio
from callcenter.errors import ConfigError, InDoubt, PbxError, PbxUnreachable, Refused
from callcenter.memory import MemoryCallControl
from callcenter.twilio.account import Account, account_problems, load_account
from callcenter.twilio.book import SidBook
from callcenter.twilio.control import TwilioControl, e164
from callcenter.twilio.http import NoWire, Wire, open_wire

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ACCOUNT = Account(
    sid="AC" + "a" * 32,
    token="t0ken",
    public_url="https://hotline.example.cn",
    fallback_url="https://elsewhere.example.cn/fallback.xml",
)


class MemoryLine:
    """The memory fake as a played line."""

    def __init__(self) -> None:
        self.control = MemoryCallControl(lambda: datetime.now(UTC))
        self._refused = False

    def placed(self) -> int:
        return len(self.control.placed)

    def callee_hangs_up(self, call_id: str) -> None:
        self.control.end(call_id)

    def refuse_next(self) -> None:
        place = self.control.place

        async def refused(call: object) -> None:
            self.control.place = place  # type: ignore[method-assign]
            raise PbxError("refused")

        self.control.place = refused  # type: ignore[assignment,method-assign]


class TwilioLine:
    """The Twilio adapter against the fake API."""

    def __init__(self, book: SidBook | None = None, fake: FakeTwilio | None = None) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self.fake = fake or FakeTwilio(account_sid=ACCOUNT.sid, token=ACCOUNT.token, clock=lambda: self.now)
        self.book = book or SidBook()
        self.control = TwilioControl(ACCOUNT, self.fake, self.book, lambda: self.now, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def placed(self) -> int:
        return len(self.fake.calls)

    def callee_hangs_up(self, call_id: str) -> None:
        self.fake.moves(self.sid(call_id), "completed")

    def refuse_next(self) -> None:
        create, self.fake._create = self.fake._create, self._refused  # type: ignore[method-assign]
        self._create = create

    def _refused(self, form: dict[str, list[str]]) -> object:
        from twilio_fake import _error

        self.fake._create = self._create  # type: ignore[method-assign]
        return _error(400, 21211, f"The 'To' number {form['To'][0]} is not valid")

    def sid(self, call_id: str) -> str:
        sid = self.book.sid(call_id)
        assert sid is not None
        return sid


class TestMemoryCallControl(CallControlContract):
    @pytest.fixture
    def line(self) -> MemoryLine:
        return MemoryLine()


class TestTwilioCallControl(CallControlContract):
    @pytest.fixture
    def line(self) -> TwilioLine:
        return TwilioLine()


@pytest.fixture
def line() -> TwilioLine:
    return TwilioLine()


def test_what_twilio_is_asked_keeps_to_its_published_interface(line: TwilioLine) -> None:
    asyncio.run(line.control.place(a_call()))
    form = line.fake.calls[line.sid("at-0001")].form
    assert broken_rule(CALLS, form) is None
    assert (form["To"], form["From"]) == (["+8613800001234"], ["+8651085000966"])
    assert form["Timeout"] == ["45"]
    assert form["FallbackUrl"] == [ACCOUNT.fallback_url]
    assert form["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]


def test_no_address_given_to_twilio_holds_a_number(line: TwilioLine) -> None:
    asyncio.run(line.control.place(a_call()))
    form = line.fake.calls[line.sid("at-0001")].form
    addresses = form["Url"] + form["StatusCallback"] + form["FallbackUrl"]
    assert not [a for a in addresses if NUMBER in a or NUMBER[1:] in a]


def test_the_answer_is_lost_after_the_call_was_placed(line: TwilioLine) -> None:
    line.fake.lose_answers = 1
    asyncio.run(line.control.place(a_call()))
    assert line.placed() == 1
    assert asyncio.run(line.control.is_live("at-0001"))


def test_a_lost_request_is_in_doubt_and_never_sent_again(line: TwilioLine) -> None:
    line.fake.lose_requests = 1
    with pytest.raises(InDoubt):
        asyncio.run(line.control.place(a_call()))
    assert [method for method, _ in line.fake.requests].count("POST") == 1
    assert line.placed() == 0


def test_nothing_is_answered_for_a_while(line: TwilioLine) -> None:
    line.fake.lose_answers = 2
    asyncio.run(line.control.place(a_call()))
    assert line.slept == [0.0, 1.0]
    assert line.placed() == 1


def test_twilio_is_broken_in_itself(line: TwilioLine) -> None:
    line.fake.refuse = (503, 20503)
    with pytest.raises(InDoubt):
        asyncio.run(line.control.place(a_call()))


def test_an_older_call_to_the_same_number_is_not_taken_for_ours(line: TwilioLine) -> None:
    line.fake.placed_elsewhere(e164(NUMBER), e164(SHOWN), NOW - timedelta(hours=3))
    line.fake.lose_requests = 1
    with pytest.raises(InDoubt):
        asyncio.run(line.control.place(a_call()))


def test_a_call_of_another_attempt_is_not_taken_for_ours(line: TwilioLine) -> None:
    asyncio.run(line.control.place(a_call("at-0001")))
    line.fake.lose_requests = 1
    with pytest.raises(InDoubt):
        asyncio.run(line.control.place(a_call("at-0002")))


def test_two_calls_that_might_be_ours_leave_doubt(line: TwilioLine) -> None:
    line.fake.placed_elsewhere(e164(NUMBER), e164(SHOWN), NOW)
    line.fake.lose_answers = 1
    with pytest.raises(InDoubt):
        asyncio.run(line.control.place(a_call()))


def test_twilio_does_not_answer_whether_a_call_is_live(line: TwilioLine) -> None:
    asyncio.run(line.control.place(a_call()))
    line.fake.lose_requests = 1
    with pytest.raises(PbxUnreachable):
        asyncio.run(line.control.is_live("at-0001"))


def test_a_restart_still_knows_its_calls(tmp_path: Path) -> None:
    first = TwilioLine(SidBook(tmp_path / "calls"))
    asyncio.run(first.control.place(a_call()))
    again = TwilioLine(SidBook(tmp_path / "calls"), first.fake)
    assert asyncio.run(again.control.is_live("at-0001"))
    assert NUMBER not in (tmp_path / "calls").read_text()


def test_a_book_cut_by_a_crash_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text(f"at-0001 CA{'0' * 32}\nat-0002 CA00")
    book = SidBook(tmp_path / "calls")
    assert book.knows("CA" + "0" * 32)
    assert book.sid("at-0002") is None


def test_a_counsellor_first_call_is_refused_in_plain_words(line: TwilioLine) -> None:
    from dataclasses import replace

    with pytest.raises(Refused, match="Twilio"):
        asyncio.run(line.control.place(replace(a_call(), first_ring="c001")))


def test_nobody_can_be_listened_to_and_that_is_said_in_plain_words(line: TwilioLine) -> None:
    from dataclasses import replace

    with pytest.raises(Refused, match="听线"):
        asyncio.run(line.control.place(replace(a_call(), first_ring="c001", flow="listen")))
    with pytest.raises(Refused, match="听线"):
        asyncio.run(line.control.talks_with("at-0001"))
    assert line.placed() == 0


@pytest.mark.parametrize(
    ("number", "wanted"),
    [("13800001234", "+8613800001234"), ("051085000966", "+8651085000966"), ("+85212345678", "+85212345678")],
)
def test_numbers_as_twilio_wants_them(number: str, wanted: str) -> None:
    assert e164(number) == wanted


@pytest.mark.parametrize("number", ["4000850966", "12356", "110", "8008101234"])
def test_numbers_that_exist_only_inside_the_country_are_refused(number: str) -> None:
    with pytest.raises(Refused) as caught:
        e164(number)
    assert number not in str(caught.value)


def test_unless_the_site_is_live_nothing_leaves_the_house() -> None:
    wire = open_wire(ACCOUNT)
    assert isinstance(wire, NoWire)
    control = TwilioControl(ACCOUNT, wire, SidBook(), lambda: NOW)
    with pytest.raises(Refused, match="真实电话"):
        asyncio.run(control.place(a_call()))


def test_the_real_wire_leads_to_twilio_only_and_logs_no_number(caplog: pytest.LogCaptureFixture) -> None:
    wire = Wire()
    for url in ("http://api.twilio.com/x", "https://api.twilio.com.evil.cn/x", "https://127.0.0.1/x"):
        with pytest.raises(Refused):
            wire.request("GET", url)
    with caplog.at_level(logging.DEBUG):
        wire.log_request({"method": "GET", "url": "u", "params": {"To": NUMBER}, "headers": {}})
    assert NUMBER not in caplog.text


def test_what_is_missing_is_said_with_its_mend(tmp_path: Path) -> None:
    said = "\n".join(account_problems(Settings(home=tmp_path)))
    for word in ("account_sid", "public_url", "fallback_url", "twilio.token"):
        assert word in said
    with pytest.raises(ConfigError, match="account_sid"):
        load_account(Settings(home=tmp_path))


def test_a_fallback_on_the_same_host_and_a_readable_token_are_not_good_enough(tmp_path: Path) -> None:
    settings = _settings(tmp_path, fallback="https://hotline.example.cn/fallback.xml", mode=0o644)
    said = "\n".join(account_problems(settings))
    assert "同一台主机" in said
    assert "chmod 600" in said


def test_a_whole_configuration_is_an_account_that_hides_its_token(tmp_path: Path) -> None:
    account = load_account(_settings(tmp_path))
    assert account.url("status", call="at-1") == "https://hotline.example.cn/twilio/status?call=at-1"
    assert "s3cret" not in repr(account)
    assert not account.live


def _settings(home: Path, fallback: str = ACCOUNT.fallback_url, mode: int = 0o600) -> Settings:
    token = home / "twilio.token"
    token.write_text("s3cret\n")
    token.chmod(mode)
    twilio = Twilio(account_sid=ACCOUNT.sid, public_url=ACCOUNT.public_url, fallback_url=fallback)
    return Settings(home=home, twilio=twilio)
