"""Loops whose store is away: they rest ever longer up to a few seconds, and say so once."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from itertools import pairwise

import pytest

from callcenter.pacing import LONGEST, THREADS, Spell, Steady, forever, make_room

log = logging.getLogger("callcenter.test")
PAUSE = timedelta(seconds=0.1)


class Away(Exception):
    """What is raised while the store is away."""


class Loop:
    """A loop whose time is what it rests; its store is away for the first `away` seconds."""

    def __init__(self, away: float) -> None:
        self.now, self.away = 0.0, away
        self.rounds: list[float] = []

    async def act(self) -> None:
        self.rounds.append(self.now)
        if self.now < self.away:
            raise Away

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.away + 5:
            raise asyncio.CancelledError

    def run(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(forever(PAUSE, self.act, "store.round", log=log, sleep=self.sleep))


def _actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [str(getattr(record, "action", "")) for record in caplog.records]


def test_an_hour_without_the_store_is_two_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop(away=3600)
    loop.run()
    assert _actions(caplog) == ["store.round", "store.round.mended"]
    assert getattr(caplog.records[0], "error", "") == "Away"
    failed = [at for at in loop.rounds if at < loop.away]
    assert getattr(caplog.records[1], "count", 0) == len(failed) < 3600 / LONGEST + 10


def test_the_loop_goes_on_a_few_seconds_after_the_store_is_back_and_at_its_own_pace() -> None:
    loop = Loop(away=100)
    loop.run()
    after = [at for at in loop.rounds if at >= loop.away]
    assert len(after) > 10
    assert after[0] - loop.away <= LONGEST
    assert [round(b - a, 6) for a, b in pairwise(after)] == [0.1] * (len(after) - 1)


def test_a_loop_slower_than_the_longest_rest_keeps_its_own_pause() -> None:
    spell = Spell("slow", log)
    spell.failed(Away())
    assert spell.rest(10.0) == 10.0


def test_a_second_kind_of_failure_in_one_spell_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    spell = Spell("store.round", log, clock=lambda: now[0])
    for error in (Away(), OSError(), Away(), OSError()):
        spell.failed(error)
        now[0] += 30
    assert spell.seconds == 120
    assert spell.worked()
    assert not spell.worked()
    assert [getattr(record, "error", "") for record in caplog.records] == ["Away", "OSError", ""]
    assert getattr(caplog.records[-1], "seconds", 0) == 120
    spell.failed(Away())
    assert _actions(caplog)[-1] == "store.round"


def test_rounds_started_by_a_clock_too_soon_after_a_failure_are_sat_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, done = [0.0], []

    async def job() -> None:
        done.append(now[0])
        if now[0] < 60:
            raise Away

    async def tick_each_second() -> None:
        steady = Steady(job, "tick", log=log, clock=lambda: now[0])
        for second in range(70):
            now[0] = float(second)
            await steady()

    asyncio.run(tick_each_second())
    assert len([at for at in done if at < 60]) < 30
    assert done[-7:] == [float(second) for second in range(63, 70)]
    assert _actions(caplog) == ["tick", "tick.mended"]


def test_loops_that_hang_on_a_locked_store_leave_threads_for_the_others() -> None:
    """Eleven loops block at once at worst; the interpreter's own pool has six threads on two cores."""

    async def world() -> str:
        make_room()
        released = threading.Event()
        hanging = [asyncio.create_task(asyncio.to_thread(released.wait)) for _ in range(THREADS - 1)]
        try:
            async with asyncio.timeout(30):
                return await asyncio.to_thread(lambda: "done")
        finally:
            released.set()
            await asyncio.gather(*hanging)

    assert asyncio.run(world()) == "done"
