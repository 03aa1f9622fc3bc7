"""A process that watches a line as the scheduler does, ever so quickly; tests stop and kill it.

Usage: watched_line.py <folder of the PBX> <seconds until the watchdog bites>
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from callcenter.asterisk.spool import SpoolAlarms
from callcenter.config import Alarms
from callcenter.memory import MemoryStore
from callcenter.service.line.watch import Live, Watch


def main() -> None:
    home, seconds = Path(sys.argv[1]), float(sys.argv[2])
    settings = Alarms(watchdog=timedelta(seconds=seconds))
    watch = Watch(MemoryStore(), SpoolAlarms(home), Live, settings)
    while True:
        watch.once(datetime.now(UTC))
        print("looked", flush=True)  # noqa: T201 - the test counts these
        Event().wait(0.25)


main()
