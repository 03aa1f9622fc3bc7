"""What a person has to make sure of (`Kind.VERIFY`): a number found bad, a file that left (R25, R33, R34).

The origin says what it is about, in clear and so without a number; the number stands in the sealed detail,
under a word that nobody dials by.
"""

from __future__ import annotations

from callcenter.domain.numbers import normalise
from callcenter.domain.people import FileStatus
from scheduler.obligations import Kind, Obligation

#: Beginnings of `Obligation.origin`.
_OF_NUMBER, _OF_EXIT = "phone/", "exit/"
_BAD, _WAS = "bad=", "was="


def number_origin(attempt_id: str) -> str:
    """Return the origin of a check of the number that an attempt found bad."""
    return f"{_OF_NUMBER}{attempt_id}"


def number_detail(number: str) -> str:
    """Return the detail that names the number."""
    return f"{_BAD}{number}"


def is_about_number(obligation: Obligation, number: str | None = None) -> bool:
    """Tell whether a debt is the check of a number (of this one, if given, or of nobody knows which)."""
    if obligation.kind is not Kind.VERIFY or not obligation.origin.startswith(_OF_NUMBER):
        return False
    return number is None or not obligation.detail or names(obligation, number)


def names(obligation: Obligation, number: str) -> bool:
    """Tell whether the check of a number names this very one."""
    bad = obligation.detail.removeprefix(_BAD)
    return (normalise(bad) or bad) == (normalise(number) or number)


def bad_number(obligation: Obligation) -> str | None:
    """Return the number that a debt is the check of; None: it is about something else, or blanked."""
    number = obligation.detail.removeprefix(_BAD)
    return number if number and is_about_number(obligation) else None


def exit_origin(file_no: str) -> str:
    """Return the origin of the check that a file was right to leave."""
    return f"{_OF_EXIT}{file_no}"


def exit_detail(was: FileStatus) -> str:
    """Return the detail that tells where the file stood before."""
    return f"{_WAS}{was.value}"


def left_from(obligation: Obligation) -> FileStatus:
    """Return where a file stood before it left; one that a list took out stood in file."""
    was = obligation.detail.removeprefix(_WAS)
    return FileStatus(was) if was in set(FileStatus) else FileStatus.ACTIVE


def file_of_exit(obligation: Obligation) -> str | None:
    """Return the number of the file whose leaving a debt is the check of."""
    is_it = obligation.kind is Kind.VERIFY and obligation.origin.startswith(_OF_EXIT)
    return obligation.origin.removeprefix(_OF_EXIT) if is_it else None
