"""Runs parts of a line in one event loop until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Collection, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, time, timedelta
from time import monotonic

from callcenter.bootstrap import App
from callcenter.notify import Watchdog, notify, watchdog_every
from callcenter.pacing import Pulse, forever, make_room
from callcenter.service.health.standing import Counts, Standing, count
from callcenter.serving.beside_pbx import BridgePart
from callcenter.serving.dialling import SchedulerPart
from callcenter.serving.loops import Line, Loop, Part, Served

log = logging.getLogger(__name__)

#: How often what the store holds is counted, where somebody may ask for it.
COUNT = timedelta(seconds=15)
#: How often it is tried to listen, where somebody else has the port.
LISTEN = timedelta(seconds=30)


class Server:
    """Runs these parts of one line."""

    def __init__(self, app: App, parts: Collection[Part] = tuple(Part)) -> None:
        self._app = app
        line = Line.of(app)
        bridge = BridgePart(app, line) if Part.BRIDGE in parts else None
        scheduler = SchedulerPart(app, line) if Part.SCHEDULER in parts else None
        self._parts: list[Served] = [part for part in (bridge, scheduler) if part is not None]
        self._link = line.link
        #: The bridge keeps up the link it works through.
        self._stay_up = line.link.run if bridge is None else bridge.run
        #: Of what must turn all the time, and of the rest.
        self._pulse, self._others = Pulse(), Pulse()
        self._counts: Counts | None = None
        self._uncounted_since: float | None = None

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        make_room()
        async with AsyncExitStack() as endings, asyncio.TaskGroup() as group:
            for part in self._parts:
                endings.push_async_callback(part.close)
            tasks = [group.create_task(self._forever(loop)) for loop in self._loops(endings)]
            tasks.append(group.create_task(self._stay_up()))
            for part in self._parts:
                part.start()
            notify("READY=1")
            log.info("serving", extra={"action": "serve.started"})
            await stopped.wait()
            notify("STOPPING=1")
            for part in self._parts:
                part.stop()
            for task in tasks:
                task.cancel()
        log.info("stopped", extra={"action": "serve.stopped"})

    def _forever(self, loop: Loop) -> Coroutine[None, None, None]:
        pulse = self._pulse if loop.must_turn else self._others
        return forever(loop.pause, loop.act, loop.name, log=log, pulse=pulse)

    def _loops(self, endings: AsyncExitStack) -> list[Loop]:
        loops = [loop for part in self._parts for loop in part.loops()]
        every = watchdog_every()
        if every is not None:
            loops.append(Loop(pause=every, act=Watchdog(self._pulse.late).feed, name="watchdog.feed"))
        health = self._app.settings.health
        if health.port:
            from callcenter.health import HealthServer  # a start that nobody asks of waits for no imports

            server = HealthServer(health.address, health.port, self.standing)
            endings.callback(server.close)
            loops.append(Loop(pause=LISTEN, act=server.listen, name="health.listen"))
            loops.append(Loop(pause=COUNT, act=self._count, name="health.count"))
        return loops

    def standing(self) -> Standing:
        """Return how this process stands. From any thread, at once."""
        since = self._uncounted_since
        standing = Standing(
            connected=self._link.connected,
            store_away=timedelta(seconds=0.0 if since is None else monotonic() - since),
            late=tuple(self._pulse.late()),
            loop_ages=self._others.ages() | self._pulse.ages(),
            counts=self._counts,
        )
        for part in self._parts:
            standing = part.tell(standing)
        return standing

    async def _count(self) -> None:
        """Count what the store holds; while it is away nothing is told of it."""
        try:
            self._counts = await asyncio.to_thread(self._counted)
        except Exception:
            self._counts = None
            self._uncounted_since = self._uncounted_since or monotonic()
            raise
        self._uncounted_since = None

    def _counted(self) -> Counts:
        now, zone = self._app.clock(), self._app.settings.site.zone
        midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
        with self._app.reading() as work:
            return replace(count(work, now, midnight), journal_behind=self._app.journal_unread(work))
