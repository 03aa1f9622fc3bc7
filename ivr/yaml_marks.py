"""YAML with positions: every complaint about a file can name its line, its column and the mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ivr.errors import IvrError

T = TypeVar("T")

#: More than anybody writes by hand; what is larger was not meant for us.
MOST_CHARACTERS = 1_000_000

_NULL, _BOOL, _INT, _FLOAT, _STR = (f"tag:yaml.org,2002:{kind}" for kind in "null bool int float str".split())
#: A whole number as text, in the one way to write it.
_DIGITS = re.compile(r"0|[1-9][0-9]*")


class _Core(yaml.SafeLoader):
    """Tells words from other values as YAML 1.2 does, and so editors: `yes`, `1_0` and `1:30` are words."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - as PyYAML wants it


for _tag, _pattern, _first in (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
):
    _Core.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)


@dataclass(frozen=True, slots=True)
class Marked:
    """A YAML node and the file it stands in. Scalars stay text, as written: `1` is the key "1"."""

    node: yaml.Node
    source: str
    error: type[IvrError]

    @property
    def line(self) -> int:
        """Return the 1-based line."""
        return int(self.node.start_mark.line) + 1

    def fail(self, problem: str) -> IvrError:
        """Return the error that names this place."""
        return self.error(f"{self.source}:{self.line}: {problem}")

    def text(self) -> str:
        """Return a scalar's text."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.fail("a single value belongs here, not a list or a mapping.")
        return str(self.node.value)

    @property
    def is_nothing(self) -> bool:
        """Tell whether nothing stands here: a plain `null` or `~`, or no text at all."""
        return bool(self.node.tag == _NULL)

    def word(self) -> str:
        """Return a text; refuse what is none to YAML 1.2, such as a plain `null` or `true`."""
        text = self.text()
        if not text:
            raise self.fail("nothing stands here. Write a word.")
        if self.node.tag != _STR:
            raise self.fail(f'`{text}` is no word to YAML. Write another, or put it in quotes: "{text}".')
        return text

    def number(self, wanted: str) -> int | float:
        """Return a number: a plain one of YAML 1.2, or nothing but digits in quotes."""
        text = self.text()
        try:
            match self.node.tag:
                case tag if tag == _INT:
                    return int(text, 0 if text[:2] in {"0x", "0o"} else 10)
                case tag if tag == _FLOAT:
                    return float(text)
                case tag if tag == _STR and _DIGITS.fullmatch(text):
                    return int(text)
        except ValueError:  # `.inf`, or a tag that promises too much
            pass
        raise self.fail(f"`{text}` is not {wanted}.")

    def truth(self) -> bool | None:
        """Return a plain true or false; None if it is neither, as in quotes."""
        known = {"true": True, "false": False} if self.node.tag == _BOOL else {}
        return known.get(self.text().lower())

    def items(self) -> list[Marked]:
        """Return a list's entries."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.fail("a list belongs here. Write it as [first, second].")
        return [self._child(node) for node in self.node.value]

    def pairs(self) -> Iterator[tuple[Marked, Marked]]:
        """Yield a mapping's keys and values; refuse a key that stands twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.fail("a mapping belongs here. Write it as `key: value`.")
        seen: set[str] = set()
        for key_node, value_node in self.node.value:
            key = self._key(key_node)
            if key.text() in seen:
                raise key.fail(f"`{key.text()}` stands here twice. Keep one.")
            seen.add(key.text())
            yield key, self._child(value_node)

    def fields(self, known: frozenset[str], required: frozenset[str]) -> dict[str, Marked]:
        """Return a mapping's values by key; refuse unknown and missing keys."""
        found = {}
        for key, value in self.pairs():
            if key.text() not in known:
                raise key.fail(f"unknown key `{key.text()}`. Known here: {', '.join(sorted(known))}.")
            found[key.text()] = value
        if missing := required - found.keys():
            raise self.fail(f"`{min(missing)}` is missing. Add `{min(missing)}: ...`.")
        return found

    def convert(self, make: Callable[[str], T], wanted: str) -> T:
        """Return the scalar made into something else, or fail saying what was wanted."""
        text = self.text()
        try:
            return make(text)
        except ValueError:
            raise self.fail(f"`{text}` is not {wanted}.") from None

    def _child(self, node: yaml.Node) -> Marked:
        return Marked(node, self.source, self.error)

    def _key(self, node: yaml.Node) -> Marked:
        """Return a key: it is its text as written, whatever YAML would make of it as a value."""
        if isinstance(node, yaml.ScalarNode):
            node = yaml.ScalarNode(_STR, node.value, node.start_mark, node.end_mark, node.style)
        return self._child(node)


def read_yaml(file: Path, error: type[IvrError]) -> Marked:
    """Return the file's root; raise `error` naming file:line if it is missing or not YAML."""
    try:
        text = _text_of(file, error)
    except FileNotFoundError:
        raise error(f"{file}: no such file. Check the path.") from None
    except UnicodeDecodeError:
        raise error(f"{file}:1: not UTF-8. Save the file as UTF-8.") from None
    return parse_yaml(text, str(file), error)


def parse_yaml(text: str, source: str, error: type[IvrError]) -> Marked:
    """Return a text's root; raise `error` naming `source` and the line if it is not YAML."""
    try:
        root = yaml.compose(text, Loader=_Core)
    except yaml.MarkedYAMLError as trouble:
        line = trouble.problem_mark.line + 1 if trouble.problem_mark else 1
        raise error(f"{source}:{line}: not YAML: {trouble.problem}. Mend the line.") from None
    except yaml.YAMLError as trouble:
        raise error(f"{source}:1: not YAML: {trouble}. Mend the file.") from None
    except RecursionError:
        raise error(f"{source}:1: lists and mappings stand too deep in each other. Mend the file.") from None
    if root is None:
        raise error(f"{source}:1: the file is empty.")
    return Marked(root, source, error)


def _text_of(file: Path, error: type[IvrError]) -> str:
    with file.open(encoding="utf-8") as source:
        text = source.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise error(f"{file}:1: larger than {MOST_CHARACTERS:,} characters. Split the file.")
    return text
