"""What employers and superiors are told: counts by unit and month, small ones hidden (R40); about nobody.

A month's table is fixed when it is first shown. What comes later, a file that names another unit, a contact
noted late, would change it by one person, and two tables that differ by one person say who it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from callcenter.domain.access import Verb, may
from callcenter.domain.books import TOMBSTONES
from callcenter.domain.privacy import Tombstone
from callcenter.domain.small_cells import Place, suppressed, table_of
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of
from callcenter.service.privacy.retention_acts import put_tombstone
from scheduler.obligations import Kind

#: What an employer may learn the sums of. That somebody called, or is on the register, is not in it.
ATTENDED: Mapping[Kind, str] = {Kind.APPOINTMENT: "预约", Kind.TALK: "讲座"}
#: By which rule a table is kept as it was first shown.
SHOWN = "shown"
#: How the sum over all stands in a kept table.
_ALL = ""
CONTACTS: Mapping[Kind, str] = {Kind.HARDSHIP: "困难回访"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A month's counts, of one unit or of all."""

    month: str
    units: tuple[str, ...]
    columns: tuple[str, ...]
    #: What is shown; a place that is missing is hidden.
    cells: Mapping[Place, int]
    smallest: int

    def rows(self) -> list[dict[str, object]]:
        """Return a row per unit; with several units also their sum. None: hidden."""
        lines: Sequence[str | None] = (*self.units, None) if len(self.units) != 1 else self.units
        return [
            {
                "unit": unit,
                **{column: self.cells.get((unit, column)) for column in self.columns},
                "total": self.cells.get((unit, None)),
            }
            for unit in lines
        ]

    @property
    def hides(self) -> bool:
        """Tell whether a count of it is hidden."""
        return any(value is None for row in self.rows() for key, value in row.items() if key != "unit")


@guarded(Verb.ATTENDANCE_SEE)
def attendance(
    work: UnitOfWork,
    month: str,
    unit: str | None,
    *,
    actor: str,
    now: datetime,
    zone: tzinfo,
    smallest: int,
    employers: Mapping[str, str],
) -> Report:
    """Return how many appointments and talks were kept, by unit; an employer sees their own unit only.

    `employers`: user code -> unit. The table is always that of all units and of a month that is over, and
    the same whenever it is asked for, so that nobody gets two tables to subtract.
    Raises `Forbidden`, `NotFound` (unit), `Refused` (month).
    """
    user = allow(work, actor, Verb.ATTENDANCE_SEE)
    asked = _own_unit(user, unit, employers)
    asking = _Asking(name="attendance", kinds=ATTENDED, month=month, by=actor, now=now, zone=zone)
    return _report(work, asking, asked, smallest)


@guarded(Verb.HARDSHIP_SEE)
def contacts(
    work: UnitOfWork, month: str, unit: str | None, *, actor: str, now: datetime, zone: tzinfo, smallest: int
) -> Report:
    """Return how many hardship contacts were made, by unit. A table of its own: it shares no sums."""
    allow(work, actor, Verb.HARDSHIP_SEE)
    asking = _Asking(name="contacts", kinds=CONTACTS, month=month, by=actor, now=now, zone=zone)
    return _report(work, asking, unit, smallest)


def _own_unit(user: User, unit: str | None, employers: Mapping[str, str]) -> str | None:
    """Return the unit asked for, or raise `Forbidden`: an employer's is the one the site set."""
    if may(user.roles - {Role.EMPLOYER}, Verb.ATTENDANCE_SEE):
        return unit
    own = employers.get(user.code)
    if own is None:
        raise Forbidden(f"还没有登记 {user.code} 属于哪个单位：请管理员写入配置 reports.employers。")
    if unit not in (None, own):
        raise Forbidden(f"{user.code} 只能查看本单位（{own}）的人次。")
    return own


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asking:
    """Which table somebody asks for, and when."""

    name: str
    kinds: Mapping[Kind, str]
    month: str
    by: str
    now: datetime
    zone: tzinfo

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.kinds.values())

    @property
    def object(self) -> str:
        return f"{self.name}:{self.month}"


def _report(work: UnitOfWork, asking: _Asking, unit: str | None, smallest: int) -> Report:
    start, end = _span(asking.month, asking.now, asking.zone)
    fixed = work.book(TOMBSTONES).one(_stone_id(asking))
    if fixed is None:
        fixed = _fixed(work, asking, _counted(work, asking, start, end, smallest))
    known = tuple(sorted(name for name in fixed.counts if name != _ALL))
    if unit is not None and unit not in known:
        raise NotFound(f"{asking.month} 的表里没有单位「{unit}」：没有档案属于它，或那时还没有。")
    return Report(
        month=asking.month,
        units=known if unit is None else (unit,),
        columns=asking.columns,
        cells=_cells(fixed),
        smallest=smallest,
    )


def _counted(
    work: UnitOfWork, asking: _Asking, start: datetime, end: datetime, smallest: int
) -> Mapping[str, Mapping[str, int]]:
    """Return what may be shown: unit (empty: all) -> column (empty: all) -> how often."""
    units = _units(work)
    events = [
        (units[person], asking.kinds[owed.kind], person)
        for person in units
        for entry in group_of(work, work.people.get(person))
        for owed in work.debts.of_person(entry)
        if owed.kind in asking.kinds and any(start <= e.at < end for e in work.debts.evidence(owed.id))
    ]
    shown = suppressed(table_of(events, sorted(set(units.values())), asking.columns), smallest)
    return {
        row or _ALL: {
            column or _ALL: value
            for column in (*asking.columns, None)
            if (value := shown.value((row, column))) is not None
        }
        for row in (*shown.table.rows, None)
    }


def _fixed(work: UnitOfWork, asking: _Asking, counts: Mapping[str, Mapping[str, int]]) -> Tombstone:
    """Keep a table as it is shown for the first time; hidden counts are not in it."""
    stone = Tombstone(
        id=_stone_id(asking), object=asking.object, rule=SHOWN, by=asking.by, at=asking.now, counts=counts
    )
    put_tombstone(work, stone)
    work.audit.append(
        AuditEntry(actor=asking.by, verb="report.fix", object=f"report:{asking.object}", at=asking.now)
    )
    return stone


def _stone_id(asking: _Asking) -> str:
    return f"to-{asking.name}-{asking.month}"


def _cells(fixed: Tombstone) -> dict[Place, int]:
    return {
        (unit or None, column or None): value
        for unit, row in fixed.counts.items()
        for column, value in row.items()
    }


def _units(work: UnitOfWork) -> dict[str, str]:
    """Return person -> unit, of everybody whose file names one; merged entries count as one person."""
    units: dict[str, str] = {}
    for file in sorted(work.people.files(), key=lambda file: file.file_no):
        if file.union_unit:
            person = work.people.get(file.person)
            while person.merged_into is not None:
                person = work.people.get(person.merged_into)
            units.setdefault(person.id, file.union_unit)
    return units


def _span(month: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return a month's first instant and the one after it, or raise `Refused`."""
    try:
        start = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    except ValueError:
        raise Refused("月份应写作 2026-10。") from None
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    if end > now:
        raise Refused("这个月还没有结束：月中的数逐日相减，会看出是谁。请等到下月再看。")
    return start, end
