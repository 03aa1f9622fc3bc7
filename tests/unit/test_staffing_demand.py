"""What the line's own past says of the load to come, and what callers would meet at the planned seats."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from callcenter.cli.staffing_words import forecast_cells
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_rules import PlanRules
from callcenter.domain.staffing import Load, Unstable
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden
from callcenter.memory import MemoryStore
from callcenter.ports import UnitOfWork
from callcenter.service.line.demand import Demand, demand_of, past_demand
from callcenter.service.line.slots import forecast, slots_ahead

ZONE = ZoneInfo("Asia/Shanghai")
#: A Monday at midnight.
MONDAY = datetime(2026, 9, 28, tzinfo=ZONE).astimezone(UTC)
WEEK, HOUR, MINUTE = timedelta(weeks=1), timedelta(hours=1), timedelta(minutes=1)
#: Eight weeks on.
NOW = MONDAY + 8 * WEEK
EVENINGS = PlanRules(week=tuple([((time(19), time(21)),)] * 7))


def call(
    at: datetime,
    outcome: Outcome = Outcome.ANSWERED,
    wait: timedelta = MINUTE,
    talk: timedelta = 50 * MINUTE,
    direction: Direction = Direction.INBOUND,
) -> CallRecord:
    answered = at + wait if outcome is Outcome.ANSWERED else None
    return CallRecord(
        id=f"pbx1-{at.timestamp()}-{outcome}-{wait}-{talk}",
        direction=direction,
        outcome=outcome,
        started_at=at,
        offered_at=at,
        answered_at=answered,
        ended_at=answered + talk if answered else at + wait,
    )


def weekly(first: datetime, **how: object) -> list[CallRecord]:
    return [call(first + WEEK * n, **how) for n in range(8)]  # type: ignore[arg-type]


def demand(calls: Iterable[CallRecord], rules: PlanRules = EVENINGS) -> Demand:
    spans = rules.open_spans(MONDAY, NOW)
    return demand_of(
        calls,
        spans,
        since=MONDAY,
        until=NOW,
        zone=ZONE,
        wrap_up=10 * MINUTE,
        wait_cap=3 * MINUTE,
    )


def evenings() -> list[CallRecord]:
    """Two calls each Monday after 19:00, one each Tuesday after 20:00, and five who gave up."""
    mondays = [*weekly(MONDAY + 19 * HOUR + 5 * MINUTE), *weekly(MONDAY + 19 * HOUR + 20 * MINUTE)]
    tuesdays = weekly(MONDAY + 44 * HOUR + 30 * MINUTE)
    gave_up = weekly(MONDAY + 68 * HOUR, outcome=Outcome.ABANDONED, wait=2 * MINUTE)
    return [*mondays, *tuesdays, *gave_up]


def test_each_hour_of_the_week_has_its_own_calls() -> None:
    found = demand(evenings())
    assert (found.calls, found.answered, found.abandoned) == (32, 24, 8)
    seven, eight, nine = (NOW + n * HOUR for n in (19, 20, 21))
    assert found.expected(seven, eight, ZONE) == pytest.approx(2)
    assert found.expected(eight, nine, ZONE) == pytest.approx(0)
    assert found.expected(seven + 24 * HOUR, nine + 24 * HOUR, ZONE) == pytest.approx(1)
    assert found.expected(seven + 30 * MINUTE, eight, ZONE) == pytest.approx(1)


def test_a_call_keeps_its_counsellor_while_they_talk_and_write() -> None:
    assert demand(evenings()).aht == 60 * MINUTE


def test_patience_is_all_waiting_over_those_who_gave_up() -> None:
    """24 waited a minute and were answered, 8 waited two and left: 40 minutes, 8 of them."""
    assert demand(evenings()).patience == 5 * MINUTE


def test_who_went_another_way_had_waited_no_longer_than_the_cap() -> None:
    elsewhere = weekly(MONDAY + 92 * HOUR, outcome=Outcome.OVERFLOWED, wait=30 * MINUTE)
    assert demand([*evenings(), *elsewhere]).patience == (40 + 8 * 3) * MINUTE / 8


def test_only_callers_and_only_while_the_line_is_served_count() -> None:
    at = MONDAY + 19 * HOUR
    others = [
        *weekly(at + 3 * HOUR),  # at night, when nobody is to be reached
        *weekly(at, direction=Direction.OUTBOUND),
        *weekly(at, direction=Direction.INTERNAL),
        *weekly(at, outcome=Outcome.LEFT_IN_GREETING),
        *weekly(at, outcome=Outcome.BLOCKED),
    ]
    assert demand([*evenings(), *others]) == demand(evenings())


def test_an_hour_in_which_the_line_was_never_served_is_unknown_and_not_nought() -> None:
    assert demand(evenings()).expected(NOW + 21 * HOUR, NOW + 23 * HOUR, ZONE) is None


def test_too_few_calls_say_nothing_and_are_counted() -> None:
    found = demand(evenings()[:29])
    assert (found.calls, found.is_enough) == (29, False)
    assert found.expected(NOW + 19 * HOUR, NOW + 20 * HOUR, ZONE) is None
    few = demand([*evenings()[:9], *weekly(MONDAY + 68 * HOUR, outcome=Outcome.ABANDONED)[:4]])
    assert (few.aht, few.patience) == (None, None)


def test_means_of_an_odd_past_can_still_be_reckoned_with() -> None:
    at = MONDAY + 19 * HOUR
    hasty = weekly(at, outcome=Outcome.ABANDONED, wait=timedelta())
    stuck = [call(at + WEEK * n, wait=timedelta(), talk=timedelta(days=3)) for n in range(8)] * 2
    found = demand([*hasty, *stuck])
    assert (found.patience, found.aht) == (timedelta(seconds=1), timedelta(days=1))


# --- the line's book --------------------------------------------------------------------------


@pytest.fixture
def work() -> UnitOfWork:
    unit: UnitOfWork
    with MemoryStore()() as unit:
        for code, role in (("s001", Role.SUPERVISOR), ("x001", Role.AUDITOR), ("e001", Role.EMPLOYER)):
            unit.users.add(User(code=code, name="孙立", roles=frozenset({role})))
        unit.calls.put_many(evenings())
        return unit


def read(work: UnitOfWork, now: datetime = NOW, actor: str = "s001") -> Demand:
    return past_demand(work, EVENINGS, actor=actor, now=now, wrap_up=10 * MINUTE, wait_cap=3 * MINUTE)


def test_a_young_line_is_looked_at_from_the_day_of_its_first_call(work: UnitOfWork) -> None:
    assert read(work).since == MONDAY
    assert read(work, now=NOW - 2 * WEEK).since == MONDAY
    assert read(work, now=NOW + WEEK).since == MONDAY + WEEK
    assert read(work, now=MONDAY).calls == 0


def test_counts_are_for_whoever_sees_the_roster(work: UnitOfWork) -> None:
    assert read(work, actor="x001").calls == 32
    with pytest.raises(Forbidden):
        read(work, actor="e001")


def plan(work: UnitOfWork, *shifts: tuple[str, float, float, ShiftKind]) -> None:
    new = [
        Shift(id=f"sh-{n}", agent=agent, start=NOW + start * HOUR, length=hours * HOUR, kind=kind)
        for n, (agent, start, hours, kind) in enumerate(shifts)
    ]
    work.roster.replace_shifts([], new)


def test_each_slot_says_what_callers_meet_at_its_seats(work: UnitOfWork) -> None:
    plan(
        work,
        ("c001", 19, 2, ShiftKind.LINE),
        ("c002", 19, 1, ShiftKind.LINE),
        ("c003", 19, 2, ShiftKind.BACKUP),
        ("c004", 43, 2, ShiftKind.LINE),
        ("c005", 43, 2, ShiftKind.LINE),
    )
    first, second, third = slots_ahead(work, read(work), NOW, NOW + 48 * HOUR, rules=EVENINGS, actor="s001")
    assert (first.agents, second.agents, third.agents) == ({"c001", "c002"}, {"c001"}, {"c004", "c005"})
    assert (first.calls, second.calls, third.calls) == (2, 0, 1)
    assert first.forecast is not None
    # Two calls of an hour each in an hour, two seats: the brief's own vector.
    assert isinstance(first.forecast.stays, Unstable)
    assert not first.forecast.is_stable
    assert first.forecast.leaves is not None
    assert first.forecast.leaves.abandons == pytest.approx(0.3767, abs=5e-5)
    assert third.forecast is not None
    assert third.forecast.is_stable
    assert third.forecast.met is third.forecast.leaves


def test_a_quiet_hour_hides_no_busy_one(work: UnitOfWork) -> None:
    """Nobody on Tuesdays at 19:00, a call of an hour at 20:00: one seat carries a half, and not the one."""
    plan(work, ("c001", 43, 2, ShiftKind.LINE))
    _, slot = slots_ahead(work, read(work), NOW, NOW + 48 * HOUR, rules=EVENINGS, actor="s001")
    assert slot.calls == 1
    assert slot.forecast is not None
    assert slot.forecast.load.calls == 1
    assert not slot.forecast.is_stable


def test_an_evening_with_nobody_is_a_slot_too(work: UnitOfWork) -> None:
    (slot,) = slots_ahead(work, read(work), NOW, NOW + 24 * HOUR, rules=EVENINGS, actor="s001")
    assert (slot.start, slot.end, slot.agents) == (NOW + 19 * HOUR, NOW + 21 * HOUR, frozenset())


def test_a_line_around_the_clock_is_cut_into_days(work: UnitOfWork) -> None:
    slots = slots_ahead(work, read(work), NOW + 6 * HOUR, NOW + 72 * HOUR, rules=PlanRules(), actor="s001")
    assert [slot.start for slot in slots] == [NOW + hours * HOUR for hours in (6, 24, 48)]
    assert all(one.end == other.start for one, other in pairwise(slots))


def test_without_history_there_are_slots_and_no_forecast(work: UnitOfWork) -> None:
    thin = read(work, now=MONDAY)
    (slot,) = slots_ahead(work, thin, NOW, NOW + 24 * HOUR, rules=EVENINGS, actor="s001")
    assert (slot.calls, slot.forecast) == (None, None)


def test_of_an_hour_in_which_nobody_calls_there_is_nothing_to_tell() -> None:
    for seats in (0, 1):
        found = forecast(Load(calls=0, aht=HOUR), seats, 5 * MINUTE)
        assert found.is_stable
        assert forecast_cells(found) == {"waits": "—", "wait": "—", "abandons": "—"}
