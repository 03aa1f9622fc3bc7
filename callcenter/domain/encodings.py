"""Texts that arrive as files, in whatever encoding the sender's program wrote."""

from __future__ import annotations


class NotText(ValueError):
    """The bytes are no text that is known; `line` is where that shows (1: the first)."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}: neither UTF-8 nor GB18030")
        self.line = line


def decoded(raw: bytes) -> str:
    """Return a file's text: UTF-8, GB18030 (also GBK, GB2312) or UTF-16 with its mark; raise `NotText`."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
    raise NotText(line)
