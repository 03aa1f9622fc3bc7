"""Play the rehearsal and keep its terminal as `docs/images/rehearsal.svg`: run `scripts/picture`.

The picture is what rich recorded, of a run in which every figure was right, and of nothing else.
"""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme

from callcenter.config import Settings
from callcenter.demo.rehearsal import Rehearsal
from callcenter.demo.screen import Screen

PICTURE = Path(__file__).parent / "images" / "rehearsal.svg"
FOLDER = Path("var/picture")
PAPER = TerminalTheme(
    (24, 26, 31),
    (214, 217, 224),
    [(24, 26, 31), (224, 108, 117), (138, 190, 120), (222, 184, 110)],
    [(110, 116, 128), (224, 108, 117), (138, 190, 120), (222, 184, 110)],
)
#: rich's own frame fetches a font from the network; this one asks for what the reader's machine has.
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, Menlo, Consolas, "Noto Sans Mono CJK SC", "WenQuanYi Zen Hei Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; white-space: pre;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


#: A run of text as rich 15 writes it, which gives each character one column: Chinese takes two.
_RUN = re.compile(r'textLength="([0-9.]+)"([^>]*>)([^<]*)<')


def widened(svg: str) -> str:
    """Return the picture with each run of text as wide as it is in a terminal."""

    def wide(run: re.Match[str]) -> str:
        text = unescape(run[3])
        width = float(run[1]) / len(text) * cell_len(text) if text else 0.0
        return f'textLength="{width:.1f}"{run[2]}{run[3]}<'

    return _RUN.sub(wide, svg)


def record(folder: Path) -> Console:
    """Play the rehearsal in `folder` and return the console that heard it; raise if a figure was wrong."""
    console = Console(record=True, width=80, highlight=False, force_terminal=False, color_system="truecolor")
    rehearsal = Rehearsal(folder, Screen(console, Settings().site.zone))
    try:
        rehearsal.play()
        right = rehearsal.summary()
    finally:
        rehearsal.stage.close()
    if not right:
        raise SystemExit("The rehearsal's figures were not right: no picture.")
    return console


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    svg = record(folder).export_svg(
        title="scripts/run", theme=PAPER, code_format=FRAME, unique_id="rehearsal"
    )
    lines = [line.rstrip() for line in widened(svg).splitlines()]
    PICTURE.write_text("\n".join(lines) + "\n", encoding="utf-8")
