"""Writing a backup: one consistent picture of the store, and the files beside it, straight into age.

Nothing of it is ever on the disk in clear. The picture is one reading transaction (REPEATABLE READ on
PostgreSQL), so the line goes on working meanwhile. Messages not sealed yet are opened before it begins and
sealed ones are read after it: each message is in the backup in one form at least.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import SQLAlchemyError

from callcenter.db.backup_format import (
    ABOUT,
    KEY,
    MANIFEST,
    PART,
    About,
    Count,
    Manifest,
    end,
    head,
    kinds_of,
    member,
    padding,
    pieces,
    row_line,
)
from callcenter.db.engine import READING, make_engine
from callcenter.db.errors import StoreNotReady, named
from callcenter.db.migrate import SCRIPTS
from callcenter.db.tables import audit, metadata
from callcenter.errors import Refused
from callcenter.escrow import encrypt_stream
from callcenter.files import new_private
from callcenter.safekept import BackupMark

#: Below the site's folder: what a line cannot be set up again without. Folders are taken whole.
_FILES = ("recovery.json", "twilio.token", "audit.head")
_FOLDERS = ("texts", "flows", "forms", "instruments", "recordings")
_PBX = ("log/cel-custom/journal*", "log/queue_log*", "sounds/*/recorded/*", "sounds/*/hotline/manifest.json")
_SPOOL = "spool/messages/*.wav"
#: Rows fetched at a time.
_ROWS = 500

#: Told of every table and file that is in.
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a backup is made of."""

    database_url: str
    home: Path
    config_file: Path


@dataclass(kw_only=True, slots=True)
class _Backup:
    """One backup on its way."""

    source: Source
    now: datetime
    progress: Progress
    tables: dict[str, Count] = field(default_factory=dict)
    files: dict[str, Count] = field(default_factory=dict)
    audit_head: str = ""

    def parts(self) -> Iterator[bytes]:
        """Yield the tar."""
        with ExitStack() as stack:
            waiting = [(name, stack.enter_context(path.open("rb"))) for name, path in self._spool()]
            connection = stack.enter_context(_picture(self.source.database_url))
            yield from member(ABOUT, _json(asdict(self._about(connection))))
            yield from self._file(KEY, self.source.home / "hotline.key")
            for name, file in waiting:
                yield from self._open_file(name, file)
            for table in metadata.sorted_tables:
                yield from self._table(connection, table)
            self.audit_head = _audit_head(connection)
        for name, path in self._files():
            yield from self._file(name, path)
        yield from member(MANIFEST, _json(asdict(self.manifest())))
        yield end()

    def manifest(self) -> Manifest:
        """Return what is in so far."""
        return Manifest(tables=self.tables, files=self.files, audit_head=self.audit_head)

    def _about(self, connection: Connection) -> About:
        found = MigrationContext.configure(connection).get_current_heads()
        if set(found) != set(ScriptDirectory(str(SCRIPTS)).get_heads()):
            raise StoreNotReady
        tables = {table.name: kinds_of(table) for table in metadata.sorted_tables}
        return About(made_at=self.now, revision=found[0], tables=tables)

    def _table(self, connection: Connection, table: Table) -> Iterator[bytes]:
        columns, rows, check = kinds_of(table), 0, sha256()
        lines: list[bytes] = []
        size, place = 0, 1
        for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings():
            lines.append(row_line(row, columns))
            check.update(lines[-1])
            rows, size = rows + 1, size + len(lines[-1])
            if size >= PART:
                yield from member(f"tables/{table.name}/{place:06d}.jsonl", b"".join(lines))
                lines, size, place = [], 0, place + 1
        yield from member(f"tables/{table.name}/{place:06d}.jsonl", b"".join(lines))
        self.tables[table.name] = Count(n=rows, sha256=check.hexdigest())
        self.progress(table.name)

    def _spool(self) -> Iterator[tuple[str, Path]]:
        yield from self._found(_SPOOL)

    def _files(self) -> Iterator[tuple[str, Path]]:
        if self.source.config_file.is_file():
            yield "config/hotline.toml", self.source.config_file
        for name in _FILES:
            yield f"home/{name}", self.source.home / name
        for folder in _FOLDERS:
            for path in sorted((self.source.home / folder).rglob("*")):
                yield self._name(path), path
        for pattern in _PBX:
            yield from self._found(pattern)

    def _found(self, pattern: str) -> Iterator[tuple[str, Path]]:
        for path in sorted((self.source.home / "asterisk").glob(pattern)):
            yield self._name(path), path

    def _name(self, path: Path) -> str:
        return f"home/{path.relative_to(self.source.home)}"

    def _file(self, name: str, path: Path) -> Iterator[bytes]:
        """Yield a file as it is now; one that is no file, or gone by now, is left out."""
        if path.is_symlink() or not path.is_file() or path.name.endswith(".part"):
            return
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        with file:
            yield from self._open_file(name, file)

    def _open_file(self, name: str, file: BinaryIO) -> Iterator[bytes]:
        size, check = file.seek(0, 2), sha256()
        file.seek(0)
        yield head(name, size)
        for piece in pieces(file, size):
            check.update(piece)
            yield piece
        yield padding(size)
        self.files[name] = Count(n=size, sha256=check.hexdigest())
        self.progress(name)


def write_backup(
    file: Path, source: Source, recipient: str, *, now: datetime, progress: Progress = lambda _: None
) -> BackupMark:
    """Write a backup encrypted to `recipient`; the file appears (0600) when it is whole.

    Raises `Refused` if something stands there already, and `StoreError`.
    """
    if file.exists():
        raise Refused(f"{file} 已经在了,不覆盖。请换一个名字。")
    backup = _Backup(source=source, now=now, progress=progress)
    parts = backup.parts()
    try:
        with new_private(file) as out:
            encrypt_stream(parts, out, recipient)
    except SQLAlchemyError as error:
        raise named(error) from error
    finally:
        parts.close()  # type: ignore[attr-defined]
    rows = backup.manifest().rows
    return BackupMark(made_at=now, file=str(file.resolve()), size=file.stat().st_size, rows=rows)


@contextmanager
def _picture(url: str) -> Iterator[Connection]:
    """Lend a connection that sees the store as it is at its first reading, to the end."""
    engine = make_engine(url)
    options: dict[str, Any] = {READING: True, "stream_results": True, "yield_per": _ROWS}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    try:
        with engine.connect().execution_options(**options) as connection:
            yield connection
    finally:
        engine.dispose()


def _audit_head(connection: Connection) -> str:
    newest = select(audit.c.seq, audit.c.chain_hash).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(newest).first()
    return f"{row.seq}:{(row.chain_hash or b'').hex()}" if row else ""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, default=lambda at: at.isoformat()).encode()
