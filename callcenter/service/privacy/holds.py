"""Legal holds: what they name, and everything of that person, is kept whatever the rules say (R42)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import CASES, HOLDS, RECORDINGS, REQUESTS
from callcenter.domain.numbers import normalise
from callcenter.domain.privacy import Hold
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import entry, group_of, resolve
from callcenter.service.people.people import checked_reason

#: What can be held.
_KINDS = ("person", "session")


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Everything the holds in force bind: `person:<id>`, `session:<id>`, `call:<id>`, ...; and numbers."""

    objects: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()

    def binds(self, *objects: str | None, number: str | None = None) -> bool:
        """Tell whether one of these objects, or a call from or to this number, is bound."""
        if number is not None and (normalise(number) or number) in self.numbers:
            return True
        return not self.objects.isdisjoint(one for one in objects if one is not None)


def held(work: UnitOfWork) -> Held:
    """Return what is bound now. A held session binds its person, and a held person all that is theirs."""
    objects: set[str] = set()
    numbers: set[str] = set()
    for hold in work.book(HOLDS).where(released_at=None):
        objects.add(hold.object)
        for person in _people_of(work, hold.object):
            objects |= set(_theirs(work, person))
            known = work.people.many([person])
            numbers |= {normalise(p.number) or p.number for one in known.values() for p in one.phones}
        with suppress(NotFound):
            objects |= set(_of_session(work, hold.object))
    return Held(objects=frozenset(objects), numbers=frozenset(numbers))


def is_held(work: UnitOfWork, object: str) -> bool:
    """Tell whether a legal hold binds `kind:id`: a person, session, case, call, recording, request (R42)."""
    bound = held(work)
    kind, _, value = object.partition(":")
    if kind == "recording":
        found = work.book(RECORDINGS).one(value)
        return bound.binds(object, f"call:{found.call}" if found else None)
    if kind == "session":
        with suppress(NotFound):
            return bound.binds(object) or _call_is_bound(work, bound, work.sessions.get(value).call)
    if kind == "call":
        return _call_is_bound(work, bound, value)
    return bound.binds(object)


def check_free(work: UnitOfWork, object: str) -> None:
    """Raise `Refused` while a legal hold binds `kind:id`: then nothing of it is thrown away (R42)."""
    if is_held(work, object):
        raise Refused(f"{object} 已依法保全，不能删除或丢弃。用 hotline audit holds 查看是谁设的。")


def _call_is_bound(work: UnitOfWork, bound: Held, call: str) -> bool:
    """Tell whether a call is bound: by itself, or by whose number it is."""
    with suppress(NotFound):
        return bound.binds(f"call:{call}", number=work.calls.get(call).number)
    return bound.binds(f"call:{call}")


def _people_of(work: UnitOfWork, object: str) -> Sequence[str]:
    """Return the entries of the person that a held object is, or is about: merged ones too."""
    kind, _, value = object.partition(":")
    with suppress(NotFound):
        person = value if kind == "person" else work.sessions.get(value).person
        return group_of(work, resolve(work, person)) if person else ()
    return (value,) if kind == "person" else ()


def _theirs(work: UnitOfWork, person: str) -> Iterable[str]:
    yield f"person:{person}"
    yield from (f"case:{case.id}" for case in work.book(CASES).where(person=person))
    yield from (f"request:{one.id}" for one in work.book(REQUESTS).where(person=person))
    for session in work.sessions.of_person(person):
        yield from (f"session:{session.id}", f"call:{session.call}")


def _of_session(work: UnitOfWork, object: str) -> Iterable[str]:
    kind, _, value = object.partition(":")
    return (f"call:{work.sessions.get(value).call}",) if kind == "session" else ()


@guarded(Verb.HOLD_SET)
def set_hold(work: UnitOfWork, object: str, *, actor: str, now: datetime, reason: str) -> Hold:
    """Keep a person (`person:<id>`) or session and everything of that person until it is released.

    Raises `NotFound`, `Refused` without a reason, and `Conflict` if it is held already.
    """
    allow(work, actor, Verb.HOLD_SET)
    told = checked_reason(reason)
    named = _named(work, object)
    if work.book(HOLDS).where(object=named, released_at=None):
        raise Conflict(f"{named} 已被保全，不必再设。用 hotline audit holds 查看。")
    hold = Hold(id=f"ho-{uuid4().hex}", object=named, by=actor, at=now, reason=told)
    work.book(HOLDS).add(hold)
    work.audit.append(AuditEntry(actor=actor, verb="hold.set", object=named, at=now, reason=told))
    return hold


@guarded(Verb.HOLD_SET)
def release_hold(work: UnitOfWork, hold_id: str, *, actor: str, now: datetime, reason: str) -> Hold:
    """End a hold; from then on the rules count again. Raises `NotFound`, `Conflict` and `Refused`."""
    allow(work, actor, Verb.HOLD_SET)
    told = checked_reason(reason)
    hold = work.book(HOLDS).get(hold_id)
    if hold.released_at is not None:
        raise Conflict(f"{hold_id} 已经解除。")
    done = work.book(HOLDS).put(replace(hold, released_at=now, released_by=actor))
    work.audit.append(AuditEntry(actor=actor, verb="hold.release", object=hold.object, at=now, reason=told))
    return done


@guarded(Verb.HOLD_SET)
def holds(work: UnitOfWork, *, actor: str, released: bool = False) -> Sequence[Hold]:
    """Return the holds in force, oldest first; with `released` also those that ended."""
    allow(work, actor, Verb.HOLD_SET)
    found = work.book(HOLDS).where() if released else work.book(HOLDS).where(released_at=None)
    return sorted(found, key=lambda hold: (hold.at, hold.id))


def _named(work: UnitOfWork, object: str) -> str:
    """Return a person (by id or pseudonym) or session as the audit names it; raise if it is neither."""
    kind, _, value = object.partition(":")
    if kind not in _KINDS or not value:
        raise Refused("可以保全的是 person:编号（或代号）和 session:编号。")
    return f"person:{entry(work, value).id}" if kind == "person" else f"session:{work.sessions.get(value).id}"
