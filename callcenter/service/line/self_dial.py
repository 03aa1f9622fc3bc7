"""The self-dial: a real call through the trunk to our own number, which proves the whole inbound road.

Our probe's marker is pushed first, the call goes out to the carrier and comes back to us, and the
inbound route writes a SELFDIAL row with the probe's id. Only that row in the journal is a proof.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from callcenter.config import Site
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.moments import check_aware
from callcenter.errors import InDoubt, PbxError, Refused
from callcenter.ports import AuditEntry, CallControl, Clock, PlaceCall, QueueControl, UnitOfWork
from callcenter.service.line.alarms import SYSTEM, Bell, clear

log = logging.getLogger(__name__)

#: How long the proof may take.
PATIENCE = timedelta(seconds=60)
#: Flow of the calling leg: it waits a little and hangs up.
FLOW = "selfdial"
CURRENT, AT = "hotline-probe/current", "hotline-probe/at"
VERB = "line.self_dial"
_EVERY = 0.5
_RING = timedelta(seconds=30)

Sleep = Callable[[float], Awaitable[None]]
#: Returns how many members the queue had when the probe came back, or None while it has not.
Heard = Callable[[str], int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfDial:
    """What came of one self-dial."""

    probe: str
    at: datetime
    #: None: the line works. Else `not_placed` or `not_heard`.
    problem: str | None = None
    #: Members in the queue when the probe arrived.
    members: int | None = None
    took: timedelta | None = None

    @property
    def works(self) -> bool:
        """Tell whether the call came back to us."""
        return self.problem is None


async def self_dial(
    queue: QueueControl,
    calls: CallControl,
    heard: Heard,
    site: Site,
    clock: Clock,
    *,
    sleep: Sleep = asyncio.sleep,
) -> SelfDial:
    """Call our own number through the trunk and wait for its row in the journal. Never raises for a PBX."""
    probe, begun = f"sd-{secrets.token_hex(8)}", clock()
    try:
        await queue.push_facts({CURRENT: probe, AT: str(int(begun.timestamp()))})
        await _place(calls, _call(probe, site))
    except (PbxError, Refused):
        log.exception("the probe could not be placed", extra={"action": "self_dial.not_placed"})
        await _tidy(queue, calls, probe)
        return SelfDial(probe=probe, at=begun, problem="not_placed")
    members = await _wait(heard, probe, begun, clock, sleep)
    await _tidy(queue, calls, probe)
    if members is None:
        return SelfDial(probe=probe, at=begun, problem="not_heard")
    return SelfDial(probe=probe, at=begun, members=members, took=clock() - begun)


def settle(bell: Bell, result: SelfDial, now: datetime, *, actor: str = SYSTEM) -> None:
    """Record what came of it: a failure alarms, a success ends the cause of an earlier alarm."""
    if not result.works:
        bell.raise_alarm(AlarmKind.SELF_DIAL_FAILED, result.problem or "", now)
    bell.within(lambda work: _record(work, result, now, actor))


def is_due(last: datetime | None, now: datetime, at: time, zone: ZoneInfo) -> bool:
    """Tell whether today's self-dial (wall time `at`) is still to be made.

    A line that was down at that time makes it up as soon as it is back.
    """
    today = datetime.combine(check_aware(now).astimezone(zone).date(), at, tzinfo=zone)
    return now >= today and (last is None or last < today)


def last_self_dial(work: UnitOfWork) -> datetime | None:
    """Return when the line last called itself, as far back as the newest audit entries go."""
    return next((entry.at for entry in work.audit.recent(1000) if entry.verb == VERB), None)


class JournalEar:
    """Listens to the journal's files from now on, through rotation, for one probe's row.

    It needs no parser: the probe's id is random, so bytes that hold it are its row.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._from = {file.stat().st_ino: file.stat().st_size for file in self._files()}

    def __call__(self, probe: str) -> int | None:
        """Return the members the probe's row names, or None if there is no such row yet."""
        row = re.compile(rb'"SELFDIAL"[^\n]*probe=' + re.escape(probe.encode()) + rb"&members=(\d+)")
        for file in self._files():
            found = row.search(self._new_bytes(file))
            if found:
                return int(found[1])
        return None

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("journal*.csv*"))

    def _new_bytes(self, file: Path) -> bytes:
        try:
            with file.open("rb") as journal:
                journal.seek(self._from.get(file.stat().st_ino, 0))
                return journal.read()
        except FileNotFoundError:  # rotated away between listing and opening
            return b""


def _call(probe: str, site: Site) -> PlaceCall:
    return PlaceCall(
        id=probe, number=site.public_number, shown_number=site.outbound_number, flow=FLOW, ring=_RING
    )


async def _place(calls: CallControl, call: PlaceCall) -> None:
    """Place the probe; whether one in doubt was placed, the journal will tell."""
    with suppress(InDoubt):
        await calls.place(call)


async def _wait(heard: Heard, probe: str, begun: datetime, clock: Clock, sleep: Sleep) -> int | None:
    while (members := await asyncio.to_thread(heard, probe)) is None and clock() < begun + PATIENCE:
        await sleep(_EVERY)
    return members


async def _tidy(queue: QueueControl, calls: CallControl, probe: str) -> None:
    """Leave no mark and no call behind; both end by themselves if this fails."""
    try:
        await calls.hang_up(probe)
        await queue.push_facts({CURRENT: None, AT: None})
    except PbxError:
        log.warning("a probe was not tidied away", extra={"action": "self_dial.untidy"})


def _record(work: UnitOfWork, result: SelfDial, now: datetime, actor: str) -> None:
    word = result.problem or "ok"
    work.audit.append(AuditEntry(actor=actor, verb=VERB, object=result.probe, at=now, field=word))
    if result.works:
        clear(work, {AlarmKind.SELF_DIAL_FAILED}, now)
