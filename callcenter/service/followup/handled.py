"""How a debt stands with the people who work on it, for a whole list at once: what they have to be told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from callcenter.domain.access import Verb
from callcenter.domain.books import DEBT_EVENTS
from callcenter.domain.ledger import DebtAct, DebtEvent, Decision
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.handling import history, needs_decision
from callcenter.service.followup.waiving import asked_for
from callcenter.words import ACT_WORDS, DECISION_WORDS, RESULT_WORDS
from scheduler.obligations import Kind, Obligation, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What a list has to say of one debt beside what it is."""

    #: The waiver that waits for a second supervisor.
    waiver: str | None = None
    #: R26: somebody in danger was not reached in time, and no supervisor has decided what is done.
    undecided: bool = False


def standing_of(work: UnitOfWork, obligations: Collection[Obligation], now: datetime) -> dict[str, Standing]:
    """Return how each of these stands, in two readings of the store."""
    asked = asked_for(work)
    grave = [one.id for one in obligations if one.kind is Kind.HIGH_RISK and needs_decision(one, (), now)]
    acts = work.book(DEBT_EVENTS).among("obligation", grave) if grave else ()
    decided = {event.obligation for event in acts if event.act is DebtAct.DECIDED}
    undecided = set(grave) - decided
    return {
        one.id: Standing(waiver=asked[one.id].id if one.id in asked else None, undecided=one.id in undecided)
        for one in obligations
    }


@guarded(Verb.QUEUE_SEE)
def acts_on(work: UnitOfWork, obligation_id: str, *, actor: str) -> Sequence[DebtEvent]:
    """Return what was done with a debt, oldest first; raise `Forbidden`."""
    allow(work, actor, Verb.QUEUE_SEE)
    return history(work, obligation_id)


def act_words(event: DebtEvent, *, zone: tzinfo, reason: bool = True) -> str:
    """Return one act as a sentence: when, who, what, and why."""
    at = event.at.astimezone(zone)
    told = f"：{event.reason}" if reason and event.reason else ""
    return f"{at:%m-%d %H:%M} {event.by} {ACT_WORDS[event.act]}{_value(event, zone)}{told}"


def _value(event: DebtEvent, zone: tzinfo) -> str:
    """Return what it was set to, in words."""
    match event.act:
        case DebtAct.SNOOZED:
            return f"到 {datetime.fromisoformat(event.value).astimezone(zone):%m-%d %H:%M}"
        case DebtAct.ASSIGNED | DebtAct.WAIVER_ASKED | DebtAct.WAIVER_REFUSED:
            return f" {event.value}"
        case DebtAct.OUTCOME:
            return f" {RESULT_WORDS[Result(event.value)]}"
        case DebtAct.DECIDED:
            return f" {DECISION_WORDS[Decision(event.value)]}"
        case _:
            return ""
