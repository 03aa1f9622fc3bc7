"""The alarm road: one service, one road (P10). An alarm rings until a name acknowledges it.

Functions take an open unit of work and leave committing to the caller. `Bell` wraps them for those
who must be heard even when the store cannot be read or written: the road needs no database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from callcenter.config import Alarms as AlarmSettings
from callcenter.domain.access import Verb, may
from callcenter.domain.alarms import (
    OF_CASES,
    Alarm,
    AlarmAck,
    AlarmKind,
    AlarmPolicy,
    acknowledged,
    kind_of,
    names_more,
    new_alarm,
    rung,
    standing,
    wrong_again,
)
from callcenter.domain.users import User
from callcenter.errors import Forbidden, NotFound, PbxError
from callcenter.pacing import Spell
from callcenter.ports import AlarmRoad, AuditEntry, Store, UnitOfWork
from callcenter.service.access import acting, allow, guarded
from scheduler.risk_ladder import RiskRules
from scheduler.windows import Windows

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Who acts where no person did.
SYSTEM = "system"
#: How far back a cause that was acknowledged but never cleared is looked for.
_RECENT = 200
_DEFAULT = AlarmPolicy()
_DAILY = timedelta(days=1)


def policy_of(
    settings: AlarmSettings, risk: RiskRules | None = None, windows: Windows | None = None
) -> AlarmPolicy:
    """Return the ringing policy the site configured."""
    risk = risk or RiskRules()
    return AlarmPolicy(
        climb_after=settings.climb_after,
        rounds=settings.rounds,
        ring=settings.ring,
        reminders={
            AlarmKind.RISK_UNACKNOWLEDGED: risk.remind_after,
            AlarmKind.RISK_OVERDUE: risk.overdue_remind_after,
            AlarmKind.RECORD_MISSING: _DAILY,
            # Once for each person and shift, which lasts a day at most: whoever knows need not hear again.
            AlarmKind.LATE_FOR_DUTY: _DAILY,
            AlarmKind.DIALLER_STOPPED: _DAILY,
            AlarmKind.DEBT_STARVED: _DAILY,
            AlarmKind.DISK_FILLING: _DAILY,
        },
        windows=windows or Windows(),
    )


def raise_alarm(
    work: UnitOfWork,
    road: AlarmRoad,
    kind: AlarmKind,
    detail: str,
    now: datetime,
    *,
    policy: AlarmPolicy = _DEFAULT,
    actor: str = SYSTEM,
) -> Alarm:
    """Have the supervisors rung, and keep a row of it. `detail` must hold no personal data.

    At most one alarm of a kind is open: raised again, it keeps its row and rings only when its pause
    is over. A cause somebody acknowledged stays quiet for `policy.reminder`. A test always rings, and so
    does another case beside those an alarm has told of.
    """
    policy = policy.for_chain(len(chain(work.users.all())))
    found = standing((*work.alarms.open(), *work.alarms.recent(_RECENT)), kind)
    more = found is not None and kind in OF_CASES and names_more(detail, found.detail)
    if found is not None and not found.is_open and not more and not _outlived(found, now, policy):
        return found
    if found is None or not found.is_open:
        alarm = new_alarm(kind, detail, now)
        note(work, actor, "alarm.raise", alarm, now)
    else:
        alarm = wrong_again(found, detail)
        alarm = replace(alarm, rung_at=None, rounds=0) if more else alarm
    if kind is AlarmKind.TEST or policy.rings_now(alarm, now):
        alarm = ring(work, road, alarm, now, actor)
    if alarm != found:
        work.alarms.put(alarm)
    return alarm


def climb(
    work: UnitOfWork, road: AlarmRoad, now: datetime, *, policy: AlarmPolicy = _DEFAULT
) -> tuple[Alarm, ...]:
    """Ring again every alarm nobody acknowledged within its pause; return those rung."""
    policy = policy.for_chain(len(chain(work.users.all())))
    due = [alarm for alarm in work.alarms.open() if policy.rings_now(alarm, now)]
    again = tuple(ring(work, road, alarm, now, SYSTEM) for alarm in due)
    for alarm in again:
        work.alarms.put(alarm)
    return again


def clear(work: UnitOfWork, kinds: Iterable[AlarmKind], now: datetime) -> tuple[Alarm, ...]:
    """Record that these causes went away. That acknowledges nothing: an open alarm rings on."""
    gone = set(kinds)
    if not gone:
        return ()
    known = {a.id: a for a in (*work.alarms.open(), *work.alarms.recent(_RECENT))}
    cleared = tuple(replace(a, cleared_at=now) for a in known.values() if a.kind in gone and a.stands)
    for alarm in cleared:
        work.alarms.put(alarm)
        note(work, SYSTEM, "alarm.clear", alarm, now)
    return cleared


@guarded(Verb.ALARM_SEE)
def seen_alarms(work: UnitOfWork, *, actor: str, only_open: bool, limit: int) -> list[Alarm]:
    """Return the newest alarms, newest first; raise `Forbidden`. No alarm holds anybody's data."""
    allow(work, actor, Verb.ALARM_SEE)
    found = list(work.alarms.open())[::-1] if only_open else list(work.alarms.recent(limit))
    return found[:limit]


@guarded(Verb.ALARM_TEST)
def allow_test(work: UnitOfWork, *, actor: str) -> tuple[User, ...]:
    """Return whom a test would ring, in order, or raise `Forbidden` if `actor` may not ring them."""
    allow(work, actor, Verb.ALARM_TEST)
    return chain(work.users.all())


@guarded(Verb.ALARM_ACK)
def acknowledge(work: UnitOfWork, alarm_id: str, *, actor: str, now: datetime, reason: str = "") -> Alarm:
    """Acknowledge an alarm by a user's name.

    Raises `Forbidden` if the user is not of those alarms ring, `NotFound` for an unknown alarm. An
    alarm acknowledged already stays with its first name.
    """
    if not may_acknowledge(acting(work, actor)):
        raise Forbidden(f"{actor} 不在告警名单中,也不是督导或管理员,不能确认告警。")
    alarm = work.alarms.get(alarm_id)
    return alarm if not alarm.is_open else _acknowledge(work, alarm, actor, now, reason)


def on_acks(work: UnitOfWork, acks: Iterable[AlarmAck], now: datetime) -> tuple[Alarm, ...]:
    """Fold acknowledgements by key out of the journal; return the alarms that changed.

    Idempotent and free of order (P6): the earliest word stands. An alarm the store never saw (the
    PBX's own watchdog, or one rung while the store was dead) gets its row here.
    """
    changed = {}
    for ack in sorted(acks, key=lambda a: (a.at, a.by)):
        if not _known(work, ack.by):
            log.warning("alarm acknowledged by an unknown user", extra={"action": "alarm.ack_unknown"})
            continue
        alarm = _alarm(work, ack.alarm) or _meant(work, ack) or _restored(work, ack, now)
        after = acknowledged(alarm, ack.by, ack.at)
        if after != alarm:
            changed[after.id] = _acknowledge(work, alarm, ack.by, ack.at, "")
    return tuple(changed.values())


def may_acknowledge(user: User) -> bool:
    """Tell whether the user is somebody alarms ring, or answers for the line."""
    return user.active and (may(user.roles, Verb.ALARM_ACK) or user.alarm_rank is not None)


def chain(users: Iterable[User]) -> tuple[User, ...]:
    """Return whom alarms ring, in order. Empty means that no alarm can be heard."""
    ranked = [u for u in users if u.active and u.alarm_rank is not None]
    return tuple(sorted(ranked, key=lambda u: (u.alarm_rank or 0, u.code)))


class Bell:
    """Raises alarms that are heard even while the store is dead.

    What rang without a row is remembered here, so that it does not ring every minute, and gets its
    row, under the id the PBX rang with, as soon as the store is back.
    """

    def __init__(self, store: Store, road: AlarmRoad, policy: AlarmPolicy = _DEFAULT) -> None:
        self._store = store
        self._road = road
        self._policy = policy
        self._blind: dict[AlarmKind, Alarm] = {}
        self._rows = Spell("alarm.no_row", log, what="giving an alarm its row")

    def raise_alarm(
        self, kind: AlarmKind, detail: str, now: datetime, *, actor: str = SYSTEM, blind: bool = False
    ) -> Alarm:
        """Ring, and keep a row if the store can be written. Never raises for a dead store.

        `blind`: the store was just found away. It is not asked again, which may take half a minute each time.
        """
        if blind:
            return self._raise_blind(kind, detail, now)
        tape = _Tape(self._road)

        def act(work: UnitOfWork) -> Alarm:
            return raise_alarm(work, tape, kind, detail, now, policy=self._policy, actor=actor)

        try:
            return self.within(act)
        except Exception as error:
            self._rows.failed(error)
        self._remember(tape)
        return self._raise_blind(kind, detail, now)

    def climb(self, now: datetime, *, blind: bool = False) -> None:
        """Ring again what nobody acknowledged, with or without the store. Never raises."""
        if blind:
            self._climb_blind(now)
            return
        tape = _Tape(self._road)
        try:
            self.within(lambda work: climb(work, tape, now, policy=self._policy))
        except Exception as error:
            self._rows.failed(error)
            self._remember(tape)
            self._climb_blind(now)

    def within(self, act: Callable[[UnitOfWork], T]) -> T:
        """Run `act` in a unit of work that first gives rows to what rang without one, and commit."""
        with self._store() as work:
            for alarm in self._blind.values():
                _adopt(work, alarm)
            result = act(work)
            work.commit()
        self._blind.clear()
        self._rows.worked()
        return result

    def _remember(self, tape: _Tape) -> None:
        """Keep what rang in a unit of work that came to nothing."""
        self._blind.update({alarm.kind: alarm for alarm in tape.rung})

    def _raise_blind(self, kind: AlarmKind, detail: str, now: datetime) -> Alarm:
        self._blind.setdefault(kind, new_alarm(kind, detail, now))
        self._climb_blind(now)
        return self._blind[kind]

    def _climb_blind(self, now: datetime) -> None:
        for kind, alarm in self._blind.items():
            if self._policy.rings_now(alarm, now):
                self._blind[kind] = _try_ring(self._road, alarm, now)


class _Tape:
    """An alarm road that remembers what rang."""

    def __init__(self, road: AlarmRoad) -> None:
        self._road = road
        self.rung: list[Alarm] = []

    def ring(self, alarm: Alarm) -> None:
        self._road.ring(alarm)
        self.rung.append(alarm)

    def silence(self, alarm_id: str) -> None:
        self._road.silence(alarm_id)

    def rearm_watchdog(self, at: datetime) -> None:
        self._road.rearm_watchdog(at)


def _outlived(alarm: Alarm, now: datetime, policy: AlarmPolicy) -> bool:
    return alarm.acknowledged_at is not None and now >= alarm.acknowledged_at + policy.reminder(alarm.kind)


def ring(work: UnitOfWork, road: AlarmRoad, alarm: Alarm, now: datetime, actor: str) -> Alarm:
    """Return the alarm rung once more; as it was, and due again, where the road failed."""
    after = _try_ring(road, alarm, now)
    if after is not alarm:
        note(work, actor, "alarm.ring", after, now)
    return after


def _try_ring(road: AlarmRoad, alarm: Alarm, now: datetime) -> Alarm:
    """Ring; on failure return the alarm as it was, so that it is due again at the next look."""
    after = rung(alarm, now)
    fields = {"alarm": alarm.id, "alarm_kind": str(alarm.kind)}
    try:
        road.ring(after)
    except (OSError, PbxError):
        log.exception("the alarm road cannot be rung", extra={"action": "alarm.no_road", **fields})
        return alarm
    log.warning("alarm rung", extra={"action": "alarm.ring", **fields})
    return after


def _acknowledge(work: UnitOfWork, alarm: Alarm, by: str, at: datetime, reason: str) -> Alarm:
    after = acknowledged(alarm, by, at)
    work.alarms.put(after)
    note(work, by, "alarm.acknowledge", after, at, reason)
    return after


def _adopt(work: UnitOfWork, alarm: Alarm) -> None:
    """Give a row to an alarm that rang without one; an open one of its kind takes over its ring."""
    same = (a for a in work.alarms.open() if a.kind is alarm.kind)
    row = _alarm(work, alarm.id) or next(same, None)
    if row is None:
        work.alarms.put(alarm)
        note(work, SYSTEM, "alarm.raise", alarm, alarm.raised_at)
    elif row.is_open:
        work.alarms.put(replace(row, rung_at=alarm.rung_at, rounds=alarm.rounds))


def _meant(work: UnitOfWork, ack: AlarmAck) -> Alarm | None:
    """Return the row of the same cause, for an alarm that rang under an id the store never saw.

    A crisis is another cause in each call, which its id names.
    """
    if kind_of(ack.alarm) is AlarmKind.CRISIS:
        return None
    same = [a for a in work.alarms.recent(_RECENT) if a.kind is kind_of(ack.alarm) and a.raised_at <= ack.at]
    heard = (ack.at, ack.by)
    return next((a for a in same if a.is_open or (a.acknowledged_at, a.acknowledged_by) == heard), None)


def _restored(work: UnitOfWork, ack: AlarmAck, now: datetime) -> Alarm:
    """Return a row for an alarm the PBX rang by itself. It rang no later than it was acknowledged."""
    alarm = Alarm(id=ack.alarm, kind=kind_of(ack.alarm), raised_at=ack.at, rung_at=ack.at, cleared_at=now)
    note(work, SYSTEM, "alarm.raise", alarm, ack.at)
    return alarm


def _alarm(work: UnitOfWork, alarm_id: str) -> Alarm | None:
    try:
        return work.alarms.get(alarm_id)
    except NotFound:
        return None


def _known(work: UnitOfWork, code: str) -> bool:
    try:
        work.users.get(code)
    except NotFound:
        return False
    return True


def note(work: UnitOfWork, actor: str, verb: str, alarm: Alarm, at: datetime, reason: str = "") -> None:
    """Write what became of an alarm into the audit."""
    work.audit.append(AuditEntry(actor=actor, verb=verb, object=alarm.id, at=at, reason=reason))
