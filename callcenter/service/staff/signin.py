"""Proving who somebody is: password, second factor, and the token of a login (R39).

A wrong try has to stay counted though it is refused, so what counts tries takes the store and commits
by itself; all else takes an open unit of work and leaves committing to the caller. Whoever is wrong
hears one and the same sentence, after the same work, whether the user exists, is locked or is not.
"""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from callcenter.config import Access
from callcenter.domain.access import Verb
from callcenter.domain.books import CREDENTIALS, LOGINS
from callcenter.domain.privacy import Credential, Login
from callcenter.domain.signin import (
    LONGEST,
    SignInPolicy,
    after_failure,
    after_reset,
    after_success,
    check_password,
    is_live,
    is_locked,
    plain_password,
)
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, Store, UnitOfWork
from callcenter.service.access import acting, allow, guarded

T = TypeVar("T")

#: Argon2id with the library's parameters (RFC 9106, low memory): they may rise with a new version.
HASHER = PasswordHasher()
#: RFC 6238: a code is of 30 seconds; one step early or late counts too.
STEP_SECONDS = 30
_WINDOW = (-1, 0, 1)
_CODE = re.compile(r"[a-z][a-z0-9]{1,11}")
#: How often a try is taken up again because another one came between.
_TRIES = 50
#: Who writes into the audit where nobody proved who they are.
_NOBODY = "system"
#: A login's last use is not written more often than this.
_SEEN_EVERY = timedelta(minutes=1)

_WRONG = "登录不成功:代码、密码或动态码不对,或者输错次数太多。请核对,过一会儿再试。"
_GONE = "登录已失效,请重新登录:hotline login 您的代码"


class NeedsSecondFactor(Refused):
    """先要设置动态码才能登录。"""

    error_id = "needs_second_factor"


def policy_of(access: Access) -> SignInPolicy:
    """Return what the site configured of signing in."""
    return SignInPolicy(
        idle=access.idle,
        lasts=access.lasts,
        attempts=access.attempts,
        lock=access.lock,
        second_factor=access.second_factor,
    )


# --- the password --------------------------------------------------------------------------


@guarded(Verb.SELF_SECRET, Verb.USERS_MANAGE)
def set_password(
    work: UnitOfWork, code: str, password: str, *, actor: str, now: datetime, reason: str = ""
) -> None:
    """Set one's first password, or, as an administrator, somebody else's; end all their logins.

    Raises `Forbidden`, `NotFound`, and `Refused` for a weak one or where one's own stands already: that
    is changed by proving it (`change_password`).
    """
    allow(work, actor, Verb.SELF_SECRET if actor == code else Verb.USERS_MANAGE)
    user = _active(work, code)
    if actor == code and work.book(CREDENTIALS).one(code) is not None:
        raise Refused("您已有密码,更改时要先输入旧密码。忘记了请找管理员重设。")
    _save_password(work, user, password, actor=actor, now=now, reason=reason)


def change_password(
    store: Store, code: str, old: str, new: str, *, now: datetime, policy: SignInPolicy
) -> None:
    """Change one's own password and end all one's logins. A wrong old one counts as a wrong try.

    A right one forgets no wrong try: only a full sign-in does. Raises `Refused`.
    """

    def changed(work: UnitOfWork, user: User) -> bool:
        allow(work, user.code, Verb.SELF_SECRET)
        _save_password(work, user, new, actor=code, now=now)
        return True

    _prove(store, code, old, None, changed, now=now, policy=policy, with_totp=False)


def has_password(work: UnitOfWork, code: str) -> bool:
    """Tell whether a user has a password."""
    return work.book(CREDENTIALS).one(code) is not None


def _save_password(
    work: UnitOfWork, user: User, password: str, *, actor: str, now: datetime, reason: str = ""
) -> None:
    plain = check_password(password, code=user.code, name=user.name)
    hashed, book = HASHER.hash(plain), work.book(CREDENTIALS)
    before = book.one(user.code)
    if before is None:
        book.add(Credential(id=user.code, password=hashed, changed_at=now))
    else:
        kept = before if actor == user.code else after_reset(before)
        book.put(replace(kept, password=hashed, changed_at=now))
    end_logins(work, user.code, now)
    _note(work, actor, "signin.password", user.code, now, reason=reason)


# --- the second factor ---------------------------------------------------------------------


@guarded(Verb.SELF_SECRET)
def set_totp(work: UnitOfWork, *, actor: str, now: datetime) -> str:
    """Return a new secret (base32) for one's own authenticator; it counts once a code confirmed it.

    Nobody sets up another's. Raises `Forbidden`, and `Refused` without a password or while one is set.
    """
    allow(work, actor, Verb.SELF_SECRET)
    credential = _own(work, actor)
    if credential.totp is not None:
        raise Refused("已设置动态码。要换手机,先用 hotline user totp 代码 --remove 取消。")
    secret = pyotp.random_base32()
    work.book(CREDENTIALS).put(replace(credential, totp_pending=secret))
    _note(work, actor, "signin.totp_begin", actor, now)
    return secret


@guarded(Verb.SELF_SECRET)
def confirm_totp(work: UnitOfWork, digits: str, *, actor: str, now: datetime) -> None:
    """Turn the second factor on, proved by a code of the new secret. Raises `Forbidden`, `Refused`."""
    allow(work, actor, Verb.SELF_SECRET)
    credential = _own(work, actor)
    if credential.totp_pending is None:
        raise Refused("没有等待确认的动态码。请重新运行 hotline user totp。")
    step = _step_of(credential.totp_pending, digits, now, after=credential.totp_step)
    if step is None:
        raise Refused("动态码不对。请核对手机的时间是否准确,用新的一组数字再试。")
    on = replace(credential, totp=credential.totp_pending, totp_pending=None, totp_step=step, totp_due=False)
    work.book(CREDENTIALS).put(on)
    _note(work, actor, "signin.totp", actor, now)


@guarded(Verb.USERS_MANAGE)
def reset_totp(work: UnitOfWork, code: str, *, actor: str, now: datetime, reason: str) -> None:
    """Take off another's second factor (a lost telephone) and end all their logins. A reason is required.

    They have to set a new one before they are let in again. Raises `Forbidden`, `Refused`: one's own is
    taken off by proving it (`remove_totp`).
    """
    allow(work, actor, Verb.USERS_MANAGE)
    if actor == code:
        raise Refused("取消自己的动态码要输入密码和动态码。手机丢了,请另一位管理员来取消。")
    if not reason.strip():
        raise Refused("取消动态码必须写明原因。")
    _take_off_totp(work, code, is_due=True, actor=actor, now=now, reason=reason)


def remove_totp(
    store: Store,
    code: str,
    password: str,
    digits: str,
    *,
    now: datetime,
    policy: SignInPolicy,
    reason: str = "",
) -> None:
    """Take off one's own second factor, proved by password and code as a sign-in is; end all one's logins.

    A token that lies about is not enough. What is wrong counts as a wrong try. Raises `Refused`.
    """

    def taken_off(work: UnitOfWork, user: User) -> bool:
        allow(work, user.code, Verb.SELF_SECRET)
        _take_off_totp(work, code, is_due=False, actor=code, now=now, reason=reason)
        return True

    _prove(store, code, password, digits, taken_off, now=now, policy=policy)


def _take_off_totp(
    work: UnitOfWork, code: str, *, is_due: bool, actor: str, now: datetime, reason: str
) -> None:
    credential = work.book(CREDENTIALS).one(code)
    if credential is None or (credential.totp is None and credential.totp_pending is None):
        raise Refused(f"{code} 没有设置动态码。")
    due = is_due and credential.totp is not None
    off = replace(credential, totp=None, totp_pending=None, totp_due=due, totp_failures=0)
    work.book(CREDENTIALS).put(off)
    end_logins(work, code, now)
    _note(work, actor, "signin.totp_remove", code, now, reason=reason)


def _own(work: UnitOfWork, actor: str) -> Credential:
    credential = work.book(CREDENTIALS).one(actor)
    if credential is None:
        raise Refused("请先设置密码:hotline user password 代码")
    return credential


def _step_of(secret: str, digits: str, now: datetime, *, after: int) -> int | None:
    """Return the time step a code belongs to; None if it is wrong or of a step already used."""
    plain = unicodedata.normalize("NFKC", digits).replace(" ", "")
    if not re.fullmatch(r"[0-9]{6}", plain):
        return None
    totp, this = pyotp.TOTP(secret, interval=STEP_SECONDS), int(now.timestamp()) // STEP_SECONDS
    steps = [this + offset for offset in _WINDOW if this + offset > after]
    matching = [s for s in steps if hmac.compare_digest(totp.at(s * STEP_SECONDS).encode(), plain.encode())]
    return matching[0] if matching else None


# --- signing in ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    """What a try comes to, judged against the credential as it was seen."""

    user: User | None
    seen: Credential | None
    #: What was wrong; empty: nothing.
    fault: str = ""
    step: int | None = None


def sign_in(
    store: Store, code: str, password: str, totp: str | None, *, now: datetime, policy: SignInPolicy
) -> str:
    """Return the token of a new login. Only its hash is kept.

    Raises `Refused`, the same for every kind of wrong, and `NeedsSecondFactor` where the password is
    right and a second factor that is needed is not set yet.
    """
    token = secrets.token_urlsafe(32)

    def opened(work: UnitOfWork, user: User) -> bool:
        if _lacks_factor(work, user, policy):
            return False
        _forget_dead_logins(work, code, now, policy)
        expires = now + policy.lasts
        login = Login(id=_digest(token), user=code, opened_at=now, seen_at=now, expires_at=expires)
        work.book(LOGINS).add(login)
        _note(work, code, "signin.open", code, now)
        return True

    if not _prove(store, code, password, totp, opened, now=now, policy=policy):
        raise NeedsSecondFactor
    return token


def _prove(
    store: Store,
    code: str,
    password: str,
    totp: str | None,
    then: Callable[[UnitOfWork, User], T],
    *,
    now: datetime,
    policy: SignInPolicy,
    with_totp: bool = True,
) -> T:
    """Judge a try and count it, by compare-and-set, so that two at once both count; if right, do `then`.

    What follows is of the same unit of work: it holds for the very password that was proved.
    """
    for _ in range(_TRIES):
        with store() as work:
            user, seen = _find(work, code)
        # Hashing takes its time: no unit of work is open meanwhile.
        verdict = _judged(user, seen, password, totp, now, with_totp=with_totp)
        try:
            with store() as work:
                _settle(work, verdict, password, now, policy, is_full=with_totp)
                done = then(work, verdict.user) if verdict.user is not None and not verdict.fault else None
                work.commit()
        except Conflict:
            continue
        if done is None:
            raise Refused(_WRONG)
        return done
    raise Conflict("同时登录的次数太多,请稍后再试。")


def _find(work: UnitOfWork, code: str) -> tuple[User | None, Credential | None]:
    if not _CODE.fullmatch(code):  # nothing that only a database would choke on
        return None, None
    try:
        user = work.users.get(code)
    except NotFound:
        return None, None
    return (user, work.book(CREDENTIALS).one(code)) if user.active else (None, None)


def _judged(
    user: User | None,
    seen: Credential | None,
    password: str,
    totp: str | None,
    now: datetime,
    *,
    with_totp: bool,
) -> _Verdict:
    right = _matches(seen.password if seen is not None else _dummy(), password)
    if user is None or seen is None:
        return _Verdict(user=None, seen=None, fault="unknown")
    if is_locked(seen, now):
        return _Verdict(user=user, seen=seen, fault="locked")
    if not right:
        return _Verdict(user=user, seen=seen, fault="password")
    if seen.totp is None or not with_totp:
        return _Verdict(user=user, seen=seen)
    step = _step_of(seen.totp, totp or "", now, after=seen.totp_step)
    return _Verdict(user=user, seen=seen, fault="" if step is not None else "totp", step=step)


def _settle(
    work: UnitOfWork,
    verdict: _Verdict,
    password: str,
    now: datetime,
    policy: SignInPolicy,
    *,
    is_full: bool,
) -> None:
    """Write what a try came to; raise `Conflict` if the credential is no longer as it was seen.

    `is_full`: all that a sign-in asks was asked, so that a right try forgets the wrong ones.
    """
    seen = verdict.seen
    if seen is None:
        # What was typed in the place of a code may be a password: it is not repeated.
        _note(work, _NOBODY, "signin.fail", "?", now, field=verdict.fault)
        return
    if verdict.fault:
        after = after_failure(seen, now, policy, of_code=verdict.fault == "totp")
        _note(work, _NOBODY, "signin.fail", seen.id, now, field=verdict.fault)
    else:
        after = after_success(seen, step=verdict.step) if is_full else seen
        if HASHER.check_needs_rehash(seen.password):
            after = replace(after, password=HASHER.hash(plain_password(password)))
    # Also unchanged: that somebody came between must be noticed here.
    work.book(CREDENTIALS).put(after)


def _lacks_factor(work: UnitOfWork, user: User, policy: SignInPolicy) -> bool:
    credential = work.book(CREDENTIALS).get(user.code)
    by_role = policy.second_factor and bool(user.roles & {Role.SUPERVISOR, Role.ADMIN})
    return (by_role or credential.totp_due) and credential.totp is None


def _matches(hashed: str, password: str) -> bool:
    plain = plain_password(password) if len(password) <= LONGEST else ""
    try:
        return HASHER.verify(hashed, plain.encode(errors="surrogatepass"))
    except (Argon2Error, InvalidHashError):
        return False


@lru_cache(maxsize=1)
def _dummy() -> str:
    """Return a hash nobody's password has, so that an unknown user costs what a known one does."""
    return HASHER.hash(secrets.token_urlsafe(32))


# --- logins --------------------------------------------------------------------------------


def authenticate(work: UnitOfWork, token: str, *, now: datetime, policy: SignInPolicy) -> User:
    """Return whose token this is, and note that it was used; raise `Forbidden` if it counts no longer."""
    login = login_of(work, token, now=now, policy=policy)
    user = acting(work, login.user)
    if now - login.seen_at >= min(_SEEN_EVERY, policy.idle / 10):
        try:
            work.book(LOGINS).put(replace(login, seen_at=now))
        except (Conflict, NotFound):  # used or ended elsewhere this instant: they wrote it
            login_of(work, token, now=now, policy=policy)
    return user


def login_of(work: UnitOfWork, token: str, *, now: datetime, policy: SignInPolicy) -> Login:
    """Return the live login of a token, or raise `Forbidden`."""
    login = work.book(LOGINS).one(_digest(token))
    if login is None or not is_live(login, now, policy):
        raise Forbidden(_GONE)
    return login


def sign_out(work: UnitOfWork, token: str, *, now: datetime) -> None:
    """End a login. A token that means nothing is fine: then there is nothing to end."""
    login = work.book(LOGINS).one(_digest(token))
    if login is not None and login.ended_at is None:
        _end(work, login.id, now)
        _note(work, login.user, "signin.end", login.user, now)


@guarded(Verb.SELF_SECRET, Verb.USERS_MANAGE)
def sign_out_everywhere(work: UnitOfWork, code: str, *, actor: str, now: datetime) -> int:
    """End all logins of oneself, or as an administrator of anybody; return how many there were."""
    allow(work, actor, Verb.SELF_SECRET if actor == code else Verb.USERS_MANAGE)
    ended = end_logins(work, code, now)
    _note(work, actor, "signin.end_all", code, now)
    return ended


def end_logins(work: UnitOfWork, code: str, now: datetime) -> int:
    """End all logins of a user whose password, second factor or standing changed; return how many."""
    live = [login for login in work.book(LOGINS).where(user=code) if login.ended_at is None]
    for login in live:
        _end(work, login.id, now)
    return len(live)


def _end(work: UnitOfWork, login_id: str, now: datetime) -> None:
    """End one login, whoever notes its use meanwhile."""
    for _ in range(_TRIES):
        login = work.book(LOGINS).one(login_id)
        if login is None or login.ended_at is not None:
            return
        try:
            work.book(LOGINS).put(replace(login, ended_at=now))
        except Conflict:
            continue
        return
    raise Conflict("登录正在使用中,没有结束。请再试一次。")


def _forget_dead_logins(work: UnitOfWork, code: str, now: datetime, policy: SignInPolicy) -> None:
    book = work.book(LOGINS)
    for login in book.where(user=code):
        if not is_live(login, now, policy):
            with suppress(NotFound):  # another sign-in took it away this instant
                book.remove(login.id)


def _digest(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def _active(work: UnitOfWork, code: str) -> User:
    user = work.users.get(code)
    if not user.active:
        raise Refused(f"{code} 已停用。")
    return user


def _note(
    work: UnitOfWork,
    actor: str,
    verb: str,
    code: str,
    now: datetime,
    *,
    field: str = "",
    reason: str = "",
) -> None:
    work.audit.append(
        AuditEntry(actor=actor, verb=verb, object=f"user:{code}", at=now, field=field, reason=reason)
    )
