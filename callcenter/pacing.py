"""Loops that outlive what they need: they rest longer while it is away, and say so once.

The database may be away for an hour. A loop that fails five times a second would fill the log's disk, and
one that gave up would not notice its return: so each failure doubles the rest, up to a few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic

#: The longest rest of a loop that fails, seconds: so soon its work goes on once the cause is gone.
LONGEST = 3.0
#: The first rest after a failure, seconds.
FIRST = 0.2
#: Threads for work that blocks, such as on a locked database for half a minute. Each loop has one piece of
#: it under way at most; with fewer threads than loops, one that could go on would wait for those that cannot.
THREADS = 32

#: A round may take so long, seconds: on a locked SQLite each of several steps waits for half a minute.
PATIENCE = 300.0

Act = Callable[[], Awaitable[object]]
Sleep = Callable[[float], Awaitable[None]]


class Spell:
    """A time in which one thing fails: said when it begins, and when it ends with how long it was.

    Not for several threads at once.
    """

    def __init__(
        self,
        action: str,
        log: logging.Logger,
        *,
        clock: Callable[[], float] = monotonic,
        what: str = "a round",
    ) -> None:
        self._action = action
        self._log = log
        self._clock = clock
        self._what = what
        self._since: float | None = None
        #: Kinds of failure said already in this spell; they are classes, so few.
        self._said: set[str] = set()
        #: How often it failed in a row.
        self.failures = 0

    @property
    def seconds(self) -> float:
        """Return how long it has been failing; 0 while it works."""
        return 0.0 if self._since is None else self._clock() - self._since

    def failed(self, error: BaseException) -> None:
        """Take a failure; the first of each kind is logged with its place, the others are counted."""
        self.failures += 1
        if self._since is None:
            self._since = self._clock()
        kind = type(error).__name__
        if kind not in self._said:
            self._said.add(kind)
            extra = {"action": self._action, "error": kind}
            self._log.error("%s failed, tried again until it works", self._what, exc_info=error, extra=extra)

    def worked(self) -> bool:
        """Take a success; tell whether it ended a spell."""
        if self._since is None:
            return False
        extra = {"action": f"{self._action}.mended", "seconds": round(self.seconds), "count": self.failures}
        self._log.warning("%s works again", self._what, extra=extra)
        self._since, self.failures = None, 0
        self._said.clear()
        return True

    def rest(self, pause: float) -> float:
        """Return how long to rest now, in seconds, where `pause` is the rest between rounds that work."""
        if not self.failures:
            return pause
        return max(pause, min(LONGEST, FIRST * 2.0 ** min(self.failures - 1, 16)))


class Pulse:
    """When each loop turned last, whether its round worked or not. Beaten by one thread; any may look."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}
        self._turned: dict[str, float] = {}

    def beat(self, name: str, pause: timedelta) -> None:
        """Note that a loop turns, which rests for `pause` between two rounds."""
        now = self._clock()
        self._due[name], self._turned[name] = now + pause.total_seconds() + PATIENCE, now

    def late(self) -> list[str]:
        """Return the loops that have not turned for longer than their rest and `PATIENCE`."""
        return sorted(name for name, due in self._due.copy().items() if self._clock() > due)

    def ages(self) -> dict[str, timedelta]:
        """Return since when each loop has been in its present round, or at rest after it."""
        return {name: timedelta(seconds=self._clock() - at) for name, at in self._turned.copy().items()}


async def forever(
    pause: timedelta,
    act: Act,
    name: str,
    *,
    log: logging.Logger,
    sleep: Sleep = asyncio.sleep,
    pulse: Pulse | None = None,
) -> None:
    """Do it again and again; a failure is said once, and the next round starts afresh."""
    spell = Spell(name, log)
    while True:
        if pulse is not None:
            pulse.beat(name, pause)
        try:
            await act()
        except Exception as error:
            spell.failed(error)
        else:
            spell.worked()
        await sleep(spell.rest(pause.total_seconds()))


class Steady:
    """A job for somebody else's clock: its failures are said once, and it sits out what would be too soon."""

    def __init__(
        self, job: Act, name: str, *, log: logging.Logger, clock: Callable[[], float] = monotonic
    ) -> None:
        self._job = job
        self._spell = Spell(name, log, clock=clock)
        self._clock = clock
        self._not_before = 0.0

    async def __call__(self) -> None:
        """Do the job unless it failed just now; never raises."""
        if self._clock() < self._not_before:
            return
        try:
            await self._job()
        except Exception as error:
            self._spell.failed(error)
            self._not_before = self._clock() + self._spell.rest(0.0)
        else:
            self._spell.worked()


def make_room() -> None:
    """Give the running loop `THREADS` threads for `asyncio.to_thread` (else: cores + 4, Python 3.11)."""
    pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="hotline")
    asyncio.get_running_loop().set_default_executor(pool)
