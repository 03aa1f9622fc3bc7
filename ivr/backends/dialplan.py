"""Flow -> Asterisk 22 dialplan: one context `flow-<name>`, one extension per node, start at `s`.

The call then needs nothing of ours: no Python, no database, no network (R6). Whatever goes into a
line passes a filter that refuses what could break it; nothing is quietly escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jinja2

from ivr.errors import CompileError
from ivr.flow import ANY_KEYS, Flow, Transfer
from ivr.machine import Effect, Entered, Pressed, Promised, Recorded
from ivr.rows import row_of

#: Read() treats 0 as "use the default": this is as near to "no pause" as it goes.
_BREATH = timedelta(milliseconds=50)
#: Longest user data of a CEL row that Asterisk is sure to write whole.
_EVENT_BYTES = 200
#: Two letters at least: Asterisk's own extensions (`h`, `i`, `t`, ...) have one.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,39}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2,8})?")
_EVENT = re.compile(r"[A-Za-z0-9_=&*#.-]+")
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9]*/[A-Za-z0-9_@.:+/-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueOptions:
    """How callers wait. After `cap` the flow goes on by `failed`."""

    cap: timedelta = timedelta(minutes=3)


def compile_flow(
    flow: Flow,
    *,
    language: str,
    queue_options: QueueOptions,
    transfers: Mapping[str, str],
    transfer_ring: timedelta = timedelta(seconds=60),
    time_scale: float = 1.0,
) -> str:
    """Return the text of context `[flow-<name>]` for extensions.conf.

    `transfers` gives each destination its dial string, such as `PJSIP/12356@trunk`. `time_scale`
    shortens waits for keys and in the queue (tests). Raise `CompileError` for a value that could
    break a line and for a destination without a dial string.
    """
    _check_destinations(flow, transfers)
    template = _environment().get_template("flow.conf.j2")

    def text_of(effect: Effect) -> str:
        row = row_of(flow.name, effect)
        return row[1] if row else ""

    return template.render(
        flow=flow,
        nodes=[(name, type(node).__name__, node) for name, node in flow.nodes.items()],
        language=language,
        queue_options=queue_options,
        transfers=transfers,
        transfer_ring=transfer_ring,
        time_scale=time_scale,
        breath=_BREATH,
        entered=lambda node: text_of(Entered(_word(node))),
        pressed=lambda node, key: text_of(Pressed(_word(node), _key(key))),
        recorded=lambda outcome: text_of(Recorded(_word(outcome))),
        promised=lambda kind: text_of(Promised(_word(kind))),
    )


def _check_destinations(flow: Flow, transfers: Mapping[str, str]) -> None:
    for name, node in flow.nodes.items():
        if isinstance(node, Transfer) and node.destination not in transfers:
            raise CompileError(
                f"{flow.where(name)}: no dial string for `{node.destination}`. Give it one in `transfers`."
            )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - dialplan, not HTML: each value passes one of these filters
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "word": _word,
        "language": _language,
        "key": _key,
        "sounds": _sounds,
        "event": _event,
        "dial": _dial,
        "seconds": _seconds,
        "whole_seconds": _whole_seconds,
    }
    return environment


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise CompileError(f"{value!r} cannot stand in dialplan. Use letters, digits and _, a letter first.")
    return value


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise CompileError(f"{value!r} is not a language. Write it like zh.")
    return value


def _key(value: str) -> str:
    if value not in ANY_KEYS:
        raise CompileError(f"{value!r} is not a key of a telephone.")
    return value


def _sounds(prompts: tuple[str, ...]) -> str:
    if not prompts:
        raise CompileError("a node that speaks needs at least one prompt.")
    return "&".join(f"hotline/{_word(prompt)}" for prompt in prompts)


def _event(text: str) -> str:
    if not _EVENT.fullmatch(text) or len(text) > _EVENT_BYTES:
        raise CompileError(f"{text!r} cannot stand in a journal row: shorten it, and keep to plain letters.")
    return text


def _dial(value: str) -> str:
    if not _DIAL.fullmatch(value):
        raise CompileError(f"{value!r} is not a dial string. Write it like PJSIP/12356@trunk.")
    return value


def _seconds(value: timedelta) -> str:
    """Return seconds with milliseconds; never 0, which Asterisk reads as "no limit"."""
    return f"{max(value, _BREATH).total_seconds():.3f}".rstrip("0").rstrip(".")


def _whole_seconds(value: timedelta) -> str:
    return str(max(1, round(value.total_seconds())))
