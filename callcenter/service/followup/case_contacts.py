"""What counts as contact with somebody in danger: for one step of a ladder, once, and by whom (R20, R26).

A routine check-in or a promise is kept by less (`callcenter.service.followup.debts`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from callcenter.domain.access import Verb, may
from callcenter.domain.books import CASE_EVENTS, CASES, SESSION_VERSIONS
from callcenter.domain.calls import CallRecord
from callcenter.domain.cases import Case, CaseEvent
from callcenter.domain.people import Person, PhoneStatus
from callcenter.domain.session_rules import is_third_party
from callcenter.domain.users import User
from callcenter.errors import Forbidden, NotFound, Refused
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.followup.case_steps import case_of
from callcenter.service.people.entries import group_of, open_cases, resolve
from scheduler.obligations import OF_CASES, Attempt, Evidence, EvidenceKind, Kind, Obligation
from scheduler.risk_ladder import counts_from

#: Whom a visit has to have met.
SELF = "本人"
#: Two go together: for their own safety, and because one person's word is not enough.
VISITORS = 2
#: An entry's numbers are looked up in so many notes of the audit at most.
_MOST_ADDED = 100
_LONGEST_NOTE = 500
#: What people write around a visit's number: the same paper, however it is called.
_AROUND = re.compile(r"^(?:走访|家访|入户|慰问)?(.*?)号?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """A home visit, as far as it has to be known where somebody is in danger."""

    at: datetime | None = None
    #: Who was met: `SELF`, or it kept nothing.
    met: str = field(default="", repr=False)
    #: How it went. Kept sealed in the case's log.
    note: str = field(default="", repr=False)
    #: Who went: user codes, or names of people who are no users.
    visitors: tuple[str, ...] = field(default=(), repr=False)


def is_of_case(obligation: Obligation) -> bool:
    """Tell whether a debt is a step of somebody in danger."""
    return obligation.kind in OF_CASES


def check_contact(
    work: UnitOfWork, step: Obligation, user: User, reference: str, at: datetime, *, now: datetime
) -> None:
    """Raise `Forbidden` or `Refused` unless this contact may keep this step.

    High risk: by the case's owner or a supervisor. Neither in the future nor before the step's time, and
    no call or visit that kept another step of the same person.
    """
    _check_whose(work, step, user)
    if at > now:
        raise Refused("联系的时间不能在将来。")
    if at < step.created_at:
        raise Refused("这次联系早于这一步随访产生的时间，不能作为凭据。")
    if at < counts_from(step.created_at, step.due_at):
        raise Refused(
            "这一步还没有到时候：应联系时间之前四分之一的间隔（最多 7 天）以内的联系才算，"
            "更早的联系请写接访记录，这一步仍要做。"
        )
    _check_unused(work, step, reference)


def is_with_person(work: UnitOfWork, step: Obligation, call: CallRecord, attempt: Attempt | None) -> bool:
    """Tell whether a call was with the person: dialled for this step, or of a number known before it.

    What was written about the call decides first: somebody else's, or a third party's, is not theirs.
    """
    person = resolve(work, step.person)
    group = group_of(work, person)
    written = written_about(work, call)
    if written is not None and written not in group:
        return False
    if attempt is not None:
        return attempt.obligation == step.id or work.debts.get(attempt.obligation).person in group
    if call.number is None or call.number not in _known_before(work, person, call.started_at):
        return False
    holders = {resolve(work, one.id).id for one in work.people.having(call.number)}
    # Of a family's phone only the record tells who talked.
    return written is not None or holders <= {person.id}


def check_visit(work: UnitOfWork, told: Visit) -> datetime:
    """Return when the visit was made. Raises `Refused` for one of which too little is known."""
    if told.at is None:
        raise Refused("上门随访要写明时间：--at。")
    if told.met.strip() != SELF:
        raise Refused(f"只有见到{SELF}才算完成：--met {SELF}。没有见到，请记入个案（hotline cases tried）。")
    if not told.note.strip() or len(told.note) > _LONGEST_NOTE:
        raise Refused(f"请写明上门的情况：--note（最多 {_LONGEST_NOTE} 个字，加密保存）。")
    went = {name.strip() for name in told.visitors if name.strip()}
    if len(went) < VISITORS:
        raise Refused("上门要有两个人：写两次 --visitor（人员代码，或不是热线人员者的姓名）。")
    if not any(_is_user(work, name) for name in went):
        raise Refused("上门的人里至少要有一位热线人员（写人员代码）。")
    return told.at


def log_contact(
    work: UnitOfWork, proof: Evidence, step: Obligation, told: Visit | None, *, now: datetime
) -> None:
    """Write into the case's log, sealed, which contact kept the step."""
    case = case_with(work, step)
    if case is None:
        return
    place = len(work.book(CASE_EVENTS).where(case=case.id)) + 1
    went = f"{'、'.join(told.visitors)}：{told.note.strip()}" if told else ""
    work.book(CASE_EVENTS).add(
        CaseEvent(
            id=f"ce-{case.id}-{place:04d}",
            case=case.id,
            kind="contact",
            before=step.id,
            after=proof.reference,
            by=proof.by,
            reason=went,
            at=now,
        )
    )


def unwritten(work: UnitOfWork, proof: Evidence) -> str | None:
    """Say what has still to be written about a contact with somebody in danger; None if nothing has."""
    step = work.debts.get(proof.obligation)
    if not is_of_case(step):
        return None
    case = case_with(work, step)
    if proof.kind is EvidenceKind.HOME_VISIT:
        return f"请据这次见面重新看一遍级别：hotline cases show {case.id if case else ''}".rstrip()
    head = work.sessions.of_call(proof.reference)
    if head is not None and head.version:
        return None
    which = head.id if head else "（hotline sessions list --open）"
    return f"请写这通电话的接访记录，问到自杀危险：hotline sessions write {which}"


def case_with(work: UnitOfWork, step: Obligation) -> Case | None:
    """Return the case a step belongs to: merging people may have put it under another than its own."""
    for case in open_cases(work, resolve(work, step.person)):
        if step.id in case.steps:
            return case
    return work.book(CASES).one(case_of(step) or "")


def _check_whose(work: UnitOfWork, step: Obligation, user: User) -> None:
    if step.kind is not Kind.HIGH_RISK or may(user.roles, Verb.CASE_SUPERVISE):
        return
    case = case_with(work, step)
    if case is None or case.owner != user.code:
        raise Forbidden(
            "高危随访由个案负责人或督导登记；要由您负责，请先接手或请督导转交（hotline cases take）。"
        )


def _check_unused(work: UnitOfWork, step: Obligation, reference: str) -> None:
    for entry in group_of(work, resolve(work, step.person)):
        for other in work.debts.of_person(entry):
            if other.id == step.id or not is_of_case(other):
                continue
            if any(_same(proof.reference, reference) for proof in work.debts.evidence(other.id)):
                raise Refused(f"这个凭据已经用于另一步随访（{other.id}）：一次联系只完成一步。")


def _same(one: str, other: str) -> bool:
    return _bare(one) == _bare(other)


def _bare(reference: str) -> str:
    found = _AROUND.fullmatch(reference.strip())
    return (found[1] if found else reference).strip("-_/. ").casefold()


def written_about(work: UnitOfWork, call: CallRecord) -> str | None:
    """Return whom the call's record is about; empty if about nobody, or a third party's; None: none yet."""
    head = work.sessions.of_call(call.id)
    if head is None or not head.version:
        return None
    newest = work.book(SESSION_VERSIONS).one(f"{head.id}/{head.version}")
    if head.person is None or (newest is not None and is_third_party(newest.answers)):
        return ""
    return head.person


def _known_before(work: UnitOfWork, person: Person, moment: datetime) -> set[str]:
    """Return the numbers somebody had before the call began: what was added by hand since stands last."""
    added = len(_noted(work, "people.phone_add", person, moment))
    if added and _noted(work, "people.merge", person, moment):
        return set()  # merging put others behind them: nobody can tell any more which is which
    known = person.phones[: max(0, len(person.phones) - added)]
    return {phone.number for phone in known if phone.status is not PhoneStatus.WRONG}


def _noted(work: UnitOfWork, verb: str, person: Person, since: datetime) -> Sequence[AuditEntry]:
    return work.audit.recent(_MOST_ADDED, verb=verb, object=f"person:{person.id}", since=since)


def _is_user(work: UnitOfWork, code: str) -> bool:
    try:
        return work.users.get(code).active
    except NotFound:
        return False
