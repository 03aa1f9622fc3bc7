"""Signing on, resting, hard calls and hours, as people type them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.duty import duty
from callcenter.config import Settings
from callcenter.domain.duty import Shift
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.service.duty import debriefs

SEVEN_PM = datetime(2026, 11, 23, 19, 0, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
MINUTE = timedelta(minutes=1)


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands until it is moved."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = SEVEN_PM
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: self.now  # type: ignore[method-assign]


@pytest.fixture
def app() -> DeskApp:
    """周敏 and 吴芳 are planned from seven to eleven; 孙立 supervises."""
    app = DeskApp()
    with app.store() as work:
        for code, name, role in (
            ("c017", "周敏", Role.COUNSELLOR),
            ("c018", "吴芳", Role.COUNSELLOR),
            ("s001", "孙立", Role.SUPERVISOR),
        ):
            work.users.add(User(code=code, name=name, roles=frozenset({role}), phone=PhoneKind.SIP))
        for code in ("c017", "c018"):
            work.roster.add_shift(
                Shift(id=f"sh-{code}", agent=code, start=SEVEN_PM, length=timedelta(hours=4))
            )
        work.commit()
    return app


def run(app: DeskApp, *words: str, by: str = "c017", later: timedelta = MINUTE) -> Result:
    app.now += later
    done = CliRunner().invoke(duty, [*words, "--as", by], obj=app, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert all(cell_len(line) <= 80 for line in done.output.splitlines()), done.output
    return done


def owe(app: DeskApp) -> None:
    with app.store() as work:
        debriefs.owe(work, "c017", "1795442047.1", by="c017", now=app.now)
        work.commit()


@pytest.mark.parametrize(("why", "word"), [("meal", "用餐"), ("paperwork", "写记录"), ("other", "其他")])
def test_a_pause_and_its_reason_stand_on_the_board(app: DeskApp, why: str, word: str) -> None:
    run(app, "on", "c017")
    assert f"已暂停接听({word})" in run(app, "pause", "c017", "--why", why).output
    assert f"暂停({word})" in run(app, "show").output
    (row, _) = json.loads(run(app, "show", "--json").output)
    assert (row["paused"], row["why"], row["on_duty"]) == (True, why, False)
    assert "来电会响铃" in run(app, "resume", "c017").output


def test_a_reason_nobody_knows_pauses_nothing(app: DeskApp) -> None:
    run(app, "on", "c017")
    done = CliRunner().invoke(duty, ["pause", "c017", "--why", "tea", "--as", "c017"], obj=app)
    assert done.exit_code == 2
    assert "在班接听" in run(app, "show").output


def test_r47_a_hard_call_stands_on_the_board_until_the_supervisor_held_the_talk(app: DeskApp) -> None:
    run(app, "on", "c017")
    owe(app)
    assert "待支持谈话" in run(app, "show").output
    assert "督导谈过" in run(app, "resume", "c017").output
    run(app, "off", "c017")
    assert "督导谈过" in run(app, "on", "c017", later=timedelta(days=2)).output
    assert "c017" in run(app, "debrief", "list", by="s001").output
    said = run(app, "debrief", "held", "c017", "--note", "谈了半小时,好多了", by="s001").output
    assert "s001 和 c017 谈过" in said
    assert "没有待谈" in run(app, "debrief", "list", by="s001").output
    (row,) = json.loads(run(app, "debrief", "list", "--all", "--json", by="s001").output)
    assert (row["state"], row["by"], row["note"]) == ("held", "s001", "谈了半小时,好多了")


def test_r47_the_counsellor_goes_on_without_by_their_own_word(app: DeskApp) -> None:
    run(app, "on", "c017")
    owe(app)
    with pytest.raises(Refused, match="本人"):
        run(app, "resume", "c017", "--waive-debrief", by="s001")
    assert "来电会响铃" in run(app, "resume", "c017", "--waive-debrief").output
    owe_again = json.loads(run(app, "debrief", "list", "--all", "--json").output)
    assert [row["state"] for row in owe_again] == ["waived"]


def test_r47_waiving_has_a_command_of_its_own(app: DeskApp) -> None:
    run(app, "on", "c017")
    owe(app)
    assert "c017 放弃了支持性谈话" in run(app, "debrief", "waive").output
    assert "在班接听" in run(app, "show").output
    with pytest.raises(Refused, match="没有待谈"):
        run(app, "debrief", "waive")


def test_a_month_of_one_and_of_all(app: DeskApp) -> None:
    run(app, "on", "c017", later=12 * MINUTE)
    run(app, "pause", "c017", "--why", "meal", later=timedelta(hours=1))
    run(app, "resume", "c017", later=20 * MINUTE)
    run(app, "off", "c017", later=timedelta(hours=2, minutes=30))
    everybody = run(app, "hours", "--month", "2026-11", by="s001").output
    assert [line.split()[0] for line in everybody.splitlines()[-2:]] == ["c017", "c018"]
    mine = run(app, "hours", "--month", "2026-11").output
    assert "在岗  3:48" in mine
    assert "迟到  0:12" in mine
    assert "暂停(用餐) 0:20" in mine
    (row,) = json.loads(run(app, "hours", "--month", "2026-11", "--json").output)
    assert (row["planned"], row["late"], row["paused"]) == (4 * 3600, 720, {"meal": 1200})
    with pytest.raises(Forbidden):
        run(app, "hours", "--month", "2026-11", "--agent", "c018")


@pytest.mark.parametrize("month", ["11", "2026-13", "十一月", "1999-11"])
def test_a_month_nobody_can_read_is_refused(app: DeskApp, month: str) -> None:
    with pytest.raises(Refused, match=r"2026-11|年份"):
        run(app, "hours", "--month", month)


def test_a_month_without_anything(app: DeskApp) -> None:
    assert "没有排班" in run(app, "hours", "--month", "2026-09", by="s001").output


def test_hours_are_put_right_with_a_reason(app: DeskApp) -> None:
    app.now += timedelta(hours=6)
    start = "2026-11-23 19:00"
    said = run(app, "correct", "c017", start, "20:30", "--counts", "--reason", "话机坏了", by="s001").output
    assert "c017 11-23 19:00–20:30 计入" in said
    shown = run(app, "hours", "--month", "2026-11").output
    assert "更正 11-23 19:00–20:30 计入:话机坏了(s001)" in shown
    assert "在岗  1:30" in shown
    run(app, "correct", "c017", start, "20:30", "--counts-not", "--reason", "弄错了人", by="s001")
    assert "在岗  0:00" in run(app, "hours", "--month", "2026-11").output


def test_a_correction_has_to_say_which_way(app: DeskApp) -> None:
    words = ["correct", "c017", "2026-11-23 19:00", "20:30", "--reason", "话机坏了", "--as", "s001"]
    assert CliRunner().invoke(duty, words, obj=app).exit_code == 2


def test_whoever_has_had_enough_is_spoken_of_kindly_and_goes_on(app: DeskApp) -> None:
    with app.store() as work:
        after = SEVEN_PM + timedelta(hours=4)
        work.roster.add_shift(Shift(id="sh-9", agent="c017", start=after, length=timedelta(hours=2)))
        work.commit()
    run(app, "on", "c017")
    assert "提醒" not in run(app, "show", later=timedelta(hours=3)).output
    said = run(app, "show", later=timedelta(hours=1, minutes=5)).output
    assert "提醒:c017 这一班已在线 4:05" in said
    assert "在班接听" in said
    assert "提醒" not in run(app, "show", "--day", "2026-11-23").output, "asked for a day, not for now"
