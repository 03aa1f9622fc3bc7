"""`hotline pbx` as an administrator types it."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from harness import short_home, write_short_prompts

from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.tree import find_asterisk
from callcenter.bootstrap import App
from callcenter.cli import main
from callcenter.demo.runner import free_ports
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.keys import KeyRing
from callcenter.service.staff.users import add_first_admin

pytestmark = pytest.mark.asterisk

Hotline = Callable[..., Result]


@pytest.fixture
def site(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A set-up site with one counsellor and one supervisor; its folder has a short path."""
    home = short_home()
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), home / "hotline.db")
    sip, ami = free_ports(2)
    program = find_asterisk(start=Path(__file__))
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOTLINE_HOME", str(home))
    monkeypatch.setenv("HOTLINE_ASTERISK__SIP_PORT", str(sip))
    monkeypatch.setenv("HOTLINE_ASTERISK__AMI_PORT", str(ami))
    monkeypatch.setenv("HOTLINE_ASTERISK__PROGRAM", _where(program.argv))
    app = App()
    KeyRing.create(app.settings.key_file)
    with app.store() as work:
        add_first_admin(work, "admin", "周敏", now=datetime(2026, 11, 23, tzinfo=UTC))
        work.users.add(
            User(code="c001", name="王芳", roles=frozenset({Role.COUNSELLOR}), phone=PhoneKind.SIP)
        )
        work.users.add(
            User(
                code="s001",
                name="陈静",
                roles=frozenset({Role.SUPERVISOR}),
                phone=PhoneKind.MOBILE,
                mobile="13900000021",
                alarm_rank=1,
            )
        )
        work.commit()
    yield app
    shutil.rmtree(home)


def _where(argv: tuple[str, ...]) -> str:
    """Return what names this Asterisk in the settings: a tree's folder, or the program."""
    binary = Path(argv[-1])
    return str(binary if len(argv) == 1 else binary.parents[2])


@pytest.fixture
def speaking(site: App, spoken: Path) -> None:
    """A site that has its prompts: what is tried needs no speaking anew."""
    shutil.copytree(spoken, site.settings.pbx_home / "sounds")


@pytest.fixture
def hotline(site: App) -> Hotline:
    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    return run


def test_rendering_shows_names_and_never_secrets(hotline: Hotline, site: App, tmp_path: Path) -> None:
    shown = hotline("pbx", "render")
    assert shown.exit_code == 0, shown.output
    assert "manager.conf" in shown.output
    assert site.keys.password("ami:bridge") not in shown.output
    assert not (site.settings.pbx_home / "etc" / "manager.conf").exists()
    written = hotline("pbx", "render", "--to", str(tmp_path / "out"))
    assert written.exit_code == 0, written.output
    assert stat.S_IMODE((tmp_path / "out" / "manager.conf").stat().st_mode) == 0o600


def test_applying_twice_says_that_all_is_up_to_date(hotline: Hotline, site: App) -> None:
    assert hotline("pbx", "apply").exit_code == 0
    assert "配置都是最新的" in hotline("pbx", "apply").output
    assert "配置都是最新的" in hotline("pbx", "render").output
    sounds = site.settings.pbx_home / "sounds" / "zh" / "hotline"
    assert (sounds / "greet.wav").exists()


@pytest.fixture
def running(site: App, speaking: None, hotline: Hotline) -> Iterator[AsteriskProcess]:
    """The site's Asterisk, applied and up."""
    hotline("pbx", "apply")
    process = AsteriskProcess(find_asterisk(site.settings.asterisk.program), site.settings.pbx_home)
    process.start()
    yield process
    process.stop()


def test_a_changed_mobile_reaches_the_running_line(
    hotline: Hotline, site: App, running: AsteriskProcess
) -> None:
    with site.store() as work:
        work.users.update(replace(work.users.get("s001"), mobile="13900000099"))
        work.commit()
    said = hotline("pbx", "apply")
    assert "1 个文件有变化" in said.output
    assert "已重新读取" in said.output
    assert "13900000099" not in said.output
    assert "13900000099" in running.console.run("dialplan show hotline-alarm-phone")


def test_the_doctor_knows_whether_our_account_gets_in(
    hotline: Hotline, site: App, running: AsteriskProcess
) -> None:
    def pbx() -> object:
        rows = json.loads(hotline("doctor", "--json").output)
        return {row["id"]: row["state"] for row in rows}["pbx"]

    assert pbx() == "ok"
    site.settings.key_file.write_bytes(KeyRing(master=bytes(32)).text())
    assert pbx() == "bad"
    running.stop()
    assert pbx() == "bad"


def test_the_check_passes_once_the_prompts_are_there(hotline: Hotline, site: App) -> None:
    missing = hotline("pbx", "check")
    assert missing.exit_code == 1
    assert "缺少提示音" in missing.output
    write_short_prompts(site.settings.pbx_home / "sounds" / "zh" / "hotline")
    passed = hotline("pbx", "check")
    assert passed.exit_code == 0, passed.output
    assert "检查通过" in passed.output


def test_an_unusable_setting_changes_nothing_and_names_its_field(
    hotline: Hotline, site: App, speaking: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotline("pbx", "apply")
    before = {f.name: f.read_bytes() for f in (site.settings.pbx_home / "etc").glob("*.conf")}
    monkeypatch.setenv("HOTLINE_TRUNK__HOST", "127.0.0.1")
    refused = hotline("pbx", "apply")
    assert refused.exit_code == 1
    assert "trunk.host" in refused.output
    assert {f.name: f.read_bytes() for f in (site.settings.pbx_home / "etc").glob("*.conf")} == before


def test_the_line_is_started_found_again_and_stopped(hotline: Hotline, site: App, speaking: None) -> None:
    assert hotline("pbx", "apply").exit_code == 0
    # In a process of its own, since the PBX outlives the command.
    subprocess.run([sys.executable, "-m", "callcenter.cli", "pbx", "start"], check=True, timeout=90)
    try:
        # As if a service manager had started it: nobody left us a note.
        (site.settings.pbx_home / "run" / "hotline-pbx.pid").unlink()
        assert "已在运行" in hotline("pbx", "start").output
        with site.store() as work:
            work.users.add(
                User(code="c002", name="李娜", roles=frozenset({Role.COUNSELLOR}), phone=PhoneKind.SIP)
            )
            work.commit()
        assert "已重新读取" in hotline("pbx", "apply").output
        assert "c002" in site.console().run("pjsip show endpoints")
    finally:
        stopped = hotline("pbx", "stop", "--yes")
    assert "已停止" in stopped.output
    assert "没有在运行" in hotline("pbx", "stop", "--yes").output
