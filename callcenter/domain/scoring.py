"""Scoring: from answers to a score, a band and a floor. By item id, never by position.

A form of which too much is missing has no score; what was answered still sets its floors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callcenter.domain.instruments import Floor, Instrument, Item
from callcenter.domain.levels import Level
from callcenter.errors import Refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """What an instrument's answers, or a score taken over, come to."""

    instrument: Instrument
    #: None: too many items are missing to say, or this instrument is not added up.
    score: float | None = field(default=None, repr=False)
    band: str = field(default="", repr=False)
    #: The floor; None: says nothing about danger.
    level: Level | None = field(default=None, repr=False)
    #: Sentences that say which floors were reached.
    reasons: tuple[str, ...] = field(default=(), repr=False)
    #: Items that should have been answered and were not.
    missing: tuple[str, ...] = ()


def score(instrument: Instrument, answers: Mapping[str, int]) -> Scored:
    """Score answers by item id. Raises `Refused` for an unknown item or an answer that is none of its own."""
    if not instrument.items:
        raise Refused(f"{instrument.name} 只登记结果分数，不逐题计分。")
    for item, answer in answers.items():
        _check_answer(instrument, item, answer)
    missing = tuple(i.id for i in instrument.items.values() if i.id not in answers and _is_due(i, answers))
    found = _total(instrument, answers, missing)
    floors = [f for f in instrument.floors if _is_reached(f, instrument, answers, found)]
    return _scored(instrument, found, floors, missing)


def taken_over(instrument: Instrument, result: float, known: Mapping[str, int] | None = None) -> Scored:
    """Return what a score found elsewhere comes to; `known`: answers of items that set a floor themselves.

    Such an item whose answer nobody tells is no "no": it counts as if it reached its floor, and is named as
    missing (R13). Raises `Refused` for a score outside the scale, or one that such answers contradict.
    """
    if isinstance(result, bool) or not isinstance(result, (int, float)) or not math.isfinite(result):
        raise Refused(f"{instrument.name} 的分数要是一个数。")
    if instrument.items and not instrument.sums:
        raise Refused(f"{instrument.name} 没有总分，请逐题登记。")
    if not instrument.least <= result <= instrument.most:
        raise Refused(f"{instrument.name} 的分数应在 {instrument.least:g} 至 {instrument.most:g} 之间。")
    answers = {**_forced(instrument, result), **_known(instrument, result, known or {})}
    unknown = tuple(item for item in alarming_items(instrument) if item not in answers)
    floors = [f for f in instrument.floors if _is_reached(f, instrument, answers, result)]
    floors += [_as_if(instrument, item) for item in unknown]
    return _scored(instrument, float(result), floors, unknown)


def alarming_items(instrument: Instrument) -> tuple[str, ...]:
    """Return the items whose answer alone may set a floor: a total does not tell them."""
    return tuple(item for item in instrument.items if any(f.item == item for f in instrument.floors))


def _known(instrument: Instrument, result: float, answers: Mapping[str, int]) -> Mapping[str, int]:
    """Return the answers told beside a total, checked: only items that set a floor, and not against it."""
    alarming = alarming_items(instrument)
    for item, answer in answers.items():
        _check_answer(instrument, item, answer)
        if item not in alarming:
            hint = f"（{'、'.join(alarming)} 可以和总分一起写）" if alarming else ""
            raise Refused(f"{instrument.id} 既有逐题答案又有外来分数，只写一样{hint}。")
    rest = [i.options for i in instrument.items.values() if i.id not in answers]
    told = sum(answers.values())
    low, high = ((told + sum(map(pick, rest))) * instrument.times for pick in (min, max))
    if answers and not low <= result <= high:
        raise Refused(f"{instrument.name} 的总分 {result:g} 和 {'、'.join(answers)} 的答案对不上，请核对。")
    return answers


def _forced(instrument: Instrument, result: float) -> dict[str, int]:
    """Return what the least and the greatest total tell of every item."""
    ends = {instrument.least: min, instrument.most: max}
    pick = ends.get(result)
    return {} if pick is None else {item.id: pick(item.options) for item in instrument.items.values()}


def _as_if(instrument: Instrument, item: str) -> Floor:
    worst = min((f for f in instrument.floors if f.item == item), key=lambda f: f.level)
    said = f"{instrument.name} 只有总分，{_called(instrument.items[item])}不明，按有处理：请补上这一题的答案"
    return Floor(item=item, at=worst.at, level=worst.level, says=said)


def _called(item: Item) -> str:
    number = item.id.rpartition("_")[2]
    return f"第{number}题" if number.isdigit() else f"“{item.text}”"


def parse_answers(instrument: Instrument, words: Iterable[str]) -> dict[str, int]:
    """Read `item=answer` words: `phq9_9=1`, for short `9=1`, or the answer in its own words, `9=好几天`.

    Raises `Refused` naming the word that is wrong, or stands twice.
    """
    found: dict[str, int] = {}
    for word in words:
        short, sign, said = word.replace("＝", "=", 1).partition("=")
        if not sign or not short or not said:
            raise Refused(f"“{word[:40]}” 看不懂：请写成 题目编号=答案，如 phq9_1=2。")
        long = f"{instrument.id}_{short}"
        item = long if long in instrument.items else short
        if item in found:
            raise Refused(f"{item[:40]} 写了两次，请只留一个。")
        found[item] = _answer(instrument, item, said, word)
    return found


def _answer(instrument: Instrument, item: str, said: str, word: str) -> int:
    options = instrument.items[item].options if item in instrument.items else {}
    named = next((value for value, says in options.items() if says == said), None)
    if named is not None:
        return named
    if not said.isascii() or not said.isdigit() or len(said) > 3:
        known = "、".join(f"{value}（{says}）" for value, says in sorted(options.items()))
        hint = f"答案是其中之一：{known}。" if known else "请写成 题目编号=答案，如 phq9_1=2。"
        raise Refused(f"“{word[:40]}” 看不懂：{hint}")
    _check_answer(instrument, item, int(said))
    return int(said)


def instrument_of(instruments: Mapping[str, Instrument], name: str) -> Instrument:
    """Return an instrument by id. Raises `Refused` for one nobody knows."""
    if name not in instruments:
        raise Refused(f"没有名为 {name[:40]} 的量表。现有：{'、'.join(instruments)}。")
    return instruments[name]


def _check_answer(instrument: Instrument, item: str, answer: object) -> None:
    if item not in instrument.items:
        raise Refused(f"{instrument.name} 没有题目 {item[:40]}。题目编号：{'、'.join(instrument.items)}。")
    options = instrument.items[item].options
    if isinstance(answer, bool) or not isinstance(answer, int) or answer not in options:
        known = "、".join(f"{value}（{says}）" for value, says in sorted(options.items()))
        raise Refused(f"{item} 的答案应是其中之一：{known}。")


def _is_due(item: Item, answers: Mapping[str, int]) -> bool:
    """Tell whether it should have been asked: a "no" before it may make it needless."""
    return not item.only_if or answers.get(item.only_if, 1) != 0


def _total(instrument: Instrument, answers: Mapping[str, int], missing: tuple[str, ...]) -> float | None:
    if not instrument.sums or len(missing) > instrument.may_miss or not answers:
        return None
    total = sum(answers.values()) * instrument.times
    if not missing:
        return float(total)
    # Prorated: each missing answer counts as the average of those given. A half is rounded up.
    return float(math.floor(total * len(instrument.items) / len(answers) + 0.5))


def _is_reached(
    floor: Floor, instrument: Instrument, answers: Mapping[str, int], total: float | None
) -> bool:
    found = answers.get(floor.item) if floor.item else total
    if found is None:
        return False
    # Only a score may be of the kind that is worse the lower it is.
    return found <= floor.at if instrument.worse == "low" and not floor.item else found >= floor.at


def _scored(
    instrument: Instrument, found: float | None, floors: list[Floor], missing: tuple[str, ...]
) -> Scored:
    return Scored(
        instrument=instrument,
        score=found,
        band="" if found is None else instrument.band_of(found),
        level=min((f.level for f in floors), default=None),
        reasons=tuple(f.says for f in sorted(floors, key=lambda f: f.level)),
        missing=missing,
    )
