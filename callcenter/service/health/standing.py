"""How a serving process stands: what it can see of the line, and what the ledger holds. No personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import Direction, Outcome
from callcenter.ports import Member, UnitOfWork
from scheduler.obligations import Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What the store holds, counted at `at`. Days are the site's."""

    at: datetime
    #: Today's calls that ended, the PBX's own left out.
    calls: Mapping[tuple[Direction, Outcome], int]
    calls_open: int
    #: Rows of the journal that nobody could read.
    unread_rows: int
    due: int
    #: Those of them whose end has passed.
    overdue: int
    #: Today's attempts that have a result.
    attempts: Mapping[Result, int]
    in_doubt: int
    alarms: Mapping[AlarmKind, int]
    #: Bytes of the PBX's journal that are not in the store; None: it is not on this machine.
    journal_behind: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One process at one instant. None: nobody here can tell, or it is not this process's to do."""

    connected: bool
    #: Since how long the store cannot be read, or what the journal says cannot be stored.
    store_away: timedelta = timedelta(0)
    #: Loops that must turn and do not.
    late: tuple[str, ...] = ()
    #: Since when each loop has been in its present round, or at rest after it.
    loop_ages: Mapping[str, timedelta] = field(default_factory=dict)
    #: As counted last; None: not yet, or the store is away.
    counts: Counts | None = None
    follows_roster: bool | None = None
    trunk_up: bool | None = None
    #: How many sit in the queue, by what they do (`seat_of`).
    seats: Mapping[str, int] | None = None
    waiting: int | None = None
    #: How much of the journal's disk is free, 0 to 1.
    disk_free: float | None = None
    leads: bool | None = None

    @property
    def checks(self) -> Mapping[str, bool]:
        """Return what must hold for this process to do its work, by name. A standby scheduler is ready."""
        found = {
            "loops": not self.late,
            "store": self.counts is not None and not self.store_away,
            "telephony": self.connected,
        }
        return found if self.follows_roster is None else found | {"roster": self.follows_roster}


#: What somebody in the queue does.
SEATS = ("free", "talking", "paused", "unreachable")


def seat_of(member: Member) -> str:
    """Return which of `SEATS` somebody in the queue is."""
    if not member.reachable:
        return "unreachable"
    if member.in_call:
        return "talking"
    return "paused" if member.paused else "free"


def count(work: UnitOfWork, now: datetime, midnight: datetime) -> Counts:
    """Count what the store holds, today's since `midnight` at the site."""
    until = now + timedelta(seconds=1)
    calls = [c for c in work.calls.between(midnight, until) if c.direction is not Direction.INTERNAL]
    tries = [result for _, _, result in work.figures.tries_between(midnight, until)]
    due, overdue = work.figures.owed(now)
    return Counts(
        at=now,
        calls=Counter((c.direction, c.outcome) for c in calls if not c.is_open),
        calls_open=sum(c.direction is not Direction.INTERNAL for c in work.calls.open_calls()),
        unread_rows=work.journal.unread_count(),
        due=due,
        overdue=overdue,
        attempts=Counter(result for result in tries if result is not None),
        in_doubt=len(work.debts.attempts_in_doubt()),
        alarms=Counter(alarm.kind for alarm in work.alarms.open()),
    )
