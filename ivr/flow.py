"""A call flow as frozen values: what a caller hears and presses, and where each way leads.

A flow is a graph of named nodes. Every node names all its ways out; a target is the name of a node
of the same flow. What a flow *means* stands in `ivr.machine`, whether it is safe in `ivr.check`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

#: Node and flow names become Asterisk extensions and context names, and stand in journal rows.
#: Two letters at least: one-letter extensions (`h`, `i`, `t`, ...) have meanings of their own.
NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
#: Keys a menu may offer. `*` is kept for "say that again", `#` is never asked for.
KEYS = frozenset("0123456789")
#: What a telephone can send.
ANY_KEYS = frozenset("0123456789*#ABCD")


class Direction(StrEnum):
    """Who called whom: it decides which rules a flow is checked against."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """Say something and go on, without a pause. Any key ends it early and counts for nothing else."""

    prompts: tuple[str, ...]
    next: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Menu:
    """Ask for one key. Keys count from the first sentence on.

    Silence or a wrong key uses up one of `tries` and asks again; what went wrong the last time
    decides between `on_silence` and `on_wrong`. `*` says it again, at most `repeats` times, and
    after that counts as a wrong key.
    """

    prompts: tuple[str, ...]
    options: Mapping[str, str]
    on_silence: str
    on_wrong: str
    #: Wait for the key after the last word.
    timeout: timedelta = timedelta(seconds=10)
    tries: int = 2
    repeat: str = "*"
    repeats: int = 5
    #: Whether the key is written to the journal. Never for PINs and other secret digits.
    records: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Enqueue:
    """Let the caller wait for a counsellor. `answered` is taken after the counsellor's side ended."""

    queue: str
    answered: str
    failed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalate:
    """Ring the people on call one after the other; only their accept key counts as an answer."""

    answered: str
    failed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Transfer:
    """Hand the caller to another service by its name. An accepted transfer ends the flow."""

    destination: str
    failed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Write the flow's word on what became of the call. The last one written stands."""

    outcome: str
    next: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """Promise something. The journal row *is* the promise, so it comes before any word of it (R4)."""

    kind: str
    next: str


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Say goodbye, if there is something to say, and hang up."""

    prompts: tuple[str, ...] = ()


Node = Say | Menu | Enqueue | Escalate | Transfer | Outcome | Promise | End


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The key that confirms who is on the line. No word of purpose may be said before it (R24)."""

    menu: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A whole flow. `identity` is required of outbound flows by `ivr.check`."""

    name: str
    direction: Direction
    language: str
    start: str
    nodes: Mapping[str, Node]
    identity: Identity | None = None
    #: The file it came from, for messages.
    source: str = field(default="", compare=False)
    #: Line of each node in `source`.
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def where(self, node: str) -> str:
        """Return `file:line` of a node, or the flow's name and the node's if it came from no file."""
        if node in self.lines:
            return f"{self.source}:{self.lines[node]}"
        return f"{self.name}/{node}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way out of a node."""

    #: `next`, `key 1`, `on_silence`, `on_wrong`, `answered` or `failed`.
    by: str
    target: str


def ways(node: Node) -> tuple[Way, ...]:
    """Return every way out of a node; `End` has none."""
    match node:
        case Say() | Outcome() | Promise():
            return (Way(by="next", target=node.next),)
        case Menu():
            keys = tuple(Way(by=f"key {key}", target=target) for key, target in node.options.items())
            return (
                *keys,
                Way(by="on_silence", target=node.on_silence),
                Way(by="on_wrong", target=node.on_wrong),
            )
        case Enqueue() | Escalate():
            return (Way(by="answered", target=node.answered), Way(by="failed", target=node.failed))
        case Transfer():
            return (Way(by="failed", target=node.failed),)
        case End():
            return ()
        case _:
            assert_never(node)


def prompts_of(node: Node) -> tuple[str, ...]:
    """Return the ids of the prompts a node says, in order."""
    match node:
        case Say() | Menu() | End():
            return node.prompts
        case Enqueue() | Escalate() | Transfer() | Outcome() | Promise():
            return ()
        case _:
            assert_never(node)
