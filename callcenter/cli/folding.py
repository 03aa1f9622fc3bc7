"""Text on a screen: folded by cells, where a Chinese sign takes two, and with nothing in it that acts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len

#: Columns of what nobody gave a width.
WIDTH = 80

#: Signs that begin no line, and those that end none.
_CLOSING = "，。、；：？！）》」』”’…,.;:?!)]}>%"
_OPENING = "（《「『“‘([{<"
#: A word as people copy it (a path, an id) and a command of ours stay whole; other signs stand alone.
_PIECE = re.compile(r"[!-/:-@]*hotline(?: [\x21-\x7e]+)+|[\x21-\x7e]+| +|.", re.DOTALL)
_WORD = re.compile(r"\S+|\s+")
#: Control signs that only lay text out.
_ALLOWED = frozenset("\n\t")


def visible(text: str) -> str:
    """Return text whose control signs, marks of direction and signs without width are named, not obeyed.

    A name out of a file could else clear the screen, colour it, or turn what stands beside it around.
    """
    return "".join(sign if _is_plain(sign) else f"<U+{ord(sign):04X}>" for sign in text)


def _is_plain(sign: str) -> bool:
    return sign in _ALLOWED or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def fold(text: str, width: int = WIDTH, *, further: str = "") -> list[str]:
    """Return lines of at most `width` cells; every line after the first of a paragraph begins with `further`.

    Only a word that is longer than a whole line is longer: what is copied out of it is still whole.
    """
    return [line for paragraph in text.split("\n") for line in _lines(paragraph, width, further)]


def _lines(paragraph: str, width: int, further: str) -> Iterator[str]:
    line, is_empty = "", True
    whole = (piece if cell_len(piece) <= width else _WORD.findall(piece) for piece in _pieces(paragraph))
    for piece in (part for one in whole for part in ([one] if isinstance(one, str) else one)):
        if not is_empty and cell_len(line + piece.rstrip()) > width:
            yield line.rstrip()
            line, is_empty = further, True
            if piece.isspace():
                continue
        line += piece
        is_empty = is_empty and piece.isspace()
    yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Yield what is not broken apart: words, and signs with the stops that cling to them."""
    held = ""
    for piece in _PIECE.findall(text):
        clings = (piece[0] in _CLOSING and not held.isspace()) or held.endswith(tuple(_OPENING))
        if held and not clings:
            yield held
            held = ""
        held += piece
    if held:
        yield held
