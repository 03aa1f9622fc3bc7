"""What a flow at Twilio can ask about this moment and about whoever is on the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from types import MappingProxyType

from callcenter.twilio.webhook import Proven

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
#: What stands in `From` when a caller's number is withheld: `anonymous`, `unavailable`, ... and these,
#: which only look like numbers.
_WITHHELD = frozenset({"+266696687", "+86266696687", "+7378742833", "+2562533", "+8656696", "+464"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the line was told beforehand about one person."""

    #: Such as `no_menu`, `slow`, `dialect`, `owed`, `high_risk`.
    facts: frozenset[str] = frozenset()
    #: Digits only they know, such as `birth_month`.
    expected: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    #: Mobile (E.164) of the counsellor on duty who owes them a call.
    owner: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where the answers come from. Each default is the one that leads a caller to a human."""

    #: (E.164 number, our call id if we placed the call) -> what is known.
    known: Callable[[str, str | None], Known] = lambda _number, _call: Known()
    #: Code that a caller was given -> mobile (E.164) of the counsellor on duty it asks for, or nothing.
    asked_for: Callable[[str], str] = lambda _code: ""
    #: Name of the hours -> served now?
    is_open: Callable[[str], bool] = lambda _hours: True
    #: Queue -> could somebody take a call at once?
    is_free: Callable[[str], bool] = lambda _queue: False
    #: Queue -> could anybody be rung?
    is_staffed: Callable[[str], bool] = lambda _queue: True


@dataclass(frozen=True, kw_only=True, slots=True)
class CallWorld:
    """The world of one call: `ivr.backends.twiml.World`."""

    sources: Sources = field(repr=False)
    known: Known
    has_number: bool

    def is_open(self, hours: str) -> bool:
        """Tell whether the line is served by these hours."""
        return self.sources.is_open(hours)

    def has(self, fact: str) -> bool:
        """Tell whether this is known of the person. `number`: we could call them back."""
        return self.has_number if fact == "number" else fact in self.known.facts

    def is_free(self, queue: str) -> bool:
        """Tell whether somebody could take a call at once."""
        return self.sources.is_free(queue)

    def is_staffed(self, queue: str) -> bool:
        """Tell whether anybody could be rung."""
        return self.sources.is_staffed(queue)

    def expects(self, expect: str) -> bool:
        """Tell whether such digits are known of the person."""
        return bool(self.known.expected.get(expect))

    def matches(self, expect: str, digits: str) -> bool:
        """Tell whether these are the person's digits."""
        return compare_digest(self.known.expected.get(expect, ""), digits)

    def owner(self, code: str = "") -> str:
        """Return the mobile of whoever this code asks for; without one, of who owes this person a call."""
        return self.sources.asked_for(code) if code else self.known.owner


def world_of(sources: Sources, hook: Proven) -> CallWorld:
    """Return the world of the call a webhook is about. Its number is the far end's, whoever called."""
    outbound = hook.form.get("Direction", "").startswith("outbound")
    number = hook.form.get("To" if outbound else "From", "")
    if not _NUMBER.fullmatch(number) or number in _WITHHELD:
        number = ""
    known = sources.known(number, hook.query.get("call")) if number else Known()
    return CallWorld(sources=sources, known=known, has_number=bool(number))
