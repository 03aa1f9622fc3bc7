"""Where the last backup is, as the site's folder remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from callcenter.files import write_private

#: Name of the file, in the site's folder.
_FILE = "backup.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupMark:
    """One backup that was written to its end."""

    made_at: datetime
    file: str
    size: int
    rows: int


_CODEC = TypeAdapter(BackupMark)


def load_mark(home: Path) -> BackupMark | None:
    """Return the last backup, or None: none was made, or the note cannot be read."""
    try:
        return _CODEC.validate_json((home / _FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def save_mark(home: Path, mark: BackupMark) -> None:
    """Remember the last backup."""
    write_private(home / _FILE, _CODEC.dump_json(mark) + b"\n")
