"""What can be seen of the PBX besides its journal: members, trunk, whether calls still come."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Lock

from callcenter.asterisk.console import Console
from callcenter.errors import CallCenterError, PbxError
from callcenter.ports import Clock, Member
from callcenter.service.line.watch import Live

_PROCESSED = re.compile(r"(\d+) calls? processed")
_TRUNK = re.compile(r"Contact:\s+trunk/\S+\s+\S+\s+(\w+)")


class Eyes:
    """Keeps the last look at one PBX. `look` blocks on the console; `live` returns at once."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._lock = Lock()
        self._seen = Live()
        self._processed: int | None = None

    def live(self) -> Live:
        """Return what was last seen."""
        return self._seen

    def look(self) -> None:
        """Ask the console for the trunk and for how many calls there have been, and the disk for its room."""
        try:
            trunk = trunk_state(self._console.run("pjsip show contacts"))
            processed = calls_processed(self._console.run("core show channels count"))
        except PbxError:
            trunk, processed = None, None
        grown = None not in (processed, self._processed) and processed != self._processed
        self._processed = processed
        seen = {"last_call_at": self._clock()} if grown else {}
        self._note(trunk_up=trunk, disk_free=free_share(self._console.home / "log"), **seen)

    def note_link(self, *, connected: bool, members: tuple[Member, ...] | None) -> None:
        """Note what AMI shows."""
        self._note(connected=connected, members=members)

    def note_journal(self, newest_at: datetime | None) -> None:
        """Note the time of the newest journal row read."""
        if newest_at is not None:
            self._note(journal_at=newest_at)

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Note, around each attempt to store what the journal says, since when it has been in vain."""
        try:
            yield
        except CallCenterError:
            self._note(unstored_since=self._seen.unstored_since or self._clock())
            raise
        self._note(unstored_since=None)

    def _note(self, **seen: object) -> None:
        with self._lock:
            self._seen = replace(self._seen, **seen)  # type: ignore[arg-type]


def free_share(folder: Path) -> float | None:
    """Return how much of a folder's disk is free, 0 to 1; None if it is not here."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.free / usage.total if usage.total else None


def trunk_state(said: str) -> bool | None:
    """Read `pjsip show contacts`: True if the trunk answers OPTIONS, None if it says nothing of it.

    Statuses of Asterisk 22: Avail, Unavail, NonQual, Unknown, Created.
    """
    found = _TRUNK.search(said)
    return {"Avail": True, "Unavail": False}.get(found[1]) if found else None


def calls_processed(said: str) -> int | None:
    """Read `core show channels count`: calls since Asterisk started."""
    found = _PROCESSED.search(said)
    return int(found[1]) if found else None
