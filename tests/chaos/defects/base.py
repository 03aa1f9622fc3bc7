"""What a defect is: words of the product that are changed, and a round that catches it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """Words of one file, which stand there exactly once, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """What is changed, all of it at once, and the shortest round known to catch it."""

    name: str
    changes: tuple[Change, ...]
    #: Faults of the round; none: calls alone.
    faults: str
    #: Invariants, any of which catches it.
    caught_by: tuple[str, ...]
    seed: int = 1
    seconds: float = 15.0
    store: str = "sqlite"
