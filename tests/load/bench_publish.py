"""Publish a year for many counsellors through the real service, on a store of its own."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from statistics import median

import click

from callcenter.db.migrate import upgrade
from callcenter.db.unit_of_work import SqlStore, open_store
from callcenter.domain.books import TEMPLATES
from callcenter.domain.duty import ShiftKind
from callcenter.domain.plan_rules import PlanRules
from callcenter.domain.users import PhoneKind, Role, User
from callcenter.keys import KeyRing
from callcenter.service.duty import publishing, templates

#: Seconds in which a year is published.
WANTED = 2.0
NOW = datetime(2026, 11, 27, 2, 0, tzinfo=UTC)
FIRST = date(2026, 11, 28)
LAST = FIRST + timedelta(days=364)
ACTOR = "s001"
#: What is published, in turns on one store.
AGAIN, MOVED = "the same again", "a tenth changed"
KINDS = ("a year", AGAIN, MOVED)
#: Night, morning, afternoon and evening; each counsellor has one of them, five days a week.
_SLOTS = (time(0), time(6), time(12), time(18))
RULES = PlanRules(most_nights=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """How long each round took, seconds, how much of it this process worked, and how much it was."""

    what: str
    took: tuple[float, ...]
    cpu: tuple[float, ...]
    shifts: int
    faults: int

    @property
    def middle(self) -> float:
        """Return the median round."""
        return median(self.took)


def measure(folder: Path, counsellors: int, rounds: int) -> list[Times]:
    """Publish a year afresh, again, and with a tenth of the templates moved by an hour; tell each."""
    found: dict[str, list[tuple[float, float, publishing.Published]]] = {kind: [] for kind in KINDS}
    for number in range(rounds):
        store = _filled(folder / f"publish-{number}.db", counsellors)
        try:
            for kind in KINDS:
                if kind == MOVED:
                    _move(store, counsellors // 10)
                found[kind].append(_publish(store))
        finally:
            store.close()
    if any(done.new or done.gone for _, _, done in found[AGAIN]):
        raise click.ClickException("publishing again changed something")
    return [_told(kind, some) for kind, some in found.items()]


def _told(kind: str, rounds: list[tuple[float, float, publishing.Published]]) -> Times:
    took, cpu, done = zip(*rounds, strict=True)
    one = Times(what=kind, took=took, cpu=cpu, shifts=len(done[-1].new), faults=len(done[-1].faults))
    click.echo(
        f"publish, {kind:16} {one.shifts:7,} shifts written, {one.faults:,} faults   median"
        f" {one.middle:5.2f} s ({min(took):.2f}-{max(took):.2f}), CPU {median(cpu):.2f} s"
        f"   wanted: at most {WANTED:g} s"
    )
    return one


def is_good(found: list[Times]) -> bool:
    """Tell whether each kind of publishing took no longer than wanted."""
    return all(one.middle <= WANTED for one in found)


def _filled(file: Path, counsellors: int) -> SqlStore:
    """Return a store with counsellors, a template each, and a supervisor in the alarm chain."""
    url = f"sqlite:///{file}"
    upgrade(url)
    store = open_store(url, KeyRing(master=bytes(range(32))))
    roles = frozenset({Role.COUNSELLOR})
    with store() as work:
        leads = frozenset({Role.SUPERVISOR})
        work.users.add(User(code=ACTOR, name="孙立", roles=leads, phone=PhoneKind.SIP, alarm_rank=1))
        for n in range(counsellors):
            code = f"c{n:03d}"
            work.users.add(User(code=code, name="周敏", roles=roles, phone=PhoneKind.SIP))
            templates.add_template(
                work,
                name=f"班 {n}",
                kind=ShiftKind.LINE,
                days=frozenset((n // len(_SLOTS) + day) % 7 for day in range(5)),
                start=_SLOTS[n % len(_SLOTS)],
                length=timedelta(hours=6),
                agents=(code,),
                first=FIRST,
                actor=ACTOR,
                now=NOW,
            )
        work.commit()
    return store


def _publish(store: SqlStore) -> tuple[float, float, publishing.Published]:
    """Publish the year, commit included; return seconds, CPU seconds and what it changed."""
    begun, worked = clock.perf_counter(), clock.process_time()
    with store() as work:
        done = publishing.publish(
            work, FIRST, LAST, rules=RULES, actor=ACTOR, now=NOW, reason="全年先行发布,缺口后补"
        )
        work.commit()
    return clock.perf_counter() - begun, clock.process_time() - worked, done


def _move(store: SqlStore, count: int) -> None:
    with store() as work:
        for one in work.book(TEMPLATES).where()[:count]:
            later = (datetime.combine(FIRST, one.start) + timedelta(hours=1)).time()
            templates.change_template(work, replace(one, start=later), actor=ACTOR, now=NOW)
        work.commit()
