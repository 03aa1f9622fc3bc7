"""How great a person's danger is, in five levels."""

from __future__ import annotations

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


def worst(*levels: Level | None) -> Level | None:
    """Return the worst of the levels that are known; None if none is."""
    return min((level for level in levels if level is not None), default=None)


#: As people read them, the number first: that is what they type.
LEVEL_WORDS: dict[int, str] = {
    Level.IMMINENT: "0 紧急",
    Level.HIGH: "1 高危",
    Level.MEDIUM: "2 中危",
    Level.GENERAL: "3 一般",
    Level.INFORMATION: "4 咨询",
}
