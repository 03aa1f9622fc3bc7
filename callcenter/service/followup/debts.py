"""What we owe, from files and promises to evidence: the verbs over obligations.

"Still owed" is derived from obligations and evidence; no verb here ends a debt without either the
id of something that proves a contact, or a closing with a name and a reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from callcenter.config import Settings
from callcenter.domain.calls import CallRecord
from callcenter.domain.people import (
    ConsentKind,
    SuppressionKind,
    agreed_to,
    in_force,
)
from callcenter.ports import UnitOfWork
from callcenter.service.followup.ending import close, done_by_call, done_by_visit, still_open
from callcenter.service.followup.pausing import standing
from callcenter.service.followup.settling import (
    SYSTEM,
    answered_at,
    finish,
    numbers_for,
    numbers_now,
    result_of,
    settle,
    write_off,
)
from callcenter.service.followup.sweeping import Swept, is_leased, sweep
from scheduler import gates
from scheduler.cadence import Cadence
from scheduler.calendar import Calendar, Festival
from scheduler.gates import Line, Rules, Situation
from scheduler.ladder import Limits
from scheduler.obligations import (
    Attempt,
    Kind,
    Obligation,
    Result,
)
from scheduler.risk_ladder import RiskRules, steps
from scheduler.stages import Progress
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
_BREAKER_LOOKS_AT = 50
_WEEK = timedelta(days=7)


def rules_of(settings: Settings) -> Rules:
    """Return the rules of calling out that the site configured."""
    outbound = settings.outbound
    return Rules(
        calendar=calendar_of(settings),
        windows=Windows(
            spans=outbound.windows,
            quiet=outbound.quiet,
            zone=settings.site.zone,
            weekend=outbound.weekend,
        ),
        limits=limits_of(settings),
        numbers=(settings.site.outbound_number, *outbound.numbers),
        daily_cap=outbound.daily_cap,
        weekly_cap=outbound.weekly_cap,
        reserved_channels=outbound.reserved_channels,
        reserved_seats=outbound.reserved_seats,
        paused=outbound.paused,
        risk=risk_rules_of(settings),
        cadences=cadences_of(settings),
        visit_every=settings.hardship.visit_every,
    )


def calendar_of(settings: Settings) -> Calendar:
    """Return the site's calendar: its own days, the days it leaves in peace, the festivals it keeps."""
    table = settings.calendar
    return Calendar(
        site={day: word == "work" for day, word in table.days.items()},
        peace=frozenset(table.peace),
        festivals=frozenset(map(Festival, table.festivals)),
    )


def limits_of(settings: Settings) -> Limits:
    """Return the site's ladder and how often one person is called by machine."""
    outbound = settings.outbound
    table = settings.ladder.table()
    return Limits(table=table, per_day=outbound.person_daily, per_week=outbound.person_weekly)


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


class LineFacts:
    """What holds for every debt alike at one instant: read once, and only when something asks for it."""

    def __init__(self, work: UnitOfWork, now: datetime, line: Line | None, rules: Rules) -> None:
        self._work, self._rules = work, rules
        self.now, self.line, self.zone = now, line, rules.windows.zone

    @cached_property
    def rules(self) -> Rules:
        """Return the site's rules, with a pause that a person asked for in it."""
        held = standing(self._work, self.now) is not None
        return replace(self._rules, paused=self._rules.paused or held)

    @property
    def plain_rules(self) -> Rules:
        """Return the site's rules as they are configured."""
        return self._rules

    @cached_property
    def shown(self) -> Mapping[str, tuple[datetime, ...]]:
        """Return when each of our numbers was shown in the last seven days."""
        return _shown(self._work, self.now, self._rules)

    @cached_property
    def outcomes(self) -> tuple[tuple[datetime, Result], ...]:
        """Return how the line's own recent attempts ended."""
        return recent_outcomes(self._work, self.now)

    @cached_property
    def going_on(self) -> Mapping[str, CallRecord]:
        """Return the calls that go on at this moment, by id."""
        return {call.id: call for call in self._work.calls.open_calls()}

    @cached_property
    def talking(self) -> frozenset[str]:
        """Return the numbers that are talking with us at this moment."""
        return frozenset(call.number for call in self.going_on.values() if call.number)

    def progress_of(self, attempt: Attempt) -> Progress:
        """Return what the record of an attempt's call tells while it goes on."""
        record = self.going_on.get(attempt.id) if attempt.result is None else None
        if record is None:
            return Progress.NONE
        return Progress.BEGUN if record.answered_at is None else Progress.ANSWERED


def line_facts(work: UnitOfWork, now: datetime, line: Line | None, rules: Rules) -> LineFacts:
    """Return what holds for every debt alike, to be read within this unit of work."""
    return LineFacts(work, now, line, rules)


def situation_of(
    work: UnitOfWork,
    obligation: Obligation,
    facts: LineFacts,
    *,
    our_fence: int | None = None,
    to_dial: bool = False,
) -> Situation:
    """Read everything the gates ask about one obligation; `our_fence` is the lease we hold ourselves.

    `to_dial`: also what was learnt of the person, at which hour they were reached and which of our numbers
    they know. It moves a first attempt within its day, and nothing else; a list does without.
    """
    person = _person_of(work, obligation, facts)
    if to_dial:
        person = replace(person, **_learnt(work, obligation, person.attempts))
    return Situation(
        now=facts.now,
        obligation=obligation,
        attempts=tuple(work.debts.attempts(obligation.id)),
        evidence=tuple(work.debts.evidence(obligation.id)),
        person=person,
        line=facts.line,
        shown=facts.shown,
        outcomes=facts.outcomes,
        rules=facts.rules,
        our_fence=our_fence,
    )


def recent_outcomes(work: UnitOfWork, now: datetime) -> tuple[tuple[datetime, Result], ...]:
    """Return how the line's own recent attempts ended, for the breaker (R27)."""
    newest = work.debts.last_outcomes(_BREAKER_LOOKS_AT)
    return tuple((at, result) for at, result in newest if now - at < _BREAKER_LOOKS_BACK)


def _shown(work: UnitOfWork, now: datetime, rules: Rules) -> dict[str, tuple[datetime, ...]]:
    found: dict[str, tuple[datetime, ...]] = {}
    for at, did in work.debts.dialled_since(now - _WEEK):
        number = did or rules.numbers[0]
        found[number] = (*found.get(number, ()), at)
    return found


def _person_of(work: UnitOfWork, obligation: Obligation, facts: LineFacts) -> gates.Person:
    now, person = facts.now, work.people.get(obligation.person)
    wall = now.astimezone(facts.rules.windows.zone)
    others = [o for o in work.debts.open(person=person.id) if o.id != obligation.id]
    said = in_force(work.people.suppressions(person.id), now)
    kinds = {one.kind for one in said}
    return gates.Person(
        ivr_consent=has_ivr_consent(work, person.id, now),
        no_automation=SuppressionKind.AUTOMATION in kinds,
        no_outbound=SuppressionKind.ALL_OUTBOUND in kinds,
        refused_topic=(SuppressionKind.TOPIC, obligation.kind) in {(one.kind, one.topic) for one in said},
        # By default elders are called by people.
        no_ivr=person.no_menu(wall.year),
        phones=len(person.phones),
        usable_phones=len(numbers_for(person, obligation)),
        safe_phones=len(numbers_now(person, obligation, wall.time())),
        leased_elsewhere=any(is_leased(o, now) for o in others),
        live_call=any(phone.number in facts.talking for phone in person.phones),
        high_risk=any(o.kind is Kind.HIGH_RISK for o in (obligation, *others)),
        attempts=_other_attempts(work, obligation, others, now),
    )


def _other_attempts(
    work: UnitOfWork, obligation: Obligation, others: Sequence[Obligation], now: datetime
) -> tuple[Attempt, ...]:
    """Return the attempts at whatever else they are owed, and at all that they lately were."""
    open_ones = (a for o in others for a in work.debts.attempts(o.id))
    tried = work.debts.tried_since([obligation.person], now - _WEEK)
    lately = (a for a in tried.get(obligation.person, ()) if a.obligation != obligation.id)
    return tuple({a.id: a for a in (*open_ones, *lately)}.values())


def _learnt(work: UnitOfWork, obligation: Obligation, others: Sequence[Attempt]) -> dict[str, Any]:
    """Return when contacts of this kind succeeded, and which of our numbers the person saw last."""
    ids = [one.id for one in work.debts.of_person(obligation.person)]
    made = [a for tries in work.debts.attempts_of(ids).values() for a in tries]
    shown = sorted((a.at, a.did) for a in (*made, *others) if a.did is not None)
    return {"answered": answered_at(work, obligation), "knows": shown[-1][1] if shown else None}


def has_ivr_consent(work: UnitOfWork, person_id: str, now: datetime) -> bool:
    """Tell whether the last statement on automated check-ins was a yes, and still holds."""
    return agreed_to(work.people.consents(person_id), ConsentKind.IVR_CHECKIN, now)
