"""Files written whole or not at all, for their owner only."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from callcenter.errors import Conflict, Refused


def write_private(file: Path, content: bytes) -> None:
    """Replace a file (0600) with `content`: after a crash the old one stands there, or the new one."""
    with new_private(file) as out:
        out.write(content)


@contextmanager
def new_private(file: Path) -> Iterator[BinaryIO]:
    """Lend a file (0600) that takes the place of `file` when the block ends well, and vanishes else."""
    part = file.with_name(f".{file.name}.{uuid4().hex[:12]}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def open_regular(file: Path) -> BufferedReader:
    """Open a regular file for reading; raise `Refused` for a link, a pipe, a folder or a device.

    A pipe nobody writes to would hold the reader up for ever; a link leads out of its folder.
    """
    _check_regular(file, file.lstat().st_mode)
    # What it was may have been swapped since: asked again of what was opened, without waiting for it.
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _not_regular(file) from None
        raise
    opened = os.fdopen(descriptor, "rb")
    try:
        _check_regular(file, os.fstat(descriptor).st_mode)
    except Refused:
        opened.close()
        raise
    return opened


def _check_regular(file: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise _not_regular(file)


def _not_regular(file: Path) -> Refused:
    return Refused(f"{file} 不是普通文件。")


def sync_folder(folder: Path) -> None:
    """Make what was created, renamed or removed in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def only_one(file: Path, refusal: str) -> Iterator[None]:
    """Let one process at a time into the block; raise `Conflict` with `refusal` to every other."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict(refusal) from None
    finally:
        os.close(descriptor)
