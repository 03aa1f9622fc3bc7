"""The people we look after: who they are to us, how they may be reached, what they agreed to.

Whoever is asked about is taken for the entry that stands for them, merges followed. Values are never
in the audit; it names the person and the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from callcenter.domain.access import Verb, may
from callcenter.domain.numbers import normalise
from callcenter.domain.people import (
    Consent,
    ConsentKind,
    Person,
    Phone,
    PhoneSource,
    PhoneStatus,
    Speech,
    Suppression,
    SuppressionKind,
)
from callcenter.domain.reasons import checked_reason, storable
from callcenter.domain.users import Role, User
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.names import code_to_keep, short_pseudonym
from callcenter.service.people.entries import caller_of, group_of, resolve
from callcenter.service.people.nearness import asked_for, changed_by, check_changes

__all__ = [
    "add_phone",
    "caller_of",
    "change_care",
    "change_phone",
    "checked_reason",
    "find",
    "give_code",
    "group_of",
    "new_person",
    "opt_out",
    "record_consent",
    "resolve",
    "storable",
]

#: Tries at a free pseudonym of four letters, and after that of six.
_TRIES = 20
_MOST_PHONES = 10


@guarded(Verb.PEOPLE_CHANGE)
def new_person(work: UnitOfWork, *, number: str | None, actor: str, now: datetime) -> Person:
    """Add an anonymous person, known by a pseudonym alone, and return them.

    A number that is none (withheld, hostile) is left out.
    """
    allow(work, actor, Verb.PEOPLE_CHANGE)
    known = normalise(number)
    phones = (Phone(number=known, status=_status_elsewhere(work, known)),) if known else ()
    for turn in range(2 * _TRIES):
        code = short_pseudonym(4 if turn < _TRIES else 6)
        if work.people.by_code(code) is None:
            break
    person = Person(id=f"p-{uuid4().hex}", code=code, phones=phones)
    work.people.add(person)
    _note(work, actor, "people.add", person, now)
    return person


@guarded(Verb.PEOPLE_SEE)
def find(
    work: UnitOfWork,
    *,
    code: str = "",
    number: str = "",
    pseudonym: str = "",
    actor: str,
    now: datetime,
    reason: str = "",
) -> list[Person]:
    """Return who keeps this code, has this number, or bears this pseudonym: one of the three.

    Searching by number tells whether we know somebody, so it needs a reason (R17). Raises `Refused`.
    """
    allow(work, actor, Verb.PEOPLE_SEE)
    if sum(map(bool, (code, number, pseudonym))) != 1:
        raise Refused("请给出一项:--code、--number 或 --pseudonym。")
    if number:
        checked_reason(reason)
    found = _found(work, code, number, pseudonym)
    people = {person.id: person for person in (resolve(work, one.id) for one in found)}
    what = "number" if number else "code" if code else "pseudonym"
    for person_id in sorted(people) or ["none"]:
        entry = AuditEntry(
            actor=actor,
            verb="people.find",
            object=f"person:{person_id}",
            at=now,
            field=what,
            reason=storable(reason),
        )
        work.audit.append(entry)
    return [people[person_id] for person_id in sorted(people)]


@guarded(Verb.PEOPLE_CHANGE)
def give_code(work: UnitOfWork, person_id: str, *, actor: str, now: datetime) -> str:
    """Return six digits for a caller to keep, by which they are known again; one given before is void.

    Like everything that changes somebody: `Forbidden` to a counsellor who does not work with them.
    """
    person = changed_by(work, person_id, verb=Verb.PEOPLE_CHANGE, actor=actor, now=now)
    digits = code_to_keep()
    while work.people.by_spoken(digits) is not None:
        digits = code_to_keep()
    for entry_id in group_of(work, person):
        entry = work.people.get(entry_id)
        if entry.spoken is not None or entry.id == person.id:
            work.people.update(replace(entry, spoken=digits if entry.id == person.id else None))
    _note(work, actor, "people.code", person, now, field="spoken")
    return digits


@guarded(Verb.PEOPLE_CHANGE)
def add_phone(
    work: UnitOfWork, person_id: str, number: str, *, safe_to_call: bool = True, actor: str, now: datetime
) -> Person:
    """Add a number, tried last. What is known of it elsewhere (wrong, vacant) stays known (R33).

    What a counsellor types may be dialled, but who calls from it is nobody's caller, and makes nobody
    near, until a supervisor made sure (decision 0025).
    """
    person = changed_by(work, person_id, verb=Verb.PEOPLE_CHANGE, actor=actor, now=now)
    known = normalise(number)
    if known is None:
        raise Refused("号码应是 3 至 15 位数字,可带 +86、空格或短横。")
    if any(phone.number == known for phone in person.phones):
        raise Conflict("这个号码已经登记在此人名下。")
    if len(person.phones) >= _MOST_PHONES:
        raise Refused(f"一个人最多登记 {_MOST_PHONES} 个号码。")
    is_sure = Role.SUPERVISOR in work.users.get(actor).roles
    phone = Phone(
        number=known,
        status=_status_elsewhere(work, known),
        safe_to_call=safe_to_call,
        source=PhoneSource.LINE if is_sure else PhoneSource.HAND,
    )
    changed = replace(person, phones=(*person.phones, phone))
    work.people.update(changed)
    _note(work, actor, "people.phone_add", person, now, field="phones")
    return changed


@guarded(Verb.PEOPLE_CHANGE)
def change_phone(
    work: UnitOfWork,
    person_id: str,
    place: int,
    *,
    safe_to_call: bool | None = None,
    status: PhoneStatus | None = None,
    confirmed: bool = False,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Person:
    """Change what holds for the number at this place (1-based); a status needs a reason.

    Found wrong, a number is left alone wherever it stands (R33). That it is right again is said of this
    person only: it needs somebody who made sure. `confirmed`: a supervisor made sure that a number
    somebody typed is theirs.
    """
    person = changed_by(work, person_id, verb=Verb.PEOPLE_CHANGE, actor=actor, now=now)
    if confirmed and Role.SUPERVISOR not in work.users.get(actor).roles:
        raise Forbidden("号码是不是本人的,由督导核实后确认。")
    if not 1 <= place <= len(person.phones):
        raise NotFound(f"没有第 {place} 个号码。先用 hotline people show 查看。")
    if status is not None:
        checked_reason(reason)
    if status is not None and status is not PhoneStatus.OK:
        work.people.set_phone_status(person.phones[place - 1].number, status)
        person = work.people.get(person.id)
    changed = _with_phone(person, place, safe_to_call, status, confirmed)
    work.people.update(changed)
    given = {"status": status is not None, "safe_to_call": safe_to_call is not None, "confirmed": confirmed}
    for field in (name for name, is_given in given.items() if is_given):
        _note(work, actor, "people.phone_change", person, now, field=field, reason=reason)
    return changed


@guarded(Verb.PEOPLE_CHANGE)
def change_care(
    work: UnitOfWork,
    person_id: str,
    *,
    speaks: Speech | None = None,
    no_ivr: bool | None = None,
    actor: str,
    now: datetime,
) -> Person:
    """Set what somebody is best spoken to in, and whether people alone may call and answer them."""
    person = changed_by(work, person_id, verb=Verb.PEOPLE_CHANGE, actor=actor, now=now)
    changed = replace(
        person,
        speaks=person.speaks if speaks is None else speaks,
        no_ivr=person.no_ivr if no_ivr is None else no_ivr,
    )
    if changed != person:
        work.people.update(changed)
    for field in ("speaks", "no_ivr"):
        if getattr(changed, field) != getattr(person, field):
            _note(work, actor, "people.care", person, now, field=field)
    return changed


#: By which way somebody said it. This and the script's version stand in clear: never in one's own words.
CHANNELS = ("电话", "当面", "表格", "短信", "微信", "网上")
_SCRIPT = re.compile(r"[A-Za-z0-9._-]{0,20}", re.ASCII)


@guarded(Verb.PEOPLE_CONSENT)
def record_consent(
    work: UnitOfWork,
    person_id: str,
    kind: ConsentKind,
    granted: bool,
    *,
    channel: str,
    script_version: str = "",
    actor: str,
    now: datetime,
) -> Consent:
    """Append what somebody agreed to or took back; the last statement of a kind counts (PIPL art. 15)."""
    user = allow(work, actor, Verb.PEOPLE_CONSENT)
    if channel not in CHANNELS or not _SCRIPT.fullmatch(script_version):
        ways = "、".join(CHANNELS)
        raise Refused(f"同意的途径是其中一种:{ways};话术版本只写字母、数字和 . _ -(如 2026-1)。")
    person = _of_whom(work, user, person_id, now)
    said = Consent(
        person=person.id,
        kind=kind,
        granted=granted,
        at=now,
        channel=channel,
        script_version=script_version,
    )
    work.people.add_consent(said)
    _note(work, actor, "people.consent" if granted else "people.withdraw", person, now, field=kind)
    return said


@guarded(Verb.PEOPLE_CONSENT)
def opt_out(
    work: UnitOfWork, person_id: str, kind: SuppressionKind, *, actor: str, now: datetime, reason: str = ""
) -> Suppression:
    """Append an opt-out. It works at once, binds every entry of theirs, and survives imports (R32)."""
    user = allow(work, actor, Verb.PEOPLE_CONSENT)
    person = _of_whom(work, user, person_id, now)
    wish = Suppression(person=person.id, kind=kind, at=now, reason=storable(reason))
    work.people.add_suppression(wish)
    _note(work, actor, "people.optout", person, now, field=kind, reason=reason)
    return wish


def _of_whom(work: UnitOfWork, user: User, name: str, now: datetime) -> Person:
    """Return whose wishes somebody may write down: whom they work with; a clerk, of those with a file."""
    person = asked_for(work, name, user=user)
    if may(user.roles, Verb.PEOPLE_CHANGE):
        check_changes(work, user, person, now)
    return person


def _found(work: UnitOfWork, code: str, number: str, pseudonym: str) -> list[Person]:
    if number:
        known = normalise(number)
        return list(work.people.having(known)) if known else []
    find_by: Callable[[str], Person | None] = work.people.by_spoken if code else work.people.by_code
    found = find_by(_digits(code) if code else storable(pseudonym).upper())
    return [found] if found is not None else []


def _digits(spoken: str) -> str:
    """Return the digits of a code however it was typed: in groups, in full width."""
    return "".join(str(int(sign)) for sign in spoken if sign.isdecimal())


def _status_elsewhere(work: UnitOfWork, number: str) -> PhoneStatus:
    """Return what we know of a number from others who have it; what is bad anywhere is bad here."""
    known = [
        phone.status for one in work.people.having(number) for phone in one.phones if phone.number == number
    ]
    return next((status for status in known if status is not PhoneStatus.OK), PhoneStatus.OK)


def _with_phone(
    person: Person, place: int, safe_to_call: bool | None, status: PhoneStatus | None, confirmed: bool
) -> Person:
    before = person.phones[place - 1]
    is_made_sure = confirmed and before.source is PhoneSource.HAND
    after = replace(
        before,
        safe_to_call=before.safe_to_call if safe_to_call is None else safe_to_call,
        status=before.status if status is None else status,
        source=PhoneSource.LINE if is_made_sure else before.source,
    )
    return replace(person, phones=(*person.phones[: place - 1], after, *person.phones[place:]))


def _note(
    work: UnitOfWork,
    actor: str,
    verb: str,
    person: Person,
    now: datetime,
    *,
    field: str = "",
    reason: str = "",
) -> None:
    work.audit.append(
        AuditEntry(
            actor=actor, verb=verb, object=f"person:{person.id}", at=now, field=str(field), reason=reason
        )
    )
