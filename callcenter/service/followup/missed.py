"""A human call back to somebody we know who rang and talked with nobody, if they agreed to be called.

Derived from call records and from what stood when the call came, so that the same records in any order
leave the same debts: an episode begins with the first call in vain and ends with any talk afterwards.
Whoever is not known is never rung back: somebody else may answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from callcenter.domain.books import CASE_EVENTS, CASES, PLANS
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import PlanState
from callcenter.domain.people import ConsentKind, Person, SuppressionKind, in_force
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.names import digest, evidence_id
from callcenter.service.people.entries import Callers, caller_of, group_of, resolve
from scheduler.gates import Rules
from scheduler.obligations import (
    URGENT_PRIORITY,
    ClosingKind,
    Evidence,
    EvidenceKind,
    Kind,
    Mode,
    Obligation,
    Result,
)

_SYSTEM = "system"
#: When somebody talked with a person, how, and what proves it.
_Talk = tuple[datetime, EvidenceKind, str]

#: Whoever hangs up so soon is rung back only if somebody has reason to worry.
SHORT = timedelta(seconds=10)
_WORRYING = 2
_HIGH = 1
#: Working time within which somebody who rang in vain is rung back.
MISSED_SLA = timedelta(hours=2)
#: And so much at level 1 or worse, at night too.
URGENT_SLA = timedelta(minutes=30)
#: After promises, before routine.
MISSED_PRIORITY = 4
#: Ends of a call in which no person talked with the caller.
_IN_VAIN = frozenset(
    {Outcome.ABANDONED, Outcome.OVERFLOWED, Outcome.SYSTEM_FAILURE, Outcome.LEFT_IN_GREETING}
)
#: What is no wish of theirs to be in touch: a task about their data, and this itself.
_NO_AGREEMENT = frozenset({Kind.VERIFY, Kind.MISSED_CALL})
#: A call from them so soon after ours that did not reach them returns it (R7).
RETURNS_WITHIN = timedelta(days=7)
#: Calls of one number that are looked through for talks.
_CALLS = 200


class Returns:
    """What `owe_return` asks of many calls, read in a few statements, for one unit of work."""

    def __init__(self, work: UnitOfWork, records: Sequence[CallRecord]) -> None:
        self.callers = Callers(work, [one for one in records if one.direction is Direction.INBOUND])
        talks = (self.callers.of(one) for one in records if _is_talk(one))
        parts = work.people.parts_of({person.id for person in talks if person is not None})
        owed = work.debts.open_of(frozenset().union(*parts.values()))
        missed = {one for one, debts in owed.items() if any(o.kind is Kind.MISSED_CALL for o in debts)}
        self._kept = {person for person, group in parts.items() if not group & missed}

    def may_be_owed(self, person: Person) -> bool:
        """Tell whether somebody may be owed a call back now."""
        return person.id not in self._kept

    def note(self, person: Person) -> None:
        """Take note that somebody may have come to be owed one."""
        self._kept.discard(person.id)


def owe_return(
    work: UnitOfWork, record: CallRecord, now: datetime, rules: Rules, known: Returns | None = None
) -> None:
    """Owe a call back for a call in vain, or let a talk keep the one that is owed. The caller commits.

    `known`: what was read of this call among others.
    """
    if record.direction is not Direction.INBOUND:
        return
    known = known or Returns(work, [record])
    person = known.callers.of(record)
    if person is None:
        return
    if not _is_talk(record):
        if _owe(work, person, record, now, rules):
            known.note(person)
    elif known.may_be_owed(person):
        at = record.answered_at or record.started_at
        _keep(work, person, (at, EvidenceKind.HUMAN_TALK, record.id), now, rules)


def keep_return(work: UnitOfWork, proof: Evidence, now: datetime, rules: Rules) -> None:
    """Let a contact with somebody, proven for whatever they were owed, keep the call back as well."""
    if proof.kind is not EvidenceKind.IVR_KEY:
        person = resolve(work, work.debts.get(proof.obligation).person)
        _keep(work, person, (proof.at, proof.kind, proof.reference), now, rules)


def _keep(work: UnitOfWork, person: Person, talk: _Talk, now: datetime, rules: Rules) -> None:
    """Keep what was owed before a talk; calls in vain that came after it are owed again."""
    at, _, reference = talk
    before = [
        owed
        for entry in group_of(work, person)
        for owed in work.debts.open(person=entry, kind=Kind.MISSED_CALL)
        if owed.created_at <= at
    ]
    for owed in before:
        _prove(work, owed, talk, now)
    if before:
        later = (c for c in _calls_of(work, person) if c.started_at > at and c.id != reference)
        for call in sorted(later, key=lambda c: (c.started_at, c.id)):
            _owe(work, person, call, now, rules)


def _owe(work: UnitOfWork, person: Person, record: CallRecord, now: datetime, rules: Rules) -> bool:
    """Owe a call back where one is owed; tell whether it was."""
    is_owed = _is_in_vain(record) and _is_owed(work, person, record)
    if is_owed:
        _open(work, person, record, now, rules)
    return is_owed


def returned(work: UnitOfWork, person: Person, at: datetime) -> Obligation | None:
    """Return the open debt whose call, in vain, somebody returns by ringing at `at` (R7)."""
    found: list[tuple[datetime, str, Obligation]] = []
    for entry in group_of(work, person):
        for owed in work.debts.open(person=entry):
            tried = [a.at for a in work.debts.attempts(owed.id) if at - RETURNS_WITHIN <= a.at <= at]
            if tried and owed.kind is not Kind.MISSED_CALL:
                found.append((max(tried), owed.id, owed))
    return max(found, key=lambda one: one[:2])[2] if found else None


def why_missed(one: Obligation, rules: Rules) -> list[str]:
    """Say which call in vain a call back is owed for, and what the caller may have been returning."""
    when = one.created_at.astimezone(rules.windows.zone)
    about = _about(one)
    return [
        f"{when:%Y-%m-%d %H:%M} 本人来电，没有与人通上话（通话 {one.origin.split('#')[0]}）。",
        *([f"可能是回我们的电话：hotline queue why {about}"] if about else []),
        "本人同意过我们联系，由工作人员回电；之后任何一次通话都算完成。",
    ]


def _about(one: Obligation) -> str | None:
    return one.detail.partition("about=")[2] or None


def _is_talk(record: CallRecord) -> bool:
    return record.answered_at is not None and record.outcome is Outcome.ANSWERED


def _is_in_vain(record: CallRecord) -> bool:
    """Tell whether a caller reached no person, was promised nothing, and used no offer of the machine."""
    promised = record.promises or record.unheard or record.flow_outcome == Result.REACHED_SELF_CALLBACK
    served = record.pieces or record.answers
    inbound = record.direction is Direction.INBOUND and record.answered_at is None
    return inbound and record.outcome in _IN_VAIN and not promised and not served


def _is_owed(work: UnitOfWork, person: Person, record: CallRecord) -> bool:
    at = record.started_at
    level = _level(work, person, at)
    if level is not None and level <= _HIGH:
        return True
    if (record.ended_at or at) - at <= SHORT:
        is_wanted = level is not None and level <= _WORRYING
    else:
        is_wanted = level is not None or _agreed(work, person, at)
    return is_wanted and not _refused(work, person, at)


def _refused(work: UnitOfWork, person: Person, at: datetime) -> bool:
    said = in_force([w for w in work.people.suppressions(person.id) if w.at < at], at)
    return any(w.kind is SuppressionKind.ALL_OUTBOUND or w.topic == Kind.MISSED_CALL.value for w in said)


def _agreed(work: UnitOfWork, person: Person, at: datetime) -> bool:
    """Tell whether they had agreed to be called when they rang: in words, by a plan, or by what was owed.

    What came about at the same instant does not count, or a call told twice might mean something else.
    """
    said = [c for c in work.people.consents(person.id) if c.kind is ConsentKind.FOLLOWUP and c.at < at]
    last = max(said, key=lambda c: c.at, default=None)
    if last is not None and last.granted and (last.expires_at is None or last.expires_at > at):
        return True
    group = group_of(work, person)
    if any(
        p.at < at and p.state is PlanState.ACTIVE for e in group for p in work.book(PLANS).where(person=e)
    ):
        return True
    return any(_stood(work, owed, at) for entry in group for owed in work.debts.of_person(entry))


def _stood(work: UnitOfWork, owed: Obligation, at: datetime) -> bool:
    if owed.kind in _NO_AGREEMENT or owed.created_at >= at:
        return False
    ended = _ended(work, owed)
    return ended is None or ended > at


def _ended(work: UnitOfWork, owed: Obligation) -> datetime | None:
    """Return when a debt was kept or closed."""
    ends = [proof.at for proof in work.debts.evidence(owed.id)]
    if owed.closing is not None:
        ends.append(owed.closing.at)
    return min(ends, default=None)


def _level(work: UnitOfWork, person: Person, at: datetime) -> int | None:
    """Return the level at which somebody was followed at a moment, as their cases' logs have it."""
    cases = [c for entry in group_of(work, person) for c in work.book(CASES).where(person=entry)]
    stood = [c for c in cases if c.opened_at <= at and (c.closed_at is None or c.closed_at > at)]
    return min((_level_of(work, case.id, at, int(case.level)) for case in stood), default=None)


def _level_of(work: UnitOfWork, case: str, at: datetime, present: int) -> int:
    log = [e for e in work.book(CASE_EVENTS).where(case=case) if e.kind in {"opened", "level"} and e.at <= at]
    last = max(log, key=lambda e: (e.at, e.id), default=None)
    return int(last.after) if last is not None and last.after.isdigit() else present


def _open(work: UnitOfWork, person: Person, record: CallRecord, now: datetime, rules: Rules) -> None:
    """Owe one call back for an episode of calls in vain; an earlier call found later begins it earlier."""
    every = [o for e in group_of(work, person) for o in work.debts.of_person(e)]
    known = [o for o in every if o.kind is Kind.MISSED_CALL]
    episodes = [o for o in known if o.closing is None or o.closing.kind is not ClosingKind.SUPERSEDED]
    # One that an earlier call had superseded may be owed after all: a talk was between them.
    again = sum(o.origin.split("#")[0] == record.id for o in known if o not in episodes)
    wanted = _obligation(work, person, record, rules, f"#{again}" if again else "")
    if any(_covers(work, one, wanted) for one in episodes) or not work.debts.add(wanted):
        return
    _note(work, "obligation.open", wanted.id, now, reason="missed call")
    talk = min(_talks(work, person, wanted.created_at), default=None)
    if talk is not None:
        _prove(work, wanted, talk, now)
        return
    for later in (o for o in episodes if _ended(work, o) is None):
        work.debts.close(later.id, "同一人更早的来电在先", _SYSTEM, now, ClosingKind.SUPERSEDED)
        _note(work, "obligation.supersede", later.id, now, reason="missed call")


def _covers(work: UnitOfWork, episode: Obligation, wanted: Obligation) -> bool:
    """Tell whether a call in vain belongs to an episode that is on record."""
    ended = _ended(work, episode)
    begun = episode.created_at <= wanted.created_at
    return episode.id == wanted.id or (begun and (ended is None or ended >= wanted.created_at))


def _calls_of(work: UnitOfWork, person: Person) -> Iterator[CallRecord]:
    """Yield the newest calls from their numbers, of a shared one those that are taken for theirs."""
    phones = (phone for one in group_of(work, person) for phone in work.people.get(one).phones)
    for number in sorted({phone.number for phone in phones if phone.is_known}):
        for call in work.calls.of_number(number, _CALLS):
            caller = caller_of(work, call) if call.direction is Direction.INBOUND else None
            if caller is not None and caller.id == person.id:
                yield call


def _talks(work: UnitOfWork, person: Person, since: datetime) -> Iterator[_Talk]:
    """Yield the talks with somebody from a moment on."""
    for call in _calls_of(work, person):
        at = call.answered_at
        if _is_talk(call) and at is not None and at >= since:
            yield at, EvidenceKind.HUMAN_TALK, call.id
    owed = (o for entry in group_of(work, person) for o in work.debts.of_person(entry))
    for proof in (proof for one in owed for proof in work.debts.evidence(one.id)):
        if proof.kind is not EvidenceKind.IVR_KEY and proof.at >= since:
            yield proof.at, proof.kind, proof.reference


def _prove(work: UnitOfWork, owed: Obligation, talk: _Talk, now: datetime) -> None:
    at, kind, reference = talk
    proof = Evidence(
        id=evidence_id(owed.id, reference),
        obligation=owed.id,
        kind=kind,
        at=at,
        reference=reference,
        by=_SYSTEM,
    )
    if work.debts.add_evidence(proof):
        _note(work, "obligation.done", owed.id, now, reason=reference)


def _obligation(work: UnitOfWork, person: Person, record: CallRecord, rules: Rules, mark: str) -> Obligation:
    made_at = record.ended_at or record.started_at
    level = _level(work, person, record.started_at)
    high = level is not None and level <= _HIGH
    about = returned(work, person, record.started_at)
    plain = Obligation(
        id=f"ob-{digest(f'missed/{record.id}{mark}')}",
        person=person.id,
        kind=Kind.MISSED_CALL,
        due_at=made_at,
        window_end=rules.windows.after_working_time(made_at, MISSED_SLA, rules.calendar),
        mode=Mode.HUMAN_ONLY,
        priority=MISSED_PRIORITY,
        origin=f"{record.id}{mark}",
        detail=f"about={about.id}" if about else "",
        created_at=made_at,
    )
    return replace(plain, window_end=made_at + URGENT_SLA, priority=URGENT_PRIORITY) if high else plain


def _note(work: UnitOfWork, verb: str, thing: str, at: datetime, *, reason: str) -> None:
    work.audit.append(AuditEntry(actor=_SYSTEM, verb=verb, object=thing, at=at, reason=reason))
