"""Who is on duty: on shift ∩ signed on ∩ not resting, at an instant.

Shifts are kept as start + length, so a shift over midnight is one shift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from callcenter.domain.moments import check_aware
from callcenter.errors import Refused

_NOTHING = timedelta(0)
#: Longer is no shift.
_LONGEST = timedelta(hours=24)
#: A sign-on holds over so long a break between two shifts, and without any shift so long.
BREAK, UNPLANNED = timedelta(hours=1), timedelta(hours=12)
#: Why somebody was signed off whose shift was over.
SHIFT_OVER = "shift_over"


class ShiftKind(StrEnum):
    """What somebody is planned for."""

    #: At the line: rung by the queue once signed on.
    LINE = "line"
    #: On call at home: rung when nobody at the line answers, or in a surge; needs no signing on.
    BACKUP = "backup"
    #: Supervisor on call: alarms and crises ring them first.
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """One person's planned time."""

    id: str
    agent: str
    start: datetime
    length: timedelta
    kind: ShiftKind = ShiftKind.LINE
    #: `<template>/<date>` of what it was published from; empty: planned by hand.
    source: str = ""

    def __post_init__(self) -> None:
        check_aware(self.start)
        if not _NOTHING < self.length <= _LONGEST:
            raise Refused("a shift lasts more than nothing and at most 24 hours")

    @property
    def end(self) -> datetime:
        """Return the first instant after the shift."""
        return self.start + self.length

    def covers(self, now: datetime) -> bool:
        """Tell whether `now` lies in the shift; the end does not."""
        return self.start <= now < self.end


class PresenceAct(StrEnum):
    """What a counsellor did at the phone, at the command line or at the desk."""

    ON = "on"
    OFF = "off"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    #: R47: a call at high risk is behind them, and nobody has talked it over with them yet.
    DEBRIEF = "debrief"
    #: It was talked over, or they said that they need not.
    DEBRIEFED = "debriefed"


class PauseReason(StrEnum):
    """Why somebody rests. Codes only: queue persistence breaks on `,`, `;` and `|` (Asterisk 22)."""

    REST = "rest"
    MEAL = "meal"
    PAPERWORK = "paperwork"
    TRAINING = "training"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class PresenceEvent:
    """One act of signing on or off. `key` makes it idempotent (the journal row, or a fresh id)."""

    key: str
    agent: str
    act: PresenceAct
    at: datetime
    source: str
    #: Of a pause: a `PauseReason`. Of a debriefing: the call or session it is about. Of `off`: empty, or
    #: `SHIFT_OVER` where nobody did it by hand.
    reason: str = ""

    def __post_init__(self) -> None:
        check_aware(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """Where an agent stands after all acts so far."""

    signed_on: bool = False
    paused: bool = False
    #: Why, while paused.
    reason: str = ""
    #: R47: rung by nobody until it was talked over or waived; signing off and on does not end it.
    debrief: bool = False
    #: When the last act was.
    since: datetime | None = None

    @property
    def ready(self) -> bool:
        """Tell whether a shift of theirs makes the queue ring them."""
        return self.signed_on and not self.paused and not self.debrief

    def after(self, act: PresenceAct, reason: str = "", at: datetime | None = None) -> Presence:
        """Return the presence after one more act. Signing off or on ends a pause, not a debriefing owed."""
        match act:
            case PresenceAct.ON:
                return Presence(signed_on=True, debrief=self.debrief, since=at)
            case PresenceAct.OFF:
                return Presence(debrief=self.debrief, since=at)
            case PresenceAct.PAUSE if self.signed_on:
                return replace(self, paused=True, reason=reason, since=at)
            case PresenceAct.PAUSE:
                return self
            case PresenceAct.UNPAUSE:
                return replace(self, paused=False, reason="", since=at)
            case PresenceAct.DEBRIEF:
                return replace(self, debrief=True, since=at)
            case PresenceAct.DEBRIEFED:
                return replace(self, debrief=False, since=at)


_NEVER_CAME = Presence()
_SIGNS = frozenset({PresenceAct.ON, PresenceAct.OFF})
_DEBRIEFS = frozenset({PresenceAct.DEBRIEF, PresenceAct.DEBRIEFED})


def presence_of(events: Iterable[PresenceEvent]) -> dict[str, Presence]:
    """Fold acts, oldest first by time then key, into each agent's presence."""
    state: dict[str, Presence] = {}
    for event in sorted(events, key=lambda e: (e.at, e.key)):
        state[event.agent] = state.get(event.agent, Presence()).after(event.act, event.reason, event.at)
    return state


def current_acts(events: Iterable[PresenceEvent]) -> list[PresenceEvent]:
    """Return, oldest first, the acts that say where each agent stands now.

    Those since and including their last `on` or `off`, and the last word about a debriefing.
    """
    kept: dict[str, list[PresenceEvent]] = {}
    debriefs: dict[str, PresenceEvent] = {}
    for event in sorted(events, key=lambda e: (e.at, e.key)):
        if event.act in _DEBRIEFS:
            debriefs[event.agent] = event
        else:
            kept[event.agent] = [event] if event.act in _SIGNS else [*kept.get(event.agent, []), event]
    acts = [*(e for since in kept.values() for e in since), *debriefs.values()]
    return sorted(acts, key=lambda e: (e.at, e.key))


def on_duty(
    shifts: Iterable[Shift],
    presence: Mapping[str, Presence],
    now: datetime,
    *,
    surge_until: datetime | None = None,
) -> frozenset[str]:
    """Return the agents who should be in the queue at `now`.

    Whoever is on shift and signed on; in a surge backups on call too, who need not sign on. Nobody who
    rests, and nobody who is owed a debriefing (R47).
    """
    check_aware(now)
    surges = surge_until is not None and now < surge_until
    on = set()
    for shift in shifts:
        stands = presence.get(shift.agent, _NEVER_CAME)
        if stands.paused or stands.debrief or not shift.covers(now):
            continue
        at_line = shift.kind is ShiftKind.LINE and stands.signed_on
        if at_line or (surges and shift.kind is ShiftKind.BACKUP):
            on.add(shift.agent)
    return frozenset(on)


def lapsed_at(shifts: Iterable[Shift], signed_on: datetime, now: datetime) -> datetime | None:
    """Return when a sign-on came to its end by itself; None: it still holds.

    It is made for one person's `shifts` at the line: it ends with the last of them that has passed, unless
    one runs or begins within `BREAK`. Where none has passed since, it holds for `UNPLANNED`.
    """
    check_aware(now)
    spans = joined_spans(shift for shift in shifts if shift.kind is ShiftKind.LINE)
    if any(start <= now + BREAK and end > now for start, end in spans):
        return None
    ends = [end for _, end in spans if signed_on < end <= now]
    if ends:
        return max(ends)
    return signed_on + UNPLANNED if now - signed_on >= UNPLANNED else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of time with the same people on shift throughout."""

    start: datetime
    end: datetime
    agents: frozenset[str]


def coverage(shifts: Iterable[Shift], start: datetime, end: datetime) -> tuple[Stretch, ...]:
    """Cut [start, end) into stretches without gap or overlap, each as long as can be."""
    check_aware(start)
    touching = [s for s in shifts if s.start < end and s.end > start]
    inner = {moment for s in touching for moment in (s.start, s.end) if start < moment < end}
    cuts = sorted({start, *inner, end}) if start < end else []
    stretches: list[Stretch] = []
    for left, right in pairwise(cuts):
        agents = frozenset(s.agent for s in touching if s.covers(left))
        if stretches and stretches[-1].agents == agents:
            left = stretches.pop().start
        stretches.append(Stretch(start=left, end=right, agents=agents))
    return tuple(stretches)


def shift_edges(shifts: Iterable[Shift], start: datetime, end: datetime) -> dict[datetime, frozenset[str]]:
    """Return the instants in (start, end] at which somebody's shift begins or ends, and whose."""
    edges: dict[datetime, frozenset[str]] = {}
    for shift in shifts:
        for moment in (shift.start, shift.end):
            if start < moment <= end:
                edges[moment] = edges.get(moment, frozenset()) | {shift.agent}
    return dict(sorted(edges.items()))


def joined_spans(shifts: Iterable[Shift]) -> list[tuple[datetime, datetime]]:
    """Return the shifts' times by start, those that touch or overlap joined into one."""
    spans: list[tuple[datetime, datetime]] = []
    for shift in sorted(shifts, key=lambda s: s.start):
        if spans and shift.start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], shift.end))
        else:
            spans.append((shift.start, shift.end))
    return spans
