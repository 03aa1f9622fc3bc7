"""Who works with somebody now, and who may therefore see or change what is kept of them (R38).

Nearness rests on what nobody can give themselves: a record of a call that came from a number which is
known to be theirs, a case, a debt in hand. A number that a colleague typed makes nobody near (decision 0025).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from callcenter.domain.access import Verb, may
from callcenter.domain.books import CASE_EVENTS
from callcenter.domain.cases import Case
from callcenter.domain.people import Person
from callcenter.domain.sessions import SessionStatus
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow
from callcenter.service.people.entries import caller_of, entry, group_of, named, open_cases

#: So long after a talk its counsellor may still write down what was agreed in it.
AFTER_A_TALK = timedelta(days=7)


def works_with(work: UnitOfWork, code: str, person: Person, now: datetime) -> bool:
    """Tell whether somebody works with a person now: an open record, a case, or a debt in hand."""
    return (
        any(case.owner == code for case in open_cases(work, person))
        or _holds_debt(work, code, person, now)
        or _has_open_record(work, code, person)
    )


def is_near(work: UnitOfWork, code: str, person: Person, now: datetime) -> bool:
    """Tell whether somebody works with a person now, or wrote about them within the week."""
    return works_with(work, code, person, now) or _talked_lately(work, code, person, now)


def check_changes(work: UnitOfWork, user: User, person: Person, now: datetime) -> None:
    """Raise `Forbidden` unless a user is near a person, or is a supervisor."""
    if Role.SUPERVISOR not in user.roles and not is_near(work, user.code, person, now):
        raise Forbidden("只能更改您正在服务的人(您的接访、您的个案、您手上的回访)。请督导代为更改。")


def changed_by(work: UnitOfWork, name: str, *, verb: Verb, actor: str, now: datetime) -> Person:
    """Return whom an id or a pseudonym names, for somebody who may change what is kept of them.

    Raises `Forbidden` to a counsellor who does not work with them, and `NotFound`.
    """
    user = allow(work, actor, verb)
    person = named(work, name)
    check_changes(work, user, person, now)
    return person


def asked_for(work: UnitOfWork, name: str, *, user: User) -> Person:
    """Return whom a name names. To a clerk whoever has no file is nobody: one answer for all (R39)."""
    if may(user.roles, Verb.PEOPLE_SEE):
        return named(work, name)
    unknown = NotFound("没有这个编号或代号的困难档案。用 hotline hardship list 查看。")
    try:
        person = named(work, entry(work, name).id)
    except NotFound:
        raise unknown from None
    if not any(work.people.files_of(one) for one in group_of(work, person)):
        raise unknown
    return person


def at_high_risk(work: UnitOfWork, person: Person, *, by: str = "") -> bool:
    """Tell whether a case at level 1 or worse is open for a person, made so by others than `by`."""
    found = (case for case in open_cases(work, person) if case.level.is_high)
    return any(not by or _who_made_high(work, case) != by for case in found)


def _who_made_high(work: UnitOfWork, case: Case) -> str | None:
    """Return who last brought a case from below to level 1 or worse."""
    events = [e for e in work.book(CASE_EVENTS).where(case=case.id) if e.kind in {"opened", "level"}]
    for event in sorted(events, key=lambda e: (e.at, e.id), reverse=True):
        if event.after in _HIGH and event.before not in _HIGH:
            return event.by
    return None


#: Levels as a case's log has them.
_HIGH = frozenset({"0", "1"})


def _holds_debt(work: UnitOfWork, actor: str, person: Person, now: datetime) -> bool:
    for owed in work.debts.open(person=person.id):
        if owed.lease is None or not owed.lease.holds(now):
            continue
        attempt = work.debts.attempt(owed.lease.owner)
        if owed.lease.owner == actor or (attempt is not None and attempt.by == actor):
            return True
    return False


def _has_open_record(work: UnitOfWork, actor: str, person: Person) -> bool:
    group = set(group_of(work, person))
    mine = (row for row in work.sessions.all(SessionStatus.OPEN) if row.counsellor == actor)
    for row in mine:
        caller = _caller(work, row.call) if row.person is None else None
        if row.person in group or (caller is not None and caller.id in group):
            return True
    return False


def _talked_lately(work: UnitOfWork, actor: str, person: Person, now: datetime) -> bool:
    group = set(group_of(work, person))
    return any(
        row.person in group
        for row in work.sessions.since(now - AFTER_A_TALK, counsellor=actor)
        if row.version
    )


def _caller(work: UnitOfWork, call_id: str) -> Person | None:
    try:
        return caller_of(work, work.calls.get(call_id))
    except NotFound:  # call rows are forgotten and replayed; records stay
        return None
