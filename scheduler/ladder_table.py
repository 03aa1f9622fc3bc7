"""What follows on each result of an attempt, as a table a site may edit.

One frozen row per `Result`. A table that could call somebody for ever, or leave a person to nobody, is
refused: it cannot be built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from scheduler.errors import SchedulerError
from scheduler.obligations import FREE_RESULTS, Attempt, Result


class Then(StrEnum):
    """Who or what is next."""

    #: The machine tries again, while rungs are left; then a person has it.
    RETRY = "retry"
    #: The network or we failed: the same rung again (R27).
    FAULT = "fault"
    HUMAN = "human"
    #: The number is of no use any more, and a person has it.
    STOP_NUMBER = "stop_number"


class Part(StrEnum):
    """In which part of the day the next attempt falls."""

    ANY = "any"
    SAME = "same"
    #: One that was not tried yet, if there is any.
    OTHER = "other"
    #: The evening of the next day on which the line calls out.
    EVENING = "evening"


@dataclass(frozen=True, kw_only=True, slots=True)
class Next:
    """When the next rung is: not before `wait` has passed, and in this part of the day."""

    wait: timedelta = timedelta(hours=3)
    part: Part = Part.ANY


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What follows on one result."""

    then: Then
    #: After the first rung, the second, and so on; the last one holds for all that follow.
    nexts: tuple[Next, ...] = ()
    #: It uses up a rung.
    counts: bool = True
    #: So many tries more, after a short while each, belong to the same rung (a busy line).
    quick: int = 0
    quick_wait: timedelta = timedelta(minutes=10)

    def next_after(self, rungs: int) -> Next:
        """Return when the next rung is after so many."""
        return self.nexts[min(max(rungs, 1), len(self.nexts)) - 1]


#: Three hours later in another part of the day, then the next evening.
_ROTATE = (Next(wait=timedelta(hours=3), part=Part.OTHER), Next(wait=timedelta(0), part=Part.EVENING))
_RETRY = Row(then=Then.RETRY, nexts=_ROTATE)
_FAULT = Row(then=Then.FAULT, nexts=(Next(wait=timedelta(minutes=15)),), counts=False)
_HUMAN = Row(then=Then.HUMAN)
_STOP = Row(then=Then.STOP_NUMBER)

#: What is shipped. Who asked for a person, or refused, is not called by machine again whatever a site wants.
SHIPPED: Mapping[Result, Row] = MappingProxyType(
    {
        Result.REACHED_SELF_HUMAN: _RETRY,
        Result.REACHED_SELF_IVR_OK: _RETRY,
        Result.REACHED_SELF_CALLBACK: _HUMAN,
        Result.REACHED_SELF_TRANSFER: _HUMAN,
        Result.OPTED_OUT: _HUMAN,
        Result.PHONE_REFUSED: _STOP,
        Result.REACHED_SELF_NO_KEY: _RETRY,
        Result.REACHED_OTHER: _RETRY,
        Result.WRONG_PERSON: _STOP,
        Result.IDENTITY_FAILED: _RETRY,
        Result.NO_ANSWER: _RETRY,
        Result.BUSY: Row(then=Then.RETRY, nexts=_ROTATE, quick=2),
        Result.DECLINED: _RETRY,
        Result.POWERED_OFF: _RETRY,
        Result.OUT_OF_AREA: _RETRY,
        Result.SUSPENDED: _STOP,
        Result.VACANT: _STOP,
        Result.ASSISTANT_OR_VOICEMAIL: _RETRY,
        Result.NETWORK_CONGESTION: _FAULT,
        Result.OWN_FAULT: _FAULT,
        Result.BLOCKED_BY_RULE: _FAULT,
        Result.UNKNOWN: _HUMAN,
    }
)

_PERSON = frozenset({Then.HUMAN, Then.STOP_NUMBER})
#: What some results may lead to, and why nothing else.
_BOUND: dict[Result, tuple[frozenset[Then], str]] = {
    Result.REACHED_SELF_CALLBACK: (frozenset({Then.HUMAN}), "对方要求工作人员回电"),
    Result.REACHED_SELF_TRANSFER: (frozenset({Then.HUMAN}), "对方要求与工作人员通话"),
    Result.OPTED_OUT: (frozenset({Then.HUMAN}), "对方不再接受自动来电"),
    Result.UNKNOWN: (frozenset({Then.HUMAN}), "结果不明时重拨，可能重复打扰"),
    Result.PHONE_REFUSED: (frozenset({Then.STOP_NUMBER}), "该号码已拒绝来电"),
    Result.WRONG_PERSON: (frozenset({Then.STOP_NUMBER}), "该号码是别人的"),
    Result.SUSPENDED: (_PERSON, "该号码已停机"),
    Result.VACANT: (_PERSON, "该号码是空号"),
    **{free: (frozenset({Then.FAULT, Then.HUMAN}), "线路故障不占次数(R27)") for free in FREE_RESULTS},
}
#: Results at which nobody's telephone rang: only these may leave a rung unused.
_SILENT = FREE_RESULTS | {Result.POWERED_OFF, Result.OUT_OF_AREA}
_MOST_RUNGS, _MOST_QUICK = 5, 5
_LEAST_WAIT, _LONGEST_WAIT = timedelta(minutes=5), timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class LadderTable:
    """The whole table. Raises `SchedulerError`, naming row, key and mend, if it is not a safe one."""

    rows: Mapping[Result, Row] = field(default_factory=lambda: SHIPPED)
    #: Automated rungs in all; then a person (R26).
    rungs: int = 3
    #: Attempts that used up no rung, after which a person looks.
    faults: int = 8

    def __post_init__(self) -> None:
        found = faults_of(self.rows, self.rungs, self.faults)
        if found:
            raise SchedulerError("；".join(found))

    def row(self, result: Result) -> Row:
        """Return what follows on a result."""
        return self.rows[result]

    def row_of(self, attempt: Attempt) -> Row:
        """Return what follows on how an attempt ended; nobody knows yet counts as nobody ever will."""
        return self.rows[attempt.result or Result.UNKNOWN]

    def counts(self, attempt: Attempt) -> bool:
        """Tell whether an attempt used up a rung (one without a result did not yet)."""
        return attempt.result is not None and self.rows[attempt.result].counts

    def continues(self, rung: Sequence[Attempt]) -> bool:
        """Tell whether the next attempt belongs to this rung: quick tries of its last result are left."""
        last = rung[-1].result
        return last is not None and self.rows[last].then is Then.RETRY and len(rung) <= self.rows[last].quick


def faults_of(rows: Mapping[Result, Row], rungs: int, faults: int) -> tuple[str, ...]:
    """Return what is wrong with a table, a sentence each: row and key, why, and the mend."""
    return (*_whole(rungs, faults), *(text for result in Result for text in _fault_of(result, rows)))


def _whole(rungs: int, faults: int) -> Iterator[str]:
    if not 1 <= rungs <= _MOST_RUNGS:
        yield f"rungs：自动拨打要有 1 至 {_MOST_RUNGS} 次，之后由工作人员联系"
    if not 1 <= faults <= 20:
        yield "faults：故障 1 至 20 次之后要由工作人员查看，否则会一直拨下去"


def _fault_of(result: Result, rows: Mapping[Result, Row]) -> Iterator[str]:
    row = rows.get(result)
    if row is None:
        yield f"{result}：缺这一行，这样结束的人就没有人再联系；请补上 then"
        return
    allowed, because = _BOUND.get(result, (frozenset(Then), ""))
    if row.then not in allowed:
        yield f"{result}.then：{because}，只能写 {'、'.join(sorted(allowed))}"
    if row.then in _PERSON:
        return
    if row.counts and row.then is Then.FAULT:
        yield f"{result}.counts：then 是 fault 时不占次数，请写 false，或把 then 改为 retry"
    if not row.counts and result not in _SILENT:
        yield f"{result}.counts：电话响过就要占一次，否则会一直拨下去；请写 true"
    yield from _times(result, row)


def _times(result: Result, row: Row) -> Iterator[str]:
    if not row.nexts:
        yield f"{result}.wait：没有写多久以后再拨；请写至少一个秒数"
    if any(not timedelta(0) <= one.wait <= _LONGEST_WAIT for one in row.nexts):
        yield f"{result}.wait：要在 0 到 7 天之间，太久等于放下不管"
    if not row.counts and any(one.wait < _LEAST_WAIT for one in row.nexts):
        yield f"{result}.wait：不占次数的重拨至少隔 300 秒"
    if not 0 <= row.quick <= _MOST_QUICK:
        yield f"{result}.quick：短间隔重拨至多 {_MOST_QUICK} 次"
    if row.quick and not _LEAST_WAIT <= row.quick_wait <= _LONGEST_WAIT:
        yield f"{result}.quick_wait：至少隔 300 秒"
