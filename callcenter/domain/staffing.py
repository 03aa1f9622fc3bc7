"""How many seats a line needs: Erlang B, C and A (domain brief 3.1-3.3). Pure arithmetic.

Every formula is a recursion over the states of the line whose terms are shares between 0 and 1: no
factorial, no power, nothing that overflows however many seats there are. Where Erlang C has no answer
(no more seats than calls to fill them: the queue grows without end) it says `Unstable`, never a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import exp

from callcenter.errors import Refused

MOST_SEATS = 500
MOST_CALLS = 1000.0
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=1)
LONGEST_PATIENCE = timedelta(days=30)
#: A tail of this share of callers counts no more.
_NOTHING = 1e-16


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What comes to a line: calls per hour, and how long each keeps its counsellor (talk and wrap-up)."""

    calls: float
    aht: timedelta

    def __post_init__(self) -> None:
        if not 0 <= self.calls <= MOST_CALLS:
            raise Refused(f"每小时来电应在 0 到 {MOST_CALLS:.0f} 之间。")
        if not SHORTEST <= self.aht <= LONGEST:
            raise Refused("每通电话占用席位的时间应在 1 秒到 24 小时之间。")

    @property
    def erlangs(self) -> float:
        """Return the calls that would be going on at once if nobody ever waited."""
        return self.calls * (self.aht / timedelta(hours=1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What callers meet in the long run."""

    seats: int
    #: Share of callers who wait at all.
    waits: float
    #: Mean wait of all callers, whether they waited or not, stayed or left.
    wait: timedelta
    #: Share of callers who leave before anybody answers.
    abandons: float
    #: Share of their time in which counsellors are at a call or its paperwork.
    occupancy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Unstable:
    """No more seats than calls to fill them: if nobody left, the queue would grow for ever."""

    seats: int
    erlangs: float


def erlang_b(erlangs: float, seats: int) -> float:
    """Return the share of callers who find every seat taken where nobody can wait."""
    _check_seats(seats)
    blocked = 1.0
    for n in range(1, seats + 1):
        blocked = erlangs * blocked / (n + erlangs * blocked)
    return blocked


def erlang_c(load: Load, seats: int) -> Outlook | Unstable:
    """Return what callers meet where everybody waits until somebody answers; where nobody calls, nothing."""
    a = load.erlangs
    if not a:
        return _nobody_calls(seats)
    blocked = erlang_b(a, seats)
    if seats <= a:
        return Unstable(seats=seats, erlangs=a)
    waits = seats * blocked / (seats - a * (1 - blocked))
    # In this order: a wait of some centuries is still one that a timedelta holds.
    wait = load.aht * min(waits / (seats - a), timedelta.max / load.aht / 2)
    return Outlook(seats=seats, waits=waits, wait=wait, abandons=0.0, occupancy=a / seats)


def answered_within(load: Load, seats: int, within: timedelta) -> float | Unstable:
    """Return the share of callers whom somebody answers within that time, if nobody leaves (Erlang C)."""
    found = erlang_c(load, seats)
    if isinstance(found, Unstable):
        return found
    return 1 - found.waits * exp(-(seats - load.erlangs) * (within / load.aht))


def seats_for(load: Load, share: float, within: timedelta) -> int | None:
    """Return the fewest seats at which `share` of the callers are answered within that time.

    None: more than `MOST_SEATS`.
    """
    if not 0 < share < 1:
        raise Refused("比例应在 0 和 1 之间,不含两端。")
    first = int(load.erlangs) + 1
    for seats in range(first, MOST_SEATS + 1):
        reached = answered_within(load, seats, within)
        if not isinstance(reached, Unstable) and reached >= share:
            return seats
    return None


def erlang_a(load: Load, seats: int, patience: timedelta) -> Outlook:
    """Return what callers meet where they leave after waiting `patience` on average.

    Birth and death: a call comes at rate `calls`; one goes at min(k, n)/AHT + max(0, k - n)/patience. The
    system is built up one place at a time; each step tells the share of time in which it is full to that
    place, as Erlang B does, and what that makes of those who wait.
    """
    _check_seats(seats)
    if not SHORTEST <= patience <= LONGEST_PATIENCE:
        raise Refused("来电者愿意等的时间应在 1 秒到 30 天之间。")
    a, leaves = load.erlangs, load.aht / patience
    if not a:
        return _nobody_calls(seats)
    full, waits, queue = 1.0, (1.0 if seats == 0 else 0.0), 0.0
    place = 0
    while not _is_tail(full, a, seats + max(0, place - seats) * leaves, place, seats):
        place += 1
        rate = min(place, seats) + max(0, place - seats) * leaves
        full = a * full / (rate + a * full)
        waits = waits * (1 - full) + (full if place >= seats else 0.0)
        queue = queue * (1 - full) + full * max(0, place - seats)
    abandons = min(1.0, leaves * queue / a)
    occupancy = min(1.0, a * (1 - abandons) / seats) if seats else 0.0
    return Outlook(
        seats=seats, waits=min(1.0, waits), wait=patience * abandons, abandons=abandons, occupancy=occupancy
    )


def _nobody_calls(seats: int) -> Outlook:
    _check_seats(seats)
    return Outlook(seats=seats, waits=0.0, wait=timedelta(0), abandons=0.0, occupancy=0.0)


def _is_tail(full: float, a: float, rate: float, place: int, seats: int) -> bool:
    """Tell whether places further on are met by nobody: past the seats, ever rarer, and rare already."""
    if place < seats:
        return False
    # What follows is less than a geometric row of ratio a/rate.
    return rate > a and full * place / (1 - a / rate) < _NOTHING


def _check_seats(seats: int) -> None:
    if not 0 <= seats <= MOST_SEATS:
        raise Refused(f"席位应在 0 到 {MOST_SEATS} 之间。")
