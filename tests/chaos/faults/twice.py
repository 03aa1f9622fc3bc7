"""A second `hotline serve` on one store and one PBX, as after somebody's mistake; then it is ended."""

from __future__ import annotations

import subprocess

from violence import Site

from faults.base import Fault

#: The second one of each site.
_SECOND: dict[int, subprocess.Popen[bytes]] = {}
#: Seconds it is given to end by itself, as by a service manager that is in a hurry.
_PATIENCE = 5.0


def _start(site: Site) -> None:
    second = _SECOND.get(id(site))
    if second is None or second.poll() is not None:
        _SECOND[id(site)] = site.python.launch("serve")


def _end(site: Site) -> None:
    """Stop it in order; kill it where it hangs or waits for a store that is away."""
    second = _SECOND.pop(id(site), None)
    if second is None:
        return
    second.terminate()
    try:
        second.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        second.kill()
        second.wait()


FAULTS = (Fault(name="twice", strike=_start, mend=_end, hold=(2, 8)),)
