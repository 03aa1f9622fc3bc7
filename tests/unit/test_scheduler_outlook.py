"""Looking ahead: what the dialler will do, and what will be late at a pace."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from willing import WILLING

from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar
from scheduler.obligations import Kind, Mode, Obligation, Result
from scheduler.outlook import Asked, Days, Load, Outlook, Pace, forecast, simulate
from scheduler.situation import Gate, Line, Rules, Situation

#: A Tuesday; workdays around it.
MORNING = datetime(2026, 11, 24, 9, 30, tzinfo=SHANGHAI)
NIGHT = datetime(2026, 11, 24, 23, 59, tzinfo=SHANGHAI)
LINE = Line(waiting=0, free_channels=8)
CALENDAR = Calendar()


def owed(name: str, **person: object) -> Situation:
    """Somebody who agreed to automated calls and is owed a check-in."""
    debt = Obligation(
        id=f"ob-{name}",
        person=f"p-{name}",
        kind=Kind.HARDSHIP,
        due_at=MORNING - timedelta(days=1),
        window_end=MORNING + timedelta(days=20),
        mode=Mode.IVR_OK,
        created_at=MORNING - timedelta(days=30),
    )
    return Situation(
        now=MORNING,
        obligation=debt,
        person=replace(WILLING, **person),  # type: ignore[arg-type]
        shown={},
        outcomes=(),
    )


def look(*situations: Situation, line: Line = LINE, assume: Result = Result.NO_ANSWER) -> Outlook:
    """The rest of that day, of debts that change by themselves no more."""
    asked = [Asked(as_of=lambda at, one=one: replace(one, now=at)) for one in situations]  # type: ignore[misc]
    return simulate(asked, start=situations[0].now, until=NIGHT, line=line, assume=assume)


def test_a_call_nobody_answers_is_tried_again_in_another_part_of_the_day_and_no_third_time() -> None:
    ahead = look(owed("沈"))
    first, second = ahead.tries
    assert (first.at, first.n) == (MORNING, 1)
    assert second.n == 2
    assert second.at.astimezone(SHANGHAI).time() >= time(14)
    assert [one.obligation for one in ahead.held] == ["ob-沈"]


def test_who_said_that_all_is_well_is_not_called_again() -> None:
    ahead = look(owed("沈"), assume=Result.REACHED_SELF_IVR_OK)
    assert (len(ahead.tries), ahead.held) == (1, ())


def test_who_wants_no_such_calls_any_more_is_held_for_people() -> None:
    ahead = look(owed("沈"), assume=Result.OPTED_OUT)
    assert len(ahead.tries) == 1
    assert Gate.HUMAN_ONLY in ahead.held[0].gates


def test_who_did_not_agree_is_held_until_something_changes() -> None:
    ahead = look(owed("周", ivr_consent=False))
    assert ahead.tries == ()
    assert ahead.held[0].until is None
    assert Gate.NO_IVR_CONSENT in ahead.held[0].gates


def test_outside_the_windows_the_first_call_comes_when_they_open() -> None:
    early = replace(owed("沈"), now=MORNING.replace(hour=7))
    ahead = look(early)
    assert ahead.tries[0].at == MORNING.replace(hour=9, minute=0)


def test_the_days_cap_is_spread_and_never_passed() -> None:
    capped = [replace(owed(f"{n}"), rules=Rules(daily_cap=6)) for n in range(20)]
    ahead = look(*capped)
    assert len(ahead.tries) == 6
    assert ahead.tries[-1].at > MORNING + timedelta(hours=1)


def test_with_few_channels_calls_wait_for_each_other() -> None:
    two = look(owed("沈"), owed("周"), line=Line(waiting=0, free_channels=2))
    assert two.tries[0].at < two.tries[1].at


# --- the coming weeks ----------------------------------------------------------------------


def days(today: date, until: date) -> Days:
    return Days(
        today=today,
        until=until,
        is_workday=CALENDAR.is_workday,
        may_automate=CALENDAR.may_automate,
        day_of=lambda at: at.astimezone(SHANGHAI).date(),
    )


def load(day: int, count: int, *, due: int = 1, consented: bool = False) -> Load:
    """Contacts of November 2026, owed from `due` on, a breach after `day`."""
    return Load(
        mode=Mode.IVR_OK,
        consented=consented,
        due=datetime(2026, 11, due, 9, tzinfo=SHANGHAI),
        end=datetime(2026, 11, day, 23, 59, 59, tzinfo=SHANGHAI),
        count=count,
    )


WEEK = days(date(2026, 11, 23), date(2026, 11, 27))


def test_at_four_a_day_a_week_of_twenty_is_in_time_and_of_thirty_ten_are_late() -> None:
    assert forecast([load(27, 20)], Pace(machine=0, people=4), WEEK).late == 0
    ahead = forecast([load(27, 30)], Pace(machine=0, people=4), WEEK)
    assert (ahead.owed, ahead.late, ahead.needed) == (30, 10, 6)


def test_what_is_late_already_is_told_apart_and_nobody_can_undo_it() -> None:
    ahead = forecast([load(20, 3), load(27, 5)], Pace(machine=0, people=4), WEEK)
    assert (ahead.late_now, ahead.late, ahead.needed) == (3, 3, 4)


def test_a_machine_keeps_only_what_people_agreed_to() -> None:
    agreed = forecast([load(27, 20, consented=True)], Pace(machine=4, people=0), WEEK)
    assert agreed.late == 0
    assert forecast([load(27, 20)], Pace(machine=4, people=0), WEEK).late == 20


def test_nobody_works_on_a_day_off() -> None:
    spring = days(date(2026, 2, 15), date(2026, 2, 23))  # the whole of Spring Festival
    owed = replace(
        load(27, 1), due=datetime(2026, 2, 1, tzinfo=SHANGHAI), end=datetime(2026, 2, 23, tzinfo=SHANGHAI)
    )
    ahead = forecast([owed], Pace(machine=5, people=5), spring)
    assert (ahead.late, ahead.needed) == (1, None)


loads = st.lists(
    st.builds(
        lambda day, length, count, consented: load(day, count, due=max(1, day - length), consented=consented),
        st.integers(1, 30),
        st.integers(0, 20),
        st.integers(1, 12),
        st.booleans(),
    ),
    max_size=12,
)
paces = st.builds(Pace, machine=st.sampled_from([0, 0.5, 3]), people=st.sampled_from([0, 0.4, 1.5, 7]))
MONTH = days(date(2026, 11, 9), date(2026, 11, 30))


@settings(max_examples=40)
@given(loads, paces)
def test_more_people_never_make_more_late_and_the_needed_pace_is_enough_and_least(
    owed: list[Load], pace: Pace
) -> None:
    ahead = forecast(owed, pace, MONTH)
    assert ahead.late_now <= ahead.late <= ahead.owed
    faster = forecast(owed, replace(pace, people=pace.people + 1), MONTH)
    assert faster.late <= ahead.late
    if ahead.in_time is not None:
        assert forecast(owed, replace(pace, people=ahead.in_time), MONTH).late == ahead.late_now
        if ahead.in_time > pace.people + 0.25:
            less = replace(pace, people=ahead.in_time - 0.25)
            assert forecast(owed, less, MONTH).late > ahead.late_now
    if ahead.needed is not None:
        assert ahead.in_time is not None
        assert ahead.in_time <= ahead.needed
        enough = forecast(owed, replace(pace, people=ahead.needed), MONTH)
        assert (enough.late, enough.needed) == (ahead.late_now, ahead.needed)
        if ahead.needed > pace.people + 0.25:
            less = replace(pace, people=ahead.needed - 0.25)
            assert forecast(owed, less, MONTH).needed != less.people


def test_what_can_still_be_in_time_does_not_wait_behind_what_is_late() -> None:
    ahead = forecast([load(20, 500), load(27, 1)], Pace(machine=0, people=1), WEEK)
    assert (ahead.late_now, ahead.late, ahead.in_time, ahead.needed) == (500, 500, 1, 100.25)


def test_where_all_is_late_and_nobody_works_the_needed_pace_clears_it_by_the_last_day() -> None:
    ahead = forecast([load(20, 30)], Pace(machine=0, people=0), WEEK)
    assert (ahead.late_now, ahead.late, ahead.in_time, ahead.needed) == (30, 30, 0, 6)
