"""Passwords, second factors and logins, in the situations people and thieves come in."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from actors import ACTORS, enlist
from argon2 import PasswordHasher

from callcenter.config import Access
from callcenter.domain.books import CREDENTIALS, LOGINS
from callcenter.domain.privacy import Credential
from callcenter.domain.signin import SignInPolicy
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.service.staff import signin, users

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PASSWORD = "梧桐 落在 石板路上 一夜雨声"
OTHER = "correct-horse-battery-staple"
POLICY = SignInPolicy()


class CountingHasher(PasswordHasher):
    """Counts how often it verified."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture(autouse=True)
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    """Cheap hashing: that argon2 is slow enough is argon2's to prove."""
    cheap = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(signin, "HASHER", cheap)
    signin._dummy.cache_clear()
    return cheap


@pytest.fixture
def store() -> MemoryStore:
    """A line with one of each, of whom 林晓燕 (c017) has a password."""
    store = MemoryStore()
    with store() as work:
        enlist(work)
        signin.set_password(work, "c017", PASSWORD, actor="c017", now=NOW)
        work.commit()
    return store


def enter(
    store: MemoryStore,
    code: str = "c017",
    password: str = PASSWORD,
    totp: str | None = None,
    now: datetime = NOW,
    policy: SignInPolicy = POLICY,
) -> str:
    return signin.sign_in(store, code, password, totp, now=now, policy=policy)


def whose(store: MemoryStore, token: str, now: datetime = NOW, policy: SignInPolicy = POLICY) -> str:
    with store() as work:
        user = signin.authenticate(work, token, now=now, policy=policy)
        work.commit()
    return user.code


def credential(store: MemoryStore, code: str = "c017") -> Credential:
    with store() as work:
        return work.book(CREDENTIALS).get(code)


def audited(store: MemoryStore) -> list[tuple[str, str, str, str]]:
    with store() as work:
        return [(e.actor, e.verb, e.object, e.field) for e in work.audit.recent(99)]


def with_totp(store: MemoryStore, code: str = "c017", now: datetime = NOW) -> pyotp.TOTP:
    with store() as work:
        secret = signin.set_totp(work, actor=code, now=now)
        totp = pyotp.TOTP(secret)
        signin.confirm_totp(work, totp.at(now), actor=code, now=now)
        work.commit()
    return totp


# --- the password --------------------------------------------------------------------------


def test_a_counsellor_signs_in_and_the_token_stands_nowhere(store: MemoryStore) -> None:
    token = enter(store)
    assert whose(store, token) == "c017"
    kept = pickle.dumps(store.state)
    assert b"argon2id" in kept
    assert token.encode() not in kept
    assert PASSWORD.encode() not in kept
    assert credential(store).password.startswith("$argon2id$")
    assert ("c017", "signin.open", "user:c017", "") in audited(store)


@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "林晓燕喜欢在太湖边散步看日落",
        "c017-loves-the-lake-at-dusk",
        "C017 Loves The Lake",
        "password12345",
        "Passw0rd!!!!!",
        "qwertyuiop[]12",
        "123456789012345",
        "987654321098765",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "4000850966!!",
        "hotline202611",
        "abcdefghijklmnop",
        "梧桐\x00落在石板路上一夜雨声",
        "x" * 129,
    ],
)
def test_a_weak_password_is_refused_without_repeating_it(store: MemoryStore, weak: str) -> None:
    with store() as work, pytest.raises(Refused) as refused:
        signin.set_password(work, "c017", weak, actor="admin", now=NOW)
    assert weak not in str(refused.value)


def test_no_rules_of_composition_a_sentence_of_small_letters_will_do(store: MemoryStore) -> None:
    with store() as work:
        signin.set_password(work, "s001", "two herons by the canal", actor="s001", now=NOW)
        work.commit()
    assert enter(store, "s001", "two herons by the canal")


def test_full_width_letters_of_another_keyboard_are_the_same_password(store: MemoryStore) -> None:
    with store() as work:
        signin.set_password(work, "s001", "two herons by the canal", actor="s001", now=NOW)
        work.commit()
    assert enter(store, "s001", "ｔｗｏ herons by the canal")


def test_one_changes_ones_own_by_proving_the_old_one(store: MemoryStore) -> None:
    with store() as work, pytest.raises(Refused, match="旧密码"):
        signin.set_password(work, "c017", OTHER, actor="c017", now=NOW)
    with pytest.raises(Refused):
        signin.change_password(store, "c017", "not the old one", OTHER, now=NOW, policy=POLICY)
    assert credential(store).failures == 1, "a wrong old password is a wrong try"
    token = enter(store)
    signin.change_password(store, "c017", PASSWORD, OTHER, now=NOW, policy=POLICY)
    with pytest.raises(Forbidden):
        whose(store, token)
    with pytest.raises(Refused):
        enter(store)
    assert enter(store, password=OTHER)


def test_the_administrator_sets_anew_what_was_forgotten_and_lifts_the_pause(store: MemoryStore) -> None:
    token = enter(store)
    for _ in range(POLICY.attempts):
        with pytest.raises(Refused):
            enter(store, password="forgotten forgotten")
    with store() as work:
        signin.set_password(work, "c017", OTHER, actor="admin", now=NOW, reason="忘记密码")
        work.commit()
    with pytest.raises(Forbidden):
        whose(store, token)
    assert enter(store, password=OTHER)


def test_a_password_of_weaker_parameters_is_hashed_anew_when_it_is_next_proved(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    enter(store)
    assert "m=16,t=2" in credential(store).password
    assert enter(store)


# --- wrong tries ---------------------------------------------------------------------------


def test_every_kind_of_wrong_is_one_sentence_and_costs_one_hash(
    store: MemoryStore, hasher: CountingHasher
) -> None:
    with store() as work:
        users.disable_user(work, "k001", actor="admin", now=NOW, reason="调离")
        work.commit()
    totp = with_totp(store)
    wrong = "000000" if totp.at(NOW + MINUTE) != "000000" else "000001"
    said, costs = set(), []
    tries = [("x999", PASSWORD), ("k001", PASSWORD), ("s001", PASSWORD), ("c017", OTHER), ("c017", PASSWORD)]
    for code, password in tries:
        before = hasher.verified
        with pytest.raises(Refused) as refused:
            enter(store, code, password, wrong, NOW + MINUTE)
        said.add((type(refused.value), str(refused.value)))
        costs.append(hasher.verified - before)
    for _ in range(POLICY.attempts):
        with pytest.raises(Refused) as refused:
            enter(store, password=OTHER, now=NOW + MINUTE)
        said.add((type(refused.value), str(refused.value)))
    assert credential(store).locked_until is not None
    before = hasher.verified
    with pytest.raises(Refused) as refused:
        enter(store, now=NOW + MINUTE)
    said.add((type(refused.value), str(refused.value)))
    assert len(said) == 1
    assert {*costs, hasher.verified - before} == {1}


def test_the_right_password_does_not_get_in_during_the_pause_and_does_after_it(store: MemoryStore) -> None:
    for _ in range(POLICY.attempts):
        with pytest.raises(Refused):
            enter(store, password=OTHER)
    with pytest.raises(Refused):
        enter(store, now=NOW + POLICY.lock - timedelta(seconds=1))
    assert enter(store, now=NOW + POLICY.lock)
    assert credential(store).failures == 0


def test_who_hammers_during_the_pause_does_not_lengthen_it(store: MemoryStore) -> None:
    for _ in range(POLICY.attempts * 4):
        with pytest.raises(Refused):
            enter(store, password=OTHER)
    assert credential(store).failures == POLICY.attempts
    assert credential(store).locked_until == NOW + POLICY.lock


def test_failures_are_audited_without_what_was_typed(store: MemoryStore) -> None:
    with pytest.raises(Refused):
        enter(store, code=OTHER, password=OTHER)  # the password typed in the place of the code
    with pytest.raises(Refused):
        enter(store, password=OTHER)
    assert audited(store)[:2] == [
        ("system", "signin.fail", "user:c017", "password"),
        ("system", "signin.fail", "user:?", "unknown"),
    ]
    assert OTHER.encode() not in pickle.dumps(store.state)


def test_a_password_as_long_as_a_book_is_wrong_and_not_hashed_whole(store: MemoryStore) -> None:
    with pytest.raises(Refused):
        enter(store, password="长" * 1_000_000)


@pytest.mark.parametrize("odd", ["", "\x00", "\ud800", "c017\n", "' or 1=1 --", "𝟘𝟙"])
def test_odd_characters_anywhere_are_simply_wrong(store: MemoryStore, odd: str) -> None:
    with_totp(store)
    for code, password, totp in ((odd, PASSWORD, None), ("c017", odd, None), ("c017", PASSWORD, odd)):
        with pytest.raises(Refused, match="登录不成功"):
            enter(store, code, password, totp)
    with pytest.raises(Forbidden):
        whose(store, odd)


# --- the second factor ---------------------------------------------------------------------


def test_with_a_second_factor_the_password_alone_does_not_do(store: MemoryStore) -> None:
    totp = with_totp(store)
    with pytest.raises(Refused):
        enter(store, now=NOW + MINUTE)
    assert enter(store, totp=totp.at(NOW + MINUTE), now=NOW + MINUTE)


@pytest.mark.parametrize("drift", [timedelta(seconds=-30), timedelta(0), timedelta(seconds=30)])
def test_a_telephone_whose_clock_is_a_step_off_gets_in(store: MemoryStore, drift: timedelta) -> None:
    totp, later = with_totp(store), NOW + 5 * MINUTE
    code = totp.at(later + drift)
    assert enter(store, totp=f"{code[:3]} {code[3:]}", now=later)


@pytest.mark.parametrize("drift", [timedelta(seconds=-60), timedelta(seconds=60)])
def test_two_steps_off_is_too_much(store: MemoryStore, drift: timedelta) -> None:
    totp, later = with_totp(store), NOW + 5 * MINUTE
    with pytest.raises(Refused):
        enter(store, totp=totp.at(later + drift), now=later)


def test_a_code_that_somebody_read_over_the_shoulder_counts_once(store: MemoryStore) -> None:
    totp, later = with_totp(store), NOW + 5 * MINUTE
    seen = totp.at(later)
    enter(store, totp=seen, now=later)
    with pytest.raises(Refused):
        enter(store, totp=seen, now=later + timedelta(seconds=10))
    with pytest.raises(Refused, match="登录不成功"):
        enter(store, totp=totp.at(later - timedelta(seconds=30)), now=later)


def test_the_code_that_confirmed_the_secret_does_not_sign_in_as_well(store: MemoryStore) -> None:
    totp = with_totp(store)
    with pytest.raises(Refused):
        enter(store, totp=totp.at(NOW))


def test_a_secret_nobody_confirmed_asks_nothing_yet(store: MemoryStore) -> None:
    with store() as work:
        signin.set_totp(work, actor="c017", now=NOW)
        with pytest.raises(Refused, match="动态码不对"):
            signin.confirm_totp(work, "abc", actor="c017", now=NOW)
        work.commit()
    assert enter(store)


def test_a_lost_telephone_is_taken_off_by_the_administrator_with_a_reason(
    store: MemoryStore,
) -> None:
    with_totp(store)
    token = enter(store, totp=pyotp.TOTP(credential(store).totp or "").at(NOW + MINUTE), now=NOW + MINUTE)
    with store() as work:
        with pytest.raises(Refused, match="原因"):
            signin.reset_totp(work, "c017", actor="admin", now=NOW, reason=" ")
        with pytest.raises(Forbidden):
            signin.reset_totp(work, "c017", actor="s001", now=NOW, reason="手机丢失")
        signin.reset_totp(work, "c017", actor="admin", now=NOW, reason="手机丢失")
        work.commit()
    with pytest.raises(Forbidden):
        whose(store, token, NOW + MINUTE)
    with pytest.raises(signin.NeedsSecondFactor):
        enter(store)
    anew = with_totp(store, now=NOW + 3 * MINUTE)
    assert enter(store, totp=anew.at(NOW + 5 * MINUTE), now=NOW + 5 * MINUTE)
    assert ("admin", "signin.totp_remove", "user:c017", "") in audited(store)


def test_who_has_the_password_but_not_the_telephone_gets_no_more_codes_by_changing_it(
    store: MemoryStore,
) -> None:
    totp, now = with_totp(store), NOW + 10 * MINUTE
    wrong = "000000" if totp.at(now) != "000000" else "000001"
    passwords, judged = [PASSWORD, OTHER], 0
    for _ in range(6):
        for _ in range(POLICY.attempts - 1):
            judged += credential(store).locked_until is None
            with pytest.raises(Refused):
                enter(store, password=passwords[0], totp=wrong, now=now)
        if credential(store).locked_until is None:
            signin.change_password(store, "c017", *passwords, now=now, policy=POLICY)
            passwords.reverse()
    assert judged <= POLICY.attempts
    assert credential(store).totp_failures == POLICY.attempts
    assert credential(store).locked_until == now + POLICY.lock


def test_an_administrators_new_password_does_not_wipe_out_wrong_codes(store: MemoryStore) -> None:
    totp, now = with_totp(store), NOW + 10 * MINUTE
    wrong = "000000" if totp.at(now) != "000000" else "000001"
    for _ in range(POLICY.attempts):
        with pytest.raises(Refused):
            enter(store, totp=wrong, now=now)
    with store() as work:
        signin.set_password(work, "c017", OTHER, actor="admin", now=now, reason="忘记密码")
        work.commit()
    with pytest.raises(Refused):
        enter(store, password=OTHER, totp=wrong, now=now)
    assert credential(store).locked_until == now + 2 * POLICY.lock
    later = now + 3 * POLICY.lock
    assert enter(store, password=OTHER, totp=totp.at(later), now=later)
    assert (credential(store).totp_failures, credential(store).locked_until) == (0, None)


def test_ones_own_second_factor_goes_only_by_password_and_code(store: MemoryStore) -> None:
    totp, now = with_totp(store), NOW + MINUTE
    wrong = "000000" if totp.at(now) != "000000" else "000001"
    with store() as work, pytest.raises(Refused, match="自己"):
        signin.reset_totp(work, "admin", actor="admin", now=now, reason="手机丢失")
    with store() as work, pytest.raises(Forbidden):
        signin.reset_totp(work, "c017", actor="c017", now=now, reason="手机丢失")
    for password, digits in ((OTHER, totp.at(now)), (PASSWORD, wrong), (PASSWORD, "")):
        with pytest.raises(Refused, match="登录不成功"):
            signin.remove_totp(store, "c017", password, digits, now=now, policy=POLICY)
    assert credential(store).totp is not None
    assert (credential(store).failures, credential(store).totp_failures) == (1, 2)
    signin.remove_totp(store, "c017", PASSWORD, totp.at(now), now=now, policy=POLICY)
    assert credential(store).totp is None
    assert enter(store, now=now)


def test_where_the_site_asks_for_it_supervisors_need_it_and_counsellors_do_not(store: MemoryStore) -> None:
    strict = replace(POLICY, second_factor=True)
    with store() as work:
        signin.set_password(work, "s001", OTHER, actor="admin", now=NOW)
        work.commit()
    with pytest.raises(signin.NeedsSecondFactor):
        enter(store, "s001", OTHER, policy=strict)
    with pytest.raises(Refused) as wrong:
        enter(store, "s001", PASSWORD, policy=strict)
    assert not isinstance(wrong.value, signin.NeedsSecondFactor), "only who has the password learns it"
    totp = with_totp(store, "s001")
    assert enter(store, "s001", OTHER, totp.at(NOW + MINUTE), NOW + MINUTE, strict)
    assert enter(store, policy=strict)
    assert len([1 for row in audited(store) if row[1] == "signin.open"]) == 2


# --- logins --------------------------------------------------------------------------------


def test_a_login_nobody_uses_ends_and_one_in_use_ends_by_its_age(store: MemoryStore) -> None:
    token = enter(store)
    with pytest.raises(Forbidden, match="重新登录"):
        whose(store, token, NOW + POLICY.idle)
    token, now = enter(store), NOW
    while now < NOW + POLICY.lasts - POLICY.idle:
        now += POLICY.idle - MINUTE
        assert whose(store, token, now) == "c017"
    with pytest.raises(Forbidden):
        whose(store, token, NOW + POLICY.lasts)


def test_disabling_a_user_ends_their_logins_at_once(store: MemoryStore) -> None:
    token = enter(store)
    with store() as work:
        users.disable_user(work, "c017", actor="admin", now=NOW, reason="调离")
        work.commit()
    with pytest.raises(Forbidden):
        whose(store, token)
    with pytest.raises(Refused):
        enter(store)
    with store() as work:
        back = replace(work.users.get("c017"), active=True)
        users.change_user(work, back, actor="admin", now=NOW)
        work.commit()
    with pytest.raises(Forbidden):
        whose(store, token)


def test_signing_out_ends_this_login_and_everywhere_ends_all(store: MemoryStore) -> None:
    here, there, third = enter(store), enter(store), enter(store)
    with store() as work:
        signin.sign_out(work, here, now=NOW)
        signin.sign_out(work, "no such token", now=NOW)
        work.commit()
    with pytest.raises(Forbidden):
        whose(store, here)
    assert whose(store, there) == "c017"
    with store() as work:
        with pytest.raises(Forbidden):
            signin.sign_out_everywhere(work, "c017", actor="s001", now=NOW)
        assert signin.sign_out_everywhere(work, "c017", actor="c017", now=NOW) == 2
        work.commit()
    for token in (there, third):
        with pytest.raises(Forbidden):
            whose(store, token)


def test_dead_logins_are_not_kept_for_ever(store: MemoryStore) -> None:
    for day in range(5):
        enter(store, now=NOW + timedelta(days=day))
    with store() as work:
        assert len(work.book(LOGINS).where(user="c017")) == 1


@pytest.mark.parametrize("stolen", ["", "0" * 43, "hash"])
def test_what_is_no_token_is_nobodys(store: MemoryStore, stolen: str) -> None:
    enter(store)
    with store() as work:
        known = work.book(LOGINS).where(user="c017")[0].id
    with pytest.raises(Forbidden):
        whose(store, known if stolen == "hash" else stolen)


@pytest.mark.parametrize("code", sorted(set(ACTORS) - {"c017"}))
def test_every_role_may_have_a_password_of_its_own(store: MemoryStore, code: str) -> None:
    with store() as work:
        signin.set_password(work, code, OTHER, actor=code, now=NOW)
        work.commit()
    assert whose(store, enter(store, code, OTHER)) == code


def test_the_policy_is_the_sites_and_the_defaults_are_one() -> None:
    policy: Callable[[Access], SignInPolicy] = signin.policy_of
    assert policy(Access()) == SignInPolicy()
    assert policy(Access(attempts=3, second_factor=True)) == SignInPolicy(attempts=3, second_factor=True)
