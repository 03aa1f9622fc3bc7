"""docs/reference/configuration.md says every key and every default, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pydantic import BaseModel

from callcenter.config import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
_ROW = re.compile(r"^\| `([a-z_.]+)` \| `(.*?)` \| ", re.MULTILINE)


def test_every_key_is_on_the_page_and_every_key_on_the_page_exists() -> None:
    assert sorted(key for key, _ in _rows()) == sorted(_keys())


def test_the_defaults_on_the_page_are_the_defaults() -> None:
    assert Settings.model_validate(_nested(_rows())).model_dump() == Settings().model_dump()


def test_the_example_is_a_configuration() -> None:
    example = re.search(r"## An example\n\n```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    assert Settings.model_validate(tomllib.loads(example[1])).trunk.channels == 30


def _rows() -> list[tuple[str, object]]:
    found = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [(key, tomllib.loads(f"value = {default}")["value"]) for key, default in found]


def _nested(rows: list[tuple[str, object]]) -> dict[str, object]:
    whole: dict[str, object] = {}
    for key, value in rows:
        section, _, name = key.rpartition(".")
        place = whole.setdefault(section, {}) if section else whole
        assert isinstance(place, dict)
        place[name] = value
    return whole


def _keys() -> list[str]:
    found = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [f"{name}.{key}" for key in kind.model_fields]
        else:
            found.append(name)
    return found
