"""What employers and superiors are told: counts by unit and month, small ones hidden (R40); about nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from callcenter.domain.access import Verb, may
from callcenter.domain.small_cells import Shown, suppressed, table_of
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of
from scheduler.obligations import Kind

#: What an employer may learn the sums of. That somebody called, or is on the register, is not in it.
ATTENDED: Mapping[Kind, str] = {Kind.APPOINTMENT: "预约", Kind.TALK: "讲座"}
CONTACTS: Mapping[Kind, str] = {Kind.HARDSHIP: "困难回访"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A month's counts, of one unit or of all."""

    month: str
    units: tuple[str, ...]
    columns: tuple[str, ...]
    shown: Shown
    smallest: int

    def rows(self) -> list[dict[str, object]]:
        """Return a row per unit; with several units also their sum. None: hidden."""
        lines: Sequence[str | None] = (*self.units, None) if len(self.units) != 1 else self.units
        return [
            {
                "unit": unit,
                **{column: self.shown.value((unit, column)) for column in self.columns},
                "total": self.shown.value((unit, None)),
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

    `employers`: user code -> unit. The table is always that of all units and of a month that is over, so
    that nobody gets two tables to subtract. Raises `Forbidden`, `NotFound` (unit), `Refused` (month).
    """
    user = allow(work, actor, Verb.ATTENDANCE_SEE)
    asked = _own_unit(user, unit, employers)
    return _report(work, month, asked, ATTENDED, now=now, zone=zone, smallest=smallest)


@guarded(Verb.HARDSHIP_SEE)
def contacts(
    work: UnitOfWork, month: str, unit: str | None, *, actor: str, now: datetime, zone: tzinfo, smallest: int
) -> Report:
    """Return how many hardship contacts were made, by unit. A table of its own: it shares no sums."""
    allow(work, actor, Verb.HARDSHIP_SEE)
    return _report(work, month, unit, CONTACTS, now=now, zone=zone, smallest=smallest)


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


def _report(
    work: UnitOfWork,
    month: str,
    unit: str | None,
    kinds: Mapping[Kind, str],
    *,
    now: datetime,
    zone: tzinfo,
    smallest: int,
) -> Report:
    start, end = _span(month, now, zone)
    units = _units(work)
    known = sorted(set(units.values()))
    if unit is not None and unit not in known:
        raise NotFound(f"没有档案属于「{unit}」。")
    events = [
        (units[person], kinds[owed.kind], person)
        for person in units
        for entry in group_of(work, work.people.get(person))
        for owed in work.debts.of_person(entry)
        if owed.kind in kinds and any(start <= e.at < end for e in work.debts.evidence(owed.id))
    ]
    columns = tuple(kinds.values())
    table = table_of(events, known, columns)
    return Report(
        month=month,
        units=tuple(known) if unit is None else (unit,),
        columns=columns,
        shown=suppressed(table, smallest),
        smallest=smallest,
    )


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
