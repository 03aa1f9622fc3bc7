"""What prompts say, for people who read a flow instead of hearing it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from ivr.prompts.catalogue import LANGUAGES
from ivr.prompts.wording import OURS, Wording, site_catalogue

#: Prompt id -> its words; None if nobody has written any.
Texts = Callable[[str], str | None]


def texts_of(language: str, wording: Wording = OURS) -> Texts:
    """Return the texts of a set of prompts: `zh_slow` says what `zh` says.

    `wording` is what the site says in its own way. A prompt or a language that is not in the catalogue is
    not an error here: a flow may be tried before its prompts are written.
    """
    base = language.partition("_")[0]
    if base not in LANGUAGES:
        return lambda prompt: None
    prompts = site_catalogue(base, wording).prompts
    return lambda prompt: prompts[prompt].text if prompt in prompts else None


#: What must not begin a line.
_CLOSING = frozenset("，。、；：？！）」』》】,.;:?!)")
#: A run of Latin letters and digits, such as 12356, or one character.
_PIECE = re.compile(r"[!-~]+|.")


def wrapped(text: str, columns: int) -> list[str]:
    """Break a text into lines of at most so many columns (>= 4), Chinese counted as two.

    Numbers stay whole where they can, and no line begins with a comma or a full stop.
    """
    pieces = [
        part
        for piece in _PIECE.findall(" ".join(text.split()))
        for part in (piece[at : at + columns - 2] for at in range(0, len(piece), columns - 2))
    ]
    lines: list[list[str]] = [[]]
    for piece in pieces:
        line = lines[-1]
        if not line or sum(map(width_of, line)) + width_of(piece) <= columns:
            line.append(piece)
        elif piece in _CLOSING and len(line) > 1:
            lines.append([line.pop(), piece])
        else:
            lines.append([piece])
    return [found for line in lines if (found := "".join(line).strip())]


def width_of(text: str) -> int:
    """Return how many columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
