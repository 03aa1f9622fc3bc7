"""Flow -> TwiML. Each answer performs one effect; where the call is travels sealed in the addresses.

`begin` answers the first webhook of a call, `handle` every later one, `hung_up` the status callback of
a call that has ended. A `Reply` carries the effects of the step: keep their rows *before* sending its
TwiML, because a promise is its row.

Addresses under `base_url`: `flow?t=...` (`handle`), `wait?t=...` (`wait`), `key?t=...` (`wait_key`),
`accept?t=...` (`ask_to_accept`), `accepted?t=...` (`accepted`), `prompts/<set>/<id>.wav` (a set whose
sound is missing falls back to what stands before its last `_`). Twilio POSTs to all but the last.

Everything here is pure. What one webhook must leave for the next and no address can carry is the
`Note`: keep the newest of each call, and hand it in again. Without it (a restart) nobody is lost: a
key in the queue has to be pressed again, and a number that was begun anew with `*` typed again.

Other than the machine, because Twilio can do no better:

- the guard time is rounded up to whole seconds, and so is every wait;
- between the digits of a number stands the wait for the first one;
- a library's piece starts anew after its pause, and after a key that means nothing;
- a queue is first come, first served: who comes back is last, and priorities are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from ivr.acts import (
    Answered,
    Capped,
    Climb,
    Effect,
    Event,
    Failed,
    Found,
    HangUp,
    Held,
    HungUp,
    Join,
    Key,
    Look,
    Put,
    Question,
    RingOwner,
    Silence,
)
from ivr.backends import twiml_forms as forms
from ivr.backends import twiml_pages as pages
from ivr.backends.token import Hint, Place, unseal, version_of
from ivr.backends.twiml_pages import Here, Site, World
from ivr.errors import CompileError, TokenError
from ivr.flow import DONE, Digits, Enqueue, Escalate, Flow, Identify, Owner, Record, Transfer
from ivr.machine import Phase, State, Step, step
from ivr.machine import begin as begin_flow

__all__ = [
    "Note",
    "Reply",
    "Site",
    "World",
    "accepted",
    "ask_to_accept",
    "begin",
    "handle",
    "hung_up",
    "render",
    "sure_to_fail",
    "wait",
    "wait_key",
]

#: More answers of the world in a row than any flow that ends asks for.
_MOST_LOOKS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a call's webhooks must remember between them. Never write it down: it can hold digits."""

    #: The newest answer's, see `Place.turn`.
    turn: int
    #: Where the call is; empty once it is over.
    token: str
    #: Key that takes the caller out of the queue.
    key: str = ""
    #: Digits of a number that is not complete.
    typed: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answer to a webhook, and what the step did."""

    twiml: str
    state: State
    effects: tuple[Effect, ...]
    note: Note


def begin(flow: Flow, site: Site, world: World, *, call: str) -> Reply:
    """Answer the first webhook of a call. `call` is its opaque id (Twilio's CallSid)."""
    walk = _Walk(flow, site, world, begin_flow(flow))
    return _reply(walk, call, turn=1, guarded=True)


def handle(
    flow: Flow,
    token: str,
    form: Mapping[str, str],
    site: Site,
    world: World,
    *,
    call: str,
    note: Note | None = None,
) -> Reply:
    """Answer a later webhook.

    Raises `TokenError` for a token that is not ours, of another call or flow, of an older version of
    the flow, or of a place that the call has left (by `note`); `FormError` for a form that Twilio does
    not send there. Pure: the same arguments give the same answer.
    """
    place = _place(flow, token, site, call, note)
    walk = _Walk(flow, site, world, (_with_typed(place, note), ()))
    if place.state.node is None or forms.is_gone(form):
        walk.happens(HungUp())
    else:
        _meet(walk, place, form, note)
    return _reply(walk, call, turn=place.turn + 1)


def hung_up(flow: Flow, note: Note, site: Site, *, call: str) -> Reply:
    """Return what the end of a call means, from its newest note. Raises `TokenError` like `handle`."""
    place = _place(flow, note.token, site, call, note)
    state, effects = step(flow, place.state, HungUp())
    over = Note(turn=place.turn + 1, token="")
    return Reply(twiml=pages.last(hang_up=False), state=state, effects=effects, note=over)


def wait(
    flow: Flow,
    token: str,
    form: Mapping[str, str],
    site: Site,
    world: World,
    *,
    call: str,
    note: Note | None = None,
) -> str:
    """Return what a waiting caller hears, or take them out once the cap is reached or nobody is there."""
    place = _place(flow, token, site, call, note)
    node = _queue(flow, place)
    pressed = note is not None and bool(note.key)
    if pressed or forms.has_waited(form, _cap(node, site)) or not world.is_staffed(node.queue):
        return pages.leaving()
    return pages.waiting(Here(flow=flow, place=place, site=site))


def wait_key(
    flow: Flow,
    token: str,
    form: Mapping[str, str],
    site: Site,
    *,
    call: str,
    note: Note | None = None,
) -> tuple[str, Note | None]:
    """Return the answer to a key pressed while waiting, and the note to keep if it counts.

    The queue's action, which Twilio asks for next, was fixed when the caller came into the queue: the
    key can only travel in the note.
    """
    place = _place(flow, token, site, call, note)
    key = forms.keys_of(form)[:1]
    if key not in _queue(flow, place).options:
        return pages.wait_on(Here(flow=flow, place=place, site=site)), None
    return pages.leaving(), Note(turn=place.turn, token=token, key=key)


def ask_to_accept(flow: Flow, token: str, site: Site, *, call: str) -> str:
    """Ask somebody who was rung to take the call by key. `call` is the caller's, not theirs."""
    place = _place(flow, token, site, call, None)
    return pages.accepting(Here(flow=flow, place=place, site=site))


def accepted(form: Mapping[str, str]) -> str:
    """Return an empty page, which bridges, for key 1; else hang up and let the next one ring."""
    return pages.bridging(accepted=form.get("Digits") == "1")


def render(flow: Flow, state: State, site: Site, *, call: str, owner: str = "") -> str:
    """Return the page of a place where nothing new has happened, to be looked at."""
    place = Place(flow=flow.name, version=version_of(flow), call=call, turn=1, state=state)
    here = Here(flow=flow, place=place, site=site, owner=owner, typed=len(state.typed))
    return pages.page(here, pages.effect_of(flow.nodes[state.node or ""], state))


def sure_to_fail(effect: Effect, site: Site, world: World, code: str = "") -> bool:
    """Tell whether there is nobody at all to ring, so that Twilio need not be asked."""
    match effect:
        case Join():
            return not world.is_staffed(effect.queue)
        case RingOwner():
            return not world.owner(code)
        case Climb():
            return not site.contacts
        case Put():
            return not site.transfers.get(effect.destination)
        case _:
            return False


class _Walk:
    """Steps through one webhook: what the world can answer at once is answered at once."""

    def __init__(self, flow: Flow, site: Site, world: World, start: Step) -> None:
        self.flow = flow
        self.site = site
        self.world = world
        self.effects: list[Effect] = []
        self.state = start[0]
        self._take(start)

    def happens(self, event: Event) -> None:
        """Let something happen."""
        self._take(step(self.flow, self.state, event))

    @property
    def code(self) -> str:
        """Return what the caller keyed in this webhook to ask for somebody: no address ever holds it."""
        return next((effect.digits for effect in self.effects if isinstance(effect, Held)), "")

    def _take(self, taken: Step) -> None:
        for _ in range(_MOST_LOOKS):
            self.state, effects = taken
            self.effects += effects
            event = self._at_once(effects[-1]) if effects and not self.state.over else None
            if event is None:
                return
            taken = step(self.flow, self.state, event)
        raise CompileError(f"{self.flow.name}: goes round without anything to be heard.")

    def _at_once(self, effect: Effect) -> Event | None:
        if isinstance(effect, Look):
            return Found(_found(self.world, effect))
        return Failed() if sure_to_fail(effect, self.site, self.world, self.code) else None


def _found(world: World, look: Look) -> bool:
    match look.question:
        case Question.HOURS:
            return world.is_open(look.of)
        case Question.FACT:
            return world.has(look.of)
        case Question.FREE:
            return world.is_free(look.of)
        case Question.EXPECTED:
            return world.expects(look.of)
        case Question.MATCHES:
            return world.matches(look.of, look.digits)


def _reply(walk: _Walk, call: str, *, turn: int, guarded: bool = False) -> Reply:
    flow, state, effects = walk.flow, walk.state, tuple(walk.effects)
    if state.node is None:
        twiml = pages.last(hang_up=HangUp() in effects)
        return Reply(twiml=twiml, state=state, effects=effects, note=Note(turn=turn, token=""))
    place = Place(flow=flow.name, version=version_of(flow), call=call, turn=turn, state=state)
    owner = walk.world.owner(walk.code)
    here = Here(flow=flow, place=place, site=walk.site, owner=owner, typed=len(state.typed))
    effect = effects[-1] if effects else pages.effect_of(flow.nodes[state.node], state)
    return Reply(
        twiml=pages.page(here, effect, guarded=guarded),
        state=state,
        effects=effects,
        note=Note(turn=turn, token=here.token(), typed=state.typed),
    )


def _place(flow: Flow, token: str, site: Site, call: str, note: Note | None) -> Place:
    place = unseal(token, site.key, call=call)
    if place.flow != flow.name:
        raise TokenError(f"the state in this web address belongs to flow `{place.flow}`")
    if place.version != version_of(flow):
        raise TokenError("the flow changed during this call")
    if note is not None and place.turn < note.turn:
        raise TokenError("the call has left the place in this web address")
    return place


def _with_typed(place: Place, note: Note | None) -> State:
    if note is None or note.turn != place.turn or not note.typed:
        return place.state
    return replace(place.state, typed=note.typed)


# --- what a form says happened -----------------------------------------------------------------


def _meet(walk: _Walk, place: Place, form: Mapping[str, str], note: Note | None) -> None:
    node = walk.flow.nodes[place.state.node or ""]
    if place.hint is Hint.SILENCE:
        walk.happens(Silence())
        return
    match node:
        case Enqueue():
            if event := _queued(walk, node, place, form, note):
                walk.happens(event)
        case Owner() | Escalate() | Transfer():
            walk.happens(forms.dialled(form))
        case Digits() | Identify():
            most = node.most if isinstance(node, Digits) else node.length
            _read(walk, form, most - len(walk.state.typed))
        case Record() if place.state.phase is Phase.RECORDING:
            keys = forms.keys_of(form) if "Digits" in form else ""
            walk.happens(Key(keys[0]) if keys else Silence())
        case _:
            keys = forms.keys_of(form)
            walk.happens(Key(keys[0]) if keys else Silence())


def _read(walk: _Walk, form: Mapping[str, str], awaited: int) -> None:
    """Take a whole number key by key, and what ended it.

    A number that is cut short by the clock after a `*` is no silence yet: the caller has not been
    asked again.
    """
    keys, done = forms.keys_of(form), forms.is_done(form)
    for key in keys:
        walk.happens(Key(key))
    if len(keys) >= awaited:
        return
    if done:
        walk.happens(Key(DONE))
    elif walk.state.typed or not keys:
        walk.happens(Silence())


def _queued(
    walk: _Walk, node: Enqueue, place: Place, form: Mapping[str, str], note: Note | None
) -> Event | None:
    """Return what became of the wait; None if the caller left for nothing we know of, and waits on."""
    result = forms.needed(form, "QueueResult")
    if result in forms.BRIDGED:
        return Answered()
    if result != forms.LEFT:
        return Failed()
    if note is not None and note.turn == place.turn and note.key:
        return Key(note.key)
    if forms.has_waited(form, _cap(node, walk.site)):
        return Capped()
    return None if walk.world.is_staffed(node.queue) else Failed()


def _queue(flow: Flow, place: Place) -> Enqueue:
    node = flow.nodes.get(place.state.node or "")
    if not isinstance(node, Enqueue):
        raise TokenError("the state in this web address is not that of a waiting caller")
    return node


def _cap(node: Enqueue, site: Site) -> timedelta:
    return site.queue_cap if node.cap is None else node.cap
