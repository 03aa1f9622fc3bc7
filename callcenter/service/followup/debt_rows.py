"""Debts and hardship files as a named person may see them: rows, masked, of the classes they see.

The wall: who may not see counselling learns that a check-in is owed or done, and neither why nor how
it ended, nor that anything else is owed (R39).
"""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.domain.access import DataClass, Verb, sees
from callcenter.domain.fields import DEBT_FIELDS, FILE_FIELDS, class_of, visible
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import FileStatus, HardshipFile, Person, Phone, PhoneStatus
from callcenter.domain.users import User
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup import debt_views
from callcenter.service.followup.debt_views import DebtView
from callcenter.service.followup.debts import LineFacts, has_ivr_consent, sweep
from scheduler.obligations import Kind

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """Who is owed a routine contact, and how many files left and are to be checked by a person."""

    rows: tuple[Row, ...]
    left: int


@guarded(Verb.QUEUE_SEE)
def queue(
    work: UnitOfWork, facts: LineFacts, *, actor: str, all_of_them: bool = False, today: bool = False
) -> list[DebtView]:
    """Return the open debts that are due, the most pressing first (R29); raise `Forbidden`.

    `today`: also what falls due before midnight; `all_of_them`: everything.
    """
    user = allow(work, actor, Verb.QUEUE_SEE)
    found = debt_views.queue(work, facts, all_of_them=all_of_them, today=today)
    return [view for view in found if _tells(user, view)]


@guarded(Verb.QUEUE_SEE)
def one_debt(work: UnitOfWork, obligation: str, facts: LineFacts, *, actor: str) -> DebtView:
    """Return one debt; raise `Forbidden`, `NotFound`."""
    allow(work, actor, Verb.QUEUE_SEE)
    return debt_views.view(work, work.debts.get(obligation), facts)


@guarded(Verb.QUEUE_SEE)
def why(work: UnitOfWork, shown: DebtView, facts: LineFacts, *, actor: str) -> list[str]:
    """Return the chain of reasons of a debt, a sentence each; raise `Forbidden`."""
    allow(work, actor, Verb.QUEUE_SEE)
    return debt_views.explain(work, shown, facts)


@guarded(Verb.HARDSHIP_SEE)
def owed(work: UnitOfWork, facts: LineFacts, *, actor: str, all_of_them: bool = False) -> Owed:
    """Return the workers who are owed a routine contact (or all who will be), oldest first.

    Sweeps, so that the list is right even if nobody swept today: the caller does not commit.
    """
    user = allow(work, actor, Verb.HARDSHIP_SEE)
    sweep(work, facts.now, rules=facts.rules)
    views = debt_views.owed(work, facts, all_of_them=all_of_them)
    left = sum(file.status is FileStatus.CLOSED for file in work.people.files())
    return Owed(rows=tuple(_debt_row(user, view) for view in views), left=left)


@guarded(Verb.HARDSHIP_SEE)
def files(work: UnitOfWork, *, actor: str, left: bool = False) -> list[Row]:
    """Return the hardship files (`left`: only those that left) as rows; raise `Forbidden`."""
    user = allow(work, actor, Verb.HARDSHIP_SEE)
    return [
        visible(user.roles, _file_row(work, user, file, person), FILE_FIELDS)
        for file, person in debt_views.files(work)
        if not left or file.status is FileStatus.CLOSED
    ]


@guarded(Verb.HARDSHIP_SEE)
def one_file(work: UnitOfWork, file_no: str, facts: LineFacts, *, actor: str) -> Row:
    """Return a file with what is owed to its person; raise `Forbidden`, `NotFound`.

    `chain` tells why, to who may know. Sweeps: the caller does not commit.
    """
    user = allow(work, actor, Verb.HARDSHIP_SEE)
    file = work.people.file(file_no)
    if file is None:
        raise NotFound(f"没有编号为 {file_no} 的档案。用 hotline hardship list 查看。")
    sweep(work, facts.now, rules=facts.rules)
    person = work.people.get(file.person)
    views = [debt_views.view(work, one, facts) for one in work.debts.open(person=person.id)]
    mine = [view for view in views if _tells(user, view)]
    row = _file_row(work, user, file, person) | {
        "union_unit": file.union_unit,
        "liaison": mask_name(file.liaison) if file.liaison else None,
        "owed": any(view.is_owed and view.obligation.kind is Kind.HARDSHIP for view in mine),
        "last_contact": work.debts.last_contact(person.id),
        "debts": [_debt_row(user, view) for view in mine],
        "chain": [line for view in mine for line in debt_views.explain(work, view, facts)],
    }
    return visible(user.roles, row, FILE_FIELDS)


def whole_row(shown: DebtView) -> Row:
    """Return one debt as a row, masked, of all classes: for who works the queue."""
    last = shown.last_attempt
    return {
        "id": shown.id,
        "file_no": shown.file.file_no if shown.file else None,
        "code": shown.person.code,
        "name": shown.who,
        "phone": shown.phone,
        "kind": shown.obligation.kind,
        "level": shown.level,
        "owner": shown.owner,
        "marks": list(shown.marks),
        "grade": shown.file.grade if shown.file else None,
        "district": shown.file.district if shown.file else None,
        "owed_since": shown.obligation.due_at.astimezone(shown.situation.rules.windows.zone).date(),
        "due_at": shown.obligation.due_at,
        "breach_at": shown.obligation.window_end,
        "overdue_days": shown.overdue.days if shown.overdue is not None else None,
        "is_due": shown.is_owed,
        "who_next": shown.step.who,
        "next_at": shown.step.not_before or shown.obligation.next_at,
        "why": shown.step.why,
        "refused_by": [v.gate.value for v in shown.refused],
        "reason": shown.reason,
        "attempts": len(shown.situation.attempts),
        "last_attempt_at": last.at if last else None,
        "last_attempt": last.id if last else None,
        "last_result_code": last.result if last else None,
        "last_result": shown.last_result,
        "last_contact": shown.last_contact,
    }


def _debt_row(user: User, shown: DebtView) -> Row:
    row = whole_row(shown)
    if not sees(user.roles, DataClass.COUNSELLING):
        told = [p.number for p in _told_phones(user, shown.person) if p.status is PhoneStatus.OK]
        row["phone"] = mask_number(told[0]) if told else "无"
    return visible(user.roles, row, DEBT_FIELDS)


def _tells(user: User, shown: DebtView) -> bool:
    """Tell whether the user may know that this debt is there at all."""
    return sees(user.roles, class_of(shown.obligation.kind))


def _told_phones(user: User, person: Person) -> list[Phone]:
    """Return the numbers a user may know of: one that no list held would tell a clerk who called (R39)."""
    sees_all = sees(user.roles, DataClass.COUNSELLING)
    return [phone for phone in person.phones if sees_all or phone.listed]


def _file_row(work: UnitOfWork, user: User, file: HardshipFile, person: Person) -> Row:
    phones = _told_phones(user, person)
    return {
        "file_no": file.file_no,
        "code": person.code,
        "name": mask_name(person.name),
        "grade": file.grade,
        "status": file.status,
        "since": file.since,
        "phone": " ".join(mask_number(p.number) for p in phones) or None,
        "phone_status": [p.status.value for p in phones],
        "district": file.district,
        "consent": has_ivr_consent(work, person.id),
        "human_only": person.no_ivr,
    }
