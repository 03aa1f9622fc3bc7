"""What became of a call of ours, from what the flow, the network and our own clock say.

Three may speak, in this order: the flow (somebody pressed a key), the network (it refused the call), our
own clock (it rang for its whole time). What only an announcement says, a person has to say: see
docs/reference/telephony.md, "What the network says", which a test holds to these tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.domain.calls import CallRecord, EndedBy, Outcome
from scheduler.obligations import Attempt, CauseSource, Result

#: Q.850 causes of a call that nobody answered. 0, 16 and 127 are our own hanging up, or tell nothing.
CAUSES: dict[int, Result] = {
    0: Result.NO_ANSWER,
    1: Result.VACANT,
    2: Result.NETWORK_CONGESTION,
    3: Result.OWN_FAULT,
    6: Result.OWN_FAULT,
    16: Result.NO_ANSWER,
    17: Result.BUSY,
    18: Result.NO_ANSWER,
    19: Result.NO_ANSWER,
    # "Subscriber absent" is switched off and out of coverage alike: no cause tells the two apart.
    20: Result.OUT_OF_AREA,
    21: Result.DECLINED,
    22: Result.VACANT,
    23: Result.NO_ANSWER,
    26: Result.NO_ANSWER,
    27: Result.NETWORK_CONGESTION,
    28: Result.VACANT,
    29: Result.OWN_FAULT,
    31: Result.NO_ANSWER,
    34: Result.NETWORK_CONGESTION,
    38: Result.NETWORK_CONGESTION,
    41: Result.NETWORK_CONGESTION,
    42: Result.NETWORK_CONGESTION,
    44: Result.NETWORK_CONGESTION,
    58: Result.OWN_FAULT,
    66: Result.OWN_FAULT,
    88: Result.OWN_FAULT,
    102: Result.NETWORK_CONGESTION,
    127: Result.NO_ANSWER,
}
#: Where the network itself names the cause (a Reason header), 27 is about the far telephone: it cannot be
#: reached. Taken for congestion it would cost no rung, and four of them would stop the dialler for all.
REASONS = CAUSES | {27: Result.OUT_OF_AREA}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """What a final SIP status means, and the cause Asterisk makes of it where no Reason says more."""

    cause: int
    result: Result


_FAULT, _BUSY_NETWORK = Result.OWN_FAULT, Result.NETWORK_CONGESTION
#: Status -> (Asterisk's cause, result). What a carrier says of our request, our account or our number is
#: our own fault and nobody's answer: 403 is no "declined", and 400 no "no answer".
STATUSES: dict[int, Refusal] = {
    status: Refusal(cause=cause, result=result)
    for status, cause, result in (
        (302, 23, Result.NO_ANSWER),
        (400, 127, _FAULT),
        (401, 21, _FAULT),
        (402, 127, _FAULT),
        (403, 21, _FAULT),
        (404, 1, Result.VACANT),
        (405, 127, _FAULT),
        (406, 127, _FAULT),
        (407, 21, _FAULT),
        (408, 18, Result.NO_ANSWER),
        (410, 22, Result.VACANT),
        (415, 127, _FAULT),
        (420, 3, _FAULT),
        (480, 19, Result.NO_ANSWER),
        (481, 127, _FAULT),
        (482, 127, _BUSY_NETWORK),
        (483, 19, _BUSY_NETWORK),
        (484, 28, Result.VACANT),
        (485, 1, Result.VACANT),
        (486, 17, Result.BUSY),
        (487, 127, Result.NO_ANSWER),
        (488, 58, _FAULT),
        (500, 38, _BUSY_NETWORK),
        (501, 29, _FAULT),
        (502, 27, _BUSY_NETWORK),
        (503, 34, _BUSY_NETWORK),
        (504, 102, _BUSY_NETWORK),
        (600, 17, Result.BUSY),
        (603, 21, Result.DECLINED),
        (604, 1, Result.VACANT),
        (606, 58, _FAULT),
        (607, 127, Result.DECLINED),
        (608, 127, _FAULT),
    )
}
#: A final status is 300 or more; below that the network was still about to try.
_FINAL, _TRYING = 300, 100


def result_of(record: CallRecord, attempt: Attempt) -> Result:
    """Return what became of an attempt, from its call's record alone.

    The flow's own word counts first. Where none was written: a machine's call that was answered is a
    call in which nobody said who they were (R23, R24); a human's call is for the human to judge.
    """
    if record.flow_outcome in set(Result):
        return Result(record.flow_outcome)
    if record.outcome is Outcome.SYSTEM_FAILURE or record.end_is_uncertain:
        return Result.UNKNOWN
    if _was_answered(record):
        return Result.IDENTITY_FAILED if attempt.is_automatic else Result.UNKNOWN
    match source_of(record):
        case CauseSource.OURS:
            return Result.OWN_FAULT
        case CauseSource.REASON:
            return REASONS.get(record.hangup_cause or 0, Result.NO_ANSWER)
        case CauseSource.SIP if record.sip_status:
            return _refused(record.sip_status)
        case CauseSource.TIMEOUT if record.sip_status == _TRYING:
            # The network took the call and rang nobody (R27).
            return Result.NETWORK_CONGESTION
    return CAUSES.get(record.hangup_cause or 0, Result.NO_ANSWER)


def source_of(record: CallRecord) -> CauseSource | None:
    """Return who told how a call of ours ended; None if nobody did."""
    if record.flow_outcome in set(Result) or _was_answered(record):
        return CauseSource.FLOW if record.flow_outcome or record.path else None
    if record.outcome is Outcome.SYSTEM_FAILURE or record.end_is_uncertain:
        return None
    if record.sip_status is None:  # a call of before, or of another carrier: its cause is all there is
        if record.hangup_cause is None:
            return None
        return CauseSource.TIMEOUT if record.ended_by is EndedBy.UNKNOWN else CauseSource.SIP
    if record.sip_status == 0:
        return CauseSource.OURS
    if record.sip_status < _FINAL:
        return CauseSource.TIMEOUT
    return CauseSource.REASON if _says_more(record) else CauseSource.SIP


def _was_answered(record: CallRecord) -> bool:
    return record.answered_at is not None or bool(record.path)


def _says_more(record: CallRecord) -> bool:
    """Tell whether the cause is another than Asterisk makes of the status: then a Reason header named it."""
    known = STATUSES.get(record.sip_status or 0)
    return known is not None and record.hangup_cause not in {None, 0, known.cause}


def _refused(status: int) -> Result:
    """Return what a status means; of one that is not listed, whose fault its class says it is."""
    known = STATUSES.get(status)
    if known is not None:
        return known.result
    return {4: _FAULT, 5: _BUSY_NETWORK}.get(status // 100, Result.NO_ANSWER)
