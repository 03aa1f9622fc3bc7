"""Stops the dialler when the fault is the network's or ours (R27)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.obligations import Result

#: `BLOCKED_BY_RULE` is free too, but it is a rule at work, not a fault. One vacant number is a fact
#: about a person; several in a row are a fault of our routing, and must not spoil everybody's file.
FAULTS = frozenset({Result.NETWORK_CONGESTION, Result.OWN_FAULT, Result.VACANT})


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """Trips after more than `allowed` faults in a row; lets one call try again after `rest`."""

    allowed: int = 3
    rest: timedelta = timedelta(minutes=15)

    def faults(self, outcomes: Iterable[tuple[datetime, Result]]) -> int:
        """Return how many faults in a row stop the dialler until a call works; 0 while they do not."""
        row = self._row(outcomes)
        return len(row) if len(row) > self.allowed else 0

    def closes_at(self, outcomes: Iterable[tuple[datetime, Result]]) -> datetime | None:
        """Return until when no call may go out, or None if the breaker has not tripped.

        `outcomes` are recent attempts, when and how, in any order. One that worked ends the row.
        """
        row = self._row(outcomes)
        return row[-1] + self.rest if len(row) > self.allowed else None

    def _row(self, outcomes: Iterable[tuple[datetime, Result]]) -> list[datetime]:
        row: list[datetime] = []
        for at, result in sorted(outcomes):
            row = [*row, at] if result in FAULTS else []
        return row
