"""What will be late at the present pace, and how many counsellor-hours would clear it.

The pace is measured: what people and machine really kept in the last four weeks. Counted is what is open
now; the period that follows a contact is not, so that a look reaches no further than the shortest period.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean

from callcenter.domain.access import Verb
from callcenter.domain.calls import CallRecord
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from scheduler.gates import Rules
from scheduler.obligations import Evidence, EvidenceKind
from scheduler.outlook import Days, Forecast, Load, Pace, forecast

#: How far back the pace is measured.
MEASURED = timedelta(days=28)
#: Fewer contacts than this measure nothing: then what the site sets counts.
ENOUGH = 10
#: Calls whose length is looked up for the mean.
_MOST_CALLS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """How fast debts were kept, and what one contact takes."""

    pace: Pace
    #: Time of a person for one contact: the talk, and what belongs to it.
    per_contact: timedelta
    #: Attempts by machine, and of them those that kept a debt.
    machine_tries: int
    machine_kept: int
    people_kept: int
    #: False: too little was kept to measure; these are what the site sets, or nothing.
    is_measured: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """The forecast and what it rests on."""

    forecast: Forecast
    measured: Measured
    #: Hours of people a week beyond the present ones with which nothing more is late; None: none suffice.
    more_in_time: float | None
    #: The same, with which what is late now is kept by the last day too.
    more_hours: float | None
    #: Days on which people work, and on which machines call, until the last.
    workdays: int
    machine_days: int


@guarded(Verb.QUEUE_SEE)
def look_ahead(
    work: UnitOfWork,
    *,
    until: date,
    rules: Rules,
    per_contact: timedelta,
    wrap_up: timedelta,
    actor: str,
    now: datetime,
) -> Ahead:
    """Return what will be late by the end of `until`; raise `Forbidden`.

    `per_contact`: what the site reckons one contact takes, until enough are on record.
    """
    allow(work, actor, Verb.QUEUE_SEE)
    days = _days(rules, now, until)
    measured = _measured(work, rules, now, per_contact, wrap_up)
    end = datetime.combine(until, datetime.max.time(), rules.windows.zone)
    ahead = forecast(_owed_until(work, end), measured.pace, days)
    workdays = sum(days.is_workday(day) for day in days.each())
    return Ahead(
        forecast=ahead,
        measured=measured,
        more_in_time=_more_hours(ahead.in_time, measured),
        more_hours=_more_hours(ahead.needed, measured),
        workdays=workdays,
        machine_days=sum(days.may_automate(day) for day in days.each()),
    )


def _owed_until(work: UnitOfWork, end: datetime) -> Sequence[Load]:
    return work.figures.loads(end)


def _more_hours(needed: float | None, measured: Measured) -> float | None:
    """Return the hours a week (of five workdays) that are missing; 0 where none are."""
    if needed is None:
        return None
    more = max(0.0, needed - measured.pace.people)
    return more * 5 * (measured.per_contact / timedelta(hours=1))


def _days(rules: Rules, now: datetime, until: date) -> Days:
    zone = rules.windows.zone
    return Days(
        today=now.astimezone(zone).date(),
        until=until,
        is_workday=rules.calendar.is_workday,
        may_automate=rules.calendar.may_automate,
        day_of=lambda at: at.astimezone(zone).date(),
    )


def _measured(
    work: UnitOfWork, rules: Rules, now: datetime, per_contact: timedelta, wrap_up: timedelta
) -> Measured:
    since = now - MEASURED
    proofs = work.figures.proofs_between(since, now)
    tries = work.figures.tries_between(since, now)
    by_machine = len(_contacts(p for p in proofs if p.kind is EvidenceKind.IVR_KEY))
    by_people = len(_contacts(p for p in proofs if p.kind is not EvidenceKind.IVR_KEY))
    # A line that began lately is measured from its first contact or attempt on.
    began = min([*(proof.at for proof in proofs[:1]), *(at for at, _, _ in tries[:1])], default=since)
    past = _days(rules, began, now.astimezone(rules.windows.zone).date())
    workdays = max(1, sum(past.is_workday(day) for day in past.each()))
    machine_days = max(1, sum(past.may_automate(day) for day in past.each()))
    talks = [_length(record) + wrap_up for record in _records(work, proofs)]
    return Measured(
        pace=Pace(machine=by_machine / machine_days, people=by_people / workdays),
        per_contact=_mean(talks) if len(talks) >= ENOUGH else per_contact,
        machine_tries=sum(is_machine for _, is_machine, _ in tries),
        machine_kept=by_machine,
        people_kept=by_people,
        is_measured=len(proofs) >= ENOUGH,
    )


def _contacts(proofs: Iterable[Evidence]) -> set[tuple[str, datetime]]:
    """Return the contacts that prove something: one visit may keep a check-in and a visit."""
    return {(proof.reference, proof.at) for proof in proofs}


def _records(work: UnitOfWork, proofs: Sequence[Evidence]) -> Iterable[CallRecord]:
    talks = list(dict.fromkeys(proof.reference for proof in proofs if proof.kind is EvidenceKind.HUMAN_TALK))
    for reference in talks[-_MOST_CALLS:]:
        try:
            yield work.calls.get(reference)
        except NotFound:  # its row has been cleared away since
            continue


def _length(record: CallRecord) -> timedelta:
    if record.answered_at is None or record.ended_at is None:
        return timedelta(0)
    return record.ended_at - record.answered_at


def _mean(lengths: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=fmean(length.total_seconds() for length in lengths))
