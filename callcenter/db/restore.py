"""Bringing a backup back: on a blank machine with nothing but the file and the recovery key, or over a line.

The whole file is read and checked before the first byte is put anywhere. Then the store is filled in one
transaction (SQLite: in a file beside the place where it belongs), its audit is verified, and only then do
files and store take their places (`callcenter.db.swapping`). What stood there is put aside, never deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, delete, insert, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from callcenter.db import swapping
from callcenter.db.backup_format import KEY, About, Manifest, table_of
from callcenter.db.backup_reading import read_backup
from callcenter.db.backup_sample import Looking
from callcenter.db.crypto import FieldCipher
from callcenter.db.engine import make_engine
from callcenter.db.errors import named
from callcenter.db.migrate import SCRIPTS, is_begun, revision_of, upgrade
from callcenter.db.tables import APPEND_ONLY, metadata
from callcenter.db.triggers import lifted
from callcenter.db.unit_of_work import SqlUnit
from callcenter.errors import CallCenterError, Refused
from callcenter.keys import KeyRing
from callcenter.ports import UnitOfWork

#: Looks at the restored store before it counts; raises to refuse it.
Verify = Callable[[UnitOfWork], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a backup goes."""

    home: Path
    database_url: str
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What was read, and where that which stood there before is now."""

    about: About
    manifest: Manifest
    #: The key file's text.
    key: bytes = field(repr=False)
    aside: Path | None = None


def check_backup(file: Path, identity: str, *, deep: bool = False) -> Restored:
    """Read a backup to its end and write nothing; raise `Refused` if it could not be restored.

    `deep`: also open a sample of what is sealed in it, and follow its audit.
    """
    looked = Looking(deep=deep)
    about, manifest = read_backup(file, identity, looked)
    KeyRing.parse(looked.key, Path(KEY))
    if about.revision not in _revisions():
        raise Refused("备份由更新的程序制作,这个程序不认识。请用那个版本的程序恢复。")
    return Restored(about=about, manifest=manifest, key=looked.key)


def check_target(target: Target, key: bytes) -> None:
    """Raise `Refused` if another line stands at the target and overwriting was not said."""
    if target.overwrite:
        return
    key_file = target.home / "hotline.key"
    if key_file.exists() and key_file.read_bytes() != key:
        raise Refused(f"{target.home} 里已有一条线(密钥在)。确实要换成备份,加 --overwrite。")
    if _is_begun(target.database_url):
        raise Refused("数据库已有内容。确实要换成备份里的,加 --overwrite。")


def restore(file: Path, identity: str, target: Target, verify: Verify, *, now: datetime) -> Restored:
    """Bring a backup back and return what it held.

    Raises `Refused` for a bad backup, an occupied target, or a store that somebody has open, and whatever
    `verify` raises; nothing is changed then. Killed at any moment, `swapping.settle` finishes or undoes it.
    """
    checked = check_backup(file, identity)
    check_target(target, checked.key)
    target.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with swapping.one_restore(target.home):
        swapping.check_settled(target.home)
        swap = _new_swap(target, now)
        swapping.note(target.home, swap)  # from here on nobody else opens the store
        try:
            with _only_ours(target):
                aside = _swapped(file, identity, target, verify, swap, checked.about)
        except SQLAlchemyError as error:
            raise named(error) from error
        finally:
            # Before the point of no return: undone. After it: what is left is finished by the next run.
            left = swapping.noted(target.home)
            if left is not None and left.phase is swapping.Phase.FILLING:
                swapping.undo(target.home, left)
    upgrade(target.database_url)
    return replace(checked, aside=aside)


def _new_swap(target: Target, now: datetime) -> swapping.Swap:
    name, final = uuid4().hex[:12], ""
    if _is_sqlite(target.database_url):
        final = make_url(target.database_url).database or ""
    beside = str(Path(final).with_name(f".{Path(final).name}.{name}.restoring")) if final else ""
    return swapping.Swap(id=name, stamp=f"{now:%Y%m%d-%H%M%S}", beside=beside, final=final)


@contextmanager
def _only_ours(target: Target) -> Iterator[None]:
    """Keep others from a SQLite store that is replaced; PostgreSQL does that within the transaction."""
    if target.overwrite and _is_sqlite(target.database_url):
        with swapping.alone_on_sqlite(Path(make_url(target.database_url).database or "")):
            yield
    else:
        yield


def _swapped(
    file: Path, identity: str, target: Target, verify: Verify, swap: swapping.Swap, about: About
) -> Path | None:
    """Fill a store and a folder aside, and put both in their places; return where the old ones went."""
    staged, ready = swap.staged(target.home), replace(swap, phase=swapping.Phase.PLACING)
    staged.mkdir(mode=0o700)
    with _store(target, swap, about) as connection:
        if swap.final == "" and target.overwrite:
            swapping.be_alone_on_postgresql(connection)
        filling = _Filling(connection=connection, staged=staged, overwrite=target.overwrite)
        read_backup(file, identity, filling)
        filling.finish()
        ring = KeyRing.load(staged / "home" / "hotline.key")
        if about.revision == _head():
            unit = SqlUnit(connection, FieldCipher(ring))
            verify(unit)
            unit.flush()
        swapping.make_last(staged)
        if swap.final == "":
            swapping.mark_commit(connection, swap)
            swapping.note(target.home, ready)
        connection.commit()
    swapping.note(target.home, ready)
    return swapping.place(target.home, swap, target.database_url)


@dataclass(kw_only=True, slots=True)
class _Filling:
    """Puts rows into an empty store, and files into a folder aside."""

    connection: Connection
    staged: Path
    overwrite: bool
    tables: dict[str, Table] = field(default_factory=dict)
    _open: list[Any] = field(default_factory=list)

    def about(self, about: About) -> None:
        """Empty the tables that are to be filled."""
        self.tables = {name: table_of(name, columns) for name, columns in about.tables.items()}
        for name, table in reversed(self.tables.items()):
            is_guarded = self.overwrite and name in APPEND_ONLY
            with lifted(self.connection, table) if is_guarded else nullcontext():
                if is_guarded or name not in APPEND_ONLY:
                    self.connection.execute(delete(table))

    def rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Insert rows."""
        self.connection.execute(insert(self.tables[table]), rows)

    def file(self, name: str) -> BinaryIO:
        """Open a file in the folder aside, 0600."""
        place = self.staged / name
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.touch(mode=0o600, exist_ok=False)
        return place.open("wb")

    def finish(self) -> None:
        """Let PostgreSQL count on where the rows' own numbers end."""
        if self.connection.dialect.name != "postgresql":
            return
        for table in metadata.sorted_tables:
            column = table.autoincrement_column
            if column is not None and table.name in self.tables:
                counted = (
                    f"setval(pg_get_serial_sequence('{table.name}', '{column.name}'), max({column.name}))"
                )
                self.connection.execute(text(f'SELECT {counted} FROM "{table.name}"'))  # noqa: S608 - ours


@contextmanager
def _store(target: Target, swap: swapping.Swap, about: About) -> Iterator[Connection]:
    """Lend a transaction on an empty store of the backup's revision. SQLite: in a file aside."""
    url = f"sqlite:///{swap.beside}" if swap.beside else target.database_url
    if not swap.beside and is_begun(url) and revision_of(url) != about.revision:
        raise Refused("备份与现有数据库的版本不同。请恢复到一个空的数据库。")
    upgrade(url, about.revision)
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def _is_begun(url: str) -> bool:
    file = make_url(url).database if _is_sqlite(url) else None
    return (file is None or Path(file).exists()) and is_begun(url)


def _revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions()}


def _head() -> str:
    head = ScriptDirectory(str(SCRIPTS)).get_current_head()
    if head is None:
        raise CallCenterError("the migrations are not there")
    return head
