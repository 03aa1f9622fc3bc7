"""Times of the roster as people type and read them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callcenter.cli.common import check_year
from callcenter.errors import Refused

_START = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_LENGTH = re.compile(r"(?:(\d{1,2})h)?(?:(\d{1,3})m)?")
#: Days of the week as they are typed: 1 is Monday.
_DAYS = re.compile(r"[1-7](-[1-7])?([,,、][1-7](-[1-7])?)*")
_DAY_NAMES = "一二三四五六日"
_EVERY_DAY = frozenset(range(7))


def parse_shift(
    start: str, end: str | None, length: str | None, zone: ZoneInfo
) -> tuple[datetime, timedelta]:
    """Return the start and length of a shift as people write it; raise `Refused` with an example.

    The length is real time: an hour that the clock skips is not in it.
    """
    if end is None and length is None and (found := re.fullmatch(rf"({_START.pattern})-(.+)", start)):
        start, end = found[1], found[found.re.groups]
    begins = parse_moment(start, zone)
    match end, length:
        case str(), None:
            ends = _end_after(begins, end, zone)
        case None, str():
            ends = begins + _length(length)
        case _:
            raise Refused("结束时间和 --length 要给一个,也只给一个。例如:19:00-01:00 或 --length 6h")
    lasts = ends - begins
    if not timedelta(0) < lasts <= timedelta(hours=24):
        raise Refused(
            "时长要大于零,最多 24 小时。请把结束写在开始之后,例如 19:00-01:00 或 --length 6h;更长的分成几段。"
        )
    return begins, lasts


def parse_moment(text: str, zone: ZoneInfo) -> datetime:
    """Read a time at the site such as `2026-11-23 19:00`; raise `Refused` with an example."""
    found = _START.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        local = datetime(*map(int, found.groups()), tzinfo=zone)  # type: ignore[misc,arg-type]
    except ValueError:
        raise Refused(f"看不懂时间 {text!r}。请写成 2026-11-23 19:00") from None
    check_year(local)
    return local.astimezone(UTC)


def _end_after(begins: datetime, text: str, zone: ZoneInfo) -> datetime:
    """Read the end: a full date, or a clock time which is the next such time after the start."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return parse_moment(text, zone)
    local = begins.astimezone(zone)
    try:
        clock = time(0 if found[0] == "24:00" else int(found[1]), int(found[2]))
    except ValueError:
        raise Refused(f"看不懂结束时间 {text!r}。请写成 01:00") from None
    day = local.date() if clock > local.time() else local.date() + timedelta(days=1)
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise Refused(f"看不懂时长 {text!r}。请写成 6h 或 1h30m")
    return timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0))


def parse_day(text: str) -> date:
    """Read a date; raise `Refused` with an example."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(f"看不懂日期 {text!r}。请写成 2026-11-23") from None
    check_year(day)
    return day


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins at the site."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def next_midnight(start: datetime, zone: ZoneInfo) -> datetime:
    """Return the midnight after one."""
    return midnight(start.astimezone(zone).date() + timedelta(days=1), zone)


def span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Return `11-23 19:00–01:00`; the day of the end is named where the clock alone misleads."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    short = first.date() == last.date() or end - start <= timedelta(hours=12)
    return f"{first:%m-%d %H:%M}–{last:%H:%M}" if short else f"{first:%m-%d %H:%M}–{last:%m-%d %H:%M}"


def parse_hours(text: str) -> tuple[time, timedelta]:
    """Return start and length of a slot such as `19:00-01:00`, which may go past midnight."""
    begins, _, ends = text.strip().partition("-")
    try:
        start = _clock(begins)
        end = time() if ends.strip() == "24:00" else _clock(ends)
    except ValueError:
        raise Refused(f"看不懂时段 {text!r}。请写成 19:00-01:00") from None
    lasts = datetime.combine(date.min, end) - datetime.combine(date.min, start)
    return start, lasts if lasts > timedelta(0) else lasts + timedelta(days=1)


def _clock(text: str) -> time:
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError
    return time(int(found[1]), int(found[2]))


def parse_days(text: str) -> frozenset[int]:
    """Read days of the week such as `1-5`, `6,7` or `每天`; raise `Refused` with an example."""
    if text.strip() in {"每天", "daily"}:
        return _EVERY_DAY
    if not _DAYS.fullmatch(text.strip()):
        raise Refused(f"看不懂星期 {text!r}。请写成 1-5(周一到周五)、6,7 或 每天")
    found: set[int] = set()
    for part in re.split("[,,、]", text.strip()):
        first, _, last = part.partition("-")
        if last and int(first) > int(last):
            raise Refused(f"看不懂星期 {part!r}:小的在前。请写成 1-5;跨周的分开写,如 6,7,1")
        found.update(range(int(first) - 1, int(last or first)))
    return frozenset(found)


def say_days(days: frozenset[int]) -> str:
    """Return `每天`, or `周一二三`."""
    return "每天" if days >= _EVERY_DAY else "周" + "".join(_DAY_NAMES[day] for day in sorted(days))


def say_hours(start: time, length: timedelta) -> str:
    """Return `19:00–01:00`."""
    return f"{start:%H:%M}–{datetime.combine(date.min, start) + length:%H:%M}"
