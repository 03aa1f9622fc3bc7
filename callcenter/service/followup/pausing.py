"""Stopping the dialler by name, and letting it go on. Humans dial all the while.

The one row is read before every automated call, so that a pause holds everywhere within a minute.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.domain.books import DIALLER_PAUSES
from callcenter.domain.ledger import DiallerPause
from callcenter.errors import Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.handling import needed
from callcenter.service.followup.settling import note

#: The id of the only row.
DIALLER = "dialler"


@guarded(Verb.DIALLER_HOLD)
def pause(
    work: UnitOfWork, *, reason: str, until: datetime | None = None, actor: str, now: datetime
) -> DiallerPause:
    """Stop every automated call until an hour, or until somebody lets the dialler go on.

    A pause that stands is replaced: the newest word holds. Raises `Refused` without a reason or for an hour
    that has gone by, `Conflict`.
    """
    allow(work, actor, Verb.DIALLER_HOLD)
    said = needed(reason)
    if until is not None and until <= now:
        raise Refused("暂停到的时间要在现在之后；不写就一直停到有人恢复。")
    before = work.book(DIALLER_PAUSES).one(DIALLER)
    new = DiallerPause(id=DIALLER, by=actor, at=now, reason=said, until=until)
    note(work, actor, "dialler.pause", DIALLER, now, reason=until.isoformat() if until else "")
    if before is None:
        work.book(DIALLER_PAUSES).add(new)
        return new
    return work.book(DIALLER_PAUSES).put(replace(new, revision=before.revision))


@guarded(Verb.DIALLER_HOLD)
def resume(work: UnitOfWork, *, actor: str, now: datetime) -> DiallerPause:
    """Let the dialler go on. Raises `Refused` while it is not stopped, `Conflict`."""
    allow(work, actor, Verb.DIALLER_HOLD)
    holds = standing(work, now)
    if holds is None:
        raise Refused("自动拨打没有暂停。")
    note(work, actor, "dialler.resume", DIALLER, now)
    return work.book(DIALLER_PAUSES).put(replace(holds, resumed_by=actor, resumed_at=now))


def standing(work: UnitOfWork, now: datetime) -> DiallerPause | None:
    """Return the pause that holds at `now`, or None: never asked for, over, or let go."""
    last = work.book(DIALLER_PAUSES).one(DIALLER)
    if last is None or last.resumed_at is not None:
        return None
    return last if last.until is None or now < last.until else None
