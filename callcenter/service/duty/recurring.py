"""What recurs in a calendar, expanded within bounds: rules that a roster needs, and no other.

A rule may run for ever, each second, or never match at all. Those are refused before anything is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import recurring_ical_events
from icalendar import Calendar, Event, vRecur

from callcenter.service.duty.filed import Complaint

#: A rule that began longer ago takes long to be walked through.
OLDEST = timedelta(days=5 * 366)
#: Events with a rule in one file.
MAX_RULES = 500
#: Events of one series: the rule, and a year of days each changed by itself.
MAX_SERIES = 400
_PARTS = {
    "DAILY": {"BYDAY"},
    "WEEKLY": {"BYDAY"},
    "MONTHLY": {"BYDAY", "BYMONTHDAY"},
}
_COMMON = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_ONLY_THESE = "只认识每天、每周(某几天)、每月(某日或第几个周几)的重复。请改成这样的,或把各次写成单独的事件。"
_ORDINAL = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)", re.IGNORECASE)


def recurs(event: Event) -> bool:
    """Tell whether an event stands for more than one."""
    return any(name in event for name in ("RRULE", "RDATE", "EXRULE"))


def check_rule(event: Event, start: datetime, now: datetime) -> None:
    """Raise `Complaint` for a rule that is not understood, or could run away."""
    if "EXRULE" in event or isinstance(event.get("RRULE"), list):
        raise Complaint(_ONLY_THESE)
    if start < now - OLDEST:
        raise Complaint("重复从 5 年以前开始。请把开始日期改到近期。")
    if isinstance(rule := event.get("RRULE"), vRecur):
        _check_parts({key.upper(): value for key, value in rule.items()})
        begins: Any = event["DTSTART"]
        _include_last_day(rule, begins.dt)


def _include_last_day(rule: vRecur, start: datetime) -> None:
    """Let a rule that ends on a date include that day: the library would stop at its first instant."""
    until = rule.get("UNTIL", [None])[0]
    if isinstance(until, date) and not isinstance(until, datetime):
        rule["UNTIL"] = [
            datetime.combine(until, time.max.replace(microsecond=0), start.tzinfo).astimezone(UTC)
        ]


def _check_parts(rule: dict[str, list[Any]]) -> None:
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    interval, days = int(rule.get("INTERVAL", [1])[0]), rule.get("BYDAY", [])
    if frequency not in _PARTS or not rule.keys() <= _COMMON | _PARTS[frequency]:
        raise Complaint(_ONLY_THESE)
    if not 1 <= interval <= 400 or not all(_ORDINAL.fullmatch(str(day)) for day in days):
        raise Complaint(_ONLY_THESE)
    # Some of these never match: walked through, they would take the library to the year 9999.
    never = (frequency == "DAILY" and days and interval > 1) or (
        frequency == "MONTHLY" and (interval > 1 or len(rule.keys() & _PARTS["MONTHLY"]) > 1)
    )
    bad_day = not all(1 <= abs(int(day)) <= 31 for day in rule.get("BYMONTHDAY", []))
    if never or bad_day:
        raise Complaint(_ONLY_THESE)


def occurrences(series: Sequence[Event], start: datetime, end: datetime) -> list[Event]:
    """Return every event that a series stands for in [start, end), exceptions and moved ones heeded.

    Raise `Complaint` if the library cannot make sense of it.
    """
    calendar = Calendar()
    for event in series:
        calendar.add_component(event)
    try:
        return list(recurring_ical_events.of(calendar).between(start, end))
    except Exception as error:  # whatever it stumbles over, from dateutil up to its own checks
        raise Complaint("这个重复展不开。请改正重复规则,或把各次写成单独的事件。") from error


def is_open_ended(event: Event, end: datetime) -> bool:
    """Tell whether a rule goes on past `end`, as far as it says itself."""
    rule = event.get("RRULE")
    if rule is None or "COUNT" in rule:
        return False
    until = rule.get("UNTIL", [None])[0]
    last = until.date() if isinstance(until, datetime) else until
    return not isinstance(last, date) or last > end.date()
