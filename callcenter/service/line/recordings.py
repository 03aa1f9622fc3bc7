"""Sound at rest: messages that callers leave, and talks recorded with consent (R15).

Sealed within a minute after the call, heard with a reason, deleted whole.
The PBX writes them in clear, and to the end even after the call: a file is taken once it was quiet. Each is
sealed under a key of its own, which stands in its row (sealed like every row): a change of the field key
leaves the files as they are, and without its row a file is noise.
First the sealed file is on the disk, then its row, and only then is the clear one removed; whatever dies
in between, the next round goes on, and finds by the checksum what was sealed already.
"""

from __future__ import annotations

import logging
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from io import BufferedReader
from itertools import count
from pathlib import Path
from uuid import uuid4

from callcenter.domain.access import Verb
from callcenter.domain.books import RECORDINGS
from callcenter.domain.privacy import Recording
from callcenter.errors import Conflict, NotFound, Refused
from callcenter.files import new_private, open_regular, sync_folder
from callcenter.ports import AuditEntry, Store, UnitOfWork
from callcenter.sealed_files import KEY_BYTES, open_file, seal_file
from callcenter.service.access import allow, guarded
from callcenter.service.people.people import checked_reason

log = logging.getLogger(__name__)

#: `<call id>-<node>.wav` is a message, `<call id>-<n>.wav` a talk, as the dialplan names them.
_WAV = re.compile(r"(?P<call>[A-Za-z0-9][A-Za-z0-9._-]{0,79})-(?P<node>[a-z][a-z0-9_]{1,39}|[1-9])\.wav")
MESSAGE, TALK = "message", "call"
_WAV_HEAD = 44
_SEALED = ".sealed"
#: The PBX may still write what the end of a call left over: nobody wrote for so long.
_QUIET = timedelta(seconds=20)
#: A message whose call is on no record (its journal was lost) is sealed once nobody has written so long.
_UNKNOWN_CALL = timedelta(minutes=10)
#: A sealed file may wait so long for its row: the store may be slow, or away.
_ROWLESS = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message that may be heard now."""

    recording: Recording
    file: Path

    def sound(self) -> Iterator[bytes]:
        """Yield the sound (WAV); raise `SealedFileBroken` if the file was changed."""
        with self.file.open("rb") as source:
            yield from open_file(source, b64decode(self.recording.key), self.recording.id)


def seal_waiting(store: Store, spool: Path, folder: Path, *, now: datetime) -> int:
    """Seal every message in `spool` whose call has ended and that nobody writes any more; return how many.

    One that fails is logged and holds up no other; what is no regular file is logged and left alone.
    """
    sealed = 0
    for wav in sorted(spool.glob("*.wav")):
        try:
            sealed += _seal(store, wav, folder, now)
        except Refused:
            log.warning("no regular file among the messages", extra={"action": "recordings.skip"})
        except Exception:
            log.exception("a message could not be sealed", extra={"action": "recordings.seal"})
    return sealed


def _seal(store: Store, wav: Path, folder: Path, now: datetime) -> bool:
    named = _WAV.fullmatch(wav.name)
    if named is None:
        return False
    with open_regular(wav) as source:
        seen = os.fstat(source.fileno())
        if not _has_ended(store, named["call"], seen, now):
            return False
        name, recording = _place_for(store, source, folder, f"{named['call']}/{_node(named['node'])}")
        if recording is None and not _is_kept(store, source, seen, folder, name, now):
            return False
        # Whatever was written meanwhile stands in the clear file only: then it stays for the next round.
        if not _is_untouched(source, seen) or not _is_still(wav, seen):
            return False
        wav.unlink(missing_ok=True)
    sync_folder(wav.parent)
    return True


def _node(word: str) -> str:
    """Return what the sound is called within its call."""
    return f"talk-{word}" if word.isdigit() else word


def _is_kept(
    store: Store, source: BufferedReader, seen: os.stat_result, folder: Path, name: str, now: datetime
) -> bool:
    """Seal the sound and keep its row; tell whether that was done, by us and whole."""
    recording = _write_sealed(source, folder, name, now)
    if not _is_untouched(source, seen):
        (folder / recording.file).unlink(missing_ok=True)
        return False
    try:
        with store() as work:
            _keep(work, recording)
            work.commit()
    except Conflict:  # somebody else sealed it this moment: theirs counts
        (folder / recording.file).unlink(missing_ok=True)
        return False
    return True


def _is_untouched(source: BufferedReader, seen: os.stat_result) -> bool:
    """Tell whether nobody wrote into the open file since `seen`."""
    now = os.fstat(source.fileno())
    return (now.st_size, now.st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)


def _is_still(wav: Path, seen: os.stat_result) -> bool:
    """Tell whether the name still leads to the file that was opened."""
    try:
        now = wav.lstat()
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino)


def _has_ended(store: Store, call: str, seen: os.stat_result, now: datetime) -> bool:
    """Tell whether the call is over and its file is finished; of a call nobody knows, long finished."""
    # A time in the future is of a clock that was set back since: nobody writes there now either.
    quiet = abs(now - datetime.fromtimestamp(seen.st_mtime, UTC))
    with store() as work:
        try:
            return not work.calls.get(call).is_open and quiet >= _QUIET
        except NotFound:
            return quiet >= _UNKNOWN_CALL


def _place_for(store: Store, source: BufferedReader, folder: Path, name: str) -> tuple[str, Recording | None]:
    """Return the id for this sound, and its row if it was sealed already, or was deleted on purpose."""
    source.seek(0)
    checksum = file_digest(source, "sha256").hexdigest()
    with store() as work:
        for n in count(1):
            free = name if n == 1 else f"{name}/{n}"
            known = work.book(RECORDINGS).one(free)
            if known is not None and known.dropped_at is not None:
                return free, known
            if known is None or not known.checksum:  # free, or a consent that waits for its talk
                return free, None
            if known.checksum == checksum:
                is_done = not known.file or (folder / known.file).exists()
                return free, known if is_done else None
    raise RuntimeError("numbers do not end")


def _write_sealed(source: BufferedReader, folder: Path, name: str, now: datetime) -> Recording:
    """Write the sealed file and return the row it needs. The file's name says nothing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, file = os.urandom(KEY_BYTES), f"{uuid4().hex}{_SEALED}"
    source.seek(0)
    with new_private(folder / file) as out:
        content = seal_file(source, out, key, name)
    call, node = name.split("/")[:2]
    return Recording(
        id=name,
        call=call,
        node=node,
        at=now,
        size=content.size,
        file=file,
        key=b64encode(key).decode(),
        checksum=content.sha256,
        kind=TALK if node.startswith("talk-") else MESSAGE,
    )


def _keep(work: UnitOfWork, recording: Recording) -> None:
    """Add the row; where one of the same sound stands whose sealed file is lost, put it in its place.

    A talk takes over the consent that waits for it; without one it stands without (`agreed_at`).
    """
    known = work.book(RECORDINGS).one(recording.id)
    consent = known or work.book(RECORDINGS).one("/".join(recording.id.split("/")[:2]))
    if consent is not None and recording.kind == TALK:
        recording = replace(
            recording,
            at=consent.agreed_at or recording.at,
            agent=consent.agent,
            agreed_at=consent.agreed_at,
            withdrawn_at=consent.withdrawn_at,
        )
    if known is None:
        work.book(RECORDINGS).add(recording)
    elif known.dropped_at is None and known.checksum in ("", recording.checksum):
        work.book(RECORDINGS).put(replace(recording, revision=known.revision))
    else:
        raise Conflict(f"编号为 {recording.id} 的留言已存在。")


def of_call(work: UnitOfWork, call: str) -> Sequence[Recording]:
    """Return the messages left in a call that were not deleted, by node."""
    return [one for one in work.book(RECORDINGS).where(call=call) if one.file and one.kind == MESSAGE]


@guarded(Verb.MESSAGE_HEAR)
def hear(
    work: UnitOfWork, folder: Path, call: str, *, actor: str, now: datetime, reason: str
) -> list[Message]:
    """Return the messages left in a call, and write down who heard them and why.

    Raises `Forbidden`, `Refused` without a sensible reason, and `NotFound` if there is none.
    """
    allow(work, actor, Verb.MESSAGE_HEAR)
    told = checked_reason(reason)
    messages = [Message(recording=r, file=folder / r.file) for r in of_call(work, call)]
    if not messages:
        raise NotFound(f"通话 {call} 没有留言,或留言已按期删除。")
    for message in messages:
        thing = f"recording:{message.recording.id}"
        work.audit.append(AuditEntry(actor=actor, verb=Verb.MESSAGE_HEAR, object=thing, at=now, reason=told))
    return messages


def length_of(recording: Recording) -> timedelta:
    """Return how long a talk is: 8000 samples of two bytes a second, after the head of a WAV."""
    return timedelta(seconds=max(0, recording.size - _WAV_HEAD) / 16000)


def delete(work: UnitOfWork, folder: Path, recording: Recording) -> Recording:
    """Take a message's key out of the store and return its row: once that is committed nobody opens it.

    The file itself goes with the next `sweep`, so that a unit that is undone has lost nothing.
    """
    del folder  # kept in the signature: whoever deletes says where, and sweeps there after the commit
    return work.book(RECORDINGS).put(replace(recording, file="", key=""))


def sweep(store: Store, folder: Path, *, now: datetime) -> int:
    """Delete the sealed files that no row opens any more, and what a crash left; return how many."""
    files = [path for path in folder.glob("*") if path.suffix == _SEALED or path.name.endswith(".part")]
    if not files:
        return 0
    with store() as work:
        wanted = {recording.file for recording in work.book(RECORDINGS).where()}
    gone = 0
    for path in files:
        age = now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if path.name not in wanted and age >= _ROWLESS:
            path.unlink(missing_ok=True)
            gone += 1
    return gone
