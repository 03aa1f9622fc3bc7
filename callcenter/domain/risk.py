"""Risk: the level of a person's danger, and what a record's assessment comes to.

A score is a floor, never a ceiling (NICE NG225: scales neither predict nor ration): software raises a
level, only a person lowers it, with a reason (R12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum


class Level(IntEnum):
    """How great the danger is. Smaller is worse, so `min` is the worse of two."""

    #: An attempt in progress, or to be expected within hours.
    IMMINENT = 0
    HIGH = 1
    MEDIUM = 2
    GENERAL = 3
    INFORMATION = 4

    @property
    def is_high(self) -> bool:
        """Tell whether the rules for high risk hold ("level <= 1" in the rules)."""
        return self <= Level.HIGH


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
