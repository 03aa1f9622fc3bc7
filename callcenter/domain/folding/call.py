"""One call out of its rows.

Asterisk groups everything that ever met in a call under one linkedid. When an attended transfer joins
two calls, the younger one's channels take the older one's linkedid and its own ends: the caller's call
lives on, the consultation stays a call of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from math import inf

from callcenter.domain.calls import CallRecord, Direction, EndedBy, Outcome
from callcenter.domain.folding.legs import rung_of
from callcenter.domain.folding.reading import Reading
from callcenter.domain.journal import Row, moment
from callcenter.domain.numbers import normalise
from callcenter.domain.queue_log import QueueRow

#: Q.850 causes by which the network, not a person, ended a call.
_NETWORK_CAUSES = frozenset({1, 2, 3, 27, 34, 38, 41, 42, 44, 58, 102, 127})
#: Lines of queue_log after which the caller is gone, and those after which their talk at least is over:
#: whom the counsellor left is asked what is next, and may hear of it until the PBX dies.
_QUEUE_END = frozenset({"COMPLETECALLER", "ABANDON"})
_QUEUE_PARTS = _QUEUE_END | {"COMPLETEAGENT"}
_OUR_CALL, _OUR_PROBE, _OUR_EAR = "at-", "sd-", "ls-"


def fold_call(
    call_id: str,
    rows: Iterable[Row],
    queue: Iterable[QueueRow] = (),
    boot: float = 0.0,
    *,
    given_up: bool = False,
    read_to: float = inf,
) -> CallRecord | None:
    """Return the record of one call, or None if its rows are no call at all.

    `boot` is the PBX's last start (seconds since 1970): what was alive before it is dead.
    `given_up` ends a call of which nothing has been heard for too long. `read_to`: the journal has been read
    so far; queue_log may be ahead of it.
    """
    told = Reading(call_id, read_to)
    told.hear(rows)
    for line in sorted(set(queue)):
        told.hear_queue(line)
    if told.is_nothing:
        return None
    told.meet()
    died = _died(told, boot) or (given_up and not told.has_ended)
    if died or told.has_ended:
        told.read_to = inf  # nothing more is to come of it
    return _record(told, died)


def _record(told: Reading, died: bool) -> CallRecord:
    direction = _direction(told)
    answered, by, via = _answer(told, direction)
    abandoned = died and any(q.event == "ABANDON" for q in told.queue)
    closed = died or told.has_ended
    end = _end(told, answered) if closed else None
    outcome = _outcome(told, direction, answered, closed, (died and not abandoned) or _torn(told))
    offered = _offered(told, answered) if direction is Direction.INBOUND else None
    if outcome is Outcome.SYSTEM_FAILURE:
        offered = offered or end  # it would have been offered (P3)
    ours = direction is Direction.OUTBOUND
    return CallRecord(
        id=told.id,
        direction=direction,
        outcome=outcome,
        started_at=moment(told.first_time),
        number=None if ours else told.number or normalise(told.queue_number),
        dialled=None if ours else told.dialled,
        offered_at=moment(offered) if offered else None,
        answered_at=moment(answered) if answered else None,
        parted_at=_parted(told, answered) if closed else None,
        ended_at=moment(end) if end else None,
        end_is_uncertain=died and not told.queue_end(_QUEUE_END),
        answered_by=by,
        answered_via=via,
        ended_by=_ended_by(told, died and not abandoned) if closed else EndedBy.UNKNOWN,
        sip_status=told.network[0] if told.network else None,
        early_media=bool(told.network and told.network[1]),
        hangup_cause=told.cause if answered or not told.preview_by else told.other_cause,
        queue_entries=max(told.queue_starts, sum(q.event == "ENTERQUEUE" for q in told.queue)),
        rings_not_answered=sum(q.event == "RINGNOANSWER" for q in told.queue),
        path=tuple(told.path),
        keys=tuple(told.keys),
        rung=rung_of(told, closed),
        promises=tuple(told.promises),
        kept=tuple(f"{word}={digits}" for word, digits in told.kept.items()),
        answers=tuple(f"{item}={score}" for item, score in told.answers.items()),
        pieces=tuple(told.pieces),
        left_at=told.left_at,
        unheard=told.unheard() if closed else None,
        flow_outcome=told.flow_outcome,
        witness="journal" if told.has_rows else "queue_log",
    )


def _parted(told: Reading, answered: str | None) -> datetime | None:
    """Return when the caller left the last bridge; what they hear after that is no talk."""
    left = max((time for time in told.exits if answered and time >= answered), default=None)
    return moment(left) if left else None


def _died(told: Reading, boot: float) -> bool:
    """Tell whether the PBX started again before the call ended."""
    return not told.has_ended and boot > float(told.first_time)


def _torn(told: Reading) -> bool:
    """Tell whether the PBX hung up by itself, as it does with every call when it is told to restart.

    Its hang-up then has cause 0 and nobody for its source, and queue_log says ABANDON (Asterisk 22.10.1):
    of who gives up, their own channel is the source.
    """
    return told.cause == 0 and told.hangup_source == ""


def _direction(told: Reading) -> Direction:
    if told.id.startswith(_OUR_CALL):
        return Direction.OUTBOUND
    if told.id.startswith((_OUR_PROBE, _OUR_EAR)) or told.is_probe:
        return Direction.INTERNAL
    if told.entry_context is not None:
        return Direction.INBOUND if told.entry_context == "hotline-trunk" else Direction.INTERNAL
    # The first row is lost: whoever went through a flow or the queue came from outside.
    return Direction.INBOUND if told.in_flow or told.queue else Direction.INTERNAL


def _answer(told: Reading, direction: Direction) -> tuple[str | None, str | None, str | None]:
    """Return when, by whom and by which road a person took the call."""
    if direction is Direction.INTERNAL:
        return told.picked_up, None, None
    found = min(told.human_meetings(), default=None)
    if direction is Direction.INBOUND:
        return found or (None, None, None)
    if told.preview_by:  # our own phone was first: the person answers when the two meet
        met = told.first_meeting()
        return (met, told.preview_by, "direct") if met else (None, None, None)
    return told.picked_up, found[1] if found else None, found[2] if found else None


def _offered(told: Reading, answered: str | None) -> str | None:
    """Return when the call was first offered to a person, or ended in our own words instead."""
    marks = [t for t in (told.offered, told.promised, told.overflowed, answered) if t]
    return min(marks, default=None)


def _outcome(told: Reading, direction: Direction, answered: str | None, closed: bool, died: bool) -> Outcome:
    if not closed:
        return Outcome.OPEN
    if direction is not Direction.INBOUND:
        return Outcome.OUTBOUND if direction is Direction.OUTBOUND else Outcome.INTERNAL
    if answered:
        return Outcome.ANSWERED
    if told.promised:
        return Outcome.PROMISED
    if told.overflowed:
        return Outcome.OVERFLOWED
    if told.flow_outcome == Outcome.BLOCKED and not told.offered:
        return Outcome.BLOCKED
    if died:
        return Outcome.SYSTEM_FAILURE
    return Outcome.ABANDONED if told.offered else Outcome.LEFT_IN_GREETING


def _end(told: Reading, answered: str | None) -> str:
    sign = told.caller_end or told.linked_end or told.last_sign
    parted = None if told.caller_end else told.queue_end(_QUEUE_PARTS)
    return max(t for t in (sign, answered, parted) if t)


def _ended_by(told: Reading, died: bool) -> EndedBy:
    if died:
        return EndedBy.SYSTEM
    if told.hangup_source is None:
        return _ended_by_queue(told)
    if told.cause in _NETWORK_CAUSES:
        return EndedBy.NETWORK
    if _torn(told):
        return EndedBy.SYSTEM
    source = told.hangup_source or ""
    if source == told.caller:
        return EndedBy.COUNSELLOR if told.preview_by else EndedBy.CALLER
    if source.startswith("dialplan/"):
        return EndedBy.SYSTEM
    if not source:
        return EndedBy.UNKNOWN
    return EndedBy.CALLER if told.preview_by else EndedBy.COUNSELLOR


def _ended_by_queue(told: Reading) -> EndedBy:
    """Ask the second witness, where the row of the hang-up was lost."""
    events = {line.event for line in told.queue}
    if events & {"ABANDON", "COMPLETECALLER"}:
        return EndedBy.CALLER
    return EndedBy.COUNSELLOR if "COMPLETEAGENT" in events else EndedBy.UNKNOWN
