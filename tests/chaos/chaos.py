"""Seeded rounds of chaos while calls flow and debts are dialled; `scripts/chaos` runs longer ones.

A plan is made from the seed alone: the same seed gives the same calls and the same faults at the same
instants. What they meet on the way differs from run to run, which is the point.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from ami_tap import Moment
from counsellor import Counsellor
from faults import FAULTS, Fault
from faults.process import leader
from invariants import AFTER_BOOT, SEATED_WITHIN, Broken, Round, broken, tries
from oracle import Handset, Oracle, Span
from scenario import PHONES, WORKERS, Deed, number_of, plan, workers
from violence import HOUR, PINS, Site

from callcenter.demo.runner import ActorFailed, until
from callcenter.demo.sipp import Carrier, presses
from callcenter.domain.staff import GENERAL

HEADING = "档案编号,姓名,联系电话,困难类别,档案状态,建档日期,同意自动回访,同意日期"
#: SIPp 3.6.1 does not load a scenario of more branches than some fifty: workers beyond are fine.
_MOST = 20
#: Hands callers on, to c002 or c001 as a keypad spells them; signed off at the end, while nothing of ours
#: is there to see it.
_HANDS_ON, _COLLEAGUES = "c003", ("*32002", "*32001")
#: A verb of ours takes so long at most (seconds) on a machine with nothing else to do; one that is slower
#: now makes everything slower.
_VERB = 0.8
#: At the end the PBX loses this one meanwhile.
_DROPPED = "c002"
#: Time for the dialler to get to everybody, seconds.
_FIRST_TRY = 20.0
#: Time for what goes on to end by itself, seconds.
_REST = 90.0


def faults_for(store: str, names: str | None = None, *, apart: bool = False) -> dict[str, Fault]:
    """Return the faults that a site with this store may suffer, whole or apart; only those named, if any."""
    chosen = FAULTS if names is None else {name: FAULTS[name] for name in names.split(",") if name}
    found = {name: fault for name, fault in chosen.items() if fault.store in ("", store)}
    return {name: fault for name, fault in found.items() if apart or not fault.apart}


@dataclass(kw_only=True)
class Chaos:
    """One round on a site of its own, which has been prepared for these faults."""

    site: Site
    seed: int
    seconds: float
    faults: Mapping[str, Fault]
    done: Counter[str] = field(default_factory=Counter)
    #: From our processes' return until the queue held exactly who is on duty, on a machine at rest.
    seated_after: timedelta = timedelta(0)
    #: Whether somebody who was owed a call at the end alone was dialled.
    dials: bool = True
    #: The round at rest, once it is.
    played: Round | None = None
    _outages: list[Span] = field(default_factory=list)
    _boots: list[Span] = field(default_factory=list)
    _struck: dict[str, datetime] = field(default_factory=dict)

    def run(self) -> list[Broken]:
        """Play the plan, let everything end, and return what is broken."""
        deeds = plan(self.seed, self.seconds, self.faults)
        self._set_up(deeds)
        acts = self._acts()
        began = monotonic()
        for deed in deeds:
            until(lambda d=deed: monotonic() - began >= d.at, self.seconds + _REST)
            acts[deed.what](deed)
            self.done[f"{deed.what} {deed.name}".strip()] += 1
        wrong: list[Broken] = []
        try:
            self._come_to_rest()
        except TimeoutError as error:
            wrong.append(Broken(invariant="rest", sentence=str(error)))
        on_duty = self._part_and_return()
        self.played = self._at_rest(on_duty)
        return wrong + broken(self.played)

    def _set_up(self, deeds: list[Deed]) -> None:
        told = workers(self.seed, deeds)
        self._workers = list(told)
        few = dict(list(told.items())[:_MOST])
        self._carrier: Carrier = self.site.actors.carrier(few, otherwise=WORKERS[0])
        self._handsets: dict[str, Handset] = {
            code: self.site.actors.phone(code, behaviour=kind)
            for code, kind in zip(PINS, PHONES, strict=False)
        }
        self._handsets[_HANDS_ON] = self._hands_on = self._counsellor(_HANDS_ON)
        for code in PINS:
            self.site.plan(code, self.site.began - HOUR, self.site.began + 20 * HOUR)
            self.site.hotline("duty", "on", code)
        self.site.until_members(*PINS)
        self.site.until_reachable(*PINS)

    def _counsellor(self, code: str) -> Counsellor:
        password = self.site.actors.password(code)
        phone = Counsellor(self.site.pbx.sip, code, password, colleagues=_COLLEAGUES, seed=self.seed)
        self.site.endings.callback(phone.close)
        phone.register()
        return phone

    def _acts(self) -> dict[str, Callable[[Deed], object]]:
        return {
            "call": self._call,
            "import": self._import,
            "strike": self._strike,
            "mend": lambda deed: self._mend(deed.name),
            "arm": lambda deed: self.site.tap.arm(Moment(deed.name), self._kill_and_start),
        }

    def _call(self, deed: Deed) -> None:
        keys = presses(deed.keys)
        self.site.call(talk=timedelta(seconds=deed.talk), keys=keys, refusal_ok=True)

    def _import(self, deed: Deed) -> None:
        """Begin an import, which the next fault may hit as well."""
        self.site.python.start("hardship", "import", str(self._register([deed.worker])), ready=False)

    def _strike(self, deed: Deed) -> None:
        self._struck[deed.name] = datetime.now(UTC)
        self.faults[deed.name].strike(self.site)

    def _mend(self, name: str) -> None:
        fault, start = self.faults[name], self._struck.pop(name)
        fault.mend(self.site)
        span = Span(start=start, end=datetime.now(UTC))
        if fault.kills_calls:
            self._boots.append(Span(start=span.start, end=span.end + AFTER_BOOT))
        else:
            self._outages.append(span)

    def _kill_and_start(self) -> None:
        start = datetime.now(UTC)
        self.site.python.sigkill()
        self.site.python.start(ready=False)
        self._outages.append(Span(start=start, end=datetime.now(UTC)))

    def _register(self, workers: Sequence[int]) -> Path:
        file = self.site.folder / f"register-{workers[0]}-{len(workers)}.csv"
        rows = [
            f"WX-{worker},周伟,{number_of(worker)},深度困难,在档,2026-01-05,是,2026-01-05"
            for worker in workers
        ]
        file.write_text("\n".join([HEADING, *rows, ""]), encoding="utf-8")
        return file

    def _come_to_rest(self) -> None:
        """Everything whole, one living process, every debt imported, every call over, every doubt settled."""
        site = self.site
        site.tap.disarm()
        for name in list(self._struck):
            self._mend(name)
        site.python.restart()
        site.until_members(*PINS, seconds=_REST)
        site.hotline("hardship", "import", str(self._register(range(len(self._workers)))))
        for call in site.calls:
            # A BYE to a PBX that died is answered by nobody.
            with suppress(*((ActorFailed, TimeoutError) if self._boots else ())):
                call.actor.wait(_REST)
        with suppress(TimeoutError):  # a gate may hold calls back for longer, which is no breach
            until(self._everybody_tried, _FIRST_TRY)
        self._owe_one_more()
        site.until_on_record([call for call in site.calls if self._was_taken(call.number)], seconds=_REST)
        until(self._no_doubt, 2 * _REST, what="every attempt to be settled")
        site.until_quiet()

    def _owe_one_more(self) -> None:
        """Note whether somebody owed a call from now on is dialled, also once the leader is dead."""
        site, last = self.site, len(self._workers)
        if site.is_apart:
            with suppress(TimeoutError):  # an invariant says so, at the end
                until(lambda: len(site.apart.leaders()) == 1, _FIRST_TRY)
            leader(site).send(signal.SIGKILL)
        self._workers.append(number_of(last))
        site.hotline("hardship", "import", str(self._register([last])))
        with suppress(TimeoutError):
            until(lambda: self._was_tried(number_of(last)), 2 * _FIRST_TRY)
        self.dials = self._was_tried(number_of(last))

    def _was_tried(self, worker: str) -> bool:
        with self.site.looking() as work:
            return bool(tries(work, worker))

    def _part_and_return(self) -> list[str]:
        """Let roster and queue part while nothing of ours lives; time their reunion; return who is on."""
        site = self.site
        site.python.sigkill()
        began = monotonic()
        site.hotline("duty", "off", _HANDS_ON)
        self._slowness = max(1.0, (monotonic() - began) / _VERB)
        site.pbx.console(f"queue remove member {site.pbx.interface(_DROPPED)} from {GENERAL}")
        site.python.start()
        returned = monotonic()
        on_duty = [code for code in PINS if code != _HANDS_ON]
        with suppress(TimeoutError):  # an invariant says so
            site.until_members(*on_duty, seconds=2 * self._slowness * SEATED_WITHIN.total_seconds())
        self.seated_after = timedelta(seconds=monotonic() - returned) / self._slowness
        if site.is_apart:
            with suppress(TimeoutError):
                until(site.apart.leaders, _FIRST_TRY)
        return on_duty

    def _was_taken(self, number: str) -> bool:
        return number in {call.number for call in self._oracle.answered()}

    def _everybody_tried(self) -> bool:
        return all(map(self._was_tried, self._workers))

    def _no_doubt(self) -> bool:
        with self.site.looking() as work:
            return not work.debts.attempts_in_doubt()

    @property
    def _oracle(self) -> Oracle:
        return Oracle(site=self.site, handsets=self._handsets, carrier=self._carrier)

    def _at_rest(self, on_duty: list[str]) -> Round:
        return Round(
            site=self.site,
            oracle=self._oracle,
            workers=self._workers,
            outages=self._outages,
            boots=self._boots,
            on_duty=on_duty,
            seated_after=self.seated_after,
            dials=self.dials,
        )

    def figures(self) -> dict[str, object]:
        """Return the round's figures."""
        ended = Counter(str(record.outcome) for record in self.site.records())
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "faults": sum(n for what, n in self.done.items() if what.startswith(("strike", "arm"))),
            "calls_in": len(self.site.calls),
            "calls_out": sum(1 for i in self.site.tap.ordered),
            "handed_on": dict(sorted(self._hands_on.handed.items())),
            "lost": self.played.lost() if self.played else None,
            "doubled": self.played.doubled() if self.played else None,
            "done": dict(sorted(self.done.items())),
            "on_record": dict(sorted(ended.items())),
            "seated_after_seconds": round(self.seated_after.total_seconds(), 1),
        }


def main() -> int:
    """Play a round as the command line says; return 1 if anything is wrong, or a defect is not caught."""
    parser = argparse.ArgumentParser(prog="chaos", description="Break a line in every way while calls flow.")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--apart", action="store_true", help="one bridge and two schedulers, each a process")
    parser.add_argument("--faults", default=None, help=f"only these, with commas: {', '.join(FAULTS)}")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--keep", action="store_true", help="leave the site's folder, whatever came of it")
    parser.add_argument("--bite", nargs="*", metavar="DEFECT", help="break the product instead; see defects/")
    parser.add_argument("--healthy", action="store_true", help="with --bite: the same rounds, nothing broken")
    chosen = parser.parse_args()
    if chosen.bite is not None:
        from defects import bite

        return bite.main(chosen.bite, healthy=chosen.healthy)
    seed = SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    how = f"{chosen.store}, {'apart' if chosen.apart else 'whole'}"
    sys.stdout.write(f"seed {seed}, {chosen.minutes:g} minutes, {how}\n")
    sys.stdout.flush()
    faults = faults_for(chosen.store, chosen.faults, apart=chosen.apart)
    site, failed = Site(chosen.store, apart=chosen.apart), True
    wrong: list[Broken] = []
    try:
        for fault in faults.values():
            fault.prepare(site)
        chaos = Chaos(site=site.open(), seed=seed, seconds=chosen.minutes * 60, faults=faults)
        wrong = chaos.run()
        failed = bool(wrong) or chosen.keep
        figures = chaos.figures() | {"store": chosen.store, "apart": chosen.apart, "broken": len(wrong)}
        lines = [f"{one.invariant}: {one.sentence}" for one in wrong]
        sys.stdout.write("\n".join([json.dumps(figures, indent=2, ensure_ascii=False), *lines, ""]))
        if chosen.json:
            chosen.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False))
    finally:
        site.close(keep=failed)
        if failed:
            sys.stdout.write(f"logs are kept in {site.folder}\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
