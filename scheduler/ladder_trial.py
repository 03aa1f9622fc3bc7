"""A ladder tried out: when each call would go out if they ended like this. For a table that is to go live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scheduler.gates import ask_again_at, check, refusals
from scheduler.ladder import Step, Who, next_step
from scheduler.obligations import BY_IVR, Attempt, Kind, Mode, Obligation, Result
from scheduler.situation import Gate, Line, Person, Rules, Situation

#: The gates that say when somebody may be called, and not whether.
_OF_TIME = frozenset(
    {
        Gate.COOL_DOWN,
        Gate.PERSON_DAY_CAP,
        Gate.PERSON_WEEK_CAP,
        Gate.HOLIDAY,
        Gate.OUTSIDE_WINDOW,
    }
)
#: No ladder is longer: a week's cap lets it go on the next week.
_LONGEST = 400
_YEAR = timedelta(days=365)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """One call of a trial, and what the table says after it."""

    n: int
    at: datetime
    result: Result
    then: Step


def trial(results: Sequence[Result], start: datetime, rules: Rules) -> tuple[Tried, ...]:
    """Return the calls that would go out from `start` on if they ended so, until a person has the debt.

    Only hours, gaps and a person's caps are asked: whom nobody may call is another question.
    """
    situation, found = _new(start, rules), list[Tried]()
    for n, result in enumerate(results, start=1):
        if _step(situation).who is Who.HUMAN:
            break
        at = _opens(situation)
        made = Attempt(
            id=f"try-{n}",
            obligation=situation.obligation.id,
            n=n,
            planned_at=at,
            by=BY_IVR,
            dialled_at=at,
            result=result,
        )
        situation = replace(situation, now=at, attempts=(*situation.attempts, made))
        found.append(Tried(n=n, at=at, result=result, then=_step(situation)))
    return tuple(found)


def _opens(situation: Situation) -> datetime:
    """Return when every gate of time has opened."""
    for _ in range(_LONGEST):
        refused = [v for v in refusals(check(situation)) if v.gate in _OF_TIME]
        if not refused:
            break
        situation = replace(situation, now=ask_again_at(refused, situation.now))
    return situation.now


def _step(situation: Situation) -> Step:
    rules = situation.rules
    return next_step(
        situation.obligation,
        situation.attempts,
        windows=rules.windows,
        calendar=rules.calendar,
        limits=rules.limits,
    )


def _new(start: datetime, rules: Rules) -> Situation:
    owed = Obligation(
        id="trial",
        person="trial",
        kind=Kind.HARDSHIP,
        due_at=start,
        window_end=start + _YEAR,
        mode=Mode.IVR_OK,
        created_at=start,
    )
    line = Line(waiting=0, free_channels=99)
    return Situation(now=start, obligation=owed, person=Person(attempts=()), line=line, rules=rules)
