"""What a backup is inside: a tar of tables as JSON lines and of files, whatever the database.

    about.json                  format, time, revision, and each table's columns and their kinds
    home/hotline.key            first, so that whoever reads can open what follows
    tables/<name>/000001.jsonl  one row a line, a list of values in the order of the columns
    home/...  config/...        files
    manifest.json               last: rows of each table, size of each file, SHA-256 of both; audit head

All of it is one age file. Sealed columns stay sealed inside: the recovery key opens the backup, and the
key file in it opens the columns.
"""

from __future__ import annotations

import json
import tarfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from callcenter.db.tables import Moment
from callcenter.errors import Refused

FORMAT = "xinxian-backup/1"
ABOUT, MANIFEST, KEY = "about.json", "manifest.json", "home/hotline.key"
#: Bytes of rows per member of the tar, and of a file read at a time.
PART = 1 << 20
_BLOCK = 512

#: Kind -> type of a column. The first that fits is a column's kind.
_TYPES: dict[str, TypeEngine[Any]] = {
    "bytes": LargeBinary(),
    "moment": Moment(),
    "date": Date(),
    "flag": Boolean(),
    "json": JSON(),
    "whole": BigInteger(),
    "text": Text(),
}
_CLASSES: dict[str, type[Any]] = {
    "bytes": LargeBinary,
    "moment": Moment,
    "date": Date,
    "flag": Boolean,
    "json": JSON,
    "whole": Integer,
    "text": Text,
}
_INTO: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda raw: b64encode(raw).decode(),
    "moment": lambda at: at.astimezone(UTC).isoformat(),
    "date": lambda day: day.isoformat(),
}
_BACK: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda text: b64decode(text, validate=True),
    "moment": datetime.fromisoformat,
    "date": date.fromisoformat,
}

#: Column -> kind, in the order of a row.
Columns = dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """The head of a backup."""

    made_at: datetime
    revision: str
    #: Table -> columns, in the order in which rows can be inserted.
    tables: dict[str, Columns]
    format: str = FORMAT


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How much of something there is: rows or bytes; and its SHA-256."""

    n: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The end of a backup."""

    tables: dict[str, Count] = field(default_factory=dict)
    files: dict[str, Count] = field(default_factory=dict)
    #: Number and hash of the newest audit entry.
    audit_head: str = ""

    @property
    def rows(self) -> int:
        """Return how many rows there are in all."""
        return sum(count.n for count in self.tables.values())


def kinds_of(table: Table) -> Columns:
    """Return a table's columns and their kinds."""
    return {column.name: _kind(column) for column in table.columns}


def _kind(column: Column[Any]) -> str:
    return next(kind for kind, of in _CLASSES.items() if isinstance(column.type, of))


def table_of(name: str, columns: Columns) -> Table:
    """Return a table to insert rows of a backup into; raise `Refused` for a kind nobody knows."""
    if unknown := sorted(set(columns.values()) - _TYPES.keys()):
        raise Refused(f"备份里有不认识的列类型({unknown[0]}),多半由更新的程序制作。请用那个版本的程序。")
    return Table(name, MetaData(), *(Column(column, _TYPES[kind]) for column, kind in columns.items()))


def row_line(row: Mapping[Any, Any], columns: Columns) -> bytes:
    """Return one row as a line."""
    values = [_into(row[name], kind) for name, kind in columns.items()]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def line_row(line: bytes, columns: Columns) -> dict[str, Any]:
    """Return the row on a line; raise `ValueError` if it is none."""
    values = json.loads(line)
    return {
        name: None if value is None else _BACK.get(kind, _same)(value)
        for (name, kind), value in zip(columns.items(), values, strict=True)
    }


def _into(value: Any, kind: str) -> Any:
    return None if value is None else _INTO.get(kind, _same)(value)


def _same(value: Any) -> Any:
    return value


def member(name: str, content: bytes) -> Iterator[bytes]:
    """Yield one member of the tar."""
    yield head(name, len(content))
    yield content
    yield padding(len(content))


def head(name: str, size: int) -> bytes:
    """Return the header of a member."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """Return what fills a member up to whole blocks."""
    return bytes(-size % _BLOCK)


def end() -> bytes:
    """Return the end of a tar."""
    return bytes(2 * _BLOCK)


def pieces(file: BytesIO | Any, size: int) -> Iterator[bytes]:
    """Yield `size` bytes of an open file; raise `Refused` if it has become shorter."""
    while size:
        piece = file.read(min(size, PART))
        if not piece:
            raise Refused("有文件在备份时变短了。请再备份一次。")
        size -= len(piece)
        yield piece
