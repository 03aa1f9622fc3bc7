"""Flow -> TwiML (twilio 9.13). Each answer renders one waiting node; the state travels sealed.

`begin` answers the first webhook of a call, `handle` every later one. A `Reply` carries the effects
of the step: keep `Recorded` and `Promised` *before* sending its TwiML, because a promise is its row.

Addresses under `base_url`: `flow?t=...` (`handle`), `wait?t=...` (`wait`), `accept?t=...`
(`ask_to_accept`), `accepted?t=...` (`accepted`), `prompts/<language>/<id>.wav`. Twilio POSTs to all
but the last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from ivr.backends.token import Hint, Place, seal, unseal
from ivr.errors import CompileError, TokenError
from ivr.flow import ANY_KEYS, Enqueue, Escalate, Flow, Menu, Say, Transfer, prompts_of
from ivr.machine import (
    Answered,
    Effect,
    Event,
    Failed,
    HangUp,
    HungUp,
    Key,
    Silence,
    State,
    step,
)
from ivr.machine import begin as begin_flow

#: Twilio counts a Gather's timeout in whole seconds, at least one.
_SHORTEST_WAIT = 1
#: QueueResult of a caller whom somebody took out of the queue (Twilio, <Enqueue> action).
_BRIDGED = frozenset({"bridged", "redirected-from-bridged"})
#: CallStatus of a caller who is no longer there.
_GONE = frozenset({"completed", "canceled", "failed", "busy", "no-answer"})


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
class Reply:
    """The answer to a webhook, and what the step did."""

    twiml: str
    state: State
    effects: tuple[Effect, ...]


def begin(flow: Flow, site: Site, *, call: str) -> Reply:
    """Answer the first webhook of a call. `call` is its opaque id (Twilio's CallSid)."""
    state, effects = begin_flow(flow)
    return _reply(flow, state, effects, site, call)


def handle(flow: Flow, token: str, form: Mapping[str, str], site: Site, *, call: str) -> Reply:
    """Answer a later webhook; raise `TokenError` if the token is not ours, or of another call or flow.

    Pure: the same webhook twice gives the same answer, so Twilio's retries do no harm.
    """
    place = unseal(token, site.key, call=call)
    if place.flow != flow.name:
        raise TokenError(f"the state in this web address belongs to flow `{place.flow}`")
    if place.state.node is not None and place.state.node not in flow.nodes:
        raise TokenError("the flow changed during this call")
    state, effects = step(flow, place.state, event_of(flow, place, form))
    return _reply(flow, state, effects, site, call)


def event_of(flow: Flow, place: Place, form: Mapping[str, str]) -> Event:
    """Return what a webhook's form says happened at this place."""
    if form.get("CallStatus") in _GONE or form.get("QueueResult") == "hangup":
        return HungUp()
    if place.hint is Hint.FAILED:
        return Failed()
    node = flow.nodes[place.state.node] if place.state.node else None
    match node:
        case Enqueue():
            return Answered() if form.get("QueueResult") in _BRIDGED else Failed()
        case Escalate() | Transfer():
            # A callee who declined in `accept` was never bridged, though his leg says "completed".
            return Answered() if form.get("DialBridged", "").lower() == "true" else Failed()
        case _:
            digit = form.get("Digits", "")[:1]
            return Key(digit) if digit in ANY_KEYS and place.hint is not Hint.SILENCE else Silence()


def render(flow: Flow, state: State, site: Site, *, call: str) -> str:
    """Return the TwiML of a waiting state; an empty response once the call is over."""
    response = VoiceResponse()
    if state.node is not None:
        _render_node(flow, state, site, call, response)
    return str(response)


def wait(flow: Flow, form: Mapping[str, str], site: Site) -> str:
    """Return what a waiting caller hears, or take him out of the queue once the cap is reached (R4)."""
    response = VoiceResponse()
    waited = form.get("QueueTime", "0")
    if waited.isdecimal() and int(waited) >= site.queue_cap.total_seconds():
        response.leave()
    else:
        response.play(_sound(flow, "queue_wait", site))
        response.pause(length=10)
    return str(response)


def ask_to_accept(flow: Flow, token: str, site: Site) -> str:
    """Ask somebody on call to take the call by key: a voicemail box cannot."""
    response = VoiceResponse()
    gather = Gather(
        num_digits=1, timeout=10, finish_on_key="", action=f"{site.base_url}/accepted?t={quote(token)}"
    )
    gather.play(_sound(flow, "accept", site))
    response.append(gather)
    response.hangup()
    return str(response)


def accepted(form: Mapping[str, str]) -> str:
    """Return an empty response, which bridges, for key 1; else hang up and let the next one ring."""
    response = VoiceResponse()
    if form.get("Digits") != "1":
        response.hangup()
    return str(response)


def _reply(flow: Flow, state: State, effects: tuple[Effect, ...], site: Site, call: str) -> Reply:
    twiml = render(flow, state, site, call=call) if not state.over else _farewell(flow, effects, site)
    return Reply(twiml=twiml, state=state, effects=effects)


def _farewell(flow: Flow, effects: tuple[Effect, ...], site: Site) -> str:
    response = VoiceResponse()
    for effect in effects:
        if isinstance(effect, HangUp):
            _play(flow, effect.prompts, site, response)
            response.hangup()
    return str(response)


def _render_node(flow: Flow, state: State, site: Site, call: str, response: VoiceResponse) -> None:
    node = flow.nodes[state.node or ""]
    address = _address(flow, state, site, call)
    match node:
        case Say() | Menu():
            patience = node.timeout if isinstance(node, Menu) else timedelta()
            wait_for = max(_SHORTEST_WAIT, math.ceil(patience.total_seconds()))
            gather = Gather(num_digits=1, timeout=wait_for, finish_on_key="", action=address)
            _play(flow, prompts_of(node), site, gather)
            response.append(gather)
            response.redirect(_address(flow, state, site, call, Hint.SILENCE))
        case Enqueue():
            token = seal(Place(flow=flow.name, call=call, state=state), site.key)
            response.enqueue(node.queue, action=address, wait_url=f"{site.base_url}/wait?t={quote(token)}")
        case Escalate():
            _ring_contacts(flow, state, site, call, response)
        case Transfer():
            if node.destination not in site.transfers:
                raise CompileError(f"no number for `{node.destination}`. Give it one in `transfers`.")
            dial = Dial(action=address, timeout=_seconds(site.transfer_ring), caller_id=site.shown_number)
            dial.number(site.transfers[node.destination])
            response.append(dial)
        case _:
            raise CompileError(f"{flow.where(state.node or '')}: a call cannot wait here.")


def _ring_contacts(flow: Flow, state: State, site: Site, call: str, response: VoiceResponse) -> None:
    if not site.contacts:
        response.redirect(_address(flow, state, site, call, Hint.FAILED))
        return
    token = seal(Place(flow=flow.name, call=call, state=state), site.key)
    dial = Dial(
        action=_address(flow, state, site, call),
        timeout=_seconds(site.ring),
        caller_id=site.shown_number,
        sequential=True,
    )
    for number in site.contacts:
        dial.number(number, url=f"{site.base_url}/accept?t={quote(token)}")
    response.append(dial)


def _address(flow: Flow, state: State, site: Site, call: str, hint: Hint = Hint.NONE) -> str:
    token = seal(Place(flow=flow.name, call=call, state=state, hint=hint), site.key)
    return f"{site.base_url}/flow?t={quote(token)}"


def _play(flow: Flow, prompts: tuple[str, ...], site: Site, into: VoiceResponse | Gather) -> None:
    for prompt in prompts:
        into.play(_sound(flow, prompt, site))


def _sound(flow: Flow, prompt: str, site: Site) -> str:
    return f"{site.base_url}/prompts/{quote(flow.language)}/{quote(prompt)}.wav"


def _seconds(value: timedelta) -> int:
    return max(1, round(value.total_seconds()))
