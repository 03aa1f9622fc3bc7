"""Every gate between a debt and a ringing phone, re-checked at dial time (R22).

A gate is a function of one `Situation`. Each refusal has a reason code, a sentence for people, and
the instant from which it is worth asking again. No gate can be passed by knowing too little: what
cannot be seen (the line's state, say) refuses, and what nobody has said of a person counts as the worst.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from scheduler.calendar import Calendar
from scheduler.ladder import Step, Who, Why, next_step, rungs
from scheduler.obligations import Attempt, Kind, Status, status_of
from scheduler.our_numbers import day_cap, pace, week_cap
from scheduler.situation import SENTENCES as SENTENCES
from scheduler.situation import Gate as Gate
from scheduler.situation import Line as Line
from scheduler.situation import Person as Person
from scheduler.situation import Rules as Rules
from scheduler.situation import Situation as Situation
from scheduler.situation import Verdict as Verdict

#: How long to wait before asking again, where nothing better is known.
ASK_AGAIN = timedelta(hours=1)
SOON = timedelta(minutes=1)

_Answer = tuple[bool, datetime | None]


def check(situation: Situation) -> tuple[Verdict, ...]:
    """Return every gate's verdict on an automated call now.

    Without a line in sight its gates are not judged, and `LINE_UNKNOWN` refuses.
    """
    unseen = _OF_THE_LIVE_LINE if situation.line is None else frozenset()
    return tuple(_verdict(gate, situation) for gate in Gate if gate not in unseen | _OF_PREVIEWS)


def step_of(situation: Situation) -> Step:
    """Return who tries next, the person's own wishes and numbers considered."""
    step, person = _step(situation), situation.person
    if step.who is Who.HUMAN:
        return step
    if person.high_risk:
        return Step(who=Who.HUMAN, why=Why.HUMAN_ONLY)
    if person.no_ivr or person.no_automation or person.no_outbound or not person.ivr_consent:
        return Step(who=Who.HUMAN, why=Why.NO_AUTOMATION)
    return step if person.usable_phones else Step(who=Who.HUMAN, why=Why.NO_NUMBER)


def check_human(situation: Situation) -> tuple[Verdict, ...]:
    """Return the verdicts that also bind a human who dials: the rest is their judgement.

    Without a line in sight nobody can say how many of it are free; `LINE_UNKNOWN` refuses.
    """
    unseen = _OF_THE_LIVE_LINE if situation.line is None else frozenset()
    return tuple(_human_verdict(gate, situation) for gate in _FOR_HUMANS if gate not in unseen)


def check_line(situation: Situation) -> tuple[Verdict, ...]:
    """Return the verdicts that hold for everybody alike, so that a round can end early."""
    rules = situation.rules
    somebody = replace(rules, calendar=replace(rules.calendar, weekends=bool(rules.windows.weekend)))
    return tuple(_verdict(gate, replace(situation, rules=somebody)) for gate in _OF_THE_LINE)


def is_starved(situation: Situation) -> bool:
    """Tell whether nothing but the line keeps a debt from a first automated call, although its end is over.

    A debt that came into being late, as an import brings them, gets a day first.
    """
    one = situation.obligation
    over = max(one.window_end, one.created_at + _DAY) < situation.now
    if not over or any(a.is_automatic for a in situation.attempts):
        return False
    return not {v.gate for v in check(situation) if not v.passed} - {*_OF_THE_LINE, *_OF_THE_LIVE_LINE}


def refusals(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts that refuse."""
    return tuple(v for v in verdicts if not v.passed)


def ask_again_at(refused: Sequence[Verdict], now: datetime) -> datetime:
    """Return when all refusing gates may have opened: the latest of their instants."""
    return max((v.retry_at or now + ASK_AGAIN for v in refused), default=now)


def _verdict(gate: Gate, situation: Situation) -> Verdict:
    passed, retry_at = _GATES[gate](situation)
    return Verdict(gate=gate, passed=passed, retry_at=None if passed else retry_at)


def _human_verdict(gate: Gate, situation: Situation) -> Verdict:
    # Who refused calls may still be followed by a person while in danger, and at night in the first hours.
    at_risk = situation.obligation.kind is Kind.HIGH_RISK
    imminent = at_risk and situation.obligation.priority == 0
    verdict = _verdict(gate, situation)
    match gate:
        case Gate.SUPPRESSED:
            return Verdict(gate=gate, passed=at_risk or not situation.person.no_outbound)
        case Gate.TOPIC_REFUSED:
            return replace(verdict, passed=at_risk or verdict.passed)
        case Gate.SNOOZED:
            return Verdict(gate=gate, passed=True, retry_at=verdict.retry_at, notice=not verdict.passed)
        case Gate.OUTSIDE_WINDOW:
            loud = not situation.rules.windows.is_quiet(situation.now)
            return Verdict(gate=gate, passed=imminent or situation.overridden or loud)
        case Gate.OUTSIDE_SAFE_WINDOW:
            return replace(verdict, passed=imminent or verdict.passed)
        case Gate.NO_FREE_TRUNK:
            return Verdict(gate=gate, passed=situation.line is not None and situation.line.free_channels >= 1)
        case _:
            return verdict


def _satisfied(s: Situation) -> _Answer:
    return status_of(s.obligation, s.evidence, s.now) not in {Status.SATISFIED, Status.CLOSED}, None


def _not_due(s: Situation) -> _Answer:
    return s.now >= s.obligation.due_at, s.obligation.due_at


def _leased(s: Situation) -> _Answer:
    lease = s.obligation.lease
    ours = lease is not None and lease.fence == s.our_fence
    free = lease is None or ours or not lease.holds(s.now)
    return free and not s.person.leased_elsewhere, s.now + SOON


def _in_doubt(s: Situation) -> _Answer:
    return not any(a.in_doubt for a in (*s.attempts, *s.person.attempts)), s.now + SOON


def _live_call(s: Situation) -> _Answer:
    return not s.person.live_call, s.now + SOON


def _suppressed(s: Situation) -> _Answer:
    return not (s.person.no_automation or s.person.no_outbound), None


def _topic(s: Situation) -> _Answer:
    return not s.person.refused_topic, None


def _snoozed(s: Situation) -> _Answer:
    until = s.obligation.snoozed_until
    return until is None or until <= s.now, until


def _human_only(s: Situation) -> _Answer:
    return _step_is_automatic(s) and not s.person.no_ivr and not s.person.high_risk, None


def _consent(s: Situation) -> _Answer:
    return s.person.ivr_consent, None


def _no_phone(s: Situation) -> _Answer:
    return s.person.phones > 0, None


def _quarantined(s: Situation) -> _Answer:
    return s.person.phones == 0 or s.person.usable_phones > 0, None


def _safe_window(s: Situation) -> _Answer:
    # Whoever has no number that may be dialled is refused for that.
    return s.person.usable_phones == 0 or s.person.safe_phones > 0, s.now + _QUARTER


def _cool_down(s: Situation) -> _Answer:
    free_at = [t for t in (_ladder_says(s), s.obligation.next_at, _gap_ends(s)) if t is not None]
    latest = max(free_at, default=s.now)
    return latest <= s.now, latest


def _person_cap(s: Situation) -> _Answer:
    today = [a for a in _everything(s) if a.at.astimezone(s.rules.windows.zone).date() == _today(s)]
    return _rungs_left(s, today, s.rules.limits.per_day), _tomorrow(s)


def _person_week_cap(s: Situation) -> _Answer:
    lately = [a for a in _everything(s) if s.now - a.at < _WEEK]
    table = s.rules.limits.table
    oldest = min((a.at for a in lately if a.is_automatic and table.counts(a)), default=s.now)
    return _rungs_left(s, lately, s.rules.limits.per_week), _open_from(s, oldest + _WEEK)


def _paused(s: Situation) -> _Answer:
    return not s.rules.paused, s.now + SOON


def _breaker(s: Situation) -> _Answer:
    if s.outcomes is None:
        return False, s.now + SOON
    closes = s.rules.breaker.closes_at(s.outcomes)
    return closes is None or closes <= s.now, closes


def _holiday(s: Situation) -> _Answer:
    return _calendar(s).may_automate(_today(s)), _opening(s)


def _window(s: Situation) -> _Answer:
    return s.overridden or s.rules.windows.is_open(s.now), _opening(s)


def _line_unknown(s: Situation) -> _Answer:
    return s.line is not None, s.now + SOON


def _waiting(s: Situation) -> _Answer:
    return s.line is None or s.line.waiting == 0, s.now + SOON


def _trunk(s: Situation) -> _Answer:
    needed = max(2, s.rules.reserved_channels + 1)
    return s.line is None or s.line.free_channels >= needed, s.now + SOON


def _seat(s: Situation) -> _Answer:
    # Somebody in danger is dialled, whoever is left.
    spared = s.rules.reserved_seats == 0 or s.person.high_risk or s.obligation.kind is Kind.HIGH_RISK
    free = s.line.free_agents if s.line is not None else 0
    return spared or free >= s.rules.reserved_seats, s.now + SOON


_GATES: dict[Gate, Callable[[Situation], _Answer]] = {
    Gate.SATISFIED: _satisfied,
    Gate.NOT_DUE: _not_due,
    Gate.LEASED: _leased,
    Gate.IN_DOUBT: _in_doubt,
    Gate.LIVE_CALL: _live_call,
    Gate.SUPPRESSED: _suppressed,
    Gate.TOPIC_REFUSED: _topic,
    Gate.SNOOZED: _snoozed,
    Gate.HUMAN_ONLY: _human_only,
    Gate.NO_IVR_CONSENT: _consent,
    Gate.NO_PHONE: _no_phone,
    Gate.PHONE_QUARANTINED: _quarantined,
    Gate.OUTSIDE_SAFE_WINDOW: _safe_window,
    Gate.COOL_DOWN: _cool_down,
    Gate.PERSON_DAY_CAP: _person_cap,
    Gate.PERSON_WEEK_CAP: _person_week_cap,
    Gate.DIALLER_PAUSED: _paused,
    Gate.BREAKER_OPEN: _breaker,
    Gate.HOLIDAY: _holiday,
    Gate.OUTSIDE_WINDOW: _window,
    Gate.LINE_UNKNOWN: _line_unknown,
    Gate.INBOUND_WAITING: _waiting,
    Gate.NO_FREE_TRUNK: _trunk,
    Gate.NO_FREE_SEAT: _seat,
    Gate.DID_DAY_CAP: day_cap,
    Gate.DID_WEEK_CAP: week_cap,
    Gate.DID_PACE: pace,
}

_OF_THE_LINE = (
    Gate.DIALLER_PAUSED,
    Gate.BREAKER_OPEN,
    Gate.HOLIDAY,
    Gate.OUTSIDE_WINDOW,
    Gate.LINE_UNKNOWN,
    Gate.INBOUND_WAITING,
    Gate.NO_FREE_TRUNK,
    Gate.DID_DAY_CAP,
    Gate.DID_WEEK_CAP,
    Gate.DID_PACE,
)
_OF_THE_LIVE_LINE = frozenset({Gate.INBOUND_WAITING, Gate.NO_FREE_TRUNK, Gate.NO_FREE_SEAT})
#: Asked only where a counsellor is rung first.
_OF_PREVIEWS = frozenset({Gate.NO_FREE_SEAT})
_FOR_HUMANS = (
    Gate.SATISFIED,
    Gate.LEASED,
    Gate.IN_DOUBT,
    Gate.LIVE_CALL,
    Gate.SUPPRESSED,
    Gate.TOPIC_REFUSED,
    Gate.SNOOZED,
    Gate.NO_PHONE,
    Gate.PHONE_QUARANTINED,
    Gate.OUTSIDE_SAFE_WINDOW,
    Gate.OUTSIDE_WINDOW,
    Gate.LINE_UNKNOWN,
    Gate.NO_FREE_TRUNK,
    Gate.NO_FREE_SEAT,
)
_QUARTER = timedelta(minutes=15)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


def _step_is_automatic(s: Situation) -> bool:
    return _step(s).who is Who.IVR


def _ladder_says(s: Situation) -> datetime | None:
    return _step(s).not_before


def _step(s: Situation) -> Step:
    rules = s.rules
    return next_step(
        s.obligation,
        s.attempts,
        windows=rules.windows,
        calendar=_calendar(s),
        limits=rules.limits,
        answered=s.person.answered,
    )


def _everything(s: Situation) -> list[Attempt]:
    """Return the attempts at all that the person is, or lately was, owed."""
    return list({a.id: a for a in (*s.person.attempts, *s.attempts)}.values())


def _gap_ends(s: Situation) -> datetime | None:
    """Return the end of the gap after the last counting attempt; quick busy retries are exempt."""
    table = s.rules.limits.table
    counted = [a for a in _everything(s) if a.is_automatic and table.counts(a)]
    last = max(counted, key=lambda a: a.at, default=None)
    if last is None or _going_on(s, last):
        return None
    return last.at + s.rules.limits.gap


def _going_on(s: Situation, last: Attempt) -> bool:
    """Tell whether the next attempt at this obligation is a quick try after `last`, of the same rung."""
    mine = [a for a in s.attempts if a.result is not None]
    if not mine or mine[-1].id != last.id:
        return False
    used = rungs(mine, s.rules.limits.table)
    return bool(used) and s.rules.limits.table.continues(used[-1])


def _rungs_left(s: Situation, made: Sequence[Attempt], most: int) -> bool:
    """Tell whether one more call stays within `most` rungs; a quick try belongs to a rung that counts."""
    used = rungs(made, s.rules.limits.table)
    going_on = bool(used) and _going_on(s, used[-1][-1])
    return len(used) < most + (1 if going_on else 0)


def _today(s: Situation) -> date:
    return s.now.astimezone(s.rules.windows.zone).date()


def _calendar(s: Situation) -> Calendar:
    return s.rules.calendar_for(s.person.answered)


def _opening(s: Situation) -> datetime:
    return s.rules.windows.next_open(s.now, _calendar(s))


def _open_from(s: Situation, earliest: datetime) -> datetime:
    return s.rules.windows.next_open(max(earliest, s.now), _calendar(s))


def _tomorrow(s: Situation) -> datetime:
    midnight = datetime.combine(_today(s) + timedelta(days=1), datetime.min.time(), s.rules.windows.zone)
    return _open_from(s, midnight)
