"""A dialler as a process of its own, over a real store and a telephone that keeps what it was told in a file.

Run by `test_two_diallers.py`: store's URL, file of the orders, file to wait for, number of rounds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from callcenter.config import Outbound, Settings, Trunk
from callcenter.db.unit_of_work import open_store
from callcenter.keys import KeyRing
from callcenter.memory import MemoryCallControl, MemoryQueue
from callcenter.ports import LiveCalls, PlaceCall
from callcenter.service.followup.dispatch import DebtRound

#: As `tests/conftest.py` has them.
KEYS = KeyRing(master=bytes(range(32)))
#: Always within the windows, and a working day: a Tuesday morning in Wuxi.
NOW = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


class FiledCalls(MemoryCallControl):
    """Appends each order to a file that several processes write; every call goes on for ever."""

    def __init__(self, orders: Path) -> None:
        super().__init__()
        self._orders = orders

    async def place(self, call: PlaceCall) -> None:
        with self._orders.open("a") as file:  # O_APPEND: whole lines, whoever else writes
            file.write(f"{os.getpid()} {call.id} {call.number}\n")

    async def alive(self, call_ids: Collection[str]) -> LiveCalls:
        return LiveCalls(ids=frozenset(call_ids))


def main(url: str, orders: Path, go: Path, rounds: int) -> None:
    """Wait for `go`, then dial whatever may be dialled, again and again."""
    store = open_store(url, KEYS)
    settings = Settings(trunk=Trunk(channels=60), outbound=Outbound(daily_cap=1000, weekly_cap=7000))
    dialler = DebtRound.wire(store, FiledCalls(orders), MemoryQueue(), settings, lambda: NOW)
    with store() as work:
        work.users.all()  # everything is loaded and connected before it begins
    orders.with_name(f"ready-{os.getpid()}").touch()
    while not go.exists():
        time.sleep(0.001)
    for _ in range(rounds):
        asyncio.run(dialler())
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
