"""docs/reference/forms.md says what the form language is, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callcenter.domain import form_file
from callcenter.domain.access import DataClass
from callcenter.domain.form_file import parse_form
from callcenter.domain.form_needs import NEEDS
from callcenter.domain.form_text import parse, render
from callcenter.domain.forms import FieldKind, Wording

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "forms.md").read_text(encoding="utf-8")


def first_cells(heading: str) -> list[str]:
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", part, re.MULTILINE)


def test_every_key_of_the_language_is_explained_and_no_other() -> None:
    assert set(first_cells("A form")) == form_file._TOP
    assert set(first_cells("A field")) == form_file._FIELD | form_file._OPTIONAL


def test_every_kind_and_wording_is_explained_and_no_other() -> None:
    assert first_cells("Kinds") == [kind.value for kind in FieldKind]
    assert first_cells("Wordings") == [wording.value for wording in Wording]


def test_what_the_rules_read_stands_there_whole() -> None:
    assert first_cells("What the rules read") == list(NEEDS)


@pytest.mark.parametrize("data", DataClass)
def test_every_data_class_is_named(data: DataClass) -> None:
    assert f"`{data.value}`" in PAGE


def test_the_example_is_a_form_that_works() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    form = parse_form(example[1], "forms.md")
    answers = {"kind": "预约", "booked_by": "沈师傅", "steps": [{"text": "登记", "on": "2026-11-23"}]}
    assert parse(form, render(form, answers)).answers == answers


def test_the_lengths_are_those_of_the_language() -> None:
    lengths = form_file._MOST
    assert f"a text ({lengths[FieldKind.TEXT]}, {lengths[FieldKind.LONG]} if `long`)" in PAGE
    assert f"`records` ({lengths[FieldKind.RECORDS]})" in PAGE
