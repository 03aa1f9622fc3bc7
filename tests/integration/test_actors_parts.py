"""What the actors are made of: keys as RTP, timings from SIPp's log, scenarios as exact bytes."""

from __future__ import annotations

import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.demo.dtmf import KEYS, write_breathing, write_press
from callcenter.demo.runner import Message, free_media_port, free_ports, until
from callcenter.demo.sipp import call_timings, escape, presses

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def rtp_packets(file: Path) -> list[tuple[int, int, int, bytes]]:
    """Return (payload type, sequence, timestamp, payload) of each packet of a pcap."""
    data = file.read_bytes()[24:]
    packets = []
    while data:
        length = struct.unpack("<I", data[8:12])[0]
        rtp, data = data[16 + 42 : 16 + length], data[16 + length :]
        kind, sequence, timestamp = struct.unpack(">xBHI", rtp[:8])
        packets.append((kind & 0x7F, sequence, timestamp, rtp[12:]))
    return packets


@pytest.mark.parametrize("key", KEYS)
def test_press_is_one_event_that_ends(tmp_path: Path, key: str) -> None:
    packets = rtp_packets(write_press(tmp_path / "k.pcap", key, 0))
    assert {kind for kind, *_ in packets} == {101}
    assert len({timestamp for _, _, timestamp, _ in packets}) == 1
    assert {payload[0] for *_, payload in packets} == {KEYS.index(key)}
    assert [bool(payload[1] & 0x80) for *_, payload in packets] == [False] * 8 + [True] * 3


def test_presses_of_one_call_are_one_rising_stream(tmp_path: Path) -> None:
    files = [write_press(tmp_path / f"{place}.pcap", "1", place) for place in range(4)]
    files.append(write_breathing(tmp_path / "rest.pcap", 4))
    stream = [packet for file in files for packet in rtp_packets(file)]
    sequences = [sequence for _, sequence, *_ in stream]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    timestamps = [timestamp for _, _, timestamp, _ in stream]
    assert timestamps == sorted(timestamps)
    assert len(set(timestamps[:44])) == 4


def test_script_of_presses() -> None:
    first, second = presses("1@2 *@3.5")
    assert (first.key, first.at) == ("1", timedelta(seconds=2))
    assert (second.key, second.at) == ("*", timedelta(seconds=3.5))
    assert "1" not in repr(first)


@given(st.text(max_size=60))
def test_scenario_text_holds_nothing_sipp_would_read_as_its_own(text: str) -> None:
    written = escape(text)
    assert not set("[]&\"'\r\n") & set(written)
    assert written.isascii()
    restored = bytearray()
    while written:
        if written.startswith("\\x"):
            restored.append(int(written[2:4], 16))
            written = written[4:]
        else:
            restored.append(ord(written[0]))
            written = written[1:]
    assert restored.decode() == text


def message(second: float, first: str, method: str, *, sent: bool = True, call: str = "a") -> Message:
    return Message(at=NOON + timedelta(seconds=second), sent=sent, call=call, cseq=method, first=first)


def test_timing_of_an_answered_call() -> None:
    (timing,) = call_timings(
        [
            message(0, "INVITE sip:4000850966@127.0.0.1:5060 SIP/2.0", "INVITE"),
            message(0.5, "INVITE sip:4000850966@127.0.0.1:5060 SIP/2.0", "INVITE"),
            message(1, "SIP/2.0 180 Ringing", "INVITE", sent=False),
            message(2, "SIP/2.0 200 OK", "INVITE", sent=False),
            message(9, "BYE sip:x SIP/2.0", "BYE"),
            message(9.1, "SIP/2.0 200 OK", "BYE", sent=False),
        ]
    )
    assert timing.number == "4000850966"
    assert timing.invited_at == NOON
    assert timing.talk == timedelta(seconds=7)
    assert timing.status == 200


def test_timing_of_a_call_given_up_while_ringing() -> None:
    (timing,) = call_timings(
        [
            message(0, "INVITE sip:1@h SIP/2.0", "INVITE"),
            message(3, "CANCEL sip:1@h SIP/2.0", "CANCEL"),
            message(3.1, "SIP/2.0 200 OK", "CANCEL", sent=False),
            message(3.2, "SIP/2.0 487 Request Terminated", "INVITE", sent=False),
        ]
    )
    assert (timing.answered_at, timing.status, timing.talk) == (None, 487, None)
    assert timing.ended_at == NOON + timedelta(seconds=3)


def test_timing_leaves_out_registrations_and_keeps_calls_apart() -> None:
    timings = call_timings(
        [
            message(0, "REGISTER sip:h SIP/2.0", "REGISTER", call="r"),
            message(1, "INVITE sip:c001@h SIP/2.0", "INVITE", call="b", sent=False),
            message(2, "INVITE sip:c002@h SIP/2.0", "INVITE", call="c", sent=False),
            message(3, "SIP/2.0 486 Refused", "INVITE", call="c"),
        ]
    )
    assert [(timing.number, timing.status) for timing in timings] == [("c001", None), ("c002", 486)]


def test_challenged_call_is_not_a_refused_one() -> None:
    (timing,) = call_timings(
        [
            message(0, "INVITE sip:*11@h SIP/2.0", "INVITE"),
            message(0.1, "SIP/2.0 401 Unauthorized", "INVITE", sent=False),
            message(0.2, "INVITE sip:*11@h SIP/2.0", "INVITE"),
            message(0.3, "SIP/2.0 200 OK", "INVITE", sent=False),
        ]
    )
    assert (timing.status, timing.ended_at) == (200, None)


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(20))) == 20
    assert 20000 <= free_media_port("127.0.0.1") < 30000


def test_a_media_port_is_lent_to_one_process_alone() -> None:
    program = "from callcenter.demo.runner import _BLOCKS, free_media_port\n"
    program += "print({free_media_port('127.0.0.1') for _ in range(_BLOCKS - 10)})"
    ours = free_media_port("127.0.0.1")
    theirs = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert theirs.stdout.count(", ") > 2000
    assert str(ours) not in theirs.stdout


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(TimeoutError, match="the tide"):
        until(lambda: False, 0.1, what="the tide")
