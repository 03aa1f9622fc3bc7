"""What comes after each attempt: who tries next, and not before when (domain.md §3.4).

Derived from the attempts alone. The ladder ends with a human, never with "unreachable" (R26); a
human who has taken over keeps the debt until it is satisfied or closed by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from scheduler.calendar import Calendar
from scheduler.obligations import Attempt, Mode, Obligation, Result
from scheduler.windows import Windows, daypart_of


class Who(StrEnum):
    """Who makes the next attempt."""

    IVR = "ivr"
    HUMAN = "human"


class Why(StrEnum):
    """What put the obligation on this rung."""

    HUMAN_ONLY = "human_only"
    #: Lost in a crash: somebody has to look what happened before anybody calls again.
    IN_DOUBT = "in_doubt"
    #: A human dialled and has not said yet whom they reached.
    RESULT_MISSING = "result_missing"
    ASKED_FOR_HUMAN = "asked_for_human"
    OPTED_OUT = "opted_out"
    PHONE_LOST = "phone_lost"
    #: The person is not to be called by machine: no consent, an opt-out, or so on file.
    NO_AUTOMATION = "no_automation"
    #: There is no number a machine may dial.
    NO_NUMBER = "no_number"
    HUMAN_HAS_IT = "human_has_it"
    LADDER_EXHAUSTED = "ladder_exhausted"
    FIRST_ATTEMPT = "first_attempt"
    RETRY = "retry"


#: What a supervisor reads.
WHY_SENTENCES: dict[Why, str] = {
    Why.HUMAN_ONLY: "这项只能由工作人员联系",
    Why.IN_DOUBT: "上一次拨打因故障没有留下结果，请先核实，再决定是否联系",
    Why.RESULT_MISSING: "工作人员已拨打，结果还没有登记",
    Why.ASKED_FOR_HUMAN: "对方希望与工作人员通话",
    Why.OPTED_OUT: "对方不再接受自动来电",
    Why.PHONE_LOST: "上次所拨的号码不能再用，请联系人核实",
    Why.NO_AUTOMATION: "不作自动拨打，由工作人员联系",
    Why.NO_NUMBER: "没有可拨的号码，请联系人核实或上门走访",
    Why.HUMAN_HAS_IT: "已转由工作人员联系",
    Why.LADDER_EXHAUSTED: "自动拨打多次没有结果，转由工作人员联系",
    Why.FIRST_ATTEMPT: "尚未拨打过",
    Why.RETRY: "上次未能联系上，按间隔再试",
}

#: A result after which no automated call follows, whatever is left of the ladder.
_TO_HUMAN: dict[Result, Why] = {
    Result.UNKNOWN: Why.IN_DOUBT,
    Result.REACHED_SELF_CALLBACK: Why.ASKED_FOR_HUMAN,
    Result.REACHED_SELF_TRANSFER: Why.ASKED_FOR_HUMAN,
    Result.OPTED_OUT: Why.OPTED_OUT,
    Result.WRONG_PERSON: Why.PHONE_LOST,
    Result.PHONE_REFUSED: Why.PHONE_LOST,
    Result.VACANT: Why.PHONE_LOST,
    Result.SUSPENDED: Why.PHONE_LOST,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How often and how soon. Every number is the site's to change."""

    #: Automated rungs in all; then a human (R26).
    automatic: int = 3
    per_day: int = 2
    gap: timedelta = timedelta(hours=2)
    #: Before the second rung, which falls into another part of the day.
    second_after: timedelta = timedelta(hours=3)
    #: A busy line is tried again soon; all tries are one rung.
    busy_gap: timedelta = timedelta(minutes=10)
    busy_retries: int = 2
    #: After a fault of the network or our own (R27).
    fault_gap: timedelta = timedelta(minutes=15)
    #: Faults at one obligation after which a human looks, although none used up a rung.
    faults: int = 8
    #: Missed calls that raise the priority of somebody who used to answer (R35).
    missed_raise: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The next rung."""

    who: Who
    why: Why
    #: None: at once, as far as the ladder goes.
    not_before: datetime | None = None


def next_step(
    obligation: Obligation,
    attempts: Sequence[Attempt],
    *,
    windows: Windows,
    calendar: Calendar,
    limits: Limits | None = None,
) -> Step:
    """Return who tries next and not before when. Attempts in doubt are the gates' business."""
    limits = limits or Limits()
    settled = sorted((a for a in attempts if a.result is not None), key=lambda a: a.n)
    human = _why_human(obligation, settled, limits)
    if human is not None:
        return Step(who=Who.HUMAN, why=human)
    if not settled:
        return Step(who=Who.IVR, why=Why.FIRST_ATTEMPT)
    return Step(who=Who.IVR, why=Why.RETRY, not_before=_retry_at(settled, windows, calendar, limits))


def rungs(attempts: Sequence[Attempt], limits: Limits | None = None) -> list[list[Attempt]]:
    """Group the counting automated attempts: a busy line and its quick retries are one rung."""
    limits = limits or Limits()
    found: list[list[Attempt]] = []
    for attempt in sorted((a for a in attempts if a.is_automatic and a.counts), key=lambda a: a.at):
        if found and _continues(found[-1], limits):
            found[-1].append(attempt)
        else:
            found.append([attempt])
    return found


def priority(obligation: Obligation, attempts: Sequence[Attempt], *, answered_before: bool) -> int:
    """Return the obligation's priority; somebody who used to answer and missed two calls climbs (R35)."""
    raised = answered_before and missed(attempts) >= Limits().missed_raise
    return obligation.priority - 2 if raised else obligation.priority


def missed(attempts: Sequence[Attempt]) -> int:
    """Return how many attempts in a row, up to the last, did not reach the person."""
    count = 0
    for attempt in sorted((a for a in attempts if a.counts), key=lambda a: a.n):
        reached = attempt.result is not None and attempt.result.value.startswith(("reached_self", "opted"))
        count = 0 if reached else count + 1
    return count


def _why_human(obligation: Obligation, settled: Sequence[Attempt], limits: Limits) -> Why | None:
    if settled and settled[-1].result is Result.UNKNOWN:
        return Why.IN_DOUBT if settled[-1].is_automatic else Why.RESULT_MISSING
    if obligation.mode is Mode.HUMAN_ONLY:
        return Why.HUMAN_ONLY
    decisive = [why for a in settled if a.result and (why := _TO_HUMAN.get(a.result))]
    if decisive:
        return decisive[-1]
    if any(not a.is_automatic for a in settled):
        return Why.HUMAN_HAS_IT
    if sum(not a.counts for a in settled) >= limits.faults:
        return Why.LADDER_EXHAUSTED
    used = rungs(settled, limits)
    open_end = bool(used) and _continues(used[-1], limits)
    exhausted = len(used) >= limits.automatic and not open_end
    return Why.LADDER_EXHAUSTED if exhausted else None


def _continues(rung: Sequence[Attempt], limits: Limits) -> bool:
    """Tell whether the next attempt still belongs to this rung: busy, and quick retries left."""
    return rung[-1].result is Result.BUSY and len(rung) <= limits.busy_retries


def _retry_at(settled: Sequence[Attempt], windows: Windows, calendar: Calendar, limits: Limits) -> datetime:
    last = settled[-1]
    used = rungs(settled, limits)
    if not last.counts or not used:
        return windows.next_open(last.at + limits.fault_gap, calendar)
    if _continues(used[-1], limits):
        return windows.next_open(last.at + limits.busy_gap, calendar)
    if len(used) == 1:
        part = daypart_of(last.at.astimezone(windows.zone).time())
        return windows.next_other_part(last.at + limits.second_after, part, calendar)
    return windows.next_evening(last.at, calendar)
