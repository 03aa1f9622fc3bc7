"""The bridge: what runs beside each PBX. It reads the journal, keeps the queue, and looks at the line."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from callcenter.asterisk.bridge import Bridge, RosterSource
from callcenter.asterisk.eyes import Eyes
from callcenter.asterisk.spool import SpoolEdges
from callcenter.backups import BackupRound
from callcenter.bootstrap import App
from callcenter.db.worker import StoreWorker
from callcenter.errors import PbxError
from callcenter.ports import Member
from callcenter.service.duty.presence import lapse
from callcenter.service.followup.callers import Opening
from callcenter.service.followup.debts import rules_of
from callcenter.service.health.standing import Standing, seat_of
from callcenter.service.line import recordings
from callcenter.service.line.self_dial import JournalEar, is_due, last_self_dial, self_dial, settle
from callcenter.service.line.watch import Live, Watch
from callcenter.service.privacy import exports
from callcenter.service.privacy.recording_drops import drop_without_consent
from callcenter.serving.loops import Line, Loop

log = logging.getLogger(__name__)

#: How often the journal is read.
FOLLOW = timedelta(milliseconds=200)
#: How often the line is looked at.
LOOK = timedelta(seconds=10)
#: More bytes than the longest row of the journal has.
A_ROW = 4096
#: How often old journal files are put away.
TIDY = timedelta(hours=1)
#: How often messages of calls that ended are sealed: in clear they lie no longer than a minute.
SEAL = timedelta(seconds=10)
#: How often is looked whether a backup is due.
BACK_UP = timedelta(minutes=5)


class BridgePart:
    """Keeps one PBX and the record of it."""

    def __init__(self, app: App, line: Line) -> None:
        settings, store = app.settings, app.store
        self._app = app
        self._worker = StoreWorker(name="journal")
        self._reading = asyncio.Lock()
        self._link, self._calls, self._queue = line.link, line.calls, line.queue
        self._follower = app.follower()
        opening = Opening.of(settings)
        self._bridge = Bridge(
            link=self._link,
            queue=self._queue,
            edges=SpoolEdges(settings.pbx_home),
            source=RosterSource(store, line.phones, salt=line.salt, clock=app.clock, opening=opening),
            caught_up=self._catch_up,
            clock=app.clock,
        )
        self._eyes = Eyes(app.console(), app.clock)
        rules = rules_of(settings)
        accept_within = settings.crisis.accept_within
        self._watch = Watch(
            store,
            app.road,
            self._live,
            settings.alarms,
            rules.risk,
            rules.windows,
            accept_within,
            settings.duty.late_after,
            rules,
        )
        self._last_probe: datetime | None = None

    def loops(self) -> tuple[Loop, ...]:
        """Return what it does again and again."""
        return (
            Loop(pause=FOLLOW, act=self._catch_up, name="journal.follow", must_turn=True),
            Loop(pause=TIDY, act=self._tidy, name="journal.tidy"),
            Loop(pause=SEAL, act=self._seal_messages, name="recordings.seal"),
            Loop(pause=TIDY, act=self._sweep_messages, name="recordings.sweep"),
            Loop(pause=TIDY, act=self._expire_exports, name="exports.expire"),
            Loop(pause=BACK_UP, act=self._back_up, name="backup.round"),
            Loop(pause=LOOK, act=self._lapse, name="duty.lapse", must_turn=True),
            Loop(pause=LOOK, act=self._look, name="watch.look", must_turn=True),
            Loop(pause=LOOK, act=self._call_ourselves, name="self_dial.round", must_turn=True),
        )

    async def run(self) -> None:
        """Keep the link to the PBX up, and the PBX equal to the roster."""
        await self._bridge.run()

    def start(self) -> None:
        """Do nothing: all of it is loops."""

    def stop(self) -> None:
        """Do nothing: loops are cancelled."""

    async def close(self) -> None:
        """Finish what is being written."""
        await self._worker.close()

    def tell(self, standing: Standing) -> Standing:
        """Add how the PBX stands, and what is written of it."""
        live, bridge = self._live(), self._bridge.status
        away = self._app.clock() - live.unstored_since if live.unstored_since else timedelta(0)
        return replace(
            standing,
            follows_roster=bridge.last_sync is not None and not bridge.trouble,
            store_away=max(standing.store_away, away),
            trunk_up=live.trunk_up,
            seats=None if live.members is None else Counter(map(seat_of, live.members)),
            waiting=bridge.waiting,
            disk_free=live.disk_free,
        )

    async def _catch_up(self) -> None:
        """Return when every journal row written before this call is in the store."""
        async with self._reading:
            while True:
                with self._eyes.storing():
                    result = await self._worker.run(lambda: self._follower.poll(self._app.clock()))
                self._eyes.note_journal(result.newest_at)
                # Sizes are taken before reading: what is left is at most a row still being written.
                if result.caught_up or result.behind < A_ROW:
                    return

    async def _tidy(self) -> None:
        """Begin a new journal file when it is time, and delete what is old enough."""
        keep = timedelta(days=self._app.settings.asterisk.journal_days)
        async with self._reading:
            await self._worker.run(
                lambda: self._follower.rotate(self._app.clock(), keep=keep, reopen=self._reopen_queue_log)
            )

    async def _seal_messages(self) -> None:
        """Seal what callers left and agreed to have recorded, off the loop."""
        settings, now = self._app.settings, self._app.clock()
        folder = settings.recordings_folder
        for kind in ("messages", "recordings"):
            spool = settings.pbx_home / "spool" / kind
            await asyncio.to_thread(recordings.seal_waiting, self._app.store, spool, folder, now=now)

    async def _sweep_messages(self) -> None:
        """Drop talks that nobody agreed to have recorded, and files no row opens any more, off the loop."""
        folder, now = self._app.settings.recordings_folder, self._app.clock()
        await asyncio.to_thread(drop_without_consent, self._app.store, now=now)
        await asyncio.to_thread(recordings.sweep, self._app.store, folder, now=now)

    async def _expire_exports(self) -> None:
        """Delete exported files whose time is over, off the loop."""
        folder, now = self._app.settings.exports_folder, self._app.clock()
        await asyncio.to_thread(exports.expire_in, self._app.store, folder, now)

    async def _back_up(self) -> None:
        """Make a backup if one is due, off the loop."""
        await asyncio.to_thread(BackupRound(self._app).once)

    def _reopen_queue_log(self) -> None:
        with suppress(PbxError):  # Asterisk goes on in the renamed file; the next round tries again
            self._app.console().run("logger reload")

    async def _lapse(self) -> None:
        """Sign off whose shift is over, once the journal has told who did so already, off the loop."""
        await self._catch_up()
        await asyncio.to_thread(self._lapse_now)

    def _lapse_now(self) -> None:
        with self._app.store() as work:
            if lapse(work, self._app.clock()):
                work.commit()

    async def _look(self) -> None:
        """Look at the line once, off the loop."""
        await asyncio.to_thread(self._eyes.look)
        self._eyes.note_link(connected=self._link.connected, members=await self._members())
        await asyncio.to_thread(self._watch.once, self._app.clock())

    def _live(self) -> Live:
        return replace(self._eyes.live(), without_number=self._app.numbers.in_a_row)

    async def _members(self) -> tuple[Member, ...] | None:
        try:
            return (await self._queue.state()).members
        except PbxError:
            return None

    async def _call_ourselves(self) -> None:
        """Make today's self-dial when it is due."""
        if not self._link.connected or not await asyncio.to_thread(self._probe_is_due):
            return
        self._last_probe = self._app.clock()
        ear = JournalEar(self._app.settings.pbx_home / "log" / "cel-custom")
        done = await self_dial(self._queue, self._calls, ear, self._app.settings.site, self._app.clock)
        await asyncio.to_thread(settle, self._watch.bell, done, self._app.clock())

    def _probe_is_due(self) -> bool:
        """Tell whether to call ourselves now; the store is asked only when our own memory does not know.

        A store that cannot be written must not make us call all day, so our memory counts by itself.
        """
        if not self._is_probe_due():
            return False
        with self._app.store() as work:
            known = last_self_dial(work)
        self._last_probe = max((at for at in (known, self._last_probe) if at), default=None)
        return self._is_probe_due()

    def _is_probe_due(self) -> bool:
        settings = self._app.settings
        return is_due(self._last_probe, self._app.clock(), settings.alarms.self_dial_at, settings.site.zone)
