"""Rows of many calls at once, as they come: what is open, what is over, what is not told yet.

Bounded: rows are kept of open calls and of the last few that ended (for a late row); of those before,
only the id. Nothing here knows files: a place is (number of the file, offset), compared as such.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from callcenter.domain.calls import CallRecord
from callcenter.domain.folding.acts import ACTS, acts_of
from callcenter.domain.folding.call import fold_call
from callcenter.domain.folding.facts import Facts
from callcenter.domain.folding.reading import is_ahead
from callcenter.domain.journal import Row
from callcenter.domain.queue_log import BOOT, QueueRow

Place = tuple[int, int]
#: Of what was not read from queue_log.
_NOWHERE: Place = (-1, -1)

#: A call of which nothing was heard for so long is over, whatever got lost (R11: talks have no limit).
_GIVEN_UP = 24 * 3600.0
#: How long queue_log may know a call before the journal must.
_ORPHAN = 10.0
#: Asterisk counts its channels from 0: a second sign of a start, should queue_log be lost.
_FIRST_CHANNEL = re.compile(r"(?:[\w-]+-)?\d{10}\.0")
#: Ended calls whose rows are kept, and ended calls whose id is kept.
_LINGERING, _REMEMBERED = 512, 50_000


@dataclass(slots=True)
class _Call:
    rows: list[Row] = field(default_factory=list)
    queue: list[QueueRow] = field(default_factory=list)
    first: Place | None = None
    queue_first: Place | None = None

    @property
    def heard(self) -> float:
        """Return when it was last heard of, in seconds since 1970."""
        rows = (float(row.time) for row in self.rows)
        return max((*rows, *(float(row.time) for row in self.queue)), default=0.0)


class Folding:
    """Takes rows, and tells the calls they touched."""

    def __init__(self) -> None:
        self._open: dict[str, _Call] = {}
        #: Known to queue_log only, so far.
        self._orphans: dict[str, _Call] = {}
        self._lingering: OrderedDict[str, _Call] = OrderedDict()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._touched: dict[str, _Call] = {}
        #: Open calls that queue_log says were answered, where the journal may still say it more exactly.
        self._ahead: dict[str, _Call] = {}
        self._judged_to = 0.0
        #: The PBX's last start that counts, starts that do not count yet, and those not judged yet.
        self._boot = 0.0
        self._new_boots: list[tuple[float, Place]] = []
        self._fresh_boots: list[tuple[float, Place]] = []
        self._acts: list[Row] = []
        #: New calls, any of which may be an old one that is read again, also from a copy: see `forget`.
        self.doubtful: set[str] = set()
        #: Rows of calls that are over and forgotten.
        self.late = 0
        #: Time of the newest row.
        self.horizon = 0.0

    def take(
        self, rows: Iterable[Row], offsets: Iterable[int], file: int = 0, *, again: bool = False
    ) -> None:
        """Take journal rows in file order. `again`: they may have been told in an earlier life."""
        known, touched = self._open, self._touched
        newest = ""
        for row, offset in zip(rows, offsets, strict=True):
            call = known.get(row[8]) or self._meet(row, (file, offset), again)
            if call is None:
                continue
            call.rows.append(row)
            touched[row[8]] = call
            if row[0] > newest:
                newest = row[0]
            if row[1] in ACTS:
                self._acts.append(row)
        if newest:
            self.horizon = max(self.horizon, float(newest))

    def take_queue(self, rows: Iterable[QueueRow], places: Iterable[Place], *, again: bool = False) -> None:
        """Take rows of queue_log in file order."""
        for row, place in zip(rows, places, strict=True):
            if row.event == BOOT:
                self._fresh_boots.append((float(row.time), place))
            elif row.event in _OF_A_CALL and row.call not in self._gone:
                self._take_queue(row, place, again)

    def forget(self, ids: Iterable[str]) -> None:
        """Drop calls that are on record as ended: their rows were only read again."""
        for call_id in ids:
            self._open.pop(call_id, None)
            self._orphans.pop(call_id, None)
            self._touched.pop(call_id, None)
            self._ahead.pop(call_id, None)
            self._remember(call_id)
        self.doubtful.clear()

    def judge(self, *, at_end: bool, now: float | None = None) -> Facts:
        """Tell every call that changed, and the acts.

        `at_end`: the journal has been read to its end, so that a call which a boot known before that
        reading finds open did not survive it. `now` (seconds since 1970) is for what must wait; without
        it nothing more will come.
        """
        if now is None:
            self._new_boots += self._fresh_boots
            self._fresh_boots = []
        self._wake(at_end)
        given_up = self._lost(now) if at_end else frozenset()
        if self.horizon > self._judged_to:
            self._touched.update((i, call) for i, call in self._ahead.items() if i in self._open)
            self._ahead, self._judged_to = {}, self.horizon
        records = list(self._records(given_up, inf if now is None else self.horizon))
        if at_end:
            records += self._orphan_records(now)
        acts, self._acts, self._touched = acts_of(self._acts), [], {}
        return Facts(
            calls=tuple(records),
            presence=acts.presence,
            acks=acts.acks,
            probes=acts.probes,
            line=acts.line,
        )

    def headless(self) -> list[str]:
        """Return the doubtful calls whose beginning was not read: its first row is of the first channel."""
        new = ((i, self._open[i].rows[0]) for i in self.doubtful if i in self._open)
        return [i for i, row in new if row.event != "CHAN_START" or row.unique != i]

    def overdue(self, now: float | None) -> list[str]:
        """Return the calls that queue_log alone knows, and the journal should by now."""
        return [i for i, call in self._orphans.items() if now is None or now - call.heard >= _ORPHAN]

    def low(self) -> Place | None:
        """Return the place of the oldest open call's first row."""
        return next((call.first for call in self._open.values()), None)

    def queue_low(self) -> Place | None:
        """Return the place of the oldest line of queue_log that still counts: an open call's, or a boot's."""
        calls = (*self._open.values(), *self._orphans.values())
        boots = [place for _, place in (*self._new_boots, *self._fresh_boots) if place != _NOWHERE]
        return min((*boots, *(call.queue_first for call in calls if call.queue_first)), default=None)

    @property
    def waiting(self) -> int:
        """Return how many calls are open."""
        return len(self._open)

    def _meet(self, row: Row, place: Place, again: bool) -> _Call | None:
        call_id = row.linked
        if call_id in self._gone:
            self.late += 1
            return None
        if call_id in self._lingering:
            return self._lingering[call_id]
        call = self._orphans.pop(call_id, None) or _Call()
        call.first = place
        self._open[call_id] = call
        self.doubtful.add(call_id)
        if not again and row.event == "CHAN_START" and _FIRST_CHANNEL.fullmatch(row.unique):
            self._fresh_boots.append((float(row.time), _NOWHERE))
        return call

    def _take_queue(self, row: QueueRow, place: Place, again: bool) -> None:
        call = self._open.get(row.call) or self._lingering.get(row.call) or self._orphans.get(row.call)
        if call is None:
            call = self._orphans[row.call] = _Call()
            self.doubtful.add(row.call)
        call.queue.append(row)
        call.queue_first = call.queue_first or place
        if call.rows:
            self._touched[row.call] = call

    def _wake(self, at_end: bool) -> None:
        """Let the boots that the journal has been read past count."""
        due = [boot for boot in self._new_boots if at_end or boot[0] <= self.horizon]
        if due:
            self._new_boots = [boot for boot in self._new_boots if boot not in due]
            self._boot = max(self._boot, *(time for time, _ in due))
            self._touched.update(self._open)
        self._new_boots += self._fresh_boots
        self._fresh_boots = []

    def _lost(self, now: float | None) -> frozenset[str]:
        if now is None:
            return frozenset()
        oldest = next(iter(self._open.values()), None)
        if oldest is None or now - float(oldest.rows[0].time) < _GIVEN_UP:
            return frozenset()
        lost = {i: call for i, call in self._open.items() if now - call.heard >= _GIVEN_UP}
        self._touched.update(lost)
        return frozenset(lost)

    def _records(self, given_up: frozenset[str], read_to: float) -> Iterator[CallRecord]:
        for call_id, call in self._touched.items():
            lost = call_id in given_up
            record = fold_call(call_id, call.rows, call.queue, self._boot, given_up=lost, read_to=read_to)
            if record is None:
                self._drop_if_over(call_id, call)
                continue
            yield record
            if record.is_open and any(q.event == "CONNECT" and is_ahead(q, read_to) for q in call.queue):
                self._ahead[call_id] = call
            if not record.is_open and call_id in self._open:
                self._linger(call_id, self._open.pop(call_id))

    def _orphan_records(self, now: float | None) -> list[CallRecord]:
        """Tell calls the journal should know by now and does not."""
        records = []
        for call_id in self.overdue(now):
            lost = now is not None and now - self._orphans[call_id].heard >= _GIVEN_UP
            record = fold_call(call_id, (), self._orphans[call_id].queue, self._boot, given_up=lost)
            if record is not None and not record.is_open:
                records.append(record)
                self._linger(call_id, self._orphans.pop(call_id))
        return records

    def _drop_if_over(self, call_id: str, call: _Call) -> None:
        """Forget what was no call (only Local channels) once it is over."""
        if call_id in self._open and any(row.event == "LINKEDID_END" for row in call.rows):
            del self._open[call_id]
            self._remember(call_id)

    def _linger(self, call_id: str, call: _Call) -> None:
        self._lingering[call_id] = call
        if len(self._lingering) > _LINGERING:
            self._remember(self._lingering.popitem(last=False)[0])

    def _remember(self, call_id: str) -> None:
        self._gone[call_id] = None
        if len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)


_OF_A_CALL = frozenset(
    {
        "ENTERQUEUE", "CONNECT", "COMPLETEAGENT", "COMPLETECALLER", "ABANDON", "RINGNOANSWER",
        "EXITWITHTIMEOUT", "EXITWITHKEY", "EXITEMPTY", "BLINDTRANSFER", "ATTENDEDTRANSFER",
    }
)  # fmt: skip
