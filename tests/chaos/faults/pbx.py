"""Asterisk restarts by order or dies; its service manager starts it again."""

from __future__ import annotations

from contextlib import suppress

from violence import Site

from callcenter.demo.runner import until
from callcenter.errors import PbxUnreachable
from faults.base import Fault


def until_booted(site: Site) -> None:
    """Wait until it is up again, as a site's service manager sees to it where it did not start by itself.

    The restart executes the program's name anew: an unpacked tree, which is run by its own loader, has none.
    """

    def booted() -> bool:
        if not site.pbx.process.is_running:
            site.pbx.process.start()
        try:
            return "fully booted" in site.pbx.console("core waitfullybooted")
        except PbxUnreachable:
            return False

    until(booted, 60, what="Asterisk to be up again")


def _order_restart(site: Site) -> None:
    with suppress(PbxUnreachable):  # it is down already
        site.pbx.console("core restart now")


FAULTS = (
    Fault(
        name="pbx_restart",
        strike=_order_restart,
        mend=until_booted,
        kills_calls=True,
    ),
    Fault(
        name="pbx_kill",
        strike=lambda site: site.pbx.process.kill(),
        mend=until_booted,
        kills_calls=True,
    ),
)
