"""Prove a flow safe before a caller meets it. A finding names the place, the problem and the mend.

What is proved holds for *every* sequence of keys, silences and answers: it is proved on the graph, or on
every state the machine can come to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ivr.diagnosis import diagnosis_in
from ivr.explore import zero_is_lost
from ivr.flow import (
    HUMAN,
    Digits,
    Direction,
    End,
    Enqueue,
    Fact,
    Flow,
    Free,
    Hours,
    Identify,
    Language,
    Library,
    Menu,
    Mode,
    Node,
    Outcome,
    Owner,
    Promise,
    Questionnaire,
    Record,
    Say,
    Transfer,
    Way,
    options_of,
    prompts_of,
)
from ivr.graph import first_loop, idle_ways, reach, rings
from ivr.prompts.catalogue import Catalogue
from ivr.prompts.sets import PLAIN_SAYS
from ivr.prompts.survey import LONGEST_SENTENCE, longest_sentence
from ivr.vocabulary import (
    DESTINATIONS,
    EXPECTED,
    FACTS,
    HOLDS,
    HONEST_NUMBERS,
    HOURS,
    KEEPS,
    LANGUAGES,
    NEUTRAL_NUMBERS,
    NUMBER_WORD,
    OUTCOMES,
    PROMISES,
    PROMISING_WORDS,
    PURPOSE_WORDS,
    QUEUES,
    TRIPWIRES,
)

#: Keys a caller can hold in mind at once; 0 (a human) does not count.
MOST_KEYS = {Direction.INBOUND: 3, Direction.OUTBOUND: 4}
#: Key that stops something, everywhere.
STOP = "9"
#: Longest greeting before somebody is rung, seconds of real audio (R1).
LONGEST_GREETING = 12.0

#: Seconds of real audio by prompt id, as far as there is any.
Lengths = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something unsafe: where it is, what is wrong, how to mend it."""

    where: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} {self.mend}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """A flow and what it is held against."""

    flow: Flow
    catalogue: Catalogue
    lengths: Lengths

    def find(self, node: str, problem: str, mend: str) -> Finding:
        return Finding(where=self.flow.where(node), problem=problem, mend=mend)

    def text(self, prompt: str) -> str:
        found = self.catalogue.prompts.get(prompt)
        return found.text if found else ""

    def words(self, node: str) -> str:
        return "".join(self.text(prompt) for prompt in prompts_of(self.flow.nodes[node]))


def check(flow: Flow, catalogue: Catalogue, lengths: Lengths | None = None) -> tuple[Finding, ...]:
    """Return everything unsafe about a flow; nothing means that it may go on the line.

    `lengths` are measured from the sound files; without them no sentence is too long.
    """
    case = _Case(flow=flow, catalogue=catalogue, lengths=lengths or {})
    broken = tuple(_lost_targets(case))
    if broken:  # the other rules walk the graph, so it has to be whole
        return broken
    return tuple(finding for rule in _RULES for finding in rule(case))


# --- the graph is whole ------------------------------------------------------------------------


def _lost_targets(case: _Case) -> Iterator[Finding]:
    flow = case.flow
    for name, what in ((flow.start, "starts at"), (flow.human, "sends 0 to")):
        if name not in flow.nodes:
            yield Finding(where=flow.name, problem=f"{what} `{name}`, which is missing.", mend="Add it.")
            return
    for name in flow.nodes:
        for way in flow.ways(name):
            if way.target not in flow.nodes:
                problem = f"`{way.by}` leads to `{way.target}`, which is missing."
                yield case.find(name, problem, "Add that node, or name another.")


def _every_node_is_reached(case: _Case) -> Iterator[Finding]:
    for name in case.flow.nodes.keys() - reach([case.flow.start], case.flow.ways):
        yield case.find(name, "no caller can come here.", "Lead a way to it, or take it out.")


def _no_loop_without_people(case: _Case) -> Iterator[Finding]:
    """Whoever goes round rings somebody each time; who does nothing, with nobody there, comes to an end."""
    flow = case.flow

    def between_people(name: str) -> tuple[Way, ...]:
        return () if rings(flow.nodes[name]) else flow.ways(name)

    for out in (between_people, lambda name: idle_ways(flow, name)):
        if loop := first_loop(flow, out):
            problem = f"a caller can go round for ever: {' -> '.join(loop)}."
            yield case.find(loop[0], problem, "Let one of these ways end, or pass a human.")


# --- every word is known -----------------------------------------------------------------------


def _every_prompt_exists(case: _Case) -> Iterator[Finding]:
    for name, node in case.flow.nodes.items():
        for prompt in prompts_of(node):
            if prompt not in case.catalogue.prompts:
                problem = f"says `{prompt}`, which is not in the catalogue."
                yield case.find(name, problem, "Add it there, or mend the id.")
        if isinstance(node, Say | Menu | Digits | Identify | Record) and not node.prompts:
            yield case.find(name, "says nothing.", "Give it a prompt.")


def _every_word_is_known(case: _Case) -> Iterator[Finding]:
    """A misspelt word would never be true while callers listen."""
    for name, node in case.flow.nodes.items():
        ending = getattr(node, "on_hangup", "")
        for word, known in (*_words(node), *(((ending, OUTCOMES),) if ending else ())):
            if word not in known:
                mend = f"Use one of {', '.join(sorted(known))}."
                yield case.find(name, f"nobody around the flow knows `{word}`.", mend)


def _words(node: Node) -> tuple[tuple[str, frozenset[str]], ...]:
    match node:
        case Fact():
            return ((node.fact, FACTS),)
        case Hours():
            return ((node.hours, HOURS),)
        case Free() | Enqueue():
            return ((node.queue, QUEUES),)
        case Identify():
            return ((node.expect, EXPECTED),)
        case Promise() | Record():
            return ((node.kind, PROMISES),)
        case Digits():
            return tuple((word, known) for word, known in ((node.keep, KEEPS), (node.hold, HOLDS)) if word)
        case Transfer():
            return ((node.destination, DESTINATIONS),)
        case Outcome():
            return ((node.outcome, OUTCOMES),)
        case Language():
            return ((node.language, LANGUAGES),)
        case _:
            return ()


def _held_is_asked_for(case: _Case) -> Iterator[Finding]:
    """Digits that are held are used at once and by nobody else: no way of a call carries them further."""
    for name, node in case.flow.nodes.items():
        if isinstance(node, Digits) and node.hold and not isinstance(case.flow.nodes[node.next], Owner):
            problem = f"holds a `{node.hold}` for a node that does not go by it."
            yield case.find(name, problem, "Lead `next` to an owner node, or take `hold` out.")


def _short_sentences(case: _Case) -> Iterator[Finding]:
    """R1: no sentence over 12 s of real audio. Pieces of a library are there to be listened to."""
    for name, node in case.flow.nodes.items():
        if isinstance(node, Library):
            continue
        for prompt in prompts_of(node):
            seconds = longest_sentence(case.text(prompt), case.lengths.get(prompt, 0.0))
            if seconds > LONGEST_SENTENCE:
                problem = f"`{prompt}` has a sentence of {seconds:.1f} s."
                yield case.find(name, problem, f"Split it: a sentence has {LONGEST_SENTENCE:.0f} s (R1).")


def _short_greeting(case: _Case) -> Iterator[Finding]:
    """R1: whoever presses nothing is rung for within 12 s, where the flow greets and then rings."""
    if case.flow.direction is not Direction.INBOUND:
        return
    said = _seconds_to_ring(case, case.flow.start)
    seconds = case.flow.guard.total_seconds() + (said or 0.0)
    if said and seconds > LONGEST_GREETING:
        problem = f"a caller hears {seconds:.1f} s of greeting before anybody is rung (R1)."
        yield case.find(case.flow.start, problem, f"Shorten it to {LONGEST_GREETING:.0f} s.")


def _seconds_to_ring(case: _Case, name: str) -> float | None:
    """Return the longest way of an idle caller to a ring; None if a question comes first."""
    node = case.flow.nodes[name]
    if rings(node):
        return 0.0
    if isinstance(node, Digits | Identify | Questionnaire | End | Library) or getattr(node, "tries", 1) > 1:
        return None
    said = sum(case.lengths.get(prompt, 0.0) for prompt in prompts_of(node))
    waited = node.timeout.total_seconds() if isinstance(node, Menu) else 0.0
    rest = [_seconds_to_ring(case, way.target) for way in idle_ways(case.flow, name)]
    lengths = [seconds for seconds in rest if seconds is not None]
    return said + waited + max(lengths) if len(lengths) == len(rest) else None


# --- keys --------------------------------------------------------------------------------------


def _zero_reaches_a_human(case: _Case) -> Iterator[Finding]:
    for name in sorted(zero_is_lost(case.flow)):
        mend = (
            "Lead 0 (`human` of the flow, or its own option) to an enqueue, owner, escalate or transfer node."
        )
        yield case.find(name, "pressing 0 does not surely lead to a human (R2).", mend)


def _few_keys(case: _Case) -> Iterator[Finding]:
    most = MOST_KEYS[case.flow.direction]
    for name, node in case.flow.nodes.items():
        if isinstance(node, Menu) and len(node.options.keys() - {HUMAN}) > most:
            yield case.find(name, f"offers more than {most} keys.", "Split the menu.")


def _nine_stops(case: _Case) -> Iterator[Finding]:
    for name, node in case.flow.nodes.items():
        target = options_of(node).get(STOP)
        if target and not isinstance(node, Library) and rings(case.flow.nodes[target]):
            problem = "9 rings somebody, where everywhere else it stops something."
            yield case.find(name, problem, "Offer another key for it.")


# --- nobody is stranded ------------------------------------------------------------------------


def _silence_is_connected(case: _Case) -> Iterator[Finding]:
    """R1: a caller who presses nothing at all comes to a human."""
    flow = case.flow
    if flow.direction is not Direction.INBOUND:
        return

    def until_rung(name: str) -> Iterable[Way]:
        return () if rings(flow.nodes[name]) else idle_ways(flow, name)

    for name in sorted(reach([flow.start], until_rung)):
        if isinstance(flow.nodes[name], End):
            problem = "a caller who presses nothing ends here and is never connected (R1)."
            yield case.find(name, problem, "Lead silence to an enqueue node.")


def _no_end_without_honesty(case: _Case) -> Iterator[Finding]:
    """R3, R5: whoever leaves an inbound flow met a human, or heard where else to turn."""
    flow = case.flow
    if flow.direction is not Direction.INBOUND:
        return
    numbers = NEUTRAL_NUMBERS if flow.neutral else HONEST_NUMBERS

    def unmet(name: str) -> Iterable[Way]:
        if _is_honest(case, name, numbers):
            return ()
        return (way for way in flow.ways(name) if way.by != "answered")

    for name in sorted(reach([flow.start], unmet)):
        if isinstance(flow.nodes[name], End) and not _is_honest(case, name, numbers):
            problem = "a caller can end here without a human or an honest message."
            yield case.find(name, problem, f"Pass a prompt that names {', '.join(numbers)} on the way.")


def _is_honest(case: _Case, name: str, numbers: Iterable[str]) -> bool:
    words = case.words(name)
    return all(number in words for number in numbers)


def _promised_before_spoken(case: _Case) -> Iterator[Finding]:
    """R4: whoever hears that we will call has the promise already, whatever they do next."""
    flow = case.flow

    def unpromised(name: str) -> Iterable[Way]:
        return () if isinstance(flow.nodes[name], Promise | Record) else flow.ways(name)

    for name in sorted(reach([flow.start], unpromised)):
        for word in PROMISING_WORDS:
            if word in case.words(name):
                problem = f"says {word} to callers to whom nothing is promised yet (R4)."
                yield case.find(name, problem, "Pass a promise node before.")


def _offers_as_announced(case: _Case) -> Iterator[Finding]:
    """The announcement in the queue is one for all: 1 call back, 2 the line 12356, 3 something to hear."""
    for name, node in case.flow.nodes.items():
        if not isinstance(node, Enqueue) or not node.options:
            continue
        for key, (what, wanted) in _OFFERS.items():
            target = node.options.get(key)
            if target is None or not any(map(wanted, _until_rung(case.flow, target))):
                problem = f"{key} is announced to those who wait as {what}, and does not lead there."
                yield case.find(name, problem, f"Lead {key} to {what}, or take all `options` out.")
        for key in node.options.keys() - _OFFERS.keys():
            yield case.find(name, f"offers {key}, which nobody is told of.", "Take it out.")


#: Key -> what the queue's announcement (`queue_offer`) says it does, and the node that does it.
_OFFERS: Mapping[str, tuple[str, Callable[[Node], bool]]] = {
    "1": ("a call back", lambda node: isinstance(node, Promise)),
    "2": ("12356", lambda node: isinstance(node, Transfer)),
    "3": ("a library", lambda node: isinstance(node, Library)),
}


def _until_rung(flow: Flow, start: str) -> list[Node]:
    def out(name: str) -> Iterable[Way]:
        return () if rings(flow.nodes[name]) else flow.ways(name)

    return [flow.nodes[name] for name in reach([start], out)]


def _tripwires_ring(case: _Case) -> Iterator[Finding]:
    """R13: thoughts of death lead to a person at once and are never only added up."""
    flow = case.flow
    for name, node in flow.nodes.items():
        if not isinstance(node, Questionnaire):
            continue
        for item in TRIPWIRES.keys() & set(node.items):
            if node.tripwires.get(item) != TRIPWIRES[item]:
                problem = f"`{item}` is only added up (R13)."
                yield case.find(name, problem, f"Add `tripwires: {{{item}: {TRIPWIRES[item]}}}`.")
        if node.tripwires and any(isinstance(one, End) for one in _idle(flow, node.on_tripwire)):
            problem = "a tripwire leads to an end without ringing anybody (R13)."
            yield case.find(name, problem, "Lead `on_tripwire` to an enqueue node.")


def _idle(flow: Flow, start: str) -> list[Node]:
    """Return the nodes that a caller who presses nothing passes until somebody is rung."""

    def out(name: str) -> Iterable[Way]:
        return () if rings(flow.nodes[name]) else idle_ways(flow, name)

    return [flow.nodes[name] for name in reach([start], out)]


def _told_before_put_through(case: _Case) -> Iterator[Finding]:
    for name, node in case.flow.nodes.items():
        if isinstance(node, Transfer) and node.mode is Mode.BLIND and NUMBER_WORD not in case.words(name):
            problem = "puts the caller through without saying that their number may not come along."
            yield case.find(name, problem, f"Say so in its prompts ({NUMBER_WORD}), or hand over warm.")


# --- nothing is disclosed, nothing diagnosed ---------------------------------------------------


def _identity_comes_first(case: _Case) -> Iterator[Finding]:
    """R24: no purpose word, and no hand-over that would be one, before the right person is known."""
    flow = case.flow
    if flow.direction is Direction.OUTBOUND and flow.identity is None:
        problem = "an outbound flow asks nobody who they are (R24)."
        yield case.find(flow.start, problem, "Add `identity: {node: ..., way: ...}`.")
        return
    for name in sorted(_open_to_anybody(flow)):
        yield from _discloses(case, name)


def _open_to_anybody(flow: Flow) -> set[str]:
    """Return the nodes at which nobody has yet shown who they are, in flows where that matters."""
    gate = flow.identity
    if flow.neutral:
        return set(flow.nodes)
    if gate is None:
        return set()

    def out(name: str) -> Iterable[Way]:
        ways = flow.ways(name)
        return [way for way in ways if way.by != gate.way] if name == gate.node else ways

    return reach([flow.start], out)


def _discloses(case: _Case, name: str) -> Iterator[Finding]:
    node = case.flow.nodes[name]
    if isinstance(node, Transfer):
        problem = f"transfers to {node.destination} before identity (R24)."
        yield case.find(name, problem, "Lead to an enqueue node or a promise.")
    if isinstance(node, Questionnaire | Library | Record):
        problem = f"a {type(node).__name__.lower()} before identity tells what the call is about (R24)."
        yield case.find(name, problem, "Move it behind identity.")
    if isinstance(node, Enqueue) and node.options:
        problem = "offers keys while waiting before identity (R24): the announcement names 12356."
        yield case.find(name, problem, "Take its `options` out.")
    announced = PLAIN_SAYS.values() if isinstance(node, Enqueue) else ()
    for prompt in (*prompts_of(node), *announced):
        for word in PURPOSE_WORDS:
            if word in case.text(prompt):
                problem = f"`{prompt}` says {word} before identity (R24)."
                yield case.find(name, problem, "Use neutral words, or move it behind identity.")


def _no_diagnosis(case: _Case) -> Iterator[Finding]:
    for name, node in case.flow.nodes.items():
        for prompt in prompts_of(node):
            for word in diagnosis_in(case.text(prompt)):
                yield case.find(name, f"`{prompt}` says {word} (R16).", "Advise, do not diagnose.")


_RULES: tuple[Callable[[_Case], Iterator[Finding]], ...] = (
    _every_prompt_exists,
    _every_word_is_known,
    _held_is_asked_for,
    _every_node_is_reached,
    _no_loop_without_people,
    _zero_reaches_a_human,
    _few_keys,
    _nine_stops,
    _short_sentences,
    _short_greeting,
    _silence_is_connected,
    _no_end_without_honesty,
    _promised_before_spoken,
    _offers_as_announced,
    _tripwires_ring,
    _told_before_put_through,
    _identity_comes_first,
    _no_diagnosis,
)
