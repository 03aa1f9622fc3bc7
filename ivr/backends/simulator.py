"""A flow without a telephone: what a caller does goes in, what the line does about it comes out.

The third backend. `simulate` plays a whole call from values and is what tests compare; `play` asks
somebody at each turn and is what `hotline ivr try` runs on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from ivr.acts import (
    Answered,
    Capped,
    Climb,
    EarlyKey,
    Effect,
    Event,
    Failed,
    Found,
    HungUp,
    Join,
    Key,
    Look,
    Put,
    Question,
    RingOwner,
    Silence,
)
from ivr.errors import FlowError, WordError
from ivr.flow import ANY_KEYS, Direction, Flow, Language, Outcome, Promise
from ivr.machine import State, begin, step
from ivr.rows import Row, rows_of

#: Effects that ring somebody.
Rings = Join | RingOwner | Climb | Put
#: What becomes of people who are rung.
Luck = Answered | Failed | Capped
#: What can be done at a turn: by the caller, or in place of the people who are rung.
Act = Key | EarlyKey | Silence | HungUp | Luck

_WORDS: Mapping[str, Act] = MappingProxyType(
    {"-": Silence(), "h": HungUp(), "a": Answered(), "f": Failed(), "c": Capped()}
)
#: Before a key: it comes in the guard time.
EARLY = "^"
_NOBODY = Failed()


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What a flow finds when it looks about itself, and how lucky it is with people."""

    #: What the line was told beforehand about the person.
    facts: frozenset[str] = frozenset()
    is_open: bool = True
    #: Whether somebody in a queue could take a call now.
    is_free: bool = True
    has_number: bool = True
    #: Digits known of the person, by their name: `birth_month` -> `07`.
    digits: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: What becomes of the people who are rung, one time after the other, and after that.
    rung: tuple[Luck, ...] = ()
    otherwise: Luck = _NOBODY

    def found(self, look: Look) -> Found:
        """Answer what a flow asks."""
        match look.question:
            case Question.HOURS:
                return Found(self.is_open)
            case Question.FREE:
                return Found(self.is_free)
            case Question.FACT:
                return Found(self.has_number if look.of == "number" else look.of in self.facts)
            case Question.EXPECTED:
                return Found(look.of in self.digits)
            case Question.MATCHES:
                return Found(self.digits.get(look.of) == look.digits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One step of a call. `event` is None when the call has just come in."""

    event: Event | None
    state: State
    effects: tuple[Effect, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Walk:
    """A whole call."""

    flow: str
    moments: tuple[Moment, ...]

    @property
    def over(self) -> bool:
        """Tell whether the call ended. If not, the caller would wait on for ever, and all stay as it is."""
        return self.moments[-1].state.over

    @property
    def rows(self) -> list[Row]:
        """Return the rows that the call leaves in the journal."""
        return [row for moment in self.moments for row in rows_of(self.flow, moment.effects)]


class Player(Protocol):
    """Who plays everybody but the line."""

    #: What becomes of people who are rung, when nothing else is said of it.
    otherwise: Luck

    def act(self, state: State, last: Effect) -> Act | None:
        """Return what is done at this turn; None if nothing will be done any more."""
        ...

    def found(self, look: Look) -> Found:
        """Answer what the flow asks."""
        ...


class Scripted:
    """Plays from values: acts turn by turn, then silence."""

    def __init__(self, acts: Iterable[Act], world: World) -> None:
        self.found = world.found
        self.otherwise = world.otherwise
        self._acts = iter(acts)
        self._rung = iter(world.rung)

    def act(self, state: State, last: Effect) -> Act | None:
        """Return the next act, or the next luck where the caller only waits for people."""
        act = next(self._acts, None)
        waits = act is None or isinstance(act, Silence)
        return next(self._rung, act) if waits and isinstance(last, Rings) else act


def simulate(flow: Flow, keys: Iterable[Act], world: World) -> Walk:
    """Play a call: `keys` turn by turn, then silence until the call is over or nothing changes any more."""
    return Walk(flow=flow.name, moments=tuple(play(flow, Scripted(keys, world))))


def play(flow: Flow, player: Player) -> Iterator[Moment]:
    """Play a call with somebody at the keys; raise `FlowError` for a flow nobody can call.

    Each turn takes one act. Nobody is asked while the flow only looks things up. It ends with the
    call, or where the caller does nothing more and the call has come round to where it was.
    """
    refuse_unplayable(flow)
    state, effects = begin(flow)
    yield Moment(event=None, state=state, effects=effects)
    last, guarded = effects[-1], bool(flow.guard)
    seen: set[State] = set()
    while not state.over:
        event, acted = _next(player, state, last, guarded=guarded)
        if acted:
            seen.clear()
            guarded = guarded and isinstance(event, EarlyKey)
        elif state in seen:
            return
        else:
            seen.add(state)
        state, effects = step(flow, state, event)
        last = effects[-1] if effects else last
        yield Moment(event=event, state=state, effects=effects)


def _next(player: Player, state: State, last: Effect, *, guarded: bool) -> tuple[Event, bool]:
    """Return what happens next, and whether somebody did something."""
    if isinstance(last, Look):
        return player.found(last), False
    act = player.act(state, last)
    is_rung = isinstance(last, Rings)
    match act:
        case None | Silence():
            return _luck(last, player.otherwise) if is_rung else Silence(), act is not None
        case Answered() | Failed() | Capped():
            return _luck(last, act) if is_rung else Silence(), True
        case EarlyKey(key) if not guarded:
            return Key(key), True
        case _:
            return act, True


def _luck(last: Effect, luck: Luck) -> Luck:
    """Only a queue has a longest wait."""
    return Failed() if isinstance(luck, Capped) and not isinstance(last, Join) else luck


def refuse_unplayable(flow: Flow) -> None:
    """Raise `FlowError` for a part, and for nodes that lead on to each other for ever without a pause."""
    if flow.direction is Direction.PART:
        raise FlowError(f"{flow.source}: `{flow.name}` is only a part. Try a flow that holds it.")
    done: set[str] = set()
    for name in flow.nodes:
        path: dict[str, None] = {}
        while name not in done and isinstance(node := flow.nodes[name], Outcome | Promise | Language):
            if name in path:
                ring = " -> ".join([*list(path)[list(path).index(name) :], name])
                raise FlowError(f"{flow.where(name)}: goes round for ever: {ring}. Let one lead elsewhere.")
            path[name] = None
            name = node.next
        done |= path.keys()


def read_acts(text: str) -> tuple[Act, ...]:
    """Read typed words as acts; raise `WordError` naming the word and the mend.

    A word of keys is a burst, one act a key. `^` before a key puts it into the guard time. `-` is
    silence, `h` hangs up; `a`, `f`, `c` answer, fail and cap in place of the people who are rung.
    """
    return tuple(act for word in text.split() for act in _acts_of(word))


def _acts_of(word: str) -> Iterator[Act]:
    if word in _WORDS:
        yield _WORDS[word]
        return
    keys = iter(word)
    for key in keys:
        early = key == EARLY
        key = next(keys, "") if early else key
        if key not in ANY_KEYS:
            raise WordError(
                f"`{word[:40]}` means nothing here. Use keys (0-9 * # A-D), ^ before a key in the guard "
                "time, - for silence, h to hang up, or a, f, c for what becomes of people rung."
            )
        yield EarlyKey(key) if early else Key(key)
