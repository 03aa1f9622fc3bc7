"""The choke point for everything that goes out on AMI: what may stand in a header.

panoramisk 1.4 writes values as they are, so a value with CR LF CR LF would be a second action.
Asterisk refuses lines above 1024 bytes and messages above 128 headers (main/manager.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from callcenter.errors import PbxError

#: Asterisk's own limits are 1024 and 128; we stay below them.
MAX_LINE = 1000
MAX_HEADERS = 120

Value = str | int | bool | Sequence[str]

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
_NAME = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]{0,39}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
#: `astman_get_variables` splits a Variable header on `,`, honours `"` and drops `\`. Versions up to
#: Asterisk 1.4 split on `|`, and queue persistence still does.
_SPLITS = re.compile(r'[,|"\\]')
_ARGUMENT = re.compile(r"[A-Za-z0-9_+@/.:;*#=-]{1,200}")


class Unsendable(PbxError):
    """A value cannot be sent to the telephone system safely."""

    error_id = "pbx_unsendable"


def headers(action: str, fields: Mapping[str, Value]) -> dict[str, str | list[str]]:
    """Return the checked headers of one action; raise `Unsendable` naming the header, never its value."""
    checked: dict[str, str | list[str]] = {"Action": _line("Action", action)}
    for key, value in fields.items():
        if not _KEY.fullmatch(key) or key.lower() in {"action", "actionid"}:
            raise Unsendable("a header's name must be letters, digits and dashes, and not Action or ActionID")
        if isinstance(value, (list, tuple)):
            checked[key] = [_line(key, item) for item in value]
        else:
            checked[key] = _line(key, _text(value))
    _check_count(checked.values())
    return checked


def variable(name: str, value: str) -> str:
    """Return `name=value` for one Variable header; raise `Unsendable` if it could become two."""
    if not _NAME.fullmatch(name):
        raise Unsendable("a channel variable's name must be letters, digits and underscores")
    if _SPLITS.search(value):
        raise Unsendable(f'variable {name}: , | " and \\ cannot be sent')
    return _line("Variable", f"{name}={value}")


def hangup_handler(context: str, exten: str) -> str:
    """Return the Variable by which a channel runs `context,exten` when it ends, answered or not."""
    return _line("Variable", f'CHANNEL(hangup_handler_push)="{argument(context)},{argument(exten)},1"')


def argument(text: str) -> str:
    """Return a dialplan argument (extension, context, device) of harmless characters, or refuse it."""
    if not _ARGUMENT.fullmatch(text):
        raise Unsendable("a dialplan argument must be 1-200 letters, digits or _+@/.:;*#=-")
    return text


def _text(value: str | int | bool | Sequence[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _line(key: str, value: str) -> str:
    if _CONTROL.search(value):
        raise Unsendable(f"header {key}: line breaks and control characters cannot be sent")
    try:
        length = len(f"{key}: {value}\r\n".encode())
    except UnicodeEncodeError:
        raise Unsendable(f"header {key}: not valid text") from None
    if length >= MAX_LINE:
        raise Unsendable(f"header {key}: {length} bytes, fewer than {MAX_LINE} can be sent")
    return value


def _check_count(values: Iterable[str | list[str]]) -> None:
    count = sum(len(v) if isinstance(v, list) else 1 for v in values)
    if count > MAX_HEADERS:
        raise Unsendable(f"{count} headers, at most {MAX_HEADERS} can be sent")
