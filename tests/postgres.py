"""A real PostgreSQL server for the tests, from its own binaries, in a folder that goes away.

It listens on a Unix socket in that folder only, runs as an unprivileged user (initdb refuses root)
and dies with the process that started it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg

MEND = "PostgreSQL's server binaries are missing. Mend: apt-get install postgresql (or run scripts/test)."
_USER = "hotline"
_DEADLINE = 60.0


@dataclass(frozen=True)
class Server:
    """A running server; `folder` is also where its socket is."""

    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Return the store's URL of a database."""
        return f"postgresql://{_USER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Create a database and return its name."""
        name = f"t{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def empty(self, name: str, tables: list[str]) -> None:
        """Take every row out of a store; a tenth of the time that a fresh database takes."""
        others = f"FROM pg_stat_activity WHERE datname = '{name}'"
        self._execute(f"SELECT pg_terminate_backend(pid) {others}")
        # As a replica the server obeys neither the triggers nor the references that protect the rows.
        deletes = "; ".join(f"DELETE FROM {table}" for table in reversed(tables))  # noqa: S608
        self._execute(f"SET session_replication_role = replica; {deletes}", database=name)

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def checkpoint(self) -> None:
        """Make the server write everything it holds into its data folder."""
        self._execute("CHECKPOINT")

    def _execute(self, commands: str, database: str = "postgres") -> None:
        where = f"host={self.folder} user={_USER} dbname={database}"
        with psycopg.connect(where, autocommit=True) as link:
            link.execute(commands)


@dataclass(kw_only=True)
class BreakableServer:
    """A server of one test's own, to be stopped, killed and started again. All three return when done."""

    server: Server
    binaries: Path
    prefix: list[str]
    durable: bool = False
    _process: subprocess.Popen[bytes] | None = None
    #: It dies with the *thread* that started it (prctl(2), PR_SET_PDEATHSIG): one that lives as long as we.
    _keeper: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))

    @property
    def is_running(self) -> bool:
        """Tell whether the server is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, after a kill through its own recovery; do nothing if it runs."""
        if not self.is_running:
            self._process = self._keeper.submit(self._launch).result()
            _wait(self._process, self.server.folder)

    def stop(self) -> None:
        """Stop it as its service manager does: whoever is connected is cut off."""
        if self._process is not None:
            _stop(self._process)

    def kill(self) -> None:
        """End it and all of its children at once, as a power cut does."""
        if self._process is None:
            return
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        family = [int(pid) for pid in children.read_text().split()] if children.exists() else []
        self._process.kill()  # first, or it would restart its children
        self._process.wait()
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _launch(self) -> subprocess.Popen[bytes]:
        return _launch(self.binaries, self.server.folder, self.prefix, durable=self.durable)


@contextmanager
def breakable_server(*, durable: bool = False) -> Iterator[BreakableServer]:
    """Start a server that may be broken, yield it, stop it and remove its folder."""
    with _initialised() as (binaries, folder, prefix):
        made = BreakableServer(server=Server(folder), binaries=binaries, prefix=prefix, durable=durable)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server, yield it, stop it and remove its folder.

    `durable`: it waits for the disk at each commit, as a site's does; tests need not.
    """
    with _initialised() as (binaries, folder, prefix):
        process = _launch(binaries, folder, prefix, durable=durable)
        try:
            _wait(process, folder)
            yield Server(folder)
        finally:
            _stop(process)


@contextmanager
def _initialised() -> Iterator[tuple[Path, Path, list[str]]]:
    """Make a cluster; yield the binaries' folder, its own, and what to put before a command."""
    binaries = find_binaries()
    # Not pytest's own folder: that is closed to other users, and socket paths must stay short.
    folder = Path(tempfile.mkdtemp(prefix="hotline-pg-"))
    try:
        prefix = _unprivileged(folder)
        _initialise(binaries, folder, prefix)
        yield binaries, folder, prefix
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path:
    """Return the newest folder with `initdb` and `postgres`, or fail with the mend."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    on_path = shutil.which("initdb")
    candidates = [*reversed(packaged), *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise AssertionError(MEND)


def _unprivileged(folder: Path) -> list[str]:
    """Give the folder to an unprivileged user and return the command that becomes that user."""
    dies_with_us = ["setpriv", "--pdeathsig", "KILL"]
    if os.geteuid() != 0:
        return dies_with_us
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [*dies_with_us, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _initialise(binaries: Path, folder: Path, prefix: list[str]) -> None:
    initdb = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", _USER, "-A", "trust"]
    made = subprocess.run(
        [*prefix, *initdb, "--no-sync", "--encoding=UTF8", "--locale=C"],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert made.returncode == 0, made.stderr


def _launch(binaries: Path, folder: Path, prefix: list[str], *, durable: bool) -> subprocess.Popen[bytes]:
    fsync = f"fsync={'on' if durable else 'off'}"
    settings = ("listen_addresses=", f"unix_socket_directories={folder}", fsync, "max_connections=40")
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    for setting in settings:
        command += ["-c", setting]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen([*prefix, *command], stdout=log, stderr=log, cwd=folder)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # fast shutdown
    try:
        server.wait(_DEADLINE)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        try:
            psycopg.connect(f"host={folder} user={_USER} dbname=postgres").close()
        except psycopg.OperationalError:
            assert server.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"PostgreSQL did not start: {(folder / 'server.log').read_text()}")
