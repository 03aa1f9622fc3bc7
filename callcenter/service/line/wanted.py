"""What the PBX must hold, so that calls find their people while nothing of ours runs (P1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from callcenter.domain import reconcile
from callcenter.domain.duty import Shift, ShiftKind, joined_spans, presence_of, shift_edges
from callcenter.domain.reconcile import Wanted
from callcenter.ports import UnitOfWork
from callcenter.service.duty.presence import LONGEST_SHIFT, by_phone, seated
from callcenter.service.followup.callers import Opening, line_facts

#: Shift edges are laid this far ahead in the PBX; the intervals reach a day further.
EDGES_AHEAD = timedelta(days=7)
INTERVALS_AHEAD = timedelta(days=8)
#: A line without opening hours.
ALWAYS = Opening()
#: An AMI header holds fewer than 1000 bytes, an interval takes 22.
_MOST_INTERVALS = 40


def pbx_wants(work: UnitOfWork, now: datetime, *, salt: str, opening: Opening = ALWAYS) -> Wanted:
    """Return members, facts and edges as the store has them at `now`. `salt`: the PBX's own."""
    shifts = work.roster.shifts_between(now - LONGEST_SHIFT, now + INTERVALS_AHEAD)
    presence = presence_of(work.roster.presence_events())
    users = by_phone(work)
    facts = {
        **_interval_facts(
            [s for s in shifts if s.end > now and s.agent in users and s.kind is ShiftKind.LINE]
        ),
        **{f"{reconcile.SIGNED}/{a}": "1" for a, p in presence.items() if p.signed_on and a in users},
        **{
            f"{reconcile.PAUSED}/{a}": p.reason or "rest"
            for a, p in presence.items()
            if p.paused and a in users
        },
        **{f"{reconcile.DEBRIEF}/{a}": "1" for a, p in presence.items() if p.debrief and a in users},
        **{f"{reconcile.PIN}/{u.code}": u.pin_verifier for u in users.values() if u.pin_verifier},
        **line_facts(work, now, users.values(), opening, salt),
    }
    return Wanted(
        members=seated(shifts, presence, users, now),
        facts=facts,
        edges=shift_edges((s for s in shifts if s.agent in users), now, now + EDGES_AHEAD),
    )


def _interval_facts(shifts: Sequence[Shift]) -> dict[str, str]:
    facts = {}
    for agent in sorted({s.agent for s in shifts}):
        spans = joined_spans(s for s in shifts if s.agent == agent)[:_MOST_INTERVALS]
        texts = (f"{int(start.timestamp())}-{int(end.timestamp())}" for start, end in spans)
        facts[f"{reconcile.SHIFT}/{agent}"] = "&".join(texts)
    return facts
