"""The roster from files: tables and calendars as clumsy or hostile people send them, all of it or nothing."""

from __future__ import annotations

import os
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from roster_world import NOW, ZONE, bring, calendar, from_file, line, roster, shift, table, wall

from callcenter.domain.books import OVERRIDES, SWAPS, TEMPLATES
from callcenter.domain.duty import ShiftKind
from callcenter.domain.planning import shift_id
from callcenter.domain.roster import Swap, SwapState, Template
from callcenter.errors import Forbidden, Refused
from callcenter.service.duty import calendars, importing, tables
from callcenter.service.duty.checking import ALWAYS
from callcenter.service.duty.filed import MAX_BYTES, RosterFileRefused, read_text
from callcenter.service.duty.publishing import publish

NEXT_WEEK = date(2026, 12, 1)
EVENING = """UID:evening@calendar
DTSTART;TZID=Asia/Shanghai:20261130T190000
DTEND;TZID=Asia/Shanghai:20261201T010000
SUMMARY:c001 值班"""


def lines_of(refused: pytest.ExceptionInfo[RosterFileRefused]) -> list[int]:
    return [problem.line for problem in refused.value.problems]


# --- tables --------------------------------------------------------------------------------------


def test_a_week_from_a_spreadsheet() -> None:
    work = line()
    found = bring(
        work,
        table(
            "c001,2026-12-01 19:00,2026-12-02 01:00,值班",
            "C002,2026/12/1 19:00,01:00,备班",
            "s001,2026年12月1日 9:00,21:00,督导",
            ",,,",
            "c003,2026-12-01T19:00,24:00,",
        ),
    )
    assert len(found.new) == 4
    assert roster(work) == [
        ("c001", wall(1, 19), wall(2, 1), ShiftKind.LINE),
        ("c002", wall(1, 19), wall(2, 1), ShiftKind.BACKUP),
        ("c003", wall(1, 19), wall(2, 0), ShiftKind.LINE),
        ("s001", wall(1, 9), wall(1, 21), ShiftKind.SUPERVISOR),
    ]


def test_lengths_instead_of_ends() -> None:
    work = line()
    rows = ("c001,2026-12-01 19:00,6h", "c002,2026-12-01 19:00,1h30m", "c003,2026-12-01 19:00,6小时30分钟")
    bring(work, table(*rows, heading="agent,start,length"))
    lengths = [end - start for _, start, end, _ in roster(work)]
    assert lengths == [timedelta(hours=6), timedelta(hours=1.5), timedelta(hours=6.5)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_whatever_the_spreadsheet_program_writes(tmp_path: Path, encoding: str, ends: str) -> None:
    text = ends.join(["代码;开始;结束;类别", "c001;2026-12-01 19:00;2026-12-02 01:00;备班", ""])
    (filed,) = from_file(tmp_path / "排班.csv", text.encode(encoding)).shifts
    assert (filed.agent, filed.kind, filed.line) == ("c001", ShiftKind.BACKUP, 2)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("周敏,2026-12-01 19:00,01:00,值班", "代码不对"),
        ("c001,12月1日 19:00,01:00,值班", "看不懂开始时间"),
        ("c001,2026-11-31 19:00,01:00,值班", "没有这样的开始时间"),
        ("c001,2026-12-01 25:00,01:00,值班", "没有这样的开始时间"),
        ("c001,2026-12-01 19:00,明天,值班", "看不懂结束时间"),
        ("c001,2026-12-01 19:00,24:30,", "没有这样的结束时间"),
        ("c001,2026-12-01 19:00,2026-12-01 18:00,值班", "结束不晚于开始"),
        ("c001,2026-12-01 19:00,2026-12-03 19:00,值班", "超过 24 小时"),
        ("c001,2036-12-01 19:00,01:00,值班", "请检查年份"),
        ("c001,0026-12-01 19:00,01:00,值班", "年份"),
        ("c001,2026-12-01 19:00,,值班", "结束和时长要写一个"),
        ("c001,2026-12-01 19:00,01:00,外勤", "类别不认识"),
        ('c001,2026-12-01 19:00,01:00,"=HYPERLINK(""x"")"', "公式"),
        (f"c001,2026-12-01 19:00,01:00,{'班' * 300}", "太长"),
    ],
)
def test_a_bad_cell_is_named_by_its_line(row: str, told: str) -> None:
    with pytest.raises(RosterFileRefused, match=told) as refused:
        table("c002,2026-12-01 19:00,01:00,值班", row)
    assert lines_of(refused) == [3]
    assert "排班.csv:3:" in str(refused.value)


def test_every_bad_line_is_told_at_once_but_not_thousands() -> None:
    with pytest.raises(RosterFileRefused) as refused:
        table(*["c001,昨天,01:00,值班"] * 300)
    assert len(lines_of(refused)) == 300
    assert str(refused.value).count("\n") <= 22
    assert "还有 280 处" in str(refused.value)


@pytest.mark.parametrize(
    "heading", ["代码,开始", "姓名,日期,班次", "代码,代码,开始,结束", "c001,2026-12-01 19:00,01:00,值班", ""]
)
def test_a_table_without_its_headings(heading: str) -> None:
    with pytest.raises(RosterFileRefused, match="第一行要写列名"):
        table("c001,2026-12-01 19:00,01:00,值班", heading=heading)


def test_a_quote_that_never_closes() -> None:
    with pytest.raises(RosterFileRefused, match="引号"):
        table('c001,"2026-12-01 19:00,01:00,值班', "c002,2026-12-01 19:00,01:00,")


def test_more_lines_than_any_roster_has() -> None:
    with pytest.raises(RosterFileRefused, match="分成几份"):
        table(*["c001,2026-12-01 19:00,01:00,值班"] * 5001)


# --- files as a whole -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "是空的"),
        (b" \r\n ", "是空的"),
        (b"a" * (MAX_BYTES + 1), "MB"),
        (b"\xff\xff\xff\xff", "编码"),
        (b"agent,start\0,end", "空字符"),
        (b"PK\x03\x04" + bytes(range(256)), "编码"),
    ],
)
def test_a_file_that_is_no_roster(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(RosterFileRefused, match=told):
        from_file(tmp_path / "排班.csv", content)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "排班.csv")
    with pytest.raises(Refused, match="不是普通文件"):
        read_text(tmp_path / "排班.csv")


# --- what an import does --------------------------------------------------------------------------


def test_a_dry_run_shows_the_difference_and_changes_nothing() -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)))
    before = work.roster.revision()
    filing = table("c001,2026-12-01 19:00,01:00,值班", "c002,2026-12-01 19:00,01:00,值班")
    found = bring(work, filing, dry_run=True)
    assert ([s.agent for s in found.new], found.unchanged) == (["c002"], 1)
    assert (len(roster(work)), work.roster.revision(), work.audit.recent(5)) == (1, before, [])


def test_one_bad_line_and_nothing_is_planned() -> None:
    work = line()
    with pytest.raises(RosterFileRefused) as refused:
        bring(
            work,
            table(
                "c001,2026-12-01 19:00,01:00,值班",
                "c099,2026-12-01 19:00,01:00,值班",
                "d001,2026-12-01 19:00,01:00,值班",
                "c002,2026-12-01 19:00,01:00,督导",
                "c002,2026-11-20 19:00,01:00,值班",
            ),
        )
    assert lines_of(refused) == [3, 4, 5, 6]
    assert roster(work) == []


def test_nobody_is_in_two_places() -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)))
    with pytest.raises(RosterFileRefused) as refused:
        bring(
            work,
            table(
                "c001,2026-12-01 20:00,23:00,值班",
                "c002,2026-12-01 09:00,17:00,值班",
                "c002,2026-12-01 16:00,20:00,备班",
                "c003,2026-12-01 09:00,17:00,值班",
                "c003,2026-12-01 17:00,20:00,值班",
            ),
        )
    assert lines_of(refused) == [2, 4]
    assert "第 3 行的重叠" in str(refused.value)


def test_each_shift_brought_in_is_on_record() -> None:
    work = line()
    found = bring(work, table("c001,2026-12-01 19:00,01:00,值班"))
    (entry,) = work.audit.recent(5)
    assert (entry.actor, entry.verb, entry.object) == ("s001", "duty.import", found.new[0].id)


def test_what_the_roster_lacks_then_is_told() -> None:
    found = bring(line(), table("c001,2026-12-01 19:00,01:00,值班"))
    assert [(fault.lack, fault.agents) for fault in found.faults] == [("thin", {"c001"})]


def test_a_counsellor_plans_nobody() -> None:
    work = line()
    with pytest.raises(Forbidden):
        importing.import_shifts(work, table("c001,2026-12-01 19:00,01:00,值班"), actor="c001", now=NOW)


def test_a_shift_moved_in_the_file_moves_in_the_roster() -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)))
    filing = table("sh-000000000001,c001,2026-12-01 20:00,2026-12-02 02:00", heading="编号,代码,开始,结束")
    ((before, after),) = bring(work, filing).changed
    assert (before.start, after.start, after.id) == (wall(1, 19), wall(1, 20), "sh-000000000001")
    assert roster(work) == [("c001", wall(1, 20), wall(2, 2), ShiftKind.LINE)]


def test_two_people_change_places_in_one_file() -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)), shift("sh-000000000002", "c002", wall(1, 9)))
    bring(
        work,
        table(
            "sh-000000000001,c002,2026-12-01 19:00,01:00",
            "sh-000000000002,c001,2026-12-01 09:00,15:00",
            heading="编号,代码,开始,结束",
        ),
    )
    assert [(agent, start) for agent, start, *_ in roster(work)] == [
        ("c001", wall(1, 9)),
        ("c002", wall(1, 19)),
    ]


IDS = "编号,代码,开始,结束"


def test_in_a_chain_everybody_gets_the_shift_that_the_file_says() -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)), shift("sh-000000000002", "c002", wall(1, 19)))
    rows = (
        "sh-000000000001,c002,2026-12-01 19:00,01:00",
        "sh-000000000002,c003,2026-12-01 19:00,01:00",
    )
    assert len(bring(work, table(*rows, heading=IDS)).changed) == 2
    assert [agent for agent, *_ in roster(work)] == ["c002", "c003"]
    assert work.roster.shift("sh-000000000002").agent == "c003"


def test_one_shift_moves_to_the_day_that_another_leaves() -> None:
    work = line(*(shift(f"sh-00000000000{n}", "c001", wall(9 + n, 19)) for n in (1, 2)))
    rows = (f"sh-00000000000{n},c001,2026-12-{10 + n} 19:00,01:00" for n in (1, 2))
    bring(work, table(*rows, heading=IDS))
    assert [start for _, start, *_ in roster(work)] == [wall(11, 19), wall(12, 19)]


@pytest.mark.parametrize(
    ("first", "second"), [("sh-000000000001", "sh-000000000002"), ("sh-000000000001", ""), ("", "")]
)
def test_two_lines_for_one_person_at_one_time_are_told(first: str, second: str) -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)), shift("sh-000000000002", "c002", wall(1, 19)))
    before = roster(work)
    rows = (f"{one},c002,2026-12-01 19:00,01:00" for one in (first, second))
    with pytest.raises(RosterFileRefused, match=r"已有班次|重叠"):
        bring(work, table(*rows, heading=IDS))
    assert roster(work) == before


def test_a_shift_that_runs_is_changed_by_no_file() -> None:
    running = shift("sh-000000000001", "c001", NOW - timedelta(hours=1))
    work = line(running)
    same, later, other = (
        table(f"sh-000000000001,{row}", heading=IDS)
        for row in (
            "c001,2026-11-27 13:00,19:00",
            "c001,2026-12-01 13:00,19:00",
            "c002,2026-11-27 13:00,19:00",
        )
    )
    assert bring(work, same).unchanged == 1
    for filing in (later, other):
        with pytest.raises(RosterFileRefused, match="这个班已经开始"):
            bring(work, filing)
    assert work.roster.shifts_between(wall(1, month=1), wall(31)) == [running]


def test_what_should_have_begun_comes_in_with_a_reason_only() -> None:
    begun = table("c001,2026-11-27 13:00,19:00,值班")
    with pytest.raises(RosterFileRefused, match="--reason"):
        bring(line(), begun)
    done = importing.import_shifts(line(), begun, actor="s001", now=NOW, reason="开班前忘了排")
    assert len(done.new) == 1
    own = table("s001,2026-11-27 13:00,19:00,督导")
    with pytest.raises(RosterFileRefused, match="另一位督导"):
        importing.import_shifts(line(), own, actor="s001", now=NOW, reason="开班前忘了排")


def test_a_shift_that_was_planned_again_beside_its_moved_self_can_be_moved_too() -> None:
    """Its moved self has the id made of its own: the two are told apart."""
    slot = shift("sh-261201-0123456789", "c001", wall(1, 19), 2)
    work = line(slot)
    moved = table(f"{slot.id},c001,2026-12-02 19:00,21:00", heading=IDS)
    bring(work, moved)
    work.roster.replace_shifts([], [slot])
    bring(work, table(f"{slot.id},c001,2026-12-03 19:00,21:00", heading=IDS))
    assert [start for _, start, *_ in roster(work)] == [wall(2, 19), wall(3, 19)]


def test_a_dry_run_tells_what_the_roster_would_lack_and_the_hole_that_a_move_leaves() -> None:
    work = line(shift("sh-000000000001", "c001", wall(1, 19)))
    moved = table("sh-000000000001,c001,2026-12-02 01:00,07:00", heading=IDS)
    told = bring(work, moved, dry_run=True).faults
    assert [(fault.lack, fault.start) for fault in told] == [("nobody", wall(1, 19)), ("thin", wall(2, 1))]
    assert bring(work, moved).faults == told


def test_a_shift_that_is_over_stays_what_it_was() -> None:
    work = line(shift("sh-000000000001", "c001", wall(20, 19, month=11)))
    filing = table("sh-000000000001,c001,2026-12-01 19:00,01:00", heading="编号,代码,开始,结束")
    assert not bring(work, filing).changed
    assert [start for _, start, *_ in roster(work)] == [wall(20, 19, month=11), wall(1, 19)]


def test_one_number_stands_for_one_shift() -> None:
    with pytest.raises(RosterFileRefused, match="编号和第 2 行相同") as refused:
        bring(
            line(),
            table(
                "sh-000000000001,c001,2026-12-01 19:00,01:00",
                "sh-000000000001,c001,2026-12-02 19:00,01:00",
                heading="编号,代码,开始,结束",
            ),
        )
    assert lines_of(refused) == [3]


def test_a_moved_shift_of_a_template_stays_moved_when_its_day_is_published_again() -> None:
    template = Template(
        id="tp-1",
        name="晚班",
        days=frozenset({1}),
        start=time(19),
        length=timedelta(hours=6),
        agents=("c001",),
        first=NEXT_WEEK,
    )
    planned = shift(shift_id("tp-1", NEXT_WEEK, "c001"), "c001", wall(1, 19), source="tp-1/2026-12-01")
    work = line(planned)
    work.book(TEMPLATES).add(template)
    offered = Swap(id="sw-1", shift=planned.id, agent="c001", at=NOW, state=SwapState.OFFERED)
    work.book(SWAPS).add(offered)
    bring(work, table(f"{planned.id},c001,2026-12-01 20:00,23:00", heading="编号,代码,开始,结束"))
    (moved,) = work.roster.shifts_between(wall(1), wall(2))
    assert (moved.source, moved.id == planned.id) == ("", False)
    (override,) = work.book(OVERRIDES).where(template="tp-1")
    assert override.act == "cancel"
    assert work.book(SWAPS).get("sw-1").state is SwapState.WITHDRAWN
    publish(work, NEXT_WEEK, NEXT_WEEK, rules=ALWAYS, actor="s001", now=NOW, reason="人手不够")
    assert [start for _, start, *_ in roster(work)] == [wall(1, 20)]
    again = table(f"{planned.id},c001,2026-12-01 20:00,23:00", heading="编号,代码,开始,结束")
    assert bring(work, again).unchanged == 1


# --- calendars ------------------------------------------------------------------------------------


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


# --- going out ------------------------------------------------------------------------------------


def test_a_calendar_says_codes_and_neither_names_nor_numbers() -> None:
    shifts = [shift("sh-000000000001", "c001", wall(1, 19), kind=ShiftKind.BACKUP)]
    text = calendars.written(shifts, ZONE, NOW).decode()
    assert "UID:sh-000000000001@xinxian\r\n" in text
    assert "DTSTART;TZID=Asia/Shanghai:20261201T190000\r\n" in text
    assert "SUMMARY:c001 备班\r\n" in text
    assert "周敏" not in text
    assert "BEGIN:VTIMEZONE" in text


def test_a_table_opens_in_excel() -> None:
    raw = tables.written([shift("sh-000000000001", "c001", wall(1, 19))], ZONE)
    assert raw.startswith("\ufeff".encode())
    assert raw.decode("utf-8-sig") == (
        "编号,代码,开始,结束,类别\r\nsh-000000000001,c001,2026-12-01 19:00,2026-12-02 01:00,值班\r\n"
    )


def test_only_what_begins_in_the_days_asked_for_and_of_whom_goes_out() -> None:
    work = line(
        shift("sh-000000000001", "c001", wall(30, 19, month=11)),
        shift("sh-000000000002", "c001", wall(1, 19)),
        shift("sh-000000000003", "c002", wall(1, 19)),
    )
    found = importing.shifts_to_file(work, wall(1), wall(2), frozenset({"c001"}), actor="c001")
    assert [s.id for s in found] == ["sh-000000000002"]
