"""Debts and hardship files as a named person may see them: rows, masked, of the classes they see.

The wall: who may not see counselling learns that a check-in is owed or done, and neither why nor how
it ended, nor that anything else is owed (R39).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from callcenter.domain.access import DataClass, Verb, sees
from callcenter.domain.fields import DEBT_FIELDS, FILE_FIELDS, class_of, visible
from callcenter.domain.hardship_files import is_unconfirmed
from callcenter.domain.numbers import mask_name, mask_number
from callcenter.domain.people import ConsentKind, HardshipFile, Person, Phone, PhoneStatus, agreed_to
from callcenter.domain.register import RegisterDebt
from callcenter.domain.users import Role, User
from callcenter.errors import NotFound
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup import debt_views
from callcenter.service.followup.debt_views import DebtView
from callcenter.service.followup.debts import LineFacts, has_ivr_consent, sweep
from callcenter.service.followup.ended import Ending
from callcenter.service.followup.sweeping import PEEK, sweep_people
from scheduler.obligations import OF_REGISTER, Attempt, Kind

Row = dict[str, object]


#: What a list counts of what it does not show; past it, it says "or more".
MOST = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """Who is owed a routine contact, and how many files left and are to be checked by a person."""

    rows: tuple[Row, ...]
    left: int
    #: How many stand behind these rows, `MOST` at most.
    more: int = 0


@guarded(Verb.QUEUE_SEE)
def queue(
    work: UnitOfWork,
    facts: LineFacts,
    *,
    actor: str,
    all_of_them: bool = False,
    today: bool = False,
    limit: int | None = None,
) -> list[DebtView]:
    """Return the first open debts that are due, the most pressing first (R29); raise `Forbidden`.

    `today`: also what falls due before midnight; `all_of_them`: everything.
    """
    kinds = _kinds_told(allow(work, actor, Verb.QUEUE_SEE))
    return debt_views.queue(work, facts, all_of_them=all_of_them, today=today, kinds=kinds, limit=limit)


@guarded(Verb.QUEUE_SEE)
def queue_behind(
    work: UnitOfWork,
    facts: LineFacts,
    shown: int,
    *,
    actor: str,
    all_of_them: bool = False,
    today: bool = False,
) -> int:
    """Count what stands in the queue behind the first `shown`, up to `MOST`; raise `Forbidden`."""
    kinds = _kinds_told(allow(work, actor, Verb.QUEUE_SEE))
    until = debt_views.until_when(facts, all_of_them=all_of_them, today=today)
    return work.debts.count_due(until, kinds, most=shown + MOST) - shown


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
def owed(
    work: UnitOfWork, facts: LineFacts, *, actor: str, all_of_them: bool = False, limit: int | None = None
) -> Owed:
    """Return the first workers who are owed a routine contact or visit (or all who will be), oldest first.

    Sweeps, so that the list is right even if nobody swept today: the caller does not commit. Of very many
    whose files changed at once the round sweeps the rest.
    """
    user = allow(work, actor, Verb.HARDSHIP_SEE)
    sweep(work, facts.now, rules=facts.plain_rules, pages=PEEK)
    until = debt_views.until_when(facts, all_of_them=all_of_them)
    rows = _register_rows(work, user, facts, until, limit)
    most = len(rows) + MOST
    known = len(rows) if limit is None else work.debts.count_due(until, OF_REGISTER, most=most, plain=True)
    return Owed(rows=tuple(rows), left=work.people.count_unchecked(), more=known - len(rows))


def _register_rows(
    work: UnitOfWork, user: User, facts: LineFacts, until: datetime, limit: int | None
) -> list[Row]:
    """Return what the register owes. A clerk's rows are made of the archive, and of nothing else (R39)."""
    if not sees(user.roles, DataClass.COUNSELLING):
        found = work.debts.register(facts.now, until=until, limit=limit)
        return [_archive_row(one, facts) for one in found]
    # What was done about one, by a machine or a person, moves it nowhere in this list.
    listed = work.debts.page(facts.now, until=until, kinds=OF_REGISTER, limit=limit, plain=True)
    return [_debt_row(user, view) for view in debt_views.unread(work, listed, facts)]


def _archive_row(one: RegisterDebt, facts: LineFacts) -> Row:
    late = facts.now - one.window_end
    return {
        "id": one.id,
        "file_no": one.file_no,
        "code": one.code,
        "name": mask_name(one.name) if one.name else one.code,
        "phone": mask_number(one.number) if one.number else "无",
        "kind": one.kind,
        "grade": one.grade,
        "district": one.district,
        "owed_since": one.due_at.astimezone(facts.zone).date(),
        "due_at": one.due_at,
        "breach_at": one.window_end,
        "overdue_days": late.days if late > timedelta(0) else None,
        "is_due": facts.now >= one.due_at,
        "ended_at": None,  # the list has open ones alone
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """A page of a list of files, how many the list has, and how many stand behind the page."""

    rows: tuple[Row, ...]
    all: int
    more: int


@guarded(Verb.HARDSHIP_SEE)
def files(
    work: UnitOfWork,
    *,
    actor: str,
    now: datetime,
    left: bool = False,
    after: str = "",
    limit: int | None = None,
) -> Files:
    """Return a page of hardship files as rows (`left`: of those that left unconfirmed), by number.

    `after`: the number behind which the page begins, whether or not it is still in the list. Raises
    `Forbidden`.
    """
    user = allow(work, actor, Verb.HARDSHIP_SEE)
    found = [file for file in work.people.files() if not left or is_unconfirmed(file)]
    # Sorted here: a store may order letters as its language does, and then a page would leave some out.
    behind = sorted((file for file in found if file.file_no > after), key=lambda file: file.file_no)
    page = behind[:limit]
    persons = {file.person for file in page}
    people = work.people.many(persons)
    # Asked for everybody at once, and not at all for who does not see it.
    said = work.people.consents_of(persons) if sees(user.roles, FILE_FIELDS["consent"]) else {}
    agreed = {one for one, words in said.items() if agreed_to(words, ConsentKind.IVR_CHECKIN, now)}
    rows = (_file_row(user, file, people[file.person], file.person in agreed) for file in page)
    shown = tuple(visible(user.roles, row, FILE_FIELDS) for row in rows)
    return Files(rows=shown, all=len(found), more=len(behind) - len(page))


@guarded(Verb.HARDSHIP_SEE)
def one_file(work: UnitOfWork, file_no: str, facts: LineFacts, *, actor: str) -> Row:
    """Return a file with what is owed to its person; raise `Forbidden`, `NotFound`.

    `chain` tells why, to who may know. Sweeps: the caller does not commit.
    """
    user = allow(work, actor, Verb.HARDSHIP_SEE)
    file = work.people.file(file_no)
    if file is None:
        raise NotFound(f"没有编号为 {file_no} 的档案。用 hotline hardship list 查看。")
    sweep_people(work, [file.person], facts.now, facts.rules)
    person = work.people.get(file.person)
    views = debt_views.views(work, work.debts.open(person=person.id), facts)
    mine = [view for view in views if _tells(user, view)]
    row = _file_row(user, file, person, has_ivr_consent(work, person.id, facts.now)) | {
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
    return {key: said(shown) for key, said in _SAID.items()}


def _debt_row(user: User, shown: DebtView) -> Row:
    """Return the keys that a user may see, and no other is even worked out."""
    row = {key: said(shown) for key, said in _said_to(user.roles)}
    if "phone" in row and not sees(user.roles, DataClass.COUNSELLING):
        told = [p.number for p in _told_phones(user, shown.person) if p.status is PhoneStatus.OK]
        row["phone"] = mask_number(told[0]) if told else "无"
    return row


def _of_last(said: Callable[[Attempt], object]) -> Callable[[DebtView], object]:
    return lambda shown: said(shown.last_attempt) if shown.last_attempt else None


def _of_file(said: Callable[[HardshipFile], object]) -> Callable[[DebtView], object]:
    return lambda shown: said(shown.file) if shown.file else None


def _of_ending(said: Callable[[Ending], object]) -> Callable[[DebtView], object]:
    return lambda shown: said(shown.ended) if shown.ended else None


def _while_open(said: Callable[[DebtView], object]) -> Callable[[DebtView], object]:
    return lambda shown: said(shown) if shown.ended is None else None


def _plan(shown: DebtView) -> object:
    return shown.obligation.origin.split("/")[0] if shown.obligation.kind is Kind.PLANNED else None


def _day_owed(shown: DebtView) -> object:
    return shown.obligation.due_at.astimezone(shown.facts.rules.windows.zone).date()


#: Key of a row -> what stands there.
_SAID: Mapping[str, Callable[[DebtView], object]] = {
    "id": lambda shown: shown.id,
    "file_no": _of_file(lambda file: file.file_no),
    "code": lambda shown: shown.person.code,
    "name": lambda shown: shown.who,
    "phone": lambda shown: shown.phone,
    "kind": lambda shown: shown.obligation.kind,
    "level": lambda shown: shown.level,
    "owner": lambda shown: shown.owner,
    "claimed_by": lambda shown: shown.obligation.owner,
    "snoozed_until": lambda shown: shown.obligation.snoozed_until,
    "escalated_at": lambda shown: shown.obligation.escalated_at,
    "waiver": lambda shown: shown.standing.waiver,
    "needs_decision": lambda shown: shown.standing.undecided,
    "plan": _plan,
    "marks": lambda shown: list(shown.marks),
    "grade": _of_file(lambda file: file.grade),
    "district": _of_file(lambda file: file.district),
    "owed_since": _day_owed,
    "due_at": lambda shown: shown.obligation.due_at,
    "breach_at": lambda shown: shown.obligation.window_end,
    "overdue_days": lambda shown: shown.overdue.days if shown.overdue is not None else None,
    "is_due": lambda shown: shown.is_owed,
    "who_next": _while_open(lambda shown: shown.step.who),
    "next_at": _while_open(lambda shown: shown.step.not_before or shown.obligation.next_at),
    "why": _while_open(lambda shown: shown.step.why),
    "refused_by": lambda shown: [v.gate.value for v in shown.refused],
    "reason": lambda shown: shown.reason,
    "attempts": lambda shown: len(shown.situation.attempts),
    "last_attempt_at": _of_last(lambda last: last.at),
    "last_attempt": _of_last(lambda last: last.id),
    "last_attempt_state": lambda shown: shown.stage,
    "last_attempt_doubt": _of_last(lambda last: last.doubt),
    "doubt_text": lambda shown: shown.doubt or None,
    "last_result_code": _of_last(lambda last: last.result),
    "last_result": lambda shown: shown.last_result,
    "last_contact": lambda shown: shown.last_contact,
    "ended_at": _of_ending(lambda ended: ended.at),
    "ended_by": _of_ending(lambda ended: ended.by),
    "ended_as": _of_ending(lambda ended: ended.how),
    "evidence": _of_ending(lambda ended: ended.evidence),
}


@cache
def _said_to(roles: frozenset[Role]) -> tuple[tuple[str, Callable[[DebtView], object]], ...]:
    keys = visible(roles, dict.fromkeys(_SAID), DEBT_FIELDS)
    return tuple((key, said) for key, said in _SAID.items() if key in keys)


def _kinds_told(user: User) -> frozenset[Kind]:
    """Return the kinds of debts that a user may know of at all."""
    return frozenset(kind for kind in Kind if sees(user.roles, class_of(kind)))


def _tells(user: User, shown: DebtView) -> bool:
    """Tell whether the user may know that this debt is there at all."""
    return sees(user.roles, class_of(shown.obligation.kind))


def _told_phones(user: User, person: Person) -> list[Phone]:
    """Return the numbers a user may know of: one that no list held would tell a clerk who called (R39)."""
    sees_all = sees(user.roles, DataClass.COUNSELLING)
    return [phone for phone in person.phones if sees_all or phone.listed]


def _file_row(user: User, file: HardshipFile, person: Person, consented: bool) -> Row:
    phones = _told_phones(user, person)
    return {
        "file_no": file.file_no,
        "code": person.code,
        "name": mask_name(person.name),
        "grade": file.grade,
        "status": file.status,
        "since": file.since,
        "exit_reason": file.exit_reason,
        "exit_confirmed_by": file.exit_confirmed_by,
        "notice_to": file.notice_to,
        "review_due": file.review_due,
        "phone": " ".join(mask_number(p.number) for p in phones) or None,
        "phone_status": [p.status.value for p in phones],
        "district": file.district,
        "consent": consented,
        "human_only": person.no_ivr,
    }
