"""The gate before every verb: who acts, and whether one of their roles may. Deny first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from callcenter.domain.access import DataClass, Verb, may, sees
from callcenter.domain.users import User
from callcenter.domain.verb_words import DATA_WORDS, VERB_WORDS
from callcenter.errors import Forbidden, NotFound
from callcenter.ports import UnitOfWork

F = TypeVar("F", bound=Callable[..., object])

#: Service function -> the verbs it asks for. A test walks all of them with every role.
GUARDED: dict[Callable[..., object], tuple[Verb, ...]] = {}


def guarded(*verbs: Verb) -> Callable[[F], F]:
    """Note which verbs a service function asks for, so that the walk over verbs and roles finds it.

    The function itself calls `allow`: the note proves nothing, the walk does.
    """

    def noted(function: F) -> F:
        GUARDED[function] = verbs
        return function

    return noted


def allow(work: UnitOfWork, actor: str, verb: Verb) -> User:
    """Return the acting user, or raise `Forbidden`: unknown, disabled, or no role of theirs may."""
    user = acting(work, actor)
    if not may(user.roles, verb):
        raise Forbidden(f"{actor} 的角色不能{VERB_WORDS.get(verb, '这样做')}。")
    return user


def acting(work: UnitOfWork, actor: str) -> User:
    """Return the acting user, or raise `Forbidden` if there is no such active user."""
    try:
        user = work.users.get(actor)
    except NotFound:
        raise Forbidden(f"没有代码为 {actor} 的人员。") from None
    if not user.active:
        raise Forbidden(f"{actor} 已停用,不能以此名义操作。")
    return user


def check_sees(user: User, data: DataClass) -> None:
    """Raise `Forbidden` unless one of the user's roles may see values of this class."""
    if not sees(user.roles, data):
        raise Forbidden(f"{user.code} 的角色不能查看这类内容：{DATA_WORDS[data]}。")
