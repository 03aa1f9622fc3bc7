"""Takes one debt, asks every gate, writes the attempt, then dials. In that order, always.

At most once: the attempt's row (and id, which is the channel's) is durable before the network hears
of it. Whatever happens after, the journal under that id settles the matter; nothing is dialled
again because we forgot whether we dialled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex

from scheduler.errors import LeaseLost, LineUnreachable, PlacingFailed
from scheduler.gates import (
    Gate,
    Line,
    Situation,
    Verdict,
    ask_again_at,
    check,
    check_human,
    check_line,
    refusals,
)
from scheduler.obligations import BY_IVR, Attempt, Obligation, Result
from scheduler.our_numbers import number_for
from scheduler.ports import Clock, Dialler, Ledger

log = logging.getLogger(__name__)

#: How many obligations one round asks about.
PAGE = 200
#: The lease outlives ringing, so that nobody else takes the debt before the journal speaks.
LEASE = timedelta(minutes=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatched:
    """What became of one obligation in one round: an attempt, or the gates that refused."""

    obligation: str
    attempt: Attempt | None = None
    refused: tuple[Verdict, ...] = ()

    @property
    def reasons(self) -> tuple[Gate, ...]:
        """Return the reason codes."""
        return tuple(v.gate for v in self.refused)


@dataclass(kw_only=True, slots=True)
class Dispatcher:
    """One dialler over one ledger. Many may run: claims keep them apart."""

    ledger: Ledger
    dialler: Dialler
    clock: Clock

    async def round(self) -> Sequence[Dispatched]:
        """Go through what is due until the line refuses; return what happened."""
        done: list[Dispatched] = []
        for obligation_id in await asyncio.to_thread(self.ledger.candidates, self.clock(), PAGE):
            if await self._line_refuses():
                break
            done.append(await self.dispatch(obligation_id))
        return done

    async def dispatch(self, obligation_id: str, *, overridden: bool = False) -> Dispatched:
        """Dial one obligation by IVR if every gate lets it pass.

        `overridden`: a supervisor's reason is on record to call outside the window, and only there (I5).
        """
        return await self._dispatch(obligation_id, BY_IVR, overridden)

    async def preview(self, obligation_id: str, agent: str, *, overridden: bool = False) -> Dispatched:
        """Ring `agent` first and then the person, if the gates that bind humans let it pass."""
        return await self._dispatch(obligation_id, agent, overridden)

    async def _dispatch(self, obligation_id: str, by: str, overridden: bool) -> Dispatched:
        now, attempt_id = self.clock(), f"at-{token_hex(8)}"
        try:
            claimed = await asyncio.to_thread(self.ledger.claim, obligation_id, attempt_id, now, now + LEASE)
        except LeaseLost:
            return Dispatched(obligation=obligation_id, refused=(Verdict(gate=Gate.LEASED, passed=False),))
        line = await self._line(None if by == BY_IVR else by)
        seen = await asyncio.to_thread(self.ledger.situation, claimed, self.clock(), line)
        situation = replace(seen, overridden=overridden)
        refused = refusals(check(situation) if by == BY_IVR else check_human(situation))
        if refused:
            return await self._hand_back(claimed, refused, by)
        return await self._dial(claimed, _attempt(situation, attempt_id, by))

    async def _hand_back(self, claimed: Obligation, refused: tuple[Verdict, ...], by: str) -> Dispatched:
        # A human who was refused does not move the machine's own plan.
        next_at = ask_again_at(refused, self.clock()) if by == BY_IVR else claimed.next_at
        await asyncio.to_thread(self.ledger.release, claimed, next_at)
        gates = [v.gate for v in refused]
        await asyncio.to_thread(self.ledger.refused, claimed.id, gates, self.clock())
        codes = ",".join(v.gate.value for v in refused)
        log.info("not dialled", extra={"action": "gate", "obligation": claimed.id, "reason": codes})
        return Dispatched(obligation=claimed.id, refused=refused)

    async def _dial(self, claimed: Obligation, attempt: Attempt) -> Dispatched:
        try:
            await asyncio.to_thread(self.ledger.begin, claimed, attempt)
        except LeaseLost:
            return Dispatched(obligation=claimed.id, refused=(Verdict(gate=Gate.LEASED, passed=False),))
        try:
            await self.dialler.place(attempt)
        except PlacingFailed:
            await asyncio.to_thread(self.ledger.settle, attempt.id, Result.OWN_FAULT, self.clock())
        except LineUnreachable:
            # In doubt: it may be ringing. The journal will tell; until then nobody dials again.
            log.warning("attempt in doubt", extra={"action": "in_doubt", "attempt": attempt.id})
        else:
            await asyncio.to_thread(self.ledger.placed, attempt.id, self.clock())
        return Dispatched(obligation=claimed.id, attempt=attempt)

    async def _line_refuses(self) -> bool:
        overview = await asyncio.to_thread(self.ledger.overview, self.clock(), await self._line())
        refused = refusals(check_line(overview)) if overview is not None else ()
        await asyncio.to_thread(self.ledger.refused, None, [v.gate for v in refused], self.clock())
        if refused:
            codes = ",".join(v.gate.value for v in refused)
            log.info("the line refuses", extra={"action": "gate", "reason": codes})
        return bool(refused)

    async def _line(self, caller: str | None = None) -> Line | None:
        try:
            return await self.dialler.line(caller)
        except LineUnreachable:
            return None


def _attempt(situation: Situation, attempt_id: str, by: str) -> Attempt:
    n = max((a.n for a in situation.attempts), default=0) + 1
    now: datetime = situation.now
    return Attempt(
        id=attempt_id,
        obligation=situation.obligation.id,
        n=n,
        planned_at=now,
        by=by,
        dialled_at=now,
        did=number_for(situation),
    )
