"""What may and may not be sent to the telephone system."""

from __future__ import annotations

import pytest

from callcenter.asterisk import wire
from callcenter.asterisk.translate import (
    ChannelBorn,
    ChannelGone,
    DeviceState,
    MemberChanged,
    MemberRemoved,
    Originated,
    Untranslatable,
    event_of,
    member_of,
)

MEMBER = {
    "Queue": "hotline",
    "MemberName": "c017",
    "Interface": "PJSIP/c017",
    "Paused": "0",
    "Penalty": "0",
    "InCall": "0",
    "Status": "1",
}


def test_headers_are_text_and_keep_lists_as_lines() -> None:
    sent = wire.headers("Originate", {"Async": True, "Timeout": 45000, "Variable": ["a=1", "b=2"]})
    assert sent == {"Action": "Originate", "Async": "true", "Timeout": "45000", "Variable": ["a=1", "b=2"]}


@pytest.mark.parametrize("key", ["", "Call er", "Caller:ID", "X\r\nY", "Action", "actionid", "名", "x" * 41])
def test_a_strange_header_name_is_refused(key: str) -> None:
    with pytest.raises(wire.Unsendable):
        wire.headers("Ping", {key: "1"})


def test_a_hostile_action_name_is_refused() -> None:
    with pytest.raises(wire.Unsendable):
        wire.headers("Ping\r\nAction: Command", {})


def test_too_many_headers_are_refused() -> None:
    with pytest.raises(wire.Unsendable, match="headers"):
        wire.headers("Originate", {"Variable": [f"v{n}=1" for n in range(200)]})


def test_the_longest_line_fits_and_one_more_byte_does_not() -> None:
    room = wire.MAX_LINE - 1 - len("Key: \r\n")
    wire.headers("Ping", {"Key": "x" * room})
    with pytest.raises(wire.Unsendable):
        wire.headers("Ping", {"Key": "x" * (room + 1)})
    with pytest.raises(wire.Unsendable):
        wire.headers("Ping", {"Key": "心" * (room // 3 + 1)})


@pytest.mark.parametrize("value", ["1,b=2", "a|b", 'say "x"', "a\\b", "x\r\ny"])
def test_a_value_that_could_become_two_variables_is_refused(value: str) -> None:
    with pytest.raises(wire.Unsendable) as refusal:
        wire.variable("NOTE", value)
    assert value not in str(refusal.value)


@pytest.mark.parametrize("place", ["hotline-placed,s", 'hotline"', "", "a\r\nAction: Hangup"])
def test_a_hangup_handler_is_one_place_and_nothing_more(place: str) -> None:
    assert wire.hangup_handler("hotline-placed", "ended").endswith('="hotline-placed,ended,1"')
    with pytest.raises(wire.Unsendable):
        wire.hangup_handler(place, "ended")
    with pytest.raises(wire.Unsendable):
        wire.hangup_handler("hotline-placed", place)


def test_a_variable_keeps_its_value() -> None:
    assert wire.variable("__TARGET", "心理 100&200") == "__TARGET=心理 100&200"
    with pytest.raises(wire.Unsendable):
        wire.variable("CALLERID(num)", "1")


@pytest.mark.parametrize("text", ["", "${EVIL}", "a,b", "a&b", "s x", "心", "x" * 201])
def test_a_dialplan_argument_must_be_harmless(text: str) -> None:
    with pytest.raises(wire.Unsendable):
        wire.argument(text)


def test_an_interface_is_a_harmless_argument() -> None:
    assert wire.argument("Local/c017@hotline-mobile/n") == "Local/c017@hotline-mobile/n"


def test_events_become_values() -> None:
    changed = event_of({"Event": "QueueMemberAdded", **MEMBER})
    assert isinstance(changed, MemberChanged)
    assert changed.member.state is DeviceState.NOT_IN_USE
    assert isinstance(event_of({"Event": "QueueMemberRemoved", **MEMBER}), MemberRemoved)
    assert event_of({"Event": "Newchannel", "Uniqueid": "at-1"}) == ChannelBorn(channel_id="at-1")
    assert event_of({"Event": "Hangup", "Uniqueid": "at-1", "Cause": "16"}) == ChannelGone(
        channel_id="at-1", cause=16
    )
    failed = event_of(
        {"Event": "OriginateResponse", "Response": "Failure", "Reason": "0", "Uniqueid": "<unknown>"}
    )
    assert failed == Originated(action_id=None, channel_id="<unknown>", success=False, reason=0)
    assert event_of({"Event": "VarSet"}) is None


@pytest.mark.parametrize("missing", sorted(MEMBER))
def test_a_missing_header_is_an_error_that_names_it(missing: str) -> None:
    headers = {"Event": "QueueMemberAdded", **{k: v for k, v in MEMBER.items() if k != missing}}
    with pytest.raises(Untranslatable, match=missing):
        event_of(headers)


@pytest.mark.parametrize("status", ["", "x", "99"])
def test_an_unreadable_status_is_an_error(status: str) -> None:
    with pytest.raises(Untranslatable, match="Status"):
        member_of({**MEMBER, "Status": status}, "MemberName", "Interface")


def test_who_cannot_be_rung() -> None:
    assert not DeviceState.UNAVAILABLE.reachable
    assert not DeviceState.INVALID.reachable
    assert not DeviceState.UNKNOWN.reachable
    assert DeviceState.IN_USE.reachable
