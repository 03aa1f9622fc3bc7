"""How far the register's people are reached: by grade, by district, by month. Counts, and of nobody.

Coverage is people with a qualifying contact ÷ people in file *now*: what a file was in a past month is not
kept, so that an old month is counted against today's register. Contacts are the register's own (R39).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from callcenter.domain.access import Verb
from callcenter.domain.coverage import Coverage
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded

MOST_MONTHS = 36


class By(StrEnum):
    """What the counts are parted by."""

    GRADE = "grade"
    DISTRICT = "district"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One line: a grade, a district, or a month (`2026-11`)."""

    name: str
    counts: Coverage


@dataclass(frozen=True, kw_only=True, slots=True)
class Covered:
    """The lines, and the sum of all."""

    start: datetime
    end: datetime
    parts: tuple[Part, ...]
    total: Coverage


@guarded(Verb.HARDSHIP_SEE)
def coverage(
    work: UnitOfWork,
    by: By,
    *,
    start: datetime,
    end: datetime,
    zone: tzinfo,
    order: Sequence[str] = (),
    actor: str,
    now: datetime,
) -> Covered:
    """Return who was contacted in [start, end), of those in file now; raise `Forbidden`, `Refused`.

    `order`: the grades, gravest first. `By.MONTH` goes by the calendar months that touch the span.
    """
    allow(work, actor, Verb.HARDSHIP_SEE)
    if end <= start:
        raise Refused("统计的起止日期颠倒了：--since 要早于 --until。")
    found = work.figures.coverage(start, end, now)
    total = _sum("合计", found).counts
    if by is By.MONTH:
        parts = _by_month(work, start, end, now, zone)
    else:
        names = list(order) if by is By.GRADE else []
        parts = _by_name(found, (lambda c: c.grade) if by is By.GRADE else (lambda c: c.district), names)
    return Covered(start=start, end=end, parts=tuple(parts), total=total)


def _by_name(
    found: Sequence[Coverage], name_of: Callable[[Coverage], str], order: Sequence[str]
) -> list[Part]:
    names = sorted({name_of(c) for c in found}, key=lambda n: (order.index(n) if n in order else 99, n))
    return [_sum(name, [c for c in found if name_of(c) == name]) for name in names]


def _by_month(work: UnitOfWork, start: datetime, end: datetime, now: datetime, zone: tzinfo) -> list[Part]:
    months = list(_months(start.astimezone(zone), end.astimezone(zone)))
    if len(months) > MOST_MONTHS:
        raise Refused(f"最多统计 {MOST_MONTHS} 个月。")
    return [
        _sum(f"{first:%Y-%m}", work.figures.coverage(max(first, start), min(last, end), now))
        for first, last in months
    ]


def _months(start: datetime, end: datetime) -> Iterable[tuple[datetime, datetime]]:
    first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while first < end:
        year, month = divmod(first.year * 12 + first.month, 12)
        following = first.replace(year=year, month=month + 1)
        yield first, following
        first = following


def _sum(name: str, found: Sequence[Coverage]) -> Part:
    counts = Coverage(
        grade="",
        district="",
        in_file=sum(c.in_file for c in found),
        contacted=sum(c.contacted for c in found),
        owed=sum(c.owed for c in found),
        overdue=sum(c.overdue for c in found),
    )
    return Part(name=name, counts=counts)
