"""Write journal rows and queue_log lines as Asterisk writes them, and read captured traces."""

from __future__ import annotations

import json
from pathlib import Path

from callcenter.asterisk.journal_rows import parse_journal
from callcenter.domain.calls import CallRecord
from callcenter.domain.fold import Facts, fold
from callcenter.domain.journal import Row
from callcenter.domain.queue_log import QueueRow, read_queue_line

TRACES = Path(__file__).parent / "traces" / "journal"


def row_bytes(row: Row) -> bytes:
    """Return the line that holds a row (whose fields are as in the file)."""
    fields = (row.event, row.event if row.extra.startswith('{""extra') else "", row.time, *row[2:])
    return (",".join(f'"{text}"' for text in fields) + "\n").encode("latin-1")


def row(event: str, time: float, channel: str, unique: str, linked: str, **more: str) -> Row:
    """Return a row. `words` are a user event's text, `extra` is a JSON text."""
    extra = more.pop("extra", "")
    if "words" in more:
        extra = json.dumps({"extra": more.pop("words")})
    named = {"num": "", "exten": "s", "context": "flow-inbound", "app": "", "peer": ""} | more
    return Row(
        event=event, time=f"{time:.6f}", channel=channel, unique=unique, linked=linked,
        extra=extra.replace('"', '""'), **named,
    )  # fmt: skip


def queue_rows(text: str) -> list[QueueRow]:
    """Return the rows of a queue_log's text."""
    return [line for line in map(read_queue_line, text.splitlines()) if line is not None]


def trace_rows(name: str) -> tuple[list[Row], list[QueueRow]]:
    """Return what the PBX printed in a situation."""
    parsed = parse_journal((TRACES / f"{name}.csv").read_bytes(), final=True)
    assert parsed.scraps == []
    return parsed.rows, queue_rows((TRACES / f"{name}.queue_log").read_text())


def trace(name: str) -> Facts:
    """Return the facts of a captured trace."""
    return fold(*trace_rows(name))


def only_call(name: str) -> CallRecord:
    """Return the one call of a captured trace."""
    (call,) = trace(name).calls
    return call
