"""What lies ahead: which calls the dialler will place, and what will be late at the present pace.

Pure arithmetic over values. A look ahead assumes: what it assumed stands beside what it says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush

from scheduler.gates import Gate, Line, Situation, Verdict, ask_again_at, check, refusals
from scheduler.obligations import BY_IVR, Attempt, Mode, Result
from scheduler.our_numbers import number_for

#: How long a call that nobody answers holds its channel.
_HELD = timedelta(minutes=1)
#: A refused debt is asked about again no sooner.
_STEP = timedelta(minutes=1)


# --- tonight -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """A call that would be placed."""

    at: datetime
    obligation: str
    #: 1-based within the obligation, earlier attempts counted.
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A debt that no (further) call would be placed for before the end, and the gates that say so."""

    obligation: str
    gates: tuple[Gate, ...]
    #: When it is worth asking again; None: when something changes.
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What the dialler would do, if every call ended as assumed and no caller rang in."""

    tries: tuple[Try, ...]
    held: tuple[Held, ...]


def simulate(
    situations: Sequence[Situation], *, until: datetime, line: Line, assume: Result = Result.NO_ANSWER
) -> Outlook:
    """Return what the dialler would do until `until`, asking every gate as it would.

    `situations` stand in the dispatcher's order and were read at one instant; `line` is what the site has
    when nobody rings in.
    """
    return _Night(situations, until, line, assume).passed()


class _Night:
    """One simulated stretch of time."""

    def __init__(self, situations: Sequence[Situation], until: datetime, line: Line, assume: Result) -> None:
        self._now = list(situations)
        self._until, self._line, self._assume = until, line, assume
        self._agenda = [(s.now, place) for place, s in enumerate(self._now)]
        self._busy_until: list[datetime] = []
        self._dialled: list[Attempt] = []
        self._tries: list[Try] = []
        self._held: list[Held] = []

    def passed(self) -> Outlook:
        """Let the time pass."""
        while self._agenda:
            at, place = heappop(self._agenda)
            self._ask(at, place)
        return Outlook(tries=tuple(self._tries), held=tuple(self._held))

    def _ask(self, at: datetime, place: int) -> None:
        situation = self._as_of(at, place)
        refused = refusals(check(situation))
        if not refused:
            self._dial(at, situation)
            if self._assume is not Result.REACHED_SELF_IVR_OK:  # that would keep it
                heappush(self._agenda, (at + _STEP, place))
            return
        again = _again(refused, at)
        if again is None or again > self._until:
            gates = tuple(v.gate for v in refused)
            self._held.append(Held(obligation=situation.obligation.id, gates=gates, until=again))
        else:
            heappush(self._agenda, (max(again, at + _STEP), place))

    def _as_of(self, at: datetime, place: int) -> Situation:
        self._busy_until = [end for end in self._busy_until if end > at]
        free = self._line.free_channels - len(self._busy_until)
        before = self._now[place]
        return replace(before, now=at, line=replace(self._line, free_channels=free))

    def _dial(self, at: datetime, situation: Situation) -> None:
        n = max((a.n for a in situation.attempts), default=0) + 1
        self._tries.append(Try(at=at, obligation=situation.obligation.id, n=n))
        self._busy_until.append(at + _HELD)
        made = Attempt(
            id=f"outlook-{len(self._tries)}",
            obligation=situation.obligation.id,
            n=n,
            planned_at=at,
            by=BY_IVR,
            dialled_at=at,
            result=self._assume,
            settled_at=at + _HELD,
            did=number_for(situation),
        )
        self._now = [self._after(one, made, situation.obligation.person) for one in self._now]

    def _after(self, one: Situation, made: Attempt, person: str) -> Situation:
        """Return a situation in which that call was placed: from our number, perhaps to that person."""
        counted = one.with_call(made)
        if one.obligation.id == made.obligation:
            return replace(counted, attempts=(*one.attempts, made))
        if one.obligation.person == person:
            theirs = replace(one.person, attempts=(*one.person.attempts, made))
            return replace(counted, person=theirs)
        return counted


def _again(refused: Sequence[Verdict], at: datetime) -> datetime | None:
    """Return when to ask again; None if one of the gates opens only when something changes."""
    return None if any(v.retry_at is None for v in refused) else ask_again_at(refused, at)


# --- the coming weeks ----------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Contacts that are owed alike: `count` of them, from `due` on, a breach after `end`."""

    mode: Mode
    #: The person agreed to automated calls.
    consented: bool
    due: datetime
    end: datetime
    count: int

    @property
    def by_machine(self) -> bool:
        """Tell whether a machine may keep them."""
        return self.mode is Mode.IVR_OK and self.consented


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Contacts that succeed on a day: by machine on days that allow automation, by people on workdays."""

    machine: float
    people: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What becomes of what falls due by `until`, at a pace."""

    until: date
    owed: int
    #: Of them: past their end already now, and past it when their turn comes.
    late_now: int
    late: int
    #: Contacts by people each workday with which no more would be late than is now; None: none is enough.
    needed: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """The days ahead, as far as work goes by them."""

    today: date
    until: date
    is_workday: Callable[[date], bool]
    may_automate: Callable[[date], bool]
    #: The day of an instant at the site.
    day_of: Callable[[datetime], date] = field(repr=False)

    def each(self) -> Iterator[date]:
        """Yield the days from today to the last."""
        return (self.today + timedelta(days=n) for n in range((self.until - self.today).days + 1))


def forecast(loads: Sequence[Load], pace: Pace, days: Days) -> Forecast:
    """Return how much will be late by the last day: the earliest end first, every day (EDF).

    Contacts whose end lies after the last day are not counted late, and do take their turn.
    """
    late_now = sum(one.count for one in loads if days.day_of(one.end) < days.today)
    late = _late(loads, pace, days)
    return Forecast(
        until=days.until,
        owed=sum(one.count for one in loads),
        late_now=late_now,
        late=late,
        needed=_needed(loads, pace, days, late_now) if late > late_now else pace.people,
    )


def _needed(loads: Sequence[Load], pace: Pace, days: Days, late_now: int) -> float | None:
    """Return the least pace of people, to a quarter of a contact a day, at which nothing more is late."""
    most = max(1, sum(one.count for one in loads)) * 4
    if _late(loads, replace(pace, people=most / 4), days) > late_now:
        return None
    low, high = math.floor(pace.people * 4), most
    while high - low > 1:
        middle = (low + high) // 2
        if _late(loads, replace(pace, people=middle / 4), days) > late_now:
            low = middle
        else:
            high = middle
    return high / 4


def _late(loads: Sequence[Load], pace: Pace, days: Days) -> int:
    """Count what is late: kept after its end, or not kept by the last day although its end is over."""
    return _Work(loads, pace, days).late()


class _Work:
    """The days' work, the earliest end first."""

    def __init__(self, loads: Sequence[Load], pace: Pace, days: Days) -> None:
        self._pace, self._days = pace, days
        self._loads = sorted(loads, key=lambda one: (one.end, one.due, not one.by_machine))
        self._left = [one.count for one in self._loads]
        self._late = 0

    def late(self) -> int:
        """Return how many are late at the end."""
        people = machine = 0.0
        for day in self._days.each():
            people += self._pace.people if self._days.is_workday(day) else 0.0
            machine += self._pace.machine if self._days.may_automate(day) else 0.0
            self._keep(day, int(machine), only_machine=True)
            self._keep(day, int(people), only_machine=False)
            # Nobody works with hours that were not used yesterday; a part of a contact is one tomorrow.
            people, machine = people % 1, machine % 1
        ended = zip(self._loads, self._left, strict=True)
        return self._late + sum(left for one, left in ended if self._end(one) <= self._days.until)

    def _keep(self, day: date, most: int, *, only_machine: bool) -> None:
        for place, one in enumerate(self._loads):
            if most == 0:
                return
            if self._days.day_of(one.due) > day or (only_machine and not one.by_machine):
                continue
            took = min(self._left[place], most)
            self._left[place] -= took
            most -= took
            self._late += took if self._end(one) < day else 0

    def _end(self, one: Load) -> date:
        return self._days.day_of(one.end)
