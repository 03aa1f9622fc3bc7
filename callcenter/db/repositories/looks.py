"""When the sweep looks at whose files: at what changed, and at what changes by itself on a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam, or_, select, update

from callcenter.db.repositories.base import among, chunks
from callcenter.db.tables import Moment, books, hardship_files, obligations, people
from callcenter.domain.people import OWED_STATUSES
from scheduler.obligations import OF_REGISTER, Kind

#: A look that is due whatever the time.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
#: Made once: every list and every round asks it.
_TO_LOOK_AT = (
    select(hardship_files.c.person)
    .where(hardship_files.c.look_at <= bindparam("now", type_=Moment))
    .order_by(hardship_files.c.look_at)
    .limit(bindparam("most", type_=Integer))
)
#: Statuses of files whose people are owed.
_OWED = [status.value for status in OWED_STATUSES]


def touch(connection: Connection, persons: Iterable[str]) -> None:
    """Have the next sweep look at the files of these people and of everybody merged with them."""
    for chunk in chunks(persons):
        kin = {*chunk, *parts_of(connection, chunk), *wholes_of(connection, chunk)}
        theirs = among(connection, hardship_files.c.person, kin)
        connection.execute(update(hardship_files).where(theirs).values(look_at=AT_ONCE))


def touch_next(connection: Connection, after: str, limit: int) -> str | None:
    """Have the next sweep look at the files of the `limit` people after one; return the last of them."""
    last = _end_of(connection, after, limit)
    theirs = [hardship_files.c.person > after, *([hardship_files.c.person <= last] if last else [])]
    connection.execute(update(hardship_files).where(*theirs).values(look_at=AT_ONCE))
    return last


def astray(
    connection: Connection, after: str, limit: int, kinds: Collection[Kind]
) -> tuple[Sequence[str], str | None]:
    """Return for whom of the `limit` people after one files and open routine debts differ, and the last.

    Not whom the next sweep looks at anyway. Whom a wish of their own keeps without a debt is among them: only
    the sweep knows what of their words holds, and they are few.
    """
    last = _end_of(connection, after, limit)
    found: set[str] = set()
    for query in (*(_owed_nothing(kind) for kind in kinds), _of_no_file()):
        person = query.selected_columns[0]
        theirs = query.where(person > after, *([person <= last] if last else []))
        found.update(connection.scalars(theirs))
    return sorted(found), last


def _end_of(connection: Connection, after: str, limit: int) -> str | None:
    """Return the last of the `limit` people with a file after one; None: nobody comes after them."""
    whose = select(hardship_files.c.person).where(hardship_files.c.person > after)
    last: str | None = connection.scalar(whose.order_by(hardship_files.c.person).offset(limit).limit(1))
    return last


def _owed_nothing(kind: Kind) -> Select[Any]:
    file, owed = hardship_files.c, obligations.c
    stands = select(owed.id).where(
        owed.person == file.person,
        owed.kind == kind.value,
        owed.closed_at.is_(None),
        owed.proven_at.is_(None),
    )
    unmarked = or_(file.look_at.is_(None), file.look_at > AT_ONCE)
    return select(file.person).where(file.status.in_(_OWED), unmarked, ~stands.exists())


def _of_no_file() -> Select[Any]:
    file, owed = hardship_files.c, obligations.c
    held = select(file.file_no).where(file.person == owed.person, file.status.in_(_OWED))
    routine = owed.kind.in_([kind.value for kind in OF_REGISTER])
    return select(owed.person).where(
        routine, owed.closed_at.is_(None), owed.proven_at.is_(None), ~held.exists()
    )


def to_look_at(connection: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Return people with a file that a sweep has to look at by `now`."""
    # Somebody with two files may come twice: then the page is one shorter, and no million is sorted.
    return list(dict.fromkeys(connection.scalars(_TO_LOOK_AT, {"now": now, "most": limit})))


def looked(connection: Connection, again: Mapping[str, datetime | None]) -> None:
    """Note when each of these people's files has to be looked at again."""
    by_time: dict[datetime | None, list[str]] = {}
    for person, at in again.items():
        by_time.setdefault(at, []).append(person)
    for at, persons in by_time.items():
        for chunk in chunks(persons):
            theirs = among(connection, hardship_files.c.person, chunk)
            connection.execute(update(hardship_files).where(theirs).values(look_at=at))


def parts_of(connection: Connection, persons: Iterable[str]) -> dict[str, set[str]]:
    """Return the entries merged into these, also by way of others: id -> of which of `persons` it is part."""
    merges = books["merges"]
    found: dict[str, set[str]] = {}
    near = {person: {person} for person in persons}
    while near:
        into = select(people.c.id, people.c.merged_into).join(merges, merges.c.merged == people.c.id)
        theirs = into.where(among(connection, merges.c.kept, near), people.c.merged_into == merges.c.kept)
        next_ones: dict[str, set[str]] = {}
        for part, whole in connection.execute(theirs):
            if not near[whole] <= found.get(part, set()):
                next_ones.setdefault(part, set()).update(near[whole])
        for part, wholes in next_ones.items():
            found.setdefault(part, set()).update(wholes)
        near = next_ones
    return found


def wholes_of(connection: Connection, persons: Iterable[str]) -> set[str]:
    """Return the entries that stand for any of these, nearest and all above."""
    found: set[str] = set()
    near = set(persons)
    while near:
        above = select(people.c.merged_into).where(
            among(connection, people.c.id, near), people.c.merged_into.is_not(None)
        )
        near = set(connection.scalars(above)) - found
        found |= near
    return found
