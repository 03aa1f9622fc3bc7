"""`hotline keys` as an administrator types it: the recovery key, a new field key, a lost key file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner, Result

from callcenter.cli import main
from callcenter.domain.users import Role, User
from callcenter.escrow import groups_of, load_escrow, read_identity
from callcenter.files import only_one
from callcenter.keys import KeyRing
from callcenter.memory import MemoryStore
from callcenter.service.privacy import safekeeping

REASON = ("--reason", "密钥可能泄露")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    monkeypatch.chdir(tmp_path)
    ok("init", "--without-recovery-key")
    return tmp_path / "home"


def run(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, words, input=typed, catch_exceptions=False)


def ok(*words: str, typed: str = "") -> str:
    result = run(*words, typed=typed)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str, typed: str = "") -> str:
    result = run(*words, typed=typed)
    assert result.exit_code == 1, result.output
    return result.output


def key_in(shown: str) -> str:
    return next(line for line in shown.splitlines() if line.startswith("AGE-SECRET-KEY-1"))


def test_init_hands_over_the_recovery_key_once_and_the_paper_brings_a_lost_key_file_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOTLINE_HOME", str(home))
    monkeypatch.setenv("HOTLINE_ACTOR", "admin")
    shown = ok("init")
    paper = key_in(shown)
    assert all(group in shown for group in groups_of(paper))
    assert "抄在纸上" in shown
    assert "hotline keys confirm" in shown
    assert "█" not in shown, "a picture is for a terminal only"
    assert "AGE-SECRET-KEY" not in (again := ok("init"))
    assert not any(group in again for group in groups_of(paper))
    for path in home.rglob("*"):
        assert path.is_dir() or paper[20:60].encode() not in path.read_bytes(), path
    ok("user", "add", "c001", "--name", "林晓燕", "--role", "counsellor")
    (home / "hotline.key").unlink()
    assert "hotline keys recover" in refused("user", "show", "c001", "--json")
    ok("keys", "recover", "--identity", "-", typed=paper)
    assert "c001" in ok("user", "show", "c001", "--json")
    ok("keys", "confirm", typed=paper)


def test_init_of_a_line_that_has_people_already_makes_no_recovery_key_and_says_how(home: Path) -> None:
    again = ok("init")
    assert "AGE-SECRET-KEY" not in again
    assert "hotline keys escrow" in again
    ok("keys", "escrow")
    assert "hotline keys escrow" not in ok("init")


def test_with_the_key_file_lost_every_command_says_what_brings_it_back(home: Path) -> None:
    (home / "hotline.key").unlink()
    for words in (("user", "list"), ("audit", "list"), ("keys", "rotate", *REASON), ("keys", "escrow")):
        said = refused(*words).replace("\n", "")
        assert "数据在,密钥" in said, words
        assert "hotline keys recover --identity -" in said
    said = run("doctor").output.replace("\n", "")
    assert "hotline keys recover --identity -" in said
    assert "hotline init" not in said


def test_before_init_every_command_says_to_run_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_HOME", str(tmp_path / "nothing"))
    assert "hotline init" in refused("user", "list", "--as", "admin")
    assert not (tmp_path / "nothing").exists()


def test_the_recovery_key_is_shown_once_whole_in_groups_and_as_a_picture_and_never_kept(home: Path) -> None:
    shown = ok("keys", "escrow")
    key = key_in(shown)
    assert all(group in shown for group in groups_of(key))
    assert "█" in shown
    for path in home.rglob("*"):
        assert path.is_dir() or key[20:60].encode() not in path.read_bytes(), path
    assert (home / "recovery.json").stat().st_mode & 0o777 == 0o600
    assert "已有恢复密钥" in refused("keys", "escrow")


def test_it_counts_as_kept_only_when_it_was_typed_back_by_name(home: Path) -> None:
    key = key_in(ok("keys", "escrow"))
    typed = "age-secret-key-1" + " ".join(groups_of(key)).lower() + "\n"
    note = load_escrow(home / "recovery.json")
    assert note is not None
    assert not note.is_confirmed
    other = str(pyrage.x25519.Identity.generate())
    assert "另一把" in refused("keys", "confirm", typed=other)
    assert "对照纸上" in refused("keys", "confirm", typed=key[:-1])
    ok("keys", "confirm", typed=typed)
    note = load_escrow(home / "recovery.json")
    assert note is not None
    assert note.confirmed_by == "admin"
    assert read_identity(f"# created by age-keygen\n{key[:40]}\n{key[40:]}\n") == key


def test_another_recovery_key_needs_a_reason_and_is_unconfirmed_again(home: Path) -> None:
    key = key_in(ok("keys", "escrow"))
    ok("keys", "confirm", typed=key)
    assert "理由" in refused("keys", "escrow", "--replace")
    ok("keys", "escrow", "--replace", "--reason", "纸找不到了")
    assert "另一把" in refused("keys", "confirm", typed=key)
    (home / "hotline.key").unlink()
    assert "不是这把恢复密钥" in refused("keys", "recover", "--identity", "-", typed=key)


def test_a_new_key_is_counted_made_and_the_old_one_kept_until_there_is_a_backup(home: Path) -> None:
    key = key_in(ok("keys", "escrow"))
    assert "试算" in ok("keys", "rotate", *REASON, "--dry-run")
    assert KeyRing.load(home / "hotline.key").versions == (1,)
    assert "版本 2" in ok("keys", "rotate", *REASON)
    assert KeyRing.load(home / "hotline.key").versions == (1, 2)
    assert "确认" in refused("keys", "retire", *REASON)
    ok("keys", "confirm", typed=key)
    assert "还没有备份" in refused("keys", "retire", *REASON)
    ok("backup", "b.age")
    ok("keys", "retire", *REASON)
    assert KeyRing.load(home / "hotline.key").versions == (2,)
    assert "没有旧密钥" in refused("keys", "retire", *REASON)
    assert "admin" in ok("user", "list")


def test_the_key_files_copy_follows_every_change(home: Path) -> None:
    key = key_in(ok("keys", "escrow"))
    ok("keys", "rotate", *REASON)
    whole = (home / "hotline.key").read_bytes()
    assert "还在" in refused("keys", "recover", "--identity", "-", typed=key)
    (home / "hotline.key").unlink()
    ok("keys", "recover", "--identity", "-", typed=key)
    assert (home / "hotline.key").read_bytes() == whole


def test_with_another_recovery_key_the_copy_stays_closed(home: Path) -> None:
    ok("keys", "escrow")
    (home / "hotline.key").unlink()
    other = str(pyrage.x25519.Identity.generate())
    assert "不是这把恢复密钥" in refused("keys", "recover", "--identity", "-", typed=other)
    assert not (home / "hotline.key").exists()


def test_without_a_sensible_reason_nothing_changes(home: Path) -> None:
    before = (home / "hotline.key").read_bytes()
    assert "理由" in refused("keys", "rotate", "--reason", "。")
    assert (home / "hotline.key").read_bytes() == before


def test_two_at_once_do_not_make_two_keys(home: Path) -> None:
    with only_one(home / "keys.lock", "busy"):
        assert "另一个" in refused("keys", "rotate", *REASON)
    assert KeyRing.load(home / "hotline.key").versions == (1,)


def test_what_was_done_is_in_the_audit_without_any_key(now: datetime) -> None:
    with MemoryStore()() as work:
        work.users.add(User(code="admin", name="管理员", roles=frozenset({Role.ADMIN})))
        note = safekeeping.new_escrow(work, None, "age1x", actor="admin", now=now)
        safekeeping.confirm_escrow(work, note, "age1x", actor="admin", now=now)
        safekeeping.note_rotation(work, 2, actor="admin", now=now, reason="密钥可能泄露")
        safekeeping.note_retirement(work, 2, actor="admin", now=now, reason="密钥可能泄露")
        told = [(entry.verb, entry.object) for entry in reversed(work.audit.recent(9))]
    assert told == [
        ("keys.escrow", "recovery:new"),
        ("keys.confirm", "recovery:confirmed"),
        ("keys.rotate", "key:2"),
        ("keys.retire", "key:2"),
    ]
