"""YAML with positions: every complaint about a file can name its line, its column and the mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from ivr.errors import IvrError

T = TypeVar("T")

#: More than anybody writes by hand; what is larger was not meant for us.
MOST_CHARACTERS = 1_000_000


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
            key = self._child(key_node)
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


def read_yaml(file: Path, error: type[IvrError]) -> Marked:
    """Return the file's root; raise `error` naming file:line if it is missing or not YAML."""
    try:
        root = yaml.compose(_text_of(file, error), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise error(f"{file}: no such file. Check the path.") from None
    except UnicodeDecodeError:
        raise error(f"{file}:1: not UTF-8. Save the file as UTF-8.") from None
    except yaml.MarkedYAMLError as trouble:
        line = trouble.problem_mark.line + 1 if trouble.problem_mark else 1
        raise error(f"{file}:{line}: not YAML: {trouble.problem}. Mend the line.") from None
    except yaml.YAMLError as trouble:
        raise error(f"{file}:1: not YAML: {trouble}. Mend the file.") from None
    except RecursionError:
        raise error(f"{file}:1: lists and mappings stand too deep in each other. Mend the file.") from None
    if root is None:
        raise error(f"{file}:1: the file is empty.")
    return Marked(root, str(file), error)


def _text_of(file: Path, error: type[IvrError]) -> str:
    with file.open(encoding="utf-8") as source:
        text = source.read(MOST_CHARACTERS + 1)
    if len(text) > MOST_CHARACTERS:
        raise error(f"{file}:1: larger than {MOST_CHARACTERS:,} characters. Split the file.")
    return text
