"""What a record's answers mean to the line: who is counselled, how great the danger is, what is owed.

Pure. The form asks; these rules hold whatever form a site writes (R9, R12, R16, R18).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any

from callcenter.domain.forms import Answers, FieldKind, Form, Wording, Wrong
from callcenter.domain.instruments import Instrument
from callcenter.domain.levels import Level
from callcenter.domain.reasons import SHORTEST, explains
from callcenter.domain.risk import Finding, RiskAnswers
from callcenter.domain.session_words import (
    CHILD,
    COUNSELLED,
    DONE,
    EXPOSED_TRADES,
    LEVELS,
    MINORS,
    NOT_A_SERVICE,
    NOT_ASKED,
    NOT_RATED,
    OPEN_UPTAKES,
    PLAN_STEPS,
    RATINGS,
    SERVED,
    THIRD_PARTY,
    UNCLEAR,
    YES,
)
from callcenter.domain.wording import diagnostic_words
from callcenter.errors import Refused

_MORNING = time(10)
#: What is asked about danger, and may stay unclear.
_ASKED = ("thoughts", "plan_soon", "attempt_lately")
#: So that quoted words are looked at like any other.
_UNQUOTED = str.maketrans("", "", "「」『』")


def risk_answers(answers: Answers, instruments: Mapping[str, Instrument], zone: tzinfo) -> RiskAnswers:
    """Return what a record says about danger. What stayed unclear counts as thoughts, never as none.

    Raises `Refused` for an item of a questionnaire that is answered twice.
    """
    unclear = frozenset(name for name in _ASKED if answers.get(name) == UNCLEAR)
    groups: list[Mapping[str, Any]] = answers.get("instruments", [])
    return RiskAnswers(
        asked=answers.get("risk_asked") is True,
        acting=answers.get("acting") == "是",
        thoughts=answers.get("thoughts") == YES,
        plan_soon=answers.get("plan_soon") == YES,
        attempt_lately=answers.get("attempt_lately") == YES,
        distress=_ends(answers, "distress"),
        hope=_ends(answers, "hope"),
        intent=_ends(answers, "intent"),
        items={
            name: _items(group, instruments)
            for group in groups
            if (name := _named(group)) and "items" in group
        },
        scores={_named(group): float(group["score"]) for group in groups if "score" in group},
        given=level_given(answers),
        given_reason=str(answers.get("level_reason", "")),
        follow_up_at=_agreed_at(answers, zone),
        unclear=unclear,
    )


def _agreed_at(answers: Answers, zone: tzinfo) -> datetime | None:
    """Return when the person agreed to be contacted again: in the morning of that day, at the site."""
    day = answers.get("follow_up_on")
    return datetime.combine(date.fromisoformat(day), _MORNING, zone) if day else None


def level_given(answers: Answers) -> Level | None:
    """Return the level the counsellor gave."""
    word = answers.get("level_given")
    return Level(LEVELS.index(word)) if word in LEVELS else None


def _ends(answers: Answers, what: str) -> tuple[int | None, int | None]:
    return _rated(answers.get(f"{what}_start")), _rated(answers.get(f"{what}_end"))


def _rated(value: object) -> int | None:
    """Return a rating; None if nobody was asked, whatever says so."""
    return value if isinstance(value, int) else None


def _named(group: Mapping[str, Any]) -> str:
    return str(group.get("instrument", "")).strip().lower()


def _items(group: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> dict[str, int]:
    """Return the answers by item id. `9=1` is short for `phq9_9=1`; raise `Refused` for both."""
    name = _named(group)
    known = instruments[name].items if name in instruments else {}
    answers: Mapping[str, int] = group["items"]
    found: dict[str, int] = {}
    for item, given in answers.items():
        whole = long if (long := f"{name}_{item}") in known else item
        if whole in found:
            raise Refused(f"量表 {name} 的「{whole}」写了两次(写成 {item} 的也是它),请只留一个。")
        found[whole] = given
    return found


def in_numbers(answers: Answers, instruments: Mapping[str, Instrument]) -> Answers:
    """Return a record whose questionnaires are answered in numbers, also where somebody wrote `9=好几天`.

    Words that are no answer of theirs stay: scoring refuses them.
    """
    if "instruments" not in answers:
        return answers
    groups = [_group_in_numbers(group, instruments) for group in answers["instruments"]]
    return {**answers, "instruments": groups}


def _group_in_numbers(group: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> Mapping[str, Any]:
    name = _named(group)
    if name not in instruments or "items" not in group:
        return group
    known = instruments[name].items
    found: dict[str, object] = {}
    for item, said in group["items"].items():
        of = known.get(item) or known.get(f"{name}_{item}")
        named = {says: value for value, says in of.options.items()} if of else {}
        found[item] = named.get(said, said)
    return {**group, "items": found}


# --- what a record says --------------------------------------------------------------------


def is_counselled(answers: Answers) -> bool:
    """Tell whether somebody was counselled, so that the record is about a person."""
    return answers.get("kind") in SERVED


def is_third_party(answers: Answers) -> bool:
    """Tell whether somebody else called about the person the record is about (R17)."""
    return answers.get("caller_type") == THIRD_PARTY


def marks(answers: Answers) -> tuple[str, ...]:
    """Return what whoever opens the record should see first."""
    found = []
    if answers.get("age_band") in MINORS:
        found.append("未成年人" if answers["age_band"] != CHILD else "不满14岁的未成年人:个人信息属敏感信息")
    if is_third_party(answers):
        found.append("第三方来电:不向来电者透露当事人是否来过电")
    return tuple(found)


def list_marks(answers: Answers) -> tuple[str, ...]:
    """Return the few words by which a list tells whoever may read a record what to mind."""
    return (
        *(["未成年"] if answers.get("age_band") in MINORS else []),
        *(["第三方"] if is_third_party(answers) else []),
        *(["待报告"] if owes_report(answers) else []),
    )


def is_reported(answers: Answers) -> bool:
    """Tell whether it stands there to whom suspected abuse was reported, and when (R18)."""
    when = str(answers.get("report_at", ""))
    return bool(answers.get("report_to")) and any(map(str.isalnum, when))


def owes_report(answers: Answers) -> tuple[str, ...]:
    """Return what is still owed to a minor of whom abuse is suspected: empty if nothing is (R18)."""
    if answers.get("age_band") not in MINORS or answers.get("abuse") is not True:
        return ()
    owed = [] if is_reported(answers) else ["还没有报告"]
    return (*owed, *(["督导未告知"] if answers.get("report_supervisor") is not True else []))


def tips(answers: Answers) -> tuple[str, ...]:
    """Return hints for the counsellor that follow from the answers. None of them concludes anything."""
    if answers.get("exposed_to_incident") is True and answers.get("occupation") in EXPOSED_TRADES:
        return ("处置过突发事件的人员,可以告诉对方:职业病诊断机构能受理相关咨询。这里不作任何结论。",)
    return ()


def open_referrals(answers: Answers) -> tuple[tuple[int, Mapping[str, Any]], ...]:
    """Return the referrals of which nobody knows yet whether they arrived, with their number (1-based)."""
    return tuple(
        (n, one)
        for n, one in enumerate(answers.get("referrals", ()), start=1)
        if one.get("uptake") in OPEN_UPTAKES
    )


# --- what is wrong with it -----------------------------------------------------------------


def check_session(form: Form, answers: Answers, found: Finding) -> tuple[Wrong, ...]:
    """Return what the rules refuse, each at its field with the mend."""
    return (
        *_risk_question(answers),
        *_ratings(form, answers),
        *_levels(answers, found),
        *_safety_plan(form, answers, found),
        *_actions(answers),
        *_instruments(answers),
        *_report(answers),
        *_wordings(form, answers),
    )


def _risk_question(answers: Answers) -> Iterator[Wrong]:
    """R9: asked, with every answer, or not asked for one of three reasons; nothing in between."""
    asked = answers.get("risk_asked")
    if asked is True:
        for name in (*_ASKED, "acting"):
            if name not in answers:
                yield Wrong(field="risk_asked", text="问过自杀危险的,念头、计划、行动、正在行动四项都要填。")
                return
        return
    if asked is None:
        yield Wrong(field="risk_asked", text="没有写是否问过自杀危险,不能提交。")
        return
    reason = answers.get("not_asked_reason")
    if reason not in NOT_ASKED:
        said = f"没有问自杀危险,只接受这些原因:{'、'.join(NOT_ASKED)}。"
        yield Wrong(field="not_asked_reason", text=said)
    elif reason == NOT_A_SERVICE and is_counselled(answers):
        said = f"「{answers['kind']}」的来电要问自杀危险,不能写「{NOT_A_SERVICE}」。"
        yield Wrong(field="not_asked_reason", text=said)


def _ratings(form: Form, answers: Answers) -> Iterator[Wrong]:
    """Whether the call helped is seen from what was rated at its start and its end; or it says: not asked."""
    if answers.get("kind") != COUNSELLED or answers.get("risk_asked") is not True:
        return
    for name in RATINGS:
        if name not in answers:
            said = f"「{form.fields[name].label}」没有填:写 0 至 100,没有问就写「{NOT_RATED}」。"
            yield Wrong(field=name, text=said)


def _levels(answers: Answers, found: Finding) -> Iterator[Wrong]:
    """R12: a level lower than what the answers come to is a person's decision, and has a reason."""
    given = level_given(answers)
    if given is None and answers.get("risk_asked") is True:
        yield Wrong(field="level_given", text="问过自杀危险的,要写危险等级。")
    if given is None or found.level is None or given <= found.level:
        return
    if explains(str(answers.get("level_reason", ""))):
        return
    said = (
        f"评估得出至少为「{LEVELS[found.level]}」({';'.join(found.reasons)})。"
        f"写得更低,要写理由,至少 {SHORTEST} 个字(标点不算)。"
    )
    yield Wrong(field="level_reason", text=said)


def _safety_plan(form: Form, answers: Answers, found: Finding) -> Iterator[Wrong]:
    """R13: from level 2 on the plan is made, all six steps, or it stands there why not."""
    if not found.needs_plan or "plan_not_made" in answers:
        return
    missing = [form.fields[step].label for step in PLAN_STEPS if step not in answers]
    if missing:
        owed = next(step for step in PLAN_STEPS if step not in answers)
        said = f"这样的危险要有安全计划,还缺:{'、'.join(missing)};没有做成,写明原因。"
        yield Wrong(field=owed, text=said)


def _actions(answers: Answers) -> Iterator[Wrong]:
    """Planned is not done: done has something to show for it."""
    for n, action in enumerate(answers.get("actions", ()), start=1):
        if action.get("state") == DONE and not any(map(str.isalnum, str(action.get("evidence", "")))):
            said = f"第 {n} 条行动写了「{DONE}」,要写凭据;还没有做的请写「计划」或「进行中」。"
            yield Wrong(field="actions", text=said)


def _instruments(answers: Answers) -> Iterator[Wrong]:
    seen: set[str] = set()
    for n, group in enumerate(answers.get("instruments", ()), start=1):
        name = _named(group)
        if name in seen:
            yield Wrong(field="instruments", text=f"第 {n} 条:「{name}」写了两次,请只留一条。")
        # Both: only where a total hides an item that sets a floor; `scored` refuses any other.
        if "items" not in group and "score" not in group:
            yield Wrong(field="instruments", text=f"第 {n} 条:请写逐题答案,或别处带来的总分。")
        seen.add(name)


def _report(answers: Answers) -> Iterator[Wrong]:
    """R18: the Law on the Protection of Minors, art. 11."""
    if answers.get("age_band") not in MINORS:
        return
    if "abuse" not in answers:
        yield Wrong(field="abuse", text="来电关系到未成年人,要写是否疑似受到侵害。")
    if answers.get("abuse") is not True:
        return
    if "report_supervisor" not in answers:
        yield Wrong(field="report_supervisor", text="疑似侵害未成年人:要写是否已告诉督导。")
    if not is_reported(answers) and not explains(str(answers.get("report_why_not", ""))):
        said = "疑似侵害未成年人必须立即报告:写明报告给谁、什么时间;还没有报告的,写明原因(至少四个字)。"
        yield Wrong(field="report_to", text=said)


def _wordings(form: Form, answers: Answers) -> Iterator[Wrong]:
    """R16: judgements and summaries diagnose nobody; facts may, in the caller's own words."""
    for name, value in answers.items():
        field = form.fields.get(name)
        if (
            field is None
            or field.kind not in (FieldKind.TEXT, FieldKind.LONG)
            or field.wording is Wording.FREE
        ):
            continue
        text = str(value)
        if words := diagnostic_words(text.translate(_UNQUOTED) if field.wording is Wording.PLAIN else text):
            may = ",或把来电者的原话放进「」" if field.wording is Wording.QUOTED else ""
            said = f"「{field.label}」里的「{'、'.join(words)}」是诊断用语,请改写成看到、听到的{may}。"
            yield Wrong(field=name, text=said)
