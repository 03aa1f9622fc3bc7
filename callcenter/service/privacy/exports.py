"""Files that leave the store: by whom, why, for how long, and whose a copy is that lies about (R41).

A file is written down before it exists: nothing leaves that nobody knows of. Its name and its marks are a
random number that says nothing; who took it stands under that number, and in the marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import EXPORTS
from callcenter.domain.privacy import Export
from callcenter.domain.spreadsheets import Sheet, neutral
from callcenter.domain.users import Role
from callcenter.domain.wording import diagnostic_words
from callcenter.errors import Conflict, Forbidden
from callcenter.files import write_private
from callcenter.ports import AuditEntry, Store, UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.people import checked_reason
from callcenter.service.privacy.export_files import FileKind, Mark, mark_in, written
from callcenter.service.staff.users import SYSTEM

#: How long a file that no row names is left alone: its row may be about to be committed.
_ORPHAN = timedelta(hours=1)


class Kind(StrEnum):
    """What can be exported."""

    #: Counts of handling records, by month: the yearly account. About nobody.
    SESSIONS = "sessions"
    #: Hardship workers who are owed a contact.
    HARDSHIP = "hardship"
    AUDIT = "audit"
    #: What we keep of one person, for that person.
    PERSON = "person"


#: What it takes to export what.
VERB_FOR: Mapping[Kind, Verb] = {
    Kind.SESSIONS: Verb.EXPORT_SESSIONS,
    Kind.HARDSHIP: Verb.EXPORT_HARDSHIP,
    Kind.AUDIT: Verb.EXPORT_AUDIT,
    Kind.PERSON: Verb.REQUEST_ANSWER,
}
#: Who sees what others exported.
_OVERSEE = frozenset({Role.AUDITOR, Role.SUPERVISOR})


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """An export that was written down, its bytes, and where a diagnosis was replaced by a pointer."""

    export: Export
    name: str
    content: bytes = field(repr=False)
    #: Sheet, row, heading.
    replaced: tuple[tuple[str, int, str], ...] = ()


@guarded(Verb.EXPORT_SESSIONS, Verb.EXPORT_HARDSHIP, Verb.EXPORT_AUDIT, Verb.REQUEST_ANSWER)
def make(
    work: UnitOfWork,
    kind: Kind,
    sheets: Sequence[Sheet],
    *,
    form: FileKind,
    lasts: timedelta,
    zone: tzinfo,
    actor: str,
    now: datetime,
    reason: str,
    about: str = "",
) -> Made:
    """Write an export down and return its bytes, marked and harmless; `save` puts them into a file.

    Texts that name a diagnosis are replaced by a pointer (R16): an export is not held up by one word,
    and the word does not leave. Raises `Forbidden`, and `Refused` without a reason.
    """
    allow(work, actor, VERB_FOR[kind])
    told = checked_reason(reason)
    clean = [(sheet.title, *neutral(sheet, diagnostic_words)) for sheet in sheets]
    mark = Mark(id=f"ex-{uuid4().hex}", by=actor, at=now, zone=zone, own=kind is Kind.PERSON)
    content = written(form, [sheet for _, sheet, _ in clean], mark)
    export = Export(
        id=mark.id,
        kind=kind,
        by=actor,
        at=now,
        expires_at=now + lasts,
        rows=sum(len(sheet.rows) for _, sheet, _ in clean),
        reason=told,
        checksum=sha256(content).hexdigest(),
        about=about,
    )
    work.book(EXPORTS).add(export)
    _note(work, f"export.{kind}", export, actor, now, told)
    replaced = tuple((title, *place) for title, _, places in clean for place in places)
    return Made(export=export, name=f"{mark.id}.{form}", content=content, replaced=replaced)


def save(made: Made, folder: Path) -> Path:
    """Write the file (0600) of an export whose row is committed, and return where it is."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / made.name
    write_private(file, made.content)
    return file


@guarded(Verb.EXPORT_SEE)
def exports(work: UnitOfWork, *, actor: str) -> list[Export]:
    """Return the exports, newest first: one's own; auditors and supervisors see everybody's."""
    user = allow(work, actor, Verb.EXPORT_SEE)
    sees_all = not _OVERSEE.isdisjoint(user.roles)
    found = (one for one in work.book(EXPORTS).where() if sees_all or one.by == actor)
    return sorted(found, key=lambda one: (one.at, one.id), reverse=True)


@guarded(Verb.EXPORT_SEE)
def delete(work: UnitOfWork, export_id: str, *, actor: str, now: datetime, reason: str) -> Export:
    """Write down that an export's file is deleted before its time; `remove_file` deletes it.

    Raises `Forbidden` for one of somebody else (unless one oversees exports), `NotFound`, `Conflict`.
    """
    user = allow(work, actor, Verb.EXPORT_SEE)
    export = work.book(EXPORTS).get(export_id)
    if export.by != actor and _OVERSEE.isdisjoint(user.roles):
        raise Forbidden("只能删除自己导出的文件。")
    if export.deleted_at is not None:
        raise Conflict(f"{export_id} 的文件已经删除。")
    gone = work.book(EXPORTS).put(replace(export, deleted_at=now))
    _note(work, "export.delete", gone, actor, now, reason)
    return gone


@guarded(Verb.EXPORT_SEE)
def trace(work: UnitOfWork, file: Path, *, actor: str, now: datetime) -> tuple[Export | None, str]:
    """Return whose copy a file is, and by what it was known: `checksum`, `mark` or `""` (not ours).

    The checksum tells an untouched copy, the marks one that was opened and saved again. Raises `Refused`.
    """
    allow(work, actor, Verb.EXPORT_SEE)
    content, number = mark_in(file)
    whole = sha256(content).hexdigest()
    found = next((one for one in work.book(EXPORTS).where() if one.checksum == whole), None)
    known_by = "checksum" if found else ""
    if found is None and number is not None:
        found = work.book(EXPORTS).one(number)
        known_by = "mark" if found else ""
    if found is not None:
        _note(work, "export.trace", found, actor, now, "")
    return found, known_by


def expire(work: UnitOfWork, folder: Path, now: datetime) -> int:
    """Delete the files of exports whose time is over, and files no export names; return how many.

    A machine's act. Files go before the row says so: after a crash in between the next round does it again.
    """
    count = 0
    for export in work.book(EXPORTS).where(up_to={"expires_at": now}, deleted_at=None):
        remove_file(folder, export.id)
        _note(work, "export.expire", work.book(EXPORTS).put(replace(export, deleted_at=now)), SYSTEM, now, "")
        count += 1
    live = {export.id for export in work.book(EXPORTS).where(deleted_at=None)}
    return count + sum(_removed(file, now) for file in _files(folder) if file.stem not in live)


def expire_in(store: Store, folder: Path, now: datetime) -> int:
    """Do what `expire` does, in a transaction of its own; without anything to do, without one."""
    with store() as work:
        count = expire(work, folder, now)
        if count:
            work.commit()
    return count


def remove_file(folder: Path, export_id: str) -> None:
    """Delete the file of an export, if it is still there."""
    for form in FileKind:
        (folder / f"{export_id}.{form}").unlink(missing_ok=True)


def _files(folder: Path) -> Iterable[Path]:
    return [file for form in FileKind for file in folder.glob(f"ex-*.{form}")]


def _removed(file: Path, now: datetime) -> bool:
    try:
        is_old = now.timestamp() - file.stat().st_mtime > _ORPHAN.total_seconds()
    except FileNotFoundError:
        return False
    if is_old:
        file.unlink(missing_ok=True)
    return is_old


def _note(work: UnitOfWork, verb: str, export: Export, actor: str, now: datetime, reason: str) -> None:
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=f"export:{export.id}", at=now, reason=reason))
