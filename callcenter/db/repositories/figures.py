"""Counts over the ledger, made by the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, distinct, exists, func, or_, select

from callcenter.db.repositories.base import Repository
from callcenter.db.tables import attempts, consents, evidence, hardship_files, obligations
from callcenter.domain.coverage import Coverage
from callcenter.domain.people import ConsentKind, FileStatus, Grade
from scheduler.obligations import BY_IVR, OF_REGISTER, Evidence, EvidenceKind, Kind, Mode, Result
from scheduler.outlook import Load

_IN_FILE = hardship_files.c.status.in_([FileStatus.ACTIVE.value, FileStatus.WATCH.value])
#: What a file counts as: whoever is watched is of that grade, whichever was theirs before.
_GRADE = case(
    (hardship_files.c.status == FileStatus.WATCH.value, Grade.WATCH.value), else_=hardship_files.c.grade
).label("grade")
_STANDS = and_(obligations.c.closed_at.is_(None), obligations.c.proven_at.is_(None))


class SqlFigures(Repository):
    """Counts; nothing sealed is opened."""

    def loads(self, until: datetime) -> Sequence[Load]:
        """Return what is open and falls due by `until`, alike ones counted together."""
        agreed = _agreed(until).label("agreed")
        open_ones = select(obligations.c.mode, agreed, obligations.c.due_at, obligations.c.window_end)
        due = open_ones.where(_STANDS, obligations.c.due_at <= until).subquery()
        alike = (due.c.window_end, due.c.due_at, due.c.mode, due.c.agreed)
        counted = select(due, func.count().label("count")).group_by(*alike).order_by(*alike)
        return [
            Load(
                mode=Mode(row["mode"]),
                consented=bool(row["agreed"]),
                due=row["due_at"],
                end=row["window_end"],
                count=row["count"],
            )
            for row in self._all(counted)
        ]

    def owed(self, now: datetime) -> tuple[int, int]:
        """Return how many obligations stand that are due, and how many of them past their end."""
        late = func.count(case((obligations.c.window_end < now, 1)))
        found = select(func.count(), late).where(_STANDS, obligations.c.due_at <= now)
        due, overdue = self._connection.execute(found).one()
        return due, overdue

    def tries_between(self, start: datetime, end: datetime) -> Sequence[tuple[datetime, bool, Result | None]]:
        """Return of each attempt in [start, end) when it was planned, whether by machine, and its result."""
        made = select(attempts.c.planned_at, attempts.c.by, attempts.c.result)
        within = made.where(attempts.c.planned_at >= start, attempts.c.planned_at < end)
        rows = self._connection.execute(within.order_by(attempts.c.planned_at, attempts.c.id))
        return [(at, by == BY_IVR, None if result is None else Result(result)) for at, by, result in rows]

    def proofs_between(self, start: datetime, end: datetime) -> Sequence[Evidence]:
        """Return the proofs of contacts in [start, end), oldest first."""
        found = select(evidence).where(evidence.c.at >= start, evidence.c.at < end)
        rows = self._all(found.order_by(evidence.c.at, evidence.c.id))
        return [Evidence(**{**row, "kind": EvidenceKind(row["kind"])}) for row in rows]

    def coverage(self, start: datetime, end: datetime, now: datetime) -> Sequence[Coverage]:
        """Return, by grade and district, who is in file, was contacted in [start, end), and is owed now."""
        routine = obligations.c.kind.in_([kind.value for kind in OF_REGISTER])
        within = and_(routine, evidence.c.at >= start, evidence.c.at < end)
        proofs = select(obligations.c.person).join(evidence, evidence.c.obligation == obligations.c.id)
        check_ins = select(obligations.c.person).where(_STANDS, obligations.c.kind == Kind.HARDSHIP.value)
        counts = {
            "contacted": self._by_group(proofs.where(within)),
            "owed": self._by_group(check_ins.where(obligations.c.due_at <= now)),
            "overdue": self._by_group(check_ins.where(obligations.c.window_end < now)),
        }
        return [
            Coverage(
                grade=grade,
                district=district,
                in_file=in_file,
                **{name: found.get((grade, district), 0) for name, found in counts.items()},
            )
            for (grade, district), in_file in sorted(self._by_group(None).items())
        ]

    def _by_group(self, among: Select[Any] | None) -> dict[tuple[str, str], int]:
        """Count the people in file (of these, if given) by grade and district."""
        group = (_GRADE, hardship_files.c.district)
        counted = select(*group, func.count(distinct(hardship_files.c.person))).where(_IN_FILE)
        if among is not None:
            counted = counted.where(hardship_files.c.person.in_(among))
        rows = self._connection.execute(counted.group_by(*group))
        return {(grade, district): count for grade, district, count in rows}


def _agreed(until: datetime) -> ColumnElement[bool]:
    """Tell of an obligation's person whether their last word on automated calls is a yes until then."""
    later = consents.alias("later")
    of_kind = consents.c.kind == ConsentKind.IVR_CHECKIN.value
    is_later = or_(
        later.c.at > consents.c.at, and_(later.c.at == consents.c.at, later.c.seq > consents.c.seq)
    )
    unsaid = exists().where(later.c.person == consents.c.person, later.c.kind == consents.c.kind, is_later)
    holds = or_(consents.c.expires_at.is_(None), consents.c.expires_at > until)
    yes = and_(of_kind, consents.c.granted, holds)
    said = exists().where(consents.c.person == obligations.c.person, yes, ~unsaid)
    return said.correlate(obligations)
