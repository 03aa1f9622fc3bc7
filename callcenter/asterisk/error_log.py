"""Asterisk's own error log (`messages.log`): nobody folds it, so its old files go by their age alone.

An error may name a caller, so it lives no longer than the journal does.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "messages.log"
_DAY = timedelta(days=1)
#: `dateformat` of logger.conf: `[2026-11-23T20:00:00.123+0000] ERROR[…`.
_STAMP = re.compile(rb"\[([0-9T:.+-]{19,29})\]")


def put_aside(folder: Path, now: datetime) -> bool:
    """Rename the log if its first line is a day old; tell whether Asterisk has now to begin a new one."""
    current = folder / NAME
    try:
        with current.open("rb") as file:
            head = file.read(64)
        if not head or now - _born(head, current) < _DAY:
            return False
        target = current.with_name(f"{NAME}.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
        current.rename(target)
        target.chmod(0o600)
    except FileNotFoundError:
        return False
    return True


def delete_old(folder: Path, now: datetime, keep: timedelta) -> list[Path]:
    """Delete what was put aside and last written `keep` ago; return it."""
    aside = sorted(folder.glob(f"{NAME}.*"))
    old = [file for file in aside if now.timestamp() - file.stat().st_mtime >= keep.total_seconds()]
    for file in old:
        file.unlink()
        log.info("old log deleted", extra={"action": "messages.delete", "file": file.name})
    return old


def _born(head: bytes, file: Path) -> datetime:
    """Return when the log began: as its first line says, else when it was last written."""
    found = _STAMP.match(head)
    try:
        born = datetime.fromisoformat(found[1].decode()) if found else None
    except ValueError:
        born = None
    if born is None or born.tzinfo is None:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return born
