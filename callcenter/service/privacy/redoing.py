"""What was deleted after a backup was made, deleted again where that backup is brought back (I6, R43).

A backup knows nothing of what came after it. What the store that is replaced still says, its tombstones
and its legal holds, is carried over, so that nobody who was erased comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from callcenter.domain.books import HOLDS, REQUESTS, TOMBSTONES
from callcenter.domain.privacy import Hold, RequestKind, RequestState, Tombstone
from callcenter.domain.retention import FLOORS, Rule
from callcenter.errors import NotFound
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.privacy.erasing import forget_calls
from callcenter.service.privacy.holds import Held
from callcenter.service.privacy.retention_acts import Burial
from callcenter.service.privacy.retention_ground import Ground


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What a store says of what may not be there, or has to stay."""

    stones: tuple[Tombstone, ...] = ()
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Redone:
    """What was deleted again."""

    #: `person:<id>`, `session:<id>`, ...
    objects: tuple[str, ...] = ()
    #: Sound files to delete once this is committed.
    files: tuple[str, ...] = ()


def remembered(work: UnitOfWork) -> Memory:
    """Return what is to be carried over from a store that will be replaced. For whoever may replace it."""
    return Memory(stones=tuple(work.book(TOMBSTONES).where()), holds=tuple(work.book(HOLDS).where()))


def redo(work: UnitOfWork, memory: Memory, *, by: str, now: datetime, zone: tzinfo) -> Redone:
    """Carry over what is newer than this store, and delete again what it names. May be done again.

    Counts that were kept of deleted records come with their tombstones: they are not counted anew.
    """
    for hold in memory.holds:
        _carry_hold(work, hold)
    book = work.book(TOMBSTONES)
    newer = sorted((s for s in memory.stones if book.one(s.id) is None), key=lambda s: (s.at, s.id))
    ground = Ground(work=work, terms=FLOORS, until=now, held=Held())
    burial = Burial(work=work, ground=ground, by=by, at=now, reason="恢复备份后重新删除", zone=zone)
    for stone in newer:
        if stone.rule == Rule.PEOPLE and stone.object.startswith("person:"):
            _forget_reachable(burial, stone.object.partition(":")[2], by, now)
        burial.again(stone)
    named = tuple(dict.fromkeys(_deleted(newer)))
    if named:
        work.audit.append(
            AuditEntry(actor=by, verb="backup.redo", object="retention:redo", field=str(len(named)), at=now)
        )
    return Redone(objects=named, files=tuple(burial.files))


def _carry_hold(work: UnitOfWork, hold: Hold) -> None:
    known = work.book(HOLDS).one(hold.id)
    if known is None:
        work.book(HOLDS).add(replace(hold, revision=0))
    elif known.released_at is None and hold.released_at is not None:
        work.book(HOLDS).put(replace(hold, revision=known.revision))


def _forget_reachable(burial: Burial, entry: str, by: str, now: datetime) -> None:
    """Blank their numbers in the calls, and answer what they had asked for, while it is known whose it is."""
    work = burial.work
    with suppress(NotFound):
        forget_calls(burial, work.people.get(entry))
    for one in work.book(REQUESTS).where(person=entry):
        if one.kind is RequestKind.ERASURE and one.state is RequestState.OPEN:
            done = replace(one, state=RequestState.ANSWERED, answered_at=now, answered_by=by)
            work.book(REQUESTS).put(replace(done, answer="已删除;恢复备份后重新删除。"))


def _deleted(stones: list[Tombstone]) -> Iterator[str]:
    yield from (stone.object for stone in stones if not stone.counts)
