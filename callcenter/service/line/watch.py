"""What is wrong with the line now, and the alarms that follow (P10).

`Live` is what the PBX shows, `Reading` adds what the store knows, `Picture` remembers since when each
thing has been wrong or right. Everything up to `wrong_now` is pure; `Watch.once` is the tick.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.config import Alarms as AlarmSettings
from callcenter.config import Crisis as CrisisSettings
from callcenter.config import Duty as DutySettings
from callcenter.domain.alarms import AlarmKind
from callcenter.domain.attendance import late_now
from callcenter.domain.calls import CallRecord, Direction
from callcenter.domain.duty import ShiftKind, presence_of
from callcenter.domain.sessions import LATE_AFTER, SessionStatus
from callcenter.pacing import Spell
from callcenter.ports import AlarmRoad, Member, Store, UnitOfWork
from callcenter.service.duty.presence import by_phone
from callcenter.service.line.alarms import Bell, clear, policy_of
from callcenter.service.line.dialler import faults_in_a_row, starved
from callcenter.service.line.risk_clock import handed_up, overdue, unaccepted, unacknowledged, unheard
from scheduler.gates import Rules
from scheduler.risk_ladder import RiskRules
from scheduler.windows import Windows

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What is seen of the PBX at this instant. None means: nobody here can tell."""

    #: Everybody in the queue.
    members: tuple[Member, ...] | None = None
    #: The carrier answers (qualify of the trunk's contact, or its device state).
    trunk_up: bool | None = None
    #: The bridge's AMI session is up and answers.
    connected: bool | None = None
    #: When a call was last seen to begin, live.
    last_call_at: datetime | None = None
    #: When the newest row of the journal that we have read was written.
    journal_at: datetime | None = None
    #: How many of the newest callers, in a row, came without a number.
    without_number: int | None = None
    #: Since when what the journal says cannot be stored; None: it can.
    unstored_since: datetime | None = None
    #: How much of the journal's disk is free, 0 to 1.
    disk_free: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One look at the line."""

    at: datetime
    live: Live = Live()
    #: Agents whose planned shift at the line covers `at`.
    on_shift: frozenset[str] = frozenset()
    #: Those of them who are signed on and rest, or wait for a debriefing (R47).
    resting: frozenset[str] = frozenset()
    #: Those of them who should have signed on `duty.late_after` ago. None: the store cannot be read.
    late: tuple[str, ...] | None = None
    #: Journal rows kept because nobody could parse them, and how many of them somebody was told of.
    unread_rows: int = 0
    unread_told: int = 0
    #: Cases nobody answers for yet, and contacts owed to people at high risk that are past their time,
    #: as words of a detail. None: the store cannot be read.
    unacknowledged: tuple[str, ...] | None = None
    overdue: tuple[str, ...] | None = None
    #: Hand-overs nobody accepted by name in time (R45), as words of a detail.
    unaccepted: tuple[str, ...] | None = None
    #: Answered calls without a record a day later (I2).
    unwritten: int | None = None
    #: R27: faults of the line in a row that stopped the dialler; 0: it goes.
    faults: int | None = None
    #: Debts past their end whose automated call the line refused all along, as words of a detail.
    starved: tuple[str, ...] | None = None
    #: The store could not be looked into.
    is_blind: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Since when each kind of trouble has been there, or gone. Folded from readings by `look`."""

    wrong_since: Mapping[AlarmKind, datetime] = field(default_factory=dict)
    right_since: Mapping[AlarmKind, datetime] = field(default_factory=dict)
    #: For machines: no personal data.
    details: Mapping[AlarmKind, str] = field(default_factory=dict)


#: How long a trouble must last before it alarms, by kind or by kind and detail.
PATIENCE: Mapping[AlarmKind | tuple[AlarmKind, str], timedelta] = {
    AlarmKind.NOBODY_ON_DUTY: timedelta(seconds=60),
    # People may rest: a line whose every seat rests is told of, but later. Calls escalate meanwhile.
    (AlarmKind.NOBODY_ON_DUTY, "all_paused"): timedelta(minutes=10),
    AlarmKind.TRUNK_DOWN: timedelta(seconds=90),
    AlarmKind.JOURNAL_STALLED: timedelta(seconds=60),
    AlarmKind.JOURNAL_UNREADABLE: timedelta(0),
    AlarmKind.BRIDGE_DISCONNECTED: timedelta(seconds=60),
    AlarmKind.NO_CALLER_ID: timedelta(0),
    # How long a case may wait says the risk clock (`callcenter.service.line.risk_clock`).
    AlarmKind.RISK_UNACKNOWLEDGED: timedelta(0),
    AlarmKind.RISK_OVERDUE: timedelta(0),
    AlarmKind.RECORD_MISSING: timedelta(0),
    # How long somebody may be late says `duty.late_after`.
    AlarmKind.LATE_FOR_DUTY: timedelta(0),
    # How long a hand-over may wait says `crisis.accept_within`.
    AlarmKind.HANDOVER_OPEN: timedelta(0),
    AlarmKind.DIALLER_STOPPED: timedelta(0),
    AlarmKind.DEBT_STARVED: timedelta(0),
    # A restart of the database takes seconds and rings nobody.
    AlarmKind.STORE_AWAY: timedelta(seconds=60),
    AlarmKind.DISK_FILLING: timedelta(seconds=60),
}
#: R45: how long a hand-over may wait for a name.
ACCEPT_WITHIN = CrisisSettings().accept_within
#: How long after the beginning of their shift somebody is missed.
LATE_FOR = DutySettings().late_after
#: R8: some callers withhold their number; so many in a row means that the carrier no longer sends any.
WITHOUT_NUMBER = 5
#: How long a trouble must be gone before it counts as gone.
CALM = timedelta(minutes=2)
#: So much of the journal's disk must be free: with less there is time to mend it, and calls are lost after.
DISK_FREE = 0.10
#: How far the journal may lag behind a call seen live.
JOURNAL_LAG = timedelta(seconds=30)


def troubles(reading: Reading) -> dict[AlarmKind, str | None]:
    """Return, per kind that can be judged now, its detail if something is wrong, else None."""
    live, found = reading.live, dict[AlarmKind, str | None]()
    if live.members is not None:
        found[AlarmKind.NOBODY_ON_DUTY] = _nobody(reading.on_shift, reading.resting, live.members)
    if live.trunk_up is not None:
        found[AlarmKind.TRUNK_DOWN] = None if live.trunk_up else "unreachable"
    if live.connected is not None:
        found[AlarmKind.BRIDGE_DISCONNECTED] = None if live.connected else "no_ami"
    if live.last_call_at is not None:
        found[AlarmKind.JOURNAL_STALLED] = _stalled(live.last_call_at, live.journal_at)
    if live.without_number is not None:
        nameless = live.without_number >= WITHOUT_NUMBER
        found[AlarmKind.NO_CALLER_ID] = "carrier_sends_none" if nameless else None
    # Many things of one sort: each is a word of the detail.
    named = {
        AlarmKind.RISK_UNACKNOWLEDGED: reading.unacknowledged,
        AlarmKind.RISK_OVERDUE: reading.overdue,
        AlarmKind.LATE_FOR_DUTY: reading.late,
        AlarmKind.HANDOVER_OPEN: reading.unaccepted,
        AlarmKind.DEBT_STARVED: reading.starved,
    }
    found |= {kind: " ".join(words) or None for kind, words in named.items() if words is not None}
    if reading.unwritten is not None:
        # A count and nothing else: whose calls they were is for those who list them.
        found[AlarmKind.RECORD_MISSING] = f"records={reading.unwritten}" if reading.unwritten else None
    if reading.faults is not None:
        found[AlarmKind.DIALLER_STOPPED] = f"faults={reading.faults}" if reading.faults else None
    if not reading.is_blind:
        new_rows = reading.unread_rows > reading.unread_told
        found[AlarmKind.JOURNAL_UNREADABLE] = f"rows={reading.unread_rows}" if new_rows else None
    found[AlarmKind.STORE_AWAY] = _away(reading)
    if live.disk_free is not None:
        full = live.disk_free < DISK_FREE
        found[AlarmKind.DISK_FILLING] = f"free={live.disk_free:.0%}" if full else None
    return found


def look(before: Picture, reading: Reading) -> Picture:
    """Return the picture after one more reading. What cannot be judged now stays as it was."""
    wrong, right, details = dict(before.wrong_since), dict(before.right_since), dict(before.details)
    for kind, detail in troubles(reading).items():
        if detail is None:
            wrong.pop(kind, None)
            right.setdefault(kind, reading.at)
        else:
            right.pop(kind, None)
            wrong.setdefault(kind, reading.at)
            details[kind] = detail
    return Picture(wrong_since=wrong, right_since=right, details=details)


def wrong_now(picture: Picture, now: datetime) -> frozenset[tuple[AlarmKind, str]]:
    """Return the troubles that have lasted longer than their patience."""
    lasting = ((kind, picture.details[kind], since) for kind, since in picture.wrong_since.items())
    return frozenset(
        (kind, detail) for kind, detail, since in lasting if now - since >= patience(kind, detail)
    )


def right_now(picture: Picture, now: datetime) -> frozenset[AlarmKind]:
    """Return the kinds that have been right for long enough to count as gone."""
    return frozenset(kind for kind, since in picture.right_since.items() if now - since >= CALM)


def patience(kind: AlarmKind, detail: str) -> timedelta:
    """Return how long this trouble may last unalarmed."""
    return PATIENCE.get((kind, detail), PATIENCE[kind])


class Watch:
    """The tick: look, raise, clear, climb, and keep the PBX's own watchdog asleep.

    Call `once` about once a minute, off the event loop (it waits for the store). `live` must return
    at once: the bridge keeps what it last saw.
    """

    def __init__(
        self,
        store: Store,
        road: AlarmRoad,
        live: Callable[[], Live],
        settings: AlarmSettings,
        risk: RiskRules | None = None,
        windows: Windows | None = None,
        accept_within: timedelta = ACCEPT_WITHIN,
        late_after: timedelta = LATE_FOR,
        rules: Rules | None = None,
    ) -> None:
        self._road = road
        self._live = live
        self._settings = settings
        self._risk = risk or RiskRules()
        self._accept_within = accept_within
        self._late_after = late_after
        self._rules = rules or Rules()
        self._policy = policy_of(settings, self._risk, windows)
        self.bell = Bell(store, road, self._policy)
        self.picture = Picture()
        self._reads = Spell("watch.no_store", log, what="reading the store")
        self._ends = Spell("watch.unfinished", log, what="a look at the line")

    def once(self, now: datetime) -> frozenset[tuple[AlarmKind, str]]:
        """Look once; return what is wrong. Never raises.

        The watchdog is rearmed only by a whole look: when the store stays dead, or this look hangs,
        the PBX itself rings after `alarms.watchdog`.
        """
        live = self._live()
        whole = self._look(live, now)
        wrong = wrong_now(self.picture, now)
        for kind, detail in sorted(wrong):
            self.bell.raise_alarm(kind, detail, now, blind=not whole)
        self.bell.climb(now, blind=not whole)
        if whole:
            self._tidy(now)
        return wrong

    def _look(self, live: Live, now: datetime) -> bool:
        """Take the picture; with a dead store, only of what the PBX shows."""
        try:
            reading = self.bell.within(
                lambda work: read(
                    work, live, now, self._risk, self._accept_within, self._late_after, self._rules
                )
            )
        except Exception as error:
            self._reads.failed(error)
            # Without the roster nobody can say whether somebody ought to be here.
            blind = Live(trunk_up=live.trunk_up, connected=live.connected, disk_free=live.disk_free)
            self.picture = look(self.picture, Reading(at=now, live=blind, is_blind=True))
            return False
        self._reads.worked()
        self.picture = look(self.picture, reading)
        return True

    def _tidy(self, now: datetime) -> None:
        try:
            self.bell.within(lambda work: clear(work, right_now(self.picture, now), now))
            self._road.rearm_watchdog(now + self._settings.watchdog)
        except Exception as error:
            self._ends.failed(error)
        else:
            self._ends.worked()


class NumberWatch:
    """Counts callers in a row who came without a number; a hook of the journal's follower."""

    def __init__(self) -> None:
        self.in_a_row: int | None = None

    def __call__(self, work: UnitOfWork, calls: Sequence[CallRecord], now: datetime) -> None:
        """Hear of calls that ended."""
        for call in sorted(calls, key=lambda c: c.started_at):
            if call.direction is Direction.INBOUND:
                self.in_a_row = (self.in_a_row or 0) + 1 if call.number is None else 0


def read(
    work: UnitOfWork,
    live: Live,
    now: datetime,
    risk: RiskRules | None = None,
    accept_within: timedelta = ACCEPT_WITHIN,
    late_after: timedelta = LATE_FOR,
    rules: Rules | None = None,
) -> Reading:
    """Return one look: what the PBX shows and what the store knows."""
    planned = work.roster.shifts_between(now - timedelta(hours=24), now + timedelta(seconds=1))
    here = [shift for shift in planned if shift.kind is ShiftKind.LINE and shift.covers(now)]
    acts, users = work.roster.presence_events(), by_phone(work)
    resting = {agent for agent, p in presence_of(acts).items() if p.signed_on and not p.ready}
    on_shift = frozenset(shift.agent for shift in here)
    return Reading(
        at=now,
        live=live,
        on_shift=on_shift,
        resting=on_shift & resting,
        # Whoever was switched off is a fault of the plan, and told of there.
        late=tuple(sorted(late_now(here, acts, now, late_after) & users.keys())),
        unread_rows=work.journal.unread_count(),
        unread_told=_told(work),
        unacknowledged=(*unacknowledged(work, now, risk or RiskRules()), *unheard(work), *handed_up(work)),
        overdue=overdue(work, now, risk),
        unaccepted=unaccepted(work, now, accept_within),
        unwritten=_unwritten(work, now),
        faults=faults_in_a_row(work, rules or Rules()),
        starved=starved(work, now, rules or Rules()),
    )


def _unwritten(work: UnitOfWork, now: datetime) -> int:
    """Count the answered calls whose record is late (I2)."""
    return sum(row.opened_at + LATE_AFTER < now for row in work.sessions.all(SessionStatus.OPEN))


def _told(work: UnitOfWork) -> int:
    """Return how many unreadable rows the newest alarm about them named."""
    about = (a for a in work.alarms.recent(200) if a.kind is AlarmKind.JOURNAL_UNREADABLE)
    newest = next(about, None)
    found = re.search(r"rows=(\d+)", newest.detail) if newest else None
    return int(found[1]) if found else 0


def _nobody(on_shift: frozenset[str], resting: frozenset[str], members: tuple[Member, ...]) -> str | None:
    """Tell why no member can take a call while somebody is on shift, or None.

    Whoever rests by our own word is no member at all.
    """
    if not on_shift or any(m.reachable and not m.paused for m in members):
        return None
    if any(m.reachable for m in members) or (resting and not members):
        return "all_paused"
    return "unreachable" if members else "no_member"


def _away(reading: Reading) -> str | None:
    """Tell what cannot be done with the store, or None. A full disk can be read and not written."""
    if reading.is_blind:
        return "unreadable"
    return "unwritable" if reading.live.unstored_since else None


def _stalled(last_call_at: datetime, journal_at: datetime | None) -> str | None:
    behind = journal_at is None or last_call_at - journal_at > JOURNAL_LAG
    return "behind" if behind else None
