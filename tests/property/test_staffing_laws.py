"""What holds of Erlang B, C and A for every line."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.staffing import Load, Outlook, Unstable, erlang_a, erlang_b, erlang_c

calls = st.floats(0, 1000)
lengths = st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds))
patiences = st.integers(1, 30 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
loads = st.builds(Load, calls=calls, aht=lengths)
seats = st.integers(0, 500)
#: A call more or less in this many does not matter.
HAIR = 1e-9


@given(loads, seats)
def test_shares_are_shares_however_many_seats(load: Load, n: int) -> None:
    assert 0 <= erlang_b(load.erlangs, n) <= 1
    found = erlang_c(load, n)
    if isinstance(found, Unstable):
        assert n <= load.erlangs
        return
    if not load.erlangs:
        assert found.waits == 0
        return
    assert n > load.erlangs
    assert erlang_b(load.erlangs, n) - HAIR <= found.waits <= 1 + HAIR
    assert found.wait >= timedelta()
    assert 0 <= found.occupancy < 1


@given(loads, seats, patiences)
def test_who_may_leave_meets_shares_too(load: Load, n: int, patience: timedelta) -> None:
    found = erlang_a(load, n, patience)
    assert 0 <= found.abandons <= found.waits + HAIR
    assert found.waits <= 1
    assert timedelta() <= found.wait <= patience
    assert 0 <= found.occupancy <= 1
    # Who does not leave is answered, and more are not answered than there are seats for.
    assert load.erlangs * (1 - found.abandons) <= n * (1 + HAIR) + HAIR


@given(loads, st.integers(0, 499), patiences)
def test_one_more_seat_makes_nothing_worse(load: Load, n: int, patience: timedelta) -> None:
    assert erlang_b(load.erlangs, n + 1) <= erlang_b(load.erlangs, n) + HAIR
    before, after = erlang_a(load, n, patience), erlang_a(load, n + 1, patience)
    assert after.waits <= before.waits + HAIR
    assert after.abandons <= before.abandons + HAIR
    fewer, more = erlang_c(load, n), erlang_c(load, n + 1)
    if isinstance(fewer, Outlook):
        assert isinstance(more, Outlook)
        assert more.waits <= fewer.waits + HAIR
        assert more.wait <= fewer.wait


@given(loads, seats, patiences, patiences)
def test_the_more_patient_the_more_wait_and_the_fewer_leave(
    load: Load, n: int, one: timedelta, other: timedelta
) -> None:
    hasty, patient = (erlang_a(load, n, patience) for patience in sorted((one, other)))
    assert hasty.waits <= patient.waits + HAIR
    assert patient.abandons <= hasty.abandons + HAIR


@given(st.integers(1, 500), st.floats(0.01, 0.9), st.integers(60, 3600))
def test_with_patience_without_end_nobody_leaves(n: int, busy: float, seconds: int) -> None:
    aht = timedelta(seconds=seconds)
    load = Load(calls=min(1000.0, n * busy * 3600 / seconds), aht=aht)
    stays = erlang_c(load, n)
    assert isinstance(stays, Outlook)
    gaps = [stays.waits - erlang_a(load, n, aht * many).waits for many in (1, 10, 100, 720)]
    assert all(gap >= -HAIR for gap in gaps)
    assert all(later <= sooner + HAIR for sooner, later in pairwise(gaps))
    assert gaps[-1] <= 0.02
    assert erlang_a(load, n, aht * 720).wait.total_seconds() == pytest.approx(
        stays.wait.total_seconds(), rel=0.15, abs=1
    )


@given(st.floats(0.1, 5), st.integers(1, 12), st.floats(0.05, 20))
def test_the_recursion_agrees_with_the_balance_of_states(a: float, n: int, leaves: float) -> None:
    """Written out as sums over states, small enough that nothing overflows."""
    weights = [1.0]
    while len(weights) < 400:
        k = len(weights)
        weights.append(weights[-1] * a / (min(k, n) + max(0, k - n) * leaves))
    total = sum(weights)
    queue = sum((k - n) * w for k, w in enumerate(weights) if k > n) / total
    aht = timedelta(hours=10)
    found = erlang_a(Load(calls=a / 10, aht=aht), n, aht / leaves)
    assert found.waits == pytest.approx(sum(weights[n:]) / total, rel=1e-6, abs=1e-12)
    assert found.abandons == pytest.approx(leaves * queue / a, rel=1e-5, abs=1e-12)
