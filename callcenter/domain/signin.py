"""Signing in, as pure rules: which passwords are taken, how wrong tries pause, when a login ends.

NIST SP 800-63B: length counts, no rules of composition, nothing that is easily guessed, and no change
by the calendar.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from callcenter.domain.privacy import Credential, Login
from callcenter.errors import Refused

#: Characters, not bytes. The most is there so that nobody makes us hash a book.
SHORTEST, LONGEST = 12, 128
#: However often somebody is wrong: who holds the password is never shut out for longer.
LONGEST_LOCK = timedelta(hours=1)
#: Doublings after which the pause is the longest whatever it began with.
_DOUBLINGS = 12

#: Words that open every list of guesses, and those anybody would try here.
_COMMON = frozenset(
    "password passw0rd qwertyuiop qwerty asdfghjkl asdfgh zxcvbnm 1qaz2wsx3edc iloveyou letmein welcome"
    " changeme admin administrator woaini woaini1314 hotline xinxian wuxi wuxizonggonghui zonggonghui"
    " 4000850966 12351 12356 5201314 1314520 abc abcd abcdef".split()
)
#: Rows of keys and of the alphabet: a password that walks along them is none.
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInPolicy:
    """What the site says of signing in (`[access]`)."""

    #: A login nobody uses ends after this; any login ends `lasts` after it was opened.
    idle: timedelta = timedelta(minutes=30)
    lasts: timedelta = timedelta(hours=12)
    #: Wrong tries before the first pause.
    attempts: int = 5
    #: The first pause; each further wrong try doubles it.
    lock: timedelta = timedelta(minutes=1)
    #: Supervisors and administrators need the second factor.
    second_factor: bool = False


# --- passwords -----------------------------------------------------------------------------


def plain_password(password: str) -> str:
    """Return the one spelling of a password that is hashed: what looks alike is alike (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, *, code: str, name: str) -> str:
    """Return the password's one spelling, or raise `Refused` (never repeating it) if it is a weak one."""
    plain = plain_password(password)
    if not SHORTEST <= len(plain) <= LONGEST:
        raise Refused(f"密码要有 {SHORTEST} 至 {LONGEST} 个字符。可以用几个互不相干的词连成一句。")
    if not plain.isprintable():
        raise Refused("密码里有看不见的字符,请重新输入。")
    folded = plain.casefold()
    if code.casefold() in folded or (len(name) > 1 and name.casefold() in folded):
        raise Refused("密码里不能有本人的代码或姓名。")
    if is_guessable(folded):
        raise Refused("这个密码太容易猜到,请换一个。可以用几个互不相干的词连成一句。")
    return plain


def is_guessable(folded: str) -> bool:
    """Tell whether it is little more than a common word, one block repeated, or a walk along the keys."""
    letters = re.sub(r"[\W_]+", "", folded)
    word, digits = re.sub(r"[0-9]+$", "", letters), re.sub(r"[^0-9]", "", letters)
    if _COMMON & {letters, word, digits, re.sub(r"[0-9]", "", letters)}:
        return True
    if len(set(letters)) < 5 or re.fullmatch(r"(.{1,6}?)\1+.{0,3}", letters):
        return True
    steps = sum(_follows(a, b) for a, b in pairwise(letters))
    return steps * 4 >= (len(letters) - 1) * 3


def _follows(one: str, other: str) -> bool:
    pair = one + other
    return one == other or any(pair in row or pair[::-1] in row for row in _ROWS)


# --- wrong tries ---------------------------------------------------------------------------


def pause_after(failures: int, policy: SignInPolicy) -> timedelta | None:
    """Return how long a user is shut out after so many wrong tries in a row; None: not at all."""
    if failures < policy.attempts:
        return None
    doublings = min(failures - policy.attempts, _DOUBLINGS)
    return min(policy.lock * (1 << doublings), max(LONGEST_LOCK, policy.lock))


def is_locked(credential: Credential, now: datetime) -> bool:
    """Tell whether tries are not looked at yet."""
    return credential.locked_until is not None and now < credential.locked_until


def after_failure(
    credential: Credential, now: datetime, policy: SignInPolicy, *, of_code: bool = False
) -> Credential:
    """Return the credential with one more wrong password, or wrong code. While it is locked none is counted.

    The two are counted apart: who has the password but not the telephone cannot wipe out wrong codes.
    """
    if is_locked(credential, now):
        return credential
    if of_code:
        after = replace(credential, totp_failures=credential.totp_failures + 1)
        pause = pause_after(after.totp_failures, policy)
    else:
        after = replace(credential, failures=credential.failures + 1)
        pause = pause_after(after.failures, policy)
    return replace(after, locked_until=now + pause if pause else None)


def after_success(credential: Credential, *, step: int | None = None) -> Credential:
    """Return the credential after a full sign-in: wrong tries forgotten, the time step of its code used."""
    used = credential.totp_step if step is None else step
    return replace(credential, failures=0, totp_failures=0, locked_until=None, totp_step=used)


def after_reset(credential: Credential) -> Credential:
    """Return the credential whose password an administrator set anew: wrong passwords are forgotten.

    Wrong codes are not: the new password says nothing of the telephone.
    """
    return replace(credential, failures=0, locked_until=None)


# --- logins --------------------------------------------------------------------------------


def is_live(login: Login, now: datetime, policy: SignInPolicy) -> bool:
    """Tell whether a login still counts: not ended, not expired, not idle for too long.

    A clock that was set back makes no login live longer than from its opening.
    """
    if login.ended_at is not None or now < login.opened_at:
        return False
    return now < min(login.expires_at, login.opened_at + policy.lasts) and now < login.seen_at + policy.idle
