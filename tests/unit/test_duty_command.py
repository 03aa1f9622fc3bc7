"""`hotline duty`, as a supervisor types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from callcenter.bootstrap import App
from callcenter.cli.duty import duty
from callcenter.cli.duty_time import parse_days, parse_shift
from callcenter.config import Settings
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import NotFound, Refused
from callcenter.memory import MemoryStore
from callcenter.ports import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
SEVEN_PM = datetime(2026, 11, 23, 19, 0, tzinfo=SHANGHAI)


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = SEVEN_PM.astimezone(UTC)
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: self.now  # type: ignore[method-assign]


@pytest.fixture
def app() -> DeskApp:
    app = DeskApp()
    store: Store = app.store
    with store() as work:
        for code, name in (("c017", "周敏"), ("c018", "吴芳芳")):
            roles = frozenset({Role.COUNSELLOR})
            work.users.add(User(code=code, name=name, roles=roles, phone=PhoneKind.SIP))
        supervisor = frozenset({Role.SUPERVISOR})
        work.users.add(User(code="s001", name="孙立", roles=supervisor, phone=PhoneKind.SIP, alarm_rank=1))
        work.commit()
    return app


def run(app: App, *words: str) -> Result:
    return CliRunner().invoke(duty, [*words], obj=app, env={"HOTLINE_ACTOR": "s001"}, catch_exceptions=False)


def test_an_evening_shift_over_midnight(app: DeskApp) -> None:
    said = run(app, "add", "c017", "2026-11-23 19:00", "01:00").output
    assert "c017 11-23 19:00–01:00" in said
    assert "注意:11-23 19:00–01:00 席位不足(只有 c017)" in said
    assert "注意" not in run(app, "add", "c018", "2026-11-23 19:00-01:00").output


def test_the_day_shows_who_is_rung(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 19:00", "--length", "6h")
    run(app, "add", "c018", "2026-11-23 20:00", "22:00")
    assert "来电会响铃" in run(app, "on", "c017").output
    assert "自动开始接听" in run(app, "on", "c018").output
    said = run(app, "show").output
    assert "在班接听" in said
    assert "已签到" in said
    assert "周*" in said
    assert "吴芳芳" not in said
    app.now += timedelta(seconds=1)
    assert "已暂停接听" in run(app, "pause", "c017").output
    assert "暂停" in run(app, "show", "--day", "2026-11-23").output


def test_a_shift_over_midnight_is_shown_on_both_days(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 19:00", "01:00")
    for day in ("2026-11-23", "2026-11-24"):
        assert "c017" in run(app, "show", "--day", day).output
    assert "没有排班" in run(app, "show", "--day", "2026-11-25").output


def test_json_is_stable_and_whole(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 19:00", "01:00")
    (row,) = json.loads(run(app, "show", "--json").output)
    assert row["start"] == "2026-11-23T11:00:00+00:00"
    assert row["end"] == "2026-11-23T17:00:00+00:00"
    assert row["signed_on"] is False
    assert json.loads(run(app, "show", "--day", "2026-12-24", "--json").output) == []


def test_signing_off_and_resuming(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 19:00", "01:00")
    for n, (verb, text) in enumerate(
        (("on", "已签到"), ("pause", "已暂停"), ("resume", "已恢复"), ("off", "已签退"))
    ):
        app.now += timedelta(seconds=n)
        assert text in run(app, verb, "c017").output
    with pytest.raises(Refused, match="尚未签到"):
        run(app, "pause", "c017")


def test_removing_a_shift_says_what_is_missing_then(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 20:00", "22:00")
    shift_id = json.loads(run(app, "show", "--json").output)[0]["id"]
    said = run(app, "remove", shift_id, "--reason", "换班").output
    assert "已取消 c017 11-23 20:00–22:00" in said
    assert "无人值班" in said
    with pytest.raises(NotFound):
        run(app, "remove", shift_id)


def test_a_shift_that_runs_is_ended_and_that_is_what_is_said(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 19:00", "01:00")
    shift_id = json.loads(run(app, "show", "--json").output)[0]["id"]
    app.now += timedelta(hours=2)
    said = run(app, "remove", shift_id, "--reason", "身体不适,先回去").output
    assert "已提前结束:11-23 19:00–21:00" in said
    assert "注意:11-23 21:00–01:00 无人值班" in said


def test_gaps_of_the_coming_days(app: DeskApp) -> None:
    run(app, "add", "c017", "2026-11-23 20:00", "22:00")
    said = run(app, "gaps", "--days", "1").output.splitlines()
    assert said == [
        "注意:11-23 19:00–20:00 无人值班",
        "注意:11-23 20:00–22:00 席位不足(只有 c017)",
        "注意:11-23 22:00–11-24 19:00 无人值班",
        "还没有来电记录,不作预计:至少要 14 天、30 通来电。",
    ]
    assert [g["lack"] for g in json.loads(run(app, "gaps", "--days", "1", "--json").output)["faults"]] == [
        "nobody",
        "thin",
        "nobody",
    ]


def test_who_changes_the_roster_must_be_known(app: DeskApp) -> None:
    with pytest.raises(Refused, match="nobody"):
        run(app, "on", "c017", "--as", "nobody")
    assert CliRunner().invoke(duty, ["on", "c017"], obj=app).exit_code == 2


@pytest.mark.parametrize(
    ("start", "end", "length", "hours"),
    [
        ("2026-11-23 19:00", "01:00", None, 6),
        ("2026-11-23 19:00-01:00", None, None, 6),
        ("2026-11-23T19:00", "24:00", None, 5),
        ("2026-11-23 00:00", "00:00", None, 24),
        ("2026-11-23 19:00", "2026-11-24 03:00", None, 8),
        ("2026-11-23 19:00", None, "1h30m", 1.5),
        ("2026-11-23 19:00", None, "45m", 0.75),
        ("2026-12-31 22:00", "06:00", None, 8),
    ],
)
def test_ways_to_write_a_shift(start: str, end: str | None, length: str | None, hours: float) -> None:
    begins, lasts = parse_shift(start, end, length, SHANGHAI)
    assert lasts == timedelta(hours=hours)
    assert begins.utcoffset() == timedelta(0)
    assert begins.astimezone(SHANGHAI).hour == int(start[11:13])


@pytest.mark.parametrize(
    ("start", "end", "length"),
    [
        ("今晚七点", "01:00", None),
        ("2026-02-30 19:00", "01:00", None),
        ("2026-11-23 25:00", "01:00", None),
        ("2026-11-23 19:00", "25:00", None),
        ("2026-11-23 19:00", "1点", None),
        ("2026-11-23 19:00", None, None),
        ("2026-11-23 19:00", "01:00", "6h"),
        ("2026-11-23 19:00", None, "six"),
        ("2026-11-23 19:00", None, ""),
    ],
)
def test_a_shift_nobody_can_read_is_refused_with_an_example(
    start: str, end: str | None, length: str | None
) -> None:
    with pytest.raises(Refused, match=r"例如|请写成"):
        parse_shift(start, end, length, SHANGHAI)


@pytest.mark.parametrize(
    ("end", "length"), [(None, "30h"), (None, "0m"), (None, "0h0m"), ("2026-11-23 18:00", None)]
)
def test_a_shift_of_no_time_or_of_days_is_refused_with_the_mend(end: str | None, length: str | None) -> None:
    with pytest.raises(Refused, match="最多 24 小时。请把结束写在开始之后"):
        parse_shift("2026-11-23 19:00", end, length, SHANGHAI)


@pytest.mark.parametrize("days", ["5-3", "1,5-3", "1-3、7-6"])
def test_days_counted_backwards_are_refused_and_no_part_is_dropped(days: str) -> None:
    with pytest.raises(Refused, match="小的在前"):
        parse_days(days)
    assert parse_days("1-3,6-6、7") == {0, 1, 2, 5, 6}


def test_an_hour_the_clock_skips_is_not_worked() -> None:
    """Elsewhere a clock skips: the length is real time."""
    _, lasts = parse_shift("2026-03-29 00:00", "06:00", None, ZoneInfo("Europe/Berlin"))
    assert lasts == timedelta(hours=5)
