"""What a record's answers come to: a floor, why, and whether the safety plan is called for (R13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.case_rules import ruling
from callcenter.domain.instruments import load_instruments
from callcenter.domain.levels import Level
from callcenter.domain.risk import Finding, RiskAnswers, finding
from callcenter.domain.wording import diagnostic_words
from callcenter.errors import Refused

ALL = load_instruments()
YES_NO = ("acting", "plan_soon", "attempt_lately", "thoughts")
RATINGS = st.one_of(st.none(), st.integers(0, 100))


def found(**more: object) -> Finding:
    return finding(RiskAnswers(asked=True, **more), ALL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        *(("acting", Level.IMMINENT), ("plan_soon", Level.HIGH)),
        *(("attempt_lately", Level.HIGH), ("thoughts", Level.MEDIUM)),
    ],
)
def test_r13_each_answer_stands_for_its_level_at_least(answer: str, level: Level) -> None:
    assert found(**{answer: True}).level is level


@pytest.mark.parametrize(
    ("intent", "level"),
    [
        *(((None, 49), None), ((None, 50), Level.HIGH), ((90, 10), None)),
        *(((90, None), Level.HIGH), ((None, None), None), ((0, 100), Level.HIGH)),
    ],
)
def test_r13_intent_at_the_end_of_the_call_and_at_the_start_if_nobody_asked_again(
    intent: tuple[int | None, int | None], level: Level | None
) -> None:
    assert found(intent=intent).level is level


def test_the_line_of_intent_is_the_sites() -> None:
    answers = RiskAnswers(asked=True, intent=(None, 30))
    assert finding(answers, ALL, end_intent=30).level is Level.HIGH


@pytest.mark.parametrize("intent", [(-1, None), (None, 101)])
def test_a_rating_off_the_scale_is_refused(intent: tuple[int | None, int | None]) -> None:
    with pytest.raises(Refused, match="0 至 100"):
        found(intent=intent)


def test_a_question_that_was_not_asked_is_never_no_danger() -> None:
    silent = finding(RiskAnswers(asked=False), ALL)
    assert silent.level is None
    assert "不等于没有危险" in silent.reasons[-1]
    assert finding(RiskAnswers(asked=False, scores={"beijing": 9}), ALL).level is Level.HIGH


def test_r13_the_safety_plan_is_called_for_from_level_2_on() -> None:
    assert found(thoughts=True).needs_plan
    assert found(items={"phq9": {"phq9_9": 1}}).needs_plan
    assert found(given=Level.HIGH).needs_plan
    assert not found(given=Level.GENERAL).needs_plan
    assert not found().needs_plan


def test_an_instrument_answered_and_taken_over_too_is_refused() -> None:
    with pytest.raises(Refused, match="phq9"):
        found(items={"phq9": {"phq9_1": 1}}, scores={"phq9": 3})


def test_r13_what_stayed_unclear_is_told_as_unclear_and_counts_as_thoughts() -> None:
    unclear = found(thoughts=True, unclear=frozenset({"thoughts"}))
    assert (unclear.level, unclear.reasons) == (Level.MEDIUM, ("轻生念头没有说清，按有处理",))
    plan = found(unclear=frozenset({"plan_soon"}))
    assert plan.level is Level.MEDIUM
    assert "没有说清" in plan.reasons[0]
    both = found(plan_soon=True, unclear=frozenset({"thoughts", "attempt_lately"}))
    assert both.level is Level.HIGH


def test_r13_a_total_that_hides_item_9_is_never_no_danger_until_somebody_tells_the_item() -> None:
    hidden = found(scores={"phq9": 14})
    assert hidden.level is Level.MEDIUM
    assert "第9题不明" in hidden.reasons[0]
    assert hidden.needs_plan
    with pytest.raises(Refused, match="理由"):
        ruling(hidden, RiskAnswers(asked=True, given=Level.GENERAL))
    assert found(scores={"phq9": 14}, items={"phq9": {"phq9_9": 0}}).level is None
    assert found(scores={"phq9": 14}, items={"phq9": {"phq9_9": 3}}).reasons == (
        "PHQ-9 第9题有不如死掉或伤害自己的念头",
    )


@pytest.mark.parametrize(("total", "level"), [(0, None), (1, Level.MEDIUM), (27, Level.MEDIUM)])
def test_a_total_at_an_end_of_its_scale_tells_every_item(total: int, level: Level | None) -> None:
    told = found(scores={"phq9": total})
    assert told.level is level
    assert any("不明" in reason for reason in told.reasons) is (total == 1)


@pytest.mark.parametrize(("total", "nine"), [(2, 3), (27, 0)])
def test_a_total_that_item_9_contradicts_is_refused(total: int, nine: int) -> None:
    with pytest.raises(Refused, match="对不上"):
        found(scores={"phq9": total}, items={"phq9": {"phq9_9": nine}})


def test_a_scale_that_has_no_sum_takes_over_none() -> None:
    with pytest.raises(Refused, match="没有总分"):
        found(scores={"cssrs": 0})


@given(st.lists(st.sampled_from(YES_NO), unique=True), RATINGS, RATINGS, st.sampled_from(YES_NO))
def test_one_more_sign_of_danger_never_improves_the_level(
    signs: list[str], start: int | None, end: int | None, more: str
) -> None:
    before = found(**dict.fromkeys(signs, True), intent=(start, end)).level
    after = found(**dict.fromkeys([*signs, more], True), intent=(start, end)).level
    assert after is not None
    assert before is None or after <= before


@given(
    st.lists(st.sampled_from(YES_NO), unique=True),
    st.one_of(st.none(), st.sampled_from(Level)),
    st.sampled_from(["", "已向家人核实"]),
)
def test_r12_a_person_never_ends_below_what_was_found_without_a_reason(
    signs: list[str], given_level: Level | None, reason: str
) -> None:
    answers = RiskAnswers(asked=True, **dict.fromkeys(signs, True), given=given_level, given_reason=reason)  # type: ignore[arg-type]
    told = finding(answers, ALL)
    milder = given_level is not None and told.level is not None and given_level > told.level
    if milder and not reason:
        with pytest.raises(Refused, match="理由"):
            ruling(told, answers)
        return
    ruled = ruling(told, answers)
    if told.level is not None and told.level.is_high:
        assert ruled.level is not None
        assert ruled.level <= told.level
        assert ruled.lower_to == (given_level if milder else None)


@given(st.lists(st.sampled_from(YES_NO), unique=True), RATINGS)
def test_reasons_are_sentences_without_a_diagnosis(signs: list[str], end: int | None) -> None:
    told = found(**dict.fromkeys(signs, True), intent=(None, end), items={"phq9": {"phq9_9": 3}})
    assert told.reasons
    assert [word for reason in told.reasons for word in diagnostic_words(reason)] == []
