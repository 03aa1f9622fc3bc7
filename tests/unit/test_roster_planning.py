"""Templates and overrides become shifts: which days, at what instants, whose, under which ids."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from plan_world import MONDAY, NOON, SHANGHAI, shift, template, wall

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.planning import expand, named_in, override_id, source_of
from callcenter.domain.roster import Override, OverrideAct, Template

WEEKDAYS = frozenset(range(5))


def shifts_of(
    one: Template, first: date, last: date, *differs: Override, zone: ZoneInfo = SHANGHAI
) -> list[Shift]:
    return expand([one], differs, first, last, zone)


def differing(day: date, agent: str = "", substitute: str = "") -> Override:
    return Override(
        id=override_id("tp-1", day, agent),
        template="tp-1",
        day=day,
        act=OverrideAct.SUBSTITUTE if substitute else OverrideAct.CANCEL,
        agent=agent,
        substitute=substitute,
        by="s001",
        at=NOON,
    )


def days_of(shifts: list[Shift]) -> list[date]:
    return sorted({s.start.astimezone(SHANGHAI).date() for s in shifts})


def test_an_evening_over_midnight_is_one_shift_of_the_day_on_which_it_begins() -> None:
    (one,) = shifts_of(template("c017"), MONDAY, MONDAY)
    assert (one.start, one.end) == (wall(23, 19), wall(24, 1))
    assert one.source == "tp-1/2026-11-23"
    assert one.start.tzinfo is UTC


def test_a_template_holds_from_its_first_day_to_its_last() -> None:
    one = template("c017", first=date(2026, 11, 25), last=date(2026, 11, 27))
    found = days_of(shifts_of(one, MONDAY, date(2026, 12, 31)))
    assert found == [date(2026, 11, day) for day in (25, 26, 27)]


def test_every_second_week_is_counted_from_the_week_of_the_first_day() -> None:
    # It begins on a Thursday: the Monday of that week is over, that of the next week is not its turn.
    one = template("c017", first=date(2026, 11, 26), days=frozenset({0, 3}), every=2)
    found = days_of(shifts_of(one, MONDAY, date(2026, 12, 31)))
    assert found == [date(2026, 11, 26), *(date(2026, 12, day) for day in (7, 10, 21, 24))]


def test_a_leap_day_and_a_new_year_are_days_like_others() -> None:
    one = template("c017", first=date(2028, 2, 1))
    assert date(2028, 2, 29) in days_of(shifts_of(one, date(2028, 2, 28), date(2028, 3, 1)))
    night = template("c017", start=time(22), length=timedelta(hours=8))
    (found,) = shifts_of(night, date(2026, 12, 31), date(2026, 12, 31))
    assert found.end == datetime(2027, 1, 1, 6, tzinfo=SHANGHAI)


def test_seven_in_the_evening_stays_seven_when_the_clock_is_moved() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    one = template("c017", first=date(2026, 3, 23))
    found = shifts_of(one, date(2026, 3, 27), date(2026, 3, 30), zone=berlin)
    assert {s.start.astimezone(berlin).hour for s in found} == {19}
    assert len({s.start.hour for s in found}) == 2


def test_planning_the_same_again_gives_the_same_ids_and_no_two_alike() -> None:
    one = template("c017", "c018", days=WEEKDAYS)
    first, again = (shifts_of(one, MONDAY, date(2027, 11, 22)) for _ in range(2))
    assert first == again
    assert len({s.id for s in first}) == len(first) == 2 * 261


def test_a_cancelled_date_has_no_shift_and_a_cancelled_person_leaves_the_others() -> None:
    one, tuesday = template("c017", "c018"), date(2026, 11, 24)
    everybody = shifts_of(one, MONDAY, tuesday, differing(tuesday))
    assert {(s.agent, s.source[-2:]) for s in everybody} == {("c017", "23"), ("c018", "23")}
    without = shifts_of(one, tuesday, tuesday, differing(tuesday, "c017"))
    assert [s.agent for s in without] == ["c018"]


def test_a_substitute_takes_the_slot_over_under_its_id() -> None:
    one = template("c017", kind=ShiftKind.BACKUP)
    (before,) = shifts_of(one, MONDAY, MONDAY)
    (after,) = shifts_of(one, MONDAY, MONDAY, differing(MONDAY, "c017", "c019"))
    assert (after.id, after.agent, after.kind) == (before.id, "c019", ShiftKind.BACKUP)
    assert named_in(one, after) == "c017"


def test_a_shift_by_hand_has_no_source_and_nobody_names_it() -> None:
    by_hand = shift("c017", wall(23, 19))
    assert source_of(by_hand) is None
    assert named_in(template("c017"), by_hand) is None
    (published,) = shifts_of(template("c017"), MONDAY, MONDAY)
    assert source_of(published) == ("tp-1", MONDAY)
    assert named_in(template("c018"), published) is None
