"""Write the keys a SIPp actor presses as RFC 4733 packets in a pcap file SIPp can play.

Debian's ready-made pcaps carry one fixed RTP timestamp each, so the second press of the same key
would look like a retransmission of the first (RFC 4733 section 2.5.1.3). Here every press of a call
has its own place in one RTP stream.
"""

from __future__ import annotations

import struct
from pathlib import Path

KEYS = "0123456789*#"
PAYLOAD_TYPE = 101  # what our SDP offers for telephone-event
CLOCK = 8000
STEP = 160  # one packet each 20 ms
PACKETS = 8  # a press of 160 ms; Asterisk ignores presses under 80 ms
ENDS = 3  # RFC 4733 sends the end three times
SSRC = 0x5A5A0001


def write_press(file: Path, key: str, place: int) -> Path:
    """Write the `place`-th press (from 0) of a call to `file` and return it."""
    code = KEYS.index(key)  # RFC 4733 section 3.2: 0-9 are themselves, 10 is *, 11 is #
    packets = []
    for number in range(PACKETS + ENDS):
        ended = number >= PACKETS
        duration = STEP * min(number + 1, PACKETS)
        event = struct.pack(">BBH", code, (0x80 if ended else 0) | 10, duration)
        packets.append(_rtp(event, place, number))
    file.write_bytes(_pcap(packets))
    return file


def _rtp(event: bytes, place: int, number: int) -> bytes:
    """Return one RTP packet; the marker bit shows the first packet of a press."""
    marker = 0x80 if number == 0 else 0
    sequence = 1 + place * (PACKETS + ENDS) + number
    timestamp = CLOCK + place * CLOCK  # all packets of one press share it
    return struct.pack(">BBHII", 0x80, marker | PAYLOAD_TYPE, sequence, timestamp, SSRC) + event


def _pcap(payloads: list[bytes]) -> bytes:
    """Return a pcap of Ethernet/IPv4/UDP frames 20 ms apart; SIPp puts in the real addresses."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    frames = [_frame(payload) for payload in payloads]
    return head + b"".join(
        struct.pack("<IIII", 0, index * 20_000, len(frame), len(frame)) + frame
        for index, frame in enumerate(frames)
    )


def _frame(payload: bytes) -> bytes:
    udp = struct.pack(">HHHH", 6000, 6000, 8 + len(payload), 0) + payload
    host = bytes((127, 0, 0, 1))
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + host + host
    return bytes(12) + b"\x08\x00" + ip + udp
