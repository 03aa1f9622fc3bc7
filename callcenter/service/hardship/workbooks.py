"""Reading the first sheet of an XLSX workbook as a stream: no tree is built, so that none can be too big.

A workbook is a zip of XML. Of a sheet only rows, cells and their texts matter; of everything else only which
sheet is the first that people see, the shared texts, and which number formats are dates. Whatever a row or
a part has too much of is refused where it stands. Nothing is evaluated: a formula comes back as one.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import IO, BinaryIO
from xml.parsers import expat

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.cell import column_index_from_string
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

#: A cell's value: text, a date, a sum nobody calculated (`FORMULA`), or nothing.
Value = str | date | None
#: Stands for a formula: no text of a workbook is this object.
FORMULA = "\0formula"


class Fraction(str):
    """What stood as a number with a point, as text."""

    __slots__ = ()


#: A workbook with so much beside its rows and texts is not a list of people: known before anything is read.
MAX_BESIDE = 100 * 1024 * 1024
#: What is read as a whole: names of sheets, formats.
MAX_SMALL_PART = 16 * 1024 * 1024
#: Texts that cells share, and signs kept of each.
MAX_TEXTS = 5_000_000
MAX_TEXT = 2000
#: XML elements of one row, or of all that stands outside of rows; and of a part that is read as a whole.
MAX_ELEMENTS = 50_000
MAX_SMALL_ELEMENTS = 500_000
_PIECE = 1 << 18
#: One tag with its attributes, bytes.
_MAX_TAG = 1 << 20
_OF_ROWS = ("xl/worksheets/", "xl/sharedstrings.xml")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much of a list is read: rows, columns, and bytes of all parts once unpacked."""

    rows: int
    columns: int
    unpacked: int


class BadWorkbook(Exception):
    """It is no workbook, or a damaged one."""


class TooBig(Exception):
    """There is more in it than in any list of people."""


def sheet_rows(opened: BinaryIO, limits: Limits) -> Iterator[tuple[int, list[Value]]]:
    """Yield number and values of each row of the first visible sheet that has any cells.

    Raises `BadWorkbook` and `TooBig`. A row that is too long comes back one longer than the limit, one that
    is too far below with the number after the last.
    """
    try:
        with zipfile.ZipFile(opened) as packed:
            _check_sizes(packed, limits.unpacked)
            book = _Book(packed)
            with packed.open(book.sheet) as sheet:
                yield from _rows(sheet, _Sheet(book, limits))
    except (TooBig, BadWorkbook, GeneratorExit):
        raise
    except Exception as error:  # whatever zlib, expat or a part that is missing have to say
        raise BadWorkbook from error


def _check_sizes(packed: zipfile.ZipFile, most: int) -> None:
    """Refuse by what the zip says of itself; it cannot give more than that."""
    parts = packed.infolist()
    beside = sum(p.file_size for p in parts if not p.filename.lower().startswith(_OF_ROWS))
    if sum(part.file_size for part in parts) > most or beside > MAX_BESIDE:
        raise TooBig


class _Book:
    """What is to be known before the sheet is read: its part, the shared texts, the formats of dates."""

    def __init__(self, packed: zipfile.ZipFile) -> None:
        self._packed = packed
        self._names = {part.filename.lower(): part.filename for part in packed.infolist()}
        workbook = self._one_of_type("officeDocument", "_rels/.rels", "") or "xl/workbook.xml"
        folder = posixpath.dirname(workbook)
        targets = self._relations(f"{folder}/_rels/{posixpath.basename(workbook)}.rels", folder)
        found = _WorkbookPart()
        self._read_small(workbook, found.start, found.end)
        self.epoch = CALENDAR_MAC_1904 if found.is_1904 else CALENDAR_WINDOWS_1900
        if found.sheet is None:
            raise NoSheet
        self.sheet = self._named(targets[found.sheet][1])
        of_kind = dict(targets.values())
        self.texts = self._texts(of_kind.get("sharedStrings", f"{folder}/sharedStrings.xml"))
        self.dates = self._dates(of_kind.get("styles", f"{folder}/styles.xml"))

    def _named(self, name: str) -> str:
        return self._names[name.lower()]

    def _relations(self, part: str, folder: str) -> dict[str, tuple[str, str]]:
        """Return id -> (kind, target) of a part's relations."""
        found: dict[str, tuple[str, str]] = {}

        def start(name: str, attributes: Mapping[str, str]) -> None:
            if name == "Relationship":
                target = attributes["Target"]
                whole = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                kind = attributes.get("Type", "").rpartition("/")[2]
                found[attributes["Id"]] = (kind, posixpath.normpath(whole))

        self._read_small(part, start)
        return found

    def _one_of_type(self, kind: str, part: str, folder: str) -> str | None:
        return next((t for one, t in self._relations(part, folder).values() if one == kind), None)

    def _read_small(
        self,
        part: str,
        start: Callable[[str, Mapping[str, str]], None],
        end: Callable[[str], None] | None = None,
    ) -> None:
        name = self._named(part)
        if self._packed.getinfo(name).file_size > MAX_SMALL_PART:
            raise TooBig
        parser = _parser(start, end)
        with self._packed.open(name) as opened:
            for _ in _fed(parser, opened):
                pass

    def _texts(self, part: str) -> Sequence[str]:
        if part.lower() not in self._names:
            return ()
        reader = _Texts()
        with self._packed.open(self._named(part)) as opened:
            for _ in _fed(reader.parser, opened):
                pass
        return reader.texts

    def _dates(self, part: str) -> frozenset[int]:
        """Return the styles of cells whose numbers are dates."""
        if part.lower() not in self._names:
            return frozenset()
        styles = _Styles()
        self._read_small(part, styles.start, styles.end)
        return frozenset(styles.dates)


class NoSheet(BadWorkbook):
    """No sheet of the workbook can be seen."""


class _WorkbookPart:
    """Finds the first visible sheet, and since when days are counted."""

    def __init__(self) -> None:
        self.sheet: str | None = None
        self.is_1904 = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "workbookPr":
            self.is_1904 = attributes.get("date1904") in {"1", "true"}
        elif name == "sheet" and self.sheet is None and attributes.get("state", "visible") == "visible":
            self.sheet = next((value for key, value in attributes.items() if _local(key) == "id"), None)

    def end(self, _name: str) -> None:
        """Nothing ends here."""


class _Styles:
    """Finds which styles of cells are formats of dates."""

    def __init__(self) -> None:
        self._formats: dict[int, bool] = {n: is_date_format(text) for n, text in BUILTIN_FORMATS.items()}
        self._is_inside = False
        self._number = 0
        self.dates: list[int] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt" and not self._is_inside:
            self._formats[int(attributes["numFmtId"])] = is_date_format(attributes["formatCode"])
        elif name == "cellXfs":
            self._is_inside = True
        elif name == "xf" and self._is_inside:
            if self._formats.get(int(attributes.get("numFmtId", 0)), False):
                self.dates.append(self._number)
            self._number += 1
            _check(self._number)

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._is_inside = False


class _Texts:
    """Reads the texts that cells share. How they are to be spoken (`rPh`) is no part of them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._is_text = False
        self._aside = 0
        self._within = 0
        self.parser = _plain_parser(self._start, self._end)
        self.parser.CharacterDataHandler = self._said

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._within += 1
        _check(self._within)
        name = _local(name)
        if name == "rPh":
            self._aside += 1
        self._is_text = name == "t" and not self._aside

    def _end(self, name: str) -> None:
        self._is_text = False
        name = _local(name)
        if name == "rPh":
            self._aside -= 1
        elif name == "si":
            self.texts.append("".join(self._parts)[:MAX_TEXT])
            self._parts, self._within = [], 0
            if len(self.texts) > MAX_TEXTS:
                raise TooBig

    def _said(self, text: str) -> None:
        if self._is_text and len(self._parts) < MAX_TEXT:
            self._parts.append(text[:MAX_TEXT])


class _Sheet:
    """Reads rows; each that ended waits in `done`. Its handlers are called ten million times."""

    def __init__(self, book: _Book, limits: Limits) -> None:
        self._book, self._limits = book, limits
        self.done: list[tuple[int, list[Value]]] = []
        self._row: list[Value] | None = None
        self._number = 0
        #: How many digits end the name of a cell of this row: the rest is its column.
        self._digits = 0
        self._elements = 0
        self._kind = "n"
        self._style = ""
        self._column = 0
        self._is_formula = False
        self._is_text = False
        self._parts: list[str] = []
        self._aside = 0
        self.parser = _plain_parser(self._start, self._end)
        self.parser.CharacterDataHandler = self._said

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooBig
        match name if ":" not in name else _local(name):
            case "c" if self._row is not None:
                place = attributes.get("r")
                self._column = _column(place[: -self._digits]) if place else self._column + 1
                self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
                self._is_formula, self._parts, self._aside = False, [], 0
            case "v" | "t":
                self._is_text = not self._aside
            case "row":
                self._begin_row(attributes)
            case "f":
                self._is_formula = True
            case "rPh":
                self._aside += 1
            case _:
                pass

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        if self._row is not None:
            raise BadWorkbook
        self._number = int(attributes["r"]) if "r" in attributes else self._number + 1
        self._row, self._column, self._digits = [], 0, len(str(self._number))

    def _end(self, name: str) -> None:
        match name if ":" not in name else _local(name):
            case "c" if self._row is not None:
                self._put(self._row, self._value())
            case "v" | "t":
                self._is_text = False
            case "row" if self._row is not None:
                self.done.append((min(self._number, self._limits.rows + 1), self._row))
                self._row, self._elements = None, 0
            case "rPh":
                self._aside -= 1
            case _:
                pass

    def _said(self, text: str) -> None:
        if self._is_text and len(self._parts) < MAX_TEXT:
            self._parts.append(text)

    def _put(self, row: list[Value], value: Value) -> None:
        """Put a value into its column; one beyond the last makes the row one too long."""
        place = self._column
        if place == len(row) + 1 <= self._limits.columns:
            row.append(value)
            return
        place = min(place, self._limits.columns + 1)
        row.extend([None] * (place - len(row)))
        row[place - 1] = value

    def _value(self) -> Value:
        if self._is_formula:
            return FORMULA
        text = self._parts[0] if len(self._parts) == 1 else "".join(self._parts)
        match self._kind:
            case "inlineStr" | "str":
                return text[:MAX_TEXT] or None
            case "s":
                return self._shared(text) if text else None
            case "b":
                return None if not text else "是" if text.strip() in {"1", "true"} else "否"
            case "n":
                return self._number_in(text.strip())
            case "d":
                return datetime.fromisoformat(text.strip()).date() if text else None
            case _:
                return text[:MAX_TEXT] or None

    def _shared(self, number: str) -> Value:
        if not number.strip().isdecimal():
            raise BadWorkbook
        return self._book.texts[int(number)] or None

    def _number_in(self, text: str) -> Value:
        if not text:
            return None
        if self._style and int(self._style) in self._book.dates:
            return _day(text, self._book.epoch)
        if text.lstrip("-").isdigit():
            return text
        number = float(text)
        return str(int(number)) if number.is_integer() else Fraction(number)


def _day(text: str, epoch: datetime) -> Value:
    """Return the day a number means; what is no day comes back as it is written, to be refused by name."""
    try:
        found = from_excel(float(text), epoch)
    except (ValueError, OverflowError):
        return text
    match found:
        case datetime():
            return found.date()
        case date():
            return found
        case time() | timedelta():
            return str(found)
        case _:
            return text


@lru_cache(maxsize=1000)
def _column(letters: str) -> int:
    return column_index_from_string(letters)


def _check(elements: int) -> None:
    if elements > MAX_ELEMENTS:
        raise TooBig


def _parser(
    start: Callable[[str, Mapping[str, str]], None], end: Callable[[str], None] | None
) -> expat.XMLParserType:
    """Return a parser of a part that is read as a whole."""
    count = 0

    def started(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_SMALL_ELEMENTS:
            raise TooBig
        start(_local(name), attributes)

    def ended(name: str) -> None:
        if end is not None:
            end(_local(name))

    return _plain_parser(started, ended)


def _plain_parser(
    start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]
) -> expat.XMLParserType:
    """Return a parser that tells names as they are written, and refuses what defines entities."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_: object) -> None:
    raise BadWorkbook


def _local(name: str) -> str:
    return name.rpartition(":")[2] if ":" in name else name


def _fed(parser: expat.XMLParserType, opened: IO[bytes]) -> Iterator[None]:
    """Feed a part to a parser, a piece at a time."""
    fed = 0
    while piece := opened.read(_PIECE):
        parser.Parse(piece, False)
        fed += len(piece)
        if fed - parser.CurrentByteIndex > _MAX_TAG:
            raise TooBig
        yield
    parser.Parse(b"", True)
    yield


def _rows(opened: IO[bytes], sheet: _Sheet) -> Iterator[tuple[int, list[Value]]]:
    for _ in _fed(sheet.parser, opened):
        yield from sheet.done
        sheet.done.clear()
