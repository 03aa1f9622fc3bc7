"""A picture in graphviz's language, and graphviz's own `dot` to make SVG and PNG of it."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from html import escape

from ivr.drawing.picture import Arrow, Box, Group, Picture
from ivr.errors import DrawError

#: Fonts with Chinese, the likeliest first.
FONT = "Noto Sans CJK SC,Source Han Sans SC,WenQuanYi Zen Hei,Microsoft YaHei,PingFang SC,sans-serif"
#: Longest that `dot` may take.
_SECONDS = 120
_STAMP = "dot sha256: "
_START, _LEGEND = "start:", "legend:"  # no name of ours: a colon cannot stand in one
_BREAK = '<br align="left"/>'
#: Shapes that are more than a word in graphviz.
_SHAPES: Mapping[str, str] = {
    "round": 'shape=box, style="rounded,filled"',
    "double": "shape=box, peripheries=2, style=filled",
    "dashed": 'shape=box, style="filled,dashed"',
}


def dot_of(picture: Picture) -> str:
    """Return the source of a picture. The same picture always gives the same source."""
    font = f"fontname={_quoted(FONT)}"
    lines = [
        f"digraph {_quoted(picture.name)} {{",
        f"  graph [{font}, fontsize=14, nodesep=0.3, ranksep=0.45, newrank=true, labelloc=t, bgcolor=white];",
        f'  node [{font}, fontsize=11, margin="0.14,0.08"];',
        f"  edge [{font}, fontsize=11, arrowsize=0.7];",
        f"  label={_quoted(picture.title)};",
        f"  {_quoted(_START)} [shape=circle, label={_quoted('')}, width=0.2, style=filled, fillcolor=black];",
        f"  {_quoted(_LEGEND)} [shape=box, color=grey, label={_html('', picture.legend)}];",
        f"  {{ rank=source; {_quoted(_LEGEND)}; {_quoted(_START)}; }}",
        f"  {_quoted(_START)} -> {_quoted(picture.start)};",
        *_inside(picture.root, "  "),
        *(f"  {_quoted(name)} [shape=plaintext, label={_quoted(words)}];" for name, words in picture.outside),
        *(_arrow(arrow) for arrow in picture.arrows),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _inside(group: Group, indent: str) -> Iterator[str]:
    for box in group.boxes:
        yield f"{indent}{_quoted(box.id)} [{_look(box)}];"
    for part in group.groups:
        yield f"{indent}subgraph {_quoted(f'cluster_{part.id}')} {{"
        yield f'{indent}  label={_quoted(part.name)}; labeljust=l; style="rounded,dashed"; color=grey;'
        yield from _inside(part, f"{indent}  ")
        yield f"{indent}}}"


def _look(box: Box) -> str:
    shape = _SHAPES.get(box.kind.shape, f"shape={box.kind.shape}, style=filled")
    return (
        f'label={_html(box.title, box.lines)}, {shape}, fillcolor="{box.kind.fill}", '
        f"penwidth={box.kind.border:g}"
    )


def _html(title: str, lines: tuple[str, ...]) -> str:
    """Return a label of left-aligned lines, the title bold."""
    whole = [f"<b>{escape(title)}</b>"] if title else []
    whole += [escape(line) for line in lines]
    return f"<{''.join(line + _BREAK for line in whole)}>"


def _arrow(arrow: Arrow) -> str:
    look = f"style={arrow.line}" + (", penwidth=1.6" if arrow.has_key else "")
    label = f", label={_quoted(f' {arrow.words} ')}" if arrow.words else ""
    return f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)} [{look}{label}];"


def _quoted(text: str) -> str:
    return '"' + re.sub(r"\s+", " ", text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def checksum_of(dot: str) -> str:
    """Return what an SVG bears as its source's checksum: layouts differ between graphviz's versions."""
    return hashlib.sha256(dot.encode()).hexdigest()


def checksum_in(svg: str) -> str:
    """Return the checksum of the source that an SVG was made from; empty if it bears none."""
    found = re.search(rf"<!-- {_STAMP}([0-9a-f]{{64}}) -->", svg)
    return found[1] if found else ""


def render(dot: str, form: str) -> bytes:
    """Return the picture as `svg` or `png`; raise `DrawError` if graphviz is missing or fails."""
    try:
        done = subprocess.run(
            ["dot", f"-T{form}"], input=dot.encode(), capture_output=True, timeout=_SECONDS, check=True
        )
    except FileNotFoundError:
        raise DrawError("graphviz is not installed. Run: apt-get install graphviz fonts-noto-cjk") from None
    except subprocess.TimeoutExpired:
        raise DrawError(f"graphviz did not finish within {_SECONDS} s. Split the flow.") from None
    except subprocess.CalledProcessError as trouble:
        words = trouble.stderr.decode(errors="replace").strip().splitlines() or [str(trouble.returncode)]
        raise DrawError(f"graphviz failed: {words[0]}") from None
    return _stamped(done.stdout.decode(), dot).encode() if form == "svg" else done.stdout


def _stamped(svg: str, dot: str) -> str:
    """Put the source's checksum in; take out graphviz's comments, which name its version."""
    bare = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    head, tag, rest = bare.partition("<svg")
    return f"{head}<!-- {_STAMP}{checksum_of(dot)} -->\n{tag}{rest}"
