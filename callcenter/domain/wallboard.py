"""What a wallboard shows, as values: callers, people at the line, and how today went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callcenter.domain.alarms import AlarmKind
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.listening import ListenMode

#: Lines of the government in China answer within so long.
IN_TIME = timedelta(seconds=15)
#: Whoever leaves this soon may have misdialled: counted apart.
SHORT = timedelta(seconds=5)
#: R11: after this a soft word, and never anything that ends a talk.
LONG_TALK = timedelta(minutes=50)


class At(StrEnum):
    """Where a caller is."""

    WAITING = "waiting"
    RINGING = "ringing"
    TALKING = "talking"
    #: Hears the line's own voice: the greeting, a menu, a piece to listen to.
    LISTENING = "listening"


class Priority(StrEnum):
    """Why a caller stands before others."""

    NONE = ""
    #: A case at level 0 or 1.
    AT_RISK = "at_risk"
    #: It was agreed with them.
    AGREED = "agreed"
    #: They are owed a call.
    OWED = "owed"
    #: One of these; which one is not for whoever looks.
    SOME = "some"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ear:
    """A supervisor who listens to a talk at this moment."""

    by: str
    mode: ListenMode


@dataclass(frozen=True, kw_only=True, slots=True)
class OnLine:
    """A call that goes on."""

    id: str
    at: At
    since: datetime
    direction: Direction
    #: Masked; None: there is none.
    number: str | None
    #: Who talks with them, or is rung for them.
    who: tuple[str, ...] = ()
    priority: Priority = Priority.NONE
    #: R11: a word that it has been long, where nobody is in danger.
    is_long: bool = False
    ears: tuple[Ear, ...] = ()


class Standing(StrEnum):
    """What somebody at the line does."""

    FREE = "free"
    RINGING = "ringing"
    TALKING = "talking"
    #: The moment after a talk in which nobody rings them.
    WRAP_UP = "wrap_up"
    PAUSED = "paused"
    NOT_SIGNED_ON = "not_signed_on"
    #: They signed off before their shift is over.
    LEFT = "left"
    #: R47: a hard call is to be talked over first.
    DEBRIEF = "debrief"
    #: At home: rung when nobody at the line answers.
    ON_CALL = "on_call"


@dataclass(frozen=True, kw_only=True, slots=True)
class OnBoard:
    """Somebody who is planned for now."""

    agent: str
    #: Masked.
    name: str
    #: `line`, `backup` or `supervisor`.
    kind: str
    standing: Standing
    #: Since when, as far as that is known; of somebody who is not there: when their shift began.
    since: datetime | None = None
    #: Why they rest (`callcenter.domain.duty.PauseReason`); empty where that is not for whoever looks.
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """Something nobody has taken on by name: a crisis, a hand-over, an alarm."""

    kind: AlarmKind
    id: str
    since: datetime
    #: Who asks, and of whom.
    agent: str = ""
    to: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Today:
    """How callers fared since midnight. Each offered call that is settled counts once (P3)."""

    offered: int = 0
    answered: int = 0
    #: Of those, within `IN_TIME` of being offered.
    in_time: int = 0
    #: Left within `SHORT`; not among `abandoned`.
    short: int = 0
    abandoned: int = 0
    overflowed: int = 0
    promised: int = 0
    failed: int = 0

    @property
    def service_level(self) -> float | None:
        """Return answered within 15 s ÷ (offered − left within 5 s); None where nobody called."""
        counted = self.offered - self.short
        return self.in_time / counted if counted else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """The whole wallboard at an instant."""

    at: datetime
    calls: tuple[OnLine, ...] = ()
    people: tuple[OnBoard, ...] = ()
    pending: tuple[Pending, ...] = ()
    today: Today = Today()
    surge_until: datetime | None = None
    #: Bytes of the journal that were written and not read yet; None: it is not on this machine.
    unread: int | None = None

    def of(self, at: At) -> tuple[OnLine, ...]:
        """Return the calls at one place, whoever has been there longest first."""
        return tuple(sorted((c for c in self.calls if c.at is at), key=lambda c: (c.since, c.id)))


def today_of(calls: Iterable[CallRecord]) -> Today:
    """Count the calls of a day. Callers who still wait are not settled and count nowhere yet."""
    offered = [c for c in calls if c.direction is Direction.INBOUND and c.offered_at is not None]
    answered = [c for c in offered if c.answered_at is not None]
    lost = [c for c in offered if c.answered_at is None]
    left = [c for c in lost if c.outcome is Outcome.ABANDONED]
    short = [c for c in left if c.wait is not None and c.wait <= SHORT]
    settled = [c for c in lost if not c.is_open]
    return Today(
        offered=len(answered) + len(settled),
        answered=len(answered),
        in_time=sum(c.wait is not None and c.wait <= IN_TIME for c in answered),
        short=len(short),
        abandoned=len(left) - len(short),
        overflowed=sum(c.outcome is Outcome.OVERFLOWED for c in lost),
        promised=sum(c.outcome is Outcome.PROMISED for c in lost),
        failed=sum(c.outcome is Outcome.SYSTEM_FAILURE for c in lost),
    )


def place_of(call: CallRecord) -> tuple[At, datetime]:
    """Return where the caller of an open call is, and since when."""
    if call.answered_at is not None and call.parted_at is None:
        return At.TALKING, call.answered_at
    came = call.parted_at or call.offered_at
    if came is None:
        return At.LISTENING, call.started_at
    if ringing(call):
        return At.RINGING, came
    # Whoever was in somebody's company may stand in the queue again, or hear the last words.
    waits = call.parted_at is None or call.path[-1:] == ("queue",)
    return (At.WAITING if waits else At.LISTENING), came


def ringing(call: CallRecord) -> tuple[str, ...]:
    """Return whose phones ring for a call."""
    return tuple(one.removesuffix("=rung") for one in call.rung if one.endswith("=rung"))
