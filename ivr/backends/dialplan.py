"""Flow -> Asterisk 22 dialplan: one context `flow-<name>`, one extension per node, start at `s`.

The call then needs nothing of ours: no Python, no database, no network (R6). Whatever goes into a
line passes a filter that refuses what could break it; nothing is quietly escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from ivr.acts import (
    Effect,
    Entered,
    Kept,
    Left,
    PlayPiece,
    Pressed,
    Promised,
    Recorded,
    Scored,
    Totalled,
)
from ivr.errors import CompileError
from ivr.flow import (
    AGAIN,
    ANY_KEYS,
    DONE,
    HUMAN,
    LAST_REPEATS,
    NEXT_PIECE,
    PAUSE,
    REPEATS,
    Enqueue,
    Flow,
    Transfer,
    options_of,
)
from ivr.rows import row_of

#: Read() treats 0 as "use the default": this is as near to "no pause" as it goes.
_BREATH = timedelta(milliseconds=50)
#: A recording ends after so many seconds without a sound.
_RECORD_SILENCE = 10
#: Callers of one rank stand by when they came; a rank is more than all times to come are apart.
_RANK = 100_000_000
#: Longest user data of a CEL row that Asterisk is sure to write whole.
_EVENT_BYTES = 200
#: Two letters at least: Asterisk's own extensions (`h`, `i`, `t`, ...) have one.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,39}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2,8})?(_[a-z]{1,12})*")
_EVENT = re.compile(r"([A-Za-z0-9_=&*#.-]|\$\{HOTLINE_[A-Z]+\})+")
_DIAL = re.compile(r"[A-Za-z][A-Za-z0-9]*/[A-Za-z0-9_@.:+/-]+")
_DESTINATION = re.compile(r"[A-Za-z0-9]{1,20}")
_CONTEXT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_QUEUE = re.compile(r"([A-Za-z0-9_]|\$\{[A-Z_]+\})+")


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueOptions:
    """How callers wait where a flow does not say it: after `cap` the flow goes on by `on_cap`."""

    cap: timedelta = timedelta(minutes=3)


def compile_flow(
    flow: Flow,
    *,
    language: str,
    queue_options: QueueOptions,
    transfers: Mapping[str, str],
    transfer_ring: timedelta = timedelta(seconds=60),
    time_scale: float = 1.0,
    queues: Mapping[str, str] | None = None,
    trace: str | None = None,
) -> str:
    """Return the text of context `[flow-<name>]` for extensions.conf.

    `transfers` gives each destination its dial string, such as `PJSIP/12356@trunk`. Three are for
    tests: `time_scale` shortens waits for keys and in the queue, `queues` puts another name in place of
    a queue's, and `trace` names a context that is told, by Gosub(<trace>,<kind>,1(<node>)), of each
    moment at which the call waits or asks. Raise `CompileError` for a value that could break a line
    and for a destination without a dial string.
    """
    _check_destinations(flow, transfers)
    text = _template().render(
        **_rows_of(flow.name),
        **_CONSTANTS,
        flow=flow,
        nodes=[(name, type(node).__name__, node) for name, node in flow.nodes.items()],
        on_hangup=list(_last_words(flow)),
        priorities=any(isinstance(node, Enqueue) and node.priority for node in flow.nodes.values()),
        with_human=lambda node: {**options_of(node), HUMAN: options_of(node).get(HUMAN, flow.human)},
        language=language,
        queue=lambda name: _queue((queues or {}).get(_word(name), name)),
        queue_options=queue_options,
        transfers=transfers,
        transfer_ring=transfer_ring,
        time_scale=time_scale,
        trace=trace,
    )
    return _spaced(text)


def queue_keys(flows: Iterable[Flow]) -> tuple[str, ...]:
    """Return every key that a flow offers while waiting: what `[hotline-queue-keys]` must know."""
    waiting = (node for flow in flows for node in flow.nodes.values() if isinstance(node, Enqueue))
    return tuple(sorted({key for node in waiting for key in node.options}))


def _check_destinations(flow: Flow, transfers: Mapping[str, str]) -> None:
    for name, node in flow.nodes.items():
        if isinstance(node, Transfer) and node.destination not in transfers:
            raise CompileError(
                f"{flow.where(name)}: no dial string for `{node.destination}`. Give it one in `transfers`."
            )


def _last_words(flow: Flow) -> Iterator[tuple[str, str]]:
    """Yield the nodes at which a caller's hang-up has an outcome of its own."""
    for name, node in flow.nodes.items():
        if outcome := getattr(node, "on_hangup", ""):
            yield name, outcome


def _spaced(text: str) -> str:
    """Put one empty line before each extension and none elsewhere."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "".join(f"\n{line}\n" if line.startswith("exten =>") else f"{line}\n" for line in lines).replace(
        "]\n\nexten", "]\nexten", 1
    )


# --- rows ------------------------------------------------------------------------------------


def _rows_of(flow: str) -> dict[str, Any]:
    """Return, for the template, what writes the text of each row; `${...}` is filled in by the call."""

    def text_of(effect: Effect) -> str:
        row = row_of(flow, effect)
        return row[1] if row else ""

    def with_number(effect: Effect, variable: str) -> str:
        return text_of(effect).removesuffix("0") + variable

    item = "${HOTLINE_ITEM}"
    return {
        "entered": lambda node: text_of(Entered(_word(node))),
        "pressed": lambda node, key: text_of(Pressed(_word(node), _key(key))),
        "recorded": lambda outcome: text_of(Recorded(_word(outcome))),
        "promised": lambda kind: text_of(Promised(_word(kind))),
        "kept": lambda node, keep: text_of(Kept(_word(node), _word(keep), "${HOTLINE_TYPED}")),
        "scored": lambda node: with_number(Scored(_word(node), item, 0), "${HOTLINE_POINTS}"),
        "totalled": lambda node: with_number(Totalled(_word(node), 0), "${HOTLINE_SCORE}"),
        "piece": lambda node: text_of(PlayPiece(_word(node), item)),
        "left": text_of(Left("${HOTLINE_NODE}")),
    }


# --- filters ---------------------------------------------------------------------------------


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


def _listed(words: tuple[str, ...]) -> str:
    """Return words for CUT(), which parts them by dashes."""
    return "-".join(map(_word, words))


def _event(text: str) -> str:
    if not _EVENT.fullmatch(text) or len(text) > _EVENT_BYTES:
        raise CompileError(f"{text!r} cannot stand in a journal row: shorten it, and keep to plain letters.")
    return text


def _dial(value: str) -> str:
    if not _DIAL.fullmatch(value):
        raise CompileError(f"{value!r} is not a dial string. Write it like PJSIP/12356@trunk.")
    return value


def _destination(value: str) -> str:
    if not _DESTINATION.fullmatch(value):
        raise CompileError(f"{value!r} is not a destination. Use letters and digits.")
    return value


def _place(value: str) -> str:
    if not _CONTEXT.fullmatch(value):
        raise CompileError(f"{value!r} is not the name of a context.")
    return value


def _queue(value: str) -> str:
    if not _QUEUE.fullmatch(value):
        raise CompileError(f"{value!r} is not the name of a queue. Use letters, digits and _.")
    return value


def _seconds(value: timedelta) -> str:
    """Return seconds with milliseconds; never 0, which Asterisk reads as "no limit"."""
    return f"{max(value, _BREATH).total_seconds():.3f}".rstrip("0").rstrip(".")


def _whole_seconds(value: timedelta) -> str:
    return str(max(1, round(value.total_seconds())))


_FILTERS = {
    "word": _word,
    "language": _language,
    "key": _key,
    "sounds": _sounds,
    "listed": _listed,
    "event": _event,
    "dial": _dial,
    "destination": _destination,
    "place": _place,
    "seconds": _seconds,
    "whole_seconds": _whole_seconds,
}
_CONSTANTS = {
    "AGAIN": AGAIN,
    "DONE": DONE,
    "HUMAN": HUMAN,
    "NEXT_PIECE": NEXT_PIECE,
    "PAUSE": PAUSE,
    "REPEATS": REPEATS,
    "LAST_REPEATS": LAST_REPEATS,
    "RANK": _RANK,
    "RECORD_SILENCE": _RECORD_SILENCE,
    "DIGITS": "0123456789",
    "breath": _BREATH,
    "none_at_all": timedelta(0),
}


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - dialplan, not HTML: each value passes one of these filters
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    return environment.get_template("flow.conf.j2")
