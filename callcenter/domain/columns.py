"""Texts in columns of a screen: Chinese takes two, and no line is longer than there is room."""

from __future__ import annotations

import re
import unicodedata

#: A run of what is typed as one word, or one sign.
_TOKEN = re.compile(r"[!-~]+|\s+|.", re.DOTALL)
#: What no line begins with.
_CLOSING = frozenset(",.;:!?)]}\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f\uff09\u300d\u300f\u201d")
_WIDE = frozenset("WF")


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in _WIDE else 1 for sign in text)


def folded(text: str, most: int) -> list[str]:
    """Return a text in lines of at most `most` columns (16 at least); words and commands stay whole.

    A word that is longer than a line stands on a line of its own.
    """
    most = max(most, 16)
    return [part for line in text.split("\n") for part in _folded(line, most)]


def _folded(line: str, most: int) -> list[str]:
    lines: list[str] = []
    now: list[str] = []
    for token in _TOKEN.findall(line):
        if width("".join(now) + token.rstrip()) > most and now:
            kept = [now.pop()] if token[0] in _CLOSING and len(now) > 1 and not now[-1].isspace() else []
            lines.append("".join(now).rstrip())
            now = kept
        if now or not token.isspace() or not lines:
            now.append(token)
    return [*lines, "".join(now).rstrip()]
