"""What is wrong with a plan, where and with whom (R44)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from plan_world import EVERY_DAY, RULES, TRAINEE, ground, shift, user, wall

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.plan_faults import faults
from callcenter.domain.plan_rules import Ground, Lack
from callcenter.domain.roster import Need
from callcenter.domain.staff import StaffProfile
from callcenter.domain.users import PhoneKind, Role

START, END = wall(23, 19), wall(24, 1)
TWO = [shift("c017", START), shift("c018", START)]
SEEN = tuple[Lack, datetime, datetime, set[str]]


def found(
    shifts: Iterable[Shift], on: Ground | None = None, start: datetime = START, end: datetime = END
) -> list[SEEN]:
    return [(f.lack, f.start, f.end, set(f.agents)) for f in faults(list(shifts), start, end, on or ground())]


def need(**changed: object) -> Need:
    values = {"id": "nd-1", "days": EVERY_DAY, "start": time(19), "length": timedelta(hours=6)}
    return Need(**{**values, **changed})  # type: ignore[arg-type]


def test_two_at_the_line_and_a_supervisor_to_ring_is_what_a_line_needs() -> None:
    assert found(TWO) == []
    assert found([], start=END, end=START) == []


def test_nobody_is_told_from_too_few_and_each_time_is_one_fault() -> None:
    assert found([shift("c017", wall(23, 20), 2)]) == [
        (Lack.NOBODY, START, wall(23, 20), set()),
        (Lack.THIN, wall(23, 20), wall(23, 22), {"c017"}),
        (Lack.NOBODY, wall(23, 22), END, set()),
    ]


def test_backups_and_supervisors_are_no_seats() -> None:
    at_home = [shift("c017", START, kind=ShiftKind.BACKUP), shift("s001", START, kind=ShiftKind.SUPERVISOR)]
    assert found(at_home) == [(Lack.NOBODY, START, END, set())]


def test_two_shifts_of_one_person_are_one_seat() -> None:
    lacks = [row[0] for row in found([shift("c017", START), shift("c017", START, 6.5)])]
    assert lacks == [Lack.THIN, Lack.OVERLAP]


def test_outside_the_hours_nobody_is_needed() -> None:
    evenings = replace(RULES, week=(((time(19), time(21)),),) * 7)
    assert found([], ground(rules=evenings), wall(23, 12), wall(24, 12)) == [
        (Lack.NOBODY, wall(23, 19), wall(23, 21), set())
    ]
    closed = replace(evenings, is_open_day=lambda day: day.day != 23)
    assert found([], ground(rules=closed), wall(23, 12), wall(24, 12)) == []


def test_a_slot_that_says_three_needs_three_and_beyond_it_the_hours_need_two() -> None:
    shifts = [*(shift(agent, START, 8) for agent in ("c017", "c018"))]
    assert found(shifts, ground([need(seats=3)]), end=wall(24, 3)) == [
        (Lack.THIN, START, END, {"c017", "c018"})
    ]


def test_a_slot_over_midnight_is_of_the_day_on_which_it_begins() -> None:
    sunday_night = need(days=frozenset({6}), start=time(22), length=timedelta(hours=8), seats=3)
    monday = [shift(agent, wall(23, 0), 12) for agent in ("c017", "c018")]
    assert found(monday, ground([sunday_night]), wall(23, 0), wall(23, 12)) == [
        (Lack.THIN, wall(23, 0), wall(23, 6), {"c017", "c018"})
    ]


def test_a_slot_may_say_that_backups_alone_serve_it_while_the_line_is_closed() -> None:
    days = ground(
        [need(seats=0, supervisors=0, backups=1)], rules=replace(RULES, week=(((time(9), time(17)),),) * 7)
    )
    assert found([], days) == [(Lack.NO_BACKUP, START, END, set())]
    assert found([shift("c017", START, kind=ShiftKind.BACKUP)], days) == []


def test_whatever_a_slot_says_an_open_line_with_nobody_at_it_is_told() -> None:
    nobody = ground([need(seats=0, supervisors=0)])
    assert found([], nobody) == [(Lack.NOBODY, START, END, set())]
    assert found([shift("c017", START)], nobody) == []


def test_where_slots_overlap_the_most_counts() -> None:
    two = [need(id="nd-1", seats=1, backups=1), need(id="nd-2", seats=3, supervisors=0)]
    assert [row[0] for row in found([shift("c017", START)], ground(two))] == [Lack.THIN, Lack.NO_BACKUP]


def test_once_supervisors_are_planned_being_in_the_chain_is_not_enough() -> None:
    assert found(TWO, ground(plans_supervisors=True)) == [(Lack.NO_SUPERVISOR, START, END, set())]
    early = shift("s001", START, 2, ShiftKind.SUPERVISOR)
    assert found([*TWO, early], ground(plans_supervisors=True)) == [
        (Lack.NO_SUPERVISOR, wall(23, 21), END, set())
    ]


def test_without_planned_supervisors_somebody_must_stand_in_the_alarm_chain() -> None:
    nobody = ground(s001=user("s001", alarm_rank=None))
    assert found(TWO, nobody) == [(Lack.NO_SUPERVISOR, START, END, set())]


def test_a_trainee_is_a_seat_but_not_the_only_kind() -> None:
    learning = shift(TRAINEE, START)
    assert found([*TWO, learning]) == []
    assert found([shift("c017", START, 2), shift("c018", START, 2), learning]) == [
        (Lack.THIN, wall(23, 21), END, {TRAINEE}),
        (Lack.TRAINEE_ALONE, wall(23, 21), END, {TRAINEE}),
    ]


def test_one_person_is_at_one_place_also_as_a_backup() -> None:
    twice = shift("c017", wall(23, 23), 4, ShiftKind.BACKUP)
    assert found([*TWO, twice]) == [(Lack.OVERLAP, wall(23, 23), END, {"c017"})]
    assert found([*TWO, shift("c017", END, 4, ShiftKind.BACKUP)]) == []


def test_an_overlap_behind_the_span_is_told_if_a_shift_of_the_span_is_in_it() -> None:
    late = [shift("c017", wall(23, 20), 10), shift("c017", wall(24, 2), 4)]
    assert (Lack.OVERLAP, wall(24, 2), wall(24, 6), {"c017"}) in found(late)


def nights(agent: str, *days: int, start: int = 22, hours: float = 8) -> list[Shift]:
    return [shift(agent, wall(day, start), hours) for day in days]


def test_three_nights_in_a_row_pass_and_a_fourth_does_not() -> None:
    rested = [*TWO, *nights("c019", 20, 21, 22, 24, 25, 26)]
    assert found(rested) == []
    assert found([*rested, *nights("c019", 23)]) == [(Lack.NIGHTS, wall(21, 0), wall(27, 5), {"c019"})]


def test_evenings_to_one_oclock_and_early_mornings_are_no_nights() -> None:
    days = (20, 21, 22, 23, 24, 25)
    assert found([*TWO, *nights("c019", *days, start=19, hours=6)]) == []
    assert found([*TWO, *nights("c019", *days, start=4, hours=8)]) == []
    assert [row[0] for row in found([*TWO, *nights("c019", *days, start=19, hours=7)])] == [Lack.NIGHTS]


def test_a_night_in_two_pieces_is_a_night() -> None:
    pieces = [shift("c019", wall(day, at), 1) for day in (23, 24, 25, 26) for at in (1, 3)]
    assert Lack.NIGHTS in [row[0] for row in found([*TWO, *pieces], end=wall(27, 1))]


def test_a_shift_that_touches_two_nights_is_two() -> None:
    round_the_clock = shift("c019", wall(23, 3), 24)
    on = ground(rules=replace(RULES, most_nights=1))
    assert [row[0] for row in found([*TWO, round_the_clock], on)] == [Lack.NIGHTS]


def test_who_may_have_more_nights_may_have_them() -> None:
    shifts = [*TWO, *nights("c019", 21, 22, 23, 24)]
    on = ground()
    profiles = {**on.staff.profiles, "c019": StaffProfile(id="c019", most_nights=4)}
    assert found(shifts, replace(on, staff=replace(on.staff, profiles=profiles))) == []
    fewer = {**on.staff.profiles, "c019": StaffProfile(id="c019", most_nights=0)}
    lacks = [
        row[0]
        for row in found([*TWO, *nights("c019", 23)], replace(on, staff=replace(on.staff, profiles=fewer)))
    ]
    assert lacks == [Lack.NIGHTS]


@pytest.mark.parametrize(
    ("changed", "lack"),
    [
        ({"active": False}, Lack.INACTIVE),
        ({"phone": PhoneKind.NONE}, Lack.NO_PHONE),
        ({"roles": frozenset({Role.CLERK})}, Lack.NO_ROLE),
    ],
)
def test_who_cannot_be_rung_is_told_once_and_is_no_seat(changed: dict[str, object], lack: Lack) -> None:
    on = ground(c018=user("c018", **changed))
    later = shift("c018", wall(24, 9))
    assert found([*TWO, later], on, end=wall(24, 15))[:2] == [
        (Lack.THIN, START, END, {"c017"}),
        (lack, START, later.end, {"c018"}),
    ]


def test_a_supervisors_shift_takes_a_supervisor_and_a_seat_a_counsellor() -> None:
    wrong = [shift("c019", START, kind=ShiftKind.SUPERVISOR), shift("s002", START)]
    lacks = {(row[0], *row[3]) for row in found([*TWO, *wrong])}
    assert lacks == {(Lack.NO_ROLE, "c019"), (Lack.NO_ROLE, "s002")}


def test_a_fault_is_kept_in_codes_and_utc() -> None:
    (fault,) = faults([shift("c017", START)], START, END, ground())
    assert str(fault) == "thin 2026-11-23T11:00Z/2026-11-23T17:00Z c017"
