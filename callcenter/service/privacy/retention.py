"""Taking away what has been kept long enough: looked at first, then done, never under a legal hold (R42).

A dry run lists what would go today and names that list by a token; doing it needs the token of the same
day, so that nobody takes away what nobody has seen. It goes in batches, each whole in its transaction: a
run that was cut off is gone on with by another dry run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import TOMBSTONES
from callcenter.domain.privacy import Tombstone
from callcenter.domain.retention import Going, Plan, Rule, today
from callcenter.errors import Conflict, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.people import checked_reason
from callcenter.service.privacy.holds import held, is_held
from callcenter.service.privacy.retention_acts import Burial, put_tombstone
from callcenter.service.privacy.retention_finds import find, is_still_due
from callcenter.service.privacy.retention_ground import Ground, Terms, WholeGround

__all__ = ["BATCH", "Gone", "agreed", "bury", "is_held", "plan", "run", "tombstones"]

#: Things per transaction.
BATCH = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Gone:
    """What one batch took away."""

    objects: tuple[str, ...]
    #: Agreed to, but kept: a hold was set or a case opened since.
    kept: tuple[str, ...]
    #: Sound files to delete once this is committed.
    files: tuple[str, ...]


@guarded(Verb.RETENTION_RUN)
def plan(work: UnitOfWork, *, actor: str, now: datetime, terms: Terms, zone: tzinfo) -> Plan:
    """Return what would go today, by which rule, and how many things are held. Changes nothing."""
    allow(work, actor, Verb.RETENTION_RUN)
    day, until = today(now, zone)
    ground = WholeGround(work=work, terms=terms, until=until, held=held(work))
    going: list[Going] = []
    kept: dict[Rule, int] = {}
    for one in (one for rule in Rule for one in find(ground, rule)):
        if ground.is_held(one):
            kept[one.rule] = kept.get(one.rule, 0) + 1
        else:
            going.append(one)
    return Plan(day=day, going=tuple(going), held=kept)


@guarded(Verb.RETENTION_RUN)
def agreed(work: UnitOfWork, token: str, *, actor: str, now: datetime, terms: Terms, zone: tzinfo) -> Plan:
    """Return today's plan if it is the one the token names, or raise `Conflict`."""
    found = plan(work, actor=actor, now=now, terms=terms, zone=zone)
    if found.token != token:
        raise Conflict(
            "这不是今天的清单：日期变了，或此后又有内容到期、保全或删除。"
            "请再做一次 --dry-run，看过后用新的编号。"
        )
    return found


@guarded(Verb.RETENTION_RUN)
def run(
    work: UnitOfWork,
    batch: Sequence[Going],
    *,
    actor: str,
    now: datetime,
    reason: str,
    terms: Terms,
    zone: tzinfo,
) -> Gone:
    """Take one batch of an agreed plan away, each thing with its tombstone; whatever changed since stays.

    Raises `Refused` without a reason.
    """
    allow(work, actor, Verb.RETENTION_RUN)
    told = checked_reason(reason)
    _, until = today(now, zone)
    ground = Ground(work=work, terms=terms, until=until, held=held(work))
    burial = Burial(work=work, ground=ground, by=actor, at=now, reason=told, zone=zone)
    goes = [going for going in batch if is_still_due(ground, going) and not ground.is_held(going)]
    for going in goes:
        burial.take(going)
    burial.leave_counts()
    _note(work, goes, actor, now, told)
    kept = tuple(g.object for g in batch if g not in goes)
    return Gone(objects=tuple(g.object for g in goes), kept=kept, files=tuple(burial.files))


@guarded(Verb.AUDIT_READ)
def tombstones(work: UnitOfWork, *, actor: str, object: str | None = None) -> Sequence[Tombstone]:
    """Return what was taken away, newest first; of one object, if one is given."""
    allow(work, actor, Verb.AUDIT_READ)
    book = work.book(TOMBSTONES)
    found = book.where() if object is None else book.where(object=object)
    return sorted(found, key=lambda stone: (stone.at, stone.object, stone.id), reverse=True)


def bury(work: UnitOfWork, object: str, rule: str, *, by: str, now: datetime, reason: str) -> Tombstone:
    """Leave word that something was taken away, by a rule or a request. Do this before removing it (I6).

    For services that have asked who acts; raises `Refused` if a legal hold binds it.
    """
    if is_held(work, object):
        raise Refused(f"{object} 已被依法保全，不能删除。用 hotline audit holds 查看。")
    stone = Tombstone(id=f"to-{uuid4().hex}", object=object, rule=rule, by=by, at=now, reason=reason)
    put_tombstone(work, stone)
    return stone


def _note(work: UnitOfWork, gone: Sequence[Going], actor: str, now: datetime, reason: str) -> None:
    """Write into the audit how many things went by which rule; which ones, the tombstones say."""
    for rule in Rule:
        if count := sum(going.rule is rule for going in gone):
            entry = AuditEntry(
                actor=actor,
                verb="retention.run",
                object=f"retention:{rule}",
                field=str(count),
                at=now,
                reason=reason,
            )
            work.audit.append(entry)
