"""The sets of sounds: which texts each says, how fast, and which set stands in for what it lacks.

Asterisk finds a set's stand-in itself, by cutting its name at the last `_`: `zh_wx` falls back to `zh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ivr.errors import PromptError

#: What the queue announces, and the prompt whose text is said instead before it is known who is on the line:
#: no word of what the line is for (R24), no keys on offer.
PLAIN_SAYS: Mapping[str, str] = MappingProxyType(dict.fromkeys(("queue_wait", "queue_offer"), "queue_plain"))


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptSet:
    """One folder of sounds, named as Asterisk names the language of a call."""

    name: str
    #: The catalogue its texts stand in.
    language: str
    #: How fast it is spoken, 1.0 being the usual pace; None: recordings only.
    pace: float | None = 1.0
    #: The set Asterisk plays from where this one lacks a sound.
    falls_back: str | None = None
    #: An overlay holds just these ids, each being the stand-in's sound of another id. Empty: no overlay.
    says: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_overlay(self) -> bool:
        """Tell whether the set only borrows another's sounds."""
        return bool(self.says)


def _with_plain(*sets: PromptSet) -> dict[str, PromptSet]:
    """Return the sets by name, each followed by its overlay for callers nobody has identified yet."""
    plain = [
        PromptSet(
            name=f"{one.name}_plain", language=one.language, pace=None, falls_back=one.name, says=PLAIN_SAYS
        )
        for one in sets
    ]
    return {one.name: one for one in (*sets, *plain)}


SETS: Mapping[str, PromptSet] = MappingProxyType(
    _with_plain(
        PromptSet(name="zh", language="zh"),
        # For elders: 170 characters a minute where the usual pace is 220.
        PromptSet(name="zh_slow", language="zh", pace=0.77, falls_back="zh"),
        # Wuxi dialect: nobody's machine speaks it, so people record it or callers hear Mandarin.
        PromptSet(name="zh_wx", language="zh", pace=None, falls_back="zh"),
        PromptSet(name="en", language="en"),
    )
)


def prompt_set(name: str) -> PromptSet:
    """Return a set by name; raise `PromptError` naming those there are."""
    if name not in SETS:
        raise PromptError(f"no set of prompts `{name}`. There are: {', '.join(SETS)}.")
    return SETS[name]
