"""The roster as a calendar: iCalendar (RFC 5545), which calendar programs and phones read and write."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone
from icalendar.error import BrokenCalendarProperty

from callcenter.domain.duty import Shift, ShiftKind
from callcenter.service.duty.filed import (
    AHEAD,
    KIND_WORDS,
    LONGEST,
    MAX_SHIFTS,
    Complaint,
    Filed,
    Filing,
    Problem,
    RosterFileRefused,
    check_times,
    kind_in,
    whole,
)
from callcenter.service.duty.ical_lines import blocks
from callcenter.service.duty.recurring import (
    MAX_RULES,
    MAX_SERIES,
    check_rule,
    is_open_ended,
    occurrences,
    recurs,
)

_OURS = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,39})@xinxian")
_CODES = re.compile(r"(?<![a-z0-9])[a-z][a-z0-9]{1,11}(?![a-z0-9])")
#: Where the line of an event is kept while libraries copy it about.
_LINE = "X-XINXIAN-LINE"
_NO_CODE = "看不出是谁的班。请在标题里写人员代码,如“c001 值班”,或把参与人写成 c001@ 开头的地址。"


# --- writing -------------------------------------------------------------------------------


def written(shifts: Iterable[Shift], zone: ZoneInfo, now: datetime) -> bytes:
    """Return shifts as a calendar: an event each, by the site's wall clock, codes and no names."""
    known = sorted(shifts, key=lambda s: (s.start, s.agent, s.id))
    calendar = Calendar()
    calendar.add("prodid", "-//xinxian//duty//ZH")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "值班表")
    if known:
        first, last = known[0].start, max(s.end for s in known)
        calendar.add_component(
            Timezone.from_tzinfo(zone, zone.key, first.date(), last.date() + timedelta(days=1))
        )
    for shift in known:
        calendar.add_component(_event(shift, zone, now))
    return bytes(calendar.to_ical())


def _event(shift: Shift, zone: ZoneInfo, now: datetime) -> Event:
    event = Event()
    # The shift's own number: brought in again, it is the same shift.
    event.add("uid", f"{shift.id}@xinxian")
    event.add("dtstamp", now.astimezone(UTC))
    event.add("dtstart", shift.start.astimezone(zone))
    event.add("dtend", shift.end.astimezone(zone))
    event.add("summary", f"{shift.agent} {KIND_WORDS[shift.kind]}")
    event.add("categories", [shift.kind.value])
    return event


# --- reading -------------------------------------------------------------------------------


def read(text: str, name: str, zone: ZoneInfo, now: datetime, codes: Collection[str]) -> Filing:
    """Return the shifts of a calendar; raise `RosterFileRefused` with everything that is wrong in it.

    `codes`: whom an event may be about. What recurs is expanded up to `AHEAD`; what is over or called off
    is counted and left out.
    """
    reader = _Reader(name, now, frozenset(codes))
    for block in blocks(text, name, zone.key):
        with reader.at(block.line):
            reader.take(_parsed(block.text, block.line))
    return reader.filing()


class _Reader:
    """Collects shifts and complaints, event by event."""

    def __init__(self, name: str, now: datetime, codes: frozenset[str]) -> None:
        self._name, self._now, self._codes = name, now, codes
        self._until = now + AHEAD
        self._series: dict[str, list[Event]] = defaultdict(list)
        self._seen: set[tuple[str, str]] = set()
        self._problems: list[Problem] = []
        self._shifts: list[Filed] = []
        self._past = self._cancelled = 0
        self._cut = False

    def at(self, line: int) -> _At:
        return _At(self._problems, line)

    def take(self, event: Event) -> None:
        """Note an event under its UID; complain if it says nothing that could be a shift."""
        start, end = _times(event)
        uid = str(event.get("UID", "")).strip()
        if not uid:
            raise Complaint("事件没有 UID。请从日历软件重新导出。")
        if recurs(event):
            check_rule(event, start, self._now)
            if end <= start or end - start > LONGEST:
                check_times(start, end, self._now)
        if (uid, key := _key(event)) in self._seen:
            raise Complaint("同一个事件(UID)出现了两次。请删去一个。")
        self._seen.add((uid, key))
        if len(self._series[uid]) >= MAX_SERIES:
            raise Complaint(f"这个重复的事件单独改过 {MAX_SERIES} 次以上。请分成几个事件。")
        self._series[uid].append(event)

    def filing(self) -> Filing:
        """Return everything, or raise `RosterFileRefused`."""
        if sum(any(map(recurs, series)) for series in self._series.values()) > MAX_RULES:
            raise whole(self._name, f"重复的事件超过 {MAX_RULES} 个。请分成几份。")
        for uid, series in self._series.items():
            self._expand(uid, series)
            if len(self._shifts) > MAX_SHIFTS:
                raise whole(
                    self._name, f"展开后超过 {MAX_SHIFTS} 个班。请给重复规则写上截止日期,或分成几份。"
                )
        if self._problems:
            raise RosterFileRefused(self._name, self._problems)
        return Filing(
            name=self._name,
            shifts=tuple(sorted(self._shifts, key=lambda s: (s.start, s.agent, s.line))),
            past=self._past,
            cancelled=self._cancelled,
            cut_at=self._until if self._cut else None,
        )

    def _expand(self, uid: str, series: list[Event]) -> None:
        with self.at(_line(series[0])):
            found: Sequence[Event] = series
            if any(map(recurs, series)):
                found = occurrences(series, self._now - LONGEST, self._until)
                self._cut |= any(is_open_ended(event, self._until) for event in series)
            for event in found:
                with self.at(_line(event)):
                    self._shifts += self._filed(uid, event)

    def _filed(self, uid: str, event: Event) -> Iterator[Filed]:
        start, end = _times(event)
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            self._cancelled += 1
        elif end <= self._now and start < end:
            self._past += 1
        else:
            check_times(start, end, self._now)
            agents = _agents(event, self._codes)
            for agent in agents:
                told = _id(uid, _key(event), agent if len(agents) > 1 else "")
                yield Filed(
                    line=_line(event),
                    id=told,
                    agent=agent,
                    start=start,
                    length=end - start,
                    kind=_kind(event),
                )


class _At:
    """Turns a complaint within the block into a problem of that line."""

    def __init__(self, problems: list[Problem], line: int) -> None:
        self._problems, self._line = problems, line

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Complaint):
            self._problems.append(Problem(line=self._line, message=str(error)))
            return True
        return False


def _parsed(text: str, line: int) -> Event:
    try:
        event = Event.from_ical(text)
    except Exception as error:  # whatever the library stumbles over
        raise Complaint("这个事件读不懂。请从日历软件重新导出。") from error
    if not isinstance(event, Event) or event.errors:
        raise Complaint("这个事件有读不懂的一行。请从日历软件重新导出。")
    event.add(_LINE, str(line))
    return event


def _line(event: Event) -> int:
    return int(str(event[_LINE]))


def _times(event: Event) -> tuple[datetime, datetime]:
    """Return start and end in UTC; raise `Complaint` if there is no such time."""
    start = _moment(event, "DTSTART")
    if start is None:
        raise Complaint("事件没有开始时间。")
    if "DTEND" in event:
        end = _moment(event, "DTEND")
    else:
        length = _value(event, "DURATION") if "DURATION" in event else None
        end = start + length if isinstance(length, timedelta) and abs(length) <= 2 * LONGEST else None
    if end is None:
        raise Complaint("事件没有结束时间,或时长不对。")
    return start, end


def _moment(event: Event, name: str) -> datetime | None:
    if name not in event:
        return None
    value = _value(event, name)
    if not isinstance(value, datetime):
        raise Complaint("全天事件没有钟点,不能排班。请改成有起止时间的事件,或删去。")
    if value.tzinfo is None:
        raise Complaint("时区认不出。请改用 Asia/Shanghai,或不带时区。")
    if not 2000 <= value.year <= 2100:
        raise Complaint("年份应在 2000 至 2100 之间。")
    return value.astimezone(UTC)


def _value(event: Event, name: str) -> object:
    known: Any = event[name]
    try:
        value: object = known.dt
    except (BrokenCalendarProperty, AttributeError, ValueError):  # also: the property stands there twice
        raise Complaint("时间读不懂,或写了两次。请从日历软件重新导出。") from None
    return value


def _key(event: Event) -> str:
    """Return which of a series an event is: the time at which the rule has it; empty: not of a series."""
    at = _moment(event, "RECURRENCE-ID")
    return at.isoformat() if at else ""


def _id(uid: str, key: str, agent: str) -> str:
    """Return the shift that an event is, the same whenever it is read."""
    if (ours := _OURS.fullmatch(uid)) and not key and not agent:
        return ours[1]
    told = hashlib.sha256("\n".join((uid, key, agent)).encode("utf-8", "surrogatepass"))
    return f"sh-{told.hexdigest()[:12]}"


def _agents(event: Event, codes: frozenset[str]) -> list[str]:
    """Return whose event it is: its attendees, else the one code in its title; raise `Complaint`."""
    attendees = event.get("ATTENDEE", [])
    found = {
        word
        for attendee in (attendees if isinstance(attendees, list) else [attendees])
        for word in (
            str(attendee).lower().removeprefix("mailto:").partition("@")[0],
            str(getattr(attendee, "params", {}).get("CN", "")).strip().lower(),
        )
        if word in codes
    }
    if found:
        return sorted(found)
    titled = sorted(set(_CODES.findall(str(event.get("SUMMARY", "")).lower())) & codes)
    if len(titled) > 1:
        raise Complaint("标题里有几个人员代码。请每人一个事件,或都写成参与人。")
    if not titled:
        raise Complaint(_NO_CODE)
    return titled


def _kind(event: Event) -> ShiftKind:
    """Return the kind that a category says, else a word of the title; else it is the line."""
    categories = event.get("CATEGORIES", [])
    listed = categories if isinstance(categories, list) else [categories]
    words = [str(word) for one in listed for word in getattr(one, "cats", [])]
    words += re.split(r"[\s,,、()()::]+", str(event.get("SUMMARY", "")))
    kinds = (kind_in(word) for word in words if word.strip())
    return next((kind for kind in kinds if kind is not None), ShiftKind.LINE)
