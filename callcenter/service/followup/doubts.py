"""What became of calls of ours without a result: told by the telephone system and its journal, or a person.

An attempt's id is its channel's, so that both can be asked about exactly this call (P2, R28). Nothing is
ever dialled again here. What neither can tell is `Result.UNKNOWN`: a task for a person, that says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from callcenter.errors import PbxError
from callcenter.ports import CallControl, Clock, LiveCalls, Store
from callcenter.service.followup.settling import settle, write_off
from scheduler.gates import Rules
from scheduler.obligations import Attempt
from scheduler.stages import Look, doubt_after, may_be_born

log = logging.getLogger(__name__)

#: Returns True once whatever the telephone system had written before is in the store; False: nobody knows.
Told = Callable[[], Awaitable[bool]]


async def nobody_knows() -> bool:
    """Tell that it is not known how far the journal has been read."""
    return False


async def settle_doubts(
    store: Store, control: CallControl, rules: Rules, clock: Clock, told: Told = nobody_knows
) -> tuple[Attempt, ...]:
    """Settle attempts without a result; return those whose end nobody will tell any more.

    First the journal, as far as it is read; then the telephone system, whose live calls go on; then the
    journal again, read past that look. While the telephone system cannot be asked, doubts stay doubts.
    """
    waiting = await asyncio.to_thread(_from_journal, store, rules, clock())
    if not waiting:
        return ()
    try:
        alive = await control.alive({attempt.id for attempt in waiting})
    except PbxError:
        log.warning("attempts stay in doubt", extra={"action": "in_doubt", "count": len(waiting)})
        return ()
    looked_at = clock()
    gone = [a for a in waiting if a.id not in alive.ids and not may_be_born(a, looked_at)]
    if not gone:
        return ()
    read = await told()
    left = {a.id for a in await asyncio.to_thread(_from_journal, store, rules, clock())}
    lost = left & {a.id for a in gone}
    return await asyncio.to_thread(_write_off_all, store, rules, lost, alive, looked_at, read)


def _from_journal(store: Store, rules: Rules, now: datetime) -> list[Attempt]:
    """Settle what is on record as ended; return what has no result after that."""
    with store() as work:
        doubtful = {a.id: a for a in work.debts.attempts_in_doubt()}
        closed = work.calls.known_closed(doubtful)
        settle(work, [work.calls.get(i) for i in sorted(closed)], now, rules=rules)
        work.commit()
    return [attempt for i, attempt in doubtful.items() if i not in closed]


def _write_off_all(
    store: Store, rules: Rules, lost: Collection[str], alive: LiveCalls, at: datetime, read: bool
) -> tuple[Attempt, ...]:
    """Write off what is lost, each in a transaction of its own: the journal may be settling others."""
    done = (_write_off(store, rules, one, alive, at, read) for one in sorted(lost))
    return tuple(attempt for attempt in done if attempt is not None)


def _write_off(
    store: Store, rules: Rules, attempt_id: str, alive: LiveCalls, at: datetime, read: bool
) -> Attempt | None:
    with store() as work:
        attempt = work.debts.hold_attempt(attempt_id)
        begun = attempt_id in {call.id for call in work.calls.open_calls()}
        look = Look(at=at, live=attempt_id in alive.ids, begun=begun, read=read)
        doubt = doubt_after(attempt, look) if attempt is not None else None
        if attempt is None or doubt is None:
            return None
        done = write_off(work, attempt, at, rules, doubt, pbx_since=alive.since, read_to=at if read else None)
        work.commit()
    log.warning("nobody can tell how a call ended", extra={"action": "attempt.lost", "reason": doubt.value})
    return done
