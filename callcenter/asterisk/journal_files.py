"""The files of a log as it grows and is rotated. A segment is a file known by its first line.

The first line holds a time in microseconds (journal) or the PBX's start and a channel id (queue_log),
so it tells a file from every other through renames, copies and restores, which an inode would not.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from callcenter.ports import Checkpoint

_HEAD = 64
_TIME = re.compile(rb"(\d{10})(\.\d{6})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One file. `id` names its birth."""

    id: str
    path: Path
    size: int
    #: Seconds since 1970 of its first line, else of its last change.
    born: float
    changed: float

    def read(self, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes from `offset`; raise `FileNotFoundError` if it is no longer there."""
        with self.path.open("rb") as file:
            if _birth(file.read(_HEAD)) != self.id:
                raise FileNotFoundError(self.path)
            file.seek(offset)
            return file.read(limit)


def segments_of(current: Path) -> list[Segment]:
    """Return the files of a log, oldest first: `current` and its rotated `current.*`."""
    found: dict[str, Segment] = {}
    for path in sorted(current.parent.glob(f"{current.name}*")):
        segment = _segment(path)
        if segment is None:
            continue
        known = found.get(segment.id)
        if known is None or segment.size > known.size:  # a copy made while rotating
            found[segment.id] = segment
    return sorted(found.values(), key=lambda s: (s.path == current, s.born, s.changed, s.path.name))


def unread_bytes(current: Path, read_to: Checkpoint | None) -> int | None:
    """Return how much of a log nobody has read yet; None where there is no such log."""
    segments = segments_of(current)
    ids = [segment.id for segment in segments]
    if read_to is None or read_to.segment not in ids:
        return sum(segment.size for segment in segments) if segments else None
    at = ids.index(read_to.segment)
    return sum(segment.size for segment in segments[at:]) - read_to.offset


def _segment(path: Path) -> Segment | None:
    """Return the file as a segment, or None while it has no whole first line, or is packed."""
    try:
        with path.open("rb") as file:
            head, stat = file.read(_HEAD), os.fstat(file.fileno())
    except (FileNotFoundError, IsADirectoryError):
        return None
    line, newline, _ = head.partition(b"\n")
    if (not newline and len(head) < _HEAD) or path.suffix in {".gz", ".xz", ".zst", ".bz2"}:
        return None
    time = _TIME.search(line)
    born = float(time[0]) if time else stat.st_mtime
    return Segment(id=_birth(head), path=path, size=stat.st_size, born=born, changed=stat.st_mtime)


def _birth(head: bytes) -> str:
    return sha256(head.partition(b"\n")[0]).hexdigest()[:16]
