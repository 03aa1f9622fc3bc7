"""Prove a flow safe before a caller meets it. A finding names the place, the problem and the mend.

What is proved holds for *every* sequence of keys and silences, because it is proved on the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ivr.flow import (
    Direction,
    End,
    Enqueue,
    Escalate,
    Flow,
    Menu,
    Node,
    Outcome,
    Promise,
    Say,
    Transfer,
    Way,
    prompts_of,
    ways,
)
from ivr.prompts.catalogue import Catalogue

#: Words that tell a relative what a call is about (R24). The neutral name of the line,
#: 职工服务热线, is none of them.
PURPOSE_WORDS = ("心理", "困难", "帮扶", "回访", "咨询", "危机", "情绪", "12356")
#: Counsellors and their line screen and advise, they do not diagnose (R16; Mental Health Law art. 23).
DIAGNOSTIC_WORDS = ("诊断", "确诊", "患有", "病人")
#: An honest last message names all of these (R5).
HONEST_NUMBERS = ("12356", "110", "120")
#: Keys a caller can hold in mind at once; 0 (a human) does not count.
MOST_KEYS = {Direction.INBOUND: 3, Direction.OUTBOUND: 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something unsafe: where it is, what is wrong, how to mend it."""

    where: str
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} {self.mend}"


def check(flow: Flow, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Return everything unsafe about a flow; nothing means that it may go on the line."""
    broken = tuple(_lost_targets(flow))
    if broken:  # the other rules walk the graph, so it has to be whole
        return broken
    return tuple(finding for rule in _RULES for finding in rule(flow, catalogue))


def _lost_targets(flow: Flow) -> Iterator[Finding]:
    if flow.start not in flow.nodes:
        yield Finding(where=flow.name, problem=f"starts at `{flow.start}`, which is missing.", mend="Add it.")
    for name, node in flow.nodes.items():
        for way in ways(node):
            if way.target not in flow.nodes:
                yield Finding(
                    where=flow.where(name),
                    problem=f"`{way.by}` leads to `{way.target}`, which is missing.",
                    mend="Add that node, or name another.",
                )


def _every_prompt_exists(flow: Flow, catalogue: Catalogue) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        for prompt in prompts_of(node):
            if prompt not in catalogue.prompts:
                yield Finding(
                    where=flow.where(name),
                    problem=f"says `{prompt}`, which is not in the catalogue.",
                    mend="Add it there, or mend the id.",
                )
        if isinstance(node, Say | Menu) and not node.prompts:
            yield Finding(where=flow.where(name), problem="says nothing.", mend="Give it a prompt.")


def _every_node_is_reached(flow: Flow, _: Catalogue) -> Iterator[Finding]:
    reached = _reach(flow, [flow.start], ways)
    for name in flow.nodes.keys() - reached:
        yield Finding(
            where=flow.where(name),
            problem="no caller can come here.",
            mend="Lead a way to it, or take it out.",
        )


def _every_loop_passes_a_human(flow: Flow, _: Catalogue) -> Iterator[Finding]:
    """Without the ways behind an answered call the graph has no loop: so every stretch is bounded."""
    looped = _first_loop(flow)
    if looped:
        yield Finding(
            where=flow.where(looped[0]),
            problem=f"a caller can go round for ever: {' -> '.join(looped)}.",
            mend="Let one of these ways end, or pass a human.",
        )


def _zero_reaches_a_human(flow: Flow, _: Catalogue) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        if isinstance(node, Menu) and not _leads_to_people(flow, node.options.get("0")):
            yield Finding(
                where=flow.where(name),
                problem="key 0 does not lead straight to a human (R2).",
                mend="Add 0 to its options, leading to an enqueue, escalate or transfer node.",
            )


def _few_keys(flow: Flow, _: Catalogue) -> Iterator[Finding]:
    most = MOST_KEYS[flow.direction]
    for name, node in flow.nodes.items():
        if isinstance(node, Menu) and len(node.options.keys() - {"0"}) > most:
            yield Finding(
                where=flow.where(name), problem=f"offers more than {most} keys.", mend="Split the menu."
            )
        if isinstance(node, Menu) and node.repeat in node.options:
            yield Finding(
                where=flow.where(name),
                problem=f"`{node.repeat}` both repeats and chooses.",
                mend="Give one of them another key.",
            )


def _silence_is_connected(flow: Flow, _: Catalogue) -> Iterator[Finding]:
    """R1: a caller who presses nothing at all comes to a human."""
    if flow.direction is not Direction.INBOUND:
        return
    name = flow.start
    for _step in flow.nodes:
        node = flow.nodes[name]
        if isinstance(node, Enqueue | Escalate):
            return
        if isinstance(node, End | Transfer):
            break
        name = node.on_silence if isinstance(node, Menu) else node.next
    yield Finding(
        where=flow.where(flow.start),
        problem="a caller who presses nothing is never connected (R1).",
        mend="Lead silence to an enqueue node.",
    )


def _no_end_without_honesty(flow: Flow, catalogue: Catalogue) -> Iterator[Finding]:
    """R3, R5: whoever leaves an inbound flow met a human, or heard where else to turn."""
    if flow.direction is not Direction.INBOUND:
        return

    def unmet(node: Node) -> tuple[Way, ...]:
        return () if _is_honest(node, catalogue) else _unanswered(node)

    for name in sorted(_reach(flow, [flow.start], unmet)):
        node = flow.nodes[name]
        if isinstance(node, End) and not _is_honest(node, catalogue):
            yield Finding(
                where=flow.where(name),
                problem="a caller can end here without a human or an honest message.",
                mend=f"Pass a prompt that names {', '.join(HONEST_NUMBERS)} on the way.",
            )


def _identity_comes_first(flow: Flow, catalogue: Catalogue) -> Iterator[Finding]:
    """R24: no purpose word, and no hand-over that would be one, before the identity key."""
    if flow.direction is not Direction.OUTBOUND:
        return
    if flow.identity is None:
        yield Finding(
            where=flow.where(flow.start),
            problem="an outbound flow asks nobody who they are (R24).",
            mend="Add `identity: {menu: ..., key: ...}`.",
        )
        return
    for name in sorted(_before_identity(flow)):
        node = flow.nodes[name]
        if isinstance(node, Transfer):
            yield Finding(
                where=flow.where(name),
                problem=f"transfers to {node.destination} before identity (R24).",
                mend="Lead to an enqueue node or a promise.",
            )
        yield from _purpose_words(flow, name, node, catalogue)


def _purpose_words(flow: Flow, name: str, node: Node, catalogue: Catalogue) -> Iterator[Finding]:
    for prompt in prompts_of(node):
        text = catalogue.prompts[prompt].text if prompt in catalogue.prompts else ""
        for word in PURPOSE_WORDS:
            if word in text:
                yield Finding(
                    where=flow.where(name),
                    problem=f"`{prompt}` says {word} before identity (R24).",
                    mend="Use neutral words, or move it behind the identity key.",
                )


def _no_diagnosis(flow: Flow, catalogue: Catalogue) -> Iterator[Finding]:
    for name, node in flow.nodes.items():
        for prompt in prompts_of(node):
            text = catalogue.prompts[prompt].text if prompt in catalogue.prompts else ""
            for word in DIAGNOSTIC_WORDS:
                if word in text:
                    yield Finding(
                        where=flow.where(name),
                        problem=f"`{prompt}` says {word} (R16).",
                        mend="Advise, do not diagnose.",
                    )


_RULES: tuple[Callable[[Flow, Catalogue], Iterator[Finding]], ...] = (
    _every_prompt_exists,
    _every_node_is_reached,
    _every_loop_passes_a_human,
    _zero_reaches_a_human,
    _few_keys,
    _silence_is_connected,
    _no_end_without_honesty,
    _identity_comes_first,
    _no_diagnosis,
)


# --- walking the graph -----------------------------------------------------------------------


def _reach(flow: Flow, starts: Iterable[str], out: Callable[[Node], tuple[Way, ...]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [way.target for way in out(flow.nodes[name])]
    return seen


def _unanswered(node: Node) -> tuple[Way, ...]:
    return tuple(way for way in ways(node) if way.by != "answered")


def _first_loop(flow: Flow) -> list[str]:
    """Return the nodes of one loop in the graph without `answered`, first one repeated, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for way in _unanswered(flow.nodes[name]):
            if loop := visit(way.target, [*path, name]):
                return loop
        done.add(name)
        return []

    return next((loop for name in flow.nodes if (loop := visit(name, []))), [])


def _leads_to_people(flow: Flow, name: str | None) -> bool:
    """Tell whether people are rung from here on without another key."""
    for _ in flow.nodes:
        if name is None:
            return False
        node = flow.nodes[name]
        if isinstance(node, Enqueue | Escalate | Transfer):
            return True
        name = node.next if isinstance(node, Say | Outcome | Promise) else None
    return False


def _is_honest(node: Node, catalogue: Catalogue) -> bool:
    words = "".join(catalogue.prompts[p].text for p in prompts_of(node) if p in catalogue.prompts)
    return all(number in words for number in HONEST_NUMBERS)


def _before_identity(flow: Flow) -> set[str]:
    gate = flow.identity
    if gate is None:
        return set(flow.nodes)

    def out(node: Node) -> tuple[Way, ...]:
        if node is flow.nodes[gate.menu]:
            return tuple(way for way in ways(node) if way.by != f"key {gate.key}")
        return ways(node)

    return _reach(flow, [flow.start], out)
