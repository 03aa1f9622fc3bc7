"""The scheduler: whoever leads brings the debts up to date and dials what may be dialled."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import monotonic

from callcenter.bootstrap import App
from callcenter.db.errors import StoreError
from callcenter.db.leading import Leadership, leadership_of
from callcenter.pacing import Steady
from callcenter.service.followup.dispatch import DebtRound
from callcenter.service.health.standing import Standing
from callcenter.serving.loops import Line, Loop
from scheduler.ticker import Ticker

log = logging.getLogger(__name__)

#: How often whoever leads makes sure of it, and whoever does not tries to.
LEAD = timedelta(seconds=2)
#: So long, in seconds, it counts as leading after it last made sure: whoever was stopped asks first.
SURE = 10.0


class Lead:
    """Whether this process leads, as far as it can be sure."""

    def __init__(self, leadership: Leadership, *, clock: Callable[[], float] = monotonic) -> None:
        self._leadership = leadership
        self._clock = clock
        self._sure_until = -math.inf
        self._said: bool | None = None

    @property
    def is_ours(self) -> bool:
        """Tell whether we lead now."""
        return self._clock() < self._sure_until

    async def renew(self) -> None:
        """Make sure that we lead, or begin to if nobody does. Raise `CallCenterError` if nobody can tell."""
        asked_at = self._clock()
        ours = await asyncio.to_thread(self._leadership.lead)
        self._sure_until = asked_at + SURE if ours else -math.inf
        if ours != self._said:
            self._said = ours
            said = "leading the schedulers" if ours else "another scheduler leads"
            log.info(said, extra={"action": "scheduler.leads" if ours else "scheduler.follows"})

    async def resign(self) -> None:
        """Let another lead at once."""
        self._sure_until = -math.inf
        await asyncio.to_thread(self._leadership.resign)


class SchedulerPart:
    """Runs anywhere that reaches the store and the PBX's manager interface."""

    def __init__(self, app: App, line: Line) -> None:
        self._app = app
        self._line = line
        self._lead = Lead(leadership_of(app.settings.database_url))
        settings = app.settings
        self._round = DebtRound.wire(app.store, line.calls, line.queue, settings, app.clock, app.journal_told)
        #: Since when its rounds cannot write what they do; others may read meanwhile.
        self._unwritten_since: float | None = None
        self._ticker = Ticker(settings.outbound.sweep, Steady(self._tick, "tick", log=log))

    def loops(self) -> tuple[Loop, ...]:
        """Return what it does again and again. A first round over a large register may take its time."""
        return (Loop(pause=LEAD, act=self._lead.renew, name="scheduler.lead", must_turn=True),)

    def start(self) -> None:
        """Begin to tick."""
        self._ticker.start()

    def stop(self) -> None:
        """Tick no more. A round that is under way ends with the event loop."""
        self._ticker.stop()

    async def close(self) -> None:
        """Let another lead."""
        await self._lead.resign()

    def tell(self, standing: Standing) -> Standing:
        """Add whether it leads, and how long its rounds have failed at the store."""
        since = self._unwritten_since
        away = timedelta(seconds=0.0 if since is None else monotonic() - since)
        return replace(standing, leads=self._lead.is_ours, store_away=max(standing.store_away, away))

    async def _tick(self) -> None:
        if not self._lead.is_ours:
            self._unwritten_since = None  # what it stands by for is another's to tell
            return
        try:
            await asyncio.to_thread(self._refresh_phones)
            await self._round()
        except StoreError:
            self._unwritten_since = self._unwritten_since or monotonic()
            raise
        self._unwritten_since = None

    def _refresh_phones(self) -> None:
        """Learn where everybody's phone is: no bridge may be here that does."""
        with self._app.reading() as work:
            self._line.phones.refresh(work.users.all())
