"""Reading a list that a union office sends: CSV in whatever encoding, or XLSX. Nothing is evaluated.

Files are clumsy or hostile: sizes are capped before anything is unpacked, rows are read one by one and none
is kept, a formula is refused where it stands, and every complaint names its row and column. Cells come back
as text or as dates.
"""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from openpyxl.utils import get_column_letter

from callcenter.domain import encodings
from callcenter.errors import Refused
from callcenter.service.hardship.workbooks import (
    FORMULA,
    BadWorkbook,
    Fraction,
    Limits,
    NoSheet,
    TooBig,
    Value,
    sheet_rows,
)

MAX_BYTES = 64 * 1024 * 1024
#: A workbook that unpacks to more than this is not a list of people.
MAX_UNPACKED = 500 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 80
MAX_CELL = 500
#: How far up a heading may stand below title lines.
HEADING_WITHIN = 10
#: Problems that are told one by one.
MOST_TOLD = 300
#: What offices write into an empty cell.
_EMPTY = frozenset({"-", "--", "—", "——", "/", "\\", "无", "空"})
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

#: Rows read so far; called every thousand rows.
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is wrong, and where. Holds no personal data: never the cell's text."""

    row: int
    #: Column letter and heading, or empty when the whole row or file is meant.
    column: str
    message: str

    def __str__(self) -> str:
        place = f"第{self.row}行" + (f" {self.column}" if self.column else "") if self.row else "文件"
        return f"{place}：{self.message}"


class ImportRefused(Refused):
    """The list was not imported; nothing was changed."""

    error_id = "import_refused"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.row, p.column)))
        lines = "\n".join(f"  {p}" for p in self.problems[:MOST_TOLD])
        rest = len(self.problems) - MOST_TOLD
        more = f"\n  ……以及另外 {rest} 处。" if rest > 0 else ""
        super().__init__(f"名单没有导入，什么都没有改动。共 {len(self.problems)} 处要改：\n{lines}{more}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One cell: text without surrounding blanks, or a date. `formula` cells carry no text."""

    text: str = field(default="", repr=False)
    day: date | None = field(default=None, repr=False)
    formula: bool = False
    #: It stood as a number with a point: a zero at its end is lost.
    fraction: bool = False
    too_long: bool = False

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing stands here, or only a placeholder such as `—`."""
        return self.day is None and not self.formula and (not self.text or self.text in _EMPTY)

    @property
    def looks_like_formula(self) -> bool:
        """Tell whether a spreadsheet would calculate this (formula injection)."""
        starts = self.text.startswith(_FORMULA_STARTS)
        return self.formula or (starts and not self.is_empty)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the list. `number` is the line or row as people count it."""

    number: int
    cells: tuple[Cell, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing stands in it."""
        return all(cell.is_empty for cell in self.cells)


def read_rows(file: Path, progress: Progress | None = None) -> list[Row]:
    """Return every non-empty row of a CSV or XLSX file; raise `ImportRefused` if it is neither."""
    return list(rows_of(file, progress))


def rows_of(file: Path, progress: Progress | None = None) -> Iterator[Row]:
    """Yield every non-empty row of a CSV or XLSX file; raise `ImportRefused` where it is neither."""
    size = _size_of(file)
    if size > MAX_BYTES:
        raise refused(f"有 {size // 2**20} MB,超过 {MAX_BYTES // 2**20} MB。请确认是名单，或分成几份。")
    with file.open("rb") as opened:
        head = opened.read(8)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise refused("是旧的 .xls 或加了密码的文件。请在表格软件里另存为 .xlsx（不设密码）或 CSV。")
    rows = _xlsx_rows(file) if head.startswith(b"PK\x03\x04") else _csv_rows(file)
    yield from _checked(rows, progress)


def refused(message: str) -> ImportRefused:
    """Return a refusal of the file as a whole."""
    return ImportRefused([Problem(row=0, column="", message=message)])


def column_name(index: int, heading: str = "") -> str:
    """Return `C列（手机）` for the third column."""
    letter = f"{get_column_letter(index + 1)}列"
    return f"{letter}（{heading}）" if heading else letter


def _size_of(file: Path) -> int:
    try:
        found = file.stat()
    except OSError as error:
        raise refused(f"打不开 {file.name}：没有这个文件，或没有读取的权限。") from error
    if not stat.S_ISREG(found.st_mode):  # a device or a pipe may never end
        raise refused(f"{file.name} 不是普通文件。")
    return found.st_size


def _checked(rows: Iterable[Row], progress: Progress | None) -> Iterator[Row]:
    for count, row in enumerate(rows, start=1):
        if count > MAX_ROWS:
            raise refused(f"超过 {MAX_ROWS} 行。请分成几份导入。")
        if len(row.cells) > MAX_COLUMNS:
            raise refused(f"第{row.number}行超过 {MAX_COLUMNS} 列。请确认是名单。")
        if progress is not None and count % 1000 == 0:
            progress(count)
        if not row.is_empty:
            yield row


# --- CSV -----------------------------------------------------------------------------------


def _csv_rows(file: Path) -> Iterator[Row]:
    text = _decoded(file.read_bytes())
    if "\0" in text:
        raise refused("含有空字符，不是文本。请另存为 CSV（UTF-8）或 .xlsx。")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise refused(f"第{reader.line_num}行的引号不成对，或一格太长。请检查后重存。") from error
        # One more than is allowed is enough to refuse the row.
        yield Row(number=reader.line_num, cells=tuple(map(_text_cell, values[: MAX_COLUMNS + 1])))


def _decoded(raw: bytes) -> str:
    if not raw.strip():
        raise refused("是空的。")
    try:
        return encodings.decoded(raw)
    except encodings.NotText as error:
        raise refused(
            f"第{error.line}行的文字编码认不出（不是 UTF-8，也不是 GB18030）。请另存为 CSV（UTF-8）。"
        ) from error


def _separator(text: str) -> str:
    """Return what separates the cells of the first lines: a comma, a tab or a semicolon."""
    head = "\n".join(text.splitlines()[:HEADING_WITHIN])
    return max((",", "\t", ";"), key=head.count)


#: Most cells of most lists.
_NOTHING = Cell()


def _text_cell(value: str) -> Cell:
    text = value.strip(" \u3000\u00a0\r\n\ufeff")
    if not text:
        return _NOTHING
    return Cell(text=text[:MAX_CELL], too_long=len(text) > MAX_CELL)


# --- XLSX ----------------------------------------------------------------------------------


def _xlsx_rows(file: Path) -> Iterator[Row]:
    # By what it holds, not by its name: a workbook may end in .csv, as offices send them.
    limits = Limits(rows=MAX_ROWS, columns=MAX_COLUMNS, unpacked=MAX_UNPACKED)
    try:
        with file.open("rb") as opened:
            for number, values in sheet_rows(opened, limits):
                if number > MAX_ROWS:
                    raise refused(f"超过 {MAX_ROWS} 行。请分成几份导入。")
                yield Row(number=number, cells=tuple(map(_xlsx_cell, values)))
    except TooBig as error:
        raise refused("解开后过大，不像是一份名单。") from error
    except NoSheet as error:
        raise refused("里面没有可见的工作表。") from error
    except BadWorkbook as error:
        raise refused("不是完好的 .xlsx 文件。请用表格软件打开后另存一份。") from error


def _xlsx_cell(value: Value) -> Cell:
    if value is None:
        return _NOTHING
    if isinstance(value, date):
        return Cell(day=value)
    if isinstance(value, Fraction):
        return Cell(text=value, fraction=True)
    return Cell(formula=True) if value is FORMULA else _text_cell(value)
