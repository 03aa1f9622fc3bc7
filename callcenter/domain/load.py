"""How much of the line's load each of those on shift has had: who had less is rung first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

#: A talk with somebody in danger counts so many times.
HEAVY = 2
#: So much more than whoever had least is one step.
STEP = timedelta(minutes=10)
#: Dialplan keeps the tens for missed rings.
MOST = 9


def weight(talk: timedelta, *, is_heavy: bool) -> timedelta:
    """Return what a talk counts."""
    return talk * HEAVY if is_heavy else talk


def loads(taken: Mapping[str, timedelta], shares: Mapping[str, int]) -> dict[str, int]:
    """Return 0 to 9 per agent: by how many steps they had more than whoever had least.

    `taken`: weighed talk of each agent this shift. `shares`: per cent of a full share, full where none is
    given: who is to take half of it is as loaded by half the talk.
    """
    carried = {agent: talk * 100 / max(1, shares.get(agent, 100)) for agent, talk in taken.items()}
    least = min(carried.values(), default=timedelta(0))
    return {agent: min(MOST, (has - least) // STEP) for agent, has in carried.items()}
