"""What can befall a line: something is struck, and after a while it is mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from violence import Site


def _nothing(_site: Site) -> None:
    """Need nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One kind of mishap. Both acts return within a few seconds, and may be done at any instant.

    Striking twice without mending between is one blow; mending what is whole does nothing.
    """

    name: str
    strike: Callable[[Site], object]
    #: Undoes it, or does what a service manager or an operator would do.
    mend: Callable[[Site], object] = _nothing
    #: What a site needs to be able to suffer it, to be done before `Site.open`.
    prepare: Callable[[Site], object] = _nothing
    #: Shortest and longest time between the two, seconds.
    hold: tuple[float, float] = (0.1, 4.0)
    #: Which store it is about: `sqlite`, `postgres`; empty: any.
    store: str = ""
    #: It is about one part alone: a site that runs whole cannot suffer it.
    apart: bool = False
    #: Asterisk itself dies by it: calls end, and their records say that their end is uncertain.
    kills_calls: bool = False
