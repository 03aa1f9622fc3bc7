"""Recorded talks that go before their time: a caller took the consent back, or there never was one (I8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import RECORDINGS
from callcenter.domain.privacy import Recording, Tombstone
from callcenter.errors import NotFound
from callcenter.ports import AuditEntry, Store, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.line import talks
from callcenter.service.line.recordings import TALK
from callcenter.service.people.people import checked_reason
from callcenter.service.privacy.holds import check_free, is_held
from callcenter.service.privacy.retention_acts import put_tombstone
from callcenter.service.staff.users import SYSTEM

#: Rules by which they went, in tombstones.
DROPPED, WITHOUT_CONSENT = "recording.drop", "without_consent"
#: A sound without consent waits so long: its consent may stand in a journal that is still to be read.
_GRACE = timedelta(days=7)


@guarded(Verb.RECORDING_DROP)
def drop(work: UnitOfWork, call: str, *, actor: str, now: datetime, reason: str) -> list[Recording]:
    """Delete what was recorded of a call, keys and all, also what is still to be sealed; return what went.

    That the caller agreed, and when, stays. Raises `Forbidden`, `NotFound` if nothing is left, and
    `Refused` without a sensible reason or under a legal hold (R42).
    """
    allow(work, actor, Verb.RECORDING_DROP)
    told = checked_reason(reason)
    found = [one for one in talks.of_call(work, call) if one.dropped_at is None]
    if not found:
        raise NotFound(f"通话 {call} 没有录音,或录音已删除。")
    for one in found:
        check_free(work, f"recording:{one.id}")
    for one in found:
        _bury(work, one, DROPPED, by=actor, at=now, reason=told)
        thing = f"recording:{one.id}"
        work.audit.append(
            AuditEntry(actor=actor, verb=Verb.RECORDING_DROP, object=thing, at=now, reason=told)
        )
    return found


def without_consent(work: UnitOfWork) -> Sequence[Recording]:
    """Return the sounds of talks of which no consent is on record (I8)."""
    kept = [one for one in work.book(RECORDINGS).where() if one.kind == TALK and one.file]
    return [one for one in kept if one.agreed_at is None]


def drop_without_consent(store: Store, *, now: datetime) -> int:
    """Delete the sounds that had no consent for a week, but for those a legal hold binds; return how many."""
    with store() as work:
        old = [one for one in without_consent(work) if now - one.at >= _GRACE]
        going = [one for one in old if not is_held(work, f"recording:{one.id}")]
        for one in going:
            _bury(work, one, WITHOUT_CONSENT, by=SYSTEM, at=now)
            work.audit.append(
                AuditEntry(actor=SYSTEM, verb=Verb.RECORDING_DROP, object=f"recording:{one.id}", at=now)
            )
        work.commit()
    return len(going)


def _bury(work: UnitOfWork, one: Recording, rule: str, *, by: str, at: datetime, reason: str = "") -> None:
    stone = Tombstone(
        id=f"to-{uuid4().hex}", object=f"recording:{one.id}", rule=rule, by=by, at=at, reason=reason
    )
    put_tombstone(work, stone)
    work.book(RECORDINGS).put(replace(one, file="", key="", dropped_at=at))
