"""Taking away what we know of somebody who asks for it, and saying what stays and why (R43, art. 47).

It goes by the retention's own hands, at the shortest terms the law and the guide allow. Who still has
to be looked after is not erased: that would be forgetting them, not their data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from callcenter.domain.access import Verb
from callcenter.domain.books import (
    BLOCKS,
    CALLER_PLANS,
    CASES,
    DEBRIEFS,
    DEBT_EVENTS,
    DRAFTS,
    EXPORTS,
    HANDOVERS,
    LISTENINGS,
    PLANS,
    RECORDINGS,
    REQUESTS,
    SESSION_VERSIONS,
)
from callcenter.domain.calls import CallRecord
from callcenter.domain.handover import HandoverState
from callcenter.domain.ledger import Plan, PlanState
from callcenter.domain.people import FileStatus, Person
from callcenter.domain.privacy import Export, Recording, RequestKind, RequestState
from callcenter.domain.retention import FLOORS, Going, Rule
from callcenter.domain.sessions import SessionRow
from callcenter.errors import NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.forgetting import acts_with_words, sheets_about, waivers_with_words
from callcenter.service.people.entries import group_of, named, open_cases, own_numbers
from callcenter.service.people.people import checked_reason
from callcenter.service.privacy.exports import Kind
from callcenter.service.privacy.holds import held
from callcenter.service.privacy.requests import close, open_requests_of, still_open
from callcenter.service.privacy.retention_acts import Burial, left_homes
from callcenter.service.privacy.retention_finds import Ground
from callcenter.service.risk.handovers import open_about
from scheduler.cadence import SHANGHAI


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing that goes or stays."""

    what: str
    count: int
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What becomes of what we know of somebody."""

    person: str
    code: str
    goes: tuple[Item, ...]
    stays: tuple[Item, ...]
    #: Why nothing goes yet, in sentences; empty: it may be done.
    hindered: tuple[str, ...]
    #: Sound files to delete once this is committed.
    files: tuple[str, ...] = ()
    #: Exports whose files are to be deleted as well: copies made for them.
    copies: tuple[str, ...] = ()


@guarded(Verb.PEOPLE_ERASE)
def erase(
    work: UnitOfWork,
    request_id: str,
    *,
    actor: str,
    now: datetime,
    reason: str,
    dry_run: bool = False,
    zone: tzinfo = SHANGHAI,
) -> Erasure:
    """Erase whoever an open request for erasure is about, and answer it; `dry_run` only tells.

    Raises `NotFound`, and `Refused` without a reason or while something hinders it.
    """
    allow(work, actor, Verb.PEOPLE_ERASE)
    told, request = checked_reason(reason), still_open(work, request_id)
    if request.kind is not RequestKind.ERASURE:
        raise Refused(f"{request_id} 不是删除请求。")
    person = named(work, request.person)
    ground = Ground(work=work, terms=FLOORS, until=now, held=held(work))
    goings = list(_goings(ground, person))
    found = _told(ground, person, goings, request_id)
    if dry_run:
        return found
    if found.hindered:
        raise Refused("还不能删除:" + ";".join(found.hindered) + "。")
    burial = Burial(work=work, ground=ground, by=actor, at=now, reason=f"{told} ({request_id})", zone=zone)
    copies = _forget_copies(work, person, actor, now, told)
    forget_calls(burial, person)
    for going in goings:
        burial.take(going)
    burial.leave_counts()
    work.audit.append(
        AuditEntry(actor=actor, verb="people.erase", object=f"person:{person.id}", at=now, reason=told)
    )
    close(work, request, RequestState.ANSWERED, _answer(found), by=actor, now=now)
    return Erasure(
        person=found.person,
        code=found.code,
        goes=found.goes,
        stays=found.stays,
        hindered=(),
        files=tuple(burial.files),
        copies=copies,
    )


def _goings(ground: Ground, person: Person) -> Iterator[Going]:
    """Yield what has stood the shortest time allowed, and last of all who they are."""
    work = ground.work
    for entry in group_of(work, person):
        for session in work.sessions.of_person(entry):
            kept = work.book(SESSION_VERSIONS).where(session=session.id) or work.book(DRAFTS).one(session.id)
            if kept and ground.record_goes(session.id):
                yield Going(rule=Rule.FORMS, object=f"session:{session.id}", since=session.opened_at)
        for case in work.book(CASES).where(person=entry):
            if case.closed_at is not None and ground.is_due(Rule.CASES, case.closed_at):
                yield Going(rule=Rule.CASES, object=f"case:{case.id}", since=case.closed_at)
    yield from _words(work, person)
    yield from (
        Going(rule=Rule.SHEETS, object=f"sheet:{sheet.id}", since=sheet.at)
        for sheet in sheets_about(work, group_of(work, person))
        if sheet.accepted_at is not None
    )
    for recording in _recordings(work, person):
        if ground.is_due(Rule.RECORDINGS, recording.at):
            yield Going(rule=Rule.RECORDINGS, object=f"recording:{recording.id}", since=recording.at)
    yield Going(rule=Rule.PEOPLE, object=f"person:{person.id}", since=ground.until)


def _words(work: UnitOfWork, person: Person) -> Iterator[Going]:
    """Yield what colleagues wrote of their calls and cases: at hand-overs, debriefings, listenings."""
    calls, sessions = _touched(work, person)
    for about in (*(f"call:{call}" for call in sorted(calls)), *_cases(work, person)):
        for handed in work.book(HANDOVERS).where(about=about):
            if handed.state is not HandoverState.OPEN:
                yield Going(rule=Rule.HANDOVERS, object=f"handover:{handed.id}", since=handed.sent_at)
    for debrief in work.book(DEBRIEFS).where():
        if debrief.note and debrief.about in calls | sessions:
            yield Going(rule=Rule.DEBRIEFS, object=f"debrief:{debrief.id}", since=debrief.since)
    for call in sorted(calls):
        for ear in work.book(LISTENINGS).where(call=call):
            if ear.reason:
                yield Going(rule=Rule.LISTENINGS, object=f"listening:{ear.id}", since=ear.asked_at)


def _told(ground: Ground, person: Person, goings: list[Going], request_id: str) -> Erasure:
    work, group = ground.work, group_of(ground.work, person)
    going = {rule: sum(one.rule is rule for one in goings) for rule in Rule}
    entries = [work.people.get(entry) for entry in group]
    plans = sum(work.book(CALLER_PLANS).one(entry) is not None for entry in group)
    goes = (
        Item(what="姓名、出生年月、来电口令", count=sum(one.name is not None for one in entries)),
        Item(what="电话号码", count=sum(len(one.phones) for one in entries)),
        Item(what="通话登记中的号码与留下的按键内容", count=len(_calls(work, person))),
        Item(what="约定(接听须知)", count=plans),
        Item(what="联系计划的说明", count=sum(bool(p.note) for p in _plans(work, group))),
        Item(what="家庭成员(困难档案)", count=_members(work, group)),
        Item(what="交接的登记(含告知对方的内容)", count=going[Rule.HANDOVERS]),
        Item(what="工作人员支持性谈话的备注", count=going[Rule.DEBRIEFS]),
        Item(what="督导听线的理由", count=going[Rule.LISTENINGS]),
        Item(what="办理回访时写的理由", count=_reasons(work, group)),
        Item(what="提到本人的交班单的内容", count=going[Rule.SHEETS]),
        Item(what="满三年的接访记录", count=going[Rule.FORMS]),
        Item(what="满三年的个案", count=going[Rule.CASES]),
        Item(what="录音与留言", count=going[Rule.RECORDINGS]),
        Item(what="为本人做的副本(导出的文件)", count=len(_copies(work, person))),
    )
    return Erasure(
        person=person.id,
        code=person.code,
        goes=tuple(item for item in goes if item.count),
        stays=tuple(item for item in _stays(ground, person, going) if item.count),
        hindered=tuple(_hindered(ground, person, request_id)),
    )


def _reasons(work: UnitOfWork, group: tuple[str, ...]) -> int:
    """Count what colleagues wrote of putting their contacts off, handing them up, letting them go."""
    return sum(len(acts_with_words(work, e)) + len(waivers_with_words(work, e)) for e in group)


def _members(work: UnitOfWork, group: tuple[str, ...]) -> int:
    """Count who is written down as living with them."""
    return sum(len(home.members) for entry in group for home in left_homes(work, entry))


def _stays(ground: Ground, person: Person, going: dict[Rule, int]) -> Iterator[Item]:
    work, group = ground.work, group_of(ground.work, person)
    records = sum(
        bool(work.book(SESSION_VERSIONS).where(session=session.id))
        for entry in group
        for session in work.sessions.of_person(entry)
    )
    cases = sum(len(work.book(CASES).where(person=entry)) for entry in group)
    yield Item(
        what="接访记录与评估",
        count=records - going[Rule.FORMS],
        why="国家指南要求至少保存三年,与此人的联系已断开,到期自动删除",
    )
    yield Item(what="个案", count=cases - going[Rule.CASES], why="同上,结案后保存三年")
    yield Item(
        what="录音与留言",
        count=sum(
            bool(one.file) and not ground.is_due(Rule.RECORDINGS, one.at) for one in _recordings(work, person)
        ),
        why="不满三十日,到期自动删除",
    )
    yield Item(
        what="同意与撤回的凭据",
        count=len(work.people.consents(person.id)),
        why="证明当时是否同意,不含姓名号码",
    )
    yield Item(
        what="拒绝来电",
        count=len(work.people.suppressions(person.id)),
        why="只留号码的密钥摘要,重新导入也不会再打给本人",
    )
    files = sum(len(work.people.files_of(entry)) for entry in group)
    yield Item(what="困难档案", count=files, why="由帮扶部门依规保管,此处只有编号与类别")
    numbers = {phone.number for phone in person.phones}
    blocks = sum(one.number in numbers for one in work.book(BLOCKS).where())
    yield Item(what="停接的号码", count=blocks, why="到期 30 日后自动删除")
    calls, sessions = _touched(work, person)
    yield Item(
        what="督导听线与支持性谈话的登记",
        count=sum(len(work.book(LISTENINGS).where(call=call)) for call in calls)
        + sum(one.about in calls | sessions for one in work.book(DEBRIEFS).where()),
        why="只留谁、何时,不含内容",
    )
    acts = [event for one in _debts(work, group) for event in work.book(DEBT_EVENTS).where(obligation=one)]
    yield Item(what="办理回访的经过", count=len(acts), why="只留谁、何时、做了什么,不含理由")
    yield Item(what="操作留痕", count=1, why="只记谁做了什么、当时写的理由,不能改动")


def _hindered(ground: Ground, person: Person, request_id: str) -> Iterator[str]:
    work, group = ground.work, group_of(ground.work, person)
    if bound := next(_bound(ground, person), None):
        yield f"已依法保全({bound})"
    if open_cases(work, person):
        yield "还有未结的个案,先由负责人结案"
    calls, _ = _touched(work, person)
    abouts = (*(f"call:{call}" for call in sorted(calls)), *_cases(work, person))
    if any(open_about(work, about) for about in abouts):
        yield "还有交接没有人接下,先请对方具名接下,或收回(hotline handover list)"
    if any(sheet.accepted_at is None for sheet in sheets_about(work, group)):
        yield "还有交班单没有人接下,先请接班的人具名接下(hotline queue sheet)"
    if any(work.debts.open(person=entry) for entry in group):
        yield "还有应做的联系,先完成或结束"
    if any(work.book(PLANS).where(person=entry, state=PlanState.ACTIVE) for entry in group):
        yield "还有联系计划,先结束(hotline plans end)"
    if any(f.status is not FileStatus.CLOSED for entry in group for f in work.people.files_of(entry)):
        yield "困难档案还在册,先由帮扶部门退档"
    if any(one.id != request_id for one in open_requests_of(work, person)):
        yield "本人还有别的请求没有答复"


def _bound(ground: Ground, person: Person) -> Iterator[str]:
    """Yield what a legal hold keeps of all that erasing would touch, also where no record is written yet."""
    work = ground.work
    for entry in group_of(work, person):
        yield from (name for name in (f"person:{entry}",) if ground.held.binds(name))
        for session in work.sessions.of_person(entry):
            yield from (n for n in (f"session:{session.id}", f"call:{session.call}") if ground.held.binds(n))
    for call in _calls(work, person):
        session_id = ground.session_of(call.id)
        if session_id and ground.held.binds(f"session:{session_id}"):
            yield f"session:{session_id}"
        if ground.holds_call(call):
            yield f"call:{call.id}"


def _calls(work: UnitOfWork, person: Person) -> list[CallRecord]:
    """Return the calls from and to their numbers, and those without one whose record is about them.

    One they share with somebody else is that one's too.
    """
    found = [call for number in own_numbers(work, person) for call in work.calls.of_number(number, 100_000)]
    for session in _sessions(work, person):
        with suppress(NotFound):
            call = work.calls.get(session.call)
            found += [call] if call.number is None else []
    return list({call.id: call for call in found}.values())


def _sessions(work: UnitOfWork, person: Person) -> list[SessionRow]:
    return [session for entry in group_of(work, person) for session in work.sessions.of_person(entry)]


def _touched(work: UnitOfWork, person: Person) -> tuple[set[str], set[str]]:
    """Return the ids of all calls that were about them, whosever the number, and of their records."""
    sessions = _sessions(work, person)
    calls = {call.id for call in _calls(work, person)} | {session.call for session in sessions}
    return calls, {session.id for session in sessions}


def _cases(work: UnitOfWork, person: Person) -> list[str]:
    cases = (case for entry in group_of(work, person) for case in work.book(CASES).where(person=entry))
    return [f"case:{case.id}" for case in cases]


def _recordings(work: UnitOfWork, person: Person) -> list[Recording]:
    """Return what they said to a machine, and talks they agreed to have recorded.

    In calls with a record about them, and from their numbers.
    """
    calls, _ = _touched(work, person)
    return [recording for call in sorted(calls) for recording in work.book(RECORDINGS).where(call=call)]


def _debts(work: UnitOfWork, group: Iterable[str]) -> list[str]:
    return [one.id for entry in group for one in work.debts.of_person(entry)]


def _plans(work: UnitOfWork, group: Iterable[str]) -> list[Plan]:
    return [plan for entry in group for plan in work.book(PLANS).where(person=entry)]


def _copies(work: UnitOfWork, person: Person) -> list[Export]:
    """Return the copies made for them whose files still lie in the exports folder."""
    group = group_of(work, person)
    asked = [f"({one.id})" for entry in group for one in work.book(REQUESTS).where(person=entry)]
    return [
        one
        for one in work.book(EXPORTS).where(deleted_at=None)
        if one.kind == Kind.PERSON and (one.about in group or one.reason.endswith(tuple(asked)))
    ]


def _forget_copies(
    work: UnitOfWork, person: Person, actor: str, now: datetime, reason: str
) -> tuple[str, ...]:
    found = _copies(work, person)
    for export in found:
        work.book(EXPORTS).put(replace(export, deleted_at=now))
        gone = AuditEntry(
            actor=actor, verb="export.delete", object=f"export:{export.id}", at=now, reason=reason
        )
        work.audit.append(gone)
    return tuple(export.id for export in found)


def forget_calls(burial: Burial, person: Person) -> None:
    """Blank their numbers in the register of calls; a tombstone keeps the journal from telling them again."""
    for call in _calls(burial.work, person):
        burial.take(Going(rule=Rule.CALLS, object=f"call:{call.id}", since=call.started_at))
    for number in own_numbers(burial.work, person):
        burial.work.calls.forget_number(number)


def _answer(found: Erasure) -> str:
    gone = "、".join(f"{item.what} {item.count}" for item in found.goes)
    left = "、".join(f"{item.what}({item.why})" for item in found.stays)
    return f"已删除:{gone}。保留:{left}。"
