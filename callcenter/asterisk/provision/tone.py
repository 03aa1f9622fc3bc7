"""The tone that waiting callers hear: two soft notes, then quiet, so that the line sounds alive."""

from __future__ import annotations

import math

RATE = 8000
#: (Hz, second it starts at); each note fades over `FADE` seconds.
NOTES = ((523.25, 0.0), (659.25, 0.6))
FADE = 1.2
LENGTH = 6
PEAK = 1800


def hold_tone() -> bytes:
    """Return one loop as raw A-law (G.711), 8 kHz mono."""
    return bytes(_alaw(round(_level(n / RATE))) for n in range(LENGTH * RATE))


def _level(second: float) -> float:
    """Return the sum of the notes sounding at `second`, 16-bit scale."""
    return sum(
        PEAK * math.exp(-4 * (second - start)) * math.sin(2 * math.pi * pitch * (second - start))
        for pitch, start in NOTES
        if start <= second < start + FADE
    )


def _alaw(sample: int) -> int:
    """Return one 16-bit sample as A-law (ITU-T G.711, even bits inverted)."""
    mask = 0xD5 if sample >= 0 else 0x55
    level = min(sample >> 3 if sample >= 0 else -sample - 1 >> 3, 0xFFF)
    level = max(level, 0)
    if level < 32:
        return (level >> 1) ^ mask
    exponent = level.bit_length() - 5
    return (exponent << 4 | (level >> exponent & 0x0F)) ^ mask
