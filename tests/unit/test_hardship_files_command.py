"""`hotline hardship apply … confirm`, households, and `hotline people optin`, as they are typed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from people_world import near, peopled
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.hardship import hardship
from callcenter.cli.people import people
from callcenter.cli.queue import queue
from callcenter.config import Settings
from callcenter.errors import Forbidden, Refused
from callcenter.memory import MemoryStore
from callcenter.memory.people import MemoryPeople

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WHY = ("--reason", "按入户核查的结果")
NEW = ("apply", "WX-9", "--grade", "深度困难", "--name", "钱秀英", "--number", "13800002222")


class DeskApp(App):
    """An App with its store in memory and a clock that a test moves."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.now = NOW
        self.__dict__["store"] = peopled(MemoryStore())
        self.clock = lambda: self.now  # type: ignore[method-assign]


@pytest.fixture
def app() -> DeskApp:
    """A line that knows Shen and Qian, and nobody in the register."""
    return DeskApp()


def run(app: App, *words: str, by: str = "k001", group: click.Command = hardship, typed: str = "") -> Result:
    found = CliRunner().invoke(
        group, [*words], obj=app, env={"HOTLINE_ACTOR": by}, catch_exceptions=False, input=typed
    )
    assert "--json" in words or all(cell_len(line) <= 80 for line in found.output.splitlines())
    return found


def told(app: App, *words: str, by: str = "k001", group: click.Command = hardship) -> Any:
    return json.loads(run(app, *words, "--json", by=by, group=group).output)


def in_file(app: DeskApp) -> None:
    """Lead 钱秀英's file in."""
    run(app, *NEW)
    run(app, "notice", "WX-9")
    app.now += 7 * DAY
    run(app, "approve", "WX-9", *WHY)


def test_a_long_list_shows_a_page_and_tells_how_many_there_are(app: DeskApp) -> None:
    for n in range(3):
        run(app, "apply", f"WX-{n}", "--grade", "深度困难", "--name", "钱秀英", "--number", f"1380000222{n}")
    assert "共 3 份。" in run(app, "list").output
    page = run(app, "list", "--limit", "2").output
    assert "共 3 份，这里列出 2 份" in page
    assert "WX-2" not in page
    assert [row["file_no"] for row in told(app, "list", "--limit", "2")] == ["WX-0", "WX-1"]


def test_page_after_page_a_list_shows_every_file_once(app: DeskApp) -> None:
    # Numbers as sites write them: capitals, small letters, Chinese, one the beginning of another.
    numbers = ["WX-1", "WX-10", "wx-3", "WX-2", "锡-3", "A_1", "A-1"]
    for n, file_no in enumerate(numbers):
        run(app, "apply", file_no, "--grade", "深度困难", "--name", "钱秀英", "--number", f"1380000222{n}")
    seen: list[str] = []
    while page := told(app, "list", "--limit", "2", "--after", seen[-1] if seen else ""):
        seen += [row["file_no"] for row in page]
    assert seen == sorted(numbers)
    first = run(app, "list", "--limit", "2").output
    assert "共 7 份，这里列出 2 份" in first
    assert f"后面还有 5 份，接着看：--after {seen[1]}" in first
    last = run(app, "list", "--limit", "2", "--after", seen[5]).output
    assert "共 7 份，这里列出 1 份" in last
    assert "后面还有" not in last


def test_a_page_goes_on_behind_a_file_that_was_confirmed_meanwhile(app: DeskApp) -> None:
    for n in range(3):
        run(app, "apply", f"WX-{n}", "--grade", "深度困难", "--name", "钱秀英", "--number", f"1380000222{n}")
        run(app, "leave", f"WX-{n}", "--because", "死亡", *WHY)
    assert [row["file_no"] for row in told(app, "list", "--left", "--limit", "1")] == ["WX-0"]
    run(app, "confirm", "WX-0", *WHY, by="s001")
    page = told(app, "list", "--left", "--limit", "1", "--after", "WX-0")
    assert [row["file_no"] for row in page] == ["WX-1"]


def test_a_list_asks_once_who_agreed_and_not_at_all_for_a_clerk(
    app: DeskApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file(app)
    asked: list[object] = []
    whole = MemoryPeople.consents_of
    monkeypatch.setattr(
        MemoryPeople, "consents_of", lambda self, persons: asked.append(persons) or whole(self, persons)
    )
    assert "consent" not in told(app, "list")[0]
    assert asked == []
    assert told(app, "list", by="s001")[0]["consent"] is False
    assert len(asked) == 1


def test_a_year_no_line_has_is_said_to_be_one(app: DeskApp) -> None:
    for words in (("--since", "0001-01-01"), ("--until", "9999-12-31")):
        with pytest.raises(Refused, match="年份"):
            run(app, "coverage", *words)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--number", "12"), r"--number:不是电话号码"),
        (("--name", ""), r"--name:"),
        (("--name", "一" * 400), r"--name:"),
        (("--union", "一" * 4000), r"--union:"),
    ],
)
def test_a_mistake_in_an_application_is_told_by_its_option(
    app: DeskApp, wrong: tuple[str, str], says: str
) -> None:
    with pytest.raises(Refused, match=says) as refused:
        run(app, *NEW, *wrong)
    assert "名单" not in str(refused.value)
    assert "第1行" not in str(refused.value)


def test_a_file_goes_all_the_way_and_the_list_tells_who_is_still_to_be_confirmed(app: DeskApp) -> None:
    in_file(app)
    assert [row["status"] for row in told(app, "list")] == ["在档"]
    assert len(told(app, "owed", "--all")) == 2
    run(app, "watch", "WX-9", *WHY)
    left = told(app, "leave", "WX-9", "--because", "脱困", "--early", "全家已经就业满一年", *WHY)
    assert (left["before"], left["status"], left["exit_reason"]) == ("脱困观察期", "退档", "脱困")
    [row] = told(app, "list", "--left")
    assert (row["file_no"], row["exit_confirmed_by"]) == ("WX-9", None)
    assert told(app, "confirm", "WX-9", *WHY)["exit_confirmed_by"] == "k001"
    assert told(app, "list", "--left") == []
    back = told(app, "return", "WX-9", "--grade", "相对困难", *WHY)
    assert (back["status"], back["grade"]) == ("在档", "相对困难")
    assert told(app, "review", "WX-9", *WHY)["review_due"] == "2027-11-30"


@pytest.mark.parametrize(
    "words",
    [
        NEW,
        ("watch", "WX-1", *WHY),
        ("leave", "WX-1", "--because", "死亡", *WHY),
        ("household", "set", "WX-1", "--member", "女儿=沈小梅", *WHY),
    ],
)
def test_a_dry_run_tells_the_same_and_writes_nothing(app: DeskApp, words: tuple[str, ...]) -> None:
    first = (*NEW[:1], "WX-1", *NEW[2:6], "--number", "13800003333")
    run(app, *first)
    run(app, "notice", "WX-1")
    app.now += 7 * DAY
    run(app, "approve", "WX-1", *WHY)
    with app.store() as work:
        before = (work.people.files(), work.debts.open(), [p.name for p in work.people.all()])
    dry = run(app, *words, "--dry-run").output
    assert "没有写入" in dry
    with app.store() as work:
        assert (work.people.files(), work.debts.open(), [p.name for p in work.people.all()]) == before
    assert told(app, *words, "--dry-run").keys() == told(app, *words).keys()


def test_names_are_masked_and_typed_apart_where_somebody_wishes(app: DeskApp) -> None:
    shown = run(app, *NEW[:4], "--name", "-", "--number", "-", typed="钱秀英\n13800002222\n").output
    run(app, "household", "set", "WX-9", "--member", "女儿=沈小梅", "--register-no", "HH-17", *WHY)
    home = run(app, "household", "show", "WX-9").output
    assert "女儿 沈**" in home
    for name in ("沈小梅", "钱秀英"):
        assert name not in home
    assert "秀英" not in run(app, "list").output
    assert "WX-9" in shown


def test_a_file_joins_and_leaves_a_household(app: DeskApp) -> None:
    in_file(app)
    run(app, *NEW[:1], "WX-8", *NEW[2:6], "--number", "13800003333")
    with pytest.raises(Refused, match="WX-9"):
        run(app, "household", "set", "WX-8", "--with", "WX-9", *WHY)
    assert told(app, "household", "set", "WX-8", "--alone", *WHY)["household"] is None
    with pytest.raises(Refused, match="请写明一样"):
        run(app, "household", "set", "WX-8", *WHY)


def test_r34_a_clerk_confirms_no_death(app: DeskApp) -> None:
    in_file(app)
    run(app, "leave", "WX-9", "--because", "死亡", *WHY)
    with pytest.raises(Forbidden):
        run(app, "confirm", "WX-9", *WHY)
    assert told(app, "confirm", "WX-9", *WHY, by="s001")["exit_confirmed_by"] == "s001"


def test_r32_an_opt_out_until_a_day_and_for_one_thing_is_shown_and_taken_back(app: DeskApp) -> None:
    with app.store() as work:
        near(work, NOW, "p1")
        work.commit()
    told(app, "optout", "p1", "--topic", "visit", "--until", "2026-12-31", by="c017", group=people)
    shown = told(app, "show", "p1", by="c017", group=people)["refusals"]
    assert shown == [{"kind": "topic", "topic": "visit", "until": "2027-01-01T00:00:00+08:00"}]
    assert "不接上门走访的来电,至 01-01" in run(app, "show", "p1", by="c017", group=people).output
    proof = ("--evidence", "同意书2026-17", "--reason", "本人来电说可以来")
    word = told(app, "optin", "p1", "--topic", "visit", *proof, by="c017", group=people)
    assert (word["lifted"], word["topic"]) == (True, "visit")
    assert told(app, "show", "p1", by="c017", group=people)["refusals"] == []
    with pytest.raises(Refused, match="只写一样"):
        run(app, "optin", "p1", "--all", "--topic", "visit", *proof, by="c017", group=people)


def test_a_consent_holds_through_its_last_day(app: DeskApp) -> None:
    words = ("p1", "ivr_checkin", "--granted", "--channel", "当面", "--script", "2026-1")
    said = told(
        app, "consent", *words, "--evidence", "表A-17", "--expires", "2026-11-30", by="s001", group=people
    )
    assert (said["evidence"], said["expires_at"]) == ("表A-17", "2026-12-01T00:00:00+08:00")
    for day, holds in ((7, True), (8, False)):
        app.now = NOW + day * DAY
        assert told(app, "show", "p1", by="s001", group=people)["consents"] == {"ivr_checkin": holds}


def test_what_was_agreed_about_a_number_is_set_bit_by_bit_and_read_before_dialling(app: DeskApp) -> None:
    run(app, "phone", "agree", "p1", "1", "--say", "老沈", "--sms", by="s001", group=people)
    words = ("--window", "19:00-21:00", "--code-word", "-")
    run(app, "phone", "agree", "p1", "1", *words, by="s001", group=people, typed="晚饭\n")
    [row] = told(app, "phone", "show", "p1", by="s001", group=people)
    assert (row["say_name"], row["sms"], row["windows"]) == ("老沈", True, ["19:00-21:00"])
    page = run(app, "phone", "show", "p1", by="s001", group=people).output
    assert "口令「晚饭」" in page
    assert "13861705555" not in page
    run(app, "phone", "agree", "p1", "1", "--clear", "--label", "单位", by="s001", group=people)
    [row] = told(app, "phone", "show", "p1", by="s001", group=people)
    assert (row["label"], row["say_name"], row["windows"], row["sms"]) == ("单位", "", [], False)
    with pytest.raises(Refused, match="请说明约定了什么"):
        run(app, "phone", "agree", "p1", "1", by="s001", group=people)


def test_whoever_works_the_queue_sees_what_was_agreed(app: DeskApp) -> None:
    in_file(app)
    with app.store() as work:
        [file] = work.people.files()
    run(app, "phone", "agree", file.person, "1", "--say", "小钱", by="s001", group=people)
    rows = told(app, "list", "--all", by="s001", group=queue)
    assert all("有约定" in row["marks"] for row in rows)
    # What it is stands where one debt is looked at, and in no list.
    assert not any("小钱" in str(row) for row in rows)
    assert "找小钱" in run(app, "show", rows[0]["id"], by="s001", group=queue).output
