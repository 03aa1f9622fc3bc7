"""The life of the line's own Asterisk: it starts, outlives us, is found again, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Actors, Pbx

from callcenter.asterisk.console import Console
from callcenter.asterisk.process import AsteriskProcess
from callcenter.asterisk.tree import AsteriskProgram, find_asterisk, from_tree
from callcenter.demo.runner import until
from callcenter.errors import ConfigError, PbxError, PbxUnreachable

pytestmark = pytest.mark.asterisk


def again(pbx: Pbx) -> AsteriskProcess:
    """A second look at the same folder, as a later run has it."""
    return AsteriskProcess(pbx.process.program, pbx.home)


def is_alive(pid: int | None) -> bool:
    """Tell whether a process lives; one that nobody has reaped yet does not."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""


def test_line_starts_answers_and_stops(new_pbx: Callable[..., Pbx]) -> None:
    pbx = new_pbx()
    pbx.start()
    assert pbx.process.program.version >= (20, 0, 0)
    assert "hotline" in pbx.console("queue show")
    pid = pbx.process.pid
    pbx.process.stop()
    assert not is_alive(pid)
    with pytest.raises(PbxUnreachable):
        pbx.console("core show version")


def test_later_run_finds_and_stops_what_an_earlier_one_left(new_pbx: Callable[..., Pbx]) -> None:
    pbx = new_pbx()
    pbx.provision()
    start = (
        "import sys; from pathlib import Path; from callcenter.asterisk.process import AsteriskProcess;"
        "from callcenter.asterisk.tree import find_asterisk;"
        "AsteriskProcess(find_asterisk(start=Path(sys.argv[2])), Path(sys.argv[1])).start();"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    here = str(Path(__file__))
    gone = subprocess.run([sys.executable, "-c", start, str(pbx.home), here], check=False)
    assert gone.returncode == -signal.SIGKILL
    later = again(pbx)
    assert later.is_running
    old = later.pid
    later.start()
    assert later.pid != old
    assert not is_alive(old)
    later.stop()
    assert not again(pbx).is_running


def test_killed_line_is_seen_as_dead_and_starts_again(new_pbx: Callable[..., Pbx]) -> None:
    pbx = new_pbx()
    pbx.start()
    pbx.put("hotline-signed", "c001", "1")
    assert pbx.process.pid is not None
    os.kill(pbx.process.pid, signal.SIGKILL)
    until(lambda: not pbx.process.is_running, what="the death")
    pbx.process.start()
    assert pbx.process.is_running


def test_recycled_process_number_is_nobody_of_ours(new_pbx: Callable[..., Pbx]) -> None:
    pbx = new_pbx()
    pbx.process.prepare()
    (pbx.home / "run" / "hotline-pbx.pid").write_text(str(os.getpid()))
    assert not pbx.process.is_running
    pbx.process.stop()


def test_unusable_configuration_is_told_and_leaves_nothing_running(new_pbx: Callable[..., Pbx]) -> None:
    pbx = new_pbx()
    pbx.provision()
    (pbx.home / "etc" / "modules.conf").write_text("[modules]\nautoload=no\nrequire=no_such_module.so\n")
    with pytest.raises(PbxError, match="ended while starting"):
        pbx.process.start(timeout=20)
    assert not pbx.process.is_running


def test_two_lines_side_by_side(pbx: Pbx, new_pbx: Callable[..., Pbx]) -> None:
    other = new_pbx()
    other.start()
    other.process.stop()
    assert pbx.process.is_running


def test_our_sounds_stand_beside_asterisks_own(pbx: Pbx) -> None:
    sounds = pbx.home / "data" / "sounds"
    assert (sounds / "zh" / "hotline" / "greet.wav").exists()
    assert (pbx.home / "data" / "documentation" / "core-en_US.xml").exists()


def test_servers_listen_on_loopback_only(pbx: Pbx, actors: Actors) -> None:
    actors.phone("c001")
    asked = subprocess.run(["ss", "-tulnpH"], capture_output=True, text=True, check=True).stdout
    ours = [line.split()[4] for line in asked.splitlines() if f"pid={pbx.process.pid}," in line]
    wide = [place for place in ours if not place.startswith("127.")]
    assert len(ours) > len(wide)
    # The two wildcard sockets of res_pjsip itself; see callcenter/asterisk/process.py.
    assert len(wide) <= 2


def test_console_refuses_what_is_not_one_line(pbx: Pbx) -> None:
    console = Console(program=pbx.process.program, home=pbx.home)
    with pytest.raises(PbxError):
        console.run("core show version\ncore stop now")


def test_missing_asterisk_names_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HOTLINE_ASTERISK_TREE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="scripts/fetch-asterisk"):
        find_asterisk(str(tmp_path / "asterisk"))
    with pytest.raises(ConfigError, match="scripts/fetch-asterisk"):
        from_tree(tmp_path)


def test_home_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    program = AsteriskProgram(argv=("asterisk",), module_dir=tmp_path, data_dir=tmp_path, version=(22, 10, 1))
    with pytest.raises(ConfigError, match="at most"):
        AsteriskProcess(program, tmp_path / ("x" * 100))
    with pytest.raises(ConfigError, match="absolute"):
        AsteriskProcess(program, Path("var"))
