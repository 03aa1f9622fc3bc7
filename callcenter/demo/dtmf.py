"""Write the keys a SIPp actor presses, and its breathing, as RTP in pcap files SIPp can play.

Debian's ready-made pcaps carry one fixed RTP timestamp each, so the second press of the same key
would look like a retransmission of the first (RFC 4733 section 2.5.1.3). Here every press of a call
has its own place in one RTP stream.
"""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path

KEYS = "0123456789*#"
ALAW = 8  # RFC 3551
ALAW_ZERO = 0xD5
PAYLOAD_TYPE = 101  # what our SDP offers for telephone-event
CLOCK = 8000
STEP = 160  # one packet each 20 ms
PACKETS = 8  # a press of 160 ms; Asterisk ignores presses under 80 ms
ENDS = 3  # RFC 4733 sends the end three times
SSRC = 0x5A5A0001
#: A talk is silent but for one packet of this many seconds: enough for Asterisk's `rtp_timeout`.
BREATH = 5
LONGEST_TALK = 3600


def write_press(file: Path, key: str, place: int) -> Path:
    """Write the `place`-th press (from 0) of a call to `file` and return it."""
    code = KEYS.index(key)  # RFC 4733 section 3.2: 0-9 are themselves, 10 is *, 11 is #
    packets = []
    for number in range(PACKETS + ENDS):
        ended = number >= PACKETS
        duration = STEP * min(number + 1, PACKETS)
        event = struct.pack(">BBH", code, (0x80 if ended else 0) | 10, duration)
        # The marker bit shows the first packet of a press; all its packets share one timestamp.
        kind = PAYLOAD_TYPE | (0x80 if number == 0 else 0)
        sequence = 1 + place * (PACKETS + ENDS) + number
        packets.append(_rtp(kind, sequence, CLOCK + place * CLOCK, event))
    file.write_bytes(_pcap(packets, timedelta(milliseconds=20)))
    return file


def write_breathing(file: Path, presses: int) -> Path:
    """Write the silence after the last of `presses`: a packet each 5 s for an hour."""
    silence = bytes([ALAW_ZERO]) * STEP
    first = 1 + presses * (PACKETS + ENDS)
    start = CLOCK + presses * CLOCK
    packets = [
        _rtp(ALAW, first + turn, start + turn * BREATH * CLOCK, silence)
        for turn in range(LONGEST_TALK // BREATH)
    ]
    file.write_bytes(_pcap(packets, timedelta(seconds=BREATH)))
    return file


def write_speech(file: Path, length: timedelta) -> Path:
    """Write a voice that says one thing after another: loud noise, a packet each 20 ms."""
    noise = bytes(0x2A if turn % 3 else 0xAA for turn in range(STEP))
    count = round(length / timedelta(milliseconds=20))
    packets = [_rtp(ALAW, 1 + turn, CLOCK + turn * STEP, noise) for turn in range(count)]
    file.write_bytes(_pcap(packets, timedelta(milliseconds=20)))
    return file


def _rtp(kind: int, sequence: int, timestamp: int, payload: bytes) -> bytes:
    """Return one RTP packet; `kind` is marker bit and payload type."""
    return struct.pack(">BBHII", 0x80, kind, sequence, timestamp, SSRC) + payload


def _pcap(payloads: list[bytes], apart: timedelta) -> bytes:
    """Return a pcap of Ethernet/IPv4/UDP frames; SIPp puts in the real addresses."""
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for index, frame in enumerate(map(_frame, payloads)):
        seconds, rest = divmod(index * apart, timedelta(seconds=1))
        records.append(struct.pack("<IIII", seconds, rest.microseconds, len(frame), len(frame)) + frame)
    return b"".join(records)


def _frame(payload: bytes) -> bytes:
    udp = struct.pack(">HHHH", 6000, 6000, 8 + len(payload), 0) + payload
    host = bytes((127, 0, 0, 1))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + host + host
    return bytes(12) + b"\x08\x00" + ip + udp
