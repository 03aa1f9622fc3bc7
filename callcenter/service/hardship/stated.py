"""What a list says of a file's standing: what it leaves alone, and what it may not undo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time, tzinfo

from callcenter.domain.hardship_files import ENDS_ALL, IN_FILE, FileStep
from callcenter.domain.people import ExitReason, FileStatus, Grade, HardshipFile
from callcenter.ports import UnitOfWork
from callcenter.service.hardship.cells import folded
from callcenter.service.hardship.fields import Entry

#: From these nobody comes back without being applied for (R34).
_NEVER_IN = frozenset({ExitReason.NOT_APPROVED, ExitReason.MISTAKE})
#: Commands by which a step, or a grade, begins on the day they are given.
_BEGINS = frozenset(
    f"hardship.{step}" for step in (FileStep.APPLY, FileStep.APPROVE, FileStep.WATCH, FileStep.RETURN)
) | {f"hardship.{FileStep.REVIEW}"}
_MOST_NOTES = 1000
_ORDER = {FileStatus.APPLIED: 0, FileStatus.NOTICE: 1, FileStatus.ACTIVE: 2, FileStatus.WATCH: 2}


def settled(files: Mapping[str, HardshipFile], entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries with each file's number as the store spells it, and with a status.

    Of a new file nothing said means in file; of one that is there it leaves the status alone.
    """
    spelled = {folded(file_no): file_no for file_no in reversed(list(files))}
    found = []
    for entry in entries:
        file_no = entry.file_no
        if file_no not in files:
            file_no = spelled.get(folded(file_no), file_no)
        before = files.get(file_no)
        if entry.status is None or file_no != entry.file_no:
            entry = replace(entry, file_no=file_no, status=entry.status or _status(entry, before))
        found.append(entry)
    return found


def _status(entry: Entry, before: HardshipFile | None) -> FileStatus:
    """Return what a status that is not there means: only a grade of its own says something of it."""
    is_watched = entry.grade == Grade.WATCH
    if before is None or (before.status in IN_FILE and is_watched != (before.grade == Grade.WATCH)):
        return FileStatus.WATCH if is_watched else FileStatus.ACTIVE
    return before.status


def exit_reason(entry: Entry, before: HardshipFile | None) -> ExitReason | None:
    """Return why a file left, once the list is in: a list makes no death or move something lighter (R34)."""
    if entry.status is not FileStatus.CLOSED:
        return None
    stood = before.exit_reason if before is not None else None
    if entry.exit_reason is None or (stood is not None and _weight(stood) > _weight(entry.exit_reason)):
        return stood
    return entry.exit_reason


def _weight(reason: ExitReason) -> int:
    return 2 if reason is ExitReason.DIED else int(reason in ENDS_ALL)


def is_set_by_command(work: UnitOfWork, file: HardshipFile, zone: tzinfo) -> bool:
    """Tell whether somebody took the step that began on the file's `since`: a list does not move it back."""
    begin = datetime.combine(file.since, time(), zone)
    notes = work.audit.recent(_MOST_NOTES, object=file.file_no, since=begin)
    return any(n.verb in _BEGINS and n.at.astimezone(zone).date() == file.since for n in notes)


def is_return(before: HardshipFile | None, status: FileStatus | None) -> bool:
    """Tell whether a list undoes a leaving that it does not simply undo."""
    if before is None or before.status is not FileStatus.CLOSED or status is FileStatus.CLOSED:
        return False
    is_grave = before.exit_reason in ENDS_ALL or before.exit_confirmed_by is not None
    if status not in IN_FILE:  # it is applied for anew
        return before.exit_reason is ExitReason.DIED or is_unlooked(before)
    return is_grave or before.exit_reason in _NEVER_IN


def is_unlooked(before: HardshipFile) -> bool:
    """Tell whether a death or a move still waits for a supervisor: no list answers for one."""
    return before.exit_reason in ENDS_ALL and before.exit_confirmed_by is None


def contradictions(entry: Entry, before: HardshipFile | None, after: HardshipFile) -> Iterator[str]:
    """Yield where a list says otherwise than what stands, or goes back a step."""
    if before is None:
        return
    stood = before.exit_reason.value if before.exit_reason else "没有写明原因"
    if entry.status is FileStatus.CLOSED:
        if entry.exit_reason not in {None, after.exit_reason}:
            yield f"已以“{stood}”退档，名单写“{entry.exit_reason}”：退档原因不变，请督导核对"
    elif is_return(before, entry.status):
        yield f"已以“{stood}”退档，名单又写{after.status.value}：{way_back(before)}"
    elif before.status in _ORDER and _ORDER[after.status] < _ORDER[before.status]:
        yield f"从{before.status.value}退回{after.status.value}，请核对"


def way_back(before: HardshipFile) -> str:
    """Return what a clerk may do about a return."""
    if is_unlooked(before):
        return "不能导入；这次退档请督导先用 hotline hardship confirm 核对，或把档案状态空着"
    return "不能导入；确实回来了的加 --accept-returns，不是的把档案状态空着或改正"
