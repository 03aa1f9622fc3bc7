"""Who was there when: what was planned, signed for, missed, rested, and what was put right by hand. Pure.

Fees are paid by it, so each instant of a shift that has passed lies in exactly one part: present, late,
away, left early or missed. Times are spans of instants, cut at the ends of a month last of all, so that a
shift over midnight or over the end of a month is one shift whose two pieces are counted where they lie.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callcenter.domain.duty import PauseReason, PresenceAct, PresenceEvent, Shift, ShiftKind, joined_spans
from callcenter.domain.moments import check_aware
from callcenter.domain.spans import Span, Spans, before, common, total, union, within, without
from callcenter.domain.staff import AttendanceCorrection

#: A reason named so soon after a pause began is the reason of the whole pause: `*13` pauses, then asks.
NAMED_WITHIN = timedelta(minutes=1)
#: Care (domain brief §4): so long at the line, and so many calls, are enough for one shift.
ENOUGH_TIME = timedelta(hours=4)
ENOUGH_CALLS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What is known of one person: acts and corrections in any order, shifts at the line."""

    agent: str
    acts: tuple[PresenceEvent, ...] = ()
    shifts: tuple[Shift, ...] = ()
    corrections: tuple[AttendanceCorrection, ...] = ()

    @classmethod
    def of(
        cls,
        agent: str,
        acts: Iterable[PresenceEvent],
        shifts: Iterable[Shift],
        corrections: Iterable[AttendanceCorrection] = (),
    ) -> Told:
        """Return what of these is about one person; on-call shifts are no attendance."""
        return cls(
            agent=agent,
            acts=tuple(act for act in acts if act.agent == agent),
            shifts=tuple(s for s in shifts if s.agent == agent and s.kind is ShiftKind.LINE),
            corrections=tuple(one for one in corrections if one.agent == agent),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """Somebody's attendance in a span of time."""

    agent: str
    planned: timedelta = timedelta()
    #: On shift and there, rests included.
    present: timedelta = timedelta()
    late: timedelta = timedelta()
    #: There before and after, and not between.
    away: timedelta = timedelta()
    left_early: timedelta = timedelta()
    #: Shifts nobody came to.
    missed: timedelta = timedelta()
    #: Signed on without a shift: shown apart.
    outside: timedelta = timedelta()
    #: Rests on shift, by reason; parts of `present`.
    paused: Mapping[PauseReason, timedelta] = field(default_factory=dict)
    #: Shifts with more than `ENOUGH_TIME` at the line; a hint, no more.
    long_shifts: int = 0

    @property
    def passed(self) -> timedelta:
        """Return how much of what was planned has passed: the sum of its parts."""
        return self.present + self.late + self.away + self.left_early + self.missed


def hours(told: Told, start: datetime, end: datetime, now: datetime) -> Hours:
    """Return somebody's attendance in [start, end), as far as it has passed at `now`.

    Cutting [start, end) in two and adding up gives the same. Shifts that touch are one stretch.
    """
    check_aware(now)
    until = min(end, now)
    planned = union((shift.start, shift.end) for shift in told.shifts)
    there = corrected(signed(told.acts, now), told.corrections, now)
    parts = [_parted(stretch, there, now) for stretch in joined_spans(told.shifts) if stretch[0] < now]
    gaps = {name: union(span for part in parts for span in part[name]) for name in _GAPS}
    on_shift = within(common(there, planned), start, until)
    return Hours(
        agent=told.agent,
        planned=total(within(planned, start, end)),
        present=total(on_shift),
        outside=total(within(without(there, planned), start, until)),
        paused={
            reason: length
            for reason, spans in pauses(told.acts, now).items()
            if (length := total(common(spans, on_shift)))
        },
        long_shifts=sum(
            _at_line(stretch, there, start, end) > ENOUGH_TIME for stretch in joined_spans(told.shifts)
        ),
        **{name: total(within(spans, start, until)) for name, spans in gaps.items()},
    )


_DEBRIEFS = frozenset({PresenceAct.DEBRIEF, PresenceAct.DEBRIEFED})
_GAPS = ("late", "away", "left_early", "missed")


def _parted(stretch: Span, there: Spans, now: datetime) -> dict[str, Spans]:
    """Return what of a stretch that has begun nobody was there for, by how it is called."""
    start, end = stretch
    passed = ((start, min(end, now)),)
    here = common(there, passed)
    parts = dict.fromkeys(_GAPS, Spans())
    if not here:
        parts["missed" if now >= end else "late"] = passed
        return parts
    first, last = here[0][0], here[-1][1]
    gaps = without(passed, here)
    parts["late"] = within(gaps, start, first)
    # Whoever is off before the end of a shift that still runs may come back.
    parts["left_early" if now >= end else "away"] = within(gaps, last, end)
    parts["away"] = union((*parts["away"], *within(gaps, first, last)))
    return parts


def _at_line(stretch: Span, there: Spans, start: datetime, end: datetime) -> timedelta:
    """Return how long somebody was there in a stretch, if it begins in [start, end): counted once."""
    return total(common(there, (stretch,))) if start <= stretch[0] < end else timedelta()


# --- what the acts say -----------------------------------------------------------------------


def signed(acts: Iterable[PresenceEvent], now: datetime) -> Spans:
    """Return when one person was signed on, up to `now`. Signing on twice is signing on once."""
    spans: list[Span] = []
    since: datetime | None = None
    for act in _in_order(acts):
        if act.act is PresenceAct.ON and since is None:
            since = act.at
        elif act.act is PresenceAct.OFF and since is not None:
            spans.append((since, act.at))
            since = None
    if since is not None:
        spans.append((since, now))
    return before(union(spans), now)


def pauses(acts: Iterable[PresenceEvent], now: datetime) -> dict[PauseReason, Spans]:
    """Return when one person rested, by reason, up to `now`: from the act that paused to the next other."""
    found: dict[PauseReason, list[Span]] = {}
    began: datetime | None = None
    reason = PauseReason.REST
    for act in (a for a in _in_order(acts) if a.act not in _DEBRIEFS):
        is_pause = act.act is PresenceAct.PAUSE
        if not (is_pause and began and act.at - began <= NAMED_WITHIN):
            if began:
                found.setdefault(reason, []).append((began, act.at))
            began = act.at if is_pause else None
        reason = _reason(act)
    if began:
        found.setdefault(reason, []).append((began, now))
    return {reason: before(union(spans), now) for reason, spans in found.items()}


def _in_order(acts: Iterable[PresenceEvent]) -> list[PresenceEvent]:
    return sorted(acts, key=lambda act: (act.at, act.key))


def _reason(act: PresenceEvent) -> PauseReason:
    return PauseReason(act.reason) if act.reason in set(PauseReason) else PauseReason.REST


def corrected(there: Spans, corrections: Iterable[AttendanceCorrection], now: datetime) -> Spans:
    """Return the presence after corrections: the later word stands. Nothing after `now` counts."""
    for one in sorted(corrections, key=lambda c: (c.at, c.id)):
        span = ((one.start, one.end),)
        there = union((*there, *span)) if one.counts else without(there, span)
    return before(there, now)


# --- who is missed now -----------------------------------------------------------------------


def late_now(
    shifts: Iterable[Shift], acts: Iterable[PresenceEvent], now: datetime, patience: timedelta
) -> frozenset[str]:
    """Return whose shift at the line began `patience` ago and who has not signed on.

    `acts`: those that say where everybody stands (`callcenter.domain.duty.current_acts`). Whoever was
    there and left early is not late.
    """
    signs = {a.agent: a for a in _in_order(acts) if a.act in (PresenceAct.ON, PresenceAct.OFF)}
    missed = set()
    for shift in shifts:
        expected = shift.start + patience
        if shift.kind is not ShiftKind.LINE or not expected <= now < shift.end:
            continue
        last = signs.get(shift.agent)
        if last is None or (last.act is PresenceAct.OFF and last.at < expected):
            missed.add(shift.agent)
    return frozenset(missed)
