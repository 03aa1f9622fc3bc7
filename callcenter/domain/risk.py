"""Risk: the level of a person's danger, and what a record's assessment comes to.

A score is a floor, never a ceiling (NICE NG225: scales neither predict nor ration): software raises a
level, only a person lowers it, with a reason (R12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from callcenter.domain.instruments import Instrument
from callcenter.domain.levels import Level, worst
from callcenter.domain.scoring import Scored, instrument_of, score, taken_over
from callcenter.errors import Refused

__all__ = ["END_INTENT", "Assessment", "Finding", "Level", "RiskAnswers", "finding", "scored", "worst"]

#: From this intent on (0-100), rated at the end of the call, the danger is high (R13).
END_INTENT = 50
#: What the answers themselves say, worst first: attribute, the level it stands for at least, and why.
#: The first sets level 0; the next two are Beijing's rule, any one of them.
_SAID = (
    ("acting", Level.IMMINENT, "正在实施自杀行为，或数小时内可能实施"),
    ("plan_soon", Level.HIGH, "有72小时内实施的计划"),
    ("attempt_lately", Level.HIGH, "最近两周内有过自杀行为"),
    ("thoughts", Level.MEDIUM, "有自杀的想法"),
)
#: The same, where the answer stayed unclear.
_UNCLEAR = {
    "plan_soon": "有没有72小时内的计划没有说清，至少按有念头处理",
    "attempt_lately": "最近两周有没有行动没有说清，至少按有念头处理",
    "thoughts": "轻生念头没有说清，按有处理",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskAnswers:
    """What a record says about danger, in the words of no particular form."""

    #: False: the question could not be asked, for a listed reason (R9). That is never "no danger".
    asked: bool
    #: An attempt in progress, or to be expected within hours.
    acting: bool = False
    thoughts: bool = False
    #: A plan to act within 72 hours; an attempt within the past two weeks (Beijing's rule, any one: high).
    plan_soon: bool = False
    attempt_lately: bool = False
    #: 0-100 at the start and at the end of the call; None: not rated.
    distress: tuple[int | None, int | None] = (None, None)
    hope: tuple[int | None, int | None] = (None, None)
    intent: tuple[int | None, int | None] = (None, None)
    #: Instrument -> item id -> answer; and instrument -> a score taken over from outside.
    items: Mapping[str, Mapping[str, int]] = field(default_factory=dict, repr=False)
    scores: Mapping[str, float] = field(default_factory=dict, repr=False)
    #: The level the counsellor gives. Lower than what the answers come to only with a reason (R12).
    given: Level | None = None
    given_reason: str = field(default="", repr=False)
    #: When the person agreed to be contacted again, whatever the level.
    follow_up_at: datetime | None = None
    #: Which of `thoughts`, `plan_soon`, `attempt_lately` stayed unclear: counts as thoughts, told as unclear.
    unclear: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What the answers come to: a floor, and why; and whether the safety plan is called for (R13)."""

    level: Level | None
    reasons: tuple[str, ...] = ()
    needs_plan: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """One instrument's answers and what they come to, or a score taken over from outside."""

    id: str
    session: str
    person: str
    #: `phq9`, ...; the version and checksum are those of the definition it was scored by.
    instrument: str
    version: str
    checksum: str
    #: Item id -> answer. Empty for instruments of which only the score may be kept.
    answers: Mapping[str, int] = field(default_factory=dict, repr=False)
    #: None: too many items are missing to say (never a sum over part of them).
    score: float | None = field(default=None, repr=False)
    band: str = field(default="", repr=False)
    #: The floor it sets; None: says nothing about danger.
    level: Level | None = field(default=None, repr=False)
    by: str
    at: datetime
    revision: int = 0


def finding(
    answers: RiskAnswers, instruments: Mapping[str, Instrument], *, end_intent: int = END_INTENT
) -> Finding:
    """Return the worst of what the answers and every instrument say, with the reasons (R12, R13).

    A question that was not asked says nothing: it is never "no danger". Raises `Refused` for an unknown
    instrument, item, answer or rating.
    """
    found = [*_said(answers), *_intent(answers.intent, end_intent)]
    for one in scored(answers, instruments):
        if one.level is not None:
            found += [(one.level, reason) for reason in one.reasons]
    level = min((level for level, _ in found), default=None)
    reasons = tuple(reason for _, reason in sorted(found, key=lambda entry: entry[0]))
    at_least = worst(level, answers.given)
    return Finding(
        level=level,
        reasons=reasons if answers.asked else (*reasons, "没有问到自杀危险：不等于没有危险"),
        needs_plan=at_least is not None and at_least <= Level.MEDIUM,
    )


def scored(answers: RiskAnswers, instruments: Mapping[str, Instrument]) -> tuple[Scored, ...]:
    """Return what each instrument comes to.

    Beside a total taken over may stand the answers that set a floor by themselves, and no others: raises
    `Refused` for these.
    """
    asked = [
        score(instrument_of(instruments, name), given)
        for name, given in answers.items.items()
        if given and name not in answers.scores
    ]
    brought = [
        taken_over(instrument_of(instruments, name), found, answers.items.get(name))
        for name, found in answers.scores.items()
    ]
    return (*asked, *brought)


def _said(answers: RiskAnswers) -> list[tuple[Level, str]]:
    """Judge what was said; what stayed unclear counts as thoughts at least, and is not said to be known."""
    said = {name: (level, why) for name, level, why in _SAID if getattr(answers, name)}
    # `thoughts` may have been set because it is unclear; no other may.
    unclear = answers.unclear - (said.keys() - {"thoughts"})
    return [*{**said, **{name: (Level.MEDIUM, _UNCLEAR[name]) for name in sorted(unclear)}}.values()]


def _intent(intent: tuple[int | None, int | None], end_intent: int) -> list[tuple[Level, str]]:
    """Judge the newest rating: who was not asked again at the end is still as they were at the start."""
    for rating in intent:
        if rating is not None and not 0 <= rating <= 100:
            raise Refused("求死意愿的评分应在 0 至 100 之间。")
    start, end = intent
    if end is not None:
        return [(Level.HIGH, f"通话结束时求死意愿 {end} 分")] if end >= end_intent else []
    if start is not None and start >= end_intent:
        return [(Level.HIGH, f"通话开始时求死意愿 {start} 分，结束时没有再问")]
    return []
