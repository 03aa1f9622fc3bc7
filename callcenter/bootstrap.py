"""The one place that wires doors to services. Nothing is opened before it is asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from callcenter.config import DEFAULT_FILE, Settings, load_settings
from callcenter.errors import CallCenterError, KeyFileMissing
from callcenter.keys import KeyRing
from callcenter.ports import AlarmRoad, CallControl, QueueControl, Store, UnitOfWork

if TYPE_CHECKING:
    from callcenter.asterisk.ami import AmiLink
    from callcenter.asterisk.console import Console
    from callcenter.asterisk.journal import JournalFollower
    from callcenter.service.line.watch import NumberWatch

#: How long a command waits for the PBX to answer, seconds.
_PBX_PATIENCE = 10.0
#: The same where somebody is in danger meanwhile.
_CONSOLE_PATIENCE = 3.0
#: A channel that is gone has its last journal row written within milliseconds; so long is waited, seconds.
_CEL_LAG = 2.0
#: How long somebody who reads the journal gets to come to its end, seconds.
_READ_PATIENCE = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Telephony:
    """A live line to the PBX, for the length of one command."""

    calls: CallControl
    queue: QueueControl


class App:
    """What a command needs: configuration, keys, store and clock, each made on first use."""

    def __init__(self, *, config_file: Path | None = None, settings: Settings | None = None) -> None:
        self._config_file = config_file
        self._settings = settings

    @cached_property
    def settings(self) -> Settings:
        """Return the configuration; raise `ConfigError` if it cannot be used."""
        return self._settings or load_settings(self._config_file)

    @property
    def config_file(self) -> Path:
        """Return where the configuration stands, whether or not there is a file."""
        return self._config_file or Path(os.environ.get("HOTLINE_CONFIG") or DEFAULT_FILE)

    @cached_property
    def keys(self) -> KeyRing:
        """Return the site's keys; raise `ConfigError` if the key file is missing or unsafe."""
        try:
            return KeyRing.load(self.settings.key_file)
        except KeyFileMissing:
            self._check_keys_not_lost()
            raise

    def _check_keys_not_lost(self) -> None:
        """Raise `KeyFileMissing` with the mend where there are data, but their keys are gone."""
        from callcenter.db.migrate import is_begun

        begun = False
        with suppress(CallCenterError):  # no database to ask: then the keys were never made
            begun = is_begun(self.settings.database_url)
        if begun:
            raise KeyFileMissing(
                f"数据在,密钥 {self.settings.key_file} 却不在。"
                "用恢复密钥找回:hotline keys recover --identity -"
            )

    @cached_property
    def store(self) -> Store:
        """Return the store behind `settings.database_url`; raise `Refused` in the midst of a restore."""
        from callcenter.db.swapping import check_settled
        from callcenter.db.unit_of_work import open_store

        check_settled(self.settings.home)
        return open_store(self.settings.database_url, self.keys)

    @property
    def reading(self) -> Store:
        """Return the store as one that only reads: on SQLite it then waits for no writer."""
        reading: Store = getattr(self.store, "reading", self.store)
        return reading

    def close(self) -> None:
        """Close the store's connections, if any were opened."""
        close = getattr(self.__dict__.get("store"), "close", None)
        if close is not None:
            close()

    @cached_property
    def road(self) -> AlarmRoad:
        """Return the alarm road: call files in the PBX's spool folder."""
        from callcenter.asterisk.spool import SpoolAlarms

        return SpoolAlarms(self.settings.pbx_home)

    @cached_property
    def numbers(self) -> NumberWatch:
        """Return what counts callers without a number, fed by the follower."""
        from callcenter.service.line.watch import NumberWatch

        return NumberWatch()

    def follower(self, *, replay: bool = False) -> JournalFollower:
        """Return a reader of the PBX's journal into the store. `replay`: every call is told again."""
        from callcenter.asterisk.journal import JournalFollower
        from callcenter.service.duty import debriefs
        from callcenter.service.followup.debts import rules_of, settle
        from callcenter.service.line import crisis, listening, talks
        from callcenter.service.line.alarms import on_acks
        from callcenter.service.line.records import Hooks
        from callcenter.service.risk import handovers

        hooks = Hooks(
            on_closed=(partial(settle, rules=rules_of(self.settings)), self.numbers, crisis.on_closed),
            on_acks=(on_acks,),
            on_line_acts=(crisis.on_rows, handovers.on_rows, listening.on_line_acts, talks.on_line_acts),
            on_presence=(debriefs.heard,),
        )
        home, name = self.settings.pbx_home, self.settings.asterisk.name
        return JournalFollower(home, self.store, name=name, hooks=hooks, replay=replay)

    def journal_unread(self, work: UnitOfWork) -> int | None:
        """Return how many bytes of the PBX's journal are not in the store yet; None: it is not here."""
        from callcenter.asterisk.journal_files import unread_bytes

        name = f"{self.settings.asterisk.name}:journal"
        current = self.settings.pbx_home / "log" / "cel-custom" / "journal.csv"
        return unread_bytes(current, work.journal.checkpoint(name))

    def journal_changed(self) -> datetime | None:
        """Return when the PBX last wrote into its journal; None: it never did, or it is not here."""
        from callcenter.asterisk.journal_files import segments_of

        segments = segments_of(self.settings.pbx_home / "log" / "cel-custom" / "journal.csv")
        last = max((segment.changed for segment in segments), default=None)
        return None if last is None else datetime.fromtimestamp(last, UTC)

    async def journal_told(self) -> bool:
        """Return True once the store has whatever the PBX wrote of what it did so far.

        False: within a few seconds nobody could tell, because nobody reads, or the journal is not here.
        """
        await asyncio.sleep(_CEL_LAG)
        with suppress(TimeoutError):
            async with asyncio.timeout(_READ_PATIENCE):
                while await asyncio.to_thread(self._journal_left):  # noqa: ASYNC110 - another process reads
                    await asyncio.sleep(0.1)
                return True
        return False

    def _journal_left(self) -> bool:
        """Tell whether there is something to read, or nothing can be seen of it."""
        with self.reading() as work:
            left = self.journal_unread(work)
        is_here = (self.settings.pbx_home / "log" / "cel-custom").is_dir()
        return left != 0 if left is not None else not is_here

    def ami_link(self) -> AmiLink:
        """Return a link to the PBX's manager interface, not yet running."""
        from callcenter.asterisk.ami import AmiLink
        from callcenter.asterisk.translate import HEARD

        pbx, secret = self.settings.asterisk, self.keys.password("ami:bridge")
        return AmiLink(pbx.ami_address, pbx.ami_port, "bridge", secret, wanted=HEARD)

    def console(self) -> Console:
        """Return the PBX's own console."""
        from callcenter.asterisk.console import Console
        from callcenter.asterisk.tree import find_asterisk

        return Console(program=find_asterisk(self.settings.asterisk.program), home=self.settings.pbx_home)

    def pbx_answers(self) -> bool:
        """Tell whether the PBX runs and answers: an order in its spool folder rings nobody by itself."""
        try:
            self.console().run("core show uptime", timeout=_CONSOLE_PATIENCE)
        except (CallCenterError, OSError):
            return False
        return True

    @asynccontextmanager
    async def telephony(self) -> AsyncIterator[Telephony]:
        """Lend a line to the PBX. Where it cannot be reached, what is asked of the line says so."""
        from callcenter.asterisk.control import AsteriskCalls, AsteriskQueue, PhoneBook

        shown, others = self.settings.site.outbound_number, self.settings.outbound.numbers
        salt = self.keys.password("pbx-salt")
        link = self.ami_link()
        with self.store() as work:
            phones = PhoneBook(work.users.all())
        running = asyncio.create_task(link.run())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PBX_PATIENCE):
                    while not (link.connected or link.trouble):  # noqa: ASYNC110 - only success is announced
                        await asyncio.sleep(0.05)
            yield Telephony(
                calls=AsteriskCalls(link, phones, shown_number=shown, others=others, salt=salt),
                queue=AsteriskQueue(link, phones),
            )
        finally:
            link.close()
            await running

    @staticmethod
    def clock() -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC)
