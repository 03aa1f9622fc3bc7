"""Opening what only a person can answer: is this number theirs, was this file right to leave (R25, R33, R34).

Nothing here closes a question with an answer: whoever sets a number right does (`people.phones`), and
whoever confirms that a file left (`hardship.filing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from callcenter.domain.people import FileStatus, HardshipFile
from callcenter.domain.verifying import (
    bad_number,
    exit_detail,
    exit_origin,
    file_of_exit,
    is_about_number,
    names,
    number_detail,
    number_origin,
)
from callcenter.ports import AuditEntry, UnitOfWork
from callcenter.service.names import digest
from scheduler.obligations import Attempt, ClosingKind, Kind, Mode, Obligation

#: It is due at once, and late after this.
WITHIN = timedelta(days=7)
_SYSTEM = "system"


def ask_about_number(work: UnitOfWork, obligation: Obligation, attempt: Attempt, now: datetime) -> None:
    """Have a person make sure of the number that was dialled; once while nobody has.

    Where somebody heard it and nobody can tell of which of the person's numbers: which one it is.
    """
    person, number = work.people.get(obligation.person), attempt.callee
    known = {phone.number for phone in person.phones}
    if not known or number not in {*known, None}:
        return  # left with one promise alone: whoever keeps that promise learns of it
    if number is None and obligation.kind is Kind.VISIT:
        return  # at somebody's door no number was dialled
    standing = [o for o in work.debts.open(person=person.id, kind=Kind.VERIFY) if is_about_number(o)]
    if any(bad_number(one) is None if number is None else names(one, number) for one in standing):
        return
    _ask(work, person.id, number_origin(attempt.id), number_detail(number) if number else "", now)


def ask_about_exit(
    work: UnitOfWork, file: HardshipFile, now: datetime, was: FileStatus | None = None
) -> None:
    """Have a person make sure that a file was right to leave; once while nobody has.

    `was`: where it stood before; None: a list took it out.
    """
    if was is None and file.status is not FileStatus.CLOSED:
        return  # a list put it back to before it was in: nobody left
    origin = exit_origin(file.file_no)
    standing = work.debts.open(person=file.person, kind=Kind.VERIFY)
    if file.exit_confirmed_by is None and all(one.origin != origin for one in standing):
        _ask(work, file.person, origin, "" if was is None else exit_detail(was), now)


def drop_answered(
    work: UnitOfWork, owed: Iterable[Obligation], files: Sequence[HardshipFile], now: datetime
) -> None:
    """End the question about a file's leaving that has no object any more: the file is back."""
    back = {file.file_no for file in files if file.status is not FileStatus.CLOSED}
    for one in owed:
        if file_of_exit(one) in back:
            work.debts.close(one.id, "档案已恢复", _SYSTEM, now, ClosingKind.SUPERSEDED)
            _note(work, "obligation.close", one.id, now, "file is back")


def _ask(work: UnitOfWork, person: str, origin: str, detail: str, now: datetime) -> None:
    asked = Obligation(
        id=f"ob-{digest(f'verify/{origin}/{person}/{now.isoformat()}')}",
        person=person,
        kind=Kind.VERIFY,
        due_at=now,
        window_end=now + WITHIN,
        mode=Mode.HUMAN_ONLY,
        origin=origin,
        detail=detail,
        created_at=now,
    )
    if work.debts.add(asked):
        _note(work, "obligation.open", asked.id, now, "verify")


def _note(work: UnitOfWork, verb: str, thing: str, at: datetime, reason: str) -> None:
    work.audit.append(AuditEntry(actor=_SYSTEM, verb=verb, object=thing, at=at, reason=reason))
