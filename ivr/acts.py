"""What happens to a call (events) and what the line does about it (effects), as frozen values.

`ivr.machine` turns the one into the other; the backends perform effects and report events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

# --- events ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """The caller pressed a key."""

    key: str


@dataclass(frozen=True, slots=True)
class EarlyKey:
    """A key in the guard time, before a word was said: a cheek's or a pocket's. It changes nothing."""

    key: str


@dataclass(frozen=True, slots=True)
class Silence:
    """What was said has ended, and where a key was awaited none came in time."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a `Look`."""

    yes: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """A human took the call and that talk has ended."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nobody took the call."""


@dataclass(frozen=True, slots=True)
class Capped:
    """Nobody took the call within the longest wait."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller hung up."""


Event = Key | EarlyKey | Silence | Found | Answered | Failed | Capped | HungUp

# --- effects: what is written down -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """Journal: the caller came to a node."""

    node: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """Journal: the caller chose by key."""

    node: str
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Journal: a number the caller left."""

    node: str
    keep: str
    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Held:
    """Kept in mind for the node that follows and never written down: a number that asks for somebody."""

    hold: str
    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Scored:
    """Journal: one answer of a questionnaire."""

    node: str
    item: str
    score: int


@dataclass(frozen=True, slots=True)
class Totalled:
    """Journal: the sum of a complete questionnaire."""

    node: str
    score: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Journal: the flow's word on the call."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Promised:
    """Journal: a promise, made by this row (R4)."""

    kind: str


@dataclass(frozen=True, slots=True)
class Left:
    """Journal: the caller hung up at a node."""

    node: str


# --- effects: what is heard ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Play:
    """Say prompts; any key ends them."""

    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Say prompts and wait for one key."""

    prompts: tuple[str, ...]
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for the next digit of a number, in silence."""

    timeout: timedelta


@dataclass(frozen=True, slots=True)
class PlayPiece:
    """Journal and play a piece of a library, from its start."""

    node: str
    piece: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Hold the piece; silence until a key comes."""

    timeout: timedelta


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the piece where it was held, or from its start where a backend cannot."""

    piece: str


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """Record what the caller says."""

    node: str
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Speak:
    """Say everything from here on in this set of prompts."""

    language: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


# --- effects: who is asked and rung ----------------------------------------------------------


class Question(StrEnum):
    """What a flow can ask the world."""

    #: Is the line open by these hours?
    HOURS = "hours"
    #: Was the line told this of the person?
    FACT = "fact"
    #: Could somebody in this queue take a call now?
    FREE = "free"
    #: Are such digits known of the person?
    EXPECTED = "expected"
    #: Are these the digits?
    MATCHES = "matches"


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the world; `Found` is the answer."""

    question: Question
    of: str
    digits: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Join:
    """Put the caller into a queue; the keys lead out of it again."""

    queue: str
    priority: int = 0
    keys: tuple[str, ...] = ()
    cap: timedelta | None = None


@dataclass(frozen=True, slots=True)
class RingOwner:
    """Ring the counsellor who owes this person a call."""


@dataclass(frozen=True, slots=True)
class Climb:
    """Ring the people on call."""


@dataclass(frozen=True, slots=True)
class Put:
    """Say prompts, then hand the caller over to another service."""

    destination: str
    warm: bool = False
    prompts: tuple[str, ...] = ()


Written = Entered | Pressed | Kept | Scored | Totalled | Recorded | Promised | Left
Heard = Play | Ask | Listen | PlayPiece | Pause | Resume | RecordMessage | Speak | HangUp
Asked = Held | Look | Join | RingOwner | Climb | Put
Effect = Written | Heard | Asked
