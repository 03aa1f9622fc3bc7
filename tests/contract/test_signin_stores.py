"""Signing in over every store: wrong tries at once all count, and a code is taken by one of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pyotp
import pytest
from actors import enlist
from argon2 import PasswordHasher

from callcenter.domain.books import CREDENTIALS, LOGINS
from callcenter.domain.signin import SignInPolicy
from callcenter.errors import Conflict, Forbidden, Refused
from callcenter.ports import Store
from callcenter.service.staff import signin, users

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PASSWORD = "two herons by the canal"
#: So many tries that none of those below is shut out.
PATIENT = SignInPolicy(attempts=100)
HANDS = 6


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    signin._dummy.cache_clear()


@pytest.fixture
def line(store: Store) -> Store:
    with store() as work:
        enlist(work, "c017", "admin")
        signin.set_password(work, "c017", PASSWORD, actor="c017", now=NOW)
        work.commit()
    return store


def at_once(acts: Sequence[Callable[[], object]]) -> list[object]:
    """Run the acts in threads that begin together; return results, or what was raised."""
    together = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        together.wait(30)
        try:
            return act()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def enter(store: Store, password: str, totp: str | None = None, now: datetime = NOW) -> str:
    return signin.sign_in(store, "c017", password, totp, now=now, policy=PATIENT)


def test_wrong_tries_at_once_all_count(line: Store) -> None:
    def wrong() -> object:
        return enter(line, "not the password")

    results = at_once([wrong] * HANDS)
    assert all(isinstance(one, Refused) for one in results), results
    with line() as work:
        assert work.book(CREDENTIALS).get("c017").failures == HANDS
        assert sum(e.verb == "signin.fail" for e in work.audit.recent(99)) == HANDS


def test_a_code_shown_to_two_at_once_lets_in_one(line: Store) -> None:
    with line() as work:
        totp = pyotp.TOTP(signin.set_totp(work, actor="c017", now=NOW))
        signin.confirm_totp(work, totp.at(NOW), actor="c017", now=NOW)
        work.commit()
    later = NOW + timedelta(minutes=5)

    def enters() -> object:
        return enter(line, PASSWORD, totp.at(later), later)

    results = at_once([enters] * HANDS)
    assert len([one for one in results if isinstance(one, str)]) == 1
    with line() as work:
        assert len(work.book(LOGINS).where(user="c017")) == 1
        credential = work.book(CREDENTIALS).get("c017")
        assert (credential.failures, credential.totp_failures) == (0, HANDS - 1)


def test_two_commands_at_once_with_one_token_both_go_through(line: Store) -> None:
    token, later = enter(line, PASSWORD), NOW + timedelta(minutes=5)

    def used() -> object:
        with line() as work:
            code = signin.authenticate(work, token, now=later, policy=PATIENT).code
            work.commit()
        return code

    assert at_once([used] * HANDS) == ["c017"] * HANDS
    with line() as work:
        assert signin.login_of(work, token, now=later, policy=PATIENT).seen_at == later


def test_a_user_who_is_disabled_while_their_token_is_in_use_is_out(line: Store) -> None:
    token, later = enter(line, PASSWORD), NOW + timedelta(minutes=5)

    def used() -> object:
        with line() as work:
            signin.authenticate(work, token, now=later, policy=PATIENT)
            work.commit()
        return None

    def disabled() -> object:
        with line() as work:
            users.disable_user(work, "c017", actor="admin", now=later, reason="调离")
            work.commit()
        return None

    *uses, off = at_once([used] * HANDS + [disabled])
    assert off is None
    assert all(one is None or isinstance(one, Forbidden) for one in uses), uses
    with line() as work, pytest.raises(Forbidden):
        signin.authenticate(work, token, now=later, policy=PATIENT)


def test_a_login_by_the_old_password_does_not_outlive_a_new_one_set_at_the_same_moment(line: Store) -> None:
    other = "correct-horse-battery-staple"

    def entered() -> object:
        return enter(line, PASSWORD)

    def reset() -> object:
        for _ in range(20):
            with suppress(Conflict), line() as work:
                signin.set_password(work, "c017", other, actor="admin", now=NOW, reason="可疑")
                work.commit()
                return None
        return "never"

    *tokens, done = at_once([entered] * HANDS + [reset])
    assert done is None
    assert all(isinstance(one, str | Refused) for one in tokens), tokens
    for token in tokens:
        if isinstance(token, str):
            with line() as work, pytest.raises(Forbidden):
                signin.authenticate(work, token, now=NOW, policy=PATIENT)
    assert enter(line, other)
