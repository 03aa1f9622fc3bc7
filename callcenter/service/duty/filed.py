"""What a roster file says, whatever it is written as: shifts with their places, and what is wrong where.

Files come from people and their programs: clumsy, or meant to harm. Sizes are capped before anything is
understood, every complaint names its line and the mend, and no complaint repeats what stands there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from callcenter.domain.duty import ShiftKind
from callcenter.domain.encodings import NotText, decoded
from callcenter.errors import Refused
from callcenter.files import open_regular

MAX_BYTES = 5 * 2**20
#: More shifts than this are no roster of one line.
MAX_SHIFTS = 5000
#: Nobody plans further ahead: a date past it is a wrong date, and what recurs is cut there.
AHEAD = timedelta(days=366)
LONGEST = timedelta(hours=24)
#: More complaints than this help nobody.
_MOST_TOLD = 20

#: How each kind is written and read.
KIND_WORDS = {ShiftKind.LINE: "值班", ShiftKind.BACKUP: "备班", ShiftKind.SUPERVISOR: "督导"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Filed:
    """One shift as a file has it. `id` tells it again in the next file; empty: nothing does."""

    line: int
    id: str = ""
    agent: str
    start: datetime
    length: timedelta
    kind: ShiftKind = ShiftKind.LINE

    @property
    def end(self) -> datetime:
        """Return the first instant after the shift."""
        return self.start + self.length


@dataclass(frozen=True, kw_only=True, slots=True)
class Filing:
    """A file that was understood: its shifts, and how much of it is no shift to come."""

    name: str
    shifts: tuple[Filed, ...]
    #: Events of a calendar that are over, or called off.
    past: int = 0
    cancelled: int = 0
    #: Where rules without an end were cut; None: none were.
    cut_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong, and in which line (0: the file as a whole)."""

    line: int
    message: str


class RosterFileRefused(Refused):
    """The roster was not imported; nothing was changed."""

    error_id = "import_refused"

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: p.line))
        places = [f"{name}:{p.line}" if p.line else name for p in self.problems]
        told = [f"  {place}:{p.message}" for place, p in zip(places, self.problems, strict=True)]
        if (more := len(told) - _MOST_TOLD) > 0:
            told[_MOST_TOLD:] = [f"  还有 {more} 处。"]
        super().__init__("\n".join([f"没有导入,什么都没有改动。共 {len(self.problems)} 处要改:", *told]))


class Complaint(ValueError):
    """Raised while reading one thing of a file; the reader adds the line and goes on."""


def read_text(file: Path) -> str:
    """Return the text of a roster file; raise `RosterFileRefused`, and `Refused` for a pipe or a link."""
    with open_regular(file) as opened:
        raw = opened.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise whole(file.name, f"超过 {MAX_BYTES // 2**20} MB,不像排班表。请只导出值班的日历,或分成几份。")
    try:
        text = decoded(raw)
    except NotText as error:
        message = "文字编码认不出(不是 UTF-8,也不是 GBK)。请另存为 UTF-8。"
        raise RosterFileRefused(file.name, [Problem(line=error.line, message=message)]) from error
    if not text.strip():
        raise whole(file.name, "是空的。")
    if "\0" in text:
        raise whole(file.name, "含有空字符,不是文本。请另存为 CSV(UTF-8)或 .ics。")
    return text


def whole(name: str, message: str) -> RosterFileRefused:
    """Return a refusal of the file as a whole."""
    return RosterFileRefused(name, [Problem(line=0, message=message)])


def kind_in(text: str) -> ShiftKind | None:
    """Return the kind that a word says, in Chinese or by its code; empty is the line; None: no such kind."""
    word = text.strip().lower()
    names = {**{name: kind for kind, name in KIND_WORDS.items()}, **{kind.value: kind for kind in ShiftKind}}
    return names.get(word) if word else ShiftKind.LINE


def check_times(start: datetime, end: datetime, now: datetime) -> None:
    """Raise `Complaint` for times that no shift has."""
    if end <= start:
        raise Complaint("结束不晚于开始。请改正时间;过午夜的班,结束写第二天的日期。")
    if end - start > LONGEST:
        raise Complaint("一个班超过 24 小时。请检查日期,或分成几个班。")
    if start > now + AHEAD:
        raise Complaint(f"在 {AHEAD.days} 天以后。请检查年份。")
