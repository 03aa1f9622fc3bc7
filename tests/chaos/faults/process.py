"""Our own processes die or hang; the service manager starts them again."""

from __future__ import annotations

from violence import Site

from faults.base import Fault


def _start(site: Site) -> None:
    site.python.start(ready=False)


def _stopped_and_killed(site: Site) -> None:
    site.python.sigstop()
    site.python.sigkill()


FAULTS = (
    Fault(name="kill", strike=lambda site: site.python.sigkill(), mend=_start),
    Fault(name="hang", strike=lambda site: site.python.sigstop(), mend=lambda site: site.python.sigcont()),
    Fault(name="hang_and_kill", strike=_stopped_and_killed, mend=_start),
)
