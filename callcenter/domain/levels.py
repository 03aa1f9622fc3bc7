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
