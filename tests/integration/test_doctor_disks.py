"""Disks that fill up or take no writes, for real: the doctor says which, and what mends it.

Mounts are made in a namespace of the command's own (unshare(1)): nobody else sees them, and they go with it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from processes import HOTLINE, environment

#: Of a disk of 64 MiB: 4 MiB stay free.
FILL = "mount -t tmpfs -o size=64m doctor {home} && cp -a {kept}/. {home} && fallocate -l {most} {home}/other"
ONLY_READ = "mount --bind {kept} {home} && mount -o remount,ro,bind {home}"
NO_ROOM = (
    "mount -t tmpfs -o size=2m doctor {home} && cp -a {kept}/. {home} && dd if=/dev/zero of={home}/other"
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a site that was set up, with the folder of its PBX's journal."""
    if shutil.which("unshare") is None:
        pytest.fail("unshare(1) is missing. Mend: apt-get install util-linux", pytrace=False)
    kept = tmp_path_factory.mktemp("kept")
    done = subprocess.run(
        [*HOTLINE, "init", "--without-recovery-key"], env=environment(HOTLINE_HOME=str(kept)), check=True
    )
    assert done.returncode == 0
    (kept / "asterisk" / "log").mkdir(parents=True, mode=0o700)
    return kept


def doctor(kept: Path, home: Path, mounts: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Return the exit code and what is said of each thing, on such disks."""
    home.mkdir()
    words = " ".join([*HOTLINE, "doctor", "--json"])
    script = f"{mounts.format(kept=kept, home=home, most='58m')} >&2; {words}"
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        env=environment(HOTLINE_HOME=str(home)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("["), done.stderr
    rows = json.loads(done.stdout)
    return done.returncode, {row["id"]: (row["state"], row["sentence"]) for row in rows}


def test_the_disk_of_the_journal_fills_up(kept: Path, tmp_path: Path) -> None:
    code, found = doctor(kept, tmp_path / "home", FILL)
    state, sentence = found["disk"]
    assert (code, state) == (1, "bad")
    assert "话务日志所在的磁盘剩余" in sentence
    assert "立刻腾地方" in sentence
    assert found["store_writes"][0] == "ok", "there is room yet"


def test_no_room_is_left_for_the_store(kept: Path, tmp_path: Path) -> None:
    code, found = doctor(kept, tmp_path / "home", NO_ROOM)
    assert code == 1
    assert found["disk"][0] == "bad"
    said = found.get("store_writes", found["database"])
    assert said[0] == "bad"
    assert "磁盘满了" in said[1]
    assert "不要删 log/cel-custom" in said[1]


def test_a_disk_that_takes_no_writes_any_more(kept: Path, tmp_path: Path) -> None:
    code, found = doctor(kept, tmp_path / "home", ONLY_READ)
    assert code == 1
    assert "只许读" in found["disk"][1]
    assert "数据库用不了：只读。" in found["database"][1]
    assert "hotline restore" in found["database"][1]
    assert "没有应答" not in found["database"][1]
