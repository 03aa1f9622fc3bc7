"""What may stand in a line of Asterisk's files, and what is refused.

Asterisk's files know no quoting that holds everywhere: `;` starts a comment, `[` a section, `${` and
`$[` are evaluated, `,` and `|` part arguments. So no value is escaped; one that would need it is
refused, by name and with the mend, before anything is written.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

from callcenter.errors import ConfigError

FORBIDDEN = frozenset('\r\n\0;[]${},|"\\')
#: Values of these names are refused unless they look like this.
_SHAPES = {
    "code": re.compile(r"[a-z][a-z0-9]{1,11}"),
    "name": re.compile(r"[a-z][a-z0-9]{1,15}"),
    "number": re.compile(r"[0-9]{3,15}"),
    "public_number": re.compile(r"\+?[0-9]{3,15}"),
    "outbound_number": re.compile(r"\+?[0-9]{3,15}"),
    "outbound_numbers": re.compile(r"\+?[0-9]{3,15}"),
    "talks_number": re.compile(r"(\+?[0-9]{3,15})?"),
    "secret": re.compile(r"[A-Za-z0-9]{16,64}"),
    "salt": re.compile(r"[A-Za-z0-9]{16,64}"),
    "language": re.compile(r"[a-z]{2}(-[A-Za-z]{2,8})?"),
    "journal": re.compile(r"dsv|legacy"),
    "queue_keys": re.compile(r"[0-9*#]"),
    "queue_strategy": re.compile(r"[a-z]{1,16}"),
    "fallback_host": re.compile(r"[A-Za-z0-9.:_-]{0,253}"),
    "trunk_host": re.compile(r"[A-Za-z0-9.:_-]{1,253}"),
    "sip_address": re.compile(r"[A-Za-z0-9.:_-]{1,253}"),
    "ami_address": re.compile(r"[A-Za-z0-9.:_-]{1,253}"),
}
_CONTEXT = re.compile(r"\[flow-[A-Za-z][A-Za-z0-9_-]{0,39}\]")
_FLOW_LINE = re.compile(r"\s*(;.*|exten\s*=>.*|same\s*=>.*)?")


def safe(value: object, where: str) -> str:
    """Return `value` as it may stand in a line; raise `ConfigError` naming `where`, never the value."""
    text = str(value)
    bad = sorted({c for c in text if c in FORBIDDEN or not c.isprintable()})
    if bad:
        raise ConfigError(f"{where}: may not hold {', '.join(map(repr, bad))}. Take it out.")
    return text


def check_values(value: object, where: str = "") -> None:
    """Walk a plan; raise `ConfigError` naming the field (`agents[3].number`) that does not fit a line."""
    match value:
        case str():
            _check_text(value, where)
        case Path():
            safe(value, where)
        case tuple():
            for place, item in enumerate(value):
                check_values(item, f"{where}[{place}]")
        case _ if is_dataclass(value):
            for each in fields(value):
                if each.name != "flows":
                    check_values(getattr(value, each.name), f"{where}.{each.name}".lstrip("."))


def _check_text(text: str, where: str) -> None:
    safe(text, where)
    shape = _SHAPES.get(where.rpartition(".")[2].partition("[")[0])
    if shape is not None and not shape.fullmatch(text):
        raise ConfigError(f"{where}: must match {shape.pattern}. Mend the setting or the user it comes from.")


def compiled(flow: tuple[str, str]) -> str:
    """Return the text of a compiled flow, if it opens its own context and holds nothing but extensions.

    `#include` and `#exec`, another context or a raw NUL would reach past the flow.
    """
    name, text = flow
    lines = text.replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("["):
            fits = bool(_CONTEXT.fullmatch(line)) and line.startswith(f"[flow-{name}")
        else:
            fits = bool(_FLOW_LINE.fullmatch(line)) and line.replace("\t", " ").isprintable()
        if not fits:
            raise ConfigError(f"flow {name}, line {number}: only extensions of [flow-{name}] may stand here.")
    if f"[flow-{name}]" not in lines:
        raise ConfigError(f"flow {name}: opens no context [flow-{name}]. Compile it anew.")
    return text.strip("\n")
