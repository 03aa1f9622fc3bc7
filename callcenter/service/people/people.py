"""The people we look after: who they are to us, how they may be reached, what they agreed to.

Whoever is asked about is taken for the entry that stands for them, merges followed. Values are never
in the audit; it names the person and the field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person, Phone, Speech
from callcenter.domain.reasons import checked_reason, storable
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.names import code_to_keep, short_pseudonym
from callcenter.service.people.entries import caller_of, group_of, resolve
from callcenter.service.people.nearness import changed_by
from callcenter.service.people.phones import add_phone, change_phone, status_elsewhere
from callcenter.service.people.wishes import CHANNELS, opt_in, opt_out, record_consent

__all__ = [
    "CHANNELS",
    "add_phone",
    "caller_of",
    "change_care",
    "change_phone",
    "checked_reason",
    "find",
    "give_code",
    "group_of",
    "new_person",
    "opt_in",
    "opt_out",
    "record_consent",
    "resolve",
    "storable",
]

#: Tries at a free pseudonym of four letters, and after that of six.
_TRIES = 20


@guarded(Verb.PEOPLE_CHANGE)
def new_person(work: UnitOfWork, *, number: str | None, actor: str, now: datetime) -> Person:
    """Add an anonymous person, known by a pseudonym alone, and return them.

    A number that is none (withheld, hostile) is left out.
    """
    allow(work, actor, Verb.PEOPLE_CHANGE)
    known = normalise(number)
    phones = (Phone(number=known, status=status_elsewhere(work, known)),) if known else ()
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
