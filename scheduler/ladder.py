"""What comes after each attempt: who tries next, and not before when.

Derived from the attempts alone, by the table (`scheduler.ladder_table`). The ladder ends with a human,
never with "unreachable" (R26); a human who has taken over keeps the debt until it is satisfied or closed
by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from scheduler.calendar import Calendar
from scheduler.ladder_table import LadderTable, Part, Then
from scheduler.obligations import Attempt, Mode, Obligation, Result
from scheduler.windows import Daypart, Windows


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
    #: The site's own table has a person take over here.
    BY_TABLE = "by_table"


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
    Why.BY_TABLE: "按本站的重拨规则，这样的结果由工作人员联系",
}

#: What a person who takes over is told, where there is more to say than "by the table".
_WHY_HUMAN: dict[Result, Why] = {
    Result.UNKNOWN: Why.IN_DOUBT,
    Result.REACHED_SELF_CALLBACK: Why.ASKED_FOR_HUMAN,
    Result.REACHED_SELF_TRANSFER: Why.ASKED_FOR_HUMAN,
    Result.OPTED_OUT: Why.OPTED_OUT,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How often and how soon. Every number is the site's to change."""

    #: What follows on each result, and how many rungs there are.
    table: LadderTable = field(default_factory=LadderTable)
    #: Automated calls one person gets at most, in a day and in seven (a busy line's quick tries are one).
    per_day: int = 2
    per_week: int = 4
    #: Between any two automated calls to one person; a busy line's quick tries are exempt.
    gap: timedelta = timedelta(hours=2)


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
    answered: Sequence[datetime] = (),
) -> Step:
    """Return who tries next and not before when. Attempts in doubt are the gates' business.

    `answered`: when the person was reached before; the first attempt falls into the hour that worked.
    """
    limits = limits or Limits()
    settled = sorted((a for a in attempts if a.result is not None), key=lambda a: a.n)
    human = _why_human(obligation, settled, limits.table)
    if human is not None:
        return Step(who=Who.HUMAN, why=human)
    if not settled:
        first = first_at(obligation, answered, windows, calendar)
        return Step(who=Who.IVR, why=Why.FIRST_ATTEMPT, not_before=first)
    return Step(who=Who.IVR, why=Why.RETRY, not_before=_retry_at(settled, windows, calendar, limits))


def rungs(attempts: Sequence[Attempt], table: LadderTable | None = None) -> list[list[Attempt]]:
    """Group the counting automated attempts: a busy line and its quick retries are one rung."""
    table = table or LadderTable()
    found: list[list[Attempt]] = []
    mine = (a for a in attempts if a.is_automatic and table.counts(a))
    for attempt in sorted(mine, key=lambda a: a.at):
        if found and table.continues(found[-1]):
            found[-1].append(attempt)
        else:
            found.append([attempt])
    return found


def first_at(
    obligation: Obligation, answered: Sequence[datetime], windows: Windows, calendar: Calendar
) -> datetime | None:
    """Return when the first attempt falls into the hour at which the person was reached most often.

    None: at once. So it is where nothing is known, where no window is open at that hour, and where
    that hour comes only after the period's end (R31).
    """
    hour = best_hour(answered, windows)
    if hour is None:
        return None
    found = windows.next_at_hour(obligation.due_at, hour, calendar)
    return found if found is not None and found < obligation.window_end else None


def best_hour(answered: Sequence[datetime], windows: Windows) -> int | None:
    """Return the hour (wall time) at which most contacts succeeded; of several, that of the newest."""
    hours = [at.astimezone(windows.zone).hour for at in sorted(answered)]
    newest = {hour: place for place, hour in enumerate(hours)}
    return max(newest, key=lambda hour: (hours.count(hour), newest[hour]), default=None)


def _why_human(obligation: Obligation, settled: Sequence[Attempt], table: LadderTable) -> Why | None:
    if settled and settled[-1].result is Result.UNKNOWN:
        return Why.IN_DOUBT if settled[-1].is_automatic else Why.RESULT_MISSING
    if obligation.mode is Mode.HUMAN_ONLY:
        return Why.HUMAN_ONLY
    decisive = [why for a in settled if a.result and (why := _why_after(a.result, table))]
    if decisive:
        return decisive[-1]
    if any(not a.is_automatic for a in settled):
        return Why.HUMAN_HAS_IT
    if sum(not table.counts(a) for a in settled) >= table.faults:
        return Why.LADDER_EXHAUSTED
    used = rungs(settled, table)
    open_end = bool(used) and table.continues(used[-1])
    exhausted = len(used) >= table.rungs and not open_end
    return Why.LADDER_EXHAUSTED if exhausted else None


def _why_after(result: Result, table: LadderTable) -> Why | None:
    """Return why a person takes over after this result; None: a machine may try again."""
    match table.row(result).then:
        case Then.RETRY | Then.FAULT:
            return None
        case Then.STOP_NUMBER:
            return Why.PHONE_LOST
        case Then.HUMAN:
            return _WHY_HUMAN.get(result, Why.BY_TABLE)
        case never:
            assert_never(never)


def _retry_at(settled: Sequence[Attempt], windows: Windows, calendar: Calendar, limits: Limits) -> datetime:
    last, table = settled[-1], limits.table
    row, used = table.row_of(last), rungs(settled, table)
    if not table.counts(last) or not used:
        return windows.next_open(last.at + row.next_after(1).wait, calendar)
    if table.continues(used[-1]):
        return windows.next_open(last.at + row.quick_wait, calendar)
    after = row.next_after(len(used))
    earliest = last.at + max(after.wait, limits.gap)
    part = windows.part_of(last.at)
    match after.part:
        case Part.ANY:
            return windows.next_open(earliest, calendar)
        case Part.SAME:
            return windows.next_in_part(earliest, {part}, calendar)
        case Part.OTHER:
            tried = {windows.part_of(rung[-1].at) for rung in used}
            left = set(Daypart) - tried or set(Daypart) - {part}
            return windows.next_in_part(earliest, left, calendar)
        case Part.EVENING:
            evening = windows.next_evening(last.at, calendar)
            return evening if evening >= earliest else windows.next_evening(earliest, calendar)
        case never:
            assert_never(never)


# --- who climbs (R35) ----------------------------------------------------------------------

#: Misses in a row that raise somebody who used to answer, and anybody.
_MISSED_BY_ONE_WHO_ANSWERED, _MISSED_BY_ANYBODY = 2, 3
_RAISED = 2
#: Results of which the person themselves was on the line.
REACHED = frozenset(result for result in Result if result.value.startswith(("reached_self", "opted")))
_KEYS = frozenset({Result.REACHED_SELF_IVR_OK, Result.REACHED_SELF_CALLBACK})


def priority(obligation: Obligation, attempts: Sequence[Attempt], *, answered_before: bool) -> int:
    """Return the obligation's priority; smaller is more urgent. Whoever misses calls climbs (R35)."""
    return obligation.priority - max(obligation.raised, raised_by(attempts, answered_before=answered_before))


def raised_by(attempts: Sequence[Attempt], *, answered_before: bool, before: Sequence[Attempt] = ()) -> int:
    """Return by how much an obligation is raised (R35).

    For misses in a row; and for key 2 after key 2, or after key 1: somebody who was well asks for a
    person. `before`: attempts at earlier obligations of the same kind.
    """
    least = _MISSED_BY_ONE_WHO_ANSWERED if answered_before else _MISSED_BY_ANYBODY
    return _RAISED if missed(attempts) >= least or _asks_now(attempts, before) else 0


def missed(attempts: Sequence[Attempt]) -> int:
    """Return how many attempts in a row, up to the last, did not reach the person."""
    count = 0
    for attempt in sorted((a for a in attempts if a.counts), key=lambda a: a.n):
        count = 0 if attempt.result in REACHED else count + 1
    return count


def _asks_now(attempts: Sequence[Attempt], before: Sequence[Attempt]) -> bool:
    """Tell whether the newest key was a 2, pressed at this obligation, and was not the first key ever."""
    everything = sorted((*before, *attempts), key=lambda a: a.at)
    keys = [a for a in everything if a.result in _KEYS]
    mine = bool(keys) and any(a.id == keys[-1].id for a in attempts)
    return mine and len(keys) > 1 and keys[-1].result is Result.REACHED_SELF_CALLBACK
