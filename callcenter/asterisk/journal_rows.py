r"""Bytes of the journal into rows. Nothing in it stops the reading; what is no row is handed back.

`cel_custom` in dsv with every field quoted and `"` doubled has one meaning, however hostile the fields
are: a caller's name with CR LF, quotes and commas is a row over several lines. What breaks the format
is the PBX itself: user data past about 900 bytes is cut at 1023 without a newline and runs into the
next row (Asterisk 22.10.1), and a disk that died leaves NUL bytes. Then reading goes on at the next
place where a whole row stands.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from callcenter.domain.journal import Row

#: Longer than any row; what is longer and still no row is given up.
LONGEST = 65_536

# Possessive quantifiers: a field is read once, whatever stands in it.
_ANY = r'"([^"]*+(?:""[^"]*+)*+)"'
_ID = r'"([\w.;-]++)"'
_ROW = re.compile(
    r'"([A-Za-z][\w-]{1,79})","[^"]*+","(\d{10}\.\d{6})",'
    + ",".join([_ANY, _ANY, _ANY, _ANY, _ANY, _ID, _ID, _ANY, _ANY])
    + r"\r?\n",
    re.ASCII,
)
_START = re.compile(r'"[A-Za-z][\w-]{1,79}","', re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scrap:
    """Bytes that are no row."""

    offset: int
    raw: bytes = field(repr=False)
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What a stretch of bytes holds. `offsets` are those of the rows, from the stretch's beginning."""

    rows: list[Row]
    offsets: list[int]
    scraps: list[Scrap]
    #: Bytes dealt with; the rest may be a row still being written.
    consumed: int


def parse_journal(data: bytes, *, final: bool = False) -> Parsed:
    """Read every whole row. `final`: nothing will ever follow, so that an unfinished row is a scrap."""
    with collector_resting():
        return _parse(data, final)


def _parse(data: bytes, final: bool) -> Parsed:
    text = data.decode("latin-1")  # one character per byte: offsets stay true, nothing fails
    rows: list[Row] = []
    offsets: list[int] = []
    scraps: list[Scrap] = []
    at, row_at, new = 0, _ROW.match, tuple.__new__
    while True:
        if found := row_at(text, at):
            rows.append(new(Row, found.group(2, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11)))  # time comes first
            offsets.append(at)
            at = found.end()
            continue
        then = _next_row(text, at, final) if at < len(text) else None
        if then is None:
            return Parsed(rows=rows, offsets=offsets, scraps=scraps, consumed=at)
        scraps += _scraps(data, at, then)
        at = then


@contextmanager
def collector_resting() -> Iterator[None]:
    """Keep the garbage collector from walking tens of thousands of new rows: they hold no cycles.

    It costs a third of the parsing otherwise, and a twentieth of all until the commit (CPython 3.11).
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _next_row(text: str, at: int, final: bool) -> int | None:
    """Return where the next whole row stands, or None to wait for more bytes."""
    for start in _START.finditer(text, at + 1):
        if _ROW.match(text, start.start()):
            return start.start()
    if final:
        return len(text)
    return len(text) - LONGEST if len(text) - at > 2 * LONGEST else None


def _scraps(data: bytes, at: int, then: int) -> list[Scrap]:
    pieces = range(at, then, LONGEST)
    return [
        Scrap(offset=p, raw=data[p : min(p + LONGEST, then)], reason=_reason(data[p:then])) for p in pieces
    ]


def _reason(raw: bytes) -> str:
    if b"\0" in raw:
        return "nul_bytes"
    return "cut_row" if _START.match(raw[:100].decode("latin-1")) else "no_row"
