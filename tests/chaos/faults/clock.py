"""The clock of our processes is stepped forward and back, by libfaketime (0.9.10); the PBX's goes on."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from violence import Site

from faults.base import Fault

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")

#: What each of our processes does first. The library is not for its children. Python 3.11 sleeps until an
#: instant of the monotonic clock, which libfaketime 0.9.10 gets wrong (EINVAL) though it is told not to.
_FIRST_OF_ALL = """\
import os, select, time
os.environ.pop("LD_PRELOAD", None)
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


def _file(site: Site) -> Path:
    return site.folder / "clock"


def _prepare(site: Site) -> None:
    """Let what is started from now on ask a file how wrong its clock is; monotonic clocks are right."""
    if not LIBRARY.exists():
        raise FileNotFoundError(f"{LIBRARY} is missing: apt-get install libfaketime")
    _step(site, "+0")
    before = site.python.environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    site.python.environment |= {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(_file(site)),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        "PYTHONPATH": os.pathsep.join([str(_not_inherited(site)), before]).rstrip(os.pathsep),
    }


def _not_inherited(site: Site) -> Path:
    """Return a folder that keeps the library from our children: an unpacked Asterisk has its own libc."""
    folder = site.folder / "faketime"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_FIRST_OF_ALL)
    return folder


def _step(site: Site, by: str) -> None:
    """Step the clock at once: whoever reads the file meanwhile reads the old or the new words, whole."""
    new = _file(site).with_suffix(".new")
    new.write_text(f"{by}\n")
    new.rename(_file(site))


def _fault(name: str, by: str) -> Fault:
    return Fault(
        name=name,
        strike=partial(_step, by=by),
        mend=partial(_step, by="+0"),
        prepare=_prepare,
        hold=(1, 6),
    )


FAULTS = (_fault("clock_forward", "+3h"), _fault("clock_back", "-30m"), _fault("clock_slip", "-90s"))
