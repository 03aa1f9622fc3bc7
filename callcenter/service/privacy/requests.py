"""What people ask about their own data: to see it, to have it put right, to have it taken away (R43).

Personal Information Protection Law, art. 44-47. A request names how it was made sure who asks; it is
answered, or refused with a reason, within 15 working days by the site's calendar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, tzinfo
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import REQUESTS
from callcenter.domain.numbers import mask_name
from callcenter.domain.people import Person
from callcenter.domain.privacy import DataRequest, RequestKind, RequestState
from callcenter.domain.reasons import checked_reason, explains, storable
from callcenter.errors import Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of, named
from callcenter.service.people.nearness import asked_for
from scheduler.cadence import SHANGHAI
from scheduler.calendar import Calendar

#: R43.
WORKING_DAYS = 15
_LONGEST = 2000
_FIRST_YEAR = 1900


@guarded(Verb.REQUEST_OPEN)
def open_request(
    work: UnitOfWork,
    person_id: str,
    kind: RequestKind,
    *,
    identity_check: str,
    wish: str = "",
    actor: str,
    now: datetime,
    calendar: Calendar | None = None,
    zone: tzinfo = SHANGHAI,
    days: int = WORKING_DAYS,
) -> DataRequest:
    """Write down what somebody asks for and when it has to be answered.

    Raises `NotFound` (to a clerk also for who has no file), `Refused` without a word on how they were
    identified, or while the same is open.
    """
    user = allow(work, actor, Verb.REQUEST_OPEN)
    if not explains(identity_check):
        raise Refused("--identity 请写明怎样核实是本人,至少 4 个字,如:当面看过身份证。")
    checked, person = storable(identity_check), asked_for(work, person_id, user=user)
    if len(wish) > _LONGEST or len(checked) > _LONGEST:
        raise Refused(f"每一项最多 {_LONGEST} 个字。")
    if any(one.kind is kind for one in open_requests_of(work, person)):
        raise Refused("此人同样的请求还没有答复,不必再登记。")
    made = DataRequest(
        id=f"re-{uuid4().hex[:12]}",
        person=person.id,
        kind=kind,
        state=RequestState.OPEN,
        opened_at=now,
        due_at=due_after(now, days, calendar or Calendar(), zone),
        by=actor,
        identity_check=checked,
        wish=storable(wish),
    )
    work.book(REQUESTS).add(made)
    _note(work, actor, "request.open", made, now, field=kind)
    return made


@guarded(Verb.REQUEST_ANSWER)
def requests(
    work: UnitOfWork, *, actor: str, now: datetime, overdue: bool = False, everything: bool = False
) -> list[DataRequest]:
    """Return the open requests, those due first before the others; only what is `overdue`, or all ever."""
    allow(work, actor, Verb.REQUEST_ANSWER)
    book = work.book(REQUESTS)
    found = book.where() if everything else book.where(state=RequestState.OPEN)
    late = (one for one in found if not overdue or is_overdue(one, now))
    return sorted(late, key=lambda one: (one.state is not RequestState.OPEN, one.due_at, one.id))


@guarded(Verb.REQUEST_ANSWER)
def answer(work: UnitOfWork, request_id: str, text: str, *, actor: str, now: datetime) -> DataRequest:
    """Answer a request in words. Erasure is answered by erasing (`callcenter.service.privacy.erasing`)."""
    allow(work, actor, Verb.REQUEST_ANSWER)
    told, found = checked_reason(text), still_open(work, request_id)
    if found.kind is RequestKind.ERASURE:
        raise Refused("删除请求要用 hotline people erase 办理,或写明理由不予删除。")
    return close(work, found, RequestState.ANSWERED, told, by=actor, now=now)


@guarded(Verb.REQUEST_ANSWER)
def refuse(work: UnitOfWork, request_id: str, *, actor: str, now: datetime, reason: str) -> DataRequest:
    """Refuse a request; the law wants the reason told to whoever asked (art. 50)."""
    allow(work, actor, Verb.REQUEST_ANSWER)
    told, found = checked_reason(reason), still_open(work, request_id)
    return close(work, found, RequestState.REFUSED, told, by=actor, now=now)


#: What a correction may change: how it is read and how it is shown in the answer, masked.
_FIELDS: dict[str, tuple[Callable[[str], object], Callable[[Person], str]]] = {
    "name": (lambda text: _name(text), lambda person: mask_name(person.name)),
    "birth_year": (lambda text: _year(text), lambda person: "已登记" if person.birth_year else "未登记"),
    "birth_month": (lambda text: _month(text), lambda person: "已登记" if person.birth_month else "未登记"),
}
CORRECTABLE = tuple(_FIELDS)


@guarded(Verb.REQUEST_ANSWER)
def correct(
    work: UnitOfWork, request_id: str, field: str, value: str, *, actor: str, now: datetime
) -> DataRequest:
    """Put one field right and answer the request with before and after, masked (art. 46).

    Numbers are put right by `callcenter.service.people.people`, records by amending them. Raises `Refused`.
    """
    allow(work, actor, Verb.REQUEST_ANSWER)
    found = still_open(work, request_id)
    if found.kind is not RequestKind.CORRECTION:
        raise Refused(f"{request_id} 不是更正请求。")
    if field not in _FIELDS:
        raise Refused(f"可以更正的项目:{'、'.join(_FIELDS)}。号码和记录用各自的命令更正,再答复请求。")
    read, shown = _FIELDS[field]
    before = named(work, found.person)
    after = replace(before, **{field: read(value)})  # type: ignore[arg-type]
    work.people.update(after)
    entry = AuditEntry(
        actor=actor, verb="people.correct", object=f"person:{before.id}", at=now, field=field, reason=found.id
    )
    work.audit.append(entry)
    told = f"{field}: {shown(before)} -> {shown(after)}"
    return close(work, found, RequestState.ANSWERED, told, by=actor, now=now)


def open_requests_of(work: UnitOfWork, person: Person) -> list[DataRequest]:
    """Return what somebody still waits for an answer to, merged entries included."""
    found = (one for entry in group_of(work, person) for one in work.book(REQUESTS).where(person=entry))
    return [one for one in found if one.state is RequestState.OPEN]


def still_open(work: UnitOfWork, request_id: str) -> DataRequest:
    """Return a request nobody has answered; raise `NotFound` or `Refused`."""
    found = work.book(REQUESTS).get(request_id)
    if found.state is not RequestState.OPEN:
        raise Refused(f"{request_id} 已经答复。")
    return found


def close(
    work: UnitOfWork, found: DataRequest, state: RequestState, text: str, *, by: str, now: datetime
) -> DataRequest:
    """End a request by somebody who was let through."""
    done = replace(found, state=state, answered_at=now, answered_by=by, answer=text[:_LONGEST])
    saved = work.book(REQUESTS).put(done)
    _note(work, by, f"request.{state}", found, now, field=found.kind)
    return saved


def is_overdue(request: DataRequest, now: datetime) -> bool:
    """Tell whether an open request should have been answered by now."""
    return request.state is RequestState.OPEN and now > request.due_at


def due_after(now: datetime, days: int, calendar: Calendar, zone: tzinfo) -> datetime:
    """Return the end of the last of so many working days after today."""
    day = now.astimezone(zone).date()
    for _ in range(days):
        day = calendar.workday_after(day)
    return datetime.combine(day, time(23, 59, 59), zone)


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 60 or not name.isprintable():
        raise Refused("姓名须为 1 至 60 个可见字符。")
    return name


def _year(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not _FIRST_YEAR <= int(text[:5]) <= 2100:
        raise Refused("出生年份写四位数字,如 1968。")
    return int(text)


def _month(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:3]) <= 12:
        raise Refused("出生月份写 1 至 12。")
    return int(text)


def _note(work: UnitOfWork, actor: str, verb: str, one: DataRequest, now: datetime, *, field: str) -> None:
    entry = AuditEntry(actor=actor, verb=verb, object=f"request:{one.id}", at=now, field=str(field))
    work.audit.append(entry)
