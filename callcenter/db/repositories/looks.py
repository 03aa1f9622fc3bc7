"""When the sweep looks at whose files: at what changed, and at what changes by itself on a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, select, update

from callcenter.db.repositories.base import chunks
from callcenter.db.tables import books, hardship_files, people

#: A look that is due whatever the time.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKED = (
    update(hardship_files)
    .where(hardship_files.c.person == bindparam("whose"))
    .values(look_at=bindparam("at"))
)


def touch(connection: Connection, persons: Iterable[str]) -> None:
    """Have the next sweep look at the files of these people and of everybody merged with them."""
    for chunk in chunks(persons):
        kin = {*chunk, *parts_of(connection, chunk), *wholes_of(connection, chunk)}
        theirs = hardship_files.c.person.in_(kin)
        connection.execute(update(hardship_files).where(theirs).values(look_at=AT_ONCE))


def touch_all(connection: Connection) -> None:
    """Have the next sweeps look at every file."""
    connection.execute(update(hardship_files).values(look_at=AT_ONCE))


def to_look_at(connection: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Return people with a file that a sweep has to look at by `now`."""
    first = func.min(hardship_files.c.look_at)
    due = select(hardship_files.c.person).where(hardship_files.c.look_at <= now)
    grouped = due.group_by(hardship_files.c.person).order_by(first, hardship_files.c.person)
    return connection.scalars(grouped.limit(limit)).all()


def looked(connection: Connection, again: Mapping[str, datetime | None]) -> None:
    """Note when each of these people's files has to be looked at again."""
    if again:
        connection.execute(_LOOKED, [{"whose": person, "at": at} for person, at in again.items()])


def parts_of(connection: Connection, persons: Iterable[str]) -> dict[str, set[str]]:
    """Return the entries merged into these, also by way of others: id -> of which of `persons` it is part."""
    merges = books["merges"]
    found: dict[str, set[str]] = {}
    near = {person: {person} for person in persons}
    while near:
        into = select(people.c.id, people.c.merged_into).join(merges, merges.c.merged == people.c.id)
        theirs = into.where(merges.c.kept.in_(near), people.c.merged_into == merges.c.kept)
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
        above = select(people.c.merged_into).where(people.c.id.in_(near), people.c.merged_into.is_not(None))
        near = set(connection.scalars(above)) - found
        found |= near
    return found
