"""The page about lists says what the code reads."""

from __future__ import annotations

from pathlib import Path

from callcenter.service.hardship import cells, tables
from callcenter.service.hardship.columns import SYNONYMS, Field

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "hardship-lists.md"


def row(name: Field) -> str:
    return f"| `{name}` | {'、'.join(word for word in SYNONYMS[name] if word != name)} |"


def words(meaning: dict[str, str]) -> str:
    return "; ".join(
        f"{one}（{'、'.join(w for w, m in meaning.items() if m == one and w != one)}）"
        for one in dict.fromkeys(meaning.values())
    )


def test_each_field_stands_with_its_headings() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in Field:
        assert row(name) in page


def test_the_words_for_grades_statuses_and_exits_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for known in (cells.GRADE_WORDS, cells.STATUS_WORDS, cells.EXIT_WORDS):
        assert words({word: str(meaning) for word, meaning in known.items()}) in page


def test_the_limits_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"{tables.MAX_ROWS:_} rows".replace("_", " ") in page
    assert f"{tables.MAX_BYTES >> 20} MB; a workbook at most {tables.MAX_UNPACKED >> 20} MB" in page
    assert f"{tables.MAX_COLUMNS} columns, {tables.MAX_CELL} signs" in page
