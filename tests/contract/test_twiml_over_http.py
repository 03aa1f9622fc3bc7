"""One flow, one meaning: what a caller does at Twilio, over real HTTP, is what `machine.step` means by it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flow_walks import Walk, walks, ways_of
from hypothesis import given
from hypothesis import strategies as st
from twilio_caller import Caller, Service, Wire

from callcenter.twilio import answers
from callcenter.twilio.account import Account
from callcenter.twilio.answers import Line
from callcenter.twilio.world import Known, Sources
from ivr.acts import (
    Answered,
    Ask,
    Capped,
    EarlyKey,
    Effect,
    Event,
    Failed,
    Found,
    HungUp,
    Join,
    Key,
    Left,
    Look,
    PlayPiece,
    Pressed,
    Promised,
    Question,
    RecordMessage,
    Resume,
    RingOwner,
    Silence,
)
from ivr.backends import twiml
from ivr.backends.token import unseal
from ivr.flow import Digits, Enqueue, Flow, Identify, Menu
from ivr.loader import SHIPPED, load_flow, shipped
from ivr.machine import State, begin, step
from ivr.prompts.catalogue import load_catalogue
from ivr.rows import rows_of

ACCOUNT = Account(
    sid="AC" + "a" * 32,
    token="t0ken",
    public_url="https://hotline.example.cn",
    fallback_url="https://elsewhere.example.cn/fallback.xml",
)
SITE = twiml.Site(
    base_url=f"{ACCOUNT.public_url}/twilio",
    key=b"k" * 32,
    shown_number="+8651085000966",
    contacts=("+8613800001111", "+8613900002222"),
    transfers={"12356": "+8651012356000", "120": "+86510120000", "110": "+86510110000"},
)
EVERY_NODE = load_flow(Path(__file__).parent / "every_node.yaml")
FLOWS: dict[str, Flow] = {name: shipped(name) for name in SHIPPED} | {"every_node": EVERY_NODE}
FACTS = ("no_menu", "slow", "dialect", "owed", "high_risk")
MONTH = "05"
#: `*` says the same again at most so often at one place; more of them are drawn in a test of their own.
STARS = 5


def a_line(flows: dict[str, Flow], sources: Sources | None = None) -> Line:
    return Line(account=ACCOUNT, site=SITE, flows=flows, sources=sources or Sources())


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(a_line(FLOWS)) as running:
        yield running


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    one = Wire(ACCOUNT, service.port)
    yield one
    one.close()


@dataclass(frozen=True, kw_only=True)
class Here:
    """What is true of the line and the person in one example."""

    facts: frozenset[str] = frozenset()
    number: bool = True
    open: bool = True
    free: bool = False
    staffed: bool = True
    expected: bool = True
    owner: bool = True

    def sources(self) -> Sources:
        known = Known(
            facts=self.facts,
            expected={"birth_month": MONTH} if self.expected and self.number else {},
            owner="+8613700003333" if self.owner and self.number else "",
        )
        return Sources(
            known=lambda _number, _call: known,
            asked_for=lambda _code: known.owner,
            is_open=lambda _hours: self.open,
            is_free=lambda _queue: self.free,
            is_staffed=lambda _queue: self.staffed,
        )

    def finds(self, look: Look) -> bool:
        return {
            Question.HOURS: self.open,
            Question.FREE: self.free,
            Question.FACT: self.number if look.of == "number" else self.number and look.of in self.facts,
            Question.EXPECTED: self.expected and self.number,
            Question.MATCHES: self.expected and self.number and look.digits == MONTH,
        }[look.question]

    def at_once(self, effect: Effect) -> Event | None:
        """Return what follows from an effect without anybody doing anything."""
        match effect:
            case Look():
                return Found(self.finds(effect))
            case Join() if not self.staffed:
                return Failed()
            case RingOwner() if not (self.owner and self.number):
                return Failed()
        return None


def meant(flow: Flow, events: list[Event], here: Here) -> tuple[State, list[Effect]]:
    """Return what the machine makes of it."""
    state, effects = begin(flow)
    told: list[Effect] = []
    queue = deque(events)
    while True:
        told += effects
        event = here.at_once(effects[-1]) if effects and not state.over else None
        if event is None:
            if state.over or not queue:
                return state, told
            event = queue.popleft()
        state, effects = step(flow, state, event)


keys = st.sampled_from("0123456789*#").map(lambda key: (Key(key),))
bursts = st.text("0123456789#*", min_size=2, max_size=8).map(lambda keys: tuple(map(Key, keys)))
numbers = st.sampled_from(
    [MONTH, "12", "13800001234", "0", "0#", "57#", "1*", "1*05", "12*#", "123456789012"]
).map(lambda keys: tuple(map(Key, keys)))
others = st.sampled_from([Silence(), Answered(), Failed(), Capped(), EarlyKey("5")]).map(lambda one: (one,))
drawn = st.lists(keys | bursts | numbers | others | others, max_size=14).map(lambda all: sum(all, ()))
early = st.lists(st.sampled_from("0123456789*#").map(EarlyKey), max_size=3)
heres = st.builds(
    Here,
    facts=st.frozensets(st.sampled_from(FACTS)),
    **dict.fromkeys(("number", "open", "free", "staffed", "expected", "owner"), st.booleans()),
)


def with_few_stars(events: tuple[Event, ...]) -> list[Event]:
    few = [place for place, event in enumerate(events) if event == Key("*")][:STARS]
    return [event for place, event in enumerate(events) if event != Key("*") or place in few]


def place_of(service: Service, caller: Caller) -> State:
    note = service.line.notes.newest(caller.sid)
    assert note is not None
    if not note.token:
        return State(node=None)
    return replace(unseal(note.token, SITE.key, call=caller.sid).state, typed=note.typed)


def prompts(effect: Effect) -> tuple[str, ...]:
    if isinstance(effect, PlayPiece | Resume):
        return (effect.piece,)
    return getattr(effect, "prompts", ())


def heard(page: str) -> tuple[str, ...]:
    return tuple(re.findall(r"/prompts/[a-z_]+/([a-z0-9_]+)\.wav", page))


@pytest.mark.parametrize("name", FLOWS)
@given(early=early, acts=drawn, here=heres, goes_on=st.booleans())
def test_the_same_call_through_step_and_through_http(
    service: Service,
    wire: Wire,
    name: str,
    early: list[Event],
    acts: tuple[Event, ...],
    here: Here,
    goes_on: bool,
) -> None:
    """Keys, bursts, silences, early keys, hang-ups, and whatever becomes of those who are rung."""
    flow = FLOWS[name]
    # A number that is begun is sent to us when it ends, so the caller falls silent before the look.
    events = [*early, *with_few_stars(acts), Silence()]
    service.line = a_line(FLOWS, here.sources())
    caller = Caller(service, wire, name, number="+8613800001234" if here.number else "anonymous")
    caller.lives(events)
    state, effects = meant(flow, events, here)
    assert (place_of(service, caller), caller.effects) == (state, effects)
    assert [heard(one.twiml) for one in caller.answers if one.turn and one.effects] == [
        prompts(one.effects[-1]) for one in caller.answers if one.turn and one.effects
    ]
    rest = [*[Silence(), Failed()] * 60] if goes_on else [HungUp()]
    caller.lives(rest)
    state, effects = meant(flow, [*events, *rest], here)
    assert (place_of(service, caller), caller.effects, caller.over) == (state, effects, state.over)
    assert rows_of(flow.name, caller.effects) == rows_of(flow.name, effects)


@dataclass
class Scripted:
    """A world that answers as a walk says, whatever is asked."""

    found: deque[bool] = field(default_factory=deque)

    def has(self, _: str) -> bool:
        return self.found.popleft()

    is_open = is_free = expects = has

    def matches(self, _: str, __: str) -> bool:
        return self.found.popleft()

    def is_staffed(self, _: str) -> bool:
        return True

    def owner(self, code: str = "") -> str:
        return "+8613700003333"


def along(flow: Flow, walk: Walk) -> tuple[State, list[Effect]]:
    state, effects = begin(flow)
    told = [*effects]
    for event in walk:
        state, effects = step(flow, state, event)
        told += effects
    return state, told


def answered(flow: Flow, walk: Walk) -> Walk:
    """Return the walk with an answer to what is asked of the world at its end."""
    while isinstance(along(flow, walk)[1][-1], Look):
        walk = (*walk, Found(False))
    return walk


def call_along(
    service: Service, wire: Wire, patch: pytest.MonkeyPatch, name: str, walk: Walk
) -> tuple[State, Caller]:
    world = Scripted(deque(event.yes for event in walk if isinstance(event, Found)))
    patch.setattr(answers, "world_of", lambda *_: world)
    service.line = a_line(service.line.flows)
    caller = Caller(service, wire, name)
    caller.lives(event for event in walk if not isinstance(event, Found))
    assert not world.found
    return place_of(service, caller), caller


@pytest.mark.parametrize("name", FLOWS)
def test_every_way_of_every_flow_is_taken(
    service: Service, wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    flow = FLOWS[name]
    service.line = a_line(FLOWS)
    taken = walks(flow)
    assert taken.keys() == ways_of(flow)
    for way, taking in taken.items():
        walk = answered(flow, taking)
        state, caller = call_along(service, wire, monkeypatch, name, walk)
        assert (way, state, caller.effects) == (way, *along(flow, walk))


def wrong_edges(flow: Flow) -> Iterator[tuple[str, Flow]]:
    """Yield the flow with one edge of a menu, a queue or a number led elsewhere."""
    for name, node in flow.nodes.items():
        if isinstance(node, Menu | Enqueue):
            for key in node.options:
                wrong = replace(node, options={**node.options, key: flow.start})
                yield f"{name} key {key}", replace(flow, nodes={**flow.nodes, name: wrong})
        if isinstance(node, Digits | Identify):
            wrong = replace(node, on_silence=flow.start)
            yield f"{name} on_silence", replace(flow, nodes={**flow.nodes, name: wrong})


@pytest.mark.parametrize("name", ["checkin", "talks", "every_node"])
def test_a_wrong_edge_on_one_side_does_not_go_unnoticed(
    service: Service, wire: Wire, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Else the test above could pass without looking."""
    right = FLOWS[name]
    edges = [(edge, wrong) for edge, wrong in wrong_edges(right) if wrong.nodes != right.nodes]
    assert len(edges) > 3
    taken = walks(right)
    for edge, wrong in edges:
        place, _, way = edge.partition(" ")
        walk = answered(right, taken[place, way])
        service.line = a_line({**FLOWS, name: wrong})
        try:
            state, caller = call_along(service, wire, monkeypatch, name, walk)
        except AssertionError:
            continue  # the world was asked something else
        assert (state, caller.effects) != along(right, walk), edge
    service.line = a_line(FLOWS)


# --- single situations ---------------------------------------------------------------------------


#: The world of a caller whom no counsellor of their own is owed.
NOBODYS = Here(owner=False)


def call(service: Service, wire: Wire, name: str, events: list[Event], here: Here | None = None) -> Caller:
    service.line = a_line(FLOWS, (here or Here()).sources())
    caller = Caller(service, wire, name)
    caller.lives(events)
    return caller


def test_keys_in_the_guard_time_are_lost_and_keys_in_speech_count(service: Service, wire: Wire) -> None:
    lost = call(service, wire, "checkin", [EarlyKey("9"), EarlyKey("1")])
    assert not [effect for effect in lost.effects if isinstance(effect, Pressed)]
    counts = call(service, wire, "checkin", [EarlyKey("9"), Key("1")])
    assert Pressed("who", "1") in counts.effects


def test_a_month_of_birth_stands_in_no_address_and_no_page(service: Service, wire: Wire) -> None:
    here = Here()
    for typed in ("05", "99", "1*05"):
        caller = call(service, wire, "checkin", [Key("1"), *map(Key, typed)], here)
        note = service.line.notes.newest(caller.sid)
        assert note is not None
        assert typed not in str([one.effects for one in caller.answers if one.turn != 3])
        assert not unseal(note.token, SITE.key, call=caller.sid).state.typed
        assert not [effect for effect in caller.effects if "digits" in str(rows_of("checkin", [effect]))]


def test_a_star_in_a_number_starts_it_over_and_the_rest_may_follow(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [Key("1"), Key("1"), Key("*"), Key("0"), Key("5")])
    assert place_of(service, caller).node == "how"


def test_a_key_in_the_queue_leads_out_of_it_by_the_queues_own_action(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "inbound", [Silence(), Key("7"), Key("1")], NOBODYS)
    assert Pressed("queue", "1") in caller.effects
    assert "<Leave" in caller.pages[-2]


def test_a_key_of_an_earlier_stay_in_the_queue_counts_no_more(service: Service, wire: Wire) -> None:
    """12356 does not answer, the caller waits again, and this time the wait is too long."""
    caller = call(service, wire, "inbound", [Silence(), Key("2"), Failed(), Silence(), Capped()], NOBODYS)
    assert place_of(service, caller).node == "long_wait"
    assert caller.effects.count(Pressed("queue", "2")) == 1


def test_nobody_is_offered_keys_before_it_is_known_who_is_on_the_line(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [Key("0"), Silence(), Key("2"), Silence()])
    assert place_of(service, caller).node == "neutral_queue"
    assert "zh/queue_plain.wav" in caller.sounds
    assert not {"zh/queue_wait.wav", "zh/queue_offer.wav"} & set(caller.sounds)


def test_a_message_is_promised_before_its_first_word(service: Service, wire: Wire) -> None:
    closed = Here(open=False)
    caller = call(service, wire, "every_node", [Silence(), Key("5"), Key("#")], closed)
    promised, recorded = (
        next(place for place, effect in enumerate(caller.effects) if isinstance(effect, kind))
        for kind in (Promised, RecordMessage)
    )
    assert promised < recorded
    assert [one.recording for one in caller.answers if one.recording] == ["RE" + "a" * 32]


def test_a_library_is_paused_resumed_and_left(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "every_node", [Key("3"), Key("2"), Key("2"), Key("1"), Key("9")])
    assert place_of(service, caller).node == "menu"
    assert [name for name, _ in rows_of("every_node", caller.effects)].count("IVR_ITEM") == 2


def test_what_a_caller_hears_comes_from_the_set_the_flow_chose(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "inbound", [], Here(facts=frozenset({"no_menu"}), owner=False))
    caller.lives([Silence()])
    assert {"zh_slow/greet.wav", "zh_slow/queue_wait.wav"} <= caller.sounds


def test_every_sound_that_is_played_is_a_prompt(service: Service, wire: Wire) -> None:
    catalogue = load_catalogue()
    heard: set[str] = set()
    for name in SHIPPED:
        for acts in ([Silence()] * 9, [Key("1"), Silence(), Failed()] * 6, [Key("2"), Failed()] * 6):
            heard |= call(service, wire, name, acts).sounds
    ids = {sound.partition("/")[2].removesuffix(".wav") for sound in heard}
    assert len(ids) > 20
    assert ids <= catalogue.prompts.keys()


def test_a_hook_that_twilio_repeats_is_answered_the_same_and_kept_once(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [Key("1"), Key("0"), Key("5")])
    form = {"CallSid": caller.sid, "CallStatus": "in-progress", "From": "+8613800001234", "Digits": "2"}
    note = service.line.notes.newest(caller.sid)
    assert note is not None
    url = f"{SITE.base_url}/flow?t={note.token}"
    first, again = wire.post(url, form), wire.post(url, form)
    assert first == again
    assert caller.effects.count(Promised("callback")) == 1


# --- hostile -------------------------------------------------------------------------------------


def target_of(service: Service, caller: Caller) -> str:
    note = service.line.notes.newest(caller.sid)
    assert note is not None
    return f"{SITE.base_url}/flow?t={note.token}"


def the_form(caller: Caller, **fields: str) -> dict[str, str]:
    return {"CallSid": caller.sid, "CallStatus": "in-progress", "From": "+8613800001234", **fields}


def test_an_old_address_of_a_call_that_went_on_is_refused_and_nothing_changes(
    service: Service, wire: Wire
) -> None:
    caller = call(service, wire, "checkin", [])
    old = target_of(service, caller)
    caller.lives([Key("1"), Key("0"), Key("5")])
    before, effects = place_of(service, caller), caller.effects
    status, page = wire.post(old, the_form(caller, Digits="9"))
    assert (status, "left the place" in page) == (403, True)
    assert (place_of(service, caller), caller.effects) == (before, effects)


def test_an_address_of_another_version_of_the_flow_is_refused(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [])
    newer = replace(FLOWS["checkin"], start="who")
    service.line = replace(service.line, flows={**FLOWS, "checkin": newer})
    status, page = wire.post(target_of(service, caller), the_form(caller, Digits="1"))
    assert (status, "flow changed" in page) == (403, True)
    service.line = a_line(FLOWS)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"Digits": "1a"}, "no telephone"),
        ({"Digits": "１"}, "no telephone"),
        ({"Digits": "<Say>"}, "no telephone"),
        ({"Digits": "1" * 10_000}, "no telephone"),
        ({"Digits": "1\n2"}, "no telephone"),
        ({}, "`Digits` is missing"),
    ],
    ids=["letters", "full width", "markup", "10 kB", "line break", "missing"],
)
def test_a_form_no_telephone_sends_is_refused_and_nothing_changes(
    service: Service, wire: Wire, fields: dict[str, str], says: str
) -> None:
    caller = call(service, wire, "checkin", [])
    before, effects = place_of(service, caller), caller.effects
    status, page = wire.post(target_of(service, caller), the_form(caller, **fields))
    assert (status, says in page) == (403, True)
    assert (place_of(service, caller), caller.effects) == (before, effects)
    caller.lives([Key("1")])
    assert Pressed("who", "1") in caller.effects


def test_a_form_without_a_call_or_a_result_is_refused(service: Service, wire: Wire) -> None:
    status, page = wire.post(f"{SITE.base_url}/begin/checkin", {})
    assert (status, "CallSid" in page) == (403, True)
    caller = call(service, wire, "return_call", [Silence()])
    assert isinstance(caller.effects[-1], RingOwner)
    status, page = wire.post(target_of(service, caller), the_form(caller))
    assert (status, "DialCallStatus" in page) == (403, True)
    caller = call(service, wire, "inbound", [Silence()], NOBODYS)
    status, page = wire.post(target_of(service, caller), the_form(caller))
    assert (status, "QueueResult" in page) == (403, True)


def test_a_token_of_another_call_or_made_up_is_refused(service: Service, wire: Wire) -> None:
    one, other = call(service, wire, "checkin", []), Caller(service, wire, "checkin")
    for url in (target_of(service, one), f"{SITE.base_url}/flow?t=AAAA", f"{SITE.base_url}/flow"):
        status, page = wire.post(url, the_form(other, Digits="1"))
        assert (status, "not sealed by us for this call" in page) == (403, True)


def test_ten_kilobytes_more_than_a_form_has_are_refused(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [])
    target = target_of(service, caller).removeprefix(ACCOUNT.public_url)
    body = urlencode(the_form(caller, Digits="1", Junk="x" * 70_000))
    assert wire.send(target, body, {"X-Twilio-Signature": "AAAA"})[0] == 403
    many = {f"f{n}": "" for n in range(300)}
    assert wire.post(target_of(service, caller), the_form(caller, Digits="1", **many))[0] == 403


def test_a_call_that_has_begun_does_not_begin_anew(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [Key("1")])
    status, page = wire.post(f"{SITE.base_url}/begin/checkin", the_form(caller))
    assert (status, "begun" in page) == (403, True)


def test_after_the_end_every_address_of_the_call_is_dead(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "checkin", [Key("1")])
    address = target_of(service, caller)
    caller.lives([HungUp()])
    assert Left("code") in caller.effects
    effects = caller.effects
    assert wire.post(address, the_form(caller, Digits="05"))[0] == 403
    assert wire.post(f"{SITE.base_url}/status", the_form(caller) | {"CallStatus": "completed"})[0] == 200
    assert caller.effects == effects


def test_after_a_restart_a_key_in_the_queue_is_asked_for_again(service: Service, wire: Wire) -> None:
    """Nothing is remembered but the addresses Twilio holds."""
    caller = call(service, wire, "inbound", [Silence()], NOBODYS)
    address = target_of(service, caller)
    service.line = a_line(FLOWS)
    status, page = wire.post(address, the_form(caller, QueueResult="leave", QueueTime="20"))
    assert (status, "<Enqueue" in page) == (200, True)


def test_silence_after_a_star_is_only_silence_once_it_was_asked_again(service: Service, wire: Wire) -> None:
    caller = call(service, wire, "every_node", [Key("7"), Key("1"), Key("*")])
    note = target_of(service, caller)
    form = the_form(caller, Digits="1*", FinishedOnKey="")
    assert wire.post(note, form)[0] == 200
    assert (place_of(service, caller).misses, place_of(service, caller).repeats) == (0, 1)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("first", [(), (Silence(),), (Key("7"),), (Key("1"),), (Key("3"),), (Key("2"),)])
def test_whoever_keeps_asking_to_hear_it_again_is_understood_the_same(
    service: Service, wire: Wire, name: str, first: tuple[Event, ...]
) -> None:
    events = [*first, *map(Key, "********#"), Silence(), HungUp()]
    caller = call(service, wire, name, events)
    assert caller.effects == meant(FLOWS[name], events, Here())[1]


def test_a_lone_hash_is_a_wrong_number_and_silence_is_silence(service: Service, wire: Wire) -> None:
    wrong = call(service, wire, "every_node", [Key("7"), Key("#")])
    silent = call(service, wire, "every_node", [Key("7"), Silence()])
    asked = [one.effects[-1] for one in (wrong, silent)]
    assert [effect.prompts[0] for effect in asked if isinstance(effect, Ask)] == [
        "number_wrong",
        "number_hidden",
    ]
