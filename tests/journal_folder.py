"""A PBX's folder whose journal a test writes, and what an undisturbed reading of it leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from journal_text import TRACES

from callcenter.asterisk.journal import JournalFollower
from callcenter.domain.calls import CallRecord
from callcenter.memory import MemoryStore
from callcenter.ports import Store

#: After every captured row.
LATER = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


class Folder:
    """A PBX's folder, written by the test as Asterisk would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.journal = home / "log" / "cel-custom" / "journal.csv"
        self.queue_log = home / "log" / "queue_log"
        self.journal.parent.mkdir(parents=True)

    def write(self, journal: bytes, queue_log: bytes = b"") -> None:
        for file, data in ((self.journal, journal), (self.queue_log, queue_log)):
            with file.open("ab") as out:
                out.write(data)

    def play(self, *names: str) -> None:
        for name in names:
            self.write((TRACES / f"{name}.csv").read_bytes(), (TRACES / f"{name}.queue_log").read_bytes())


def table(store: Store) -> list[CallRecord]:
    with store() as work:
        return list(work.calls.between(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)))


def sessions(store: Store) -> list[str]:
    with store() as work:
        return [session.call for session in work.sessions.all()]


def expected(tmp_path: Path, *names: str) -> list[CallRecord]:
    """Return the table that one undisturbed reading gives."""
    folder, store = Folder(tmp_path / "undisturbed"), MemoryStore()
    folder.play(*names)
    JournalFollower(folder.home, store).catch_up(LATER)
    return table(store)
