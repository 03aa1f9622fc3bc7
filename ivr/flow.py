"""A call flow as frozen values: what a caller hears and presses, and where each way leads.

A flow is a graph of named nodes. Every node names all its ways out; a target is the name of a node
of the same flow. What a flow *means* stands in `ivr.machine`, whether it is safe in `ivr.check`.

Some keys mean the same everywhere and are no node's own: `0` leads to `Flow.human` from wherever
something is said, `*` says it again, `#` ends a number. `9` is kept for "stop".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from ivr.acts import Effect

#: Node and flow names become Asterisk extensions and context names, and stand in journal rows.
#: Two letters at least: one-letter extensions (`h`, `i`, `t`, ...) have meanings of their own.
NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
#: Keys a node may offer. `*` and `#` are never offered: they mean the same everywhere.
KEYS = frozenset("0123456789")
#: What a telephone can send.
ANY_KEYS = frozenset("0123456789*#ABCD")
#: Always leads to a human (R2).
HUMAN = "0"
#: Always says it again.
AGAIN = "*"
#: Ends a number.
DONE = "#"
#: A library's own keys.
NEXT_PIECE = "1"
PAUSE = "2"
#: How often `*` says the same again; after that it counts as a wrong key.
REPEATS = 5
#: How often the last words of a call are said again.
LAST_REPEATS = 2
#: Fields of nodes that hold a target. `options` and `bands` hold one for each key or sum.
TARGETS = frozenset(
    {"next", "on_silence", "on_wrong", "on_cap", "on_tripwire", "answered", "failed", "passed"}
    | {"open", "closed", "yes", "no"}
)


class Direction(StrEnum):
    """Who called whom: it decides which rules a flow is checked against."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    #: Only ever a part of other flows.
    PART = "part"


class Mode(StrEnum):
    """How a caller is handed over."""

    #: Whoever is rung hears that a caller waits and takes the call by key.
    WARM = "warm"
    #: The caller is put through. Their number may not come along, so they are told first.
    BLIND = "blind"


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """Say something and go on, without a pause. A key other than 0 and `*` cuts it short."""

    prompts: tuple[str, ...]
    next: str
    on_hangup: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Menu:
    """Ask for one key. Keys count from the first sentence on.

    Silence or a wrong key uses up one of `tries` and asks again; what went wrong the last time
    decides between `on_silence` and `on_wrong`.
    """

    prompts: tuple[str, ...]
    options: Mapping[str, str]
    on_silence: str
    on_wrong: str
    #: Said before asking again.
    after_silence: tuple[str, ...] = ()
    after_wrong: tuple[str, ...] = ()
    #: Wait for the key after the last word.
    timeout: timedelta = timedelta(seconds=10)
    tries: int = 2
    #: Whether the key is written to the journal.
    records: bool = True
    #: Outcome of a caller who hangs up here; none if empty.
    on_hangup: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Digits:
    """Read a number of `least` to `most` digits. `#` or a pause ends it, `*` starts over.

    A lone 0 leads to a human.
    """

    prompts: tuple[str, ...]
    least: int
    most: int
    next: str
    on_silence: str
    on_wrong: str
    #: What the digits are, such as `number`: then they are written to the journal. Else they are not.
    keep: str = ""
    #: What the `owner` node that follows goes by, such as `code`: held for this call, never written.
    hold: str = ""
    #: First digit -> how many there must be: a mobile number begins with 1 and has eleven.
    exact: Mapping[str, int] = field(default_factory=dict)
    after_silence: tuple[str, ...] = ()
    after_wrong: tuple[str, ...] = ()
    timeout: timedelta = timedelta(seconds=10)
    #: Wait for the next digit.
    between: timedelta = timedelta(seconds=5)
    tries: int = 2
    on_hangup: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identify:
    """Let the person prove who they are by digits we know of them, such as the month of their birth.

    Somebody of whom nothing is known passes without being asked. The digits leave no trace.
    """

    prompts: tuple[str, ...]
    #: Which digits: `birth_month`.
    expect: str
    #: How many there are.
    length: int
    passed: str
    #: Too many wrong ones.
    failed: str
    on_silence: str
    after_wrong: tuple[str, ...] = ()
    timeout: timedelta = timedelta(seconds=10)
    between: timedelta = timedelta(seconds=5)
    tries: int = 2
    on_hangup: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Questionnaire:
    """Ask one item after the other; each answer is a key with a score.

    Whoever answers a tripwire's item with its score or more leaves at once. A form that is not
    complete has no sum: its answers stay single.
    """

    #: Prompt ids; they name the items in every record.
    items: tuple[str, ...]
    #: Said after each item: which key means what.
    scale: tuple[str, ...]
    #: Key -> score.
    answers: Mapping[str, int]
    #: Least sum -> target; one of them is for 0.
    bands: Mapping[int, str]
    on_silence: str
    on_wrong: str
    #: Further keys, such as 9 to stop.
    options: Mapping[str, str] = field(default_factory=dict)
    #: Item -> least score that trips it.
    tripwires: Mapping[str, int] = field(default_factory=dict)
    on_tripwire: str = ""
    #: Whether the sum goes on from the questionnaire before.
    adds: bool = False
    timeout: timedelta = timedelta(seconds=10)
    tries: int = 2
    on_hangup: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """Go by the line's opening hours."""

    hours: str
    open: str
    closed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """Go by what the line was told beforehand about the person, such as `no_menu`."""

    fact: str
    yes: str
    no: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Free:
    """Go by whether somebody in a queue could take a call at this moment."""

    queue: str
    yes: str
    no: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Enqueue:
    """Let the caller wait for a counsellor.

    A caller who leaves and comes back keeps their place: it goes by when the call first came in.
    """

    queue: str
    #: After the counsellor's side ended.
    answered: str
    #: Nobody could be rung.
    failed: str
    #: The longest wait is over (R4).
    on_cap: str
    #: Keys offered while waiting.
    options: Mapping[str, str] = field(default_factory=dict)
    #: Ranks above other callers.
    priority: int = 0
    #: Longest wait; the line's own if None.
    cap: timedelta | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Ring the counsellor whose code the caller keyed, else who owes this person a call, if on duty."""

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
    mode: Mode = Mode.BLIND
    #: Said before; a blind transfer says that the number may not come along.
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Record a message. It is promised to somebody as a task before the first word of it (R46)."""

    prompts: tuple[str, ...]
    #: The promise that it becomes.
    kind: str
    next: str
    longest: timedelta = timedelta(seconds=120)


@dataclass(frozen=True, kw_only=True, slots=True)
class Library:
    """Play pieces one after the other. 1 goes to the next, 2 pauses and resumes, `*` starts it anew."""

    pieces: tuple[str, ...]
    next: str
    #: Further keys.
    options: Mapping[str, str] = field(default_factory=dict)
    #: A pause ends by itself.
    longest_pause: timedelta = timedelta(seconds=60)
    on_hangup: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Language:
    """Go on in another set of prompts."""

    language: str
    next: str


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
    """Say goodbye, if there is something to say, and hang up. 0 still leads to a human."""

    prompts: tuple[str, ...] = ()


#: Nodes that say something to which a key can be the answer.
Speaking = Say | Menu | Digits | Identify | Questionnaire | Record | Library | End
#: Nodes that ask the world one thing and go on.
Looking = Hours | Fact | Free
#: Nodes that ring somebody.
Ringing = Enqueue | Owner | Escalate | Transfer
#: Nodes that are passed without waiting.
Passing = Language | Outcome | Promise
Node = Speaking | Looking | Ringing | Passing


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The way that only the right person takes. No word of purpose may be said before it (R24)."""

    node: str
    #: A way out of it, such as `key 1` or `passed`.
    way: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way out of a node."""

    #: `next`, `key 1`, `on_silence`, `answered`, `band 10`, ...
    by: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """What coming to a node means: the first node that waits, and everything done on the way there."""

    #: None: the call is over.
    node: str | None
    effects: tuple[Effect, ...]
    #: The set of prompts chosen on the way, if one was.
    language: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A whole flow, its parts already put in. `identity` is required of outbound flows by `ivr.check`."""

    name: str
    direction: Direction
    language: str
    start: str
    nodes: Mapping[str, Node]
    #: Where 0 leads from everywhere; empty in a part, which has its host's.
    human: str
    identity: Identity | None = None
    #: Whoever answers or calls may be anybody, and nobody is asked who they are: nothing may be disclosed.
    neutral: bool = False
    #: Keys in this time after the call is up are a cheek's or a pocket's and do not count.
    guard: timedelta = timedelta(milliseconds=700)
    #: The file it came from, for messages.
    source: str = field(default="", compare=False)
    #: `file:line` of each node.
    lines: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    #: What the machine has worked out about coming to a node; filled by it. Not carried over by `replace`.
    arrivals: dict[str, Arrival] = field(init=False, default_factory=dict, compare=False, repr=False)

    def where(self, node: str) -> str:
        """Return `file:line` of a node, or the flow's name and the node's if it came from no file."""
        return self.lines.get(node, f"{self.name}/{node}")

    def ways(self, name: str) -> tuple[Way, ...]:
        """Return every way out of a node, the 0 that leads to a human included."""
        node = self.nodes[name]
        own = tuple(_ways(node))
        zero = Way(by=f"key {HUMAN}", target=self.human)
        if not self.human or not takes_keys(node) or any(way.by == zero.by for way in own):
            return own
        return (*own, zero)


def takes_keys(node: Node) -> bool:
    """Tell whether a caller can answer a node by key, and so reach a human from it."""
    match node:
        case End():
            return bool(node.prompts)
        case Say() | Menu() | Digits() | Identify() | Questionnaire() | Record() | Library():
            return True
        case _:
            return False


def options_of(node: Node) -> Mapping[str, str]:
    """Return the keys that a node itself offers, with their targets."""
    match node:
        case Menu() | Questionnaire() | Library() | Enqueue():
            return node.options
        case _:
            return {}


def _ways(node: Node) -> Iterator[Way]:
    for key, target in options_of(node).items():
        yield Way(by=f"key {key}", target=target)
    if isinstance(node, Questionnaire):
        yield from (Way(by=f"band {least}", target=target) for least, target in node.bands.items())
    for spec in fields(node):
        if spec.name in TARGETS and getattr(node, spec.name):
            yield Way(by=spec.name, target=getattr(node, spec.name))


def prompts_of(node: Node) -> tuple[str, ...]:
    """Return the ids of all prompts a node may say, in the order of hearing."""
    match node:
        case Menu() | Digits():
            return (*node.prompts, *node.after_silence, *node.after_wrong)
        case Identify():
            return (*node.prompts, *node.after_wrong)
        case Questionnaire():
            return (*node.items, *node.scale)
        case Library():
            return node.pieces
        case Say() | Record() | End() | Transfer():
            return node.prompts
        case Enqueue() | Owner() | Escalate() | Hours() | Fact() | Free():
            return ()
        case Language() | Outcome() | Promise():
            return ()
        case _:
            assert_never(node)
