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

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is missing."""
        return not self.missing


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


def taken_over(instrument: Instrument, result: float) -> Scored:
    """Return what a score found elsewhere comes to. Raises `Refused` for one outside the scale."""
    if isinstance(result, bool) or not isinstance(result, (int, float)) or not math.isfinite(result):
        raise Refused(f"{instrument.name} 的分数要是一个数。")
    if not instrument.least <= result <= instrument.most:
        raise Refused(f"{instrument.name} 的分数应在 {instrument.least:g} 至 {instrument.most:g} 之间。")
    floors = [f for f in instrument.floors if _is_reached(f, instrument, {}, result)]
    return _scored(instrument, float(result), floors, ())


def parse_answers(instrument: Instrument, words: Iterable[str]) -> dict[str, int]:
    """Read `item=answer` words. Raises `Refused` naming the word that is wrong, or stands twice."""
    found: dict[str, int] = {}
    for word in words:
        item, sign, answer = word.partition("=")
        if not sign or not answer.isascii() or not answer.isdigit() or len(answer) > 3:
            raise Refused(f"“{word[:40]}” 看不懂：请写成 题目编号=答案，如 phq9_1=2。")
        if item in found:
            raise Refused(f"{item[:40]} 写了两次，请只留一个。")
        _check_answer(instrument, item, int(answer))
        found[item] = int(answer)
    return found


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
