"""Every fault there is, by name. A new kind is a module with a tuple `FAULTS`, and a line here."""

from __future__ import annotations

from faults import clock, journal, pbx, process, store, twice, wire
from faults.base import Fault as Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault for kind in (process, wire, pbx, store, journal, clock, twice) for fault in kind.FAULTS
}
