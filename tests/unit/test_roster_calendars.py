"""Rosters out of calendars: series, zones, and what a calendar may not do."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from roster_world import NOW, ZONE, bring, calendar, line, roster, table, wall

from callcenter.domain.duty import ShiftKind
from callcenter.service.duty import calendars
from callcenter.service.duty.filed import RosterFileRefused

NEXT_WEEK = date(2026, 12, 1)
EVENING = """UID:evening@calendar
DTSTART;TZID=Asia/Shanghai:20261130T190000
DTEND;TZID=Asia/Shanghai:20261201T010000
SUMMARY:c001 值班"""


def lines_of(refused: pytest.ExceptionInfo[RosterFileRefused]) -> list[int]:
    return [problem.line for problem in refused.value.problems]


def test_an_evening_from_a_calendar() -> None:
    work = line()
    bring(work, calendar(EVENING))
    assert roster(work) == [("c001", wall(30, 19, month=11), wall(1, 1), ShiftKind.LINE)]


def test_the_same_calendar_again_changes_nothing() -> None:
    work = line()
    bring(work, calendar(EVENING))
    found = bring(work, calendar(EVENING))
    assert (found.new, found.changed, found.unchanged) == ((), (), 1)


def test_an_event_moved_in_the_calendar_moves_its_shift() -> None:
    work = line()
    bring(work, calendar(EVENING))
    bring(work, calendar(EVENING.replace("T190000", "T180000")))
    assert [start for _, start, *_ in roster(work)] == [wall(30, 18, month=11)]


def test_each_week_but_one_and_one_at_another_time() -> None:
    rule = EVENING + "\nRRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Asia/Shanghai:20261207T190000"
    other = """UID:evening@calendar
RECURRENCE-ID;TZID=Asia/Shanghai:20261214T190000
DTSTART;TZID=Asia/Shanghai:20261215T200000
DTEND;TZID=Asia/Shanghai:20261215T230000
SUMMARY:c002 备班"""
    work = line()
    filing = calendar(rule, other)
    bring(work, filing)
    assert roster(work) == [
        ("c001", wall(30, 19, month=11), wall(1, 1), ShiftKind.LINE),
        ("c001", wall(21, 19), wall(22, 1), ShiftKind.LINE),
        ("c002", wall(15, 20), wall(15, 23), ShiftKind.BACKUP),
    ]
    assert bring(work, calendar(rule, other)).unchanged == 3


def test_a_rule_without_an_end_is_cut_and_said() -> None:
    filing = calendar(EVENING + "\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE")
    assert filing.cut_at is not None
    assert filing.cut_at == NOW + timedelta(days=366)
    assert 100 <= len(filing.shifts) <= 106


def test_a_rule_that_began_months_ago_brings_only_what_is_to_come() -> None:
    began = EVENING.replace("20261130", "20260105").replace("20261201", "20260106")
    filing = calendar(began + "\nRRULE:FREQ=WEEKLY;UNTIL=20261231T155959Z")
    assert [filed.start for filed in filing.shifts] == [
        wall(30, 19, month=11),
        *(wall(day, 19) for day in (7, 14, 21, 28)),
    ]


@pytest.mark.parametrize(
    "until", ["UNTIL=20261214", "UNTIL=20261214T190000", "UNTIL=20261214T110000Z", "COUNT=3"]
)
def test_the_last_of_a_row_is_in_it_however_its_end_is_written(until: str) -> None:
    filing = calendar(EVENING + f"\nRRULE:FREQ=WEEKLY;{until}\nEXDATE:20261207T190000")
    assert [filed.start for filed in filing.shifts] == [wall(30, 19, month=11), wall(14, 19)]
    assert filing.cut_at is None


def test_what_is_over_or_called_off_is_counted_and_left_out() -> None:
    over = EVENING.replace("202611", "202610").replace("202612", "202611").replace("evening", "over")
    filing = calendar(over.replace("20261101", "20261031"), EVENING + "\nSTATUS:CANCELLED")
    assert (filing.shifts, filing.past, filing.cancelled) == ((), 1, 1)


def test_wall_times_without_a_zone_are_the_sites_and_others_are_converted() -> None:
    floating = EVENING.replace(";TZID=Asia/Shanghai", "")
    universal = """UID:utc
DTSTART:20261201T110000Z
DURATION:PT6H
SUMMARY:c002 值班"""
    abroad = """UID:berlin
DTSTART;TZID=Europe/Berlin:20261201T120000
DTEND;TZID=Europe/Berlin:20261201T180000
SUMMARY:c003 值班"""
    starts = {filed.agent: filed.start for filed in calendar(floating, universal, abroad).shifts}
    assert starts == {"c001": wall(30, 19, month=11), "c002": wall(1, 19), "c003": wall(1, 19)}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("UID:a\nDTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261202\nSUMMARY:c001", "全天"),
        ("UID:a\nDTSTART;TZID=Mars/Base:20261201T190000\nDURATION:PT6H\nSUMMARY:c001", "时区认不出"),
        ("UID:a\nDTSTART:20261201T110000Z\nSUMMARY:c001", "没有结束"),
        ("UID:a\nDTEND:20261201T110000Z\nSUMMARY:c001", "没有开始"),
        ("UID:a\nDTSTART:2026-12-01 19:00\nDURATION:PT6H\nSUMMARY:c001", "读不懂"),
        ("UID:a\nDTSTART:20261301T110000Z\nDURATION:PT6H\nSUMMARY:c001", "读不懂"),
        ("UID:a\nDTSTART:20261201T110000Z\nDTSTART:20261202T110000Z\nDURATION:PT6H\nSUMMARY:c001", "读不懂"),
        ("UID:a\nDTSTART:20261201T110000Z\nDURATION:PT30H\nSUMMARY:c001", "超过 24 小时"),
        ("UID:a\nDTSTART:20261201T110000Z\nDURATION:-PT1H\nSUMMARY:c001", "结束不晚于开始"),
        ("UID:a\nDTSTART:20361201T110000Z\nDURATION:PT6H\nSUMMARY:c001", "请检查年份"),
        ("UID:a\nDTSTART:20261201T110000Z\nDURATION:PT6H\nSUMMARY:周敏", "看不出是谁"),
        ("UID:a\nDTSTART:20261201T110000Z\nDURATION:PT6H", "看不出是谁"),
        ("UID:a\nDTSTART:20261201T110000Z\nDURATION:PT6H\nSUMMARY:c001 代 c002", "几个人员代码"),
        ("DTSTART:20261201T110000Z\nDURATION:PT6H\nSUMMARY:c001", "没有 UID"),
        (EVENING + "\nRRULE:FREQ=SECONDLY", "重复"),
        (EVENING + "\nRRULE:FREQ=MINUTELY;COUNT=999999999", "重复"),
        (EVENING + "\nRRULE:FREQ=DAILY;BYHOUR=1,2,3;BYSECOND=1,2", "重复"),
        (EVENING + "\nRRULE:FREQ=DAILY;INTERVAL=7;BYDAY=TU", "重复"),
        (EVENING + "\nRRULE:FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=20", "重复"),
        (EVENING + "\nRRULE:FREQ=MONTHLY;BYMONTHDAY=99", "重复"),
        (EVENING + "\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "重复"),
        (EVENING + "\nRRULE:FREQ=WEEKLY;INTERVAL=0", "重复"),
        (EVENING + "\nRRULE:FREQ=WEEKLY;INTERVAL=x", "读不懂"),
        (EVENING + "\nRRULE:FREQ=WEEKLY;BYDAY=9MO", "重复"),
        (EVENING + "\nRRULE:FREQ=WEEKLY\nRRULE:FREQ=DAILY", "重复"),
        (EVENING + "\nEXRULE:FREQ=WEEKLY", "重复"),
        (EVENING.replace("2026", "1906") + "\nRRULE:FREQ=DAILY", "年份|5 年"),
        (EVENING.replace("2026", "2006") + "\nRRULE:FREQ=DAILY", "5 年"),
    ],
)
def test_an_event_that_is_no_shift_is_named_by_its_line(event: str, told: str) -> None:
    other = EVENING.replace("evening", "other").replace("c001", "c002")
    with pytest.raises(RosterFileRefused, match=told) as refused:
        calendar(other, event)
    assert lines_of(refused) == [9]


def test_rules_together_too_many() -> None:
    daily = [f"{EVENING}\nRRULE:FREQ=DAILY".replace("evening", f"e{n}") for n in range(30)]
    with pytest.raises(RosterFileRefused, match="展开后超过"):
        calendar(*daily)
    with pytest.raises(RosterFileRefused, match="重复的事件超过"):
        calendar(*(f"{EVENING}\nRRULE:FREQ=DAILY;COUNT=1".replace("evening", f"e{n}") for n in range(501)))


def test_one_event_changed_by_itself_more_often_than_a_year_has_days() -> None:
    rule = EVENING + "\nRRULE:FREQ=DAILY;COUNT=3"
    others = [f"{EVENING}\nRECURRENCE-ID:20261201T{n // 60:02d}{n % 60:02d}00Z" for n in range(401)]
    with pytest.raises(RosterFileRefused, match="单独改过 400 次以上") as refused:
        calendar(rule, *others)
    assert len(lines_of(refused)) == 2


def test_the_same_event_twice() -> None:
    with pytest.raises(RosterFileRefused, match="出现了两次"):
        calendar(EVENING, EVENING)


def test_events_too_many_and_events_too_long() -> None:
    with pytest.raises(RosterFileRefused, match="超过 5000 个事件"):
        calendar(*["UID:a"] * 5001)
    with pytest.raises(RosterFileRefused, match="太长"):
        calendar(EVENING + "\nEXDATE:20261201T110000Z" * 1001)
    with pytest.raises(RosterFileRefused, match="太长"):
        calendar(EVENING + "\nSUMMARY:" + "c" * 30_000)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\n", "缺 END"),
        ("BEGIN:VCALENDAR\nEND:VEVENT\n", "不成对"),
        ("BEGIN:VCARD\nEND:VCARD\n", "不是完好的"),
        ("BEGIN:VCALENDAR\n" * 50, "不是完好的"),
    ],
)
def test_a_calendar_cut_short_or_nested(text: str, told: str) -> None:
    with pytest.raises(RosterFileRefused, match=told):
        calendars.read(text, "排班.ics", ZONE, NOW, frozenset({"c001"}))


def test_what_a_calendar_carries_besides_is_never_read() -> None:
    """A rule for a time zone that never ends, an alarm, an attachment: no library sees them."""
    text = f"""BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Asia/Shanghai
BEGIN:STANDARD
DTSTART:19000101T000000
RRULE:FREQ=SECONDLY
TZOFFSETFROM:+0800
TZOFFSETTO:+0900
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
{EVENING}
ATTACH;ENCODING=BASE64;VALUE=BINARY:{"A" * 100_000}
DESCRIPTION:请拨
  13800001111
BEGIN:VALARM
TRIGGER:-PT15M
DTSTART:20200101T000000Z
END:VALARM
END:VEVENT
END:VCALENDAR
"""
    (filed,) = calendars.read(text, "排班.ics", ZONE, NOW, frozenset({"c001"})).shifts
    assert (filed.start, filed.line) == (wall(30, 19, month=11), 11)


def test_attendees_each_have_a_shift() -> None:
    event = (
        EVENING.replace("c001 值班", "晚班")
        + "\nATTENDEE;CN=周敏:mailto:C001@example.com\nATTENDEE;CN=c002:urn:x"
    )
    work = line()
    bring(work, calendar(event))
    assert [agent for agent, *_ in roster(work)] == ["c001", "c002"]
    assert bring(work, calendar(event)).unchanged == 2


def test_no_complaint_repeats_what_stands_in_the_file() -> None:
    event = "UID:13800001111\nDTSTART:20261201T110000Z\nDURATION:PT6H\nSUMMARY:沈建国 13800001111"
    with pytest.raises(RosterFileRefused) as refused:
        calendar(event)
    assert "13800001111" not in str(refused.value)
    with pytest.raises(RosterFileRefused) as refused:
        table("沈建国,13800001111,13800001111,沈建国")
    assert "13800001111" not in str(refused.value)
