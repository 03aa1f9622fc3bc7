"""Structured logs: one JSON object per line, with nothing personal in it.

Who logs writes an English message and `extra={"action": "...", ...}`. Nothing personal belongs into
either; should it slip in all the same, this module is the second fence: only allow-listed extra
fields pass, digits in a row are blotted out wherever an id is not expected, Chinese text (names) is
blotted out everywhere, and of an exception only its type and place are kept, never its words.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import PurePath
from traceback import extract_tb
from types import TracebackType
from typing import TextIO

#: Extra fields that are ids of ours, shown whole if they look like one (`pbx1-1700000000.12`, `at-3f…`).
ID_FIELDS = frozenset({"alarm", "attempt", "call", "channel", "obligation", "session", "shift", "probe"})

#: Extra fields that count or place something; shown whole if they are numbers.
NUMBER_FIELDS = frozenset(
    {
        "bytes",
        "count",
        "line",
        "low_offset",
        "members",
        "offset",
        "pid",
        "port",
        "revision",
        "rows",
        "seconds",
        "waiting",
    }
)

#: Extra fields with words of ours: kinds, states, codes, type names.
WORD_FIELDS = frozenset(
    {
        "action",
        "actor",
        "agent",
        "alarm_kind",
        "command",
        "error",
        "error_id",
        "event",
        "field",
        "file",
        "flow",
        "host",
        "kind",
        "level",
        "node",
        "outcome",
        "reason",
        "result",
        "segment",
        "source",
        "state",
        "status",
        "user",
        "verb",
        "version",
    }
)

_OURS = re.compile(
    r"(?:[a-z][a-z0-9]{0,15}-)?1[0-9]{9}\.[0-9]{1,9}|[a-z]{2,4}-[0-9a-f]{16,32}|al-[a-z_]{1,32}-[0-9a-f]{8,32}"
)
# Spaces and dashes do not hide a number: 138 6170 1234.
_DIGITS = re.compile(r"\+?[0-9](?:[\s().-]?[0-9]){4,}")
# Every script in which a name may be written but ours: Han, Kana, Hangul, Uyghur, Tibetan and the rest.
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_BLOT = "▇"
_MAX_TEXT = 500

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def configure_logging(*, stream: TextIO | None = None, level: str = "INFO", as_json: bool = True) -> None:
    """Send every log line of this process to `stream` (standard error), and nowhere else.

    `as_json=False` writes the same fields for a human at a terminal. Calling again replaces the first call.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else PlainFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Libraries log what they send: SQL, AMI actions, HTTP requests.
    for noisy in ("sqlalchemy", "alembic", "panoramisk", "twilio", "apscheduler", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        return json.dumps(safe_fields(record), ensure_ascii=False)


class PlainFormatter(logging.Formatter):
    """Writes a record as `time level message key=value ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its newline."""
        values = safe_fields(record)
        head = f"{values.pop('ts')} {values.pop('level'):<7} {values.pop('message')}"
        return " ".join([head, *(f"{key}={value}" for key, value in values.items() if key != "logger")])


def safe_fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what of a record may be written: allow-listed, redacted, in a stable order."""
    values: dict[str, object] = {
        "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": redact(_message(record)),
    }
    extra = {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    values.update((key, _safe(key, extra[key])) for key in sorted(extra) if _is_allowed(key))
    dropped = sorted(redact(key) for key in extra if not _is_allowed(key))
    if dropped:
        values["dropped"] = dropped
    if record.exc_info and record.exc_info[0]:
        values["error"] = record.exc_info[0].__name__
        values["at"] = _places(record.exc_info[2])
    return values


def redact(text: str) -> str:
    """Blot out runs of five or more digits and everything that is not ASCII; cut what is too long."""
    return _DIGITS.sub(_BLOT, _FOREIGN.sub(_BLOT, text[:_MAX_TEXT]))


def _is_allowed(key: str) -> bool:
    return key in ID_FIELDS or key in NUMBER_FIELDS or key in WORD_FIELDS


def _safe(key: str, value: object) -> object:
    match value:
        case None | bool():
            return value
        case int() | float() if key in NUMBER_FIELDS:
            return value
        case str() if key in ID_FIELDS and _OURS.fullmatch(value):
            return value
        case list() | tuple() | set() | frozenset():
            return [_safe(key, item) for item in value]
        case _:
            return redact(str(value))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return str(record.msg)


def _places(trace: TracebackType | None) -> list[str]:
    """Return `file.py:12 function`, innermost last, without folders and without source lines."""
    return [f"{PurePath(f.filename).name}:{f.lineno} {f.name}" for f in extract_tb(trace)[-8:]]
