"""The data classification is whole: every column, its class, whether it is sealed, and who may see it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary

from callcenter.config import Settings
from callcenter.db.tables import APPEND_ONLY, metadata
from callcenter.domain.access import ALLOWED, VISIBLE, DataClass, Verb
from callcenter.domain.books import BOOKS
from callcenter.domain.fields import CALL_FIELDS, FILE_FIELDS, USER_FIELDS
from callcenter.domain.users import Role

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "data.md").read_text(encoding="utf-8")
OF_BOOKS = {book.table: book for book in BOOKS}
#: Table -> the classes by which its fields are shown.
SHOWN: Mapping[str, Mapping[str, DataClass]] = {
    "calls": CALL_FIELDS,
    "hardship_files": FILE_FIELDS,
    "users": USER_FIELDS,
}


@dataclass(frozen=True)
class Row:
    table: str
    kept: str
    columns: tuple[str, ...]
    data: DataClass
    verbs: tuple[Verb, ...]
    roles: frozenset[str]
    long: str


def _rows() -> Iterator[Row]:
    for line in PAGE.partition("| table | kept |")[2].partition("\n\n")[0].splitlines()[2:]:
        table, kept, columns, data, verbs, roles, long = [cell.strip() for cell in line.strip("|").split("|")]
        assert long, line
        yield Row(
            table=table.strip("`"),
            kept=kept,
            columns=tuple(re.findall(r"`(\w+)`", columns)),
            data=DataClass(data),
            verbs=tuple(Verb(verb) for verb in re.findall(r"`([\w.]+)`", verbs)),
            roles=frozenset(roles.split(", ")) - {"nobody"},
            long=long,
        )


ROWS = tuple(_rows())


def stored(table: str) -> dict[str, set[str]]:
    """Return what the store keeps of a table, by how it is kept: a sealed body by its parts."""
    columns = metadata.tables[table].columns
    secret = {c.name for c in columns if isinstance(c.type, LargeBinary)}
    kept = {
        "clear": {c.name for c in columns} - secret,
        "hash": {name for name in secret if name.endswith("_hash")},
        "sealed": {name for name in secret if not name.endswith("_hash")},
    }
    if table in OF_BOOKS:
        kept["sealed"] = {part.name for part in fields(OF_BOOKS[table].of)} - kept["clear"]
    return kept


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_column_of_every_table_is_classified_once(table: str) -> None:
    told = Counter((row.kept, name) for row in ROWS if row.table == table for name in row.columns)
    assert told == Counter((kept, name) for kept, names in stored(table).items() for name in names)


def test_no_table_is_told_of_that_is_not_there() -> None:
    assert {row.table for row in ROWS} == set(metadata.tables)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.table}-{row.kept}-{row.data}")
def test_the_roles_told_are_those_who_may_and_who_see_the_class(row: Row) -> None:
    may = {role for verb in row.verbs for role in ALLOWED[verb] if row.data in VISIBLE[role]}
    assert row.roles == {role.value for role in may}


@pytest.mark.parametrize("table", SHOWN)
def test_what_is_shown_by_class_is_told_by_the_same_class(table: str) -> None:
    told = {name: row.data for row in ROWS if row.table == table for name in row.columns}
    both = told.keys() & SHOWN[table].keys()
    assert both
    assert {name: told[name] for name in both} == {name: SHOWN[table][name] for name in both}


@pytest.mark.parametrize("data", DataClass)
def test_the_classes_and_their_roles_are_told(data: DataClass) -> None:
    titles = re.findall(r"\w+", PAGE.partition("| class | what |")[2].partition("\n")[0])
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {data} |"))
    yes = dict(zip(titles, [cell.strip() == "yes" for cell in row.strip("|").split("|")[2:]], strict=True))
    assert yes == {role.value: data in VISIBLE[role] for role in Role}


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_what_is_append_only_is_said_to_be(table: str) -> None:
    assert f"`{table}`" in PAGE.partition(" refuse changes")[0].splitlines()[-1]


def test_how_long_names_only_keys_that_a_site_can_set() -> None:
    known = {
        f"{name}.{key}"
        for name, section in Settings.model_fields.items()
        if hasattr(section.annotation, "model_fields")
        for key in section.annotation.model_fields
    }
    named = {key for row in ROWS for key in re.findall(r"`([a-z_]+\.[a-z_]+)`", row.long)}
    assert named
    assert named <= known


def test_what_holds_people_says_how_long() -> None:
    """Nothing about a person is kept without an end, but for what shows that it was rightly done (I6)."""
    endless = {row.table for row in ROWS if row.long == "for ever"}
    assert endless <= {"audit", "forms", "holds", "tombstones"}
