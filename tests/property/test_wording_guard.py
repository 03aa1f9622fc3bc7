"""A word of diagnosis is found wherever it stands and however it is disguised (R16)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.wording import diagnostic_words

SAID = (
    "诊断",
    "确诊",
    "抑郁症",
    "焦虑症",
    "双相",
    "精神分裂",
    "睡眠障碍",
    "治疗",
    "疗程",
    "处方",
    "中度抑郁",
)
SAID_IN_ENGLISH = ("diagnosis", "bipolar", "depressive disorder", "moderate depression", "prescription")
FINE = (
    "您的筛查提示:最近压力比较大。建议就医,也可以找一位咨询员谈谈。",
    "心理热线:最近两周,您感到心情低落、抑郁或绝望的日子有多少?",
    "症状自评量表的结果请带给医生看。",
    "本通道为无障碍通道;遇到急症请拨打 120。",
    "抑郁、焦虑、睡不好,都可以说。",
    "I have felt cheerful and in good spirits. Feeling down, depressed, or hopeless.",
)
#: Written between characters to slip by.
INVISIBLE = st.sampled_from(list("\u3000\u200b\u2060\ufeff\u00ad\n\t·-* "))
PLAIN = st.text(alphabet="您我们今天很好,。AB 12", max_size=12)


@pytest.mark.parametrize("text", FINE)
def test_what_a_line_does_say_passes(text: str) -> None:
    assert diagnostic_words(text) == ()


def wide(text: str) -> str:
    """Return ASCII letters as full-width ones."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@given(st.sampled_from(SAID), PLAIN, PLAIN, st.lists(INVISIBLE, min_size=8, max_size=8))
def test_no_disguise_and_no_place_hides_a_word(word: str, before: str, after: str, gaps: list[str]) -> None:
    disguised = "".join(c + gap for c, gap in zip(word, [*gaps, ""], strict=False))
    assert word in diagnostic_words(f"{before}{disguised}{after}")


@given(
    st.sampled_from(SAID_IN_ENGLISH),
    st.sampled_from(["", " ", "\u200b"]),
    st.sampled_from([str, str.upper, wide]),
)
def test_english_is_found_spelt_out_in_capitals_and_full_width(
    word: str, gap: str, spelt: Callable[[str], str]
) -> None:
    assert diagnostic_words(f"This is a {spelt(gap.join(word))}, you know.")


@pytest.mark.parametrize(
    ("written", "word"), [("診斷", "诊断"), ("治療", "治疗"), ("抑鬱症", "抑郁症"), ("双相", "双相")]
)
def test_traditional_and_compatibility_characters_are_read(written: str, word: str) -> None:
    assert word in diagnostic_words(f"这是{written}。")[0]


@given(st.sampled_from(SAID))
def test_what_the_caller_said_is_a_quotation(word: str) -> None:
    assert diagnostic_words(f"来电人说:「医院说是{word}」。") == ()
    assert diagnostic_words(f"「他说」{word}") != ()


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert isinstance(diagnostic_words(text), tuple)
