"""The sweep as the ticker runs it: page by page, each lasting by itself; and once a day a look at everybody.

Marks tell the sweep at whom to look. A mark that got lost must not lose a person, so once a day files and
open debts are compared as they stand, whatever the marks say.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from callcenter.ports import Store
from callcenter.service.followup.sweeping import Swept, kinds_of, sweep, sweep_people
from scheduler.gates import Rules

log = logging.getLogger(__name__)

#: How often everything is compared.
COMPARED_EVERY = timedelta(days=1)
#: People compared together.
COMPARED_AT_ONCE = 5000
#: Under this key stands when a comparison last began; behind `@`, how far it came.
_COMPARED = "compared"


def sweep_all(store: Store, now: datetime, rules: Rules) -> Swept:
    """Sweep until nobody waits, committing page by page, so that others have their turn between.

    A crash loses the page at hand and nothing else: whoever was not looked at is still marked. Compares
    everything once a day.
    """
    done = Swept()
    while (some := _page(store, now, rules)).looked:
        done += some
    done += compare(store, now, rules)
    if done.changed:
        counts = {"opened": len(done.opened), "moved": len(done.moved), "left": len(done.left)}
        log.info("debts swept", extra={"action": "sweep", **counts})
    return done


def compare(store: Store, now: datetime, rules: Rules) -> Swept:
    """Compare files with open debts, once a day, and mend where they differ; return what was mended."""
    done, after = Swept(), _where_to_begin(store, now)
    while after is not None:
        some, after = _compared(store, after, now, rules)
        done += some
    if done.changed:
        log.error("debts differed from files", extra={"action": "compare", "count": done.changed})
    return done


def _page(store: Store, now: datetime, rules: Rules) -> Swept:
    with store() as work:
        swept = sweep(work, now, rules=rules, pages=1)
        work.commit()
    return swept


def _where_to_begin(store: Store, now: datetime) -> str | None:
    """Return after whom the comparison goes on; None if it was done within a day."""
    with store() as work:
        known = work.debts.remembered(_COMPARED) or ""
    begun, _, after = known.partition("@")
    if after:
        return after
    return "" if not begun or datetime.fromisoformat(begun) + COMPARED_EVERY <= now else None


def _compared(store: Store, after: str, now: datetime, rules: Rules) -> tuple[Swept, str | None]:
    with store() as work:
        persons, last = work.debts.astray(after, COMPARED_AT_ONCE, kinds_of(rules))
        swept = sweep_people(work, persons, now, rules)
        work.debts.remember(_COMPARED, now.isoformat() if last is None else f"{now.isoformat()}@{last}")
        work.commit()
    return swept, last
