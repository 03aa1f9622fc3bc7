"""The bytes of an exported file: CSV or XLSX, marked with who took it when; and the marks found again."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from callcenter.domain.spreadsheets import Sheet, harmless, safe_rows
from callcenter.errors import Refused

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

#: More than this is no export of ours.
MAX_BYTES = 50 * 2**20
_MAX_UNPACKED = 300 * 2**20
_ID = re.compile(rb"ex-[0-9a-f]{32}")
#: Sheet names: what Excel takes.
_NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\]")


class FileKind(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    XLSX = "xlsx"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Who took a file out of the store, when, and under which number."""

    id: str
    by: str
    at: datetime
    zone: tzinfo
    #: It is handed to the person it is about: theirs to keep, with nobody's staff code on it.
    own: bool = False

    @property
    def author(self) -> str:
        """Return who the file says it is by."""
        return "本热线" if self.own else self.by

    @property
    def text(self) -> str:
        """Return the line that stands on every sheet, first and last."""
        if self.own:
            made = self.at.astimezone(self.zone).strftime("%Y-%m-%d")
            kind = "这是您本人的资料，请妥善保管，不要让不相干的人看到。有疑问，请拨打本热线。"
            return f"{kind}{made}，编号 {self.id}"
        when = self.at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")
        return f"内部资料，不得外传。导出人 {self.by}，{when}，编号 {self.id}"


def written(kind: FileKind, sheets: Sequence[Sheet], mark: Mark) -> bytes:
    """Return a file of that kind, marked."""
    return _csv(sheets, mark) if kind is FileKind.CSV else _xlsx(sheets, mark)


def _csv(sheets: Sequence[Sheet], mark: Mark) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([mark.text])
    for place, sheet in enumerate(sheets):
        if len(sheets) > 1:
            writer.writerows([[], [harmless(sheet.title)]] if place else [[harmless(sheet.title)]])
        writer.writerows(["" if cell is None else cell for cell in row] for row in safe_rows(sheet))
    writer.writerow([mark.text])
    # Excel takes a file without the mark of UTF-8 for one in the system's own encoding.
    return out.getvalue().encode("utf-8-sig")


def _xlsx(sheets: Sequence[Sheet], mark: Mark) -> bytes:
    # Imported here: a server that starts does not wait for it before it sees to calls.
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.worksheets[0])
    for place, sheet in enumerate(sheets, start=1):
        title = _NOT_IN_TITLE.sub("_", sheet.title)[:31] or f"表{place}"
        _fill(book.create_sheet(title), sheet, mark)
    properties = book.properties
    properties.creator = properties.lastModifiedBy = mark.author
    properties.identifier, properties.description = mark.id, mark.text
    properties.created = properties.modified = mark.at.replace(tzinfo=None)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(page: Worksheet, sheet: Sheet, mark: Mark) -> None:
    from openpyxl.styles import Font

    page.append([mark.text])
    for row in safe_rows(sheet):
        page.append(row)
    page.append([mark.text])
    for line in page.iter_rows():
        for cell in line:
            # Whatever a text begins with, it is stored as a text.
            if isinstance(cell.value, str):
                cell.data_type = "s"
                cell.quotePrefix = cell.value.startswith("'")
    for cell in page[2]:
        cell.font = Font(bold=True)
    page.freeze_panes = "A3"
    # On every printed page.
    for edge in (page.oddHeader, page.oddFooter):
        if edge is not None:
            edge.center.text = mark.text


def mark_in(file: Path) -> tuple[bytes, str | None]:
    """Return the bytes of a file and the export number it bears, wherever in it that stands.

    Raises `Refused` if it cannot be read or is too large for an export.
    """
    try:
        if not file.is_file():
            raise Refused(f"{file.name} 不是普通文件，或打不开。")
        if file.stat().st_size > MAX_BYTES:
            raise Refused(f"{file.name} 超过 {MAX_BYTES // 2**20} MB，不是本系统导出的文件。")
        content = file.read_bytes()
    except OSError as error:
        raise Refused(f"打不开 {file.name}：没有这个文件，或没有读取的权限。") from error
    return content, _number_in(content)


#: What zipfile raises at what is no workbook: damaged, encrypted, packed otherwise, cut short.
_UNREADABLE = (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError)


def _number_in(content: bytes) -> str | None:
    readers: list[Callable[[bytes], bytes]] = [bytes, _unpacked, _narrowed]
    for reader in readers:
        # A file that is no workbook, or a damaged one, only bears no number that this reader could find.
        with suppress(*_UNREADABLE):
            if found := _ID.search(reader(content)):
                return found[0].decode()
    return None


def _unpacked(content: bytes) -> bytes:
    """Return what is packed in a workbook, as far as a workbook of ours could go."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        if sum(part.file_size for part in packed.infolist()) > _MAX_UNPACKED:
            return b""
        return b"\n".join(packed.read(name) for name in packed.namelist())


def _narrowed(content: bytes) -> bytes:
    """Return a file of two-byte characters as one of bytes: saved again as "Unicode text"."""
    return content.replace(b"\0", b"")
