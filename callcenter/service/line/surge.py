"""A surge: for a while backups on call are rung like everybody at the line. It ends by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.books import SURGES
from callcenter.domain.roster import Surge
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.duty.presence import SURGE

#: Longer is no surge any more but a roster with too few people.
LONGEST = timedelta(hours=12)
SHORTEST = timedelta(minutes=5)


@guarded(Verb.DUTY_SURGE)
def begin(work: UnitOfWork, length: timedelta, *, actor: str, now: datetime, reason: str) -> Surge:
    """Ring backups on call from now on; one that goes on already ends then instead.

    Raises `Refused` without a reason, or for a time that is too short or too long.
    """
    allow(work, actor, Verb.DUTY_SURGE)
    if not reason.strip():
        raise Refused("开始高峰接听要写明原因:--reason。")
    if not SHORTEST <= length <= LONGEST:
        raise Refused("高峰接听为 5 分钟至 12 小时。更久请排班。")
    # Whole seconds: the PBX counts in them, and both must end it at one instant.
    until = (now + length).replace(microsecond=0)
    surge = _put(work, Surge(id=SURGE, until=until, reason=reason, by=actor, at=now))
    _note(work, actor, "begin", now, reason)
    return surge


@guarded(Verb.DUTY_SURGE)
def end(work: UnitOfWork, *, actor: str, now: datetime, reason: str = "") -> Surge:
    """End the surge now; raise `Refused` if there is none."""
    allow(work, actor, Verb.DUTY_SURGE)
    standing = work.book(SURGES).one(SURGE)
    if standing is None or standing.until <= now:
        raise Refused("现在没有高峰接听。")
    ended = _put(work, Surge(id=SURGE, until=now, reason=standing.reason, by=actor, at=now))
    _note(work, actor, "end", now, reason)
    return ended


@guarded(Verb.DUTY_SEE)
def current(work: UnitOfWork, *, actor: str, now: datetime) -> Surge | None:
    """Return the surge that goes on; None: there is none."""
    allow(work, actor, Verb.DUTY_SEE)
    standing = work.book(SURGES).one(SURGE)
    return standing if standing is not None and standing.until > now else None


def _put(work: UnitOfWork, surge: Surge) -> Surge:
    book = work.book(SURGES)
    before = book.one(SURGE)
    if before is None:
        book.add(surge)
        kept = surge
    else:
        kept = book.put(replace(surge, revision=before.revision))
    work.roster.touch()
    return kept


def _note(work: UnitOfWork, actor: str, act: str, now: datetime, reason: str) -> None:
    entry = AuditEntry(actor=actor, verb=f"surge.{act}", object="line", at=now, reason=reason)
    work.audit.append(entry)
