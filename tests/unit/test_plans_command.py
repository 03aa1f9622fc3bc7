"""`hotline plans`: what is typed, what is shown, and what is refused in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result
from people_world import peopled
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.plans import plans
from callcenter.config import Settings
from callcenter.memory import MemoryStore
from scheduler.obligations import Kind

NOW = datetime(2026, 11, 27, 1, 0, tzinfo=UTC)
TREATMENT = ("add", "P-7F3K", "--every", "21d", "--from", "2026-12-01", "--before", "1d", "--about", "市二院")


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands."""

    def __init__(self) -> None:
        super().__init__(settings=Settings())
        self.__dict__.update(store=peopled(MemoryStore()))
        self.clock = lambda: NOW  # type: ignore[method-assign]


@pytest.fixture
def app() -> DeskApp:
    """A line that knows Shen and Qian."""
    return DeskApp()


def run(app: App, *words: str, by: str = "s001") -> Result:
    return CliRunner().invoke(plans, [*words], obj=app, env={"HOTLINE_ACTOR": by})


def told(app: App, *words: str) -> Any:
    found = run(app, *words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.output)


def test_a_plan_is_made_in_one_line_and_shows_what_is_owed(app: DeskApp) -> None:
    made = told(app, *TREATMENT)
    assert (made["day"], made["due_at"]) == ("2026-12-01", "2026-11-30T10:00:00+08:00")
    assert (made["code"], made["about"], made["state"]) == ("P-7F3K", "市二院", "active")
    assert [one["id"] for one in told(app, "list")] == [made["id"]]
    for line in run(app, "list").output.splitlines():
        assert cell_len(line) <= 80
    assert "每 21 天一次" in run(app, "show", made["id"]).output


def test_a_hospital_day_is_moved_and_a_plan_changed(app: DeskApp) -> None:
    made = told(app, *TREATMENT)
    moved = told(app, "move", made["id"], "2026-12-03", "--reason", "医院改期")
    assert (moved["day"], moved["round"]) == ("2026-12-03", 1)
    changed = told(app, "change", made["id"], "--every", "1m", "--at", "15:00", "--reason", "改为每月")
    assert (changed["every_months"], changed["every_days"], changed["hour"]) == (1, None, "15:00")


def test_trying_out_an_end_ends_nothing(app: DeskApp) -> None:
    made = told(app, *TREATMENT)
    assert "试算" in run(app, "end", made["id"], "--reason", "疗程结束", "--dry-run").output
    with app.store() as work:
        assert work.debts.open(kind=Kind.PLANNED)
    assert "已结束" in run(app, "end", made["id"], "--reason", "疗程结束").output
    with app.store() as work:
        assert not work.debts.open(kind=Kind.PLANNED)
    assert "没有联系计划" in run(app, "list").output
    assert [one["state"] for one in told(app, "list", "--all")] == ["ended"]


@pytest.mark.parametrize("every", ["21", "0d", "2w", "d", "1000d"])
def test_a_rhythm_nobody_can_read_is_refused_with_how_to_write_it(app: DeskApp, every: str) -> None:
    found = run(app, "add", "P-7F3K", "--every", every, "--from", "2026-12-01")
    assert found.exit_code != 0
    assert "21d" in str(found.exception)


def test_the_name_and_number_of_whom_a_plan_is_for_are_never_shown(app: DeskApp) -> None:
    made = told(app, *TREATMENT)
    for words in (("list",), ("show", made["id"]), ("list", "--json")):
        shown = run(app, *words).output
        assert "沈" not in shown
        assert "13861705555" not in shown


def test_the_answer_says_which_contact_is_owed_first(app: DeskApp) -> None:
    assert "最先应联系：2026-11-30 10:00 起，为 2026-12-01 的一次" in run(app, *TREATMENT).output
    today = run(app, "add", "P-7F3K", "--every", "21d", "--from", "2026-11-27", "--before", "1d").output
    assert "起算的 2026-11-27 不再联系；最先应联系：2026-12-17 10:00 起" in today.replace("\n", "")
