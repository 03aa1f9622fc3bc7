"""The lines of an iCalendar file (RFC 5545) that a roster needs, before any library reads them.

Calendars carry alarms, attachments, descriptions, rules for time zones that never end. Nothing of that
goes further than here: only the properties named below of events, each of bounded length and number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from callcenter.service.duty.filed import Problem, RosterFileRefused, whole

#: More events than this are no roster of one line.
MAX_EVENTS = 5000
_KEPT = frozenset(
    "UID DTSTART DTEND DURATION RRULE EXRULE RDATE EXDATE RECURRENCE-ID SUMMARY ATTENDEE CATEGORIES STATUS"
    " SEQUENCE".split()
)
_DEEPEST = 10
_LONGEST = 20_000
_MOST_LINES = 1000
_NAME = re.compile(r"[A-Za-z0-9-]+(?=[;:])")
#: A wall time without a zone: that of the site.
_FLOATING = re.compile(
    r"(?P<name>DTSTART|DTEND|RECURRENCE-ID|EXDATE|RDATE)(?P<parameters>(?:;[^:;]+)*)"
    r":(?P<value>[0-9]{8}T[0-9]{6}(?:,[0-9]{8}T[0-9]{6})*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One event: where it begins, and its lines."""

    line: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the event as a library reads it."""
        return "\r\n".join(["BEGIN:VEVENT", *self.lines, "END:VEVENT", ""])


def blocks(text: str, name: str, zone: str) -> list[Block]:
    """Return the events; raise `RosterFileRefused` if the file is none, is cut short, or is too much.

    A wall time without a zone is given the site's (`zone`, its name).
    """
    scan = _Scan(name, zone)
    for number, line in _unfolded(text):
        scan.take(number, line)
    if scan.inside:
        raise whole(name, "文件不完整,结尾缺 END。请从日历软件重新导出。")
    return scan.found


class _Scan:
    """Follows what is begun and ended, and keeps the lines of events that count."""

    def __init__(self, name: str, zone: str) -> None:
        self.found: list[Block] = []
        self.inside: list[str] = []
        self._name, self._zone = name, zone
        self._begun, self._kept = 0, list[str]()

    def take(self, number: int, line: str) -> None:
        verb, _, what = line.partition(":")
        match verb.upper():
            case "BEGIN":
                self._begin(number, what.strip().upper())
            case "END":
                self._end(number, what.strip().upper())
            case _ if self._in_event():
                self._keep(number, line)

    def _in_event(self) -> bool:
        return self.inside == ["VCALENDAR", "VEVENT"]

    def _begin(self, number: int, what: str) -> None:
        self.inside.append(what)
        if len(self.inside) > _DEEPEST or self.inside[0] != "VCALENDAR":
            raise self._refused(number, "不是完好的 iCalendar 文件。请从日历软件重新导出。")
        if self._in_event():
            self._begun, self._kept = number, []

    def _end(self, number: int, what: str) -> None:
        if not self.inside or self.inside[-1] != what:
            raise self._refused(number, "BEGIN 和 END 不成对。请从日历软件重新导出。")
        if self._in_event():
            self.found.append(Block(line=self._begun, lines=tuple(self._kept)))
        if len(self.found) > MAX_EVENTS:
            raise self._refused(number, f"超过 {MAX_EVENTS} 个事件。请只导出值班的日历,或分成几份。")
        self.inside.pop()

    def _keep(self, number: int, line: str) -> None:
        named = _NAME.match(line)
        if named is None or named[0].upper() not in _KEPT:
            return
        if len(line) > _LONGEST or len(self._kept) >= _MOST_LINES:
            raise self._refused(number, "这个事件太长,不像排班。")
        floating = _FLOATING.fullmatch(line)
        if floating and "TZID=" not in floating["parameters"].upper():
            line = f"{floating['name']}{floating['parameters']};TZID={self._zone}:{floating['value']}"
        self._kept.append(line)

    def _refused(self, line: int, message: str) -> RosterFileRefused:
        return RosterFileRefused(self._name, [Problem(line=line, message=message)])


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Yield each logical line with the number of the line on which it begins."""
    begun, parts = 1, list[str]()
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if parts and line[:1] in (" ", "\t"):
            parts.append(line[1:])
            continue
        if parts:
            yield begun, "".join(parts)
        begun, parts = number, [line]
    yield begun, "".join(parts)
