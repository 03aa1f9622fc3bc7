"""Follows the PBX's journal and queue_log into the store, through rotation, restarts and replays.

One poll reads a stretch, folds it, and stores calls, acts, unreadable rows and the new reading position
in one transaction: whatever dies, the next reading goes on where the store says. A call still open is
read again from its first row, so nothing of it needs to be kept elsewhere; calls on record as ended
are then left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from callcenter.asterisk import error_log
from callcenter.asterisk.journal_files import Segment, segments_of
from callcenter.asterisk.journal_rows import Scrap, collector_resting, parse_journal
from callcenter.domain.fold import Folding
from callcenter.domain.folding.reading import AHEAD
from callcenter.domain.folding.state import Place
from callcenter.domain.queue_log import QueueRow, read_queue_line
from callcenter.ports import Checkpoint, Store, UnitOfWork, UnreadRow
from callcenter.service.line.records import Applied, Hooks, apply

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Bytes of the journal read by one poll: about 35 000 rows.
CHUNK = 8 << 20
_ROTATE_SIZE = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PollResult:
    """What one poll did."""

    rows: int = 0
    queue_rows: int = 0
    #: Rows kept because nobody could parse them.
    unread: int = 0
    calls: int = 0
    sessions: int = 0
    #: Calls still open.
    open_calls: int = 0
    #: Bytes written by the PBX and not read yet, the unfinished row at the end included.
    behind: int = 0
    #: Time of the newest row ever read by this follower.
    newest_at: datetime | None = None

    @property
    def caught_up(self) -> bool:
        """Tell whether there was nothing more to read."""
        return self.rows == 0 and self.queue_rows == 0


class _Source:
    """One log: its segments, and where reading stands. Segments get growing numbers as they are met."""

    def __init__(self, name: str, current: Path) -> None:
        self.name = name
        self.current = current
        self.segments: list[Segment] = []
        self._numbers: dict[str, int] = {}
        self._segment = ""
        self._offset = 0
        #: Places before this one were read in an earlier life.
        self.resume: Place = (0, 0)
        #: File read to its end, newer ones begun since -> how long it was then.
        self.done: dict[str, int] = {}

    def look(self) -> None:
        """See which files there are now."""
        self.segments = segments_of(self.current)
        for segment in self.segments:
            self._numbers.setdefault(segment.id, len(self._numbers))

    def start(self, checkpoint: Checkpoint | None) -> None:
        """Go to where an earlier life stood; to the oldest file if there was none or its file is gone."""
        self.look()
        known = {segment.id for segment in self.segments}
        if checkpoint is None or not known & {checkpoint.segment, checkpoint.low_segment}:
            return
        self._segment, self._offset = checkpoint.segment, checkpoint.offset
        if checkpoint.segment in known:
            self.resume = (self._numbers[checkpoint.segment], checkpoint.offset)
        if checkpoint.low_segment in known:
            self._segment, self._offset = checkpoint.low_segment, checkpoint.low_offset

    def next(self) -> tuple[Segment, int, bool] | None:
        """Return the segment to read from, the offset, and whether it is finished; None if there is none."""
        if not self.segments:
            return None
        ids = [segment.id for segment in self.segments]
        at = ids.index(self._segment) if self._segment in ids else -1
        if at < 0:
            # Never begun, or deleted under us: go on with the oldest file not read yet.
            at, self._offset = self._first_unread(), 0
            if at < 0:
                return None
        while at + 1 < len(ids) and self._offset >= self.segments[at].size:
            self.done[ids[at]] = self._offset
            at, self._offset = at + 1, 0
        segment = self.segments[at]
        self._segment = segment.id
        return segment, self._offset, at + 1 < len(ids)

    def late(self) -> int | None:
        """Return which file, of those before the present one, came or grew since; None: none did."""
        ids = [segment.id for segment in self.segments]
        before = self.segments[: ids.index(self._segment)] if self._segment in ids else []
        return next((n for n, s in enumerate(before) if self.done.get(s.id, 0) < s.size), None)

    def has(self, segment: str) -> bool:
        """Tell whether a file is there."""
        return any(one.id == segment for one in self.segments)

    def go_back(self, segment: str) -> None:
        """Read anew from the beginning of a file; one that is gone leaves the oldest."""
        self._segment, self._offset = segment, 0

    def before(self, late: int) -> str:
        """Return the file before a late one: calls of that may have begun there."""
        return self.segments[max(0, late - 1)].id

    def has_reached(self, segment: str, offset: int) -> bool:
        """Tell whether reading stands at a place or beyond it; a file that is gone was passed."""
        number = self._numbers.get(segment, -1)
        return (self._numbers.get(self._segment, -1), self._offset) >= (number, offset)

    def advance(self, consumed: int) -> None:
        """Go on by so many bytes."""
        self._offset += consumed

    def place(self, offset: int) -> Place:
        """Return the place of an offset in the present segment."""
        return self._numbers.get(self._segment, 0), offset

    def checkpoint(self, low: Place | None) -> Checkpoint | None:
        """Return what to keep, or None before anything was read."""
        if not self._segment:
            return None
        number, offset = low or (self._numbers[self._segment], self._offset)
        return Checkpoint(
            source=self.name,
            segment=self._segment,
            offset=self._offset,
            low_segment=next(i for i, n in self._numbers.items() if n == number),
            low_offset=offset,
        )

    def behind(self) -> int:
        """Return the bytes not read yet."""
        number = self._numbers.get(self._segment, -1)
        return sum(
            segment.size - (self._offset if segment.id == self._segment else 0)
            for segment in self.segments
            if self._numbers[segment.id] >= number
        )

    def _first_unread(self) -> int:
        number = self._numbers.get(self._segment, -1)
        later = (n for n, s in enumerate(self.segments) if self._numbers[s.id] > number)
        return next(later, -1)


class JournalFollower:
    """Reads one PBX's journal into the store.

    `home` is the PBX's folder. `replay`: take nothing for known, tell every call again.
    """

    def __init__(
        self,
        home: Path,
        store: Store,
        *,
        name: str = "pbx1",
        hooks: Hooks | None = None,
        replay: bool = False,
        chunk: int = CHUNK,
    ) -> None:
        self._store = store
        self._hooks = hooks or Hooks()
        self._replay = replay
        self._chunk = chunk
        self._log = home / "log"
        self._paths = {
            f"{name}:journal": self._log / "cel-custom" / "journal.csv",
            f"{name}:queue_log": self._log / "queue_log",
        }
        self._journal, self._queue = self._sources()
        self._folding = Folding()
        self._written: tuple[Checkpoint | None, Checkpoint | None] | None = None
        #: Of `_Source.done`, what the store has.
        self._done: dict[str, int] = {}
        #: While a late file is told: from which file on, and (low) up to where reading stood before.
        self._anew: Checkpoint | None = None

    def poll(self, now: datetime) -> PollResult:
        """Read on, and keep what was read, in one transaction. Whatever fails, nothing is skipped."""
        try:
            with collector_resting(), self._store() as work:
                result = self._poll(work, now)
                work.commit()
        except BaseException:
            self._written = None  # memory is ahead of the store: start over from what the store has
            raise
        if result.unread:
            log.warning(
                "journal rows nobody can read", extra={"action": "journal.unread", "count": result.unread}
            )
        return result

    def catch_up(self, now: datetime, *, told: Callable[[PollResult], object] = lambda _: None) -> PollResult:
        """Poll until there is nothing more; return the sum."""
        total = PollResult()
        while True:
            result = self.poll(now)
            total = _sum(total, result)
            told(total)
            if result.caught_up:
                return total

    def reaches_back_to(self) -> datetime | None:
        """Return the time of the oldest row there is; None if there is none."""
        self._journal.look()
        born = min((segment.born for segment in self._journal.segments), default=None)
        return None if born is None else datetime.fromtimestamp(born, UTC)

    def rotate(
        self,
        now: datetime,
        *,
        keep: timedelta = timedelta(days=7),
        size: int = _ROTATE_SIZE,
        reopen: Callable[[], object] | None = None,
    ) -> list[Path]:
        """Begin new files when the present ones are big or a day old; return the files deleted.

        Asterisk opens the journal for each row (22.10.1), so that a rename is enough. It keeps queue_log
        and its error log open: `reopen` (`logger reload`) makes it begin new ones, and without it they are
        left alone. Only files wholly folded into the store and last written `keep` ago are deleted.
        """
        _begin_anew(self._journal, now, size)
        if reopen is not None:
            _begin_anew(self._queue, now, size)
            if error_log.put_aside(self._log, now) or not self._queue.current.exists():
                reopen()
        kept = (self._journal, self._queue)
        folded = [path for source in kept for path in self._delete_old(source, now, keep)]
        return [*folded, *error_log.delete_old(self._log, now, keep)]

    def _poll(self, work: UnitOfWork, now: datetime) -> PollResult:
        self._join(work)
        self._journal.look()
        self._queue.look()
        rows, scraps = self._read_journal(now)
        behind = self._journal.behind()
        at_end = behind == 0 or (rows == 0 and not scraps)
        queue_rows = self._read_queue(at_end)
        if self._folding.doubtful:
            self._folding.forget(work.calls.known_closed(self._doubtful()))
        if at_end and not self._replay and (alone := self._folding.overdue(now.timestamp())):
            # After a late file came queue_log is read from its beginning: what is on record knows more.
            self._folding.forget(work.calls.known_closed(alone))
        facts = self._folding.judge(at_end=at_end, now=now.timestamp())
        applied: Applied = apply(work, facts, now, self._hooks)
        unread = work.journal.keep_unread(scraps) if scraps else 0
        self._keep_places(work)
        self._end_anew(work)
        return PollResult(
            rows=rows + len(scraps),
            queue_rows=queue_rows,
            unread=unread,
            calls=len(facts.calls),
            sessions=applied.sessions,
            open_calls=self._folding.waiting,
            behind=behind,
            newest_at=datetime.fromtimestamp(self._folding.horizon, UTC) if self._folding.horizon else None,
        )

    def _doubtful(self) -> Collection[str]:
        """Return the calls that count only if they are not on record yet.

        While a late file is told, those are the calls that began before the file that is read first.
        """
        if self._replay:
            return ()
        return self._folding.doubtful if self._anew is None else self._folding.headless()

    def _join(self, work: UnitOfWork) -> None:
        """Go on where the store stands, if that is not where this follower left it.

        So it is after a start, a failure, and when a replay has moved the place under a running follower.
        """
        if self._replay and self._written is not None:
            return
        stored = (work.journal.checkpoint(self._journal.name), work.journal.checkpoint(self._queue.name))
        if stored != self._written:
            self._begin(work)
            self._go_on(work, stored)
            self._written = stored
        self._journal.look()
        late = self._journal.late()
        if late is not None and not self._replay:
            log.warning("a journal file came late, reading anew from there", extra={"action": "journal.late"})
            begin = self._journal.before(late)
            reached = self._anew or stored[0]
            self._begin(work)
            self._read_anew(work, begin, reached)

    def _go_on(self, work: UnitOfWork, stored: tuple[Checkpoint | None, Checkpoint | None]) -> None:
        """Go to where an earlier life stood, or, if it died while it read anew, to where it began to."""
        self._anew = work.journal.checkpoint(f"{self._journal.name}@anew")
        if self._anew is not None and self._anew.segment and not self._replay:
            self._journal.go_back(self._anew.segment)
            return
        self._anew = None
        self._journal.start(stored[0])
        self._queue.start(stored[1])
        if stored[0] is not None and not self._journal.has(stored[0].low_segment):
            # Calls that were open began there, and nobody remembers: it is late, if ever it comes back.
            self._journal.done[stored[0].low_segment] = 0

    def _read_anew(self, work: UnitOfWork, begin: str, reached: Checkpoint | None) -> None:
        """Tell calls again from a file on, until reading stands where it stood; whoever dies begins again.

        Only then does what is read replace what is on record: else a copy of some rows of a call, read by
        somebody who has forgotten the others, would make less of it.
        """
        self._journal.go_back(begin)
        if reached is not None:
            low = (
                (reached.low_segment, reached.low_offset) if self._anew else (reached.segment, reached.offset)
            )
            source = f"{self._journal.name}@anew"
            self._anew = Checkpoint(
                source=source, segment=begin, offset=0, low_segment=low[0], low_offset=low[1]
            )
            work.journal.set_checkpoint(self._anew)

    def _end_anew(self, work: UnitOfWork) -> None:
        """Go on as usual once reading stands where it stood before."""
        anew = self._anew
        if anew is not None and self._journal.has_reached(anew.low_segment, anew.low_offset):
            work.journal.set_checkpoint(replace(anew, segment="", low_segment="", low_offset=0))
            self._anew = None

    def _begin(self, work: UnitOfWork) -> None:
        """Forget what was read, but not which files the store has wholly."""
        self._journal, self._queue = self._sources()
        self._folding = Folding()
        self._journal.look()
        for segment in self._journal.segments:
            place = work.journal.checkpoint(self._of_file(segment.id))
            if place is not None:
                self._journal.done[segment.id] = place.offset
        self._done = dict(self._journal.done)

    def _of_file(self, segment: str) -> str:
        """Return under which name a finished file's length is kept."""
        return f"{self._journal.name}#{segment}"

    def _keep_places(self, work: UnitOfWork) -> None:
        places = (
            self._journal.checkpoint(self._folding.low()),
            self._queue.checkpoint(self._folding.queue_low()),
        )
        for place, known in zip(places, self._written or (None, None), strict=True):
            if place is not None and place != known:
                work.journal.set_checkpoint(place)
        self._written = places
        for segment, size in self._journal.done.items():
            if self._done.get(segment) != size:
                of, self._done[segment] = self._of_file(segment), size
                work.journal.set_checkpoint(
                    Checkpoint(source=of, segment=segment, offset=size, low_segment=segment, low_offset=size)
                )

    def _read_journal(self, now: datetime) -> tuple[int, list[UnreadRow]]:
        found = self._journal.next()
        if found is None:
            return 0, []
        segment, offset, finished = found
        data = segment.read(offset, self._chunk)
        final = finished and offset + len(data) >= segment.size
        parsed = parse_journal(data, final=final)
        file, _ = here = self._journal.place(offset)
        offsets = [offset + at for at in parsed.offsets]
        self._folding.take(parsed.rows, offsets, file, again=here < self._journal.resume)
        self._journal.advance(parsed.consumed)
        return len(parsed.rows), [_unread(segment, offset, scrap, now) for scrap in parsed.scraps]

    def _read_queue(self, at_end: bool) -> int:
        """Read queue_log up to where the journal stands."""
        count = 0
        while found := self._queue.next():
            segment, offset, finished = found
            data = segment.read(offset, self._chunk >> 3)
            final = finished and offset + len(data) >= segment.size
            whole = len(data) if final else data.rfind(b"\n") + 1
            rows, places = _queue_rows(data[:whole], self._queue, offset)
            until = float("inf") if at_end else self._folding.horizon + AHEAD
            taken = next((n for n, row in enumerate(rows) if row.time > until), len(rows))
            consumed = whole if taken == len(rows) else places[taken][1] - offset
            again = self._queue.place(offset) < self._queue.resume
            self._folding.take_queue(rows[:taken], places[:taken], again=again)
            self._queue.advance(consumed)
            count += taken
            if not consumed or taken < len(rows):
                break
        return count

    def _delete_old(self, source: _Source, now: datetime, keep: timedelta) -> list[Path]:
        with self._store() as work:
            place = work.journal.checkpoint(source.name)
        source.look()
        ids = [segment.id for segment in source.segments]
        if place is None or place.low_segment not in ids:
            return []
        done = source.segments[: ids.index(place.low_segment)]
        old = [
            s
            for s in done
            if s.path != source.current and now.timestamp() - s.changed >= keep.total_seconds()
        ]
        for segment in old:
            segment.path.unlink()
            log.info("old log deleted", extra={"action": "journal.delete", "file": segment.path.name})
        return [segment.path for segment in old]

    def _sources(self) -> tuple[_Source, _Source]:
        journal, queue = (_Source(name, path) for name, path in self._paths.items())
        return journal, queue


def _begin_anew(source: _Source, now: datetime, size: int) -> None:
    """Rename a log that is big or a day old."""
    source.look()
    current = next((s for s in source.segments if s.path == source.current), None)
    if current is None or (current.size < size and now.timestamp() - current.born < 86_400):
        return
    target = current.path.with_name(f"{current.path.name}.{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    if not target.exists():
        current.path.rename(target)
        target.chmod(0o600)


def _queue_rows(data: bytes, source: _Source, offset: int) -> tuple[list[QueueRow], list[Place]]:
    rows, places, at = [], [], offset
    for line in data.split(b"\n"):
        row = read_queue_line(line.decode("utf-8", "replace").rstrip("\r"))
        if row is not None:
            rows.append(row)
            places.append(source.place(at))
        at += len(line) + 1
    return rows, places


def _unread(segment: Segment, offset: int, scrap: Scrap, now: datetime) -> UnreadRow:
    return UnreadRow(key=f"{segment.id}:{offset + scrap.offset}", raw=scrap.raw, reason=scrap.reason, at=now)


def _sum(total: PollResult, result: PollResult) -> PollResult:
    return PollResult(
        rows=total.rows + result.rows,
        queue_rows=total.queue_rows + result.queue_rows,
        unread=total.unread + result.unread,
        calls=total.calls + result.calls,
        sessions=total.sessions + result.sessions,
        open_calls=result.open_calls,
        behind=result.behind,
        newest_at=result.newest_at,
    )
