"""Whatever outcomes come, by whatever table: a ladder ends at a person, within its limits (R26, R27)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.cadence import SHANGHAI
from scheduler.errors import SchedulerError
from scheduler.gates import Rules
from scheduler.ladder import Limits, Who, rungs
from scheduler.ladder_table import SHIPPED, LadderTable, Next, Part, Row, Then
from scheduler.ladder_trial import Tried, trial
from scheduler.obligations import BY_IVR, FREE_RESULTS, Attempt, Result

#: Most of a night's faults and quick tries before a person has it, by the bounds of a table.
MOST = 5 * 6 + 20 + 1
#: Mostly results after which a machine tries again, so that ladders get long.
TRYING_ON = [result for result, row in SHIPPED.items() if row.then in {Then.RETRY, Then.FAULT}]
RESULTS = st.lists(st.sampled_from([*TRYING_ON * 6, *Result]), min_size=MOST, max_size=MOST)
STARTS = st.integers(0, 3 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=SHANGHAI) + timedelta(minutes=minutes)
)
NEXTS = st.builds(
    Next,
    wait=st.integers(5, 60 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    part=st.sampled_from(Part),
)
QUICK = st.integers(0, 5)
SHORT = st.integers(5, 90).map(lambda minutes: timedelta(minutes=minutes))
#: What a site might write, and what nobody should.
LIKELY = st.builds(
    Row,
    then=st.just(Then.RETRY),
    nexts=st.lists(NEXTS, min_size=1, max_size=3).map(tuple),
    quick=QUICK,
    quick_wait=SHORT,
)
WILD = st.builds(
    Row,
    then=st.sampled_from(Then),
    nexts=st.lists(NEXTS, max_size=3).map(tuple),
    counts=st.booleans(),
    quick=st.integers(-1, 9),
    quick_wait=SHORT,
)
#: The shipped table with some rows of a site's own.
TABLES = st.one_of(
    st.dictionaries(st.sampled_from([r for r in TRYING_ON if r not in FREE_RESULTS]), LIKELY, max_size=6),
    st.dictionaries(st.sampled_from(Result), WILD, max_size=2),
).map(lambda own: {**SHIPPED, **own})


def as_attempts(calls: tuple[Tried, ...]) -> list[Attempt]:
    return [
        Attempt(id=f"at-{one.n}", obligation="ob", n=one.n, planned_at=one.at, by=BY_IVR, result=one.result)
        for one in calls
    ]


def check_ladder(calls: tuple[Tried, ...], rules: Rules) -> None:
    table, windows, calendar = rules.limits.table, rules.windows, rules.calendar
    assert calls[-1].then.who is Who.HUMAN
    used = rungs(as_attempts(calls), table)
    assert len(used) <= table.rungs
    assert all(len(rung) <= 1 + max(table.row_of(one).quick for one in rung) for rung in used)
    for one in calls:
        assert windows.is_open(one.at)
        assert calendar.may_automate(one.at.astimezone(SHANGHAI).date())
    # From the end of one rung to the next: never before the gap.
    assert all(later[0].at - earlier[-1].at >= rules.limits.gap for earlier, later in pairwise(used))
    a_day = [one[0].at.astimezone(SHANGHAI).date() for one in used]
    assert all(a_day.count(day) <= rules.limits.per_day for day in a_day)


@settings(max_examples=60, deadline=None)
@given(results=RESULTS, start=STARTS)
def test_r26_the_shipped_ladder_ends_at_a_person_whatever_comes(
    results: list[Result], start: datetime
) -> None:
    rules = Rules()
    check_ladder(trial(results, start, rules), rules)


@settings(max_examples=120, deadline=None)
@given(rows=TABLES, rungs_in_all=st.integers(0, 6), results=RESULTS, start=STARTS)
def test_r26_a_table_of_the_sites_own_ends_at_a_person_or_is_refused(
    rows: dict[Result, Row], rungs_in_all: int, results: list[Result], start: datetime
) -> None:
    try:
        table = LadderTable(rows=rows, rungs=rungs_in_all)
    except SchedulerError:
        return
    rules = Rules(limits=Limits(table=table))
    check_ladder(trial(results, start, rules), rules)


@pytest.mark.parametrize(
    ("result", "change", "said"),
    [
        (Result.NO_ANSWER, {"counts": False}, "no_answer.counts"),
        (Result.NO_ANSWER, {"then": Then.FAULT}, "no_answer.counts"),
        (Result.NO_ANSWER, {"nexts": ()}, "no_answer.wait"),
        (Result.NO_ANSWER, {"nexts": (Next(wait=timedelta(days=30)),)}, "no_answer.wait"),
        (Result.BUSY, {"quick": 50}, "busy.quick"),
        (Result.BUSY, {"quick_wait": timedelta(seconds=20)}, "busy.quick_wait"),
        (Result.POWERED_OFF, {"counts": False, "nexts": (Next(wait=timedelta(0)),)}, "powered_off.wait"),
        (Result.OPTED_OUT, {"then": Then.RETRY, "nexts": (Next(),)}, "opted_out.then"),
        (Result.UNKNOWN, {"then": Then.RETRY, "nexts": (Next(),)}, "unknown.then"),
        (Result.VACANT, {"then": Then.RETRY, "nexts": (Next(),)}, "vacant.then"),
        (Result.OWN_FAULT, {"then": Then.RETRY, "counts": True}, "own_fault.then"),
    ],
)
def test_a_row_that_calls_for_ever_or_drops_somebody_is_refused_by_its_name(
    result: Result, change: dict[str, object], said: str
) -> None:
    with pytest.raises(SchedulerError, match=said):
        LadderTable(rows={**SHIPPED, result: replace(SHIPPED[result], **change)})  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", [Result.NO_ANSWER, Result.OPTED_OUT])
def test_a_table_without_a_row_leaves_nobody_to_nobody(missing: Result) -> None:
    with pytest.raises(SchedulerError, match=f"{missing}：缺这一行"):
        LadderTable(rows={result: row for result, row in SHIPPED.items() if result is not missing})


def test_r27_no_row_lets_a_fault_of_ours_use_up_a_rung() -> None:
    assert all(not SHIPPED[free].counts for free in FREE_RESULTS)
    for free in FREE_RESULTS:
        with pytest.raises(SchedulerError, match=f"{free}.counts"):
            LadderTable(rows={**SHIPPED, free: replace(SHIPPED[free], counts=True)})
