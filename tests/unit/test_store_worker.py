"""The event loop never waits on the database."""

from __future__ import annotations

import asyncio
import threading

import pytest

from callcenter.db.errors import StoreError
from callcenter.db.worker import StoreWorker


def test_the_loop_goes_on_while_the_store_is_blocked() -> None:
    async def scene() -> int:
        database_answers = threading.Event()
        async with StoreWorker() as worker:
            stuck = asyncio.create_task(worker.run(lambda: database_answers.wait(60)))
            ticks = 0
            while ticks < 100:
                await asyncio.sleep(0)
                ticks += 1
            assert not stuck.done()
            database_answers.set()
            assert await stuck is True
        return ticks

    assert asyncio.run(scene()) == 100


def test_work_is_done_one_after_the_other_in_one_thread_of_its_own() -> None:
    async def scene() -> tuple[list[int], set[str]]:
        order: list[int] = []
        names: set[str] = set()

        def act(n: int) -> None:
            order.append(n)
            names.add(threading.current_thread().name)

        async with StoreWorker(name="store") as worker:
            await asyncio.gather(*(worker.run(lambda n=n: act(n)) for n in range(20)))
        return order, names

    order, names = asyncio.run(scene())
    assert order == list(range(20))
    assert names == {"store_0"}


def test_results_and_errors_come_back_to_who_asked() -> None:
    async def scene() -> None:
        async with StoreWorker() as worker:
            assert await worker.run(lambda: 42) == 42
            with pytest.raises(ZeroDivisionError):
                await worker.run(lambda: 1 // 0)
            assert await worker.run(lambda: "still here") == "still here"

    asyncio.run(scene())


def test_more_work_than_there_is_room_for_waits_and_nothing_is_lost() -> None:
    async def scene() -> list[int]:
        go_on = threading.Event()
        started = 0

        def act(n: int) -> int:
            nonlocal started
            started += 1
            go_on.wait(60)
            return n

        async with StoreWorker(limit=2) as worker:
            tasks = [asyncio.create_task(worker.run(lambda n=n: act(n))) for n in range(5)]
            for _ in range(50):
                await asyncio.sleep(0)
            # One runs, one waits in the queue, three wait for room.
            assert started == 1
            assert worker.waiting == 2
            go_on.set()
            return list(await asyncio.gather(*tasks))

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4]


def test_closing_finishes_what_waits_and_takes_no_more() -> None:
    async def scene() -> None:
        go_on, done = threading.Event(), list[int]()

        def act(n: int) -> None:
            go_on.wait(60)
            done.append(n)

        worker = StoreWorker()
        tasks = [asyncio.create_task(worker.run(lambda n=n: act(n))) for n in range(3)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(worker.close())
        await asyncio.sleep(0)
        with pytest.raises(StoreError):
            await worker.run(lambda: None)
        go_on.set()
        await closing
        await asyncio.gather(*tasks)
        assert done == [0, 1, 2]

    asyncio.run(scene())


def test_who_is_cancelled_takes_only_work_that_has_not_begun_along() -> None:
    async def scene() -> list[str]:
        began, go_on, done = threading.Event(), threading.Event(), list[str]()

        def first() -> None:
            began.set()
            go_on.wait(60)
            done.append("first")

        async with StoreWorker() as worker:
            running = asyncio.create_task(worker.run(first))
            queued = asyncio.create_task(worker.run(lambda: done.append("queued")))
            await asyncio.to_thread(began.wait)
            running.cancel()
            queued.cancel()
            await asyncio.gather(running, queued, return_exceptions=True)
            go_on.set()
            await worker.run(lambda: done.append("later"))
        return done

    assert asyncio.run(scene()) == ["first", "later"]
