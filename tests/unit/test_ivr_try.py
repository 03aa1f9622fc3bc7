"""`hotline ivr try`: somebody plays a flow in the terminal before a caller meets it."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from callcenter.cli import main
from ivr.backends.simulator import World, read_acts, simulate
from ivr.loader import SHIPPED, shipped
from ivr.prompts.catalogue import load_catalogue

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _no_site_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HOTLINE_")]:
        monkeypatch.delenv(name)


def attempt(*words: str, keys: str = "", env: dict[str, str] | None = None) -> Result:
    return RUNNER.invoke(main, ["ivr", "try", *words], input=keys, env=env)


def test_a_caller_who_presses_nothing_hears_the_greeting_and_is_put_through() -> None:
    done = attempt("inbound", "--answered", keys="- f")
    assert done.exit_code == 0, done.output
    assert load_catalogue().text("greet")[:12] in done.output
    assert "在 hotline 排队，可按 1 2 3" in done.output
    assert "> 有人接听，通话已结束" in done.output
    assert done.output.endswith("（通话结束）\n")


def test_keys_from_a_pipe_lead_the_way() -> None:
    done = attempt("inbound", "--rows", keys="1 - f 3 h")
    assert "IVR_KEY,flow=inbound&node=greet&key=1" in done.output
    assert "IVR_KEY,flow=inbound&node=queue&key=3" in done.output
    assert "提示音改用 zh_wx" in done.output
    assert done.output.splitlines()[-1] == "IVR_LEFT,flow=inbound&node=microclass__intro"


@pytest.mark.parametrize("name", SHIPPED)
def test_no_line_is_wider_than_80_columns(name: str) -> None:
    for keys in ("", "1 1 1 1 1", "2 13800001111# - - 1", "3 - 2 - 1"):
        lines = attempt(name, keys=keys).output.splitlines()
        assert [line for line in lines if cell_len(line) > 80 or line != line.rstrip()] == []


def test_a_waiting_caller_nobody_comes_for_is_not_played_for_ever() -> None:
    done = attempt("inbound", "--capped")
    assert done.exit_code == 0
    assert done.output.endswith("（到此为止：再等下去也还是这样）\n")


def test_the_world_is_what_the_options_say() -> None:
    assert "提示音改用 zh_slow" in attempt("inbound", "--fact", "no_menu").output
    closed = attempt("inbound", "--closed", "--no-number").output
    assert "现在在 hotline 的服务时间内吗？ 否" in closed
    assert "phq9_9" not in attempt("phq9", "--busy", keys="1 " * 12).output
    assert "没有人接" in attempt("phq9", "--failed").output


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("--fact", "nosuch"), "dialect、high_risk、no_menu、owed、slow"),
        (("--fact", "slow", "--fact", "Slow"), "没有 Slow 这件事"),
        (("--fact", "number"), "--no-number"),
        (("--set", "klingon"), "en、zh、zh_slow、zh_wx"),
        (("--known", "birth_day=07"), "birth_month"),
    ],
)
def test_a_word_nobody_knows_is_refused_with_those_there_are(words: tuple[str, ...], known: str) -> None:
    done = attempt("inbound", *words)
    assert done.exit_code == 2
    assert known in done.output.replace("\n", "")


def test_a_call_can_begin_in_another_set() -> None:
    assert load_catalogue("en").text("greet")[:12] in attempt("inbound", "--set", "en").output


def test_the_month_of_birth_is_asked_only_where_it_is_known() -> None:
    months = ("--known", "birth_month=07")
    right, wrong = (attempt("checkin", *months, "--rows", keys=keys).output for keys in ("1 07", "1 08 08"))
    assert "node=identified" in right
    assert "outcome=identity_failed" in wrong
    assert "node=identified" in attempt("checkin", "--rows", keys="1").output
    assert "birth_month=07" in attempt("checkin", "--known", "七月").output


def test_json_lines_carry_events_states_and_effects() -> None:
    done = attempt("talks", "--json", "--rows", keys="1 h")
    first, *_, last = map(json.loads, done.output.splitlines())
    assert first["event"] is None
    assert first["state"]["node"] == "greet"
    assert first["effects"][0] == {"type": "Entered", "node": "greet"}
    walk = simulate(shipped("talks"), read_acts("1 h"), World())
    assert last == {"flow": "talks", "over": True, "rows": [list(row) for row in walk.rows]}


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "按键.txt"
    script.write_text("1\n-\nh\n", encoding="utf-8")
    assert "挂机" in attempt("inbound", "--script", str(script), keys="9 9 9").output


@pytest.mark.parametrize("words", ["八", "1 hello", "^", "x" * 5000])
def test_a_word_that_is_no_key_is_one_clean_line(words: str) -> None:
    done = attempt("inbound", keys=words)
    assert done.exit_code == 1
    assert "means nothing here" in done.output
    assert "Traceback" not in done.output


def test_a_script_that_is_no_text_or_far_too_long_is_refused(tmp_path: Path) -> None:
    picture, endless = tmp_path / "图.png", tmp_path / "长.txt"
    picture.write_bytes(bytes(range(256)))
    endless.write_text("1 " * 60_000, encoding="utf-8")
    assert "不是文本" in attempt("inbound", "--script", str(picture)).output.replace("\n", "")
    assert "太长" in attempt("inbound", "--script", str(endless)).output


def test_an_unknown_name_lists_what_there_is() -> None:
    done = attempt("没有")
    assert done.exit_code == 2
    assert "inbound、return_call、checkin" in done.output


def test_a_part_alone_is_refused() -> None:
    assert "only a part" in attempt("closing").output


HEAD = """\
flow: mine
direction: inbound
language: zh
start: first
human: queue
nodes:
  queue: {do: enqueue, queue: hotline, answered: bye, failed: bye, on_cap: bye}
  bye: {do: end, prompts: [goodbye]}
"""
HOSTILE = {
    "deep": "nodes: " + "[" * 50_000,
    "nested": "{a: " * 30_000,
    "no yaml": "flow: [x\nnodes: }",
    "empty": "",
    "list": "- 1",
    "aliases": "a: &a [x]\nb: &b [*a, *a]\nflow: *b\n",
    "itself": "flow: &x {nodes: *x}\n",
    "huge": HEAD + "  first: {do: end}\n" + "#" * 1_000_000,
    "round": HEAD + "  first: {do: outcome, outcome: fine, next: first}\n",
    "contains itself": HEAD + "  first: {do: flow, flow: mine, next: bye}\n",
    "lost": HEAD + "  first: {do: say, prompts: [greet], next: nowhere}\n",
    "odd name": HEAD + '  "first\\"]; rm": {do: end}\n',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_one_clean_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    done = attempt(str(file))
    assert done.exit_code == 1, done.output[:500]
    assert done.output.startswith(f"错误:{file}")
    assert done.output.count("\n") == 1
    assert len(done.output) < 500


def test_a_flow_whose_prompts_are_not_written_yet_can_be_tried(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + "  first: {do: say, prompts: [brand_new], next: queue}\n", encoding="utf-8")
    assert "〔提示音 brand_new 还没有文字〕" in attempt(str(file)).output


def test_looking_things_up_in_a_circle_ends(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(HEAD + "  first: {do: fact, fact: slow, yes: first, no: first}\n", encoding="utf-8")
    assert attempt(str(file)).output.endswith("（到此为止：再等下去也还是这样）\n")


def test_a_site_s_own_flow_stands_in_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    text = HEAD.replace("flow: mine", "flow: inbound") + "  first: {do: say, prompts: [rated], next: bye}\n"
    (tmp_path / "flows" / "inbound.yaml").write_text(text, encoding="utf-8")
    done = attempt("inbound", env={"HOTLINE_HOME": str(tmp_path)})
    assert load_catalogue().text("rated") in done.output


@pytest.fixture
def player(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A player that writes down what it was to play."""
    log = tmp_path / "played"
    program = tmp_path / "bin" / "play"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nshift\nfor f in "$@"; do echo "$f" >>"{log}"; done\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return log


def test_sounds_are_played_from_the_set_or_what_stands_in_for_it(player: Path, tmp_path: Path) -> None:
    for name in ("zh/hotline/greet.wav", "zh_slow/hotline/greet.wav", "zh/hotline/connecting.wav"):
        file = tmp_path / "asterisk" / "sounds" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    done = attempt("inbound", "--say", "--fact", "no_menu", env={"HOTLINE_HOME": str(tmp_path)})
    assert done.exit_code == 0, done.output
    played = [line.partition("sounds/")[2] for line in player.read_text(encoding="utf-8").splitlines()]
    assert "zh_slow/hotline/greet.wav" in played
    assert not any(name.startswith("zh/hotline/greet") for name in played)


def test_without_a_player_the_mend_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = attempt("inbound", "--say")
    assert done.exit_code == 1
    assert "apt-get install sox" in done.output


class Terminal:
    """A real terminal with the command in it."""

    def __init__(self, *words: str) -> None:
        self._own, other = pty.openpty()
        command = [sys.executable, "-c", "from callcenter.cli import main; main()", "ivr", "try", *words]
        env = {**os.environ, "TERM": "dumb", "COLUMNS": "80"}
        self.process = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, env=env, start_new_session=True
        )
        os.close(other)
        self.seen = ""

    def until(self, words: str) -> None:
        """Read until these words were shown since the last time."""
        end, new = time.monotonic() + 30, ""
        while words not in new:
            assert time.monotonic() < end, f"{words!r} never came: {self.seen}"
            if select.select([self._own], [], [], 0.2)[0]:
                new += os.read(self._own, 65536).decode(errors="replace")
        self.seen += new

    def type(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    def close(self) -> int:
        code = self.process.wait(20)
        os.close(self._own)
        return code


def test_at_a_terminal_single_presses_count_and_what_the_line_needs_to_know_is_asked() -> None:
    terminal = Terminal("inbound")
    try:
        terminal.until("no_menu 吗？")
        terminal.type("n")
        terminal.until("dialect 吗？")
        terminal.type("\r")
        terminal.until("h 挂机")
        terminal.type("1")
        terminal.until("h 挂机")
        terminal.type("-")
        terminal.until("a 接听 · f 没人接")
        terminal.type("f")
        terminal.until("a 接听 · f 没人接 · c 等满")
        terminal.type("a")
        terminal.until("h 挂机")
        terminal.type("h")
        terminal.until("（通话结束）")
        assert terminal.close() == 0
    finally:
        terminal.process.kill()
    assert "> 按 1" in terminal.seen
    assert "在 reconnect 挂机" in terminal.seen


def test_keys_typed_at_once_are_a_burst() -> None:
    terminal = Terminal("talks", "--number", "--answered")
    try:
        terminal.until("h 挂机")
        terminal.type("11h")
        terminal.until("（通话结束）")
        assert terminal.close() == 0
    finally:
        terminal.process.kill()
    assert terminal.seen.count("> 按 1") == 2
