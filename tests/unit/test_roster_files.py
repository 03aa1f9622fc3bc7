"""The roster from files: tables and calendars as clumsy or hostile people send them, all of it or nothing."""

from __future__ import annotations

import os
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from roster_world import NOW, ZONE, bring, from_file, line, roster, shift, table, wall

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
