"""What we owe, from files and promises to evidence: the verbs over obligations.

"Still owed" is derived from obligations and evidence; no verb here ends a debt without either the
id of something that proves a contact, or a closing with a name and a reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.config import Settings
from callcenter.domain.people import (
    ConsentKind,
    SuppressionKind,
    in_force,
)
from callcenter.ports import UnitOfWork
from callcenter.service.followup.ending import close, done_by_call, done_by_visit, still_open
from callcenter.service.followup.settling import (
    ATTEMPT_PREFIX,
    SYSTEM,
    finish,
    numbers_for,
    result_of,
    settle,
    write_off,
)
from callcenter.service.followup.sweeping import Swept, is_leased, sweep
from scheduler import gates
from scheduler.cadence import Cadence
from scheduler.calendar import Calendar
from scheduler.gates import Line, Rules, Situation
from scheduler.obligations import (
    Kind,
    Obligation,
    Result,
)
from scheduler.risk_ladder import RiskRules, steps
from scheduler.windows import Windows

__all__ = [
    "SYSTEM",
    "Swept",
    "close",
    "done_by_call",
    "done_by_visit",
    "finish",
    "result_of",
    "risk_rules_of",
    "rules_of",
    "settle",
    "situation_of",
    "still_open",
    "sweep",
    "write_off",
]

#: Outcomes older than this say nothing about the line now.
_BREAKER_LOOKS_BACK = timedelta(hours=1)


def rules_of(settings: Settings) -> Rules:
    """Return the rules of calling out that the site configured."""
    outbound = settings.outbound
    days = {day: word == "work" for day, word in settings.calendar.days.items()}
    return Rules(
        calendar=Calendar(site=days),
        windows=Windows(spans=outbound.windows, quiet=outbound.quiet, zone=settings.site.zone),
        daily_cap=outbound.daily_cap,
        reserved_channels=outbound.reserved_channels,
        paused=outbound.paused,
        risk=risk_rules_of(settings),
        cadences=cadences_of(settings),
        visit_every=settings.hardship.visit_every,
    )


def cadences_of(settings: Settings) -> dict[str, Cadence]:
    """Return how often each grade of the site's is owed a contact."""
    grades = settings.hardship.grades
    return {name: Cadence(every=grade.every, first=grade.first) for name, grade in grades.items()}


def risk_rules_of(settings: Settings) -> RiskRules:
    """Return how the site follows people in danger."""
    risk = settings.risk
    ladders = dict(enumerate((risk.imminent, risk.high, risk.medium, risk.general, ())))
    return RiskRules(
        steps={level: steps(*texts) for level, texts in ladders.items()},
        hour=risk.hour,
        end_intent=risk.end_intent,
        acknowledge_within=risk.acknowledge_within,
        remind_after=risk.remind_after,
        overdue_remind_after=risk.overdue_remind_after,
    )


# --- the situation that gates ask ----------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class LineFacts:
    """What holds for every debt alike at one instant, so that a list reads it once."""

    now: datetime
    rules: Rules
    line: Line | None
    dialled_today: int
    outcomes: tuple[tuple[datetime, Result], ...]
    #: Numbers that are talking with us at this moment.
    talking: frozenset[str] = field(repr=False)


def line_facts(work: UnitOfWork, now: datetime, line: Line | None, rules: Rules) -> LineFacts:
    """Read what holds for every debt alike."""
    return LineFacts(
        now=now,
        rules=rules,
        line=line,
        dialled_today=work.debts.attempts_since(_midnight(now, rules)),
        outcomes=recent_outcomes(work, now),
        talking=frozenset(call.number for call in work.calls.open_calls() if call.number),
    )


def situation_of(
    work: UnitOfWork, obligation: Obligation, facts: LineFacts, *, our_fence: int | None = None
) -> Situation:
    """Read everything the gates ask about one obligation; `our_fence` is the lease we hold ourselves."""
    return Situation(
        now=facts.now,
        obligation=obligation,
        attempts=tuple(work.debts.attempts(obligation.id)),
        evidence=tuple(work.debts.evidence(obligation.id)),
        person=_person_of(work, obligation, facts),
        line=facts.line,
        dialled_today=facts.dialled_today,
        outcomes=facts.outcomes,
        rules=facts.rules,
        our_fence=our_fence,
    )


def recent_outcomes(work: UnitOfWork, now: datetime) -> tuple[tuple[datetime, Result], ...]:
    """Return how the line's own recent attempts ended, for the breaker (R27)."""
    records = work.calls.between(now - _BREAKER_LOOKS_BACK, now + timedelta(seconds=1))
    tried = (work.debts.attempt(r.id) for r in records if r.id.startswith(ATTEMPT_PREFIX))
    return tuple((a.at, a.result) for a in tried if a is not None and a.result is not None)


def _person_of(work: UnitOfWork, obligation: Obligation, facts: LineFacts) -> gates.Person:
    person = work.people.get(obligation.person)
    others = [o for o in work.debts.open(person=person.id) if o.id != obligation.id]
    kinds = {s.kind for s in in_force(work.people.suppressions(person.id), facts.now)}
    return gates.Person(
        ivr_consent=has_ivr_consent(work, person.id),
        no_automation=SuppressionKind.AUTOMATION in kinds,
        no_outbound=SuppressionKind.ALL_OUTBOUND in kinds,
        # By default elders are called by people.
        no_ivr=person.no_menu(facts.now.astimezone(facts.rules.windows.zone).year),
        phones=len(person.phones),
        usable_phones=len(numbers_for(person, obligation)),
        leased_elsewhere=any(is_leased(o, facts.now) for o in others),
        live_call=any(phone.number in facts.talking for phone in person.phones),
        high_risk=any(o.kind is Kind.HIGH_RISK for o in (obligation, *others)),
        attempts=tuple(a for o in others for a in work.debts.attempts(o.id)),
    )


def has_ivr_consent(work: UnitOfWork, person_id: str) -> bool:
    """Tell whether the last statement on automated check-ins was a yes."""
    said = [c for c in work.people.consents(person_id) if c.kind is ConsentKind.IVR_CHECKIN]
    return bool(said) and max(said, key=lambda c: c.at).granted


def _midnight(now: datetime, rules: Rules) -> datetime:
    wall = now.astimezone(rules.windows.zone)
    return wall.replace(hour=0, minute=0, second=0, microsecond=0)
