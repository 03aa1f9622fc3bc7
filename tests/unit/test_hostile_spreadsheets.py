"""Spreadsheets made to hurt: small files that would unpack into gigabytes, lie about themselves or run on."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from callcenter.service.hardship.tables import ImportRefused, read_rows

NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = "xl/worksheets/sheet1.xml"
#: What reading one may take at most, bytes.
MOST = 120 << 20


def workbook(part: str = "", content: bytes = b"") -> bytes:
    """Return a workbook of one cell, with one of its parts replaced."""
    book = Workbook()
    assert book.active is not None
    book.active["A1"] = "档案编号"
    whole, out = io.BytesIO(), io.BytesIO()
    book.save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist(), *([part] if part else [])}:
            new.writestr(name, content if name == part else old.read(name))
    return out.getvalue()


def sheet(inside: bytes) -> bytes:
    return workbook(SHEET, f"<worksheet {NS}><sheetData>".encode() + inside + b"</sheetData></worksheet>")


def doubled(name: str) -> bytes:
    """Return a sheet whose one cell is an entity of an entity of an entity."""
    levels = "".join(
        f'<!ENTITY {upper} "{"&" + lower + ";"}{"&" + lower + ";"}{("&" + lower + ";") * 8}">'
        for lower, upper in zip("abcdefgh", "bcdefghi", strict=True)
    )
    head = f'<!DOCTYPE l [<!ENTITY a "{name}">{levels}]><worksheet {NS}><sheetData><row>'
    return workbook(
        SHEET, f'{head}<c t="inlineStr"><is><t>&i;</t></is></c></row></sheetData></worksheet>'.encode()
    )


def newer_zip() -> bytes:
    """Return a workbook that asks for a version of zip nobody has made."""
    raw = bytearray(workbook())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 6] = 93
    return bytes(raw)


BOMBS = {
    "a row of ten million cells": lambda: sheet(b"<row>" + b"<c/>" * 10_000_000 + b"</row>"),
    "ten million empty rows": lambda: sheet(b"<row/>" * 10_000_000),
    "a row far below": lambda: sheet(b'<row r="99999999"><c r="A99999999"/></row>'),
    "a cell far to the right": lambda: sheet(b'<row r="1"><c r="XFD1"/></row>'),
    "two million in each other": lambda: sheet(b"<row><c>" * 2_000_000),
    "ten million shared texts": lambda: workbook("xl/sharedStrings.xml", b"<sst>" + b"<si/>" * 10_000_000),
    "a million styles": lambda: workbook("xl/styles.xml", b"<styleSheet>" + b"<xf/>" * 1_000_000),
    "an entity of entities": lambda: doubled("lol"),
    "a zip of a version to come": newer_zip,
    "more than may be unpacked": lambda: workbook("xl/media/a.bin", b"\0" * (201 << 20)),
    "text columns without end": lambda: b"," * 5_000_000,
    "a quote that never closes": lambda: b'"' + b"a" * 5_000_000,
    "no GB18030 in the end": lambda: "姓名\n沈建国".encode("gb18030") + b"\xff",
}


@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused_before_it_hurts(name: str, tmp_path: Path) -> None:
    file = tmp_path / "名单.xlsx"
    file.write_bytes(BOMBS[name]())
    tracemalloc.start()
    with pytest.raises(ImportRefused):
        read_rows(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MOST


def test_a_list_of_many_rows_is_no_bomb(tmp_path: Path) -> None:
    book = Workbook(write_only=True)
    lines = book.create_sheet()
    for number in range(500):
        lines.append([f"WX-{number}", "沈建国", "13861705555", "深度困难", *["无"] * 16])
    file = tmp_path / "名单.xlsx"
    book.save(file)
    assert len(read_rows(file)) == 500
