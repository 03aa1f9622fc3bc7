"""Our own processes die or hang, all of them or one part alone; the service manager starts them again."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import psycopg
from processes import Unit
from violence import Site

from faults.base import Fault
from faults.store import run_sql

#: Ends the session of whoever leads, as the server does once the leader's machine does not answer any more.
_UNLEAD = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"


def _start(site: Site) -> None:
    site.python.start(ready=False)


def _stopped_and_killed(site: Site) -> None:
    site.python.sigstop()
    site.python.sigkill()


def _bridge(site: Site) -> Unit:
    (bridge,) = site.apart.units("bridge")
    return bridge


def leader(site: Site) -> Unit:
    """Return the scheduler that leads; while none says so one that lives, if any does."""
    there = [unit for unit in site.apart.units("scheduler") if unit.lives]
    return next(iter([*site.apart.leaders(), *there, *site.apart.units("scheduler")]))


def _kill(find: Callable[[Site], Unit], site: Site) -> None:
    find(site).send(signal.SIGKILL)


def _hang_bridge(site: Site) -> None:
    _bridge(site).send(signal.SIGSTOP)


def _hang_leader(site: Site) -> None:
    """Let it stand still and, on PostgreSQL, lose the lead: when it goes on, it does not know that yet.

    On SQLite its lock is the kernel's, and ends with it alone.
    """
    leader(site).send(signal.SIGSTOP)
    if site.postgres is not None:
        with suppress(psycopg.OperationalError):  # the server is away, and the lead with it
            run_sql(site.postgres, _UNLEAD)


def _go_on(part: str, site: Site) -> None:
    for unit in site.apart.units(part):
        unit.send(signal.SIGCONT)


def _complete(part: str, site: Site) -> None:
    site.apart.complete(part)


FAULTS = (
    Fault(name="kill", strike=lambda site: site.python.sigkill(), mend=_start),
    Fault(name="hang", strike=lambda site: site.python.sigstop(), mend=lambda site: site.python.sigcont()),
    Fault(name="hang_and_kill", strike=_stopped_and_killed, mend=_start),
    Fault(name="kill_bridge", strike=partial(_kill, _bridge), mend=partial(_complete, "bridge"), apart=True),
    Fault(name="hang_bridge", strike=_hang_bridge, mend=partial(_go_on, "bridge"), apart=True),
    # Long enough that the other leads and dials meanwhile.
    Fault(
        name="kill_leader",
        strike=partial(_kill, leader),
        mend=partial(_complete, "scheduler"),
        hold=(0.1, 8),
        apart=True,
    ),
    Fault(
        name="hang_leader", strike=_hang_leader, mend=partial(_go_on, "scheduler"), hold=(0.1, 8), apart=True
    ),
)
