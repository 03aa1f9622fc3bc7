"""What is said of serving processes as they are seen: who is there, who hangs, who watches, who leads."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callcenter.cli import doctor_serving as sees
from callcenter.service.health import doctor_serving as says
from callcenter.service.health.doctor import Check, State
from callcenter.service.health.doctor_serving import Process, Silence

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
BOTH = frozenset({says.BRIDGE, says.SCHEDULER})
WELL = Process(pid=7, parts=BOTH, watched=timedelta(minutes=2), unit="hotline.service", port=9464)
READY = {"loops": True, "store": True, "telephony": True, "roster": True}


def a_process(**changes: object) -> Process:
    facts = {name: getattr(WELL, name) for name in Process.__dataclass_fields__}
    return Process(**(facts | changes))  # type: ignore[arg-type]


def serving(processes: Sequence[Process], ago: float | None, *, can_store: bool = True) -> Check:
    looked_at = None if ago is None else NOW - timedelta(seconds=ago)
    return says.serving(processes, looked_at, NOW, start="systemctl start hotline", can_store=can_store)


def test_a_bridge_that_turns_is_well() -> None:
    assert serving([WELL], 8).sentence == "后台服务在运行，8 秒前看过线路。"
    young = a_process(age=timedelta(seconds=5))
    assert serving([young], None).state is State.OK, "it has only just begun"
    assert serving([young], 86400).state is State.OK, "nobody looked while nobody served"


def test_a_bridge_that_lives_and_does_not_turn_is_told_with_its_own_unit() -> None:
    for ago, words in ((600.0, "有 10 分钟没有看过线路"), (None, "一次也没有看过线路")):
        found = serving([WELL], ago)
        assert found.state is State.BAD
        assert words in found.sentence
        assert "systemctl restart hotline.service" in found.sentence, (
            "never the target: Asterisk is part of it"
        )
    by_hand = a_process(unit="", watched=None)
    assert "先 kill -9 7，再启动 hotline serve" in serving([by_hand], 600).sentence


def test_a_scheduler_that_hangs_is_started_anew_alone_and_nobody_says_that_the_journal_waits() -> None:
    hung = a_process(parts=frozenset({says.SCHEDULER}), stopped=True, unit="", watched=None)
    found = serving([WELL, hung], 8)
    assert "kill -9 7，再启动 hotline serve scheduler" in found.sentence
    assert "不妨碍来电和记录" in found.sentence


def test_two_on_one_port_are_told_for_one_of_them_is_not_heard() -> None:
    found = says.ready({9464: READY}, [WELL, a_process(pid=8)])
    assert found.state is State.WARN
    assert "9464" in found.sentence
    apart = says.ready({9464: READY, 9465: READY}, [WELL, a_process(pid=8, port=9465)])
    assert apart.state is State.OK


def test_a_bridge_without_its_store_does_not_look_and_does_not_hang() -> None:
    found = serving([WELL], 600, can_store=False)
    assert (found.state, found.sentence) == (State.OK, "后台服务在运行，在等数据库回来。")


def test_a_scheduler_alone_reads_no_journal() -> None:
    found = serving([a_process(parts=frozenset({says.SCHEDULER}))], None)
    assert found.state is State.BAD
    assert "没有 bridge" in found.sentence


def test_a_bridge_is_started_by_the_unit_this_machine_was_told_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sees, "_UNITS", tmp_path)
    assert sees.start_of_bridge("hotline serve bridge") == "hotline serve bridge"
    for unit in ("hotline.service", "hotline@.service"):
        (tmp_path / unit).touch()
    assert sees.start_of_bridge("") == "systemctl start hotline"
    (tmp_path / "hotline.target.wants").mkdir()
    (tmp_path / "hotline.target.wants" / "hotline@bridge.service").symlink_to(tmp_path / "hotline@.service")
    assert sees.start_of_bridge("") == "systemctl start hotline@bridge"


def test_a_process_nobody_here_may_see_serves_if_it_answers() -> None:
    def said(answer: says.Answer) -> State:
        seen = says.serving([], NOW, NOW, start="hotline serve", can_store=True, answers={9464: answer})
        return seen.state

    assert said(READY) is State.OK
    assert said({"loops": True, "store": True, "telephony": True}) is State.BAD, "that is a scheduler"
    assert said(Silence.MUTE) is State.BAD


def test_who_is_watched_over_and_who_is_not() -> None:
    assert "2 分钟" in says.watched([WELL]).sentence
    found = says.watched([WELL, a_process(pid=8, watched=None, unit="")])
    assert found.state is State.WARN
    assert "进程 8）" in found.sentence


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (READY | {"loops": False}, "有循环不转了"),
        (READY | {"store": False}, "用不了数据库"),
        (READY | {"telephony": False, "roster": False}, "连不上 Asterisk"),
        (READY | {"roster": False}, "没有跟上排班"),
        (Silence.MUTE, "僵住了"),
        (Silence.STRANGER, "换一个 health.port"),
        (Silence.NOBODY, "没有人在听"),
    ],
)
def test_what_a_process_says_of_itself_is_told_in_words(answer: says.Answer, words: str) -> None:
    found = says.ready({9464: answer}, [WELL])
    assert found.state is State.BAD
    assert words in found.sentence
    young = says.ready({9464: answer}, [a_process(age=timedelta(seconds=20))])
    patient = State.BAD if answer in (Silence.MUTE, Silence.STRANGER) else State.WARN
    assert young.state is patient, "who has only just begun may not be ready yet"


def test_who_takes_the_question_and_says_nothing_and_who_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sees, "_PATIENCE", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        assert sees.ask("127.0.0.1", port) is Silence.MUTE
        taken, _ = silent.accept()
        taken.close()
    assert sees.ask("127.0.0.1", port) is Silence.NOBODY


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-x\r\n", b"HTTP/1.0 200 OK\r\n\r\n[]", b"HTTP/1.0 200 OK\r\n\r\n{}"]
)
def test_who_answers_something_else_is_a_stranger(answer: bytes) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener, ThreadPoolExecutor(1) as thread:
        said = thread.submit(sees.ask, "127.0.0.1", listener.getsockname()[1])
        link, _ = listener.accept()
        with link:
            link.recv(1024)
            link.sendall(answer)
        assert said.result() is Silence.STRANGER


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("/opt/hotline/.venv/bin/python /opt/hotline/.venv/bin/hotline serve", BOTH),
        ("python3 -m callcenter.cli --config /srv/h.toml serve scheduler", {says.SCHEDULER}),
        ("python -m callcenter.cli doctor", None),
        ("sudo -u hotline hotline serve", None),
        ("timeout 9 python -m callcenter.cli serve", None),
        ("python -m http.server serve", None),
    ],
)
def test_a_command_line_of_ours_is_known(words: str, parts: frozenset[str] | None) -> None:
    assert sees.parts_of(words.split()) == parts


def test_a_process_is_of_the_site_whose_folder_its_configuration_names(tmp_path: Path) -> None:
    (tmp_path / "h.toml").write_text('home = "line"\n')
    (tmp_path / "bad.toml").write_text("home = \n")
    line, other = tmp_path / "line", tmp_path / "var/hotline"
    assert sees.home_of(["python", "--config", "h.toml", "serve"], {}, tmp_path) == line
    assert sees.home_of(["python", "--config=h.toml", "serve"], {}, tmp_path) == line
    assert sees.home_of(["python", "serve"], {"HOTLINE_CONFIG": str(tmp_path / "h.toml")}, tmp_path) == line
    assert sees.home_of(["python", "serve"], {"HOTLINE_HOME": "/srv/line"}, tmp_path) == Path("/srv/line")
    assert sees.home_of(["python", "serve"], {}, tmp_path) == other
    assert sees.home_of(["python", "--config", "bad.toml", "serve"], {}, tmp_path) == other


def test_the_unit_of_a_process_is_read_and_only_one_of_ours() -> None:
    assert (
        sees.unit_of("0::/system.slice/system-hotline.slice/hotline@bridge.service\n")
        == "hotline@bridge.service"
    )
    assert sees.unit_of("0::/user.slice/user@0.service\n") == ""


def test_a_real_process_is_found_with_what_its_manager_gave_it(tmp_path: Path) -> None:
    program = tmp_path / "hotline"
    program.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    home = tmp_path / "line"
    given = {"HOTLINE_HOME": str(home), "WATCHDOG_USEC": "120000000", "HOTLINE_HEALTH__PORT": "9465"}
    words = [sys.executable, str(program), "serve", "scheduler"]
    with subprocess.Popen(words, env=given, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            (found,) = sees.processes_of(home)
            assert (found.pid, found.parts) == (process.pid, {says.SCHEDULER})
            assert (found.watched, found.port, found.stopped) == (timedelta(minutes=2), 9465, False)
            assert timedelta(0) <= found.age < timedelta(minutes=1)
            assert sees.processes_of(tmp_path / "another") == ()
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            (found,) = sees.processes_of(home)
            assert found.stopped
        finally:
            process.kill()
    assert sees.processes_of(home) == ()
