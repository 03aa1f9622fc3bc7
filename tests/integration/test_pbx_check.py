"""`hotline pbx check` on a real throw-away Asterisk: the product passes, each fault is found."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import USERS, short_home, test_settings

from callcenter.asterisk.provision.check import Finding, check
from callcenter.asterisk.provision.flows import site_flows
from callcenter.asterisk.provision.plan import PbxPlan, plan_from
from callcenter.asterisk.provision.render import render
from callcenter.asterisk.tree import AsteriskProgram, find_asterisk
from callcenter.config import Recording
from callcenter.errors import PbxError
from callcenter.keys import KeyRing

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def plan(keys: KeyRing, tmp_path_factory: pytest.TempPathFactory, program: AsteriskProgram) -> PbxPlan:
    """What every test renders: frozen, and two seconds' work to make."""
    home = tmp_path_factory.mktemp("site")
    settings = test_settings(home, recording=Recording(enabled=True))  # all there is
    return plan_from(settings, keys, USERS, flows=site_flows(settings), journal=program.journal)


@pytest.fixture(scope="module")
def program(_tools: None) -> AsteriskProgram:
    return find_asterisk(start=Path(__file__))


def faults(findings: tuple[Finding, ...]) -> str:
    """Return what was found wrong, apart from prompts, which no test records."""
    return "\n".join(f.text for f in findings if not f.good and "提示音" not in f.text)


def changed(file: str, old: str, new: str) -> Callable[[PbxPlan], dict[str, str]]:
    """Return a renderer that spoils one place of one file."""

    def spoiled(plan: PbxPlan) -> dict[str, str]:
        files = render(plan)
        assert old in files[file]
        return files | {file: files[file].replace(old, new)}

    return spoiled


def test_the_product_passes_and_leaves_nothing_behind(
    plan: PbxPlan, program: AsteriskProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = short_home()  # its own: somebody else may check a line at this moment
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    findings = check(plan, program)
    assert faults(findings) == ""
    text = "\n".join(f.text for f in findings)
    assert "udp 127.0.0.1:" in text
    assert "tcp 127.0.0.1:" in text
    assert "res_pjsip" in text
    (prompts,) = [f for f in findings if not f.good]
    assert "alarm_watchdog" in prompts.text
    assert "greet" in prompts.text
    assert list(temporary.iterdir()) == []
    temporary.rmdir()


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        # 22.10 writes digits then; 20.6 knows no such event and drops the file.
        ("cel.conf", "events = ", "events = DTMF,", "按键内容|Unknown event name 'DTMF'"),
        ("cel_custom.conf", "journal.csv", "journal.tsv", "通话日志没有写入"),
        ("modules.conf", "load = app_read.so", "", "app_read"),
        ("modules.conf", "load = func_sha1.so", "", "SHA1"),
        ("pjsip.conf", "dtmf_mode = rfc4733", "dtmf_modus = rfc4733", "dtmf_modus"),
        ("extensions.conf", "Goto(flow-inbound,s,1)", "Hangup()", "没有走到队列"),
        ("extensions.conf", "Queue(hotline,", "Queue(hottline,", "hottline"),
    ],
)
def test_a_fault_is_found(
    plan: PbxPlan, program: AsteriskProgram, file: str, old: str, new: str, found: str
) -> None:
    assert re.search(found, faults(check(plan, program, rendered=changed(file, old, new))))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("manager.conf", "bindaddr = 127.0.0.1", "bindaddr = 0.0.0.0"),
        ("pjsip.conf", "bind = 127.0.0.1", "bind = 0.0.0.0"),
    ],
)
def test_a_door_open_to_the_world_is_found(
    plan: PbxPlan, program: AsteriskProgram, file: str, old: str, new: str
) -> None:
    spoiled = changed(file, old, new)
    assert "不该开放" in faults(check(plan, program, rendered=spoiled))


def test_a_set_that_does_not_start_is_said_with_asterisks_own_words(
    plan: PbxPlan, program: AsteriskProgram
) -> None:
    spoiled = changed("modules.conf", "require = chan_pjsip.so", "require = chan_lost.so")
    with pytest.raises(PbxError, match="chan_lost"):
        check(plan, program, rendered=spoiled)
