"""Seeded rounds of violence while calls flow and debts are dialled; `scripts/chaos` runs longer ones.

A plan is made from the seed alone: the same seed gives the same calls and the same blows at the same
instants. What they meet on the way differs from run to run, which is the point.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from ami_tap import Moment
from verdict import findings
from violence import PINS, Site

from callcenter.demo.runner import until
from callcenter.demo.sipp import BUSY, NO_ANSWER, VOICEMAIL, Answer, Behaviour, Carrier, Phone, presses

SOON = timedelta(milliseconds=300)
HEADING = "档案编号,姓名,联系电话,困难类别,档案状态,建档日期,同意自动回访,同意日期"
#: What a worker's telephone may do: fine, wants a call back, opts out, says nothing, and so on.
WORKERS: tuple[Behaviour, ...] = (
    Answer(after=SOON, keys=presses("1@1 1@2.4")),
    Answer(after=SOON, keys=presses("1@1 2@2.4")),
    Answer(after=SOON, keys=presses("9@1")),
    Answer(after=SOON, talk=timedelta(seconds=1)),
    VOICEMAIL,
    BUSY,
    NO_ANSWER,
)
#: SIPp 3.6.1 does not load a scenario of more branches than some fifty: workers beyond are fine.
_MOST = 20
#: Time for what goes on to end by itself, seconds.
_REST = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """Something done at an instant, in seconds from the first."""

    at: float
    what: str
    talk: float = 0.0
    worker: int = -1


def plan(seed: int, seconds: float) -> list[Deed]:
    """Return every deed of a round, in order."""
    random = Random(seed)
    deeds = [*_calls(random, seconds), *_blows(random, seconds), *_imports(random, seconds)]
    return sorted(deeds, key=lambda deed: deed.at)


def _calls(random: Random, seconds: float) -> Iterator[Deed]:
    at = 0.0
    while at < seconds:
        yield Deed(at=at, what="call", talk=random.uniform(0.2, 7.0))
        at += random.expovariate(1 / 1.2)


def _imports(random: Random, seconds: float) -> Iterator[Deed]:
    for n, at in enumerate(sorted(random.uniform(0, seconds) for _ in range(max(3, int(seconds / 5))))):
        yield Deed(at=at, what="import", worker=n)


def _blows(random: Random, seconds: float) -> Iterator[Deed]:
    """Yield stories of blows. An armed one strikes at the next attempt, whoever is alive by then."""
    at = random.uniform(0.5, 2)
    while at < seconds:
        for what in random.choice(_STORIES):
            yield Deed(at=at, what=what)
            at += random.uniform(0.1, 2.0)
        at += random.uniform(0.5, 4.0)  # serve needs about a second to be at work


_STORIES: tuple[tuple[str, ...], ...] = (
    ("kill", "start"),
    ("kill", "rotate", "start"),
    ("stop", "cont"),
    ("stop", "kill", "start"),
    ("stop", "start", "cont"),
    ("sever",),
    ("rotate",),
    ("kill_written", "start"),
    ("kill_ordered", "start"),
    ("kill_answered", "start"),
)


@dataclass(kw_only=True)
class Chaos:
    """One round on a site of its own."""

    site: Site
    seed: int
    seconds: float
    done: Counter[str] = field(default_factory=Counter)

    def run(self) -> list[str]:
        """Play the plan, let everything end, and return what is wrong."""
        deeds = plan(self.seed, self.seconds)
        phones = self._set_up(deeds)
        acts = self._acts()
        began = monotonic()
        for deed in deeds:
            until(lambda d=deed: monotonic() - began >= d.at, self.seconds + _REST)
            acts[deed.what](deed)
            self.done[deed.what] += 1
        self._come_to_rest()
        return findings(self.site, phones=phones, carrier=self._carrier, workers=self._workers)

    def _set_up(self, deeds: list[Deed]) -> list[Phone]:
        self._workers = [f"1370{deed.worker:07d}" for deed in deeds if deed.what == "import"]
        random = Random(self.seed)
        told = {number: random.choice(WORKERS) for number in self._workers[:_MOST]}
        self._carrier: Carrier = self.site.actors.carrier(told, otherwise=WORKERS[0])
        phones = [self.site.actors.phone(code, behaviour=Answer(after=SOON)) for code in PINS]
        self.site.on_duty(*PINS)
        self.site.until_members(*PINS)
        return phones

    def _acts(self) -> dict[str, Callable[[Deed], object]]:
        python, tap = self.site.python, self.site.tap
        return {
            "call": lambda deed: self.site.call(talk=timedelta(seconds=deed.talk)),
            "import": self._import,
            "kill": lambda _: python.sigkill(),
            "stop": lambda _: python.sigstop(),
            "cont": lambda _: python.sigcont(),
            "start": lambda _: python.start(ready=False),
            "sever": lambda _: tap.sever(),
            "rotate": lambda _: self._rotate(),
            "kill_written": lambda _: tap.arm(Moment.WRITTEN, python.sigkill),
            "kill_ordered": lambda _: tap.arm(Moment.ORDERED, python.sigkill),
            "kill_answered": lambda _: tap.arm(Moment.ANSWERED, python.sigkill),
        }

    def _import(self, deed: Deed) -> None:
        """Begin an import, which the next blow may hit as well."""
        self.site.python.start("hardship", "import", str(self._register(deed.worker)), ready=False)

    def _register(self, worker: int) -> Path:
        file = self.site.folder / f"register-{worker}.csv"
        row = f"WX-{worker},周伟,1370{worker:07d},深度困难,在档,2026-01-05,是,2026-01-05"
        file.write_text(f"{HEADING}\n{row}\n", encoding="utf-8")
        return file

    def _rotate(self) -> None:
        with suppress(FileNotFoundError):  # nothing written since the last time
            self.site.rotate_journal()

    def _come_to_rest(self) -> None:
        """One living process, everything imported, every call over, every doubt settled."""
        site = self.site
        site.tap.disarm()
        site.python.restart()
        for worker in range(len(self._workers)):
            site.hotline("hardship", "import", str(self._register(worker)))
        for call in site.calls:
            call.actor.wait(_REST)
        site.until_on_record(seconds=_REST)
        until(self._no_doubt, 2 * _REST, what="every attempt to be settled")
        site.until_quiet()

    def _no_doubt(self) -> bool:
        with self.site.looking() as work:
            return not work.debts.attempts_in_doubt()

    def summary(self) -> str:
        """Return the round's figures in a line or two."""
        ended = Counter(str(record.outcome) for record in self.site.records())
        told = ", ".join(f"{name} {n}" for name, n in sorted(self.done.items()))
        return f"done: {told}\non record: {', '.join(f'{name} {n}' for name, n in sorted(ended.items()))}"


def main() -> int:
    """Play a round as the command line says; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="chaos", description="Kill and hang our Python while calls flow.")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=None)
    chosen = parser.parse_args()
    seed = SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    say = sys.stdout.write
    say(f"seed {seed}, {chosen.minutes:g} minutes\n")
    site = Site()
    failed = True
    try:
        chaos = Chaos(site=site.open(), seed=seed, seconds=chosen.minutes * 60)
        wrong = chaos.run() + site.python.complaints()
        failed = bool(wrong)
        say("\n".join([chaos.summary(), *wrong, f"{len(wrong)} findings", ""]))
    finally:
        site.close(keep=failed)
        if failed:
            say(f"logs are kept in {site.folder}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
