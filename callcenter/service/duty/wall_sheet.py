"""A week of the roster as it hangs on the wall: days beside each other, the times of shifts below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from callcenter.domain.access import Verb
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.numbers import mask_name
from callcenter.domain.plan_rules import PERSONAL, Fault, PlanRules
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.checking import faults_between

_DAYS = 7
_ORDER = {kind: place for place, kind in enumerate(ShiftKind)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """Somebody in a cell. The name is masked, as the roster shows it."""

    agent: str
    name: str
    kind: ShiftKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The shifts of one time of the day (`19:00`, `01:00`), for each day of the week."""

    start: str
    end: str
    days: tuple[tuple[Posted, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Week:
    """What stands on the sheet. `faults`: of each day, cut at its midnights; nothing about one person."""

    days: tuple[date, ...]
    rows: tuple[Row, ...]
    faults: tuple[tuple[Fault, ...], ...]


@guarded(Verb.DUTY_SEE)
def week(work: UnitOfWork, monday: date, *, rules: PlanRules, actor: str) -> Week:
    """Return the published week from `monday` on: a shift stands on the day on which it begins."""
    allow(work, actor, Verb.DUTY_SEE)
    days = tuple(monday + timedelta(days=n) for n in range(_DAYS))
    start, end = rules.midnight(days[0]), rules.midnight(days[-1] + timedelta(days=1))
    shifts = [s for s in work.roster.shifts_between(start, end) if s.start >= start]
    names = {user.code: mask_name(user.name) for user in work.users.all()}
    return Week(
        days=days,
        rows=_rows(shifts, days, names, rules.zone),
        faults=_by_day(faults_between(work, start, end, rules), days, rules),
    )


def _rows(
    shifts: Iterable[Shift], days: tuple[date, ...], names: dict[str, str], zone: tzinfo
) -> tuple[Row, ...]:
    cells: dict[tuple[str, timedelta, str], dict[date, list[Shift]]] = defaultdict(lambda: defaultdict(list))
    for shift in shifts:
        first, last = shift.start.astimezone(zone), shift.end.astimezone(zone)
        cells[f"{first:%H:%M}", shift.length, f"{last:%H:%M}"][first.date()].append(shift)
    return tuple(
        Row(start=start, end=end, days=tuple(_posted(found[day], names) for day in days))
        for (start, _, end), found in sorted(cells.items(), key=lambda cell: cell[0])
    )


def _posted(shifts: Iterable[Shift], names: dict[str, str]) -> tuple[Posted, ...]:
    ordered = sorted(shifts, key=lambda s: (_ORDER[s.kind], s.agent))
    return tuple(Posted(agent=s.agent, name=names.get(s.agent, ""), kind=s.kind) for s in ordered)


def _by_day(
    faults: Iterable[Fault], days: tuple[date, ...], rules: PlanRules
) -> tuple[tuple[Fault, ...], ...]:
    lines = [fault for fault in faults if fault.lack not in PERSONAL]
    return tuple(_within(lines, rules.midnight(d), rules.midnight(d + timedelta(days=1))) for d in days)


def _within(faults: Iterable[Fault], start: datetime, end: datetime) -> tuple[Fault, ...]:
    return tuple(
        Fault(lack=f.lack, start=max(f.start, start), end=min(f.end, end), agents=f.agents)
        for f in faults
        if f.start < end and f.end > start
    )
