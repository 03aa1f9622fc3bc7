"""Ending a debt: with the id of something that proves a contact, or by a name and with a reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from callcenter.domain.access import Verb, may
from callcenter.domain.calls import CallRecord, Direction, Outcome
from callcenter.domain.ledger import DebtAct
from callcenter.domain.users import User
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.acting import begin, needed, needs_two, record
from callcenter.service.followup.acting import still_open as still_open
from callcenter.service.followup.case_contacts import (
    Visit,
    check_contact,
    check_visit,
    is_of_case,
    is_with_person,
    log_contact,
    written_about,
)
from callcenter.service.followup.case_steps import keep_followed
from callcenter.service.followup.missed import keep_return
from callcenter.service.followup.plan_steps import check_in_time
from callcenter.service.followup.settling import evidence_id, finish, note
from callcenter.service.people.entries import group_of, own_numbers, resolve
from scheduler.gates import Rules
from scheduler.obligations import (
    OF_CASES,
    OF_REGISTER,
    Attempt,
    ClosingKind,
    Evidence,
    EvidenceKind,
    Kind,
    Obligation,
    Result,
)


@guarded(Verb.QUEUE_WORK)
def done_by_call(
    work: UnitOfWork,
    obligation_id: str,
    call_id: str,
    *,
    actor: str,
    now: datetime,
    inbound: bool = True,
    rules: Rules | None = None,
) -> Evidence:
    """Record that a human talked with the person in an answered call on record.

    `inbound`: a call they made themselves keeps a routine check-in too (`hardship.inbound_counts`). Raises
    `NotFound` for an unknown obligation or call, `Refused` when the call proves nothing: not answered, with
    somebody else, older than the debt, a machine's call nobody was put through in, or where it takes a
    visit. For who is in danger it takes more (`check_contact`).
    """
    user = allow(work, actor, Verb.QUEUE_WORK)
    obligation = still_open(work, obligation_id, now)
    if obligation.kind is Kind.VISIT:
        raise Refused(
            "上门走访要有走访记录表的编号，电话不能代替：hotline queue done 编号 --visit 走访编号。"
        )
    _check_contact_keeps(obligation)
    call = work.calls.get(call_id)
    attempt = work.debts.attempt(call_id)
    _check_proof(work, obligation, call, attempt, now)
    if obligation.kind in OF_REGISTER and call.direction is Direction.INBOUND:
        _check_inbound(work, obligation, call, inbound)
    at = call.answered_at or call.started_at
    if is_of_case(obligation):
        check_contact(work, obligation, user, call_id, at, now=now)
    rules = rules or Rules()
    proof = _prove(work, obligation, EvidenceKind.HUMAN_TALK, call_id, at, actor, now, rules)
    if attempt is not None and attempt.obligation == obligation.id:
        talked = replace(attempt, result=Result.REACHED_SELF_HUMAN, settled_at=attempt.settled_at or now)
        finish(work, talked, now, rules)
    return proof


#: What a paper's number looks like. It stands in clear, so that nothing else may be written there.
_SHORTEST = 3
_VISIT = re.compile(r"(?:走访|家访|入户|慰问)?[A-Za-z0-9./_-]{1,32}号?", re.ASCII)
_LONG_NUMBER = re.compile(r"[0-9]{7}")


@guarded(Verb.HARDSHIP_VISIT, Verb.QUEUE_WORK)
def done_by_visit(
    work: UnitOfWork,
    obligation_id: str,
    visit: str,
    *,
    actor: str,
    now: datetime,
    at: datetime | None = None,
    met: str = "",
    note: str = "",
    visitors: Sequence[str] = (),
    rules: Rules | None = None,
) -> Evidence:
    """Record a home visit by its number on paper, one to a person and visit.

    Raises `NotFound`; `Refused` without a number, and for one that proves another person's visit.

    One visit keeps both routine debts of a person, the check-in and the visit, that were open when it was
    made. Who keeps the register records visits for those only; of other debts they do not even learn that
    they are there. Where somebody is in danger, `at`, `met`, `note` and two `visitors` are
    needed too.
    """
    user = allow(work, actor, Verb.HARDSHIP_VISIT)
    obligation = _seen_by(work, user, obligation_id, now)
    _check_contact_keeps(obligation)
    _check_paper(work, user, obligation, visit.strip())
    made, rules = at or now, rules or Rules()
    told = Visit(at=at, met=met, note=note, visitors=tuple(visitors)) if is_of_case(obligation) else None
    if told is not None:
        made = check_visit(work, told)
        check_contact(work, obligation, user, visit.strip(), made, now=now)
    if made > now or made < obligation.created_at:
        raise Refused("走访时间不能在将来，也不能早于这项回访产生之前。")
    proof = _prove(work, obligation, EvidenceKind.HOME_VISIT, visit.strip(), made, actor, now, rules, told)
    for other in _kept_too(work, obligation, made):
        _prove(work, other, EvidenceKind.HOME_VISIT, visit.strip(), made, actor, now, rules)
    return proof


def _check_paper(work: UnitOfWork, user: User, obligation: Obligation, number: str) -> None:
    """Raise `Refused` for what is no paper's number, and for the number of a visit to somebody else."""
    is_number = _VISIT.fullmatch(number) and not _LONG_NUMBER.search(number)
    if not is_number or len(number) < _SHORTEST or not any(map(str.isdigit, number)):
        raise Refused(
            "上门走访要有走访记录表上的编号：至少三个字符，要有数字，可用字母、数字和 - / . _，"
            "前面可加「走访」「家访」「入户」或「慰问」。编号不加密保存，请不要写姓名、电话或证件号。"
        )
    group = group_of(work, resolve(work, obligation.person))
    proofs = work.debts.proven_by(number)
    used = (work.debts.get(one.obligation) for one in proofs if one.kind is EvidenceKind.HOME_VISIT)
    other = next((one for one in used if one.person not in group), None)
    if other is not None:
        # R39: who keeps the register does not even learn that any other debt is there.
        is_seen = other.kind in OF_REGISTER or may(user.roles, Verb.QUEUE_WORK)
        where = f"（{other.id}）" if is_seen else ""
        raise Refused(f"走访编号 {number} 已经用在另一个人的走访上{where}：请核对走访记录表。")


def _kept_too(work: UnitOfWork, obligation: Obligation, made: datetime) -> list[Obligation]:
    """Return the person's other routine debts that were open when they were visited: one paper, both kept."""
    if obligation.kind not in OF_REGISTER:
        return []
    group = group_of(work, resolve(work, obligation.person))
    theirs = (one for entry in group for one in work.debts.open(person=entry))
    return [o for o in theirs if o.kind in OF_REGISTER and o.id != obligation.id and o.created_at <= made]


def kept_with(work: UnitOfWork, proof: Evidence) -> list[str]:
    """Return the ids of what a call or visit keeps: one debt, or both routine ones of a person."""
    one = work.debts.get(proof.obligation)
    if one.kind not in OF_REGISTER:
        return [one.id]
    group = group_of(work, resolve(work, one.person))
    theirs = [o.id for entry in group for o in work.debts.of_person(entry) if o.kind in OF_REGISTER]
    return [o for o in theirs if any(e.reference == proof.reference for e in work.debts.evidence(o))]


def _seen_by(work: UnitOfWork, user: User, obligation_id: str, now: datetime) -> Obligation:
    """Return an open debt. R39: to who keeps the register, any but a routine one is simply not there."""
    obligation = work.debts.get(obligation_id)
    if obligation.kind not in OF_REGISTER and not may(user.roles, Verb.QUEUE_WORK):
        raise NotFound(f"没有待办 {obligation_id}。")
    return still_open(work, obligation_id, now)


@guarded(Verb.QUEUE_CLOSE)
def close(work: UnitOfWork, obligation_id: str, *, reason: str, actor: str, now: datetime) -> None:
    """End a promise without contact, by name and with a reason, which stands sealed in its history.

    Raises `Refused` for a routine debt, which would be owed again the same minute as long as the file
    stands; for a step of a case; and for what takes two supervisors, as it does to be waived.
    """
    allow(work, actor, Verb.QUEUE_CLOSE)
    place, obligation = begin(work, obligation_id, now)
    if obligation.kind in OF_CASES:
        raise Refused(
            "随访属于个案，不能在队列里单独结束：请降级或结案（hotline cases），"
            "或由督导免除（hotline queue waive）。"
        )
    if obligation.kind in OF_REGISTER:
        raise Refused(
            "困难职工的例行回访不能单独结束：请更新档案（退档），登记本人的拒绝，"
            "或由督导免除本期（hotline queue waive）。"
        )
    _check_contact_keeps(obligation)
    if needs_two(work, obligation):
        raise Refused("紧急的事、处境危险的人的事，要两位督导才能放下：请申请免除（hotline queue waive）。")
    said = needed(reason)
    record(work, obligation.id, DebtAct.CLOSED, place, actor, now, reason=said)
    work.debts.close(obligation.id, said, actor, now)
    note(work, actor, "obligation.close", obligation.id, now, reason=ClosingKind.OTHER.value)


def _check_contact_keeps(obligation: Obligation) -> None:
    """Raise `Refused` for what is to be looked at: no contact keeps it, and nobody ends it unlooked."""
    if obligation.kind is Kind.VERIFY:
        raise Refused("要核实的事，由核实的结果了结：看 hotline queue why 编号，按那里说的登记查到的情况。")


def _check_inbound(work: UnitOfWork, obligation: Obligation, call: CallRecord, counts: bool) -> None:
    """Raise `Refused` unless the person's own call keeps a routine debt here, and is known to be theirs."""
    if not counts:
        raise Refused("本热线不把本人来电算作例行回访（hardship.inbound_counts）：请拨打回访，或登记走访。")
    person = resolve(work, obligation.person)
    about = written_about(work, call)
    if about is None:
        theirs = call.number in own_numbers(work, person)
    else:
        theirs = about in group_of(work, person)
    if not theirs:
        raise Refused("还不能确认这通来电是本人打的：几个人共用的号码，先写这通电话的接访记录。")


def _check_proof(
    work: UnitOfWork, obligation: Obligation, call: CallRecord, attempt: Attempt | None, now: datetime
) -> None:
    if call.is_open:
        raise Refused("通话还没有结束，结束后再登记。")
    if call.answered_at is None or call.outcome is Outcome.SYSTEM_FAILURE:
        raise Refused("这通电话没有接通，不能作为完成的凭据。")
    if call.answered_at > now:
        raise Refused("这通电话的时间在将来，请核对电话系统与本机的时钟。")
    if call.answered_at < obligation.created_at:
        raise Refused("这通电话早于这项回访产生的时间，不能作为凭据。")
    if not _is_with(work, call, attempt, obligation):
        raise Refused(
            "这通电话不是与这位职工的通话。"
            + (
                "随访要用为这一步拨出的电话，或者通话以前就登记在本人名下的号码；"
                "几个人共用的号码，先写这通电话的接访记录。"
                if is_of_case(obligation)
                else ""
            )
        )
    if attempt is not None and attempt.is_automatic and not _was_put_through(call, attempt):
        raise Refused("这是一通自动回访，没有转给工作人员，不能算作人工通话。")


def _was_put_through(call: CallRecord, attempt: Attempt) -> bool:
    return attempt.result is Result.REACHED_SELF_TRANSFER and call.answered_by is not None


def _is_with(work: UnitOfWork, call: CallRecord, attempt: Attempt | None, obligation: Obligation) -> bool:
    if is_of_case(obligation):
        return is_with_person(work, obligation, call, attempt)
    if attempt is not None and attempt.obligation == obligation.id:
        return True
    if call.id == obligation.origin:  # the promising call itself proves no call back
        return False
    person = work.people.get(obligation.person)
    if call.number is not None and call.number in {phone.number for phone in person.phones}:
        return True
    # They called from elsewhere and said who they are: the record of the call tells.
    return obligation.kind in OF_REGISTER and written_about(work, call) in group_of(
        work, resolve(work, person.id)
    )


def _prove(
    work: UnitOfWork,
    obligation: Obligation,
    kind: EvidenceKind,
    reference: str,
    at: datetime,
    actor: str,
    now: datetime,
    rules: Rules,
    told: Visit | None = None,
) -> Evidence:
    check_in_time(work, obligation, at)
    proof = Evidence(
        id=evidence_id(obligation.id, reference),
        obligation=obligation.id,
        kind=kind,
        at=at,
        reference=reference,
        by=actor,
    )
    if not work.debts.add_evidence(proof):
        raise Conflict(f"{obligation.id}: 这个凭据已经登记过。")
    note(work, actor, "obligation.done", obligation.id, now, reason=reference)
    if is_of_case(obligation):
        log_contact(work, proof, obligation, told, now=now)
    keep_followed(work, obligation, now=now, rules=rules)
    keep_return(work, proof, now, rules)
    return proof
