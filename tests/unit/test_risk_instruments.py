"""Instruments as data: bands, floors, missing items, wording, and a site's own scales."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.instruments import (
    FOLDER,
    Instrument,
    InstrumentError,
    checksum_of,
    load_instruments,
    read_instrument,
)
from callcenter.domain.levels import Level
from callcenter.domain.risk import RiskAnswers, finding
from callcenter.domain.scoring import parse_answers, score, taken_over
from callcenter.domain.wording import diagnostic_words
from callcenter.errors import Refused
from ivr.prompts.catalogue import load_catalogue

ALL = load_instruments()
PHQ, GAD, WHO, CSSRS, BEIJING = (ALL[name] for name in ("phq9", "gad7", "who5", "cssrs", "beijing"))
ASKED = [one for one in ALL.values() if one.items]


def filled(one: Instrument, *values: int) -> dict[str, int]:
    return dict(zip(one.items, values, strict=True))


def sums_to(one: Instrument, total: int, highest: int) -> dict[str, int]:
    """Return answers that add up to `total`, the last item as low as possible."""
    values = []
    for _ in one.items:
        values.append(min(highest, total))
        total -= values[-1]
    return filled(one, *values)


# --- golden vectors: each edge of each band ---------------------------------------------------


@pytest.mark.parametrize(
    ("total", "band"),
    [
        *((0, "很少"), (4, "很少"), (5, "轻"), (9, "轻")),
        *((10, "中，建议就医咨询"), (14, "中，建议就医咨询"), (15, "较重，建议就医")),
        *((19, "较重，建议就医"), (20, "重，建议就医"), (27, "重，建议就医")),
    ],
)
def test_the_edges_of_the_phq9(total: int, band: str) -> None:
    found = score(PHQ, sums_to(PHQ, total, 3))
    assert (found.score, found.band) == (total, band)


@pytest.mark.parametrize(
    ("total", "band"),
    [
        *((0, "很少"), (4, "很少"), (5, "轻"), (9, "轻"), (10, "中，建议就医咨询")),
        *((14, "中，建议就医咨询"), (15, "重，建议就医"), (21, "重，建议就医")),
    ],
)
def test_the_edges_of_the_gad7(total: int, band: str) -> None:
    assert score(GAD, sums_to(GAD, total, 3)).band == band


@pytest.mark.parametrize(
    ("raw", "percent", "low"), [(0, 0, True), (7, 28, True), (8, 32, True), (12, 48, True), (13, 52, False)]
)
def test_the_who5_is_low_below_13_and_is_multiplied_by_four(raw: int, percent: int, low: bool) -> None:
    found = score(WHO, sums_to(WHO, raw, 5))
    assert (found.score, "低" in found.band, found.level) == (percent, low, None)


@pytest.mark.parametrize(
    ("result", "level"),
    [(0, None), (3, None), (4, Level.MEDIUM), (7, Level.MEDIUM), (8, Level.HIGH), (16, Level.HIGH)],
)
def test_the_edges_of_the_beijing_bands(result: int, level: Level | None) -> None:
    assert taken_over(BEIJING, result).level is level


@pytest.mark.parametrize(
    ("name", "result", "high"),
    [
        *(("scl90", 160, False), ("scl90", 161, True), ("scl90_positive", 43, False)),
        *(("scl90_positive", 44, True), ("scl90_factor", 1.99, False), ("scl90_factor", 2, True)),
    ],
)
def test_results_of_the_scl90_are_taken_over_and_never_asked(name: str, result: float, high: bool) -> None:
    found = taken_over(ALL[name], result)
    assert ("偏高" in found.band, found.level) == (high, None)
    with pytest.raises(Refused, match="只登记结果"):
        score(ALL[name], {"scl90_1": 1})


# --- floors (R13) -----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [1, 2, 3])
def test_r13_any_answer_but_never_to_item_9_is_level_2_whatever_the_sum(answer: int) -> None:
    assert score(PHQ, filled(PHQ, *[0] * 8, answer)).level is Level.MEDIUM


def test_r13_a_phq9_of_15_is_level_2_without_item_9() -> None:
    assert score(PHQ, sums_to(PHQ, 14, 3)).level is None
    assert score(PHQ, sums_to(PHQ, 15, 3)).level is Level.MEDIUM


@pytest.mark.parametrize(
    ("item", "level"),
    [
        *(("cssrs_1", Level.GENERAL), ("cssrs_2", Level.MEDIUM), ("cssrs_3", Level.MEDIUM)),
        *(("cssrs_4", Level.HIGH), ("cssrs_5", Level.HIGH)),
        *(("cssrs_6", Level.MEDIUM), ("cssrs_6_recent", Level.HIGH)),
    ],
)
def test_r13_the_floors_of_the_cssrs(item: str, level: Level) -> None:
    found = score(CSSRS, {**filled(CSSRS, *[0] * 7), item: 1})
    assert (found.level, found.score) == (level, None)


def test_r13_item_9_counts_although_the_form_is_too_incomplete_for_a_sum() -> None:
    found = score(PHQ, {"phq9_1": 3, "phq9_9": 1})
    assert (found.score, found.band, found.level) == (None, "", Level.MEDIUM)


def test_items_that_a_no_made_needless_are_not_missing() -> None:
    said_no = {"cssrs_1": 0, "cssrs_2": 0, "cssrs_6": 0}
    assert not score(CSSRS, said_no).missing
    assert score(CSSRS, {**said_no, "cssrs_2": 1}).missing == ("cssrs_3", "cssrs_4", "cssrs_5")
    assert score(CSSRS, {"cssrs_1": 0}).missing == tuple(i for i in CSSRS.items if i != "cssrs_1")


# --- missing items ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "each", "total"),
    [(0, 1, 9), (1, 1, 9), (2, 1, 9), (1, 2, 18), (2, 3, 27), (3, 1, None), (9, 1, None)],
)
def test_the_phq9_is_prorated_with_one_or_two_missing_and_void_with_three(
    missing: int, each: int, total: int | None
) -> None:
    answers = dict(list(filled(PHQ, *[each] * 9).items())[: 9 - missing])
    assert score(PHQ, answers).score == total


def test_a_prorated_half_is_rounded_up() -> None:
    eight = dict(list(filled(PHQ, 1, 1, 1, 1, 0, 0, 0, 0, 0).items())[:8])
    assert score(PHQ, eight).score == 5  # 4 * 9 / 8 = 4.5


@pytest.mark.parametrize("one", [GAD, WHO], ids=str)
def test_other_scales_may_miss_nothing(one: Instrument) -> None:
    answers = dict.fromkeys(list(one.items)[1:], 1)
    assert score(one, answers).score is None


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers", [{"phq9_10": 1}, {"phq9_1": 4}, {"phq9_1": -1}, {"phq9_1": True}, {"gad7_1": 1}], ids=str
)
def test_what_is_no_answer_is_refused_by_name(answers: dict[str, int]) -> None:
    with pytest.raises(Refused, match=next(iter(answers))):
        score(PHQ, answers)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        *((["phq9_1=1", "phq9_1=2"], "phq9_1"), (["phq9_1"], "phq9_1"), (["phq9_1=x"], "phq9_1=x")),
        *((["=1"], "题目"), (["phq9_1=1=1"], "phq9_1=1=1"), (["phq9_1=²"], "phq9_1=²"), (["x=1"], "x")),
    ],
    ids=str,
)
def test_words_of_the_calculator_that_mean_nothing_are_refused(words: list[str], named: str) -> None:
    with pytest.raises(Refused, match=re.escape(named)):
        parse_answers(PHQ, words)


@pytest.mark.parametrize("result", [-1, 17, float("nan"), float("inf"), True], ids=str)
def test_a_score_outside_the_scale_is_refused(result: float) -> None:
    with pytest.raises(Refused, match="北京12项"):
        taken_over(BEIJING, result)


def test_the_calculator_takes_short_numbers_and_answers_in_words() -> None:
    assert parse_answers(PHQ, ["1=2", "9＝好几天"]) == {"phq9_1": 2, "phq9_9": 1}
    assert parse_answers(CSSRS, ["1=是", "6_recent=否"]) == {"cssrs_1": 1, "cssrs_6_recent": 0}
    with pytest.raises(Refused, match="phq9_9 写了两次"):
        parse_answers(PHQ, ["9=0", "phq9_9=1"])
    with pytest.raises(Refused, match="0（否）"):
        parse_answers(CSSRS, ["1=有"])


# --- properties ---------------------------------------------------------------------------------


@st.composite
def answered(draw: st.DrawFn, complete: bool = False) -> tuple[Instrument, dict[str, int]]:
    one = draw(st.sampled_from(ASKED))
    items = list(one.items) if complete else draw(st.lists(st.sampled_from(list(one.items)), unique=True))
    return one, {item: draw(st.sampled_from(sorted(one.items[item].options))) for item in items}


@given(answered(), st.randoms())
def test_the_order_of_items_never_matters(form: tuple[Instrument, dict[str, int]], chance: object) -> None:
    one, answers = form
    mixed = list(answers.items())
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert score(one, dict(mixed)) == score(one, answers)


@given(answered())
def test_a_score_lies_within_its_range(form: tuple[Instrument, dict[str, int]]) -> None:
    one, answers = form
    found = score(one, answers).score
    assert found is None or one.least <= found <= one.most


@given(answered(), st.data())
def test_a_worse_answer_never_improves_the_level(
    form: tuple[Instrument, dict[str, int]], data: st.DataObject
) -> None:
    one, answers = form
    if not answers:
        return
    item = data.draw(st.sampled_from(sorted(answers)))
    worse = [v for v in one.items[item].options if v >= answers[item]]
    after = {**answers, item: data.draw(st.sampled_from(worse))}
    before_level, after_level = (score(one, form).level for form in (answers, after))
    assert before_level is None or (after_level is not None and after_level <= before_level)


@given(answered(complete=True), answered(complete=True), st.sampled_from([None, *range(17)]))
def test_r12_the_level_is_the_worst_any_instrument_gives(
    first: tuple[Instrument, dict[str, int]],
    second: tuple[Instrument, dict[str, int]],
    beijing: int | None,
) -> None:
    items: Mapping[str, Mapping[str, int]] = {one.id: answers for one, answers in (first, second)}
    scores = {} if beijing is None else {"beijing": float(beijing)}
    each = [score(ALL[name], answers).level for name, answers in items.items()]
    each += [taken_over(BEIJING, s).level for s in scores.values()]
    told = finding(RiskAnswers(asked=True, items=items, scores=scores), ALL)
    assert told.level == min((level for level in each if level is not None), default=None)


# --- the files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phq9", "gad7"])
def test_the_text_by_phone_and_on_paper_is_one(name: str) -> None:
    spoken = load_catalogue("zh")
    assert {i.id: i.text for i in ALL[name].items.values()} == {i: spoken.text(i) for i in ALL[name].items}


@pytest.mark.parametrize("one", ALL.values(), ids=lambda one: one.id)
def test_every_instrument_says_its_licence_and_makes_no_diagnosis(one: Instrument) -> None:
    texts = [one.name, one.about, *(i.text for i in one.items.values()), *(name for _, name in one.bands)]
    assert one.licence
    assert [found for text in texts for found in diagnostic_words(text)] == []


@pytest.mark.parametrize("name", ["who5", "cssrs"])
def test_what_is_not_the_official_text_says_so(name: str) -> None:
    assert (ALL[name].wording, "no official text" in ALL[name].licence) == ("own", True)


def test_what_is_licensed_ships_no_item() -> None:
    assert {one.id for one in ALL.values() if one.wording == "none"} == {
        "beijing", "scl90", "scl90_positive", "scl90_factor",
    }  # fmt: skip


# --- a site's own ---------------------------------------------------------------------------------

OWN = """\
instrument: k6
version: 1
checksum: {checksum}
name: K6
licence: of the site
wording: own
options: {{0: 从不, 1: 偶尔, 2: 有时, 3: 经常, 4: 总是}}
items:
  k6_1: {{text: {text}}}
  k6_2: {{text: 第2题}}
range: [0, 8]
bands: {{0: 低, 5: 高}}
floors:
  - {{at: 5, level: 2, says: K6五分以上}}
"""


def own(folder: Path, text: str = "第1题", checksum: str | None = None, name: str = "k6.yaml") -> Path:
    file = folder / name
    file.write_text(OWN.format(checksum=checksum or "x", text=text), encoding="utf-8")
    if checksum is None:
        with pytest.raises(InstrumentError) as trouble:
            read_instrument(file)
        right = re.search(r"[0-9a-f]{64}", str(trouble.value))
        assert right is not None
        file.write_text(OWN.format(checksum=right[0], text=text), encoding="utf-8")
    return file


def test_a_scale_of_the_sites_own_is_scored_like_ours(tmp_path: Path) -> None:
    own(tmp_path)
    found = load_instruments(tmp_path)
    assert {*found} == {*ALL, "k6"}
    assert score(found["k6"], {"k6_1": 4, "k6_2": 1}).level is Level.MEDIUM


def test_a_folder_that_is_not_there_leaves_ours(tmp_path: Path) -> None:
    assert load_instruments(tmp_path / "nothing") == ALL


def test_a_text_that_changed_without_its_checksum_is_refused_with_line_and_mend(tmp_path: Path) -> None:
    checksum = read_instrument(own(tmp_path)).checksum
    file = own(tmp_path, text="第1题（改）", checksum=checksum)
    with pytest.raises(InstrumentError, match=rf"{file.name}:3: .*Raise `version`, and set `checksum: "):
        load_instruments(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "right", "line", "says"),
    [
        ("range: [0, 8]", "range: [0, 9]", 11, "add up to 0 at least and 8"),
        ("at: 5, level: 2", "at: 9, level: 2", 14, "nothing ever reaches 9"),
        ("at: 5, level: 2", "item: k6_3, at: 1, level: 2", 14, "no item `k6_3`"),
        ("{0: 低, 5: 高}", "{1: 低, 5: 高}", 12, "bands begin at 0"),
        ("level: 2", "level: 9", 14, "from 0 to 4"),
        ("wording: own", "wording: official", 6, "none of published"),
        ("name: K6", "title: K6", 4, "unknown key `title`"),
        ("{0: 从不, 1: 偶尔, 2: 有时, 3: 经常, 4: 总是}", "{0: 从不}", 7, "fewer than two answers"),
        ("k6_1: {text", "k6_1: {only_if: k6_9, text", 9, "no other item"),
    ],
)
def test_what_is_wrong_in_a_sites_file_is_said_with_line_and_mend(
    tmp_path: Path, wrong: str, right: str, line: int, says: str
) -> None:
    file = own(tmp_path)
    text = file.read_text(encoding="utf-8")
    assert wrong in text
    file.write_text(text.replace(wrong, right, 1), encoding="utf-8")
    with pytest.raises(InstrumentError, match=re.escape(says)) as trouble:
        load_instruments(tmp_path)
    assert f"{file}:{line}: " in str(trouble.value)


def test_a_site_may_word_ours_anew_but_takes_no_floor_away(tmp_path: Path) -> None:
    text = (FOLDER / "cssrs.yaml").read_text(encoding="utf-8")
    worded = text.replace("第1题：希望自己死去}", "第一题（官方措辞）}")
    file = tmp_path / "cssrs.yaml"
    file.write_text(_summed(tmp_path, worded), encoding="utf-8")
    with pytest.raises(InstrumentError, match="another `version`"):
        load_instruments(tmp_path)
    worded = worded.replace("version: 1", "version: 100")
    file.write_text(_summed(tmp_path, worded), encoding="utf-8")
    assert load_instruments(tmp_path)["cssrs"].items["cssrs_1"].text == "第一题（官方措辞）"
    dropped = re.sub(r"  - \{item: cssrs_4.*\n", "", worded)
    file.write_text(_summed(tmp_path, dropped), encoding="utf-8")
    with pytest.raises(InstrumentError, match="floor of `cssrs_4` from 1 to level 1 is gone"):
        load_instruments(tmp_path)


def test_the_checksum_covers_everything_that_decides() -> None:
    text = (FOLDER / "phq9.yaml").read_text(encoding="utf-8")
    assert len({checksum_of(changed) for changed in _variants(PHQ)} | {PHQ.checksum}) == 5
    assert PHQ.checksum in text


def _variants(one: Instrument) -> list[Instrument]:
    first = next(iter(one.items.values()))
    return [
        replace(one, items={**one.items, first.id: replace(first, text="别的")}),
        replace(one, may_miss=3),
        replace(one, floors=one.floors[1:]),
        replace(one, bands=one.bands[1:]),
    ]


def _summed(folder: Path, text: str) -> str:
    """Return a definition with the checksum it ought to have."""
    scratch = folder / "scratch"
    scratch.write_text(re.sub(r"(?m)^checksum: .*$", "checksum: x", text), encoding="utf-8")
    with pytest.raises(InstrumentError) as trouble:
        read_instrument(scratch)
    right = re.search(r"[0-9a-f]{64}", str(trouble.value))
    assert right is not None
    return re.sub(r"(?m)^checksum: .*$", f"checksum: {right[0]}", text)
