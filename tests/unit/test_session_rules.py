"""What the rules refuse of a record, whatever form it is written on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_desk import DANGER, FULL, desk

from callcenter.domain.levels import Level
from callcenter.domain.scoring import parse_answers
from callcenter.domain.session_rules import marks, tips
from callcenter.domain.session_words import NOT_ASKED, PLAN_STEPS, RATINGS
from callcenter.service.sessions.writing import Examined, RecordRefused, examine

DESK = desk()
FORM = DESK.form
HIGH = {**FULL, **DANGER}
RISK = ("risk_asked", "not_asked_reason", "thoughts", "plan_soon", "attempt_lately", "acting")


def looked_at(answers: dict[str, Any]) -> Examined:
    return examine(FORM, DESK, answers)


def refused(answers: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with it, by field."""
    with pytest.raises(RecordRefused) as caught:
        looked_at(answers)
    return {wrong.field: wrong.text for wrong in caught.value.wrongs}


def without(answers: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in answers.items() if name not in names}


# --- R9 -------------------------------------------------------------------------------------


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "risk_asked": st.sampled_from([True, False, "是", "否", "1", "2"]),
            "not_asked_reason": st.sampled_from([*NOT_ASKED, "太忙", "来电者不想说", "", "1", "9"]),
            **{
                name: st.sampled_from(["否认", "没有说清", "", None])
                for name in ("thoughts", "plan_soon", "attempt_lately")
            },
            "acting": st.sampled_from(["否", "", None]),
        },
    ),
    st.sampled_from(["正常受理", "信息咨询", "沉默", "误拨", "骚扰", "短挂", "转12356", "转110/120"]),
)
def test_r9_no_record_passes_without_the_question_or_a_listed_reason(risk: dict[str, Any], kind: str) -> None:
    plan_too = {step: "有" for step in PLAN_STEPS}
    answers = {**without(FULL, *RISK, "kind"), **plan_too, **risk, "kind": kind}
    try:
        kept = looked_at(answers).answers
    except RecordRefused:
        return
    if kept["risk_asked"]:
        assert {"thoughts", "plan_soon", "attempt_lately", "acting"} <= kept.keys()
        assert "not_asked_reason" not in kept
    else:
        assert kept["not_asked_reason"] in NOT_ASKED
        assert not (kept["not_asked_reason"] == "非服务来电" and kind in {"正常受理", "转12356", "转110/120"})


@pytest.mark.parametrize("reason", ["来电者先挂断", "技术中断"])
def test_r9_a_caller_who_left_first_is_a_reason_and_never_no_danger(reason: str) -> None:
    found = looked_at(
        {**without(FULL, *RISK, "level_given"), "risk_asked": False, "not_asked_reason": reason}
    )
    assert found.risk.asked is False
    assert found.finding.level is None
    assert any("不等于没有危险" in why for why in found.finding.reasons)


def test_r9_the_rules_hold_also_on_a_form_that_asks_for_nothing() -> None:
    from callcenter.domain.form_file import FORMS, parse_form

    lax = parse_form(
        "\n".join(
            line
            for line in (FORMS / "session.yaml").read_text(encoding="utf-8").split("\n")
            if "required" not in line
        ),
        "lax",
    )
    for answers in ({}, {"kind": "正常受理"}, {"risk_asked": False}, {"risk_asked": True}):
        with pytest.raises(RecordRefused) as caught:
            examine(lax, DESK, answers)
        assert {wrong.field for wrong in caught.value.wrongs} & {"risk_asked", "not_asked_reason"}


# --- levels and the safety plan ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["thoughts", "plan_soon", "attempt_lately"])
def test_what_stayed_unclear_counts_as_thoughts(name: str) -> None:
    denied = {"thoughts": "否认", "plan_soon": "否认", "attempt_lately": "否认", "level_given": "中危"}
    assert looked_at({**HIGH, **denied}).finding.level is None
    assert looked_at({**HIGH, **denied, name: "没有说清"}).finding.level is Level.MEDIUM


def test_a_level_below_what_the_answers_come_to_needs_a_reason() -> None:
    assert "至少为「高危」" in refused({**HIGH, "level_given": "一般"})["level_reason"]
    lower = looked_at({**HIGH, "level_given": "一般", "level_reason": "农药已经交出去,妻子今晚在家陪着。"})
    assert lower.finding.level is Level.HIGH
    assert lower.risk.given is Level.GENERAL


def test_a_worse_level_needs_no_reason() -> None:
    assert (
        looked_at({**FULL, **{step: "有" for step in PLAN_STEPS}, "level_given": "中危"}).risk.given
        is Level.MEDIUM
    )


@pytest.mark.parametrize("step", PLAN_STEPS)
def test_a_safety_plan_has_all_its_steps_or_a_reason(step: str) -> None:
    assert FORM.fields[step].label in refused(without(HIGH, step))[step]
    assert looked_at({**without(HIGH, step), "plan_not_made": "来电者先挂断"})


def test_the_ninth_item_of_a_scale_counts_however_it_is_named() -> None:
    for item in ("9", "phq9_9"):
        given = {**HIGH, "plan_soon": "否认", "thoughts": "否认", "level_given": "中危"}
        given["instruments"] = [{"instrument": "phq9", "items": f"{item}=1"}]
        found = looked_at(given)
        assert found.finding.level is Level.MEDIUM
        assert found.risk.items == {"phq9": {"phq9_9": 1}}


def test_r13_a_total_that_hides_the_ninth_item_calls_for_it_and_takes_it_beside_the_total() -> None:
    denied = {"thoughts": "否认", "plan_soon": "否认", "attempt_lately": "否认", "level_given": "一般"}
    hidden = {**HIGH, **denied, "instruments": [{"instrument": "phq9", "score": 14}]}
    assert "第9题不明" in refused(hidden)["level_reason"]
    told = {**hidden, "instruments": [{"instrument": "phq9", "score": 14, "items": "9=0"}]}
    assert looked_at(told).finding.level is None


def test_what_stayed_unclear_is_not_told_as_said() -> None:
    denied = {"thoughts": "否认", "plan_soon": "没有说清", "attempt_lately": "否认", "level_given": "中危"}
    assert "有自杀的想法" not in looked_at({**HIGH, **denied}).finding.reasons


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([{"instrument": "phq8", "items": "1=1"}], "phq8"),
        ([{"instrument": "phq9", "items": "77=1"}], "77"),
        ([{"instrument": "phq9", "items": "1=9"}], "答案"),
        ([{"instrument": "phq9"}], "逐题答案"),
        ([{"instrument": "phq9", "items": "1=1", "score": 3}], "只写一样"),
        ([{"instrument": "scl90", "score": 100}, {"instrument": "scl90", "score": 99}], "写了两次"),
    ],
)
def test_a_scale_nobody_can_score_is_refused(groups: list[dict[str, Any]], words: str) -> None:
    assert words in refused({**FULL, "instruments": groups})["instruments"]


# --- actions, minors, words --------------------------------------------------------------------


def test_planned_is_not_done_and_done_has_something_to_show() -> None:
    planned = {"text": "去劳动监察大队", "state": "计划"}
    assert looked_at({**FULL, "actions": [planned]})
    assert "要写凭据" in refused({**FULL, "actions": [{**planned, "state": "完成"}]})["actions"]
    assert looked_at({**FULL, "actions": [{**planned, "state": "完成", "evidence": "受理回执"}]})


MINOR = {**FULL, "age_band": "不满14岁", "occupation": "学生", "abuse": True}


def test_r18_a_minor_and_suspected_abuse_bring_up_the_duty_to_report() -> None:
    assert "疑似" in refused(without(MINOR, "abuse"))["abuse"]
    owed = refused(MINOR)
    assert "立即报告" in owed["report_to"]
    assert "督导" in owed["report_supervisor"]
    told = {"report_supervisor": True}
    assert "report_to" in refused({**MINOR, **told, "report_to": ["公安机关"]})
    assert looked_at({**MINOR, **told, "report_to": ["公安机关"], "report_at": "当晚 21:40"})
    assert looked_at({**MINOR, **told, "report_why_not": "还不知道孩子在哪里,督导正在联系学校。"})


def test_r18_nothing_is_owed_where_nobody_was_hurt_or_nobody_is_a_minor() -> None:
    assert looked_at({**MINOR, "abuse": False})
    assert "abuse" in refused({**FULL, "abuse": True})
    assert marks(MINOR) == ("不满14岁的未成年人:个人信息属敏感信息",)


@pytest.mark.parametrize("name", ["judgement", "summary", "level_reason"])
def test_a_judgement_diagnoses_nobody_not_even_in_quotes(name: str) -> None:
    for text in ("考虑抑郁症", "他说「我有抑郁症」"):
        assert "诊断用语" in refused({**FULL, name: text})[name]
    assert looked_at({**FULL, name: "情绪低落,建议就医"})


@pytest.mark.parametrize("step", PLAN_STEPS)
def test_a_safety_plan_is_in_the_callers_own_words(step: str) -> None:
    assert "放进「」" in refused({**HIGH, step: "双相情感障碍发作时"})[step]
    assert looked_at({**HIGH, step: "「医生说的抑郁症又来了」的时候"})


def test_facts_may_quote_what_the_caller_said() -> None:
    assert looked_at({**FULL, "facts": "他说「医生说我是抑郁症」。"})
    assert "放进「」" in refused({**FULL, "facts": "他有抑郁症。"})["facts"]


def test_an_exposed_rescuer_gets_a_hint_that_concludes_nothing() -> None:
    rescuer = looked_at({**FULL, "occupation": "消防应急救援", "exposed_to_incident": True}).answers
    assert "职业病诊断机构" in tips(rescuer)[0]
    assert tips(FULL) == ()
    assert "exposed_to_incident" in refused({**FULL, "exposed_to_incident": True})


def test_a_third_party_says_who_they_are_to_the_person() -> None:
    assert "relation" in refused({**FULL, "caller_type": "第三方"})
    assert "relation" in refused({**FULL, "relation": "家属"})
    assert looked_at({**FULL, "caller_type": "第三方", "relation": "工会干部"})


# --- what fresh eyes found ------------------------------------------------------------------------


@pytest.mark.parametrize("items", [{"9": 3, "phq9_9": 0}, {"phq9_9": 0, "9": 3}, "9=3 phq9_9=0"])
def test_one_item_answered_under_two_names_is_refused_and_never_collapses(items: Any) -> None:
    given = {**FULL, "instruments": [{"instrument": "phq9", "items": items}]}
    assert "「phq9_9」写了两次" in refused(given)["instruments"]


@pytest.mark.parametrize("reason", ["。", "……", "    。。。。", "无", "aaaa", "、、、、、、"])
def test_a_full_stop_is_no_reason_for_a_lower_level(reason: str) -> None:
    assert "至少 4 个字" in refused({**HIGH, "level_given": "一般", "level_reason": reason})["level_reason"]


def test_a_full_stop_is_no_reason_for_not_reporting_nor_a_proof_of_having_done() -> None:
    minor = {**MINOR, "report_supervisor": True}
    assert "report_to" in refused({**minor, "report_why_not": "。。。。"})
    assert "report_to" in refused({**minor, "report_to": ["公安机关"], "report_at": "。"})
    done = {"text": "去劳动监察大队", "state": "完成", "evidence": "。"}
    assert "要写凭据" in refused({**FULL, "actions": [done]})["actions"]


@pytest.mark.parametrize("name", RATINGS)
def test_whether_the_call_helped_is_rated_at_both_ends_or_it_says_that_nobody_asked(name: str) -> None:
    assert name in refused(without(FULL, name))
    assert looked_at({**FULL, name: "没有问到"}).answers[name] == "没有问到"
    assert "0 至 100" in refused({**FULL, name: "没问"})[name]
    unasked = {**without(FULL, *RISK, *RATINGS, "level_given"), "risk_asked": False}
    assert looked_at({**unasked, "not_asked_reason": "来电者先挂断"})


def test_an_intent_nobody_asked_for_is_no_rating() -> None:
    found = looked_at({**FULL, "intent_start": "没有问到", "intent_end": "没有问到"})
    assert found.risk.intent == (None, None)


@pytest.mark.parametrize("name", ["thoughts", "plan_soon", "attempt_lately"])
def test_what_stayed_unclear_is_told_as_unclear(name: str) -> None:
    assert looked_at({**HIGH, name: "没有说清"}).risk.unclear == {name}
    assert looked_at(HIGH).risk.unclear == frozenset()


def test_an_answer_of_a_scale_is_written_the_same_way_everywhere() -> None:
    """As `hotline cases score` reads it: by a short or a whole name, as a number or in its own words."""
    words = ("9=1 1=2", "phq9_9=1 phq9_1=2", "9\uff1d好几天 1=2")
    for items in words:
        group = {"instrument": "phq9", "items": items}
        found = looked_at(
            {**FULL, "instruments": [group], "level_given": "中危", "plan_not_made": "来电者不愿"}
        )
        assert found.risk.items == {"phq9": {"phq9_9": 1, "phq9_1": 2}}
        assert parse_answers(DESK.instruments["phq9"], items.split()) == found.risk.items["phq9"]
        assert all(isinstance(one, int) for one in found.answers["instruments"][0]["items"].values())
    wrong = {"instrument": "phq9", "items": "9=常常"}
    assert "答案" in refused({**FULL, "instruments": [wrong]})["instruments"]
