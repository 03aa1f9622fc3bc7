"""Every fault there is, by name. A new kind is a module with a tuple `FAULTS`, and a line here."""

from __future__ import annotations

from faults import pbx, process, wire
from faults.base import Fault as Fault

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*process.FAULTS, *wire.FAULTS, *pbx.FAULTS)}
