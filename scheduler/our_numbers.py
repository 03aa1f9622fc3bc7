"""Our own numbers: which one a call shows, and how often each may be shown (R37).

A number that rings too many people is marked as a nuisance by their telephones. So each has its cap for
a day and for seven, opened over the day, and no more than an hour's share in any hour: no burst after an
outage.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from scheduler.situation import Situation

#: Calls that may go out at once when the day opens; the rest of the cap is spread.
_AT_ONCE = 5
_SOON = timedelta(minutes=1)
_HOUR, _DAY, _WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

#: Whether the number that would be shown has calls left, and else when to ask again.
_Answer = tuple[bool, datetime | None]


def number_for(s: Situation) -> str:
    """Return which of our numbers the call would show (R37).

    The one the person saw last, so that they know it; else the least used of late. One that has no
    calls left gives way to one that has.
    """
    known = [s.person.knows] if s.person.knows in s.rules.numbers else []
    rest = sorted(s.rules.numbers, key=lambda did: (_used(s, did, _DAY), _used(s, did, _WEEK)))
    order = [*known, *rest]
    return next((did for did in order if _has_room(s, did)), order[0])


def day_cap(s: Situation) -> _Answer:
    """Tell whether the number has calls left today, and of the share of the day that has passed."""
    if s.shown is None:
        return False, s.now + _SOON
    used = _used_today(s, number_for(s))
    if used >= s.rules.daily_cap:
        return False, _open_from(s, _midnight(s))
    return used < _allowed_by_now(s), s.now + 10 * _SOON


def week_cap(s: Situation) -> _Answer:
    """Tell whether the number has calls left of those for seven days."""
    shown = sorted((s.shown or {}).get(number_for(s), ()))
    lately = [at for at in shown if s.now - at < _WEEK]
    left = s.shown is not None and len(lately) < s.rules.weekly_cap
    return left, _open_from(s, lately[0] + _WEEK) if lately else s.now + _SOON


def pace(s: Situation) -> _Answer:
    """Tell whether the number has calls left of an hour's share."""
    shown = (s.shown or {}).get(number_for(s), ())
    lately = sorted(at for at in shown if s.now - at < _HOUR)
    left = s.shown is not None and len(lately) < _share_of_an_hour(s)
    return left, lately[0] + _HOUR if lately else s.now + _SOON


def _has_room(s: Situation, did: str) -> bool:
    return (
        _used_today(s, did) < min(s.rules.daily_cap, _allowed_by_now(s))
        and _used(s, did, _WEEK) < s.rules.weekly_cap
        and _used(s, did, _HOUR) < _share_of_an_hour(s)
    )


def _used(s: Situation, did: str, within: timedelta) -> int:
    return sum(s.now - at < within for at in (s.shown or {}).get(did, ()))


def _used_today(s: Situation, did: str) -> int:
    zone = s.rules.windows.zone
    today = s.now.astimezone(zone).date()
    return sum(at.astimezone(zone).date() == today for at in (s.shown or {}).get(did, ()))


def _allowed_by_now(s: Situation) -> int:
    share = s.rules.windows.share_of_day(s.now)
    return max(_AT_ONCE, math.ceil(s.rules.daily_cap * share))


def _share_of_an_hour(s: Situation) -> int:
    return math.ceil(s.rules.daily_cap / max(1.0, s.rules.windows.hours_of_day))


def _midnight(s: Situation) -> datetime:
    zone = s.rules.windows.zone
    return datetime.combine(s.now.astimezone(zone).date() + _DAY, datetime.min.time(), zone)


def _open_from(s: Situation, earliest: datetime) -> datetime:
    return s.rules.windows.next_open(max(earliest, s.now), s.rules.calendar)
