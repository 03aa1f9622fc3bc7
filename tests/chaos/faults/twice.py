"""A second `hotline serve` on one store and one PBX, as after a service manager's mistake."""

from __future__ import annotations

from faults.base import Fault

FAULTS = (Fault(name="twice", strike=lambda site: site.python.start(ready=False), hold=(0, 0.1)),)
