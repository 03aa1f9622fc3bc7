"""Putting a restored line in the place of what stood there: all of it, or nothing, whatever dies meanwhile.

What is going to happen is written down before it begins (`restoring.json` in the site's folder). While
that note lies there no other command opens the store. Until everything is ready to be placed a cut-short
restore is undone; from then on it is finished: a key never meets a database that it does not open.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, make_url, text

from callcenter.db.engine import make_engine
from callcenter.db.tables import metadata
from callcenter.errors import Refused
from callcenter.files import only_one, sync_folder, write_private

_NOTE = "restoring.json"
_IN_USE = "数据库正被别的程序使用(hotline serve 或别的命令)。先停下它们,再恢复:否则之后写下的会丢失。"


class Phase(StrEnum):
    """How far a restore has come."""

    #: What is to be placed is not whole yet.
    FILLING = "filling"
    #: Everything is ready and on the disk. PostgreSQL: it counts once the rows are committed.
    PLACING = "placing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """A restore under way."""

    phase: Phase = Phase.FILLING
    #: Names this one: the folder of its files, and a table that stands once its rows are committed.
    id: str
    #: For the names of what is put aside.
    stamp: str
    #: SQLite: the filled file, and where it belongs. Both empty on PostgreSQL.
    beside: str = ""
    final: str = ""

    def staged(self, home: Path) -> Path:
        """Return the folder in which the files wait."""
        return home / f".restoring-{self.id}"

    @property
    def table(self) -> str:
        """Return the table that is created with the restored rows, in their transaction."""
        return f"restored_{self.id}"


_CODEC = TypeAdapter(Swap)


def check_settled(home: Path) -> None:
    """Raise `Refused` while a restore into this folder is under way, or was cut short."""
    if (home / _NOTE).exists():
        raise Refused("正在恢复备份,或上次的恢复被打断了。若没有在恢复,运行 hotline restore --finish。")


def note(home: Path, swap: Swap) -> None:
    """Write down how far a restore has come."""
    write_private(home / _NOTE, _CODEC.dump_json(swap))


def noted(home: Path) -> Swap | None:
    """Return the restore that was cut short; raise `Refused` if the note cannot be read."""
    try:
        return _CODEC.validate_json((home / _NOTE).read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise Refused(f"{home / _NOTE} 读不懂。请不要改动这个文件夹,并找管理员。") from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of a restore that was cut short."""

    finished: bool
    #: Where what stood there before is now.
    aside: Path | None = None


def one_restore(home: Path) -> AbstractContextManager[None]:
    """Let one restore at a time work in a folder; raise `Conflict` to every other."""
    return only_one(home / ".restoring.lock", "另一个恢复正在进行,请等它结束。")


def settle(home: Path, database_url: str) -> Settled | None:
    """Finish or undo a restore that was cut short; None: there was none. May itself be cut short."""
    swap = noted(home)
    if swap is None:
        return None
    with one_restore(home):
        return _settled(home, swap, database_url)


def _settled(home: Path, swap: Swap, database_url: str) -> Settled:
    if not swap.final and make_url(database_url).get_backend_name() != "postgresql":
        raise Refused("上次恢复到的是另一个数据库。请用同样的 --database 运行 hotline restore --finish。")
    if swap.phase is Phase.FILLING or not (swap.final or _is_committed(swap, database_url)):
        undo(home, swap)
        return Settled(finished=False)
    return Settled(finished=True, aside=place(home, swap, database_url))


def undo(home: Path, swap: Swap) -> None:
    """Take away what was to be placed; what stood there still stands."""
    shutil.rmtree(swap.staged(home), ignore_errors=True)
    if swap.beside:
        for ending in ("", "-wal", "-shm"):
            Path(f"{swap.beside}{ending}").unlink(missing_ok=True)
    (home / _NOTE).unlink(missing_ok=True)
    sync_folder(home)


def place(home: Path, swap: Swap, database_url: str) -> Path | None:
    """Move files and store to where they belong; may be done again. Return where what stood there went."""
    aside = _place_files(swap.staged(home), home, swap.stamp)
    if swap.final:
        aside = _place_store(Path(swap.beside), Path(swap.final), swap.stamp) or aside
    else:
        _forget_table(swap, database_url)
    shutil.rmtree(swap.staged(home), ignore_errors=True)
    (home / _NOTE).unlink(missing_ok=True)
    sync_folder(home)
    return aside


def _place_files(staged: Path, home: Path, stamp: str) -> Path | None:
    aside = home / f"before-{stamp}"
    for path in sorted(p for p in staged.rglob("*") if p.is_file()):
        name = Path(*path.relative_to(staged).parts[1:])
        final = home / name
        if final.exists() and final.read_bytes() == path.read_bytes():
            continue
        if final.exists():
            (aside / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            final.rename(aside / name)
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.rename(final)
        sync_folder(final.parent)
    return aside if aside.exists() else None


def _place_store(beside: Path, final: Path, stamp: str) -> Path | None:
    aside = final.with_name(f"{final.name}.before-{stamp}")
    if beside.exists():
        for ending in ("-wal", "-shm", ""):
            old = Path(f"{final}{ending}")
            if old.exists():
                old.rename(f"{aside}{ending}")
        beside.rename(final)
        sync_folder(final.parent)
    return aside if aside.exists() else None


def make_last(folder: Path) -> None:
    """Bring everything in a folder onto the disk."""
    for path in (folder, *folder.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# --- who else has the store open -----------------------------------------------------------


@contextmanager
def alone_on_sqlite(file: Path) -> Iterator[None]:
    """Keep everybody else from a SQLite file; raise `Refused` if somebody has it open.

    Whoever has a file in WAL mode open, idle or not, keeps it from leaving that mode.
    """
    if not file.exists():
        yield
        return
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            if connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "wal":
                raise Refused(_IN_USE)
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Refused(_IN_USE) from None
            raise Refused(f"打不开 {file.name}:{error}。请先把它移到别处,再恢复。") from None
        except sqlite3.DatabaseError:
            pass  # no database any more: nobody writes into it
        yield


def be_alone_on_postgresql(connection: Connection) -> None:
    """Raise `Refused` if another process of ours is connected; keep others waiting until the commit."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'hotline' AND pid <> pg_backend_pid()"
    )
    if connection.scalar(others):
        raise Refused(_IN_USE)
    for table in metadata.sorted_tables:
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": table.name}) is not None:
            connection.execute(text(f'LOCK TABLE "{table.name}" IN ACCESS EXCLUSIVE MODE'))


def mark_commit(connection: Connection, swap: Swap) -> None:
    """Leave a sign in the transaction by which is known later whether it was committed."""
    connection.execute(text(f'CREATE TABLE "{swap.table}" (id integer)'))


def _is_committed(swap: Swap, database_url: str) -> bool:
    engine = make_engine(database_url)
    try:
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT to_regclass(:name)"), {"name": swap.table})
        return found is not None
    finally:
        engine.dispose()


def _forget_table(swap: Swap, database_url: str) -> None:
    engine = make_engine(database_url)
    try:
        with engine.begin() as connection:
            connection.execute(text(f'DROP TABLE IF EXISTS "{swap.table}"'))
    finally:
        engine.dispose()
