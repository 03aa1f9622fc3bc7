"""Whatever is spoken or recorded: one level, no flat tops, and sentences that add up."""

from __future__ import annotations

import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.prompts.audio import CEILING, RATE, SILENT, TARGET, Sound, levelled
from ivr.prompts.survey import longest_sentence

amplitudes = st.lists(st.integers(-32767, 32767), min_size=1, max_size=60)


def stretched(amplitudes: list[int]) -> Sound:
    """Return a sound that holds each amplitude, turned about, for 10 ms."""
    held = RATE // 200
    samples = [sign * one for one in amplitudes for sign in (1, -1) for _ in range(held)]
    return Sound(samples=array.array("h", samples))


@given(amplitudes)
def test_a_levelled_sound_is_at_the_target_or_as_near_as_its_peak_allows(heights: list[int]) -> None:
    before = stretched(heights)
    after = levelled(before)
    if before.level < SILENT:
        assert after == before
        return
    assert after.peak <= CEILING + 0.1
    reached = max(after.level - TARGET, after.peak - CEILING)
    assert reached == pytest.approx(0, abs=0.5)


@given(st.lists(st.text("一二三四五", min_size=1, max_size=12), min_size=1, max_size=8), st.floats(0.1, 300))
def test_the_longest_sentence_is_a_fair_share_of_the_whole(sentences: list[str], seconds: float) -> None:
    longest = longest_sentence("。".join(sentences), seconds)
    assert seconds / len(sentences) <= longest * (1 + 1e-9)
    assert longest <= seconds * (1 + 1e-9)
    assert len(sentences) > 1 or longest == pytest.approx(seconds)
