"""Keys, the recovery key and backups: who may, and what is written down. The bytes are moved elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb
from callcenter.errors import Conflict, Refused
from callcenter.escrow import Escrow
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.people import checked_reason
from callcenter.service.staff.users import SYSTEM


@guarded(Verb.KEYS_ROTATE)
def may_rotate(work: UnitOfWork, *, actor: str) -> None:
    """Raise `Forbidden` unless the actor may change keys."""
    allow(work, actor, Verb.KEYS_ROTATE)


@guarded(Verb.KEYS_ROTATE)
def note_rotation(work: UnitOfWork, version: int, *, actor: str, now: datetime, reason: str) -> None:
    """Write down that everything is sealed again with key `version`. Raises `Forbidden`, `Refused`."""
    allow(work, actor, Verb.KEYS_ROTATE)
    _note(work, actor, Verb.KEYS_ROTATE, f"key:{version}", now, checked_reason(reason))


@guarded(Verb.KEYS_ROTATE)
def note_retirement(work: UnitOfWork, version: int, *, actor: str, now: datetime, reason: str) -> None:
    """Write down that the keys before `version` are dropped. Raises `Forbidden`, `Refused`."""
    allow(work, actor, Verb.KEYS_ROTATE)
    _note(work, actor, "keys.retire", f"key:{version}", now, checked_reason(reason))


@guarded(Verb.KEYS_ESCROW)
def new_escrow(
    work: UnitOfWork,
    known: Escrow | None,
    recipient: str,
    *,
    actor: str,
    now: datetime,
    reason: str = "",
    replaces: bool = False,
) -> Escrow:
    """Return a recovery key's note, not confirmed yet, and write down that it was made.

    Raises `Forbidden`, and `Refused` if there is one already and `replaces` is not said, with a reason.
    """
    allow(work, actor, Verb.KEYS_ESCROW)
    if known is not None and not replaces:
        raise Refused(
            "已有恢复密钥。纸还在:hotline keys confirm;丢了:hotline keys escrow --replace --reason 理由。"
        )
    told = checked_reason(reason) if known is not None else reason.strip()
    _note(work, actor, Verb.KEYS_ESCROW, "recovery:new", now, told)
    return Escrow(recipient=recipient, made_at=now, made_by=actor)


@guarded(Verb.KEYS_ESCROW)
def may_escrow(work: UnitOfWork, *, actor: str) -> None:
    """Raise `Forbidden` unless the actor may have to do with the recovery key."""
    allow(work, actor, Verb.KEYS_ESCROW)


@guarded(Verb.KEYS_ESCROW)
def confirm_escrow(
    work: UnitOfWork, known: Escrow | None, recipient: str, *, actor: str, now: datetime
) -> Escrow:
    """Return the note, confirmed by name: the key that was typed is the one whose public half we have.

    Raises `Forbidden`, `Refused` if there is no recovery key yet, and `Conflict` if it is another one.
    """
    allow(work, actor, Verb.KEYS_ESCROW)
    if known is None:
        raise Refused("还没有恢复密钥。先运行 hotline keys escrow。")
    if recipient != known.recipient:
        raise Conflict("这是另一把恢复密钥,不是现在这一把。请找制作日期最近的那张纸。")
    _note(work, actor, "keys.confirm", "recovery:confirmed", now)
    return replace(known, confirmed_at=now, confirmed_by=actor)


@guarded(Verb.BACKUP_MAKE)
def note_backup(work: UnitOfWork, name: str, *, actor: str, now: datetime) -> None:
    """Write down that a backup is made. Raises `Forbidden`."""
    allow(work, actor, Verb.BACKUP_MAKE)
    _note(work, actor, Verb.BACKUP_MAKE, f"backup:{name}", now)


def note_backup_by_itself(work: UnitOfWork, name: str, *, now: datetime) -> None:
    """Write down that `hotline serve` makes a backup."""
    _note(work, SYSTEM, Verb.BACKUP_MAKE, f"backup:{name}", now)


@guarded(Verb.BACKUP_RESTORE)
def may_restore(work: UnitOfWork, *, actor: str, reason: str) -> str:
    """Return the reason for putting a backup in the place of a store that stands. Raises `Forbidden`."""
    allow(work, actor, Verb.BACKUP_RESTORE)
    return checked_reason(reason)


def note_restore(work: UnitOfWork, name: str, *, now: datetime, by: str, reason: str) -> None:
    """Write into the restored store that, and from what, it was restored."""
    _note(work, by or SYSTEM, Verb.BACKUP_RESTORE, f"backup:{name}", now, reason)


def _note(work: UnitOfWork, actor: str, verb: str, thing: str, now: datetime, reason: str = "") -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=thing, at=now, reason=reason))
