"""The one door to APScheduler, used as nothing but a clock that ticks in memory.

Its job stores lose or repeat jobs when a process dies (3.11), so nothing is kept there: a tick
carries no data, missed ticks collapse into one, and two rounds never overlap.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]


class Ticker:
    """Calls `job` every `every`, in the running event loop, until stopped."""

    def __init__(self, every: timedelta, job: Job) -> None:
        self._job = job
        self._busy = False
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._scheduler.add_job(
            self._tick,
            IntervalTrigger(seconds=max(1, round(every.total_seconds())), timezone="UTC"),
            id="tick",
            coalesce=True,
            # Not 1: APScheduler (3.11) would log each tick that a long round makes it leave out.
            max_instances=2,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Begin to tick; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more. A round that is under way ends by itself."""
        self._scheduler.shutdown(wait=False)

    async def _tick(self) -> None:
        # A round that fails must not end the ticking: the next one starts from the ledger anyway.
        if self._busy:
            return
        self._busy = True
        try:
            await self._job()
        except Exception:
            log.exception("a round failed", extra={"action": "tick"})
        finally:
            self._busy = False
