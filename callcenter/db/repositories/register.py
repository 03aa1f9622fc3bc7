"""The register's open debts with their files, as the archive tells them, a page in one question."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam, select

from callcenter.db.crypto import FieldCipher
from callcenter.db.repositories.debt_pages import by_date
from callcenter.db.tables import hardship_files, obligations, people, phones
from callcenter.domain.people import PhoneStatus
from callcenter.domain.register import RegisterDebt
from scheduler.obligations import OF_REGISTER, Kind

_MOST = bindparam("most", type_=Integer)
#: SQLite and PostgreSQL both read the largest whole number as: all of them.
_ALL = 2**31 - 1
#: Behind it stands which of several debts of one file and day it is.
_AGAIN = "#"


def page(
    connection: Connection, cipher: FieldCipher, now: datetime, until: datetime, limit: int | None
) -> Sequence[RegisterDebt]:
    """Return the first debts that are due by `until`, the oldest first, whatever was done about them."""
    found: list[Any] = []
    for shelf in _shelves():
        left = _ALL if limit is None else limit - len(found)
        if left:
            found += connection.execute(shelf, {"now": now, "until": until, "most": left}).all()
    return [_debt(connection, cipher, row) for row in found]


@cache
def _shelves() -> tuple[Select[Any], ...]:
    breached, others = by_date(frozenset(OF_REGISTER))
    by_breach = ("window_end", "priority", "due_at", "id")
    return _with_files(breached, by_breach), _with_files(others, ("due_at", "id"))


def _with_files(shelf: Select[Any], order: tuple[str, ...]) -> Select[Any]:
    """Return a shelf's first `:most` with their people and files, in the shelf's order."""
    names = ("id", "kind", "due_at", "window_end", "priority", "person", "origin")
    debt = shelf.with_only_columns(*(obligations.c[name] for name in names)).limit(_MOST).subquery("debt")
    number = (
        select(phones.c.number)
        .where(phones.c.person == debt.c.person, phones.c.listed, phones.c.status == PhoneStatus.OK.value)
        .order_by(phones.c.place)
        .limit(1)
        .scalar_subquery()
    )
    file = hardship_files.c
    joined = debt.join(people, people.c.id == debt.c.person).outerjoin(
        hardship_files, file.file_no == debt.c.origin
    )
    told = (debt.c.id, debt.c.kind, debt.c.due_at, debt.c.window_end, debt.c.origin, people.c.code)
    return (
        select(*told, people.c.name, number, file.file_no, file.grade, file.district)
        .select_from(joined)
        .order_by(*(debt.c[name] for name in order))
    )


def _debt(connection: Connection, cipher: FieldCipher, row: Any) -> RegisterDebt:
    one, kind, due_at, window_end, origin, code, name, number, file_no, grade, district = row
    if file_no is None and _AGAIN in origin:
        file_no, grade, district = _file(connection, origin)
    return RegisterDebt(
        id=one,
        kind=Kind(kind),
        due_at=due_at,
        window_end=window_end,
        code=code,
        name=cipher.open(name, "people.name"),
        number=cipher.open(number, "phones.number"),
        file_no=file_no,
        grade=grade,
        district=district,
    )


def _file(connection: Connection, origin: str) -> tuple[str | None, str | None, str | None]:
    """Return the file of one of several debts of a day: few have such an origin."""
    file = hardship_files.c
    named = select(file.file_no, file.grade, file.district).where(file.file_no == origin.split(_AGAIN)[0])
    found = connection.execute(named).first()
    return (None, None, None) if found is None else (found[0], found[1], found[2])
