"""What is known of somebody on one page, masked: shown when they call, and before anybody calls them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.config import PeopleSettings
from callcenter.domain.access import DataClass, Verb
from callcenter.domain.calls import Direction
from callcenter.domain.cases import Case, CaseState
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import (
    ConsentKind,
    FileStatus,
    Person,
    PhoneStatus,
    SafeContact,
    Speech,
    Suppression,
    consents_now,
    in_force,
)
from callcenter.domain.privacy import CallerPlan
from callcenter.domain.risk import Level
from callcenter.domain.sessions import SessionRow
from callcenter.errors import NotFound
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, check_sees, guarded
from callcenter.service.people.caller_plans import standing_plan
from callcenter.service.people.entries import group_of, named, open_cases
from callcenter.service.people.nearness import is_near
from scheduler.obligations import Obligation

#: Newest calls that are counted, per number.
_MOST_CALLS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class PhoneLine:
    """One number, masked."""

    place: int
    number: str
    status: PhoneStatus
    safe_to_call: bool
    #: False: a counsellor typed it, and no supervisor has made sure yet.
    is_known: bool = True
    #: Something was agreed about calling it (`hotline people phone show`).
    has_agreement: bool = False
    verified_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseLine:
    """The case that is open."""

    id: str
    level: Level
    state: CaseState
    owner: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Somebody, masked."""

    id: str
    code: str
    name: str
    phones: tuple[PhoneLine, ...]
    speaks: Speech
    no_ivr: bool
    #: They keep a code of ours; which one, is not shown.
    has_code: bool
    #: What holds by their last word, by kind; a kind they never spoke of is not here.
    consents: Mapping[ConsentKind, bool]
    #: The opt-outs in force.
    suppressions: tuple[Suppression, ...]
    files: tuple[tuple[str, FileStatus], ...]
    owed: tuple[Obligation, ...]
    case: CaseLine | None
    #: Newest first.
    sessions: tuple[SessionRow, ...]
    #: Pseudonyms of the entries that were merged into this one.
    merged: tuple[str, ...]
    plan: CallerPlan | None = field(repr=False)
    calls_lately: int
    #: Calls so often that a plan helps: a hint, never a limit.
    is_repeat: bool


@guarded(Verb.PEOPLE_SEE)
def profile(
    work: UnitOfWork, person_id: str, *, actor: str, now: datetime, rules: PeopleSettings | None = None
) -> Profile:
    """Return what is known of somebody, masked; of a merged entry that of the one which stands for it.

    Whoever looks at somebody they do not work with is written down. Raises `NotFound`.
    """
    user = allow(work, actor, Verb.PEOPLE_SEE)
    check_sees(user, DataClass.IDENTITY)
    rules = rules or PeopleSettings()
    person = named(work, person_id)
    if not is_near(work, actor, person, now):
        work.audit.append(AuditEntry(actor=actor, verb="people.see", object=f"person:{person.id}", at=now))
    sessions = tuple(reversed(work.sessions.of_person(person.id)))
    lately = calls_lately(work, person, sessions, since=now - timedelta(days=rules.repeat_days))
    said = consents_now(work.people.consents(person.id), now)
    cases = open_cases(work, person)
    return Profile(
        id=person.id,
        code=person.code,
        name=mask_name(person.name),
        phones=_phones(person),
        speaks=person.speaks,
        no_ivr=person.no_ivr,
        has_code=any(work.people.get(i).spoken is not None for i in group_of(work, person)),
        consents=said,
        suppressions=in_force(work.people.suppressions(person.id), now),
        files=tuple((f.grade, f.status) for f in work.people.files_of(person.id)),
        owed=tuple(work.debts.open(person=person.id)),
        case=_case(cases[0]) if cases else None,
        sessions=sessions,
        merged=tuple(work.people.get(i).code for i in work.people.merged(person.id)),
        plan=standing_plan(work, person),
        calls_lately=lately,
        is_repeat=lately >= rules.repeat_calls,
    )


def calls_lately(
    work: UnitOfWork, person: Person, sessions: tuple[SessionRow, ...], *, since: datetime
) -> int:
    """Count the calls from somebody since then: from their numbers, and those without any about them."""
    numbers = (phone.number for phone in person.phones)
    theirs = (call for number in numbers for call in work.calls.of_number(number, _MOST_CALLS))
    calls = {c.id for c in theirs if c.direction is Direction.INBOUND and c.started_at >= since}
    # A call from somebody else's number about them is not theirs.
    return len(calls | {s.call for s in sessions if s.opened_at >= since and _is_nameless(work, s.call)})


def _is_nameless(work: UnitOfWork, call_id: str) -> bool:
    try:
        return work.calls.get(call_id).number is None
    except NotFound:
        return False


def _phones(person: Person) -> tuple[PhoneLine, ...]:
    return tuple(
        PhoneLine(
            place=place,
            number=mask_number(phone.number),
            status=phone.status,
            safe_to_call=phone.safe_to_call,
            is_known=phone.is_known,
            has_agreement=phone.agreed != SafeContact(),
            verified_at=phone.verified_at,
        )
        for place, phone in enumerate(person.phones, 1)
    )


def _case(case: Case) -> CaseLine:
    return CaseLine(id=case.id, level=case.level, state=case.state, owner=case.owner)
