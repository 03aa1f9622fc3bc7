"""`hotline duty export|import|calendar|sheet|gaps` and `report staffing`, as a supervisor types them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.duty import duty
from callcenter.cli.duty_sheet import monday_of
from callcenter.cli.report import report
from callcenter.config import Settings
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.duty import Shift, ShiftKind
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import CallCenterError, NotFound, Refused
from callcenter.memory import MemoryStore

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=ZONE).astimezone(UTC)
PEOPLE = {"c001": "周敏", "c002": "吴芳芳", "c003": "<b>郑洁", "s001": "孙立"}
HOUR = timedelta(hours=1)


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: NOW  # type: ignore[method-assign]
        with self.store() as work:
            for code, name in PEOPLE.items():
                role = Role.SUPERVISOR if code == "s001" else Role.COUNSELLOR
                rank = 1 if code == "s001" else None
                mobile = {"phone": PhoneKind.MOBILE, "mobile": "13800001111", "alarm_rank": rank}
                work.users.add(User(code=code, name=name, roles=frozenset({role}), **mobile))  # type: ignore[arg-type]
            work.commit()

    def plan(self, *shifts: tuple[str, int, int, float, ShiftKind]) -> None:
        """Plan shifts: who, how many days and hours from Monday 30 November on, how many hours, as what."""
        monday = datetime(2026, 11, 30, tzinfo=ZONE).astimezone(UTC)
        new = [
            Shift(id=f"sh-{n:012x}", agent=a, start=monday + (24 * d + h) * HOUR, length=hours * HOUR, kind=k)
            for n, (a, d, h, hours, k) in enumerate(shifts)
        ]
        with self.store() as work:
            work.roster.replace_shifts([], new)
            work.commit()

    def history(self, calls_an_hour: int) -> None:
        """Let eight weeks be behind the line: each call takes an hour, one in five gives up."""
        calls = []
        for hour in range(24 * 56):
            for place in range(calls_an_hour):
                at = NOW - 56 * 24 * HOUR + hour * HOUR + timedelta(minutes=7 * place)
                left = (hour + place) % 5 == 0
                answered = None if left else at + timedelta(seconds=30)
                calls.append(
                    CallRecord(
                        id=f"pbx1-{hour}.{place}",
                        direction=Direction.INBOUND,
                        outcome=Outcome.ABANDONED if left else Outcome.ANSWERED,
                        started_at=at,
                        offered_at=at,
                        answered_at=answered,
                        ended_at=(answered or at) + (timedelta(minutes=2) if left else HOUR),
                    )
                )
        with self.store() as work:
            work.calls.put_many(calls)
            work.commit()

    def shifts(self) -> int:
        with self.store() as work:
            return len(work.roster.shifts_between(NOW, NOW + timedelta(days=400)))


@pytest.fixture
def app() -> DeskApp:
    return DeskApp()


def run(app: App, *words: str, group: str = "duty") -> str:
    typed = {"duty": duty, "report": report}[group]
    done = CliRunner().invoke(typed, [*words], obj=app, env={"HOTLINE_ACTOR": "s001"}, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def fits(text: str) -> bool:
    return all(cell_len(line) <= 80 for line in text.splitlines())


# --- files ----------------------------------------------------------------------------------------


def test_a_table_shown_first_then_brought_in_then_again(app: DeskApp, tmp_path: Path) -> None:
    file = tmp_path / "排班.csv"
    file.write_bytes("代码,开始,结束,类别\r\nc001,2026-11-30 19:00,01:00,值班\r\n".encode("gbk"))
    said = run(app, "import", str(file), "--dry-run")
    assert "新增 c001 11-30 19:00–01:00 值班" in said
    assert "席位不足(只有 c001)" in said
    assert "没有写入" in said
    assert json.loads(run(app, "import", str(file), "--dry-run", "--json"))["faults"][0]["lack"] == "thin"
    assert app.shifts() == 0
    said = run(app, "import", str(file))
    assert "席位不足(只有 c001)" in said
    assert app.shifts() == 1
    assert "新增 0 个班,改动 0 个,已有 1 个。" in run(app, "import", str(file))
    assert app.shifts() == 1


def test_a_calendar_goes_out_and_is_told_by_what_it_holds_not_by_its_name(
    app: DeskApp, tmp_path: Path
) -> None:
    app.plan(("c001", 0, 19, 6, ShiftKind.LINE), ("c002", 1, 19, 6, ShiftKind.BACKUP))
    run(app, "export", "--format", "ics", "--out", str(tmp_path / "a.txt"))
    there = DeskApp()
    row = json.loads(run(there, "import", str(tmp_path / "a.txt"), "--json"))
    assert [(one["agent"], one["kind"]) for one in row["new"]] == [("c001", "line"), ("c002", "backup")]
    assert (row["dry_run"], there.shifts()) == (False, 2)


def test_ones_own_calendar_has_nobody_elses_shifts(app: DeskApp) -> None:
    app.plan(("c001", 0, 19, 6, ShiftKind.LINE), ("c002", 1, 19, 6, ShiftKind.LINE))
    own = run(app, "calendar", "c002")
    assert own.count("BEGIN:VEVENT") == 1
    assert "SUMMARY:c002" in own
    assert own == run(app, "export", "--format", "ics", "--agent", "c002")


@pytest.mark.parametrize("kind", ["csv", "ics"])
def test_no_file_has_a_name_or_a_number(app: DeskApp, kind: str) -> None:
    app.plan(*((code, 0, 9, 6, ShiftKind.LINE) for code in PEOPLE))
    text = run(app, "export", "--format", kind)
    assert not any(name in text for name in (*PEOPLE.values(), "13800001111"))


def test_days_that_end_before_they_begin(app: DeskApp) -> None:
    for days in (("2026-12-02", "2026-12-01"), ("2026-12-01", "2029-12-01")):
        with pytest.raises(Refused, match="起始不晚于截止"):
            run(app, "export", "--from", days[0], "--to", days[1])


def test_a_code_of_nobodys_has_no_calendar(app: DeskApp) -> None:
    for words in (("calendar", "zzz"), ("export", "--agent", "c001", "--agent", "zzz")):
        with pytest.raises(NotFound, match="zzz"):
            run(app, *words)


def test_a_machine_is_told_why_a_plan_was_not_published(app: DeskApp) -> None:
    run(
        app,
        "template",
        "add",
        "晚班",
        "19:00-01:00",
        "--days",
        "1",
        "--agent",
        "c001",
        "--first",
        "2026-11-30",
    )
    words = ["publish", "--from", "2026-11-30", "--to", "2026-11-30", "--json"]
    done = CliRunner().invoke(duty, words, obj=app, env={"HOTLINE_ACTOR": "s001"})
    told = json.loads(done.output)
    assert (done.exit_code, told["published"], app.shifts()) == (1, False, 0)
    assert "thin" in [fault["lack"] for fault in told["faults"]]
    assert json.loads(run(app, *words, "--reason", "周一只有一位"))["published"] is True


def test_fewer_than_two_seats_or_no_supervisor_takes_a_reason_and_is_on_record(app: DeskApp) -> None:
    words = ("need", "add", "19:00-01:00", "--days", "1-5")
    for few in (("--seats", "0"), ("--seats", "1"), ("--supervisors", "0")):
        with pytest.raises(Refused, match="写明理由"):
            run(app, *words, *few)
    run(app, *words, "--seats", "3")
    run(app, *words, "--seats", "0", "--supervisors", "0", "--reason", "晚上转给备班")
    with app.store() as work:
        added = [entry.object for entry in work.audit.recent(2, verb="duty.need_add")]
    assert sorted(one.partition("/")[2] for one in added) == ["0-0-0", "3-1-0"]


def test_a_bad_file_says_where_and_changes_nothing(app: DeskApp, tmp_path: Path) -> None:
    file = tmp_path / "排班.csv"
    file.write_text(
        "代码,开始,结束\nc001,2026-11-30 19:00,01:00\nc404,2026-11-30 19:00,01:00\n", encoding="utf-8"
    )
    with pytest.raises(CallCenterError, match=r"排班\.csv:3:c404"):
        run(app, "import", str(file))
    assert app.shifts() == 0


def test_a_long_difference_is_not_a_wall_of_lines(app: DeskApp, tmp_path: Path) -> None:
    file = tmp_path / "排班.csv"
    days = [date(2026, 12, 1) + timedelta(days=n) for n in range(90)]
    rows = [f"c00{n},{day} 19:00,01:00" for day in days for n in (1, 2)]
    file.write_text("\n".join(["代码,开始,结束", *rows]), encoding="utf-8")
    said = run(app, "import", str(file), "--dry-run")
    assert "还有 150 个,此处不列。" in said
    assert len(said.splitlines()) < 70
    assert fits(said)


# --- the wall -------------------------------------------------------------------------------------


class Cells(HTMLParser):
    """The texts of a table, cell by cell."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        assert tag not in ("script", "img", "link", "iframe", "b")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()


def cells(page: str) -> list[list[str]]:
    parser = Cells()
    parser.feed(page)
    return parser.rows


def test_a_week_on_the_wall(app: DeskApp) -> None:
    app.plan(
        ("c001", 0, 9, 8, ShiftKind.LINE),
        ("c002", 0, 9, 8, ShiftKind.BACKUP),
        ("s001", 0, 9, 8, ShiftKind.SUPERVISOR),
        ("c001", 6, 19, 6, ShiftKind.LINE),
        ("c002", -1, 19, 6, ShiftKind.LINE),
    )
    page = run(app, "sheet", "--week", "2026-W49")
    head, day, evening, gaps = cells(page)[:4]
    assert head[1] == "11月30日 周一"
    assert (day[0], day[1]) == ("09:00–17:00", "周* c001 备 吴** c002 督 孙* s001")
    assert (evening[0], evening[7]) == ("19:00–01:00", "周* c001")
    assert evening[1] == "—"  # the one that began on Sunday stands on last week's sheet
    assert "01:00–09:00 无人值班" in gaps[1]
    assert "09:00–17:00 席位不足(只有 c001)" in gaps[1]
    assert "全天 无人值班" in gaps[2]
    assert "13800001111" not in page


def test_a_name_with_signs_stays_text(app: DeskApp) -> None:
    app.plan(("c003", 0, 9, 8, ShiftKind.LINE))
    assert cells(run(app, "sheet", "--week", "2026-12-02"))[1][1] == "<**** c003"


def test_a_week_with_nothing_planned(app: DeskApp) -> None:
    assert cells(run(app, "sheet", "--week", "2026-W50"))[1] == ["这一周还没有排班。"]


def test_weeks_as_people_write_them() -> None:
    assert monday_of("2026-W49") == monday_of("2026w49") == monday_of("2026-12-06") == date(2026, 11, 30)
    for wrong in ("2025-W53", "2026-W00", "2026-W99", "W49", "0001-W01", "2026-13-01"):
        with pytest.raises(Refused):
            monday_of(wrong)


# --- staffing -------------------------------------------------------------------------------------


def test_beside_each_slot_stands_what_callers_would_meet(app: DeskApp) -> None:
    app.history(1)
    app.plan(
        ("c001", 0, 9, 8, ShiftKind.LINE),
        ("c002", 0, 9, 8, ShiftKind.LINE),
        ("c001", 1, 9, 8, ShiftKind.LINE),
    )
    said = run(app, "gaps", "--days", "6")
    rows = {line[:17]: line.split() for line in said.splitlines() if line[:3] in ("11-", "12-")}
    assert rows["11-30 09:00–17:00"][2:4] == ["2", "1.0"]
    assert "不稳定" in rows["12-01 09:00–17:00"]
    assert "不稳定" not in rows["11-30 09:00–17:00"]
    assert "来的比接得完的多" in said
    assert fits(said)


def test_a_machine_reads_no_number_where_there_is_none(app: DeskApp) -> None:
    app.history(2)
    app.plan(("c001", 0, 9, 8, ShiftKind.LINE))
    row = json.loads(run(app, "gaps", "--days", "6", "--json"))
    (slot,) = [slot for slot in row["slots"] if slot["seats"] == 1]
    assert (slot["forecast"]["stable"], slot["forecast"]["if_nobody_left"]) == (False, None)
    assert 0 < slot["forecast"]["as_people_leave"]["abandons"] < 1
    assert row["demand"]["calls"] == 2 * 24 * 56


def test_too_short_a_history_is_said_with_its_counts(app: DeskApp) -> None:
    with app.store() as work:
        one = CallRecord(
            id="pbx1-1",
            direction=Direction.INBOUND,
            outcome=Outcome.ABANDONED,
            started_at=NOW - HOUR,
            offered_at=NOW - HOUR,
            ended_at=NOW,
        )
        work.calls.put_many([one])
        work.commit()
    assert "历史太少,不作预计:近 1 天开放时段来电 1 通" in run(app, "gaps").replace("\n", "")


def test_the_arithmetic_of_a_site_without_history(app: DeskApp) -> None:
    said = run(app, "staffing", "--calls-per-hour", "1", "--aht", "60m", "--patience", "5m", group="report")
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line[:1].isdigit()}
    assert rows["1"][2] == "不稳定"
    assert rows["2"] == ["2", "20%", "33%", "20:00", "60:00", "67%", "21%", "0:55", "18%", "41%"]
    assert "20 秒内接听 80%:3 席" in said
    assert fits(said)


def test_without_history_and_without_figures_the_mend_is_told(app: DeskApp) -> None:
    with pytest.raises(Refused, match="--calls-per-hour"):
        run(app, "staffing", group="report")
    with pytest.raises(Refused, match="--aht"):
        run(app, "staffing", "--calls-per-hour", "1", group="report")
    with pytest.raises(Refused, match="看不懂时长"):
        run(app, "staffing", "--calls-per-hour", "1", "--aht", "一小时", group="report")


def test_the_sites_own_figures_are_taken_where_none_are_given(app: DeskApp) -> None:
    app.history(1)
    row = json.loads(run(app, "staffing", "--seats", "3", "--json", group="report"))
    (three,) = row["seats"]
    assert three["calls_per_hour"] == pytest.approx(1, abs=0.001)
    assert three["aht"] == 3600 + app.settings.queue.wrap_up.total_seconds()
    assert three["seats"] == 3
    assert row["goals"][0] == {"share": 0.8, "within": 20, "seats": 3}
