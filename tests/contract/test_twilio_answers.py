"""Both flows over Twilio: signed hooks in, TwiML out, the same path as the flow's meaning, no dead end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from callcenter.config import Settings, Twilio
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import NotFound
from callcenter.keys import KeyRing
from callcenter.twilio.account import Account
from callcenter.twilio.answers import Answer, Line, answer, line_of, without_dead_transfers
from callcenter.twilio.webhook import Forged, Hook
from ivr.backends import twiml
from ivr.flow import Enqueue, Escalate, Flow, Menu, Say, Transfer
from ivr.loader import SHIPPED, shipped
from ivr.machine import Answered, Effect, Entered, Event, Failed, Key, Promised, Silence, State, begin, step

SID = "CA" + "1" * 32
CHILD = "CA" + "2" * 32
ACCOUNT = Account(
    sid="AC" + "a" * 32,
    token="t0ken",
    public_url="https://hotline.example.cn",
    fallback_url="https://elsewhere.example.cn/fallback.xml",
)
KEYS = KeyRing(master=bytes(range(32)))
PEOPLE = (
    User(
        code="s001",
        name="钱督导",
        roles=frozenset({Role.SUPERVISOR}),
        phone=PhoneKind.MOBILE,
        mobile="13900005678",
        escalation_rank=1,
    ),
    User(
        code="c001",
        name="赵咨询师",
        roles=frozenset({Role.COUNSELLOR}),
        phone=PhoneKind.SIP,
        escalation_rank=2,
    ),
)
#: What may happen where a flow waits: a key, silence, or people taking or not taking the call.
HAPPENINGS = st.lists(
    st.one_of(
        st.sampled_from([Key(k) for k in "0123456789*#"]),
        st.just(Silence()),
        st.just(Answered()),
        st.just(Failed()),
    ),
    max_size=40,
)


def _line(transfers: dict[str, str] | None = None) -> Line:
    settings = Settings(twilio=Twilio(transfers=transfers or {}))
    return line_of(settings, ACCOUNT, KEYS, PEOPLE, [shipped(name) for name in SHIPPED])


def _hook(target: str, sid: str = SID, **form: str) -> Hook:
    fields = {"AccountSid": ACCOUNT.sid, "CallSid": sid, "From": "+8613800001234"} | form
    signature = RequestValidator(ACCOUNT.token).compute_signature(ACCOUNT.public_url + target, fields)
    return Hook(target=target, body=urlencode(fields).encode(), headers={"X-Twilio-Signature": signature})


def _parsed(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page)  # noqa: S314 - we wrote it ourselves


class Caller:
    """Twilio and a caller: fetches TwiML, does what it says, and presses, waits or is answered."""

    def __init__(self, line: Line, start: str) -> None:
        self._line = line
        self.effects: list[Effect] = []
        self.pages: list[str] = []
        self._fetch(start)

    def _fetch(self, url: str, **form: str) -> None:
        target = url.removeprefix(ACCOUNT.public_url)
        found: Answer = answer(self._line, _hook(target, CallStatus="in-progress", **form))
        self.effects += found.effects
        self.pages.append(found.twiml)

    @property
    def verbs(self) -> list[ElementTree.Element]:
        return list(_parsed(self.pages[-1]))

    @property
    def over(self) -> bool:
        return not [v for v in self.verbs if v.tag in {"Gather", "Enqueue", "Dial", "Redirect"}]

    def meets(self, event: Event) -> bool:
        """Let something happen; return False if it means nothing where the call waits."""
        first = self.verbs[0]
        action = first.get("action", "")
        match first.tag, event:
            case "Gather", Key(key):
                self._fetch(action, Digits=key)
            case "Gather", Silence():
                self._fetch(self.verbs[1].text or "")
            case "Enqueue", Answered() | Failed():
                self._fetch(action, QueueResult="bridged" if isinstance(event, Answered) else "leave")
            case "Dial", Answered() | Failed():
                bridged = "true" if isinstance(event, Answered) else "false"
                self._fetch(action, DialCallStatus="completed", DialBridged=bridged)
            case _:
                return False
        return True


def _path(effects: list[Effect]) -> list[str]:
    return [effect.node for effect in effects if isinstance(effect, Entered)]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("transfers", [{}, {"12356": "+8651012356000"}])
@given(happenings=HAPPENINGS)
def test_twilio_walks_the_same_path_as_the_flow_means(
    name: str, transfers: dict[str, str], happenings: list[Event]
) -> None:
    line = _line(transfers)
    flow = line.flows[name]
    caller = Caller(line, "/twilio/inbound" if name == "inbound" else f"/twilio/begin/{name}?call=at-1")
    state, effects = begin(flow)
    meant = list(effects)
    for event in happenings:
        if caller.over:
            break
        if caller.meets(event):
            state, effects = step(flow, state, event)
            meant += effects
    assert _path(caller.effects) == _path(meant)
    assert caller.effects == meant
    assert caller.over == state.over


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("happening", [Silence(), Failed(), Key("5")])
def test_no_caller_is_left_in_a_dead_end(name: str, happening: Event) -> None:
    """Whatever is not met with the one thing is met with another; every way ends."""
    caller = Caller(_line(), "/twilio/inbound" if name == "inbound" else f"/twilio/begin/{name}")
    for _ in range(60):
        if caller.over:
            break
        assert caller.meets(happening) or caller.meets(Failed()) or caller.meets(Silence())
    assert caller.over
    assert caller.verbs[-1].tag == "Hangup"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_page_parses_and_every_gather_is_followed_by_a_redirect(name: str) -> None:
    line = _line({"12356": "+8651012356000"})
    flow = line.flows[name]
    pages = [twiml.render(flow, State(node=node), line.site, call=SID) for node in _waiting(flow)]
    assert len(pages) > 2
    for page in pages:
        verbs = list(_parsed(page))
        for verb, after in zip(verbs, [*verbs[1:], None], strict=True):
            assert verb.tag != "Gather" or (after is not None and after.tag == "Redirect")
        assert not verbs or verbs[-1].tag in {"Redirect", "Enqueue", "Dial"}


def _waiting(flow: Flow) -> Iterator[str]:
    kinds = (Say, Menu, Enqueue, Escalate, Transfer)
    return (name for name, node in flow.nodes.items() if isinstance(node, kinds))


def test_no_page_shows_a_caller_s_number() -> None:
    caller = Caller(_line(), "/twilio/inbound")
    while not caller.over:
        assert caller.meets(Silence()) or caller.meets(Failed())
    assert "8613800001234" not in "".join(caller.pages)


def test_a_promise_is_an_effect_before_any_word_of_it_goes_out() -> None:
    caller = Caller(_line(), "/twilio/begin/checkin?call=at-1")
    caller.meets(Key("1"))
    caller.meets(Key("2"))
    assert Promised("callback") in caller.effects
    assert caller.over


def test_only_mobiles_of_the_chain_are_rung_and_each_must_accept_by_key() -> None:
    line = _line()
    page = twiml.render(line.flows["checkin"], State(node="escalate"), line.site, call=SID)
    (dial,) = _parsed(page)
    (number,) = list(dial)
    assert number.text == "+8613900005678"
    asked = answer(
        line, _hook((number.get("url") or "").removeprefix(ACCOUNT.public_url), CHILD, ParentCallSid=SID)
    )
    gather = _parsed(asked.twiml)[0]
    target = (gather.get("action") or "").removeprefix(ACCOUNT.public_url)
    voicemail = answer(line, _hook(target, CHILD, ParentCallSid=SID))
    person = answer(line, _hook(target, CHILD, ParentCallSid=SID, Digits="1"))
    assert [v.tag for v in _parsed(voicemail.twiml)] == ["Hangup"]
    assert list(_parsed(person.twiml)) == []


def test_a_service_we_have_no_number_for_is_told_instead_of_dialled() -> None:
    flow = without_dead_transfers(shipped("inbound"), {})
    assert not [node for node in flow.nodes.values() if isinstance(node, Transfer)]
    assert without_dead_transfers(shipped("inbound"), {"12356": "+86510"}).nodes == shipped("inbound").nodes


def test_a_status_says_which_call_of_ours_it_is_about() -> None:
    told = answer(_line(), _hook("/twilio/status?call=at-7", CallStatus="ringing"))
    assert (told.status, told.call_id, told.sid) == ("ringing", "at-7", SID)


def test_the_place_of_one_call_is_of_no_use_to_another() -> None:
    page = answer(_line(), _hook("/twilio/inbound")).twiml
    target = (_parsed(page)[0].get("action") or "").removeprefix(ACCOUNT.public_url)
    with pytest.raises(Forged):
        answer(_line(), _hook(target, CHILD, Digits="1"))


@pytest.mark.parametrize(
    "target", ["/twilio/flow", "/twilio/flow?t=", "/twilio/flow?t=a.b", "/twilio/wait?t=..."]
)
def test_a_made_up_place_is_refused(target: str) -> None:
    with pytest.raises(Forged):
        answer(_line(), _hook(target))


@pytest.mark.parametrize("target", ["/twilio/", "/twilio/begin/secret", "/other", "/twilio/begin/../inbound"])
def test_an_address_that_is_none_of_ours(target: str) -> None:
    with pytest.raises(NotFound):
        answer(_line(), _hook(target))


def test_an_unsigned_hook_gets_no_word_of_the_flow() -> None:
    with pytest.raises(Forged):
        answer(_line(), replace(_hook("/twilio/inbound"), headers={}))
