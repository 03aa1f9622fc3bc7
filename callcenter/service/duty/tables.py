"""The roster as a table: CSV that a spreadsheet program opens and writes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TypeVar

from callcenter.domain.duty import Shift
from callcenter.domain.spreadsheets import Sheet, is_formula, safe_rows
from callcenter.service.duty.filed import (
    KIND_WORDS,
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

_COLUMNS = {
    "id": ("编号", "id"),
    "agent": ("代码", "人员", "agent"),
    "start": ("开始", "start"),
    "end": ("结束", "end"),
    "length": ("时长", "length"),
    "kind": ("类别", "kind"),
}
_DAY = r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})日?"
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_MOMENT = re.compile(rf"{_DAY}[T\s]\s*{_CLOCK}")
_ONLY_CLOCK = re.compile(_CLOCK)
_LENGTH = re.compile(r"(?:(\d{1,2})(?:h|小时))?(?:(\d{1,4})(?:m|分钟|分))?(?:(\d{1,2})(?:s|秒))?")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
#: Longer is no cell of a roster.
_LONGEST_CELL = 200
#: Cells of a line: more are no roster. A spreadsheet writes empty ones where somebody once typed.
_MOST_CELLS = 200

Row = Mapping[str, str]
T = TypeVar("T")


def written(shifts: Iterable[Shift], zone: tzinfo) -> bytes:
    """Return shifts as CSV: UTF-8 with its mark, wall time, codes and no names."""
    rows = tuple(
        (s.id, s.agent, _wall(s.start, zone), _wall(s.end, zone), KIND_WORDS[s.kind])
        for s in sorted(shifts, key=lambda s: (s.start, s.agent, s.id))
    )
    sheet = Sheet(title="排班表", headings=("编号", "代码", "开始", "结束", "类别"), rows=rows)
    out = io.StringIO(newline="")
    csv.writer(out).writerows(safe_rows(sheet))
    # Excel takes a file without the mark of UTF-8 for one in the system's own encoding.
    return out.getvalue().encode("utf-8-sig")


def read(text: str, name: str, zone: tzinfo, now: datetime) -> Filing:
    """Return the shifts of a table; raise `RosterFileRefused` with everything that is wrong in it."""
    rows = _rows(text, name)
    columns = _columns(next(rows, (1, [])), name)
    shifts: list[Filed] = []
    problems: list[Problem] = []
    for line, cells in rows:
        if not any(cells):
            continue
        if len(shifts) + len(problems) >= MAX_SHIFTS:
            raise whole(name, f"超过 {MAX_SHIFTS} 行。请分成几份。")
        row = {key: cells[at] if at < len(cells) else "" for key, at in columns.items()}
        try:
            shifts.append(_shift(line, row, zone, now))
        except Complaint as error:
            problems.append(Problem(line=line, message=str(error)))
    if problems:
        raise RosterFileRefused(name, problems)
    return Filing(name=name, shifts=tuple(shifts))


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    head = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max((",", "\t", ";"), key=head.count), strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            told = Problem(line=line, message="引号不成对,或一格太长。请检查后重存。")
            raise RosterFileRefused(name, [told]) from error
        yield line, [cell.strip(" \u3000\u00a0\r\n\ufeff") for cell in cells[:_MOST_CELLS]]


def _columns(first: tuple[int, Sequence[str]], name: str) -> dict[str, int]:
    """Return where each column stands; raise `RosterFileRefused` unless all needed ones do, once."""
    line, cells = first
    headings = [cell.lower() for cell in cells]
    found = {key: at for key, names in _COLUMNS.items() for at, cell in enumerate(headings) if cell in names}
    twice = [key for key, names in _COLUMNS.items() if sum(cell in names for cell in headings) > 1]
    if twice or not {"agent", "start"} <= found.keys() or not found.keys() & {"end", "length"}:
        message = "第一行要写列名:代码,开始,结束,类别(结束也可以是时长,类别可以不写),每列一次。"
        raise RosterFileRefused(name, [Problem(line=line, message=message)])
    return found


def _shift(line: int, row: Row, zone: tzinfo, now: datetime) -> Filed:
    for cell in row.values():
        if len(cell) > _LONGEST_CELL or is_formula(cell):
            raise Complaint("有公式或太长的格子。请只写文字和时间。")
    agent = row["agent"].lower()
    if not re.fullmatch(r"[a-z][a-z0-9]{1,11}", agent):
        raise Complaint("代码不对。请写人员代码,如 c001,不要写姓名。")
    start = _moment(row["start"], zone, "开始")
    end = _end(start, row, zone)
    check_times(start, end, now)
    kind = kind_in(row.get("kind", ""))
    if kind is None:
        raise Complaint(f"类别不认识。请写{'、'.join(KIND_WORDS.values())}之一。")
    told = row.get("id", "")
    if told and not _ID.fullmatch(told):
        raise Complaint("编号不对。新排的班,编号留空。")
    return Filed(line=line, id=told, agent=agent, start=start, length=end - start, kind=kind)


def _end(start: datetime, row: Row, zone: tzinfo) -> datetime:
    end, length = row.get("end", ""), row.get("length", "")
    if bool(end) == bool(length):
        raise Complaint("结束和时长要写一个,也只写一个。")
    if length:
        return start + _length(length)
    found = _ONLY_CLOCK.fullmatch(end)
    if found is None:
        return _moment(end, zone, "结束")
    # A clock time alone is the next such time after the start.
    local = start.astimezone(zone)
    clock = time() if end == "24:00" else _made(time, *_numbers(found.groups()), what="结束")
    day = local.date() if clock > local.time() else local.date() + timedelta(days=1)
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)


def _length(text: str) -> timedelta:
    found = _LENGTH.fullmatch(text.lower().replace(" ", ""))
    if found is None or not any(found.groups()):
        raise Complaint("看不懂时长。请写成 6h 或 1h30m。")
    hours, minutes, seconds = _numbers(found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _moment(text: str, zone: tzinfo, what: str) -> datetime:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise Complaint(f"看不懂{what}时间。请写成 2026-11-24 19:00。")
    local = _made(datetime, *_numbers(found.groups()), what=what)
    if not 2000 <= local.year <= 2100:
        raise Complaint(f"{what}的年份应在 2000 至 2100 之间。")
    return local.replace(tzinfo=zone).astimezone(UTC)


def _numbers(groups: Iterable[str | None]) -> list[int]:
    return [int(group or 0) for group in groups]


def _made(of: Callable[..., T], *numbers: int, what: str) -> T:
    try:
        return of(*numbers)
    except ValueError:
        raise Complaint(f"没有这样的{what}时间。请检查日期和钟点。") from None


def _wall(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S" if local.second else "%Y-%m-%d %H:%M")
