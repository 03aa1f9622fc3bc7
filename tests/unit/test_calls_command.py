"""`hotline calls`: what people see of the line, masked, and the table rebuilt from the journal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from journal_text import TRACES, only_call
from rich.cells import cell_len

from callcenter.bootstrap import App
from callcenter.cli.calls import calls
from callcenter.config import Settings
from callcenter.domain.calls import CallRecord, Outcome
from callcenter.domain.users import Role, User
from callcenter.errors import NotFound
from callcenter.memory import MemoryStore

#: The captured calls are of the small hours of 2026-11-24 in Wuxi.
NOW = datetime(2026, 11, 23, 18, 43, 53, tzinfo=UTC)
DAY = ("--day", "2026-11-24")


class DeskApp(App):
    """An App whose store lives in memory and whose clock stands."""

    def __init__(self, home: Path) -> None:
        super().__init__(settings=Settings(home=home))
        self.__dict__["store"] = MemoryStore()
        self.clock = lambda: NOW + timedelta(hours=1)  # type: ignore[method-assign]

    def play(self, *names: str, lines: int | None = None) -> None:
        """Have the PBX write what it wrote then, and read it."""
        log = self.settings.pbx_home / "log"
        (log / "cel-custom").mkdir(parents=True, exist_ok=True)
        for kind, file in ((".csv", log / "cel-custom" / "journal.csv"), (".queue_log", log / "queue_log")):
            with file.open("ab") as out:
                for name in names:
                    text = (TRACES / f"{name}{kind}").read_bytes()
                    out.write(b"".join(text.splitlines(keepends=True)[:lines]))
        self.follower().catch_up(self.clock())

    def table(self) -> Sequence[CallRecord]:
        with self.store() as work:
            return list(work.calls.between(NOW - timedelta(days=800), NOW + timedelta(days=1)))


@pytest.fixture
def app(tmp_path: Path) -> DeskApp:
    app = DeskApp(tmp_path)
    with app.store() as work:
        work.users.add(User(code="s001", name="孙督导", roles=frozenset({Role.SUPERVISOR})))
        work.commit()
    app.play("answered", "abandoned", "escalation_voicemail", "duty_on")
    return app


def run(app: App, *words: str) -> str:
    return (
        CliRunner()
        .invoke(calls, [*words], obj=app, env={"HOTLINE_ACTOR": "s001"}, catch_exceptions=False)
        .output
    )


def test_list_shows_a_day_masked_with_waits_talks_and_the_sum(app: DeskApp) -> None:
    text = run(app, "list", *DAY)
    assert "138****1111" in text
    assert "13800001111" not in text
    assert "0:03" in text
    assert "进入接听 3 = 已接听 1、等待时挂断 1、无人接听,已告知其他热线 1" in text


def test_r51_a_day_fits_eighty_columns_with_ids_whole_and_results_readable(app: DeskApp) -> None:
    lines = run(app, "list", "--all", *DAY).splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) <= 80
    told = [call for call in app.table() if call.outcome is Outcome.OVERFLOWED]
    assert told
    place = next(n for n, line in enumerate(lines) if told[0].id in line)
    assert "无人接听" in lines[place]
    assert sum(len(line.split()) == 1 for line in lines[place + 1 : place + 4]) <= 2


def test_list_leaves_out_internal_calls_unless_asked(app: DeskApp) -> None:
    plain, everything = (json.loads(run(app, "list", *DAY, *more, "--json")) for more in ((), ("--all",)))
    assert {row["direction"] for row in plain} == {"inbound"}
    assert {row["direction"] for row in everything} == {"inbound", "internal"}


def test_another_day_is_empty(app: DeskApp) -> None:
    assert json.loads(run(app, "list", "--day", "2026-11-23", "--json")) == []


def test_show_tells_the_path_and_who_was_rung(app: DeskApp) -> None:
    text = run(app, "show", only_call("answered").id)
    assert "c017接听" in text
    assert "greeting queue" in text
    assert "138****1111" in text


def test_show_of_an_unknown_call_says_so(app: DeskApp) -> None:
    with pytest.raises(NotFound, match="nosuch"):
        run(app, "show", "nosuch")


def test_live_prints_who_waits(app: DeskApp) -> None:
    app.play("two_queue_entries", lines=6)
    app.clock = lambda: NOW  # type: ignore[method-assign]
    text = run(app, "live")
    assert "等候 0 · 振铃 1" in text
    assert "138****1116     0:08  c017" in text


@pytest.mark.parametrize(("words", "forgotten"), [((), 4), (("--keep",), 0)])
def test_replay_rebuilds_the_same_table(app: DeskApp, words: tuple[str, ...], forgotten: int) -> None:
    before = app.table()
    told = json.loads(run(app, "replay", *words, "--json"))
    assert (told["calls"], told["forgotten"], told["sessions"]) == (4, forgotten, 0)
    assert app.table() == before


def test_replay_fills_an_emptied_table(app: DeskApp) -> None:
    before = app.table()
    with app.store() as work:
        work.calls.delete_all()
        work.commit()
    run(app, "replay")
    assert app.table() == before


def test_replay_keeps_calls_whose_journal_is_gone(app: DeskApp) -> None:
    call = only_call("counsellor_hangs_up")
    with app.store() as work:
        work.calls.put_many([replace(call, id="last year", started_at=call.started_at - timedelta(days=365))])
        work.commit()
    assert json.loads(run(app, "replay", "--json"))["forgotten"] == 0
    assert len(app.table()) == 5
