"""A picture in mermaid's language, for pages that draw it themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.drawing.picture import Arrow, Group, Picture

#: Characters that mermaid would read as its own.
_OWN = frozenset('"#&<>`|[]{}()\\;%')


def mermaid_of(picture: Picture) -> str:
    """Return the source of a picture. The same picture always gives the same source."""
    lines = [
        "flowchart TD",
        f"  start_((●)) --> {_id(picture.start)}",
        *_inside(picture.root, "  "),
        *(f"  {_id(name)}([{_text(words)}])" for name, words in picture.outside),
        *(_arrow(arrow) for arrow in picture.arrows),
        f"  legend_[{_text(*picture.legend)}]",
    ]
    return "\n".join(lines) + "\n"


def _inside(group: Group, indent: str) -> Iterator[str]:
    for box in group.boxes:
        opening, closing = box.kind.brackets
        yield f"{indent}{_id(box.id)}{opening}{_text(box.title, *box.lines)}{closing}"
    for part in group.groups:
        yield f"{indent}subgraph part_{part.id}[{_text(part.name)}]"
        yield from _inside(part, f"{indent}  ")
        yield f"{indent}end"


def _arrow(arrow: Arrow) -> str:
    shaft = "-->" if arrow.line == "solid" else "-.->"
    label = f"|{_text(arrow.words)}|" if arrow.words else ""
    return f"  {_id(arrow.source)} {shaft}{label} {_id(arrow.target)}"


def _id(name: str) -> str:
    """Return a name that is none of mermaid's own words, such as `end`."""
    return f"n_{name}"


def _text(*lines: str) -> str:
    return f'"{"<br/>".join(map(_escaped, lines))}"'


def _escaped(text: str) -> str:
    plain = re.sub(r"\s+", " ", text)
    return "".join(f"#{ord(char)};" if char in _OWN else char for char in plain)
