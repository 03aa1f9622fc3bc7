"""Named actors: adding, changing, disabling them, and the PIN with which they sign on at a phone.

Every change is made by an active administrator (the very first one by `system`, at `hotline init`)
and leaves an audit entry per changed field in the same unit of work; values are never in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from hashlib import sha1
from itertools import pairwise

from callcenter.domain.access import Verb
from callcenter.domain.fields import USER_FIELDS, visible
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.staff.signin import end_logins
from scheduler.obligations import BY_IVR

#: Actor of what nobody in particular did.
SYSTEM = "system"
#: Codes nobody may have: what machines do is audited under them, or the PBX's files name parts so.
RESERVED = frozenset(
    {SYSTEM, "nobody", "anonymous", "root", "hotline", "serve", "scheduler", "asterisk", "bridge"}
    | {"trunk", "phone", "global", "udp", "tcp", "default", "general", "queue", "self", "selfdial"}
    | {BY_IVR}  # whoever had it would be taken for the machine, and their calls for its
)

_AUDITED_AS = {"pin_verifier": "pin"}


@guarded(Verb.USERS_SEE)
def seen_users(work: UnitOfWork, *, actor: str) -> list[dict[str, object]]:
    """Return everybody, disabled ones too, as rows with names and numbers masked; raise `Forbidden`."""
    asks = allow(work, actor, Verb.USERS_SEE)
    return [visible(asks.roles, _row(user), USER_FIELDS) for user in work.users.all()]


@guarded(Verb.USERS_SEE)
def seen_user(work: UnitOfWork, code: str, *, actor: str) -> dict[str, object]:
    """Return one user as a row with name and number masked; raise `Forbidden`, `NotFound`."""
    asks = allow(work, actor, Verb.USERS_SEE)
    return visible(asks.roles, _row(work.users.get(code)), USER_FIELDS)


def add_first_admin(work: UnitOfWork, code: str, name: str, *, now: datetime) -> User:
    """Add the administrator who adds all others; raise `Refused` if there are users already."""
    if work.users.all():
        raise Refused("已有人员,不能再建第一位管理员。用 hotline user add。")
    _check_free(code)
    admin = User(code=code, name=_checked_name(name), roles=frozenset({Role.ADMIN}))
    work.users.add(admin)
    _record(work, SYSTEM, "add", admin.code, now)
    return admin


@guarded(Verb.USERS_MANAGE)
def add_user(work: UnitOfWork, user: User, *, actor: str, now: datetime, reason: str = "") -> User:
    """Add a user; raise `Conflict` if the code is taken, `Refused` if `actor` may not or it has no role."""
    allow(work, actor, Verb.USERS_MANAGE)
    _check_sane(user)
    _check_free(user.code)
    work.users.add(user)
    _record(work, actor, "add", user.code, now, reason=reason)
    return user


@guarded(Verb.USERS_MANAGE)
def user_to_change(work: UnitOfWork, code: str, *, actor: str) -> User:
    """Return a user whole, for an administrator about to change them; raise `Forbidden`, `NotFound`."""
    allow(work, actor, Verb.USERS_MANAGE)
    return work.users.get(code)


@guarded(Verb.USERS_MANAGE)
def change_user(work: UnitOfWork, changed: User, *, actor: str, now: datetime, reason: str = "") -> list[str]:
    """Replace a user by `changed` (same code) and return the names of the fields that differ.

    Raises `NotFound`, and `Refused` if `actor` may not, or no active administrator would be left.
    """
    allow(work, actor, Verb.USERS_MANAGE)
    _check_sane(changed)
    before = work.users.get(changed.code)
    differing = [f.name for f in fields(User) if getattr(before, f.name) != getattr(changed, f.name)]
    if differing:
        work.users.update(changed)
        _check_admin_left(work)
    _record_fields(work, actor, "change", changed.code, differing, now, reason)
    return differing


@guarded(Verb.USERS_MANAGE)
def disable_user(work: UnitOfWork, code: str, *, actor: str, now: datetime, reason: str) -> User:
    """Let a user act and be rung no longer; their past stays theirs. A reason is required."""
    allow(work, actor, Verb.USERS_MANAGE)
    if not reason.strip():
        raise Refused("停用人员必须写明原因。")
    user = work.users.get(code)
    if not user.active:
        raise Refused(f"{code} 早已停用。")
    off = replace(user, active=False, pin_verifier=None, escalation_rank=None, alarm_rank=None)
    work.users.update(off)
    _check_admin_left(work)
    end_logins(work, code, now)
    _record(work, actor, "disable", code, now, reason=reason)
    return off


@guarded(Verb.SELF_SECRET, Verb.USERS_MANAGE)
def set_pin(
    work: UnitOfWork, code: str, pin: str, *, salt: str, actor: str, now: datetime, reason: str = ""
) -> User:
    """Set the PIN of an active user. `salt` is `keys.password("pbx-salt")`.

    Everybody may set their own; only an administrator somebody else's. Raises `Refused` on a PIN that
    is not 4-8 digits or is easily guessed.
    """
    allow(work, actor, Verb.SELF_SECRET if actor == code else Verb.USERS_MANAGE)
    user = _active(work, code)
    changed = replace(user, pin_verifier=pin_verifier(salt, code, check_pin(pin)))
    work.users.update(changed)
    _record_fields(work, actor, "set_pin", code, ["pin_verifier"], now, reason)
    return changed


@guarded(Verb.USERS_MANAGE)
def note_account_shown(work: UnitOfWork, code: str, *, actor: str, now: datetime, reason: str) -> User:
    """Record that an administrator was shown how a SIP phone registers, or raise `Refused`."""
    allow(work, actor, Verb.USERS_MANAGE)
    user = _active(work, code)
    if user.phone is not PhoneKind.SIP:
        raise Refused(f"{code} 没有 SIP 话机。")
    if not reason.strip():
        raise Refused("查看话机账号必须写明原因。")
    _record(work, actor, "show_account", code, now, reason=reason)
    return user


def check_pin(pin: str) -> str:
    """Return the PIN, or raise `Refused` (never repeating it) if it is malformed or trivial."""
    if not re.fullmatch(r"[0-9]{4,8}", pin):
        raise Refused("PIN 须为 4 至 8 位数字。")
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if steps <= {0} or steps <= {1} or steps <= {9}:
        raise Refused("PIN 太容易猜到(如 1111、1234、8765),请换一个。")
    return pin


def pin_verifier(salt: str, code: str, pin: str) -> str:
    """Return what dialplan compares: SHA-1, the one digest Asterisk computes (func_sha1), in lower hex."""
    return sha1(f"{salt}{code}{pin}".encode(), usedforsecurity=False).hexdigest()


def named_like_machines(work: UnitOfWork) -> list[str]:
    """Return the codes of active users whom the audit cannot tell from a machine. For the doctor."""
    return sorted(user.code for user in work.users.all() if user.active and user.code in RESERVED)


def _check_free(code: str) -> None:
    if code in RESERVED:
        raise Refused(f"代码 {code} 留给系统自己用,留痕里会分不清是谁。请换一个,如 a001。")


def _check_sane(user: User) -> None:
    _checked_name(user.name)
    if not user.roles:
        raise Refused(f"{user.code} 至少要有一个角色。")
    for rank in (user.escalation_rank, user.alarm_rank):
        if rank is not None and rank < 1:
            raise Refused(f"{user.code} 的次序从 1 开始。")


def _checked_name(name: str) -> str:
    if not name.strip() or not name.isprintable() or len(name) > 60:
        raise Refused("姓名须为 1 至 60 个可见字符。")
    return name


def _active(work: UnitOfWork, code: str) -> User:
    user = work.users.get(code)
    if not user.active:
        raise Refused(f"{code} 已停用。")
    return user


def _check_admin_left(work: UnitOfWork) -> None:
    if not any(u.active and Role.ADMIN in u.roles for u in work.users.all()):
        raise Refused("至少要留一位在用的管理员。")


def _record_fields(
    work: UnitOfWork, actor: str, verb: str, code: str, names: Iterable[str], now: datetime, reason: str
) -> None:
    for name in names:
        _record(work, actor, verb, code, now, field=_AUDITED_AS.get(name, name), reason=reason)


def _record(
    work: UnitOfWork, actor: str, verb: str, code: str, now: datetime, *, field: str = "", reason: str = ""
) -> None:
    work.audit.append(
        AuditEntry(actor=actor, verb=verb, object=f"user:{code}", field=field, reason=reason, at=now)
    )


def _row(of: User) -> dict[str, object]:
    return {
        "code": of.code,
        "name": mask_name(of.name),
        "roles": sorted(of.roles),
        "phone": of.phone,
        "mobile": mask_number(of.mobile) if of.mobile else None,
        "pin_set": of.pin_verifier is not None,
        "escalation_rank": of.escalation_rank,
        "alarm_rank": of.alarm_rank,
        "active": of.active,
    }
