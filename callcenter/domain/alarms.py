"""Alarms: something the supervisor on call must know, until somebody says by name that they do."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callcenter.domain.moments import check_aware
from scheduler.windows import Windows


class AlarmKind(StrEnum):
    """What is wrong. Each has a prompt `alarm_<kind>` that the PBX speaks."""

    NOBODY_ON_DUTY = "nobody_on_duty"
    TRUNK_DOWN = "trunk_down"
    JOURNAL_STALLED = "journal_stalled"
    JOURNAL_UNREADABLE = "journal_unreadable"
    BRIDGE_DISCONNECTED = "bridge_disconnected"
    SELF_DIAL_FAILED = "self_dial_failed"
    #: R8: calls come without the caller's number, so nobody could be called back.
    NO_CALLER_ID = "no_caller_id"
    #: R14: a case at level 0 or 1 that no supervisor has put their name on.
    RISK_UNACKNOWLEDGED = "risk_unacknowledged"
    #: A contact owed to somebody at high risk is past its time.
    RISK_OVERDUE = "risk_overdue"
    #: I2: answered calls of whose record nothing was submitted a day later.
    RECORD_MISSING = "record_missing"
    #: R14: a counsellor asks for a supervisor now: somebody is in danger. Raised by the PBX itself.
    CRISIS = "crisis"
    #: Somebody whose shift has begun has not signed on.
    LATE_FOR_DUTY = "late_for_duty"
    #: R45: a hand-over that nobody has accepted by name.
    HANDOVER_OPEN = "handover_open"
    #: R27: faults of the line in a row stopped the dialler.
    DIALLER_STOPPED = "dialler_stopped"
    #: A debt is past its time because callers took the line all along.
    DEBT_STARVED = "debt_starved"
    #: P5: the database cannot be used. Callers are answered; their records wait in the journal.
    STORE_AWAY = "store_away"
    #: The disk of the journal fills: a full one loses calls without a word, so this comes early.
    DISK_FILLING = "disk_filling"
    #: Nothing of ours has been alive for `alarms.watchdog`; raised by the PBX itself.
    WATCHDOG = "watchdog"
    #: `hotline alarm test`.
    TEST = "test"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One alarm. Open until acknowledged; at most one open alarm of a kind, `OF_CALLS` aside."""

    id: str
    kind: AlarmKind
    raised_at: datetime
    #: For machines and logs: never personal data.
    detail: str = ""
    rung_at: datetime | None = None
    #: How often it climbed (0 = first ring).
    rounds: int = 0
    acknowledged_at: datetime | None = None
    #: User code of who acknowledged it.
    acknowledged_by: str | None = None
    #: When the cause went away by itself; an alarm clears without being acknowledged, and stays listed.
    cleared_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether somebody still has to acknowledge it."""
        return self.acknowledged_at is None

    @property
    def stands(self) -> bool:
        """Tell whether its cause is, as far as we know, still there."""
        return self.cleared_at is None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmAck:
    """Key 1 pressed by a supervisor whom an alarm rang (journal row `ALARM_ACK`)."""

    alarm: str
    #: User code.
    by: str
    at: datetime

    def __post_init__(self) -> None:
        check_aware(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmPolicy:
    """When an alarm rings again (P10: it is acknowledged by name, or climbs)."""

    #: Pause between two rings of an alarm nobody acknowledged.
    climb_after: timedelta = timedelta(minutes=5)
    #: After so many rings the pause doubles each time, up to `longest_pause`; it never ends.
    rounds: int = 3
    longest_pause: timedelta = timedelta(hours=1)
    #: How long one person's phone rings, and how long the PBX rests between its own rounds.
    ring: timedelta = timedelta(seconds=30)
    rest: timedelta = timedelta(seconds=20)
    #: The pause of an alarm about a call that goes on: it never grows.
    urgent_after: timedelta = timedelta(minutes=1)
    #: A cause that outlives its acknowledgement raises a new alarm after this long.
    remind_after: timedelta = timedelta(hours=1)
    #: The same for single kinds.
    reminders: Mapping[AlarmKind, timedelta] = field(default_factory=dict)
    #: When kinds `BY_DAY` may ring.
    windows: Windows = field(default_factory=Windows)

    def reminder(self, kind: AlarmKind) -> timedelta:
        """Return how long an acknowledged cause of this kind may last before it rings anew."""
        return self.reminders.get(kind, self.remind_after)

    def for_chain(self, people: int) -> AlarmPolicy:
        """Return the policy for so many people in the chain: a climb ends before the next begins."""
        longest = self.rounds * (people * self.ring + self.rest)
        return replace(self, climb_after=max(self.climb_after, longest))

    def pause(self, rounds: int) -> timedelta:
        """Return how long to wait after ring number `rounds` (0 = the first)."""
        doublings = min(max(0, rounds + 1 - self.rounds), 16)
        longest = max(self.climb_after, self.longest_pause)
        return min(self.climb_after * (1 << doublings), longest)

    def rings_now(self, alarm: Alarm, now: datetime) -> bool:
        """Tell whether an open alarm is to ring (again) at `now`."""
        if not alarm.is_open or (alarm.kind in BY_DAY and not self.windows.is_open(now)):
            return False
        # A climb that goes on is not climbed twice (hotline-alarm): ringing again early rings nobody twice.
        pause = self.urgent_after if alarm.kind in OF_CALLS else self.pause(alarm.rounds)
        return alarm.rung_at is None or now >= alarm.rung_at + pause


#: Kinds whose cause is many things of one sort, each named in the detail: another one rings at once.
OF_CASES = frozenset(
    {
        AlarmKind.RISK_UNACKNOWLEDGED,
        AlarmKind.RISK_OVERDUE,
        AlarmKind.CRISIS,
        AlarmKind.LATE_FOR_DUTY,
        AlarmKind.HANDOVER_OPEN,
        AlarmKind.DEBT_STARVED,
    }
)
#: Kinds with an alarm for each call: several may be open.
OF_CALLS = frozenset({AlarmKind.CRISIS})
#: Kinds that can wait for the morning: nobody is woken for paper.
BY_DAY = frozenset({AlarmKind.RECORD_MISSING, AlarmKind.DEBT_STARVED, AlarmKind.DIALLER_STOPPED})

_ID = re.compile(r"al-([a-z_]{1,32})-[0-9a-f]{8,32}")


def new_alarm(kind: AlarmKind, detail: str, now: datetime) -> Alarm:
    """Return a fresh alarm. Its id names the kind, so that an acknowledgement alone can restore the row."""
    return Alarm(
        id=f"al-{kind}-{secrets.token_hex(6)}",
        kind=kind,
        raised_at=check_aware(now),
        detail=detail,
        # Nothing is wrong when an alarm is tested.
        cleared_at=now if kind is AlarmKind.TEST else None,
    )


def crisis_id(call: str) -> str:
    """Return the id of the alarm about somebody in danger in this call; the dialplan spells alike (R14)."""
    mark = hashlib.sha1(call.encode(), usedforsecurity=False).hexdigest()[:12]
    return f"al-{AlarmKind.CRISIS}-{mark}"


def kind_of(alarm_id: str) -> AlarmKind:
    """Return the kind an alarm id names; an id not of our making is the PBX's own watchdog."""
    found = _ID.fullmatch(alarm_id)
    known = found is not None and found[1] in set(AlarmKind)
    return AlarmKind(found[1]) if found and known else AlarmKind.WATCHDOG


def standing(alarms: Iterable[Alarm], kind: AlarmKind) -> Alarm | None:
    """Return the alarm that covers a cause of this kind: the open one, else the newest still uncleared."""
    same = sorted((a for a in alarms if a.kind is kind), key=lambda a: (a.is_open, a.raised_at, a.id))
    return same[-1] if same and (same[-1].is_open or same[-1].stands) else None


def names_more(detail: str, known: str) -> bool:
    """Tell whether a detail names something that was not named when the alarm last rang."""
    return not set(detail.split()) <= set(known.split())


def wrong_again(alarm: Alarm, detail: str) -> Alarm:
    """Return an open alarm whose cause is seen (again), with what is known of it now."""
    return replace(
        alarm, detail=detail, cleared_at=alarm.cleared_at if alarm.kind is AlarmKind.TEST else None
    )


def rung(alarm: Alarm, now: datetime) -> Alarm:
    """Return the alarm after one more ring."""
    return replace(alarm, rung_at=now, rounds=alarm.rounds + 1 if alarm.rung_at else 0)


def acknowledged(alarm: Alarm, by: str, at: datetime) -> Alarm:
    """Return the alarm acknowledged; the earliest word stands, whatever order words come in (P6)."""
    check_aware(at)
    first = (alarm.acknowledged_at, alarm.acknowledged_by or "") if alarm.acknowledged_at else (at, by)
    at, by = min(first, (at, by))
    return replace(alarm, acknowledged_at=at, acknowledged_by=by)
