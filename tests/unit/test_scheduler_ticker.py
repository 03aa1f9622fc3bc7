"""The ticker ticks, survives a round that fails, and never overlaps itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from scheduler.ticker import Ticker

SOON = timedelta(seconds=1)


def test_it_ticks_until_stopped_and_a_failed_round_does_not_end_it() -> None:
    ticks: list[int] = []

    async def live() -> None:
        third = asyncio.Event()

        async def job() -> None:
            ticks.append(1)
            if len(ticks) == 1:
                raise RuntimeError("the first round fails")
            if len(ticks) == 3:
                third.set()

        ticker = Ticker(SOON, job)
        ticker.start()
        async with asyncio.timeout(60):
            await third.wait()
        ticker.stop()

    asyncio.run(live())
    assert len(ticks) == 3


def test_a_long_round_is_never_run_twice_at_once() -> None:
    running: list[int] = []
    most: list[int] = []

    async def live() -> None:
        done = asyncio.Event()

        async def job() -> None:
            running.append(1)
            most.append(len(running))
            await asyncio.wait({asyncio.ensure_future(done.wait())}, timeout=2.5)
            running.pop()
            if len(most) == 2:
                done.set()

        ticker = Ticker(SOON, job)
        ticker.start()
        async with asyncio.timeout(60):
            await done.wait()
        ticker.stop()

    asyncio.run(live())
    assert max(most) == 1
