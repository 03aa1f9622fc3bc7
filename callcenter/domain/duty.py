"""Who is on duty: on shift ∩ signed on ∩ not paused, at an instant.

Shifts are kept as start + length, so a shift over midnight is one shift.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from callcenter.domain.moments import check_aware
from callcenter.errors import Refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """One person's planned time at the line."""

    id: str
    agent: str
    start: datetime
    length: timedelta

    def __post_init__(self) -> None:
        check_aware(self.start)
        if not timedelta(0) < self.length <= timedelta(hours=24):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class PresenceEvent:
    """One act of signing on or off. `key` makes it idempotent (the journal row, or a fresh id)."""

    key: str
    agent: str
    act: PresenceAct
    at: datetime
    source: str

    def __post_init__(self) -> None:
        check_aware(self.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Presence:
    """Where an agent stands after all acts so far."""

    signed_on: bool = False
    paused: bool = False

    def after(self, act: PresenceAct) -> Presence:
        """Return the presence after one more act. Signing off or on ends a pause."""
        match act:
            case PresenceAct.ON:
                return Presence(signed_on=True)
            case PresenceAct.OFF:
                return Presence()
            case PresenceAct.PAUSE:
                return Presence(signed_on=self.signed_on, paused=self.signed_on)
            case PresenceAct.UNPAUSE:
                return Presence(signed_on=self.signed_on)


def presence_of(events: Iterable[PresenceEvent]) -> dict[str, Presence]:
    """Fold acts, oldest first by time then key, into each agent's presence."""
    state: dict[str, Presence] = {}
    for event in sorted(events, key=lambda e: (e.at, e.key)):
        state[event.agent] = state.get(event.agent, Presence()).after(event.act)
    return state


def current_acts(events: Iterable[PresenceEvent]) -> list[PresenceEvent]:
    """Return, oldest first, each agent's acts since and including their last `on` or `off`."""
    kept: dict[str, list[PresenceEvent]] = {}
    for event in sorted(events, key=lambda e: (e.at, e.key)):
        signs = event.act in (PresenceAct.ON, PresenceAct.OFF)
        kept[event.agent] = [event] if signs else [*kept.get(event.agent, []), event]
    return sorted((e for acts in kept.values() for e in acts), key=lambda e: (e.at, e.key))


def on_duty(shifts: Iterable[Shift], presence: dict[str, Presence], now: datetime) -> frozenset[str]:
    """Return the agents who should be in the queue at `now`."""
    check_aware(now)
    here = {a for a, p in presence.items() if p.signed_on and not p.paused}
    return frozenset(s.agent for s in shifts if s.covers(now) and s.agent in here)


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
