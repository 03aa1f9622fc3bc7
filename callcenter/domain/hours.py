"""When the line is served: weekly windows -> instants, and the words for them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

#: The windows of one day, wall time; an end at or before its start lies on the next day.
DayWindows = Sequence[tuple[time, time]]
#: Monday to Sunday. Empty: the line is always served.
Week = Sequence[DayWindows]
Span = tuple[datetime, datetime]

_ONE_DAY = timedelta(days=1)
_DIGITS = "零一二三四五六七八九"
_DAYS = "一二三四五六日"


def openings(
    week: Week, first: date, days: int, zone: tzinfo, is_open_day: Callable[[date], bool] = lambda _: True
) -> list[Span]:
    """Return the spans in which the line is served that begin on `days` days from `first` on, joined."""
    found = []
    for day in (first + _ONE_DAY * n for n in range(days)):
        if is_open_day(day):
            found += [span_on(day, window, zone) for window in week[day.weekday()]]
    return list(_joined(sorted(found)))


def span_on(day: date, window: tuple[time, time], zone: tzinfo) -> Span:
    """Return the instants of a window that begins on `day`."""
    start, end = window
    last = day if end > start else day + _ONE_DAY
    return datetime.combine(day, start, zone), datetime.combine(last, end, zone)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans that do not touch: around the clock is one span, not one a day."""
    held: Span | None = None
    for start, end in spans:
        if held is not None and start <= held[1]:
            held = (held[0], max(held[1], end))
            continue
        if held is not None:
            yield held
        held = (start, end)
    if held is not None:
        yield held


def spoken(week: Week, *, closed_on_holidays: bool = False) -> str:
    """Return the hours as a voice says them, such as 每天晚上七点到九点半."""
    if not week:
        return "每天二十四小时"
    kinds = dict.fromkeys(_plain(windows) for windows in week if windows)
    said = [_days(_days_with(week, kind)) + _windows(kind) for kind in kinds]
    return "，".join(said) + ("，节假日除外" if closed_on_holidays else "")


def _days_with(week: Week, windows: DayWindows) -> list[int]:
    return [day for day, theirs in enumerate(week) if _plain(theirs) == windows]


def _plain(windows: DayWindows) -> tuple[tuple[time, time], ...]:
    return tuple(sorted(windows))


def _days(days: Sequence[int]) -> str:
    """Return 每天, 周一到周五, or 周一、周三."""
    if len(days) == len(_DAYS):
        return "每天"
    if len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1)):
        return f"周{_DAYS[days[0]]}到周{_DAYS[days[-1]]}"
    return "、".join(f"周{_DAYS[day]}" for day in days)


def _windows(windows: DayWindows) -> str:
    return "、".join(_window(start, end) for start, end in windows)


def _window(start: time, end: time) -> str:
    if start == end:
        return "二十四小时" if start == time() else f"{_part(start)}{_clock(start)}到次日{_clock(end)}"
    next_day = "次日" if end < start and end != time() else ""
    close = "零点" if end == time() else _clock(end)
    part = "" if end == time() or (not next_day and _part(start) == _part(end)) else _part(end)
    return f"{_part(start)}{_clock(start)}到{next_day}{part}{close}"


def _part(wall: time) -> str:
    """Return the part of the day that a Chinese speaker names before the hour."""
    for before, word in ((6, "凌晨"), (12, "上午"), (13, "中午"), (18, "下午")):
        if wall.hour < before:
            return word
    return "晚上"


def _clock(wall: time) -> str:
    hour = wall.hour - 12 if wall.hour > 12 else wall.hour
    match wall.minute:
        case 0:
            minutes = ""
        case 30:
            minutes = "半"
        case other:
            minutes = f"{'零' if other < 10 else ''}{_number(other)}分"
    return f"{'两' if hour == 2 else _number(hour)}点{minutes}"


def _number(value: int) -> str:
    """Return 0 to 59 in Chinese."""
    tens, ones = divmod(value, 10)
    if tens == 0:
        return _DIGITS[ones]
    return f"{_DIGITS[tens] if tens > 1 else ''}十{_DIGITS[ones] if ones else ''}"
