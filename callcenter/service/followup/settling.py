"""From a closed call's record to what it means for our debts (R23-R27, R33).

Everything derives from the record under its id, so the same records again change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta

from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.people import (
    Person,
    Phone,
    PhoneStatus,
    Suppression,
    SuppressionKind,
    callable_now,
)
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.followup.missed import Returns, owe_return
from callcenter.service.followup.pasts import Past, Pasts, past_of
from callcenter.service.followup.results import result_of as result_of
from callcenter.service.followup.results import source_of
from callcenter.service.followup.verifying import ask_about_number
from callcenter.service.names import ATTEMPT_PREFIX as ATTEMPT_PREFIX
from callcenter.service.names import anonymous_id
from callcenter.service.names import digest as digest
from callcenter.service.names import evidence_id as evidence_id
from callcenter.service.names import pseudonym as pseudonym
from callcenter.service.people.entries import caller_of
from scheduler.gates import Rules
from scheduler.ladder import REACHED, next_step, raised_by
from scheduler.obligations import (
    PROMISED,
    URGENT_PRIORITY,
    Attempt,
    CauseSource,
    Doubt,
    Evidence,
    EvidenceKind,
    Kind,
    Mode,
    Obligation,
    Result,
)

#: Who acts where no person did.
SYSTEM = "system"
#: Working time within which a promise is kept: a call back 2 hours, what has to be arranged a day of 8.
PROMISE_SLA = {
    Kind.CALLBACK: timedelta(hours=2),
    **dict.fromkeys((Kind.APPOINTMENT, Kind.TALK), timedelta(hours=8)),
}
#: R46: a message is heard and answered within half an hour, at night too: nobody knows what it says.
MESSAGE_SLA = timedelta(minutes=30)
#: The same for who said something urgent and was heard by nobody (R13).
URGENT_SLA = timedelta(minutes=30)
#: Promises to people come before routine, and a message nobody has heard before those.
PROMISE_PRIORITY = {kind: 2 if kind is Kind.MESSAGE else 3 for kind in PROMISED}

#: What a result says about the number that was dialled, everywhere it stands (R25, R33).
PHONE_STATUS: dict[Result, PhoneStatus] = {
    Result.PHONE_REFUSED: PhoneStatus.QUARANTINED,
    Result.WRONG_PERSON: PhoneStatus.WRONG,
    Result.SUSPENDED: PhoneStatus.SUSPENDED,
    Result.VACANT: PhoneStatus.VACANT,
}

#: The person themselves was reached, or said that they do not want to be.
BY_PERSON = REACHED | {Result.PHONE_REFUSED}
#: What somebody said to the machine, by key, of themselves or of the number.
BY_KEY = BY_PERSON | {Result.WRONG_PERSON}


def settle(
    work: UnitOfWork, records: Sequence[CallRecord], now: datetime, *, rules: Rules | None = None
) -> tuple[Attempt, ...]:
    """Write what closed calls mean for attempts, evidence and promises; return the attempts settled.

    Safe to call with the same records any number of times, in any order. The caller commits.
    """
    rules = rules or Rules()
    closed = [r for r in records if not r.is_open]
    known, pasts = Returns(work, closed), Pasts(work, [r.id for r in closed])
    settled = [_settle_one(work, record, now, rules, known, pasts) for record in closed]
    return tuple(attempt for attempt in settled if attempt is not None)


def write_off(
    work: UnitOfWork,
    attempt: Attempt,
    now: datetime,
    rules: Rules,
    doubt: Doubt,
    *,
    pbx_since: datetime | None = None,
    read_to: datetime | None = None,
) -> Attempt:
    """Settle an attempt nobody can tell the end of as unknown: a human looks before any other call.

    `doubt`: why nobody can; `pbx_since`: since when the telephone system is up; `read_to`: up to when its
    journal has been read.
    """
    unknown = replace(
        attempt,
        result=Result.UNKNOWN,
        settled_at=now,
        doubt=doubt,
        pbx_since=pbx_since,
        read_to=read_to,
    )
    finish(work, unknown, now, rules)
    return unknown


def _settle_one(
    work: UnitOfWork, record: CallRecord, now: datetime, rules: Rules, known: Returns, pasts: Pasts
) -> Attempt | None:
    if not record.id.startswith(ATTEMPT_PREFIX):
        _keep_promise_to_caller(work, record, now, rules, known)
        owe_return(work, record, now, rules, known)
        return None
    attempt = work.debts.hold_attempt(record.id)
    if attempt is None:
        return None
    obligation = work.debts.get(attempt.obligation)
    _promise_all(work, obligation.person, record, now, rules)
    result = result_of(record, attempt)
    doubt = Doubt.TORN if result is Result.UNKNOWN and record.end_is_uncertain else None
    is_same = attempt.result is result and attempt.doubt is doubt
    if is_same or not (_is_unknown(attempt) or _is_known_better(attempt, record)):
        return None
    settled = replace(
        attempt,
        result=result,
        settled_at=record.ended_at or now,
        cause=record.hangup_cause,
        cause_source=source_of(record),
        early_media=record.early_media,
        doubt=doubt,
    )
    _finish(work, settled, obligation, pasts, now, rules)
    _apply(work, obligation, settled, record)
    return settled


def _is_unknown(attempt: Attempt) -> bool:
    """Tell whether nobody has told what became of it. Anything else was told once and stays, but for one."""
    return attempt.result in {None, Result.UNKNOWN}


def _is_known_better(attempt: Attempt, record: CallRecord) -> bool:
    """Tell whether the flow heard somebody, where one of us had written how the call went.

    That was written while the journal was late. Nobody of us is in an automated call, so that the keys of
    who is go before what anybody supposed: they are a proof, a wish, or both. In a call of our own people
    it goes before that nobody was reached.
    """
    if attempt.cause_source is not CauseSource.HUMAN or record.flow_outcome not in BY_KEY:
        return False
    return attempt.is_automatic or attempt.result not in BY_PERSON


def finish(work: UnitOfWork, attempt: Attempt, now: datetime, rules: Rules) -> None:
    """Save a settled attempt and give its obligation back to the ladder."""
    _finish(work, attempt, work.debts.get(attempt.obligation), Pasts(work, [attempt.id]), now, rules)


def _finish(
    work: UnitOfWork, attempt: Attempt, obligation: Obligation, pasts: Pasts, now: datetime, rules: Rules
) -> None:
    work.debts.update_attempt(attempt)
    note(work, SYSTEM, "attempt.settle", attempt.id, now, reason=str(attempt.result))
    past, lease = pasts.after(attempt, obligation.kind), obligation.lease
    if lease is not None and lease.owner == attempt.id:
        work.debts.release(obligation.id, lease.fence, _next_at(obligation, past, rules))
    _keep_raised(work, obligation, past)


def answered_at(work: UnitOfWork, obligation: Obligation) -> tuple[datetime, ...]:
    """Return when contacts about this kind of thing succeeded.

    R39: about this kind alone, so that a routine call tells nothing of what else somebody talks to us about.
    """
    ids = [o.id for o in work.debts.of_person(obligation.person) if o.kind is obligation.kind]
    return past_of(obligation.id, work.debts.attempts_of(ids), work.debts.evidence_of(ids)).answered_at


def _keep_raised(work: UnitOfWork, obligation: Obligation, past: Past) -> None:
    """Keep by how much an obligation is raised up to date (R35), from debts of its kind alone (R39)."""
    raised = raised_by(past.attempts, answered_before=past.is_proven, before=past.before)
    if raised != obligation.raised:
        work.debts.handle(replace(work.debts.get(obligation.id), raised=raised))


def _next_at(obligation: Obligation, past: Past, rules: Rules) -> datetime | None:
    calendar = rules.calendar_for(past.answered_at)
    step = next_step(obligation, past.attempts, windows=rules.windows, calendar=calendar, limits=rules.limits)
    return step.not_before


def _apply(work: UnitOfWork, obligation: Obligation, attempt: Attempt, record: CallRecord) -> None:
    at = record.answered_at or record.started_at
    if attempt.result is Result.REACHED_SELF_IVR_OK:
        _prove_by_key(work, obligation, attempt, record.id, at)
    learn(work, obligation, attempt, at, told=f"key 9, {record.id}")


def learn(work: UnitOfWork, obligation: Obligation, attempt: Attempt, at: datetime, *, told: str) -> None:
    """Write what a result says of the person's wishes and of the number, whoever heard it (R25, R33)."""
    result = attempt.result
    if result is Result.OPTED_OUT:
        work.people.add_suppression(
            Suppression(person=obligation.person, kind=SuppressionKind.AUTOMATION, at=at, reason=told)
        )
    if result in PHONE_STATUS:
        _mark_phone(work, obligation.person, attempt, PHONE_STATUS[result])
        ask_about_number(work, obligation, attempt, attempt.settled_at or at)


def _prove_by_key(
    work: UnitOfWork, obligation: Obligation, attempt: Attempt, call: str, at: datetime
) -> None:
    # R25: key 1 satisfies routine debts only, and only on a call that a machine placed.
    if obligation.kind is not Kind.HARDSHIP or not attempt.is_automatic:
        return
    work.debts.add_evidence(
        Evidence(
            id=evidence_id(obligation.id, call),
            obligation=obligation.id,
            kind=EvidenceKind.IVR_KEY,
            at=at,
            reference=call,
            by=attempt.by,
        )
    )


def _mark_phone(work: UnitOfWork, person_id: str, attempt: Attempt, status: PhoneStatus) -> None:
    """Mark the number that was dialled, and no other of theirs."""
    known = [p.number for p in work.people.get(person_id).phones if p.number == attempt.callee]
    for number in known:
        work.people.set_phone_status(number, status)


def usable_numbers(person: Person) -> list[str]:
    """Return the numbers that may be dialled, in order of preference."""
    return [p.number for p in person.phones if p.status is PhoneStatus.OK and p.safe_to_call]


def numbers_for(person: Person, obligation: Obligation) -> list[str]:
    """Return what may be dialled for a debt: the number left with it first, then the person's own."""
    own, left = usable_numbers(person), details_of(obligation).get("number")
    barred = {p.number for p in person.phones} - set(own)
    return [left, *(n for n in own if n != left)] if left and left not in barred else own


def numbers_now(person: Person, obligation: Obligation, wall: time) -> list[str]:
    """Return `numbers_for` without those that are not to be rung at this wall time, as was agreed."""
    resting = {phone.number for phone in person.phones if not callable_now(phone, wall)}
    return [number for number in numbers_for(person, obligation) if number not in resting]


def details_of(obligation: Obligation) -> dict[str, str]:
    """Return what the caller left with a promise, by word: `number`, `code`.

    `elsewhere` is there if they asked for another number and left none.
    """
    return dict(pair.split("=", 1) for pair in obligation.detail.split("&") if "=" in pair)


def promised_in(record: CallRecord) -> tuple[Kind, ...]:
    """Return what a call promised, each kind once. A kind nobody knows is a call back: somebody asks.

    Who said something urgent and was heard by nobody is owed a call back without any promise.
    """
    kinds = {Kind(p) if p in set(PROMISED) else Kind.CALLBACK for p in record.promises}
    asked = record.flow_outcome == Result.REACHED_SELF_CALLBACK
    if asked or record.unheard or (record.outcome is Outcome.PROMISED and not kinds):
        kinds.add(Kind.CALLBACK)
    return tuple(sorted(kinds))


def _keep_promise_to_caller(
    work: UnitOfWork, record: CallRecord, now: datetime, rules: Rules, known: Returns
) -> None:
    if record.direction is Direction.INBOUND and promised_in(record):
        caller = _caller(work, record)
        known.callers.met(caller)
        _promise_all(work, caller.id, record, now, rules)


def _caller(work: UnitOfWork, record: CallRecord) -> Person:
    """Return whom we promised: known by number, or an anonymous person who belongs to this call.

    Without a number of their own, the one they left by key says who they are.
    """
    number = record.number or record.left_number
    found = caller_of(work, replace(record, number=number))
    if found is not None:
        return found
    phones = (Phone(number=number),) if number else ()
    person = Person(id=anonymous_id(record.id), code=pseudonym(record.id), phones=phones)
    work.people.add(person)
    return person


def _promise_all(work: UnitOfWork, person_id: str, record: CallRecord, now: datetime, rules: Rules) -> None:
    for kind in promised_in(record):
        _promise(work, person_id, kind, record, now, rules)


def _promise(
    work: UnitOfWork, person_id: str, kind: Kind, record: CallRecord, now: datetime, rules: Rules
) -> None:
    made_at = record.ended_at or record.started_at
    is_urgent = kind is Kind.CALLBACK and record.unheard is not None
    # Call backs keep the name they had when there was nothing else to promise.
    name = f"promise/{record.id}" if kind is Kind.CALLBACK else f"promise/{record.id}/{kind}"
    obligation = Obligation(
        id=f"ob-{digest(name)}",
        person=person_id,
        kind=kind,
        due_at=made_at,
        window_end=made_at + URGENT_SLA if is_urgent else _kept_by(kind, made_at, rules),
        mode=Mode.HUMAN_ONLY,
        priority=URGENT_PRIORITY if is_urgent else PROMISE_PRIORITY[kind],
        origin=record.id,
        detail=_left_with(record),
        created_at=made_at,
    )
    if work.debts.add(obligation):
        note(work, SYSTEM, "obligation.open", obligation.id, now, reason=_REASON.get(kind, kind.value))


#: Why a debt was opened, in the audit.
_REASON = {Kind.CALLBACK: "promise"}


def _kept_by(kind: Kind, made_at: datetime, rules: Rules) -> datetime:
    if kind is Kind.MESSAGE:
        return made_at + MESSAGE_SLA
    return rules.windows.after_working_time(made_at, PROMISE_SLA[kind], rules.calendar)


#: The key by which a caller asks for another number than the one they call from, in whichever host.
_WANTS_OTHER_NUMBER = re.compile(r"(.+__)?(call)?back__which=2")


def _left_with(record: CallRecord) -> str:
    """Return what has to be known to keep the promise; the caller's own number stands with the person."""
    number = record.left_number if record.left_number != record.number else None
    left = {"number": number, "code": record.poster_code, "urgent": record.unheard}
    if record.left_number is None and any(map(_WANTS_OTHER_NUMBER.fullmatch, record.keys)):
        left["elsewhere"] = "unknown"
    return "&".join(f"{word}={value}" for word, value in left.items() if value)


def note(work: UnitOfWork, actor: str, verb: str, thing: str, at: datetime, *, reason: str = "") -> None:
    """Append to the audit."""
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=thing, at=at, reason=reason))
