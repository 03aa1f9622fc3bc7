"""A file's way through the register, step by step, and a person's word that it was right to leave (R34).

What is owed follows at once: each step sweeps the worker it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from callcenter.config import Settings
from callcenter.domain.access import Verb
from callcenter.domain.books import PLANS
from callcenter.domain.hardship_files import (
    ENDS_ALL,
    IN_FILE,
    FileRules,
    FileStep,
    after_step,
    early_notice,
    entered,
    hindrance,
    is_unconfirmed,
    months_later,
    needs_application,
    notice_end,
    short_notice,
    short_watch,
    standing_notice,
    unknown_grade,
    wrong_exit,
)
from callcenter.domain.ledger import PlanState
from callcenter.domain.people import ExitReason, FileStatus, HardshipFile, SuppressionKind
from callcenter.domain.reasons import checked_reason, storable
from callcenter.domain.users import Role
from callcenter.domain.verifying import file_of_exit, is_about_number, left_from
from callcenter.errors import Forbidden, Refused
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.followup.debts import rules_of
from callcenter.service.followup.settling import note
from callcenter.service.followup.sweeping import is_leased, sweep_people
from callcenter.service.followup.verifying import ask_about_exit
from callcenter.service.hardship.fields import SYNONYMS, Field, understand
from callcenter.service.hardship.households import check_one_file, check_one_open, file_named
from callcenter.service.hardship.importing import import_entries
from callcenter.service.hardship.tables import Cell, ImportRefused, Row, column_name
from callcenter.service.people.entries import group_of, resolve
from scheduler.gates import Rules
from scheduler.obligations import PROMISED, ClosingKind, Kind, Obligation

#: What ends with somebody's death, or their leaving for another union, besides the file's own debts.
_ENDS_WITH_THEM = PROMISED | {Kind.PLANNED, Kind.MISSED_CALL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Register:
    """How the site keeps its register."""

    rules: FileRules
    #: What is owed to whom is in file.
    owed: Rules

    def today(self, now: datetime) -> date:
        """Return the site's day."""
        return now.astimezone(self.owed.windows.zone).date()


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A step that was taken: the file before (None: there was none) and after."""

    before: HardshipFile | None
    after: HardshipFile


def register_of(settings: Settings) -> Register:
    """Return how the configured site keeps its register."""
    table = settings.hardship
    rules = FileRules(
        notice_days=table.notice_days,
        watch_months=table.watch_months,
        review_months=table.review_months,
        grades=tuple(sorted(table.grades, key=lambda grade: table.grades[grade].order)),
    )
    return Register(rules=rules, owed=rules_of(settings))


@guarded(Verb.HARDSHIP_FILE)
def apply(
    work: UnitOfWork,
    file_no: str,
    *,
    grade: str,
    name: str = "",
    numbers: Sequence[str] = (),
    district: str = "",
    union_unit: str = "",
    register: Register,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Taken:
    """Write an application down: a new file (of `name`), or one that left and applies again.

    A new one is understood as a line of a list would be: what somebody with these numbers refused binds,
    and nobody learns from it who called (R32, R39). Raises `Refused`.
    """
    allow(work, actor, Verb.HARDSHIP_FILE)
    before = work.people.file(storable(file_no))
    _refuse(hindrance(FileStep.APPLY, before.status if before else None))
    _refuse(unknown_grade(grade, register.rules))
    if before is None:
        _enter(work, file_no, grade, name, numbers, district, union_unit, register, actor, now)
    base = before or file_named(work, storable(file_no))
    after = replace(
        base,
        grade=grade,
        since=register.today(now),
        notice_from=None,
        notice_to=None,
        review_due=None,
        exit_reason=None,
        exit_confirmed_by=None,
    )
    return _taken(work, FileStep.APPLY, before, after, register, actor, now, storable(reason))


@guarded(Verb.HARDSHIP_FILE)
def put_up(
    work: UnitOfWork,
    file_no: str,
    *,
    start: date | None = None,
    end: date | None = None,
    register: Register,
    actor: str,
    now: datetime,
    reason: str = "",
) -> Taken:
    """Put an application up for everybody to see, from `start` (today) until `end` (as short as may be)."""
    file = _at(work, file_no, FileStep.NOTICE, actor)
    is_workday, rules = register.owed.calendar.is_workday, register.rules
    first = start or register.today(now)
    last = end or notice_end(first, is_workday, rules)
    if not first <= last or abs((first - register.today(now)).days) > _FAR:
        raise Refused("公示的起止不对:要先起后止,起始日与今天相差不超过一年。")
    _refuse(early_notice(file, first))
    _refuse(short_notice(first, last, is_workday, rules))
    after = replace(file, notice_from=first, notice_to=last)
    return _taken(work, FileStep.NOTICE, file, after, register, actor, now, storable(reason))


@guarded(Verb.HARDSHIP_FILE)
def approve(
    work: UnitOfWork, file_no: str, *, register: Register, actor: str, now: datetime, reason: str
) -> Taken:
    """Take a file in after its notice; from today on its worker is owed check-ins."""
    file = _at(work, file_no, FileStep.APPROVE, actor)
    told, today = checked_reason(reason), register.today(now)
    _refuse(unknown_grade(file.grade, register.rules))
    _refuse(standing_notice(file, today))
    after = entered(file, today, register.rules)
    return _taken(work, FileStep.APPROVE, file, after, register, actor, now, told)


@guarded(Verb.HARDSHIP_FILE)
def watch(
    work: UnitOfWork, file_no: str, *, register: Register, actor: str, now: datetime, reason: str
) -> Taken:
    """Begin to watch a family that is out of hardship; it is still owed check-ins."""
    file = _at(work, file_no, FileStep.WATCH, actor)
    told, today = checked_reason(reason), register.today(now)
    return _taken(work, FileStep.WATCH, file, replace(file, since=today), register, actor, now, told)


@guarded(Verb.HARDSHIP_FILE)
def leave(
    work: UnitOfWork,
    file_no: str,
    *,
    because: ExitReason,
    early: str = "",
    register: Register,
    actor: str,
    now: datetime,
    reason: str,
) -> Taken:
    """Let a file leave the register; its debts end with it, and somebody confirms that (R34).

    `early`: why a family counts as recovered before it was watched for as long as it should be.
    """
    file = _at(work, file_no, FileStep.LEAVE, actor)
    told = checked_reason(reason)
    _refuse(wrong_exit(file, because))
    if early:
        told = f"{told};提前:{checked_reason(early)}"
    else:
        _refuse(short_watch(file, because, register.today(now), register.rules))
    # Of a file that never was in nothing ends, unless somebody died: there is nothing to confirm.
    ends_nothing = file.status not in IN_FILE and because is not ExitReason.DIED
    after = replace(file, exit_reason=because, exit_confirmed_by=actor if ends_nothing else None)
    if not ends_nothing:
        ask_about_exit(work, after, now, was=file.status)
    return _taken(work, FileStep.LEAVE, file, after, register, actor, now, told)


@guarded(Verb.HARDSHIP_FILE)
def come_back(
    work: UnitOfWork,
    file_no: str,
    *,
    grade: str | None = None,
    register: Register,
    actor: str,
    now: datetime,
    reason: str,
) -> Taken:
    """Take a file in again, from today on: the hardship is there once more."""
    file = _at(work, file_no, FileStep.RETURN, actor)
    told = checked_reason(reason)
    _refuse(needs_application(file))
    _refuse(unknown_grade(grade or file.grade, register.rules))
    after = entered(file, register.today(now), register.rules, grade)
    return _taken(work, FileStep.RETURN, file, after, register, actor, now, told)


@guarded(Verb.HARDSHIP_FILE)
def review(
    work: UnitOfWork,
    file_no: str,
    *,
    grade: str | None = None,
    register: Register,
    actor: str,
    now: datetime,
    reason: str,
) -> Taken:
    """Note that a file was looked through; it is due again `review_months` from today.

    A new grade begins today. One that is being watched keeps its grade: it comes back first.
    """
    file = _at(work, file_no, FileStep.REVIEW, actor)
    told, today = checked_reason(reason), register.today(now)
    due = months_later(today, register.rules.review_months)
    after = replace(file, review_due=due)
    if grade is not None and grade != file.grade:
        if file.status is FileStatus.WATCH:
            raise Refused("脱困观察期内不改类别:情况又有困难的,用 hotline hardship return 重新在档。")
        _refuse(unknown_grade(grade, register.rules))
        after = replace(after, grade=grade, since=today)
    return _taken(work, FileStep.REVIEW, file, after, register, actor, now, told)


@guarded(Verb.HARDSHIP_CONFIRM)
def confirm(
    work: UnitOfWork,
    file_no: str,
    *,
    back: bool = False,
    register: Register,
    actor: str,
    now: datetime,
    reason: str,
) -> Taken:
    """Make sure that a file was right to leave, or (`back`) that it was not: then it is owed again (R34).

    With somebody's death or leaving for another union their plans and promises end too, so that there a
    supervisor confirms; cases stay what they are. Raises `Refused`, and `Forbidden` to a clerk there.
    """
    user = allow(work, actor, Verb.HARDSHIP_CONFIRM)
    told, file = checked_reason(reason), file_named(work, file_no)
    if not is_unconfirmed(file):
        raise Refused(f"档案 {file.file_no} 没有待核对的退档。用 hotline hardship list --left 查看。")
    if file.exit_reason in ENDS_ALL and Role.SUPERVISOR not in user.roles:
        raise Forbidden(f"以「{file.exit_reason.value}」退档的,由督导核对。")
    asked = [o for o in work.debts.open(person=file.person) if file_of_exit(o) == file.file_no]
    after = replace(file, exit_confirmed_by=actor)
    if back:
        status = _stood(work, file, asked)
        after = replace(file, status=status, exit_reason=None)
        check_one_open(work, after)
        check_one_file(work, after)
    elif file.exit_reason in ENDS_ALL:
        _end_all(work, file, actor, now, told)
    work.people.put_file(after)
    for one in asked:
        _close(work, one, told, ClosingKind.VERIFIED, actor, now)
    note(work, actor, "hardship.deny" if back else "hardship.confirm", file.file_no, now, reason=told)
    sweep_people(work, [after.person], now, register.owed)
    return Taken(before=file, after=after)


#: Days between today and the first day of a notice, at most.
_FAR = 366


def _at(work: UnitOfWork, file_no: str, step: FileStep, actor: str) -> HardshipFile:
    """Return a file of which a step may be taken, by somebody who may; raise `Refused`."""
    allow(work, actor, Verb.HARDSHIP_FILE)
    file = file_named(work, file_no)
    _refuse(hindrance(step, file.status))
    return file


def _taken(
    work: UnitOfWork,
    step: FileStep,
    before: HardshipFile | None,
    after: HardshipFile,
    register: Register,
    actor: str,
    now: datetime,
    reason: str,
) -> Taken:
    """Write a step: the file where the table puts it, the audit, and what is owed from now on."""
    stands = replace(after, status=after_step(step, before.status if before else None))
    check_one_open(work, stands)
    if before is None or (before.status not in IN_FILE and stands.status is not FileStatus.CLOSED):
        check_one_file(work, stands)
    work.people.put_file(stands)
    note(work, actor, f"hardship.{step}", stands.file_no, now, reason=reason)
    sweep_people(work, [stands.person], now, register.owed)
    return Taken(before=before, after=stands)


def _enter(
    work: UnitOfWork,
    file_no: str,
    grade: str,
    name: str,
    numbers: Sequence[str],
    district: str,
    union_unit: str,
    register: Register,
    actor: str,
    now: datetime,
) -> None:
    """Bring one applicant in, by the rules of a list."""
    today = register.today(now)
    told = {
        Field.FILE_NO: file_no,
        Field.NAME: name,
        Field.PHONE: "、".join(numbers),
        Field.GRADE: grade,
        Field.SINCE: today.isoformat(),
        Field.DISTRICT: district,
        Field.UNION_UNIT: union_unit,
    }
    heading = Row(number=0, cells=tuple(Cell(text=SYNONYMS[name][0]) for name in told))
    line = Row(number=1, cells=tuple(Cell(text=text.strip()) for text in told.values()))
    try:
        _, entries = understand([heading, line], {}, today, grades=register.rules.grades)
        import_entries(
            work,
            [replace(entry, status=FileStatus.APPLIED) for entry in entries],
            actor=actor,
            now=now,
            zone=register.owed.windows.zone,
            rules=register.rules,
            is_workday=register.owed.calendar.is_workday,
            whole=False,
        )
    except ImportRefused as refused:
        raise Refused(_said_of_one(refused, list(told))) from None


#: How each field is told on the command line.
_OPTIONS = {
    Field.FILE_NO: "档案编号",
    Field.NAME: "--name",
    Field.PHONE: "--number",
    Field.GRADE: "--grade",
    Field.DISTRICT: "--district",
    Field.UNION_UNIT: "--union",
}


def _said_of_one(refused: ImportRefused, fields: Sequence[Field]) -> str:
    """Say of one application what a list says of its rows and columns: which option is wrong, and why."""
    options = {column_name(n, SYNONYMS[one][0]): _OPTIONS.get(one) for n, one in enumerate(fields)}
    told = [(options.get(one.column), one.message) for one in refused.problems]
    lines = (f"  {option}:{message}" if option else f"  {message}" for option, message in told)
    return "申请没有登记,什么都没有改动。请改正后重新登记:\n" + "\n".join(lines)


def _end_all(work: UnitOfWork, file: HardshipFile, actor: str, now: datetime, reason: str) -> None:
    """End somebody's plans and what they were promised; what belongs to a case is the case's."""
    group = group_of(work, resolve(work, file.person))
    owed = [o for entry in group for o in work.debts.open(person=entry)]
    ending = [o for o in owed if o.kind in _ENDS_WITH_THEM or is_about_number(o)]
    busy = {attempt.obligation for attempt in work.debts.attempts_in_doubt()}
    if any(o.id in busy or is_leased(o, now) for o in ending):
        raise Refused("正有人在联系此人,或有一通电话还不知道结果。请过几分钟再试。")
    kind = ClosingKind.DIED if file.exit_reason is ExitReason.DIED else ClosingKind.LEFT
    for one in ending:
        _close(work, one, reason, kind, actor, now)
    book = work.book(PLANS)
    for plan in (p for entry in group for p in book.where(person=entry, state=PlanState.ACTIVE.value)):
        book.put(replace(plan, state=PlanState.ENDED, ended_because=reason))
        note(work, actor, "plan.end", f"plan:{plan.id}", now, reason=kind.value)  # codes only


def _close(
    work: UnitOfWork, one: Obligation, reason: str, kind: ClosingKind, actor: str, now: datetime
) -> None:
    work.debts.close(one.id, reason, actor, now, kind)
    note(work, actor, "obligation.close", one.id, now, reason=kind.value)  # codes only


def _stood(work: UnitOfWork, file: HardshipFile, asked: Sequence[Obligation]) -> FileStatus:
    """Return where a file stood before it left.

    Of one that a list took out nobody wrote it down: it was in if anything was ever owed by it, or its person
    refused to be owed, or it was to be looked through again.
    """
    told = [left_from(one) for one in asked if one.detail]
    if told:
        return told[0]
    was_owed = any(one.origin.split("#")[0] == file.file_no for one in work.debts.of_person(file.person))
    refused = any(wish.kind is SuppressionKind.TOPIC for wish in work.people.suppressions(file.person))
    if was_owed or refused or file.review_due is not None:
        return FileStatus.ACTIVE
    return FileStatus.APPLIED if file.notice_from is None else FileStatus.NOTICE


def _refuse(sentence: str | None) -> None:
    if sentence is not None:
        raise Refused(sentence)
