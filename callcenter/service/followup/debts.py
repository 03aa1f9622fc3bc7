"""What we owe, from files and promises to evidence: the verbs over obligations.

"Still owed" is derived from obligations and evidence; no verb here ends a debt without either the
id of something that proves a contact, or a closing with a name and a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.config import Settings
from callcenter.domain.people import (
    ConsentKind,
    FileStatus,
    Grade,
    HardshipFile,
    SuppressionKind,
)
from callcenter.errors import Conflict
from callcenter.ports import UnitOfWork
from callcenter.service.followup.ending import close, done_by_call, done_by_visit, still_open
from callcenter.service.followup.settling import (
    ATTEMPT_PREFIX,
    SYSTEM,
    digest,
    finish,
    note,
    numbers_for,
    result_of,
    settle,
    write_off,
)
from scheduler import gates
from scheduler.cadence import Due, next_due
from scheduler.calendar import Calendar
from scheduler.gates import Line, Rules, Situation
from scheduler.obligations import (
    Kind,
    Mode,
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
    )


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


# --- the sweep -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What a sweep changed, by obligation id."""

    opened: tuple[str, ...] = ()
    #: Replaced by one with another due date (new grade, new first day, another contact).
    moved: tuple[str, ...] = ()
    #: Ended because the file left; a human confirms (R34).
    left: tuple[str, ...] = ()


def sweep(work: UnitOfWork, now: datetime, *, rules: Rules | None = None) -> Swept:
    """Make the open routine debts equal what files and contacts say: one per file that is owed.

    Idempotent. What is being worked on this minute is left for the next sweep. The caller commits.
    """
    rules = rules or Rules()
    standing = {o.person: o for o in work.debts.open() if o.kind is Kind.HARDSHIP}
    # R39: what follows from a call for help moves no routine debt, or the clerk would see that it was there.
    contacts = work.debts.last_contacts(kind=Kind.HARDSHIP)
    busy = {a.obligation for a in work.debts.attempts_in_doubt()}
    opened, moved, left = [], [], []
    seen: set[str] = set()
    for file in _urgent_first(work.people.files(), contacts, rules):
        open_one = standing.get(file.person)
        if open_one is not None and (open_one.id in busy or _is_leased(open_one, now)):
            continue
        if file.status is FileStatus.CLOSED:
            gone = _leave(work, file, open_one, now)
            if gone:
                standing.pop(file.person)
            left += gone
            continue
        if file.person in seen:  # one person is owed one routine contact, whatever the files say
            continue
        seen.add(file.person)
        due = due_of(file, contacts.get(file.person), rules)
        if open_one is None:
            opened += _open(work, file, due, now)
        elif open_one.window_end != due.window_end:
            moved += _move(work, file, open_one, due, now)
    return Swept(opened=tuple(opened), moved=tuple(moved), left=tuple(left))


def _urgent_first(
    files: Sequence[HardshipFile], contacts: Mapping[str, datetime], rules: Rules
) -> Sequence[HardshipFile]:
    """Put those that left first and, of one person's several files, the one that is owed soonest."""
    several = {person for person, count in Counter(f.person for f in files).items() if count > 1}

    def urgency(file: HardshipFile) -> tuple[bool, float]:
        if file.status is FileStatus.CLOSED or file.person not in several:
            return file.status is not FileStatus.CLOSED, 0.0
        return True, due_of(file, contacts.get(file.person), rules).window_end.timestamp()

    return sorted(files, key=urgency)


def due_of(file: HardshipFile, last_contact: datetime | None, rules: Rules) -> Due:
    """Return when the file's next routine contact is owed."""
    grade = Grade.WATCH if file.status is FileStatus.WATCH else file.grade
    return next_due(
        grade.value,
        since=file.since,
        last_contact=last_contact,
        calendar=rules.calendar,
        zone=rules.windows.zone,
    )


def _leave(work: UnitOfWork, file: HardshipFile, open_one: Obligation | None, now: datetime) -> list[str]:
    if open_one is None or _file_of(open_one) != file.file_no:
        return []
    work.debts.close(open_one.id, f"档案已{file.status.value}", SYSTEM, now)
    note(work, SYSTEM, "obligation.close", open_one.id, now, reason="file left")
    return [open_one.id]


def _move(work: UnitOfWork, file: HardshipFile, old: Obligation, due: Due, now: datetime) -> list[str]:
    work.debts.close(old.id, "档案或最近一次联系有变，改期", SYSTEM, now)
    note(work, SYSTEM, "obligation.supersede", old.id, now, reason="due date moved")
    return _open(work, file, due, now, created_at=old.created_at)


def _open(
    work: UnitOfWork, file: HardshipFile, due: Due, now: datetime, *, created_at: datetime | None = None
) -> list[str]:
    """Add the debt. One of the same date that already ended does not stand in its way."""
    for again in range(100):
        origin = file.file_no if again == 0 else f"{file.file_no}#{again}"
        obligation = _routine(file, due, origin, created_at or now)
        if work.debts.add(obligation):
            note(work, SYSTEM, "obligation.open", obligation.id, now, reason="cadence")
            return [obligation.id]
        # Somebody else may have swept at the same moment: then the debt stands, and once.
        if any(o.kind is Kind.HARDSHIP for o in work.debts.open(person=file.person)):
            return []
    raise Conflict(f"file {file.file_no}: its debt cannot be opened")


def _routine(file: HardshipFile, due: Due, origin: str, created_at: datetime) -> Obligation:
    return Obligation(
        id=f"ob-{digest(f'{origin}/{file.person}/{due.at.isoformat()}')}",
        person=file.person,
        kind=Kind.HARDSHIP,
        due_at=due.at,
        window_end=due.window_end,
        mode=Mode.IVR_OK,
        origin=origin,
        created_at=created_at,
    )


def _file_of(obligation: Obligation) -> str:
    return obligation.origin.split("#")[0]


def _is_leased(obligation: Obligation, now: datetime) -> bool:
    return obligation.lease is not None and obligation.lease.until > now


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
    kinds = {s.kind for s in work.people.suppressions(person.id)}
    return gates.Person(
        ivr_consent=has_ivr_consent(work, person.id),
        no_automation=SuppressionKind.AUTOMATION in kinds,
        no_outbound=SuppressionKind.ALL_OUTBOUND in kinds,
        # By default elders are called by people.
        no_ivr=person.no_menu(facts.now.astimezone(facts.rules.windows.zone).year),
        phones=len(person.phones),
        usable_phones=len(numbers_for(person, obligation)),
        leased_elsewhere=any(_is_leased(o, facts.now) for o in others),
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
