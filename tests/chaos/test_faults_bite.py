"""Every fault really happens and is wholly mended: one that does nothing would prove nothing."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from ami_tap import AmiTap
from faults import FAULTS
from faults.process import leader
from postgres import BreakableServer, breakable_server
from violence import Site, check_tools

from callcenter.demo.runner import until

PATIENCE = 0.3
ORDER = b"Action: Ping\r\n\r\n"


@pytest.fixture
def asterisk() -> Iterator[int]:
    """The port of a far end that says back whatever it hears."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(end: socket.socket) -> None:
        with end, suppress(OSError):
            while heard := end.recv(4096):
                end.sendall(heard)

    def listen() -> None:
        with suppress(OSError):
            while True:
                Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    Thread(target=listen, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def wired(asterisk: int) -> Iterator[Any]:
    """A stand-in for a site with nothing but its manager link."""
    tap = AmiTap(asterisk)
    tap.start()
    yield SimpleNamespace(tap=tap)
    tap.close()


def said(link: socket.socket, patience: float = 5) -> bytes | None:
    """Return what comes back; None if nothing does, empty if the connection is gone."""
    link.settimeout(patience)
    try:
        link.sendall(ORDER)
        return link.recv(4096)
    except TimeoutError:
        return None
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("name", "meanwhile"),
    [("cut", b""), ("half_open_deaf", None), ("half_open_mute", None), ("stall", None)],
)
def test_manager_link_breaks_and_is_whole_again(wired: Any, name: str, meanwhile: bytes | None) -> None:
    with socket.create_connection(("127.0.0.1", wired.tap.port)) as link:
        assert said(link) == ORDER
        FAULTS[name].strike(wired)
        assert said(link, PATIENCE) == meanwhile
        FAULTS[name].mend(wired)
        with suppress(OSError):
            link.settimeout(5)
            late = link.recv(4096) if name != "cut" else b""
            assert late == (ORDER if name == "stall" else b""), "lost for good, or late: never half of it"
    with socket.create_connection(("127.0.0.1", wired.tap.port)) as link:
        assert said(link) == ORDER


def test_severed_link_is_let_in_again(wired: Any) -> None:
    with socket.create_connection(("127.0.0.1", wired.tap.port)) as link:
        assert said(link) == ORDER
        FAULTS["sever"].strike(wired)
        assert link.recv(4096) == b""
    with socket.create_connection(("127.0.0.1", wired.tap.port)) as link:
        assert said(link) == ORDER


def test_sqlite_is_held_by_somebody_else(tmp_path: Path) -> None:
    site: Any = SimpleNamespace(folder=tmp_path)
    with sqlite3.connect(tmp_path / "hotline.db", timeout=0, isolation_level=None) as ours:
        ours.execute("PRAGMA journal_mode=WAL")
        ours.execute("CREATE TABLE t (a)")
        FAULTS["sqlite_locked"].strike(site)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            ours.execute("INSERT INTO t VALUES (1)")
        FAULTS["sqlite_locked"].mend(site)
        ours.execute("INSERT INTO t VALUES (1)")
    ours.close()


WRITER = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as ours:
    ours.execute("CREATE TABLE t (a)")
    for line in sys.stdin:
        try:
            ours.execute("INSERT INTO t VALUES (zeroblob(100000))")
            print("kept", flush=True)
        except sqlite3.OperationalError as error:
            print(error.sqlite_errorname, flush=True)
"""


def test_database_cannot_be_written(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "x.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        site: Any = SimpleNamespace(python=SimpleNamespace(pids=lambda: [writer.pid]))
        write = asker(writer)
        assert write() == "kept"
        FAULTS["sqlite_full"].strike(site)
        assert write() == "SQLITE_IOERR_WRITE"
        FAULTS["sqlite_full"].mend(site)
        assert write() == "kept"


def asker(process: subprocess.Popen[str]) -> Callable[[], str]:
    """Return what makes a process do its work once and tells what it said."""
    assert process.stdin is not None
    assert process.stdout is not None
    to, back = process.stdin, process.stdout

    def ask() -> str:
        to.write("\n")
        to.flush()
        return back.readline().strip()

    return ask


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["postgres_stop", "postgres_kill"])
def test_postgres_is_gone_and_comes_back(name: str) -> None:
    with breakable_server() as server:
        site: Any = SimpleNamespace(postgres=server)
        where = server.server.url(server.server.new_database())
        with psycopg.connect(where) as link:
            FAULTS[name].strike(site)
            with pytest.raises(psycopg.OperationalError):
                link.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(where)
        FAULTS[name].mend(site)
        psycopg.connect(where).close()


def refuses_to_write(link: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        link.execute("CREATE TABLE IF NOT EXISTS t (a int)")
    except psycopg.errors.ReadOnlySqlTransaction:
        return True
    return False


@pytest.mark.postgres
def test_postgres_may_only_be_read_and_is_written_again() -> None:
    fault = FAULTS["postgres_read_only"]
    with breakable_server() as server:
        site: Any = SimpleNamespace(postgres=server)
        where = server.server.url(server.server.new_database())
        with psycopg.connect(where, autocommit=True) as before:
            assert not refuses_to_write(before)
            fault.strike(site)
            assert before.execute("SELECT 1").fetchall() == [(1,)]
            until(lambda: refuses_to_write(before), 5, what="an open session to be told as well")
            fault.mend(site)
            until(lambda: not refuses_to_write(before), 5, what="an open session to be told as well")
        _told_while_away(server, fault.strike, refuses=True)
        _told_while_away(server, fault.mend, refuses=False)


def _told_while_away(server: BreakableServer, act: Callable[[Any], object], *, refuses: bool) -> None:
    server.kill()
    act(SimpleNamespace(postgres=server))
    server.start()
    with psycopg.connect(server.server.url("postgres"), autocommit=True) as link:
        assert refuses_to_write(link) is refuses


@pytest.mark.parametrize(
    ("name", "seconds"), [("clock_forward", 10_800), ("clock_back", -1800), ("clock_slip", -90)]
)
def test_clock_of_a_running_process_is_stepped(tmp_path: Path, name: str, seconds: int) -> None:
    site: Any = SimpleNamespace(folder=tmp_path, python=SimpleNamespace(environment={}))
    FAULTS[name].prepare(site)
    tell = "import sys, time\nfor _ in sys.stdin: print(time.time(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", tell],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | site.python.environment,
    ) as process:
        ask = asker(process)
        for act, off in ((None, 0), (FAULTS[name].strike, seconds), (FAULTS[name].mend, 0)):
            if act is not None:
                act(site)
            assert abs(float(ask()) - datetime.now(UTC).timestamp() - off) < 30


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """A stand-in for a site with nothing but a journal of four rows."""
    file = tmp_path / "journal.csv"
    file.write_bytes(b"".join(b"row %d\n" % n for n in range(4)))
    killed: list[bool] = []
    process = SimpleNamespace(kill=lambda: killed.append(True))

    def rotate() -> Path:
        return file.rename(tmp_path / "journal.csv.20261127T000000Z")

    pbx = SimpleNamespace(journal_file=file, process=process, killed=killed)
    return SimpleNamespace(pbx=pbx, rotate_journal=rotate)


def rows_in_sight(site: Any) -> list[bytes]:
    """Return the lines that a reader of the journal finds, in no order."""
    file: Path = site.pbx.journal_file
    return sorted(b"".join(f.read_bytes() for f in file.parent.glob("journal.csv*")).splitlines())


def test_journal_is_out_of_sight_and_delivered_late(written: Any) -> None:
    FAULTS["journal_late"].strike(written)
    written.pbx.journal_file.write_bytes(b"row 4\n")
    FAULTS["journal_late"].strike(written)
    assert rows_in_sight(written) == [b"row 4"]
    FAULTS["journal_late"].mend(written)
    assert rows_in_sight(written) == [b"row %d" % n for n in range(5)]


def test_journal_is_begun_anew_told_twice_and_cut(written: Any) -> None:
    FAULTS["journal_twice"].strike(written)
    assert rows_in_sight(written) == [b"row 0", b"row 1", b"row 2", b"row 2", b"row 3", b"row 3"]
    FAULTS["journal_cut"].strike(written)
    assert written.pbx.killed
    assert not written.pbx.journal_file.read_bytes().endswith(b"\n")
    FAULTS["journal_rotated"].strike(written)
    assert not written.pbx.journal_file.exists()


@pytest.fixture
def apart(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Our processes alone, each part by itself, on a store of their own; no Asterisk is there."""
    check_tools()
    site = Site("postgres", apart=True)
    try:
        site.python.start(ready=False)
        yield site
    finally:
        site.close(keep=bool(request.session.testsfailed))


def until_one_leads(site: Site) -> None:
    until(lambda: len(site.apart.leaders()) == 1, 30, what="one scheduler to lead")


def are_well(site: Site) -> bool:
    """Tell whether each part runs once and says how it is."""
    units = [*site.apart.units("bridge"), *site.apart.units("scheduler")]
    return len(site.python.pids()) == len(units) and all(unit.readiness() for unit in units)


@pytest.mark.asterisk
@pytest.mark.postgres
def test_each_part_alone_dies_and_hangs_and_is_there_again(apart: Site) -> None:
    until(lambda: are_well(apart), 30, what="every part to be up")
    for name, find in (("hang_leader", leader), ("kill_leader", leader), ("hang_bridge", bridge)):
        until_one_leads(apart)
        struck = find(apart)
        FAULTS[name].strike(apart)
        assert struck.lives is name.startswith("hang")
        assert struck.readiness() == {}
        until_one_leads(apart)
        assert leader(apart) is not struck, "another has the lead, also of one that hangs"
        FAULTS[name].mend(apart)
        until(lambda: are_well(apart), 30, what="every part to be up again")
    until_one_leads(apart)
    FAULTS["kill_bridge"].strike(apart)
    assert not bridge(apart).lives
    assert len(apart.python.pids()) == len(apart.apart.units("scheduler"))
    FAULTS["kill_bridge"].mend(apart)
    FAULTS["kill_bridge"].mend(apart)
    until(lambda: are_well(apart), 30, what="the bridge to be up again")
    _is_there_twice(apart)
    FAULTS["pbx_restart"].strike(apart)
    FAULTS["pbx_kill"].strike(apart)
    assert not apart.pbx.process.is_running, "what is down already is struck in vain"


def _is_there_twice(site: Site) -> None:
    """A second one of everything comes up, once, and is ended."""
    before = site.python.pids()
    started = site.python.said("serve.started")
    FAULTS["twice"].strike(site)
    FAULTS["twice"].strike(site)
    until(lambda: site.python.said("serve.started") > started, 30, what="the second one to be at work")
    assert len(site.python.pids()) == len(before) + 1
    FAULTS["twice"].mend(site)
    FAULTS["twice"].mend(site)
    assert site.python.pids() == before
    assert site.python.said("serve.stopped") == 1, "it ended in order"


def bridge(site: Site) -> Any:
    (found,) = site.apart.units("bridge")
    return found
