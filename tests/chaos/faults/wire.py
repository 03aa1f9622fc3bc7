"""The manager link is cut, half open, or stalled; callers and phones talk past it all."""

from __future__ import annotations

from functools import partial

from ami_tap import Wire
from violence import Site

from faults.base import Fault


def _become(site: Site, wire: Wire) -> None:
    site.tap.become(wire)


def _fault(name: str, wire: Wire) -> Fault:
    # Long enough that a ping goes unanswered (10 s apart, 3 s of patience) in some and not in others.
    return Fault(
        name=name, strike=partial(_become, wire=wire), mend=partial(_become, wire=Wire.WHOLE), hold=(0.5, 15)
    )


FAULTS = (
    Fault(name="sever", strike=lambda site: site.tap.sever()),
    _fault("cut", Wire.CUT),
    _fault("half_open_deaf", Wire.DEAF),
    _fault("half_open_mute", Wire.MUTE),
    _fault("stall", Wire.STALLED),
)
