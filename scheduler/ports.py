"""What the dispatcher needs of the world: a ledger, a dialler, a clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from scheduler.gates import Gate, Line, Situation
from scheduler.obligations import Attempt, Obligation, Result

#: Returns an aware instant.
Clock = Callable[[], datetime]


class Ledger(Protocol):
    """The durable record. Each method is one transaction of its own, and blocks (called in a thread)."""

    def candidates(self, now: datetime, limit: int) -> Sequence[str]:
        """Return ids of obligations worth asking about now, the most urgent first (R29)."""
        ...

    def overview(self, now: datetime, line: Line | None) -> Situation | None:
        """Return a situation good enough for the gates of the line; None when nothing is owed."""
        ...

    def claim(self, obligation_id: str, owner: str, now: datetime, until: datetime) -> Obligation:
        """Lease it by compare-and-set, or raise `LeaseLost`."""
        ...

    def situation(self, claimed: Obligation, now: datetime, line: Line | None) -> Situation:
        """Read everything the gates ask, fresh, after the claim."""
        ...

    def release(self, claimed: Obligation, next_at: datetime | None) -> None:
        """Give it back; a lease that is no longer ours is left alone."""
        ...

    def refused(self, obligation_id: str | None, gates: Sequence[Gate], now: datetime) -> None:
        """Keep which gates refused last: one obligation, or (None) everything that is due; none: nothing."""
        ...

    def begin(self, claimed: Obligation, attempt: Attempt) -> None:
        """Write the attempt, before any dialling; raise `LeaseLost` if the lease is no longer ours."""
        ...

    def placed(self, attempt_id: str, now: datetime) -> None:
        """Keep that the telephone took the order, whatever became of the attempt since."""
        ...

    def settle(self, attempt_id: str, result: Result, now: datetime) -> None:
        """Write how an attempt ended that the network never saw, and give its obligation back."""
        ...


class Dialler(Protocol):
    """The telephone, as far as one attempt is concerned."""

    async def line(self, caller: str | None = None) -> Line:
        """Return the live line; raise `LineUnreachable` if it cannot be seen.

        `caller`: who is about to dial, and so takes no call of anybody else's.
        """
        ...

    async def place(self, attempt: Attempt) -> None:
        """Hand the attempt to the network under its own id.

        Raise `PlacingFailed` if it surely did not go out, `LineUnreachable` if nobody can tell.
        """
        ...
