"""Making a backup of a running line: what the command and `hotline serve` share."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from callcenter.bootstrap import App
from callcenter.config import Settings
from callcenter.errors import Refused
from callcenter.escrow import load_escrow
from callcenter.safekept import BackupMark, load_mark, save_mark
from callcenter.service.privacy import safekeeping

if TYPE_CHECKING:
    from callcenter.db.backup import Progress

#: Names of the backups we make by ourselves; nothing else in the folder is ever deleted.
_OURS = re.compile(r"hotline-[0-9]{8}-[0-9]{6}\.age")
#: What a crash left behind.
_PART = re.compile(r"\.hotline-[0-9]{8}-[0-9]{6}\.age\.[0-9a-f]{12}\.part")


def recipient_for_backups(settings: Settings) -> str:
    """Return whom backups are encrypted to; raise `Refused` if there is no recovery key."""
    escrow = load_escrow(settings.recovery_file)
    if escrow is None:
        raise Refused("还没有恢复密钥,备份了也打不开。先运行 hotline keys escrow。")
    return escrow.recipient


def make_backup(app: App, file: Path, recipient: str, progress: Progress = lambda _: None) -> BackupMark:
    """Write a backup and remember it. Raises `Refused` if the file is there, and `StoreError`."""
    # A quarter of a second of imports: a server that starts does not wait for them before it sees to calls.
    from callcenter.db.backup import Source, write_backup

    settings = app.settings
    source = Source(
        database_url=settings.database_url, home=settings.home.resolve(), config_file=app.config_file
    )
    mark = write_backup(file, source, recipient, now=app.clock(), progress=progress)
    save_mark(settings.home, mark)
    return mark


@dataclass(frozen=True, slots=True)
class BackupRound:
    """Backups that `hotline serve` makes by itself."""

    app: App

    def once(self) -> BackupMark | None:
        """Make a backup if one is due, and delete the oldest above the number to keep.

        Raises `Refused` if there is no recovery key.
        """
        settings, now = self.app.settings, self.app.clock()
        if not settings.backup.folder or not self._is_due(now):
            return None
        folder = Path(settings.backup.folder)
        recipient = recipient_for_backups(settings)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / f"hotline-{now.astimezone(UTC):%Y%m%d-%H%M%S}.age"
        mark = make_backup(self.app, file, recipient)
        with self.app.store() as work:
            safekeeping.note_backup_by_itself(work, file.name, now=now)
            work.commit()
        self._thin(folder)
        return mark

    def _is_due(self, now: datetime) -> bool:
        mark = load_mark(self.app.settings.home)
        return mark is None or mark.made_at > now or now - mark.made_at >= self.app.settings.backup.every

    def _thin(self, folder: Path) -> None:
        ours = sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))
        parts = [path for path in folder.iterdir() if _PART.fullmatch(path.name)]
        for path in [*ours[: -self.app.settings.backup.keep], *parts]:
            with suppress(FileNotFoundError):
                path.unlink()
