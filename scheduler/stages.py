"""How far an attempt has come, and when nobody will ever tell how it ended.

    written -> placed -> ringing -> answered -> settled
       any of the first four may end in doubt, and what is in doubt may still be settled by its record

Derived from the attempt, the call's record and one look at the telephone system; only the facts are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from scheduler.obligations import Attempt, Doubt, Result

#: An order to dial goes out so soon after the attempt was written, or never: nobody who slept sends it late.
ORDER_WITHIN = timedelta(seconds=5)
#: By then an order that went out in time has made its channel, or been refused (AMI: answer 10 s, birth 2 s).
BORN_WITHIN = timedelta(seconds=15)
#: A journal that nobody reads for so long keeps no person waiting any longer.
UNREAD_FOR = timedelta(minutes=30)


class Stage(StrEnum):
    """How far an attempt has come."""

    #: It is on record with its channel's id; the telephone system may not have heard of it.
    WRITTEN = "written"
    #: The telephone system took the order.
    PLACED = "placed"
    RINGING = "ringing"
    ANSWERED = "answered"
    SETTLED = "settled"
    #: How it ended cannot be known any more: a person looks (`Result.UNKNOWN`, `Doubt`).
    IN_DOUBT = "in_doubt"


class Progress(StrEnum):
    """What the call's record tells while the call goes on."""

    NONE = "none"
    BEGUN = "begun"
    ANSWERED = "answered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What was found out about an attempt without a result, at one instant."""

    at: datetime
    #: The telephone system has a channel of this call.
    live: bool
    #: Its record has begun and not ended.
    begun: bool
    #: Whatever was written about it by `at` has been read.
    read: bool


def stage_of(attempt: Attempt, progress: Progress = Progress.NONE) -> Stage:
    """Return how far an attempt has come, as far as anything on record tells."""
    if attempt.result is not None:
        lost = attempt.result is Result.UNKNOWN and (attempt.doubt is not None or attempt.is_automatic)
        return Stage.IN_DOUBT if lost else Stage.SETTLED
    match progress:
        case Progress.ANSWERED:
            return Stage.ANSWERED
        case Progress.BEGUN:
            return Stage.RINGING
        case Progress.NONE:
            return Stage.WRITTEN if attempt.placed_at is None else Stage.PLACED


def may_be_ordered(attempt: Attempt, now: datetime) -> bool:
    """Tell whether an attempt may still be handed to the network: it has no result, and is fresh.

    A clock that was stepped makes it as old as one that ran.
    """
    return attempt.result is None and abs(now - attempt.at) < ORDER_WITHIN


def may_be_born(attempt: Attempt, now: datetime) -> bool:
    """Tell whether an order for it may be under way, of which nobody has heard yet."""
    return attempt.placed_at is None and abs(now - attempt.at) < BORN_WITHIN


def doubt_after(attempt: Attempt, look: Look) -> Doubt | None:
    """Return why nobody will tell any more how it ended; None: somebody may, or has."""
    if attempt.result is not None or look.live or may_be_born(attempt, look.at):
        return None
    if not look.read:
        return Doubt.UNREAD if abs(look.at - attempt.at) >= UNREAD_FOR else None
    return Doubt.UNENDED if look.begun else Doubt.SILENT
