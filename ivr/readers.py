"""One value of a flow file at a time: text with a place in, a checked value out, or `FlowError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from ivr.flow import KEYS, NAME, Direction, Mode
from ivr.yaml_marks import Marked

T = TypeVar("T")

#: A language, and with `_` a set of prompts of it: `zh`, `zh_slow`.
LANGUAGE = re.compile(r"[a-z]{2,3}(_[a-z]{2,8})?")
#: Longest message and longest pause.
LONGEST = timedelta(minutes=10)


def name(mark: Marked) -> str:
    """Read the name of a flow, a node or a prompt."""
    text = mark.text()
    if not NAME.fullmatch(text):
        raise mark.fail(
            f"`{text}` cannot be a name. Use 2 to 40 small letters, digits and _, a letter first."
        )
    return mark.word()


def word(mark: Marked) -> str:
    """Read a word of up to 40 letters, digits and `_`; it may be a number, in quotes or not."""
    text = mark.text()
    if mark.is_nothing or mark.truth() is not None:
        return mark.word()
    if not text.isascii() or not text.replace("_", "").isalnum() or len(text) > 40:
        raise mark.fail(f"`{text}` cannot stand here. Use up to 40 letters, digits and _.")
    return text


def direction(mark: Marked) -> Direction:
    """Read who called whom."""
    return mark.convert(Direction, "a direction: inbound, outbound or part")


def mode(mark: Marked) -> Mode:
    """Read how a caller is handed over."""
    return mark.convert(Mode, "a way to hand over: warm or blind")


def language(mark: Marked) -> str:
    """Read a language or a set of prompts."""
    text = mark.text()
    if not LANGUAGE.fullmatch(text):
        raise mark.fail(
            f"`{text}` is not a language. Use two small letters such as zh, or a set such as zh_wx."
        )
    return mark.word()


def names(mark: Marked) -> tuple[str, ...]:
    """Read a list of names."""
    return tuple(name(item) for item in mark.items())


def key(mark: Marked) -> str:
    """Read a key that a node may offer."""
    if mark.text() not in KEYS:
        raise mark.fail(f"`{mark.text()}` is not a key a node may offer. Use one digit; * and # are taken.")
    return mark.text()


def table(
    read_key: Callable[[Marked], T], read_value: Callable[[Marked], Any]
) -> Callable[[Marked], Mapping[T, Any]]:
    """Return a reader of mappings."""

    def read(mark: Marked) -> Mapping[T, Any]:
        return MappingProxyType({read_key(k): read_value(v) for k, v in mark.pairs()})

    return read


def seconds(mark: Marked) -> timedelta:
    """Read a wait for a key: 1 to 60 seconds."""
    return _seconds(mark, 1, 60, "wait between 1 and 60 seconds for a key.")


def moment(mark: Marked) -> timedelta:
    """Read a guard time: 0 to 3 seconds."""
    return _seconds(mark, 0, 3, "a guard of more than 3 seconds would deafen the line. Use 0 to 3.")


def span(mark: Marked) -> timedelta:
    """Read a longer time: 1 second to 10 minutes."""
    most = LONGEST.total_seconds()
    return _seconds(mark, 1, most, f"use 1 to {most:.0f} seconds.")


def _seconds(mark: Marked, least: float, most: float, mend: str) -> timedelta:
    number = mark.number("a number of seconds")
    if not least <= number <= most:
        raise mark.fail(f"`{mark.text()}` seconds: {mend}")
    return timedelta(seconds=number)


def _whole(least: int, most: int) -> Callable[[Marked], int]:
    def read(mark: Marked) -> int:
        number = mark.number("a whole number")
        if number % 1:
            raise mark.fail(f"`{mark.text()}` is not a whole number.")
        if not least <= number <= most:
            raise mark.fail(f"`{mark.text()}`: use a number from {least} to {most}.")
        return int(number)

    return read


count = _whole(1, 9)


def truth(mark: Marked) -> bool:
    """Read true or false, without quotes."""
    found = mark.truth()
    if found is None:
        raise mark.fail(f"`{mark.text()}` is neither true nor false. Write one of them, without quotes.")
    return found


#: How each field of a node is read. A field means the same in every node.
READERS: Mapping[str, Callable[[Marked], Any]] = {
    **dict.fromkeys(("prompts", "after_silence", "after_wrong", "items", "scale", "pieces"), names),
    **dict.fromkeys(("next", "on_silence", "on_wrong", "on_cap", "on_tripwire"), name),
    **dict.fromkeys(("answered", "failed", "passed", "open", "closed", "yes", "no"), name),
    **dict.fromkeys(
        ("queue", "hours", "fact", "outcome", "kind", "flow", "expect", "keep", "hold", "on_hangup"), name
    ),
    **dict.fromkeys(("timeout", "between"), seconds),
    **dict.fromkeys(("longest", "longest_pause", "cap"), span),
    **dict.fromkeys(("least", "most", "length"), _whole(1, 20)),
    **dict.fromkeys(("records", "adds"), truth),
    "options": table(key, name),
    "exact": table(key, _whole(1, 20)),
    "answers": table(key, _whole(0, 9)),
    "bands": table(_whole(0, 999), name),
    "tripwires": table(name, _whole(1, 9)),
    "tries": count,
    "priority": _whole(0, 9),
    "destination": word,
    "mode": mode,
    "language": language,
}
