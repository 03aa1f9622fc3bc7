"""A journal of any size, made of captured calls with their own ids, times and callers.

Forty new calls a second, told as Asterisk does: rows in time order, calls interleaved, sprinkled with
hostile caller numbers and rows that Asterisk cut.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from random import Random

from callcenter.asterisk.journal_rows import parse_journal

ROOT = Path(__file__).resolve().parents[2]
#: How often each captured call comes, where only callers ring.
MIX = {
    "answered": 70,
    "counsellor_hangs_up": 10,
    "abandoned": 6,
    "left_in_greeting": 3,
    "two_queue_entries": 2,
    "escalation_accepted": 4,
    "escalation_voicemail": 2,
    "hostile_caller": 1,
    "mobile_member_accepts": 2,
}
#: And where we call out as well, people sign on by phone, and callers are promised something.
SITE = MIX | {
    "answered": 50,
    "wish_left_by_a_key": 4,
    "checkin_answered_key_1": 6,
    "checkin_no_answer": 5,
    "checkin_busy": 2,
    "preview_answered": 2,
    "duty_on": 2,
}
CALLS_PER_SECOND = 40
BEGIN = 1_795_000_000.0
#: One row in so many is cut, as Asterisk cuts a row that is too long.
CUT_EVERY = 20_000
_MARK = re.compile(
    r"(179\d{7}\.\d{6})|pbx1-(\d{10}\.\d+)|(?<=-)([0-9a-f]{8})(?=[\";])|(13\d{9})|(at-[0-9a-f]{32})"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What stands in a journal."""

    rows: int
    calls: int
    #: Calls of ours: the attempt's id and when it was dialled (seconds since 1970), in order.
    ours: tuple[tuple[str, float], ...]

    @property
    def end(self) -> float:
        """Return an instant after the last row, in seconds since 1970."""
        return BEGIN + self.calls / CALLS_PER_SECOND + 600


class Template:
    """A captured call with holes where each new call differs."""

    def __init__(self, name: str) -> None:
        folder = ROOT / "tests" / "traces" / "journal"
        text = (folder / f"{name}.csv").read_bytes().decode("latin-1")
        parsed = parse_journal(text.encode("latin-1"), final=True)
        ends = [*parsed.offsets[1:], len(text)]
        self.start = float(parsed.rows[0].time)
        self.is_ours = parsed.rows[0].linked.startswith("at-")
        self.ids = {row.unique: n for n, row in enumerate(parsed.rows)}
        self.rows = [text[at:end] for at, end in zip(parsed.offsets, ends, strict=True)]
        lines = (folder / f"{name}.queue_log").read_bytes().decode("latin-1").splitlines(keepends=True)
        self.queue = [line for line in lines if re.match(r"\d{10}\|", line)]

    def call(self, number: int, at: float, caller: str) -> tuple[list[tuple[float, str]], list[str]]:
        """Return the timed rows and the queue_log lines of a new call."""
        shift = at - self.start

        def fill(found: re.Match[str]) -> str:
            time_, unique, channel, _, ours = found.groups()
            if time_:
                return f"{float(time_) + shift:.6f}"
            if unique:
                return f"pbx1-{int(at)}.{number * 100 + self.ids.get(f'pbx1-{unique}', 99)}"
            if ours:
                return attempt_id(number)
            return f"{number % 0xFFFFFF:06x}{channel[-2:]}" if channel else caller

        rows = [_MARK.sub(fill, row) for row in self.rows]
        times = [float(re.search(r"179\d{7}\.\d{6}", row)[0]) for row in rows]  # type: ignore[index]
        lines = [
            re.sub(r"^\d{10}", lambda m: str(int(int(m[0]) + shift)), _MARK.sub(fill, line))
            for line in self.queue
        ]
        return list(zip(times, rows, strict=True)), lines


def attempt_id(number: int) -> str:
    """Return the id of the attempt that a call of ours was."""
    return f"at-{number:032x}"


def write_journal(
    home: Path,
    rows: int,
    mix: Mapping[str, int] = MIX,
    caller: Callable[[Random], str] = lambda random: f"138{random.randrange(10**8):08d}",
) -> Written:
    """Write a journal and queue_log of so many rows; the same each time."""
    (home / "log" / "cel-custom").mkdir(parents=True)
    written, number, ours = 0, 0, []
    with (
        (home / "log" / "cel-custom" / "journal.csv").open("w", encoding="latin-1", newline="") as journal,
        (home / "log" / "queue_log").open("w", encoding="latin-1", newline="") as queue_log,
    ):
        queue_log.write(f"{int(BEGIN)}|NONE|NONE|NONE|QUEUESTART|\n")
        for block, lines, some in _blocks(Random(rows), mix, caller):
            for row in block[: rows - written]:
                written += 1
                journal.write(row[: len(row) // 2] if written % CUT_EVERY == 0 else row)
            queue_log.writelines(lines)
            number += 10 * CALLS_PER_SECOND
            ours += some
            if written == rows:
                return Written(rows=written, calls=number, ours=tuple(ours))
    raise AssertionError("calls never end")


def _blocks(
    random: Random, mix: Mapping[str, int], caller: Callable[[Random], str]
) -> Iterator[tuple[list[str], list[str], list[tuple[str, float]]]]:
    """Yield for ever what ten seconds of calls write: rows, lines of queue_log, and calls of ours."""
    templates, number = {name: Template(name) for name in mix}, 0
    rows: list[tuple[float, str]] = []
    lines: list[str] = []
    while True:
        ours: list[tuple[str, float]] = []
        for name in random.choices(list(mix), list(mix.values()), k=10 * CALLS_PER_SECOND):
            number += 1
            at = BEGIN + 1 + number / CALLS_PER_SECOND
            timed, queue = templates[name].call(number, at, caller(random))
            rows += timed
            lines += queue
            ours += [(attempt_id(number), at)] if templates[name].is_ours else []
        # What comes later than the next call begins is told among that call's rows. Asterisk writes a call's
        # rows of one instant in the order they stand in (HANGUP before CHAN_END): only the time sorts.
        rows.sort(key=itemgetter(0))
        lines.sort()
        told, said = bisect_left(rows, at, key=itemgetter(0)), bisect_left(lines, str(int(at)))
        yield [row for _, row in rows[:told]], lines[:said], ours
        rows, lines = rows[told:], lines[said:]
