"""Backups that `hotline serve` makes by itself, and hearing a message at the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callcenter.backups import BackupRound
from callcenter.bootstrap import App
from callcenter.cli import hearing, main
from callcenter.config import Backup, Settings
from callcenter.db import backup
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.errors import Refused
from callcenter.safekept import load_mark

CALL = "pbx1-1700000000.7"


class Clocked(App):
    """An app whose clock the test sets."""

    at: datetime

    def clock(self) -> datetime:  # type: ignore[override]
        return self.at


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> Iterator[Clocked]:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    monkeypatch.chdir(tmp_path)
    assert run("init", "--without-recovery-key").exit_code == 0
    app = Clocked(
        settings=Settings(home=tmp_path / "home", backup=Backup(folder=str(tmp_path / "safe"), keep=3))
    )
    app.at = now
    yield app
    app.close()


def run(*words: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, words, catch_exceptions=False)


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "safe").iterdir())


def test_one_is_made_a_day_and_the_oldest_goes(app: Clocked, tmp_path: Path) -> None:
    run("keys", "escrow")
    made = 0
    for _ in range(10 * 24):
        made += BackupRound(app).once() is not None
        app.at += timedelta(hours=1)
    assert made == 10
    assert len(names(tmp_path)) == 3
    mark = load_mark(app.settings.home)
    assert mark is not None
    assert Path(mark.file).name == names(tmp_path)[-1]
    with app.store() as work:
        assert [(e.actor, e.verb) for e in work.audit.recent(1)] == [("system", "backup.make")]


def test_nothing_but_our_own_backups_is_ever_deleted(app: Clocked, tmp_path: Path) -> None:
    run("keys", "escrow")
    (tmp_path / "safe").mkdir()
    kept = ["hotline-2020.age", "photo.jpg", "x-hotline-20200101-000000.age"]
    for name in (*kept, ".hotline-20200101-000000.age.0123456789ab.part"):
        (tmp_path / "safe" / name).touch()
    for _ in range(6):
        BackupRound(app).once()
        app.at += timedelta(days=1)
    assert set(kept) <= set(names(tmp_path))
    assert len(names(tmp_path)) == len(kept) + 3


def test_without_a_folder_none_is_made_and_without_a_recovery_key_it_says_so(
    app: Clocked, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="hotline keys escrow"):
        BackupRound(app).once()
    app._settings = Settings(home=tmp_path / "home")
    del app.__dict__["settings"]
    assert BackupRound(app).once() is None


def test_a_clock_that_was_set_back_does_not_stop_backups(app: Clocked) -> None:
    run("keys", "escrow")
    assert BackupRound(app).once() is not None
    app.at -= timedelta(days=30)
    assert BackupRound(app).once() is not None


def test_one_that_fails_leaves_the_older_ones_and_is_tried_again(
    app: Clocked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("keys", "escrow")
    BackupRound(app).once()
    before = names(tmp_path)
    app.at += timedelta(days=2)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(backup, "write_backup", full)
        with pytest.raises(OSError, match="No space"):
            BackupRound(app).once()
    assert names(tmp_path) == before
    assert BackupRound(app).once() is not None


# --- hearing a message -----------------------------------------------------------------------


@pytest.fixture
def left(app: Clocked, tmp_path: Path) -> bytes:
    """What a caller left, still in the spool."""
    run("user", "add", "c001", "--name", "李静", "--role", "counsellor", "--phone", "sip")
    sound = b"RIFF" + bytes(range(256)) * 10
    spool = app.settings.pbx_home / "spool" / "messages"
    spool.mkdir(parents=True)
    wav = spool / f"{CALL}-say_it.wav"
    wav.write_bytes(sound)
    os.utime(wav, (app.at.timestamp() - 60, app.at.timestamp() - 60))
    with app.store() as work:
        record = CallRecord(id=CALL, direction=Direction.INBOUND, outcome=Outcome.PROMISED, started_at=app.at)
        work.calls.put_many([record])
        work.commit()
    return sound


def test_a_message_is_heard_from_memory_by_a_file_of_its_own(left: bytes, app: Clocked) -> None:
    heard = run("calls", "message", CALL, "--reason", "办理留言承诺", HOTLINE_ACTOR="c001")
    assert heard.exit_code == 0, heard.output
    file = Path(heard.stdout.strip())
    try:
        assert file.parent == Path("/dev/shm")
        assert file.stat().st_mode & 0o777 == 0o600
        assert CALL not in file.name
        assert file.read_bytes() == left
    finally:
        file.unlink()
    assert not list((app.settings.pbx_home / "spool" / "messages").iterdir())
    with app.store() as work:
        assert work.audit.recent(1)[0].verb == "message.hear"


def in_memory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(hearing, "_MEMORY", memory)
    return memory


def test_played_it_leaves_no_file(left: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player = tmp_path / "player"
    player.write_text(f'#!/bin/sh\ncat "$1" > {tmp_path / "played"}\n')
    player.chmod(0o755)
    monkeypatch.setattr(hearing, "_PLAYERS", ((str(player),),))
    memory = in_memory_of_its_own(tmp_path, monkeypatch)
    heard = run("calls", "message", CALL, "--reason", "办理留言承诺", "--play", HOTLINE_ACTOR="c001")
    assert heard.exit_code == 0, heard.output
    assert (tmp_path / "played").read_bytes() == left
    assert not list(memory.iterdir())


def test_who_may_not_hear_it_hears_nothing_and_nothing_is_decrypted(
    left: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = in_memory_of_its_own(tmp_path, monkeypatch)
    assert run("calls", "message", CALL, "--reason", "办理留言承诺").exit_code == 1
    assert run("calls", "message", CALL, "--reason", "。", HOTLINE_ACTOR="c001").exit_code == 1
    assert not list(memory.iterdir())
