"""Attendance: no hour is lost, doubled or negative, whatever acts, shifts and corrections there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from callcenter.domain.attendance import Hours, Told, hours, late_now, pauses, signed
from callcenter.domain.duty import PauseReason, PresenceAct, PresenceEvent, Shift, current_acts
from callcenter.domain.spans import Spans, common, total, union, without
from callcenter.domain.staff import AttendanceCorrection

#: Midnight in Wuxi, and the end of a month.
FIRST = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
T = TypeVar("T")
_SIGNS = (PresenceAct.ON, PresenceAct.OFF)
MINUTE, HOUR, NOTHING = timedelta(minutes=1), timedelta(hours=1), timedelta()
START, END = FIRST - timedelta(days=2), FIRST + timedelta(days=2)

moments = st.integers(-3000, 3000).map(lambda minutes: FIRST + minutes * MINUTE)
lengths = st.integers(1, 24 * 60).map(lambda minutes: minutes * MINUTE)
reasons = st.sampled_from(["", *PauseReason])


@st.composite
def acts(draw: st.DrawFn, kinds: tuple[PresenceAct, ...] = tuple(PresenceAct)) -> tuple[PresenceEvent, ...]:
    drawn = draw(st.lists(st.tuples(moments, st.sampled_from(kinds), reasons), max_size=12))
    return tuple(
        PresenceEvent(key=f"k{n}", agent="c017", act=act, at=at, source="phone", reason=reason)
        for n, (at, act, reason) in enumerate(drawn)
    )


@st.composite
def shifts(draw: st.DrawFn) -> tuple[Shift, ...]:
    drawn = draw(st.lists(st.tuples(moments, lengths), max_size=4))
    return tuple(
        Shift(id=f"s{n}", agent="c017", start=start, length=length) for n, (start, length) in enumerate(drawn)
    )


@st.composite
def corrections(draw: st.DrawFn) -> tuple[AttendanceCorrection, ...]:
    drawn = draw(st.lists(st.tuples(moments, lengths, st.booleans(), moments), max_size=4))
    return tuple(
        AttendanceCorrection(
            id=f"a{n}",
            agent="c017",
            start=start,
            end=start + length,
            counts=counts,
            reason="话机坏了",
            by="s001",
            at=at,
        )
        for n, (start, length, counts, at) in enumerate(drawn)
    )


told = st.builds(Told, agent=st.just("c017"), acts=acts(), shifts=shifts(), corrections=corrections())


def parts(found: Hours) -> list[timedelta]:
    return [
        found.present,
        found.late,
        found.away,
        found.left_early,
        found.missed,
        found.outside,
        *found.paused.values(),
    ]


@given(told, moments)
def test_no_part_is_negative_and_the_parts_are_the_whole(known: Told, now: datetime) -> None:
    found = hours(known, START, END, now)
    assert all(part >= NOTHING for part in parts(found))
    planned = union((shift.start, shift.end) for shift in known.shifts)
    assert found.planned == total(common(planned, ((START, END),)))
    passed = common(planned, ((START, min(END, now)),)) if now > START else ()
    assert found.passed == total(passed)
    assert sum(found.paused.values(), NOTHING) <= found.present


@given(told, moments, moments)
def test_the_end_of_a_month_splits_it_rightly(known: Told, now: datetime, cut: datetime) -> None:
    cut = min(max(cut, START), END)
    whole = hours(known, START, END, now)
    left, right = hours(known, START, cut, now), hours(known, cut, END, now)
    for name in ("planned", "present", "late", "away", "left_early", "missed", "outside", "long_shifts"):
        assert getattr(left, name) + getattr(right, name) == getattr(whole, name), name
    for reason in PauseReason:
        both = left.paused.get(reason, NOTHING) + right.paused.get(reason, NOTHING)
        assert both == whole.paused.get(reason, NOTHING)


@given(told, moments, st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_told_does_not_matter(
    known: Told, now: datetime, chance: Random
) -> None:
    def mixed(things: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(chance.sample(things, len(things)))

    other = Told(
        agent="c017",
        acts=mixed(known.acts),
        shifts=mixed(known.shifts),
        corrections=mixed(known.corrections),
    )
    assert hours(other, START, END, now) == hours(known, START, END, now)


@given(acts(), moments, moments)
def test_one_more_sign_on_never_takes_time_away_and_one_more_sign_off_never_adds_any(
    known: tuple[PresenceEvent, ...], at: datetime, now: datetime
) -> None:
    def with_one(act: PresenceAct) -> Spans:
        return signed((*known, PresenceEvent(key="z", agent="c017", act=act, at=at, source="cli")), now)

    before = signed(known, now)
    assert without(before, with_one(PresenceAct.ON)) == ()
    assert without(with_one(PresenceAct.OFF), before) == ()


@given(told, moments, moments)
def test_what_has_passed_only_grows_with_time(known: Told, one: datetime, other: datetime) -> None:
    sooner, later = sorted((one, other))
    before, after = hours(known, START, END, sooner), hours(known, START, END, later)
    assert before.present <= after.present
    assert before.outside <= after.outside
    assert before.passed <= after.passed
    assert before.planned == after.planned


@given(acts(), moments)
def test_nobody_rests_for_two_reasons_at_once(known: tuple[PresenceEvent, ...], now: datetime) -> None:
    rests = list(pauses(known, now).values())
    assert sum(map(total, rests), NOTHING) == total(union(span for spans in rests for span in spans))


@given(acts(), shifts(), moments)
def test_whoever_is_signed_on_is_not_missed(
    known: tuple[PresenceEvent, ...], planned: tuple[Shift, ...], now: datetime
) -> None:
    past = [act for act in known if act.at <= now]
    missed = late_now(planned, current_acts(past), now, 5 * MINUTE)
    signs = [act.act for act in sorted(past, key=lambda a: (a.at, a.key)) if act.act in _SIGNS]
    assert not (missed and signs and signs[-1] is PresenceAct.ON)
    assert missed <= {shift.agent for shift in planned if shift.covers(now)}


@given(told, st.booleans(), st.booleans())
def test_of_corrections_the_later_word_stands_whatever_they_are_called(
    known: Told, counts: bool, first_is_called_later: bool
) -> None:
    names = ("z", "a") if first_is_called_later else ("a", "z")
    now = END + 9 * HOUR
    both = tuple(
        AttendanceCorrection(
            id=name,
            agent="c017",
            start=START,
            end=END,
            counts=told_so,
            reason="话机坏了",
            by="s001",
            at=END + hour * HOUR,
        )
        for name, told_so, hour in zip(names, (not counts, counts), (1, 2), strict=True)
    )
    found = hours(replace(known, corrections=both), START, END, now)
    assert found.present == (found.planned if counts else NOTHING)
