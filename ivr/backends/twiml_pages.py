"""Pages of TwiML (twilio 9.13): what Twilio is told to do about one effect, and nothing of when.

Twilio counts in whole seconds, at least one. What each page relies on at Twilio stands in
docs/reference/telephony.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol
from urllib.parse import quote

from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from ivr.acts import (
    Ask,
    Climb,
    Effect,
    Join,
    Listen,
    Pause,
    Play,
    PlayPiece,
    Put,
    RecordMessage,
    Resume,
    RingOwner,
)
from ivr.backends.token import Hint, Place, seal
from ivr.errors import CompileError
from ivr.flow import (
    DONE,
    HUMAN,
    Digits,
    End,
    Enqueue,
    Escalate,
    Flow,
    Identify,
    Library,
    Menu,
    Mode,
    Node,
    Owner,
    Questionnaire,
    Record,
    Say,
    Transfer,
)
from ivr.machine import Phase, State
from ivr.prompts.sets import PLAIN_SAYS

_SHORTEST = timedelta(seconds=1)
#: Between two rounds of what a waiting caller is told.
_QUEUE_ROUND = timedelta(seconds=10)
#: Whoever records may think for so long before the recording ends.
_THINKING = timedelta(seconds=10)
_ACCEPT_WAIT = timedelta(seconds=10)


class World(Protocol):
    """What the line knows at this moment, of itself and of whoever is on the line."""

    def is_open(self, hours: str) -> bool:
        """Tell whether the line is served by these hours."""
        ...

    def has(self, fact: str) -> bool:
        """Tell whether this is known of the person, such as `no_menu`."""
        ...

    def is_free(self, queue: str) -> bool:
        """Tell whether somebody could take a call at once."""
        ...

    def is_staffed(self, queue: str) -> bool:
        """Tell whether anybody could ever be rung: a queue without is not joined."""
        ...

    def expects(self, expect: str) -> bool:
        """Tell whether such digits are known of the person."""
        ...

    def matches(self, expect: str, digits: str) -> bool:
        """Tell whether these are the person's digits. They must leave no trace."""
        ...

    def owner(self, code: str = "") -> str:
        """Return the number (E.164) of the counsellor to ring first, or nothing.

        By the code that the caller keyed; without one, who owes this person a call.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What TwiML needs to know of the line. Numbers are E.164 and stay out of every repr."""

    #: Public https address under which our webhooks stand, without a slash at the end.
    base_url: str
    key: bytes = field(repr=False)
    #: Our own number, shown to whoever is rung.
    shown_number: str = field(repr=False)
    #: People on call, in order.
    contacts: tuple[str, ...] = field(default=(), repr=False)
    #: Destination -> number, for transfers.
    transfers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ring: timedelta = timedelta(seconds=25)
    transfer_ring: timedelta = timedelta(seconds=60)
    queue_cap: timedelta = timedelta(minutes=3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Here:
    """A place and everything needed to write its page."""

    flow: Flow
    place: Place
    site: Site
    #: The owner's number, for `RingOwner`.
    owner: str = field(default="", repr=False)
    #: Digits typed already, for `Listen`: how many may still come.
    typed: int = 0

    @property
    def node(self) -> Node:
        """Return the node the call is at."""
        return self.flow.nodes[self.place.state.node or ""]

    def token(self, hint: Hint = Hint.NONE) -> str:
        """Return the sealed place."""
        return seal(replace(self.place, hint=hint), self.site.key)

    def url(self, path: str = "flow", hint: Hint = Hint.NONE) -> str:
        """Return the address of a webhook for this place."""
        return f"{self.site.base_url}/{path}?t={quote(self.token(hint))}"

    def sound(self, prompt: str) -> str:
        """Return the address of a prompt in the language of the call."""
        language = self.place.state.language or self.flow.language
        return f"{self.site.base_url}/prompts/{quote(language)}/{quote(prompt)}.wav"


def page(here: Here, effect: Effect, *, guarded: bool = False) -> str:
    """Return the page that performs an effect and brings its answer back.

    `guarded` puts a pause of at least the flow's guard time before it, in which keys are lost: Twilio
    hears keys only inside a Gather.
    """
    response = VoiceResponse()
    if guarded and here.flow.guard:
        response.pause(length=_seconds(here.flow.guard))
    _perform(here, effect, response)
    return str(response)


def _perform(here: Here, effect: Effect, response: VoiceResponse) -> None:
    match effect:
        case Play():
            _ask(here, response, effect.prompts, _SHORTEST)
        case Ask() | Listen():
            prompts = effect.prompts if isinstance(effect, Ask) else ()
            read = _read if isinstance(here.node, Digits | Identify) else _ask
            read(here, response, prompts, effect.timeout)
        case PlayPiece() | Resume():
            _ask(here, response, (effect.piece,), _SHORTEST)
        case Pause():
            _ask(here, response, (), effect.timeout)
        case RecordMessage():
            _record(here, response, effect)
        case Join():
            response.enqueue(effect.queue, action=here.url(), wait_url=here.url("wait"))
        case RingOwner():
            _dial(here, response, [here.owner], here.site.ring, accept=True)
        case Climb():
            _dial(here, response, here.site.contacts, here.site.ring, accept=True)
        case Put():
            _say(here, response, effect.prompts)
            number = here.site.transfers.get(effect.destination, "")
            _dial(here, response, [number], here.site.transfer_ring, accept=effect.warm)
        case _:
            raise CompileError(f"{here.flow.where(here.place.state.node or '')}: nothing to be heard here.")


def _ask(here: Here, response: VoiceResponse, prompts: Iterable[str], wait: timedelta) -> None:
    """One key, from the first word on. Without one the caller goes on by the Redirect."""
    gather = Gather(num_digits=1, timeout=_seconds(wait), finish_on_key="", action=here.url())
    _say(here, gather, prompts)
    response.append(gather)
    response.redirect(here.url(hint=Hint.SILENCE))


def _read(here: Here, response: VoiceResponse, prompts: Iterable[str], wait: timedelta) -> None:
    """A whole number at once.

    An empty one comes back as well, so that a lone # is told from silence by its `FinishedOnKey`.
    Twilio knows one pause only, so the first digit's also stands between digits.
    """
    node = here.node
    most = node.most if isinstance(node, Digits) else node.length if isinstance(node, Identify) else 1
    gather = Gather(
        num_digits=most - here.typed,
        timeout=_seconds(wait),
        finish_on_key=DONE,
        action=here.url(),
        action_on_empty_result=True,
    )
    _say(here, gather, prompts)
    response.append(gather)
    response.redirect(here.url(hint=Hint.SILENCE))


def _record(here: Here, response: VoiceResponse, effect: RecordMessage) -> None:
    response.record(
        action=here.url(),
        finish_on_key=DONE + HUMAN,
        max_length=_seconds(effect.longest),
        timeout=_seconds(_THINKING),
    )
    # Twilio asks for no action when it heard nothing at all.
    response.redirect(here.url(hint=Hint.SILENCE))


def _dial(
    here: Here, response: VoiceResponse, numbers: Iterable[str], ring: timedelta, *, accept: bool
) -> None:
    """Ring numbers one after the other. Who must `accept` by key is asked before the two can hear."""
    dial = Dial(action=here.url(), timeout=_seconds(ring), caller_id=here.site.shown_number, sequential=True)
    for number in numbers:
        if not number:
            raise CompileError(f"{here.flow.where(here.place.state.node or '')}: no number to ring here.")
        screen = {"url": here.url("accept")} if accept else {}
        dial.number(number, **screen)
    response.append(dial)


def _say(here: Here, into: VoiceResponse | Gather, prompts: Iterable[str]) -> None:
    for prompt in prompts:
        into.play(here.sound(prompt))


def waiting(here: Here) -> str:
    """Return one round of what a waiting caller hears; Twilio asks again when it is over.

    Keys are offered only where the flow offers some: before it is known who is on the line, no word
    may name what they lead to.
    """
    response = VoiceResponse()
    if not (isinstance(here.node, Enqueue) and here.node.options):
        _say(here, response, [PLAIN_SAYS["queue_wait"]])
        response.pause(length=_seconds(_QUEUE_ROUND))
        return str(response)
    gather = Gather(num_digits=1, timeout=_seconds(_QUEUE_ROUND), finish_on_key="", action=here.url("key"))
    _say(here, gather, ["queue_wait", "queue_offer"])
    response.append(gather)
    return str(response)


def wait_on(here: Here) -> str:
    """Return the page that leads back to the waiting caller's round."""
    response = VoiceResponse()
    response.redirect(here.url("wait"))
    return str(response)


def leaving() -> str:
    """Return the page that takes a caller out of the queue; Twilio then asks for the queue's action."""
    response = VoiceResponse()
    response.leave()
    return str(response)


def accepting(here: Here) -> str:
    """Ask whoever was rung to take the call by key: a voicemail box cannot."""
    response = VoiceResponse()
    gather = Gather(
        num_digits=1, timeout=_seconds(_ACCEPT_WAIT), finish_on_key="", action=here.url("accepted")
    )
    _say(here, gather, ["accept"])
    response.append(gather)
    response.hangup()
    return str(response)


def bridging(*, accepted: bool) -> str:
    """Return an empty page, which bridges, or hang up and let the next one ring."""
    response = VoiceResponse()
    if not accepted:
        response.hangup()
    return str(response)


def last(*, hang_up: bool) -> str:
    """Return the page that ends the call, or an empty one where nobody is left to hear it."""
    response = VoiceResponse()
    if hang_up:
        response.hangup()
    return str(response)


def effect_of(node: Node, state: State) -> Effect:
    """Return what to do at a place where nothing new has happened: the same again."""
    match node:
        case Say() | End():
            return Play(node.prompts)
        case Menu():
            return Ask(node.prompts, node.timeout)
        case Digits() | Identify():
            return Listen(node.between) if state.typed else Ask(node.prompts, node.timeout)
        case Questionnaire():
            return Ask((node.items[state.item], *node.scale), node.timeout)
        case Record():
            recording = state.phase is Phase.RECORDING
            return RecordMessage(state.node or "", node.longest) if recording else Play(node.prompts)
        case Library():
            return (
                Pause(node.longest_pause) if state.phase is Phase.PAUSED else Resume(node.pieces[state.item])
            )
        case _:
            return _ringing(node)


def _ringing(node: Node) -> Effect:
    match node:
        case Enqueue():
            return Join(node.queue, node.priority, tuple(node.options), node.cap)
        case Owner():
            return RingOwner()
        case Escalate():
            return Climb()
        case Transfer():
            return Put(node.destination, node.mode is Mode.WARM, node.prompts)
        case _:
            raise CompileError("a call cannot wait at this node")


def _seconds(value: timedelta) -> int:
    return max(1, math.ceil(value.total_seconds()))
