"""A restore over a line that stands: alone, whole or not at all, and without those who were erased since."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from test_backup_restore import Machine, lost, new_database, set_up
from test_store_at_rest import NAMES, NUMBERS

from callcenter.db import rotation
from callcenter.db.engine import make_engine
from callcenter.domain.books import HOLDS, TOMBSTONES
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import FileStatus, Person
from callcenter.domain.privacy import RequestKind
from callcenter.domain.users import Role, User
from callcenter.service.privacy.erasing import erase
from callcenter.service.privacy.holds import set_hold
from callcenter.service.privacy.requests import open_request

__all__ = ["lost", "new_database"]
WHY = ("--overwrite", "--as", "admin", "--reason", "误删了记录")
KINDS = pytest.mark.parametrize("lost", ["sqlite", "postgres"], indirect=True)
pytestmark = pytest.mark.postgres


@pytest.fixture
def words(lost: Machine, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """A line, a backup of it, then another key and another person; the words that bring the backup back."""
    monkeypatch.setattr(rotation, "NOTICE", 0.0)  # no other process is there that had to see the new key
    identity = set_up(lost, now)
    with lost.unit() as work:
        work.calls.put_many([_call(now)])
        work.commit()
    lost.ok("backup", str(tmp_path / "b.age"), "--as", "admin")
    (tmp_path / "paper").write_text(identity)
    lost.ok("keys", "rotate", "--as", "admin", "--reason", "密钥可能泄露")
    lost.ok("keys", "retire", "--without-backup", "--as", "admin", "--reason", "密钥可能泄露")
    with lost.unit() as work:
        work.people.add(Person(id="later", code="P-9999", name="后来的人"))
        work.commit()
    return ("restore", str(tmp_path / "b.age"), "--identity", str(tmp_path / "paper"))


def _call(now: datetime) -> CallRecord:
    return CallRecord(
        id="1.1",
        direction=Direction.INBOUND,
        outcome=Outcome.ABANDONED,
        started_at=now,
        ended_at=now,
        number=NUMBERS[1],
    )


def is_new(machine: Machine) -> bool:
    """Tell which line stands there: the present one, or the backup's; it opens with the key that stands."""
    with machine.unit() as work:
        assert work.people.get("p1").name == NAMES[1]
        return not work.people.many(["later"])


# --- others at work -------------------------------------------------------------------------


@contextmanager
def another_process(machine: Machine) -> Iterator[None]:
    """Another process that has the store open, and idles."""
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from callcenter.db.unit_of_work import open_store\n"
        "from callcenter.keys import KeyRing\n"
        "store = open_store(sys.argv[1], KeyRing.load(Path(sys.argv[2])))\n"
        "with store() as work: work.users.all()\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-c", script, machine.url, str(machine.home / "hotline.key")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        yield
        process.kill()


@KINDS
def test_a_store_that_is_open_elsewhere_is_not_replaced(lost: Machine, words: tuple[str, ...]) -> None:
    with another_process(lost):
        assert "先停下" in lost.refused(*words, *WHY)
        assert not is_new(lost)
        assert lost.run("user", "list", "--as", "admin").exit_code == 0
    lost.ok(*words, *WHY)
    assert is_new(lost)


# --- killed in the midst of it ---------------------------------------------------------------

_KILLED = """
import sys
from callcenter.db import swapping
from callcenter.cli import main

where, name, after = sys.argv[1].split(":")
inner, seen = getattr(swapping, name), 0

def stop(*given):
    global seen
    seen += 1
    if after == "after":
        inner(*given)
    if seen == int(where):
        print("there", flush=True)
        sys.stdin.read()
    return None if after == "after" else inner(*given)

setattr(swapping, name, stop)
main(sys.argv[2:])
"""


def kill_at(place: str, machine: Machine, words: tuple[str, ...]) -> None:
    """Run a command and kill it (SIGKILL) before or after the n-th call of a function: `2:note:after`."""
    environment = {**os.environ, "HOTLINE_HOME": str(machine.home), "HOTLINE_DATABASE__URL": machine.url}
    arguments = [sys.executable, "-c", _KILLED, place, *words]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"there\n"
        process.kill()


PLACES = [
    ("sqlite", "1:note:after", False),
    ("sqlite", "1:make_last:after", False),
    ("sqlite", "1:place:before", True),
    ("sqlite", "1:_place_store:before", True),
    ("sqlite", "1:_place_store:after", True),
    ("postgres", "1:note:after", False),
    ("postgres", "1:make_last:after", False),
    ("postgres", "2:note:after", False),
    ("postgres", "1:place:before", True),
    ("postgres", "1:_forget_table:before", True),
]


@pytest.mark.parametrize(("lost", "place", "new"), PLACES, indirect=["lost"])
def test_killed_at_any_place_the_line_is_the_old_or_the_new_one_and_opens_with_its_key(
    lost: Machine, words: tuple[str, ...], place: str, new: bool
) -> None:
    kill_at(place, lost, (*words, *WHY))
    assert "restore --finish" in lost.refused("user", "list", "--as", "admin")
    assert "restore --finish" in lost.refused("init")
    lost.ok("restore", "--finish")
    assert is_new(lost) is new
    assert "完好" in lost.ok("audit", "verify", "--as", "admin")
    left = [path.name for path in lost.home.iterdir() if "restoring" in path.name]
    assert left == [".restoring.lock"]


def test_killed_again_while_it_is_finished_it_is_finished_after_all(
    lost: Machine, words: tuple[str, ...]
) -> None:
    kill_at("1:place:before", lost, (*words, *WHY))
    kill_at("1:_place_store:before", lost, ("restore", "--finish"))
    lost.ok("restore", "--finish")
    assert is_new(lost)


def test_nobody_finishes_a_restore_that_is_still_at_work(lost: Machine, words: tuple[str, ...]) -> None:
    environment = {**os.environ, "HOTLINE_HOME": str(lost.home), "HOTLINE_DATABASE__URL": lost.url}
    arguments = [sys.executable, "-c", _KILLED, "1:make_last:before", *words, *WHY]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"there\n"
        assert "正在进行" in lost.refused("restore", "--finish")
        assert process.communicate()[0]
    assert process.returncode == 0
    assert is_new(lost)


# --- who was erased since --------------------------------------------------------------------


@KINDS
def test_r43_who_was_erased_after_the_backup_does_not_come_back_with_it(
    lost: Machine, words: tuple[str, ...], now: datetime
) -> None:
    with lost.unit() as work:
        work.users.add(User(code="s900", name="顾明", roles=frozenset({Role.SUPERVISOR})))
        for owed in work.debts.open(person="p1"):
            work.debts.close(owed.id, "本人不再需要", "s900", now)
        for file in work.people.files_of("p1"):
            work.people.put_file(replace(file, status=FileStatus.CLOSED))
        asked = open_request(
            work, "p1", RequestKind.ERASURE, identity_check="当面看过身份证", actor="s900", now=now
        )
        erase(work, asked.id, actor="s900", now=now, reason="本人要求删除")
        set_hold(work, "person:later", actor="s900", now=now, reason="法院调取通知")
        work.commit()
    said = lost.ok(*words, *WHY)
    assert "重新删除" in said
    with lost.unit() as work:
        known = work.people.get("p1")
        assert (known.name, known.phones) == (None, ())
        assert work.calls.get("1.1").number is None
        assert {"person:p1"} <= {stone.object for stone in work.book(TOMBSTONES).where()}
        assert [hold.object for hold in work.book(HOLDS).where()] == ["person:later"]
    assert "完好" in lost.ok("audit", "verify", "--as", "admin")


def test_on_a_blank_machine_it_is_said_that_erasures_have_to_be_done_again(
    lost: Machine, words: tuple[str, ...], tmp_path: Path
) -> None:
    blank = Machine(tmp_path / "blank", f"sqlite:///{tmp_path / 'blank' / 'hotline.db'}", lost.config)
    assert "重新办理" in blank.ok(*words)


# --- looking into a backup --------------------------------------------------------------------


def test_a_check_opens_what_is_sealed_and_follows_the_audit(lost: Machine, words: tuple[str, ...]) -> None:
    assert "完好" in lost.ok("backup", "--check", *words[1:])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE people SET name = zeroblob(60)", "people"),
        ("DROP TRIGGER audit_no_update; UPDATE audit SET actor = 's001' WHERE seq = 2", "第 2 条"),
    ],
)
def test_a_check_finds_what_could_be_restored_and_would_be_of_no_use(
    lost: Machine, words: tuple[str, ...], tmp_path: Path, change: str, says: str
) -> None:
    engine = make_engine(lost.url)
    with engine.begin() as connection:
        for statement in change.split(";"):
            connection.execute(text(statement))
    engine.dispose()
    lost.ok("backup", str(tmp_path / "bad.age"), "--as", "admin")
    assert says in lost.refused("backup", "--check", str(tmp_path / "bad.age"), *words[2:])
