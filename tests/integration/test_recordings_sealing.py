"""What a caller leaves is sealed soon after the call, once, whatever dies; and is heard with a reason."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from callcenter.db.unit_of_work import SqlStore, open_store
from callcenter.domain.books import RECORDINGS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.keys import KeyRing
from callcenter.ports import Store
from callcenter.sealed_files import SealedFileBroken
from callcenter.service.line import recordings

CALL = "pbx1-1700000000.7"
VOICE = b"RIFF....WAVEfmt " + bytes(range(256)) * 400


def a_call(call: str, now: datetime, outcome: Outcome = Outcome.PROMISED) -> CallRecord:
    return CallRecord(id=call, direction=Direction.INBOUND, outcome=outcome, started_at=now)


def begin(store: Store, now: datetime, *calls: CallRecord) -> None:
    with store() as work:
        for code, role in (("c001", Role.COUNSELLOR), ("admin", Role.ADMIN)):
            work.users.add(User(code=code, name="林晓燕", roles=frozenset({role})))
        work.calls.put_many(calls or [a_call(CALL, now)])
        work.commit()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool" / "messages"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


def leave(spool: Path, call: str = CALL, node: str = "say_it", sound: bytes = VOICE) -> Path:
    wav = spool / f"{call}-{node}.wav"
    wav.write_bytes(sound)
    return wav


def heard(store: Store, folder: Path, now: datetime, call: str = CALL) -> list[bytes]:
    with store() as work:
        found = recordings.hear(work, folder, call, actor="c001", now=now, reason="办理留言承诺")
        work.commit()
    return [b"".join(message.sound()) for message in found]


def test_after_the_call_it_is_sealed_and_heard_again_word_for_word(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    wav = leave(spool)
    assert recordings.seal_waiting(store, spool, folder, now=now) == 1
    assert not wav.exists()
    (file,) = folder.iterdir()
    assert VOICE[200:260] not in file.read_bytes()
    assert CALL not in file.name
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert heard(store, folder, now) == [VOICE]


def test_while_the_caller_still_speaks_nothing_is_touched(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, a_call(CALL, now, Outcome.OPEN))
    wav = leave(spool)
    assert recordings.seal_waiting(store, spool, folder, now=now) == 0
    assert wav.read_bytes() == VOICE


def test_a_message_of_a_call_nobody_knows_is_sealed_once_it_is_long_finished(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now, a_call("pbx1-1.1", now))
    wav = leave(spool)
    os.utime(wav, (now.timestamp(), now.timestamp()))
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(minutes=9)) == 0
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(minutes=11)) == 1
    assert heard(store, folder, now) == [VOICE]


def test_two_messages_of_one_call_are_two_recordings(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    leave(spool, node="a_word", sound=VOICE + b"1")
    leave(spool, node="b_word", sound=VOICE + b"2")
    assert recordings.seal_waiting(store, spool, folder, now=now) == 2
    assert heard(store, folder, now) == [VOICE + b"1", VOICE + b"2"]


def test_another_sound_under_the_same_name_takes_no_ones_place(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    for sound in (VOICE, VOICE + b"again", VOICE):
        leave(spool, sound=sound)
        recordings.seal_waiting(store, spool, folder, now=now)
    assert heard(store, folder, now) == [VOICE, VOICE + b"again"]
    assert not list(spool.iterdir())


def test_names_that_are_no_message_and_links_are_left_alone(
    store: Store, spool: Path, folder: Path, now: datetime, tmp_path: Path
) -> None:
    begin(store, now)
    (tmp_path / "secret").write_bytes(VOICE)
    (spool / f"{CALL}-linked.wav").symlink_to(tmp_path / "secret")
    for name in ("x.wav", "-a.wav", f"{CALL}-UPPER.wav", f"{CALL}-a.wav.txt", "..-ab.wav"):
        (spool / name).write_bytes(VOICE)
    os.utime(tmp_path / "secret", (0, 0))
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(days=1)) == 0
    assert len(list(spool.iterdir())) == 6


def test_one_that_cannot_be_read_holds_up_no_other(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    (spool / f"{CALL}-a_folder.wav").mkdir()
    leave(spool)
    assert recordings.seal_waiting(store, spool, folder, now=now) == 1
    assert heard(store, folder, now) == [VOICE]


def test_hearing_is_written_down_and_is_not_for_everybody(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    heard(store, folder, now)
    with store() as work:
        (entry,) = work.audit.recent(10)
        assert (entry.actor, entry.verb, entry.object) == (
            "c001",
            "message.hear",
            f"recording:{CALL}/say_it",
        )
        with pytest.raises(Forbidden):
            recordings.hear(work, folder, CALL, actor="admin", now=now, reason="办理留言承诺")
        with pytest.raises(Refused):
            recordings.hear(work, folder, CALL, actor="c001", now=now, reason=" ")
        with pytest.raises(NotFound):
            recordings.hear(work, folder, "pbx1-2.2", actor="c001", now=now, reason="办理留言承诺")


def test_a_message_that_was_changed_on_the_disk_is_refused(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(SealedFileBroken):
        heard(store, folder, now)


def test_deleted_it_is_gone_for_good_and_does_not_come_back_with_its_wav(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    with store() as work:
        gone = recordings.delete(work, folder, work.book(RECORDINGS).get(f"{CALL}/say_it"))
        work.commit()
    assert (gone.file, gone.key) == ("", "")
    with pytest.raises(NotFound):
        heard(store, folder, now)
    assert recordings.sweep(store, folder, now=datetime.now(now.tzinfo) + timedelta(hours=2)) == 1
    assert not list(folder.iterdir())
    wav = leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    assert not wav.exists()
    assert not list(folder.iterdir())


def test_a_deletion_that_is_undone_has_lost_nothing(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    with store() as work:
        recordings.delete(work, folder, work.book(RECORDINGS).get(f"{CALL}/say_it"))
    assert recordings.sweep(store, folder, now=datetime.now(now.tzinfo) + timedelta(hours=2)) == 0
    assert heard(store, folder, now) == [VOICE]


def test_a_sealed_file_that_is_lost_while_its_wav_is_there_is_sealed_again(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    (file,) = folder.iterdir()
    file.unlink()
    leave(spool)
    assert recordings.seal_waiting(store, spool, folder, now=now) == 1
    assert heard(store, folder, now) == [VOICE]


def test_a_field_key_that_changes_leaves_the_files_as_they_are(
    sqlite_url: str, spool: Path, folder: Path, now: datetime, tmp_path: Path
) -> None:
    from callcenter.db.rotation import Rotation, retire

    ring = KeyRing.create(tmp_path / "hotline.key")
    store = open_store(sqlite_url, ring)
    begin(store, now)
    leave(spool)
    recordings.seal_waiting(store, spool, folder, now=now)
    (file,) = folder.iterdir()
    before = file.read_bytes()
    changed = ring.with_new_key().save(tmp_path / "hotline.key")
    rotation = Rotation(sqlite_url, changed)
    rotation.reseal()
    rotation.close()
    retire(sqlite_url, changed, tmp_path / "hotline.key")
    assert file.read_bytes() == before
    fresh = open_store(sqlite_url, KeyRing.load(tmp_path / "hotline.key"))
    assert heard(fresh, folder, now) == [VOICE]
    store.close()
    fresh.close()


_SEAL = """
import sys
from datetime import datetime
from pathlib import Path
from callcenter.db.unit_of_work import open_store
from callcenter.keys import KeyRing
from callcenter.service.line import recordings

def stop(name):
    real = getattr(recordings, name)
    def there(*args, **words):
        if when == "before":
            print("there", flush=True), sys.stdin.read()
        result = real(*args, **words)
        if when == "after":
            print("there", flush=True), sys.stdin.read()
        return result
    setattr(recordings, name, there)

url, spool, folder, name, when = sys.argv[1:]
stop(name)
store = open_store(url, KeyRing(master=bytes(range(32))))
now = datetime.fromisoformat("2026-11-23T00:30:00+00:00")
recordings.seal_waiting(store, Path(spool), Path(folder), now=now)
"""


@pytest.mark.parametrize("name", ["_write_sealed", "_keep", "sync_folder"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_point_nothing_is_lost_and_nothing_doubled(
    sql_store: SqlStore, database_url: str, spool: Path, folder: Path, now: datetime, name: str, when: str
) -> None:
    begin(sql_store, now)
    leave(spool)
    command = [sys.executable, "-c", _SEAL, database_url, str(spool), str(folder), name, when]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"there\n"
        process.kill()
    recordings.seal_waiting(sql_store, spool, folder, now=now)
    assert not list(spool.iterdir())
    assert heard(sql_store, folder, now) == [VOICE]
    recordings.sweep(sql_store, folder, now=datetime.now(now.tzinfo) + timedelta(hours=2))
    assert len(list(folder.iterdir())) == 1


def test_two_that_seal_the_same_moment_make_one_recording(
    sql_store: SqlStore, spool: Path, folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(sql_store, now)
    leave(spool)
    real: Callable[..., object] = recordings._write_sealed

    def somebody_is_quicker(*args: object) -> object:
        monkeypatch.setattr(recordings, "_write_sealed", real)
        written = real(*args)
        recordings.seal_waiting(sql_store, spool, folder, now=now)
        leave(spool)
        return written

    monkeypatch.setattr(recordings, "_write_sealed", somebody_is_quicker)
    recordings.seal_waiting(sql_store, spool, folder, now=now)
    recordings.seal_waiting(sql_store, spool, folder, now=now)
    assert heard(sql_store, folder, now) == [VOICE]
    with sql_store() as work:
        (row,) = work.book(RECORDINGS).where()
    assert replace(row, revision=0).call == CALL
    recordings.sweep(sql_store, folder, now=datetime.now(now.tzinfo) + timedelta(hours=2))
    assert [file.name for file in folder.iterdir()] == [row.file]


def test_what_the_pbx_writes_right_after_the_call_waits_until_it_is_quiet(
    store: Store, spool: Path, folder: Path, now: datetime
) -> None:
    begin(store, now)
    wav = leave(spool, sound=VOICE[:1004])
    os.utime(wav, (now.timestamp(), now.timestamp()))
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(seconds=5)) == 0
    wav.write_bytes(VOICE)
    os.utime(wav, (now.timestamp() + 6, now.timestamp() + 6))
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(seconds=20)) == 0
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(seconds=30)) == 1
    assert heard(store, folder, now) == [VOICE]


@pytest.mark.parametrize("step", ["_write_sealed", "_keep"])
def test_what_is_written_while_it_is_sealed_is_not_lost(
    store: Store, spool: Path, folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    begin(store, now)
    wav = leave(spool, sound=VOICE[:1004])
    real: Callable[..., object] = getattr(recordings, step)

    def the_pbx_goes_on(*args: object) -> object:
        result = real(*args)
        with wav.open("ab") as late:
            late.write(VOICE[1004:6004])
        return result

    with monkeypatch.context() as patched:
        patched.setattr(recordings, step, the_pbx_goes_on)
        assert recordings.seal_waiting(store, spool, folder, now=now) == 0
    assert wav.exists()
    assert recordings.seal_waiting(store, spool, folder, now=now) == 1
    assert not wav.exists()
    assert heard(store, folder, now)[-1] == VOICE[:6004]


def test_another_file_put_in_the_place_of_the_one_being_sealed_stays(
    store: Store, spool: Path, folder: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(store, now)
    wav = leave(spool)
    real = recordings._keep

    def swapped(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        (spool / "fresh").write_bytes(VOICE + b"more")
        (spool / "fresh").replace(wav)

    with monkeypatch.context() as patched:
        patched.setattr(recordings, "_keep", swapped)
        recordings.seal_waiting(store, spool, folder, now=now)
    assert wav.read_bytes() == VOICE + b"more"
    recordings.seal_waiting(store, spool, folder, now=now)
    assert heard(store, folder, now) == [VOICE, VOICE + b"more"]


def test_a_pipe_named_like_a_message_holds_up_no_other_and_is_said(
    store: Store, spool: Path, folder: Path, now: datetime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begin(store, now)
    os.mkfifo(spool / f"{CALL}-a_pipe.wav")
    (tmp_path / "secret").write_bytes(VOICE)
    (spool / f"{CALL}-b_link.wav").symlink_to(tmp_path / "secret")
    leave(spool)
    assert recordings.seal_waiting(store, spool, folder, now=now + timedelta(days=1)) == 1
    assert heard(store, folder, now) == [VOICE]
    assert len([r for r in caplog.records if "no regular file" in r.message]) == 2
    assert (tmp_path / "secret").read_bytes() == VOICE
