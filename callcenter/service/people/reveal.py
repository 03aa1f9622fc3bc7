"""Showing in clear what is masked everywhere else: with a reason, audited per field, looked over after.

Counsellors see those they work with now. At high risk everybody who may reveal at all may do so: help
that has to find somebody does not wait for a permission; it is written down all the same (R38).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from callcenter.domain.access import Verb
from callcenter.domain.people import Person
from callcenter.domain.users import Role, User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import caller_of, named
from callcenter.service.people.nearness import at_high_risk, works_with
from callcenter.service.people.people import checked_reason, storable

#: Within this time somebody looks over what was revealed (domain rule, number masking).
REVIEW_WITHIN = timedelta(hours=24)
#: Audit verbs: a field was shown; somebody looked over that entry.
SHOWN, LOOKED_OVER = "people.reveal", "people.reveal_review"
#: All that show somebody in clear: a field, a record, a copy of everything.
SHOWINGS = (SHOWN, "session.reveal", "export.person")
#: Said in the audit of who saw somebody in danger without working with them, and of what a copy holds.
BY_DANGER = "(高危放行:不是本人负责的人)"

#: What can be revealed of a person, and how it reads.
FIELDS: Mapping[str, Callable[[Person], str]] = {
    "name": lambda person: person.name or "",
    "numbers": lambda person: " ".join(phone.number for phone in person.phones),
    "birth": lambda person: _birth(person),
    "code": lambda person: person.spoken or "",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One audited showing, and who looked it over."""

    seq: int
    at: datetime
    actor: str
    object: str
    #: What was shown: a field, or what else (`session.reveal`, `export.person`).
    field: str
    reason: str
    reviewed_by: str | None
    #: Nobody looked it over within the day.
    overdue: bool


@guarded(Verb.PEOPLE_REVEAL)
def reveal(
    work: UnitOfWork, person_id: str, fields: Iterable[str], *, actor: str, now: datetime, reason: str
) -> dict[str, str]:
    """Return fields of a person in clear, and write down who saw which and why; never the values.

    Raises `Refused` without a sensible reason or for an unknown field, and `Forbidden` to a counsellor
    who does not work with this person now, unless they are at high risk, and not by this counsellor's
    own word.
    """
    user = allow(work, actor, Verb.PEOPLE_REVEAL)
    told, wanted = checked_reason(reason), tuple(dict.fromkeys(fields))
    if not wanted or not FIELDS.keys() >= set(wanted):
        raise Refused(f"可以查看的项目:{'、'.join(FIELDS)}。")
    person = named(work, person_id)
    told += _ground(work, user, person, now)
    for field in wanted:
        _note(work, actor, f"person:{person.id}", field, told, now)
    return {field: FIELDS[field](person) for field in wanted}


@guarded(Verb.PEOPLE_REVEAL)
def reveal_call(work: UnitOfWork, call_id: str, *, actor: str, now: datetime, reason: str) -> str:
    """Return the number of the other side of a call, in clear. A counsellor's own calls are near enough."""
    user = allow(work, actor, Verb.PEOPLE_REVEAL)
    told, call = checked_reason(reason), work.calls.get(call_id)
    attempt = work.debts.attempt(call_id)
    number = call.number or (attempt.callee if attempt else None)
    if number is None:
        raise NotFound("这通电话没有号码:对方没有显示。")
    person = caller_of(work, call)
    if call.answered_by != actor:
        told += _ground(work, user, person, now)
    _note(work, actor, f"call:{call_id}", "number", told, now)
    return number


@guarded(Verb.REVEAL_REVIEW)
def shown(work: UnitOfWork, *, actor: str, now: datetime, since: datetime) -> list[Shown]:
    """Return what was revealed since then, newest first, and what nobody has looked over yet."""
    allow(work, actor, Verb.REVEAL_REVIEW)
    seen = {e.object: e.actor for e in work.audit.recent(_MANY, verb=LOOKED_OVER, since=since)}
    found = [entry for verb in SHOWINGS for entry in work.audit.recent(_MANY, verb=verb, since=since)]
    newest_first = sorted(found, key=lambda entry: entry.seq, reverse=True)
    return [_shown(entry, seen.get(f"audit:{entry.seq}"), now) for entry in newest_first]


@guarded(Verb.REVEAL_REVIEW)
def look_over(work: UnitOfWork, seq: int, *, actor: str, now: datetime, remark: str = "") -> None:
    """Write down that a supervisor looked over one showing. Nobody looks over their own."""
    allow(work, actor, Verb.REVEAL_REVIEW)
    found = (e for verb in SHOWINGS for e in work.audit.recent(_MANY, verb=verb))
    entry = next((e for e in found if e.seq == seq), None)
    if entry is None:
        raise NotFound(f"留痕第 {seq} 条不是一次明文查看。")
    if entry.actor == actor:
        raise Refused("自己的查看要由另一位督导复核。")
    if any(work.audit.recent(1, verb=LOOKED_OVER, object=f"audit:{seq}")):
        raise Refused(f"第 {seq} 条已经复核过。")
    work.audit.append(
        AuditEntry(actor=actor, verb=LOOKED_OVER, object=f"audit:{seq}", at=now, reason=storable(remark))
    )


#: More showings than a line has in years.
_MANY = 100_000


def _ground(work: UnitOfWork, user: User, person: Person | None, now: datetime) -> str:
    """Return what the reviewer has to know of why somebody may see a person; raise `Forbidden`."""
    if Role.SUPERVISOR in user.roles or (person is not None and works_with(work, user.code, person, now)):
        return ""
    if person is not None and at_high_risk(work, person, by=user.code):
        return BY_DANGER
    if person is not None and at_high_risk(work, person):
        raise Forbidden("这个个案的级别是您自己定的:请个案负责人或督导查看,或先接手个案。")
    raise Forbidden("只能查看您正在服务的人(待写的接访、您的个案、您手上的回访)。请督导代为查看。")


def _birth(person: Person) -> str:
    month = "" if person.birth_month is None else f"{person.birth_month:02d}"
    return "-".join(part for part in (str(person.birth_year or ""), month) if part)


def _shown(entry: AuditEntry, reviewer: str | None, now: datetime) -> Shown:
    return Shown(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        object=entry.object,
        field=entry.field if entry.verb == SHOWN else f"{entry.verb} {entry.field}".strip(),
        reason=entry.reason,
        reviewed_by=reviewer,
        overdue=reviewer is None and now - entry.at > REVIEW_WITHIN,
    )


def _note(work: UnitOfWork, actor: str, thing: str, field: str, reason: str, now: datetime) -> None:
    work.audit.append(AuditEntry(actor=actor, verb=SHOWN, object=thing, at=now, field=field, reason=reason))
