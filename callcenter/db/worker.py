"""A thread of its own for the database, so that the event loop never waits on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from callcenter.db.errors import StoreError

T = TypeVar("T")


class StoreWorker:
    """Runs functions one after the other in one dedicated thread; belongs to one event loop.

    async with StoreWorker() as worker:
        calls = await worker.run(lambda: count_calls(store))
    """

    def __init__(self, *, limit: int = 256, name: str = "store") -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._room = asyncio.Semaphore(limit)
        self._closed = False
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Return how many pieces of work are taken and not finished."""
        return self._waiting

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in the thread and return what it returns; wait for room if `limit` are waiting.

        A caller who is cancelled takes work that has not begun with it; work that has begun is finished.
        Raises what `work` raises, and `StoreError` once the worker is closed.
        """
        await self._room.acquire()
        if self._closed:
            self._room.release()
            raise StoreError("数据库线程已关闭,不再接受新的操作。")
        self._waiting += 1
        future = self._thread.submit(work)
        future.add_done_callback(self._releaser(asyncio.get_running_loop()))
        return await asyncio.wrap_future(future)

    def _releaser(self, loop: asyncio.AbstractEventLoop) -> Callable[[Future[Any]], None]:
        def release() -> None:
            self._waiting -= 1
            self._room.release()

        def finished(_: Future[Any]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(release)

        return finished

    async def close(self) -> None:
        """Take no more work, finish what waits, end the thread."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
