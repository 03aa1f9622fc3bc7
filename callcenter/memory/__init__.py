"""The whole world in memory: public fakes of every port, for tests and for trying things out.

`MemoryStore` is a `Store` with real transactions; the rest are a telephone system that does what
it is told, remembers it, and fails on request.

    store = MemoryStore()
    with store() as work:
        work.people.add(Person(id="p1", code="P-7F3K"))
        work.commit()
"""

from __future__ import annotations

from callcenter.memory.store import MemoryStore, MemoryUnit
from callcenter.memory.telephony import MemoryAlarmRoad, MemoryCallControl, MemoryQueue, MemoryShiftEdges

__all__ = [
    "MemoryAlarmRoad",
    "MemoryCallControl",
    "MemoryQueue",
    "MemoryShiftEdges",
    "MemoryStore",
    "MemoryUnit",
]
