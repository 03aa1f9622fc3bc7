"""The restore drill: a machine is lost, and one file and the paper with the recovery key bring it back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyrage
import pytest
from click.testing import CliRunner, Result
from postgres import Server
from sqlalchemy import text
from test_store_at_rest import NAMES, NUMBERS, SCORE, store_something_personal

from callcenter.cli import main
from callcenter.db.backup import Source, write_backup
from callcenter.db.backup_format import ABOUT, MANIFEST, end, head, member, padding
from callcenter.db.engine import make_engine
from callcenter.db.migrate import upgrade
from callcenter.db.tables import metadata
from callcenter.db.unit_of_work import open_store
from callcenter.domain.people import Consent, ConsentKind, Person
from callcenter.errors import Refused
from callcenter.escrow import new_identity, recipient_of
from callcenter.keys import KeyRing
from callcenter.ports import UnitOfWork

VOICE = b"RIFF" + bytes(range(256)) * 40


@dataclass(frozen=True)
class Machine:
    """A folder of a line, its configuration and its database."""

    home: Path
    url: str
    config: Path

    def run(self, *words: str, typed: str = "") -> Result:
        environment = {"HOTLINE_HOME": str(self.home), "HOTLINE_DATABASE__URL": self.url}
        return CliRunner(env=environment).invoke(main, words, input=typed, catch_exceptions=False)

    def ok(self, *words: str, typed: str = "") -> str:
        result = self.run(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 1, result.output
        return result.output

    @contextmanager
    def unit(self) -> Iterator[UnitOfWork]:
        with work_on(self.url, self.home / "hotline.key") as work:
            yield work


@contextmanager
def work_on(url: str, key_file: Path) -> Iterator[UnitOfWork]:
    store = open_store(url, KeyRing.load(key_file))
    try:
        with store() as work:
            yield work
    finally:
        store.close()


@pytest.fixture
def new_database(postgres_server: Server, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes blank databases: `sqlite` or `postgres`."""
    made: list[str] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / f'blank{len(os.listdir(tmp_path))}' / 'hotline.db'}"
        made.append(postgres_server.new_database())
        return postgres_server.url(made[-1])

    yield make
    for name in made:
        postgres_server.drop_database(name)


def set_up(machine: Machine, now: datetime) -> str:
    """Begin a line, fill it, make a recovery key; return the key."""
    shown = machine.ok("init")
    identity = next(line for line in shown.splitlines() if line.startswith("AGE-SECRET-KEY-1"))
    machine.ok("keys", "confirm", "--as", "admin", typed=identity + "\n")
    store = open_store(machine.url, KeyRing.load(machine.home / "hotline.key"))
    store_something_personal(store, now)
    store.close()
    with machine.unit() as work:
        consent = Consent(
            person="p1", kind=ConsentKind.IVR_CHECKIN, granted=True, at=now, channel="v", script_version="1"
        )
        work.people.add_consent(consent)
        work.commit()
    journal = machine.home / "asterisk" / "log" / "cel-custom"
    journal.mkdir(parents=True)
    (journal / "journal.csv").write_text(f'"CHAN_START","{NUMBERS[0]}"\n')
    (machine.home / "asterisk" / "spool" / "messages").mkdir(parents=True)
    (machine.home / "asterisk" / "spool" / "messages" / "pbx1-1.1-left.wav").write_bytes(VOICE)
    (machine.home / "recordings").mkdir()
    (machine.home / "recordings" / "ab12.sealed").write_bytes(b"sealed")
    (machine.home / "texts").mkdir()
    (machine.home / "texts" / "欢迎.yaml").write_text("greet: 您好\n")
    return identity


def content(machine: Machine) -> list[object]:
    with machine.unit() as work:
        return [
            work.users.all(),
            work.people.all(),
            work.people.consents("p1"),
            work.people.suppressions("p1"),
            work.people.files(),
            work.calls.get("pbx1-1700000000.12"),
            work.debts.get("ob-1"),
            [e for e in work.audit.recent(100) if e.verb not in {"backup.restore"}],
        ]


@pytest.fixture
def lost(tmp_path: Path, new_database: Callable[[str], str], request: pytest.FixtureRequest) -> Machine:
    """The machine that will be lost; its database as the test asks."""
    kind: str = getattr(request, "param", "sqlite")
    home = tmp_path / "lost"
    url = f"sqlite:///{home / 'hotline.db'}" if kind == "sqlite" else new_database(kind)
    return Machine(home, url, tmp_path / "hotline.toml")


PAIRS = [(a, b) for a in ("sqlite", "postgres") for b in ("sqlite", "postgres")]


@pytest.mark.postgres
@pytest.mark.parametrize(("lost", "onto"), PAIRS, indirect=["lost"])
def test_p11_the_file_and_the_recovery_key_bring_a_line_back_on_a_blank_machine(
    lost: Machine, onto: str, tmp_path: Path, new_database: Callable[[str], str], now: datetime
) -> None:
    identity = set_up(lost, now)
    file, paper = tmp_path / "b.age", tmp_path / "paper"
    paper.write_text(f"# 恢复密钥\n{identity[:30]} \n {identity[30:]}\n")
    lost.ok("backup", str(file), "--as", "admin")
    before = content(lost)
    blank = Machine(tmp_path / "blank", new_database(onto), tmp_path / "none.toml")
    said = blank.ok("restore", str(file), "--identity", str(paper))
    assert "完好" in said
    assert content(blank) == before
    assert (blank.home / "hotline.key").read_bytes() == (lost.home / "hotline.key").read_bytes()
    for name in (
        "recordings/ab12.sealed",
        "texts/欢迎.yaml",
        "asterisk/log/cel-custom/journal.csv",
        "asterisk/spool/messages/pbx1-1.1-left.wav",
    ):
        assert (blank.home / name).read_bytes() == (lost.home / name).read_bytes()
        assert (blank.home / name).stat().st_mode & 0o077 == 0
    assert "完好" in blank.ok("audit", "verify", "--as", "admin")
    with blank.unit() as work:
        assert work.audit.recent(1)[0].verb == "backup.restore"
        work.people.add(Person(id="p9", code="P-0009"))
        consent = Consent(
            person="p9", kind=ConsentKind.IVR_CHECKIN, granted=True, at=now, channel="v", script_version="1"
        )
        work.people.add_consent(consent)
        work.commit()
    assert blank.run("init").exit_code == 0


def test_who_steals_the_backup_reads_no_name_no_number_and_no_voice(
    lost: Machine, tmp_path: Path, now: datetime
) -> None:
    set_up(lost, now)
    lost.ok("backup", str(tmp_path / "b.age"), "--as", "admin")
    stolen = (tmp_path / "b.age").read_bytes()
    assert stolen.startswith(b"age-encryption.org/v1\n")
    for secret in (*NAMES, *NUMBERS, SCORE, "您好", "P-7F3K", "c017"):
        assert secret.encode() not in stolen
    assert VOICE[100:140] not in stolen
    assert (tmp_path / "b.age").stat().st_mode & 0o077 == 0


def test_the_plain_age_format_holds_a_plain_tar(lost: Machine, tmp_path: Path, now: datetime) -> None:
    identity = set_up(lost, now)
    lost.ok("backup", str(tmp_path / "b.age"), "--as", "admin")
    clear = pyrage.decrypt((tmp_path / "b.age").read_bytes(), [pyrage.x25519.Identity.from_str(identity)])
    names = tarfile.open(fileobj=io.BytesIO(clear)).getnames()
    assert names[0] == ABOUT
    assert names[-1] == MANIFEST
    assert {f"tables/{table}/000001.jsonl" for table in metadata.tables} <= set(names)


def test_without_a_recovery_key_there_is_no_backup(lost: Machine, tmp_path: Path) -> None:
    lost.ok("init", "--without-recovery-key")
    assert "hotline keys escrow" in lost.refused("backup", str(tmp_path / "b.age"), "--as", "admin")
    assert not (tmp_path / "b.age").exists()


def test_a_backup_is_never_overwritten_by_another(lost: Machine, tmp_path: Path, now: datetime) -> None:
    set_up(lost, now)
    (tmp_path / "b.age").write_bytes(b"kept")
    assert "不覆盖" in lost.refused("backup", str(tmp_path / "b.age"), "--as", "admin")
    assert (tmp_path / "b.age").read_bytes() == b"kept"
    assert not list(tmp_path.glob(".b.age*"))


def test_a_backup_that_fails_half_way_leaves_no_file(lost: Machine, tmp_path: Path, now: datetime) -> None:
    identity = set_up(lost, now)
    source = Source(database_url=lost.url, home=lost.home, config_file=lost.config)

    def fail_at_calls(name: str) -> None:
        if name == "calls":
            raise Refused("磁盘满")

    with pytest.raises(Refused, match="磁盘满"):
        write_backup(tmp_path / "b.age", source, recipient_of(identity), now=now, progress=fail_at_calls)
    assert not list(tmp_path.glob("*b.age*"))


@pytest.mark.postgres
@pytest.mark.parametrize("lost", ["sqlite", "postgres"], indirect=True)
def test_the_picture_is_of_one_moment_while_the_line_goes_on(
    lost: Machine, tmp_path: Path, new_database: Callable[[str], str], now: datetime
) -> None:
    identity = set_up(lost, now)
    source = Source(database_url=lost.url, home=lost.home, config_file=lost.config)

    def somebody_is_added(name: str) -> None:
        if name == "users":  # tables of people come later
            with lost.unit() as work:
                work.people.add(Person(id="late", code="P-LATE"))
                work.commit()

    write_backup(tmp_path / "b.age", source, recipient_of(identity), now=now, progress=somebody_is_added)
    with lost.unit() as work:
        assert work.people.get("late")
    blank = Machine(tmp_path / "blank", new_database("sqlite"), lost.config)
    (tmp_path / "paper").write_text(identity)
    blank.ok("restore", str(tmp_path / "b.age"), "--identity", str(tmp_path / "paper"))
    with blank.unit() as work:
        assert [person.id for person in work.people.all()] == ["p1"]


# --- what is wrong with a file ----------------------------------------------------------------


@pytest.fixture
def backed_up(lost: Machine, tmp_path: Path, now: datetime) -> tuple[Path, Path]:
    """A good backup, and the paper."""
    identity = set_up(lost, now)
    lost.ok("backup", str(tmp_path / "b.age"), "--as", "admin")
    (tmp_path / "paper").write_text(identity)
    return tmp_path / "b.age", tmp_path / "paper"


def assert_refused_and_nothing_there(file: Path, paper: Path, tmp_path: Path, says: str) -> None:
    blank = Machine(
        tmp_path / "blank", f"sqlite:///{tmp_path / 'blank' / 'hotline.db'}", tmp_path / "none.toml"
    )
    for words in (["restore", str(file)], ["backup", "--check", str(file)]):
        assert says in blank.refused(*words, "--identity", str(paper))
    assert not blank.home.exists() or not list(blank.home.iterdir())


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_refused(backed_up: tuple[Path, Path], tmp_path: Path, part: float) -> None:
    file, paper = backed_up
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    assert_refused_and_nothing_there(file, paper, tmp_path, "备份")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.999])
def test_a_changed_bit_is_refused(backed_up: tuple[Path, Path], tmp_path: Path, part: float) -> None:
    file, paper = backed_up
    content = bytearray(file.read_bytes())
    content[int(len(content) * part)] ^= 4
    file.write_bytes(content)
    assert_refused_and_nothing_there(file, paper, tmp_path, "备份")


def test_another_lines_recovery_key_is_refused(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, paper = backed_up
    paper.write_text(new_identity())
    assert_refused_and_nothing_there(file, paper, tmp_path, "另一把")


def test_a_key_with_a_slip_of_the_pen_is_refused_kindly(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, paper = backed_up
    key = paper.read_text()
    paper.write_text(key[:40] + ("Q" if key[40] != "Q" else "P") + key[41:])
    assert_refused_and_nothing_there(file, paper, tmp_path, "对照纸上逐组检查")


def remade(
    file: Path, paper: Path, change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]
) -> None:
    """Open a backup, change its members, and encrypt it again, as somebody with the public half could."""
    identity = paper.read_text()
    clear = pyrage.decrypt(file.read_bytes(), [pyrage.x25519.Identity.from_str(identity)])
    tar = tarfile.open(fileobj=io.BytesIO(clear))
    members = [(m.name, tar.extractfile(m).read()) for m in tar]  # type: ignore[union-attr]
    again = b"".join(b"".join(member(*one)) for one in change(members)) + end()
    file.write_bytes(pyrage.encrypt(again, [pyrage.x25519.Recipient.from_str(recipient_of(identity))]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda members: members[:-1], "末尾的清单"),
        (lambda members: members[1:], "不是本系统的备份"),
        (lambda members: [m for m in members if m[0] != "tables/people/000001.jsonl"], "people"),
        (lambda members: [m for m in members if m[0] != "home/recordings/ab12.sealed"], "ab12.sealed"),
        (lambda members: [*members[:-1], ("home/../../evil", b"x"), members[-1]], "文件名"),
        (lambda members: [*members[:-1], ("etc/passwd", b"x"), members[-1]], "文件名"),
        (lambda members: [*members[:-1], ("tables/pg_shadow/000001.jsonl", b"[]\n"), members[-1]], "不符"),
        (lambda members: [*members[:-1], ("tables/users/000002.jsonl", b"{\n"), members[-1]], "读不懂"),
        (lambda members: [(ABOUT, b'{"format": "other/1"}'), *members[1:]], "读不懂"),
    ],
)
def test_what_was_put_together_by_somebody_else_is_refused(
    backed_up: tuple[Path, Path],
    tmp_path: Path,
    change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]],
    says: str,
) -> None:
    file, paper = backed_up
    remade(file, paper, change)
    assert_refused_and_nothing_there(file, paper, tmp_path, says)


def test_a_link_out_of_the_folder_is_refused(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    file, paper = backed_up
    link = tarfile.TarInfo("home/texts/x")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    identity = paper.read_text()
    clear = link.tobuf(tarfile.PAX_FORMAT) + end()
    file.write_bytes(pyrage.encrypt(clear, [pyrage.x25519.Recipient.from_str(recipient_of(identity))]))
    assert_refused_and_nothing_there(file, paper, tmp_path, "不是本系统的备份")
    assert head("a", 3)[:1] == b"a"
    assert len(padding(3)) == 509


# --- what stands there already ---------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("lost", ["sqlite", "postgres"], indirect=True)
def test_a_line_that_stands_is_not_replaced_unless_its_administrator_says_so(
    lost: Machine, backed_up: tuple[Path, Path], now: datetime
) -> None:
    file, paper = backed_up
    before = content(lost)
    with lost.unit() as work:
        work.people.add(Person(id="later", code="P-9999"))
        work.commit()
    words = ("restore", str(file), "--identity", str(paper))
    assert "--overwrite" in lost.refused(*words)
    assert "--reason" in lost.refused(*words, "--overwrite")
    assert "c017" in lost.refused(*words, "--overwrite", "--as", "c017", "--reason", "误删了记录")
    lost.ok(*words, "--overwrite", "--as", "admin", "--reason", "误删了记录", "--dry-run")
    with lost.unit() as work:
        assert work.people.get("later")
    said = lost.ok(*words, "--overwrite", "--as", "admin", "--reason", "误删了记录")
    assert content(lost) == before
    assert "完好" in lost.ok("audit", "verify", "--as", "admin")
    with lost.unit() as work:
        last = work.audit.recent(1)[0]
    assert (last.actor, last.verb, last.reason) == ("admin", "backup.restore", "误删了记录")
    if lost.url.startswith("sqlite"):
        assert "before-" in said
        kept = next(lost.home.glob("hotline.db.before-????????-??????"))
        with work_on(f"sqlite:///{kept}", lost.home / "hotline.key") as work:
            assert work.people.get("later")


@pytest.mark.postgres
@pytest.mark.parametrize("onto", ["sqlite", "postgres"])
def test_a_bad_chain_in_a_backup_is_refused_and_the_store_stays_empty(
    lost: Machine, onto: str, tmp_path: Path, new_database: Callable[[str], str], now: datetime
) -> None:
    identity = set_up(lost, now)
    engine = make_engine(lost.url)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text("UPDATE audit SET actor = 's001' WHERE seq = 2"))
    engine.dispose()
    lost.ok("backup", str(tmp_path / "b.age"), "--as", "admin")
    (tmp_path / "paper").write_text(identity)
    blank = Machine(tmp_path / "blank", new_database(onto), lost.config)
    said = blank.refused("restore", str(tmp_path / "b.age"), "--identity", str(tmp_path / "paper"))
    assert "第 2 条" in said
    assert not (blank.home / "hotline.key").exists()
    if onto == "postgres":
        engine = make_engine(blank.url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM people")) == 0
        engine.dispose()


_RESTORE = """
import sys
from callcenter.db import swapping
from callcenter.cli import main

swapping.place = lambda *_: (print("placing", flush=True), sys.stdin.read())
main(sys.argv[1:])
"""


def test_killed_before_anything_took_its_place_the_blank_machine_is_still_blank(
    backed_up: tuple[Path, Path], tmp_path: Path
) -> None:
    file, paper = backed_up
    blank = Machine(
        tmp_path / "blank", f"sqlite:///{tmp_path / 'blank' / 'hotline.db'}", tmp_path / "none.toml"
    )
    words = ["restore", str(file), "--identity", str(paper), "--into", str(blank.home)]
    with subprocess.Popen(
        [sys.executable, "-c", _RESTORE, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if not k.startswith("HOTLINE_")},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"placing\n"
        process.kill()
    assert not (blank.home / "hotline.key").exists()
    assert not (blank.home / "hotline.db").exists()
    blank.ok("restore", str(file), "--identity", str(paper))
    with blank.unit() as work:
        assert work.people.get("p1").name == NAMES[1]


def test_a_lost_key_file_comes_back_by_the_recovery_key_alone(
    backed_up: tuple[Path, Path], lost: Machine
) -> None:
    _, paper = backed_up
    before = content(lost)
    (lost.home / "hotline.key").unlink()
    assert lost.run("init").exit_code == 1
    lost.ok("keys", "recover", "--identity", str(paper))
    assert (lost.home / "hotline.key").stat().st_mode & 0o777 == 0o600
    assert content(lost) == before


def test_a_backup_of_before_a_new_key_is_read_with_the_key_of_its_time(
    backed_up: tuple[Path, Path], lost: Machine, tmp_path: Path
) -> None:
    file, paper = backed_up
    lost.ok("keys", "rotate", "--as", "admin", "--reason", "密钥可能泄露")
    lost.ok("backup", str(tmp_path / "new.age"), "--as", "admin")
    lost.ok("keys", "retire", "--as", "admin", "--reason", "密钥可能泄露")
    for one in (file, tmp_path / "new.age"):
        home = tmp_path / f"from-{one.stem}"
        blank = Machine(home, f"sqlite:///{home / 'hotline.db'}", lost.config)
        blank.ok("restore", str(one), "--identity", str(paper))
        with blank.unit() as work:
            assert work.people.by_number(NUMBERS[1]) == work.people.get("p1")
    upgrade(lost.url)
