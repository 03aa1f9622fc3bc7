"""Telling a service manager how we are: sd_notify(3), and the watchdog of systemd.service(5)."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta

log = logging.getLogger(__name__)


def notify(*words: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Send words such as `READY=1`; tell whether there was somebody to tell.

    Never raises: whoever cannot be told must not keep us from the line.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto("\n".join(words).encode(), address.replace("@", "\0", 1))
    except OSError as error:
        extra = {"action": "notify", "error": type(error).__name__}
        log.warning("the service manager cannot be told", extra=extra)
        return False
    return True


def watchdog_every(environment: Mapping[str, str] = os.environ) -> timedelta | None:
    """Return how often this process must feed its watchdog: half its patience; None where there is none."""
    patience, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
    if not patience.isdecimal() or int(patience) == 0 or owner != str(os.getpid()):
        return None
    return timedelta(microseconds=int(patience)) / 2


class Watchdog:
    """Feeds the service manager's watchdog as long as nothing is late; told what is, it lets it bark."""

    def __init__(self, late: Callable[[], list[str]]) -> None:
        self._late = late
        self._was_late: list[str] = []

    async def feed(self) -> None:
        """Feed it once, unless something is late."""
        late = self._late()
        if late and late != self._was_late:
            log.error("loops stand still", extra={"action": "watchdog.late", "reason": ",".join(late)})
        self._was_late = late
        if not late:
            notify("WATCHDOG=1")
