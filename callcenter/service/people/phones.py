"""Somebody's numbers: which, whether they are right, and what was agreed about calling them.

Whoever sets a number right has answered what the line asked about it (R25, R33).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time

from callcenter.domain.access import Verb
from callcenter.domain.numbers import normalise
from callcenter.domain.people import Person, Phone, PhoneSource, PhoneStatus, SafeContact
from callcenter.domain.reasons import checked_reason, storable
from callcenter.domain.users import Role
from callcenter.domain.verifying import is_about_number
from callcenter.errors import Conflict, Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import guarded
from callcenter.service.people.nearness import changed_by
from callcenter.service.people.wishes import bind_by_number
from scheduler.obligations import ClosingKind, Kind

_MOST_PHONES = 10
_MOST_WINDOWS = 4
#: Longer texts are no label, no name and no word agreed.
_LONGEST = 20


@guarded(Verb.PEOPLE_CHANGE)
def add_phone(
    work: UnitOfWork,
    person_id: str,
    number: str,
    *,
    safe_to_call: bool = True,
    replaces: int | None = None,
    actor: str,
    now: datetime,
) -> Person:
    """Add a number, tried last. What is known of it elsewhere (wrong, vacant, unsafe) stays known (R33).

    `replaces`: the number at this place (1-based) is theirs no more; the new one stands there, and the old
    one, marked as changed, behind all others. What a counsellor types may be dialled, but who calls from it
    is nobody's caller, and makes nobody near, until a supervisor made sure (decision 0025).
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
        status=status_elsewhere(work, known),
        safe_to_call=safe_to_call and is_safe_elsewhere(work, known),
        source=PhoneSource.LINE if is_sure else PhoneSource.HAND,
    )
    before = work.people.suppressions(person.id)
    changed = _with(person, phone, replaces)
    work.people.update(changed)
    bind_by_number(work, person.id, before, now)
    _note(work, actor, "people.phone_add", person, now, field="phones")
    if replaces is not None:
        _answered(work, person, person.phones[replaces - 1].number, actor, now, "已换成新号码")
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
    number = _at(person, place).number
    if status is not None:
        checked_reason(reason)
    if status is not None and status is not PhoneStatus.OK:
        work.people.set_phone_status(number, status)
        person = work.people.get(person.id)
    changed = _with_phone(person, place, safe_to_call, status, now if confirmed else None)
    if status is PhoneStatus.OK:
        changed = _put(changed, place, replace(changed.phones[place - 1], verified_at=now))
    work.people.update(changed)
    given = {"status": status is not None, "safe_to_call": safe_to_call is not None, "confirmed": confirmed}
    for field in (name for name, is_given in given.items() if is_given):
        _note(work, actor, "people.phone_change", person, now, field=field, reason=reason)
    if status is not None or confirmed:
        _answered(work, person, number, actor, now, "号码已由人核实")
    return changed


@guarded(Verb.PEOPLE_CHANGE)
def agree(
    work: UnitOfWork, person_id: str, place: int, agreed: SafeContact, *, actor: str, now: datetime
) -> Person:
    """Set what was agreed about calling the number at this place (1-based). Raises `Refused`, `NotFound`."""
    person = changed_by(work, person_id, verb=Verb.PEOPLE_CHANGE, actor=actor, now=now)
    phone = _at(person, place)
    texts = (agreed.label, agreed.say_name, agreed.code_word)
    if any(len(storable(text)) > _LONGEST or not text.isprintable() for text in texts):
        raise Refused(f"称呼、口令和备注各最多 {_LONGEST} 个字,不换行。")
    if len(agreed.windows) > _MOST_WINDOWS or any(begin == end for begin, end in agreed.windows):
        raise Refused(f"约定的时段最多 {_MOST_WINDOWS} 段,每段起止不能相同。")
    changed = _put(person, place, replace(phone, agreed=agreed))
    work.people.update(changed)
    _note(work, actor, "people.phone_agree", person, now, field="agreed")
    return changed


@guarded(Verb.PEOPLE_SEE)
def agreed_with(work: UnitOfWork, person_id: str, *, actor: str, now: datetime) -> Person:
    """Return somebody with what was agreed about their numbers, for who works with them or a supervisor.

    Their numbers stand in it as they are: whoever shows it masks them. Written down.
    """
    person = changed_by(work, person_id, verb=Verb.PEOPLE_SEE, actor=actor, now=now)
    _note(work, actor, "people.see", person, now, field="agreed")
    return person


def status_elsewhere(work: UnitOfWork, number: str) -> PhoneStatus:
    """Return what we know of a number from others who have it; what is bad anywhere is bad here."""
    known = (phone.status for phone in _elsewhere(work, number))
    return next((status for status in known if status is not PhoneStatus.OK), PhoneStatus.OK)


def is_safe_elsewhere(work: UnitOfWork, number: str) -> bool:
    """Tell whether nobody who has a number said that it is unsafe to ring: who answers there is the same."""
    return all(phone.safe_to_call for phone in _elsewhere(work, number))


def _elsewhere(work: UnitOfWork, number: str) -> list[Phone]:
    return [phone for one in work.people.having(number) for phone in one.phones if phone.number == number]


def span_of(text: str) -> tuple[time, time]:
    """Read a span of wall time, `19:00-21:00`; raise `Refused`."""
    try:
        begin, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise Refused("时段写成 19:00-21:00。") from None
    if begin.tzinfo is not None or end.tzinfo is not None:
        raise Refused("时段写成 19:00-21:00。")
    return begin, end


def agreement_words(agreed: SafeContact) -> str:
    """Return what was agreed, in words for whoever dials; the word agreed is there, and said as one."""
    spans = "、".join(f"{begin:%H:%M}-{end:%H:%M}" for begin, end in agreed.windows)
    told = {
        agreed.label: bool(agreed.label),
        f"找{agreed.say_name}": bool(agreed.say_name),
        f"口令「{agreed.code_word}」": bool(agreed.code_word),
        f"只在 {spans} 拨打": bool(spans),
        "可以留言": agreed.voicemail,
        "不要留言": not agreed.voicemail,
        "可以发短信": agreed.sms,
    }
    return "；".join(words for words, is_so in told.items() if is_so)


def _at(person: Person, place: int) -> Phone:
    if not 1 <= place <= len(person.phones):
        raise NotFound(f"没有第 {place} 个号码。先用 hotline people show 查看。")
    return person.phones[place - 1]


def _put(person: Person, place: int, phone: Phone) -> Person:
    return replace(person, phones=(*person.phones[: place - 1], phone, *person.phones[place:]))


def _with(person: Person, phone: Phone, replaces: int | None) -> Person:
    if replaces is None:
        return replace(person, phones=(*person.phones, phone))
    old = replace(_at(person, replaces), status=PhoneStatus.CHANGED)
    moved = _put(person, replaces, phone)
    return replace(moved, phones=(*moved.phones, old))


def _with_phone(
    person: Person,
    place: int,
    safe_to_call: bool | None,
    status: PhoneStatus | None,
    confirmed_at: datetime | None,
) -> Person:
    before = person.phones[place - 1]
    is_made_sure = confirmed_at is not None and before.source is PhoneSource.HAND
    after = replace(
        before,
        safe_to_call=before.safe_to_call if safe_to_call is None else safe_to_call,
        status=before.status if status is None else status,
        source=PhoneSource.LINE if is_made_sure else before.source,
        verified_at=confirmed_at or before.verified_at,
    )
    return _put(person, place, after)


def _answered(work: UnitOfWork, person: Person, number: str, actor: str, now: datetime, words: str) -> None:
    """End what asked a person to make sure of a number: somebody did."""
    for asked in work.debts.open(person=person.id, kind=Kind.VERIFY):
        if is_about_number(asked, number):
            work.debts.close(asked.id, words, actor, now, ClosingKind.VERIFIED)
            entry = AuditEntry(actor=actor, verb="obligation.close", object=asked.id, at=now, reason=words)
            work.audit.append(entry)


def _note(
    work: UnitOfWork,
    actor: str,
    verb: str,
    person: Person,
    now: datetime,
    *,
    field: str,
    reason: str = "",
) -> None:
    entry = AuditEntry(
        actor=actor, verb=verb, object=f"person:{person.id}", at=now, field=field, reason=reason
    )
    work.audit.append(entry)
