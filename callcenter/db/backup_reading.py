"""Reading a backup to its end: whatever is wrong with it is found, and said, before anything counts."""

from __future__ import annotations

import os
import re
import tarfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pydantic import TypeAdapter, ValidationError

from callcenter.db.backup_format import (
    ABOUT,
    FORMAT,
    MANIFEST,
    PART,
    About,
    Columns,
    Count,
    Manifest,
    line_row,
)
from callcenter.errors import Refused
from callcenter.escrow import decrypt_stream, recipient_of

_ABOUT, _MANIFEST = TypeAdapter(About), TypeAdapter(Manifest)
_TABLE = re.compile(r"tables/([a-z_]{1,63})/[0-9]{1,9}\.jsonl")
#: A backup comes from outside: names that leave their folder are refused.
_FILE = re.compile(r"(home|config)(/[^/\0]{1,255}){1,16}")
#: Rows handed on at a time.
_ROWS = 500
#: The head and the end of a backup are no larger than this; a line of a table neither.
_MOST = 256 << 20


class Sink(Protocol):
    """What is done with a backup's content, in its order."""

    def about(self, about: About) -> None: ...  # noqa: D102
    def rows(self, table: str, rows: list[dict[str, Any]]) -> None: ...  # noqa: D102
    def file(self, name: str) -> BinaryIO:
        """Return where the file's content goes; it is closed behind it."""
        ...


class Nowhere:
    """Only looks."""

    def about(self, about: About) -> None:
        """Pass over it."""

    def rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Pass over them."""

    def file(self, name: str) -> BinaryIO:
        """Return what forgets."""
        return BytesIO()


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What was read so far."""

    about: About | None = None
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    checks: dict[str, Any] = field(default_factory=lambda: defaultdict(sha256))
    files: dict[str, Count] = field(default_factory=dict)
    manifest: Manifest | None = None

    def columns(self, table: str) -> Columns:
        """Return a table's columns, or raise `Refused` if the head does not name it."""
        if self.about is None or table not in self.about.tables:
            raise Refused("备份的内容与开头所写不符。请用另一份备份。")
        return self.about.tables[table]

    def check(self) -> None:
        """Raise `Refused` unless everything the manifest names was read, unchanged, and nothing else."""
        if self.about is None or self.manifest is None:
            raise Refused("备份不完整:没有读到末尾的清单。请用另一份备份。")
        tables = {
            name: Count(n=self.rows[name], sha256=self.checks[name].hexdigest()) for name in self.checks
        }
        for kind, written, read in (
            ("表", self.manifest.tables, tables),
            ("文件", self.manifest.files, self.files),
        ):
            wrong = sorted(
                {name for name in written.keys() | read.keys() if written.get(name) != read.get(name)}
            )
            if wrong:
                raise Refused(f"备份里的{kind} {wrong[0]} 与清单不符。请用另一份备份。")


def read_backup(file: Path, identity: str, sink: Sink) -> tuple[About, Manifest]:
    """Read a backup into `sink` and return its head and its end, checked against each other.

    Raises `Refused` if it is truncated, changed, another's or no backup of ours; what the sink got until
    then is void.
    """
    recipient_of(identity)  # says kindly what is wrong with the key, before a thread has to
    seen = _Seen()
    with file.open("rb") as source, _decrypted(source, identity) as clear:
        try:
            with tarfile.open(fileobj=clear, mode="r|") as tar:
                for info in tar:
                    _take(tar, info, seen, sink)
        except tarfile.TarError:
            raise Refused("不是本系统的备份,或备份不完整。") from None
    seen.check()
    if seen.about is None or seen.manifest is None:
        raise RuntimeError("checked above")
    return seen.about, seen.manifest


def _take(tar: tarfile.TarFile, info: tarfile.TarInfo, seen: _Seen, sink: Sink) -> None:
    content = tar.extractfile(info) if info.isreg() else None
    if content is None or (seen.about is None) != (info.name == ABOUT) or seen.manifest is not None:
        raise Refused("不是本系统的备份。")
    table = _TABLE.fullmatch(info.name)
    with closing(content):
        if info.name == ABOUT:
            seen.about = _parsed(_ABOUT, content, info.size)
            if seen.about.format != FORMAT:
                raise Refused(f"备份的格式是 {seen.about.format[:40]},这个程序只认 {FORMAT}。")
            sink.about(seen.about)
        elif info.name == MANIFEST:
            seen.manifest = _parsed(_MANIFEST, content, info.size)
        elif table is not None:
            _take_rows(table[1], content, seen, sink)
        else:
            _take_file(info.name, content, seen, sink)


def _take_rows(table: str, content: Any, seen: _Seen, sink: Sink) -> None:
    columns, check = seen.columns(table), seen.checks[table]
    rows: list[dict[str, Any]] = []
    for line in content:
        check.update(line)
        seen.rows[table] += 1
        try:
            rows.append(line_row(line, columns))
        except (ValueError, TypeError, AttributeError):
            raise Refused(f"备份里表 {table} 的第 {seen.rows[table]} 行读不懂。请用另一份备份。") from None
        if len(rows) == _ROWS:
            sink.rows(table, rows)
            rows = []
    if rows:
        sink.rows(table, rows)


def _take_file(name: str, content: Any, seen: _Seen, sink: Sink) -> None:
    if not _FILE.fullmatch(name) or {".", ".."} & set(name.split("/")) or name in seen.files:
        raise Refused("备份里有不该有的文件名。这不是本系统制作的备份。")
    size, check = 0, sha256()
    with sink.file(name) as out:
        while piece := content.read(PART):
            check.update(piece)
            size += len(piece)
            out.write(piece)
    seen.files[name] = Count(n=size, sha256=check.hexdigest())


def _parsed(codec: TypeAdapter[Any], content: Any, size: int) -> Any:
    try:
        if size <= _MOST:
            return codec.validate_json(content.read())
    except ValidationError:
        pass
    raise Refused("备份的开头或清单读不懂。请用另一份备份。")


@contextmanager
def _decrypted(source: BinaryIO, identity: str) -> Iterator[BinaryIO]:
    """Lend what an age file holds, and read it to its end; raise `Refused` if something is wrong with it.

    That comes first: whatever the block stumbled over follows from it.
    """
    trouble: list[Exception] = []
    reading, writing = os.pipe()

    def decrypt() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb") as out:
            pipe = _Pipe(out)
            try:
                decrypt_stream(source, pipe, identity)
            except Exception as error:
                if not pipe.is_broken:
                    trouble.append(error)

    thread = threading.Thread(target=decrypt, name="decrypt", daemon=True)
    thread.start()
    try:
        with os.fdopen(reading, "rb") as clear:
            yield clear
            while clear.read(PART):
                pass
    finally:
        thread.join()
        if trouble:
            raise trouble[0]


class _Pipe:
    """A pipe that remembers whether its other end was closed: then nothing is wrong with the file."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.is_broken = False

    def write(self, data: bytes) -> int:
        """Write on."""
        try:
            return self._out.write(data)
        except BrokenPipeError:
            self.is_broken = True
            raise

    def flush(self) -> None:
        """Hand on what is held back."""
        self._out.flush()
