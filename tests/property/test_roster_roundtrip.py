"""A roster that goes out to a file and comes in elsewhere is the same roster; no file breaks the reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from roster_world import CODES, COUNSELLORS, NOW, ZONE, bring, line, roster, wall

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.service.duty import calendars, tables
from callcenter.service.duty.filed import Filing, RosterFileRefused

_minutes = st.integers(0, 27 * 24 * 60)
_lengths = st.one_of(st.integers(1, 24 * 60).map(lambda m: m * 60), st.integers(1, 24 * 3600))


@st.composite
def rosters(draw: st.DrawFn) -> list[Shift]:
    """Draw shifts of three counsellors, none in two places."""
    found: list[Shift] = []
    for agent in COUNSELLORS:
        free = wall(1)
        for place in range(draw(st.integers(0, 5))):
            start = free + timedelta(minutes=draw(st.integers(0, 2 * 24 * 60)))
            length = timedelta(seconds=draw(_lengths))
            kind = draw(st.sampled_from([ShiftKind.LINE, ShiftKind.BACKUP]))
            name = f"sh-{agent[1:]}{place:09x}" if draw(st.booleans()) else f"sh-261201-{agent}{place:06x}"
            found.append(Shift(id=name, agent=agent, start=start, length=length, kind=kind))
            free = start + length
    return found


def _in(content: bytes) -> Filing:
    text = content.decode("utf-8-sig")
    if text.startswith("BEGIN:"):
        return calendars.read(text, "a.ics", ZONE, NOW, CODES)
    return tables.read(text, "a.csv", ZONE, NOW)


@given(rosters(), st.booleans())
@settings(max_examples=60)
def test_out_and_in_elsewhere_is_the_same_roster(shifts: list[Shift], as_table: bool) -> None:
    here, there = line(*shifts), line()
    content = tables.written(shifts, ZONE) if as_table else calendars.written(shifts, ZONE, NOW)
    first = bring(there, _in(content))
    assert len(first.new) == len(shifts)
    assert roster(there) == roster(here)
    again = bring(there, _in(content))
    assert (again.new, again.changed, again.unchanged) == ((), (), len(shifts))
    at_home = bring(here, _in(content))
    assert (at_home.new, at_home.changed, at_home.unchanged) == ((), (), len(shifts))


@st.composite
def shuffles(draw: st.DrawFn) -> tuple[list[Shift], list[Shift]]:
    """Draw shifts, and the same ones after they changed hands and places in any way."""
    before = draw(rosters())
    turns = draw(st.permutations(before))
    by_time = draw(st.booleans())
    after = [
        replace(one, start=other.start, length=other.length, kind=other.kind)
        if by_time
        else replace(one, agent=other.agent)
        for one, other in zip(before, turns, strict=True)
    ]
    moved = [replace(one, id=old.id) for one, old in zip(turns, before, strict=True)]
    return before, draw(st.sampled_from([after, moved]))


@given(shuffles())
@settings(max_examples=100)
def test_whatever_changes_places_the_roster_is_what_the_file_says(
    drawn: tuple[list[Shift], list[Shift]],
) -> None:
    before, after = drawn
    work = line(*before)
    twice = any(
        one.agent == other.agent and one.start < other.end and other.start < one.end
        for place, one in enumerate(after)
        for other in after[:place]
    )
    filing = _in(tables.written(after, ZONE))
    try:
        found = bring(work, filing)
    except RosterFileRefused:
        assert twice
        assert roster(work) == roster(line(*before))
        return
    assert not twice
    assert roster(work) == roster(line(*after))
    changed = sum(_plain(one) != _plain(old) for one, old in zip(after, before, strict=True))
    assert (len(found.new), len(found.changed)) == (0, changed)


def _plain(shift: Shift) -> tuple[str, datetime, timedelta, ShiftKind]:
    return shift.agent, shift.start, shift.length, shift.kind


@given(rosters())
@settings(max_examples=30)
def test_tables_and_calendars_say_the_same(shifts: list[Shift]) -> None:
    table, calendar = _in(tables.written(shifts, ZONE)), _in(calendars.written(shifts, ZONE, NOW))
    assert {(s.agent, s.start, s.end, s.kind) for s in table.shifts} == {
        (s.agent, s.start, s.end, s.kind) for s in calendar.shifts
    }


@given(rosters(), st.lists(st.tuples(st.integers(0, 10_000), st.text(max_size=4)), min_size=1, max_size=6))
@settings(max_examples=150)
def test_a_damaged_file_is_refused_or_read_and_nothing_else(
    shifts: list[Shift], damages: list[tuple[int, str]]
) -> None:
    for content in (tables.written(shifts, ZONE), calendars.written(shifts, ZONE, NOW)):
        text = content.decode("utf-8-sig")
        for at, put in damages:
            place = at % (len(text) + 1)
            text = text[:place] + put + text[place + 1 :]
        try:
            filing = _in(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode())
        except RosterFileRefused:
            continue
        assert all(timedelta() < filed.length <= timedelta(hours=24) for filed in filing.shifts)


@given(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "SECONDLY", "FOO", ""]),
    st.dictionaries(
        st.sampled_from(
            "INTERVAL COUNT UNTIL BYDAY BYMONTHDAY BYMONTH BYSETPOS BYHOUR BYWEEKNO BYYEARDAY WKST X".split()
        ),
        st.sampled_from(
            [
                "0",
                "1",
                "2",
                "7",
                "-1",
                "31",
                "366",
                "999999999",
                "MO",
                "1MO",
                "-5SU",
                "20261231T000000Z",
                "x",
                "",
            ]
        ),
        max_size=4,
    ),
    st.integers(-76 * 365, 34 * 365).map(lambda days: NOW + timedelta(days=days)),
)
@settings(max_examples=300)
def test_any_rule_is_expanded_within_bounds_or_refused(
    frequency: str, parts: dict[str, str], start: datetime
) -> None:
    rule = ";".join([f"FREQ={frequency}", *(f"{key}={value}" for key, value in parts.items())])
    text = (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:c001\r\nDURATION:PT1H\r\n"
        f"DTSTART;TZID=Asia/Shanghai:{start:%Y%m%dT%H%M%S}\r\nRRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    try:
        filing = calendars.read(text, "a.ics", ZONE, NOW, CODES)
    except RosterFileRefused:
        return
    assert len(filing.shifts) <= 367
    assert all(NOW < filed.end for filed in filing.shifts)
