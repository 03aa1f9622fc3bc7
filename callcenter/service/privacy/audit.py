"""Reading the audit, proving that it is whole, and noting its head outside the database (R50).

A chain cannot show by itself that its tail is gone. So the head (number and hash of the newest entry) is
noted in `audit.head` in the site's folder, each time the audit is verified, exported or backed up; and it
is printed, to be written on paper, which nobody changes from a keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from callcenter.domain import audit_chain
from callcenter.domain.access import Verb
from callcenter.domain.audit_chain import AuditEntry, Head, Verdict
from callcenter.errors import NotFound, Refused
from callcenter.files import write_private
from callcenter.ports import UnitOfWork
from callcenter.service.access import allow, guarded
from callcenter.service.people.entries import group_of, named
from callcenter.service.people.people import checked_reason

#: Name of the file, in the site's folder, in which the head is noted.
HEAD_FILE = "audit.head"


@guarded(Verb.AUDIT_READ)
def entries(
    work: UnitOfWork,
    *,
    actor: str,
    limit: int = 50,
    by: str | None = None,
    verb: str | None = None,
    object: str | None = None,
    since: datetime | None = None,
) -> Sequence[AuditEntry]:
    """Return the newest entries, newest first: of one person, verb or object, from an instant on.

    Of a person, named by id or pseudonym, those of every entry merged with theirs. Raises `Forbidden`, and
    `NotFound` for an object that is none and of which nothing was ever written down.
    """
    allow(work, actor, Verb.AUDIT_READ)
    if object is None:
        return work.audit.recent(limit, actor=by, verb=verb, since=since)
    names = _meant(work, object)
    found = [e for o in names for e in work.audit.recent(limit, actor=by, verb=verb, object=o, since=since)]
    if not found and not any(work.audit.recent(1, object=name) for name in names):
        raise NotFound(f"没有关于 {object[:60]} 的留痕。对象写作 种类:编号,如 person:P-7F3K、session:编号。")
    return sorted(found, key=lambda entry: entry.seq, reverse=True)[:limit]


def _meant(work: UnitOfWork, object: str) -> list[str]:
    """Return the objects that a name means: of a person the ids of all entries that are one with theirs."""
    kind, _, name = object.partition(":")
    if kind != "person":
        return [object]
    try:
        person = named(work, name)
    except NotFound:
        return [object]
    return [f"person:{one}" for one in group_of(work, person)]


@guarded(Verb.AUDIT_VERIFY)
def examine(work: UnitOfWork, folder: Path, *, actor: str, paper: Head | None = None) -> Verdict:
    """Return whether the audit is whole and passes through the noted head, and through one from paper.

    A whole one's newest head is noted in `folder`. Raises `Forbidden`.
    """
    allow(work, actor, Verb.AUDIT_VERIFY)
    verdict = look(work, folder, [paper] if paper is not None else [])
    if verdict.is_whole and verdict.head is not None:
        _write(folder, verdict.head)
    return verdict


@guarded(Verb.AUDIT_ANCHOR)
def anchor(work: UnitOfWork, *, actor: str, now: datetime, reason: str) -> None:
    """Write down that, and why, the audit counts as whole as it stands; `note_head(anew=True)` notes it.

    For a head that was lost. Raises `Forbidden`, and `Refused` without a reason or for a broken chain.
    """
    allow(work, actor, Verb.AUDIT_ANCHOR)
    told = checked_reason(reason)
    verdict = verify(work)
    if not verdict.is_whole:
        raise Refused(f"留痕在第 {verdict.bad_seq} 条不完整，不能重新记链头。先查明，或从备份恢复。")
    entry = AuditEntry(
        actor=actor,
        verb=Verb.AUDIT_ANCHOR,
        object="audit:head",
        at=now,
        field=str(verdict.head or 0),
        reason=told,
    )
    work.audit.append(entry)


def look(work: UnitOfWork, folder: Path, more: Iterable[Head] = ()) -> Verdict:
    """Return whether the audit is whole and passes through the head noted in a folder, that must be there."""
    noted = noted_head(folder)
    verdict = verify(work, [head for head in (noted, *more) if head is not None])
    return audit_chain.against_note(verdict, noted)


def verify(work: UnitOfWork, heads: Iterable[Head] = ()) -> Verdict:
    """Return whether the audit is one unbroken chain that passes through these heads (R50)."""
    return audit_chain.verify(work.audit.links(), work.audit.mac, heads)


def noted_head(folder: Path) -> Head | None:
    """Return the head noted in a folder, or None; raise `Refused` if the file holds none."""
    file = folder / HEAD_FILE
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    with suppress(Refused):
        return Head.parse(text)
    raise Refused(f"{file}:不是审计链头的记录。请从备份恢复这个文件，或用纸上的链头核对：--head 序号:散列。")


def note_head(work: UnitOfWork, folder: Path, *, anew: bool = False) -> Head | None:
    """Note the newest head in `folder` and return it; None if there is none yet.

    A head that the audit does not pass through any more stays noted, and where none is noted none is put
    there, so that `verify` finds what was cut off or taken away. `anew`: another store stands there now (a
    restored backup, a new line), or a person has said that this one counts.
    """
    newest = work.audit.head()
    if newest is None:
        return None
    noted = None if anew else noted_head(folder)
    if anew or (noted is not None and work.audit.passes(noted)):
        _write(folder, newest)
    return newest


def _write(folder: Path, head: Head) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(folder / HEAD_FILE, f"{head.seq}:{head.hash.hex()}\n".encode())
