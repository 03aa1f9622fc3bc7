"""Wrong tries pause and never shut out for ever; a login ends by disuse and by age, at any clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.privacy import Credential, Login
from callcenter.domain.signin import (
    LONGEST_LOCK,
    SHORTEST,
    SignInPolicy,
    after_failure,
    after_success,
    check_password,
    is_live,
    is_locked,
    pause_after,
)
from callcenter.errors import Refused

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
POLICIES = st.builds(
    SignInPolicy,
    attempts=st.integers(1, 10),
    lock=st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(hours=1)),
    idle=st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=1)),
    lasts=st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=7)),
)
WAITS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=2))


def fresh() -> Credential:
    return Credential(id="c017", password="x", changed_at=START)


@given(policy=POLICIES, waits=st.lists(WAITS, max_size=60))
def test_no_window_of_time_lets_more_wrong_tries_through_than_the_pauses_allow(
    policy: SignInPolicy, waits: list[timedelta]
) -> None:
    credential, now, judged = fresh(), START, []
    for wait in waits:
        now += wait
        if not is_locked(credential, now):
            judged.append(now)
        credential = after_failure(credential, now, policy)
    assert credential.failures == len(judged), "a try that was not looked at is not counted"
    for before, at in enumerate(judged[policy.attempts :], start=policy.attempts):
        pause = pause_after(before, policy)
        assert pause is not None
        assert at - judged[before - 1] >= pause


@given(policy=POLICIES, tries=st.lists(st.booleans(), max_size=60))
def test_wrong_passwords_and_wrong_codes_are_counted_apart(policy: SignInPolicy, tries: list[bool]) -> None:
    credential, now, counted = fresh(), START, {False: 0, True: 0}
    for of_code in tries:
        now = credential.locked_until or now
        credential = after_failure(credential, now, policy, of_code=of_code)
        counted[of_code] += 1
        pause = pause_after(counted[of_code], policy)
        assert credential.locked_until == (now + pause if pause else None)
    assert (credential.failures, credential.totp_failures) == (counted[False], counted[True])


@given(policy=POLICIES, failures=st.integers(0, 10_000))
def test_pauses_grow_and_end_within_the_longest(policy: SignInPolicy, failures: int) -> None:
    pause, more = pause_after(failures, policy), pause_after(failures + 1, policy)
    if failures < policy.attempts:
        assert pause is None
        return
    assert pause is not None
    assert more is not None
    assert policy.lock <= pause <= more <= LONGEST_LOCK


@given(policy=POLICIES, failures=st.integers(0, 200))
def test_whoever_knows_the_password_gets_in_when_the_pause_is_over(
    policy: SignInPolicy, failures: int
) -> None:
    credential, now = fresh(), START
    for _ in range(failures):
        now = credential.locked_until or now
        credential = after_failure(credential, now, policy)
    later = now + LONGEST_LOCK
    assert not is_locked(credential, later)
    again = after_success(credential, step=7)
    assert (again.failures, again.locked_until, again.totp_step) == (0, None, 7)


@given(policy=POLICIES, uses=st.lists(WAITS, max_size=40), then=WAITS)
def test_a_login_lives_while_it_is_used_and_never_past_its_age(
    policy: SignInPolicy, uses: list[timedelta], then: timedelta
) -> None:
    login = Login(id="h", user="c017", opened_at=START, seen_at=START, expires_at=START + policy.lasts)
    now = START
    for wait in uses:
        now += wait
        lived = wait < policy.idle and now - START < policy.lasts
        assert is_live(login, now, policy) is lived
        if not lived:
            return
        login = replace(login, seen_at=now)
    assert is_live(login, now + then, policy) is (then < policy.idle and now + then - START < policy.lasts)
    assert not is_live(replace(login, ended_at=now), now, policy)


@given(back=st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=400)))
def test_a_clock_that_was_set_back_before_the_login_ends_it(back: timedelta) -> None:
    login = Login(id="h", user="c017", opened_at=START, seen_at=START, expires_at=START + timedelta(hours=12))
    assert not is_live(login, START - back, SignInPolicy())


@given(word=st.text(alphabet="abc1@", min_size=0, max_size=SHORTEST - 1))
def test_short_ones_are_refused_and_never_repeated(word: str) -> None:
    with pytest.raises(Refused) as refused:
        check_password(word, code="zz", name="林晓燕")
    assert len(word) < 2 or word not in str(refused.value)


@given(word=st.text(min_size=0, max_size=300))
def test_any_text_is_taken_whole_or_refused(word: str) -> None:
    """Surrogates, blanks, other alphabets: never another error, and what is taken is taken again."""
    try:
        plain = check_password(word, code="c017", name="林晓燕")
    except Refused:
        return
    assert check_password(plain, code="c017", name="林晓燕") == plain
