"""Where a plan falls short (R44): one sweep over the edges of shifts, needs and hours. Pure.

How many are at the line is asked of each instant in a span; what is asked of one person (two shifts at
a time, nights in a row, being fit) of every shift that touches it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, groupby
from operator import attrgetter, itemgetter
from typing import TypeVar

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_rules import Fault, Ground, Lack, Staff
from callcenter.domain.roster import Need

_T = TypeVar("_T")
_ORDER = {lack: place for place, lack in enumerate(Lack)}
#: R44: two seats, a supervisor, no backup, where no need says otherwise.
USUAL = (2, 1, 0)
#: A night somebody was at the line for less of is none: an evening shift ends in it.
_PART_OF_A_NIGHT = timedelta(hours=2)


def faults(shifts: Sequence[Shift], start: datetime, end: datetime, ground: Ground) -> tuple[Fault, ...]:
    """Return what is wrong with a plan in [start, end), by time.

    `shifts` may reach beyond the span: nights in a row are counted over all of them.
    """
    if start >= end:
        return ()
    found = [
        *coverage_faults(shifts, start, end, ground),
        *_overlaps(shifts, start, end),
        *_nights(shifts, start, end, ground),
        *_unfit(shifts, start, end, ground.staff),
    ]
    return tuple(sorted(found, key=lambda f: (f.start, _ORDER[f.lack], f.end, sorted(f.agents))))


# --- how many there are ------------------------------------------------------------------------


def coverage_faults(
    shifts: Iterable[Shift], start: datetime, end: datetime, ground: Ground
) -> Iterator[Fault]:
    """Yield where too few people are planned in [start, end), each stretch as long as can be."""
    line = _Line(ground=ground)
    running: dict[Lack, tuple[datetime, frozenset[str]]] = {}
    changes = sorted(_changes(shifts, start, end, ground), key=itemgetter(0))
    for moment, together in groupby(changes, key=itemgetter(0)):
        for _, what, by in together:
            line.change(what, by)
        lacks = line.lacks() if moment < end else {}
        for lack in [lack for lack, (_, who) in running.items() if lacks.get(lack) != who]:
            since, who = running.pop(lack)
            yield Fault(lack=lack, start=since, end=moment, agents=who)
        for lack, who in lacks.items():
            running.setdefault(lack, (moment, who))


#: A shift, a need, or None: the line is served.
_What = Shift | Need | None


def _changes(
    shifts: Iterable[Shift], start: datetime, end: datetime, ground: Ground
) -> Iterator[tuple[datetime, _What, int]]:
    """Yield when what begins (1) and ends (-1); everything has ended at `end`."""
    spans: Iterator[tuple[datetime, datetime, _What]] = chain(
        ((s.start, s.end, s) for s in ground.fit(shifts)),
        ((*span, need) for span, need in ground.rules.needed_spans(ground.needs, start, end)),
        ((*span, None) for span in ground.rules.open_spans(start, end)),
    )
    for begins, ends, what in spans:
        if begins < end and ends > start:
            yield (begins if begins > start else start), what, 1
            yield (ends if ends < end else end), what, -1


@dataclass(kw_only=True, slots=True)
class _Line:
    """Who is planned and what is needed, at one instant of the sweep."""

    ground: Ground
    planned: dict[ShiftKind, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in ShiftKind}
    )
    needs: Counter[Need] = field(default_factory=Counter)
    open: int = 0

    def change(self, what: _What, by: int) -> None:
        """Let something begin or end."""
        match what:
            case Shift():
                _count(self.planned[what.kind], what.agent, by)
            case Need():
                _count(self.needs, what, by)
            case None:
                self.open += by

    def lacks(self) -> dict[Lack, frozenset[str]]:
        """Return what is wrong now, and who is there all the same."""
        seats, supervisors, backups = self._wanted()
        here, on_call = self.planned[ShiftKind.LINE], self.planned[ShiftKind.SUPERVISOR]
        found: dict[Lack, frozenset[str]] = {}
        if len(here) < seats:
            found[Lack.THIN if here else Lack.NOBODY] = frozenset(here)
        if here and all(map(self.ground.staff.is_trainee, here)):
            found[Lack.TRAINEE_ALONE] = frozenset(here)
        if supervisors and not self._supervised(supervisors):
            found[Lack.NO_SUPERVISOR] = frozenset(on_call)
        if len(self.planned[ShiftKind.BACKUP]) < backups:
            found[Lack.NO_BACKUP] = frozenset(self.planned[ShiftKind.BACKUP])
        return found

    def _wanted(self) -> tuple[int, int, int]:
        """Return seats, supervisors, backups: the most any need asks; where none speaks, R44's 2 and 1.

        Whatever is asked, a line that is served has somebody at it.
        """
        if self.needs:
            return (
                max(1 if self.open else 0, *(n.seats for n in self.needs)),
                max(n.supervisors for n in self.needs),
                max(n.backups for n in self.needs),
            )
        return USUAL if self.open else (0, 0, 0)

    def _supervised(self, wanted: int) -> bool:
        if not self.ground.plans_supervisors:
            return self.ground.staff.somebody_hears_alarms
        return len(self.planned[ShiftKind.SUPERVISOR]) >= wanted


def _count(counter: Counter[_T], what: _T, by: int) -> None:
    """Add to a counter in which only what is there stands."""
    counter[what] += by
    if not counter[what]:
        del counter[what]


# --- what is asked of one person ------------------------------------------------------------------


def _overlaps(shifts: Iterable[Shift], start: datetime, end: datetime) -> Iterator[Fault]:
    for agent, theirs in _by_agent(shifts).items():
        longest = theirs[0]
        for shift in theirs[1:]:
            if shift.start < longest.end and _touches((longest, shift), start, end):
                until = min(shift.end, longest.end)
                yield Fault(lack=Lack.OVERLAP, start=shift.start, end=until, agents=frozenset({agent}))
            longest = max(longest, shift, key=attrgetter("end"))


def _nights(shifts: Sequence[Shift], start: datetime, end: datetime, ground: Ground) -> Iterator[Fault]:
    """Yield the runs of nights that are too long; shifts of any kind count that last two hours in one."""
    if not shifts:
        return
    every = ground.rules.nights(min(s.start for s in shifts), max(s.end for s in shifts))
    ends = [night[1] for night in every]
    within: dict[str, dict[int, timedelta]] = defaultdict(lambda: defaultdict(timedelta))
    for shift in shifts:
        place = bisect_right(ends, shift.start)
        while place < len(every) and every[place][0] < shift.end:
            began, ended = every[place]
            within[shift.agent][place] += min(shift.end, ended) - max(shift.start, began)
            place += 1
    for agent, lasted in within.items():
        most = ground.staff.most_nights(agent, ground.rules.most_nights)
        places = sorted(n for n, long in lasted.items() if long >= min(_PART_OF_A_NIGHT, _length(every[n])))
        for first, last in _runs(places):
            began, ended = every[first][0], every[last][1]
            if last - first >= most and began < end and ended > start:
                yield Fault(lack=Lack.NIGHTS, start=began, end=ended, agents=frozenset({agent}))


def _length(span: tuple[datetime, datetime]) -> timedelta:
    return span[1] - span[0]


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each run of numbers without a hole."""
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        held = [number for _, number in run]
        yield held[0], held[-1]


def _unfit(shifts: Iterable[Shift], start: datetime, end: datetime, staff: Staff) -> Iterator[Fault]:
    """Yield once per person and reason, from their first such shift to the end of the last."""
    spans: dict[tuple[str, ShiftKind], tuple[datetime, datetime]] = {}
    for shift in shifts:
        if shift.start < end and shift.end > start:
            who = (shift.agent, shift.kind)
            since, until = spans.get(who, (shift.start, shift.end))
            spans[who] = (min(since, shift.start), max(until, shift.end))
    for (agent, kind), (since, until) in spans.items():
        if (lack := staff.unfit(agent, kind)) is not None:
            yield Fault(lack=lack, start=since, end=until, agents=frozenset({agent}))


def _by_agent(shifts: Iterable[Shift]) -> dict[str, list[Shift]]:
    found: dict[str, list[Shift]] = defaultdict(list)
    for shift in sorted(shifts, key=attrgetter("start")):
        found[shift.agent].append(shift)
    return found


def _touches(shifts: Iterable[Shift], start: datetime, end: datetime) -> bool:
    return any(s.start < end and s.end > start for s in shifts)
