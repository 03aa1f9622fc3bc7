"""What lies ahead: which calls the dialler will place, and what will be late at the present pace.

Pure arithmetic over values. A look ahead assumes: what it assumed stands beside what it says.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from scheduler.dispatcher import PAGE
from scheduler.gates import Gate, Line, Situation, Verdict, ask_again_at, check, check_line, refusals
from scheduler.ladder import REACHED, next_step
from scheduler.obligations import BY_IVR, Attempt, Mode, Obligation, Result
from scheduler.our_numbers import number_for

#: How long a call holds its channel.
_HELD = timedelta(minutes=1)
#: The line's gates that say themselves when they open; of the others nobody knows.
_BY_THE_CLOCK = frozenset({Gate.HOLIDAY, Gate.OUTSIDE_WINDOW})


# --- tonight -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A debt the dialler asks about, in the situation it will be in if nobody does anything more."""

    as_of: Callable[[datetime], Situation]
    #: When something ends of which no gate knows the end: that somebody wants no calls.
    changes: tuple[datetime, ...] = ()


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
    debts: Sequence[Asked],
    *,
    start: datetime,
    until: datetime,
    line: Line,
    assume: Result = Result.NO_ANSWER,
    every: timedelta = timedelta(minutes=1),
) -> Outlook:
    """Return what the dialler would do until `until`, going its rounds as it would.

    `debts` stand in the dispatcher's order, read at `start`; `line` is what the site has when nobody rings
    in; a round comes `every` so often.
    """
    return _Night([_Debt(one, start) for one in debts], start, until, line, assume, every).passed()


class _Debt:
    """A debt as it changes by what the dialler does."""

    def __init__(self, asked: Asked, start: datetime) -> None:
        self.asked = asked
        self.one: Obligation = asked.as_of(start).obligation
        self._start = start
        self.next_at = self.one.next_at
        self.made: list[Attempt] = []
        #: Kept, or refused until something changes.
        self.is_over = self.is_kept = False
        self.refused: tuple[Verdict, ...] = ()
        self.again: datetime | None = None

    @property
    def ready_at(self) -> datetime:
        """Return from when a round takes it up."""
        held = self.one.lease is not None and self.one.lease.holds(self._start)
        lease = self.one.lease.until if self.one.lease and held else None
        waits = (self.next_at, self.one.snoozed_until, lease)
        return max([self.one.due_at, *(at for at in waits if at is not None)])

    def refuse(self, refused: tuple[Verdict, ...], at: datetime) -> None:
        """Keep which gates refused it, and when it is worth asking again."""
        self.refused = refused
        more = any(change > at for change in self.asked.changes)
        self.is_over = any(v.retry_at is None for v in refused) and not more
        self.again = None if self.is_over else ask_again_at(refused, at)


class _Night:
    """One simulated stretch of time, round by round."""

    def __init__(
        self,
        debts: Sequence[_Debt],
        start: datetime,
        until: datetime,
        line: Line,
        assume: Result,
        every: timedelta,
    ) -> None:
        self._debts, self._line, self._assume = debts, line, assume
        self._start, self._until, self._every = start, until, every
        self._under_way: list[tuple[datetime, _Debt]] = []
        self._dialled: dict[str, list[tuple[_Debt, Attempt]]] = {}
        self._shown = dict(debts[0].asked.as_of(start).shown or {}) if debts else {}
        self._tries: list[Try] = []

    def passed(self) -> Outlook:
        """Let the time pass."""
        at: datetime = self._start
        while at <= self._until:
            self._end_calls(at)
            opens = self._round(at)
            at = self._next_round(at, opens)
        held = tuple(self._held(one) for one in self._debts if not one.is_kept)
        return Outlook(tries=tuple(self._tries), held=held)

    def _round(self, at: datetime) -> datetime:
        """Go through what is due until the line refuses; return the instant before which it does."""
        ready = [one for one in self._debts if not one.is_over and one.ready_at <= at]
        for place, one in enumerate(ready[:PAGE]):
            situation = self._as_of(at, one)
            if shut := refusals(check_line(situation)):
                return self._shut(shut, ready[place:], at)
            if not self._is_rung(one.one.person):
                self._ask(at, one, situation)
        return at

    def _shut(self, shut: tuple[Verdict, ...], behind: Sequence[_Debt], at: datetime) -> datetime:
        opens = max((v.retry_at or at for v in shut if v.gate in _BY_THE_CLOCK), default=at)
        for one in behind:
            # What kept it back all day says more than that the day is over.
            if opens <= self._until or not one.refused:
                one.refuse(shut, at)
                one.is_over = False
        return opens

    def _ask(self, at: datetime, one: _Debt, situation: Situation) -> None:
        refused = refusals(check(situation))
        if refused:
            one.refuse(refused, at)
            one.next_at = ask_again_at(refused, at)
        else:
            self._dial(at, one, situation)

    def _next_round(self, at: datetime, opens: datetime) -> datetime:
        """Return the next round at which anything can happen."""
        waits = [one.ready_at for one in self._debts if not one.is_over]
        ends = [end for end, _ in self._under_way]
        soonest = max(opens, min((*waits, *ends), default=self._until + self._every))
        rounds = math.ceil((soonest - self._start) / self._every)
        return max(at + self._every, self._start + rounds * self._every)

    def _as_of(self, at: datetime, one: _Debt) -> Situation:
        now = one.asked.as_of(at)
        calls = self._dialled.get(one.one.person, [])
        theirs = [attempt for debt, attempt in calls if debt is not one]
        alike = [a for debt, a in calls if debt.one.kind is one.one.kind and a.result in REACHED]
        person = replace(
            now.person,
            attempts=(*now.person.attempts, *theirs),
            answered=(*now.person.answered, *(a.at for a in alike)),
            knows=calls[-1][1].did if calls else now.person.knows,
        )
        return replace(
            now,
            now=at,
            obligation=replace(now.obligation, next_at=one.next_at),
            attempts=(*now.attempts, *one.made),
            person=person,
            line=replace(self._line, free_channels=self._line.free_channels - len(self._under_way)),
            shown=None if now.shown is None else self._shown,
        )

    def _is_rung(self, person: str) -> bool:
        return any(one.one.person == person for _, one in self._under_way)

    def _dial(self, at: datetime, one: _Debt, situation: Situation) -> None:
        n = max((a.n for a in situation.attempts), default=0) + 1
        did = number_for(situation)
        self._tries.append(Try(at=at, obligation=one.one.id, n=n))
        self._under_way.append((at + _HELD, one))
        self._shown = {**self._shown, did: (*self._shown.get(did, ()), at)}
        made = Attempt(
            id=f"outlook-{len(self._tries)}",
            obligation=one.one.id,
            n=n,
            planned_at=at,
            by=BY_IVR,
            dialled_at=at,
            did=did,
        )
        one.refused, one.again = (), None
        self._keep(one, made)
        one.next_at = at + _HELD

    def _keep(self, one: _Debt, made: Attempt) -> None:
        """Write an attempt, or what became of it."""
        one.made = [*(a for a in one.made if a.id != made.id), made]
        calls = self._dialled.get(one.one.person, [])
        others = [(debt, a) for debt, a in calls if a.id != made.id]
        self._dialled[one.one.person] = [*others, (one, made)]

    def _end_calls(self, at: datetime) -> None:
        for end, one in [call for call in self._under_way if call[0] <= at]:
            self._under_way.remove((end, one))
            self._keep(one, replace(one.made[-1], result=self._assume, settled_at=end))
            if self._assume is Result.REACHED_SELF_IVR_OK:
                one.is_over = one.is_kept = True
                continue
            one.next_at = self._ladder_says(self._as_of(at, one))

    def _ladder_says(self, s: Situation) -> datetime | None:
        rules, calendar = s.rules, s.rules.calendar_for(s.person.answered)
        step = next_step(
            s.obligation, s.attempts, windows=rules.windows, calendar=calendar, limits=rules.limits
        )
        return step.not_before

    def _held(self, one: _Debt) -> Held:
        """Say why it is not dialled; of one that no round took up, why it was not at the end."""
        if not one.refused:
            one.refuse(refusals(check(self._as_of(self._until, one))), self._until)
        again = one.again if one.again is not None and one.again > self._until else None
        return Held(obligation=one.one.id, gates=tuple(v.gate for v in one.refused), until=again)


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
    in_time: float | None
    #: The same, with which what is late now is kept by the last day too.
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
    """Return how much will be late by the last day.

    Every day what can still be in time comes first, the earliest end before the others (EDF); what is late
    already comes after it. Contacts whose end lies after the last day are not counted late, and do take
    their turn.
    """
    late_now = sum(one.count for one in loads if days.day_of(one.end) < days.today)

    def keeps_time(people: float) -> bool:
        return _Work(loads, replace(pace, people=people), days).done().late <= late_now

    def keeps_all(people: float) -> bool:
        return _Work(loads, replace(pace, people=people), days).done() == _Done(late=late_now, behind=0)

    most = max(1, sum(one.count for one in loads))
    return Forecast(
        until=days.until,
        owed=sum(one.count for one in loads),
        late_now=late_now,
        late=_Work(loads, pace, days).done().late,
        in_time=_least(keeps_time, pace.people, most),
        needed=_least(keeps_all, pace.people, most),
    )


def _least(is_enough: Callable[[float], bool], present: float, most: int) -> float | None:
    """Return the least pace of people that is enough, to a quarter of a contact; the present if it is."""
    if is_enough(present):
        return present
    if not is_enough(most):
        return None
    low, high = math.floor(present * 4), most * 4
    while high - low > 1:
        middle = (low + high) // 2
        if is_enough(middle / 4):
            high = middle
        else:
            low = middle
    return high / 4


@dataclass(frozen=True, kw_only=True, slots=True)
class _Done:
    """What is late at the end: kept after its end, or over and not kept; and of it what is not kept."""

    late: int
    behind: int


class _Work:
    """The days' work."""

    def __init__(self, loads: Sequence[Load], pace: Pace, days: Days) -> None:
        self._pace, self._days = pace, days
        self._loads = sorted(loads, key=lambda one: (one.end, one.due, not one.by_machine))
        self._ends = [days.day_of(one.end) for one in self._loads]
        self._dues = [days.day_of(one.due) for one in self._loads]
        self._left = [one.count for one in self._loads]
        self._late = 0

    def done(self) -> _Done:
        """Work through the days; return what is late after the last."""
        people = machine = 0.0
        for day in self._days.each():
            people += self._pace.people if self._days.is_workday(day) else 0.0
            machine += self._pace.machine if self._days.may_automate(day) else 0.0
            self._keep(day, int(machine), only_machine=True)
            self._keep(day, int(people), only_machine=False)
            # Nobody works with hours that were not used yesterday; a part of a contact is one tomorrow.
            people, machine = people % 1, machine % 1
        ended = zip(self._ends, self._left, strict=True)
        behind = sum(left for end, left in ended if end <= self._days.until)
        return _Done(late=self._late + behind, behind=behind)

    def _keep(self, day: date, most: int, *, only_machine: bool) -> None:
        # The loads stand by their ends: those that are late come first, and take their turn last.
        late = bisect_left(self._ends, day)
        for place in (*range(late, len(self._loads)), *range(late)):
            if most == 0:
                return
            by_machine = self._loads[place].by_machine
            if self._dues[place] > day or (only_machine and not by_machine):
                continue
            took = min(self._left[place], most)
            self._left[place] -= took
            most -= took
            self._late += took if place < late else 0
