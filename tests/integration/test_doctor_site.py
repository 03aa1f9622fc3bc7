"""A whole line whose parts die, hang, fall silent or leave work: the doctor says what, and the mend."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from ami_tap import Moment, Wire
from click.testing import CliRunner
from processes import environment
from test_violence_attempts import FINE, attempts, enlist
from violence import Site, check_tools

from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.cli.doctor_serving import ask, looked_at_line
from callcenter.demo.runner import free_ports, until
from callcenter.service.health.doctor_serving import Silence
from scheduler.obligations import Result

pytestmark = pytest.mark.asterisk
WORKER = "13700000009"


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the doctor said: id -> state and sentence, and its exit code."""

    code: int
    found: dict[str, tuple[str, str]]

    def state(self, name: str) -> str:
        return self.found[name][0]

    def sentence(self, name: str, state: str) -> str:
        """Return what is said of one thing, which must be in this state."""
        assert self.found[name][0] == state, self.found[name]
        assert self.code == any(said == "bad" for said, _ in self.found.values())
        return self.found[name][1]


class Line:
    """The site, and where its processes say how they are."""

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.port = port

    def doctor(self, **more: str) -> Said:
        """Ask the doctor, with these settings beside the site's."""
        wanted = environment(HOTLINE_HEALTH__PORT=str(self.port), **more)
        gone = dict.fromkeys(
            name for name in os.environ if name.startswith("HOTLINE_") and name not in wanted
        )
        asked = ["--config", str(self.site.config), "doctor", "--json"]
        done = CliRunner(env=gone | wanted).invoke(main, asked, catch_exceptions=False)
        rows = json.loads(done.output)
        return Said(code=done.exit_code, found={row["id"]: (row["state"], row["sentence"]) for row in rows})

    def ready(self) -> bool:
        """Tell whether who serves says that all is well."""
        said = ask("127.0.0.1", self.port)
        return not isinstance(said, Silence) and all(said.values())

    def serve(self, *parts: str) -> None:
        """Serve, until the doctor has nothing against it."""
        self.site.python.environment["HOTLINE_HEALTH__PORT"] = str(self.port)
        began = datetime.now(UTC)
        self.site.python.start("serve", *parts)
        until(lambda: (looked_at_line(self.site.pbx.home) or began) > began, 40, what="a look at the line")


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """A line that is served."""
    check_tools()
    site = Site()
    try:
        site.pbx.start()
        site.tap.start()
        made = Line(site, free_ports(1)[0])
        made.serve()
        yield made
    finally:
        site.close()


@contextmanager
def in_a_while(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> Iterator[None]:
    """Let the doctor's clock run ahead."""
    with monkeypatch.context() as patched:
        patched.setattr(App, "clock", staticmethod(lambda: datetime.now(UTC) + later))
        yield


def test_a_line_that_is_served_and_nobody_watches_over(line: Line) -> None:
    until(line.ready, 20, what="it to say that it is ready")
    well = line.doctor()
    assert well.state("ready") == "ok"
    assert "前看过线路" in well.sentence("serving", "ok")
    assert well.state("lead") == well.state("pbx") == "ok"
    (pid,) = line.site.python.pids()
    assert f"（进程 {pid}）没有 systemd 守护" in well.sentence("watchdog", "warn")


def test_who_hangs_and_who_is_dead_is_told_apart(line: Line) -> None:
    (pid,) = line.site.python.pids()
    line.site.python.sigstop()
    hung = line.doctor()
    line.site.python.sigcont()
    assert f"（进程 {pid}）被暂停了" in hung.sentence("serving", "bad")
    assert f"kill -9 {pid}" in hung.sentence("serving", "bad")
    assert "连得上却不应答" in hung.sentence("ready", "bad")
    assert "lead" not in hung.found, "who hangs keeps the lead, and nobody is helped by it"
    line.site.python.sigkill()
    dead = line.doctor()
    assert "后台服务没有在运行（最后一次看线路在" in dead.sentence("serving", "bad")
    assert "hotline serve" in dead.sentence("serving", "bad")
    assert not {"ready", "watchdog", "lead"} & dead.found.keys(), "it is said once"
    line.serve()
    assert line.doctor().state("serving") == "ok"


def test_a_bridge_alone_has_nobody_who_leads_and_a_second_one_is_one_too_many(line: Line) -> None:
    line.site.python.sigkill()
    line.serve("bridge")
    alone = line.doctor()
    assert alone.state("serving") == "ok"
    assert "没有调度" in alone.sentence("lead", "bad")
    assert "hotline serve scheduler" in alone.sentence("lead", "bad")
    line.site.python.sigkill()
    line.site.python.start("serve", "scheduler")
    assert "运行 hotline serve bridge。" in line.doctor().sentence("serving", "bad")
    line.serve()
    line.site.python.start("serve", "bridge")
    both = line.doctor()
    assert "2 个后台服务" in both.sentence("serving", "warn")
    assert both.state("lead") == "ok"
    line.site.python.sigkill()
    line.serve()


def test_a_half_open_manager_link_takes_us_in_and_says_nothing(line: Line) -> None:
    line.site.tap.become(Wire.DEAF)
    mute = line.doctor(HOTLINE_ASTERISK__AMI_PORT=str(line.site.tap.port))
    line.site.tap.become(Wire.WHOLE)
    assert "连得上却不应答" in mute.sentence("pbx", "bad")
    assert "马上打一通本线" in mute.sentence("pbx", "bad")


def test_a_pbx_that_hangs_that_listens_elsewhere_and_that_is_down(line: Line) -> None:
    pbx = line.site.pbx
    pid = pbx.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    hangs = line.doctor()
    os.kill(pid, signal.SIGCONT)
    assert "连得上却不应答" in hangs.sentence("pbx", "bad")
    elsewhere = line.doctor(HOTLINE_ASTERISK__AMI_PORT=str(free_ports(1)[0]))
    assert "没有人在听" in elsewhere.sentence("pbx", "bad")
    pbx.process.stop()
    down = line.doctor()
    assert "来电一通也接不进来" in down.sentence("pbx", "bad")
    assert "hotline pbx start" in down.sentence("pbx", "bad")
    until(lambda: not line.ready(), 20, what="the bridge to miss it")
    assert "它连不上 Asterisk" in line.doctor().found["ready"][1]
    pbx.start()
    until(line.ready, 60, what="the bridge to be there again")


def test_calls_the_pbx_died_under_are_told_with_where_to_find_them(line: Line) -> None:
    site = line.site
    site.on_duty("c001")
    site.until_members("c001")
    site.actors.phone("c001")
    site.until_reachable("c001")
    call = site.call()
    site.until_talking(call)
    site.pbx.process.kill()
    site.pbx.start()
    site.until_on_record([call])
    said = line.doctor().sentence("broken_calls", "warn")
    assert "1 通来电因 Asterisk 中断而断开（1 通已经接通）" in said
    day = datetime.now(UTC).astimezone(site.app.settings.site.zone).date()
    assert f"hotline calls list --day {day}" in said
    assert "接听后中断" in site.hotline("calls", "list", "--day", str(day))


def test_a_call_of_ours_in_doubt_and_one_that_nobody_will_tell_of(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = line.site
    site.actors.carrier({WORKER: FINE})
    site.tap.arm(Moment.WRITTEN, site.python.sigkill)
    enlist(site, WORKER)
    site.tap.until_struck()
    (attempt,) = attempts(site, WORKER)
    assert line.doctor().state("attempts_in_doubt") == "ok", "it may be settled at once"
    with in_a_while(monkeypatch, timedelta(minutes=5)):
        said = line.doctor().sentence("attempts_in_doubt", "warn")
    assert "1 通回访电话不知道结果" in said
    assert_command(site, said, f"queue why {attempt.obligation}")
    line.serve()
    until(lambda: attempts(site, WORKER)[0].result is Result.UNKNOWN, 40, what="it to be written off")
    said = line.doctor().sentence("attempts_lost", "warn")
    assert "1 件联系，上一通电话结果不明" in said
    assert_command(site, said, f"queue why {attempt.obligation}", "为何不明")


def assert_command(site: Site, sentence: str, words: str, shows: str = "") -> None:
    """Make sure that a command the doctor names is there, works, and shows this."""
    assert f"hotline {words}" in sentence
    assert shows in site.hotline(*words.split())
