"""Orders left in Asterisk's spool folder: they run on time with nothing of ours alive.

A call file runs when its mtime has come. What pbx_spool (22.10, inotify) really does, each tried:

- It queues a file under the mtime seen when it *appears*, and does not look again: a file that is
  overwritten or moved forward still runs at its first time. So a file of ours is never changed; its
  name holds its time, a new order is a new file, and the old one is removed (which it obeys).
- A file must appear whole and with its mtime set: it is written beside the folder and moved in.
- Times passed while Asterisk was down run at its start. Every order here may run late or twice.
- It reads lines of at most 255 bytes.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from callcenter.domain.alarms import Alarm, AlarmKind
from callcenter.domain.moments import check_aware
from callcenter.errors import PbxError

log = logging.getLogger(__name__)

#: Room for codes in one `Setvar:` line.
LONGEST_LIST = 220
_CODE = re.compile(r"[a-z][a-z0-9]{1,11}")
_ALARM_ID = re.compile(r"[a-z0-9_-]{1,64}")


class Spool:
    """The spool folder of the PBX in `home` (`Settings.pbx_home`)."""

    def __init__(self, home: Path) -> None:
        self._outgoing = home / "spool" / "outgoing"
        self._beside = home / "spool" / "tmp"

    def put(self, name: str, lines: Iterable[str], at: datetime | None = None) -> None:
        """Have Asterisk run the order at `at` (rounded up to whole seconds; None: now).

        Raises `PbxError` when the folder cannot be written; then no half order is left.
        """
        text = "".join(f"{line}\n" for line in (*lines, "MaxRetries: 0", "WaitTime: 30", "Archive: no"))
        fresh = self._beside / name
        try:
            for folder in (self._outgoing, self._beside):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write(fresh, text, at)
            fresh.replace(self._outgoing / name)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise PbxError(
                f"{self._outgoing}: cannot be written ({error.strerror}). Free the disk or mend its rights."
            ) from error

    @staticmethod
    def _write(fresh: Path, text: str, at: datetime | None) -> None:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text)
        if at is not None:
            stamp = whole_second(at)
            os.utime(fresh, (stamp, stamp))

    def names(self, prefix: str) -> frozenset[str]:
        """Return the orders of ours that wait, by what their names begin with."""
        return frozenset(file.name for file in self._outgoing.glob(f"{prefix}-*.call"))

    def remove(self, names: Iterable[str]) -> None:
        """Take orders back; one that has just run is gone already."""
        for name in names:
            (self._outgoing / name).unlink(missing_ok=True)


class SpoolEdges:
    """Shift edges laid ahead as call files; a `callcenter.ports.ShiftEdges`.

    An edge only makes dialplan decide anew from the facts pushed before, so a late, doubled or
    superfluous one changes nothing.
    """

    def __init__(self, home: Path) -> None:
        self._spool = Spool(home)

    def lay(self, edges: Mapping[datetime, frozenset[str]]) -> None:
        """Make the PBX re-decide these agents at these instants; replace what was laid before."""
        wanted = {_edge_name(at, agents): (at, agents) for at, agents in edges.items() if agents}
        standing = self._spool.names("edge")
        for name in sorted(wanted.keys() - standing):
            at, agents = wanted[name]
            self._spool.put(name, _edge_lines(agents), at)
        self._spool.remove(standing - wanted.keys())
        log.info("shift edges laid", extra={"action": "spool.edges_laid", "count": len(wanted)})


class SpoolAlarms:
    """Rings the alarm chain through a call file; a `callcenter.ports.AlarmRoad`."""

    def __init__(self, home: Path) -> None:
        self._spool = Spool(home)

    def ring(self, alarm: Alarm) -> None:
        """Have the PBX climb the alarm chain now, by itself, until somebody acknowledges."""
        self._spool.put(f"alarm-{alarm.id}.call", _alarm_lines(alarm.id, alarm.kind))
        log.info("alarm handed to the PBX", extra={"action": "spool.alarm_rung", "alarm": alarm.id})

    def silence(self, alarm_id: str) -> None:
        """Have a climb that is under way end after the phone that rings now."""
        _check_alarm_id(alarm_id)
        mark = alarm_id.rsplit("-", 1)[-1]
        lines = ("Channel: Local/put@hotline-put/n", "Application: NoOp")
        self._spool.put(
            f"silence-{alarm_id}.call", (*lines, f"Setvar: KEY_1=hotline-acked/{mark}", "Setvar: VALUE_1=1")
        )

    def rearm_watchdog(self, at: datetime) -> None:
        """Have the PBX ring by itself at `at` unless this is called again first."""
        stamp = whole_second(at)
        name = f"watchdog-{stamp}.call"
        lines = _alarm_lines(f"al-{AlarmKind.WATCHDOG}-{stamp:08x}", AlarmKind.WATCHDOG)
        standing = self._spool.names("watchdog")
        if name not in standing:
            self._spool.put(name, lines, at)
        self._spool.remove(standing - {name})


def whole_second(at: datetime) -> int:
    """Return the epoch second an order for `at` runs at: rounded up, so that it never runs early."""
    return math.ceil(check_aware(at).timestamp())


def _edge_name(at: datetime, agents: frozenset[str]) -> str:
    """Name an edge by its time and whom it concerns, so that the same edge is the same file."""
    digest = hashlib.sha256(" ".join(sorted(agents)).encode()).hexdigest()[:12]
    return f"edge-{whole_second(at)}-{digest}.call"


def _edge_lines(agents: frozenset[str]) -> Iterator[str]:
    yield "Channel: Local/edge@hotline-duty/n"
    yield "Application: NoOp"
    for number, codes in enumerate(_lists(sorted(agents)), 1):
        yield f"Setvar: AGENTS_{number}={codes}"


def _lists(codes: Iterable[str]) -> Iterator[str]:
    """Join codes by `-` into as few strings as fit a line; raise `PbxError` for one that is no code."""
    line = ""
    for code in codes:
        if not _CODE.fullmatch(code):
            raise PbxError(f"{code!r} is no agent code: use 2-12 of a-z and 0-9, a letter first.")
        if line and len(line) + 1 + len(code) > LONGEST_LIST:
            yield line
            line = ""
        line = f"{line}-{code}" if line else code
    if line:
        yield line


def _alarm_lines(alarm: str, kind: AlarmKind) -> Iterator[str]:
    _check_alarm_id(alarm)
    yield "Channel: Local/idle@hotline-alarm/n"
    yield "Context: hotline-alarm"
    yield "Extension: climb"
    yield "Priority: 1"
    yield f"Setvar: ALARM={alarm}"
    yield f"Setvar: KIND={kind}"


def _check_alarm_id(alarm: str) -> None:
    if not _ALARM_ID.fullmatch(alarm):
        raise PbxError("an alarm's id is 1-64 of a-z, 0-9, `-` and `_`")
