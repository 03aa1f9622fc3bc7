"""The words of the flow language: which `do:` makes which node, and what a single node must keep to."""

from __future__ import annotations

from ivr.flow import (
    HUMAN,
    NEXT_PIECE,
    PAUSE,
    Digits,
    End,
    Enqueue,
    Escalate,
    Fact,
    Free,
    Hours,
    Identify,
    Language,
    Library,
    Menu,
    Node,
    Outcome,
    Owner,
    Promise,
    Questionnaire,
    Record,
    Say,
    Transfer,
)
from ivr.linking import Call

KINDS: dict[str, type[Node] | type[Call]] = {
    "say": Say,
    "menu": Menu,
    "digits": Digits,
    "identify": Identify,
    "questionnaire": Questionnaire,
    "hours": Hours,
    "fact": Fact,
    "free": Free,
    "enqueue": Enqueue,
    "owner": Owner,
    "escalate": Escalate,
    "transfer": Transfer,
    "record": Record,
    "library": Library,
    "language": Language,
    "outcome": Outcome,
    "promise": Promise,
    "end": End,
    "flow": Call,
}


def complaint(node: Node | Call) -> str:
    """Return what is wrong with the values of one node and the mend; empty if nothing is."""
    match node:
        case Menu() if not node.options:
            return "a menu needs at least one key. Add it to `options`."
        case Digits() if not 2 <= node.most <= 20 or not 1 <= node.least <= node.most:
            return "use 1 <= least <= most and 2 <= most <= 20. For one key use a menu."
        case Digits() if any(not node.least <= many <= node.most for many in node.exact.values()):
            return "`exact` asks for more or fewer digits than `least` and `most` allow. Mend one of them."
        case Digits() if node.keep and node.hold:
            return "`keep` writes the digits down and `hold` never does. Take one of them out."
        case Identify() if not 2 <= node.length <= 8:
            return "`length` must be from 2 to 8: one digit is guessed too easily."
        case Questionnaire():
            return _about_questionnaire(node)
        case Enqueue() if HUMAN in node.options:
            return "whoever waits in a queue is on the way to a human already. Take 0 out of `options`."
        case Library() if not node.pieces:
            return "a library needs at least one piece. Add it to `pieces`."
        case Library() if {NEXT_PIECE, PAUSE} & node.options.keys():
            return "1 (next) and 2 (pause) are a library's own keys. Give your option another."
        case _:
            return ""


def _about_questionnaire(node: Questionnaire) -> str:
    if not node.items or not node.answers:
        return "a questionnaire needs `items` and `answers`."
    if HUMAN in node.answers:
        return "0 leads to a human, it cannot be an answer (R2). Let the answers begin at 1."
    if node.answers.keys() & node.options.keys():
        return "a key is both an answer and an option. Keep one."
    if 0 not in node.bands:
        return "`bands` must say where the least sums lead: add `0: ...`."
    if strange := node.tripwires.keys() - set(node.items):
        return f"tripwire `{min(strange)}` is no item. Name one of `items`."
    highest = max(node.answers.values())
    if blind := [item for item, score in node.tripwires.items() if score > highest]:
        return f"tripwire `{blind[0]}` can never be tripped: no answer scores that much. Lower it."
    if not node.adds and max(node.bands) > highest * len(node.items):
        return f"no sum reaches band {max(node.bands)}. Lower it, or let the questionnaire add (`adds`)."
    if bool(node.tripwires) != bool(node.on_tripwire):
        return "`tripwires` and `on_tripwire` belong together. Give both."
    return ""
