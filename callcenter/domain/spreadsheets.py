"""Tables that leave the store: cells a spreadsheet program takes for text, and says nothing it should not.

A text that a spreadsheet would calculate is put behind an apostrophe (CWE-1236). What it looks at is the
first character it does not skip: blanks, quotes and invisible characters before it hide nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

Cell = str | int | float | date | None

#: Also in full width: spreadsheets of East Asian systems read them as the narrow ones.
_STARTS = frozenset("=+-@＝＋－＠﹢﹣−")
_BREAKS = frozenset("\t\r\n\v\f\x85\u2028\u2029")
#: What stands before the first character that counts: quotes, and below whatever is blank or invisible.
_SKIPPED = frozenset("'\"‘’“”＇＂`´")
#: Characters that XML cannot hold at all.
_IMPOSSIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: Stands where a text would have named a diagnosis: whoever may, reads it where it was written (R16).
POINTER = "（原文见系统内记录）"
#: The longest text an XLSX cell holds.
_LONGEST = 32_767


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One table: its name, its headings, its rows."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)


def harmless(cell: Cell) -> Cell:
    """Return a cell that no spreadsheet calculates. Numbers and days stay what they are."""
    if not isinstance(cell, str):
        return cell
    text = _IMPOSSIBLE.sub("", cell)[: _LONGEST - 1]
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet might calculate a text, or break its line."""
    for char in text:
        if char in _BREAKS or char in _STARTS:
            return True
        if not (char in _SKIPPED or char.isspace() or unicodedata.category(char) in {"Cf", "Cc", "Zs"}):
            return False
    return False


def neutral(
    sheet: Sheet, words_in: Callable[[str], Sequence[str]]
) -> tuple[Sheet, tuple[tuple[int, str], ...]]:
    """Return a sheet without texts in which `words_in` finds something, and where they stood.

    A whole text is replaced, not the word: what is left around a word often still says it. Places are row
    (counted from 1) and heading; the text is never among them.
    """
    places: list[tuple[int, str]] = []
    rows = []
    for number, row in enumerate(sheet.rows, start=1):
        bad = [isinstance(cell, str) and bool(words_in(cell)) for cell in row]
        places += [(number, name) for name, is_bad in zip(sheet.headings, bad, strict=True) if is_bad]
        rows.append(tuple(POINTER if is_bad else cell for cell, is_bad in zip(row, bad, strict=True)))
    return replace(sheet, rows=tuple(rows)), tuple(places)


def text_of(cell: Cell) -> Cell:
    """Return what a cell says: moments and days as people write them, numbers as they are."""
    match cell:
        case datetime():
            return cell.strftime("%Y-%m-%d %H:%M:%S")
        case date():
            return cell.isoformat()
        case bool():
            return "是" if cell else "否"
        case _:
            return cell


def safe_rows(sheet: Sheet) -> Iterable[list[Cell]]:
    """Return headings and rows, every cell harmless."""
    for row in (sheet.headings, *sheet.rows):
        yield [harmless(text_of(cell)) for cell in row]
