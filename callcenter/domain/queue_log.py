"""The queue's own log: the second witness of a call (`epoch|callid|queue|agent|EVENT|data...`).

app_queue writes it line by line and in whole seconds; `callid` is the caller's channel id, which for
a call of the line is its linkedid. A caller's number stands in ENTERQUEUE unescaped, so a hostile one
breaks the line: what cannot be read here is skipped, the journal tells the call.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

#: Written once, when the PBX starts: every call from before is dead.
BOOT = "QUEUESTART"

_LINE = re.compile(r"(\d{10})\|([\w.;-]{1,150})\|([\w-]{1,80})\|([^|]{0,80})\|([A-Z]{3,32})(?:\|(.*))?")


class QueueRow(NamedTuple):
    """One line of queue_log."""

    time: int
    call: str
    queue: str
    #: MemberName: the agent's code, or NONE.
    agent: str
    event: str
    data: tuple[str, ...]

    @property
    def at(self) -> datetime:
        """Return when it happened, to the second."""
        return datetime.fromtimestamp(self.time, UTC)


def read_queue_line(line: str) -> QueueRow | None:
    """Return the row of a line without its newline, or None if it is no such row."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    time, call, queue, agent, event, data = found.groups()
    return QueueRow(int(time), call, queue, agent, event, tuple((data or "").split("|")))
